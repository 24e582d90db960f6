"""HTTP by hand, for requests that no client library would send and ends that none would make."""

from __future__ import annotations

import http.client
import io
import json
import select
import socket
import struct
import time
from urllib.parse import urlsplit


class RawReply:
    """An answer: status, headers, body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"

    @property
    def error(self) -> dict:
        """The error object; empty if the server answered below the level of the API."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value.get("error") or {}


class RawConnection:
    """One TCP connection to the gateway."""

    def __init__(self, url: str, receive_buffer: int | None = None, timeout: float = 15):
        parts = urlsplit(url)
        self.host = parts.netloc
        self.socket = socket.socket(socket.AF_INET)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((parts.hostname, parts.port or 80))
        self.received = b""

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self, method: str, path: str, headers: list[tuple[str, str | bytes]], host: bool = True) -> bytes:
        """The bytes of a request's head."""
        lines = [f"{method} {path} HTTP/1.1".encode()]
        if host:
            lines.append(f"Host: {self.host}".encode())
        for name, value in headers:
            lines.append(name.encode() + b": " + (value.encode() if isinstance(value, str) else value))
        return b"\r\n".join([*lines, b"", b""])

    def post(self, path: str, key: str, value) -> None:
        """Sends a JSON request, but reads nothing."""
        body = json.dumps(value).encode()
        self.send(self.head("POST", path, [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"),
                                           ("Content-Length", str(len(body)))]) + body)

    def read_until(self, mark: bytes, timeout: float = 15) -> bytes:
        """Reads until `mark` has come and returns all that came so far."""
        deadline = time.monotonic() + timeout
        while mark not in self.received:
            left = deadline - time.monotonic()
            assert left > 0, f"{mark!r} did not come within {timeout} s; got {self.received[-300:]!r}"
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            assert data, f"the gateway closed before {mark!r}; got {self.received[-300:]!r}"
            self.received += data
        return self.received

    @property
    def request_id(self) -> str:
        """The id of the request whose head has been read."""
        head = self.received.split(b"\r\n\r\n")[0].decode()
        return next(line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("x-request-id: "))

    def answered(self, within: float) -> bool:
        """Whether an answer has begun (or the gateway closed)."""
        return bool(select.select([self.socket], [], [], within)[0])

    def send_until_answered(self, pieces) -> None:
        """Sends piece after piece, and stops when the gateway answers or closes: a server that has
        heard enough does not read the rest, and resets whoever goes on talking."""
        for piece in pieces:
            if self.answered(0):
                return
            try:
                self.socket.sendall(piece)
            except OSError:
                return

    def reply(self, timeout: float = 15) -> RawReply:
        """Reads one whole answer."""
        self.socket.settimeout(timeout)
        response = http.client.HTTPResponse(_Resumed(self.socket, self.received))
        response.begin()
        body = response.read()
        return RawReply(response.status, response.getheaders(), body)

    def closed_by_peer(self, timeout: float) -> bool:
        """Reads to the end of the connection; false if it does not end in time."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return False
            except OSError:
                return True
            if not data:
                return True
            self.received += data
        return False

    def hang_up(self, how: str) -> None:
        """Ends the connection by `fin` or `rst`."""
        if how == "rst":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class _Resumed:
    """A socket whose first bytes were read already, as `http.client` wants it."""

    def __init__(self, sock: socket.socket, received: bytes):
        self._socket, self._received = sock, received

    def makefile(self, mode: str):
        assert mode == "rb"
        return io.BufferedReader(_Joined(self._received, self._socket))


class _Joined(io.RawIOBase):
    def __init__(self, first: bytes, sock: socket.socket):
        self._first, self._socket = first, sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self._first:
            data, self._first = self._first[:len(buffer)], self._first[len(buffer):]
            buffer[:len(data)] = data
            return len(data)
        return self._socket.recv_into(buffer)
