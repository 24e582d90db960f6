"""Usage rows: one for each call, with what it cost and how it ended."""

from datetime import datetime

import pytest

import scripts
from checks import expect
from polling import wait_for

FIELDS = {"request_id", "user_id", "token_id", "channel_id", "model", "upstream_model", "prompt_tokens",
          "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "price", "price_version", "quota",
          "unbilled", "estimated", "latency_ms", "first_byte_ms", "status", "state", "end_reason", "attempts", "stream",
          "created_at", "dropped"}


def test_a_row_tells_everything_about_a_call(lab):
    usage = scripts.usage_of(100, 20, prompt_tokens_details={"cached_tokens": 40, "cache_write_tokens": 30},
                             completion_tokens_details={"reasoning_tokens": 5})
    rig = lab.rig(scripts.chat(usage=usage), channel={"weight": 1})
    row = rig.wait_row(expect(rig.chat(), 200))
    assert set(row) == FIELDS, f"missing: {FIELDS - set(row)}, unknown: {set(row) - FIELDS}"
    expected = {
        "user_id": rig.user.id, "token_id": rig.token.id, "channel_id": rig.channel.id, "model": rig.model,
        "upstream_model": rig.model, "prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 40,
        "cache_write_tokens": 30, "reasoning_tokens": 5, "price_version": 0, "state": "settled", "attempts": 1, "unbilled": 0,
        "price": {"prompt": 10**6, "cached": 10**6, "cache_write": 10**6, "completion": 3 * 10**6},
        "quota": 160, "estimated": False, "status": 200, "end_reason": "complete", "stream": False,
    }
    assert {name: row[name] for name in expected} == expected
    assert 0 <= row["first_byte_ms"] <= row["latency_ms"] < 20_000


@pytest.mark.parametrize("asked", [True, False], ids=["usage-asked", "usage-not-asked"])
def test_a_streams_row_is_exact(lab, asked):
    rig = lab.rig(scripts.stream(usage=scripts.usage_of(50, 7)))
    reply, streamed = rig.stream(**({"stream_options": {"include_usage": True}} if asked else {}))
    streamed.assert_complete("Hello!")
    row = rig.wait_row(reply)
    assert (row["prompt_tokens"], row["completion_tokens"], row["quota"]) == (50, 7, 71)
    assert (row["estimated"], row["stream"], row["end_reason"]) == (False, True, "complete")


def test_a_call_without_usage_is_estimated(lab):
    rig = lab.rig(scripts.stream(["word "] * 40, reports_usage=False))
    reply, _ = rig.stream()
    row = rig.wait_row(reply)
    assert row["estimated"] is True
    assert row["prompt_tokens"] > 0 and 20 <= row["completion_tokens"] <= 200, row
    assert row["quota"] == scripts.cost(row["prompt_tokens"], row["completion_tokens"])


def test_an_answer_without_usage_is_estimated(lab):
    rig = lab.rig(scripts.chat("word " * 40, usage={}))
    row = rig.wait_row(expect(rig.chat(), 200))
    assert row["estimated"] is True and row["prompt_tokens"] > 0 and row["completion_tokens"] >= 20


@pytest.mark.parametrize("usage", [
    {"prompt_tokens": -5, "completion_tokens": -1}, {"prompt_tokens": "9", "completion_tokens": "x"}, "nonsense",
    {"prompt_tokens": 1e300, "completion_tokens": 3}, [], {"prompt_tokens": None, "completion_tokens": None},
], ids=["negative", "strings", "text", "huge", "list", "nulls"])
def test_nonsense_for_usage_costs_neither_nothing_nor_everything(lab, usage):
    rig = lab.rig(scripts.chat("word " * 10, usage=usage), owner=lab.user(quota=1_000_000))
    row = rig.wait_row(expect(rig.chat(max_tokens=100), 200))
    assert 0 < row["quota"] < 10_000, row
    assert rig.user.fresh()["quota"] == 1_000_000 - row["quota"]


def test_the_sums_agree_everywhere(lab):
    rig = lab.rig(owner=lab.user())
    replies = [expect(rig.chat(), 200) for _ in range(3)]
    rig.route.play(scripts.stream(usage=scripts.usage_of(11, 2)))
    replies.append(rig.stream()[0])
    for reply in replies:
        rig.wait_row(reply)
    rows = rig.token.rows()
    total = sum(row["quota"] for row in rows)
    assert len(rows) == 4 and total == 3 * scripts.cost() + scripts.cost(11, 2)
    me, token = rig.user.fresh(), rig.token.fresh()
    assert (me["used_quota"], me["request_count"]) == (total, 4)
    assert (token["used_quota"], token["request_count"]) == (total, 4)
    stat = rig.user.api.get("/api/log/self/stat")
    assert (stat["requests"], stat["quota"]) == (4, total)
    assert stat["prompt_tokens"] == sum(row["prompt_tokens"] for row in rows)
    assert stat["completion_tokens"] == sum(row["completion_tokens"] for row in rows)
    assert sum(item["quota"] for item in stat["items"]) == total
    assert {item["model"] for item in stat["items"]} == {rig.model} and all(item["day"] for item in stat["items"])
    everyone = rig.site.root.get("/api/log/stat", params={"model": rig.model})
    assert (everyone["requests"], everyone["quota"]) == (4, total)


@pytest.fixture(scope="module")
def history(shared_lab):
    """Five calls of one user: three of one model and key, two of another."""
    owner = shared_lab.user()
    first, second = shared_lab.rig(owner=owner), shared_lab.rig(owner=owner)
    for rig, count in [(first, 3), (second, 2)]:
        for _ in range(count):
            rig.wait_row(expect(rig.chat(), 200))
    return owner, first, second


def items(owner, **filters) -> list[dict]:
    return owner.api.get("/api/log/self", params=filters)["items"]


def test_rows_are_filtered_by_model_and_key(history):
    owner, first, second = history
    assert len(items(owner)) == 5
    assert {row["model"] for row in items(owner, model=first.model)} == {first.model}
    assert len(items(owner, model=first.model)) == 3
    assert len(items(owner, token_id=second.token.id)) == 2
    assert items(owner, model=first.model, token_id=second.token.id) == []
    assert items(owner, model="no-such-model") == []


def test_rows_are_filtered_by_time(history):
    owner, *_ = history
    rows = items(owner)
    middle = rows[2]["created_at"]
    later = {row["request_id"] for row in items(owner, **{"from": middle})}
    earlier = {row["request_id"] for row in items(owner, to=middle)}
    assert {row["request_id"] for row in rows[:2]} <= later
    assert {row["request_id"] for row in rows[3:]} <= earlier
    assert later | earlier == {row["request_id"] for row in rows}
    assert len(later) < 5 or len(earlier) < 5, "a filter that filters"


def test_rows_come_newest_first_and_page_by_page(history):
    owner, *_ = history
    whole = items(owner)
    times = [datetime.fromisoformat(row["created_at"]) for row in whole]
    assert times == sorted(times, reverse=True)
    paged, cursor, pages = [], None, 0
    while True:
        page = owner.api.get("/api/log/self", params={"page_size": 2, **({"cursor": cursor} if cursor else {})})
        paged += page["items"]
        pages += 1
        assert pages <= 4, "the pages do not end"
        if not (cursor := page["next_cursor"]):
            break
    assert paged == whole and pages == 3


def test_nobody_sees_the_rows_of_others(site, history):
    owner, first, _ = history
    stranger = site.user()
    for filters in ({}, {"token_id": first.token.id}, {"model": first.model}, {"user_id": owner.id}):
        reply = stranger.api.raw("GET", "/api/log/self", params=filters)
        assert reply.status_code in (200, 400, 404), reply.text
        if reply.status_code == 200:
            assert reply.json()["data"]["items"] == []


def test_an_admin_sees_all_rows(site, history):
    owner, first, _ = history
    rows = site.root.get("/api/log", params={"model": first.model})["items"]
    assert len(rows) == 3 and {row["user_id"] for row in rows} == {owner.id}
    assert set(rows[0]) == FIELDS | {"failures"} and rows[0]["failures"] == []


@pytest.fixture(scope="module")
def mixture(shared_lab):
    """Two users, three keys, two models, two channels for one of these; one channel fails at first."""
    first, second = shared_lab.user(), shared_lab.user()
    rig = shared_lab.rig(scripts.error(500), scripts.error(500), scripts.chat(), owner=first, channel={"priority": 2})
    backup = shared_lab.channel(shared_lab.route(scripts.chat(usage=scripts.usage_of(5, 1))), rig.model, priority=1)
    other = shared_lab.rig(scripts.error(400, type="invalid_request_error"), scripts.chat(), owner=second)
    again = shared_lab.token(first)
    for token, model, status in [(rig.token, rig.model, 200), (again, rig.model, 200), (rig.token, rig.model, 200),
                                 (other.token, other.model, 400), (other.token, other.model, 200)]:
        token.wait_row(expect(token.relay.chat(model), status))
    return rig, backup, other, again


def by(api, path: str, key: str, **filters) -> dict:
    """What the sums say of each model, user, key or channel: requests, failures, units."""
    field = {"model": "model"}.get(key, f"{key}_id")
    sums = api.get(path, params={"by": key, **filters})
    for item in sums["items"]:
        assert set(item) == {"day", field, "requests", "failures", "prompt_tokens", "completion_tokens", "quota"}, item
    for name in ("requests", "failures", "prompt_tokens", "completion_tokens", "quota"):
        assert sums[name] == sum(item[name] for item in sums["items"])
    found = {}
    for item in sums["items"]:
        # There are two days of them if midnight came in between.
        before = found.get(item[field], (0, 0, 0))
        found[item[field]] = (before[0] + item["requests"], before[1] + item["failures"], before[2] + item["quota"])
    return found


CHEAP, DEAR = scripts.cost(5, 1), scripts.cost()


def test_sums_are_made_by_model_user_key_and_channel(site, mixture):
    rig, backup, other, again = mixture
    for model, own in [(rig.model, {
        "user": {rig.user.id: (3, 2, 2 * CHEAP + DEAR)},
        "token": {rig.token.id: (2, 1, CHEAP + DEAR), again.id: (1, 1, CHEAP)},
        "channel": {rig.channel.id: (1, 2, DEAR), backup.id: (2, 0, 2 * CHEAP)},
        "model": {rig.model: (3, 2, 2 * CHEAP + DEAR)},
    }), (other.model, {
        "user": {other.user.id: (2, 1, DEAR)}, "token": {other.token.id: (2, 1, DEAR)},
        "channel": {other.channel.id: (2, 1, DEAR)}, "model": {other.model: (2, 1, DEAR)},
    })]:
        for key, expected in own.items():
            assert by(site.root, "/api/log/stat", key, model=model) == expected, key
    assert by(site.root, "/api/log/stat", "user", user_id=rig.user.id) == {rig.user.id: (3, 2, 2 * CHEAP + DEAR)}
    assert by(site.root, "/api/log/stat", "model", channel_id=backup.id) == {rig.model: (2, 0, 2 * CHEAP)}
    assert by(site.root, "/api/log/stat", "model", channel_id=rig.channel.id) == {rig.model: (1, 2, DEAR)}
    assert by(site.root, "/api/log/stat", "channel", token_id=again.id) == {
        rig.channel.id: (0, 1, 0), backup.id: (1, 0, CHEAP)}


def test_users_sum_up_their_own_usage_only(mixture):
    rig, _, other, again = mixture
    for key, expected in [("user", {rig.user.id: (3, 2, 2 * CHEAP + DEAR)}), ("model", {rig.model: (3, 2, 2 * CHEAP + DEAR)}),
                          ("token", {rig.token.id: (2, 1, CHEAP + DEAR), again.id: (1, 1, CHEAP)})]:
        for filters in ({}, {"user_id": other.user.id}):
            reply = rig.user.api.raw("GET", "/api/log/self/stat", params={"by": key, **filters})
            # Whether another user's id is ignored or refused: their usage is not told.
            if filters and reply.status_code in (400, 403, 404):
                continue
            got = by(rig.user.api, "/api/log/self/stat", key, **filters)
            assert got == expected or (filters and got == {}), key
    assert by(rig.user.api, "/api/log/self/stat", "model", token_id=other.token.id) == {}


@pytest.mark.parametrize("path", ["/api/log/stat", "/api/log/self/stat"])
def test_without_a_word_sums_are_made_by_model(site, mixture, path):
    rig, *_ = mixture
    api = site.root if path == "/api/log/stat" else rig.user.api
    filters = {"model": rig.model}
    assert api.get(path, params=filters) == api.get(path, params={"by": "model", **filters})
    for bad in ("day", "Model", "", "model,user"):
        api.refused("GET", path, 400, params={"by": bad})


def test_only_admins_see_which_channels_failed(site, mixture):
    rig, backup, other, again = mixture
    rows = {row["request_id"]: row for row in site.root.get("/api/log", params={"user_id": rig.user.id})["items"]}
    assert len(rows) == 3
    mine = [*rig.token.rows(), *again.rows()]
    for row in mine:
        assert "failures" not in row
        failures = rows[row["request_id"]]["failures"]
        if row["channel_id"] == backup.id:
            assert failures == [{"channel_id": rig.channel.id, "fault": "server"}] and row["attempts"] == 2
        else:
            assert failures == [] and row["attempts"] == 1
    refused, = [row for row in site.root.get("/api/log", params={"user_id": other.user.id})["items"] if row["status"] == 400]
    assert (refused["state"], refused["quota"], refused["end_reason"]) == ("void", 0, "refused")
    assert refused["failures"] == [{"channel_id": other.channel.id, "fault": "rejected"}]


def test_every_request_has_exactly_one_row(lab):
    rig = lab.rig()
    ids = {expect(rig.chat(), 200).headers["x-request-id"] for _ in range(10)}
    wait_for(lambda: len(rig.token.rows()) >= 10, "ten usage rows")
    assert {row["request_id"] for row in rig.token.rows()} == ids and len(rig.token.rows()) == 10
