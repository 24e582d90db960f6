"""OpenAI's chat completions, Azure's, and those of a server that means to speak them."""

from __future__ import annotations

import json

from fake_upstream import Request
from wire import Call, Counts, Say, Speaker, event

CREATED = 1_790_000_000


class OpenAi(Speaker):
    name = "openai"
    kind = 1
    model = "gpt-5.1"
    counts = Counts(prompt=50, cached=40, written=6, completion=28, reasoning=22)
    error_event = event({"error": {"message": "The server had an error while processing your request", "type": "server_error",
                                   "param": None, "code": None}})

    def usage(self) -> dict:
        counts = self.counts
        return {"prompt_tokens": counts.prompt, "completion_tokens": counts.completion,
                "total_tokens": counts.prompt + counts.completion,
                "prompt_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": counts.written, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0,
                                              "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}

    def call(self, call: Call) -> dict:
        return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}

    def whole(self, say: Say) -> dict:
        message = {"role": "assistant", "content": "".join(say.text) if say.text else None, "refusal": None, "annotations": []}
        if say.calls:
            message["tool_calls"] = [self.call(call) for call in say.calls]
        return {"id": "chatcmpl-B1", "object": "chat.completion", "created": CREATED, "model": self.model,
                "choices": [{"index": 0, "message": message, "logprobs": None,
                             "finish_reason": "tool_calls" if say.calls else "stop"}],
                "usage": self.usage(), "service_tier": "default", "system_fingerprint": "fp_1"}

    def chunk(self, choices: list[dict], **more) -> bytes:
        return event({"id": "chatcmpl-B1", "object": "chat.completion.chunk", "created": CREATED, "model": self.model,
                      "service_tier": "default", "system_fingerprint": "fp_1", "choices": choices, "usage": None,
                      "obfuscation": "x7", **more})

    def delta(self, delta: dict, finish: str | None = None) -> bytes:
        return self.chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    def opening(self, say: Say) -> list[bytes]:
        events = [self.delta({"role": "assistant", "content": "" if say.text else None, "refusal": None})]
        events += [self.delta({"content": piece}) for piece in say.text]
        for index, call in enumerate(say.calls):
            arguments = json.dumps(call.arguments)
            middle = len(arguments) // 2
            first = {"index": index, **self.call(call)}
            first["function"] = {"name": call.name, "arguments": ""}
            events.append(self.delta({"tool_calls": [first]}))
            events += [self.delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
                       for piece in (arguments[:middle], arguments[middle:])]
        return events

    def closing(self, say: Say) -> list[bytes]:
        return [self.delta({}, "tool_calls" if say.calls else "stop"), self.chunk([], usage=self.usage()), event("[DONE]")]

    def assert_addressed(self, request: Request, key: str, stream: bool) -> None:
        assert request.path.endswith("/v1/chat/completions")
        assert request.header("authorization") == f"Bearer {key}"
        assert request.json["model"] == self.model
        assert request.json.get("stream", False) is stream
        if stream:
            assert request.json["stream_options"]["include_usage"] is True

    def assert_loop(self, request: Request, say: Say, results: dict[str, str], kept: bool) -> None:
        _, assistant, *tools = request.json["messages"]
        assert [call["id"] for call in assistant["tool_calls"]] == [call.id for call in say.calls]
        assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in assistant["tool_calls"]] == [
            (call.name, call.arguments) for call in say.calls]
        assert not {"thinking_blocks", "reasoning_content"} & set(assistant)
        assert {tool["tool_call_id"]: tool["content"] for tool in tools} == results

    def image(self, request: Request) -> str:
        return request.json["messages"][0]["content"][1]["image_url"]["url"]

    def assert_schema(self, request: Request, schema: dict) -> None:
        assert request.json["response_format"]["json_schema"] == {"name": "forecast", "strict": True, "schema": schema}

    def assert_effort_is_medium(self, request: Request) -> None:
        assert request.json["reasoning_effort"] == "medium"


class Azure(OpenAi):
    """A deployment, whose stream begins and goes on with remarks of its filters."""

    name = "azure"
    kind = 3
    model = "weather desk"
    counts = Counts(prompt=60, cached=0, written=0, completion=10, reasoning=4)
    config = {"api_version": "2024-10-21"}

    def whole(self, say: Say) -> dict:
        clean = {"hate": {"filtered": False, "severity": "safe"}}
        body = super().whole(say)
        body["choices"][0]["content_filter_results"] = clean
        return {**body, "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": clean}]}

    def opening(self, say: Say) -> list[bytes]:
        remark = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}]}
        return [event(remark), *super().opening(say)]

    def closing(self, say: Say) -> list[bytes]:
        offsets = {"check_offset": 0, "start_offset": 0, "end_offset": 4}
        remark = {"id": "", "object": "", "created": 0, "model": "", "choices": [
            {"index": 0, "finish_reason": None, "content_filter_offsets": offsets, "content_filter_results": {}}]}
        return [event(remark), *super().closing(say)]

    def assert_addressed(self, request: Request, key: str, stream: bool) -> None:
        assert request.path.endswith("/openai/deployments/weather%20desk/chat/completions?api-version=2024-10-21")
        assert request.header("api-key") == key and request.header("authorization") is None


class Custom(OpenAi):
    """A server that speaks the dialect as many do: reasoning under another name, `stop` although tools are called,
    arguments that are an object, pieces of calls without their number, and no role, index or id where one belongs."""

    name = "custom"
    kind = 99
    model = "llama-weather"
    counts = Counts(prompt=33, cached=8, written=0, completion=19, reasoning=11)
    error_event = event({"error": "CUDA error: out of memory"})

    def usage(self) -> dict:
        counts = self.counts
        return {"prompt_tokens": counts.prompt, "completion_tokens": counts.completion,
                "total_tokens": counts.prompt + counts.completion,
                "prompt_tokens_details": {"cached_tokens": counts.cached},
                "completion_tokens_details": {"reasoning_tokens": counts.reasoning}}

    def whole(self, say: Say) -> dict:
        message: dict = {"content": "".join(say.text)}
        if say.reasoning:
            message["reasoning"] = "".join(say.reasoning)
        if say.calls:
            message["tool_calls"] = [{"id": call.id, "type": "function", "function": {
                "name": call.name, "arguments": call.arguments}} for call in say.calls]
        return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": self.usage()}

    def chunk(self, choices: list[dict], **more) -> bytes:
        # CRLF, and no white space behind the colon.
        return ("data:" + json.dumps({"object": "chat.completion.chunk", "choices": choices, **more}) + "\r\n\r\n").encode()

    def delta(self, delta: dict, finish: str | None = None) -> bytes:
        return self.chunk([{"delta": delta, "finish_reason": finish or ""}])

    def opening(self, say: Say) -> list[bytes]:
        events = [b": keep-alive\r\n\r\n"]
        events += [self.delta({"role": "assistant", "reasoning": piece}) for piece in say.reasoning]
        events += [self.delta({"content": piece}) for piece in say.text]
        for call in say.calls:
            arguments = json.dumps(call.arguments)
            events.append(self.delta({"tool_calls": [{"id": call.id, "function": {"name": call.name, "arguments": arguments[:5]}}]}))
            events.append(self.delta({"tool_calls": [{"id": "", "function": {"name": "", "arguments": arguments[5:]}}]}))
        return events

    def closing(self, say: Say) -> list[bytes]:
        # Usage where the reason to stop is, whether it was asked for or not, and no [DONE].
        return [self.chunk([{"delta": {}, "finish_reason": "stop"}], usage=self.usage())]

    def assert_loop(self, request: Request, say: Say, results: dict[str, str], kept: bool) -> None:
        _, assistant, *tools = request.json["messages"]
        assert [call["id"] for call in assistant["tool_calls"]] == [call.id for call in say.calls]
        # What it thought is its own extension, which it may want back.
        assert ("reasoning_content" in assistant) is kept
        assert {tool["tool_call_id"]: tool["content"] for tool in tools} == results
