"""People who cancel runs: what is written down, what is stopped, and what a start after a crash makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from healer import dispatch, model, plugins, policy
from healer.dispatch import wishes
from healer.store import claiming, people

# --- cancel -----------------------------------------------------------------------------------------------------------


async def test_what_runs_is_stopped_and_cancelled(at_work: Any, wish: wishes.Wishes, wait_for_async: Any) -> None:
    box, work, run = at_work
    told = await wish.cancel(run, actor="key:ana", reason="the wrong host")
    assert told == {"id": run, "state": "running", "ending": True, "asked_before": None}
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert box.said(run) == ("cancelled", "cancelled by key:ana: the wrong host (ended by TERM)")
    assert (box.states(), box.rows("SELECT * FROM lock"), work.cancelled) == (["cancelled"], [], 1)
    assert (await box.printed())[0] == b"at work\n"


async def test_it_is_written_down_before_it_is_stopped(at_work: Any, wish: wishes.Wishes, monkeypatch: Any) -> None:
    box, _, run = at_work
    seen: list[Any] = []
    monkeypatch.setattr(
        box.dispatcher, "end", lambda token: seen.append((token, box.rows("SELECT cancel_by FROM attempt")))
    )
    await wish.cancel(run, actor="key:ana")
    assert seen == [(f"{run}-1", [("key:ana",)])]


async def test_to_ask_twice_does_not_cut_off_what_ends_it(
    at_work: Any, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    box, work, run = at_work
    slow = asyncio.Event()
    find = box.controller.find

    async def slowly(job: model.Job) -> model.Found:
        await slow.wait()
        return await find(job)

    box.controller.find = slowly
    await wish.cancel(run, actor="key:ana")
    await wait_for_async(lambda: work.cancelled == 1)
    assert (await wish.cancel(run, actor="key:bob"))["asked_before"] == "key:ana"
    stopping = asyncio.create_task(box.dispatcher.stop(0))
    slow.set()
    await asyncio.wait_for(stopping, 30)
    assert (box.said(run)[0], work.cancelled) == ("cancelled", 1)


@pytest.mark.parametrize(("found", "ends"), [
    (model.Found("unknown", detail="the shim has gone"), ("unknown", "its end was asked for, and it may go on: the shim has gone")),
    (model.Found("ended", model.Outcome("succeeded", "just before", 0)), ("succeeded", "just before")),
    (model.Found("ended", model.Outcome("failed", "exit 3", 3)), ("cancelled", "cancelled by key:ana (exit 3)")),
    (model.Found("absent"), ("cancelled", "cancelled by key:ana")),
])  # fmt: skip
async def test_what_its_controller_knows_of_the_end_counts(
    at_work: Any, wish: wishes.Wishes, wait_for_async: Any, found: Any, ends: Any
) -> None:
    box, work, run = at_work
    work.ended = found
    await wish.cancel(run, actor="key:ana")
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert box.said(run) == ends
    assert len(box.rows("SELECT * FROM lock")) == (ends[0] == "unknown")


async def test_what_needs_its_time_to_end_is_followed_to_its_end(
    at_work: Any, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    """As a job of AAP: told to end, it runs for a while yet."""
    box, work, run = at_work
    work.ended = model.Found("running")

    async def follow(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"at work\ncleaned up\n")
        return model.Outcome("cancelled", "canceled")

    box.controller.follow = follow
    await wish.cancel(run, actor="key:ana")
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert box.said(run) == ("cancelled", "cancelled by key:ana (canceled)")
    assert (await box.printed())[0] == b"at work\ncleaned up\n"


async def test_what_does_not_end_is_told_again_and_then_unknown(
    at_work: Any, wish: wishes.Wishes, wait_for_async: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "ENDING_S", 0)
    box, work, run = at_work
    work.ended = model.Found("running")
    await wish.cancel(run, actor="key:ana")
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert box.said(run) == ("unknown", "its end was asked for, and it may go on: running")
    assert [what for what, _ in box.controller.jobs].count("follow") == dispatch.ENDINGS_MAX
    assert len(box.rows("SELECT * FROM lock")) == 1


async def test_a_controller_that_fails_at_its_end_is_asked_what_became_of_it(
    at_work: Any, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    box, work, _ = at_work

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        work.begun.set()
        try:
            await work.go.wait()
        except asyncio.CancelledError:
            raise ValueError("no way") from None
        raise AssertionError

    work.go.set()
    await wait_for_async(lambda: box.dispatcher.running == 0)
    work.go.clear()
    work.begun.clear()
    box.controller.act, box.controller.found = act, model.Found("unknown")
    other = box.ask("other")
    box.dispatcher.wake()
    await asyncio.wait_for(work.begun.wait(), 30)
    await wish.cancel(other, actor="key:ana")
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert box.said(other)[0] == "unknown"


@pytest.fixture
def between(box: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """`between(act)`: let something happen when an attempt is claimed and not begun yet."""

    def hooked(act: Callable[[], Any]) -> None:
        insist = box.store.insist

        async def then(unit: Any) -> Any:
            done = await insist(unit)
            if isinstance(unit, claiming.Claim) and done.claimed:
                await act()
            return done

        monkeypatch.setattr(box.store, "insist", then)

    return hooked


async def test_between_claim_and_effect_nothing_begins(
    box: Any, wish: wishes.Wishes, between: Any, wait_for_async: Any
) -> None:
    run = box.ask()
    between(lambda: wish.cancel(run, actor="key:ana"))
    box.start()
    await wait_for_async(lambda: box.said(run)[0] == "cancelled")
    assert (box.states(), box.rows("SELECT * FROM lock")) == (["cancelled"], [])
    assert [what for what, _ in box.controller.jobs] == ["find"]
    await wait_for_async(lambda: box.dispatcher.running == 0)


async def test_one_whose_controller_is_gone_is_cancelled_too(
    box: Any, wish: wishes.Wishes, between: Any, wait_for_async: Any
) -> None:
    run = box.ask()
    box.controllers.clear()
    between(lambda: wish.cancel(run, actor="key:ana"))
    box.start()
    await wait_for_async(lambda: box.said(run)[0] == "cancelled")
    assert box.states() == ["failed"]


async def test_what_is_queued_never_starts_and_what_waited_goes_on(
    at_work: Any, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    box, work, _ = at_work
    box.ask("waits", "host:k")
    last = box.ask("last", "host:k")
    told = await wish.cancel(last, actor="key:ana")
    assert told == {"id": last, "state": "cancelled", "ending": False, "asked_before": None}
    work.go.set()
    await wait_for_async(lambda: sorted(box.states()) == ["cancelled", "succeeded", "succeeded"])
    assert len([what for what, _ in box.controller.jobs if what == "run"]) == 2


async def test_a_wish_for_what_has_ended_is_refused(box: Any, wish: wishes.Wishes, wait_for_async: Any) -> None:
    run = box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    with pytest.raises(people.RunEnded):
        await wish.cancel(run, actor="key:ana")


# --- after a crash ----------------------------------------------------------------------------------------------------


@pytest.fixture
def crashed(box: Any, next_daemon: Any) -> Any:
    """What a daemon left that died after somebody had asked for the end of what it ran: the next one, and the run."""
    run = box.ask()
    box.store.writer.now(claiming.Claim(20, lambda row: policy.Standing(enabled=True, mode="active")))
    box.store.writer.now(people.Cancel(run, actor="key:ana", reason=""))
    return next_daemon(box), run


async def test_what_a_crash_left_running_is_stopped(crashed: Any, wait_for_async: Any) -> None:
    after, run = crashed
    work = after.work()
    after.controller.found = model.Found("running")
    assert await after.dispatcher.recover() == {"running": 1}
    await wait_for_async(lambda: after.dispatcher.running == 0)
    assert after.said(run) == ("cancelled", "cancelled by key:ana (ended by TERM)")
    assert ([what for what, _ in after.controller.jobs][:2], work.cancelled) == (["find", "follow"], 1)


@pytest.mark.parametrize(("found", "attempt", "ends"), [
    (model.Found("absent"), "cancelled", "cancelled"), (model.Found("ended"), "succeeded", "succeeded"),
    (model.Found("unknown"), "unknown", "unknown"),
])  # fmt: skip
async def test_what_a_crash_left_otherwise(
    crashed: Any, wait_for_async: Any, found: Any, attempt: str, ends: str
) -> None:
    after, run = crashed
    after.controller.found = found
    await after.dispatcher.recover()
    await wait_for_async(lambda: after.dispatcher.running == 0)
    assert (after.states(), after.said(run)[0]) == ([attempt], ends)


async def test_a_wish_that_comes_while_a_start_looks_is_heard(box: Any, next_daemon: Any, wait_for_async: Any) -> None:
    run = box.ask()
    box.store.writer.now(claiming.Claim(20, lambda row: policy.Standing(enabled=True, mode="active")))
    after = next_daemon(box)
    work = after.work()

    async def find(job: model.Job) -> model.Found:
        if not work.cancelled:
            await wishes.Wishes(after.store, after.dispatcher).cancel(run, actor="key:ana")
            return model.Found("running")
        return work.ended

    after.controller.find = find
    assert await after.dispatcher.recover() == {"running": 1}
    await wait_for_async(lambda: after.said(run)[0] == "cancelled")
