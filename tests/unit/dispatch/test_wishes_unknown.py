"""People and runs of which nobody knows how they ended: what they say, what its controller knows after all, and locks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from healer import dispatch, model, plugins
from healer.dispatch import wishes
from healer.store import people


@pytest.fixture
async def unknown(box: Any, wait_for_async: Any) -> str:
    """A run of which nobody knows how it ended; its job folder is there."""

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"began\n")
        return model.Outcome("unknown", "the shim has gone")

    box.controller.act = act
    run: str = box.ask()
    (box.folder / "work" / f"{run}-1").mkdir(parents=True)
    box.start()
    await wait_for_async(lambda: box.states() == ["unknown"] and box.dispatcher.running == 0)
    box.controller.found = model.Found("unknown")
    return run


async def test_a_person_says_how_it_ended(box: Any, unknown: str, wish: wishes.Wishes) -> None:
    told = await wish.resolve(unknown, "succeeded", actor="key:ana", reason="looked at it")
    assert told == {"id": unknown, "state": "succeeded", "found": None}
    assert box.said(unknown) == ("succeeded", "resolved as succeeded by key:ana: looked at it")
    assert (box.states(), box.rows("SELECT * FROM lock")) == (["succeeded"], [])
    assert not (box.folder / "work" / f"{unknown}-1").exists()
    assert (await box.printed())[0] == b"began\n"


async def test_it_is_tried_again(box: Any, unknown: str, wish: wishes.Wishes, wait_for_async: Any) -> None:
    box.controller.act = box.controller.succeed
    assert (await wish.resolve(unknown, "queued", actor="key:ana", reason="again"))["state"] == "queued"
    await wait_for_async(lambda: box.states() == ["failed", "succeeded"])
    assert box.said(unknown)[0] == "succeeded"


async def test_what_its_controller_knows_now_counts_more(box: Any, unknown: str, wish: wishes.Wishes) -> None:
    box.controller.found = model.Found("ended", model.Outcome("failed", "exit 3", 3))

    async def follow(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"began\nand ended\n")
        return model.Outcome("failed", "exit 3", 3)

    box.controller.follow = follow
    told = await wish.resolve(unknown, "succeeded", actor="key:ana", reason="it looks fine")
    assert told == {"id": unknown, "state": "failed", "found": {"state": "failed", "summary": "exit 3"}}
    assert box.said(unknown) == ("failed", "exit 3")
    assert (await box.printed())[0] == b"began\nand ended\n"
    assert not (box.folder / "work" / f"{unknown}-1").exists()


async def test_where_its_output_cannot_be_had_its_end_counts_all_the_same(
    box: Any, unknown: str, wish: wishes.Wishes
) -> None:
    box.controller.found = model.Found("ended", model.Outcome("succeeded", "exit 0", 0))
    assert (await wish.resolve(unknown, "failed", actor="key:ana", reason="x"))["state"] == "succeeded"


async def test_what_still_runs_is_not_resolved(box: Any, unknown: str, wish: wishes.Wishes) -> None:
    box.controller.found = model.Found("running", detail="pid 12")
    with pytest.raises(people.StillRunning) as caught:
        await wish.resolve(unknown, "failed", actor="key:ana", reason="x")
    assert caught.value.message.endswith("its controller says (pid 12)")
    assert caught.value.try_ == f"healer runs cancel {unknown[:8]}"
    assert box.said(unknown)[0] == "unknown"


async def test_what_still_runs_is_ended_by_cancel(
    box: Any, unknown: str, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    work = box.work()
    box.controller.found = model.Found("running")
    told = await wish.cancel(unknown, actor="key:ana")
    assert (told["state"], told["ending"]) == ("unknown", True)
    with pytest.raises(people.StillRunning):
        await wish.resolve(unknown, "failed", actor="key:bob", reason="x")
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert box.said(unknown) == ("cancelled", "cancelled by key:ana (ended by TERM)")
    assert (box.states(), box.rows("SELECT * FROM lock"), work.cancelled) == (["cancelled"], [], 1)


async def test_what_cannot_be_ended_stays_unknown_and_can_be_cancelled_again(
    box: Any, unknown: str, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    work = box.work()
    box.controller.found, work.ended = model.Found("running"), model.Found("unknown")
    await wish.cancel(unknown, actor="key:ana")
    await wait_for_async(lambda: box.dispatcher.running == 0)
    assert (box.said(unknown)[0], len(box.rows("SELECT * FROM lock"))) == ("unknown", 1)
    work.ended = model.Found("ended", model.Outcome("cancelled", "ended by KILL"))
    box.controller.found = model.Found("running")
    await wish.cancel(unknown, actor="key:bob")
    await wait_for_async(lambda: box.said(unknown)[0] == "cancelled")
    assert box.said(unknown)[1] == "cancelled by key:bob (ended by KILL)"


async def test_a_start_looks_once_more_at_what_was_to_end(
    box: Any, unknown: str, wish: wishes.Wishes, next_daemon: Any, wait_for_async: Any
) -> None:
    box.store.writer.now(people.Cancel(unknown, actor="key:ana", reason="", runs_on=True))
    after = next_daemon(box)
    work = after.work()
    after.controller.found = model.Found("running")
    assert await after.dispatcher.recover() == {}
    await wait_for_async(lambda: after.said(unknown)[0] == "cancelled")
    assert work.cancelled == 1


async def test_nothing_is_left_to_cancel_of_what_does_not_run(unknown: str, wish: wishes.Wishes) -> None:
    with pytest.raises(people.RunUnknown):
        await wish.cancel(unknown, actor="key:ana")


@pytest.mark.parametrize("gone", [True, False])
async def test_without_its_controller_or_its_answer_the_person_decides(
    box: Any, unknown: str, wish: wishes.Wishes, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    async def find(job: model.Job) -> model.Found:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(dispatch, "LOOK_S", 0)
    box.controller.find = find
    if gone:
        box.controllers.clear()
    assert (await wish.resolve(unknown, "failed", actor="key:ana", reason="x"))["state"] == "failed"
    assert not (box.folder / "work" / f"{unknown}-1").exists()


async def test_only_what_is_unknown_is_resolved(at_work: Any, wish: wishes.Wishes) -> None:
    _, work, run = at_work
    with pytest.raises(people.NotUnknown):
        await wish.resolve(run, "failed", actor="key:ana", reason="x")
    work.go.set()


async def test_a_lock_that_is_let_go_lets_another_go(
    box: Any, unknown: str, wish: wishes.Wishes, wait_for_async: Any
) -> None:
    box.controller.act = box.controller.succeed
    box.ask("waits", "host:k")
    box.dispatcher.wake()
    told = await wish.release("k", actor="key:ana", reason="it is gone")
    assert told == {"target": "host:k", "run": unknown, "state": "unknown"}
    await wait_for_async(lambda: sorted(box.states()) == ["succeeded", "unknown"])
