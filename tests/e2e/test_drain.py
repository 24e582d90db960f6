"""When its client is gone, an upstream is listened to for a while, so that what it charges is known."""

import time

import pytest

import scripts
from checks import expect
from gateway import RUNTIME
from polling import wait_for

pytestmark = pytest.mark.own

WHILE = 0.5
"""Seconds for which the gateway that most tests share listens on."""

PLACES = 2
"""How many upstreams the patient gateway listens to at once."""

USAGE = scripts.usage_of(30, 7)
EXACT = scripts.cost(30, 7)
ROOM = 2_000_000
"""A limit of tokens with room for all that the upstream goes on to say."""


def leave_in_mid_stream(rig, how: str, **body):
    connection = rig.raw(**body)
    connection.read_until(b"begun")
    connection.hang_up(how)
    return connection


def leave_before_the_answer(rig, gate, how: str = "rst", stream: bool = True, **body) -> None:
    arrived = gate.arrived
    connection = rig.raw(stream, **body)
    gate.wait_arrived(arrived + 1)
    connection.hang_up(how)


def money(row: dict) -> tuple:
    return row["quota"], row["estimated"], row["end_reason"], row["state"]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_who_leaves_in_mid_stream_pays_exactly_what_the_upstream_reports(patient_lab, how):
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.resumed_stream(gate, USAGE))
    connection = leave_in_mid_stream(rig, how, max_tokens=ROOM)
    gate.wait_arrived()
    gate.open()
    row = rig.wait_row(connection)
    assert money(row) == (EXACT, False, "client_gone", "settled"), row
    assert (row["status"], row["stream"], row["prompt_tokens"], row["completion_tokens"]) == (200, True, 30, 7)
    rig.route.last.wait_finished()
    assert rig.route.last.dropped_at is None, "the upstream could say all it had to say"
    assert len(rig.token.rows()) == 1 == rig.route.calls and rig.token.fresh()["used_quota"] == EXACT


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_who_leaves_before_the_answer_pays_exactly_what_the_upstream_reports(patient_lab, stream):
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.stream(usage=USAGE, gates={0: gate}) if stream else scripts.chat(usage=USAGE, gate=gate))
    leave_before_the_answer(rig, gate, stream=stream)
    gate.open()
    row = rig.token.wait_only_row()
    assert money(row) == (EXACT, False, "client_gone", "settled") and row["status"] in (200, 499), row
    rig.route.last.wait_finished()
    assert rig.route.last.dropped_at is None


def test_an_upstream_that_says_nothing_more_is_left_in_time(lab):
    rig = lab.rig(scripts.broken_stream(["begun"], "stall"))
    connection = rig.raw()
    connection.read_until(b"begun")
    left = time.monotonic()
    connection.hang_up("rst")
    assert WHILE <= rig.route.last.wait_dropped(WHILE + 2) - left < WHILE + 2
    row = rig.wait_row(connection)
    assert money(row) == (scripts.estimated("begun"), True, "client_gone", "settled"), row


def test_what_is_said_to_nobody_is_charged_like_the_rest(patient_lab):
    """The upstream produced it, and reports no usage."""
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.resumed_stream(gate, usage=None))
    connection = leave_in_mid_stream(rig, "rst", max_tokens=ROOM)
    gate.wait_arrived()
    gate.open()
    row = rig.wait_row(connection)
    text = "begun" + scripts.LONG * 400
    assert money(row) == (scripts.estimated(text), True, "client_gone", "settled"), row


def test_an_upstream_that_breaks_off_for_nobody_is_charged_as_seen(patient_lab):
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.broken_stream(["begun"], "rst", gate))
    connection = leave_in_mid_stream(rig, "rst")
    gate.wait_arrived()
    assert rig.token.rows() == []
    gate.open()
    row = rig.wait_row(connection)
    assert row["state"] == "settled" and row["quota"] == scripts.estimated("begun") and row["estimated"] is True, row


def test_an_upstream_that_refuses_what_nobody_waits_for_charges_nothing(patient_lab):
    """And no other channel is tried for nobody."""
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.gated(gate, scripts.error(500)), channel={"priority": 2})
    other = patient_lab.route(scripts.chat())
    patient_lab.channel(other, rig.model, priority=1)
    leave_before_the_answer(rig, gate)
    gate.open()
    row = rig.token.wait_only_row()
    assert money(row) == (0, False, "client_gone", "void") and row["status"] == 499, row
    assert (rig.route.calls, other.calls) == (1, 0)


def test_money_is_held_as_long_as_the_upstream_is_listened_to(patient_lab):
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.resumed_stream(gate, USAGE, more=40), owner=patient_lab.user(quota=50_000))
    connection = leave_in_mid_stream(rig, "rst", max_tokens=15_000)
    gate.wait_arrived()
    expect(rig.chat(max_tokens=15_000), 429, "quota_reserved")
    gate.open()
    assert rig.wait_row(connection)["quota"] == EXACT
    rig.route.play(scripts.chat())
    expect(rig.chat(max_tokens=15_000), 200)


@pytest.mark.native
def test_so_many_are_listened_to_at_once_and_no_more(patient_lab):
    """Those beyond are dropped at once, and charged by what was seen."""
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.resumed_stream(gate, USAGE))
    for _ in range(PLACES + 3):
        leave_in_mid_stream(rig, "fin", max_tokens=ROOM)
    wait_for(lambda: len(rig.token.rows()) >= 3, "the rows of those beyond", detail=rig.token.rows)
    dropped = [request for request in rig.route.requests if request.finished.wait(0.2)]
    assert len(dropped) == 3 and all(request.dropped_at for request in dropped)
    assert [money(row) for row in rig.token.rows()] == [(scripts.estimated("begun"), True, "client_gone", "settled")] * 3
    gate.open()
    wait_for(lambda: len(rig.token.rows()) == PLACES + 3, "the rows of those that were listened to")
    assert sorted(money(row)[:2] for row in rig.token.rows()) == [(scripts.estimated("begun"), True)] * 3 + [(EXACT, False)] * PLACES
    # The places are free again.
    connection = leave_in_mid_stream(rig, "fin", max_tokens=ROOM)
    assert rig.wait_row(connection)["quota"] == EXACT


@pytest.mark.native
def test_a_place_is_kept_from_before_the_answer_to_its_end(patient_lab):
    """All places are taken by calls whose answers have not begun: each needs no second one for the answer."""
    gate = patient_lab.gate()
    rig = patient_lab.rig(scripts.stream(usage=USAGE, gates={0: gate}))
    for _ in range(PLACES):
        leave_before_the_answer(rig, gate, "fin")
    gate.open()
    wait_for(lambda: len(rig.token.rows()) == PLACES, "their rows")
    assert [money(row) for row in rig.token.rows()] == [(EXACT, False, "client_gone", "settled")] * PLACES


PROMPTS = {
    # What the upstream does, what of it was seen, and what is charged for that if prompts are free.
    "silent": (lambda gate: scripts.gated(gate, scripts.stream()), None, 0),
    "begun": (lambda gate: scripts.broken_stream(["begun"], "stall"), b"begun", scripts.estimated("begun")),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_a_prompt_without_an_answer_is_free_if_the_operator_says_so(lenient_lab, case):
    script, seen, charged = PROMPTS[case]
    gate = lenient_lab.gate()
    rig = lenient_lab.rig(script(gate), owner=lenient_lab.user(quota=100_000))
    if seen:
        leave_in_mid_stream(rig, "rst")
    else:
        leave_before_the_answer(rig, gate)
    row = rig.token.wait_only_row()
    assert money(row) == (charged, True, "client_gone", "settled"), row
    assert rig.user.fresh()["quota"] == 100_000 - charged


def test_usage_is_charged_even_if_prompts_are_free(lenient_lab):
    """The provider says what it takes: that is no guess about a prompt."""
    gate = lenient_lab.gate()
    rig = lenient_lab.rig(scripts.chat(usage=USAGE, gate=gate))
    leave_before_the_answer(rig, gate, stream=False)
    gate.open()
    row = rig.token.wait_only_row()
    assert money(row)[:2] == (EXACT, False), row


@pytest.mark.skipif(RUNTIME == "worker", reason="a Worker does not hear of a polite end before the answer")
def test_a_prompt_without_an_answer_is_charged_by_default(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.gated(gate, scripts.stream()))
    leave_before_the_answer(rig, gate, "fin")
    row = rig.token.wait_only_row()
    assert money(row) == (scripts.estimated(""), True, "client_gone", "settled") and row["status"] == 499, row
