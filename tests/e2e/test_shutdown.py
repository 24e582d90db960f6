"""How the process ends: nothing that was begun is lost, whether it ends gently or not."""

import threading

import pytest

import scripts
import sse
from checks import expect
from polling import wait_for
from rawhttp import RawConnection
from world import HELLO, Lab, Site

pytestmark = pytest.mark.native


def test_sigterm_lets_a_stream_finish_and_settles_it(process, open_site):
    site = open_site()
    lab = Lab(site)
    gate = lab.gate()
    rig = lab.rig(scripts.stream(["one ", "two"], gates={2: gate}))
    with rig.streaming() as reply:
        data, got = reply.iter_bytes(), b""
        while b"one" not in got:
            got += next(data)
        gate.wait_arrived()
        process.terminate()
        wait_for(lambda: not accepts(site), "new connections to be refused")
        assert process.process.poll() is None, "it must wait for the open stream"
        gate.open()
        got += b"".join(data)
    sse.parse(got).assert_complete("one two")
    assert process.wait_exit() == 0

    again = open_site()
    rows = again.login(rig.user.username, rig.user.password).get("/api/log/self")["items"]
    assert [(row["request_id"], row["quota"], row["end_reason"]) for row in rows] == [
        (reply.headers["x-request-id"], scripts.cost(), "complete")]


def accepts(site: Site) -> bool:
    try:
        with RawConnection(site.gateway.url, timeout=2) as connection:
            connection.send(connection.head("GET", "/health", [("Connection", "close")]))
            return connection.reply(2).status == 200
    except (OSError, ValueError, EOFError):
        return False
    except Exception as error:  # http.client has errors of its own for a connection that ends early
        if type(error).__module__ == "http.client":
            return False
        raise


def test_sigterm_lets_an_answer_finish(process, open_site):
    site = open_site()
    lab = Lab(site)
    gate = lab.gate()
    rig = lab.rig(scripts.chat("in time", gate=gate))
    replies = []
    caller = threading.Thread(target=lambda: replies.append(rig.chat()))
    caller.start()
    gate.wait_arrived()
    process.terminate()
    wait_for(lambda: not accepts(site), "new connections to be refused")
    gate.open()
    caller.join(15)
    assert expect(replies[0], 200).json()["choices"][0]["message"]["content"] == "in time"
    assert process.wait_exit() == 0


def test_sigterm_is_heeded_from_the_first_moment(process):
    """Whoever waits for the ready line may end the process right after it."""
    for _ in range(5):
        process.start()
        process.terminate()
        assert process.wait_exit() == 0


def test_an_idle_process_ends_at_once(process, open_site):
    site = open_site()
    with RawConnection(site.gateway.url) as used, RawConnection(site.gateway.url):
        used.send(used.head("GET", "/health", []))
        assert used.reply().status == 200
        process.terminate()
        assert process.wait_exit(5) == 0, "open idle connections must not keep it"


def test_everything_is_there_after_a_restart(process, open_site):
    site = open_site()
    lab = Lab(site)
    rig = lab.rig()
    rig.wait_row(expect(rig.chat(), 200))
    process.terminate()
    assert process.wait_exit() == 0

    again = open_site()
    expect(rig.site.http.post(f"{again.gateway.url}/v1/chat/completions", json={"model": rig.model, "messages": HELLO},
                              headers={"authorization": f"Bearer {rig.token.key}"}), 200)
    assert rig.route.last.header("authorization") == f"Bearer {rig.channel.key}", "the provider's key is still readable"
    user = again.login(rig.user.username, rig.user.password)
    wait_for(lambda: user.get("/api/user/self")["used_quota"] == 2 * scripts.cost(), "the second call to be settled")
    # Nobody has to log in again.
    expect(again.http.get("/api/user/self", headers={"authorization": f"Bearer {rig.user.api.jwt}"}), 200)


def test_a_crash_loses_no_money(process, open_site):
    """Killed in the middle of a stream: the next start closes the call by the charging rule."""
    site = open_site()
    lab = Lab(site)
    gate = lab.gate()
    balance = 100_000
    rig = lab.rig(scripts.stream(["begun ", "never"], gates={2: gate}), owner=site.user(quota=balance))
    with rig.streaming(max_tokens=30_000) as reply:
        data, got = reply.iter_bytes(), b""
        while b"begun" not in got:
            got += next(data)
        process.kill()

    again = open_site()
    user = again.login(rig.user.username, rig.user.password)
    rows = wait_for(lambda: user.get("/api/log/self")["items"], "the row of the call that was cut", 20, every=0.1)
    assert len(rows) == 1 and rows[0]["request_id"] == reply.headers["x-request-id"] and rows[0]["quota"] > 0
    me = user.get("/api/user/self")
    assert me["quota"] == balance - rows[0]["quota"] and me["used_quota"] == rows[0]["quota"]
    rig.route.play(scripts.chat())
    body = {"model": rig.model, "messages": HELLO, "max_tokens": 30_000}
    expect(again.http.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {rig.token.key}"}), 200)


@pytest.mark.parametrize("goes_on", [True, False], ids=["in-time", "too-late"])
def test_sigterm_settles_calls_whose_clients_are_gone(process, open_site, goes_on):
    """Their upstreams are listened to. If they say no more in time, what was seen is charged: by this process,
    which knows it, and not by the next start, which knows only the last checkpoint."""
    process.environment.update(DRAIN_MS="20000", SHUTDOWN_TIMEOUT_MS="20000" if goes_on else "700")
    site = open_site()
    lab = Lab(site)
    gate = lab.gate()
    rig = lab.rig(scripts.resumed_stream(gate, scripts.usage_of(30, 7)))
    connection = rig.raw(max_tokens=2_000_000)
    connection.read_until(b"begun")
    connection.hang_up("fin")
    gate.wait_arrived()
    process.terminate()
    if goes_on:
        wait_for(lambda: not accepts(site), "new connections to be refused")
        gate.open()
    assert process.wait_exit() == 0

    again = open_site()
    row, = again.login(rig.user.username, rig.user.password).get("/api/log/self")["items"]
    quota = scripts.cost(30, 7) if goes_on else scripts.estimated("begun")
    assert (row["quota"], row["end_reason"], row["state"]) == (quota, "client_gone", "settled"), row


def test_a_stream_that_takes_too_long_is_cut_and_settled(process, open_site):
    process.environment.update(DRAIN_MS="20000", SHUTDOWN_TIMEOUT_MS="700")
    site = open_site()
    rig = Lab(site).rig(scripts.broken_stream(["begun"], "stall"))
    with rig.raw() as connection:
        connection.read_until(b"begun")
        process.terminate()
        assert connection.closed_by_peer(5)
        assert b"[DONE]" not in connection.received
    assert process.wait_exit(5) == 0

    again = open_site()
    row, = again.login(rig.user.username, rig.user.password).get("/api/log/self")["items"]
    assert (row["quota"], row["state"]) == (scripts.estimated("begun"), "settled"), row
