"""What admins can do to users, and where their power ends."""

import pytest

from checks import expect


@pytest.fixture(scope="module")
def admin(site):
    """An admin who is not root."""
    return site.user(role=10)


@pytest.fixture
def user(site):
    return site.user(quota=1000)


def test_users_are_listed_and_shown(admin, user):
    found = []
    for page in range(100):
        users = admin.api.get("/api/user", params={"p": page, "page_size": 200})
        found += [entry for entry in users if entry["id"] == user.id]
        if len(users) < 200:
            break
    assert len(found) == 1 and found[0]["username"] == user.username
    shown = admin.api.get(f"/api/user/{user.id}")
    assert (shown["quota"], shown["role"], shown["status"]) == (1000, 1, 1)


def test_a_balance_can_be_set(admin, user):
    admin.api.put(f"/api/user/{user.id}", {"quota": 5000})
    assert user.fresh()["quota"] == 5000
    admin.api.put(f"/api/user/{user.id}", {"quota": 0})
    assert user.fresh()["quota"] == 0


def test_a_grant_is_added(admin, user):
    admin.api.put(f"/api/user/{user.id}", {"quota": {"grant": 234}})
    assert user.fresh()["quota"] == 1234


def test_setting_a_balance_keeps_what_was_spent(lab, admin, user):
    rig = lab.rig(owner=user)
    reply = expect(rig.chat(max_tokens=16), 200)
    spent = rig.wait_row(reply)["quota"]
    admin.api.put(f"/api/user/{user.id}", {"quota": 700})
    me = user.fresh()
    assert (me["quota"], me["used_quota"]) == (700, spent)


@pytest.mark.parametrize("grant", [-1, 1.5, "9", 2**53, None])
def test_a_grant_is_a_positive_number(admin, user, grant):
    admin.api.refused("PUT", f"/api/user/{user.id}", 400, json={"quota": {"grant": grant}})
    assert user.fresh()["quota"] == 1000


@pytest.mark.parametrize("change", [{"username": "x"}, {"used_quota": 0}, {"password": "123456789"}, {"id": 1}], ids=str)
def test_only_what_is_offered_can_be_changed(admin, user, change):
    admin.api.refused("PUT", f"/api/user/{user.id}", 400, "unknown_field", json=change)


@pytest.mark.parametrize("change", [{"role": 5}, {"role": "root"}, {"role": -1}, {"status": 7}, {"status": "off"}], ids=str)
def test_a_change_that_makes_no_sense_is_refused(site, user, change):
    expect(site.root.raw("PUT", f"/api/user/{user.id}", json=change), 400)
    me = user.fresh()
    assert (me["role"], me["status"]) == (1, 1)


def test_a_new_role_counts_from_the_next_login(site, user):
    user.api.refused("GET", "/api/channel", 403, "forbidden")
    site.root.put(f"/api/user/{user.id}", {"role": 10})
    user.api.refused("GET", "/api/user/self", 401, "token_revoked")
    promoted = site.login(user.username, user.password)
    promoted.get("/api/channel")
    site.root.put(f"/api/user/{user.id}", {"role": 1})
    promoted.refused("GET", "/api/channel", 401, "token_revoked")
    site.login(user.username, user.password).refused("GET", "/api/channel", 403, "forbidden")


def test_an_admin_has_no_power_over_equals_and_betters(site, admin):
    root_id, equal = site.root.get("/api/user/self")["id"], site.user(role=10)
    for victim in (root_id, equal.id, admin.id):
        for change in ({"status": 0}, {"quota": 5}, {"role": 1}):
            expect(admin.api.raw("PUT", f"/api/user/{victim}", json=change), (403, 404))
    for hidden in (root_id, equal.id):
        expect(admin.api.raw("GET", f"/api/user/{hidden}"), (403, 404))
    seen = {entry["id"] for entry in admin.api.get("/api/user", params={"page_size": 200})}
    assert not seen & {root_id, equal.id}, "the list, too, shows only those below"
    assert equal.fresh()["status"] == 1


@pytest.mark.parametrize("role", [10, 100])
def test_an_admin_cannot_raise_anybody_to_the_own_rank(site, admin, user, role):
    admin.api.refused("PUT", f"/api/user/{user.id}", 403, "forbidden", json={"role": role})
    assert user.fresh()["role"] == 1


@pytest.mark.parametrize("change", [{"role": 10}, {"role": 1}, {"status": 0}], ids=str)
def test_the_last_root_stays(site, change):
    root = site.root.get("/api/user/self")
    expect(site.root.raw("PUT", f"/api/user/{root['id']}", json=change), (400, 403, 404, 409))
    assert site.root.get("/api/user/self")["role"] == 100


def test_a_disabled_users_keys_stop_at_once(lab, admin):
    rig = lab.rig(owner=lab.user())
    expect(rig.chat(), 200)
    admin.api.put(f"/api/user/{rig.user.id}", {"status": 0})
    expect(rig.chat(), 403, "account_disabled")
    assert rig.route.calls == 1
    admin.api.put(f"/api/user/{rig.user.id}", {"status": 1})
    expect(rig.chat(), 200)


def test_only_root_points_channels_at_custom_addresses(lab, admin):
    body = {"name": "a", "type": 99, "key": "some-key-or-other", "base_url": lab.route().base_url, "models": lab.model()}
    admin.api.refused("POST", "/api/channel", 403, "forbidden", json=body)
    channel = lab.channel(lab.route(), lab.model())
    admin.api.refused("PUT", f"/api/channel/{channel.id}", 403, "forbidden", json={"base_url": lab.route().base_url})
    admin.api.put(f"/api/channel/{channel.id}", {"priority": 2})


def test_what_admins_do_is_written_down(site, user):
    site.root.put(f"/api/user/{user.id}", {"quota": {"grant": 77}})
    entries = site.root.get("/api/audit")
    entries = entries["items"] if isinstance(entries, dict) else entries
    assert any(str(user.id) in str(entry) for entry in entries[:20]), entries[:3]
