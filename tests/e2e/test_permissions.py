"""Who may call what: every route against every kind of caller.

The table is complete: a route that the gateway describes but that is not in it fails the run.
"""

from dataclasses import dataclass

import pytest

import scripts
from checks import code_of, describe
from world import HELLO, Api, Lab, Relay, Site, unique

CALLERS = {"A": "anonymous", "K": "API key", "U": "user", "M": "admin", "R": "root"}


@dataclass(frozen=True)
class Route:
    """A route and the status that each caller gets, in the order of `CALLERS`."""

    method: str
    path: str
    statuses: str
    body: object = None
    of: str | None = None

    def status(self, caller: str) -> int:
        return int(self.statuses.split()[list(CALLERS).index(caller)])

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def new_user() -> dict:
    return {"username": unique("matrix"), "password": "good enough"}


def new_channel() -> dict:
    return {"name": unique("matrix"), "type": 1, "key": "some-key-or-other", "models": unique("matrix")}


ALL = "200 200 200 200 200"
OWN = "401 401 200 200 200"
ADMIN = "401 401 403 200 200"
ROOT = "401 401 403 403 200"
KEY = "401 200 401 401 401"

# `of`: whose id stands in the path. `body`: what is sent; a callable makes a new one for each call.
ROUTES = [
    Route("GET", "/", ALL),
    Route("GET", "/health", ALL),
    Route("GET", "/ready", ALL),
    Route("GET", "/openapi.json", ALL),
    Route("POST", "/api/user/register", ALL, new_user),
    Route("POST", "/api/user/login", ALL, "login"),
    Route("GET", "/api/user/self", OWN),
    Route("PUT", "/api/user/self", OWN, {"display_name": "Matrix"}),
    Route("GET", "/api/user/self/models", OWN),
    Route("GET", "/api/log/self", OWN),
    Route("GET", "/api/log/self/stat", OWN),
    Route("GET", "/api/token", OWN),
    Route("POST", "/api/token", OWN, {"name": "matrix"}),
    Route("GET", "/api/token/{id}", OWN, of="token"),
    Route("PUT", "/api/token/{id}", OWN, {"name": "renamed"}, of="token"),
    Route("DELETE", "/api/token/{id}", OWN, of="token"),
    Route("POST", "/api/explain", OWN, "explain"),
    Route("GET", "/api/channel", ADMIN),
    Route("POST", "/api/channel", ADMIN, new_channel),
    Route("GET", "/api/channel/types/list", ADMIN),
    Route("GET", "/api/channel/{id}", ADMIN, of="channel"),
    Route("PUT", "/api/channel/{id}", ADMIN, {"priority": 1}, of="channel"),
    Route("DELETE", "/api/channel/{id}", ADMIN, of="channel"),
    Route("POST", "/api/channel/{id}/test", ADMIN, of="channel"),
    Route("GET", "/api/user", ADMIN),
    Route("GET", "/api/user/{id}", ADMIN, of="user"),
    Route("PUT", "/api/user/{id}", ADMIN, {"quota": {"grant": 1}}, of="user"),
    Route("GET", "/api/log", ADMIN),
    Route("GET", "/api/log/stat", ADMIN),
    Route("GET", "/api/price", ADMIN),
    Route("PUT", "/api/price", ADMIN, "prices"),
    Route("GET", "/api/option", ROOT),
    Route("PUT", "/api/option", ROOT, "as read"),
    Route("GET", "/api/audit", ROOT),
    Route("POST", "/api/rekey", ROOT),
    Route("GET", "/v1/models", KEY),
    Route("GET", "/v1/models/{id}", KEY, of="model"),
    Route("POST", "/v1/chat/completions", KEY, "chat"),
    Route("POST", "/v1/embeddings", KEY, "embeddings"),
]

PUBLIC = [route for route in ROUTES if route.statuses == ALL]


class Cast:
    """One of each kind of caller."""

    def __init__(self, lab: Lab):
        self.site, self.lab = lab.site, lab
        self.user, self.admin = self.site.user(), self.site.user(role=10)
        self.rig = lab.rig(owner=self.user)
        self.victim = self.site.user()

    def api(self, caller: str) -> Api:
        return {"A": self.site.anonymous, "K": Api(self.site.http, self.rig.token.key), "U": self.user.api,
                "M": self.admin.api, "R": self.site.root}[caller]

    def path(self, route: Route, caller: str) -> str:
        if route.of is None:
            return route.path
        return route.path.replace("{id}", str(getattr(self, f"new_{route.of}")(caller)))

    def new_token(self, caller: str) -> int:
        owner = self.api(caller) if caller in "UMR" else self.user.api
        return self.made(owner.post("/api/token", {"name": "to be used up"}))

    def made(self, data: dict) -> int:
        self.site.canaries.add("a whole API key", data["key"])
        return data["id"]

    def new_channel(self, _: str) -> int:
        return self.lab.channel(self.rig.route, self.lab.model()).id

    def new_user(self, _: str) -> int:
        return self.victim.id

    def new_model(self, _: str) -> str:
        return self.rig.model

    def body(self, route: Route, caller: str = "U"):
        match route.body:
            case "login":
                return {"username": self.victim.username, "password": self.victim.password}
            case "chat":
                return {"model": self.rig.model, "messages": HELLO}
            case "embeddings":
                return {"model": self.rig.model, "input": "x"}
            case "explain":
                # Everybody's own key; an admin's is not needed for it.
                return {"token_id": self.new_token(caller), "endpoint": "chat", "request": {"model": self.rig.model, "messages": HELLO}}
            case "as read":
                return self.site.root.get(route.path)
            case "prices":
                return {"prices": self.site.root.get(route.path)["prices"]}
        return route.body() if callable(route.body) else route.body

    def call(self, route: Route, caller: str):
        if route.path == "/v1/embeddings":
            self.rig.route.play(scripts.embeddings())
        elif route.path == "/v1/chat/completions" or route.of == "channel":
            self.rig.route.play(scripts.chat())
        return self.api(caller).raw(route.method, self.path(route, caller), json=self.body(route, caller))


@pytest.fixture(scope="module")
def cast(shared_lab):
    return Cast(shared_lab)


@pytest.mark.parametrize("caller", CALLERS, ids=CALLERS.values())
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_the_matrix(cast, route, caller):
    reply = cast.call(route, caller)
    assert reply.status_code == route.status(caller), f"{CALLERS[caller]}:\n{describe(reply)}"
    if reply.status_code == 403:
        assert code_of(reply) == "forbidden"
    if reply.status_code == 401 and caller == "A":
        assert code_of(reply) == ("missing_api_key" if route.path.startswith("/v1") else "missing_token")
    if reply.status_code == 401 and caller != "A":
        assert code_of(reply) == ("invalid_api_key" if route.path.startswith("/v1") else "invalid_token")


def test_every_route_is_in_the_matrix(site):
    here = {(route.method, route.path) for route in ROUTES}
    # The description need not list itself.
    there = site.described | {("GET", "/openapi.json")}
    assert there - here == set(), "routes that nobody decided who may call"
    assert here - there == set(), "routes that the description leaves out"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path.startswith("/api") and route not in PUBLIC], ids=str)
def test_a_user_cannot_pass_for_an_admin_by_a_trailing_slash(cast, route):
    """The same answer with and without the slash."""
    path = cast.path(route, "U")
    if route.status("U") == 403:
        assert cast.user.api.raw(route.method, path + "/", json=cast.body(route)).status_code == 403
    assert cast.site.anonymous.raw(route.method, path + "/", json=cast.body(route)).status_code == 401


def test_an_admin_may_not_point_channels_at_addresses(cast):
    body = {**new_channel(), "type": 99, "base_url": cast.rig.route.base_url}
    cast.admin.api.refused("POST", "/api/channel", 403, "forbidden", json=body)
    channel = cast.new_channel("M")
    elsewhere = cast.lab.route().base_url
    cast.admin.api.refused("PUT", f"/api/channel/{channel}", 403, "forbidden", json={"base_url": elsewhere})


def test_an_admin_sees_only_those_below(cast):
    root_id = cast.site.root.get("/api/user/self")["id"]
    for method, change in (("GET", None), ("PUT", {"status": 0})):
        reply = cast.admin.api.raw(method, f"/api/user/{root_id}", json=change)
        assert reply.status_code in (403, 404), describe(reply)


@pytest.mark.parametrize("caller", ["M", "R"])
def test_even_admins_do_not_see_the_tokens_of_others(cast, caller):
    token = cast.rig.token
    for method, change in (("GET", None), ("PUT", {"name": "x"})):
        reply = cast.api(caller).raw(method, f"/api/token/{token.id}", json=change)
        assert reply.status_code in (403, 404), describe(reply)
    assert token.id not in [entry["id"] for entry in cast.api(caller).get("/api/token", params={"page_size": 200})]


def test_only_root_revokes_the_key_of_somebody_else_and_it_is_written_down(cast):
    token = cast.lab.token(cast.user)
    assert token.relay.request("GET", "/v1/models").status_code == 200
    for caller in "MU":
        stranger = cast.admin.api if caller == "M" else cast.site.user().api
        stranger.refused("DELETE", f"/api/token/{token.id}", 404, "not_found")
    cast.site.root.delete(f"/api/token/{token.id}")
    assert token.relay.request("GET", "/v1/models").status_code == 401
    cast.user.api.refused("GET", f"/api/token/{token.id}", 404)
    entry, = cast.site.root.get("/api/audit", params={"action": "token.delete", "object_id": token.id})["items"]
    assert entry["actor_id"] == cast.site.root.get("/api/user/self")["id"] != cast.user.id


@pytest.mark.own
def test_h13_before_the_password_change_nothing_works(spawn):
    """The row `must_change`: the documented admin may only change the password."""
    site = spawn(ADMIN_PASSWORD=None)
    jwt = site.anonymous.post("/api/user/login", {"username": "admin", "password": "123456"})["token"]
    admin = Api(site.http, jwt)
    refused, bodies = [], {"/api/user/self": {"display_name": "x"}}
    for route in ROUTES:
        if route in PUBLIC or not route.path.startswith("/api"):
            continue
        body = bodies.get(route.path) or (route.body if isinstance(route.body, dict) else {} if route.method in ("POST", "PUT") else None)
        reply = admin.raw(route.method, route.path.replace("{id}", "1"), json=body)
        if (reply.status_code, code_of(reply)) != (403, "password_change_required"):
            refused.append(f"{route}: {reply.status_code} {code_of(reply)}")
    assert refused == []
    assert Relay(site.http, jwt).request("GET", "/v1/models").status_code == 401
