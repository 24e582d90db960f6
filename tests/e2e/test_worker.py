"""What only a Worker has to answer for: its trips to D1, its cron, its isolate, its settings."""

import hashlib
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import scripts
import sse
from checks import expect
from gateway import REPOSITORY
from polling import wait_for
from transport import http_client
from world import Lab, Relay, Site

pytestmark = pytest.mark.worker

TEST_WORKER = os.environ.get("TEST_WORKER_DIR") or str(REPOSITORY / "build/test-worker/dev")


def d1(site: Site, **change) -> list[dict]:
    """The trips to D1 since the last look; `delay` and `fail` change what becomes of the next."""
    return httpx.get(site.gateway.url + "/__test/d1", params=change, trust_env=False).json()["trips"]


def settled(rig, reply) -> dict:
    return rig.wait_row(reply)


CALLS = {
    "whole": (scripts.chat, lambda rig: rig.chat()),
    "streamed": (scripts.stream, lambda rig: rig.stream()[0]),
    "embeddings": (scripts.embeddings, lambda rig: rig.relay.embed(rig.model)),
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_makes_one_trip_before_and_one_after(lab, kind):
    script, call = CALLS[kind]
    rig = lab.rig(script())
    settled(rig, expect(call(rig), 200))
    d1(lab.site)
    replies = [expect(call(rig), 200) for _ in range(3)]
    trips = []
    wait_for(lambda: trips.extend(d1(lab.site)) or len(trips) >= 6, "six trips", detail=lambda: trips)
    # Nothing else was under way: one batch reserves, one settles, and no query is left over.
    assert [trip["what"] for trip in trips] == ["batch"] * 6, trips
    for reply in replies:
        settled(rig, reply)


def test_a_refused_call_makes_one_trip(lab):
    rig = lab.rig(owner=lab.user(quota=0))
    expect(rig.chat(), 403, "insufficient_quota")
    d1(lab.site)
    expect(rig.chat(), 403, "insufficient_quota")
    assert [trip["what"] for trip in d1(lab.site)] == ["batch"]


@pytest.mark.parametrize("kind", CALLS)
def test_nobody_waits_for_the_settlement(lab, kind):
    script, call = CALLS[kind]
    rig = lab.rig(script())
    settled(rig, expect(call(rig), 200))
    delay = 0.6
    d1(lab.site, delay=int(delay * 1000))
    try:
        start = time.monotonic()
        reply = expect(call(rig), 200)
        took = time.monotonic() - start
        assert delay <= took < 2 * delay, "it waits for the reserve, and for that alone"
    finally:
        d1(lab.site, delay=0)
    settled(rig, reply)


@pytest.mark.parametrize("failure", ["before", "after"])
def test_a_trip_that_fails_is_repeated_and_charges_once(lab, failure):
    """D1 went away before it did the work, or after it: the gateway cannot tell, and need not."""
    rig = lab.rig(scripts.chat(), owner=lab.user())
    settled(rig, expect(rig.chat(), 200))
    d1(lab.site, fail=f"{failure},,{failure}")
    row = settled(rig, expect(rig.chat(), 200))
    assert row["quota"] == scripts.cost() and len(rig.token.rows()) == 2 == rig.route.calls
    assert rig.user.fresh()["used_quota"] == 2 * scripts.cost()


def test_d1_that_stays_away_is_an_answer(lab):
    rig = lab.rig(scripts.chat(), owner=lab.user())
    settled(rig, expect(rig.chat(), 200))
    d1(lab.site, fail=",".join(["before"] * 4))
    expect(rig.chat(), 503, "ledger_unavailable")
    d1(lab.site, fail="")
    assert rig.route.calls == 1
    rig.wait_row(expect(rig.chat(), 200))
    assert rig.user.fresh()["used_quota"] == 2 * scripts.cost()


def test_a_client_that_leaves_while_d1_is_slow_leaves_no_hold(lab):
    rig = lab.rig(scripts.chat(), owner=lab.user(quota=45_000))
    settled(rig, expect(rig.chat(), 200))
    d1(lab.site, delay=700)
    with pytest.raises(httpx.TimeoutException):
        rig.site.http.post("/v1/chat/completions", json={"model": rig.model, "messages": [], "max_tokens": 10_000}
                           | {"messages": [{"role": "user", "content": "x"}]},
                           headers={"authorization": f"Bearer {rig.token.key}"}, timeout=0.3)
    d1(lab.site, delay=0)
    # Whatever it came to: its hold is closed, so that a call of the same size fits again.
    wait_for(lambda: len(rig.token.rows()) == 2, "the second row", detail=rig.token.rows)
    settled(rig, expect(rig.chat(max_tokens=10_000), 200))


def cached(site: Site, what: str) -> httpx.Response:
    return httpx.get(site.gateway.url + "/__test/cache", params={"url": f"https://gateway.invalid/v1/{what}"}, trust_env=False)


def test_copies_are_kept_by_digest_and_without_money_or_names(lab):
    rig = lab.rig(owner=lab.user())
    settled(rig, expect(rig.chat(), 200))
    digest = hashlib.sha256(rig.token.key.encode()).hexdigest()
    copy = wait_for(lambda: cached(lab.site, f"principal/{digest}").is_success and cached(lab.site, f"principal/{digest}"), "the copy")
    user, token = copy.json()["snapshot"]["Principal"]["user"], copy.json()["snapshot"]["Principal"]["token"]
    assert user["id"] == rig.user.fresh()["id"]
    for money in (user["granted"], user["spent"], user["held"], token["spent"], token["held"]):
        assert money == 0, copy.text
    assert rig.user.username not in copy.text and rig.token.key not in copy.text
    assert rig.channel.key not in cached(lab.site, "routing").text
    # A change is forgotten here at once.
    rig.user.api.put(f"/api/token/{rig.token.id}", {"name": "another"})
    assert cached(lab.site, f"principal/{digest}").status_code == 404


def test_another_isolate_finds_the_copies_and_a_revoked_key_spends_nothing_there(running):
    with running(TWIN="1") as site:
        rig = Lab(site).rig(owner=site.user())
        settled(rig, expect(rig.chat(), 200))
        twin = re.search(r"^twin at (http://\S+)$", site.gateway.stdout.read_text(), re.MULTILINE).group(1)
        with http_client(twin, site.canaries) as http:
            there = Relay(http, rig.token.key)
            trips = lambda: httpx.get(twin + "/__test/d1", trust_env=False).json()["trips"]
            seen = []
            settled(rig, expect(there.chat(rig.model), 200))
            wait_for(lambda: seen.extend(trips()) or len(seen) >= 2, "two trips", detail=lambda: seen)
            assert [trip["what"] for trip in seen] == ["batch", "batch"], "its first call read nothing from D1"
            rig.user.api.put(f"/api/token/{rig.token.id}", {"status": 0})
            before = rig.route.calls
            expect(there.chat(rig.model), 401, "invalid_api_key")
            assert rig.route.calls == before


def test_the_cron_closes_what_an_isolate_left_open(process, open_site):
    """The process dies in the middle of a stream; when the hold has expired, the cron charges its floor."""
    process.environment["TOTAL_TIMEOUT_MS"] = "1000"
    site = open_site()
    rig = Lab(site).rig(scripts.broken_stream(["begun"], "stall"), owner=site.user(quota=45_000))
    with rig.streaming(max_tokens=10_000) as reply:
        data = reply.iter_bytes()
        while b"begun" not in next(data):
            pass
        process.kill()
    again = open_site()
    owner = again.login(rig.user.username, rig.user.password)
    assert owner.get("/api/log/self")["items"] == []
    run_cron(again)
    assert owner.get("/api/log/self")["items"] == [], "it has not expired yet"
    # A hold outlives the call's limit by a minute; the test moves its end instead of waiting.
    reply = httpx.post(again.gateway.url + "/__test/expire", params={"seconds": 62}, trust_env=False)
    assert reply.json() == {"moved": 1}, reply.text
    run_cron(again)
    row, = owner.get("/api/log/self")["items"]
    assert row["end_reason"] == "orphan" and 0 < row["quota"] < 100, row
    assert owner.get("/api/user/self")["quota"] == 45_000 - row["quota"]


def run_cron(site: Site) -> None:
    reply = httpx.get(site.gateway.url + "/__test/scheduled", trust_env=False)
    assert reply.json() == {"outcome": "ok"}, reply.text


@pytest.mark.parametrize(("name", "value"), [
    ("JWT_SECRET", None), ("JWT_SECRET", "tiny-3f9"), ("MASTER_KEYS", None), ("MASTER_KEYS", "k1:tiny"),
    ("IDLE_TIMEOUT_MS", "soon"), ("NEW_USER_QUOTA", "-1"), ("ALLOWED_ORIGINS", "nowhere"),
])
def test_a_bad_setting_is_named_in_the_log_and_serves_nobody(launcher, name, value):
    process = launcher(**{name: value})
    url = process.start().url
    for path in ("/health", "/v1/models", "/api/user/self"):
        expect(httpx.get(url + path, trust_env=False), 503, "misconfigured")
    log = process.log_since(0)
    assert f"this Worker cannot serve: {name}" in log, log[-500:]
    assert value is None or name == "NEW_USER_QUOTA" or "tiny" not in log
    process.stop()
    process.remove()


def test_a_database_without_tables_is_an_answer(launcher):
    process = launcher(MIGRATE="0")
    url = process.start().url
    reply = httpx.post(url + "/api/user/login", json={"username": "admin", "password": "x"}, trust_env=False)
    assert reply.status_code == 503 and reply.json()["success"] is False, reply.text
    assert "no such table" in process.log_since(0)
    process.check_books = lambda: None
    process.stop()
    process.remove()


@pytest.fixture(scope="module")
def clumsy_site(running):
    """The test-only Worker: the gateway, and what panics."""
    with running(WORKER_DIR=TEST_WORKER) as site:
        yield site


@pytest.fixture
def clumsy(clumsy_site):
    lab = Lab(clumsy_site)
    yield lab
    lab.close()


def test_a_panic_ends_its_own_request_only(clumsy):
    site = clumsy.site
    gate = clumsy.gate()
    rig = clumsy.rig(scripts.stream(["a", "b", "c"], gates={1: gate}))
    with ThreadPoolExecutor(3) as pool:
        streams = [pool.submit(rig.stream) for _ in range(3)]
        gate.wait_arrived(3)
        for _ in range(2):
            reply = httpx.get(site.gateway.url + "/__test/panic", trust_env=False)
            assert reply.status_code == 500 and reply.json()["code"] == "internal_error", reply.text
        gate.open()
        for reply, streamed in (stream.result() for stream in streams):
            streamed.assert_complete("abc")
            assert settled(rig, reply)["end_reason"] == "complete"
    # The isolate is the same one: its copies of key and channels are still there.
    d1(site)
    settled_after = expect(rig.chat(stream=True), 200)
    trips = []
    wait_for(lambda: trips.extend(d1(site)) or len(trips) >= 2, "two trips")
    assert [trip["what"] for trip in trips] == ["batch", "batch"]
    settled(rig, settled_after)


def test_a_body_that_panics_ends_and_nothing_else_does(clumsy):
    rig = clumsy.rig(scripts.stream())
    with pytest.raises(httpx.HTTPError):
        with httpx.stream("GET", clumsy.site.gateway.url + "/__test/panic-stream", trust_env=False, timeout=5) as reply:
            got = b"".join(reply.iter_bytes())
            # Whether the end looks clean is workerd's business: the pieces before it have come.
            assert got == b"data: piece\n\n" * 2
            raise httpx.HTTPError("it ended")
    rig.stream()[1].assert_complete("Hello!")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("where", ["encode", "decode"])
def test_a_provider_that_panics_is_charged_like_any_other_fault(clumsy, where, stream):
    model = f"panic-{where}-{clumsy.model()}"
    rig = clumsy.rig(scripts.stream(["one ", "two ", "three ", "four"]) if stream else scripts.chat())
    clumsy.channel(rig.route, model, type="clumsy")
    reply = rig.relay.chat(model, stream=stream)
    if reply.status_code == 200:
        streamed = sse.parse(reply.content)
        assert stream and streamed.errors and not streamed.done, reply.text
    else:
        expect(reply, 500, "internal_error")
    row = settled(rig, reply)
    begun = reply.status_code == 200
    assert begun == (stream and where == "decode")
    assert row["end_reason"] == ("upstream_error" if begun else "refused"), row
    assert (row["quota"] > 0) == begun and rig.token.fresh()["used_quota"] == row["quota"], row
