"""Limits of keys and users: calls and tokens in a minute, and calls at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import scripts
from checks import expect
from gateway import RUNTIME
from polling import wait_for

FIELDS = ("rpm_limit", "tpm_limit", "concurrency_limit")

PROMPT = 8 + 3
"""What the prompt of these tests is estimated at."""


def told(response) -> dict[str, str]:
    return {name.removeprefix("x-ratelimit-"): value for name, value in response.headers.items() if name.startswith("x-ratelimit-")}


def seconds(text: str) -> float:
    minutes, _, rest = text.rpartition("m") if "ms" not in text else ("", "", text)
    rest = float(rest[:-2]) / 1000 if rest.endswith("ms") else float(rest[:-1])
    return 60 * int(minutes or 0) + rest


def refused(response, code: str) -> None:
    """429, and when to come again in each way that clients read."""
    expect(response, 429, code)
    wait, exact = int(response.headers["retry-after"]), int(response.headers["retry-after-ms"])
    assert 0 < exact <= 60_000 and wait == -(-exact // 1000)
    assert response.json()["error"]["type"] == "rate_limit_error"
    assert "x-should-retry" not in response.headers


def test_calls_in_a_minute_are_limited_for_a_key(lab):
    rig = lab.rig(token={"rpm_limit": 2})
    for remaining in ("1", "0"):
        answer = expect(rig.chat(), 200)
        told_now = told(answer)
        assert 0 < seconds(told_now.pop("reset-requests")) <= 60
        assert told_now == {"limit-requests": "2", "remaining-requests": remaining}
        rig.wait_row(answer)
    rows = len(rig.token.rows())
    reply = rig.chat()
    refused(reply, "rate_limit_exceeded")
    assert told(reply)["remaining-requests"] == "0"
    # Nothing is sent, nothing is charged, and there is no row.
    assert rig.route.calls == 2 and len(rig.token.rows()) == rows
    # Another key of the same user is not meant.
    expect(lab.token(rig.user).relay.chat(rig.model), 200)


def test_a_stream_tells_how_the_limits_stand_too(lab):
    rig = lab.rig(scripts.stream(), token={"rpm_limit": 5, "tpm_limit": 1000})
    response, streamed = rig.stream(max_tokens=100)
    streamed.assert_complete("Hello!")
    assert told(response)["remaining-requests"] == "4"
    # The answer's end is not known when its head is sent: what is expected counts.
    assert told(response)["limit-tokens"] == "1000"
    assert told(response)["remaining-tokens"] == str(1000 - PROMPT - 100)


def test_without_limits_nothing_is_told(lab):
    assert told(expect(lab.rig().chat(), 200)) == {}


def test_tokens_in_a_minute_are_expected_at_first_and_put_right_at_the_end(lab):
    limit = 200
    rig = lab.rig(token={"tpm_limit": limit})
    used = scripts.PROMPT + scripts.COMPLETION
    answer = expect(rig.chat(max_tokens=limit - PROMPT), 200)
    assert told(answer)["remaining-tokens"] == str(limit - used), "what was not used is there again"
    reply = rig.chat(max_tokens=limit - used - PROMPT + 1)
    refused(reply, "tokens_limit_exceeded")
    expect(rig.chat(max_tokens=limit - used - PROMPT), 200)


def test_a_call_that_is_larger_than_the_limit_is_told_not_to_come_again(lab):
    rig = lab.rig(token={"tpm_limit": 100})
    reply = expect(rig.chat(max_tokens=100), 429, "tokens_limit_exceeded")
    assert reply.headers["x-should-retry"] == "false" and "retry-after" not in reply.headers
    assert str(PROMPT + 100) in reply.json()["error"]["message"]
    # Without a limit of the caller's own the gateway's guess does not make it too large.
    expect(rig.chat(), 200)


def test_50_calls_at_once_are_limited_and_given_back(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), token={"concurrency_limit": 1})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat)
        gate.wait_arrived()
        refused(rig.chat(), "concurrency_limit")
        assert rig.route.calls == 1
        gate.open()
        rig.wait_row(expect(first.result(), 200))
    expect(rig.chat(), 200)
    # What an upstream refuses is given back too.
    rig.route.play(scripts.error(500))
    for _ in range(2):
        expect(rig.chat(), 502)


@pytest.mark.own
@pytest.mark.parametrize("when", ["before the answer", "in mid-stream"])
def test_a_client_that_hangs_up_does_not_count_though_its_upstream_is_listened_to(patient_lab, when):
    gate = patient_lab.gate()
    script = scripts.broken_stream(["one"], "fin", gate)
    rig = patient_lab.rig(scripts.gated(gate, script) if when == "before the answer" else script,
                          token={"concurrency_limit": 1})
    connection = rig.raw()
    gate.wait_arrived()
    if when == "in mid-stream":
        connection.read_until(b"one")
    refused(rig.chat(), "concurrency_limit")
    connection.hang_up("rst")
    rig.route.play(scripts.chat())
    wait_for(lambda: rig.chat().status_code == 200, "the call to be given back")
    assert not rig.route.requests[0].finished.is_set(), "the upstream is not listened to any more"
    gate.open()


def test_a_users_limits_are_for_all_keys_together(lab):
    user = lab.user()
    lab.site.root.put(f"/api/user/{user.id}", {"rpm_limit": 3})
    rig = lab.rig(owner=user, token={"rpm_limit": 100})
    other = lab.token(user).relay
    for relay in (rig.relay, other, other):
        expect(relay.chat(rig.model), 200)
    for relay in (rig.relay, other):
        reply = relay.chat(rig.model)
        refused(reply, "rate_limit_exceeded")
        assert told(reply)["limit-requests"] == "3", "the limit that binds is told"


def test_a_new_limit_holds_from_the_next_call_on(lab):
    rig = lab.rig(token={"rpm_limit": 1})
    expect(rig.chat(), 200)
    refused(rig.chat(), "rate_limit_exceeded")
    rig.user.api.put(f"/api/token/{rig.token.id}", {"rpm_limit": 2})
    expect(rig.chat(), 200)
    rig.user.api.put(f"/api/token/{rig.token.id}", {"rpm_limit": 0})
    assert told(expect(rig.chat(), 200)) == {}


def test_limits_are_kept_and_shown(lab):
    user, values = lab.user(), dict(zip(FIELDS, (10, 10**9, 1)))
    key = lab.token(user, **values)
    assert {name: key.fresh()[name] for name in FIELDS} == values
    user.api.put(f"/api/token/{key.id}", {"tpm_limit": 7, "name": "n"})
    assert {name: key.fresh()[name] for name in FIELDS} == values | {"tpm_limit": 7}
    plain = lab.token(user).fresh()
    assert {plain[name] for name in FIELDS} == {0}
    root = lab.site.root
    assert {user.fresh()[name] for name in FIELDS} == {0}
    root.put(f"/api/user/{user.id}", values)
    for shown in (user.fresh(), root.get(f"/api/user/{user.id}")):
        assert {name: shown[name] for name in FIELDS} == values
    actions = root.get("/api/audit", params={"object": "user", "object_id": user.id})["items"]
    assert actions[0]["detail"] == values
    actions = root.get("/api/audit", params={"object": "token", "object_id": key.id})["items"]
    assert actions[0]["detail"] == {"tpm_limit": 7, "name": "n"}
    assert {name: actions[1]["detail"][name] for name in FIELDS} == values


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [-1, 1.5, "10", True, [], 10**9 + 1, 2**53, 2**64], ids=str)
def test_a_limit_that_is_none_is_refused(lab, field, value):
    user = lab.site.payer
    key = lab.token(user)
    for api, method, path in (
        (user.api, "POST", "/api/token"), (user.api, "PUT", f"/api/token/{key.id}"),
        (lab.site.root, "PUT", f"/api/user/{user.id}"),
    ):
        reply = api.refused(method, path, 400, json={"name": "n", field: value} if method == "POST" else {field: value})
        assert field in reply.json()["message"]
    assert key.fresh()[field] == 0 and user.fresh()[field] == 0


def test_nobody_sets_limits_of_their_own_account(lab):
    user = lab.user()
    for field in FIELDS:
        user.api.refused("PUT", "/api/user/self", 400, "unknown_field", json={field: 5})


def test_explaining_a_call_uses_nothing(lab):
    rig = lab.rig(token={"rpm_limit": 1})
    question = {"token_id": rig.token.id, "endpoint": "chat",
                "request": {"model": rig.model, "messages": [{"role": "user", "content": "Say hello."}]}}
    for _ in range(3):
        assert rig.user.api.post("/api/explain", question)["allowed"]
    expect(rig.chat(), 200)
    if RUNTIME == "worker":
        return  # Another isolate may be asked; it has counted nothing.
    told_now = rig.user.api.post("/api/explain", question)
    assert told_now["error"]["code"] == "rate_limit_exceeded"
    assert next(rule for rule in told_now["rules"] if rule["rule"] == "limits")["outcome"] == "deny"


def test_the_official_client_waits_as_it_is_told(lab):
    """It tries again by itself after what `retry-after-ms` says, and is let in then."""
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate), token={"concurrency_limit": 1})
    client, statuses = rig.sdk(max_retries=3), []

    def seen(response) -> None:
        statuses.append(response.status_code)
        gate.open()

    client._client.event_hooks = {"response": [seen]}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat)
        gate.wait_arrived()
        answer = client.chat.completions.create(model=rig.model, messages=[{"role": "user", "content": "Say hello."}])
        expect(first.result(), 200)
    assert answer.choices[0].message.content == "Hello!"
    assert statuses[0] == 429 and statuses[-1] == 200
