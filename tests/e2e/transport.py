"""HTTP clients that watch what they receive: every answer must have an id and keep every secret."""

from __future__ import annotations

import httpx
import httpx2
import openai

from canary import Canaries

LONGEST_SECRET = 1024
TIMEOUT = 30.0


def _watching(library):
    """The transport of `httpx`, or of `httpx2` (which the openai package uses), with a watch on it."""

    class WatchedStream(library.SyncByteStream):
        def __init__(self, inner, where: str, canaries: Canaries):
            self._inner, self._where, self._canaries = inner, where, canaries

        def __iter__(self):
            tail = b""
            for data in self._inner:
                self._canaries.check_response(self._where, tail + data)
                tail = (tail + data)[-LONGEST_SECRET:]
                yield data

        def close(self):
            self._inner.close()

    class WatchedTransport(library.HTTPTransport):
        def __init__(self, canaries: Canaries, **options):
            super().__init__(**options)
            self._canaries = canaries

        def handle_request(self, request):
            response = super().handle_request(request)
            where = f"{request.method} {request.url.path}"
            headers = b"\n".join(name + b": " + value for name, value in response.headers.raw)
            self._canaries.check_response(where, headers)
            # Of preflights, which the router below may never see, one test takes care.
            if request.method != "OPTIONS" and not response.headers.get("x-request-id"):
                self._canaries.violations.append(f"no X-Request-Id on {where} ({response.status_code})")
            response.stream = WatchedStream(response.stream, where, self._canaries)
            return response

    return WatchedTransport


_Httpx = _watching(httpx)
_Httpx2 = _watching(httpx2)


def http_client(url: str, canaries: Canaries, source: str | None = None, connections: int = 20) -> httpx.Client:
    """A plain client; `source` is the loopback address it calls from.

    Every call has a connection of its own: a server may close one after an answer that came before
    the whole request was read, and a call that happens to reuse it then fails by chance.
    """
    limits = httpx.Limits(max_connections=connections)
    transport = _Httpx(canaries, limits=limits, local_address=source)
    # A compressed answer could not be searched.
    return httpx.Client(base_url=url, transport=transport, timeout=TIMEOUT, trust_env=False,
                        headers={"accept-encoding": "identity", "connection": "close"})


def openai_client(url: str, key: str, canaries: Canaries, **options) -> openai.OpenAI:
    """The official SDK as its users make it, without retries unless asked for."""
    client = openai.DefaultHttpxClient(transport=_Httpx2(canaries), headers={"accept-encoding": "identity"},
                                       trust_env=False)
    options.setdefault("max_retries", 0)
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, http_client=client, timeout=TIMEOUT, **options)
