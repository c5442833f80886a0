"""`check:` of actions and of `verify`: a plugin of `checks/` looks once, in the daemon itself. Caller: `local`.

Why no child: a check changes nothing, so that nothing has to be found again after a crash; it is made anew.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import time
import traceback
from collections.abc import Mapping
from typing import Any, Final

from healer import errors, model, plugins
from healer.controllers import _shimmed

KIND: Final = "check"
ENDS_WITHIN_S: Final = 0.5
"""So long one that is told to end is waited for; then nobody listens to it any more."""
ABSENT: Final = model.Found("absent", detail="a check changes nothing, so that it may be made again")


class Looks:
    """The checks of one controller, each plugin imported once a revision."""

    def __init__(self, context: plugins.ControllerContext) -> None:
        self._resolve = context.resolve
        self._found: dict[tuple[str, str], type[plugins.Check]] = {}

    def plan(self, job: model.Job) -> model.Plan:
        """What it would look at. Raises `RefusedJob`."""
        self._made(job)
        ((name, options),) = _written(job).items()
        said = json.dumps(_shimmed.hide(options), ensure_ascii=False)
        return model.Plan(tuple(map(str, job.targets)), (f"look once, and change nothing: {name} {said}",), exact=True)

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Look once. What cannot be seen has not succeeded either."""
        began = time.monotonic()
        try:
            check = self._made(job)
        except errors.HealerError as error:
            return _outcome(job, "failed", error.message, began)
        ((name, _),) = _written(job).items()
        looking, late = asyncio.create_task(plugins.look(check), name=f"looking {job.token}"), False
        try:
            late = not (await asyncio.wait([looking], timeout=job.deadline_s))[0]
        finally:
            if not looking.done():
                looking.add_done_callback(lambda done: done.cancelled() or done.exception())
                looking.cancel()
                await asyncio.wait([looking], timeout=ENDS_WITHIN_S)
        if late and (not looking.done() or looking.cancelled() or looking.exception()):
            return _outcome(job, "timed_out", f"it saw nothing within {job.deadline_s:g} s", began)
        try:
            reading = looking.result()
        except plugins.Blind as error:
            return _outcome(job, "failed", f"it cannot look: {error}", began)
        except plugins.Quit as error:
            return _outcome(job, "failed", f"the check {name!r} is faulty: {error}", began)
        except (Exception, asyncio.CancelledError) as error:  # a stranger's code; nobody cancelled it  # noqa: BLE001
            output("stderr", traceback.format_exc().encode("utf-8", "replace"))
            return _outcome(job, "failed", f"the check {name!r} is faulty: {plugins.raised(error)}", began)
        output("stdout", f"{reading.detail}\n".encode("utf-8", "replace"))
        state: model.EndState = "succeeded" if reading.ok else "failed"
        result = {"ok": reading.ok, "value": reading.value, "detail": reading.detail}
        return _outcome(job, state, reading.detail, began, result)

    def _made(self, job: model.Job) -> plugins.Check:
        """The check that the job names. Raises `RefusedJob`, `plugins.UnknownPlugin`, `plugins.BrokenPlugin`."""
        ((name, options),) = _written(job).items()
        key = (name, job.revision_dir)
        folder = pathlib.Path(job.revision_dir)
        if key not in self._found:
            self._found[key] = plugins.check(name, folder)
        plugin = self._found[key]
        try:
            made = plugins.made_of(plugin.Options, _shimmed.reveal(options))
        except ValueError as error:
            raise _shimmed.RefusedJob(reason=f"the check {name!r}: {error}") from error
        try:
            return plugins.called(plugin, made, plugins.CheckContext(self._resolve, folder))
        except Exception as error:  # a stranger's code
            raise _shimmed.RefusedJob(reason=f"the check {name!r} is faulty: {plugins.raised(error)}") from error


def _written(job: model.Job) -> Mapping[str, Any]:
    if not isinstance(job.subject, Mapping) or len(job.subject) != 1:
        raise _shimmed.RefusedJob(reason=f"a check is a mapping of one name, got {job.subject!r}")
    return job.subject


def _outcome(
    job: model.Job, state: model.EndState, summary: str, began: float, result: Mapping[str, Any] | None = None
) -> model.Outcome:
    said: str = _shimmed.one_line(summary)
    per_target = dict.fromkeys(map(str, job.targets), state)
    return model.Outcome(state, said, result=result, per_target=per_target, seconds=time.monotonic() - began)
