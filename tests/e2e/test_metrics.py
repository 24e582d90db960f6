"""`GET /metrics`: what it counts agrees with the usage rows, and no label grows or tells a secret."""

import re
from collections import Counter

import httpx
import pytest

import scripts
from checks import expect
from polling import wait_for
from world import Lab, Relay

pytestmark = pytest.mark.native

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def scrape(site) -> str:
    response = expect(site.root.raw("GET", "/metrics"), 200)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
    return response.text


def samples(text: str, name: str) -> list[tuple[dict, float]]:
    return [(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value))
            for found, labels, value in SAMPLE.findall(text) if found == name]


def total(text: str, name: str, **labels: str) -> float:
    return sum(value for found, value in samples(text, name) if labels.items() <= found.items())


@pytest.mark.own
def test_what_is_counted_agrees_with_the_usage_rows(spawn):
    site = spawn(METRICS_BIND="127.0.0.1:0")
    lab = Lab(site)
    rig = lab.rig(scripts.chat(usage=scripts.usage_of(9, 12, prompt_tokens_details={"cached_tokens": 4})))
    expect(rig.chat(), 200)
    rig.route.play(scripts.stream())
    rig.stream()
    rig.route.play(scripts.error(400))
    expect(rig.chat(), 400)
    rig.route.play(scripts.error(500))
    expect(rig.chat(), 502)
    rig.route.play(scripts.broken_stream(["begun"], "fin"))
    rig.stream()
    rig.route.play(scripts.broken_stream(["begun"], "stall"))
    with rig.raw() as connection:
        connection.read_until(b"begun")
        assert total(scrape(site), "gateway_open_streams") == 1
    rig.route.play(scripts.embeddings())
    expect(rig.relay.embed(rig.model), 200)
    expect(Relay(site.http, "sk-nonsense").chat(rig.model), 401)
    expect(rig.relay.chat("no-such-model"), 404)
    poor = site.token(site.user(quota=1))
    expect(poor.relay.chat(rig.model), 403)
    wait_for(lambda: len(rig.token.rows()) == 7, "all rows", detail=rig.token.rows)
    text = wait_for(lambda: (text := scrape(site)) and total(text, "gateway_drains") == 0 and text, "the drain to end")

    rows = rig.token.rows()
    assert Counter(row["end_reason"] for row in rows)["client_gone"] == 1
    counted = {(labels["model"], labels["channel"], labels["status"]): value
               for labels, value in samples(text, "gateway_requests_total") if labels["route"] == "chat"}
    chats = Counter((rig.model, str(row["channel_id"]), str(row["status"])) for row in rows)
    chats[rig.model, str(rig.channel.id), "200"] -= 1
    assert counted == chats, text
    assert total(text, "gateway_requests_total", route="embeddings") == 1
    for kind, field in (("prompt", "prompt_tokens"), ("completion", "completion_tokens"), ("cached", "cached_tokens")):
        assert total(text, "gateway_tokens_total", kind=kind) == sum(row[field] for row in rows), (kind, rows)
    assert total(text, "gateway_quota_charged_total") == sum(row["quota"] for row in rows) == rig.token.fresh()["used_quota"]
    assert total(text, "gateway_request_duration_seconds_count") == 7
    assert total(text, "gateway_first_byte_seconds_count") == sum(row["first_byte_ms"] is not None for row in rows)
    errors = {labels["kind"]: value for labels, value in samples(text, "gateway_upstream_errors_total")}
    assert errors["server"] >= 1 and errors["rejected"] == 1, errors
    refused = {labels["code"]: value for labels, value in samples(text, "gateway_refusals_total")}
    assert refused == {"invalid_api_key": 1, "model_not_found": 1, "insufficient_quota": 1}
    assert total(text, "gateway_open_streams") == 0 and total(text, "gateway_drains_begun_total") == 1
    assert total(text, "gateway_ledger_queue") == 0 and total(text, "gateway_ledger_commit_seconds_count") >= 7
    assert total(text, "gateway_channel_state", channel=str(rig.channel.id), model="*") == 1
    assert total(text, "gateway_resident_memory_bytes") > 1_000_000 and total(text, "gateway_open_descriptors") > 5
    for secret_or_name in (rig.user.username, rig.token.key, rig.channel.key, "127.0.0.1"):
        assert secret_or_name not in text

    # A listener of its own needs no login, and has nothing else.
    url = re.search(r"^metrics on (http://\S+)$", site.gateway.stdout.read_text(), re.MULTILINE).group(1)
    open_text = httpx.get(url, timeout=10).text
    assert total(open_text, "gateway_request_duration_seconds_count") == 7
    site.canaries.check_response("the metrics listener", open_text.encode())
    assert httpx.get(url.replace("/metrics", "/api/user"), timeout=10).status_code == 404
    lab.close()


def test_metrics_are_for_admins_unless_they_have_their_own_address(site):
    site.user(role=10).api.raw("GET", "/metrics").raise_for_status()
    site.user().api.refused("GET", "/metrics", 403, "forbidden")
    site.anonymous.refused("GET", "/metrics", 401, "missing_token")


@pytest.mark.own
def test_a_thousand_models_that_callers_make_up_make_no_metrics(spawn):
    site = spawn()
    lab = Lab(site)
    route = lab.route(scripts.chat())
    lab.channel(route, "")
    token = lab.token()
    route.play(*[scripts.chat()] * 30)
    expect(token.relay.chat("made-up-first"), 200)
    before = wait_for(lambda: total(scrape(site), "gateway_requests_total") == 1 and scrape(site), "the first row")
    other = lab.token(models="never-*")
    for number in range(1000):
        if number % 40:
            expect(other.relay.chat(f"made-up-{number}"), 403)
        else:
            expect(token.relay.chat(f"made-up-{number}"), 200)
    text = wait_for(lambda: (text := scrape(site)) and total(text, "gateway_requests_total", model="other") == 26 and text, "all rows")
    assert "made-up" not in text
    assert total(text, "gateway_refusals_total", code="model_not_allowed") == 975
    assert len(text.splitlines()) <= len(before.splitlines()) + 4
    lab.close()
