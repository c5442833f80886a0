"""A controller is certain that nothing began: another attempt is made, so often and no more."""

from __future__ import annotations

from typing import Any

from healer import dispatch, model, plugins
from healer.dispatch import attempts


def failing(times: int) -> Any:
    """Begins nothing at first."""
    left = [times]

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        left[0] -= 1
        if left[0] >= 0:
            raise model.NotBegunError("the shim cannot be started: no process is free")
        return model.Outcome("succeeded", "done", 0)

    return act


async def begun_again(box: Any, times: int, wait_for_async: Any) -> None:
    """Each time it waits longer; nothing is begun before."""
    for number in range(1, times + 1):
        await wait_for_async(
            lambda count=number: len(box.rows("SELECT 1 FROM attempt WHERE state = 'withdrawn'")) == count
        )
        ((due_us,),) = box.rows("SELECT not_before_us FROM attempt WHERE state = 'queued'")
        assert due_us == box.now_us + attempts.AGAIN_S[min(number, len(attempts.AGAIN_S)) - 1] * 1_000_000
        assert len(box.controller.jobs) == number
        box.now_us = due_us
        box.dispatcher.wake()


async def test_what_did_not_begin_is_tried_again_under_another_token(box: Any, wait_for_async: Any) -> None:
    box.controller.act = failing(3)
    box.ask()
    box.start()
    await begun_again(box, 3, wait_for_async)
    await wait_for_async(lambda: box.rows("SELECT state FROM run") == [("succeeded",)])
    assert box.rows("SELECT state FROM attempt ORDER BY number") == [("withdrawn",)] * 3 + [("succeeded",)]
    tokens = [job.token for what, job in box.controller.jobs if what == "run"]
    assert len(set(tokens)) == 4
    assert box.rows("SELECT * FROM lock") == []


async def test_what_cannot_begin_at_all_fails_in_the_end(box: Any, wait_for_async: Any) -> None:
    box.controller.act = failing(100)
    box.ask()
    box.start()
    await begun_again(box, dispatch.BEGINNINGS_MAX - 1, wait_for_async)
    await wait_for_async(lambda: box.rows("SELECT state FROM run") == [("failed",)])
    ((detail,),) = box.rows("SELECT detail FROM run")
    assert "nothing was begun: the shim cannot be started: no process is free" in detail
    assert len(box.controller.jobs) == dispatch.BEGINNINGS_MAX
    assert box.rows("SELECT * FROM lock") == []
