"""What is watched outside of any request is told once, when it comes and when it goes."""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from healer import model, policy, store
from healer.daemon import clock, standing, watching
from healer.policy import labels
from healer.store import asking, deciding, journal, pausing, silencing


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Lines of the log."""
    found: list[str] = []
    number = logger.add(found.append, format="{level} {message}")
    yield found
    logger.remove(number)


async def test_a_full_disk_is_told_once_and_so_is_its_end(
    tmp_path: pathlib.Path, heard: list[str], monkeypatch: pytest.MonkeyPatch,
    wait_for_async: Callable[..., Awaitable[None]],
) -> None:  # fmt: skip
    looks = iter([False, True, True, True, False, False])
    kept = store.Store.open(None, lambda: 1, loop=None)
    monkeypatch.setattr(kept, "lacks_space", lambda: next(looks, False))
    monkeypatch.setattr(watching, "LOOK_S", 0)

    async def nothing() -> None:
        return

    watch = watching.Watch(kept, standing.PauseFile(tmp_path), clock.JournalClock(), nothing)
    running = asyncio.create_task(watch.run())
    await wait_for_async(lambda: len(heard) == 2)
    running.cancel()
    assert [line.split(":")[0].strip() for line in heard] == [
        "ERROR the disk is full",
        "INFO there is space on the disk again",
    ]
    await kept.close()


# --- the kill switch ----------------------------------------------------------------------------------------------------------


class Scene:
    """A store in memory with runs, a data directory for the file, and a watch that looks when a test says so."""

    def __init__(self, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        self.now_us = 1_000_000
        self.ahead = 0
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.pause = standing.PauseFile(folder)
        self.file = folder / standing.PAUSE_FILE
        self.looked = 0
        self.steps: list[int] = []
        self.switched = 0
        self.position = 0
        self._turn = asyncio.Semaphore(0)
        self._rests = asyncio.Event()
        patch.setattr(watching.asyncio, "sleep", self._sleep)
        time: Any = self
        switch: Any = self
        self.watch = watching.Watch(self.store, self.pause, time, self.look_again, switch)
        self.task: asyncio.Task[None] | None = None

    async def _sleep(self, _seconds: float) -> None:
        self._rests.set()
        await self._turn.acquire()

    async def turn(self) -> None:
        """One more look."""
        self._rests.clear()
        if self.task is None:
            self.task = asyncio.create_task(self.watch.run())
        else:
            self._turn.release()
        await self._rests.wait()

    def __call__(self) -> int:
        return self.now_us

    def ahead_us(self) -> int:
        return self.ahead

    def stepped(self) -> int:
        return self.steps.pop() if self.steps else 0

    async def look(self) -> None:
        self.switched += 1

    async def look_again(self) -> None:
        self.looked += 1

    def held(self, key: str, rule: str = "a/b/c") -> str:
        """A run that the file holds, or what rows pause; its id."""
        if not self.position:
            row, _ = self.store.writer.now(deciding.UseRevision("f" * 64, "", "d", {}))
            self.store.writer.now(deciding.Decide(0, row.seq, self.now_us, 1, [], lambda _: STANDING))
            self.position = row.seq
        now = policy.Standing(True, "active", self.pause())
        (row,) = self.store.writer.now(journal.Append([journal.Row("event", "s", b"{}")]))
        run = model.run_id("a", "b", "c", key, 0, 0)
        candidate = policy.Candidate(run, rule, "clean", "here", (f"host:{key}",), self.now_us, policy.Limits())
        on = [model.Target("host", key, key)]
        asked = asking.Ask(candidate, now, 0, "script", "s", {}, {}, True, 4, f"rule:{rule}", on, [], [])
        outcome = deciding.Outcome(row.seq, self.now_us, results=[asked])
        self.store.writer.now(deciding.Decide(self.position, row.seq, self.now_us, 1, [outcome], lambda _: STANDING))
        self.position = row.seq
        return run

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def due(self) -> list[str]:
        """Who is looked at with the next tick."""
        return sorted(
            run for (run,) in self.rows("SELECT id FROM run WHERE state = 'deferred' AND look_at_us IS NOT NULL")
        )

    def records(self) -> list[str]:
        return [
            kind
            for (kind,) in self.rows("SELECT kind FROM audit WHERE kind IN ('pause', 'resume', 'clock') ORDER BY seq")
        ]


STANDING = policy.Standing(True, "active")


@pytest.fixture
async def scene(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    made = Scene(tmp_path, monkeypatch)
    yield made
    if made.task is not None:
        made.task.cancel()
    await made.store.close()


async def test_the_file_comes_and_goes(scene: Scene, heard: list[str]) -> None:
    await scene.turn()
    scene.file.write_text("by hand")
    run = scene.held("one")
    await scene.turn()
    assert (scene.records(), scene.due(), scene.looked) == (["pause"], [], 0)
    await scene.turn()
    scene.file.unlink()
    await scene.turn()
    assert (scene.records(), scene.due(), scene.looked) == (["pause", "resume"], [run], 1)
    assert scene.rows("SELECT scope, what FROM ramp") == [("all", "the file PAUSE")]
    assert [line.strip() for line in heard] == ["WARNING paused: by hand", "WARNING resumed"]
    assert scene.switched == 4


async def test_a_file_that_was_there_before_is_told_once(scene: Scene, heard: list[str]) -> None:
    scene.file.write_text("by hand")
    for _ in range(3):
        await scene.turn()
    assert (scene.records(), scene.looked) == (["pause"], 0)
    assert [line.strip() for line in heard] == ["WARNING paused: by hand"]


async def test_what_went_while_nobody_was_here_comes_back_as_if_somebody_had(scene: Scene, heard: list[str]) -> None:
    scene.file.write_text("by hand")
    run = scene.held("one")
    scene.store.writer.now(pausing.FileSeen(scene.pause()))
    scene.file.unlink()
    for _ in range(2):
        await scene.turn()
    assert (scene.records(), scene.due(), scene.looked) == (["pause", "resume"], [run], 1)
    assert scene.rows("SELECT scope, what FROM ramp") == [("all", "the file PAUSE")]
    assert [line.strip() for line in heard] == ["WARNING resumed"]


@pytest.mark.parametrize("pause", ["", "rule:x/y/z", "controller:there"])
async def test_what_the_file_held_between_two_looks_goes_on(scene: Scene, pause: str) -> None:
    """Also while something else is paused: nobody else would ever look at it again."""
    if pause:
        scene.store.writer.now(pausing.Pause(pause, "os:ana", ""))
        scene.pause.rows = await scene.store.reader.all("pauses")
    await scene.turn()
    scene.file.touch()
    run = scene.held("one")
    scene.file.unlink()
    await scene.turn()
    assert (scene.due(), scene.looked) == ([run], 1)
    assert "resume" not in scene.records()
    await scene.turn()
    assert scene.looked == 1


async def test_what_a_command_pauses_is_not_looked_at(scene: Scene) -> None:
    scene.store.writer.now(pausing.Pause("ruleset:a/b", "os:ana", ""))
    scene.pause.rows = await scene.store.reader.all("pauses")
    scene.held("one")
    for _ in range(3):
        await scene.turn()
    assert (scene.due(), scene.looked) == ([], 0)


async def test_a_step_of_the_wall_clock_is_told_and_moves_what_goes_by_it(scene: Scene, heard: list[str]) -> None:
    await scene.turn()
    for key, reason in (("one", "silenced"), ("two", "outside_window"), ("three", "paused"), ("four", "cooldown")):
        scene.file.touch()
        run = scene.held(key)
        scene.store.writer.tx.connection.execute("UPDATE run SET reason = ? WHERE id = ?", (reason, run))
        scene.file.unlink()
    scene.store.writer.now(pausing.Pause("all", "os:ana", ""))
    scene.steps = [3_600_000_000]
    await scene.turn()
    assert scene.records()[-1] == "clock"
    assert {reason for (reason,) in scene.rows("SELECT reason FROM run WHERE look_at_us IS NOT NULL")} == {
        "silenced", "outside_window",
    }  # fmt: skip
    assert "stepped by 3600.0 s" in heard[-1]


async def test_a_silence_whose_time_is_over_by_the_wall_clock_is_told_once(scene: Scene) -> None:
    def told() -> list[Any]:
        rows = scene.store.writer.tx.connection.execute("SELECT record FROM audit ORDER BY seq")
        return [one for (record,) in rows if (one := json.loads(record))["kind"] == "silence_ended"]

    matchers = [labels.parse("env=prod")]
    made = [
        scene.store.writer.now(silencing.Silence(matchers, 0, until_us, "os:ana", "works"))
        for until_us in (9_000_000, 99_000_000)
    ]
    await scene.turn()
    assert told() == []
    scene.ahead = 8_000_000
    await scene.turn()
    (record,) = told()
    assert {name: record[name] for name in ("actor", "silence", "matchers", "until_us", "reason")} == {
        "actor": "daemon", "silence": made[0], "matchers": ["env=prod"], "until_us": 9_000_000, "reason": "its time is over",
    }  # fmt: skip
    await scene.turn()
    assert len(told()) == 1
