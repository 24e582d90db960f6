"""A strict reader of the event streams that the gateway sends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass
class Streamed:
    """What a chat stream said, in order."""

    payloads: list[str] = field(default_factory=list)
    comments: int = 0

    @property
    def values(self) -> list[dict]:
        return [json.loads(payload) for payload in self.payloads if payload != "[DONE]"]

    @property
    def chunks(self) -> list[dict]:
        return [value for value in self.values if "error" not in value]

    @property
    def errors(self) -> list[dict]:
        return [value["error"] for value in self.values if "error" in value]

    @property
    def done(self) -> int:
        return self.payloads.count("[DONE]")

    @property
    def content(self) -> str:
        return "".join(choice["delta"].get("content") or "" for chunk in self.chunks for choice in chunk["choices"])

    @property
    def finish_reasons(self) -> list[str]:
        reasons = [choice.get("finish_reason") for chunk in self.chunks for choice in chunk["choices"]]
        return [reason for reason in reasons if reason]

    @property
    def usages(self) -> list[dict]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]

    def assert_complete(self, content: str) -> None:
        """Exactly what a client may take for a whole answer."""
        assert self.errors == [], f"an error in a good stream: {self.errors}"
        assert self.content == content
        assert self.finish_reasons == ["stop"]
        assert self.done == 1 and self.payloads[-1] == "[DONE]", f"[DONE] must come once, at the end: {self.payloads[-3:]}"

    def assert_broken_off(self, content: str) -> dict:
        """Content, then one error, and nothing that looks like a regular end. Returns the error."""
        assert self.content == content
        assert self.done == 0, "a broken stream must not end in [DONE]"
        assert self.finish_reasons == [], f"a broken stream must not have a finish_reason: {self.finish_reasons}"
        assert len(self.errors) == 1, f"one error event, not {len(self.errors)}: {self.payloads[-3:]}"
        assert "error" in json.loads(self.payloads[-1]), "the error is the last event"
        assert set(self.errors[0]) == {"message", "type", "param", "code"}
        return self.errors[0]


def parse(body: bytes | str) -> Streamed:
    """Reads a whole stream: `data: <one line>` and a blank line each, or comments; nothing else."""
    text = body.decode() if isinstance(body, bytes) else body
    assert text == "" or text.endswith("\n\n"), f"the stream ends within an event: {text[-80:]!r}"
    streamed = Streamed()
    for block in text.split("\n\n")[:-1]:
        for line in block.split("\n"):
            if line.startswith(":"):
                streamed.comments += 1
                continue
            assert line.startswith("data: "), f"not a data line: {line!r}"
            payload = line.removeprefix("data: ")
            assert payload, "an event without data"
            streamed.payloads.append(payload)
        assert block, "an empty event"
    return streamed
