"""Tests of the tools themselves: a tool that lies would make every other test worthless."""

import json
import re
import socket
import time
from functools import cache
from pathlib import Path

import httpx
import pytest

import scripts
import sse
from canary import Canaries
from rawhttp import RawConnection


@pytest.fixture
def client():
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def ask(client, route, **body):
    return client.post(f"{route.base_url}/chat/completions", json={"model": "m", **body})


def test_the_upstream_answers_and_records(client, upstream):
    route = upstream.route(scripts.chat("hi"))
    body = b'{"model": "m",  "odd":1.50}'
    reply = client.post(f"{route.base_url}/chat/completions", content=body, headers={"x-a": "1"})
    assert reply.json()["choices"][0]["message"]["content"] == "hi"
    assert (route.last.method, route.last.body, route.last.header("X-A")) == ("POST", body, "1")


def test_scripts_play_in_turn_and_the_last_one_stays(client, upstream):
    route = upstream.route(scripts.error(500), scripts.chat())
    assert [ask(client, route).status_code for _ in range(3)] == [500, 200, 200]


@pytest.mark.parametrize("wanted", [True, False])
def test_the_stream_is_one_that_openai_would_send(client, upstream, wanted):
    route = upstream.route(scripts.stream(["a", "b"]))
    streamed = sse.parse(ask(client, route, stream=True, stream_options={"include_usage": wanted}).content)
    streamed.assert_complete("ab")
    assert streamed.usages == ([scripts.usage_of()] if wanted else [])


def test_a_gate_holds_until_it_is_opened(client, upstream):
    gate = upstream.gate()
    route = upstream.route(scripts.stream(["a", "b"], gates={2: gate}))
    with client.stream("POST", f"{route.base_url}/chat/completions", json={"model": "m"}) as reply:
        data = reply.iter_bytes()
        got = next(data)
        while b'"a"' not in got:
            got += next(data)
        gate.wait_arrived()
        assert b'"b"' not in got and not route.last.finished.is_set()
        gate.open()
        got += b"".join(data)
    sse.parse(got).assert_complete("ab")
    route.last.wait_finished()
    assert route.last.dropped_at is None


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_the_upstream_notices_who_hangs_up(upstream, how):
    route = upstream.route(scripts.broken_stream(["a"], "stall"))
    connection = RawConnection(upstream.url)
    connection.post(route.base_url.removeprefix(upstream.url) + "/chat/completions", "k", {"model": "m"})
    connection.read_until(b'"a"')
    before = time.monotonic()
    connection.hang_up(how)
    assert route.last.wait_dropped(2) >= before


@pytest.mark.parametrize(("how", "failure"), [("fin", httpx.RemoteProtocolError), ("rst", httpx.ReadError)])
def test_cuts_are_real_cuts(client, upstream, how, failure):
    route = upstream.route(scripts.broken_stream(["a"], how))
    with pytest.raises(failure):
        ask(client, route)


def test_a_refused_request_can_be_read_although_the_rest_was_not(upstream):
    route = upstream.route(scripts.chat())
    with RawConnection(upstream.url) as connection:
        path = route.base_url.removeprefix(upstream.url) + "/x"
        connection.send_until_answered([connection.head("POST", path, [("Content-Length", "15")]), b'{"model":', b'"abc"}'])
        reply = connection.reply()
    assert reply.status == 200 and json.loads(reply.body)["model"] == "abc"


@pytest.mark.parametrize("bad", [
    "data: {}\n", 'data: {"a":1}\n\ndata:\n\n', "event: x\ndata: {}\n\n", "data: {}\n\n\n\n", "data: {}\r\n\r\n",
])
def test_the_stream_reader_is_strict(bad):
    with pytest.raises(AssertionError):
        sse.parse(bad)


def test_a_complete_stream_is_told_from_a_broken_one():
    whole = [f"data: {json.dumps(c)}\n\n" for c in scripts.stream_chunks("m", ["x"], None, False)]
    error = 'data: {"error":{"message":"m","type":"t","param":null,"code":"c"}}\n\n'
    sse.parse("".join(whole) + "data: [DONE]\n\n").assert_complete("x")
    assert sse.parse("".join(whole[:-1]) + error).assert_broken_off("x")["code"] == "c"
    for text in ["".join(whole), "".join(whole) + "data: [DONE]\n\n" * 2, "".join(whole[:-1]) + "data: [DONE]\n\n"]:
        with pytest.raises(AssertionError):
            sse.parse(text).assert_complete("x")
    for text in ["".join(whole) + error, "".join(whole[:-1]), "".join(whole[:-1]) + error + "data: [DONE]\n\n"]:
        with pytest.raises(AssertionError):
            sse.parse(text).assert_broken_off("x")


def test_a_secret_is_found_wherever_it_is(tmp_path):
    canaries = Canaries()
    password = canaries.make("password")
    login = canaries.add("login", "eyJhbGciOi.abc.def", in_responses=False)
    canaries.check_response("GET /", f"x{login} {password[:-1]}".encode())
    assert canaries.violations == []
    canaries.check_response("GET /", f"Pw-{password}".encode())
    assert canaries.violations == ["password in the answer of GET /"]
    log = tmp_path / "log"
    log.write_bytes(b"\0" * 100 + login.encode() + b"\n")
    assert canaries.check_files([log]) == ["login in log"]


def test_a_secret_is_found_across_two_reads(upstream, client):
    from transport import http_client

    canaries = Canaries()
    secret = canaries.make("password")

    async def script(exchange):
        await exchange.open_stream({"X-Request-Id": "1"})
        await exchange.piece(secret[:9].encode())
        await exchange.piece(secret[9:].encode())
        await exchange.end_stream()

    route = upstream.route(script)
    watched = http_client(upstream.url, canaries)
    watched.post(f"{route.base_url}/x", json={})
    assert canaries.violations == [f"password in the answer of POST {route.base_url.removeprefix(upstream.url)}/x"]


def test_other_loopback_addresses_can_be_used(upstream):
    with socket.create_connection(("127.0.0.1", int(upstream.url.rsplit(":", 1)[1])), source_address=("127.0.9.9", 0)) as sock:
        assert sock.getsockname()[0] == "127.0.9.9"


# What is tested: every promise, every bad input and every fault of the hardening notes has a test.

TREE = Path(__file__).resolve().parents[2]

PROMISES = [f"s{number}" for number in range(1, 9)] + [f"h{number}" for number in range(1, 16)]

ROWS = [*range(1, 15), 17, 18, 19, *range(21, 30), 31, 32, 33, 34, 35, 37, 39, 40, 41, 42, *range(45, 52), 53, 54, 55, 56, 58, 60, 61,
        62, 64, 65, 67, 68, 69, 72, 73, 75, 76, 77, 78, 79, 80, 81, 82, 83, 86, 88, 89, 90, 97, 98]


@cache
def known_tests() -> dict[str, str]:
    """The names of all tests by where they are: `file::name` of Python's, and of Rust's."""
    found = {}
    for file in sorted((TREE / "tests" / "e2e").glob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE):
            found[f"{file.stem}::{name}"] = file.read_text()
    for room in ("gateway-*", "adapter-*", "xtask"):
        for file in sorted(TREE.glob(f"{room}/**/*.rs")):
            if "target" in file.parts:
                continue
            for name in re.findall(r"#\[(?:\w+::)?test[^]]*\]\s*(?:#\[[^]]*\]\s*)*(?:async )?fn (\w+)", file.read_text()):
                found[f"{file.relative_to(TREE)}::{name}"] = ""
    assert len(found) > 800, "the tests are not where they are looked for"
    return found


def has_id(identifier: str) -> bool:
    return any(re.search(rf"(^|_){identifier}(_|$)", name.split("::")[1]) for name in known_tests())


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_a_test_of_its_id(promise):
    assert has_id(promise), f"no test has {promise} in its name"


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_bad_inputs_has_a_case(row):
    names = [name for name in known_tests() if re.search(rf"::test_(\d+_)*{row}_", name)]
    cases = re.findall(rf'"{row}(?:-[^"]*)?"', (TREE / "tests" / "e2e" / "test_bad_input.py").read_text())
    assert names or cases, f"no case has row {row}"


def test_every_fault_has_a_test():
    from test_faults import FAULTS
    for fault, where in FAULTS.items():
        for name in where:
            pattern = re.compile(name.replace("*", r"\w+"))
            assert any(pattern.fullmatch(known) for known in known_tests()), f"{fault}: there is no {name}"


def test_h15_nothing_unsafe_and_no_panics():
    manifest = (TREE / "Cargo.toml").read_text()
    for lint in ("unsafe_code = \"forbid\"", "unwrap_used = \"deny\"", "expect_used = \"deny\"", "panic = \"deny\"",
                 "indexing_slicing = \"deny\""):
        assert lint in manifest, lint
    members = [file for file in TREE.glob("*/Cargo.toml") if file.parent.name not in ("target", "fuzz", "build", "node_modules")]
    assert len(members) > 9
    for file in members:
        assert re.search(r"^\[lints\]\nworkspace = true$", file.read_text(), re.MULTILINE), f"{file} does not heed the lints"
    assert (TREE / "Cargo.lock").is_file() and (TREE / "deny.toml").is_file()
    ci = "".join(file.read_text() for file in (TREE / "xtask" / "src").glob("*.rs"))
    assert "--locked" in ci and "deny" in ci
