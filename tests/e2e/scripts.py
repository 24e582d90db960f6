"""Ready-made scripts for the fake upstream: good answers, and each way in which answers go bad."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Iterable

from fake_upstream import Exchange, Gate, Script

PROMPT, COMPLETION = 9, 12
"""The usage that an upstream reports unless a test says otherwise."""

HELLO_TEXT = "Say hello."
"""What tests say unless they say something else."""

CREATED = 1_790_000_000


def cost(prompt: int = PROMPT, completion: int = COMPLETION) -> int:
    """What the gateway charges for a model without a price of its own."""
    return prompt + 3 * completion


def estimated(text: str, prompt: str = HELLO_TEXT) -> int:
    """What a call costs whose upstream reported no usage, at the default price: a token for every
    four characters of ASCII, and eight for the one message."""
    return cost(8 + -(-len(prompt) // 4), -(-len(text) // 4))


def usage_of(prompt: int = PROMPT, completion: int = COMPLETION, **more) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def completion_body(model: str, content: str = "Hello!", usage: dict | None = None, **more) -> dict:
    return {
        "id": "chatcmpl-fake", "object": "chat.completion", "created": CREATED, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content, "refusal": None},
                     "logprobs": None, "finish_reason": "stop"}],
        "usage": usage_of() if usage is None else usage, **more,
    }


def chat(content: str = "Hello!", usage: dict | None = None, gate: Gate | None = None,
         headers: dict[str, str] | None = None, **more) -> Script:
    """A chat completion; with a gate, only when it opens."""
    async def script(exchange: Exchange) -> None:
        if gate is not None:
            await gate.wait()
        model = exchange.request.json.get("model", "none")
        await exchange.json(completion_body(model, content, usage, **more), headers=headers)
    return script


def chunk(model: str, delta: dict | None = None, finish: str | None = None, **more) -> dict:
    """One chunk of a streamed completion; `delta=None` makes one without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "choices": choices, **more}


def stream_chunks(model: str, pieces: Iterable[str], usage: dict | None, wanted: bool) -> list[dict]:
    """A whole stream as OpenAI sends it; `wanted`: the request asked for usage."""
    more = {"usage": None} if wanted else {}
    chunks = [chunk(model, {"role": "assistant", "content": ""}, **more)]
    chunks += [chunk(model, {"content": piece}, **more) for piece in pieces]
    chunks.append(chunk(model, {}, "stop", **more))
    if wanted and usage is not None:
        chunks.append(chunk(model, None, usage=usage))
    return chunks


def usage_wanted(exchange: Exchange) -> bool:
    return bool((exchange.request.json.get("stream_options") or {}).get("include_usage"))


def stream(pieces: Iterable[str] = ("Hel", "lo", "!"), usage: dict | None = None, reports_usage: bool = True,
           gates: dict[int, Gate] | None = None, done: bool = True) -> Script:
    """A streamed completion. `gates[n]` holds it back before its n-th chunk (0 is the role)."""
    pieces = tuple(pieces)

    async def script(exchange: Exchange) -> None:
        report = (usage or usage_of()) if reports_usage else None
        chunks = stream_chunks(exchange.request.json["model"], pieces, report, usage_wanted(exchange))
        await exchange.open_stream()
        for number, value in enumerate(chunks):
            if gates and number in gates:
                await gates[number].wait()
            await exchange.event(value)
        if done:
            await exchange.event("[DONE]")
        await exchange.end_stream()
    return script


def broken_stream(pieces: Iterable[str], how: str, gate: Gate | None = None, event: str | None = None) -> Script:
    """Some content, then (when the gate opens) an end by `fin`, `rst`, `end` (a clean end of the
    body, but no finish), `stall`, or `event` (the given data)."""
    pieces = tuple(pieces)

    async def script(exchange: Exchange) -> None:
        model = exchange.request.json["model"]
        await exchange.open_stream()
        await exchange.event(chunk(model, {"role": "assistant", "content": ""}))
        for piece in pieces:
            await exchange.event(chunk(model, {"content": piece}))
        if gate is not None:
            await gate.wait()
        if how == "event":
            await exchange.event(event or "")
            await exchange.end_stream()
        elif how == "end":
            await exchange.end_stream()
        elif how == "stall":
            await exchange.hang()
        else:
            await getattr(exchange, how)()
    return script


def gated(gate: Gate, script: Script) -> Script:
    """Any script, when the gate opens."""
    async def gated_script(exchange: Exchange) -> None:
        await gate.wait()
        await script(exchange)
    return gated_script


LONG = "x" * 10_000


def resumed_stream(gate: Gate, usage: dict | None = None, more: int = 400, whole: bool = True) -> Script:
    """Some content, and when the gate opens so much more that no buffer on the way takes it all:
    whoever is gone by then is missed. Then, if it is to be whole, the usage and a regular end."""
    async def script(exchange: Exchange) -> None:
        chunks = stream_chunks(exchange.request.json["model"], ["begun", *[LONG] * more], usage, usage_wanted(exchange))
        await exchange.open_stream()
        for value in chunks[:2]:
            await exchange.event(value)
        await gate.wait()
        for value in chunks[2:] if whole else chunks[2:2 + more]:
            await exchange.event(value)
        if whole:
            await exchange.event("[DONE]")
        await exchange.end_stream()
    return script


def sse_body(text: bytes, size: int = 0) -> Script:
    """An event stream of exactly these bytes, in pieces of `size` (0: in one)."""
    async def script(exchange: Exchange) -> None:
        await exchange.open_stream()
        step = size or len(text)
        for start in range(0, len(text), step):
            await exchange.piece(text[start:start + step])
        await exchange.end_stream()
    return script


def endless(piece: str) -> Script:
    """Content for ever, as fast as the gateway takes it."""
    async def script(exchange: Exchange) -> None:
        model = exchange.request.json["model"]
        await exchange.open_stream()
        while True:
            await exchange.event(chunk(model, {"content": piece}))
    return script


def error(status: int, message: str = "it is broken", code: str | None = None, type: str = "server_error",
          param: str | None = None, headers: dict[str, str] | None = None) -> Script:
    """An error in OpenAI's form."""
    async def script(exchange: Exchange) -> None:
        body = {"error": {"message": message, "type": type, "param": param, "code": code}}
        await exchange.json(body, status, headers)
    return script


def answer(status: int = 200, body: bytes = b"", content_type: str | None = "application/json",
           headers: dict[str, str] | None = None) -> Script:
    """Any answer at all."""
    async def script(exchange: Exchange) -> None:
        await exchange.respond(status, body, headers, content_type)
    return script


def redirect(location: str) -> Script:
    return answer(302, b"", None, {"Location": location})


def zipped() -> Script:
    """A good answer, but compressed although nobody asked for that."""
    async def script(exchange: Exchange) -> None:
        body = json.dumps(completion_body(exchange.request.json["model"], "from a zip")).encode()
        await exchange.respond(200, gzip.compress(body), {"Content-Encoding": "gzip"})
    return script


def raw(data: bytes, then: str = "fin") -> Script:
    """Exactly these bytes instead of an answer, then `fin`, `rst` or `hang`."""
    async def script(exchange: Exchange) -> None:
        if data:
            await exchange.send(data)
        await getattr(exchange, then)()
    return script


def silence() -> Script:
    """Takes the request and says nothing."""
    return raw(b"", "hang")


def as_base64(vector: Iterable[float]) -> str:
    """A vector as OpenAI encodes it: 32-bit floats, little-endian, in base64."""
    values = list(vector)
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def embeddings(vectors: Iterable[Iterable[float]] = ((0.5, -0.25, 1.0, 2.0),), ignore_base64: bool = False,
               prompt: int | None = 7) -> Script:
    """Embeddings in the encoding that was asked for, or always as floats. No prompt: no usage."""
    vectors = [list(vector) for vector in vectors]

    async def script(exchange: Exchange) -> None:
        request = exchange.request.json
        encoded = request.get("encoding_format") == "base64" and not ignore_base64
        data = [{"object": "embedding", "index": index, "embedding": as_base64(v) if encoded else v}
                for index, v in enumerate(vectors)]
        usage = {} if prompt is None else {"usage": {"prompt_tokens": prompt, "total_tokens": prompt}}
        await exchange.json({"object": "list", "data": data, "model": request["model"], **usage})
    return script
