"""A job of `aap` that was launched: asked for until it has ended, ended where it is past its deadline, judged.

What hinders asking (connections, 429, faults, credentials that have run out) is borne until the deadline: the job runs all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from typing import Any, Final

from healer import errors, model, plugins
from healer.controllers import _aap_api, _aap_record, _shimmed

STOP_S: Final = 15.0
"""So long it is tried to end a job."""
OVERDUE_S: Final = 60.0
"""So long the end of a job that was told to end is waited for."""
STDOUT_S: Final = 60.0
OFTEN_S: Final = 2.0
GONE_MAX: Final = 5
"""So many times in a row the API says that it has no such job until it is believed: while a gateway starts it may be wrong."""
DRAIN_MAX: Final = 5
"""So many times a job that has ended is asked whether its output is whole."""
FACTS_BYTES_MAX: Final = 256 << 10
STATES: Final[dict[str, model.EndState]] = {
    "successful": "succeeded", "failed": "failed", "error": "failed", "canceled": "cancelled",
}  # fmt: skip
"""The API's last statuses."""


class Gone(errors.HealerError):
    """the API does not know the {job} any more"""

    code = "aap-job-gone"


class Voice:
    """What is said beside the job's own output, on stderr."""

    def __init__(self, output: plugins.Output) -> None:
        self.output = output
        self.trouble = ""
        """What hinders now."""
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Said once, however often what it comes of is asked."""
        if text not in self._said:
            self._said.add(text)
            self.output("stderr", f"healer: {_shimmed.one_line(text)}\n".encode())

    def tell(self, error: _aap_api.ApiError) -> None:
        """What hinders, when it begins to."""
        if error.message != self.trouble:
            self.trouble = error.message
            self.output("stderr", f"healer: {line(error)}\n".encode())


class Following:
    """One job of the API, followed for one of ours."""

    def __init__(self, api: _aap_api.Api, job: model.Job, launched: _aap_record.Launched, voice: Voice) -> None:
        self._api = api
        self._job = job
        self._launched = launched
        self._voice = voice
        kind = "workflow/" if launched.kind == "workflow_jobs" else ""
        self.web = f"{api.root}/#/jobs/{kind}{launched.id}/details"
        """Where people see it."""

    async def follow(self, left_s: float, poll_s: float) -> model.Outcome:
        """To its end, or to the deadline; cancelling the task ends the job."""
        try:
            async with asyncio.timeout(left_s):
                got = await self._ended(poll_s)
        except TimeoutError:
            return await self._overdue(min(poll_s, OFTEN_S))
        except Gone as error:
            return model.Outcome("unknown", error.message)
        except asyncio.CancelledError:
            await self.stop()
            raise
        return await self._told(got)

    async def stop(self) -> bool:
        """Tell it to end. False where it has ended already, or it could not be told."""
        path = f"{self._launched.path}cancel/"
        try:
            async with asyncio.timeout(STOP_S):
                await _aap_api.insist(lambda: self._api.post(path, {}), self._voice.tell)
        except (TimeoutError, errors.HealerError) as error:
            if (
                isinstance(error, _aap_api.Refused) and error.status_code != 405
            ):  # that is how it answers for one that has ended
                self._voice.tell(error)
            return False
        return True

    async def _ended(self, poll_s: float) -> dict[str, Any]:
        """The job, once its status is a last one. Raises `Gone`."""
        gone = 0
        while True:
            wait_s = poll_s
            try:
                got: dict[str, Any] = await self._api.get(self._launched.path)
                gone, self._voice.trouble = 0, ""
                if got.get("status") in STATES:
                    return got
            except _aap_api.ApiError as error:
                gone = gone + 1 if error.status_code == 404 else 0
                if gone >= GONE_MAX:
                    raise Gone(job=self._launched) from error
                self._voice.tell(error)
                wait_s = max(wait_s, error.retry_after_s)
            await _aap_api.pause(wait_s)

    async def _overdue(self, poll_s: float) -> model.Outcome:
        past = f"the {self._launched} was past its deadline of {self._job.deadline_s:g} s"
        self._voice.say(f"{past}: it is cancelled")
        accepted, got = await self.stop(), None
        with contextlib.suppress(TimeoutError, errors.HealerError):
            async with asyncio.timeout(OVERDUE_S if accepted else STOP_S):
                got = await self._ended(poll_s)
        if got is not None and (not accepted or got["status"] == "successful"):
            return await self._told(got)  # it ended by itself just then
        if got is not None:
            told, how = await self._told(got), "and is cancelled"
        elif accepted:
            told, how = model.Outcome("timed_out", ""), "and was told to end, which it has not yet"
        else:
            why = f" ({self._voice.trouble})" if self._voice.trouble else ""
            summary = f"{past} and could not be cancelled{why}; it may still run: {self.web}"
            return model.Outcome("unknown", _shimmed.one_line(summary))
        summary = f"{past} {how}: {self.web}"
        return dataclasses.replace(told, state="timed_out", summary=summary, per_target=self._each("timed_out"))

    # --- its end ------------------------------------------------------------------------------------------------------

    async def _told(self, got: dict[str, Any]) -> model.Outcome:
        """The outcome of a job that has ended, with its output handed on."""
        cut = self._launched.kind == "jobs" and await self._stdout(got)
        outcome = self.judged(got)
        if got.get("artifacts") and outcome.facts is None:
            self._voice.say("its artifacts are no facts: they are too large, or no sound JSON object")
        return dataclasses.replace(outcome, truncated=cut)

    async def _stdout(self, got: dict[str, Any]) -> bool:
        """Hand on the job's output, once it is whole; whether there was more of it than is kept."""
        heard = 0

        async def ask() -> bool:
            place = 0

            def hear(piece: bytes) -> None:
                nonlocal heard, place
                place += len(piece)
                if place > heard:
                    self._voice.output("stdout", piece[heard - place :])
                    heard = place

            params = {"format": "txt_download"}  # `txt` gives one sentence in place of what is longer than 1 MiB
            path = f"{self._launched.path}stdout/"
            longer: bool = await self._api.text(path, params, hear, _aap_api.STDOUT_BYTES_MAX)
            return longer

        try:
            async with asyncio.timeout(STDOUT_S):
                for _ in range(DRAIN_MAX):
                    if got.get("event_processing_finished") is not False:
                        break
                    await _aap_api.pause(OFTEN_S)
                    got = await _aap_api.insist(lambda: self._api.get(self._launched.path), self._voice.tell)
                return bool(await _aap_api.insist(ask, self._voice.tell))
        except (TimeoutError, errors.HealerError) as error:
            why = line(error) if isinstance(error, errors.HealerError) else self._voice.trouble or "it took too long"
            self._voice.say(f"its output cannot be read: {why}")
            return True

    def judged(self, got: dict[str, Any]) -> model.Outcome:
        """What the end of the job means."""
        status = str(got["status"])
        state = STATES[status]
        said = _shimmed.one_line(text(got.get("job_explanation")))
        elapsed = got.get("elapsed")
        seconds = float(elapsed) if isinstance(elapsed, int | float) and 0 <= elapsed < 1e9 else 0.0
        result = {
            "id": self._launched.id, "type": self._launched.kind.removesuffix("s"), "status": status, "url": self.web,
            "explanation": said, "elapsed": seconds,
            **{key: text(got.get(key))[:40] for key in ("created", "started", "finished")},
        }  # fmt: skip
        summary = f"{self._launched} {status}: {self.web}" + (f" ({said})" if said else "")
        facts = _facts(got.get("artifacts"))
        return model.Outcome(
            state, _shimmed.one_line(summary), None, result, self._each(state), seconds=seconds, facts=facts
        )

    def _each(self, state: model.EndState) -> dict[str, str]:
        return {str(target): state for target in self._job.targets}


def _facts(artifacts: Any) -> dict[str, Any] | None:
    if not isinstance(artifacts, dict) or not artifacts:
        return None
    raw = json.dumps(artifacts).encode()
    sound = _shimmed.sound_json(raw) if len(raw) <= FACTS_BYTES_MAX else None
    return sound if isinstance(sound, dict) else None


def text(value: Any) -> str:
    """A text of the API; nothing where it is none."""
    return value if isinstance(value, str) else ""


def line(error: errors.HealerError) -> str:
    """What an error says, and what to do."""
    made: str = _shimmed.one_line("; ".join(filter(None, (error.message, error.try_))))
    return made
