"""Calls are kept one by one for so many days; the sums of their days are kept for ever."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import httpx
import pytest

import scripts
from checks import expect
from gateway import RUNTIME
from polling import wait_for
from world import Lab, Site

DAY = timedelta(days=1)


@pytest.mark.parametrize("days", [0, -1, 36_501, 2**32, 1.5, "30", True, [30]], ids=str)
def test_a_number_of_days_that_makes_no_sense_is_refused(site, days):
    before = site.root.get("/api/option")
    site.root.refused("PUT", "/api/option", 400, json={"retention_days": days})
    assert site.root.get("/api/option") == before


@pytest.mark.own
def test_the_number_of_days_is_an_option(spawn):
    site = spawn(RETENTION_DAYS="30")
    assert site.root.get("/api/option")["retention_days"] == 30
    for days in (1, 36_500, 7):
        assert site.root.put("/api/option", {"retention_days": days})["retention_days"] == days
    # What a change leaves out stays.
    site.root.put("/api/option", {"registration_open": True})
    assert site.root.get("/api/option")["retention_days"] == 7


def test_ninety_days_are_the_default(site):
    assert site.root.get("/api/option")["retention_days"] == 90


@pytest.mark.native
@pytest.mark.parametrize("value", ["0", "-1", "36501", "soon", "1.5"])
def test_a_setting_that_makes_no_sense_is_refused_at_the_start(launcher, value):
    process = launcher(RETENTION_DAYS=value)
    process.launch()
    assert process.wait_exit(10) not in (0, -9)
    assert "RETENTION_DAYS" in process.stderr.read_text() + process.stdout.read_text()
    process.remove()


AGES = [0, 0, 3, 3, 20, 89, 95, 400]
"""How many days ago the calls of this history were made, the newest first."""


def tell_old(database, ages: list[int]) -> None:
    """Moves calls of a stopped gateway into the past; their ids begin with the time, too."""
    with closing(sqlite3.connect(database)) as db, db:
        calls = db.execute("SELECT request_id, created_at FROM calls ORDER BY request_id DESC").fetchall()
        assert len(calls) == len(ages)
        for (request_id, created_at), age in zip(calls, ages, strict=True):
            at = created_at - age * 86_400_000
            moved = f"{at >> 16:08x}-{at & 0xffff:04x}{request_id[13:]}"
            db.execute("UPDATE calls SET request_id = ?, created_at = ?, expires_at = expires_at - ? WHERE request_id = ?",
                       (moved, at, created_at - at, request_id))


def keep_house(site: Site) -> None:
    """A process does it when it starts, and every hour; a Worker when its cron says so."""
    if RUNTIME == "worker":
        reply = httpx.get(site.gateway.url + "/__test/scheduled", trust_env=False)
        assert reply.json() == {"outcome": "ok"}, reply.text


TODAY = datetime.now(timezone.utc)
"""For all tests, though midnight may come in between."""


def date(days_ago: int) -> str:
    return (TODAY - days_ago * DAY).date().isoformat()


EVER = date(1000)
"""Without a beginning only the last month is summed up."""


class Accountant:
    """Adds up what rows and sums say, in every way in which one can ask."""

    def __init__(self, site: Site, rig):
        self.admin = site.root
        self.user = site.login(rig.user.username, rig.user.password)

    def rows(self) -> list[dict]:
        return self.admin.get("/api/log", params={"page_size": 200})["items"]

    def sums(self) -> dict:
        """By every key, of all days and of some whole ones, for the admin and for the user."""
        return {(path, key, start, end): api.get(path, params={"by": key, "from": start, **({"to": end} if end else {})})
                for api, path in ((self.admin, "/api/log/stat"), (self.user, "/api/log/self/stat"))
                for key in ("model", "user", "token", "channel")
                for start, end in ((EVER, None), (date(20), None), (EVER, date(3)), (date(95), date(0)), (date(3), date(2)))}


def expected(rows: list[dict]) -> tuple[int, int, int, int]:
    return (len(rows), sum(row["quota"] for row in rows), sum(row["prompt_tokens"] for row in rows),
            sum(row["completion_tokens"] for row in rows))


def total(sums: dict) -> tuple[int, int, int, int]:
    return sums["requests"], sums["quota"], sums["prompt_tokens"], sums["completion_tokens"]


@pytest.mark.own
def test_old_calls_are_summed_up_and_deleted_and_no_sum_changes(process, open_site):
    site = open_site()
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=10**6), channel={"priority": 2})
    backup = lab.route(scripts.chat(usage=scripts.usage_of(4, 4)))
    backup_id = lab.channel(backup, rig.model, priority=1).id
    answers = [scripts.chat(usage=scripts.usage_of(10 + number, number)) for number in range(len(AGES))]
    # One was answered by the second channel, one by none.
    answers[1], answers[5] = scripts.error(500), scripts.error(400, type="invalid_request_error")
    for answer in answers:
        rig.route.play(answer)
        rig.wait_row(rig.chat(max_tokens=100))
    process.stop()
    tell_old(process.database(), AGES)
    process.environment["RETENTION_DAYS"] = "36500"

    # Kept for a hundred years: all rows are there, and most are in the sums of their days.
    site = open_site()
    keep_house(site)
    accountant = Accountant(site, rig)
    wait_for(lambda: marked(site), "the old days to be summed up")
    rows = accountant.rows()
    assert len(rows) == len(AGES)
    sums = accountant.sums()
    whole = sums["/api/log/stat", "model", EVER, None]
    assert total(whole) == expected(rows) and whole["failures"] == 2
    for (path, key, start, end), found in sums.items():
        within = [row for row in rows if row["created_at"][:10] >= start and (end is None or row["created_at"][:10] < end)]
        assert total(found) == expected(within), (path, key, start, end)
    by_channel = {item["channel_id"] for item in sums["/api/log/stat", "channel", EVER, None]["items"]}
    assert by_channel == {rig.channel.id, backup_id}
    assert accountant.user.get("/api/user/self")["used_quota"] == whole["quota"]
    process.stop()

    # Kept for ninety days, then for two: rows go, and nothing else changes.
    for days, set_by in ((90, "environment"), (2, "option")):
        if set_by == "environment":
            process.environment["RETENTION_DAYS"] = str(days)
        site = open_site()
        if set_by == "option":
            site.root.put("/api/option", {"retention_days": days})
            if RUNTIME == "native":
                process.stop()
                site = open_site()
        keep_house(site)
        accountant = Accountant(site, rig)
        kept = [row for row, age in zip(rows, AGES, strict=True) if age <= days]
        wait_for(lambda: len(accountant.rows()) <= len(kept), f"calls of more than {days} days ago to be deleted",
                 detail=lambda: [row["created_at"] for row in accountant.rows()])
        assert accountant.rows() == kept
        assert accountant.user.get("/api/log/self")["items"] == [{k: v for k, v in row.items() if k != "failures"} for row in kept]
        assert accountant.sums() == sums
        me = accountant.user.get("/api/user/self")
        assert (me["used_quota"], me["request_count"]) == (whole["quota"], len(AGES))
        process.stop()

    # Life goes on, and the sums with it.
    site = open_site()
    token_header = {"authorization": f"Bearer {rig.token.key}"}
    rig.route.play(scripts.chat(usage=scripts.usage_of(50, 1)))
    body = {"model": rig.model, "messages": [{"role": "user", "content": "x"}]}
    expect(site.http.post("/v1/chat/completions", json=body, headers=token_header), 200)
    accountant = Accountant(site, rig)
    wait_for(lambda: accountant.sums()["/api/log/stat", "model", EVER, None]["quota"] == whole["quota"] + 53, "the new call in the sums")


def marked(site: Site) -> bool:
    """Whether the days that are over have been summed up; a Worker's cron has ended by then."""
    if RUNTIME == "worker":
        return True
    with closing(sqlite3.connect(f"file:{site.gateway.database()}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute("SELECT SUM(requests) FROM usage_days").fetchone()[0] == sum(age > 0 for age in AGES)


@pytest.mark.own
def test_more_calls_than_one_turn_takes_are_summed_up(process, open_site):
    """A turn takes a thousand; there are as many turns as it needs."""
    site = open_site()
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=10**6))
    for _ in range(3):
        rig.wait_row(expect(rig.chat(max_tokens=100), 200))
    process.stop()
    tell_old(process.database(), [10, 20, 30])
    copies = 2500
    with closing(sqlite3.connect(process.database())) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(calls)") if row[1] not in ("request_id", "state", "quota")]
        first, = db.execute("SELECT MIN(request_id) FROM calls").fetchone()
        # Each is held and then settled, as any call is: triggers carry its money.
        db.execute(f"INSERT INTO calls (request_id, state, {', '.join(columns)}) SELECT substr(request_id, 1, 24) || printf('%012x', n.value), "
                   f"'held', {', '.join(columns)} FROM calls, (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n "
                   f"WHERE value < {copies}) SELECT value FROM n) AS n WHERE request_id = ?", (first,))
        db.execute("UPDATE calls SET state = 'settled', quota = ? WHERE state = 'held'", (scripts.cost(),))
    site = open_site()
    keep_house(site)
    accountant = Accountant(site, rig)
    site.root.put("/api/option", {"retention_days": 25})
    if RUNTIME == "native":
        process.stop()
        site = open_site()
        accountant = Accountant(site, rig)
    keep_house(site)
    wait_for(lambda: len(accountant.rows()) == 2, "all but two to be deleted", 20, detail=lambda: len(accountant.rows()))
    sums = accountant.admin.get("/api/log/stat", params={"from": EVER})
    assert (sums["requests"], sums["quota"]) == (copies + 3, (copies + 3) * scripts.cost())
    assert accountant.user.get("/api/user/self")["used_quota"] == sums["quota"]
