"""Streams within their limits: of time (S1), of memory (S4), wherever they are split (S5), and with keep-alives (S7)."""

import asyncio
import json
import time

import pytest

import scripts
from world import Lab

pytestmark = pytest.mark.own

BEAT = b": keep-alive\n\n"


@pytest.fixture(scope="module")
def beating_site(running):
    """A gateway that fills silences of a fifth of a second, and gives an upstream up after a second and a half."""
    with running(KEEP_ALIVE_MS="200", IDLE_TIMEOUT_MS="1500", FIRST_BYTE_TIMEOUT_MS="1500", TOTAL_TIMEOUT_MS="4000") as site:
        yield site


@pytest.fixture
def beating_lab(beating_site):
    lab = Lab(beating_site)
    yield lab
    lab.close()


def test_s7_a_silence_in_mid_stream_is_filled_with_comments(beating_lab):
    gate = beating_lab.gate()
    rig = beating_lab.rig(scripts.stream(["one", "two"], gates={2: gate}))
    connection = rig.raw()
    connection.read_until(BEAT)
    gate.open()
    body = connection.read_until(b"[DONE]").split(b"\r\n\r\n", 1)[1]
    assert body.index(b"one") < body.index(BEAT.strip()) < body.index(b"two")
    connection.hang_up("fin")


def test_s7_before_the_answer_begins_nothing_is_sent(beating_lab):
    """Before the commit point another channel may be tried: nothing may be said yet."""
    gate = beating_lab.gate()
    rig = beating_lab.rig(scripts.gated(gate, scripts.error(400, "no", "c", "invalid_request_error")))
    connection = rig.raw()
    gate.wait_arrived()
    assert not connection.answered(0.7)
    gate.open()
    assert connection.reply().status == 400


def test_s7_official_clients_do_not_see_them(beating_lab):
    gate = beating_lab.gate()
    rig = beating_lab.rig(scripts.stream(["one", "two"], gates={2: gate}))
    beats = rig.raw()
    stream = rig.sdk().chat.completions.create(model=rig.model, messages=[{"role": "user", "content": "Say hello."}], stream=True)
    said = [next(stream), next(stream)]
    beats.read_until(BEAT)
    gate.open()
    said += list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in said if chunk.choices)
    assert text == "onetwo" and said[-1].choices[0].finish_reason == "stop"
    beats.hang_up("fin")


def test_s1_keep_alives_do_not_make_an_upstream_less_silent(beating_lab):
    rig = beating_lab.rig(scripts.broken_stream(["one"], "stall"))
    start = time.monotonic()
    _, streamed = rig.stream()
    assert 1.4 <= time.monotonic() - start < 4
    assert streamed.assert_broken_off("one")["code"] == "upstream_timeout"
    assert streamed.comments >= 3
    assert rig.token.wait_only_row()["end_reason"] == "upstream_idle"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_s5_bytes_that_are_split_anywhere_say_the_same(lab, size):
    chunks = scripts.stream_chunks("m", ["one \u20ac", "\U0001f600", "\r\n"], scripts.usage_of(17, 5), True)
    text = "".join(f"data: {json.dumps(value, ensure_ascii=False)}\n\n" for value in chunks) + "data: [DONE]\n\n"
    rig = lab.rig(scripts.sse_body(text.encode(), size))
    reply, streamed = rig.stream(stream_options={"include_usage": True})
    streamed.assert_complete("one \u20ac\U0001f600\r\n")
    assert [usage["completion_tokens"] for usage in streamed.usages] == [5]
    row = rig.wait_row(reply)
    assert (row["prompt_tokens"], row["completion_tokens"], row["quota"]) == (17, 5, scripts.cost(17, 5))


def test_s1_an_endless_stream_ends_with_the_call(beating_lab):
    async def drip(exchange):
        await exchange.open_stream()
        while True:
            await exchange.event(scripts.chunk(exchange.request.json["model"], {"content": "x"}))
            await asyncio.sleep(0.1)

    rig = beating_lab.rig(drip)
    start = time.monotonic()
    _, streamed = rig.stream()
    assert 3.5 <= time.monotonic() - start < 8
    assert streamed.assert_broken_off(streamed.content)["code"] == "upstream_timeout"
    assert len(streamed.content) > 20
    assert rig.token.wait_only_row()["end_reason"] == "timeout"


def test_s4_an_event_without_an_end_is_an_error_and_not_kept(lab):
    """Mebibytes of one line: no more than one long event is ever held, and the client is told."""
    async def line(exchange):
        await exchange.open_stream()
        await exchange.event(scripts.chunk(exchange.request.json["model"], {"content": "one"}))
        await exchange.piece(b"data: ")
        for _ in range(1024):
            await exchange.piece(b"x" * 65_536)
        await exchange.piece(b"\n\n")
        await exchange.end_stream()

    rig = lab.rig(line)
    _, streamed = rig.stream()
    assert streamed.assert_broken_off("one")["code"] == "upstream_error"
    rig.route.last.wait_finished()
    assert rig.route.last.sent < 32 * 2**20, "the rest of the line is not listened to"


@pytest.mark.native
def test_s4_a_long_stream_takes_no_more_memory_than_a_short_one(lab):
    rig = lab.rig(scripts.endless("y" * 10_000))
    gateway = rig.site.gateway
    with rig.raw(max_tokens=100_000) as connection:
        connection.read_until(b"yyy")
        connection.received, before, total = b"", gateway.memory_kib(), 0
        while total < 64 * 2**20:
            total += len(connection.socket.recv(1 << 20))
        grown = gateway.memory_kib() - before
    assert grown < 4 * 1024, f"64 MiB that were passed on cost {grown} KiB of memory"
