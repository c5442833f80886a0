"""A far side of `ssh` that has no place for a session, or lost the files of a job: what is at work is ended and never begun twice."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import shutil
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model
from healer.controllers import _ssh_talk

WaitAsync = Callable[..., Awaitable[None]]
pytestmark = pytest.mark.usefixtures("far_sides")
site_module: Any = sys.modules["ssh_site"]
hosts, TOKEN = site_module.hosts, site_module.TOKEN


# --- no place for a session ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [1, 2])
async def test_cancelling_needs_no_place_beside_the_jobs(work: Any, wait_for_async: WaitAsync, places: int) -> None:
    """The server allows no further session: the question has a connection of its own."""
    narrow = work.site.serve("narrow", f"MaxSessions {places}")
    work.site.know(narrow.known())
    work.site.controller = work.site.made(port=narrow.port)
    tasks = [work.start(token=f"{TOKEN}{number}") for number in range(places)]
    await wait_for_async(lambda: work.begun and (work.at / "begun").read_text() == "x\n" * places)
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert not work.site.marked(f"{TOKEN}0")
    assert (await work.site.controller.find(work.job(token=f"{TOKEN}0"))).outcome.state == "cancelled"
    work.go()
    assert [(await task).state for task in tasks[1:]] == ["succeeded"] * (places - 1)


async def test_jobs_wait_for_a_place_as_long_as_one_is_at_work(
    work: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ssh_talk, "SOON_S", (0.0,))
    narrow = work.site.serve("narrow", "MaxSessions 1")
    work.site.know(narrow.known())
    work.site.controller = work.site.made(port=narrow.port)
    tasks = [work.start(token=f"{TOKEN}0")]
    await wait_for_async(lambda: work.begun)
    tasks += [work.start(token=f"{TOKEN}{number}") for number in range(1, 4)]
    refused = b"no more sessions"
    await wait_for_async(lambda: narrow.log.read_bytes().count(refused) >= 3, what="the others to be refused")
    assert (work.at / "begun").read_text() == "x\n"
    assert await work.site.controller.withhold(work.job(token=f"{TOKEN}3"))
    work.go()
    assert [(await task).state for task in tasks[:3]] == ["succeeded"] * 3
    with pytest.raises(model.NotBegunError, match="withheld"):
        await tasks[3]
    assert (work.at / "begun").read_text() == "x\n" * 3


# --- files that are removed there -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [False, True])
async def test_a_job_whose_files_are_removed_there_is_not_begun_again(
    work: Any, wait_for_async: WaitAsync, cut: bool
) -> None:
    """Neither its own absence nor a new folder says that it never began."""
    task = work.start()
    await wait_for_async(lambda: work.begun and work.written_down())
    shutil.rmtree(next(work.site.server.temporary.iterdir()))
    if cut:  # and nobody can be asked until its end
        work.site.server.stop()
        work.go()
        await wait_for_async(lambda: not work.site.marked())
        work.site.server.start()
    else:
        work.site.server.cut()
    outcome = await task
    words = "temporary files were removed" if cut else "its files on root@127.0.0.1"
    assert (outcome.state, words in outcome.summary) == ("unknown", True), outcome
    assert bool(work.site.marked()) is not cut
    assert (await work.site.controller.find(work.job())).state == "unknown"
    work.go()
    await wait_for_async(lambda: not work.site.marked())
    assert (work.at / "begun").read_text() == "x\n"


def remove(folder: pathlib.Path) -> None:
    shutil.rmtree(folder)


def replace(folder: pathlib.Path) -> None:
    """A link cannot be used, so that no new folder can be made."""
    shutil.rmtree(folder)
    folder.symlink_to("/nonexistent")


def spoil(folder: pathlib.Path) -> None:
    (folder / "id").unlink()
    (folder / "id").mkdir()


def remove_all(folder: pathlib.Path) -> None:
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("harm", [remove, replace, spoil, remove_all])
async def test_cancelling_reaches_a_job_whose_files_are_removed_there(
    work: Any, wait_for_async: WaitAsync, harm: Callable[[pathlib.Path], None]
) -> None:
    task = work.start()
    await wait_for_async(lambda: work.begun and work.written_down())
    harm(next(work.site.server.temporary.iterdir()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not work.site.marked()
    work.site.server.temporary.mkdir(mode=0o700, exist_ok=True)
    async with asyncio.timeout(30):  # the shell that looked after it may still be writing down how it ended
        while (found := await work.site.controller.find(work.job())).state == "running":
            await asyncio.sleep(0)
    assert found.state in ("unknown", "ended")


async def test_a_folder_that_was_swapped_for_a_while_begins_nothing_twice(work: Any, wait_for_async: WaitAsync) -> None:
    work.go()
    assert (await work.start(token=f"{TOKEN}1")).state == "succeeded"
    await wait_for_async(lambda: work.site.server.left() == [])
    (work.at / "go").unlink()
    (work.at / "begun").unlink()
    folder = next(work.site.server.temporary.iterdir())
    held, other = folder.with_name("held"), folder.with_name("other")
    shutil.copytree(folder, other)
    other.chmod(0o700)
    (other / "id").write_text("11111111-2222\n")
    folder.rename(held)
    other.rename(folder)
    task = work.start(token=f"{TOKEN}2")
    await wait_for_async(lambda: work.begun)
    folder.rename(other)
    held.rename(folder)
    work.site.server.cut()
    work.go()
    await wait_for_async(lambda: not work.site.marked(f"{TOKEN}2"))
    assert (await task).state == "unknown"
    assert (work.at / "begun").read_text() == "x\n"


async def test_a_folder_that_is_no_longer_one_spoils_its_own_host_alone(
    work: Any, wait_for_async: WaitAsync, tmp_path: pathlib.Path
) -> None:
    other = work.site.serve("other")
    work.site.know(work.site.server.known(), other.known())
    targets = (hosts(1)[0], dataclasses.replace(hosts(2)[1], port=other.port))
    work.go()
    assert (await work.start(targets=targets, token=f"{TOKEN}1")).state == "succeeded"
    await wait_for_async(lambda: (work.site.server.left(), other.left()) == ([], []))
    folder = next(other.temporary.iterdir())
    shutil.rmtree(folder)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    outcome = await work.start(targets=targets, token=f"{TOKEN}2")
    assert outcome.per_target == {"host:web01": "succeeded", "host:web02": "failed"}
    assert "no folder of the user's own" in outcome.summary
    assert not [*(tmp_path / "elsewhere").iterdir()]
