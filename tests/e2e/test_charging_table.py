"""What is charged, whatever ends a call: every row of the table, through the whole gateway.

The crash of a process is in `test_shutdown.py`, that of an isolate in `test_worker.py`.
"""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import scripts
from checks import expect
from fake_upstream import Gate, Script
from gateway import RUNTIME
from scripts import estimated, usage_of
from world import Lab, Rig

EXACT = scripts.cost(30, 7)
USAGE = usage_of(30, 7)
ROOM = 2_000_000
EMBEDDED = 8 + 3
"""The estimate of the text that is embedded here."""


@dataclass(frozen=True)
class Case:
    """An upstream, what the client does, and the row that is written of it."""

    script: Callable[[Gate], Script]
    client: str
    quota: int
    estimated: bool
    end_reason: str
    state: str
    status: int
    site: str = "site"


def settled(script, client: str, quota: int, estimated: bool, end_reason: str = "complete", status: int = 200, site: str = "site") -> Case:
    return Case(script, client, quota, estimated, end_reason, "settled", status, site)


def void(script, client: str, status: int, end_reason: str = "refused", site: str = "site") -> Case:
    return Case(script, client, 0, False, end_reason, "void", status, site)


def always(script: Script) -> Callable[[Gate], Script]:
    return lambda _: script


def tells_usage_then(how: str) -> Callable[[Gate], Script]:
    """Usage in the first chunk, and then an end that is none."""
    def make(gate: Gate) -> Script:
        async def script(exchange):
            await exchange.open_stream()
            model = exchange.request.json["model"]
            await exchange.event(scripts.chunk(model, {"role": "assistant", "content": "begun"}, usage=USAGE))
            await gate.wait()
            if how == "error":
                await exchange.event(ERROR)
                await exchange.end_stream()
            else:
                await getattr(exchange, how)()
        return script
    return make


ERROR = json.dumps({"error": {"message": "the model crashed", "type": "server_error", "code": "crash"}})


def breaks(how: str) -> Callable[[Gate], Script]:
    return lambda gate: scripts.broken_stream(["begun"], how, gate, ERROR)


def error_first(_: Gate) -> Script:
    """A stream whose first event is an error."""
    return scripts.sse_body(f"data: {ERROR}\n\n".encode())


def slow(script: Script) -> Callable[[Gate], Script]:
    return lambda gate: scripts.gated(gate, script)


REFUSALS = {400: [400], 401: [502], 403: [502], 404: [502], 408: [504, "timeout"], 413: [413], 429: [429], 500: [502], 502: [502],
            503: [503], 504: [504, "timeout"], 529: [503]}
"""What upstreams say, and what clients and rows are told of it."""

TABLE = {
    # Complete, and the provider reported usage: exactly that.
    "whole, with usage": settled(always(scripts.chat(usage=USAGE)), "reads", EXACT, False),
    "streamed, with usage": settled(always(scripts.stream(usage=USAGE)), "streams", EXACT, False),
    "streamed, and usage was asked for": settled(always(scripts.stream(usage=USAGE)), "streams with usage", EXACT, False),
    "streamed without a last word": settled(always(scripts.stream(usage=USAGE, done=False)), "streams", EXACT, False),
    "embedded": settled(always(scripts.embeddings(prompt=9)), "embeds", 9, False),
    # Complete, and no usage reported: the estimate of the prompt and of the text.
    "whole, without usage": settled(always(scripts.chat("four", usage={})), "reads", estimated("four"), True),
    "streamed, without usage": settled(always(scripts.stream(reports_usage=False)), "streams", estimated("Hello!"), True),
    "embedded, without usage": settled(always(scripts.embeddings(prompt=None)), "embeds", EMBEDDED, True),
    # Refused before an upstream accepted it: nothing, void.
    **{f"refused with {status}": void(always(scripts.error(status)), "reads", *told) for status, told in REFUSALS.items()},
    **{f"a stream refused with {status}": void(always(scripts.error(status)), "streams", *told) for status, told in REFUSALS.items()},
    "reset before the answer": void(always(scripts.raw(b"", "rst")), "reads", 502),
    "closed before the answer": void(always(scripts.raw(b"", "fin")), "streams", 502),
    "half a head": void(always(scripts.raw(b"HTTP/1.1 200 OK\r\nContent-Le")), "reads", 502),
    "half an answer": void(always(scripts.raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"id":"x"')),
                           "reads", 502),
    "no completion": void(always(scripts.answer(200, b'{"error":{"message":"all wrong"}}')), "reads", 502),
    "usage without an answer": void(always(scripts.answer(200, json.dumps({"choices": [], "usage": USAGE}).encode())), "reads", 502),
    "a web page": void(always(scripts.answer(200, b"<html>", "text/html")), "streams", 502),
    "an empty stream": void(always(scripts.sse_body(b": nothing\n\n")), "streams", 502),
    "an error before content": void(error_first, "streams", 502),
    "no answer in time": void(always(scripts.silence()), "reads", 504, "timeout", "impatient_site"),
    "no stream in time": void(always(scripts.silence()), "streams", 504, "timeout", "impatient_site"),
    # Failed or cut after content: usage if any event carried it, else the estimate of what was delivered.
    **{f"content, then {how}": settled(breaks(how), "reads on", estimated("begun"), True, reason)
       for how, reason in [("fin", "upstream_cut"), ("rst", "upstream_cut"), ("end", "upstream_cut"), ("event", "upstream_error")]},
    **{f"usage, then {how}": settled(tells_usage_then(how), "reads on", EXACT, False, reason)
       for how, reason in [("fin", "upstream_cut"), ("rst", "upstream_cut"), ("error", "upstream_error")]},
    "content, then silence": settled(always(scripts.broken_stream(["begun"], "stall")), "reads on", estimated("begun"), True,
                                     "upstream_idle", 200, "impatient_site"),
    # The client left before any content: usage if it comes in time, else the prompt, or nothing if the operator says so.
    "left before the answer, usage came": settled(slow(scripts.chat(usage=USAGE)), "leaves early", EXACT, False, "client_gone", 499, "patient_site"),
    "left before the stream, usage came": settled(slow(scripts.stream(usage=USAGE)), "leaves the stream early", EXACT, False, "client_gone", 200,
                                                  "patient_site"),
    "left before the answer, which is refused": void(slow(scripts.error(500)), "leaves early", 499, "client_gone", "patient_site"),
    "left before the answer, none came": settled(slow(scripts.silence()), "leaves for good", estimated(""), True, "client_gone", 499),
    "left before the answer, prompts are free": settled(slow(scripts.silence()), "leaves for good", 0, True, "client_gone", 499, "lenient_site"),
    # The client left in mid-stream: usage if it comes in time, else the estimate.
    "left in mid-stream, usage came": settled(lambda gate: scripts.resumed_stream(gate, USAGE), "leaves", EXACT, False, "client_gone", 200,
                                              "patient_site"),
    "left in mid-stream, no usage": settled(lambda gate: scripts.resumed_stream(gate, None), "leaves", estimated("begun" + 400 * scripts.LONG), True,
                                            "client_gone", 200, "patient_site"),
    "left in mid-stream, cut": settled(lambda gate: scripts.resumed_stream(gate, USAGE, whole=False), "leaves",
                                       estimated("begun" + 400 * scripts.LONG), True, "client_gone", 200, "patient_site"),
    "left in mid-stream, then silence": settled(always(scripts.broken_stream(["begun"], "stall")), "leaves for good in mid-stream",
                                                estimated("begun"), True, "client_gone"),
    "left in mid-stream, prompts are free": settled(always(scripts.broken_stream(["begun"], "stall")), "leaves for good in mid-stream",
                                                    estimated("begun"), True, "client_gone", 200, "lenient_site"),
}


def act(client: str, rig: Rig, gate: Gate) -> int | None:
    """What the client does; gives the status that it saw, if it waited for one."""
    match client:
        case "reads":
            return rig.chat().status_code
        case "embeds":
            return rig.relay.embed(rig.model).status_code
        case "streams" | "streams with usage":
            more = {"stream_options": {"include_usage": True}} if client == "streams with usage" else {}
            return rig.chat(stream=True, **more).status_code
        case "reads on":
            with rig.streaming() as reply:
                data, got = reply.iter_bytes(), b""
                while b"begun" not in got:
                    got += next(data)
                gate.open()
                got += b"".join(data)
                assert b"[DONE]" not in got
                return reply.status_code
        case "leaves early" | "leaves the stream early" | "leaves for good":
            connection = rig.raw("stream" in client)
            gate.wait_arrived()
            connection.hang_up("rst")
            if client != "leaves for good":
                gate.open()
        case "leaves" | "leaves for good in mid-stream":
            connection = rig.raw(max_tokens=ROOM)
            connection.read_until(b"begun")
            connection.hang_up("rst")
            gate.open()
        case _:
            raise AssertionError(client)
    return None


@pytest.mark.own
@pytest.mark.parametrize("row", TABLE)
def test_the_table(request, row):
    case = TABLE[row]
    lab = Lab(request.getfixturevalue(case.site))
    gate = lab.gate()
    before = 20_000_000
    rig = lab.rig(case.script(gate), owner=lab.user(quota=before))
    try:
        status = act(case.client, rig, gate)
        assert status in (None, case.status)
        got = rig.token.wait_only_row()
        found = {name: got[name] for name in ("quota", "estimated", "end_reason", "state", "status")}
        assert found == {"quota": case.quota, "estimated": case.estimated, "end_reason": case.end_reason, "state": case.state,
                         "status": case.status}
        assert got["unbilled"] == 0 and rig.route.calls == 1
        # All that was held is given back but this.
        me, token = rig.user.fresh(), rig.token.fresh()
        assert (me["quota"], me["used_quota"], me["request_count"]) == (before - case.quota, case.quota, 1)
        assert (token["used_quota"], token["request_count"]) == (case.quota, 1)
    finally:
        lab.close()


FAILURES = {
    # Ways in which a channel fails before another one answers, and what the operator reads of it.
    "an error": (scripts.error(500, "no"), "server"),
    "overload": (scripts.error(503, "no"), "overloaded"),
    "a rate limit": (scripts.error(429, "no"), "rate_limited"),
    "a dead key": (scripts.error(401, "no"), "auth"),
    # workerd does not say at what point a connection broke.
    "a reset": (scripts.raw(b"", "rst"), "unreachable" if RUNTIME == "worker" else "server"),
    "nonsense with usage": (scripts.answer(200, json.dumps({"choices": [], "usage": usage_of(999, 999)}).encode()), "malformed"),
    "a cut before content": (scripts.sse_body(b": wait\n\n"), "malformed"),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_failed_attempts_cost_the_user_nothing_and_are_recorded(lab, failure, stream):
    script, fault = FAILURES[failure]
    owner = lab.user(quota=100_000)
    rig = lab.rig(script, owner=owner, channel={"priority": 3})
    # After an answer that is none one more channel is tried, after all others two.
    failing = [rig.channel.id]
    if fault != "malformed":
        failing.append(lab.channel(lab.route(script), rig.model, priority=2).id)
    last = lab.channel(lab.route(scripts.stream(usage=USAGE) if stream else scripts.chat(usage=USAGE)), rig.model, priority=1)
    row = rig.wait_row(expect(rig.chat(stream=stream), 200))
    assert (row["quota"], row["estimated"], row["state"], row["channel_id"], row["attempts"]) == (
        EXACT, False, "settled", last.id, len(failing) + 1)
    assert owner.fresh()["quota"] == 100_000 - EXACT and len(rig.token.rows()) == 1
    seen, = rig.site.root.get("/api/log", params={"model": rig.model})["items"]
    assert [failed["channel_id"] for failed in seen["failures"]] == failing
    assert {failed["fault"] for failed in seen["failures"]} == {fault}


def test_a_call_that_no_channel_took_costs_nothing(lab):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        model, owner = lab.model(), lab.user(quota=100_000)
        channel = lab.channel(f"http://127.0.0.1:{sock.getsockname()[1]}/v1", model)
        token = lab.token(owner)
        row = token.wait_row(expect(token.relay.chat(model), 502, "upstream_unreachable"))
    assert (row["quota"], row["state"], row["end_reason"], row["status"]) == (0, "void", "refused", 502)
    assert owner.fresh()["quota"] == 100_000
    seen, = lab.site.root.get("/api/log", params={"model": model})["items"]
    assert seen["failures"] == [{"channel_id": channel.id, "fault": "unreachable"}]
