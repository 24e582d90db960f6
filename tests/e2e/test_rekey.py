"""A new master key: `POST /api/rekey` on both runtimes, and `gateway rekey` beside the native database."""

import base64
import secrets
import subprocess

import pytest

import scripts
from checks import expect
from gateway import binary
from world import Lab, Relay, Site

pytestmark = pytest.mark.own


@pytest.fixture
def master_key(canaries):
    """Makes master keys, which must never be seen."""
    def make(name: str) -> str:
        key = canaries.add("a master key", base64.b64encode(secrets.token_bytes(32)).decode())
        return f"{name}:{key}"
    return make


@pytest.fixture
def rotated(launcher, upstream, canaries, master_key):
    """A gateway whose two channels were sealed with an old master key, stopped; and a way to start it with others."""
    old, sites = master_key("k1"), []
    process = launcher(MASTER_KEYS=old)

    def start(*keys: str) -> Site:
        process.environment["MASTER_KEYS"] = ",".join(keys)
        sites.append(Site(process.start(), upstream, canaries))
        return sites[-1]

    site = start(old)
    lab = Lab(site)
    rig = lab.rig(scripts.chat())
    other = lab.channel(rig.route, lab.model())
    process.stop()
    yield process, start, old, rig, other
    process.stop()
    process.remove()
    for site in sites:
        site.http.close()


def chat(site, rig) -> None:
    """The channel's key can still be opened."""
    rig.route.play(scripts.chat())
    expect(Relay(site.http, rig.token.key).chat(rig.model), 200)
    assert rig.route.last.header("authorization") == f"Bearer {rig.channel.key}"


def test_h7_root_rekeys_and_then_the_old_master_key_can_go(rotated, master_key):
    process, start, old, rig, other = rotated
    new = master_key("k2")
    site = start(new, old)
    chat(site, rig)
    assert site.root.post("/api/rekey", None) == {"rekeyed": 2, "current": 0}
    chat(site, rig)
    assert site.root.post("/api/rekey", None) == {"rekeyed": 0, "current": 2}, "there is nothing left to do"
    entries = site.root.get("/api/audit", params={"action": "channel.rekey"})["items"]
    assert sorted(entry["object_id"] for entry in entries) == sorted([rig.channel.id, other.id])
    assert [entry["detail"] for entry in entries] == [{}, {}]
    process.stop()
    site = start(new)
    chat(site, rig)
    assert site.root.post("/api/rekey", None) == {"rekeyed": 0, "current": 2}


def test_a_lost_master_key_names_its_channels_and_the_others_are_done(rotated, master_key):
    process, start, old, rig, other = rotated
    new = master_key("k2")
    site = start(new)
    # A key that is given now is sealed with the newest master key.
    site.root.put(f"/api/channel/{other.id}", {"key": site.canaries.make("a provider key", "sk-prov-")})
    reply = site.root.refused("POST", "/api/rekey", 409, "master_key_missing")
    assert f": {rig.channel.id}. 0 others were rekeyed, 1 were current" in reply.json()["message"]
    process.stop()
    # The same name with another key is a lost key too.
    site = start(new, master_key("k1"))
    site.root.refused("POST", "/api/rekey", 409, "master_key_missing")
    process.stop()
    site = start(new, old)
    assert site.root.post("/api/rekey", None) == {"rekeyed": 1, "current": 1}
    chat(site, rig)


def rekey(process, keys: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"RUST_LOG": "info", "DATABASE_URL": f"sqlite://{process.database()}"}
    if keys is not None:
        environment["MASTER_KEYS"] = keys
    return subprocess.run([binary(), "rekey", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, check=False)


@pytest.mark.native
def test_the_command_rekeys_while_no_gateway_runs(rotated, master_key, canaries, tmp_path):
    process, start, old, rig, _ = rotated
    new = master_key("k2")
    site = start(old)
    running = rekey(process, f"{new},{old}")
    assert running.returncode != 0 and "gateway.db.lock" in running.stderr, running
    process.stop()

    lost = rekey(process, new)
    assert lost.returncode != 0 and "cannot be opened with any of MASTER_KEYS: " in lost.stderr, lost
    assert f"{rig.channel.id}" in lost.stderr and lost.stdout == ""
    none = rekey(process, None)
    assert none.returncode != 0 and "MASTER_KEYS is not set" in none.stderr, none
    nowhere = rekey(process, new, "--database-url", f"sqlite://{tmp_path}/nowhere.db")
    assert nowhere.returncode != 0 and "there is no database" in nowhere.stderr, nowhere
    assert not (tmp_path / "nowhere.db").exists()

    done = rekey(process, f"{new},{old}")
    assert (done.returncode, done.stdout) == (0, "rekeyed: 2, already current: 0\n"), done
    again = rekey(process, f"{new},{old}")
    assert (again.returncode, again.stdout) == (0, "rekeyed: 0, already current: 2\n"), again
    printed = tmp_path / "printed.log"
    printed.write_text("".join(text for run in (running, lost, none, done, again) for text in (run.stdout, run.stderr)))
    assert canaries.check_files([printed]) == []

    site = start(new)
    chat(site, rig)
    entries = site.root.get("/api/audit", params={"action": "channel.rekey"})["items"]
    assert len(entries) == 2 and {entry["actor_id"] for entry in entries} == {None}
