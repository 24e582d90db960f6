"""A store that is busy, cannot grow, or may only be read: nothing is sent without the ledger, and all is well
again when the store is.

What D1 can do wrong, a contract case or the model of the ledger does on the fakes and on D1 itself (errors before
and after a commit, doubled deliveries); here are the files of the native store.
"""

import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from checks import expect
from gateway import GatewayProcess, binary
from world import Lab, Relay, Site

pytestmark = pytest.mark.native


def test_49_a_store_that_is_busy(process, open_site):
    """Another program holds the database for longer than anybody waits."""
    lab = Lab(open_site())
    rig = lab.rig()
    rig.wait_row(expect(rig.chat(), 200))
    with sqlite3.connect(process.database(), isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: rig.chat(), range(4)))
        for reply in replies:
            expect(reply, 503, "ledger_unavailable")
            assert int(reply.headers["retry-after"]) >= 1
        assert rig.route.calls == 1, "without the ledger nothing is sent"
        # What only reads goes on.
        assert rig.token.fresh()["id"] == rig.token.id
        db.execute("ROLLBACK")
    rig.wait_row(expect(rig.chat(), 200))
    assert rig.route.calls == 2
    lab.close()


class Confined(GatewayProcess):
    """A process that is told, and not killed, when a file may not grow any more."""

    def command(self):
        return ["sh", "-c", "trap '' XFSZ; exec \"$0\" serve", binary()]


def test_a_file_that_cannot_grow(tmp_path, upstream, canaries):
    """As on a disk that is full: the write fails in the middle of a transaction."""
    process = Confined(tmp_path, canaries)
    site = Site(process.start(), upstream, canaries)
    lab = Lab(site)
    rig = lab.rig()
    rig.wait_row(expect(rig.chat(), 200))
    log = process.directory / "gateway.db-wal"
    limit = log.stat().st_size + 1
    before = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (limit, before[1]))
    replies = [rig.chat() for _ in range(3)]
    assert {reply.status_code for reply in replies} == {503}, [reply.text for reply in replies]
    assert rig.route.calls == 1, "without the ledger nothing is sent"
    assert rig.token.fresh()["id"] == rig.token.id
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, before)
    rig.wait_row(expect(rig.chat(), 200))
    assert rig.route.calls == 2
    lab.close()
    site.close()
    process.stop()


def test_a_store_that_is_read_only(process, open_site, launcher, upstream, canaries):
    """What only reads works; whatever costs money is refused before anything is sent."""
    lab = Lab(open_site())
    rig = lab.rig()
    process.stop()
    other = launcher(DATABASE_URL=f"sqlite://{process.database()}?mode=ro")
    site = Site(other.start(), upstream, canaries)
    relay = Relay(site.http, rig.token.key)
    assert [model["id"] for model in expect(relay.request("GET", "/v1/models"), 200).json()["data"]] == [rig.model]
    expect(relay.chat(rig.model), 503, "ledger_unavailable")
    site.anonymous.refused("POST", "/api/user/login", 503, "store_unavailable", json={"username": "x", "password": "y"})
    assert rig.route.calls == 0
    site.close()
    other.stop()
    other.remove()
