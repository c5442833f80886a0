"""The far side of `ssh` when something goes wrong: ends that are asked for, deadlines, cut connections, a daemon that dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model
from healer.controllers import _shimmed, _ssh_ask, _ssh_far, _ssh_talk, _ssh_worker
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
pytestmark = pytest.mark.usefixtures("far_sides")
site_module: Any = sys.modules["ssh_site"]
hosts, TOKEN, WAITING = site_module.hosts, site_module.TOKEN, site_module.WAITING


async def drop(task: asyncio.Task[Any], controller: Any) -> None:
    """The daemon dies: nothing of ours says goodbye to the far side."""

    async def nothing() -> None:
        return

    for running in controller._running.values():
        for attempt in running.attempts:
            attempt._stop = nothing
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for connection in [*controller.pool._open.values()]:
        connection.raw._transport.abort()


# --- ends that are asked for ------------------------------------------------------------------------------------------


async def test_cancelling_ends_what_came_of_it(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start("wait.sh")
    await wait_for_async(lambda: work.begun)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    found = await work.site.controller.find(work.job())
    assert (found.state, found.outcome.state) == ("ended", "cancelled")
    await wait_for_async(lambda: work.site.server.left() == [])


async def test_cancelling_kills_what_does_not_hear(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ssh_far, "RUN", _ssh_far.RUN.replace("timeout -k 10", "timeout -k 1"))
    monkeypatch.setattr(_ssh_worker, "TEXT", _ssh_worker.TEXT.replace(b"KILL_AFTER_S = 10.0", b"KILL_AFTER_S = 1.0"))
    monkeypatch.setattr(_ssh_ask, "ASK", _ssh_ask.ASK.replace("tries=$((10 * 10))", "tries=10"))
    task = work.start("stubborn.sh")
    await wait_for_async(lambda: work.begun)
    await wait_for_async(lambda: len(work.site.marked()) >= 4, what="all of it to run")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    assert (await work.site.controller.find(work.job("stubborn.sh"))).outcome.state == "cancelled"


async def test_cancelling_reaches_a_job_whose_connection_is_lost(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start("wait.sh")
    await wait_for_async(lambda: work.begun)
    work.site.server.cut()
    assert work.site.marked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    assert (await work.site.controller.find(work.job())).outcome.state == "cancelled"
    await wait_for_async(lambda: work.site.server.left() == [])


async def test_cancelling_ends_it_on_each_host(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start(targets=hosts(3))
    await wait_for_async(lambda: work.begun and (work.at / "begun").read_text() == "x\n" * 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    found = await work.site.controller.find(work.job(targets=hosts(3)))
    assert (found.state, found.outcome.state, set(found.outcome.per_target.values())) == (
        "ended",
        "cancelled",
        {"cancelled"},
    )


async def test_what_has_not_been_sent_is_withheld(work: Any) -> None:
    controller = work.site.controller
    assert not await controller.withhold(work.job())
    gate = asyncio.Event()
    dial = controller.pool._dial

    async def slow(*given: Any) -> Any:
        await gate.wait()
        return await dial(*given)

    controller.pool._dial = slow
    task = work.start()
    while not controller._running:
        await asyncio.sleep(0)
    assert await controller.withhold(work.job())
    gate.set()
    with pytest.raises(model.NotBegunError, match="withheld"):
        await task
    assert not work.begun


async def test_what_has_begun_is_not_withheld(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun)
    assert not await work.site.controller.withhold(work.job())
    work.go()
    assert (await task).state == "succeeded"


async def test_attempts_of_other_daemons_are_left_alone(work: Any, wait_for_async: WaitAsync) -> None:
    """Two daemons with the same rules may have a token in common."""
    other = work.job(extra={"instance": "another"}, work_dir=str(work.at / "other"))
    tasks = [work.start(), asyncio.create_task(work.site.made().run(other, work.site.hear))]
    await wait_for_async(lambda: work.begun and (work.at / "begun").read_text() == "x\nx\n")
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert work.site.marked()
    work.go()
    assert (await tasks[1]).state == "succeeded"


async def test_cancelling_while_a_session_opens_leaves_no_shell_there(work: Any, wait_for_async: WaitAsync) -> None:
    assert (await work.site.run(("/bin/true",), token=f"{TOKEN}0")).state == "succeeded"
    (connection,) = work.site.controller.pool._open.values()
    await wait_for_async(lambda: (connection.spare(), not connection.raw._channels)[1])
    opening = asyncio.ensure_future(_ssh_talk.open_talk(connection.raw, "exec cat", lambda of_stderr, piece: None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await wait_for_async(lambda: not connection.raw._channels, what="the channel to be closed")


# --- deadlines --------------------------------------------------------------------------------------------------------


async def test_deadline(work: Any) -> None:
    outcome = await work.start(deadline_s=0.3)
    assert (outcome.state, outcome.exit_code) == ("timed_out", None)
    assert outcome.seconds >= 1.0
    assert not work.site.marked()


async def test_deadline_is_held_there_though_the_connection_is_cut(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start(deadline_s=6.0)
    await wait_for_async(lambda: work.begun)
    work.site.server.stop()  # nobody can be asked, nobody tells it to end
    await wait_for_async(lambda: not work.site.marked(), what="the far side to end it")
    work.site.server.start()
    outcome = await task
    assert (outcome.state, work.site.said()) == ("timed_out", b"begun\n")
    await wait_for_async(lambda: work.site.server.left() == [])


async def test_what_a_program_says_of_itself_is_no_deadline(work: Any) -> None:
    for code in (124, 137, 143):
        outcome = await work.site.run(("/bin/sh", "-c", f"exit {code}"), token=f"{TOKEN}{code}")
        assert (outcome.state, outcome.exit_code) == ("failed", code)


# --- connections that break -------------------------------------------------------------------------------------------


async def test_job_goes_on_when_its_connection_is_cut(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun and work.site.said() == b"begun\n")
    work.site.server.cut()
    work.go()
    outcome = await task
    assert (outcome.state, outcome.result, work.site.said()) == ("succeeded", "done", b'begun\n"done"\n')
    assert (work.at / "begun").read_text() == "x\n"
    await wait_for_async(lambda: work.site.server.left() == [])


async def test_service_that_holds_the_pipe_is_not_waited_for(work: Any, wait_for_async: WaitAsync) -> None:
    begins = "HEALER_MARK= setsid sh -c 'echo $$ >$HEALER_AT/pid; exec sleep 300' &\nuntil [ -s $HEALER_AT/pid ]; do sleep 0.01; done"
    work.site.script("serve.sh", f"#!/bin/sh\n{begins}\necho started\n")
    outcome = await work.start("serve.sh")
    pid = int((work.at / "pid").read_text())
    try:
        assert (outcome.state, work.site.said()) == ("succeeded", b"started\n")
        assert processes.runs(pid)
        await wait_for_async(lambda: work.site.server.left() == [])
    finally:
        os.kill(pid, 9)


async def test_what_a_job_leaves_in_its_group_is_ended(work: Any) -> None:
    work.site.script("leave.sh", "#!/bin/sh\nsleep 300 >/dev/null 2>&1 &\necho left\n")
    assert (await work.start("leave.sh")).state == "succeeded"
    assert not work.site.marked()


async def test_what_arrives_in_half_is_never_begun(
    work: Any, monkeypatch: pytest.MonkeyPatch, wait_for_async: WaitAsync
) -> None:
    send = _ssh_talk.Talk.send

    def half(talk: _ssh_talk.Talk, data: bytes) -> None:
        whole = not data.startswith(TOKEN.encode()) and b"go\n" not in data
        send(talk, data if whole else data[: len(data) // 2])
        if not whole:
            talk.finish()

    monkeypatch.setattr(_ssh_talk.Talk, "send", half)
    for number, tail in enumerate(("", "# \xe9\n" * 4000)):
        work.site.script("wait.sh", WAITING + tail)
        with pytest.raises(model.NotBegunError, match="not arrive whole"):
            await work.start(token=f"{TOKEN}{number}")
    assert not work.begun
    await wait_for_async(lambda: work.site.server.left() == [])


# --- a daemon that dies -----------------------------------------------------------------------------------------------


async def test_job_is_found_and_followed_by_the_next_daemon(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun and work.site.said() == b"begun\n")
    await drop(task, work.site.controller)
    work.site.heard.clear()
    work.site.controller = work.site.made()
    assert (await work.site.controller.find(work.job())).state == "running"
    with pytest.raises(_shimmed.TokenUsed):
        await work.start()
    following = asyncio.create_task(work.site.controller.follow(work.job(), work.site.hear))
    await wait_for_async(lambda: work.site.said() == b"begun\n", what="its output from the beginning")
    work.go()
    outcome = await following
    assert (outcome.state, outcome.result, work.site.said()) == ("succeeded", "done", b'begun\n"done"\n')
    await wait_for_async(lambda: work.site.server.left() == [])
    again = await work.site.controller.find(work.job())  # the daemon died before it wrote that down: it is known here
    assert (again.state, again.outcome) == ("ended", outcome)
    work.site.heard.clear()
    assert await work.site.controller.follow(work.job(), work.site.hear) == outcome
    assert work.site.said() == b'begun\n"done"\n'


async def test_end_that_nobody_saw_is_found(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun)
    await drop(task, work.site.controller)
    work.go()
    await wait_for_async(
        lambda: not work.site.marked() and any(name.endswith("drained") for name in work.site.server.left())
    )
    await wait_for_async(
        lambda: not any(name.endswith("script") for name in work.site.server.left()), what="the script to go"
    )
    work.site.controller = work.site.made()
    found = await work.site.controller.find(work.job())
    assert (found.state, found.outcome.state, found.outcome.result) == ("ended", "succeeded", "done")
    await wait_for_async(lambda: work.site.server.left() == [])


async def test_followed_job_is_cancelled(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun)
    await drop(task, work.site.controller)
    work.site.controller = work.site.made()
    work.site.heard.clear()
    following = asyncio.create_task(work.site.controller.follow(work.job(), work.site.hear))
    await wait_for_async(lambda: work.site.said() == b"begun\n")
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert not work.site.marked()
    assert (await work.site.controller.find(work.job())).outcome.state == "cancelled"


async def test_what_never_began_never_will(work: Any) -> None:
    found = await work.site.controller.find(work.job())
    assert found.state == "absent"
    job = work.job(work_dir=str(work.at / "elsewhere"))  # as if a run of before the crash came late
    with pytest.raises(_shimmed.TokenUsed):
        await work.site.controller.run(job, work.site.hear)
    assert not work.begun


async def test_host_that_was_restarted_says_nothing(work: Any, wait_for_async: WaitAsync) -> None:
    """Its temporary files are gone, and with them the claim: that there is none proves nothing."""
    task = work.start()
    await wait_for_async(lambda: work.begun)
    await drop(task, work.site.controller)
    work.go()
    await wait_for_async(lambda: [*work.site.server.temporary.glob("healer-*/*.drained")])
    folder = pathlib.Path(work.job().work_dir)
    (folder / "sent").write_text((folder / "sent").read_text().split()[0] + " 00000000-another-boot\n")
    for path in work.site.server.temporary.glob("healer-*/*"):
        path.unlink(missing_ok=True)
    work.site.controller = work.site.made()
    found = await work.site.controller.find(work.job())
    assert (found.state, "was restarted" in found.detail) == ("unknown", True)


async def test_lost_supervisor_is_unknown(work: Any, wait_for_async: WaitAsync) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun)
    await drop(task, work.site.controller)
    (claim,) = work.site.server.temporary.glob("healer-*/*.claim")
    group = os.getpgid(int(claim.read_text().split()[0]))
    os.killpg(group, 9)
    for pid in work.site.marked():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    await wait_for_async(lambda: not work.site.marked())
    work.site.controller = work.site.made()
    found = await work.site.controller.find(work.job())
    assert (found.state, "supervisor" in found.detail) == ("unknown", True)
    assert (await work.site.controller.follow(work.job(), work.site.hear)).state == "unknown"


async def test_some_hosts_ended_and_some_were_never_told(work: Any, wait_for_async: WaitAsync) -> None:
    work.site.controller = work.site.made(fan_out=1)
    task = work.start(targets=hosts(2))
    await wait_for_async(lambda: work.begun)
    await drop(task, work.site.controller)
    work.go()
    await wait_for_async(
        lambda: not work.site.marked() and any(name.endswith("drained") for name in work.site.server.left())
    )
    work.site.controller = work.site.made()
    found = await work.site.controller.find(work.job(targets=hosts(2)))
    assert (found.state, found.outcome.state) == ("ended", "failed")
    assert found.outcome.per_target == {"host:web01": "succeeded", "host:web02": "failed"}
    assert "web02: it was never begun there" in found.outcome.summary
