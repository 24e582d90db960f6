"""Clients that hang up, and clients that read slowly: what becomes of their upstreams.

Here nobody is listened to for long without a client. `test_drain.py` is about that.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import scripts
from checks import expect
from gateway import RUNTIME
from polling import wait_for, wait_until_steady
from world import HELLO, Lab

IN_TIME = 2.0
"""Seconds within which the upstream must learn that nobody listens any more."""

IDLE = 3.0
"""How long an upstream may be silent here."""


@dataclass
class Leaving:
    """What becomes of a call whose client leaves."""

    reason: str
    within: float


GONE = Leaving("client_gone", IN_TIME)
# workerd hears of a polite end only when it cannot write any more, and then tells nobody: the gateway notices that
# nothing is taken (CLIENT_TIMEOUT_MS, 2 s here) or that the upstream is silent, whichever comes first.
STALLED = Leaving("client_gone", IN_TIME + 2)
SILENT = Leaving("upstream_idle", IDLE + 2)
WAYS = {
    ("fin", "thinking"): SILENT if RUNTIME == "worker" else GONE,
    ("rst", "thinking"): GONE,
    ("fin", "talking"): STALLED if RUNTIME == "worker" else GONE,
    ("rst", "talking"): STALLED if RUNTIME == "worker" else GONE,
}
PROVIDERS = {
    "thinking": lambda: scripts.broken_stream(["begun"], "stall"),
    "talking": lambda: scripts.endless("begun and going on and on " * 20),
}


@pytest.fixture(scope="module")
def leaving_site(running):
    """A gateway that does not listen on at all when a client is gone."""
    with running(IDLE_TIMEOUT_MS=str(int(IDLE * 1000)), DRAIN_BEFORE_ANSWER_MS="0", DRAIN_MS="0") as site:
        yield site


@pytest.fixture
def leaving_lab(leaving_site):
    lab = Lab(leaving_site)
    yield lab
    lab.close()


@pytest.mark.own
@pytest.mark.parametrize(("how", "provider"), WAYS, ids=lambda value: value)
def test_a_client_that_leaves_is_charged_once_and_drops_the_upstream(leaving_lab, how, provider):
    expected = WAYS[how, provider]
    rig = leaving_lab.rig(PROVIDERS[provider]())
    connection = rig.raw(max_tokens=100_000)
    connection.read_until(b"begun")
    began = time.monotonic()
    connection.hang_up(how)
    assert rig.route.last.wait_dropped(expected.within) - began < expected.within
    row = rig.wait_row(connection)
    assert row["end_reason"] == expected.reason and row["quota"] > 0 and row["stream"] is True, row
    assert len(rig.token.rows()) == 1 and rig.token.fresh()["used_quota"] == row["quota"]


@pytest.mark.own
def test_the_sdks_close_drops_the_upstream(leaving_lab):
    expected = WAYS["fin", "thinking"]
    rig = leaving_lab.rig(scripts.broken_stream(["begun"], "stall"))
    stream = rig.sdk().chat.completions.create(model=rig.model, messages=HELLO, stream=True)
    while next(stream).choices[0].delta.content != "begun":
        pass
    stream.close()
    rig.route.last.wait_dropped(expected.within)
    row = rig.wait_row(stream.response.headers["x-request-id"])
    assert row["end_reason"] == expected.reason and row["quota"] > 0


@pytest.mark.own
def test_what_was_delivered_is_charged(lab):
    """The estimate follows the text that was sent, not only the prompt."""
    rows = []
    for words in (10, 1000):
        rig = lab.rig(scripts.broken_stream(["word " * words + "begun"], "stall"))
        connection = rig.raw()
        connection.read_until(b"begun")
        connection.hang_up("rst")
        rows.append(rig.wait_row(connection))
    short, long = rows
    assert short["prompt_tokens"] == long["prompt_tokens"]
    assert long["completion_tokens"] > 20 * short["completion_tokens"], rows
    for row in rows:
        assert row["estimated"] is True and row["quota"] == scripts.cost(row["prompt_tokens"], row["completion_tokens"])


@pytest.mark.own
@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_hanging_up_before_the_first_byte_is_charged_too(lab, stream, how):
    """The provider has accepted the call, and bills it."""
    gate = lab.gate()
    rig = lab.rig(scripts.stream(gates={0: gate}) if stream else scripts.chat(gate=gate))
    connection = rig.raw(stream)
    gate.wait_arrived()
    connection.hang_up(how)
    if how == "rst":
        rig.route.last.wait_dropped(IN_TIME)
    gate.open()
    row = rig.token.wait_only_row()
    # A Worker that has written nothing yet does not hear of a polite end, and answers nobody.
    expected = "complete" if (RUNTIME, how) == ("worker", "fin") else "client_gone"
    assert row["end_reason"] == expected and row["quota"] > 0, row


@pytest.mark.own
def test_the_hold_is_given_back(lab):
    """The balance covers one call at a time: a call that was hung up on must not block the next."""
    rig = lab.rig(scripts.broken_stream(["begun"], "stall"), owner=lab.user(quota=45_000))
    connection = rig.raw(max_tokens=10_000)
    connection.read_until(b"begun")
    expect(rig.chat(max_tokens=10_000), 429, "quota_reserved")
    connection.hang_up("rst")
    row = rig.wait_row(connection)
    assert 0 < row["quota"] < 5000
    rig.route.play(scripts.chat())
    rig.wait_row(expect(rig.chat(max_tokens=10_000), 200))
    assert rig.user.fresh()["quota"] == 45_000 - row["quota"] - scripts.cost()


@pytest.mark.own
def test_many_who_hang_up_leave_nothing_behind(leaving_lab):
    rig = leaving_lab.rig(scripts.broken_stream(["begun"], "stall"))

    def come_and_go(number: int) -> None:
        connection = rig.raw()
        connection.read_until(b"begun")
        connection.hang_up("rst" if number % 2 else "fin")

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(come_and_go, range(20)))
    for request in rig.route.requests:
        request.wait_dropped(SILENT.within)
    wait_for(lambda: len(rig.token.rows()) == 20, "20 usage rows", detail=lambda: len(rig.token.rows()))
    ends = {WAYS["rst", "thinking"].reason, WAYS["fin", "thinking"].reason}
    assert {row["end_reason"] for row in rig.token.rows()} == ends


@pytest.mark.own
def test_a_slow_reader_holds_the_upstream_back(lab):
    """What nobody reads is not piled up in the gateway: the upstream has to wait."""
    rig = lab.rig(scripts.endless("begun " + "x" * 10_000))
    process = getattr(rig.site.gateway, "process", None)
    before = rig.site.gateway.memory_kib() if process else 0
    connection = rig.raw(receive_buffer=65_536, max_tokens=100_000)
    connection.read_until(b"begun")
    request = rig.route.last
    sent = wait_until_steady(lambda: request.sent, "an upstream that nobody reads from")
    # What the kernel's own buffers take is not the gateway's doing.
    assert sent < 128 * 2**20, f"the gateway swallowed {sent} bytes"
    if process:
        grown = rig.site.gateway.memory_kib() - before
        assert grown < 16 * 1024, f"one slow reader cost {grown} KiB of memory"
    began = time.monotonic()
    connection.hang_up("rst")
    within = WAYS["rst", "talking"].within
    assert request.wait_dropped(within) - began < within
    assert rig.wait_row(connection)["end_reason"] == "client_gone"


def test_a_slow_reader_gets_everything(lab):
    pieces = [f"{number:05d} " + "x" * 2000 for number in range(1000)]
    rig = lab.rig(scripts.stream(pieces))
    with rig.raw(receive_buffer=8192, max_tokens=10_000) as connection:
        connection.read_until(b"00000")
        connection.read_until(b"[DONE]", timeout=30)
    received = connection.received
    assert [received.count(b"%05d x" % number) for number in range(1000)] == [1] * 1000
    assert rig.wait_row(connection)["end_reason"] == "complete"
