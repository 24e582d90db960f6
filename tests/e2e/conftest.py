"""Fixtures: the gateway under test, its fake upstream, and the watch for secrets."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager

import pytest

from canary import Canaries
from fake_upstream import FakeUpstream
from gateway import RUNTIME, GatewayProcess, RemoteGateway, binary, gateway_process, quiet
from sdks import NodeSdk, PythonSdk
from world import Lab, Site

REMOTE_URL = os.environ.get("GATEWAY_URL")


def pytest_collection_modifyitems(items):
    reasons = {}
    if REMOTE_URL:
        reasons["own"] = reasons["native"] = reasons["worker"] = "needs a gateway process of its own"
    elif RUNTIME == "worker":
        reasons["native"] = "is about the native process"
    else:
        reasons["worker"] = "is about the Worker"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="session")
def upstream():
    server = FakeUpstream().start()
    yield server
    server.stop()
    assert not server.errors, "scripts of the fake upstream failed:\n" + "\n".join(server.errors)
    assert not server.strays, f"requests to addresses that no channel has: {[r.path for r in server.strays]}"


@pytest.fixture(scope="session")
def launcher(canaries, upstream, tmp_path_factory):
    """Makes (but does not start) gateway processes; the one place that does."""
    def make(**environment: str | None) -> GatewayProcess:
        if RUNTIME == "native" and not binary().is_file():
            pytest.exit(f"no gateway at {binary()}: build it with `cargo build`, or set GATEWAY_BIN or GATEWAY_URL", 2)
        return gateway_process(tmp_path_factory.mktemp("gateway"), canaries, **environment)
    return make


@pytest.fixture(scope="session")
def running(launcher, canaries, upstream):
    """Context managers around whole gateways: started, stopped, searched for secrets, removed."""
    @contextmanager
    def run(**environment: str | None):
        process = launcher(**environment)
        try:
            site = Site(process.start(), upstream, canaries)
            yield site
            site.close()
            process.stop()
            process.remove()
        finally:
            if process.process is not None and process.process.poll() is None:
                process.kill()
    return run


@pytest.fixture(scope="session")
def site(request, canaries, upstream):
    """The gateway that most tests share: one that runs (GATEWAY_URL), or a process of our own."""
    if REMOTE_URL:
        password = canaries.add("the admin's password", os.environ["GATEWAY_ADMIN_PASSWORD"])
        remote = Site(RemoteGateway(REMOTE_URL, password, os.environ.get("GATEWAY_JWT_SECRET")), upstream, canaries)
        yield remote
        remote.close()
    else:
        with request.getfixturevalue("running")() as own:
            yield own
            own.assert_books_balance()


@pytest.fixture
def lab(site):
    lab = Lab(site)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def shared_lab(site):
    """A lab for what the tests of one file share."""
    lab = Lab(site)
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def node(canaries):
    """The openai package for Node."""
    node = NodeSdk(canaries)
    yield node
    node.stop()


@pytest.fixture(params=["python", "node"])
def sdk(request):
    """An official openai package: a test that asks for it is run with each."""
    return PythonSdk() if request.param == "python" else request.getfixturevalue("node")


@pytest.fixture(scope="session")
def impatient_site(running):
    """A gateway that waits for nobody: for tests of time limits only."""
    with running(CONNECT_TIMEOUT_MS="700", FIRST_BYTE_TIMEOUT_MS="700", IDLE_TIMEOUT_MS="700",
                 BODY_TIMEOUT_MS="700", HEADER_TIMEOUT_MS="700") as site:
        yield site


@pytest.fixture
def impatient_lab(impatient_site):
    lab = Lab(impatient_site)
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def patient_site(running):
    """A gateway that listens on for long when a client is gone, to two upstreams at once (a Worker to more)."""
    with running(DRAIN_BEFORE_ANSWER_MS="20000", DRAIN_MS="20000", DRAIN_AT_ONCE="2") as site:
        yield site


@pytest.fixture
def patient_lab(patient_site):
    lab = Lab(patient_site)
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def lenient_site(running):
    """A gateway that takes nothing for a prompt that nobody waited for an answer to."""
    with running(CHARGE_PROMPT_ON_ABORT="0") as site:
        yield site


@pytest.fixture
def lenient_lab(lenient_site):
    lab = Lab(lenient_site)
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def guarded_site(running):
    """A gateway as one would run it on the Internet: no loopback upstreams, one allowed origin."""
    with running(ALLOW_LOOPBACK_UPSTREAMS=None, ALLOWED_ORIGINS="https://app.example.com") as site:
        yield site


@pytest.fixture
def spawn(running):
    """Starts gateways for one test; they end with it."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(running(**environment))


@pytest.fixture
def process(launcher):
    """One process that the test starts and ends by itself."""
    process = launcher()
    yield process
    if process.process is not None:
        process.stop()
    process.remove()


@pytest.fixture
def open_site(process, upstream, canaries):
    """Starts the process (again) and gives its site."""
    sites = []

    def start() -> Site:
        sites.append(Site(process.start(), upstream, canaries))
        return sites[-1]
    yield start
    for site in sites:
        site.close()


@pytest.fixture(autouse=True)
def no_secret_leaks(canaries):
    """After every test: no answer had a secret in it, and each had an id."""
    yield
    found, canaries.violations = canaries.violations, []
    assert not found, "\n".join(sorted(set(found)))


@pytest.fixture(autouse=True)
def gateway_log(request):
    """Adds what the shared gateway logged meanwhile to the report of a failed test."""
    if "site" not in request.fixturenames and "lab" not in request.fixturenames:
        yield
        return
    gateway = request.getfixturevalue("site").gateway
    start = gateway.log_size()
    yield
    report = getattr(request.node, "call_report", None)
    if report is not None and report.failed and (log := quiet(gateway.log_since(start))):
        report.sections.append(("the gateway's log", "\n".join(log.splitlines()[-30:])))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.call_report = report
    return report
