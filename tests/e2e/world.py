"""Builders: everything a test needs around the one thing it is about.

A `Site` is a gateway with its admin. A `Lab` makes users, keys, channels and upstream routes for
one test and takes the channels away again. Every channel serves a model of its own, so that tests
never meet each other.
"""

from __future__ import annotations

import itertools
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import httpx
import openai

import scripts
import sse
from canary import Canaries
from checks import describe, expect
from fake_upstream import FakeUpstream, Gate, Route, Script
from gateway import RUNTIME, GatewayProcess, RemoteGateway
from polling import wait_for
from rawhttp import RawConnection
from transport import http_client, openai_client

PLENTY = 100_000_000
"""A balance that no test uses up by accident."""

CUSTOM = 99
"""The channel type of any server that speaks OpenAI's dialect."""

OPENAI = 1
"""The channel type of OpenAI itself; its address can be another one."""

HELLO = [{"role": "user", "content": scripts.HELLO_TEXT}]

_serial = itertools.count(1)


def unique(prefix: str) -> str:
    return f"{prefix}-{next(_serial)}-{secrets.token_hex(3)}"


class Api:
    """The management API, as somebody (or nobody) in particular."""

    def __init__(self, http: httpx.Client, jwt: str | None = None):
        self.http = http
        self.jwt = jwt

    def raw(self, method: str, path: str, **options) -> httpx.Response:
        """Any call; nothing is checked."""
        headers = dict(options.pop("headers", {}))
        if self.jwt is not None:
            headers.setdefault("authorization", f"Bearer {self.jwt}")
        return self.http.request(method, path, headers=headers, **options)

    def call(self, method: str, path: str, **options):
        """A call that must succeed; gives its data."""
        response = expect(self.raw(method, path, **options), 200)
        body = response.json()
        assert body.get("success") is True, f"200, but no success:\n{describe(response)}"
        return body.get("data")

    def get(self, path: str, **options):
        return self.call("GET", path, **options)

    def post(self, path: str, json, **options):
        return self.call("POST", path, json=json, **options)

    def put(self, path: str, json, **options):
        return self.call("PUT", path, json=json, **options)

    def delete(self, path: str, **options):
        return self.call("DELETE", path, **options)

    def refused(self, method: str, path: str, status, code=None, **options) -> httpx.Response:
        """A call that must fail with this status and code."""
        return expect(self.raw(method, path, **options), status, code)


@dataclass
class User:
    id: int
    username: str
    password: str
    api: Api

    def fresh(self) -> dict:
        """The user as the API shows it now."""
        return self.api.get("/api/user/self")


class Relay:
    """The relay API with one key."""

    def __init__(self, http: httpx.Client, key: str):
        self.http = http
        self.key = key

    def request(self, method: str, path: str, headers: dict | None = None, **options) -> httpx.Response:
        return self.http.request(method, path, headers={"authorization": f"Bearer {self.key}", **(headers or {})}, **options)

    def post_bytes(self, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
        """A body as it stands."""
        return self.request("POST", path, {"content-type": "application/json", **headers}, content=body)

    def chat(self, model: str, headers: dict | None = None, **body) -> httpx.Response:
        return self.request("POST", "/v1/chat/completions", headers, json={"model": model, "messages": HELLO, **body})

    def embed(self, model: str, **body) -> httpx.Response:
        return self.request("POST", "/v1/embeddings", json={"model": model, "input": "some text", **body})

    def stream(self, model: str, **body) -> tuple[httpx.Response, sse.Streamed]:
        """A streamed chat, read to its end."""
        response = expect(self.chat(model, stream=True, **body), 200)
        assert response.headers["content-type"].startswith("text/event-stream"), describe(response)
        return response, sse.parse(response.content)

    @contextmanager
    def streaming(self, model: str, **body):
        """A streamed chat that the test reads by itself."""
        body = {"model": model, "messages": HELLO, "stream": True, **body}
        with self.http.stream("POST", "/v1/chat/completions", json=body,
                              headers={"authorization": f"Bearer {self.key}"}) as response:
            yield response


@dataclass
class Token:
    id: int
    key: str
    owner: User
    site: Site

    @cached_property
    def relay(self) -> Relay:
        return Relay(self.site.http, self.key)

    def sdk(self, **options) -> openai.OpenAI:
        return openai_client(self.site.gateway.url, self.key, self.site.canaries, **options)

    def fresh(self) -> dict:
        return self.owner.api.get(f"/api/token/{self.id}")

    def rows(self) -> list[dict]:
        """Its usage rows, newest first."""
        return self.owner.api.get("/api/log/self", params={"token_id": self.id, "page_size": 200})["items"]

    def wait_row(self, request: httpx.Response | str, timeout: float = 10) -> dict:
        """The usage row of one request, as soon as it is settled."""
        request_id = request if isinstance(request, str) else request.headers["x-request-id"]

        def find() -> dict | None:
            return next((row for row in self.rows() if row["request_id"] == request_id), None)

        return wait_for(find, f"the usage row of request {request_id}", timeout, every=0.02,
                        detail=lambda: f"rows: {self.rows()[:3]}")

    def wait_only_row(self, timeout: float = 10) -> dict:
        """The usage row of the only request that was made with this key."""
        rows = wait_for(self.rows, f"a usage row of token {self.id}", timeout, every=0.02)
        assert len(rows) == 1, f"one request, but {len(rows)} rows: {rows}"
        return rows[0]


@dataclass
class Channel:
    id: int
    key: str
    models: str


@dataclass
class Rig:
    """A key, a model of its own, and the scripted upstream behind it."""

    site: Site
    route: Route
    model: str
    channel: Channel
    token: Token

    @property
    def relay(self) -> Relay:
        return self.token.relay

    @property
    def user(self) -> User:
        return self.token.owner

    def chat(self, **body) -> httpx.Response:
        return self.relay.chat(self.model, **body)

    def stream(self, **body) -> tuple[httpx.Response, sse.Streamed]:
        return self.relay.stream(self.model, **body)

    def streaming(self, **body):
        return self.relay.streaming(self.model, **body)

    def raw(self, stream: bool = True, receive_buffer: int | None = None, **body) -> RawConnection:
        """A chat that was sent and not read: the test can hang up on it."""
        connection = RawConnection(self.site.gateway.url, receive_buffer)
        connection.post("/v1/chat/completions", self.token.key,
                        {"model": self.model, "messages": HELLO, "stream": stream, **body})
        return connection

    def sdk(self, **options) -> openai.OpenAI:
        return self.token.sdk(**options)

    def wait_row(self, request: httpx.Response | RawConnection | str) -> dict:
        return self.token.wait_row(request.request_id if isinstance(request, RawConnection) else request)


class Site:
    """A gateway, its admin, and the upstream it is pointed at."""

    def __init__(self, gateway: GatewayProcess | RemoteGateway, upstream: FakeUpstream, canaries: Canaries):
        self.gateway = gateway
        self.upstream = upstream
        self.canaries = canaries
        self.http = http_client(gateway.url, canaries, connections=50)
        self.anonymous = Api(self.http)
        self._clients = [self.http]

    @cached_property
    def described(self) -> set[tuple[str, str]]:
        """Methods and paths of the gateway's own description; every parameter is called `{id}`."""
        paths = expect(self.http.get("/openapi.json"), 200).json()["paths"]
        methods = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
        return {(method.upper(), re.sub(r"\{[^}]*\}", "{id}", path))
                for path, item in paths.items() for method in item if method in methods}

    @cached_property
    def root(self) -> Api:
        return self.login("admin", self.gateway.admin_password)

    @cached_property
    def payer(self) -> User:
        """A user with plenty, for tests in which it does not matter who pays."""
        return self.user()

    def client(self, source: str) -> httpx.Client:
        """A client that calls from another loopback address; a Worker is told that by the edge."""
        client = http_client(self.gateway.url, self.canaries, source, connections=5)
        if RUNTIME == "worker":
            client.headers["x-edge-client-address"] = source
        self._clients.append(client)
        return client

    def stranger(self) -> Api:
        """Nobody in particular, from an address of its own if that can be had: whoever fails to
        log in too often is kept out, together with everybody at the same address."""
        if isinstance(self.gateway, RemoteGateway):
            return self.anonymous
        number = next(_serial)
        return Api(self.client(f"127.77.{number // 250 % 250}.{number % 250 + 1}"))

    def login(self, username: str, password: str) -> Api:
        data = self.anonymous.post("/api/user/login", {"username": username, "password": password})
        return Api(self.http, self.canaries.add("a login token", data["token"], in_responses=False))

    def user(self, quota: int = PLENTY, role: int = 1) -> User:
        username = unique("user")
        password = self.canaries.make("a user's password")
        user_id = self.anonymous.post("/api/user/register", {"username": username, "password": password})["user_id"]
        if role != 1:
            self.root.put(f"/api/user/{user_id}", {"role": role})
        api = self.login(username, password)
        if api.get("/api/user/self")["quota"] != quota:
            self.root.put(f"/api/user/{user_id}", {"quota": quota})
        return User(user_id, username, password, api)

    def token(self, owner: User | None = None, **fields) -> Token:
        owner = owner or self.payer
        data = owner.api.post("/api/token", {"name": unique("token"), **fields})
        # Known from here on: it must never be seen again.
        return Token(data["id"], self.canaries.add("a whole API key", data["key"]), owner, self)

    def assert_books_balance(self) -> None:
        """What all users spent is what all usage rows say."""
        def spent() -> int:
            total, page = self.root.get("/api/user/self")["used_quota"], 0
            while users := self.root.get("/api/user", params={"p": page, "page_size": 200}):
                total, page = total + sum(user["used_quota"] for user in users if user["role"] < 100), page + 1
            return total

        def logged() -> int:
            return self.root.get("/api/log/stat")["quota"]

        wait_for(lambda: spent() == logged(), "the balances to agree with the usage log",
                 detail=lambda: f"spent {spent()}, logged {logged()}")

    def close(self) -> None:
        for client in self._clients:
            client.close()
        # Whatever a test did, and while the gateway still runs.
        if isinstance(self.gateway, GatewayProcess):
            self.gateway.check_books()


class Lab:
    """What one test builds. `close` takes away what could meet other tests."""

    def __init__(self, site: Site):
        self.site = site
        self._channels: list[int] = []
        self._gates: list[Gate] = []

    def route(self, *answers: Script) -> Route:
        return self.site.upstream.route(*(answers or (scripts.chat(),)))

    def gate(self) -> Gate:
        gate = self.site.upstream.gate()
        self._gates.append(gate)
        return gate

    def model(self) -> str:
        return unique("model")

    def channel(self, target: Route | str, models: str, **fields) -> Channel:
        """A custom channel to a route or a base URL."""
        key = fields.pop("key", None) or self.provider_key()
        base_url = target if isinstance(target, str) else target.base_url
        data = self.site.root.post("/api/channel", {"name": unique("channel"), "type": CUSTOM, "key": key,
                                                    "base_url": base_url, "models": models, **fields})
        self._channels.append(data["id"])
        return Channel(data["id"], key, models)

    def provider_key(self) -> str:
        return self.site.canaries.make("a provider key", "sk-prov-")

    def user(self, **options) -> User:
        return self.site.user(**options)

    def token(self, owner: User | None = None, **fields) -> Token:
        return self.site.token(owner, **fields)

    def rig(self, *answers: Script, owner: User | None = None, token: dict | None = None,
            channel: dict | None = None) -> Rig:
        route, model = self.route(*answers), self.model()
        made = self.channel(route, model, **(channel or {}))
        return Rig(self.site, route, model, made, self.token(owner, **(token or {})))

    def close(self) -> None:
        for gate in self._gates:
            gate.open()
        for channel in self._channels:
            # 404: the test deleted it.
            expect(self.site.root.raw("DELETE", f"/api/channel/{channel}"), (200, 404))
