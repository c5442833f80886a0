"""The contract of a controller as a test: of those that ship, and of a plugin of your own.

    from healer.testing import contracts

    async def test_contract(tmp_path):
        case = contracts.Case(options="{type: mine, url: https://…}", job=…, endless=…, effects=…, began=…)
        assert await contracts.controller(Mine, case) == []

What is checked: it is made of its documented options; a plan has no effect; a token is good for one effect, and is found afterwards; one
that never began is absent; a cancelled run ends in time; the event loop is never held; no secret is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import yaml

from healer import errors, model, plugins

LAG_S: Final = 0.005
"""The loop is looked at so often."""


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


async def controller(plugin: type[plugins.Controller], case: Case) -> list[str]:
    """What of the contract it breaks, a line each; none: it keeps it."""
    found: list[str] = []
    told: list[str] = []
    options = {key: value for key, value in yaml.safe_load(case.options).items() if key != "type"}
    context = plugins.ControllerContext(
        "tried", lambda one: model.Secret(one.secret, case.secrets[one.secret]), lambda _, line: told.append(line), case.project_dir,
    )  # fmt: skip
    try:
        made = plugin(plugin.Options.model_validate(options), context)
    except ValueError as error:
        return [f"its documented options are refused: {error}"]
    async with _watched(case, found):
        await _planned(made, case, found, told)
        await _run(made, case, found, told)
        await _ended(made, case, found)
    for name, secret in _secrets(case).items():
        found += [f"{name} is told: {line[:80]!r}" for line in told if secret in line]
    return found


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


async def _planned(made: plugins.Controller, case: Case, found: list[str], told: list[str]) -> None:
    before = case.effects()
    health = await made.check()
    if not health.ok:
        found.append(f"it is not usable: {health.detail}")
    for job in (case.job, case.endless):
        plan = await made.plan(job)
        told += [*plan.targets, *plan.steps, plan.diff]
        if not plan.steps:
            found.append(f"the plan of {job.action} says nothing")
    told.append(health.detail)
    if case.effects() != before:
        found.append("check or plan takes effect")


async def _run(made: plugins.Controller, case: Case, found: list[str], told: list[str]) -> None:
    absent = await made.find(
        dataclasses.replace(case.job, token=f"{case.job.token}9", work_dir=f"{case.job.work_dir}9")
    )
    if absent.state != "absent":
        found.append(f"what never began is {absent.state}, not absent")
    before = case.effects()
    outcome = await made.run(case.job, lambda *_: None)
    told += [outcome.summary, repr(outcome.result)]
    after = case.effects()
    if outcome.state != "succeeded" or after == before:
        found.append(f"the job has {outcome.state} ({outcome.summary}), its effects went from {before!r} to {after!r}")
    again = await made.find(case.job)
    if again.state != "ended" or again.outcome is None or again.outcome.state != outcome.state:
        found.append(f"what has {outcome.state} is found as {again.state} ({again.detail})")
    with contextlib.suppress(errors.HealerError, model.NotBegunError):
        await made.run(case.job, lambda *_: None)
    if case.effects() != after:
        found.append("a second run under the same token takes effect")


async def _ended(made: plugins.Controller, case: Case, found: list[str]) -> None:
    running = asyncio.create_task(made.run(case.endless, lambda *_: None))
    waiting = asyncio.create_task(_began(case))
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if running.done():
        found.append(f"the endless job has ended by itself: {await asyncio.gather(running, return_exceptions=True)}")
        return
    asked = time.monotonic()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if (took_s := time.monotonic() - asked) > case.stops_within_s:
        found.append(f"cancelled, it goes on for {took_s:.1f} s")
    await case.gone()


async def _began(case: Case) -> None:
    await case.began()


def _secrets(case: Case) -> dict[str, str]:
    """Name → value of all that must not be told."""
    found = dict(case.secrets)
    for job in (case.job, case.endless):
        found |= {name: one.reveal() for name, one in job.parameters.items() if isinstance(one, model.Secret)}
    return {name: value for name, value in found.items() if value}
