"""Every fault of the hardening notes, section 3, by name: what is here, and where the others are.

`FAULTS` is the whole list; `test_helpers.py` checks that each name has a test.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import scripts
import sse
from checks import describe, expect

# Fault: the tests that show it, as file and function.
FAULTS = {
    "refuse": ["test_relay_faults::test_a_connection_that_is_refused"],
    "reset before headers": ["test_relay_faults::test_a_broken_connection_is_a_clean_502"],
    "hang before headers": ["test_relay_faults::test_an_upstream_that_says_nothing_is_given_up"],
    "429 with and without Retry-After": ["test_relay_faults::test_a_rate_limit_says_when_to_come_again"],
    "429 on all channels": ["test_faults::test_a_rate_limit_on_all_channels"],
    "500 once": ["test_faults::test_one_500_is_nobodys_business"],
    "503 for ever": ["test_faults::test_503_for_ever"],
    "200 and an error body, HTML, empty, or a wrong type": ["test_relay_faults::test_s6_what_is_no_completion_is_not_passed_off_as_one"],
    "gzip though not asked for": [
        "test_relay_faults::test_a_compressed_answer_is_read_or_refused_but_never_passed_on_as_noise"],
    "20 s first byte": ["test_relay_faults::test_a_head_without_a_body_is_given_up"],
    "stall in mid-stream": ["test_relay_faults::test_a_stream_that_stalls_is_ended"],
    "cut at every byte": ["test_faults::test_a_stream_that_is_cut_at_any_byte"],
    "cut before [DONE]": ["test_relay_faults::test_a_stream_that_lacks_only_its_last_word_is_complete"],
    "garbage frame": ["test_relay_faults::test_a_garbage_event_in_mid_stream_reaches_nobody"],
    "10 MiB single line": ["test_faults::test_a_line_of_ten_mebibytes"],
    "endless stream": ["test_hangup::test_*"],
    "1 byte/s": ["test_streams::test_any_framing_gives_the_same_stream",
                 "test_relay_faults::test_a_slow_stream_that_keeps_coming_is_not_ended"],
    "usage negative, huge, a string, missing, twice, decreasing": ["test_faults::test_usage_that_makes_no_sense"],
    "finish_reason missing": ["test_relay_faults::test_a_done_without_a_finish_reason_is_not_made_better"],
    "tool-call fragments cut": ["test_faults::test_fragments_of_a_tool_call_that_are_cut"],
    "302 to a metadata address": ["test_bad_input::test_83_an_upstream_cannot_send_us_elsewhere"],
    "store busy": ["test_store_faults::test_49_a_store_that_is_busy"],
    "store cannot grow": ["test_store_faults::test_a_file_that_cannot_grow"],
    "store read-only": ["test_store_faults::test_a_store_that_is_read_only"],
    "SIGTERM under load": ["test_shutdown::test_sigterm_*"],
    "kill -9": ["test_shutdown::test_a_crash_loses_no_money"],
    "SIGSTOP, then CONT": ["test_suspended::test_*"],
}


def test_a_rate_limit_on_all_channels(lab):
    limited = scripts.error(429, "slow down", "rate_limit_exceeded", headers={"Retry-After": "7"})
    first, second, model = lab.route(limited), lab.route(limited), lab.model()
    lab.channel(first, model, priority=2)
    lab.channel(second, model, priority=1)
    token = lab.token()
    for _ in range(3):
        reply = expect(token.relay.chat(model), (429, 503))
        assert 1 <= int(reply.headers["retry-after"]) <= 7, describe(reply)
    # Whoever said to wait is not asked again meanwhile.
    assert (first.calls, second.calls) == (1, 1)
    assert token.fresh()["used_quota"] == 0


def test_one_500_is_nobodys_business(lab):
    shaky, spare, model = lab.route(scripts.error(500), scripts.chat("shaky")), lab.route(scripts.chat("spare")), lab.model()
    lab.channel(shaky, model, priority=2)
    lab.channel(spare, model, priority=1)
    token = lab.token()
    said = [expect(token.relay.chat(model), 200).json()["choices"][0]["message"]["content"] for _ in range(3)]
    assert said == ["spare", "shaky", "shaky"]
    assert spare.calls == 1


def test_503_for_ever(lab):
    broken, spare, model = lab.route(scripts.error(503)), lab.route(scripts.chat()), lab.model()
    lab.channel(broken, model, priority=2)
    lab.channel(spare, model, priority=1)
    token = lab.token(lab.user())
    for _ in range(12):
        token.wait_row(expect(token.relay.chat(model), 200))
    assert spare.calls == 12 and broken.calls <= 12
    assert token.fresh()["used_quota"] == 12 * scripts.cost()


CONTENT = b'data: {"choices":[{"index":0,"delta":{"content":"ab"},"finish_reason":null}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
WHOLE = CONTENT + FINISH + b"data: [DONE]\n\n"


def cut_at(length: int):
    async def script(exchange):
        await exchange.open_stream()
        if length:
            await exchange.piece(WHOLE[:length])
        await exchange.fin()
    return script


def test_a_stream_that_is_cut_at_any_byte(lab):
    """It is never taken for a whole one before its finish reason was there."""
    together = 4

    # A channel for a few each: one that fails so often is left alone.
    rigs = {first: lab.rig(owner=lab.site.payer) for first in range(0, len(WHOLE), together)}

    def try_some(first: int) -> list[str]:
        rig, wrong = rigs[first], []
        for length in range(first, min(first + together, len(WHOLE))):
            rig.route.play(cut_at(length))
            reply = rig.chat(stream=True)
            if reply.status_code != 200:
                # Only the last line's end may be missing of a word that was there.
                fine = reply.status_code == 502 and length <= len(CONTENT)
            else:
                streamed = sse.parse(reply.content)
                ended = (streamed.done, len(streamed.errors))
                whole = streamed.finish_reasons == ["stop"] and length >= len(CONTENT + FINISH) - 2
                fine = streamed.content == "ab" and length >= len(CONTENT) - 2 and ended in ([(1, 0), (0, 1)] if whole else [(0, 1)])
            if not fine:
                wrong.append(f"{length}: {describe(reply)}")
        return wrong

    with ThreadPoolExecutor(6) as pool:
        wrong = [text for texts in pool.map(try_some, rigs) for text in texts]
    assert wrong == []


def test_a_line_of_ten_mebibytes(lab):
    """More than an event may have: the stream ends, and nothing of it is passed on."""
    rig = lab.rig()
    begun = f"data: {json.dumps(scripts.chunk(rig.model, {'role': 'assistant', 'content': 'begun'}))}\n\n".encode()
    rig.route.play(scripts.sse_body(begun + b"data: " + b"x" * (10 * 2**20 + 1) + b"\n\n", 65536))
    _, streamed = rig.stream()
    streamed.assert_broken_off("begun")


HUGE = 2**63
USAGES = {
    "negative": [{"prompt_tokens": -5, "completion_tokens": -7}], "huge": [{"prompt_tokens": HUGE, "completion_tokens": HUGE}],
    "string": [{"prompt_tokens": "9", "completion_tokens": "12"}], "missing": [], "null": [None], "list": [[1, 2]],
    "twice": [scripts.usage_of(), scripts.usage_of()], "decreasing": [scripts.usage_of(9, 50), scripts.usage_of(9, 12)],
    "fraction": [{"prompt_tokens": 1.5, "completion_tokens": 2.5}], "parts": [{"prompt_tokens": 9}],
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", USAGES)
def test_usage_that_makes_no_sense(lab, name, stream):
    """It is charged something between nothing and what was held, and the answer is delivered."""
    rig = lab.rig(owner=lab.user())
    usages = USAGES[name]
    if stream:
        chunks = scripts.stream_chunks(rig.model, ["fine"], None, False)
        chunks += [scripts.chunk(rig.model, None, usage=usage) for usage in usages]
        text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        rig.route.play(scripts.sse_body(text.encode()))
        reply, streamed = rig.stream(max_tokens=100)
        streamed.assert_complete("fine")
    else:
        body = scripts.completion_body(rig.model, "fine")
        body = {**{key: value for key, value in body.items() if key != "usage"}, **({"usage": usages[-1]} if usages else {})}
        rig.route.play(scripts.answer(200, json.dumps(body).encode()))
        reply = expect(rig.chat(max_tokens=100), 200)
        assert reply.json()["choices"][0]["message"]["content"] == "fine"
    row = rig.wait_row(reply)
    most = 1000
    assert 0 <= row["quota"] <= most, row
    if name in ("twice", "decreasing"):
        assert (row["quota"], row["estimated"]) == (scripts.cost(), False)
    if name in ("missing", "null"):
        assert (row["quota"], row["estimated"]) == (scripts.estimated("fine"), True)
    assert rig.user.fresh()["used_quota"] == row["quota"]


def test_fragments_of_a_tool_call_that_are_cut(lab):
    rig = lab.rig()
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    deltas = [{"role": "assistant", "content": None, "tool_calls": [call]},
              {"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\": \"Pa"}}]}]

    async def script(exchange):
        await exchange.open_stream()
        for delta in deltas:
            await exchange.event(scripts.chunk(rig.model, delta))
        await exchange.fin()

    rig.route.play(script)
    reply, streamed = rig.stream(tools=[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}])
    streamed.assert_broken_off("")
    row = rig.wait_row(reply)
    assert row["end_reason"] == "upstream_cut" and row["quota"] > 0
