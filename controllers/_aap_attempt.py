"""One attempt of `aap`: launched at most once, found again after a crash.

A launch is sent again only where the API cannot have acted on it: it was not reached, or it answered 429. Wherever it may have, the job is
looked for by the token that it carries; if it cannot be said for certain, the attempt is `unknown` and a person decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import time
from typing import Any, Final

from healer import errors, model, plugins
from healer.child import jobs
from healer.controllers import _aap_api, _aap_following, _aap_record, _aap_template, _shimmed

LAUNCH_MIN_S: Final = 10.0
"""A launch that was sent has at least so long for its answer, also beyond the deadline: known is better than in time."""
SEEK_S = 60.0
"""So long after a launch was sent its job may yet appear."""
FIND_S: Final = 10.0
ABANDON_S: Final = 15.0
_UNSEEN: Final = "a launch was sent and its answer is not known; no job that carries its token is seen"
_UNMARKED: Final = (
    "a launch was sent and its answer is not known; the template prompts neither for variables nor for labels, so its job "
    "cannot be told from others"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """What is to be launched: the template, the JSON, and what the intent is to say of them."""

    template: _aap_template.Template
    body: dict[str, Any]
    after: int
    mark: str


class Attempt:
    """What is done for one job. `output` hears what the job and the API say."""

    def __init__(self, api: _aap_api.Api, job: model.Job, poll_s: float, output: plugins.Output) -> None:
        self._api = api
        self._job = job
        self._poll_s = poll_s
        self._folder = pathlib.Path(job.work_dir)
        self._voice = _aap_following.Voice(output)

    async def run(self) -> model.Outcome:
        """Launch it and follow it. Raises `TokenUsed`, OSError before the launch."""
        until, started = _now() + self._job.deadline_s, time.time()
        try:
            await asyncio.to_thread(_aap_record.begin, self._folder)
        except jobs.FolderUsed:
            raise _shimmed.TokenUsed(token=self._job.token) from None
        try:
            async with asyncio.timeout_at(until):
                ready = await _aap_api.insist(self._ready, self._voice.tell)
        except TimeoutError:
            return self._too_late()
        except errors.HealerError as error:
            return model.Outcome("failed", _aap_following.line(error))
        launched = await self._launch(ready, started, until)
        return launched if isinstance(launched, model.Outcome) else await self._follow(launched, until)

    async def find(self) -> model.Found:
        """What became of it, as far as can be said at once; what is still to be asked is `running`."""
        try:
            intent, launched = await asyncio.to_thread(_aap_record.read, self._folder)
            if intent is None:
                return model.Found("absent", detail="it was never launched")
            if why := self._lost(intent, launched):
                return model.Found("unknown", detail=why)
            async with asyncio.timeout(FIND_S):
                return await self._found(intent, launched)
        except TimeoutError:
            return model.Found("running", detail="the API does not answer now")
        except _aap_api.ApiError as error:
            return model.Found("running", detail=_shimmed.one_line(f"it cannot be asked for now: {error.message}"))
        except (_aap_record.Unreadable, OSError) as error:
            return model.Found("unknown", detail=_shimmed.one_line(f"whether it was launched cannot be read: {error}"))

    async def withhold(self) -> bool:
        """Whether no launch was written down."""
        intent, _ = await asyncio.to_thread(_aap_record.read, self._folder)
        return intent is None

    async def _found(self, intent: _aap_record.Intent, launched: _aap_record.Launched | None) -> model.Found:
        launched = launched or await self._look(intent)
        if launched is None:
            late = time.time() >= intent.sent + SEEK_S
            return model.Found("unknown" if late else "running", detail=_UNSEEN)
        got = await self._api.get(launched.path)
        if got.get("status") in _aap_following.STATES:
            return model.Found("ended", self._following(launched).judged(got))
        return model.Found("running", detail=f"{launched}")

    async def follow(self) -> model.Outcome:
        """Take it up again, to the deadline that it began with. Raises OSError."""
        try:
            intent, launched = await asyncio.to_thread(_aap_record.read, self._folder)
        except _aap_record.Unreadable as error:
            return model.Outcome("unknown", _shimmed.one_line(f"whether it was launched cannot be read: {error}"))
        if intent is None:
            return model.Outcome("failed", "it was never launched")
        if why := self._lost(intent, launched):
            return model.Outcome("unknown", why)
        left_s = min(max(intent.started + self._job.deadline_s - time.time(), 0.0), self._job.deadline_s)
        until = _now() + left_s
        if launched is None:
            try:
                launched = await self._seek(intent, max(left_s, LAUNCH_MIN_S))
            except asyncio.CancelledError:
                await self._abandon(intent, None)
                raise
        return await self._follow(launched, until) if launched else model.Outcome("unknown", self._in_vain())

    async def _follow(self, launched: _aap_record.Launched, until: float) -> model.Outcome:
        outcome: model.Outcome = await self._following(launched).follow(until - _now(), self._poll_s)
        return outcome

    def _following(self, launched: _aap_record.Launched) -> _aap_following.Following:
        return _aap_following.Following(self._api, self._job, launched, self._voice)

    # --- launching ----------------------------------------------------------------------------------------------------

    async def _ready(self) -> Ready:
        """Nothing of it has an effect but labels that are made, so it may be done again."""
        template = await _aap_template.find(self._api, self._job)
        labels, marked = await _aap_template.label_ids(self._api, self._job, template, self._voice.say)
        body = _aap_template.body(self._job, template, labels, self._voice.say)
        after = 0
        for path in template.lists:
            newest = (await self._api.get(path, {"order_by": "-id", "page_size": "1"})).get("results")
            if isinstance(newest, list) and newest and isinstance(newest[0], dict):
                after = max(after, _aap_api.id_of(newest[0], self._api.base + path))
        return Ready(template, body, after, template.mark if marked or template.mark != "labels" else "")

    async def _launch(self, ready: Ready, started: float, until: float) -> _aap_record.Launched | model.Outcome:
        """The job, or the outcome where there is none."""
        label = _aap_template.token_label(self._job) if ready.mark == "labels" else ""
        wait_s = _aap_api.PAUSE_MIN_S
        while True:
            intent = _aap_record.Intent(
                self._api.base, started, time.time(), ready.template.lists, ready.after, ready.mark, label
            )
            await asyncio.to_thread(_aap_record.intend, self._folder, intent)
            try:
                return await self._send(ready, intent, until)
            except _aap_api.ApiError as error:
                await asyncio.to_thread(_aap_record.withdraw, self._folder)
                if not error.passing:
                    return model.Outcome("failed", _aap_following.line(error))
                self._voice.tell(error)
                pause_s = max(error.retry_after_s, wait_s)
            if _now() + pause_s >= until:
                return self._too_late()
            await _aap_api.pause(pause_s)
            wait_s = min(wait_s * 2, _aap_api.PAUSE_MAX_S)

    async def _send(
        self, ready: Ready, intent: _aap_record.Intent, until: float
    ) -> _aap_record.Launched | model.Outcome:
        """The launch, once. Raises `ApiError` where it is certain that nothing was launched."""
        limit_s = min(max(until - _now(), LAUNCH_MIN_S), _aap_api.REQUEST_S)
        sending = asyncio.ensure_future(self._api.post(f"{ready.template.path}launch/", ready.body, limit_s))
        try:
            try:
                answer = await asyncio.shield(sending)  # whoever cancels this wants to know what came of it
                launched = _job_of(answer, self._api.base)
            except _aap_api.ApiError as error:
                if not error.sent:
                    raise
                return await self._in_doubt(intent, error, until)
            await self._keep(launched)
        except asyncio.CancelledError:
            await self._abandon(intent, sending)
            raise
        if ignored := _aap_template.ignored(answer):
            self._voice.say(f"the template does not prompt for it, so the API ignored: {', '.join(ignored)}")
        return launched

    async def _keep(self, launched: _aap_record.Launched) -> None:
        try:
            await asyncio.to_thread(_aap_record.launched, self._folder, launched)
        except OSError as error:  # it runs all the same; after a crash it is looked for
            self._voice.say(f"which job it is could not be written down: {error}")
        self._voice.say(f"launched: {launched}, {self._following(launched).web}")

    def _too_late(self) -> model.Outcome:
        why = f": {self._voice.trouble}" if self._voice.trouble else ""
        summary = f"it could not be launched within its deadline of {self._job.deadline_s:g} s, and was not{why}"
        return model.Outcome("timed_out", _shimmed.one_line(summary))

    # --- in doubt -----------------------------------------------------------------------------------------------------

    def _lost(self, intent: _aap_record.Intent, launched: _aap_record.Launched | None) -> str:
        """Why there is no asking about it, or nothing."""
        if intent.api != self._api.base:
            return f"it was launched at {intent.api}, and the controller is now at {self._api.base}"
        return _UNMARKED if launched is None and not intent.mark else ""

    def _in_vain(self) -> str:
        text: str = _shimmed.one_line(f"{_UNSEEN} {f'({self._voice.trouble})' if self._voice.trouble else ''}")
        return text

    async def _in_doubt(
        self, intent: _aap_record.Intent, error: _aap_api.ApiError, until: float
    ) -> _aap_record.Launched | model.Outcome:
        self._voice.say(f"whether it was launched is not known: {error.message}")
        if why := self._lost(intent, None):
            return model.Outcome("unknown", _shimmed.one_line(f"{why}: {error.message}"))
        found = await self._seek(intent, max(until - _now(), LAUNCH_MIN_S))
        return found or model.Outcome("unknown", _shimmed.one_line(f"{_UNSEEN}: {error.message}"))

    async def _seek(self, intent: _aap_record.Intent, limit_s: float) -> _aap_record.Launched | None:
        """The job that came of a launch in doubt; None where it does not appear in time."""
        with contextlib.suppress(TimeoutError, errors.HealerError):
            async with asyncio.timeout(limit_s):
                while True:
                    found = await _aap_api.insist(lambda: self._look(intent), self._voice.tell)
                    if found is not None or time.time() >= intent.sent + SEEK_S:
                        return found
                    await _aap_api.pause(min(self._poll_s, _aap_following.OFTEN_S))
        return None

    async def _look(self, intent: _aap_record.Intent) -> _aap_record.Launched | None:
        """The one job since the intent that carries the token. Raises `ApiError`."""
        params = {"id__gt": str(intent.after), "order_by": "id"}
        by_label = intent.mark == "labels"
        params |= {"labels__name": intent.label} if by_label else {}
        for path in intent.lists:
            found = [
                one
                async for one in self._api.pages(path, params)
                if by_label or _aap_template.carries(one, _aap_template.token_of(self._job))
            ]
            if len(found) == 1:
                launched = _job_of(found[0], self._api.base)
                await self._keep(launched)
                return launched
        return None

    async def _abandon(self, intent: _aap_record.Intent, sending: asyncio.Future[dict[str, Any]] | None) -> None:
        """The task is cancelled, and a job may have come of the launch: it is ended too, if it is known in time."""
        launched = None
        with contextlib.suppress(TimeoutError, errors.HealerError):
            async with asyncio.timeout(ABANDON_S):
                try:
                    launched = _job_of(await sending, self._api.base) if sending else None
                except _aap_api.ApiError as error:
                    if not error.sent:
                        await asyncio.to_thread(_aap_record.withdraw, self._folder)
                        return
                if launched is None and not self._lost(intent, None):
                    launched = await self._look(intent)
        if launched is not None:
            await self._following(launched).stop()


def _job_of(answer: dict[str, Any], url: str) -> _aap_record.Launched:
    """The job that an answer is of. A job template in slices becomes a workflow job. Raises `BadAnswer`."""
    workflow = answer.get("type") == "workflow_job" or "workflow_jobs/" in _aap_following.text(answer.get("url"))
    return _aap_record.Launched("workflow_jobs" if workflow else "jobs", _aap_api.id_of(answer, url))


def _now() -> float:
    return asyncio.get_running_loop().time()
