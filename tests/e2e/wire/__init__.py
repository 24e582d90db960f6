"""Upstreams that speak each provider's own wire format.

Written from the providers' documentation and the types of their packages, never from the gateway's code. A test says
what is answered (`Say`); a speaker says it as its provider does, whole or streamed, and knows where in a request of
its format everything stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from fake_upstream import Exchange, Request, Script


@dataclass(frozen=True)
class Call:
    """A call of a tool. The id is given by providers that give one."""

    id: str
    name: str
    arguments: dict


@dataclass(frozen=True)
class Say:
    """What a model says."""

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Tokens, as OpenAI counts them: of the prompt (of which cached, of which written to a cache) and of the
    completion (of which reasoning)."""

    prompt: int
    cached: int
    written: int
    completion: int
    reasoning: int


class Speaker:
    """One provider."""

    name: str
    kind: int
    model: str
    config: dict = {}
    counts: Counts
    translated = False
    """Whether its dialect is another than OpenAI's."""
    error_event: bytes
    """How it says in mid-stream that it fails."""
    cut_ends: tuple[str, ...] = ("event", "fin", "rst", "end")

    def whole(self, say: Say) -> dict:
        raise NotImplementedError

    def opening(self, say: Say) -> list[bytes]:
        """The events of a stream up to where it might break off."""
        raise NotImplementedError

    def closing(self, say: Say) -> list[bytes]:
        raise NotImplementedError

    def script(self, say: Say, stream: bool) -> Script:
        return self.streams(self.opening(say) + self.closing(say)) if stream else self.answers(self.whole(say))

    def broken(self, say: Say, how: str) -> Script:
        """A stream that is not whole: it ends with an error `event`, by `fin` or `rst`, or well-formed but
        without what ends an answer (`end`)."""
        async def script(exchange: Exchange) -> None:
            await exchange.open_stream()
            for event in self.opening(say):
                await exchange.piece(event)
            if how == "event":
                await exchange.piece(self.error_event)
            if how in ("event", "end"):
                await exchange.end_stream()
            else:
                await getattr(exchange, how)()
        return script

    @staticmethod
    def answers(body, status: int = 200, headers: dict[str, str] | None = None) -> Script:
        async def script(exchange: Exchange) -> None:
            await exchange.json(body, status, headers)
        return script

    @staticmethod
    def streams(events: list[bytes]) -> Script:
        """Events, cut into pieces where it hurts."""
        async def script(exchange: Exchange) -> None:
            await exchange.open_stream()
            data = b"".join(events)
            for start in range(0, len(data), 61):
                await exchange.piece(data[start:start + 61])
            await exchange.end_stream()
        return script

    # Where things are in a request of its format.

    def assert_addressed(self, request: Request, key: str, stream: bool) -> None:
        raise NotImplementedError

    def assert_loop(self, request: Request, say: Say, results: dict[str, str], kept: bool) -> None:
        """The second turn of a loop: what was called is repeated, and answered in the order of the calls."""
        raise NotImplementedError

    def image(self, request: Request) -> str:
        """The image of the only message: a data URL or an address, put together from where it stands."""
        raise NotImplementedError

    def assert_schema(self, request: Request, schema: dict) -> None:
        raise NotImplementedError

    def assert_effort_is_medium(self, request: Request) -> None:
        raise NotImplementedError


def event(data, name: str | None = None, end: str = "\n") -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return ((f"event: {name}{end}" if name else "") + f"data: {text}{end}{end}").encode()
