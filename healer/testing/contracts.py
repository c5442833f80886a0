"""The contract of a controller as a test: of those that ship, and of a plugin of your own.

    from healer.testing import contracts

    def test_contract(tmp_path):
        case = contracts.Case(options="{type: mine, url: https://…}", job=…, endless=…, effects=…, began=…, gone=…)
        assert asyncio.run(contracts.controller(Mine, case)) == []

What is checked: it is made of its documented options; each question is answered in time, by what it is asked for; a plan has no effect; a
token is good for one effect, and is found and followed afterwards; one that never began is absent; a cancelled run ends in time, and takes
no effect once it has ended; the event loop is never held; no secret is told, in output neither, nor by the ways in `overhearing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

import yaml

from healer import errors, model, plugins
from healer.testing import overhearing

T = TypeVar("T")

LAG_S: Final = 0.005
"""The loop is looked at so often."""
LATE_S: Final = 1.0
LATE_LOOKS: Final = 50
REFUSALS: Final = (errors.HealerError, model.NotBegunError)
"""How a second run under a token may be refused."""


async def for_a_while(is_so: Callable[[], bool]) -> None:
    """Waits until something is so, for a second at most."""
    for _ in range(LATE_LOOKS):
        if is_so():
            return
        await asyncio.sleep(LATE_S / LATE_LOOKS)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What a controller is tried with.

    `options`: YAML of an entry of `controllers.yaml` as its documentation shows it. `job`: what is soon done and has an effect, `endless`:
    what goes on until it is ended; both with tokens of their own. `effects`: what the far side has seen so far, by any measure. `began`:
    waits until the endless one takes effect; `gone`: waits until nothing of it is left. `secrets`: reference → its value.
    """

    options: str
    job: model.Job
    endless: model.Job
    effects: Callable[[], object]
    began: Callable[[], Awaitable[None]]
    gone: Callable[[], Awaitable[None]]
    project_dir: pathlib.Path = pathlib.Path()
    secrets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stops_within_s: float = 1.0
    """From the wish to end it until its run has ended."""
    holds_loop_s: float = 0.05
    """The event loop may be held for so long."""
    answers_within_s: float = 120.0
    """Each question (check, plan, find, a run that is soon done) may take so long."""
    late: Callable[[Callable[[], bool]], Awaitable[None]] = for_a_while
    """How an effect is waited for that comes once a cancelled run has ended: until that is so, or for a while."""


async def controller(plugin: type[plugins.Controller], case: Case) -> list[str]:
    """What of the contract it breaks, a line each; none: it keeps it."""
    trial = _Trial(case)
    options = {key: value for key, value in yaml.safe_load(case.options).items() if key != "type"}

    def resolve(one: plugins.SecretRef) -> model.Secret:
        return model.Secret(one.secret, case.secrets[one.secret])

    context = plugins.ControllerContext("tried", resolve, lambda _, line: trial.tell("the log", line), case.project_dir)
    try:
        made = plugin(plugin.Options.model_validate(options), context)
    except ValueError as error:
        return [f"its documented options are refused: {error}"]
    except Exception as error:  # noqa: BLE001 - a stranger's code: whatever it raises is what is told
        return [f"it cannot be made: {_raised(error)}"]
    async with _watched(case, trial.found):
        with overhearing.overheard(trial.tell):
            await _tried(made, case, trial)
    return [*trial.found, *trial.secrets_told()]


async def _tried(made: plugins.Controller, case: Case, trial: _Trial) -> None:
    await _planned(made, case, trial)
    await _run(made, case, trial)
    await _ended(made, case, trial)


class _Trial:
    """What was found so far, and what was told where."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.found: list[str] = []
        self._told: dict[str, list[str]] = {}

    def tell(self, where: str, value: Any) -> None:
        """Something was told there."""
        self._told.setdefault(where, []).extend(_texts(value))

    def hear(self, action: str) -> plugins.Output:
        """Where a job's output goes. A secret may come in pieces."""
        streams: dict[str, list[str]] = {}
        for stream in ("stdout", "stderr"):
            streams[stream] = self._told.setdefault(f"{stream} of {action}", [""])

        def hear(stream: str, piece: bytes) -> None:
            streams[stream][0] += piece.decode("utf-8", "surrogateescape")

        return hear

    def secrets_told(self) -> Iterator[str]:
        """A line for each secret, and each place where it is told."""
        for name, secret in _secrets(self.case).items():
            for where, lines in self._told.items():
                if any(secret in line for line in lines):
                    yield f"{name} is told in {where}"

    async def ask(
        self, what: str, question: Callable[[], Awaitable[T]], shape: type[T], *refusals: type[Exception]
    ) -> T | None:
        """The answer, and it is told; None: there is none, and why is found. With one of `refusals` that is as it should be."""
        task = asyncio.ensure_future(_answer(question))
        await asyncio.wait([task], timeout=self.case.answers_within_s)
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=self.case.stops_within_s)
            self.found.append(f"{what} does not end within {self.case.answers_within_s:g} s")
            return None
        if task.cancelled():
            self.found.append(f"{what} ends as if somebody had cancelled it")
            return None
        if (error := task.exception()) is not None:
            self.tell(f"what {what} raises", str(error))
            if not isinstance(error, refusals):
                self.found.append(f"{what} raises {_raised(error)}")
            return None
        answer = task.result()
        if not isinstance(answer, shape):
            self.found.append(f"{what} gives {type(answer).__name__}, no {shape.__name__}")
            return None
        self.tell(what, answer)
        return answer


@contextlib.asynccontextmanager
async def _watched(case: Case, found: list[str]) -> Any:
    """How long the loop is held at most."""
    worst = 0.0

    async def look() -> None:
        nonlocal worst
        while True:
            began = time.monotonic()
            await asyncio.sleep(LAG_S)
            worst = max(worst, time.monotonic() - began - LAG_S)

    watch = asyncio.create_task(look())
    await asyncio.sleep(LAG_S)
    try:
        yield
        await asyncio.sleep(2 * LAG_S)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        if worst > case.holds_loop_s:
            found.append(f"it holds the event loop for {worst * 1000:.0f} ms")


async def _planned(made: plugins.Controller, case: Case, trial: _Trial) -> None:
    before = case.effects()
    health = await trial.ask("check", made.check, model.Health)
    if health is not None and not health.ok:
        trial.found.append(f"it is not usable: {health.detail}")
    for job in (case.job, case.endless):
        plan = await trial.ask(f"the plan of {job.action}", lambda job=job: made.plan(job), model.Plan)  # type: ignore[misc]
        if plan is not None and not plan.steps:
            trial.found.append(f"the plan of {job.action} says nothing")
    if case.effects() != before:
        trial.found.append("check or plan takes effect")


async def _run(made: plugins.Controller, case: Case, trial: _Trial) -> None:
    job = case.job
    never = dataclasses.replace(job, token=f"{job.token}9", work_dir=f"{job.work_dir}9")
    absent = await trial.ask("find of what never began", lambda: made.find(never), model.Found)
    if absent is not None and absent.state != "absent":
        trial.found.append(f"what never began is {absent.state}, not absent")
    before = case.effects()
    outcome = await trial.ask(f"the run of {job.action}", lambda: made.run(job, trial.hear(job.action)), model.Outcome)
    if outcome is None:
        return
    after = case.effects()
    if outcome.state != "succeeded" or after == before:
        said = f"({outcome.summary}), its effects went from {before!r} to {after!r}"
        trial.found.append(f"the job has {outcome.state} {said}")
    again = await trial.ask(f"find of {job.action}", lambda: made.find(job), model.Found)
    if again is not None and (again.state != "ended" or again.outcome is None or again.outcome.state != outcome.state):
        trial.found.append(f"what has {outcome.state} is found as {again.state} ({again.detail})")
    second = "a second run under the same token"
    await trial.ask(second, lambda: made.run(job, trial.hear(f"{job.action} again")), model.Outcome, *REFUSALS)
    if case.effects() != after:
        trial.found.append(f"{second} takes effect")
    if again is not None and again.state == "ended":
        await _followed(made, case, trial, outcome)


async def _followed(made: plugins.Controller, case: Case, trial: _Trial, outcome: model.Outcome) -> None:
    """What the next start does with a job that ended while nobody was there: it is followed, and its end is taken."""
    job, before = case.job, case.effects()
    what = f"the follow of {job.action}"
    end = await trial.ask(what, lambda: made.follow(job, trial.hear(f"{job.action} again")), model.Outcome)
    if end is not None and end.state != outcome.state:
        trial.found.append(f"what has {outcome.state} is followed to {end.state} ({end.summary})")
    if case.effects() != before:
        trial.found.append(f"{what} takes effect")


async def _ended(made: plugins.Controller, case: Case, trial: _Trial) -> None:
    job = case.endless
    running = asyncio.ensure_future(_answer(lambda: made.run(job, trial.hear(job.action))))
    if not await _has_begun(running, case, trial):
        return
    asked = time.monotonic()
    running.cancel()
    await asyncio.wait([running], timeout=max(case.stops_within_s, case.answers_within_s))
    took_s = time.monotonic() - asked
    if took_s > case.stops_within_s:
        trial.found.append(f"cancelled, it goes on for {'more than ' * (not running.done())}{took_s:.1f} s")
    if not running.done():
        return
    effects = case.effects()
    _tell_end(running, trial, f"the end of {job.action}")
    found = await trial.ask(f"find of {job.action}", lambda: made.find(job), model.Found)
    if found is not None and found.state == "absent":
        trial.found.append("what has begun and was cancelled is absent, as if it had never begun")
    try:
        async with asyncio.timeout(case.answers_within_s):
            await case.gone()
    except Exception as error:  # noqa: BLE001 - however the case says so
        trial.found.append(f"cancelled, something of it is left: {_raised(error)}")
    await case.late(lambda: case.effects() != effects)
    if case.effects() != effects:
        trial.found.append(
            f"a cancelled run takes effect once it has ended: they went from {effects!r} to {case.effects()!r}"
        )


async def _has_begun(running: asyncio.Future[model.Outcome], case: Case, trial: _Trial) -> bool:
    """Whether the endless one takes effect and goes on. If it does not, it is ended."""
    waiting = asyncio.ensure_future(_answer(case.began))
    both: set[asyncio.Future[Any]] = {running, waiting}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=case.answers_within_s)
    why = f"none within {case.answers_within_s:g} s"
    if waiting.done() and not waiting.cancelled():
        error = waiting.exception()
        if error is None and not running.done():
            return True
        why = _raised(error) if error is not None else why
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if running.done():
        said = _tell_end(running, trial, f"the end of {case.endless.action}")
        trial.found.append(f"the endless job has ended by itself: {said}")
        return False
    trial.found.append(f"the endless job takes no effect: {why}")
    running.cancel()
    await asyncio.wait([running], timeout=case.stops_within_s)
    return False


async def _answer(question: Callable[[], Awaitable[T]]) -> T:
    """What a stranger's code gives; its `sys.exit()` ends nothing but itself, also where it comes before the first `await`."""
    return await plugins.within(question)


def _tell_end(running: asyncio.Future[model.Outcome], trial: _Trial, where: str) -> str:
    """How a run that is over has ended, in words."""
    if running.cancelled():
        return "cancelled"
    if (error := running.exception()) is not None:
        trial.tell(where, str(error))
        return _raised(error)
    trial.tell(where, running.result())
    if not isinstance(running.result(), model.Outcome):
        trial.found.append(f"{where} is {type(running.result()).__name__}, no Outcome")
    return repr(running.result())


def _raised(error: BaseException) -> str:
    if isinstance(error, plugins.Quit) and error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _texts(value: Any) -> Iterator[str]:
    """All texts in it, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "surrogateescape")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _texts(getattr(value, field.name))
    else:
        yield str(value)


def _secrets(case: Case) -> dict[str, str]:
    """Name → value of all that must not be told."""
    found = dict(case.secrets)
    for job in (case.job, case.endless):
        found |= {name: one.reveal() for name, one in job.parameters.items() if isinstance(one, model.Secret)}
    return {name: value for name, value in found.items() if value}
