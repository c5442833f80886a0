"""Shims are forked by a launcher: what becomes of them, and of a start, where the launcher dies, hangs or cannot fork."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from healer.child import jobs, launcher, shim, starting
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
ENV = {"PATH": "/usr/bin:/bin"}
UNTIL_GO = "import os, sys, time\nprint(1, flush=True)\nwhile not os.path.exists(sys.argv[1]) and os.path.isdir(os.path.dirname(sys.argv[1])): time.sleep(0.01)\n"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A launcher of the test's own, ended with it."""
    monkeypatch.setattr(starting, "_launcher", None)
    yield
    if (used := starting._launcher) is not None and not used.gone:
        used._give_up()


def prepared(folder: pathlib.Path, *argv: str) -> pathlib.Path:
    jobs.make(folder)
    jobs.write(folder, jobs.Spec(argv, ENV, "/", 60.0))
    return folder


def waiting(folder: pathlib.Path, go: pathlib.Path) -> pathlib.Path:
    return prepared(folder, sys.executable, "-c", UNTIL_GO, str(go))


async def end_of(folder: pathlib.Path, process: starting.Started | None) -> jobs.Status:
    return await jobs.Follower(folder, lambda *_: None, process).wait()


def pid_of_launcher() -> int:
    assert starting._launcher
    return starting._launcher._process.pid


@pytest.mark.usefixtures("fresh")
async def test_many_are_started_by_one_launcher(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    folders = [prepared(tmp_path / str(number), "/bin/sh", "-c", f"exit {number}") for number in range(8)]
    started = await asyncio.gather(*(asyncio.to_thread(starting.start, folder) for folder in folders))
    ends = await asyncio.gather(*map(end_of, folders, started))
    assert [end.exit_code for end in ends] == list(range(8))
    await wait_for_async(lambda: [one.poll() for one in started] == [0] * 8)
    claims = [jobs.read_claim(folder) for folder in folders]
    assert [claim.pid for claim in claims if claim] == [one.pid for one in started]
    assert starting._launcher
    assert starting._launcher._running == {}, "those that ended are forgotten"


def open_files(pid: int) -> list[str]:
    """Where its descriptors lead, but for those that it closes meanwhile: it looks into /proc many times a second."""
    found = []
    for path in pathlib.Path("/proc", str(pid), "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(path.readlink()))
    return found


@pytest.mark.usefixtures("fresh")
async def test_shim_is_in_a_session_of_its_own_with_nothing_of_ours(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wait_for_async: WaitAsync
) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    folder = waiting(tmp_path / "j", tmp_path / "go")
    started = starting.start(folder)
    await wait_for_async(lambda: jobs.read_claim(folder) and (folder / "stdout").exists())
    found = shim.Process(started.pid)
    links, environ = open_files(started.pid), processes.read(started.pid, "environ")
    (tmp_path / "go").touch()
    assert found.session == started.pid
    assert b"s3cret" not in environ
    assert not [link for link in links if link.startswith("socket:")], "the launcher's is not kept"
    assert (await end_of(folder, started)).exit_code == 0


@pytest.mark.usefixtures("fresh")
async def test_shims_outlive_their_launcher_and_another_is_started(
    tmp_path: pathlib.Path, wait_for_async: WaitAsync
) -> None:
    folder = waiting(tmp_path / "a", tmp_path / "go")
    first = starting.start(folder)
    following = asyncio.ensure_future(end_of(folder, first))
    await wait_for_async(lambda: (folder / "stdout").exists() and (folder / "stdout").read_bytes())
    before = pid_of_launcher()
    os.kill(before, signal.SIGKILL)
    await wait_for_async(lambda: first.poll() is None and starting._launcher is not None and starting._launcher.gone)
    second = starting.start(prepared(tmp_path / "b", "/bin/true"))
    assert pid_of_launcher() != before
    assert (await end_of(tmp_path / "b", second)).exit_code == 0
    assert not following.done()
    (tmp_path / "go").touch()
    assert (await following).exit_code == 0
    await wait_for_async(lambda: first.poll() == starting.UNSEEN)


@pytest.mark.usefixtures("fresh")
async def test_lost_shim_of_a_lost_launcher_is_lost(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    folder = waiting(tmp_path / "a", tmp_path / "go")
    started = starting.start(folder)
    following = asyncio.ensure_future(end_of(folder, started))
    await wait_for_async(lambda: (folder / "stdout").exists() and (folder / "stdout").read_bytes())
    os.kill(pid_of_launcher(), signal.SIGKILL)
    os.kill(started.pid, signal.SIGKILL)
    with pytest.raises(jobs.Lost):
        await following
    (tmp_path / "go").touch()


@pytest.mark.usefixtures("fresh")
async def test_launcher_that_hangs_is_ended_and_the_start_is_an_error(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = starting.start(prepared(tmp_path / "a", "/bin/true"))
    assert (await end_of(tmp_path / "a", first)).exit_code == 0
    hanging = starting._launcher
    assert hanging is not None
    os.kill(pid_of_launcher(), signal.SIGSTOP)
    monkeypatch.setattr(starting, "ANSWER_S", 0.05)
    with pytest.raises(TimeoutError):
        starting.start(prepared(tmp_path / "b", "/bin/true"))
    assert hanging._process.wait(60) == -signal.SIGKILL
    monkeypatch.undo()
    assert jobs.look(tmp_path / "b") == "absent"


@pytest.mark.usefixtures("fresh")
def test_launchers_that_are_killed_all_the_time_lose_no_start(tmp_path: pathlib.Path) -> None:
    """A start that waits while the launcher dies goes to the next one; one of which nobody knows says so."""
    folders = [prepared(tmp_path / str(number), "/bin/true") for number in range(40)]
    errors: dict[int, OSError] = {}

    def some(numbers: range) -> None:
        for number in numbers:
            try:
                starting.start(folders[number])
            except OSError as error:
                errors[number] = error

    threads = [threading.Thread(target=some, args=(range(first, 40, 4),)) for first in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (used := starting._launcher) is not None:
            used._process.kill()
    for thread in threads:
        thread.join()
    assert {type(error) for error in errors.values()} <= {ConnectionResetError, ChildProcessError, BrokenPipeError}
    assert not [error for error in errors.values() if error.errno == 9], (
        "a socket that is closed is nobody's to write to"
    )


@pytest.mark.usefixtures("fresh")
def test_start_behind_a_launcher_that_died_goes_to_another(tmp_path: pathlib.Path) -> None:
    starting.start(prepared(tmp_path / "a", "/bin/true"))
    before = starting._launcher
    assert before
    before._process.kill()
    before._process.wait(60)
    with before._lock:
        before._give_up()
    with pytest.raises(starting._GoneError):
        before.start(tmp_path / "b")
    assert starting.start(prepared(tmp_path / "b", "/bin/true")).pid
    assert starting._launcher is not before


@pytest.mark.usefixtures("fresh")
def test_fork_that_fails_is_an_error_with_its_number(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    assert launcher.launch(str(tmp_path)) == b"failed 11"


@pytest.mark.usefixtures("fresh")
def test_refusal_of_the_launcher_is_an_error_of_the_start(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting.Launcher, "_hear", lambda _: [b"failed", b"11"])
    with pytest.raises(BlockingIOError, match="unavailable"):
        starting.start(tmp_path)


@pytest.mark.usefixtures("fresh")
def test_looking_never_waits_for_a_start(tmp_path: pathlib.Path) -> None:
    started = starting.start(waiting(tmp_path / "a", tmp_path / "go"))
    assert starting._launcher
    with starting._launcher._lock:
        assert started.poll() is None
    (tmp_path / "go").touch()


def test_launcher_ends_with_the_process_that_started_it(tmp_path: pathlib.Path, wait_for: Callable[..., None]) -> None:
    folder = waiting(tmp_path / "j", tmp_path / "go")
    program = f"""
import pathlib, sys
from healer.child import starting
starting.start(pathlib.Path({str(folder)!r}))
print(starting._launcher._process.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as daemon:
        assert daemon.stdout
        pid = int(daemon.stdout.readline())
        daemon.kill()
    wait_for(lambda: not processes.runs(pid))
    wait_for((folder / "stdout").exists)
    assert jobs.look(folder) == "running"
    (tmp_path / "go").touch()
    wait_for(lambda: isinstance(jobs.look(folder), jobs.Status))
    assert json.loads((folder / "status").read_bytes())["exit_code"] == 0


@pytest.mark.usefixtures("fresh")
def test_threads_share_the_launcher(tmp_path: pathlib.Path) -> None:
    seen = set()

    def one(number: int) -> None:
        starting.start(prepared(tmp_path / str(number), "/bin/true"))
        seen.add(pid_of_launcher())

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1


@pytest.mark.usefixtures("fresh")
async def test_what_is_tied_to_the_daemon_ends_with_the_launcher(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "j"
    jobs.make(folder)
    argv = (sys.executable, "-c", UNTIL_GO, str(tmp_path / "never"))
    jobs.write(folder, jobs.Spec(argv, ENV, "/", 60.0, tied=True))
    started = await asyncio.to_thread(starting.start, folder)
    heard = asyncio.Event()
    following = asyncio.create_task(jobs.Follower(folder, lambda *_: heard.set(), started).wait())
    await asyncio.wait_for(heard.wait(), 30)
    os.kill(pid_of_launcher(), signal.SIGKILL)
    status = await following
    assert (status.cancelled, status.signal) == (True, signal.SIGTERM)
