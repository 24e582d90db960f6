"""Promises of the hardening notes by their ids, where no other file has them."""

import hashlib
import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest

import scripts
from checks import code_of, expect
from rawhttp import RawConnection
from world import Api, Lab, Relay


@pytest.mark.own
def test_h1_no_secret_comes_out(process, open_site, canaries):
    """Everything that has a secret is used, well and badly, with the most talkative log. The clients
    search every answer; what was printed and stored is searched when the process has ended."""
    site = open_site()
    lab = Lab(site)
    key = lab.provider_key()
    echo = scripts.error(401, f"Incorrect API key provided: {key}")
    rig = lab.rig(echo, owner=site.user(), channel={"key": key})
    for answer in (echo, scripts.answer(500, key.encode(), "text/plain"), scripts.chat()):
        rig.route.play(answer)
        for stream in (False, True):
            rig.chat(stream=stream)
    site.root.put(f"/api/channel/{rig.channel.id}", {"key": lab.provider_key()})
    site.root.raw("POST", f"/api/channel/{rig.channel.id}/test")
    site.stranger().raw("POST", "/api/user/login", json={"username": rig.user.username, "password": rig.user.password + "x"})
    # Secrets where they do not belong: nobody may write down what did not fit.
    Relay(site.http, rig.token.key + "x").chat(rig.model)
    site.http.get("/v1/models", params={"key": rig.token.key})
    site.anonymous.raw("POST", "/api/user/register", json={"username": "x", "password": rig.user.password, "sk": 1})
    rig.user.api.raw("PUT", "/api/user/self", json={"password": rig.user.password, "current_password": rig.user.password})
    with RawConnection(site.gateway.url) as connection:
        connection.send(connection.head("GET", "/v1/models", [("Authorization", f"Bearer {rig.token.key} {rig.user.password}")]))
        assert connection.reply().status == 401
    assert canaries.violations == []
    process.terminate()
    process.wait_exit()
    files = [file for file in process.directory.rglob("*") if file.is_file() and file.stat().st_size]
    assert {"stderr.log"} <= {file.name for file in files} and any("sqlite" in file.name or file.suffix == ".db" for file in files)
    process.check_secrets()


def test_h5_every_older_login_ends(lab):
    """A new password, a new role and a disabled account end what was given before."""
    root = lab.site.root
    for change in ({"role": 10}, {"status": 0}):
        user = lab.user()
        root.put(f"/api/user/{user.id}", change)
        user.api.refused("GET", "/api/user/self", (401, 403), ("token_revoked", "account_disabled"))
        root.put(f"/api/user/{user.id}", {"role": 1, "status": 1})
        user.api.refused("GET", "/api/user/self", 401, "token_revoked")


def test_h6_keys_are_hashed_and_shown_once(site, lab):
    user = lab.user()
    token = lab.token(user)
    assert re.fullmatch(r"sk-[0-9A-Za-z]{40,60}", token.key)
    shown = user.api.get(f"/api/token/{token.id}")["key"]
    assert shown == f"{token.key[:7]}...{token.key[-4:]}"
    # What cannot be a key is refused by its form: one letter changed, one missing, one too many.
    for bad in (token.key[:-1], token.key + "a", token.key[:9] + ("a" if token.key[9] != "a" else "b") + token.key[10:], "sk-" + "a" * 49):
        expect(Relay(site.http, bad).request("GET", "/v1/models"), 401, "invalid_api_key")


@pytest.mark.native
def test_h6_what_is_stored_is_a_digest(process, open_site):
    site = open_site()
    token = site.token()
    with sqlite3.connect(f"file:{process.database()}?mode=ro", uri=True) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(tokens)")]
        row = dict(zip(columns, db.execute("SELECT * FROM tokens WHERE id = ?", (token.id,)).fetchone(), strict=True))
    assert row["digest"] == hashlib.sha256(token.key.encode()).hexdigest()
    assert token.key not in json.dumps(row)


def test_h11_answers_of_the_api_are_not_kept_and_not_guessed(site):
    for reply in (site.root.raw("GET", "/api/user/self"), site.anonymous.raw("GET", "/api/user/self"), site.anonymous.raw("GET", "/api/x")):
        assert reply.headers["cache-control"] == "no-store" and reply.headers["x-content-type-options"] == "nosniff"
    for reply in (site.http.get("/health"), site.http.get("/v1/models")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.own
def test_h12_guesses_that_are_made_at_once_are_counted(site):
    user = site.user()
    stranger = site.stranger()

    def guess(number: int) -> tuple[int, str | None]:
        reply = stranger.raw("POST", "/api/user/login", json={"username": user.username, "password": f"wrong {number}"},
                             headers={"x-forwarded-for": f"203.0.113.{number}"})
        return reply.status_code, code_of(reply)

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(guess, range(24)))
    assert set(answers) <= {(401, "invalid_credentials"), (429, "too_many_attempts"), (503, "busy")}, set(answers)
    assert 1 <= answers.count((401, "invalid_credentials")) <= 5, answers
    assert answers.count((429, "too_many_attempts")) >= 24 - 5 - answers.count((503, "busy"))


@pytest.mark.own
def test_h12_an_unknown_user_is_counted_and_answered_like_a_known_one(site):
    user = site.user()
    answers = []
    for username in (user.username, user.username + "-nobody"):
        stranger = site.stranger()
        replies = [stranger.raw("POST", "/api/user/login", json={"username": username, "password": "wrong"}) for _ in range(6)]
        answers.append([(reply.status_code, reply.text) for reply in replies])
    assert answers[0] == answers[1]
    assert [status for status, _ in answers[0]] == [401] * 5 + [429]


@pytest.mark.own
def test_h12_an_address_is_kept_out_whoever_it_names(site):
    stranger = site.stranger()

    def attempt(number: int) -> int:
        return stranger.raw("POST", "/api/user/login", json={"username": f"nobody-{number}", "password": "wrong"}).status_code

    assert [attempt(number) for number in range(20)] == [401] * 20
    assert attempt(20) == 429
    # Others are not kept out, and who gets in is not counted.
    user = site.user()
    friend = site.stranger()
    for _ in range(22):
        data = friend.post("/api/user/login", {"username": user.username, "password": user.password})
        site.canaries.add("a login token", data["token"], in_responses=False)


def test_h14_an_entry_says_who_did_what_to_what_when_and_from_where(site, lab):
    admin, user = lab.user(role=10), lab.user()
    before = datetime.now(timezone.utc)
    reply = expect(admin.api.raw("PUT", f"/api/user/{user.id}", json={"status": 0}), 200)
    entry, = site.root.get("/api/audit", params={"actor_id": admin.id, "object_id": user.id, "object": "user"})["items"]
    assert (entry["action"], entry["detail"], entry["request_id"]) == ("user.update", {"status": 0}, reply.headers["x-request-id"])
    assert entry["address"]
    assert abs((datetime.fromisoformat(entry["created_at"]) - before).total_seconds()) < 60
    # Nobody writes it but the gateway.
    for method in ("POST", "PUT", "DELETE"):
        assert site.root.raw(method, "/api/audit").status_code == 405


def test_s6_what_is_no_completion_costs_nothing_even_if_it_says_so(lab):
    """An error in a 200 that reports usage is still an error."""
    body = {"error": {"message": "all wrong", "code": "boom"}, "usage": scripts.usage_of(1000, 1000)}
    rig = lab.rig(scripts.answer(200, json.dumps(body).encode()))
    expect(rig.chat(), 502, "upstream_malformed")
    assert rig.token.fresh()["used_quota"] == 0


@pytest.mark.own
def test_h13_the_default_password_relays_nothing(spawn):
    site = spawn(ADMIN_PASSWORD=None)
    jwt = site.anonymous.post("/api/user/login", {"username": "admin", "password": "123456"})["token"]
    Api(site.http, jwt).refused("POST", "/api/token", 403, "password_change_required", json={"name": "x"})
    assert expect(site.http.get("/ready"), 200).json()["setup_required"] is True
