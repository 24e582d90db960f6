"""The relay proxy by itself: what it passes on, and what it refuses (promise H9)."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import scripts
from gateway import RelayProcess, binary

pytestmark = [pytest.mark.native, pytest.mark.own]

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile_urls.json").read_text())["hostile"]


@pytest.fixture(scope="module")
def relays(canaries, tmp_path_factory):
    """Makes relays that run until the module ends, and then are searched for secrets."""
    with ExitStack() as stack:
        def make(hosts: str, **environment: str | None) -> RelayProcess:
            process = RelayProcess(tmp_path_factory.mktemp("relay"), canaries, hosts, **environment).start()
            stack.callback(process.stop)
            return process
        yield make


@pytest.fixture(scope="module")
def relay(relays, upstream):
    return relays(f"{urlsplit(upstream.url).netloc},api.example.com")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def call(relay):
    with httpx.Client(base_url=relay.url, trust_env=False, timeout=20) as http:
        def call(method="POST", path="/proxy", key=relay.key, target=None, headers=(), content=b"{}"):
            sent = [*headers]
            sent += [("x-proxy-key", key)] if key is not None else []
            sent += [("x-target-url", target)] if target is not None else []
            return http.request(method, path, headers=sent, content=content)
        yield call


def own(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.headers.get("x-relay-error")) == (status, code), response.text
    assert response.json()["error"]["code"] == code


def test_h9_a_request_arrives_with_its_body_and_without_what_is_the_relays(lab, call):
    route = lab.route(scripts.answer(200, b'{"a":1}', "application/json"))
    answer = call(target=route.base_url + "/chat?x=1", content=b'{"model":"m"}', headers=[
        ("authorization", "Bearer provider"), ("content-type", "application/json"), ("x-request-id", "01-a"),
        ("x-forwarded-for", "10.0.0.1"), ("cookie", "c=1"), ("connection", "x-hop"), ("x-hop", "1"), ("x-relay-error", "y")])
    assert (answer.status_code, answer.content) == (200, b'{"a":1}') and "x-relay-error" not in answer.headers
    seen = route.last
    assert seen.path.endswith("/chat?x=1") and seen.body == b'{"model":"m"}'
    names = {name.lower() for name, _ in seen.headers}
    assert {"authorization", "content-type", "host"} <= names
    assert not names & {"x-proxy-key", "x-target-url", "x-request-id", "x-forwarded-for", "cookie", "x-hop", "x-relay-error"}


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500, 503])
def test_an_answer_comes_back_as_it_is(lab, call, status):
    route = lab.route(scripts.answer(status, b"as it is", "text/plain", headers={"retry-after": "7", "location": "http://169.254.169.254/"}))
    answer = call(target=route.base_url + "/x")
    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (status, b"as it is", "7")
    assert route.calls == 1, "a redirect was followed"


@pytest.mark.parametrize("keys", [[], ["wrong"], [""], ["{key}", "{key}"], ["{key}x"]], ids=["none", "wrong", "empty", "two", "longer"])
def test_86_a_call_without_the_key_is_refused(lab, call, relay, keys):
    route = lab.route()
    given = [("x-proxy-key", key.replace("{key}", relay.key)) for key in keys]
    own(call(key=None, target=route.base_url, headers=given), 401, "invalid_proxy_key")
    assert route.calls == 0


@pytest.mark.parametrize("url", [url for url in HOSTILE if url.isprintable() and url.isascii() and url.strip() == url and url],
                         ids=lambda url: url[:40])
def test_h9_hostile_targets_are_refused(call, url):
    answer = call(target=url)
    assert answer.status_code in (400, 403) and answer.headers["x-relay-error"] in ("unsafe_target", "target_not_allowed")


def test_a_host_that_is_not_named_is_refused(call):
    own(call(target="https://other.example.com/v1"), 403, "target_not_allowed")
    own(call(target=f"http://127.0.0.1:{free_port()}/"), 403, "target_not_allowed")
    own(call(target=None), 400, "invalid_target")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE", "OPTIONS"])
def test_89_only_post_is_taken(call, method):
    own(call(method=method, target="file:///etc/passwd"), 405, "method_not_allowed")


def test_89_no_tunnel_is_opened(relay):
    host, port = relay.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\nConnection: close\r\n\r\n")
        assert connection.recv(200).startswith(b"HTTP/1.1 405")


def test_88_a_relay_that_is_its_own_target_says_so(relays):
    address = f"127.0.0.1:{free_port()}"
    process = relays(address, LISTEN=address)
    answer = httpx.post(process.url + "/proxy", content=b"{}", trust_env=False,
                        headers={"x-proxy-key": process.key, "x-target-url": process.url + "/proxy"})
    assert answer.status_code == 508 and answer.json()["error"]["code"] == "loop_detected"


def test_a_body_above_the_limit_is_refused(call, lab):
    route = lab.route()
    own(call(target=route.base_url, content=b"x" * ((32 << 20) + 1)), 413, "payload_too_large")
    assert route.calls == 0


def test_a_target_that_is_not_there_is_said(relays):
    process = relays("127.0.0.1")
    answer = httpx.post(process.url + "/proxy", content=b"{}", trust_env=False,
                        headers={"x-proxy-key": process.key, "x-target-url": f"http://127.0.0.1:{free_port()}/"})
    own(answer, 502, "target_unreachable")


def test_health_needs_no_key(relay):
    answer = httpx.get(relay.url + "/health", trust_env=False)
    assert answer.status_code == 200 and answer.json()["status"] == "ok"
    own(httpx.get(relay.url + "/", trust_env=False), 404, "not_found")


@pytest.mark.parametrize("key", [None, "", "short", "x" * 31], ids=["none", "empty", "short", "31"])
def test_h9_a_relay_without_a_long_key_does_not_start(canaries, tmp_path, key):
    process = RelayProcess(tmp_path, canaries, "api.example.com", RELAY_PROXY_KEY=key)
    process.launch()
    assert process.wait_exit() != 0
    assert "RELAY_PROXY_KEY" in process.log_since(0)


def test_health_is_asked_from_the_command_line(relay):
    def health(listen: str) -> int:
        asked = subprocess.run([binary(), "health", "--listen", listen], capture_output=True, timeout=20, check=False)
        return asked.returncode

    assert health(relay.url.removeprefix("http://")) == 0
    assert health(f"127.0.0.1:{free_port()}") != 0
