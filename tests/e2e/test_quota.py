"""Budgets hold, whatever happens at once."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import scripts
from checks import code_of, expect
from polling import wait_for
from transport import http_client
from world import Relay

BIG = 100_000
"""An answer's limit so large that the prompt hardly matters: such a call holds 300,000 units and a little."""
HOLD = 3 * BIG
LITTLE = 2000


def hold_for(calls: int) -> int:
    """A balance that covers exactly so many open calls of the limit `BIG`."""
    return calls * (HOLD + LITTLE) + HOLD // 2


def test_nothing_is_spent_without_a_balance(lab):
    rig = lab.rig(owner=lab.user(quota=0))
    for stream in (False, True):
        reply = expect(rig.chat(stream=stream), 403, "insufficient_quota")
        assert reply.headers["x-should-retry"] == "false"
    expect(rig.relay.embed(rig.model), 403, "insufficient_quota")
    assert rig.route.calls == 0 and rig.token.rows() == []


def test_a_call_that_could_cost_too_much_is_not_made(lab):
    rig = lab.rig(owner=lab.user(quota=1000))
    expect(rig.chat(max_tokens=1000), 403, "insufficient_quota")
    assert rig.route.calls == 0
    expect(rig.chat(max_tokens=100), 200)


def test_several_answers_count_several_times(lab):
    rig = lab.rig(owner=lab.user(quota=1000))
    expect(rig.chat(max_tokens=100, n=10), 403, "insufficient_quota")
    expect(rig.chat(max_tokens=100, n=1), 200)
    assert rig.route.calls == 1


def test_what_others_hold_is_not_there_now_but_later(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=hold_for(1)))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat, max_tokens=BIG)
        gate.wait_arrived()
        reply = expect(rig.chat(max_tokens=BIG), 429, "quota_reserved")
        assert int(reply.headers["retry-after"]) >= 1
        assert rig.route.calls == 1
        gate.open()
        expect(first.result(), 200)
    rig.wait_row(first.result())
    expect(rig.chat(max_tokens=BIG), 200)


@pytest.mark.parametrize("binding", ["balance", "key"])
def test_of_a_hundred_at_once_exactly_ten_get_through(lab, binding):
    gate = lab.gate()
    amount = hold_for(10)
    owner = lab.user(quota=amount if binding == "balance" else 10 * amount)
    rig = lab.rig(scripts.chat(gate=gate), owner=owner, token={"quota": amount} if binding == "key" else None)
    with http_client(rig.site.gateway.url, rig.site.canaries, connections=100) as http, ThreadPoolExecutor(100) as pool:
        relay = Relay(http, rig.token.key)
        calls = [pool.submit(relay.chat, rig.model, max_tokens=BIG) for _ in range(100)]
        try:
            wait_for(lambda: sum(call.done() for call in calls) >= 90, "90 refusals", 30,
                     detail=lambda: f"{sum(call.done() for call in calls)} came, {rig.route.calls} calls upstream")
            assert rig.route.calls == 10, "exactly ten calls reach the upstream"
        finally:
            gate.open()
        replies = [call.result() for call in calls]
    assert sorted({(reply.status_code, code_of(reply)) for reply in replies if reply.status_code != 200}) == [(429, "quota_reserved")]
    good = [reply for reply in replies if reply.status_code == 200]
    assert len(good) == 10 == rig.route.calls
    for reply in good:
        rig.wait_row(reply)
    assert len(rig.token.rows()) == 10
    assert owner.fresh()["used_quota"] == 10 * scripts.cost() == rig.token.fresh()["used_quota"]


def test_a_balance_is_spent_to_its_end_and_never_overdrawn(lab):
    """Many calls in parallel, until no more can be paid for."""
    owner = lab.user(quota=3000)
    rig = lab.rig(scripts.chat(usage=scripts.usage_of(40, 50)), owner=owner)

    def call(_):
        reply = rig.chat(max_tokens=50)
        return reply.status_code, code_of(reply)

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(call, range(60)))
    assert set(results) <= {(200, None), (403, "insufficient_quota"), (429, "quota_reserved")}, set(results)
    paid = sum(status == 200 for status, _ in results)
    wait_for(lambda: len(rig.token.rows()) == paid, f"{paid} rows")
    me = owner.fresh()
    assert me["used_quota"] == 190 * paid == sum(row["quota"] for row in rig.token.rows())
    assert me["quota"] == 3000 - 190 * paid >= 0
    assert paid == rig.route.calls >= 8


def test_an_upstream_that_reports_more_than_was_held_cannot_overdraw(lab):
    owner = lab.user(quota=1000)
    rig = lab.rig(scripts.chat(usage=scripts.usage_of(10**6, 10**6)), owner=owner)
    row = rig.wait_row(expect(rig.chat(max_tokens=100), 200))
    me = owner.fresh()
    assert 0 <= me["quota"] <= 1000 and me["used_quota"] == row["quota"] <= 1000


def test_failures_give_back_what_they_held(lab):
    rig = lab.rig(scripts.error(500), owner=lab.user(quota=hold_for(1)))
    for _ in range(3):
        expect(rig.chat(max_tokens=BIG), 502)
    rig.route.play(scripts.answer(200, b"<html>", "text/html"))
    expect(rig.chat(max_tokens=BIG), 502)
    rig.route.play(scripts.chat())
    rig.wait_row(expect(rig.chat(max_tokens=BIG), 200))
    assert rig.user.fresh()["quota"] == hold_for(1) - scripts.cost()


def test_a_grant_is_there_at_once(lab):
    rig = lab.rig(owner=lab.user(quota=0))
    expect(rig.chat(), 403, "insufficient_quota")
    rig.site.root.put(f"/api/user/{rig.user.id}", {"quota": {"grant": 100_000}})
    expect(rig.chat(), 200)


def test_a_user_without_enough_for_one_key_may_still_use_another(lab):
    """The key's own limit binds only that key."""
    owner = lab.user()
    rig = lab.rig(owner=owner, token={"quota": 10})
    expect(rig.chat(), 403, "insufficient_quota")
    expect(lab.token(owner).relay.chat(rig.model), 200)


def test_grants_in_parallel_are_all_kept(lab):
    user = lab.user(quota=0)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: lab.site.root.put(f"/api/user/{user.id}", {"quota": {"grant": 7}}), range(20)))
    assert user.fresh()["quota"] == 140


def test_a_settled_call_is_settled_once(lab):
    """The balance does not move any more after the row is there."""
    rig = lab.rig(scripts.stream(), owner=lab.user(quota=100_000))
    reply, _ = rig.stream()
    rig.wait_row(reply)
    after = rig.user.fresh()["quota"]
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert rig.user.fresh()["quota"] == after == 100_000 - scripts.cost()
        assert len(rig.token.rows()) == 1
