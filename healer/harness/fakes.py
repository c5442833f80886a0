"""What stands in the place of every controller: it reaches nothing, and answers what the test says.

Caller: `rig`. Controllers of the project are not even made. An action that the test says nothing of succeeds at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from healer import model, plugins


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """How an action ends from now on. `target`: '' for any; `after_s`: so long it takes."""

    action: str
    target: str = ""
    status: model.EndState = "succeeded"
    after_s: float = 0.0
    per_target: Mapping[str, str] = dataclasses.field(default_factory=dict)
    summary: str = ""
    result: Any = None
    facts: Mapping[str, Any] | None = None


class Script:
    """The answers of one test; the one that was given last counts, one for a target before one for any."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Answer] = {}

    def say(self, answer: Answer) -> None:
        """From now on."""
        if not answer.target:
            self._answers = {key: one for key, one in self._answers.items() if key[0] != answer.action}
        self._answers[(answer.action, answer.target)] = answer

    def of(self, job: model.Job) -> Answer:
        """What a job comes to."""
        for target in job.targets:
            found = self._answers.get((job.action, str(target))) or self._answers.get((job.action, target.name))
            if found is not None:
                return found
        return self._answers.get((job.action, ""), Answer(job.action))


class Options(plugins.Options):
    """None."""


class Controller(plugins.Controller):
    """In the place of one that the project names."""

    Options = Options

    def __init__(self, name: str, script: Script) -> None:
        context = plugins.ControllerContext(name, lambda _: model.Secret("", ""), lambda *_: None)
        super().__init__(Options(), context)
        self._script = script

    async def check(self) -> model.Health:
        """Always well."""
        return model.Health(True, "faked by healer test")

    async def plan(self, job: model.Job) -> model.Plan:
        """Nothing would be done."""
        return model.Plan(tuple(map(str, job.targets)), ())

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """What the test says, after the time that it says; at the deadline it has timed out."""
        del output
        answer = self._script.of(job)
        if answer.after_s >= job.deadline_s:
            await asyncio.sleep(job.deadline_s)
            return model.Outcome("timed_out", f"faked: it would take {answer.after_s:g} s", seconds=job.deadline_s)
        if answer.after_s:
            await asyncio.sleep(answer.after_s)
        return _outcome(job, answer)

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Nothing outlives a test, so that nothing is followed."""
        return await self.run(job, output)

    async def find(self, job: model.Job) -> model.Found:
        """Of one whose end was asked for: it has ended."""
        del job
        return model.Found("ended", model.Outcome("cancelled", "faked: ended"))


def _outcome(job: model.Job, answer: Answer) -> model.Outcome:
    targets = [str(one) for one in job.targets]
    each: dict[str, str] = dict.fromkeys(targets, answer.status) if answer.status in ("succeeded", "failed") else {}
    for name, state in answer.per_target.items():
        each |= {target: state for target in targets if name in (target, target.partition(":")[2])}
    status = answer.status
    if status == "succeeded" and any(state != "succeeded" for state in each.values()):
        status = "failed"
    code = 0 if status == "succeeded" else 1
    summary = answer.summary or f"faked: {status}"
    return model.Outcome(
        status, summary, code, result=answer.result, per_target=each, seconds=answer.after_s, facts=answer.facts
    )  # fmt: skip
