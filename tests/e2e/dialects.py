"""What providers of other dialects answer, written from their documentation: never from the gateway's own code."""

from __future__ import annotations

import json

from fake_upstream import Exchange, Script


def answer(body: dict, status: int = 200) -> Script:
    """A whole answer."""
    async def script(exchange: Exchange) -> None:
        await exchange.json(body, status)
    return script


def events(*named: tuple[str | None, dict]) -> Script:
    """A stream of events, each with its name if it has one, cut into pieces where it hurts."""
    text = "".join((f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" for name, data in named)

    async def script(exchange: Exchange) -> None:
        await exchange.open_stream()
        data = text.encode()
        for start in range(0, len(data), 37):
            await exchange.piece(data[start:start + 37])
        await exchange.end_stream()
    return script


# --- Anthropic: POST /v1/messages

ANTHROPIC_USAGE = {"input_tokens": 12, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 30, "output_tokens": 25}
TOOL_INPUT = {"city": "Paris", "days": 3}

ANTHROPIC_ANSWER = answer({
    "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "It rains."},
                {"type": "tool_use", "id": "toolu_01A", "name": "weather", "input": TOOL_INPUT}],
    "stop_reason": "tool_use", "stop_sequence": None, "usage": ANTHROPIC_USAGE,
})

ANTHROPIC_STREAM = events(
    ("message_start", {"type": "message_start", "message": {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}}}),
    ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("ping", {"type": "ping"}),
    ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "It "}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "rains."}}),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    ("content_block_start", {"type": "content_block_start", "index": 1,
                             "content_block": {"type": "tool_use", "id": "toolu_01A", "name": "weather", "input": {}}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 1,
                             "delta": {"type": "input_json_delta", "partial_json": "{\"city\": \"Pa"}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 1,
                             "delta": {"type": "input_json_delta", "partial_json": "ris\", \"days\": 3}"}}),
    ("content_block_stop", {"type": "content_block_stop", "index": 1}),
    ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
                       "usage": {"output_tokens": 25}}),
    ("message_stop", {"type": "message_stop"}),
)

ANTHROPIC_OVERLOADED = events(("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))

# --- Gemini: POST /v1beta/models/{model}:generateContent and :streamGenerateContent?alt=sse

GEMINI_USAGE = {"promptTokenCount": 50, "cachedContentTokenCount": 40, "candidatesTokenCount": 6, "thoughtsTokenCount": 22,
                "totalTokenCount": 78}
GEMINI_CALL = {"functionCall": {"name": "weather", "args": TOOL_INPUT}}


def _gemini(parts: list[dict], **more) -> dict:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    if "finish" in more:
        candidate["finishReason"] = more.pop("finish")
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", **more}


GEMINI_ANSWER = answer(_gemini([{"text": "It rains."}, GEMINI_CALL], finish="STOP", usageMetadata=GEMINI_USAGE))

GEMINI_STREAM = events(
    (None, _gemini([{"text": "It "}])),
    (None, _gemini([{"text": "rains."}])),
    (None, _gemini([GEMINI_CALL])),
    (None, _gemini([], finish="STOP", usageMetadata=GEMINI_USAGE)),
)

GEMINI_EMBEDDINGS = answer({"embeddings": [{"values": [0.5, -0.25, 1.0]}, {"values": [0.0, 0.125, -2.0]}]})

# --- A model that thinks, and then calls two tools at once

THOUGHT = "The user wants both cities."
SIGNATURE = "c2lnbmVkLWJ5LXRoZS1wcm92aWRlcg=="
CITIES = ({"city": "Paris"}, {"city": "Oslo", "days": 2})


def whole_or_stream(whole: Script, stream: Script) -> Script:
    """The provider's one or other way of answering, as it was asked."""
    async def script(exchange: Exchange) -> None:
        path, body = exchange.request.path, exchange.request.json
        await (stream if body.get("stream") or ":streamGenerateContent" in path else whole)(exchange)
    return script


_THINKING_USAGE = {"input_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 8, "output_tokens": 33,
                   "output_tokens_details": {"thinking_tokens": 11}}
_THINKING_BLOCKS = [
    {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE},
    {"type": "tool_use", "id": "toolu_01Paris", "name": "weather", "input": CITIES[0]},
    {"type": "tool_use", "id": "toolu_02Oslo", "name": "weather", "input": CITIES[1]},
]


def _block_events(index: int, block: dict) -> list[tuple[str, dict]]:
    if block["type"] == "thinking":
        begin = {**block, "thinking": "", "signature": ""}
        half = len(block["thinking"]) // 2
        deltas = [{"type": "thinking_delta", "thinking": block["thinking"][:half]},
                  {"type": "thinking_delta", "thinking": block["thinking"][half:]},
                  {"type": "signature_delta", "signature": block["signature"]}]
    else:
        begin = {**block, "input": {}}
        text = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:5], text[5:])]
    return [("content_block_start", {"type": "content_block_start", "index": index, "content_block": begin}),
            *[("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas],
            ("content_block_stop", {"type": "content_block_stop", "index": index})]


def _message(content: list[dict], stop: str | None, usage: dict) -> dict:
    return {"id": "msg_02", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": content,
            "stop_reason": stop, "stop_sequence": None, "usage": usage}


ANTHROPIC_THINKING = whole_or_stream(
    answer(_message(_THINKING_BLOCKS, "tool_use", _THINKING_USAGE)),
    events(
        ("message_start", {"type": "message_start", "message": _message([], None, {**_THINKING_USAGE, "output_tokens": 2})}),
        *[event for index, block in enumerate(_THINKING_BLOCKS) for event in _block_events(index, block)],
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
                           "usage": {"output_tokens": 33, "output_tokens_details": {"thinking_tokens": 11}}}),
        ("message_stop", {"type": "message_stop"})))

_GEMINI_THINKING_USAGE = {"promptTokenCount": 40, "cachedContentTokenCount": 8, "candidatesTokenCount": 22,
                          "thoughtsTokenCount": 11, "totalTokenCount": 73}
_GEMINI_THINKING_PARTS = [
    {"text": THOUGHT, "thought": True},
    {"functionCall": {"name": "weather", "args": CITIES[0]}, "thoughtSignature": SIGNATURE},
    {"functionCall": {"name": "weather", "args": CITIES[1]}},
]

GEMINI_THINKING = whole_or_stream(
    answer(_gemini(_GEMINI_THINKING_PARTS, finish="STOP", usageMetadata=_GEMINI_THINKING_USAGE)),
    events(*[(None, _gemini([part])) for part in _GEMINI_THINKING_PARTS],
           (None, _gemini([], finish="STOP", usageMetadata=_GEMINI_THINKING_USAGE))))

_OPENAI_CALLS = [{"id": f"call_{number}", "type": "function", "function": {"name": "weather", "arguments": json.dumps(city)}}
                 for number, city in enumerate(CITIES)]
_OPENAI_USAGE = {"prompt_tokens": 40, "completion_tokens": 33, "total_tokens": 73,
                 "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 11}}


def _openai(kind: str, part: str, value: dict, finish: str | None, **more) -> dict:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_790_000_000, "model": "gpt-5",
            "choices": [{"index": 0, part: value, "logprobs": None, "finish_reason": finish}], **more}


def _openai_stream() -> Script:
    def chunk(delta: dict, finish: str | None = None) -> tuple[None, dict]:
        return None, _openai("chat.completion.chunk", "delta", delta, finish, usage=None)

    pieces = [chunk({"role": "assistant", "content": None})]
    for index, call in enumerate(_OPENAI_CALLS):
        arguments = call["function"]["arguments"]
        pieces.append(chunk({"tool_calls": [{**call, "index": index, "function": {"name": "weather", "arguments": ""}}]}))
        pieces += [chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in (arguments[:4], arguments[4:])]
    pieces.append(chunk({}, "tool_calls"))
    last = {**_openai("chat.completion.chunk", "delta", {}, None), "choices": [], "usage": _OPENAI_USAGE}
    stream = events(*pieces, (None, last))

    async def script(exchange: Exchange) -> None:
        # The last event of this dialect is no JSON.
        end, exchange.end_stream = exchange.end_stream, _nothing
        await stream(exchange)
        await exchange.event("[DONE]")
        await end()
    return script


async def _nothing() -> None:
    pass


OPENAI_CALLS = whole_or_stream(
    answer(_openai("chat.completion", "message", {"role": "assistant", "content": None, "refusal": None,
                                                  "tool_calls": _OPENAI_CALLS}, "tool_calls", usage=_OPENAI_USAGE)),
    _openai_stream())

# --- Plain text, for calls that are about what was asked

ANTHROPIC_TEXT = whole_or_stream(
    answer(_message([{"type": "text", "text": "Fine."}], "end_turn", {"input_tokens": 9, "output_tokens": 3})),
    events(
        ("message_start", {"type": "message_start", "message": _message([], None, {"input_tokens": 9, "output_tokens": 1})}),
        ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Fine."}}),
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                           "usage": {"output_tokens": 3}}),
        ("message_stop", {"type": "message_stop"})))

_GEMINI_TEXT_USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
GEMINI_TEXT = whole_or_stream(
    answer(_gemini([{"text": "Fine."}], finish="STOP", usageMetadata=_GEMINI_TEXT_USAGE)),
    events((None, _gemini([{"text": "Fine."}], finish="STOP", usageMetadata=_GEMINI_TEXT_USAGE))))

# --- Streams that break after some text

ANTHROPIC_BREAKS = events(
    ("message_start", {"type": "message_start", "message": _message([], None, {"input_tokens": 9, "output_tokens": 1})}),
    ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Half"}}),
    ("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
)
GEMINI_BREAKS = events(
    (None, _gemini([{"text": "Half"}])),
    (None, {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
)
