"""A gateway whose calls go through the relay proxy, on both runtimes: Worker or binary -> relay -> upstream."""

from __future__ import annotations

from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import scripts
from checks import expect
from gateway import RelayProcess, binary
from polling import wait_for
from world import Lab

pytestmark = [pytest.mark.own, pytest.mark.skipif(not binary().is_file(), reason="the relay proxy is the native binary")]


@pytest.fixture(scope="module")
def relay(canaries, upstream, tmp_path_factory):
    process = RelayProcess(tmp_path_factory.mktemp("relay"), canaries, urlsplit(upstream.url).netloc).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def proxied_site(running, relay):
    with running(RELAY_PROXY_URL=relay.url, RELAY_PROXY_KEY=relay.key) as site:
        yield site


@pytest.fixture
def proxied(proxied_site):
    lab = Lab(proxied_site)
    yield lab
    lab.close()


def passed_on(relay: RelayProcess, request_id: str) -> bool:
    return any(request_id in line and "passed on" in line for line in relay.log_since(0).splitlines())


def test_a_call_goes_through_the_relay_under_its_id(proxied, relay):
    rig = proxied.rig()
    answer = expect(rig.chat(), 200)
    assert rig.wait_row(answer)["quota"] == scripts.cost()
    assert passed_on(relay, answer.headers["x-request-id"])
    names = {name.lower() for name, _ in rig.route.last.headers}
    assert "via" in names and not names & {"x-proxy-key", "x-target-url", "x-request-id"}
    assert dict(rig.route.last.headers).get("authorization") == f"Bearer {rig.channel.key}"


def test_a_stream_comes_through_event_by_event(proxied):
    gate = proxied.gate()
    rig = proxied.rig(scripts.stream(["one", "two"], gates={2: gate}))
    with rig.streaming() as response:
        seen = b""
        for piece in response.iter_bytes():
            seen += piece
            if b"one" in seen and b"two" not in seen:
                # The upstream has not written the rest, and this is here already.
                gate.open()
        assert b"two" in seen and seen.rstrip().endswith(b"data: [DONE]")
    assert rig.token.wait_only_row()["quota"] == scripts.cost()


def test_a_client_that_leaves_is_noticed_behind_the_relay(proxied):
    gate = proxied.gate()
    rig = proxied.rig(scripts.resumed_stream(gate))
    connection = rig.raw()
    connection.read_until(b"begun")
    connection.hang_up("rst")
    gate.open()
    row = rig.wait_row(connection)
    assert row["end_reason"] in ("client_gone", "complete") and row["quota"] > 0


@pytest.mark.parametrize(("status", "expected", "code"), [(400, 400, None), (401, 502, "upstream_auth"), (429, 429, "rate_limit_exceeded"),
                                                          (503, 503, "overloaded")])
def test_a_providers_error_is_still_the_providers(proxied, status, expected, code):
    rig = proxied.rig(scripts.error(status, "said by the provider"))
    expect(rig.chat(), expected, code)
    assert rig.route.calls >= 1


def test_83_a_redirect_is_refused_behind_the_relay(proxied):
    rig = proxied.rig(scripts.redirect("http://169.254.169.254/"))
    expect(rig.chat(), 502, "redirect_refused")
    assert rig.route.calls == 1


def test_what_the_relay_says_is_not_the_providers(proxied):
    """A host that the relay does not reach: the operator's fault, and no answer of a provider."""
    model = proxied.model()
    proxied.channel("https://not-allowed.example.com/v1", model)
    answer = expect(proxied.token().relay.chat(model), 502)
    assert "target_not_allowed" not in answer.json()["error"]["code"]


def test_a_channel_can_be_tried_through_the_relay(proxied):
    rig = proxied.rig()
    assert rig.site.root.call("POST", f"/api/channel/{rig.channel.id}/test")["ok"] is True


@contextmanager
def stopped(relay: RelayProcess, running):
    with running(RELAY_PROXY_URL="http://127.0.0.1:9", RELAY_PROXY_KEY=relay.key) as site:
        lab = Lab(site)
        yield lab
        lab.close()


def test_a_relay_that_is_not_there_is_the_operators_fault(relay, running):
    with stopped(relay, running) as lab:
        rig = lab.rig()
        expect(rig.chat(), 502)
        assert rig.route.calls == 0
        assert wait_for(rig.token.rows, "its row")[0]["quota"] == 0


@pytest.mark.native
@pytest.mark.parametrize(("url", "key"), [("http://relay.example.com", "k" * 40), ("https://relay.example.com", "short")])
def test_a_relay_that_cannot_be_used_is_said_at_the_start(launcher, url, key):
    process = launcher(RELAY_PROXY_URL=url, RELAY_PROXY_KEY=key)
    process.launch()
    assert process.wait_exit() != 0
    assert "RELAY_PROXY" in process.log_since(0)
    process.remove()
