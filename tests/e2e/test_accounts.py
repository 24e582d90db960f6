"""Registering, logging in, and what users can change about themselves."""

import pytest

from checks import code_of, expect
from world import Api, unique


@pytest.fixture(scope="module")
def person(site):
    return site.user()


def register(site, **fields):
    return site.anonymous.raw("POST", "/api/user/register", json=fields)


def test_a_registered_user_can_log_in(site):
    user = site.user()
    me = user.fresh()
    assert (me["id"], me["username"], me["role"], me["status"]) == (user.id, user.username, 1, 1)
    assert {"display_name", "email", "quota", "used_quota", "request_count", "created_at"} <= set(me)


@pytest.mark.parametrize("username", ["ab", "x" * 33, "", "two words", "tab\there", "<b>"])
def test_a_bad_username_is_refused(site, username):
    expect(register(site, username=username, password="long enough"), 400, "invalid_username")


@pytest.mark.parametrize("length", [3, 32])
def test_usernames_of_the_shortest_and_longest_length_are_taken(site, length):
    username = (unique("u").replace("-", "") + "x" * 32)[-length:] if length > 3 else unique("u")[-3:]
    expect(register(site, username=username, password=site.canaries.make("a user's password")), 200)


@pytest.mark.parametrize("password", ["", "12345", "x" * 129], ids=["empty", "5", "129"])
def test_a_weak_password_is_refused(site, password):
    expect(register(site, username=unique("weak"), password=password), 400, "weak_password")


def test_a_name_can_be_taken_once(site, person):
    for name in (person.username, person.username.upper()):
        expect(register(site, username=name, password="long enough"), 409, "username_taken")


def test_nobody_registers_as_an_admin(site):
    for field, value in [("role", 100), ("quota", 10**9), ("status", 1), ("id", 1)]:
        username = unique("climber")
        expect(register(site, username=username, password="long enough", **{field: value}), 400, "unknown_field")
        site.stranger().refused("POST", "/api/user/login", 401, json={"username": username, "password": "long enough"})


def test_registration_can_be_closed(site):
    options = site.root.get("/api/option")
    names = [name for name, value in options.items() if "regist" in name and value is True]
    assert len(names) == 1, f"one option opens registration: {options}"
    site.root.put("/api/option", {names[0]: False})
    try:
        expect(register(site, username=unique("late"), password="long enough"), 403, "registration_closed")
    finally:
        site.root.put("/api/option", {names[0]: True})
    expect(register(site, username=unique("late"), password=site.canaries.make("a user's password")), 200)


def test_a_wrong_password_and_an_unknown_user_look_the_same(site, person):
    def attempt(username):
        return site.stranger().raw("POST", "/api/user/login", json={"username": username, "password": "certainly wrong"})

    wrong, unknown = attempt(person.username), attempt(unique("nobody"))
    expect(wrong, 401, "invalid_credentials")
    assert _without_id(wrong) == _without_id(unknown) and wrong.status_code == unknown.status_code


def _without_id(reply):
    return {key: value for key, value in reply.json().items() if key != "request_id"}


def test_a_profile_can_be_changed(person):
    person.api.put("/api/user/self", {"display_name": "Käthe 🦊", "email": "kaethe@example.com"})
    me = person.fresh()
    assert (me["display_name"], me["email"]) == ("Käthe 🦊", "kaethe@example.com")
    person.api.put("/api/user/self", {"display_name": "K"})
    assert person.fresh()["email"] == "kaethe@example.com", "what is not named stays"


def test_a_new_password_ends_older_logins(site):
    user = site.user()
    second = site.login(user.username, user.password)
    new = site.canaries.make("a user's password")
    data = user.api.put("/api/user/self", {"password": new, "current_password": user.password})
    now = Api(site.http, site.canaries.add("a login token", data["token"], in_responses=False))
    assert now.get("/api/user/self")["id"] == user.id
    for old in (user.api, second):
        old.refused("GET", "/api/user/self", 401, "token_revoked")
    site.stranger().refused("POST", "/api/user/login", 401, "invalid_credentials",
                           json={"username": user.username, "password": user.password})
    assert site.login(user.username, new).get("/api/user/self")["id"] == user.id


@pytest.mark.parametrize("current", [None, "certainly wrong"], ids=["missing", "wrong"])
def test_a_new_password_needs_the_current_one(site, current):
    user = site.user()
    change = {"password": "another one", **({} if current is None else {"current_password": current})}
    reply = user.api.raw("PUT", "/api/user/self", json=change)
    expect(reply, (400, 401, 403))
    assert code_of(reply) not in ("token_revoked", "invalid_token")
    site.login(user.username, user.password)
    assert user.fresh()["id"] == user.id, "the login is still good"


def test_a_users_models_are_those_that_can_be_called(lab, person):
    rig = lab.rig()
    models = person.api.get("/api/user/self/models")
    names = [model if isinstance(model, str) else model["id"] for model in models]
    assert rig.model in names


def test_a_disabled_user_cannot_log_in_or_stay(site):
    user = site.user()
    site.root.put(f"/api/user/{user.id}", {"status": 0})
    expect(user.api.raw("GET", "/api/user/self"), (401, 403))
    reply = site.stranger().raw("POST", "/api/user/login", json={"username": user.username, "password": user.password})
    expect(reply, (401, 403))
    site.root.put(f"/api/user/{user.id}", {"status": 1})
    site.login(user.username, user.password)
