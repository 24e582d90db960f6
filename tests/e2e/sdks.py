"""The official openai packages, for Python and for Node, behind one face: a test is run with both."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

from canary import Canaries
from gateway import REPOSITORY
from world import Token

PROGRAM = Path(__file__).with_name("node") / "client.mjs"
PACKAGE = REPOSITORY / "node_modules" / "openai"
PATIENCE = 40


@dataclass
class Told:
    """What a package tells its caller, of an answer as a whole or of one in pieces."""

    headers: dict[str, str]
    answer: dict | None = None
    chunks: list[dict] = field(default_factory=list)
    error: dict | None = None

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]

    @property
    def dropped(self) -> set[str]:
        """What the gateway says that the provider was not given."""
        names = self.headers.get("x-gateway-dropped-params", "")
        return {name.strip() for name in names.split(",") if name.strip()}

    @property
    def choice(self) -> dict:
        assert self.error is None, self.error
        return self.answer["choices"][0]

    @property
    def message(self) -> dict:
        return self.choice["message"]

    @property
    def usage(self) -> dict:
        if not self.chunks:
            return self.answer["usage"]
        reports = [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]
        assert len(reports) == 1 and self.chunks[-1]["choices"] == [], "usage comes once, in the last chunk"
        return reports[0]

    @property
    def deltas(self) -> list[dict]:
        return [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def seen(self) -> str:
        """The text of a stream so far."""
        return "".join(delta.get("content") or "" for delta in self.deltas)

    def extension(self, name: str):
        """A field that the packages do not know; pieces of it are put together, as clients that know it do."""
        if not self.chunks:
            return self.message.get(name)
        pieces = [delta[name] for delta in self.deltas if delta.get(name)]
        if not pieces:
            return None
        whole = pieces[0]
        for piece in pieces[1:]:
            whole = whole + piece
        return whole

    @property
    def calls(self) -> list[dict]:
        """The tool calls: what the package made of them, with what it does not know of."""
        calls = [dict(call) for call in self.message.get("tool_calls") or []]
        extras = {call["index"]: call["extra_content"] for delta in self.deltas
                  for call in delta.get("tool_calls") or [] if call.get("extra_content")}
        for index, call in enumerate(calls):
            call.pop("index", None)
            if index in extras:
                call["extra_content"] = extras[index]
        return calls


class PythonSdk:
    name = "python"

    def chat(self, token: Token, **body) -> Told:
        create = token.sdk().chat.completions.with_raw_response.create
        try:
            raw = create(**body)
        except openai.APIError as error:
            return Told(*_failed(error))
        headers = {name.lower(): value for name, value in raw.headers.items()}
        if not body.get("stream"):
            return Told(headers, raw.parse().to_dict(warnings=False))
        told, state = Told(headers), ChatCompletionStreamState()
        try:
            for chunk in raw.parse():
                told.chunks.append(chunk.to_dict())
                state.handle_chunk(chunk)
        except openai.APIError as error:
            told.error = _failed(error)[3]
            return told
        try:
            told.answer = state.get_final_completion().to_dict(warnings=False)
        except openai.ContentFilterFinishReasonError as filtered:
            told.answer = filtered.completion.to_dict()
        return told

    def embeddings(self, token: Token, **body) -> Told:
        try:
            raw = token.sdk().embeddings.with_raw_response.create(**body)
        except openai.APIError as error:
            return Told(*_failed(error))
        return Told(dict(raw.headers), raw.parse().to_dict(warnings=False))


def _failed(error: openai.APIError) -> tuple[dict, None, list, dict]:
    response = getattr(error, "response", None)
    headers = {} if response is None else {name.lower(): value for name, value in response.headers.items()}
    return headers, None, [], {"name": type(error).__name__, "status": getattr(error, "status_code", None), "code": error.code, "type": error.type,
                               "param": error.param, "message": error.message, "headers": headers}


class NodeSdk:
    """One process for the whole run: to start it takes longer than a test."""

    name = "node"

    def __init__(self, canaries: Canaries):
        assert PACKAGE.is_dir(), "the openai package for Node is not there: run `npm ci` at the root of the repository"
        self.canaries = canaries
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(["node", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=inherited)
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.reader = threading.Thread(target=self._read, name="node", daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(b"")

    def chat(self, token: Token, **body) -> Told:
        return self._do("chat", token, body)

    def embeddings(self, token: Token, **body) -> Told:
        return self._do("embeddings", token, body)

    def _do(self, task: str, token: Token, body: dict) -> Told:
        line = json.dumps({"task": task, "url": token.site.gateway.url, "key": token.key, "body": body})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.lines.get(timeout=PATIENCE)
        assert answer, f"node ended with {self.process.wait(5)}"
        self.canaries.check_response(f"{task}, read by node", answer)
        told = json.loads(answer)
        assert "broken" not in told, told["broken"]
        error = told.get("error")
        headers = told.get("headers") or (error or {}).get("headers") or {}
        return Told(headers, told.get("answer"), told.get("chunks") or [], error)

    def stop(self) -> None:
        self.process.stdin.close()
        try:
            assert self.process.wait(5) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
