"""Inputs that are wrong, one by one. The number that a test's id begins with is the row of the
table in the hardening notes. Unless a case says otherwise, nothing reaches the upstream and nothing
is written to the usage log.
"""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import repeat

import httpx
import pytest

import scripts
from checks import code_of, describe, expect
from polling import wait_for
from gateway import RUNTIME
from rawhttp import RawConnection
from world import HELLO, Api, Lab, Relay, Rig, unique

CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"


@dataclass
class Case:
    """One bad input and what it must lead to. `send` gets the bench and gives the answer."""

    id: str
    send: object
    status: object
    code: object = None
    param: str | None = None
    headers: dict = field(default_factory=dict)


class Bench:
    """A working rig, on which every bad input is tried."""

    def __init__(self, rig: Rig):
        self.rig = rig
        self.site = rig.site
        self.http = rig.site.http
        self.key = rig.token.key
        self.relay = rig.relay
        self.model = rig.model
        self.api = rig.user.api

    def body(self, **changes) -> dict:
        """A good request, changed; a field set to `...` is left out."""
        body = {"model": self.model, "messages": HELLO, **changes}
        return {name: value for name, value in body.items() if value is not ...}

    def chat(self, **changes) -> httpx.Response:
        return self.relay.request("POST", CHAT, json=self.body(**changes))

    def embed(self, **changes) -> httpx.Response:
        body = {"model": self.model, "input": "text", **changes}
        return self.relay.request("POST", EMBED, json={name: value for name, value in body.items() if value is not ...})

    def bytes(self, body: bytes, **headers: str) -> httpx.Response:
        return self.relay.post_bytes(body, **headers)

    def raw_body(self, text: str) -> httpx.Response:
        return self.bytes(text.replace("MODEL", self.model).encode())

    def assert_untouched(self, calls_before: int, request_ids: list[str]) -> None:
        """Nothing reached the upstream, and no row was written. A good call settles after them:
        when its row is there, theirs would be."""
        assert self.rig.route.calls == calls_before, "it reached the upstream"
        good = expect(self.chat(), 200)
        self.rig.wait_row(good)
        written = {row["request_id"] for row in self.rig.token.rows()}
        assert not written & set(request_ids), "a usage row was written"


@pytest.fixture(scope="module")
def bench(shared_lab):
    return Bench(shared_lab.rig(owner=shared_lab.user()))


def refuse(bench: Bench, case: Case) -> httpx.Response:
    before = bench.rig.route.calls
    reply = expect(case.send(bench), case.status, case.code, case.param)
    for name, value in case.headers.items():
        assert value in reply.headers.get(name, ""), f"header {name}:\n{describe(reply)}"
    bench.assert_untouched(before, [reply.headers.get("x-request-id", "")])
    return reply


def cases(*table: Case):
    return pytest.mark.parametrize("case", table, ids=[case.id for case in table])


def with_header(*headers: tuple[str, str]):
    """A good chat request with exactly these credentials."""
    def send(bench: Bench) -> httpx.Response:
        values = [(name, value.replace("KEY", bench.key)) for name, value in headers]
        return bench.http.post(CHAT, headers=values, json=bench.body())
    return send


def by_hand(bench: Bench, *headers: tuple[str, str | bytes], host: bool = True) -> httpx.Response:
    """A good chat request with headers that no client library would send."""
    body = json.dumps(bench.body()).encode()
    with RawConnection(bench.site.gateway.url) as connection:
        connection.send(connection.head("POST", CHAT, [*headers, ("Content-Type", "application/json"),
                                                       ("Content-Length", str(len(body)))], host) + body)
        reply = connection.reply()
    return httpx.Response(reply.status, headers=reply.headers, content=reply.body,
                          request=httpx.Request("POST", bench.site.gateway.url + CHAT))


def bearer(text: str):
    return lambda bench: by_hand(bench, ("Authorization", text.replace("KEY", bench.key)))


def other_last(key: str) -> str:
    return key[:-1] + ("a" if key[-1] != "a" else "b")


# 1-8: who is calling


@cases(
    Case("1-chat", with_header(), 401, "missing_api_key"),
    Case("1-embeddings", lambda b: b.http.post(EMBED, json={"model": b.model, "input": "x"}), 401, "missing_api_key"),
    Case("1-models", lambda b: b.http.get("/v1/models"), 401, "missing_api_key"),
    Case("2-basic", with_header(("authorization", "Basic dXNlcjpwYXNz")), 401, "invalid_api_key"),
    Case("2-bearer-alone", with_header(("authorization", "Bearer")), 401, "invalid_api_key"),
    Case("2-bearer-space", bearer("Bearer "), 401, "invalid_api_key"),
    Case("2-no-scheme", with_header(("authorization", "KEY")), 401, "invalid_api_key"),
    Case("2-key-in-query", lambda b: b.http.post(CHAT, params={"key": b.key}, json=b.body()), 401,
         ("invalid_api_key", "missing_api_key")),
    Case("3-long", with_header(("authorization", "Bearer sk-" + "a" * 10_000)), 401, "invalid_api_key"),
    Case("4-sql", with_header(("authorization", "Bearer ' OR '1'='1")), 401, "invalid_api_key"),
    Case("5-two-authorizations", with_header(("authorization", "Bearer KEY"), ("authorization", "Bearer KEY")), 400,
         "ambiguous_credentials"),
    Case("5-bad-authorization-decides", with_header(("authorization", "Bearer sk-wrong"), ("x-api-key", "KEY")), 401,
         "invalid_api_key"),
    Case("6-wrong-check-characters", lambda b: Relay(b.http, other_last(b.key)).chat(b.model), 401, "invalid_api_key"),
    Case("6-shortened", lambda b: Relay(b.http, b.key[:-1]).chat(b.model), 401, "invalid_api_key"),
    Case("6-lengthened", lambda b: Relay(b.http, b.key + "a").chat(b.model), 401, "invalid_api_key"),
    Case("8-jwt-on-v1", lambda b: Relay(b.http, b.api.jwt).chat(b.model), 401, "invalid_api_key"),
)
def test_credentials(bench, case):
    refuse(bench, case)


@pytest.mark.parametrize("value", ["bearer KEY", "BEARER KEY", "Bearer   KEY", "Bearer KEY  "], ids=str)
def test_2_legal_spellings_are_accepted(bench, value):
    expect(bearer(value)(bench), 200)


def test_5_authorization_decides_over_other_headers(bench):
    expect(with_header(("authorization", "Bearer KEY"), ("x-api-key", "sk-wrong"))(bench), 200)


@pytest.mark.parametrize(("tail", "status"), [(b"\x00", 400), ("😀".encode(), (400, 401)), (b"\r x", (400, 401)), (b"\x7f", (400, 401))],
                         ids=["nul", "emoji", "carriage-return", "delete"])
def test_3_keys_with_odd_bytes(bench, tail, status):
    before = bench.rig.route.calls
    reply = by_hand(bench, ("Authorization", b"Bearer " + bench.key.encode() + tail))
    assert reply.status_code in (status if isinstance(status, tuple) else (status,)), describe(reply)
    bench.assert_untouched(before, [reply.headers.get("x-request-id", "")])


def test_4_tables_are_unchanged(bench):
    expect(with_header(("authorization", "Bearer '; DROP TABLE users; --"))(bench), 401)
    assert bench.rig.user.fresh()["id"] == bench.rig.user.id
    expect(bench.chat(), 200)


def test_6_unknown_and_malformed_keys_look_the_same(bench):
    deleted = bench.site.token(bench.rig.user)
    bench.api.delete(f"/api/token/{deleted.id}")
    answers = [Relay(bench.http, key).chat(bench.model) for key in (deleted.key, other_last(deleted.key), "sk-short", "nonsense")]
    assert {reply.status_code for reply in answers} == {401}
    assert len({reply.text for reply in answers}) == 1, [reply.text for reply in answers]
    for word in ("sql", "table", "token_", "hash", "digest", "crc"):
        assert word not in answers[0].text.lower()


def test_7_keys_that_were_good_once(bench, lab):
    owner = lab.user()
    revoked, ending, fine = lab.token(owner), lab.token(owner, expired_at=soon()), lab.token(owner)
    before = bench.rig.route.calls
    owner.api.put(f"/api/token/{revoked.id}", {"status": 0})
    expect(revoked.relay.chat(bench.model), 401, "invalid_api_key")
    last = wait_for(lambda: refused(ending.relay.request("GET", "/v1/models")), "the key to end", every=0.1)
    expect(last, 401, "token_expired")
    expect(ending.relay.chat(bench.model), 401, "token_expired")
    bench.site.root.put(f"/api/user/{owner.id}", {"status": 0})
    expect(fine.relay.chat(bench.model), 403, "account_disabled")
    assert bench.rig.route.calls == before


def soon() -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=1.2)).isoformat()


def refused(reply: httpx.Response) -> httpx.Response | None:
    return None if reply.status_code == 200 else reply


def test_8_an_api_key_is_no_login(bench):
    for path in ("/api/user/self", "/api/token", "/api/channel"):
        Api(bench.http, bench.key).refused("GET", path, 401)


# 9-12: login tokens


def part(value) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(jwt: str) -> dict:
    text = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def sign(claims: dict, secret: str, alg: str = "HS256") -> str:
    message = f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims)}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(alg)
    signature = hmac.new(secret.encode(), message.encode(), digest).digest() if digest else b"" if alg == "none" else b"x" * 256
    return f"{message}.{part(signature)}"


@pytest.fixture(scope="module")
def forge(bench):
    """Makes login tokens of the bench's user with the gateway's own secret."""
    secret = bench.site.gateway.jwt_secret
    if secret is None:
        pytest.skip("GATEWAY_JWT_SECRET is not set")
    good = claims_of(bench.api.jwt)

    def make(alg: str = "HS256", secret: str = secret, **changes) -> Api:
        claims = {name: value for name, value in {**good, **changes}.items() if value is not ...}
        return Api(bench.http, sign(claims, secret, alg))
    return make


def test_9_a_well_forged_token_is_accepted(forge):
    """Otherwise the following tests would prove nothing."""
    forge().get("/api/user/self")


@pytest.mark.parametrize("changes", [
    {"alg": "none"}, {"alg": "HS512"}, {"alg": "HS384"}, {"alg": "RS256"}, {"secret": "x" * 64}, {"exp": ...}, {"iss": "someone"},
    {"iss": ...}, {"aud": "something"}, {"aud": ...}, {"sub": ...}, {"exp": "never"},
], ids=lambda c: "-".join(f"{k}-{'missing' if v is ... else v}" for k, v in c.items())[:30])
def test_9_forged_tokens(forge, changes):
    forge(**changes).refused("GET", "/api/user/self", 401, "invalid_token")


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "e30.e30.", "null", "\u2603".encode().hex() * 3000], ids=lambda t: t[:6])
def test_9_what_is_no_token_at_all(bench, token):
    Api(bench.http, token).refused("GET", "/api/user/self", 401)


def test_9_no_token(bench):
    bench.site.anonymous.refused("GET", "/api/user/self", 401, "missing_token")


def test_10_a_token_ends_at_once(forge):
    forge(exp=int(time.time()) - 10).refused("GET", "/api/user/self", 401)
    forge(exp=int(time.time()) + 60).get("/api/user/self")


def test_11_a_role_in_a_token_means_nothing(forge, bench):
    for claim in ({"role": "root"}, {"role": 100}, {"is_admin": True}):
        forge(**claim).refused("GET", "/api/channel", 403, "forbidden")


def test_12_a_token_from_before_a_new_password(site, lab):
    user = lab.user()
    new = site.canaries.make("a user's password")
    data = user.api.put("/api/user/self", {"password": new, "current_password": user.password})
    site.canaries.add("a login token", data["token"], in_responses=False)
    user.api.refused("GET", "/api/user/self", 401, "token_revoked")


# 13-19: bodies


NO_OBJECTS = {"empty": b"", "brace": b"{", "list": b"[]", "null": b"null", "text": b'"x"', "number": b"7", "spaces": b"  ",
              "trailing": b'{"model":"m","messages":[]} x', "two": b"{}{}", "utf-8": b'{"model":"\xff"}', "bom16": "{}".encode("utf-16")}


@pytest.mark.parametrize("name", NO_OBJECTS)
@pytest.mark.parametrize("path", [CHAT, EMBED])
def test_13_no_json_object(bench, path, name):
    refuse(bench, Case("13", lambda b: b.relay.post_bytes(NO_OBJECTS[name], path), 400, "invalid_json"))


@pytest.mark.parametrize("name", NO_OBJECTS)
def test_13_no_json_object_for_the_api(bench, name):
    # What begins as an object may be refused for what is in it before its end is seen.
    codes = ("invalid_json", "unknown_field", "invalid_request") if NO_OBJECTS[name].startswith(b"{") else "invalid_json"
    for method, path in (("POST", "/api/token"), ("PUT", "/api/user/self")):
        bench.api.refused(method, path, 400, codes, content=NO_OBJECTS[name], headers={"content-type": "application/json"})


@cases(
    Case("14-lists", lambda b: b.raw_body('{"model":"MODEL","messages":[],"x":' + "[" * 200 + "]" * 200 + "}"), 400, "invalid_json"),
    Case("14-objects", lambda b: b.raw_body('{"model":"MODEL","messages":[],"x":' + '{"a":' * 200 + "1" + "}" * 200 + "}"), 400, "invalid_json"),
    Case("14-very-deep", lambda b: b.raw_body("[" * 1_000_000), 400, "invalid_json"),
    Case("19-text", lambda b: b.bytes(json.dumps(b.body()).encode(), **{"content-type": "text/plain"}), 415, "unsupported_media_type"),
    Case("19-form", lambda b: b.bytes(b"a=b", **{"content-type": "application/x-www-form-urlencoded"}), 415, "unsupported_media_type"),
    Case("19-jsonp", lambda b: b.bytes(b"{}", **{"content-type": "application/jsonp"}), 415, "unsupported_media_type"),
    Case("31-nan", lambda b: b.raw_body('{"model":"MODEL","messages":[{"role":"user","content":"x"}],"temperature":NaN}'), 400, "invalid_json"),
    Case("31-infinity", lambda b: b.raw_body('{"model":"MODEL","messages":[{"role":"user","content":"x"}],"temperature":-Infinity}'), 400,
         "invalid_json"),
)
def test_json(bench, case):
    refuse(bench, case)


@pytest.mark.parametrize("kind", [None, "application/json; charset=utf-8", "APPLICATION/JSON"], ids=str)
def test_19_json_by_any_legal_name(bench, kind):
    headers = {"authorization": f"Bearer {bench.key}", **({"content-type": kind} if kind else {})}
    expect(bench.http.post(CHAT, content=json.dumps(bench.body()).encode(), headers=headers), 200)


MIB = b"x" * 2**20


@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
@pytest.mark.parametrize(("path", "mebibytes"), [(CHAT, 11), (EMBED, 11), ("/api/token", 1)])
def test_17_a_body_that_is_too_large(bench, path, mebibytes, declared):
    before = bench.rig.route.calls
    credential = bench.api.jwt if path.startswith("/api") else bench.key
    headers = [("Authorization", f"Bearer {credential}"), ("Content-Type", "application/json")]
    headers.append(("Content-Length", str(mebibytes * 2**20)) if declared else ("Transfer-Encoding", "chunked"))
    pieces = repeat(MIB if declared else b"100000\r\n" + MIB + b"\r\n", mebibytes)
    with RawConnection(bench.site.gateway.url) as connection:
        connection.send(connection.head("POST", path, headers))
        connection.answered(0.2)
        connection.send_until_answered(pieces)
        reply = connection.reply()
    assert reply.status == 413, reply
    body = json.loads(reply.body)
    assert (body.get("error") or body)["code"] == "payload_too_large"
    bench.assert_untouched(before, [reply.header("x-request-id") or ""])


def test_17_a_large_body_within_the_limit_is_taken(bench):
    expect(bench.chat(messages=[{"role": "user", "content": "x" * 9_000_000}]), 200)


def stalled(connection: RawConnection, headers: list[tuple[str, str]]):
    connection.send(connection.head("POST", CHAT, headers) + b'{"model":')


def dripping(connection: RawConnection, headers: list[tuple[str, str]]):
    connection.send(connection.head("POST", CHAT, headers))

    def drops():
        for byte in b" " * 40:
            # A byte now and then, so that no single pause is long.
            if connection.answered(0.1):
                return
            yield bytes([byte])
    connection.send_until_answered(drops())


@pytest.mark.own
@pytest.mark.parametrize("way", [stalled, dripping], ids=["stall", "one-byte-at-a-time"])
def test_18_a_body_that_does_not_come(impatient_lab, way):
    rig = impatient_lab.rig()
    start = time.monotonic()
    with RawConnection(rig.site.gateway.url) as connection:
        way(connection, [("Authorization", f"Bearer {rig.token.key}"), ("Content-Type", "application/json"), ("Content-Length", "500")])
        reply = connection.reply()
    assert reply.status == 408 and reply.error["code"] == "request_timeout", reply
    assert 0.5 < time.monotonic() - start < 3.5
    assert rig.route.calls == 0 and rig.token.rows() == []


@pytest.mark.native
def test_18_headers_that_do_not_come(impatient_lab):
    with RawConnection(impatient_lab.site.gateway.url) as connection:
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert connection.closed_by_peer(5), "the connection is still open"
        assert connection.received == b"" or b" 408 " in connection.received.split(b"\r\n")[0]


# 21-40: fields


def messages(*items) -> dict:
    return {"messages": list(items)}


USER = {"role": "user", "content": "x"}


@cases(
    Case("21-missing", lambda b: b.chat(model=...), 400, param="model"),
    Case("21-empty", lambda b: b.chat(model=""), 400, param="model"),
    Case("21-number", lambda b: b.chat(model=7), 400, param="model"),
    Case("21-null", lambda b: b.chat(model=None), 400, param="model"),
    Case("21-long", lambda b: b.chat(model="m" * 300), 400, param="model"),
    Case("21-control", lambda b: b.chat(model="a\x00b"), 400, param="model"),
    Case("21-newline", lambda b: b.chat(model="a\r\nX-A: b"), 400, param="model"),
    Case("21-embeddings", lambda b: b.embed(model=...), 400, param="model"),
    Case("22", lambda b: b.chat(model="no-such-model"), 404, "model_not_found"),
    Case("22-embeddings", lambda b: b.embed(model="no-such-model"), 404, "model_not_found"),
    Case("23-case", lambda b: b.chat(model=b.model.upper()), 404, "model_not_found"),
    Case("24", lambda b: b.chat(model="../../v1beta/models/x?key=y#"), 404, "model_not_found"),
    Case("25-missing", lambda b: b.chat(messages=...), 400, param="messages"),
    Case("25-empty", lambda b: b.chat(messages=[]), 400, param="messages"),
    Case("25-object", lambda b: b.chat(messages={}), 400, param="messages"),
    Case("25-text", lambda b: b.chat(messages="hi"), 400, param="messages"),
    Case("25-null", lambda b: b.chat(messages=None), 400, param="messages"),
    Case("25-too-many", lambda b: b.chat(messages=[USER] * 10_001), 400, param="messages"),
    Case("26-no-role", lambda b: b.chat(**messages(USER, {"content": "x"})), 400, param="messages[1]"),
    Case("26-root", lambda b: b.chat(**messages({"role": "root", "content": "x"})), 400, param="messages[0]"),
    Case("26-role-number", lambda b: b.chat(**messages({"role": 1, "content": "x"})), 400, param="messages[0]"),
    Case("26-content-number", lambda b: b.chat(**messages(USER, USER, {"role": "user", "content": 5})), 400, param="messages[2]"),
    Case("26-content-null", lambda b: b.chat(**messages({"role": "assistant", "content": None})), 400, param="messages[0]"),
    Case("26-no-object", lambda b: b.chat(**messages("x")), 400, param="messages[0]"),
    *[Case(f"28-{value}", lambda b, v=value: b.chat(max_tokens=v), 400, param="max_tokens") for value in (0, -1, 1.5, "10", 10**18, 1e18, True)],
    Case("28-completion", lambda b: b.chat(max_completion_tokens=0), 400, param="max_completion_tokens"),
    Case("32", lambda b: b.chat(stream="yes"), 400, param="stream"),
    Case("32-number", lambda b: b.chat(stream=1), 400, param="stream"),
    Case("33", lambda b: b.chat(stream_options={"include_usage": True}), 400),
    Case("33-false", lambda b: b.chat(stream=False, stream_options={"include_usage": True}), 400),
    Case("33-no-object", lambda b: b.chat(stream=True, stream_options="x"), 400),
    Case("35-many", lambda b: b.chat(tools=[tool()] * 5000), 400, param="tools"),
    Case("35-huge", lambda b: b.chat(tools=[tool(description="x" * 9 * 2**20)]), 400, param="tools"),
    Case("35-name", lambda b: b.chat(tools=[tool(name="a\r\nX-Evil: 1")]), 400, param="tools"),
    Case("35-no-list", lambda b: b.chat(tools={"a": 1}), 400, param="tools"),
    *[Case(f"39-{name}", lambda b, v=value: b.embed(input=v), 400, param="input") for name, value in {
        "missing": ..., "empty": "", "empty-list": [], "list-of-empty": [[]], "mixed": [5, "a"], "too-many": ["a"] * 3000,
        "negative": [-1], "empty-item": ["a", ""], "number": 5, "null": None, "object": {}, "fraction": [1.5]}.items()],
    Case("40-dimensions", lambda b: b.embed(dimensions=0), 400, param="dimensions"),
    Case("40-dimensions-text", lambda b: b.embed(dimensions="5"), 400, param="dimensions"),
    Case("40-encoding", lambda b: b.embed(encoding_format="x"), 400, param="encoding_format"),
)
def test_fields(bench, case):
    refuse(bench, case)


def tool(name: str = "f", description: str = "") -> dict:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("content", [None, "", [{"type": "text", "text": "x"}]], ids=str)
def test_26_legal_contents_are_taken(bench, content):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    expect(bench.chat(**messages(USER, {"role": "assistant", "content": content, "tool_calls": [call]},
                                 {"role": "tool", "tool_call_id": "c", "content": "ok"})), 200)


def test_23_a_model_outside_the_keys_list(bench, lab):
    before = bench.rig.route.calls
    token, other = bench.site.token(bench.rig.user, models=bench.model), lab.rig()
    for reply in (token.relay.chat(other.model), token.relay.chat(other.model, stream=True), token.relay.embed(other.model)):
        expect(reply, 403, "model_not_allowed")
    # Nobody serves these, and the key may not call them: either may be said.
    for model in ("no-such-model", bench.model.upper()):
        expect(token.relay.chat(model), (403, 404), ("model_not_allowed", "model_not_found"))
    assert (bench.rig.route.calls, other.route.calls) == (before, 0) and token.rows() == []
    expect(token.relay.chat(bench.model), 200)


@pytest.mark.parametrize("kind", [14, 24], ids=["anthropic", "gemini"])
@pytest.mark.parametrize("part", [{"type": "hologram", "hologram": {}}, {"type": 7}, {"text": "x"}], ids=str)
def test_27_a_content_part_that_a_translated_provider_does_not_know(lab, kind, part):
    route, model = lab.route(), lab.model()
    lab.channel(route, model, type=kind)
    token = lab.token()
    for stream in (False, True):
        expect(token.relay.chat(model, stream=stream, messages=[{"role": "user", "content": [part]}]), 400,
               ("unsupported_content", "invalid_value"))
    assert route.calls == 0 and token.fresh()["used_quota"] == 0


def test_29_max_completion_tokens_wins(lab):
    """Only what can be paid for is let through: that shows which of the two counts."""
    rig = lab.rig(owner=lab.user(quota=2000))
    expect(rig.chat(max_tokens=10, max_completion_tokens=100_000), 403, "insufficient_quota")
    assert rig.route.calls == 0
    expect(rig.chat(max_tokens=100_000, max_completion_tokens=10), 200)
    assert rig.route.last.json["max_completion_tokens"] == 10


def test_31_what_only_the_upstream_can_judge(lab):
    rig = lab.rig(scripts.error(400, "temperature is at most 2", None, "invalid_request_error", "temperature"))
    expect(rig.chat(temperature=9), 400, param="temperature")


def test_34_a_client_that_does_not_want_usage(lab):
    rig = lab.rig(scripts.stream())
    reply, streamed = rig.stream(stream_options={"include_usage": False})
    streamed.assert_complete("Hello!")
    assert not [chunk for chunk in streamed.chunks if "usage" in chunk or not chunk["choices"]]
    row = rig.wait_row(reply)
    assert (row["quota"], row["estimated"]) == (scripts.cost(), False)


def test_37_an_unknown_response_format_is_the_upstreams_business(lab):
    rig = lab.rig()
    expect(rig.chat(response_format={"type": "from_the_future", "x": 1}), 200)
    assert rig.route.last.json["response_format"] == {"type": "from_the_future", "x": 1}


@pytest.mark.parametrize("kind", [14, 24], ids=["anthropic", "gemini"])
def test_37_an_unknown_response_format_for_a_translated_provider(lab, kind):
    route, model = lab.route(), lab.model()
    lab.channel(route, model, type=kind)
    token = lab.token()
    reply = expect(token.relay.chat(model, response_format={"type": "from_the_future"}), 400)
    assert "response_format" in (reply.json()["error"]["param"] or ""), describe(reply)
    assert route.calls == 0 and token.fresh()["used_quota"] == 0


# 41-56: routes, money, headers


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("GET", CHAT, "POST"), ("PUT", CHAT, "POST"), ("GET", EMBED, "POST"), ("DELETE", "/v1/models", "GET"),
    ("PATCH", "/api/token", "POST"), ("DELETE", "/api/user/login", "POST"), ("POST", "/health", "GET"),
])
def test_41_wrong_methods(bench, method, path, allowed):
    reply = expect(bench.relay.request(method, path), 405, "method_not_allowed")
    assert allowed in [name.strip() for name in reply.headers["allow"].split(",")]


@pytest.mark.parametrize("path", ["/v1/unknown", "/v1", "/v1/chat", "/api/unknown", "/api", "/favicon.ico", "/v1/chat/completions/x",
                                  "/v1//chat/completions", "/V1/models", "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"])
def test_42_unknown_paths(bench, path):
    expect(bench.relay.request("GET", path), 404, "not_found")


def test_45_no_money(lab):
    rig = lab.rig(owner=lab.user(quota=0))
    reply = expect(rig.chat(), 403, "insufficient_quota")
    assert reply.headers["x-should-retry"] == "false"
    assert rig.route.calls == 0 and rig.token.rows() == []


def test_46_money_that_others_hold(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=40_000))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat, max_tokens=10_000)
        gate.wait_arrived()
        reply = expect(rig.chat(max_tokens=10_000), 429, "quota_reserved")
        assert int(reply.headers["retry-after"]) >= 1 and reply.headers.get("x-should-retry") != "false"
        gate.open()
        rig.wait_row(expect(first.result(), 200))
    assert len(rig.token.rows()) == 1


@pytest.mark.own
def test_47_a_model_without_a_price_that_is_to_be_refused(spawn):
    lab = Lab(spawn(UNPRICED_MODELS="refuse"))
    rig = lab.rig()
    expect(rig.chat(), 503, "model_not_priced")
    assert rig.route.calls == 0 and rig.token.rows() == []
    lab.site.root.put("/api/price", {"prices": [{"model": rig.model, "prompt": 1, "completion": 1}]})
    expect(rig.chat(), 200)
    lab.close()


def test_48_no_enabled_channel(lab):
    rig = lab.rig()
    lab.site.root.put(f"/api/channel/{rig.channel.id}", {"status": 0})
    for reply in (rig.chat(), rig.chat(stream=True), rig.relay.embed(rig.model)):
        expect(reply, 503, "no_available_channel")
    assert rig.route.calls == 0 and rig.token.rows() == []


def test_51_the_same_idempotency_key_twice_at_once(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate))
    headers = {"idempotency-key": unique("once")}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.relay.chat, rig.model, headers)
        gate.wait_arrived()
        expect(rig.relay.chat(rig.model, headers), 409)
        # The key of somebody else's call is not mine.
        other = lab.token(lab.user())
        with ThreadPoolExecutor(1) as second_pool:
            others = second_pool.submit(other.relay.chat, rig.model, headers)
            gate.wait_arrived(2)
            gate.open()
            expect(others.result(), 200)
        rig.wait_row(expect(first.result(), 200))
    assert rig.route.calls == 2 and len(rig.token.rows()) == 1


def test_53_an_image_is_not_fetched(lab):
    trap = lab.route()
    rig = lab.rig()
    for url in ("http://169.254.169.254/latest/meta-data", trap.base_url + "/image.png"):
        content = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": url}}]
        expect(rig.chat(messages=[{"role": "user", "content": content}]), 200)
        assert rig.route.last.json["messages"][0]["content"] == content
    assert trap.calls == 0


def test_55_a_body_cannot_redirect_the_call(lab):
    trap = lab.route()
    rig = lab.rig()
    evil = {"api_base": trap.base_url, "base_url": trap.base_url, "api_key": "sk-evil", "extra_headers": {"x-evil": "1"}}
    body = '{"api_base":"%s","model":"%s","messages":[{"role":"user","content":"x"}],"x":1.50,"base_url":"%s","api_key":"sk-evil",' \
           '"extra_headers":{"x-evil":"1"},"metadata":{"api_key":"kept"}}' % (trap.base_url, rig.model, trap.base_url)
    expect(rig.relay.post_bytes(body.encode()), 200)
    got = rig.route.last
    assert not set(got.json) & set(evil) and got.json["metadata"] == {"api_key": "kept"}
    assert b"1.50" in got.body and got.header("x-evil") is None
    assert got.header("authorization") == f"Bearer {rig.channel.key}"
    _, streamed = (rig.route.play(scripts.stream()), rig.stream(**evil))[1]
    streamed.assert_complete("Hello!")
    assert not set(rig.route.last.json) & set(evil)
    assert trap.calls == 0


def test_56_headers_cannot_redirect_the_call(lab):
    trap = lab.route()
    rig = lab.rig()
    headers = {"x-target-url": trap.base_url, "x-proxy-key": "k", "x-portkey-custom-host": trap.base_url, "x-base-url": trap.base_url,
               "x-portkey-config": json.dumps({"custom_host": trap.base_url}), "x-forwarded-host": "evil.example.com",
               "x-original-url": "/api/channel", "x-rewrite-url": "/api/channel", "x-http-method-override": "DELETE"}
    expect(rig.relay.chat(rig.model, headers=headers), 200)
    assert (trap.calls, rig.route.calls) == (0, 1)
    passed_on = {name.lower() for name, _ in rig.route.last.headers}
    assert not passed_on & set(headers)


@pytest.mark.parametrize(("host", "status"), [
    (b"evil.example.com", (200, 400)), (b"e vil", (400,)), (b"a/b", (400,)), (b"u:p@evil.example.com", (400,)), (b"a\x00b", (400,)),
], ids=["other", "space", "slash", "userinfo", "nul"])
def test_56_a_bad_host_changes_nothing(bench, host, status):
    before = bench.rig.route.calls
    reply = by_hand(bench, ("Host", host), ("Authorization", f"Bearer {bench.key}"), host=False)
    if RUNTIME == "worker" and status == (400,):
        # workerd fails on some by itself, before the Worker; in production the edge refuses them before that.
        assert reply.status_code in (400, 500) and bench.rig.route.calls == before, describe(reply)
        return
    assert reply.status_code in status, describe(reply)
    if reply.status_code == 200:
        assert bench.rig.route.last.header("host") == bench.site.upstream.url.removeprefix("http://")


# 58-77: the management API


@pytest.mark.parametrize("body", [
    {}, {"username": "admin"}, {"password": "x"}, {"username": 7, "password": "x"}, {"username": "admin", "password": None},
    {"username": "admin", "password": ["x"]}, {"username": {"$ne": 1}, "password": {"$ne": 1}},
], ids=str)
def test_58_logins_that_make_no_sense(site, body):
    site.anonymous.refused("POST", "/api/user/login", 400, json=body)


def test_58_a_login_that_is_too_large(site):
    body = json.dumps({"username": "admin", "password": "x" * 10 * 2**20}).encode()
    with RawConnection(site.gateway.url) as connection:
        connection.send(connection.head("POST", "/api/user/login", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]))
        connection.answered(0.2)
        connection.send_until_answered(body[start:start + 65536] for start in range(0, len(body), 65536))
        reply = connection.reply()
    assert reply.status == 413, reply


@pytest.mark.own
def test_60_guessing_passwords(site):
    """Five wrong ones in a quarter of an hour, whatever address the caller claims to have."""
    user = site.user()
    stranger = site.stranger()

    def attempt(number: int, password: str) -> httpx.Response:
        return stranger.raw("POST", "/api/user/login", json={"username": user.username, "password": password},
                            headers={"x-forwarded-for": f"203.0.113.{number}", "cf-connecting-ip": f"203.0.113.{number}"})

    for number in range(5):
        expect(attempt(number, f"wrong {number}"), 401, "invalid_credentials")
    for number, password in ((6, "wrong again"), (7, user.password)):
        reply = expect(attempt(number, password), 429, "too_many_attempts")
        assert 1 <= int(reply.headers["retry-after"]) <= 900
    assert user.fresh()["id"] == user.id, "whoever is logged in stays so"


@pytest.mark.own
def test_61_the_documented_password_does_one_thing(spawn):
    site = spawn(ADMIN_PASSWORD=None)
    data = site.anonymous.post("/api/user/login", {"username": "admin", "password": "123456"})
    assert data["password_change_required"] is True
    admin = Api(site.http, data["token"])
    for method, path in (("GET", "/api/user/self"), ("GET", "/api/channel"), ("POST", "/api/token"), ("GET", "/api/option"),
                         ("GET", "/api/log"), ("GET", "/api/token")):
        admin.refused(method, path, 403, "password_change_required", json={"name": "x"} if method == "POST" else None)
    for weak in ("123456", "12345"):
        admin.refused("PUT", "/api/user/self", 400, "weak_password", json={"password": weak, "current_password": "123456"})
    new = site.canaries.make("the admin's password")
    data = admin.put("/api/user/self", {"password": new, "current_password": "123456"})
    Api(site.http, data["token"]).get("/api/channel")
    admin.refused("GET", "/api/channel", 401, "token_revoked")
    site.anonymous.refused("POST", "/api/user/login", 401, "invalid_credentials", json={"username": "admin", "password": "123456"})
    assert not site.anonymous.post("/api/user/login", {"username": "admin", "password": new}).get("password_change_required")


@pytest.mark.parametrize("password", ["123456", "SAME", "12345", "x" * 129, "é" * 65], ids=["default", "same", "5", "129", "130-bytes"])
def test_62_weak_passwords(bench, password):
    user = bench.rig.user
    new = user.password if password == "SAME" else password
    user.api.refused("PUT", "/api/user/self", 400, "weak_password", json={"password": new, "current_password": user.password})
    user.fresh()


@pytest.mark.parametrize("change", [{"role": 100}, {"quota": 10**9}, {"granted": 1}, {"status": 0}, {"id": 1}, {"token_version": 0},
                                    {"used_quota": 0}, {"username": "root2"}], ids=lambda c: next(iter(c)))
def test_64_what_users_may_not_say_about_themselves(bench, change):
    before = bench.rig.user.fresh()
    bench.api.refused("PUT", "/api/user/self", 400, "unknown_field", json={"display_name": "changed?", **change})
    assert bench.rig.user.fresh() == before


@pytest.mark.parametrize("fields", [
    {"quota": -1}, {"quota": 1.5}, {"quota": 2**53}, {"quota": "1e9"}, {"quota": 10**30}, {"quota": True}, {"quota": [1]},
    {"remain_quota": -1}, {"unlimited_quota": True},
], ids=str)
def test_65_quotas_that_are_none(bench, fields):
    bench.api.refused("POST", "/api/token", 400, ("invalid_request", "unknown_field"), json={"name": unique("t"), **fields})


@pytest.mark.parametrize(("fields", "status"), [
    ({"name": "x" * 60_000}, 400), ({"name": "x" * 2**20}, (400, 413)), ({"models": ",".join("m%d" % n for n in range(9_000))}, 400),
    ({"models": ",".join("model-%d" % n for n in range(10_000))}, (400, 413)), ({"expired_at": "2020-01-01T00:00:00Z"}, 400),
    ({"name": "a\x00b"}, 400), ({"name": None}, 400), ({"subnet": "0.0.0.0/99"}, 400), ({"subnet": ",".join(["10.0.0.1"] * 5000)}, 400),
], ids=["long-name", "1-mb-name", "many-models", "10000-models", "past", "nul", "no-name", "subnet", "many-subnets"])
def test_67_tokens_beyond_measure(bench, fields, status):
    bench.api.refused("POST", "/api/token", status, json={"name": unique("t"), **fields})


def test_67_the_thousand_and_first_token(lab):
    user = lab.user()

    def make(number: int) -> int:
        return user.api.raw("POST", "/api/token", json={"name": f"t{number}"}).status_code

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(make, range(1000)))
    assert made == [200] * 1000, {status: made.count(status) for status in set(made)}
    user.api.refused("POST", "/api/token", 409, json={"name": "one too many"})
    first = user.api.get("/api/token", params={"page_size": 1})[0]
    user.api.delete(f"/api/token/{first['id']}")
    expect(user.api.raw("POST", "/api/token", json={"name": "in its place"}), 200)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_68_the_tokens_of_others_do_not_exist(bench, lab, method):
    others = lab.token(lab.user())
    change = {"json": {"name": "mine now"}} if method == "PUT" else {}
    foreign = bench.api.refused(method, f"/api/token/{others.id}", 404, "not_found", **change)
    unknown = bench.api.refused(method, "/api/token/99999999", 404, "not_found", **change)
    assert foreign.text == unknown.text
    assert others.fresh()["name"] != "mine now"


@pytest.mark.parametrize("bad", ["0", "-1", "abc", "1e3", "9223372036854775808", "9223372036854775807", "1 OR 1=1", "1.0", "%00", "٣", "1/2", "1;"])
def test_69_ids_that_are_none(bench, bad):
    for path in ("/api/token", "/api/channel", "/api/user"):
        api = bench.api if path == "/api/token" else bench.site.root
        for method in ("GET", "DELETE") if path != "/api/user" else ("GET",):
            expect(api.raw(method, f"{path}/{bad}"), (400, 404))


@pytest.mark.parametrize("query", [
    {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, {"from": "1926-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
    {"from": "1980-01-01T00:00:00Z", "to": "2080-01-01T00:00:00Z"}, {"tz": "Mars"}, {"from": "yesterday"}, {"token_id": "x"},
    {"page_size": "-1"}, {"page_size": "1e9"}, {"from": "' OR 1=1"},
], ids=str)
def test_72_queries_that_make_no_sense(bench, query):
    for path in ("/api/log/self", "/api/log/self/stat"):
        if "stat" in path and "page_size" in query:
            continue
        bench.api.refused("GET", path, 400, params=query)
        bench.site.root.refused("GET", path.replace("/self", ""), 400, params=query)


@pytest.mark.parametrize("quota", [-5, 1.5, "7", 2**53, {"grant": -1}, {"take": 1}, [5]], ids=str)
def test_73_balances_that_are_none(bench, lab, quota):
    user = bench.rig.user
    before = user.fresh()["quota"]
    bench.site.root.refused("PUT", f"/api/user/{user.id}", 400, json={"quota": quota})
    assert user.fresh()["quota"] == before


def test_73_a_balance_below_what_open_calls_hold(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=500_000))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(rig.chat, max_tokens=100_000)
        gate.wait_arrived()
        lab.site.root.refused("PUT", f"/api/user/{rig.user.id}", 409, json={"quota": 1})
        gate.open()
        rig.wait_row(expect(call.result(), 200))
    assert rig.user.fresh()["quota"] == 500_000 - scripts.cost()


def test_75_a_refusal_tells_nothing(bench, lab):
    channel = lab.channel(lab.route(), lab.model())
    answers = [bench.api.refused("GET", path, 403, "forbidden") for path in
               (f"/api/channel/{channel.id}", "/api/channel/99999999", "/api/user/1", "/api/user/99999999")]
    assert len({reply.text for reply in answers}) == 1, [reply.text for reply in answers]


def test_76_an_empty_key_keeps_the_old_one(lab):
    rig = lab.rig()
    for body in ({"key": ""}, {"name": "renamed"}, {"key": None}):
        lab.site.root.put(f"/api/channel/{rig.channel.id}", body)
        expect(rig.chat(), 200)
        assert rig.route.last.header("authorization") == f"Bearer {rig.channel.key}"


def test_77_lists_have_no_secrets(lab):
    """Keys, hashes and passwords are in no list; the values themselves are searched for in every answer."""
    rig = lab.rig()
    root = lab.site.root
    digest = hashlib.sha256(rig.token.key.encode()).hexdigest()
    for path in ("/api/channel", f"/api/channel/{rig.channel.id}", "/api/user", f"/api/user/{rig.user.id}", "/api/user/self"):
        reply = expect(root.raw("GET", path), 200)
        assert not secret_fields(reply.json()["data"]), describe(reply)
    for path in ("/api/token", f"/api/token/{rig.token.id}"):
        reply = expect(rig.user.api.raw("GET", path), 200)
        assert not secret_fields(reply.json()["data"]) - {"key"} and digest not in reply.text
        assert rig.token.key not in reply.text


def secret_fields(value) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(secret_fields, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    named = {name for name in value if name in ("key", "secret") or any(
        word in name for word in ("password", "hash", "digest", "sealed", "access_token", "nonce"))}
    return named.union(*map(secret_fields, value.values())) - {"password_change_required"}


def test_78_a_grant_of_one_id_is_granted_once(lab):
    user, grant = lab.user(quota=0), {"quota": {"grant": 500, "id": unique("invoice")}}

    def ask(_: int) -> int:
        return lab.site.root.raw("PUT", f"/api/user/{user.id}", json=grant).status_code

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(100))) == [200] * 100
    assert user.fresh()["quota"] == 500
    entries = lab.site.root.get("/api/audit", params={"action": "user.balance", "object_id": user.id})["items"]
    assert len([entry for entry in entries if entry["detail"].get("grant_id") == grant["quota"]["id"]]) == 1
    other = {"quota": {"grant": 501, "id": grant["quota"]["id"]}}
    lab.site.root.refused("PUT", f"/api/user/{user.id}", 409, "grant_id_taken", json=other)
    assert user.fresh()["quota"] == 500


# 79-83: where channels may point


def save_channel(site, base_url: str) -> httpx.Response:
    return site.root.raw("POST", "/api/channel", json={"name": unique("c"), "type": 99, "key": "some-key-or-other",
                                                       "base_url": base_url, "models": "m"})


UNSAFE = {
    "79": ["http://api.example.com", "https://u:p@api.example.com", "https://u@api.example.com", "https://api.example.com#x",
           "https://api.example.com/?a", "https:\\\\api.example.com", "https://api.example.com\\@127.0.0.1", "ftp://api.example.com",
           "file:///etc/passwd", "javascript:1", "https://", "api.example.com", "https:///api.example.com", "https://a b.example.com",
           "//api.example.com", "https://api.example.com\r\nX: y"],
    "80": ["https://127.0.0.1", "http://127.0.0.1:9", "https://0x7f.1", "https://2130706433", "https://017700000001", "https://127.1",
           "https://[::1]", "https://[::ffff:10.0.0.1]", "https://[64:ff9b::a00:1]", "https://169.254.169.254", "https://100.100.100.200",
           "https://10.0.0.1", "https://192.168.1.1", "https://172.16.0.1", "https://0.0.0.0", "https://[fd00::1]", "https://8.8.8.8"],
    "81": ["https://localhost", "https://localhost.", "https://LOCALHOST", "https://foo.local", "https://metadata.google.internal",
           "https://intranet", "https://api.example.com.", "https://xn--pple-43d.com", "https://\u0430pple.com", "https://api.example.com:22",
           "https://api.example.com:0", "https://api.example.com:99999", "https://foo.localhost", "https://\uff11\uff12\uff17.0.0.1"],
}


@pytest.mark.own
@pytest.mark.parametrize("url", [pytest.param(url, id=f"{row}-{url}") for row, urls in UNSAFE.items() for url in urls])
def test_unsafe_base_urls(guarded_site, url):
    expect(save_channel(guarded_site, url), 400, "unsafe_base_url")


@pytest.mark.own
def test_79_good_base_urls_are_taken_and_cannot_be_made_bad(guarded_site):
    root = guarded_site.root
    for url in ("https://api.example.com", "https://api.example.com:8443/v1/", "https://a.b.example.com/x/y"):
        channel = expect(save_channel(guarded_site, url), 200).json()["data"]["id"]
        root.refused("PUT", f"/api/channel/{channel}", 400, "unsafe_base_url", json={"base_url": "https://169.254.169.254"})
        assert root.get(f"/api/channel/{channel}")["base_url"].rstrip("/") == url.rstrip("/")
        root.delete(f"/api/channel/{channel}")


@pytest.mark.parametrize("url", ["http://10.0.0.1:8080", "http://api.example.com", "http://127.0.0.1@evil.example.com",
                                 "http://169.254.169.254", "http://0.0.0.0:80", "http://127.0.0.1.example.com"])
def test_80_allowing_loopback_allows_nothing_else(site, url):
    expect(save_channel(site, url), 400, "unsafe_base_url")


def test_83_an_upstream_cannot_send_us_elsewhere(lab):
    trap = lab.route()
    for location in ("http://169.254.169.254/latest/meta-data", trap.base_url + "/chat/completions", "/elsewhere"):
        rig = lab.rig(scripts.redirect(location))
        reply = expect(rig.chat(), 502, "redirect_refused")
        assert "169.254" not in reply.text and "location" not in reply.headers
    assert trap.calls == 0


# 97: other origins


def preflight(site, origin: str, path: str = CHAT) -> httpx.Response:
    return site.http.options(path, headers={"origin": origin, "access-control-request-method": "POST",
                                            "access-control-request-headers": "authorization,content-type"})


@pytest.mark.own
@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://app.example.com.evil.example", "http://app.example.com",
                                    "https://app.example.com:444", "https://APP.example.com@evil.example"])
def test_97_unlisted_origins(guarded_site, origin):
    for reply in (preflight(guarded_site, origin), guarded_site.http.get("/health", headers={"origin": origin})):
        assert "access-control-allow-origin" not in reply.headers
        assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.own
def test_97_the_listed_origin(guarded_site):
    reply = preflight(guarded_site, "https://app.example.com")
    assert reply.status_code in (200, 204)
    assert reply.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "authorization" in reply.headers["access-control-allow-headers"].lower()
    assert "origin" in reply.headers.get("vary", "").lower()


def test_97_a_preflight_has_an_id_too(site):
    assert preflight(site, "https://any.example.com").headers.get("x-request-id")


def test_97_any_origin_never_with_credentials(site):
    reply = preflight(site, "https://any.example.com")
    assert reply.headers.get("access-control-allow-origin") == "*"
    assert "access-control-allow-credentials" not in reply.headers
    assert code_of(reply) is None


@pytest.mark.own
def test_98_any_origin_among_others_is_refused_at_the_start(launcher):
    """Credentials are never allowed, so `*` is harmless alone; beside others it is a slip."""
    process = launcher(ALLOWED_ORIGINS="https://app.example.com, *")
    if RUNTIME == "worker":
        # A Worker has no start: it refuses every request.
        process.start()
        reply = httpx.get(process.url + "/health", trust_env=False)
        assert reply.status_code == 503 and "access-control-allow-origin" not in reply.headers, describe(reply)
        process.kill()
    else:
        process.launch()
        assert process.wait_exit(10) not in (0, -9), "it must refuse to start"
        assert "ALLOWED_ORIGINS" in process.stderr.read_text()
    process.remove()


def test_a_connection_goes_on_after_a_body_that_nobody_wanted(site):
    body = b'{"quota":{"grant":500000}}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    with RawConnection(site.gateway.url) as connection:
        for method, path, status in (("PUT", "/api/user/", 405), ("POST", "/api/token", 401), ("POST", "/v1/chat/completions", 401)):
            connection.send(connection.head(method, path, headers) + body)
            assert connection.reply().status == status
        connection.send(connection.head("GET", "/health", []))
        assert connection.reply().status == 200
