"""Controllers that say nothing: an attempt, a question and a start come to an end all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from healer import dispatch, model, plugins, policy
from healer.dispatch import attempts
from healer.store import claiming

SHORT = policy.Limits(timeout_s=0.02)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SILENCE_S", 0.02)
    monkeypatch.setattr(dispatch, "LOOK_S", 0.02)


async def silent(job: model.Job, put: plugins.Output) -> model.Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def mute(job: model.Job) -> model.Found:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (model.Found("absent"), "timed_out"),
        (model.Found("running"), "unknown"),
        (model.Found("ended", model.Outcome("succeeded", "done", 0)), "succeeded"),
    ],
)
async def test_past_its_deadline_an_attempt_is_what_its_controller_finds(
    box: Any, found: model.Found, state: str, wait_for_async: Any
) -> None:  # fmt: skip
    box.controller.act, box.controller.found = silent, found
    box.ask(limits=SHORT)
    box.start()
    await wait_for_async(lambda: box.states() == [state])
    assert state == "succeeded" or "said nothing until after its deadline" in box.outcome()["summary"]
    assert len(box.rows("SELECT * FROM lock")) == (state == "unknown")


async def test_one_that_does_not_even_end_when_it_is_asked_to_is_not_waited_for(box: Any, wait_for_async: Any) -> None:
    ends = asyncio.Event()

    async def deaf(job: model.Job, put: plugins.Output) -> model.Outcome:
        while not ends.is_set():
            try:
                await ends.wait()
            except asyncio.CancelledError:
                continue
        return model.Outcome("succeeded", "late", 0)

    box.controller.act, box.controller.found = deaf, model.Found("running")
    box.ask(limits=SHORT)
    box.start()
    await wait_for_async(lambda: box.states() == ["unknown"])
    ends.set()


async def test_a_start_does_not_wait_for_a_controller_that_does_not_answer(
    box: Any, next_daemon: Any, wait_for_async: Any
) -> None:
    for key in "ab":
        box.ask(key)
    box.store.writer.now(claiming.Claim(20, lambda row: policy.Standing(enabled=True, mode="active")))
    after = next_daemon(box)

    async def find(job: model.Job) -> model.Found:
        return await mute(job) if job.targets[0].name == "a" else model.Found("running")

    after.controller.find = find  # type: ignore[method-assign]
    assert await after.dispatcher.recover() == {"running": 1, "unknown": 1}
    await wait_for_async(lambda: sorted(after.states()) == ["succeeded", "unknown"])
    assert "does not answer" in after.rows("SELECT outcome FROM attempt WHERE state = 'unknown'")[0][0]


async def test_who_was_behind_one_that_may_not_start_has_its_turn(box: Any, wait_for_async: Any) -> None:
    """Of a lane one comes at a time: when that leaves the queue, nothing else would wake the next."""
    runs = [box.ask(key) for key in "ab"]
    box.store.writer.tx.connection.execute("UPDATE attempt SET lane = 'lock:a/b/x', turn = 1")
    box.store.writer.tx.connection.execute("UPDATE run SET lane = 'lock:a/b/x', turn = 1")
    for table, column in (("attempt", "run"), ("run", "id")):
        box.store.writer.tx.connection.execute(f"UPDATE {table} SET turn = 2 WHERE {column} = ?", (runs[1],))
    paused = policy.Standing(True, "active", {"scope": "rule", "who": "a", "since": "n", "reason": "r"})
    box.dispatcher.standing_of = lambda row: paused if row["id"] == runs[0] else box.standing
    box.start()
    await wait_for_async(lambda: "succeeded" in box.states())
    assert box.rows("SELECT state FROM run ORDER BY turn") == [("deferred",), ("succeeded",)]
