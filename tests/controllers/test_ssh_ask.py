"""What a far side of `ssh` says became of a job when something of it is missing: files, its supervisor, its room."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer.controllers import _shimmed, _ssh_end, _ssh_job

WaitAsync = Callable[..., Awaitable[None]]
pytestmark = pytest.mark.usefixtures("far_sides")
site_module: Any = sys.modules["ssh_site"]
TOKEN = site_module.TOKEN
ENDED = "0 1.00 2.00 0 end\n"


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
