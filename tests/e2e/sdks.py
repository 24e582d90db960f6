"""The official openai packages, for Python and for Node, behind one face: the same test reads with both."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import openai

from transport import openai_client
from world import Token

DRIVER = Path(__file__).parent / "node" / "openai.mjs"


@dataclass
class SdkError(Exception):
    """What a package raised. `name` is the class's name, which both packages share."""

    name: str
    status: int | None
    code: str | None
    param: str | None
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


@dataclass
class Streamed:
    chunks: list[dict]
    error: SdkError | None = None

    def deltas(self, field: str) -> list:
        found = [choice["delta"].get(field) for chunk in self.chunks for choice in chunk["choices"]]
        return [value for value in found if value is not None]

    def text(self, field: str = "content") -> str:
        return "".join(self.deltas(field))

    def calls(self) -> list[dict]:
        """The tool calls, put together by their indexes as every client does."""
        calls: dict[int, dict] = {}
        for piece in (piece for pieces in self.deltas("tool_calls") for piece in pieces):
            call = calls.setdefault(piece["index"], {"id": None, "type": "function", "function": {"name": "", "arguments": ""}})
            if piece.get("id"):
                assert call["id"] is None, f"an id was sent twice: {self.chunks}"
                call["id"] = piece["id"]
            if piece.get("extra_content"):
                call["extra_content"] = piece["extra_content"]
            for field, value in (piece.get("function") or {}).items():
                call["function"][field] += value or ""
        assert sorted(calls) == list(range(len(calls))), f"indexes are not 0 to n: {sorted(calls)}"
        return [calls[index] for index in sorted(calls)]

    def finishes(self) -> list[str]:
        return [choice["finish_reason"] for chunk in self.chunks for choice in chunk["choices"] if choice["finish_reason"]]

    def usages(self) -> list[dict]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]


def _error(raised: openai.APIError) -> SdkError:
    return SdkError(type(raised).__name__, getattr(raised, "status_code", None), raised.code, raised.param, raised.message)


class PythonSdk:
    """The package for Python."""

    def __init__(self, token: Token):
        self.client = openai_client(token.site.gateway.url, token.key, token.site.canaries)

    def chat(self, **body) -> dict:
        try:
            return self.client.chat.completions.create(**body).to_dict(warnings=False)
        except openai.APIError as raised:
            raise _error(raised) from raised

    def stream(self, **body) -> Streamed:
        chunks: list[dict] = []
        try:
            for chunk in self.client.chat.completions.create(**body, stream=True):
                chunks.append(chunk.to_dict(warnings=False))
        except openai.APIError as raised:
            return Streamed(chunks, _error(raised))
        return Streamed(chunks)

    def embeddings(self, **body) -> dict:
        try:
            return self.client.embeddings.create(**body).to_dict(warnings=False)
        except openai.APIError as raised:
            raise _error(raised) from raised


class NodeDriver:
    """One Node process with the package; a call is a line in, its result a line out."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["node", str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **call) -> dict:
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the Node process ended with {self.process.wait(10)}: are the packages of package-lock.json installed?"
        return json.loads(line)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


class NodeSdk:
    """The package for Node."""

    def __init__(self, token: Token, driver: NodeDriver):
        self.driver = driver
        self.target = {"baseURL": token.site.gateway.url + "/v1", "apiKey": token.key}

    def _ask(self, call: str, body: dict) -> dict:
        result = self.driver.ask(**self.target, call=call, body=body)
        if error := result.get("error"):
            assert error.pop("known"), f"not an error of the package: {error}"
            result["error"] = SdkError(**{"status": None, "code": None, "param": None, **error})
        return result

    def _answer(self, call: str, body: dict) -> dict:
        result = self._ask(call, body)
        if "error" in result:
            raise result["error"]
        return result["answer"]

    def chat(self, **body) -> dict:
        return self._answer("chat", body)

    def stream(self, **body) -> Streamed:
        result = self._ask("stream", body)
        if "chunks" not in result:
            raise result["error"]
        return Streamed(result["chunks"], result.get("error"))

    def embeddings(self, **body) -> dict:
        return self._answer("embeddings", body)
