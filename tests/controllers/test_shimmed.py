"""What controllers of local children say of an attempt when the daemon's own files fail it: a full disk, a broken one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import pathlib
import signal
import sys
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model
from healer.child import jobs, shim, starting
from healer.controllers import _shimmed
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]


class Site:
    """Children that run a command as it is, and what they told."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.token = f"r-{uuid.uuid4().hex}-1"  # of no other test on this machine
        self.folder = tmp_path / "r-1-1"
        self.children = _shimmed.Children(prepare, judge)
        self.heard = b""
        self.deadline_s = 60.0

    def job(self, *argv: str) -> model.Job:
        return model.Job(
            token=self.token, run_id="r-1", action="a", kind="command", subject=argv, parameters={}, targets=(),
            deadline_s=self.deadline_s, revision_dir="/", work_dir=str(self.folder),
        )  # fmt: skip

    async def run(self, *argv: str) -> model.Outcome:
        return await self.children.run(self.job(*argv), self.hear)

    def hear(self, _stream: str, piece: bytes) -> None:
        self.heard += piece


def prepare(job: model.Job, _folder: pathlib.Path) -> jobs.Spec:
    if not job.subject:
        raise _shimmed.RefusedJob(reason="nothing to run")
    return jobs.Spec(list(job.subject), _shimmed.environment(job), "/", job.deadline_s)


def judge(_job: model.Job, _folder: pathlib.Path, ended: _shimmed.Ended) -> model.Outcome:
    return model.Outcome(ended.state, ended.summary, ended.status.exit_code)


def full(*_arguments: Any, **_named: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("broken", [("scrub",), ("pids_with",), ("scrub", "pids_with")])
async def test_lost_shim_is_unknown_whatever_fails_in_cleaning_up(
    site: Site, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...]
) -> None:
    argv = ("/bin/sh", "-c", "echo $$; exec sleep 120")
    running = asyncio.ensure_future(site.run(*argv))
    await wait_for_async(lambda: site.heard)
    for name in broken:
        monkeypatch.setattr(jobs, name, full)
    os.utime(site.folder / "started", (0, 0))  # its time is over
    kill_shim(site)
    try:
        assert (await running).state == "unknown"
        found = await site.children.find(site.job(*argv))
        assert (found.state, "without saying" in found.detail) == ("unknown", True)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(site.heard), signal.SIGKILL)


def kill_shim(site: Site) -> None:
    os.kill(json.loads((site.folder / "started").read_text())["pid"], signal.SIGKILL)


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(120)"


async def test_what_a_lost_shim_left_runs_on_and_is_followed_to_its_end(
    site: Site, wait_for_async: WaitAsync, tmp_path: pathlib.Path
) -> None:
    argv = ("/bin/sh", "-c", f"echo $$; until test -e {tmp_path}/go; do sleep 0.05; done")
    running = asyncio.ensure_future(site.run(*argv))
    await wait_for_async(lambda: site.heard)
    kill_shim(site)
    await wait_for_async(lambda: jobs.look(site.folder) == "unknown")
    assert (await site.children.find(site.job(*argv))).state == "running"
    assert not running.done()
    (tmp_path / "go").touch()
    outcome = await running
    assert (outcome.state, outcome.summary) == ("unknown", "the shim ended without saying how the job ended")
    assert (await site.children.find(site.job(*argv))).state == "unknown"


@pytest.mark.parametrize(
    "way", ["its time is over", "its end is asked for", "after a start", "its end is asked for after a start"]
)
async def test_what_a_lost_shim_left_is_ended_in_its_place(
    site: Site, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """TERM, and KILL after the grace; be it that the daemon that followed it is another."""
    monkeypatch.setattr(jobs, "KILL_AFTER_S", 0.3)
    argv = (sys.executable, "-c", STUBBORN)
    running = asyncio.ensure_future(site.run(*argv))
    await wait_for_async(lambda: site.heard)
    (child,) = jobs.pids_with("HEALER_TOKEN", site.token)
    if "after a start" in way:
        monkeypatch.setattr(_shimmed, "_end_left", nothing)
        running.cancel()
        kill_shim(site)
        await asyncio.gather(running, return_exceptions=True)
        monkeypatch.undo()
        monkeypatch.setattr(jobs, "KILL_AFTER_S", 0.3)
        site.deadline_s = 60.0 if "asked" in way else 0.0
        running = asyncio.ensure_future(site.children.follow(site.job(*argv), site.hear))
        await asyncio.sleep(0)
    else:
        kill_shim(site)
    if "asked" in way:
        await wait_for_async(lambda: jobs.look(site.folder) == "unknown")
        running.cancel()
    elif way == "its time is over":
        os.utime(site.folder / "started", (0, 0))  # long ago
    ended = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError) if "asked" in way else ended[0].state == "unknown"
    await wait_for_async(lambda: not processes.runs(child))


async def nothing(_job: model.Job) -> None:
    """End nothing: the daemon is gone."""


async def test_a_service_that_the_child_of_a_lost_shim_started_goes_on(
    site: Site, wait_for_async: WaitAsync, tmp_path: pathlib.Path
) -> None:
    """It is in a session of its own, and none of what an attempt may end."""
    argv = ("/bin/sh", "-c", f"setsid sh -c 'echo $$ > {tmp_path}/service; exec sleep 120' & echo $$; exec sleep 120")
    running = asyncio.ensure_future(site.run(*argv))
    await wait_for_async(lambda: site.heard and (tmp_path / "service").exists() and (tmp_path / "service").read_text())
    service = int((tmp_path / "service").read_text())
    try:
        kill_shim(site)
        os.kill(int(site.heard), signal.SIGKILL)
        assert (await running).state == "unknown"
        assert processes.runs(service)
    finally:
        os.kill(service, signal.SIGKILL)


async def test_what_cannot_be_followed_is_unknown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "read_status", full)
    outcome = await site.run("/bin/true")
    assert (outcome.state, outcome.summary[:24]) == ("unknown", "it cannot be followed: [")


async def test_end_that_is_known_stays_known_whatever_fails_in_cleaning_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "scrub", full)
    assert (await site.run("/bin/true")).state == "succeeded"
    assert (await site.children.find(site.job("/bin/true"))).state == "ended"


async def test_refused_job_says_why_whatever_fails_in_cleaning_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "scrub", full)
    outcome = await site.run()
    assert (outcome.state, "nothing to run" in outcome.summary) == ("failed", True)


@pytest.mark.parametrize(("command", "state", "code"), [("/bin/true", "unknown", 0), ("/bin/false", "failed", 1)])
async def test_report_that_cannot_be_read_never_reads_as_success(
    site: Site, command: str, state: str, code: int
) -> None:
    site.children.judge = full
    outcome = await site.run(command)
    assert (outcome.state, outcome.exit_code) == (state, code)
    assert "its report cannot be read" in outcome.summary


class Ended:
    """A shim that has ended."""

    pid = 0

    def __init__(self, code: int) -> None:
        self.returncode = code

    def poll(self) -> int:
        return self.returncode


def ending(code: int) -> Callable[[pathlib.Path], Ended]:
    return lambda _folder: Ended(code)


async def test_start_that_fails_began_nothing_and_nothing_starts_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_folder: pathlib.Path) -> starting.Started:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(starting, "start", refused)
    with pytest.raises(model.NotBegunError, match=r"the shim cannot be started: \[Errno 11\]"):
        await site.run("/bin/true")
    monkeypatch.undo()
    late = starting.start(site.folder)
    with pytest.raises(jobs.NeverStarted):
        await jobs.Follower(site.folder, lambda *_: None, late).wait()


async def test_start_without_an_answer_is_followed_where_it_took_place(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher hung after it had forked: the claim of the folder tells of the shim."""

    def forked(folder: pathlib.Path) -> starting.Started:
        started = start(folder)
        while jobs.read_claim(folder) is None:
            started.poll()
        raise TimeoutError("timed out")

    start = starting.start
    monkeypatch.setattr(starting, "start", forked)
    outcome = await site.run("/bin/sh", "-c", "echo done")
    assert (outcome.state, site.heard) == ("succeeded", b"done\n")


async def test_shim_that_started_nothing_is_known_to_have_begun_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "start", ending(shim.EXIT_UNPREPARED))
    with pytest.raises(model.NotBegunError, match="the shim ended before it started anything"):
        await site.run("/bin/true")


async def test_no_room_for_the_status_is_raised_and_what_was_not_begun_is_absent(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "start", ending(shim.EXIT_NO_ROOM))
    with pytest.raises(OSError, match="no room for its status") as caught:
        await site.run("/bin/true")
    assert caught.value.errno == errno.ENOSPC
    assert (await site.children.find(site.job("/bin/true"))).state == "absent"


@pytest.mark.parametrize("at", ["make", "write"])
async def test_no_room_for_the_job_is_raised_and_what_was_not_begun_is_absent(
    site: Site, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(jobs, at, full)
    with pytest.raises(OSError, match="No space left") as caught:
        await site.run("/bin/true")
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert (await site.children.find(site.job("/bin/true"))).state == "absent"


async def test_folder_that_cannot_be_made_fails_the_job(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_folder: pathlib.Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(jobs, "make", broken)
    outcome = await site.run("/bin/true")
    assert (outcome.state, "cannot be started: [Errno 5]" in outcome.summary) == ("failed", True)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "x"), OSError(errno.EIO, "x"), ValueError("x"), KeyError("x")])
async def test_preparation_that_fails_halfway_leaves_no_secret(site: Site, error: Exception) -> None:
    def halfway(_job: model.Job, folder: pathlib.Path) -> jobs.Spec:
        jobs.write_private(folder / "vars", b"s3cret")
        raise error

    site.children = _shimmed.Children(halfway, judge, secret_files=["vars", "not-yet"])
    with contextlib.suppress(OSError, KeyError):
        await site.run("/bin/true")
    assert [path.name for path in site.folder.iterdir()] == ["made"]


@pytest.mark.parametrize(("text", "line"), [
    ("no \x1b[31mspace\x1b[0m left\n\n", "no \\x1b[31mspace\\x1b[0m left"), ("a\r\n\tb\u2028c", "a b c"), ("db\u202e1\x00\x7f", "db\\u202e1\\x00\\x7f"),
    ("\udcff", "\\udcff"), ("password=\x1b[1mhunter2\x1b[0m", "password=***"),
])  # fmt: skip
def test_what_cannot_be_seen_of_an_output_is_written_out_in_its_line(text: str, line: str) -> None:
    """As channels and pages write it out of the output itself."""
    assert _shimmed.one_line(text) == line
    assert _shimmed.one_line(line) == line
