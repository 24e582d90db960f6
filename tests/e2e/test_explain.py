"""`POST /api/explain`: what would become of a call. What it says is what the call then gets."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

import scripts
from checks import code_of, describe, expect
from polling import wait_for
from world import HELLO, Api, Lab, Rig, Token

RULES = ["key_status", "key_expiry", "user_status", "password_change", "subnet", "request", "model_served", "model_allowed",
         "model_priced", "channel_available", "limits", "balance", "cap", "held"]


def explain(asker: Api, token: Token, request: object, endpoint: str = "chat", **more) -> dict:
    return asker.post("/api/explain", {"token_id": token.id, "endpoint": endpoint, "request": request, **more})


def request_for(rig: Rig, **changes) -> dict:
    return {"model": rig.model, "messages": HELLO, **changes}


def deciding(told: dict) -> str | None:
    return next((rule["rule"] for rule in told["rules"] if rule["outcome"] == "deny"), None)


# Situations: what is done to a rig, the request, and the rule that must decide.


def nothing(rig):
    return request_for(rig)


def revoked(rig):
    rig.user.api.put(f"/api/token/{rig.token.id}", {"status": 0})
    return request_for(rig)


def user_disabled(rig):
    rig.site.root.put(f"/api/user/{rig.user.id}", {"status": 0})
    return request_for(rig)


def from_elsewhere(rig):
    rig.user.api.put(f"/api/token/{rig.token.id}", {"subnet": "10.0.0.0/8"})
    return request_for(rig)


def unreadable(rig):
    return request_for(rig, messages=[])


def no_object(rig):
    return "nonsense"


def unknown_model(rig):
    return request_for(rig, model="no-such-model")


def no_channel(rig):
    rig.site.root.put(f"/api/channel/{rig.channel.id}", {"status": 0})
    return request_for(rig)


def model_not_allowed(rig):
    rig.user.api.put(f"/api/token/{rig.token.id}", {"models": "another-model"})
    return request_for(rig)


def no_money(rig):
    rig.site.root.put(f"/api/user/{rig.user.id}", {"quota": 0})
    return request_for(rig)


def too_little_money(rig):
    rig.site.root.put(f"/api/user/{rig.user.id}", {"quota": 200})
    return request_for(rig, max_tokens=1000)


def capped(rig):
    rig.user.api.put(f"/api/token/{rig.token.id}", {"quota": 50})
    return request_for(rig)


def clamped(rig):
    rig.user.api.put(f"/api/token/{rig.token.id}", {"quota": 1000})
    return request_for(rig)


SITUATIONS = [
    (nothing, None), (clamped, None), (revoked, "key_status"), (user_disabled, "user_status"), (from_elsewhere, "subnet"),
    (unreadable, "request"), (no_object, "request"), (unknown_model, "model_served"), (no_channel, "model_served"),
    (model_not_allowed, "model_allowed"), (no_money, "balance"), (too_little_money, "balance"), (capped, "cap"),
]


@pytest.mark.parametrize(("situation", "rule"), SITUATIONS, ids=[situation.__name__ for situation, _ in SITUATIONS])
def test_what_is_said_is_what_a_call_gets(lab, situation, rule):
    rig = lab.rig(owner=lab.user())
    request = situation(rig)
    root = lab.site.root
    told = explain(root, rig.token, request)
    assert [entry["rule"] for entry in told["rules"]][:len(RULES)] == RULES
    assert deciding(told) == rule and told["allowed"] == (rule is None)
    assert rig.route.calls == 0 and root.get("/api/log", params={"token_id": rig.token.id})["items"] == []
    reply = rig.relay.post_bytes(json.dumps(request).encode())
    if told["allowed"]:
        expect(reply, 200)
        assert told["error"] is None
        assert [channel["channel_id"] for tier in told["tiers"] for channel in tier["channels"]] == [rig.channel.id]
        row = rig.wait_row(reply)
        assert row["channel_id"] == rig.channel.id and row["price"] == told["cost"]["price"]
        assert row["quota"] <= told["cost"]["held"] <= told["cost"]["amount"]
        assert rig.route.last.json["max_tokens"] == told["cost"]["max_completion"]
    else:
        assert (reply.status_code, code_of(reply)) == (told["error"]["status"], told["error"]["code"]), describe(reply)
        assert reply.json()["error"]["message"] == told["error"]["message"]


def test_an_expired_key(lab):
    rig = lab.rig(owner=lab.user())
    token = lab.token(rig.user, expired_at=(datetime.now(timezone.utc) + timedelta(seconds=1.2)).isoformat())

    def ended() -> dict | None:
        told = explain(rig.user.api, token, request_for(rig))
        return None if told["allowed"] else told
    told = wait_for(ended, "the key to end", every=0.1)
    assert deciding(told) == "key_expiry" and told["error"]["code"] == "token_expired"
    expect(token.relay.chat(rig.model), told["error"]["status"], told["error"]["code"])


def test_money_that_others_hold(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), owner=lab.user(quota=40_000))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat, max_tokens=10_000)
        gate.wait_arrived()
        told = explain(rig.user.api, rig.token, request_for(rig, max_tokens=10_000))
        assert deciding(told) == "held" and told["cost"]["held"] is None
        expect(rig.chat(max_tokens=10_000), told["error"]["status"], told["error"]["code"])
        gate.open()
        rig.wait_row(expect(first.result(), 200))
    assert told["error"]["code"] == "quota_reserved"
    assert explain(rig.user.api, rig.token, request_for(rig, max_tokens=10_000))["allowed"]


def test_a_limit_of_calls(lab):
    """Asking does not count; what is said is what the next call gets."""
    rig = lab.rig(owner=lab.user(), token={"rpm_limit": 1})
    for _ in range(3):
        assert explain(rig.user.api, rig.token, request_for(rig))["allowed"]
    rig.wait_row(expect(rig.chat(), 200))
    told = explain(rig.user.api, rig.token, request_for(rig))
    assert deciding(told) == "limits"
    expect(rig.chat(), told["error"]["status"], told["error"]["code"])


def test_a_channel_that_is_left_alone_is_skipped_with_its_reason(lab):
    limited = scripts.error(429, "slow down", "rate_limit_exceeded", headers={"Retry-After": "30"})
    rig = lab.rig(limited, owner=lab.user())
    expect(rig.chat(), 429)
    told = explain(lab.site.root, rig.token, request_for(rig))
    assert deciding(told) == "channel_available" and told["tiers"] == []
    reason, = [entry["reason"] for entry in told["skipped"] if entry["channel_id"] == rig.channel.id]
    assert reason not in ("disabled", "model_not_served"), told["skipped"]
    expect(rig.chat(), told["error"]["status"], told["error"]["code"])
    assert rig.route.calls == 1


@pytest.mark.own
def test_a_model_without_a_price(spawn):
    lab = Lab(spawn())
    rig = lab.rig()
    lab.site.root.put("/api/option", {"unpriced_models": "refuse"})
    told = explain(rig.user.api, rig.token, request_for(rig))
    assert deciding(told) == "model_priced" and told["cost"] is None
    assert [rule["outcome"] for rule in told["rules"][-3:]] == ["unknown"] * 3
    expect(rig.chat(), told["error"]["status"], told["error"]["code"])
    assert told["error"]["code"] == "model_not_priced"
    lab.close()


def test_the_top_question_no_available_channel(lab):
    """Which channels there are for a model, in which order, and why the others are left out."""
    rig = lab.rig(channel={"priority": 5, "weight": 3})
    same_tier = lab.channel(rig.route, rig.model, priority=5, weight=1, model_mapping={rig.model: "renamed"})
    spare = lab.channel(rig.route, rig.model, priority=1, weight=0)
    off = lab.channel(rig.route, rig.model, status=0)
    other = lab.channel(rig.route, lab.model())
    root = lab.site.root
    told = explain(root, rig.token, request_for(rig))
    shown = [(tier["priority"], [(c["channel_id"], c["weight"], c["share"]) for c in tier["channels"]]) for tier in told["tiers"]]
    assert shown == [(5, [(rig.channel.id, 3, 0.75), (same_tier.id, 1, 0.25)]), (1, [(spare.id, 0, 1.0)])]
    assert told["tiers"][0]["channels"][1]["upstream_model"] == "renamed" and told["most_attempts"] == 3
    reasons = {entry["channel_id"]: entry["reason"] for entry in told["skipped"]}
    assert (reasons[off.id], reasons[other.id]) == ("disabled", "model_not_served")
    assert all(entry["name"] for entry in told["skipped"])
    # A user learns nothing of channels that have nothing to do with the call, and no names.
    own = explain(rig.user.api, rig.token, request_for(rig))
    assert [entry["channel_id"] for entry in own["skipped"]] == [off.id]
    assert not [entry for entry in [*own["skipped"], *own["tiers"][0]["channels"]] if "name" in entry]
    for channel in (rig.channel, same_tier, spare):
        root.put(f"/api/channel/{channel.id}", {"status": 0})
    told = explain(rig.user.api, rig.token, request_for(rig))
    assert (told["allowed"], told["error"]["code"], told["tiers"]) == (False, "no_available_channel", [])
    assert {entry["reason"] for entry in told["skipped"]} == {"disabled"} and len(told["skipped"]) == 4


def test_the_top_question_quota_insufficient(lab):
    """How much a call asks for, and who has too little."""
    rig = lab.rig(owner=lab.user(quota=1000))
    told = explain(rig.user.api, rig.token, request_for(rig, max_tokens=1000))
    assert told["error"]["code"] == "insufficient_quota" and deciding(told) == "balance"
    cost = told["cost"]
    assert cost["amount"] == cost["least"] > 1000 and cost["held"] is None
    assert cost["price"] == {"prompt": 10**6, "cached": 10**6, "cache_write": 10**6, "completion": 3 * 10**6}
    # With as much as it says is least, the call is let in; with a unit less it is not.
    for quota, status in ((cost["least"] - 1, 403), (cost["least"], 200)):
        lab.site.root.put(f"/api/user/{rig.user.id}", {"quota": quota})
        assert explain(rig.user.api, rig.token, request_for(rig, max_tokens=1000))["allowed"] == (status == 200)
        expect(rig.chat(max_tokens=1000), status)


def test_embeddings(lab):
    rig = lab.rig(scripts.embeddings())
    told = explain(rig.user.api, rig.token, {"model": rig.model, "input": "text"}, "embeddings")
    assert told["allowed"] and told["cost"]["max_completion"] is None
    assert rig.wait_row(expect(rig.relay.embed(rig.model, input="text"), 200))["quota"] <= told["cost"]["held"]
    assert not explain(rig.user.api, rig.token, request_for(rig), "embeddings")["allowed"]


def test_an_address_can_be_asked_about(lab):
    rig = lab.rig(token={"subnet": "10.0.0.0/8, fd00::/8"})
    for address, allowed in (("10.1.2.3", True), ("fd00::1", True), ("11.1.2.3", False), (None, False)):
        more = {} if address is None else {"address": address}
        assert explain(rig.user.api, rig.token, request_for(rig), **more)["allowed"] == allowed, address


def test_the_keys_of_others_do_not_exist(lab):
    rig, stranger = lab.rig(), lab.user()
    body = {"token_id": rig.token.id, "endpoint": "chat", "request": request_for(rig)}
    foreign = stranger.api.refused("POST", "/api/explain", 404, "not_found", json=body)
    unknown = stranger.api.refused("POST", "/api/explain", 404, "not_found", json={**body, "token_id": 2**53 - 1})
    assert foreign.text == unknown.text
    assert explain(lab.user(role=10).api, rig.token, body["request"])["allowed"]


@pytest.mark.parametrize("changes", [
    {"token_id": -1}, {"token_id": 2**53}, {"token_id": 2**63 - 1}, {"token_id": -(2**63)}, {"token_id": 2**64}, {"token_id": "1"},
    {"token_id": 1.5}, {"token_id": None}, {"endpoint": "models"}, {"endpoint": None}, {"address": "nowhere"}, {"address": 7},
    {"stream": True}, {"request": ...},
], ids=str)
def test_questions_that_make_no_sense(lab, changes):
    rig = lab.rig()
    body = {"token_id": rig.token.id, "endpoint": "chat", "request": request_for(rig), **changes}
    body = {name: value for name, value in body.items() if value is not ...}
    rig.user.api.refused("POST", "/api/explain", 400, ("invalid_request", "unknown_field", "invalid_json"), json=body)
