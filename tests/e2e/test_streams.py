"""Event streams: any legal framing in, one clean framing out, and no waiting in between."""

import json

import pytest

import scripts

PIECES = ["Grüße", " 👩‍👩‍👧 ", "line\nbreak", "\u2028\u0085", 'quote"', ""]
CONTENT = "".join(PIECES)


def frames(model: str, ending: str = "\n", prefix: str = "data: ", done: str | None = None, ascii_only: bool = False) -> str:
    chunks = scripts.stream_chunks(model, PIECES, scripts.usage_of(), wanted=True)
    text = "".join(f"{prefix}{json.dumps(c, ensure_ascii=ascii_only)}{ending}{ending}" for c in chunks)
    return text + (f"{prefix}[DONE]{ending}{ending}" if done is None else done)


FRAMINGS = {
    "lf": lambda m: frames(m),
    "crlf": lambda m: frames(m, "\r\n"),
    "cr": lambda m: frames(m, "\r"),
    "no-space": lambda m: frames(m, prefix="data:"),
    "escaped": lambda m: frames(m, ascii_only=True),
    "comments": lambda m: ": hi\n\n" + frames(m).replace("\n\n", "\n\n: OPENROUTER PROCESSING\n\n"),
    "other-fields": lambda m: frames(m).replace("data: ", "event: message\nid: 7\nretry: 10\nx: y\ndata: "),
    "byte-order-mark": lambda m: "\ufeff" + frames(m),
    "multi-line-data": lambda m: frames(m).replace('"choices": ', '\ndata: "choices": '),
    "no-blank-line-at-the-end": lambda m: frames(m, done="data: [DONE]\n"),
    "no-newline-at-the-end": lambda m: frames(m, done="data: [DONE]"),
    "no-done": lambda m: frames(m, done=""),
    "text-after-done": lambda m: frames(m) + "data: {not json\n\n",
}


@pytest.fixture(scope="module")
def rig(shared_lab):
    return shared_lab.rig()


def play(rig, text: str, size: int):
    rig.route.play(scripts.sse_body(text.encode(), size))
    return rig.stream()


@pytest.mark.parametrize("size", [0, 7, 1], ids=["whole", "in-sevens", "byte-by-byte"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_any_framing_gives_the_same_stream(rig, framing, size):
    reply, streamed = play(rig, FRAMINGS[framing](rig.model), size)
    streamed.assert_complete(CONTENT)
    assert not [chunk for chunk in streamed.chunks if "usage" in chunk], "nobody asked for usage"
    assert len(streamed.chunks) == len(PIECES) + 2
    row = rig.wait_row(reply)
    assert (row["quota"], row["estimated"]) == (scripts.cost(), False)


def test_the_head_says_that_it_is_a_stream(rig):
    reply, _ = play(rig, frames(rig.model), 0)
    assert "no-cache" in reply.headers["cache-control"] or "no-store" in reply.headers["cache-control"]
    assert reply.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reply.headers


def test_events_are_not_held_back(lab):
    """Each chunk reaches the client before the upstream has sent the next one."""
    gates = {n: lab.gate() for n in (1, 2, 3)}
    rig = lab.rig(scripts.stream(["one", "two"], gates=gates))
    with rig.streaming() as reply:
        assert reply.status_code == 200
        data, got = reply.iter_bytes(), b""
        for number, word in [(1, b'"role"'), (2, b'"one"'), (3, b'"two"')]:
            while word not in got:
                got += next(data)
            gates[number].wait_arrived()
            gates[number].open()
        assert b"[DONE]" in got + b"".join(data)


@pytest.mark.parametrize("usage_at", ["first", "every", "last-content"])
def test_usage_is_found_wherever_it_comes(lab, usage_at):
    """Some servers count up in every chunk, or put usage beside the last content."""
    rig = lab.rig()
    chunks = scripts.stream_chunks(rig.model, ["a", "b"], None, False)
    counts = {"first": {0: 12}, "every": {0: 1, 1: 2, 2: 7, 3: 12}, "last-content": {3: 12}}[usage_at]
    for number, completion in counts.items():
        chunks[number]["usage"] = scripts.usage_of(completion=completion)
    text = "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"
    rig.route.play(scripts.sse_body(text.encode()))
    reply, streamed = rig.stream()
    streamed.assert_complete("ab")
    assert not [chunk for chunk in streamed.chunks if "usage" in chunk]
    assert rig.wait_row(reply)["quota"] == scripts.cost()


def test_frames_without_choices_are_not_passed_on(lab):
    """Azure begins with filter results that break naive clients."""
    rig = lab.rig()
    text = ('data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[]}\n\n'
            + "".join(f"data: {json.dumps(c)}\n\n" for c in scripts.stream_chunks(rig.model, ["x"], None, False))
            + "data: [DONE]\n\n")
    rig.route.play(scripts.sse_body(text.encode()))
    _, streamed = rig.stream()
    streamed.assert_complete("x")
    assert all(chunk["choices"] for chunk in streamed.chunks)


def test_a_very_long_event_passes(lab):
    content = "x" * 1_000_000
    rig = lab.rig(scripts.stream([content]))
    _, streamed = rig.stream()
    streamed.assert_complete(content)


def test_a_whole_answer_to_a_streamed_request_becomes_a_stream(lab):
    rig = lab.rig(scripts.chat("all at once"))
    reply, streamed = rig.stream()
    streamed.assert_complete("all at once")
    assert rig.wait_row(reply)["quota"] == scripts.cost()


