"""A process that stands still for a while, as a laptop that sleeps or a machine that is moved: what was under way
ends properly, and what comes later is served."""

import os
import signal
import threading
import time

import pytest

import scripts
import sse
from checks import expect

pytestmark = pytest.mark.own

# Longer than every limit of the impatient gateway.
STILL = 1.5


def stand_still(process) -> None:
    pid = process.serving_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(STILL)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_stream_that_was_under_way(impatient_lab):
    lab = impatient_lab
    gate = lab.gate()
    rig = lab.rig(scripts.stream(["one ", "two"], gates={2: gate}))
    with rig.streaming() as reply:
        data, got = reply.iter_bytes(), b""
        while b"one" not in got:
            got += next(data)
        gate.wait_arrived()
        # The rest comes while nobody is there to read it.
        opened = threading.Timer(STILL / 2, gate.open)
        opened.start()
        stand_still(rig.site.gateway)
        got += b"".join(data)
        opened.join()
    streamed = sse.parse(got)
    if streamed.done:
        streamed.assert_complete("one two")
    else:
        assert streamed.content in ("one ", "one two") and len(streamed.errors) == 1, streamed.payloads
    row = rig.wait_row(reply)
    assert row["end_reason"] in ("complete", "upstream_idle") and row["quota"] > 0
    assert len(rig.token.rows()) == 1


def test_a_call_that_waits_for_its_answer(impatient_lab):
    lab = impatient_lab
    gate = lab.gate()
    rig = lab.rig(scripts.chat("late", gate=gate))
    replies = []
    caller = threading.Thread(target=lambda: replies.append(rig.chat()))
    caller.start()
    gate.wait_arrived()
    opened = threading.Timer(STILL / 2, gate.open)
    opened.start()
    stand_still(rig.site.gateway)
    caller.join(15)
    opened.join()
    # The answer was there in time, but nobody looked: either is right.
    expect(replies[0], (200, 504), None)
    rig.route.play(scripts.chat())
    rig.wait_row(expect(rig.chat(), 200))
    assert rig.token.fresh()["used_quota"] in (scripts.cost(), 2 * scripts.cost())
