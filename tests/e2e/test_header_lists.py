"""Which headers pass the gateway: in both directions only those that are named here.

Everything that a client or an upstream may think of is sent along; what arrives is compared with a
list, not searched for what should be missing.
"""

import itertools

import pytest

import scripts
from checks import expect
from gateway import RUNTIME
from world import unique

TO_UPSTREAM = {"host", "authorization", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "connection"}
"""All that an upstream may see. None of it is the client's: the values are checked, too."""

if RUNTIME == "worker":
    # workerd writes it by itself: the zone that a Worker belongs to.
    TO_UPSTREAM |= {"cf-worker"}

TO_CLIENT = {
    # What the gateway says.
    "x-request-id", "x-content-type-options", "content-type", "content-length", "transfer-encoding", "date", "connection",
    "cache-control", "x-accel-buffering", "x-gateway-dropped-params",
    # CORS, which is the gateway's own.
    "access-control-allow-origin", "access-control-expose-headers", "vary",
    # Whether to try again, and what the key's limits leave.
    "retry-after", "retry-after-ms", "x-should-retry",
    *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
}
"""All that a client may see of an answer."""

OF_A_CLIENT = [
    "cookie", "referer", "origin", "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
    "cf-connecting-ip", "true-client-ip", "x-client-ip", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key",
    "openai-organization", "openai-project", "openai-beta", "anthropic-version", "anthropic-beta", "x-stainless-lang",
    "x-proxy-key", "x-target-url", "x-relay-error", "x-portkey-config", "x-base-url", "x-api-base", "x-custom",
    "x-http-method-override", "x-original-url", "idempotency-key", "traceparent", "baggage", "range", "if-none-match",
]

OF_AN_UPSTREAM = [
    "set-cookie", "location", "server", "via", "alt-svc", "strict-transport-security", "www-authenticate",
    "access-control-allow-credentials", "access-control-allow-headers", "content-security-policy", "refresh", "link", "etag",
    "openai-organization", "openai-processing-ms", "openai-version", "x-ratelimit-remaining-tokens", "cf-ray", "x-envoy-upstream",
    "x-relay-error", "x-powered-by", "report-to", "clear-site-data", "x-custom",
]


def marked(names: list[str]) -> tuple[str, dict[str, str]]:
    """These headers, each with a mark in its value that is found wherever it comes out."""
    mark = unique("mark")
    return mark, {name: f"{mark}-{number}" for number, name in enumerate(names)}


def streamed(headers: dict[str, str]):
    async def script(exchange):
        await exchange.open_stream(headers)
        await exchange.event(scripts.chunk("m", {"role": "assistant", "content": "Hello!"}))
        await exchange.event(scripts.chunk("m", {}, "stop"))
        await exchange.event("[DONE]")
        await exchange.end_stream()
    return script


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_h10_an_upstream_sees_no_header_of_the_client(lab, stream):
    rig = lab.rig(scripts.stream() if stream else scripts.chat())
    mark, headers = marked(OF_A_CLIENT)
    # Two credentials that differ would be refused before anything is sent.
    headers |= {"x-api-key": rig.token.key, "api-key": rig.token.key}
    headers |= {"user-agent": f"{mark}-ua", "accept": f"text/{mark}", "accept-language": mark}
    expect(rig.relay.chat(rig.model, headers=headers, stream=stream), 200)
    seen = rig.route.last.headers
    assert {name.lower() for name, _ in seen} <= TO_UPSTREAM, seen
    assert mark not in str(seen) and rig.token.key not in str(seen)
    assert rig.route.last.all_headers("authorization") == [f"Bearer {rig.channel.key}"]


@pytest.mark.parametrize("kind", ["whole", "stream", "error"])
def test_h10_a_client_sees_no_header_of_the_upstream(lab, kind):
    mark, headers = marked(OF_AN_UPSTREAM)
    script = {
        "whole": scripts.chat(headers=headers),
        "stream": streamed(headers),
        "error": scripts.error(400, "no such thing", headers=headers),
    }[kind]
    rig = lab.rig(script)
    reply = expect(rig.chat(stream=kind == "stream"), 400 if kind == "error" else 200)
    assert rig.route.calls == 1
    assert set(reply.headers) <= TO_CLIENT, reply.headers
    assert mark not in str(reply.headers)
    # A wildcard, or nothing: never what the upstream says of other origins.
    assert reply.headers.get("access-control-allow-origin", "*") == "*"


def test_h10_the_id_of_an_answer_is_the_gateways_own(lab):
    mine = unique("chosen-by-somebody")
    rig = lab.rig(scripts.chat(headers={"x-request-id": mine}))
    reply = expect(rig.relay.chat(rig.model, headers={"x-request-id": mine}), 200)
    assert reply.headers.get_list("x-request-id") == [reply.headers["x-request-id"]] and reply.headers["x-request-id"] != mine
    assert rig.wait_row(reply)["request_id"] == reply.headers["x-request-id"]
    assert rig.route.last.header("x-request-id") != mine


@pytest.mark.parametrize(("path", "fields"), [("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
                                              ("/v1/embeddings", {"input": "some text"})], ids=["chat", "embeddings"])
def test_h2_nothing_in_a_request_chooses_the_upstream(lab, path, fields):
    """Every name that some client or proxy uses for an address, in the query, the body and the headers at once."""
    trap = lab.route()
    rig = lab.rig(scripts.chat() if "chat" in path else scripts.embeddings())
    names = ["api_base", "base_url", "apiBase", "baseURL", "endpoint", "url", "target", "proxy", "azure_endpoint"]
    headers = {f"x-{name.replace('_', '-').lower()}": trap.base_url for name in names}
    headers |= {"x-target-url": trap.base_url, "x-proxy-key": "k" * 40, "host-override": trap.base_url}
    body = {"model": rig.model, **fields, "api_base": trap.base_url, "base_url": trap.base_url, "api_key": "sk-evil",
            "extra_headers": {"authorization": "Bearer sk-evil"}}
    query = "&".join(f"{name}={value}" for name, value in itertools.product(names, [trap.base_url]))
    for tail in ("", f"?{query}"):
        # A query that the route does not know may be refused; it is never obeyed.
        reply = rig.relay.request("POST", path + tail, headers, json=body)
        expect(reply, (200,) if not tail else (200, 400))
    assert trap.calls == 0 and rig.route.calls >= 1
    for request in rig.route.requests:
        assert request.all_headers("authorization") == [f"Bearer {rig.channel.key}"]
        assert trap.base_url not in str(request.headers) + request.path + request.body.decode()
        assert b"sk-evil" not in request.body
