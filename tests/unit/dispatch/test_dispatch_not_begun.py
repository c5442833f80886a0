"""A controller is certain that nothing began: another attempt is made, so often and no more."""

from __future__ import annotations

from typing import Any

from healer import dispatch, model, plugins


def failing(times: int) -> Any:
    """Begins nothing at first."""
    left = [times]

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        left[0] -= 1
        if left[0] >= 0:
            raise model.NotBegunError("the shim cannot be started: no process is free")
        return model.Outcome("succeeded", "done", 0)

    return act


async def test_what_did_not_begin_is_tried_again_under_another_token(box: Any, wait_for_async: Any) -> None:
    box.controller.act = failing(3)
    box.ask()
    box.start()
    await wait_for_async(lambda: box.rows("SELECT state FROM run") == [("succeeded",)])
    assert box.rows("SELECT state FROM attempt ORDER BY number") == [("withdrawn",)] * 3 + [("succeeded",)]
    tokens = [job.token for what, job in box.controller.jobs if what == "run"]
    assert len(set(tokens)) == 4
    assert box.rows("SELECT * FROM lock") == []


async def test_what_cannot_begin_at_all_fails_in_the_end(box: Any, wait_for_async: Any) -> None:
    box.controller.act = failing(100)
    box.ask()
    box.start()
    await wait_for_async(lambda: box.rows("SELECT state FROM run") == [("failed",)])
    ((detail,),) = box.rows("SELECT detail FROM run")
    assert "no process is free" in detail
    assert len(box.controller.jobs) == dispatch.BEGINNINGS_MAX
    assert box.rows("SELECT * FROM lock") == []
