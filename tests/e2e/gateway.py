"""The gateway under test: a process of our own, or one that already runs somewhere."""

from __future__ import annotations

import base64
import ctypes
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from canary import Canaries
from polling import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)

DEFAULTS = {
    "LISTEN": "127.0.0.1:0",
    "ALLOW_LOOPBACK_UPSTREAMS": "1",
    "NEW_USER_QUOTA": "100000000",
    "CONNECT_TIMEOUT_MS": "2000",
    "FIRST_BYTE_TIMEOUT_MS": "20000",
    "IDLE_TIMEOUT_MS": "20000",
    "BODY_TIMEOUT_MS": "10000",
    "HEADER_TIMEOUT_MS": "10000",
    # An upstream is not listened to for long when its client is gone: what shows that it is, says so.
    "DRAIN_BEFORE_ANSWER_MS": "500",
    "DRAIN_MS": "500",
    # Tests share a gateway and let upstreams fail as they please; test_breakers.py has one that minds.
    "BREAKER_FAILURES": "1000000",
    "RATE_LIMIT_COOLDOWN_MS": "0",
    "RETRY_BUDGET_PER_SECOND": "1000",
    # Everything a careless log line could give away is to be seen.
    "RUST_LOG": "debug",
    "LOG_FORMAT": "json",
}


RUNTIME = os.environ.get("GATEWAY_RUNTIME", "native")
"""Which build of the gateway the tests start: the `native` binary, or the `worker` in workerd with D1."""


def binary() -> Path:
    return Path(os.environ.get("GATEWAY_BIN") or REPOSITORY / "target" / "debug" / "gateway").resolve()


class RemoteGateway:
    """A gateway that somebody else started (GATEWAY_URL): tests that need its process are skipped."""

    def __init__(self, url: str, admin_password: str, jwt_secret: str | None):
        self.url = url.rstrip("/")
        self.admin_password = admin_password
        self.jwt_secret = jwt_secret

    def log_since(self, offset: int) -> str:
        return ""

    def log_size(self) -> int:
        return 0


class GatewayProcess:
    """A gateway of our own, with its database in `directory`."""

    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, canaries: Canaries, **environment: str | None):
        self.directory = directory
        self.canaries = canaries
        self.admin_password = canaries.make("the admin's password")
        self.jwt_secret = canaries.make("the JWT secret", "jwt-") + secrets.token_hex(8)
        settings = {**DEFAULTS, "ADMIN_PASSWORD": self.admin_password, "JWT_SECRET": self.jwt_secret,
                    "DATABASE_URL": f"sqlite://{directory}/gateway.db", **environment}
        # None of the caller's environment (proxies, other settings) reaches the gateway.
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE") if name in os.environ}
        self.environment = {**inherited, **{name: value for name, value in settings.items() if value is not None}}
        self.stdout = directory / "stdout.log"
        self.stderr = directory / "stderr.log"
        self.url = ""
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str | Path]:
        return [binary(), "serve"]

    def launch(self) -> None:
        """Starts the process without waiting for it."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        printed = self.stdout.stat().st_size if self.stdout.exists() else 0
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(self.command(), env=self.environment, cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            preexec_fn=_die_with_parent)
        self._printed_before = printed

    def start(self, timeout: float = 30) -> GatewayProcess:
        self.launch()

        def ready() -> str | None:
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended at once with {self.process.returncode}:\n{self.tail()}")
            with self.stdout.open("rb") as file:
                file.seek(self._printed_before)
                match = LISTENING.search(file.read().decode())
            return match and match.group(1)

        self.url = wait_for(ready, "the line `listening on http://...`", timeout, detail=self.tail)
        return self

    def wait_exit(self, timeout: float = 15) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the gateway did not end within {timeout} s:\n{self.tail()}") from None

    def terminate(self) -> None:
        self.process.send_signal(self.stop_signal)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends the process gracefully, if it runs, and looks at all it left: for secrets, and for
        money that does not add up."""
        if self.process is not None and self.process.poll() is None:
            self.terminate()
            code = self.wait_exit()
            assert code == 0, f"the gateway ended with {code} after SIGTERM:\n{self.tail()}"
        self.check_secrets()
        self.check_books()

    def database(self) -> Path:
        """The file of its database."""
        return self.directory / "gateway.db"

    def check_books(self) -> None:
        """The books add up, whether it runs or not."""
        if self.database().exists():
            verified = verify(self.database())
            assert verified.returncode == 0, f"{verified.stdout}{verified.stderr}\n{self.tail()}"

    def check_secrets(self) -> None:
        files = [file for file in self.directory.rglob("*") if file.is_file() and file.suffix != ".secrets"]
        for text in self._secrets_file_values():
            self.canaries.add("a value of the secrets file", text)
        found = self.canaries.check_files(files)
        assert not found, "secrets were printed or stored in the clear:\n  " + "\n  ".join(found)

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def _secrets_file_values(self) -> list[str]:
        file = self.directory / "gateway.secrets"
        if not file.exists():
            return []
        return re.findall(r"[A-Za-z0-9+/_-]{32,}={0,2}", file.read_text())

    def log_size(self) -> int:
        return self.stderr.stat().st_size if self.stderr.exists() else 0

    def log_since(self, offset: int) -> str:
        with self.stderr.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 20) -> str:
        return "\n".join(quiet(self.log_since(0)).splitlines()[-lines:])

    def serving_pid(self) -> int:
        """The process that serves."""
        return self.process.pid

    def memory_kib(self) -> int:
        """The resident memory of the process that serves."""
        status = Path(f"/proc/{self.serving_pid()}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE).group(1))


class WorkerProcess(GatewayProcess):
    """The Worker in workerd, with a local D1 in `directory`."""

    def __init__(self, directory: Path, canaries: Canaries, **environment: str | None):
        master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        settings = {"MASTER_KEYS": "k1:" + canaries.add("the master key", master_key), "PERSIST": str(directory / "d1"),
                    "CLIENT_TIMEOUT_MS": "2000", "LOG_LEVEL": "debug", "DATABASE_URL": None, "RUST_LOG": None, **environment}
        super().__init__(directory, canaries, **settings)
        for name in ("WORKER_DIR", "XDG_CONFIG_HOME"):
            if name in os.environ:
                self.environment.setdefault(name, os.environ[name])

    def command(self) -> list[str | Path]:
        return ["node", REPOSITORY / "tests" / "worker" / "serve.mjs"]

    def database(self) -> Path:
        """The one file of D1 with tables in it."""
        files = [file for file in self.directory.glob("d1/**/*.sqlite") if file.name != "metadata.sqlite"]
        return files[0] if files else self.directory / "d1"

    def check_books(self) -> None:
        """The native command reads D1's file, too, if it is there; not while workerd has it."""
        running = self.process is not None and self.process.poll() is None
        if binary().is_file() and not running and self.database().is_file():
            super().check_books()

    def serving_pid(self) -> int:
        """workerd, which node started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


def gateway_process(directory: Path, canaries: Canaries, **environment: str | None) -> GatewayProcess:
    """A gateway of the runtime under test."""
    kind = WorkerProcess if RUNTIME == "worker" else GatewayProcess
    return kind(directory, canaries, **environment)


def verify(database: Path) -> subprocess.CompletedProcess[str]:
    """`gateway ledger verify` on a database, which a gateway may be using."""
    return subprocess.run([binary(), "ledger", "verify", "--database-url", f"sqlite://{database}"],
                          env={"RUST_LOG": "info"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)


class RelayProcess(GatewayProcess):
    """The relay proxy, `gateway relay`, for targets of these hosts."""

    def __init__(self, directory: Path, canaries: Canaries, hosts: str, **environment: str | None):
        self.key = canaries.make("the relay's key", "relay-")
        settings = {"RELAY_PROXY_KEY": self.key, "RELAY_ALLOWED_HOSTS": hosts, **environment}
        super().__init__(directory, canaries, **settings)

    def command(self) -> list[str | Path]:
        return [binary(), "relay"]


class ExampleProcess(GatewayProcess):
    """One of the repository's examples, which is a gateway too; it ends with Ctrl-C."""

    stop_signal = signal.SIGINT

    def __init__(self, name: str, directory: Path, canaries: Canaries):
        super().__init__(directory, canaries)
        self.program = examples() / name

    def command(self) -> list[str | Path]:
        return [self.program, f"sqlite://{self.directory}/gateway.db"]


def examples() -> Path:
    """Where the built examples are: beside the binary, unless EXAMPLES_DIR says otherwise."""
    return Path(os.environ.get("EXAMPLES_DIR") or binary().parent / "examples").resolve()


def quiet(log: str) -> str:
    """A log without the lines that only a debugger wants."""
    return "\n".join(line for line in log.splitlines() if '"DEBUG"' not in line and '"TRACE"' not in line)


def _die_with_parent() -> None:
    """Even a test run that is killed leaves no gateway behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
