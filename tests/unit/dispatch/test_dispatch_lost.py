"""A run that did not find its targets, or not reach them, is told of at once: what a program listed of them may be old."""

from __future__ import annotations

from typing import Any

import pytest

from healer import model, plugins

FAILED = model.Outcome("failed", "no such host")


@pytest.mark.parametrize(("end", "told"), [
    (FAILED, False), (model.Outcome("failed", "no such host", lost=True), True), (model.Outcome("succeeded", "done", lost=True), True),
    (model.NotBegunError("h: refuses connections"), True), (OSError("broken"), False),
], ids=["failed", "lost", "of one of them", "not begun", "broken"])  # fmt: skip
async def test_who_looks_after_hosts_is_told(box: Any, wait_for_async: Any, end: Any, told: bool) -> None:
    heard: list[tuple[str, str]] = []
    box.dispatcher.maker.lost = lambda controller, job: heard.append((controller, job.run_id))

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        if isinstance(end, BaseException):
            raise end
        return end  # type: ignore[no-any-return]

    box.controller.act = act
    run = box.ask()
    box.start()
    await wait_for_async(lambda: "running" not in box.states() and "queued" not in box.states()[:1])
    assert heard == ([("here", run)] if told else [])
