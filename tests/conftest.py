"""What every test may use: the shared references, waiting for a condition, and the rule about skipped tests.

pytest loads it. A skipped test is a hole that nobody looks at; under CI=true each one fails the run unless
`SKIPS_ALLOWED` names it with its reason.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import time
from collections.abc import Awaitable, Callable

import hypothesis
import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

SKIPS_ALLOWED: dict[str, str] = {
    "tests/controllers/test_local_bounds.py::test_another_user": "only root can become another user",
}
"""Test id (or its beginning) → why it may be skipped in CI."""

# Files of tests lie in memory where there is room and what lies there may be run: each of thousands of stores waits for its disk.
_memory = pathlib.Path("/dev/shm")
ROOM = 4 << 30
if _memory.is_dir():
    _room = os.statvfs(_memory)
    if _room.f_bavail * _room.f_frsize > ROOM and not _room.f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_memory))

NO_SHARED = "HEALER_SHARED is set to nothing: the shared references are left out"

LONG = (
    "acceptance/test_activations.py",
    "acceptance/test_api_machine.py",
    "acceptance/test_bad_start.py",
    "acceptance/test_crash_matrix.py",
    "acceptance/test_dead_letters.py",
    "acceptance/test_dynamic_hosts.py",
    "acceptance/test_full_disk.py",
    "acceptance/test_heartbeat.py",
    "acceptance/test_kills.py",
    "acceptance/test_trying.py",
    "acceptance/test_upstream_actions.py",
    "acceptance/test_voided.py",
    "controllers/test_ansible_lists.py",
    "controllers/test_ansible_plans.py",
    "controllers/test_ansible_plugins.py",
    "controllers/test_ansible_roles.py",
    "controllers/test_ansible_ssh.py",
    "controllers/test_ansible_why.py",
    "controllers/test_oc_faults.py",
    "controllers/test_run_on.py",
    "controllers/test_run_on_plans.py",
    "controllers/test_ssh_ask.py",
    "controllers/test_ssh_far.py",
    "controllers/test_ssh_lost.py",
    "docs/test_own_controller.py",
    "rulebooks/test_differential.py",
    "rulebooks/test_upstream_examples.py",
    "simulation/test_of_the_tests.py",
    "simulation/test_simulation.py",
    "simulation/test_storm.py",
    "unit/test_packaging.py",
)
"""Files of tests that take long (real Ansible by the hundred, kills, worlds, upstream's engine): `make test-long` runs them, CI both."""

# No deadline: how long an example takes says more about the machine than about the code.
_slow = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("dev", deadline=None, suppress_health_check=_slow)
hypothesis.settings.register_profile(
    "ci", deadline=None, suppress_health_check=_slow, derandomize=True, print_blob=True
)
# For `make mutate`, where each test runs thousands of times and nobody wants to understand what it found.
MUTATE = "mutate"
_found = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile(
    MUTATE, deadline=None, suppress_health_check=_slow, derandomize=True, phases=_found, max_examples=30
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


@pytest.fixture(scope="session")
def repository() -> pathlib.Path:
    """The root of this repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with reference payloads and models: $HEALER_SHARED, else `shared` beside the repository.

    Where there is none the test is skipped (CI fails for that), also where it is set to nothing; a folder that is named and missing is a
    failure.
    """
    named = os.environ.get("HEALER_SHARED")
    folder = pathlib.Path(named) if named else REPOSITORY.parent / "shared"
    if named == "" or (named is None and not folder.is_dir()):
        pytest.skip(NO_SHARED)
    if not folder.is_dir():
        pytest.fail(
            f"{folder} is no folder; set HEALER_SHARED to the shared references, or to nothing to leave them out"
        )
    return folder


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """`wait_for(condition, timeout_s=30)`: blocks until `condition()` is true, for tests of real processes."""

    def wait(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "") -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited {timeout_s} s in vain for {what or condition}")
            time.sleep(0.01)

    return wait


@pytest.fixture
def wait_for_async() -> Callable[..., Awaitable[None]]:
    """`await wait_for_async(condition, timeout_s=30)`: as `wait_for`, and the loop goes on meanwhile."""

    async def wait(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "") -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited {timeout_s} s in vain for {what or condition}")
            await asyncio.sleep(0.01)

    return wait


class SkipGuard:
    """Collects what was skipped, and under CI=true makes the run fail for what is not on the list."""

    def __init__(self) -> None:
        self.unexpected: list[str] = []

    def note(self, test: str, reason: str) -> None:
        """One skipped test (or, at collection, file)."""
        listed = any(test.startswith(prefix) for prefix in SKIPS_ALLOWED)
        left_out = NO_SHARED in reason and os.environ.get("HEALER_SHARED") == ""
        if not listed and not left_out:
            self.unexpected.append(f"{test}: {reason}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a skipped test; an expected failure also counts as skipped in pytest, and is none."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.note(report.nodeid, _reason(report.longrepr))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes a file that skipped itself whole."""
        if report.skipped:
            self.note(report.nodeid, _reason(report.longrepr))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails a run that would have passed."""
        if self.unexpected and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says why, above pytest's closing line."""
        if self.unexpected:
            terminalreporter.section("skipped in CI, and not on the list in tests/conftest.py", red=True)
            for line in self.unexpected:
                terminalreporter.line(line)


def _reason(longrepr: object) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


def pytest_addoption(parser: pytest.Parser) -> None:
    """For tests/simulation."""
    parser.addoption("--seed", type=int, help="simulate this seed alone, and show what happened")
    parser.addoption("--kind", choices=["short", "long"], help="only the tests that take long, or only the others")


def pytest_ignore_collect(collection_path: pathlib.Path, config: pytest.Config) -> bool | None:
    """Tests of the other kind are not even read."""
    kind = config.getoption("kind")
    if kind is None or collection_path.suffix != ".py":
        return None
    takes_long = any(collection_path == REPOSITORY / "tests" / one for one in LONG)
    return True if takes_long != (kind == "long") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `make mutate`: what takes many examples comes last, since one failure is enough."""
    if hypothesis.settings.get_current_profile_name() == MUTATE:
        items.sort(key=lambda item: hasattr(getattr(item, "obj", None), "hypothesis"))


def pytest_configure(config: pytest.Config) -> None:
    """Puts the guard in place where a skip counts."""
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # a shell's background job: what tests start would ignore it too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.set_event_loop(None)  # else pytest-asyncio makes a loop that nobody closes
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(SkipGuard(), "skip-guard")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting of the person who runs the tests reaches a test (HEALER_SHARED is for the tests themselves), and nothing is kept there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in [name for name in os.environ if name.startswith("HEALER_") and name != "HEALER_SHARED"]:
        monkeypatch.delenv(name)
