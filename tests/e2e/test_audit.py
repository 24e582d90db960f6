"""The audit log: who did what to which object, when, from where; and no secret in it."""

from datetime import datetime, timedelta, timezone

import pytest

from checks import expect
from gateway import RemoteGateway
from world import CUSTOM, Api, unique

FIELDS = {"id", "request_id", "created_at", "actor_id", "address", "action", "object", "object_id", "detail"}


@pytest.fixture(scope="module")
def root_id(site):
    return site.root.get("/api/user/self")["id"]


@pytest.fixture(scope="module")
def admin(site):
    """An admin who is not root."""
    return site.user(role=10)


def entries(site, **filters) -> list[dict]:
    return site.root.get("/api/audit", params=filters)["items"]


def last(site) -> int:
    """The id of the newest entry."""
    return max((entry["id"] for entry in entries(site, limit=1)), default=0)


def changes(site, api: Api, method: str, path: str, actor: int, json=None) -> tuple[object, list[dict]]:
    """Makes a change: its answer, and the entries it left, all of which say who, when, and by which request."""
    before = last(site)
    reply = expect(api.raw(method, path, json=json), 200)
    left = [entry for entry in reversed(entries(site)) if entry["id"] > before]
    for entry in left:
        assert set(entry) == FIELDS
        assert entry["request_id"] == reply.headers["x-request-id"]
        assert entry["actor_id"] == actor
        assert entry["address"]
        assert abs(datetime.fromisoformat(entry["created_at"]) - datetime.now(timezone.utc)) < timedelta(minutes=1)
        assert entry["action"].split(".")[0] == entry["object"]
    return reply.json()["data"], left


def seen(left: list[dict]) -> list[tuple[str, int | None, dict]]:
    return [(entry["action"], entry["object_id"], entry["detail"]) for entry in left]


def test_a_change_of_a_user_is_written_down(site, admin):
    user = site.user()
    path = f"/api/user/{user.id}"
    for change in ({"status": 0}, {"status": 1}, {"display_name": "Somebody else"}):
        _, left = changes(site, admin.api, "PUT", path, admin.id, change)
        assert seen(left) == [("user.update", user.id, change)]


def test_a_change_of_a_role_is_written_down(site, root_id):
    user = site.user()
    _, left = changes(site, site.root, "PUT", f"/api/user/{user.id}", root_id, {"role": 10})
    assert seen(left) == [("user.update", user.id, {"role": 10})]


def test_a_change_of_a_balance_is_written_down_once(site, admin):
    user = site.user()
    path, once = f"/api/user/{user.id}", unique("invoice")
    _, left = changes(site, admin.api, "PUT", path, admin.id, {"quota": 5000})
    assert seen(left) == [("user.balance", user.id, {"quota": 5000})]
    _, left = changes(site, admin.api, "PUT", path, admin.id, {"quota": {"grant": 77}})
    assert seen(left) == [("user.balance", user.id, {"grant": 77})]
    grant = {"quota": {"grant": 3, "id": once}}
    _, left = changes(site, admin.api, "PUT", path, admin.id, grant)
    assert seen(left) == [("user.balance", user.id, {"grant": 3, "grant_id": once})]
    _, left = changes(site, admin.api, "PUT", path, admin.id, grant)
    assert left == [], "nothing was granted the second time"


def test_two_changes_of_one_request_are_two_entries(site, admin):
    user = site.user()
    change = {"quota": {"grant": 1}, "display_name": "Richer"}
    _, left = changes(site, admin.api, "PUT", f"/api/user/{user.id}", admin.id, change)
    assert seen(left) == [("user.balance", user.id, {"grant": 1}), ("user.update", user.id, {"display_name": "Richer"})]


def test_a_change_of_ones_own_account_is_written_down_without_the_password(site):
    user = site.user()
    password = site.canaries.make("a user's new password")
    change = {"email": "me@example.com", "password": password, "current_password": user.password}
    data, left = changes(site, user.api, "PUT", "/api/user/self", user.id, change)
    site.canaries.add("a login token", data["token"], in_responses=False)
    assert seen(left) == [("user.update", user.id, {"email": "me@example.com", "password": "changed"})]


def test_the_life_of_a_key_is_written_down_without_the_key(site):
    user = site.user()
    body = {"name": "of the log", "quota": 500, "models": "gpt-4*", "subnet": "10.0.0.0/8", "expired_at": "2999-01-01T00:00:00Z"}
    data, left = changes(site, user.api, "POST", "/api/token", user.id, body)
    site.canaries.add("a whole API key", data["key"])
    path = f"/api/token/{data['id']}"
    assert seen(left) == [("token.create", data["id"], {**body, "expired_at": "2999-01-01T00:00:00.000Z"})]
    # Not even as much of the key as its list shows.
    assert data["key"][:7] not in str(left) and data["key"][-4:] not in str(left[0]["detail"])
    _, left = changes(site, user.api, "PUT", path, user.id, {"quota": 0, "status": 0, "expired_at": None})
    assert seen(left) == [("token.update", data["id"], {"quota": 0, "status": 0, "expired_at": None})]
    _, left = changes(site, user.api, "DELETE", path, user.id)
    assert seen(left) == [("token.delete", data["id"], {})]


def test_the_life_of_a_channel_is_written_down_without_its_key(site, lab, root_id):
    route, model, key = lab.route(), lab.model(), lab.provider_key()
    body = {"name": unique("channel"), "type": CUSTOM, "key": key, "base_url": route.base_url, "models": model,
            "model_mapping": {model: "upstream"}, "config": {"option": "of this provider"}, "priority": 3, "weight": 7}
    data, left = changes(site, site.root, "POST", "/api/channel", root_id, body)
    written = {**body, "key": "changed", "config": "changed", "status": 1}
    assert seen(left) == [("channel.create", data["id"], written)]
    path = f"/api/channel/{data['id']}"
    _, left = changes(site, site.root, "PUT", path, root_id, {"key": lab.provider_key(), "status": 0})
    assert seen(left) == [("channel.update", data["id"], {"key": "changed", "status": 0})]
    _, left = changes(site, site.root, "PUT", path, root_id, {"key": "", "priority": 4})
    assert seen(left) == [("channel.update", data["id"], {"priority": 4})]
    _, left = changes(site, site.root, "DELETE", path, root_id)
    assert seen(left) == [("channel.delete", data["id"], {})]


def test_new_settings_are_written_down(site, root_id):
    days = site.root.get("/api/option")["retention_days"]
    _, left = changes(site, site.root, "PUT", "/api/option", root_id, {"retention_days": days})
    assert seen(left) == [("settings.update", None, {"retention_days": days})]


def test_new_prices_are_written_down(site, admin):
    prices = site.root.get("/api/price")
    body = {"prices": prices["prices"], "version": prices["version"]}
    data, left = changes(site, admin.api, "PUT", "/api/price", admin.id, body)
    detail = {"replaces": prices["version"], "entries": len(prices["prices"])}
    assert seen(left) == [("prices.replace", data["version"], detail)]


def test_what_is_refused_is_not_written_down(site, admin):
    user, other = site.user(), site.user()
    token = site.token(other)
    before = last(site)
    user.api.refused("PUT", f"/api/token/{token.id}", 404, json={"name": "mine"})
    user.api.refused("DELETE", f"/api/token/{token.id}", 404)
    user.api.refused("POST", "/api/channel", 403, json={})
    user.api.refused("PUT", "/api/user/self", 403, "wrong_password",
                     json={"password": "good enough", "current_password": "a guess"})
    admin.api.refused("PUT", f"/api/user/{user.id}", 403, json={"role": 100})
    admin.api.refused("PUT", f"/api/user/{admin.id}", 404, json={"quota": 1})
    admin.api.refused("PUT", "/api/price", 409, json={"prices": [], "version": 4711})
    admin.api.refused("DELETE", "/api/channel/4711471147", 404)
    # What changes nothing is no change.
    admin.api.put(f"/api/user/{user.id}", {})
    user.api.put("/api/user/self", {})
    assert last(site) == before


def test_an_entry_says_from_where(site):
    if isinstance(site.gateway, RemoteGateway):
        pytest.skip("a gateway elsewhere sees other addresses")
    user = site.user()
    away = Api(site.client("127.77.250.9"), user.api.jwt)
    _, left = changes(site, away, "PUT", "/api/user/self", user.id, {"display_name": "Away"})
    assert [entry["address"] for entry in left] == ["127.77.250.9"]


@pytest.fixture(scope="module")
def history(site):
    """A user's own five changes: of the account, and of two keys."""
    user = site.user()
    user.api.put("/api/user/self", {"display_name": "Of the past"})
    first, second = site.token(user), site.token(user)
    user.api.put(f"/api/token/{first.id}", {"name": "renamed"})
    user.api.delete(f"/api/token/{second.id}")
    return user, first, second


def actions(site, **filters) -> list[str]:
    return [entry["action"] for entry in entries(site, **filters)]


def test_entries_are_filtered(site, history):
    user, first, second = history
    own = {"actor_id": user.id}
    assert actions(site, **own) == ["token.delete", "token.update", "token.create", "token.create", "user.update"]
    assert actions(site, action="token.create", **own) == ["token.create"] * 2
    assert actions(site, object="token", object_id=first.id) == ["token.update", "token.create"]
    assert actions(site, object="token", object_id=second.id) == ["token.delete", "token.create"]
    assert actions(site, object="user", **own) == ["user.update"]
    assert actions(site, object="settings", **own) == []
    whole = entries(site, **own)
    middle = whole[2]["created_at"]
    later, earlier = entries(site, **own, **{"from": middle}), entries(site, **own, to=middle)
    assert later + earlier == whole and whole[2] in later


def test_entries_come_newest_first_and_page_by_page(site, history):
    user, *_ = history
    whole = entries(site, actor_id=user.id)
    assert [entry["id"] for entry in whole] == sorted((entry["id"] for entry in whole), reverse=True)
    paged, cursor, pages = [], None, 0
    while True:
        page = site.root.get("/api/audit", params={"actor_id": user.id, "limit": 2, **({"cursor": cursor} if cursor else {})})
        paged += page["items"]
        pages += 1
        assert pages <= 4, "the pages do not end"
        if not (cursor := page["next_cursor"]):
            break
    assert paged == whole and pages == 3


@pytest.mark.parametrize("query", [{"action": "token"}, {"object": "thing"}, {"object_id": "x"}, {"cursor": "x"}, {"cursor": "-1"},
                                   {"from": "tomorrow"}, {"from": "2026-01-02", "to": "2026-01-01"}, {"tz": "Mars"}], ids=str)
def test_a_question_that_makes_no_sense_is_refused(site, query):
    site.root.refused("GET", "/api/audit", 400, params=query)


def test_only_root_reads_it(site, admin):
    for somebody in (site.user(), admin):
        somebody.api.refused("GET", "/api/audit", 403, "forbidden")
    site.anonymous.refused("GET", "/api/audit", 401, "missing_token")
