"""What a stop ends, and what a start after a crash finds and does about it."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from healer import errors, model, plugins, policy, store
from healer.store import claiming, finishing

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")

# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_a_stop_waits_for_what_runs(box: Any, wait_for_async: Any) -> None:
    go = asyncio.Event()

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await go.wait()
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    stopping = asyncio.create_task(box.dispatcher.stop(60))
    await asyncio.sleep(0)
    box.ask("late")
    box.dispatcher.wake()
    go.set()
    assert await stopping == 0
    assert sorted(box.states()) == ["queued", "succeeded"]


@pytest.mark.parametrize(("found", "state"), [
    (model.Found("unknown"), "unknown"), (ValueError("x"), "unknown"), (model.Found("running"), "unknown"),
    (model.Found("ended", model.Outcome("succeeded", "just before", 0)), "succeeded"),
])  # fmt: skip
async def test_a_stop_ends_what_takes_too_long(box: Any, found: Any, state: str, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    box.controller.act, box.controller.found = act, found
    box.ask()
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    assert await box.dispatcher.stop(0) == 1
    assert box.states() == [state]
    assert box.rows("SELECT state FROM run") == [(state,)]


@pytest.mark.parametrize(("found", "states"), [
    (model.Found("absent"), ["withdrawn", "queued"]), (model.Found("ended", model.Outcome("cancelled", "TERM")), ["cancelled", "queued"]),
])  # fmt: skip
async def test_what_a_stop_kept_from_beginning_or_may_be_done_twice_is_for_the_next_start(
    box: Any, found: Any, states: list[str], wait_for_async: Any, next_daemon: Any
) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    box.controller.act, box.controller.found = act, found
    box.ask()
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    assert await box.dispatcher.stop(0) == 1
    assert (box.states(), box.rows("SELECT state FROM run")) == (states, [("queued",)])
    after = next_daemon(box)
    after.start()
    await wait_for_async(lambda: after.states() == [states[0], "succeeded"])
    await after.dispatcher.stop(1)


async def test_a_full_disk_does_not_keep_a_stop_from_ending_what_runs(box: Any, wait_for_async: Any) -> None:
    submit = box.store.submit

    async def full(unit: Any) -> Any:
        if isinstance(unit, finishing.Stopping):
            raise errors.StoreFull("free some space")
        return await submit(unit)

    box.store.submit = full  # type: ignore[method-assign]

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    box.controller.act, box.controller.found = act, model.Found("ended", model.Outcome("cancelled", "TERM"))
    box.ask()
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    assert await box.dispatcher.stop(0) == 1
    assert box.rows("SELECT state FROM run") == [("failed",)]


async def test_what_a_claim_on_its_way_brings_is_waited_for(box: Any) -> None:
    submit, held, go = box.store.insist, asyncio.Event(), asyncio.Event()

    async def slow(unit: Any) -> Any:
        if isinstance(unit, claiming.Claim):
            held.set()
            await go.wait()
        return await submit(unit)

    box.store.insist = slow  # type: ignore[method-assign]
    box.ask()
    box.start()
    await held.wait()
    stopping = asyncio.create_task(box.dispatcher.stop(60))
    await asyncio.sleep(0)
    assert not stopping.done()
    go.set()
    assert await stopping == 0
    assert (box.states(), box.dispatcher.running) == (["succeeded"], 0)


# --- after a crash ----------------------------------------------------------------------------------------------------


@pytest.fixture
def crashed(box: Any, next_daemon: Any) -> Any:
    """`crashed(*keys)`: attempts claimed by a daemon that is no more, seen by the next one."""

    def made(*keys: str) -> Any:
        for key in keys:
            box.ask(key)
        box.store.writer.now(claiming.Claim(20, lambda row: policy.Standing(enabled=True, mode="active")))
        return next_daemon(box)

    return made


async def test_what_runs_on_is_followed(crashed: Any, wait_for_async: Any) -> None:
    after = crashed("k")
    after.controller.found = model.Found("running")
    assert await after.dispatcher.recover() == {"running": 1}
    await wait_for_async(lambda: after.states() == ["succeeded"])
    assert [what for what, _ in after.controller.jobs] == ["find", "follow"]
    assert after.controller.jobs[1][1].deadline_s == 30


async def test_what_ended_meanwhile_is_read(crashed: Any, wait_for_async: Any) -> None:
    after = crashed("k")
    after.controller.found = model.Found("ended")
    assert await after.dispatcher.recover() == {"ended": 1}
    await wait_for_async(lambda: after.states() == ["succeeded"])


async def test_what_never_began_is_queued_anew(crashed: Any, wait_for_async: Any) -> None:
    after = crashed("k")
    work = after.folder / "work" / after.rows("SELECT token FROM attempt")[0][0]
    work.mkdir(parents=True)
    assert await after.dispatcher.recover() == {"absent": 1}
    assert (after.states(), work.exists()) == (["withdrawn", "queued"], False)
    after.start()
    await wait_for_async(lambda: after.states() == ["withdrawn", "succeeded"])
    await after.dispatcher.stop(1)


@pytest.mark.parametrize(("given", "said"), [
    (None, "TypeError: a model.Found is wanted, got NoneType"), (GeneratorExit(), "it raised GeneratorExit"),
    (model.Found("here"), "TypeError: a model.Found is wanted, got 'here'"),  # type: ignore[arg-type]
])  # fmt: skip
async def test_a_controller_whose_answer_is_none_does_not_know(
    crashed: Any, given: Any, said: str, wait_for_async: Any
) -> None:
    """The daemon starts all the same, and a person decides."""
    after = crashed("k")
    after.controller.found = given
    assert await after.dispatcher.recover() == {"unknown": 1}
    assert (after.states(), after.outcome()["summary"]) == (["unknown"], said)


@pytest.mark.parametrize("found", [model.Found("unknown", None, "the host is gone"), OSError("the host is gone")])
async def test_what_cannot_be_known_is_unknown_and_is_not_repeated(crashed: Any, found: Any) -> None:
    after = crashed("k")
    after.controller.found = found
    assert await after.dispatcher.recover() == {"unknown": 1}
    assert (after.states(), len(after.rows("SELECT * FROM lock"))) == (["unknown"], 1)
    assert "the host is gone" in after.outcome()["summary"]
    assert after.rows("SELECT state FROM run") == [("unknown",)]


async def test_what_a_crash_left_running_is_unknown_without_its_controller_and_keeps_its_lock(crashed: Any) -> None:
    """It may still be at work: as failed, a repeat of the alert would run beside it."""
    after = crashed("k")
    after.controllers.clear()
    assert await after.dispatcher.recover() == {"unknown": 1}
    assert after.states() == ["unknown"]
    assert len(after.rows("SELECT * FROM lock")) == 1


async def test_each_is_asked_for_by_itself(crashed: Any, wait_for_async: Any) -> None:
    after = crashed("a", "b", "c")

    async def find(job: model.Job) -> model.Found:
        if job.targets[0].name == "b":
            raise ValueError("x")
        return model.Found("running")

    after.controller.find = find  # type: ignore[method-assign]
    assert await after.dispatcher.recover() == {"running": 2, "unknown": 1}
    await wait_for_async(lambda: sorted(after.states()) == ["succeeded", "succeeded", "unknown"])


async def test_a_full_disk_makes_nothing_unknown(crashed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it never began has to be written down before it is certain."""
    monkeypatch.setattr(store, "FULL_S", 0)
    after = crashed("k")
    looks: list[str] = []

    async def find(job: model.Job) -> model.Found:
        looks.append(job.token)
        if len(looks) < 3:
            raise NO_SPACE
        return model.Found("absent")

    after.controller.find = find  # type: ignore[method-assign]
    assert await after.dispatcher.recover() == {"absent": 1}
    assert (after.states(), len(looks)) == (["withdrawn", "queued"], 3)


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def short(box: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One whose first attempt finds no space to begin with, until `short.room` is set."""
    monkeypatch.setattr(store, "FULL_S", 0)
    box.room = asyncio.Event()
    monkeypatch.setattr(box.store, "has_room", box.room.is_set)

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        if job.token.endswith("-1"):
            raise NO_SPACE
        return model.Outcome("succeeded", "done", 0)

    box.controller.act = act
    box.ask()
    box.start()
    return box


async def test_what_finds_no_space_to_begin_is_begun_anew_when_there_is_some(short: Any, wait_for_async: Any) -> None:
    await wait_for_async(short.store.lacks_space)
    assert (short.states(), len(short.rows("SELECT * FROM lock"))) == (["running"], 1)
    short.room.set()
    await wait_for_async(lambda: short.states() == ["withdrawn", "succeeded"])
    assert short.rows("SELECT state FROM run") == [("succeeded",)]
    assert [what for what, _ in short.controller.jobs] == ["run", "find", "run"]
    assert not short.store.lacks_space()


@pytest.mark.parametrize(
    ("found", "state", "says"),
    [
        (model.Found("unknown"), "unknown", "it cannot be said how it ended"),
        (model.Found("ended", model.Outcome("succeeded", "done", 0)), "succeeded", "done"),
        (model.Found("ended", model.Outcome("failed", "exit 3", 3)), "failed", "exit 3"),
    ],
)
async def test_what_may_have_begun_is_not_begun_anew(
    short: Any, wait_for_async: Any, found: model.Found, state: str, says: str
) -> None:
    """Its controller ran out of space in the middle: what it knows afterwards counts."""
    short.controller.found = found
    short.room.set()
    await wait_for_async(lambda: short.states() == [state])
    assert says in short.outcome()["summary"]


async def test_what_still_runs_is_followed(short: Any, wait_for_async: Any) -> None:
    short.controller.found = model.Found("running")
    short.controller.follow = short.controller.succeed
    short.room.set()
    await wait_for_async(lambda: short.states() == ["succeeded"])
    assert [what for what, _ in short.controller.jobs] == ["run", "find"]


async def test_where_there_is_space_the_want_of_it_fails_in_the_end(short: Any, wait_for_async: Any) -> None:
    """Another disk than the store's is full, or a quota is used up."""

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        raise NO_SPACE

    short.controller.act = act
    short.room.set()
    await wait_for_async(lambda: "failed" in short.states())
    assert short.states() == ["withdrawn"] * 4 + ["failed"]


async def test_a_stop_does_not_wait_for_space(short: Any, wait_for_async: Any) -> None:
    await wait_for_async(short.store.lacks_space)
    short.store.patient = False
    assert await short.dispatcher.stop(60) == 0
    assert short.states() == ["withdrawn", "queued"]
