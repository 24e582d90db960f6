"""Each way in which an upstream can fail, and what the client and the bill see of it."""

import asyncio
import json
import re
import socket
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

import scripts
import sse
from checks import expect


def assert_free(rig) -> None:
    """Nothing was charged: a following good call is the only one that costs."""
    rig.route.play(scripts.chat())
    rig.wait_row(expect(rig.chat(), 200))
    charged = [row for row in rig.token.rows() if row["quota"]]
    assert len(charged) == 1, f"only the good call may cost: {charged}"
    assert rig.token.fresh()["used_quota"] == scripts.cost()


STATUSES = [
    (400, 400, None), (401, 502, "upstream_auth"), (402, 502, "upstream_quota"), (403, 502, "upstream_permission"),
    (404, 502, "channel_misconfigured"), (408, 504, "upstream_timeout"), (409, 502, "upstream_error"),
    (413, 413, "request_too_large"), (422, 400, None), (429, 429, "rate_limit_exceeded"), (500, 502, "upstream_error"),
    (502, 502, "upstream_error"), (503, 503, "overloaded"), (504, 504, "upstream_timeout"), (529, 503, "overloaded"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("answered", "status", "code"), STATUSES, ids=[str(case[0]) for case in STATUSES])
def test_an_error_status_is_told_in_the_gateways_terms(lab, answered, status, code, stream):
    rig = lab.rig(scripts.error(answered, "the upstream says no"))
    expect(rig.chat(stream=stream), status, code)
    assert rig.route.calls == 1
    assert_free(rig)


def test_what_is_wrong_with_a_request_is_passed_on(lab):
    rig = lab.rig(scripts.error(400, "temperature must be at most 2", "invalid_value", "invalid_request_error", "temperature"))
    error = expect(rig.chat(temperature=9), 400).json()["error"]
    assert error == {"message": "temperature must be at most 2", "type": "invalid_request_error",
                     "param": "temperature", "code": "invalid_value"}


def test_a_context_that_is_too_long_is_the_callers_fault(lab):
    rig = lab.rig(scripts.error(400, "maximum context length is 8 tokens", "context_length_exceeded", "invalid_request_error", "messages"))
    expect(rig.chat(), 400, "context_length_exceeded", "messages")


SHAPES = {
    "array": b'[{"error":{"message":"told in an array","code":500}}]', "string": b'{"error":"told in a string"}',
    "message": b'{"message":"told at the top"}', "detail": b'{"detail":"told like FastAPI"}', "text": b"told in plain text",
    "html": b"<html><h1>502 Bad Gateway</h1></html>", "empty": b"", "list": b"[]", "null": b"null", "binary": b"\xff\x00\xfe",
    "number-code": b'{"error":{"message":"told with a number","code":17}}',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_errors_of_any_shape_are_understood(lab, shape):
    rig = lab.rig(scripts.answer(500, SHAPES[shape], "text/html" if shape == "html" else "application/json"))
    error = expect(rig.chat(), 502, "upstream_error").json()["error"]
    assert "<html" not in error["message"] and "\x00" not in error["message"]


def test_no_provider_key_comes_back_in_a_message(lab):
    key = lab.provider_key()
    rig = lab.rig(channel={"key": key})
    for status in (400, 401, 403, 429, 500):
        rig.route.play(scripts.error(status, f"Incorrect API key provided: {key} (organization org-abc123)"))
        for stream in (False, True):
            reply = rig.chat(stream=stream)
            assert reply.status_code >= 400 and key not in reply.text
    # A key that is not this channel's, but plainly is one.
    rig.route.play(scripts.error(400, "bad key sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789 given"))
    assert "AbCdEfGhIjKlMnOp" not in rig.chat().text


def test_no_provider_key_comes_back_in_a_stream(lab):
    key = lab.provider_key()
    event = json.dumps({"error": {"message": f"key {key} was revoked", "code": "x"}})
    rig = lab.rig(scripts.broken_stream(["text"], "event", event=event), channel={"key": key})
    _, streamed = rig.stream()
    assert key not in streamed.assert_broken_off("text")["message"]


@pytest.mark.parametrize(("header", "least", "most"), [
    ({"Retry-After": "7"}, 7, 7), ({"retry-after-ms": "1500"}, 2, 2), ({"Retry-After": "0.2"}, 1, 1), ({}, 1, 600),
    ({"Retry-After": "999999999999"}, 1, 86_400), ({"Retry-After": "-5"}, 1, 600), ({"Retry-After": "soon"}, 1, 600),
    ({"Retry-After": "DATE"}, 20, 31),
], ids=["seconds", "milliseconds", "fraction", "none", "absurd", "negative", "text", "date"])
def test_a_rate_limit_says_when_to_come_again(lab, header, least, most):
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True)
    rig = lab.rig(scripts.error(429, "slow down", "rate_limit_exceeded", headers={k: v.replace("DATE", date) for k, v in header.items()}))
    reply = expect(rig.chat(), 429, "rate_limit_exceeded")
    assert re.fullmatch(r"\d+", reply.headers["retry-after"]), reply.headers["retry-after"]
    assert least <= int(reply.headers["retry-after"]) <= most


def test_when_the_provider_is_out_of_money_the_client_learns_so(lab):
    rig = lab.rig(scripts.error(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota"))
    expect(rig.chat(), 429, ("insufficient_quota", "rate_limit_exceeded"))


NOT_COMPLETIONS = {
    "html": scripts.answer(200, b"<html>Welcome</html>", "text/html"), "empty": scripts.answer(200, b""),
    "no-content": scripts.answer(204, b"", None), "cut-json": scripts.answer(200, b'{"id":"x","choices":['),
    "error-body": scripts.answer(200, b'{"error":{"message":"all wrong","code":"boom"}}'),
    "empty-object": scripts.answer(200, b"{}"), "list": scripts.answer(200, b"[]"), "null": scripts.answer(200, b"null"),
    "no-choices": scripts.answer(200, b'{"id":"x","object":"chat.completion","choices":[]}'),
    "binary": scripts.answer(200, b"\xff\xfe\x00"), "text": scripts.answer(200, b"hello", "text/plain"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", NOT_COMPLETIONS)
def test_s6_what_is_no_completion_is_not_passed_off_as_one(lab, fault, stream):
    rig = lab.rig(NOT_COMPLETIONS[fault])
    expect(rig.chat(stream=stream), 502, "upstream_malformed")
    assert_free(rig)


BROKEN = {
    "reset": scripts.raw(b"", "rst"), "closed": scripts.raw(b"", "fin"), "noise": scripts.raw(b"\x16\x03\x01 nonsense\r\n\r\n"),
    "half-a-head": scripts.raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "short-body": scripts.raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"id":"x"'),
    "bad-length": scripts.raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    "bad-chunks": scripts.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "endless-head": scripts.raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_connection_is_a_clean_502(lab, fault):
    rig = lab.rig(BROKEN[fault])
    expect(rig.chat(), 502, ("upstream_unreachable", "upstream_malformed", "upstream_error"))
    assert_free(rig)


def test_a_connection_that_is_refused(lab):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        model = lab.model()
        lab.channel(f"http://127.0.0.1:{sock.getsockname()[1]}/v1", model)
        token = lab.token()
        expect(token.relay.chat(model), 502, "upstream_unreachable")
        expect(token.relay.chat(model, stream=True), 502, "upstream_unreachable")
        assert token.fresh()["used_quota"] == 0


def test_a_compressed_answer_is_read_or_refused_but_never_passed_on_as_noise(lab):
    rig = lab.rig(scripts.zipped())
    reply = rig.chat()
    if reply.status_code == 200:
        assert reply.json()["choices"][0]["message"]["content"] == "from a zip"
        assert rig.wait_row(reply)["quota"] == scripts.cost()
    else:
        expect(reply, 502, "upstream_malformed")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(lab, status):
    trap = lab.route()
    rig = lab.rig(scripts.answer(status, b"", None, {"Location": trap.base_url + "/chat/completions"}))
    expect(rig.chat(), 502, "redirect_refused")
    assert (trap.calls, rig.route.calls) == (0, 1)
    assert_free(rig)


def read_until(reply, mark: bytes, gate) -> bytes:
    """Reads a stream until `mark` has come, then opens the gate and reads the rest."""
    data, got = reply.iter_bytes(), b""
    while mark not in got:
        got += next(data)
    gate.open()
    return got + b"".join(data)


END_REASONS = {"fin": "upstream_cut", "rst": "upstream_cut", "end": "upstream_cut", "event": "upstream_error"}


@pytest.mark.parametrize("how", END_REASONS)
def test_s2_a_stream_that_breaks_off_says_so(lab, how):
    gate = lab.gate()
    event = json.dumps({"error": {"message": "the model crashed", "type": "server_error", "code": "crash"}})
    rig = lab.rig(scripts.broken_stream(["half an ", "answer"], how, gate, event))
    with rig.streaming() as reply:
        assert reply.status_code == 200
        got = read_until(reply, b"answer", gate)
    error = sse.parse(got).assert_broken_off("half an answer")
    assert error["message"] and error["type"]
    row = rig.wait_row(reply)
    assert (row["end_reason"], row["estimated"], row["stream"]) == (END_REASONS[how], True, True)
    assert row["quota"] > 0, "what was delivered is charged"


def test_usage_that_was_reported_before_the_break_is_what_is_charged(lab):
    gate = lab.gate()
    rig = lab.rig()
    first = scripts.chunk(rig.model, {"role": "assistant", "content": "begun"}, usage=scripts.usage_of(30, 1))

    async def script(exchange):
        await exchange.open_stream()
        await exchange.event(first)
        await gate.wait()
        await exchange.fin()

    rig.route.play(script)
    with rig.streaming() as reply:
        got = read_until(reply, b"begun", gate)
    sse.parse(got).assert_broken_off("begun")
    row = rig.wait_row(reply)
    assert (row["quota"], row["estimated"], row["end_reason"]) == (33, False, "upstream_cut")


def test_a_stream_that_lacks_only_its_last_word_is_complete(lab):
    """The finish reason was delivered: the answer is whole."""
    rig = lab.rig(scripts.stream(["whole"], done=False))
    reply, streamed = rig.stream(stream_options={"include_usage": True})
    streamed.assert_complete("whole")
    assert len(streamed.usages) == 1
    assert rig.wait_row(reply)["end_reason"] == "complete"


def test_a_done_without_a_finish_reason_is_not_made_better(lab):
    rig = lab.rig()
    chunks = scripts.stream_chunks(rig.model, ["x"], None, False)[:-1]
    text = "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"
    rig.route.play(scripts.sse_body(text.encode()))
    _, streamed = rig.stream()
    assert streamed.finish_reasons == [], "no finish_reason is made up"
    assert (streamed.done == 1) != bool(streamed.errors)


@pytest.mark.parametrize("noise", ["{not json", "<html>", "[1,2]", "7"])
def test_a_garbage_event_in_mid_stream_reaches_nobody(lab, noise):
    rig = lab.rig()
    chunks = [f"data: {json.dumps(c)}\n\n" for c in scripts.stream_chunks(rig.model, ["a", "b"], None, False)]
    text = "".join([*chunks[:2], f"data: {noise}\n\n", *chunks[2:], "data: [DONE]\n\n"])
    rig.route.play(scripts.sse_body(text.encode()))
    _, streamed = rig.stream()
    assert noise not in streamed.payloads
    if streamed.errors:
        streamed.assert_broken_off("a")
    else:
        streamed.assert_complete("ab")


@pytest.mark.own
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_says_nothing_is_given_up(impatient_lab, stream):
    rig = impatient_lab.rig(scripts.silence())
    start = time.monotonic()
    reply = expect(rig.chat(stream=stream), 504, "upstream_timeout")
    assert 0.5 < time.monotonic() - start < 5
    rig.route.last.wait_dropped(2)
    assert_free(rig)
    assert [row["end_reason"] for row in rig.token.rows() if row["request_id"] == reply.headers["x-request-id"]] in ([], ["timeout"])


@pytest.mark.own
def test_a_head_without_a_body_is_given_up(impatient_lab):
    rig = impatient_lab.rig(scripts.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n", "hang"))
    expect(rig.chat(), 504, "upstream_timeout")
    rig.route.play(scripts.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: ping\n\n", "hang"))
    expect(rig.chat(stream=True), 504, "upstream_timeout")


@pytest.mark.own
def test_another_channel_helps_out_when_one_says_nothing(impatient_lab):
    lab = impatient_lab
    silent, good, model = lab.route(scripts.silence()), lab.route(scripts.stream(["late, but good"])), lab.model()
    lab.channel(silent, model, priority=2)
    lab.channel(good, model, priority=1)
    _, streamed = lab.token().relay.stream(model)
    streamed.assert_complete("late, but good")
    assert (silent.calls, good.calls) == (1, 1)
    silent.last.wait_dropped(2)


@pytest.mark.own
def test_a_stream_that_stalls_is_ended(impatient_lab):
    rig = impatient_lab.rig(scripts.broken_stream(["begun"], "stall"))
    start = time.monotonic()
    reply, streamed = rig.stream()
    assert 0.5 < time.monotonic() - start < 5
    streamed.assert_broken_off("begun")
    rig.route.last.wait_dropped(2)
    row = rig.wait_row(reply)
    assert row["end_reason"] == "upstream_idle" and row["quota"] > 0


@pytest.mark.own
def test_a_slow_stream_that_keeps_coming_is_not_ended(impatient_lab):
    """The limit is on each pause, not on the whole."""
    rig = impatient_lab.rig()

    async def script(exchange):
        await exchange.open_stream()
        for value in scripts.stream_chunks(rig.model, ["a", "b", "c", "d"], scripts.usage_of(), True):
            await asyncio.sleep(0.2)
            await exchange.event(value)
        await exchange.event("[DONE]")
        await exchange.end_stream()

    rig.route.play(script)
    start = time.monotonic()
    reply, streamed = rig.stream()
    streamed.assert_complete("abcd")
    assert time.monotonic() - start > 1, "longer than any limit"
    assert rig.wait_row(reply)["quota"] == scripts.cost()


@pytest.mark.own
def test_a_connection_that_does_not_come_about_is_given_up(impatient_lab):
    """A listener whose queue is full: the kernel ignores further attempts."""
    lab = impatient_lab
    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())
        model = lab.model()
        lab.channel(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", model)
        start = time.monotonic()
        reply = lab.token().relay.chat(model)
        expect(reply, (502, 504), ("upstream_unreachable", "upstream_timeout"))
        assert time.monotonic() - start < 5


def test_faulty_embeddings_are_refused(lab):
    for body in (b"", b"<html>", b'{"error":{"message":"x"}}', b'{"object":"list","data":7}', b"{}"):
        rig = lab.rig(scripts.answer(200, body))
        expect(rig.relay.embed(rig.model), 502, "upstream_malformed")
        assert rig.token.fresh()["used_quota"] == 0
