"""What a far side of `ssh` says became of a job when something of it is missing: files, its supervisor, its room."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from healer.controllers import _shimmed, _ssh_ask, _ssh_end, _ssh_far, _ssh_job, _ssh_worker
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
pytestmark = pytest.mark.usefixtures("far_sides")
site_module: Any = sys.modules["ssh_site"]
TOKEN = site_module.TOKEN
ENDED = "0 1.00 2.00 0 end\n"
QUIET = """#!/bin/sh
exec >/dev/null 2>&1
echo x >"$HEALER_AT/begun"
while [ ! -e "$HEALER_AT/go" ]; do sleep 0.02; done
"""
"""Writes nothing, so that it does not end where nobody reads."""
BARE = """#!/bin/sh
exec env -i HEALER_AT="$HEALER_AT" /bin/sh -c 'exec >/dev/null 2>&1; echo $$ >"$HEALER_AT/begun"; sleep 300; :'
"""
"""Bears no mark."""


@pytest.fixture(autouse=True)
def quiet(work: Any) -> Iterator[None]:
    """The script; what a test leaves at work ends with it."""
    work.site.script("quiet.sh", QUIET)
    yield
    kill(work.site.marked())


def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """KILL comes a second after TERM."""
    run = _ssh_far.RUN.replace('" -k 10 "', '" -k 1 "')
    assert run != _ssh_far.RUN
    monkeypatch.setattr(_ssh_far, "RUN", run)
    text = _ssh_worker.TEXT.replace(b"KILL_AFTER_S = 10.0", b"KILL_AFTER_S = 1.0")
    monkeypatch.setattr(_ssh_worker, "TEXT", text.replace(b"TICK_S = 5.0", b"TICK_S = 0.2"))
    text = _ssh_ask.ASK.replace("tries=$((10 * 10))", "tries=10").replace("grace=10", "grace=1")
    monkeypatch.setattr(_ssh_ask, "ASK", text)


def folder_of(site: Any) -> pathlib.Path:
    """The user's own folder there."""
    (found,) = site.server.temporary.glob("healer-*")
    assert isinstance(found, pathlib.Path)
    return found


async def told(work: Any, **given: Any) -> str:
    """The name of a job that was sent there, as far as is known here, and of which nothing is there."""
    site = work.site
    assert (await site.run(("/bin/true",), token=f"{TOKEN}9")).state == "succeeded"
    (connection,) = site.controller.pool._open.values()
    job = work.job(**given)
    record = _ssh_end.Record(pathlib.Path(job.work_dir))
    record.make()
    name = _ssh_job.name_of(job, job.targets[0])
    record.sent(name, connection.known.boot)
    return name


# --- its claim is gone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["child", "out", "err", "status", "drained", "cancel", "1234567890.script"])
async def test_any_file_of_a_job_is_a_trace_of_it(work: Any, suffix: str) -> None:
    name = await told(work)
    (folder_of(work.site) / f"{name}.{suffix}").write_text("x\n")
    found = await work.site.controller.find(work.job())
    assert found.state == "unknown", found
    assert not (folder_of(work.site) / f"{name}.claim").exists()


@pytest.mark.parametrize("drained", [False, True])
async def test_an_end_without_a_claim_is_an_end(work: Any, drained: bool, wait_for_async: WaitAsync) -> None:
    name = await told(work)
    for suffix, text in (("status", ENDED), ("out", "said\n"), *([("drained", "")] if drained else [])):
        (folder_of(work.site) / f"{name}.{suffix}").write_text(text)
    found = await work.site.controller.find(work.job())
    assert (found.state, found.outcome and found.outcome.state) == ("ended", "succeeded"), found
    await wait_for_async(lambda: work.site.server.left() == [])


async def test_a_script_that_is_being_sent_is_no_trace(work: Any) -> None:
    """Who sends it finds that its name is taken."""
    name = await told(work)
    (folder_of(work.site) / f"{name}.{os.getpid()}.script").write_text("x\n")
    assert (await work.site.controller.find(work.job())).state == "absent"
    with pytest.raises(_shimmed.TokenUsed):
        await work.site.controller.run(work.job(work_dir=str(work.at / "elsewhere")), work.site.hear)


async def test_a_refused_attempt_leaves_no_trace(work: Any, wait_for_async: WaitAsync) -> None:
    assert (await work.site.controller.find(work.job())).state == "absent"
    with pytest.raises(_shimmed.TokenUsed):
        await work.start()
    await wait_for_async(lambda: not any(one.endswith(".script") for one in work.site.server.left()))
    assert (await work.site.controller.find(work.job())).state == "absent"


async def test_a_job_whose_claim_is_removed_is_followed_to_its_end(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun and work.site.said() == b"begun\n")
    next(folder_of(work.site).glob("*.claim")).unlink()
    work.site.server.cut()
    assert (await work.site.controller.find(work.job())).state == "running"
    work.go()
    assert (await task).state == "succeeded"
    assert (work.at / "begun").read_text() == "x\n"


# --- whoever supervised it is gone --------------------------------------------------------------------------------------


def supervisors(work: Any) -> list[int]:
    """Of the job that is at work: the worker, or the shells of its session that run none of it. They are killed at once, as a group can be."""
    (claim,) = folder_of(work.site).glob("*.claim")
    pid = int(claim.read_text().split()[0])
    group = os.getpgid(pid)
    ours = set(work.site.marked())
    found = []
    for one in processes.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(one) == group and one not in ours:
                found.append(one)
    return found


def kill(pids: list[int], number: int = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def test_what_goes_on_without_its_supervisor_is_running(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start("quiet.sh")
    await wait_for_async(lambda: work.begun)
    killed = supervisors(work)
    kill(killed)
    await wait_for_async(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in killed))
    assert work.site.marked()
    for _ in range(3):
        assert (await work.site.controller.find(work.job())).state == "running"
    work.go()
    outcome = await task
    assert (outcome.state, "supervisor" in outcome.summary) == ("unknown", True)
    assert not work.site.marked()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_deadline_is_held_without_the_supervisor(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    sooner(monkeypatch)
    task = work.start("quiet.sh", deadline_s=8.0)
    await wait_for_async(lambda: work.begun)
    stopped = supervisors(work)
    kill(stopped, number)
    try:
        await wait_for_async(lambda: not work.site.marked(), what="the end of the job")
        found = await work.site.controller.find(work.job(deadline_s=8.0))
        assert found.state == "unknown", found
    finally:
        kill(stopped, signal.SIGCONT)
    assert (await task).state in ("unknown", "timed_out")


async def test_a_stubborn_job_is_killed_without_the_supervisor(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch, far_sides: str
) -> None:
    """Without the shells only its process group: `timeout` knows no other."""
    sooner(monkeypatch)
    apart = "(trap '' TERM; exec setsid sleep 300) >/dev/null &" if far_sides == "python" else ""
    deaf = f"#!/bin/sh\ntrap '' TERM\n{apart}\nsleep 300 &\necho x >$HEALER_AT/begun\nwhile :; do sleep 300; done\n"
    work.site.script("deaf.sh", deaf)
    task = work.start("deaf.sh", deadline_s=6.0)
    await wait_for_async(lambda: work.begun)
    kill(supervisors(work))
    assert (await task).state == "unknown"
    assert not work.site.marked()


async def test_a_job_that_kills_its_parent_keeps_its_deadline(work: Any, wait_for_async: WaitAsync) -> None:
    work.site.script("parent.sh", "#!/bin/sh\nkill -9 $PPID\nsleep 300\n")
    outcome = await work.start("parent.sh", deadline_s=2.0)
    assert outcome.state in ("unknown", "failed")
    assert not work.site.marked()


async def test_cancelling_reaches_a_job_without_a_supervisor(work: Any, wait_for_async: WaitAsync) -> None:
    work.site.script("apart.sh", '#!/bin/sh\nsetsid sleep 300 &\necho x >"$HEALER_AT/begun"\nsleep 300\n')
    task = work.start("apart.sh")
    await wait_for_async(lambda: work.begun)
    kill(supervisors(work))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    assert (await work.site.controller.find(work.job("apart.sh"))).state == "unknown"


@pytest.mark.parametrize("deaf", [False, True])
async def test_what_a_job_left_without_its_supervisor_ends_with_its_deadline(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch, deaf: bool
) -> None:
    """Whoever asks ends it, where nobody is there who does: it bears the mark, and may be the job's own work."""
    sooner(monkeypatch)
    trap = "trap '' TERM; " if deaf else ""
    text = f"#!/bin/sh\n({trap}exec setsid sleep 300) >/dev/null 2>&1 </dev/null &\n"
    work.site.script("leaves.sh", text + QUIET.partition("\n")[2])
    task = work.start("leaves.sh", deadline_s=4.0)
    await wait_for_async(lambda: work.begun)
    killed = supervisors(work)
    guards = [pid for one in killed for pid in processes.children(one) if pid not in work.site.marked()]
    kill([*killed, *guards])
    work.go()
    await wait_for_async(lambda: len(work.site.marked()) == 1, what="the end of the script")
    assert (await work.site.controller.find(work.job("leaves.sh", deadline_s=4.0))).state == "running"
    assert (await task).state == "unknown"
    assert not work.site.marked()


async def bare(work: Any, wait_for_async: WaitAsync, text: str = BARE, **given: Any) -> tuple[asyncio.Task[Any], int]:
    """A job without a mark that is at work, and its process; whoever supervises it has written down its child."""
    work.site.script("bare.sh", text)
    task = work.start("bare.sh", **given)
    await wait_for_async(lambda: work.begun and (work.at / "begun").read_text().endswith("\n"))
    await wait_for_async(work.written_down)
    return task, int((work.at / "begun").read_text())


async def test_a_job_without_a_mark_whose_supervisor_is_stopped_is_running_and_can_be_cancelled(
    work: Any, wait_for_async: WaitAsync
) -> None:
    task, pid = await bare(work, wait_for_async)
    stopped = supervisors(work)
    kill(stopped, signal.SIGSTOP)
    try:
        assert (await work.site.controller.find(work.job("bare.sh"))).state == "running"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not processes.runs(pid)
        assert next(folder_of(work.site).glob("*.cancel"), None)
    finally:
        kill(stopped, signal.SIGCONT)
        kill([pid])
    async with asyncio.timeout(30):
        while (found := await work.site.controller.find(work.job("bare.sh"))).state != "ended":
            await asyncio.sleep(0)
    assert found.outcome.state == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("deaf", [False, True])
async def test_the_deadline_of_a_job_without_a_mark_is_held_without_the_supervisor(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch, number: int, deaf: bool
) -> None:
    sooner(monkeypatch)
    text = BARE.replace("exec >", 'trap "" TERM; exec >') if deaf else BARE
    task, pid = await bare(work, wait_for_async, text, deadline_s=6.0)
    stopped = supervisors(work)
    kill(stopped, number)
    try:
        assert processes.runs(pid)
        await wait_for_async(lambda: not processes.runs(pid), what="the end of the job")
    finally:
        kill(stopped, signal.SIGCONT)
        kill([pid])
    assert (await task).state in ("unknown", "timed_out")


# --- no room ----------------------------------------------------------------------------------------------------------


async def test_cancelling_reaches_a_job_whose_child_is_not_written_down(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start("quiet.sh")
    await wait_for_async(lambda: work.begun and work.written_down())
    (child,) = folder_of(work.site).glob("*.child")
    child.write_text("")
    (folder_of(work.site) / child.name.replace(".child", ".cancel")).mkdir()  # no file can be made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    assert (await work.site.controller.find(work.job("quiet.sh"))).outcome.state == "cancelled"


async def test_cancelling_needs_no_file_there(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell ends where a redirection of a special built-in has no room."""
    ask = _ssh_ask.ASK.replace('"$name.cancel"; }', '"$name.missing/cancel"; }')
    assert ask != _ssh_ask.ASK
    monkeypatch.setattr(_ssh_ask, "ASK", ask)
    task = work.start("quiet.sh")
    await wait_for_async(lambda: work.begun and work.written_down())
    next(folder_of(work.site).glob("*.child")).unlink()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    assert (await work.site.controller.find(work.job("quiet.sh"))).state == "ended"


async def test_a_variable_does_not_take_the_mark_away(work: Any, wait_for_async: WaitAsync) -> None:
    work.site.script("apart.sh", '#!/bin/sh\nsetsid sleep 300 &\necho x >"$HEALER_AT/begun"\nsleep 300\n')
    job = work.site.job("apart.sh", environment={"HEALER_AT": str(work.at), "HEALER_MARK": "another"})
    task = asyncio.create_task(work.site.controller.run(job, work.site.hear))
    await wait_for_async(lambda: work.begun)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()


async def test_variables_of_a_job_are_not_those_of_the_shell_that_starts_it(work: Any) -> None:
    names = ("name", "mode", "limit", "envs", "count", "value", "exact", "child", "script", "base", "size", "IFS")
    environment = {name: f"of {name}" for name in names}
    outcome = await work.site.run(("/usr/bin/env",), environment=environment)
    assert outcome.state == "succeeded", outcome
    assert {f"{name}=of {name}" for name in names if name != "IFS"} <= set(work.site.said().decode().splitlines())
