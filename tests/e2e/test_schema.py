"""What a stranger sees: schemathesis reads the served description and holds the gateway to it.

It makes up requests, good and bad ones, for every route, as several callers. The runs are deterministic: the same
description gives the same requests.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from world import Lab

PUBLIC = ["/api/user/register", "/api/user/login"]

# `positive_data_acceptance` is left out: some rules cannot be written in JSON Schema, such as that a new password
# needs the current one, or that a list of networks is one. All others are on.
CHECKS = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]

# A stranger's channel would point at its provider's public address, and the test of a channel calls it.
OUTSIDE = ["/api/channel/{id}/test"]


@pytest.fixture(scope="module")
def seen(running):
    """A gateway that strangers may turn upside down, and who they come as."""
    with running() as site:
        lab = Lab(site)
        rig = lab.rig(owner=site.user())
        yield site, {"anonymous": None, "user": rig.user.api.jwt, "key": rig.token.key, "root": site.root.jwt}


@pytest.mark.own
@pytest.mark.timeout(150)
# Root comes last: it changes what the others would see.
@pytest.mark.parametrize("caller", ["anonymous", "user", "key", "root"])
def test_the_description_is_true(seen, caller, tmp_path):
    site, credentials = seen
    # Those that are the same for everybody, and hash passwords, are tried by nobody in particular.
    excluded = OUTSIDE + (PUBLIC if credentials[caller] else [])
    command = [Path(sys.executable).with_name("schemathesis"), "--no-color", "run", f"{site.gateway.url}/openapi.json", *CHECKS,
               "--generation-deterministic", "--max-examples", "8", "--continue-on-failure", "--request-timeout", "20"]
    command += [part for path in excluded for part in ("--exclude-path", path)]
    if credentials[caller]:
        command += ["--header", f"Authorization: Bearer {credentials[caller]}"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=140, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Test Phases:" in run.stdout and "No test cases" not in run.stdout


def test_the_description_names_what_it_needs(site):
    """What tools that read descriptions stumble over."""
    described = site.http.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    schemas = described["components"]["schemas"]
    for path, item in described["paths"].items():
        assert "*" not in path
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"] and operation["tags"], where
            for status, response in operation["responses"].items():
                assert response["description"], (where, status)
                if status >= "400":
                    shape = response["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                    assert shape in schemas and shape == ("CallFailure" if path.startswith("/v1") else "ApiFailure"), (where, status)
            if path.startswith("/api/") and path not in PUBLIC:
                assert operation["security"] == [{"login": []}], where
