"""One attempt of `http`: each of its requests is sent once, or again where that does no harm, and what came of it is kept.

A request is sent again only where its catalog says so, which it may of methods that change nothing by being repeated, and of others with a
key. Where one that changes something may have arrived and no answer came, the attempt is `unknown` and a person decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any, Final

from healer import errors, model, plugins
from healer.child import jobs
from healer.controllers import _http_answer, _http_door, _http_record, _http_request, _shimmed

CLOCK_S: Final = 0.01
"""A timer may be so much before its time."""
_NOT_SENT: Final = "it was not sent"
_IN_DOUBT: Final = "it was sent, and its answer is not known"

Make = Callable[..., list[_http_request.Request]]
"""The requests of the job; `shown=True`: as people may see them."""


class Withheld(Exception):
    """a pause came before anything was sent"""


class Attempt:
    """What is done for one job. `make` gives its requests; `limit_s` is for one of them."""

    def __init__(
        self, door: _http_door.Door, job: model.Job, make: Make, limit_s: float, output: plugins.Output
    ) -> None:
        self._door = door
        self._job = job
        self._make = make
        self._limit_s = limit_s
        self._output = output
        self._folder = pathlib.Path(job.work_dir)
        self._begun = False
        self._arrived = False
        self._withheld = False
        self._until = 0.0

    async def run(self) -> model.Outcome:
        """Send them, one after the other. Raises `TokenUsed`, `NotBegunError`, OSError before anything is sent."""
        began = _now()
        self._until = began + self._job.deadline_s
        try:
            await _wholly(_http_record.begin, self._folder)
        except jobs.FolderUsed:
            raise _shimmed.TokenUsed(token=self._job.token) from None
        try:
            if self._job.dry_run:
                raise _shimmed.RefusedJob(reason="a request cannot be sent dry: nobody is told that nothing may happen")
            requests = await asyncio.to_thread(self._make)
            shown = await asyncio.to_thread(self._make, shown=True)
        except errors.HealerError as error:
            return model.Outcome("failed", _http_request.line(error), per_target=self._each("failed"), refused=True)
        ends: list[_http_record.End] = []
        try:
            for number, request in enumerate(requests):
                ends.append(await self._one(number, request, f"{request.method} {shown[number].url}"))
        except asyncio.CancelledError:
            await self._cut_off(len(ends), len(requests))
            raise
        except Withheld:
            raise model.NotBegunError("a pause came before it was sent") from None
        if all(not end.sent and end.passing for end in ends):
            raise model.NotBegunError(ends[0].summary)
        return dataclasses.replace(_combined(self._job, ends), seconds=_now() - began)

    def withhold(self) -> bool:
        """Whether nothing was sent that changes something; then nothing will be."""
        if not self._begun:
            self._withheld = True
        return self._withheld or _http_request.safe(self._job)

    # --- one request ------------------------------------------------------------------------------------------------------

    async def _one(self, number: int, request: _http_request.Request, shown: str) -> _http_record.End:
        trying = _Trying(request, shown, self._job.subject)
        wait_s = _http_door.PAUSE_MIN_S
        try:
            while True:
                pause_s = await self._try(number, trying, wait_s)
                if trying.end is not None:
                    break
                if _now() + pause_s >= self._until:
                    trying.give_up(late=True)
                    break
                self._say(f"{trying.said}; again in {pause_s:g} s")
                await _http_door.pause(pause_s)
                wait_s = min(wait_s * 2, _http_door.PAUSE_MAX_S)
        except BaseException:  # cancelled, withheld, no space: what was not sent never will be
            if not trying.opened:
                await _wholly(_http_record.withdraw, self._folder, number)
            elif trying.last is not None and not trying.in_doubt:
                await self._keep(number, trying.last)
            raise
        assert trying.end is not None  # noqa: S101 - the loop has no other end
        await self._keep(number, trying.end)
        return trying.end

    async def _try(self, number: int, trying: _Trying, wait_s: float) -> float:
        """Send it once; how long to wait for the next time, where `trying` has not ended."""
        left_s = self._until - _now()
        if left_s <= 0:
            trying.give_up(late=True)
            return 0.0
        try:
            await _wholly(_http_record.intend, self._folder, number)
        except OSError as error:
            if not self._arrived:
                raise
            trying.end = _http_record.End("failed", _shimmed.one_line(f"{trying.shown}: not sent: {error}"), sent=False)
            return 0.0
        trying.left -= 1
        try:
            answer = await self._door.send(
                trying.request, min(left_s, self._limit_s), self._begins, functools.partial(self._opened, trying)
            )
        except _http_door.HttpError as error:
            self._begun = self._arrived
            trying.missed(error, late=_now() >= self._until - CLOCK_S)
            return wait_s
        trying.answered(answer)
        self._hear(trying, answer)
        pause_s: float = max(wait_s, _http_answer.retry_after_s(answer))
        return pause_s

    def _begins(self) -> None:
        """The last moment in which it can be kept from beginning: nothing is awaited until the connection is asked for."""
        if self._withheld:
            raise Withheld
        self._begun = True

    def _opened(self, trying: _Trying) -> None:
        """There is a connection: from here on something may have arrived."""
        trying.opened = self._arrived = True

    def _hear(self, trying: _Trying, answer: _http_door.Answer) -> None:
        if len(self._job.targets) > 1:
            self._say(f"{trying.shown}: {answer.status}")
        if answer.body:
            self._output("stdout", answer.body + (b"" if answer.body.endswith(b"\n") else b"\n"))

    def _say(self, text: str) -> None:
        self._output("stderr", f"{_shimmed.one_line(text)}\n".encode())

    async def _keep(self, number: int, end: _http_record.End) -> None:
        if end.state == "unknown":
            return  # as after a crash: it was sent, and nobody knows what came of it
        if not end.sent:
            await _wholly(_http_record.withdraw, self._folder, number)
            if end.passing:
                return
        try:
            await _wholly(_http_record.ended, self._folder, number, end)
        except OSError as error:  # it is known all the same; after a crash it is not
            self._say(f"its end could not be written down: {error}")

    async def _cut_off(self, done: int, count: int) -> None:
        """The task is cancelled: what comes behind requests that were made is known not to be."""
        if not done or _http_request.safe(self._job):
            return
        for number in range(done, count):
            with contextlib.suppress(OSError, _http_record.Unreadable):
                await _wholly(_http_record.rule_out, self._folder, number)

    def _each(self, state: model.EndState) -> dict[str, str]:
        return {str(target): state for target in self._job.targets}


class _Trying:
    """A request while it is sent, maybe several times. `end`: how it ended, when it has."""

    def __init__(self, request: _http_request.Request, shown: str, said: Any) -> None:
        self.request = request
        self.shown = shown
        self.wanted = said["success"]
        self.left = int(said.get("retries") or 0) + 1
        self.opened = False
        self.in_doubt = False
        self.said = ""
        self.last: _http_record.End | None = None
        self.end: _http_record.End | None = None

    def answered(self, answer: _http_door.Answer) -> None:
        """An answer came."""
        end = _http_answer.judged(self.request, self.shown, self.wanted, answer)
        passes = _http_answer.passes(answer, self.wanted)
        if passes and self.in_doubt and not self.request.safe:  # the one before may have been done
            end = dataclasses.replace(
                end, state="unknown", summary=_shimmed.one_line(f"{end.summary}; before: {_IN_DOUBT}")
            )
        self.said, self.last = end.summary, end
        if not (self.left and passes):
            self.end = end

    def missed(self, error: _http_door.HttpError, *, late: bool) -> None:
        """None came."""
        self.said, self.last = f"{self.shown}: {_http_request.line(error)}", None
        self.in_doubt = self.in_doubt or error.sent
        if not (self.left and error.passing) or late:
            self.give_up(late=late, passing=error.passing)

    def give_up(self, *, late: bool, passing: bool = False) -> None:
        """It is not sent again. `passing`: another attempt may do better."""
        if self.last is not None:
            self.end = self.last
            return
        state: model.EndState = "timed_out" if late else "failed"
        if self.in_doubt and not self.request.safe:
            state, self.said = "unknown", f"{self.said or self.shown}: {_IN_DOUBT}"
        elif late:
            self.said = f"{self.said or self.shown}: the deadline is over" + ("" if self.opened else f", {_NOT_SENT}")
        self.end = _http_record.End(
            state, _shimmed.one_line(self.said), sent=self.opened, passing=passing and not late and not self.opened
        )


def found(job: model.Job) -> model.Found:
    """What became of a job after a crash, or of one that was cancelled. Reads its folder."""
    try:
        noted = _http_record.read(pathlib.Path(job.work_dir), max(1, len(job.targets)))
    except (_http_record.Unreadable, OSError) as error:
        return model.Found("unknown", detail=_shimmed.one_line(f"whether it was sent cannot be read: {error}"))
    if all(one.end is not None for one in noted):
        return model.Found("ended", _combined(job, [one.end for one in noted if one.end is not None]))
    if _http_request.safe(job) or not any(one.sent or one.end is not None for one in noted):
        return model.Found("absent", detail="nothing was sent that changes anything")
    open_ = [number for number, one in enumerate(noted) if one.sent and one.end is None]
    if open_:
        where = f" ({', '.join(str(job.targets[number]) for number in open_)})" if len(job.targets) > 1 else ""
        return model.Found("unknown", detail=_shimmed.one_line(f"{_IN_DOUBT}{where}"))
    rest = _http_record.End("failed", _NOT_SENT, sent=False)
    return model.Found("ended", _combined(job, [one.end or rest for one in noted]))


_WORST: Final[tuple[model.EndState, ...]] = ("unknown", "failed", "timed_out", "cancelled", "succeeded")


def _combined(job: model.Job, ends: list[_http_record.End]) -> model.Outcome:
    """The end of all of them: the worst, with its words."""
    worst = min(ends, key=lambda end: _WORST.index(end.state))
    per_target = {str(target): end.state for target, end in zip(job.targets, ends, strict=False)}
    truncated = any(end.truncated for end in ends)
    if len(ends) == 1:
        return model.Outcome(worst.state, worst.summary, None, worst.result, per_target, truncated)
    bad = sum(end.state != "succeeded" for end in ends)
    summary = f"{bad} of {len(ends)} did not succeed: {worst.summary}" if bad else f"{len(ends)} requests succeeded"
    result = {
        str(target): {"state": end.state, "summary": end.summary, "result": end.result}
        for target, end in zip(job.targets, ends, strict=True)
    }
    return model.Outcome(worst.state, _shimmed.one_line(summary), None, {"targets": result}, per_target, truncated)


async def _wholly(do: Callable[..., None], *given: Any) -> None:
    """In a thread, to its end also where the task is cancelled: what is on the disk then stays as it is."""
    doing = asyncio.ensure_future(asyncio.to_thread(do, *given))
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


def _now() -> float:
    return asyncio.get_running_loop().time()
