"""How the process starts, when it refuses to, and what it keeps beside its database."""

import json
import re
import stat

import httpx
import pytest

from checks import expect
from gateway import RUNTIME
from world import Lab, Site

def start_and_look(process) -> None:
    expect(httpx.get(process.start().url + "/health", trust_env=False), 200)


@pytest.mark.native
def test_the_secrets_file_is_for_nobody_else(launcher):
    process = launcher(JWT_SECRET=None)
    start_and_look(process)
    file = process.directory / "gateway.secrets"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    process.stop()
    start_and_look(process)
    assert file.read_bytes() == before, "a second start keeps the secrets"
    process.stop()
    process.remove()


@pytest.mark.native
def test_logins_outlive_a_restart_without_a_given_secret(launcher, upstream, canaries):
    process = launcher(JWT_SECRET=None)
    site = Site(process.start(), upstream, canaries)
    jwt = site.root.jwt
    process.stop()
    again = Site(process.start(), upstream, canaries)
    expect(again.http.get("/api/user/self", headers={"authorization": f"Bearer {jwt}"}), 200)
    site.close()
    again.close()
    process.stop()
    process.remove()


@pytest.mark.native
@pytest.mark.parametrize(("name", "value"), [
    ("JWT_SECRET", "tiny-3f9"), ("JWT_SECRET", "x" * 31), ("JWT_SECRET", "x" * 40),
    ("JWT_SECRET", "your-jwt-secret-your-jwt-secret-your"), ("JWT_SECRET", "changeme-changeme-changeme-changeme"), ("LISTEN", "nonsense"), ("DATABASE_URL", "oracle://x"),
    ("CONNECT_TIMEOUT_MS", "soon"), ("NEW_USER_QUOTA", "-1"),
], ids=lambda value: value[:20])
def test_h3_a_bad_setting_is_refused_at_the_start(launcher, name, value):
    process = launcher(**{name: value})
    process.launch()
    assert process.wait_exit(10) not in (0, -9), "it must refuse to start"
    said = process.stderr.read_text() + process.stdout.read_text()
    assert said.strip(), "it must say why"
    assert "listening on" not in said
    if name != "DATABASE_URL":
        assert name in said, f"the message must name {name}: {said[-500:]}"
    if name == "JWT_SECRET":
        assert value not in said
    process.remove()


@pytest.mark.native
def test_two_processes_do_not_share_a_database(launcher, process):
    process.start()
    second = launcher(DATABASE_URL=f"sqlite://{process.directory}/gateway.db")
    second.launch()
    assert second.wait_exit(10) != 0
    second.remove()


@pytest.mark.native
def test_the_ready_line_is_all_that_is_printed(process):
    start_and_look(process)
    assert re.fullmatch(r"listening on http://127\.0\.0\.1:\d+\n", process.stdout.read_text())
    process.stop()


@pytest.mark.native
def test_logs_are_lines_of_json(process, open_site):
    site = open_site()
    expect(site.http.get("/health"), 200)
    process.terminate()
    assert process.wait_exit() == 0
    lines = process.stderr.read_text().splitlines()
    assert lines, "nothing was logged"
    for line in lines:
        json.loads(line)


@pytest.mark.own
def test_nothing_secret_is_stored_in_the_clear(process, open_site):
    """What is there when the process ends: a channel, a user, a key, a login, a usage row."""
    site = open_site()
    rig = Lab(site).rig(owner=site.user())
    rig.wait_row(expect(rig.chat(), 200))
    process.stop()
    files = process.directory.glob("d1/**/*.sqlite*" if RUNTIME == "worker" else "gateway.db*")
    stored = b"".join(file.read_bytes() for file in files)
    assert rig.model.encode() in stored and rig.user.username.encode() in stored, "this is not where the data is"
    for name, secret in {"password": rig.user.password, "provider key": rig.channel.key, "API key": rig.token.key,
                         "login": rig.user.api.jwt, "JWT secret": process.jwt_secret}.items():
        assert secret.encode() not in stored, f"the {name} is stored in the clear"
