"""What a pause waits for: an attempt that was claimed before it has begun, or never will; after the answer no effect begins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from healer import model, plugins
from healer.dispatch import attempts
from healer.store import pausing


class Slow:
    """A controller whose spawn takes as long as a test wants: `effects` are the jobs that took effect."""

    def __init__(self, box: Any) -> None:
        self.controller = box.controller
        self.begun = asyncio.Event()
        self.spawns = asyncio.Event()
        self.ends = asyncio.Event()
        self.effects: list[str] = []
        box.controller.act = self.act
        box.controller.find = self.find

    async def act(self, job: model.Job, put: plugins.Output) -> model.Outcome:
        self.begun.set()
        await self.spawns.wait()
        self.effects.append(job.token)
        await self.ends.wait()
        return model.Outcome("succeeded", "done", 0)

    async def find(self, job: model.Job) -> model.Found:
        return model.Found("running" if job.token in self.effects else "absent")


def state(box: Any, run: str) -> tuple[str, str]:
    ((now, reason),) = box.rows(f"SELECT state, reason FROM run WHERE id = '{run}'")
    return now, reason


async def pause(box: Any) -> set[str]:
    """A pause of everything, with its barrier; the tokens that never begin."""
    running, _ = box.store.writer.now(pausing.Pause("all", "os:ana", ""))
    withheld: set[str] = await asyncio.wait_for(box.dispatcher.barrier({one.token for one in running}), 30)
    box.dispatcher.wake()
    return withheld


async def test_what_has_not_begun_never_does(box: Any, wait_for_async: Any) -> None:
    slow, run = Slow(box), box.ask()
    box.start()
    await asyncio.wait_for(slow.begun.wait(), 30)
    assert await pause(box) == {f"{run}-1"}
    slow.spawns.set()
    await wait_for_async(lambda: state(box, run) == ("deferred", "paused"))
    assert (slow.effects, box.states(), box.rows("SELECT * FROM lock")) == ([], ["withdrawn", "withdrawn"], [])
    details = [
        detail for (detail,) in box.rows("SELECT json_extract(record, '$.detail') FROM audit WHERE kind = 'transition'")
    ]
    assert attempts.PAUSED in details


async def test_what_has_begun_goes_on(box: Any, wait_for_async: Any) -> None:
    slow, run = Slow(box), box.ask()
    slow.spawns.set()
    box.start()
    await wait_for_async(lambda: slow.effects == [f"{run}-1"])
    assert await pause(box) == set()
    assert box.states() == ["running"]
    slow.ends.set()
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert state(box, run)[0] == "succeeded"


async def test_after_the_answer_no_effect_begins(box: Any, wait_for_async: Any) -> None:
    slow = Slow(box)
    runs = [box.ask(f"k{number}") for number in range(5)]
    box.start()
    await wait_for_async(lambda: len(box.controller.jobs) == 5)
    withheld = await pause(box)
    known = list(slow.effects)
    slow.spawns.set()
    slow.ends.set()
    await wait_for_async(lambda: {state(box, run) for run in runs} == {("deferred", "paused")})
    assert (withheld, slow.effects) == ({f"{run}-1" for run in runs}, known)


async def test_what_was_claimed_and_is_not_followed_yet_never_begins(
    box: Any, wait_for_async: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, run = Slow(box), box.ask()
    claimed, go_on = asyncio.Event(), asyncio.Event()
    make = box.dispatcher.maker.make

    async def slowly(*args: Any) -> Any:
        claimed.set()
        await go_on.wait()
        return await make(*args)

    monkeypatch.setattr(box.dispatcher.maker, "make", slowly)
    box.start()
    await asyncio.wait_for(claimed.wait(), 30)
    asked = asyncio.create_task(pause(box))
    await asyncio.sleep(0)
    assert not asked.done()
    go_on.set()
    assert await asyncio.wait_for(asked, 30) == {f"{run}-1"}
    slow.spawns.set()
    await wait_for_async(lambda: state(box, run) == ("deferred", "paused"))
    assert slow.effects == []


@pytest.mark.parametrize("outcome", [
    model.Outcome("failed", "the shim ended before it started anything"), ValueError("the token was used"),
])  # fmt: skip
async def test_one_that_fails_since_it_was_kept_from_beginning_has_not_failed(
    box: Any, wait_for_async: Any, outcome: Any
) -> None:
    """As with `local`: whoever is asked claims the folder, and the child that comes later ends at once."""
    begun, kept = asyncio.Event(), asyncio.Event()
    run = box.ask()

    async def act(_job: model.Job, _put: plugins.Output) -> model.Outcome:
        begun.set()
        await kept.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def withhold(_job: model.Job) -> bool:
        kept.set()
        await wait_for_async(lambda: box.controller.acted)
        return True

    async def acting(job: model.Job, put: plugins.Output) -> model.Outcome:
        try:
            return await act(job, put)
        finally:
            box.controller.acted = True

    box.controller.acted = False
    box.controller.act, box.controller.withhold = acting, withhold
    box.start()
    await asyncio.wait_for(begun.wait(), 30)
    assert await pause(box) == {f"{run}-1"}
    await wait_for_async(lambda: state(box, run) == ("deferred", "paused"))
    assert "failed" not in box.states()


@pytest.mark.parametrize("says", [model.Found("unknown"), ValueError("no answer"), "nothing"])
async def test_one_of_which_nobody_can_say_counts_as_begun(
    box: Any, wait_for_async: Any, monkeypatch: pytest.MonkeyPatch, says: Any
) -> None:
    monkeypatch.setattr(attempts, "WITHHOLD_S", 0)
    slow, run = Slow(box), box.ask()

    async def find(_job: model.Job) -> model.Found:
        if isinstance(says, Exception):
            raise says
        if says == "nothing":
            await asyncio.Event().wait()
        return says

    box.start()
    await asyncio.wait_for(slow.begun.wait(), 30)
    box.controller.find = find
    assert await pause(box) == set()
    slow.spawns.set()
    slow.ends.set()
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert (state(box, run)[0], slow.effects) == ("succeeded", [f"{run}-1"])


async def test_only_what_is_named_is_asked(box: Any, wait_for_async: Any) -> None:
    slow = Slow(box)
    mine, other = box.ask("mine"), box.ask("other")
    box.start()
    await wait_for_async(lambda: len(box.controller.jobs) == 2)
    assert await box.dispatcher.barrier({f"{mine}-1"}) == {f"{mine}-1"}
    slow.spawns.set()
    await wait_for_async(lambda: f"{other}-1" in slow.effects)
    slow.ends.set()
    await wait_for_async(lambda: state(box, mine)[0] == state(box, other)[0] == "succeeded")
    assert slow.effects.count(f"{other}-1") == 1


async def test_what_was_taken_up_after_a_crash_has_begun(box: Any, next_daemon: Any, wait_for_async: Any) -> None:
    slow, run = Slow(box), box.ask()
    slow.spawns.set()
    box.start()
    await wait_for_async(lambda: slow.effects == [f"{run}-1"])
    after = next_daemon(box)
    after.controller.found = model.Found("running")
    ends = asyncio.Event()

    async def act(_job: model.Job, _put: plugins.Output) -> model.Outcome:
        await ends.wait()
        return model.Outcome("succeeded", "done", 0)

    after.controller.act = act
    await after.dispatcher.recover()
    after.controller.found = model.Found("absent")
    assert await pause(after) == set()
    ends.set()
    await wait_for_async(lambda: after.dispatcher.running == 0)
    assert state(after, run)[0] == "succeeded"
    slow.ends.set()


async def test_a_person_who_cancels_goes_before_a_pause(box: Any, wait_for_async: Any) -> None:
    slow, run = Slow(box), box.ask()
    box.start()
    await asyncio.wait_for(slow.begun.wait(), 30)
    box.dispatcher.end(f"{run}-1")
    assert await pause(box) == set()
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert slow.effects == []
