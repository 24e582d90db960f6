"""What the ledger promises, seen from outside; each test has the name of its promise.

L4 has a file of its own, `test_books.py`; and the books are checked at the end of every site.
"""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

import scripts
from checks import code_of, expect
from polling import wait_for
from transport import http_client
from world import Lab, Relay, Rig, User, unique

BIG = 100_000
"""A limit so large that the prompt hardly matters: such a call holds 300,000 units and a little."""


def balance_for(calls: int) -> int:
    """A balance that covers exactly so many open calls of the limit `BIG`."""
    return calls * 3 * BIG + 150_000


@contextmanager
def many_callers(rig: Rig, at_a_time: int):
    """A relay for many calls at once, and threads for them."""
    with (http_client(rig.site.gateway.url, rig.site.canaries, connections=at_a_time) as http,
          ThreadPoolExecutor(at_a_time) as pool):
        yield Relay(http, rig.token.key), pool


def nothing_is_held(site, user: User) -> bool:
    """A balance cannot be set below what is held: so it can be set to 0 if nothing is."""
    me = user.fresh()
    granted = me["quota"] + me["used_quota"]
    reply = expect(site.root.raw("PUT", f"/api/user/{user.id}", json={"quota": 0}), (200, 409))
    if reply.status_code == 200:
        site.root.put(f"/api/user/{user.id}", {"quota": granted - user.fresh()["used_quota"]})
    return reply.status_code == 200


# L1: no request is charged twice, or has two rows.


def test_l1_the_same_request_at_once_is_charged_once(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=10**6))
    headers = {"idempotency-key": unique("once")}
    with many_callers(rig, 30) as (relay, pool):
        calls = [pool.submit(relay.chat, rig.model, headers, max_tokens=10) for _ in range(30)]
        try:
            wait_for(lambda: sum(call.done() for call in calls) == 29, "29 conflicts", detail=lambda: sum(call.done() for call in calls))
        finally:
            gate.open()
        replies = [call.result() for call in calls]
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 29
    row = rig.wait_row(next(reply for reply in replies if reply.status_code == 200))
    assert rig.token.rows() == [row] and rig.route.calls == 1
    assert rig.user.fresh()["used_quota"] == scripts.cost()


def test_l1_a_call_that_was_tried_three_times_is_charged_once(lab):
    rig = lab.rig(scripts.error(500), owner=lab.user(quota=10**6), channel={"priority": 3})
    lab.channel(lab.route(scripts.raw(b"", "rst")), rig.model, priority=2)
    lab.channel(lab.route(), rig.model, priority=1)
    row = rig.wait_row(expect(rig.chat(), 200))
    assert row["attempts"] == 3 and rig.token.rows() == [row]
    assert rig.user.fresh()["used_quota"] == scripts.cost() == row["quota"]


@pytest.mark.native
def test_l1_a_call_that_a_crash_left_open_is_charged_once_however_often_it_starts_again(process, open_site):
    site = open_site()
    rig = Lab(site).rig(scripts.broken_stream(["begun"], "stall"), owner=site.user(quota=100_000))
    with rig.raw(max_tokens=1000) as connection:
        connection.read_until(b"begun")
        process.kill()
    seen = []
    for _ in range(3):
        again = open_site()
        user = again.login(rig.user.username, rig.user.password)
        seen.append((user.get("/api/log/self")["items"], user.get("/api/user/self")["quota"]))
        process.kill()
    (row,), balance = seen[0]
    assert (row["request_id"], row["end_reason"], row["state"]) == (connection.request_id, "orphan", "expired")
    assert 0 < row["quota"] == 100_000 - balance and seen == [seen[0]] * 3


# L2: every request that was sent upstream ends in exactly one state.

ENDINGS = [scripts.chat(), scripts.error(500), scripts.error(400), scripts.stream(), scripts.broken_stream(["begun"], "rst"),
           scripts.broken_stream(["begun"], "stall"), scripts.raw(b"", "rst"), scripts.stream(reports_usage=False), scripts.silence()]


@pytest.mark.own
def test_l2_every_call_ends_in_one_state(impatient_lab):
    """Many calls that end in every way, some without their clients; then nothing is open, and nothing held."""
    lab = impatient_lab
    owner = lab.user(quota=10**8)
    rigs = [lab.rig(ending, owner=owner) for ending in ENDINGS]

    def call(number: int) -> None:
        rig = rigs[number % len(rigs)]
        if number % 4 == 3:
            connection = rig.raw(stream=number % 8 == 3, max_tokens=100)
            rig.route.wait_calls(1)
            connection.hang_up("rst" if number % 3 else "fin")
        else:
            rig.chat(stream=number % 2 == 0, max_tokens=100)

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(call, range(12 * len(rigs))))
    for rig in rigs:
        wait_for(lambda rig=rig: len(rig.token.rows()) >= rig.route.calls, "a row of every call that was sent", 15,
                 detail=lambda rig=rig: (len(rig.token.rows()), rig.route.calls))
    wait_for(lambda: nothing_is_held(lab.site, owner), "all holds to be given back")
    rows = [row for rig in rigs for row in rig.token.rows()]
    assert len({row["request_id"] for row in rows}) == len(rows) <= 12 * len(rigs)
    for row in rows:
        assert row["state"] in ("settled", "void") and (row["state"] == "settled" or row["quota"] == 0), row
    me = owner.fresh()
    assert me["used_quota"] == sum(row["quota"] for row in rows) == 10**8 - me["quota"]
    assert me["request_count"] == len(rows)


# L3: nothing is overdrawn, at any moment.


@pytest.mark.parametrize("binding", ["balance", "key"])
def test_l3_of_a_thousand_at_once_exactly_ten_get_through(lab, binding):
    """A hundred at a time on a quota for ten, while those ten are under way."""
    gate = lab.gate()
    quota = balance_for(10)
    owner = lab.user(quota=quota if binding == "balance" else 100 * quota)
    rig = lab.rig(scripts.chat(gate=gate), owner=owner, token={"quota": quota} if binding == "key" else None)

    def call(relay: Relay) -> tuple:
        reply = relay.chat(rig.model, max_tokens=BIG)
        return reply.status_code, code_of(reply), reply.headers["x-request-id"]

    with many_callers(rig, 100) as (relay, pool):
        calls = [pool.submit(call, relay) for _ in range(1000)]
        try:
            wait_for(lambda: sum(one.done() for one in calls) >= 990, "990 refusals", 50, every=0.05,
                     detail=lambda: f"{sum(one.done() for one in calls)} came, {rig.route.calls} calls upstream")
            assert rig.route.calls == 10, "exactly ten calls reach the upstream"
        finally:
            gate.open()
        results = [one.result() for one in calls]
    good = [request_id for status, _, request_id in results if status == 200]
    assert len(good) == 10 == rig.route.calls
    assert {result[:2] for result in results if result[0] != 200} == {(429, "quota_reserved")}
    wait_for(lambda: len(rig.token.rows()) >= 10, "ten rows")
    assert {row["request_id"] for row in rig.token.rows()} == set(good)
    assert owner.fresh()["used_quota"] == 10 * scripts.cost() == rig.token.fresh()["used_quota"]


def test_l3_setting_a_balance_cannot_erase_what_is_spent_meanwhile(lab):
    """The admin sets it again and again while calls are made: what was spent stays spent, and nothing that is held is taken away."""
    owner = lab.user(quota=100_000)
    rig = lab.rig(owner=owner)
    stop = threading.Event()

    def keep_setting() -> int:
        count = 0
        while not stop.is_set():
            expect(lab.site.root.raw("PUT", f"/api/user/{owner.id}", json={"quota": 100_000}), (200, 409))
            count += 1
        return count

    with ThreadPoolExecutor(12) as pool:
        setting = pool.submit(keep_setting)
        try:
            replies = list(pool.map(lambda _: rig.chat(max_tokens=10), range(100)))
        finally:
            stop.set()
        assert setting.result() > 3
    assert {reply.status_code for reply in replies} == {200}
    wait_for(lambda: len(rig.token.rows()) == 100, "all rows")
    me = owner.fresh()
    assert me["used_quota"] == 100 * scripts.cost() and 100_000 - me["used_quota"] <= me["quota"] <= 100_000


def test_l3_a_balance_cannot_be_set_below_what_is_held(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=10_000))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(rig.chat, max_tokens=1000)
        gate.wait_arrived()
        lab.site.root.refused("PUT", f"/api/user/{rig.user.id}", 409, "quota_out_of_range", json={"quota": 3000})
        lab.site.root.put(f"/api/user/{rig.user.id}", {"quota": 3077})
        gate.open()
        rig.wait_row(expect(call.result(), 200))
    assert rig.user.fresh()["quota"] == 3077 - scripts.cost()


# Grants: whoever repeats one makes it once.


def grant(site, user: User, amount: int, grant_id: str):
    return site.root.raw("PUT", f"/api/user/{user.id}", json={"quota": {"grant": amount, "id": grant_id}})


def test_l4_a_grant_that_is_sent_a_hundred_times_is_made_once(lab):
    user, other, grant_id = lab.user(quota=0), lab.user(quota=0), unique("invoice")
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: grant(lab.site, user, 700, grant_id), range(100)))
    assert {reply.status_code for reply in replies} == {200}, "a repetition is no error"
    assert user.fresh()["quota"] == 700
    expect(grant(lab.site, user, 701, grant_id), 409, "grant_id_taken")
    expect(grant(lab.site, other, 700, grant_id), 409, "grant_id_taken")
    assert (user.fresh()["quota"], other.fresh()["quota"]) == (700, 0)
    expect(grant(lab.site, user, 1, unique("invoice")), 200)
    assert user.fresh()["quota"] == 701


def test_l4_of_different_grants_under_one_id_at_once_one_is_made(lab):
    user, grant_id = lab.user(quota=0), unique("invoice")
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda number: grant(lab.site, user, 1000 + number, grant_id), range(20)))
    made = [number for number, reply in enumerate(replies) if reply.status_code == 200]
    assert len(made) == 1 and {code_of(reply) for reply in replies if reply.status_code != 200} == {"grant_id_taken"}
    assert user.fresh()["quota"] == 1000 + made[0]


@pytest.mark.parametrize("change", [
    {"grant": 5, "id": ""}, {"grant": 5, "id": "x" * 129}, {"grant": 5, "id": "a\nb"}, {"grant": 5, "id": 7}, {"id": "only"},
    {"grant": 5, "id": "a", "more": 1}, {"grant": -5, "id": "a"}, [5, "a"],
], ids=str)
def test_l4_a_grant_that_makes_no_sense_is_refused(lab, change):
    user = lab.user(quota=7)
    lab.site.root.refused("PUT", f"/api/user/{user.id}", 400, json={"quota": change})
    assert user.fresh()["quota"] == 7


# L5: what did not reach the client is not charged, and is recorded for the operator.


def test_l5_failed_attempts_are_the_operators(lab):
    """The user's row says what it cost and who answered; the operator's, who failed on the way."""
    rig = lab.rig(scripts.answer(200, b'{"choices":[],"usage":{"prompt_tokens":999,"completion_tokens":999}}'),
                  owner=lab.user(quota=10**6), channel={"priority": 2})
    good = lab.channel(lab.route(scripts.chat()), rig.model, priority=1)
    row = rig.wait_row(expect(rig.chat(), 200))
    assert (row["quota"], row["channel_id"]) == (scripts.cost(), good.id) and "failures" not in row
    seen, = lab.site.root.get("/api/log", params={"model": rig.model})["items"]
    assert seen["failures"] == [{"channel_id": rig.channel.id, "fault": "malformed"}]
    sums = lab.site.root.get("/api/log/stat", params={"by": "channel", "model": rig.model})["items"]
    assert {item["channel_id"]: (item["requests"], item["failures"], item["quota"]) for item in sums} == {
        rig.channel.id: (0, 1, 0), good.id: (1, 0, scripts.cost())}


# L6: without the ledger no upstream is called.


@pytest.mark.native
def test_l6_without_the_ledger_no_upstream_is_called(spawn):
    """Somebody else holds the database: the gateway waits for a while, and then refuses."""
    site = spawn()
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=100_000))
    rig.wait_row(expect(rig.chat(), 200))
    with closing(sqlite3.connect(site.gateway.database(), isolation_level=None)) as db, ThreadPoolExecutor(8) as pool:
        db.execute("BEGIN IMMEDIATE")
        calls = [pool.submit(rig.chat, stream=number % 2 == 0, max_tokens=100) for number in range(8)]
        replies = [call.result() for call in calls]
        db.execute("ROLLBACK")
    for reply in replies:
        expect(reply, 503, "ledger_unavailable")
    assert rig.route.calls == 1, "never fail open"
    # Whatever became of those that were asked for: nothing of it is held or charged.
    wait_for(lambda: nothing_is_held(site, rig.user), "late holds to be given back", 15, every=0.1)
    assert rig.user.fresh()["quota"] == 100_000 - scripts.cost()
    assert [row["state"] for row in rig.token.rows() if row["quota"] == 0] == ["void"] * (len(rig.token.rows()) - 1)
    rig.wait_row(expect(rig.chat(), 200))


# L7: whoever may not spend, spends nothing from the next request on.

REVOCATIONS = {
    "a deleted key": (lambda rig: rig.user.api.delete(f"/api/token/{rig.token.id}"), 401, "invalid_api_key"),
    "a disabled key": (lambda rig: rig.user.api.put(f"/api/token/{rig.token.id}", {"status": 0}), 401, "invalid_api_key"),
    "a disabled user": (lambda rig: rig.site.root.put(f"/api/user/{rig.user.id}", {"status": 0}), 403, "account_disabled"),
}


@pytest.mark.parametrize("how", REVOCATIONS)
def test_l7_a_key_that_is_revoked_while_a_hundred_calls_run_spends_nothing_more(lab, how):
    """The hundred were admitted, and are paid. Other calls are made all the time: not one that begins after the revocation gets through."""
    revoke, status, code = REVOCATIONS[how]
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user())
    busy = lab.route()
    busy_model = lab.model()
    lab.channel(busy, busy_model)
    stop = threading.Event()

    def keep_calling() -> list[tuple[float, int, str | None]]:
        seen = []
        while not stop.is_set():
            begun = time.monotonic()
            reply = rig.relay.chat(busy_model, max_tokens=10)
            seen.append((begun, reply.status_code, code_of(reply)))
        return seen

    with many_callers(rig, 100) as (relay, pool), ThreadPoolExecutor(8) as busy_pool:
        calls = [pool.submit(relay.chat, rig.model, max_tokens=10) for _ in range(100)]
        try:
            gate.wait_arrived(100)
            callers = [busy_pool.submit(keep_calling) for _ in range(8)]
            busy.wait_calls(20)
            revoke(rig)
            revoked = time.monotonic()
            for stream in (False, True):
                expect(rig.chat(stream=stream), status, code)
        finally:
            stop.set()
            gate.open()
        seen = [one for caller in callers for one in caller.result()]
        assert {call.result().status_code for call in calls} == {200}
    for begun, got, got_code in seen:
        assert (got, got_code) in ([(status, code)] if begun > revoked else [(200, None), (status, code)])
    good = sum(got == 200 for _, got, _ in seen)
    assert (rig.route.calls, busy.calls) == (100, good)
    usage = lambda: lab.site.root.get("/api/log/stat", params={"user_id": rig.user.id})
    wait_for(lambda: usage()["requests"] == 100 + good, "the rows of all that were admitted", detail=usage)
    assert usage()["quota"] == (100 + good) * scripts.cost() == lab.site.root.get(f"/api/user/{rig.user.id}")["used_quota"]


ELSEWHERE = {
    # What another process does to the database that the copies in this one's memory know nothing of.
    "a disabled key": ("UPDATE tokens SET enabled = 0, revision = revision + 1 WHERE id = :token", 401, "invalid_api_key"),
    "a deleted key": ("DELETE FROM tokens WHERE id = :token", 401, "invalid_api_key"),
    "a key that expires": ("UPDATE tokens SET expires_at = 1 WHERE id = :token", 401, "token_expired"),
    "a disabled user": ("UPDATE users SET enabled = 0 WHERE id = :user", 403, "account_disabled"),
    "a key for other models": ("UPDATE tokens SET models = 'other', revision = revision + 1 WHERE id = :token", 403, "model_not_allowed"),
    "a key for other places": ("UPDATE tokens SET subnet = '10.0.0.0/8', revision = revision + 1 WHERE id = :token", 403, None),
    "a smaller cap": ("UPDATE tokens SET cap = 60, revision = revision + 1 WHERE id = :token", 403, "insufficient_quota"),
}


@pytest.mark.native
@pytest.mark.parametrize("how", ELSEWHERE)
def test_l7_a_stale_copy_lets_nobody_through(site, how):
    change, status, code = ELSEWHERE[how]
    lab = Lab(site)
    rig = lab.rig(owner=site.user())
    rig.wait_row(expect(rig.chat(), 200))
    with closing(sqlite3.connect(site.gateway.database(), timeout=10)) as db, db:
        db.execute("PRAGMA foreign_keys = ON")
        assert db.execute(change, {"token": rig.token.id, "user": rig.user.id}).rowcount == 1
    for stream in (False, True):
        expect(rig.chat(stream=stream), status, code)
    expect(rig.relay.embed(rig.model), status, code)
    assert rig.route.calls == 1
    lab.close()
