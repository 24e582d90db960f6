"""Channels: what admins set up and nobody can read the keys of."""

import pytest

import scripts
from checks import expect
from world import CUSTOM, unique

FIELDS = {"id", "name", "type", "base_url", "models", "model_mapping", "status", "priority", "weight", "key_hint",
          "created_at", "updated_at"}


def of(site, channel) -> dict:
    return site.root.get(f"/api/channel/{channel.id}")


def test_a_channel_tells_everything_but_its_key(site, lab):
    route, model = lab.route(), lab.model()
    channel = lab.channel(route, model, priority=3, weight=7, model_mapping={model: "upstream-name"})
    seen = of(site, channel)
    assert FIELDS <= set(seen) and "key" not in seen
    assert (seen["type"], seen["base_url"], seen["models"]) == (CUSTOM, route.base_url, model)
    assert (seen["status"], seen["priority"], seen["weight"]) == (1, 3, 7)
    assert seen["model_mapping"] == {model: "upstream-name"}
    assert seen["key_hint"].endswith(channel.key[-4:]) and len(seen["key_hint"]) <= 8
    listed = site.root.get("/api/channel", params={"page_size": 200})
    assert [c for c in listed if c["id"] == channel.id][0]["key_hint"] == seen["key_hint"]


def test_a_change_keeps_what_it_does_not_name(site, lab):
    channel = lab.channel(lab.route(), lab.model(), priority=3, weight=7)
    before = of(site, channel)
    site.root.put(f"/api/channel/{channel.id}", {"name": "renamed", "priority": 5})
    after = of(site, channel)
    changed = {name for name in before if before[name] != after[name]}
    assert changed - {"updated_at"} == {"name", "priority"}


def test_a_new_key_is_used_at_once_and_an_empty_one_keeps_the_old(site, lab):
    rig = lab.rig()
    new = lab.provider_key()
    site.root.put(f"/api/channel/{rig.channel.id}", {"key": new})
    expect(rig.chat(), 200)
    assert rig.route.last.header("authorization") == f"Bearer {new}"
    site.root.put(f"/api/channel/{rig.channel.id}", {"key": ""})
    expect(rig.chat(), 200)
    assert rig.route.last.header("authorization") == f"Bearer {new}"
    assert of(site, rig.channel)["key_hint"].endswith(new[-4:])


def test_a_channel_can_be_moved(site, lab):
    rig, elsewhere = lab.rig(), lab.route()
    expect(rig.chat(), 200)
    site.root.put(f"/api/channel/{rig.channel.id}", {"base_url": elsewhere.base_url})
    expect(rig.chat(), 200)
    assert (rig.route.calls, elsewhere.calls) == (1, 1)


def test_a_disabled_channel_is_not_used(site, lab):
    rig = lab.rig()
    site.root.put(f"/api/channel/{rig.channel.id}", {"status": 0})
    expect(rig.chat(), 503, "no_available_channel")
    assert rig.route.calls == 0
    site.root.put(f"/api/channel/{rig.channel.id}", {"status": 1})
    expect(rig.chat(), 200)


def test_a_deleted_channel_is_gone(site, lab):
    rig = lab.rig()
    site.root.delete(f"/api/channel/{rig.channel.id}")
    expect(rig.chat(), (404, 503), ("model_not_found", "no_available_channel"))
    site.root.refused("GET", f"/api/channel/{rig.channel.id}", 404, "not_found")
    site.root.refused("PUT", f"/api/channel/{rig.channel.id}", 404, "not_found", json={"name": "x"})
    site.root.refused("DELETE", f"/api/channel/{rig.channel.id}", 404, "not_found")
    assert rig.route.calls == 0


def test_one_channel_serves_several_models(lab):
    route, first, second = lab.route(), lab.model(), lab.model()
    lab.channel(route, f"{first}, {second}")
    token = lab.token()
    for model in (first, second):
        expect(token.relay.chat(model), 200)
        assert route.last.json["model"] == model


def test_the_providers_are_listed(site):
    types = {entry["id"]: entry["name"] for entry in site.root.get("/api/channel/types/list")}
    assert {1, CUSTOM} <= set(types) and all(types.values())


def test_a_channel_can_be_tried_out(site, lab):
    rig = lab.rig()
    result = site.root.call("POST", f"/api/channel/{rig.channel.id}/test")
    assert result["ok"] is True and rig.route.calls == 1
    assert isinstance(result["latency_ms"] if "latency_ms" in result else result["latency"], (int, float))
    assert rig.route.last.header("authorization") == f"Bearer {rig.channel.key}"


def test_a_channel_that_fails_says_why_without_its_key(site, lab):
    route, model, key = lab.route(), lab.model(), lab.provider_key()
    channel = lab.channel(route, model, key=key)
    route.play(scripts.error(401, f"Incorrect API key provided: {key}. You can find yours elsewhere."))
    result = site.root.call("POST", f"/api/channel/{channel.id}/test")
    assert result["ok"] is False
    assert "Incorrect API key provided" in str(result["error"]), result


def test_trying_a_channel_out_is_charged_to_nobody(site, lab):
    before = site.root.get("/api/user/self")["used_quota"]
    rig = lab.rig()
    site.root.call("POST", f"/api/channel/{rig.channel.id}/test")
    assert site.root.get("/api/user/self")["used_quota"] == before


@pytest.mark.parametrize("kind", [12345, "nobody-registered-this", -1])
def test_an_unknown_provider_is_refused(site, lab, kind):
    body = {"name": unique("c"), "type": kind, "key": "some-key-or-other", "models": "m"}
    reply = site.root.raw("POST", "/api/channel", json=body)
    expect(reply, 400, ("unknown_provider", "invalid_request") if kind == -1 else "unknown_provider")


@pytest.mark.parametrize("fields", [
    {"name": ""}, {"name": 7}, {"weight": -1}, {"weight": 1.5}, {"priority": "high"}, {"model_mapping": {"a": 1}},
    {"model_mapping": ["a"]}, {"models": 5}, {"config": "x"}, {"status": "on"},
], ids=str)
def test_a_channel_that_makes_no_sense_is_refused(site, lab, fields):
    body = {"name": unique("c"), "type": CUSTOM, "key": "some-key-or-other", "base_url": lab.route().base_url, "models": "m"}
    site.root.refused("POST", "/api/channel", 400, "invalid_request", json={**body, **fields})


def test_a_custom_channel_needs_a_base_url(site):
    body = {"name": unique("c"), "type": CUSTOM, "key": "some-key-or-other", "models": "m"}
    expect(site.root.raw("POST", "/api/channel", json=body), 400)


def test_unknown_fields_are_refused(site, lab):
    body = {"name": unique("c"), "type": CUSTOM, "key": "some-key-or-other", "base_url": lab.route().base_url, "models": "m"}
    site.root.refused("POST", "/api/channel", 400, "unknown_field", json={**body, "key_hint": "abcd"})


@pytest.mark.parametrize("suffix", ["", "/"])
def test_the_path_of_a_base_url_is_kept(lab, suffix):
    route, model = lab.route(), lab.model()
    lab.channel(route.base_url + "/deep/er" + suffix, model)
    expect(lab.token().relay.chat(model), 200)
    assert route.last.path.endswith("/v1/deep/er/chat/completions")
