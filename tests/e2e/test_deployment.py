"""The files for containers name what exists: sources, commands, variables. No image is built here."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from gateway import REPOSITORY, binary

pytestmark = pytest.mark.native

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PLATFORM = {"PORT"}
"""Variables that are the platform's, and not the gateway's."""


def usage(command: str) -> str:
    asked = subprocess.run([binary(), command, "--help"], capture_output=True, text=True, timeout=20, check=False)
    assert asked.returncode == 0, f"there is no command {command}"
    return asked.stdout


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} (.+)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def hidden(command: str) -> set[str]:
    """Secrets, which `--help` does not list."""
    return {"serve": {"ADMIN_PASSWORD", "JWT_SECRET", "MASTER_KEYS", "RELAY_PROXY_KEY"}, "relay": {"RELAY_PROXY_KEY"}}[command]


def test_the_image_is_small_and_not_roots():
    bases = instructions("FROM")
    assert len(bases) == 2 and bases[0].endswith(" AS build") and "distroless" in bases[1]
    assert instructions("USER")[-1].split(":")[0] not in ("0", "root")
    assert instructions("ENTRYPOINT") == ['["/gateway"]'] and instructions("CMD") == ['["serve"]']


def test_the_images_toolchain_is_the_projects():
    channel = re.search(r'channel = "([^"]+)"', (REPOSITORY / "rust-toolchain.toml").read_text()).group(1)
    assert f"rust:{channel}-" in instructions("FROM")[0]


def test_the_image_knows_its_commands_and_variables():
    for command in ("serve", "relay", "health"):
        usage(command)
    assert 'CMD ["/gateway", "health"]' in DOCKERFILE
    for name in re.findall(r"([A-Z_]+)=", " ".join(instructions("ENV"))):
        assert name in usage("serve"), name


def test_the_context_has_every_member_of_the_workspace():
    """What cargo reads of the workspace must not be kept away from the build."""
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    kept = [line.removeprefix("!").rstrip("/") for line in ignored if line.startswith("!")]
    members = re.search(r"^members = \[(.*?)\]", (REPOSITORY / "Cargo.toml").read_text(), re.DOTALL | re.MULTILINE).group(1)
    for member in [*re.findall(r'"([^"]+)"', members), "migrations", "examples", "Cargo.toml", "Cargo.lock"]:
        assert any(re.fullmatch(pattern.replace("*", ".*"), member) for pattern in kept), member
    assert "**/*.secrets" in ignored and "**/.dev.vars" in ignored


def test_the_blueprint_names_commands_and_variables_that_exist():
    services = yaml.safe_load((REPOSITORY / "render.yaml").read_text())["services"]
    commands = {}
    for service in services:
        program, command = service["dockerCommand"].split()
        assert program == "/gateway" and service["healthCheckPath"] == "/health"
        commands[command] = {variable["key"]: variable.get("value") for variable in service["envVars"]}
        for name in commands[command]:
            assert name in PLATFORM or name in hidden(command) or name in usage(command), name
        # A secret has no value in the file.
        assert all(commands[command].get(name) is None for name in hidden(command))
    assert set(commands) == {"serve", "relay"}
    for variables in commands.values():
        assert variables["LISTEN"].endswith(":" + variables["PORT"])
