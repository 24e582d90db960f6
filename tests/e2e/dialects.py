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
