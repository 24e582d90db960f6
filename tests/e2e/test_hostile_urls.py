"""Promise H8: no channel can be made to point inside, by any of the URLs in tests/hostile_urls.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from world import unique

TABLE = json.loads((Path(__file__).parents[1] / "hostile_urls.json").read_text())


def channel(url: str) -> dict:
    return {"name": unique("channel"), "type": 99, "key": "a-provider-key", "base_url": url, "models": "m"}


def test_h8_hostile_urls_are_refused(guarded_site):
    refused, root = {}, guarded_site.root
    # An empty URL is one that is missing.
    for url in filter(None, TABLE["hostile"]):
        answer = root.raw("POST", "/api/channel", json=channel(url))
        refused[url] = (answer.status_code, answer.json().get("code"))
    assert len(refused) >= 100
    wrong = {url: said for url, said in refused.items() if said != (400, "unsafe_base_url")}
    assert not wrong, wrong
    assert root.get("/api/channel") == []


def test_h8_good_urls_are_taken(guarded_site):
    for url in TABLE["good"]:
        made = guarded_site.root.post("/api/channel", channel(url))
        guarded_site.root.delete(f"/api/channel/{made['id']}")


@pytest.mark.own
def test_h8_only_named_hosts_are_taken_where_hosts_are_named(spawn):
    root = spawn(ALLOW_LOOPBACK_UPSTREAMS=None, CUSTOM_HOST_SUFFIXES="llm.example.com,.models.example.org").root
    for url, taken in [("https://llm.example.com/v1", True), ("https://a.models.example.org", True),
                       ("https://models.example.org", False), ("https://evil.example.com", False),
                       ("https://llm.example.com.evil.org", False)]:
        answer = root.raw("POST", "/api/channel", json=channel(url))
        assert (answer.status_code == 200) is taken, (url, answer.text)
        assert taken or answer.json()["code"] == "unsafe_base_url"
    # A provider's own address needs no naming.
    root.post("/api/channel", {**channel(""), "type": 1, "base_url": None})
