"""Query strings: every number that the description names, with values that no store could keep, and
parameters that nobody knows."""

import re

import pytest

from checks import describe, expect

MOST = 2**53 - 1

VALUES = ["0", "-1", "1", str(MOST), str(2**53), str(2**63 - 1), str(-(2**63)), str(2**64), "1e3", "abc", "", "1.0", "+1", " 1", "0x1", "\u0663"]


def numbers(site) -> list[tuple[str, str, dict]]:
    """Path, name and schema of each query parameter that is a number; they are all of GET routes."""
    found = []
    for path, item in expect(site.http.get("/openapi.json"), 200).json()["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and "integer" in str(parameter["schema"]):
                    assert method == "get", f"{method} {path} takes {parameter['name']} in its query: call it here"
                    found.append((path, parameter["name"], parameter["schema"]))
    assert {"user_id", "token_id", "channel_id", "actor_id", "object_id", "p", "limit"} <= {name for _, name, _ in found}
    return found


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value).strip("'"))
def test_no_number_in_a_query_breaks_anything(site, value):
    number = int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else None
    for path, name, schema in numbers(site):
        reply = site.root.raw("GET", path, params={name: value})
        assert reply.status_code in (200, 400), describe(reply)
        if name.endswith("_id"):
            assert (schema["minimum"], schema["maximum"]) == (0, MOST), (path, name, schema)
            expect(reply, 200 if number is not None and 0 <= number <= MOST else 400)
        elif number is None or number < 0:
            expect(reply, 400, "invalid_request")
        elif number <= schema["maximum"]:
            expect(reply, 200)


def test_an_unknown_parameter_is_not_overlooked(site):
    """A filter with a slip in its name must not pass for no filter at all."""
    for path in sorted({path for path, _, _ in numbers(site)}):
        site.root.refused("GET", path, 400, "invalid_request", params={"user": "1"})
        site.root.refused("GET", path, 400, "invalid_request", params=[("limit", "1"), ("limit", "2")])


@pytest.mark.parametrize("bad", [-1, 2**53, 2**63 - 1, -(2**63), 2**64, "7", 1.5], ids=str)
def test_no_number_in_a_body_breaks_anything(site, bad):
    prices = {"prices": [], "version": bad}
    site.root.refused("PUT", "/api/price", 400, "invalid_request", json=prices)
    channel = {"name": "x", "type": 1, "key": "some-key-or-other", "models": "m"}
    # A number that can be meant is one here.
    if not isinstance(bad, int) or abs(bad) > 1:
        site.root.refused("POST", "/api/channel", 400, "invalid_request", json={**channel, "priority": bad})
    site.root.refused("POST", "/api/channel", 400, "invalid_request", json={**channel, "weight": bad})
    site.root.refused("PUT", "/api/option", 400, "invalid_request", json={"new_user_quota": bad})
    site.root.refused("PUT", "/api/option", 400, "invalid_request", json={"retention_days": bad})
