"""An OpenAI-compatible upstream that does exactly what a test tells it, to the byte.

It speaks HTTP/1.1 on raw sockets in a thread of its own, so that it can also misbehave: cut a
stream, reset a connection, stall, answer with nonsense. Every test takes routes of its own
(`http://127.0.0.1:PORT/<route>/v1`); a route plays its scripts in turn (the last one stays) and
keeps every request it got. What a script can do is in `Exchange`; ready-made ones are in
`scripts.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from polling import wait_for


class PeerGone(Exception):
    """The gateway closed the connection while a script was still at work."""


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    sent: int = 0
    dropped_at: float | None = None
    finished: threading.Event = field(default_factory=threading.Event)

    def header(self, name: str) -> str | None:
        values = self.all_headers(name)
        return values[0] if values else None

    def all_headers(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self):
        return json.loads(self.body)

    def wait_finished(self, timeout: float = 10) -> None:
        assert self.finished.wait(timeout), f"the upstream is still answering {self.path} after {timeout} s"

    def wait_dropped(self, timeout: float) -> float:
        """When the gateway hung up on this request (`time.monotonic()`), or a failure."""
        self.finished.wait(timeout)
        assert self.dropped_at is not None, f"the gateway did not close its upstream connection within {timeout} s"
        return self.dropped_at


class Gate:
    """A point where scripts wait until the test opens it."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._open = asyncio.Event()
        self._arrived = 0

    async def wait(self) -> None:
        self._arrived += 1
        await self._open.wait()

    def wait_arrived(self, count: int = 1, timeout: float = 10) -> None:
        wait_for(lambda: self._arrived >= count, f"{count} calls at the upstream's gate", timeout,
                 detail=lambda: f"{self._arrived} came")

    @property
    def arrived(self) -> int:
        return self._arrived

    def open(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)


class Exchange:
    """What a script can do with one request."""

    def __init__(self, connection: Connection, request: Request):
        self._connection = connection
        self.request = request
        self.keep_alive = True

    async def send(self, data: bytes) -> None:
        """Exactly these bytes; returns when the kernel has taken them."""
        writer = self._connection.writer
        try:
            writer.write(data)
            await writer.drain()
        except (ConnectionError, OSError) as gone:
            raise PeerGone from gone
        self.request.sent += len(data)

    async def respond(self, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None,
                      content_type: str | None = "application/json") -> None:
        """A whole answer with a Content-Length."""
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        if content_type is not None:
            fields.setdefault("Content-Type", content_type)
        await self.send(head(status, fields) + body)

    async def json(self, value, status: int = 200, headers: dict[str, str] | None = None) -> None:
        await self.respond(status, json.dumps(value).encode(), headers)

    async def open_stream(self, headers: dict[str, str] | None = None) -> None:
        """The head of a chunked event stream."""
        fields = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **(headers or {})}
        await self.send(head(200, fields))

    async def piece(self, data: bytes) -> None:
        """Raw bytes of the stream's body, as one chunk of the transfer coding."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, value) -> None:
        """One server-sent event; a dict is sent as JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        await self.piece(b"data: " + text.encode() + b"\n\n")

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def fin(self) -> None:
        """Ends the connection as a process that dies politely does: without the last chunk."""
        self.keep_alive = False

    async def rst(self) -> None:
        """Resets the connection."""
        self.keep_alive = False
        self._connection.reset()

    async def hang(self) -> None:
        """Nothing more, until the gateway gives up or the test ends."""
        await asyncio.Event().wait()


Script = Callable[[Exchange], Awaitable[None]]


class Route:
    """A base URL of its own, with its scripts and the requests that came."""

    def __init__(self, upstream: FakeUpstream, name: str, scripts: tuple[Script, ...]):
        self.base_url = f"{upstream.url}/{name}/v1"
        self.requests: list[Request] = []
        self._scripts = scripts
        self._turn = 0

    def play(self, *scripts: Script) -> None:
        """Replaces the scripts."""
        self._scripts, self._turn = scripts, 0

    def next_script(self) -> Script:
        script = self._scripts[min(self._turn, len(self._scripts) - 1)]
        self._turn += 1
        return script

    @property
    def last(self) -> Request:
        assert self.requests, f"no request reached {self.base_url}"
        return self.requests[-1]

    @property
    def calls(self) -> int:
        return len(self.requests)

    def wait_calls(self, count: int, timeout: float = 10) -> None:
        wait_for(lambda: self.calls >= count, f"{count} calls at {self.base_url}", timeout,
                 detail=lambda: f"{self.calls} came")


class Connection:
    """One accepted connection: requests one after another, and an eye on the peer leaving."""

    def __init__(self, upstream: FakeUpstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.upstream = upstream
        self.reader = reader
        self.writer = writer
        self.buffer = b""
        self.more = asyncio.Event()
        self.gone = asyncio.Event()
        # Without a buffer of our own, "sent" means that the kernel has it.
        writer.transport.set_write_buffer_limits(high=0)

    async def serve(self) -> None:
        pump = asyncio.create_task(self._pump())
        try:
            while (request := await self._read_request()) is not None:
                if not await self._answer(request):
                    break
        finally:
            pump.cancel()
            self.writer.close()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _pump(self) -> None:
        try:
            while data := await self.reader.read(65536):
                self.buffer += data
                self.more.set()
        except (ConnectionError, OSError):
            pass
        finally:
            self.gone.set()
            self.more.set()

    async def _answer(self, request: Request) -> bool:
        """Plays the script; true if the connection can carry another request."""
        exchange = Exchange(self, request)
        script = asyncio.create_task(self.upstream.script_for(request)(exchange))
        left = asyncio.create_task(self.gone.wait())
        try:
            await asyncio.wait({script, left}, return_when=asyncio.FIRST_COMPLETED)
            if not script.done():
                request.dropped_at = time.monotonic()
                script.cancel()
                return False
            try:
                script.result()
            except PeerGone:
                request.dropped_at = time.monotonic()
                return False
            except Exception as error:  # a broken script must not look like a broken gateway
                self.upstream.errors.append(f"script for {request.path}: {error!r}")
                return False
            return exchange.keep_alive
        finally:
            script.cancel()
            left.cancel()
            request.finished.set()

    async def _until(self, test: Callable[[], bool]) -> bool:
        while not test():
            if self.gone.is_set():
                return False
            self.more.clear()
            await self.more.wait()
        return True

    async def _read_request(self) -> Request | None:
        if not await self._until(lambda: b"\r\n\r\n" in self.buffer):
            return None
        start, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        request_line, *lines = start.decode("latin-1").split("\r\n")
        method, path, _ = request_line.split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        request = Request(method, path, headers, b"")
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            body = await self._read_chunked()
        else:
            body = await self._read_exactly(int(request.header("content-length") or 0))
        if body is None:
            return None
        request.body = body
        self.upstream.record(request)
        return request

    async def _read_exactly(self, length: int) -> bytes | None:
        if not await self._until(lambda: len(self.buffer) >= length):
            return None
        data, self.buffer = self.buffer[:length], self.buffer[length:]
        return data

    async def _read_chunked(self) -> bytes | None:
        body = b""
        while True:
            if not await self._until(lambda: b"\r\n" in self.buffer):
                return None
            size, self.buffer = self.buffer.split(b"\r\n", 1)
            data = await self._read_exactly(int(size.split(b";")[0], 16) + 2)
            if data is None:
                return None
            if data == b"\r\n":
                return body
            body += data[:-2]


class FakeUpstream:
    """The server. `strays` are requests to no known route: nothing may ever come there."""

    def __init__(self):
        self._routes: dict[str, Route] = {}
        self._names = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self.strays: list[Request] = []
        self.errors: list[str] = []
        self.url = ""
        self._thread = threading.Thread(target=self._run, name="fake-upstream", daemon=True)
        self._ready = threading.Event()

    def start(self) -> FakeUpstream:
        self._thread.start()
        assert self._ready.wait(10), "the fake upstream did not start"
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def route(self, *scripts: Script) -> Route:
        name = f"r{next(self._names)}"
        route = Route(self, name, scripts)
        self._routes[name] = route
        return route

    def gate(self) -> Gate:
        return Gate(self._loop)

    def record(self, request: Request) -> None:
        route = self._route_of(request)
        (route.requests if route else self.strays).append(request)

    def script_for(self, request: Request) -> Script:
        route = self._route_of(request)
        return route.next_script() if route else _not_found

    def _route_of(self, request: Request) -> Route | None:
        return self._routes.get(request.path.split("/", 2)[1].split("?")[0])

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512, limit=1 << 20))
        self.url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Connection(self, reader, writer).serve()
        except (ConnectionError, OSError, PeerGone, asyncio.CancelledError):
            pass


async def _not_found(exchange: Exchange) -> None:
    await exchange.json({"error": {"message": "no such route in the fake upstream", "code": "stray"}}, 404)


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")
