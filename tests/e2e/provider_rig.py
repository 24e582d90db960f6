"""A key and a channel to an upstream that speaks as a provider does."""

from __future__ import annotations

from dataclasses import dataclass

from fake_upstream import Route, Script
from sdks import Told
from wire import Counts, Speaker
from world import Channel, Lab, Token

QUESTION = [{"role": "user", "content": "What is the weather in Paris, and what time is it in Tokyo?"}]

TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "The weather of a city.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}},
]


@dataclass
class ProviderRig:
    speaker: Speaker
    route: Route
    model: str
    channel: Channel
    token: Token

    def chat(self, sdk, stream: bool = False, **body) -> Told:
        """A chat with one of the packages; a stream with its usage."""
        body = {"model": self.model, "messages": QUESTION, "max_tokens": 4000, **body}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return sdk.chat(self.token, **body)

    def row(self, told: Told) -> dict:
        return self.token.wait_row(told.request_id)

    def assert_counted(self, told: Told) -> dict:
        """To the token: what the client is told, and what the usage row says."""
        counts, usage, row = self.speaker.counts, told.usage, self.row(told)
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (counts.prompt, counts.completion)
        assert usage["total_tokens"] == counts.prompt + counts.completion
        assert usage["prompt_tokens_details"]["cached_tokens"] == counts.cached
        assert usage["prompt_tokens_details"].get("cache_write_tokens", 0) == counts.written
        assert usage["completion_tokens_details"]["reasoning_tokens"] == counts.reasoning
        assert of_row(row) == counts and row["estimated"] is False
        assert (row["state"], row["end_reason"], row["status"]) == ("settled", "complete", 200)
        assert (row["model"], row["upstream_model"]) == (self.model, self.speaker.model)
        return row


def of_row(row: dict) -> Counts:
    return Counts(row["prompt_tokens"], row["cached_tokens"], row["cache_write_tokens"], row["completion_tokens"], row["reasoning_tokens"])


def provider_rig(lab: Lab, speaker: Speaker, *scripts: Script, **channel) -> ProviderRig:
    route, model = lab.route(*scripts), lab.model()
    channel = {"type": speaker.kind, "model_mapping": {model: speaker.model}, "config": speaker.config, **channel}
    return ProviderRig(speaker, route, model, lab.channel(route, model, **channel), lab.token())
