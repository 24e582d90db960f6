"""Which channel answers: tiers, weights, names, and what happens when one fails."""

import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import scripts
from checks import expect


class Fleet:
    """Several channels for one model."""

    def __init__(self, lab, *channels: tuple):
        """Each channel is `(script or base URL, fields)`."""
        self.model, self.token = lab.model(), lab.token()
        self.routes, self.channels = [], []
        for script, fields in channels:
            target = script if isinstance(script, str) else lab.route(script)
            self.routes.append(target)
            self.channels.append(lab.channel(target, self.model, **fields))

    def chat(self, **body):
        return self.token.relay.chat(self.model, **body)

    @property
    def calls(self) -> list[int]:
        return [route.calls for route in self.routes]


def falling(*scripts_in_order) -> list[tuple]:
    """Channels of falling priority, so that the order of attempts is known."""
    return [(script, {"priority": 100 - number}) for number, script in enumerate(scripts_in_order)]


def test_the_highest_priority_answers_alone(lab):
    fleet = Fleet(lab, (scripts.chat(), {"priority": 1}), (scripts.chat(), {"priority": 9}), (scripts.chat(), {"priority": 5}))
    for _ in range(5):
        expect(fleet.chat(), 200)
    assert fleet.calls == [0, 5, 0]


def test_weights_share_a_tier(lab):
    fleet = Fleet(lab, (scripts.chat(), {"weight": 4}), (scripts.chat(), {"weight": 1}))
    with ThreadPoolExecutor(8) as pool:
        for reply in pool.map(lambda _: fleet.chat(), range(60)):
            expect(reply, 200)
    heavy, light = fleet.calls
    # Either fails by chance less than once in 100,000 runs.
    assert light > 0 and heavy > light, f"4:1 gave {heavy}:{light}"


def test_a_disabled_channel_is_passed_over(site, lab):
    fleet = Fleet(lab, (scripts.chat(), {"priority": 9}), (scripts.chat(), {"priority": 1}))
    site.root.put(f"/api/channel/{fleet.channels[0].id}", {"status": 0})
    expect(fleet.chat(), 200)
    assert fleet.calls == [0, 1]


@pytest.mark.parametrize(("pattern", "model", "served"), [
    ("{m}*", "{m}-mini", True), ("{m}*", "x{m}", False), ("*-of-{m}", "best-of-{m}", True), ("{m}-*-x", "{m}-a-x", True),
    ("{m}", "{m}-mini", False), ("a-{m},b-{m}", "b-{m}", True),
])
def test_channels_serve_patterns(lab, pattern, model, served):
    base, route = lab.model(), lab.route()
    lab.channel(route, pattern.format(m=base))
    reply = lab.token().relay.chat(model.format(m=base))
    if served:
        expect(reply, 200)
    else:
        expect(reply, 404, "model_not_found")
    assert route.calls == int(served)


def test_each_channel_maps_names_its_own_way(lab):
    fleet = Fleet(lab, *falling(scripts.error(500), scripts.error(500), scripts.chat()))
    for number, channel in enumerate(fleet.channels[:2]):
        lab.site.root.put(f"/api/channel/{channel.id}", {"model_mapping": {fleet.model: f"upstream-{number}"}})
    reply = expect(fleet.chat(), 200)
    assert [route.last.json["model"] for route in fleet.routes] == ["upstream-0", "upstream-1", fleet.model]
    keys = [route.last.header("authorization") for route in fleet.routes]
    assert keys == [f"Bearer {channel.key}" for channel in fleet.channels]
    row = fleet.token.wait_row(reply)
    assert (row["channel_id"], row["upstream_model"]) == (fleet.channels[2].id, fleet.model)


def test_a_mapped_name_is_served_without_being_listed(lab):
    route, listed, public = lab.route(), lab.model(), lab.model()
    lab.channel(route, listed, model_mapping={public: "internal"})
    expect(lab.token().relay.chat(public), 200)
    assert route.last.json["model"] == "internal"


@pytest.fixture(scope="module")
def refusing_port():
    """A port that is taken, so that nobody else listens there, and refuses connections."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/v1"


RETRYABLE = {
    "401": scripts.error(401), "402": scripts.error(402), "403": scripts.error(403), "404": scripts.error(404),
    "408": scripts.error(408), "429": scripts.error(429), "500": scripts.error(500), "502": scripts.error(502),
    "503": scripts.error(503), "504": scripts.error(504), "529": scripts.error(529),
    "html": scripts.answer(200, b"<html>hi</html>", "text/html"), "empty": scripts.answer(200, b""),
    "garbage": scripts.answer(200, b'{"id":'), "error-body": scripts.answer(200, b'{"error":{"message":"no"}}'),
    "reset": scripts.raw(b"", "rst"), "closed": scripts.raw(b"", "fin"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", RETRYABLE)
def test_another_channel_helps_out(lab, fault, streamed):
    good = scripts.stream(["fine"]) if streamed else scripts.chat("fine")
    fleet = Fleet(lab, *falling(RETRYABLE[fault], good))
    if streamed:
        reply, answer = fleet.token.relay.stream(fleet.model)
        answer.assert_complete("fine")
    else:
        reply = expect(fleet.chat(), 200)
        assert reply.json()["choices"][0]["message"]["content"] == "fine"
    assert fleet.calls == [1, 1]
    row = fleet.token.wait_row(reply)
    assert (row["channel_id"], row["quota"], row["end_reason"]) == (fleet.channels[1].id, scripts.cost(), "complete")
    assert [other for other in fleet.token.rows() if other["quota"]] == [row], "the failed attempt costs nothing"


def test_another_channel_helps_out_when_nobody_listens(lab, refusing_port):
    fleet = Fleet(lab, *falling(refusing_port, scripts.chat()))
    row = fleet.token.wait_row(expect(fleet.chat(), 200))
    assert row["channel_id"] == fleet.channels[1].id


@pytest.mark.parametrize("first", [
    'data: {"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}\n\n', "data: {nonsense\n\n", ": ping\n\n", "",
], ids=["error", "garbage", "comment-only", "nothing"])
def test_a_stream_that_fails_before_its_first_content_is_tried_elsewhere(lab, first):
    fleet = Fleet(lab, *falling(scripts.sse_body(first.encode() or b"\n"), scripts.stream(["clean"])))
    _, answer = fleet.token.relay.stream(fleet.model)
    answer.assert_complete("clean")
    assert fleet.calls == [1, 1]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_callers_fault_is_not_tried_elsewhere(lab, status):
    fleet = Fleet(lab, *falling(scripts.error(status, "no", type="invalid_request_error"), scripts.chat()))
    expect(fleet.chat(), 400 if status == 422 else status)
    assert fleet.calls == [1, 0]


@pytest.mark.parametrize("how", ["fin", "rst", "end"])
def test_nothing_is_tried_after_the_first_content(lab, how):
    gate = lab.gate()
    fleet = Fleet(lab, *falling(scripts.broken_stream(["begun"], how, gate), scripts.stream(["other"])))
    with fleet.token.relay.streaming(fleet.model) as reply:
        data, got = reply.iter_bytes(), b""
        while b"begun" not in got:
            got += next(data)
        gate.open()
        got += b"".join(data)
    assert b"other" not in got and b"[DONE]" not in got
    assert fleet.calls == [1, 0]


def test_three_attempts_are_the_most(lab):
    fleet = Fleet(lab, *falling(*[scripts.error(500)] * 3, scripts.chat()))
    expect(fleet.chat(), 502, "upstream_error")
    assert fleet.calls == [1, 1, 1, 0]


def test_no_channel_is_tried_twice(lab):
    fleet = Fleet(lab, *[(scripts.error(500), {})] * 2)
    expect(fleet.chat(), 502, "upstream_error")
    assert fleet.calls == [1, 1]


def test_every_attempt_sends_the_same_body(lab):
    fleet = Fleet(lab, *falling(scripts.error(500), scripts.answer(200, b""), scripts.chat()))
    body = json.dumps({"model": fleet.model, "messages": [{"role": "user", "content": "é"}], "x": 1.50}, ensure_ascii=False)
    expect(fleet.token.relay.post_bytes(body.encode()), 200)
    limited = body.replace("{", '{"max_tokens":4096,', 1)
    assert [route.last.body for route in fleet.routes] == [limited.encode()] * 3


def test_one_failure_does_not_put_a_channel_out_of_use(lab):
    """The only channel of a model that failed once is asked again."""
    rig = lab.rig(scripts.error(500), scripts.chat())
    expect(rig.chat(), 502)
    expect(rig.chat(), 200)


def test_failed_calls_are_charged_to_nobody(lab):
    owner = lab.user(quota=100_000)
    rig = lab.rig(*[scripts.error(500)] * 3, scripts.chat(), owner=owner)
    for _ in range(3):
        expect(rig.chat(max_tokens=100), 502)
    reply = expect(rig.chat(max_tokens=100), 200)
    rig.wait_row(reply)
    assert owner.fresh()["quota"] == 100_000 - scripts.cost()
    assert Counter(row["quota"] > 0 for row in rig.token.rows())[True] == 1
