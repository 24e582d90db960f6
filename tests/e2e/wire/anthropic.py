"""Anthropic's messages."""

from __future__ import annotations

import json

from fake_upstream import Request
from wire import Counts, Say, Speaker, event

SIGNATURE = "EqQBCkYIBRgCKkD+/sig=="


class Anthropic(Speaker):
    name = "anthropic"
    kind = 14
    model = "claude-sonnet-4-5"
    # 12 that are new, 100 written to the cache, 30 read from it.
    counts = Counts(prompt=142, cached=30, written=100, completion=25, reasoning=20)
    translated = True
    error_event = event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")

    prompt_usage = {"input_tokens": 12, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 30,
                    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
                    "service_tier": "standard"}
    output_usage = {"output_tokens": 25, "output_tokens_details": {"thinking_tokens": 20}}

    def message(self, content: list[dict], **more) -> dict:
        return {"id": "msg_01", "type": "message", "role": "assistant", "model": self.model, "content": content,
                "stop_reason": None, "stop_sequence": None, **more}

    def whole(self, say: Say) -> dict:
        content = []
        if say.reasoning:
            content.append({"type": "thinking", "thinking": "".join(say.reasoning), "signature": SIGNATURE})
        if say.text:
            content.append({"type": "text", "text": "".join(say.text), "citations": None})
        content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in say.calls]
        return self.message(content, stop_reason="tool_use" if say.calls else "end_turn",
                            usage={**self.prompt_usage, **self.output_usage})

    def opening(self, say: Say) -> list[bytes]:
        events = [event({"type": "message_start", "message": self.message([], usage={**self.prompt_usage, "output_tokens": 1})},
                        "message_start")]
        blocks = []
        if say.reasoning:
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in say.reasoning]
            blocks.append(({"type": "thinking", "thinking": "", "signature": ""},
                           [*deltas, {"type": "signature_delta", "signature": SIGNATURE}]))
        if say.text:
            blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in say.text]))
        for call in say.calls:
            arguments = json.dumps(call.arguments)
            blocks.append(({"type": "tool_use", "id": call.id, "name": call.name, "input": {}},
                           [{"type": "input_json_delta", "partial_json": piece} for piece in ("", arguments[:6], arguments[6:])]))
        for index, (block, deltas) in enumerate(blocks):
            events.append(event({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start"))
            events.append(event({"type": "ping"}, "ping"))
            events += [event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta") for delta in deltas]
            events.append(event({"type": "content_block_stop", "index": index}, "content_block_stop"))
        return events

    def closing(self, say: Say) -> list[bytes]:
        reason = {"stop_reason": "tool_use" if say.calls else "end_turn", "stop_sequence": None}
        return [event({"type": "message_delta", "delta": reason, "usage": {**self.output_usage, "input_tokens": None}}, "message_delta"),
                event({"type": "message_stop"}, "message_stop")]

    def assert_addressed(self, request: Request, key: str, stream: bool) -> None:
        assert request.path.endswith("/v1/messages")
        assert request.header("x-api-key") == key and request.header("anthropic-version") == "2023-06-01"
        assert request.header("authorization") is None
        assert request.json["model"] == self.model
        assert request.json.get("stream", False) is stream

    def assert_loop(self, request: Request, say: Say, results: dict[str, str], kept: bool) -> None:
        user, assistant, answers = request.json["messages"]
        assert [user["role"], assistant["role"], answers["role"]] == ["user", "assistant", "user"]
        thoughts = [block for block in assistant["content"] if block["type"] == "thinking"]
        uses = [block for block in assistant["content"] if block["type"] == "tool_use"]
        assert [(use["id"], use["name"], use["input"]) for use in uses] == [(call.id, call.name, call.arguments) for call in say.calls]
        assert [(block["type"], block["tool_use_id"], block["content"]) for block in answers["content"]] == [
            ("tool_result", call.id, results[call.id]) for call in say.calls]
        if kept:
            # To the letter, and first: else the API refuses the turn.
            assert assistant["content"][0] == {"type": "thinking", "thinking": "".join(say.reasoning), "signature": SIGNATURE}
            assert request.json["thinking"]["type"] == "enabled"
        else:
            # A budget without the thoughts of the turn that is gone on with is refused.
            assert thoughts == [] and "thinking" not in request.json

    def image(self, request: Request) -> str:
        source = request.json["messages"][0]["content"][1]["source"]
        return source["url"] if source["type"] == "url" else f"data:{source['media_type']};base64,{source['data']}"

    def assert_schema(self, request: Request, schema: dict) -> None:
        format = request.json["output_config"]["format"]
        assert set(format) == {"type", "schema"} and format["type"] == "json_schema"
        days = format["schema"]["properties"]["days"]
        assert "minimum" not in days and "minimum: 1" in days["description"]
        assert format["schema"]["additionalProperties"] is False and format["schema"]["required"] == schema["required"]

    def assert_effort_is_medium(self, request: Request) -> None:
        assert request.json["thinking"]["type"] == "enabled" and request.json["thinking"]["budget_tokens"] == 2048
        assert not {"temperature", "top_p", "top_k"} & set(request.json)
