"""Channels that fail: no storm of retries (S3), and breakers that leave them alone (S8)."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

import scripts
from checks import describe, expect
from gateway import RUNTIME
from polling import wait_for
from test_routing import Fleet, falling
from transport import http_client
from world import Lab, Relay

pytestmark = pytest.mark.own

COOLDOWN = 0.4
ORDINARY = {"BREAKER_FAILURES": None, "RATE_LIMIT_COOLDOWN_MS": None}


@pytest.fixture(scope="module")
def breaking_site(running):
    """A gateway with breakers as they are, but for cool-downs that a test can wait for."""
    with running(**ORDINARY, BREAKER_COOLDOWN_MS=str(int(COOLDOWN * 1000))) as site:
        yield site


@pytest.fixture
def lab(breaking_site):
    lab = Lab(breaking_site)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def steady_site(running):
    """Breakers that stay open for longer than any test takes."""
    with running(**ORDINARY, BREAKER_COOLDOWN_MS="60000") as site:
        yield site


@pytest.fixture
def steady(steady_site):
    lab = Lab(steady_site)
    yield lab
    lab.close()


def health(lab: Lab, channel) -> dict:
    return lab.site.root.get(f"/api/channel/{channel.id}")["health"]


def state(lab: Lab, channel) -> str:
    return health(lab, channel)["state"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def seconds_left(text: str) -> float:
    return (moment(text) - datetime.now(timezone.utc)).total_seconds()


def wait_of(reply: httpx.Response) -> int:
    assert re.fullmatch(r"\d+", reply.headers.get("retry-after", "")), describe(reply)
    return int(reply.headers["retry-after"])


def opened(lab: Lab, *later, **fields):
    """A rig whose breaker is open; its upstream then plays `later`."""
    rig = lab.rig(scripts.error(500), channel=fields or None)
    for _ in range(5):
        expect(rig.chat(), 502)
    rig.route.play(*(later or [scripts.chat()]))
    return rig


# S3: before the first content at most two more attempts, within a budget.


def test_s3_at_most_two_more_channels_are_tried_and_none_twice(lab):
    fleet = Fleet(lab, *falling(*[scripts.error(500)] * 3, scripts.chat()))
    expect(fleet.chat(), 502, "upstream_error")
    assert fleet.calls == [1, 1, 1, 0]
    pair = Fleet(lab, *[(scripts.error(503), {})] * 2)
    expect(pair.chat(), 503, "overloaded")
    assert pair.calls == [1, 1]


@pytest.mark.parametrize("how", ["fin", "rst", "end"])
def test_s3_after_the_first_content_no_other_channel_is_tried(lab, how):
    fleet = Fleet(lab, *falling(scripts.broken_stream(["begun"], how), scripts.stream(["other"])))
    reply, streamed = fleet.token.relay.stream(fleet.model)
    streamed.assert_broken_off("begun")
    assert fleet.calls == [1, 0]


CALLERS = {
    "400": (400, None, 400), "413": (413, None, 413), "422": (422, None, 400), "filter": (400, "content_filter", 400),
    "context": (400, "context_length_exceeded", 400),
}


@pytest.mark.parametrize("fault", CALLERS)
def test_s3_callers_faults_are_not_retried(lab, fault):
    status, code, told = CALLERS[fault]
    refusal = scripts.error(status, "no", code, "invalid_request_error")
    fleet = Fleet(lab, *falling(refusal, scripts.chat()))
    expect(fleet.chat(), told)
    assert fleet.calls == [1, 0]


@pytest.mark.parametrize("fault", [scripts.answer(200, b"<html>hi</html>", "text/html"), scripts.error(409)], ids=["malformed", "conflict"])
def test_s3_some_faults_are_worth_one_more_channel_only(lab, fault):
    fleet = Fleet(lab, *falling(fault, fault, scripts.chat()))
    expect(fleet.chat(), 502)
    assert fleet.calls == [1, 1, 0]


def test_s3_a_thousand_failing_calls_make_no_storm(spawn):
    """Without breakers, so that only the budget holds back; with them there would be fifteen calls."""
    lab = Lab(spawn(RETRY_BUDGET_PER_SECOND=None))
    fleet = Fleet(lab, *[(scripts.error(500), {})] * 3)
    start = time.monotonic()
    # The Worker that tests build is slow.
    calls = 1000 if RUNTIME == "native" else 300
    with ThreadPoolExecutor(16) as pool:
        for reply in pool.map(lambda _: fleet.chat(), range(calls)):
            expect(reply, 502, "upstream_error")
    took = time.monotonic() - start
    retries = sum(fleet.calls) - calls
    # A fifth of the calls, ten a second, and a second's worth to begin with.
    assert calls // 5 <= retries <= calls // 5 + 10 * (took + 1), (retries, took)
    lab.close()


def test_s3_with_breakers_a_thousand_failing_calls_hardly_reach_an_upstream(steady):
    fleet = Fleet(steady, *[(scripts.error(500), {})] * 3)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: fleet.chat(), range(300)))
    for reply in replies:
        expect(reply, (502, 503))
    # Five each, and what was under way when they opened.
    assert 15 <= sum(fleet.calls) <= 15 + 3 * 8, fleet.calls


# S8: breakers.


def test_s8_one_failing_request_disables_no_channel(lab):
    rig = lab.rig(*[scripts.error(500)] * 4, scripts.chat())
    for _ in range(4):
        expect(rig.chat(), 502)
        assert state(lab, rig.channel) == "ok"
    expect(rig.chat(), 200)


def test_s8_five_failures_in_a_row_open_the_breaker(steady):
    rig = opened(steady)
    for _ in range(3):
        reply = expect(rig.chat(), 503, "no_available_channel")
        assert 55 <= wait_of(reply) <= 60
    assert rig.route.calls == 5
    shown = health(steady, rig.channel)
    assert (shown["state"], shown["reason"], shown["message"]) == ("open", "upstream_error", "the upstream failed")
    assert -5 < seconds_left(shown["since"]) <= 0.5 and 50 < seconds_left(shown["until"]) <= 60.5
    assert shown["models"][rig.model]["state"] == "open"
    listed = next(c for c in steady.site.root.get("/api/channel", params={"page_size": 200}) if c["id"] == rig.channel.id)
    assert listed["health"] == shown
    assert len(rig.token.rows()) == 5, "nothing is held for what no channel takes"


def test_s8_half_of_twenty_calls_open_the_breaker(steady):
    rig = steady.rig(*[scripts.error(500), scripts.chat()] * 10, scripts.error(500))
    for number in range(21):
        assert state(steady, rig.channel) == "ok"
        expect(rig.chat(), 200 if number % 2 else 502)
    expect(rig.chat(), 503, "no_available_channel")
    assert rig.route.calls == 21


def test_s8_a_lower_tier_answers_while_a_breaker_is_open(steady):
    fleet = Fleet(steady, *falling(scripts.error(500), scripts.chat()))
    for _ in range(8):
        expect(fleet.chat(), 200)
    assert fleet.calls == [5, 8]


def test_s8_half_open_lets_one_probe_through(lab):
    gate = lab.gate()
    rig = opened(lab, scripts.chat(gate=gate))
    wait_for(lambda: state(lab, rig.channel) == "half_open", "the cool-down to end")
    with ThreadPoolExecutor(9) as pool:
        probe = pool.submit(rig.chat)
        gate.wait_arrived()
        for reply in pool.map(lambda _: rig.chat(), range(20)):
            assert wait_of(expect(reply, 503, "no_available_channel")) == 1
        assert rig.route.calls == 6 and state(lab, rig.channel) == "half_open"
        gate.open()
        expect(probe.result(), 200)
    assert health(lab, rig.channel) == {
        "state": "ok", "reason": None, "message": None, "since": None, "until": None, "models": {}}
    expect(rig.chat(), 200)


def test_s8_a_probe_that_fails_opens_it_again_for_longer(lab):
    rig = opened(lab, scripts.error(503))
    since = health(lab, rig.channel)["since"]
    for number in (1, 2):
        wait_for(lambda: state(lab, rig.channel) == "half_open", "the cool-down to end")
        before = datetime.now(timezone.utc)
        expect(rig.chat(), 503, "overloaded")
        shown = health(lab, rig.channel)
        assert (shown["state"], shown["reason"], shown["since"]) == ("open", "overloaded", since)
        length = (moment(shown["until"]) - before).total_seconds()
        assert COOLDOWN * 2**number <= length + 0.01 < COOLDOWN * 2**number + 0.3
        expect(rig.chat(), 503, "no_available_channel")
    assert rig.route.calls == 7


@pytest.mark.parametrize(("header", "least", "most"), [
    ({"Retry-After": "30"}, 29, 30), ({"retry-after-ms": "40000"}, 39, 40), ({"Retry-After": "DATE"}, 27, 30),
    ({"Retry-After": "80000"}, 3595, 3600),
], ids=["seconds", "milliseconds", "date", "too-long"])
def test_s8_a_429_cools_down_for_as_long_as_it_says(steady, header, least, most):
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True)
    headers = {name: value.replace("DATE", date) for name, value in header.items()}
    rig = steady.rig(scripts.error(429, "slow down", headers=headers), scripts.chat())
    expect(rig.chat(), 429, "rate_limit_exceeded")
    reply = expect(rig.chat(), 429, "rate_limit_exceeded")
    assert least <= wait_of(reply) <= most and rig.route.calls == 1
    shown = health(steady, rig.channel)
    assert (shown["state"], shown["reason"]) == ("cooling_down", "rate_limit_exceeded")
    assert least - 2 <= seconds_left(shown["until"]) <= most + 0.5


@pytest.mark.parametrize("header", [{}, {"Retry-After": "soon"}, {"Retry-After": "999999999999"}], ids=["none", "text", "absurd"])
def test_s8_a_429_that_says_nothing_sensible_cools_down_for_a_second(lab, header):
    rig = lab.rig(scripts.error(429, "slow down", headers=header), scripts.chat())
    expect(rig.chat(), 429)
    assert wait_of(expect(rig.chat(), 429)) == 1 and rig.route.calls == 1
    wait_for(lambda: rig.chat().status_code == 200, "the second to pass", every=0.1)
    assert rig.route.calls == 2 and state(lab, rig.channel) == "ok"


def test_s8_a_429_on_all_channels_is_a_429_with_the_shortest_wait(steady):
    limits = [scripts.error(429, "slow down", headers={"Retry-After": wait}) for wait in ("90", "20", "60")]
    fleet = Fleet(steady, *falling(*limits))
    assert wait_of(expect(fleet.chat(), 429, "rate_limit_exceeded")) == 20
    assert 18 <= wait_of(expect(fleet.chat(), 429, "rate_limit_exceeded")) <= 20
    assert fleet.calls == [1, 1, 1]


def test_s8_a_limited_channel_is_passed_over_for_another(steady):
    fleet = Fleet(steady, *falling(scripts.error(429, headers={"Retry-After": "60"}), scripts.chat()))
    for _ in range(4):
        expect(fleet.chat(), 200)
    assert fleet.calls == [1, 4]


@pytest.mark.parametrize(("status", "reason"), [(401, "upstream_auth"), (402, "upstream_quota"), (403, "upstream_permission")])
def test_s8_a_dead_key_is_out_until_an_admin_saves_the_channel(lab, status, reason):
    fleet = Fleet(lab, *falling(scripts.error(status, "Incorrect API key provided: sk-abc***"), scripts.chat()))
    for _ in range(3):
        expect(fleet.chat(), 200)
    assert fleet.calls == [1, 3]
    shown = health(lab, fleet.channels[0])
    assert (shown["state"], shown["reason"], shown["until"]) == ("dead_key", reason, None)
    assert "sk-" not in shown["message"] and shown["since"]
    fleet.routes[0].play(scripts.chat())
    expect(fleet.chat(), 200)
    assert fleet.calls == [1, 4], "it does not come back by itself"
    saved = lab.site.root.put(f"/api/channel/{fleet.channels[0].id}", {"key": lab.provider_key()})
    assert saved["health"]["state"] == "ok"
    expect(fleet.chat(), 200)
    assert fleet.calls == [2, 4]


def test_s8_a_dead_key_takes_every_model_of_its_channel_out(lab):
    first, second = lab.model(), lab.model()
    dead, good = lab.route(scripts.error(401)), lab.route()
    lab.channel(dead, f"{first},{second}", priority=9)
    lab.channel(good, f"{first},{second}", priority=1)
    relay = lab.token().relay
    for model in (first, second):
        expect(relay.chat(model), 200)
    assert (dead.calls, good.calls) == (1, 2)


def test_s8_the_last_enabled_channel_stays_in(steady):
    rig = steady.rig(scripts.error(401))
    for _ in range(8):
        expect(rig.chat(), 502, "upstream_auth")
    assert rig.route.calls == 8
    # Of two, the one that is left; and when its key works after all, it is well again.
    fleet = Fleet(steady, *falling(scripts.error(401), scripts.error(401)))
    for _ in range(4):
        expect(fleet.chat(), 502, "upstream_auth")
    assert fleet.calls == [1, 4]
    fleet.routes[1].play(scripts.chat())
    expect(fleet.chat(), 200)
    assert state(steady, fleet.channels[1]) == "ok"


BROKEN = {
    "html": scripts.answer(200, b"<html>hi</html>", "text/html"), "empty": scripts.answer(200, b""),
    "error-body": scripts.answer(200, b'{"error":{"message":"no"}}'), "cut-json": scripts.answer(200, b'{"id":'),
    "reset": scripts.raw(b"", "rst"), "cut-stream": scripts.broken_stream(["a"], "fin"),
    "unfinished-stream": scripts.broken_stream(["a"], "end"), "404": scripts.error(404), "302": scripts.redirect("http://169.254.169.254/"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_s8_a_broken_answer_counts_as_a_failure(steady, fault):
    rig = steady.rig(BROKEN[fault])
    for _ in range(5):
        reply = rig.chat(stream=fault.endswith("stream"))
        assert reply.status_code in (200, 502), describe(reply)
    expect(rig.chat(), 503, "no_available_channel")
    assert rig.route.calls == 5


@pytest.mark.parametrize("fault", CALLERS)
def test_s8_callers_faults_count_neither_way(lab, fault):
    status, code, told = CALLERS[fault]
    refusal = scripts.error(status, "no", code, "invalid_request_error")
    rig = lab.rig(*[scripts.error(500)] * 4, *[refusal] * 8, scripts.error(500), scripts.chat())
    for _ in range(4):
        expect(rig.chat(), 502)
    for _ in range(8):
        expect(rig.chat(), told)
    assert state(lab, rig.channel) == "ok"
    expect(rig.chat(), 502)
    assert state(lab, rig.channel) == "open", "the fifth failure, with nothing good between"


def test_s8_one_model_does_not_take_another_with_it(steady):
    bad, good = steady.model(), steady.model()
    route = steady.route(*[scripts.error(500)] * 5, scripts.chat())
    channel = steady.channel(route, f"{bad},{good}")
    relay = steady.token().relay
    for _ in range(5):
        expect(relay.chat(bad), 502)
    expect(relay.chat(bad), 503, "no_available_channel")
    expect(relay.chat(good), 200)
    shown = health(steady, channel)
    assert shown["state"] == "open" and list(shown["models"]) == [bad]


def test_s8_a_model_that_no_upstream_has_stays_unknown(steady):
    """A caller who makes up a name hears the same on the sixth call as on the first."""
    missing = scripts.error(404, "The model does not exist", "model_not_found", "invalid_request_error")
    rig = steady.rig(missing)
    for _ in range(7):
        expect(rig.chat(), 404, "model_not_found")
    assert rig.route.calls == 5


def test_s8_a_channels_test_is_no_live_traffic(steady):
    root = steady.site.root
    rig = steady.rig(scripts.error(500))
    for _ in range(7):
        assert root.post(f"/api/channel/{rig.channel.id}/test", None)["ok"] is False
    assert state(steady, rig.channel) == "ok"
    for _ in range(5):
        expect(rig.chat(), 502)
    rig.route.play(scripts.chat())
    assert root.post(f"/api/channel/{rig.channel.id}/test", None)["ok"] is True
    assert state(steady, rig.channel) == "open"
    assert root.put(f"/api/channel/{rig.channel.id}", {"name": "saved"})["health"]["state"] == "ok"
    expect(rig.chat(), 200)


def test_s8_a_disabled_channel_says_so(steady):
    rig = steady.rig()
    shown = steady.site.root.put(f"/api/channel/{rig.channel.id}", {"status": 0})["health"]
    assert shown["state"] == "disabled"


def test_s8_an_explanation_says_which_breaker_is_open(steady):
    fleet = Fleet(steady, *falling(scripts.error(401), scripts.error(500), scripts.chat()))
    for _ in range(5):
        expect(fleet.chat(), 200)
    body = {"token_id": fleet.token.id, "endpoint": "chat", "request": {"model": fleet.model, "messages": [{"role": "user", "content": "x"}]}}
    told = steady.site.root.post("/api/explain", body)
    reasons = {entry["channel_id"]: (entry["reason"], entry["until"] is None) for entry in told["skipped"]}
    assert reasons[fleet.channels[0].id] == ("dead_key", True) and reasons[fleet.channels[1].id] == ("open", False)
    assert told["allowed"] and [c["channel_id"] for tier in told["tiers"] for c in tier["channels"]] == [fleet.channels[2].id]


def test_s8_what_is_open_or_dead_survives_a_restart(process, open_site):
    process.environment |= {"BREAKER_FAILURES": "5", "BREAKER_COOLDOWN_MS": "60000"}
    before = Lab(open_site())
    fleet = Fleet(before, *falling(scripts.error(500), scripts.error(401), scripts.chat()))
    for _ in range(6):
        fleet.token.wait_row(expect(fleet.chat(), 200))
    process.terminate()
    process.wait_exit()
    after = open_site()
    again = Lab(after)
    expect(Relay(after.http, fleet.token.key).chat(fleet.model), 200)
    assert fleet.calls == [5, 1, 7]
    assert [state(again, channel) for channel in fleet.channels] == ["open", "dead_key", "ok"]
    assert health(again, fleet.channels[0])["reason"] == "upstream_error"


@pytest.mark.worker
def test_s8_another_isolate_hears_of_an_open_breaker(running):
    with running(**ORDINARY, BREAKER_COOLDOWN_MS="60000", TWIN="1") as site:
        lab = Lab(site)
        rig = opened(lab)
        twin = re.search(r"^twin at (http://\S+)$", site.gateway.stdout.read_text(), re.MULTILINE).group(1)
        with http_client(twin, site.canaries) as http:
            login = {"authorization": f"Bearer {site.root.jwt}"}

            def there() -> dict:
                reply = expect(http.get(f"/api/channel/{rig.channel.id}", headers=login), 200)
                return reply.json()["data"]["health"]
            shown = wait_for(lambda: there()["state"] == "open" and there(), "the other isolate to hear of it")
            assert shown == health(lab, rig.channel)
            expect(Relay(http, rig.token.key).chat(rig.model), 503, "no_available_channel")
        assert rig.route.calls == 5
        lab.close()
