"""A chat without a limit of its own gets the one that is paid for: what is held and what the upstream is told are one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import scripts
from checks import expect
from world import OPENAI, Lab

PROMPT_HELD = 11 + 11 // 4 + 64
"""Tokens that are held for the prompt of these tests: a quarter more than its estimate, and 64."""

LEAST = 16
"""Completion tokens that are worth a call."""

MOST = 4096


def balance_for(tokens: int, answers: int = 1) -> int:
    return PROMPT_HELD + 3 * tokens * answers


LIMITS = [
    # The balance, how many answers are asked for, and the limit that each gets (None: the call is refused).
    (balance_for(MOST) + 1, None, MOST), (balance_for(MOST), None, MOST), (balance_for(MOST) - 1, None, MOST - 1),
    (1000, None, (1000 - PROMPT_HELD) // 3), (balance_for(LEAST) + 2, None, LEAST), (balance_for(LEAST), None, LEAST),
    (balance_for(LEAST) - 1, None, None), (1, None, None),
    (balance_for(MOST, 2), 2, MOST), (1000, 2, (1000 - PROMPT_HELD) // 6), (balance_for(LEAST, 5), 5, LEAST),
    (balance_for(LEAST, 5) - 1, 5, None),
]


@pytest.mark.parametrize("binding", ["balance", "key"])
@pytest.mark.parametrize(("balance", "answers", "limit"), LIMITS, ids=str)
def test_the_limit_is_what_the_balance_is_for(lab, balance, answers, limit, binding):
    owner = lab.user(quota=balance if binding == "balance" else 10**6)
    rig = lab.rig(owner=owner, token={"quota": balance} if binding == "key" else None)
    more = {} if answers is None else {"n": answers}
    if limit is None:
        expect(rig.chat(**more), 403, "insufficient_quota")
        assert rig.route.calls == 0 and rig.token.rows() == []
        return
    row = rig.wait_row(expect(rig.chat(**more), 200))
    assert rig.route.last.json["max_tokens"] == limit
    assert (row["quota"], row["unbilled"]) == (scripts.cost(), 0)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("answers", [1, 3])
def test_a_callers_own_limit_is_held_whole_or_the_call_is_refused(lab, field, answers):
    limit = 200
    rig = lab.rig(owner=lab.user(quota=balance_for(limit, answers)))
    expect(rig.chat(**{field: limit + 1, "n": answers}), 403, "insufficient_quota")
    assert rig.route.calls == 0
    rig.wait_row(expect(rig.chat(**{field: limit, "n": answers}), 200))
    assert rig.route.last.json[field] == limit


def test_a_stream_and_another_provider_get_the_same_limit(lab):
    rig = lab.rig(scripts.stream(), owner=lab.user(quota=1000), channel={"type": OPENAI})
    rig.wait_row(rig.stream()[0])
    assert rig.route.last.json["max_completion_tokens"] == (1000 - PROMPT_HELD) // 3
    assert "max_tokens" not in rig.route.last.json


def test_every_channel_that_is_tried_is_told_the_same_limit(lab):
    rig = lab.rig(scripts.error(500), owner=lab.user(quota=1000), channel={"priority": 2})
    other = lab.route()
    lab.channel(other, rig.model, priority=1, type=OPENAI)
    rig.wait_row(expect(rig.chat(), 200))
    limits = (rig.route.last.json["max_tokens"], other.last.json["max_completion_tokens"])
    assert limits == ((1000 - PROMPT_HELD) // 3,) * 2


def test_embeddings_have_no_limit(lab):
    rig = lab.rig(scripts.embeddings(), owner=lab.user(quota=200))
    expect(rig.relay.embed(rig.model), 200)
    assert set(rig.route.last.json) == {"model", "input"}


def test_an_answer_within_its_limit_is_paid_to_the_last_unit(lab):
    """The upstream takes all that it was allowed: the balance is used up, and nothing is left unbilled."""
    rig = lab.rig(owner=lab.user(quota=1000))
    limit = (1000 - PROMPT_HELD) // 3
    rig.route.play(scripts.chat(usage=scripts.usage_of(PROMPT_HELD, limit)))
    row = rig.wait_row(expect(rig.chat(), 200))
    assert (row["quota"], row["unbilled"]) == (PROMPT_HELD + 3 * limit, 0)
    assert rig.user.fresh()["quota"] == 1000 - row["quota"] < 3


def test_what_an_upstream_takes_beyond_its_limit_is_not_charged_but_recorded(lab):
    rig = lab.rig(scripts.chat(usage=scripts.usage_of(9, 5000)), owner=lab.user(quota=1000))
    row = rig.wait_row(expect(rig.chat(), 200))
    assert (row["quota"], row["unbilled"], row["completion_tokens"]) == (1000, 9 + 15_000 - 1000, 5000)
    assert rig.user.fresh()["quota"] == 0


def test_what_is_held_for_an_unlimited_call_is_held_from_others(lab):
    """It takes what is there; when it has ended, what it did not use is there again."""
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=1000))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat)
        gate.wait_arrived()
        expect(rig.chat(max_tokens=LEAST), 429, "quota_reserved")
        gate.open()
        rig.wait_row(expect(first.result(), 200))
    rig.wait_row(expect(rig.chat(), 200))
    left = 1000 - scripts.cost()
    assert [request.json["max_tokens"] for request in rig.route.requests] == [(1000 - PROMPT_HELD) // 3, (left - PROMPT_HELD) // 3]


@pytest.mark.own
def test_the_default_limit_is_the_operators(spawn):
    site = spawn(DEFAULT_MAX_TOKENS="100")
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=balance_for(100)))
    rig.wait_row(expect(rig.chat(), 200))
    assert rig.route.last.json["max_tokens"] == 100
    small = lab.rig(owner=site.user(quota=balance_for(50)))
    expect(small.chat(max_tokens=51), 403, "insufficient_quota")
    small.wait_row(expect(small.chat(), 200))
    assert small.route.last.json["max_tokens"] == 50


@pytest.mark.native
@pytest.mark.parametrize("value", ["0", "-1", "many", "1000001"])
def test_a_default_limit_that_makes_no_sense_is_refused_at_the_start(launcher, value):
    process = launcher(DEFAULT_MAX_TOKENS=value)
    process.launch()
    assert process.wait_exit(10) not in (0, -9)
    assert "DEFAULT_MAX_TOKENS" in process.stderr.read_text() + process.stdout.read_text()
    process.remove()
