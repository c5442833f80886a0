"""Plans: what runs would do that are only simulated, or wait for a person. Their controllers are asked, and nothing takes effect.

A worker on the daemon's loop, behind the decisions: which plans are wanted are rows, so that a start after a crash makes them too. Few at
a time, so many a minute, each within its time; that one cannot be made is a result. Also called by the daemon's `simulate`.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import itertools
import pathlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import orjson
from loguru import logger

from healer import errors, model, plugins, quoting, secrets, store
from healer.child import jobs
from healer.dispatch import attempts
from healer.store import planning as rows
from healer.store import transaction

AT_ONCE: Final = 2
LIMIT_S: Final = 120.0
"""A plan takes no longer, whatever time its action has."""
GRACE_S = 30.0
"""So long a controller may take to stop when it is told to."""
MINUTE_S: Final = 60.0
BYTES_MAX: Final = 1 << 20
TARGETS_MAX: Final = 1_000
STEPS_MAX: Final = 100
STEP_MAX: Final = 8_000
REFUSALS: Final = ("refused-job", errors.SecretUnavailable.code)
"""By which a controller refuses its job, so that the run would end as its plan."""
FOLDERS: Final = "plan-*"
"""In the folder of jobs: what plans left that were being made when the daemon died."""


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """What came of asking. `content`: what the plan says, masked and bounded; `detail`: why there is none."""

    state: Literal["made", "failed"]
    detail: str
    seconds: float
    content: dict[str, Any] | None = None


class Planner:
    """One a daemon. `per_minute()`: so many plans may be begun in a minute; `secret_values()`: what is masked in them."""

    def __init__(
        self, opened: store.Store, maker: attempts.Maker, work_dir: pathlib.Path, secret_values: Callable[[], list[str]],
        per_minute: Callable[[], int], monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._store = opened
        self._maker = maker
        self._work_dir = work_dir
        self._secret_values = secret_values
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._begun: collections.deque[float] = collections.deque()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._numbers = itertools.count(1)
        self._stopped = asyncio.Event()

    def decided(self, states: Mapping[str, str]) -> None:
        """Runs are in these states now: one of them may want a plan."""
        if any(state in rows.STATES for state in states.values()):
            self._wake.set()

    async def run(self) -> None:
        """Until `stop`: what is wanted, as places come free."""
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._stopped.is_set():
                return
            limit, left = self._per_minute(), self._left()
            why = f"too many at once: {limit} are made a minute" if limit else "none is made (plans_per_minute: 0)"
            take = rows.Take(min(left, AT_ONCE - len(self._tasks)), left, [*self._tasks], why)
            taken = await self._store.insist(take)
            for wanted in () if self._stopped.is_set() else taken:
                self._begun.append(self._monotonic())
                task = asyncio.create_task(self._make(wanted), name=f"plan {wanted.run['id']}")
                self._tasks[wanted.run["id"]] = task
                task.add_done_callback(functools.partial(self._done, wanted.run["id"]))

    async def stop(self) -> None:
        """End what is under way; the next start makes it anew."""
        self._stopped.set()
        self._wake.set()
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def made(self, run: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> Made:
        """Ask the controller of a run, which need not be in the store. `targets`: as `targets_of_run` gives them."""
        async with self._places:
            began = self._monotonic()
            try:
                attempt = await self._attempt(run, targets)
                plan = await self._asked(attempt)
                return Made("made", "", self._monotonic() - began, self._content(plan))
            except errors.HealerError as error:
                if error.code not in REFUSALS:
                    return Made("failed", self._masked(_told(error))[:STEP_MAX], self._monotonic() - began)
                why = "; ".join(filter(None, (error.message, error.try_)))
                content = self._content(model.Plan((), (), fails=why))
                return Made("made", "", self._monotonic() - began, content)
            except Exception as error:  # a controller is a stranger's code: whatever it raises is what came of it
                return Made("failed", self._masked(_told(error))[:STEP_MAX], self._monotonic() - began)

    async def clear(self) -> int:
        """At a start: end what plans left that a crash cut off, and remove their folders. How many there were."""
        found = await asyncio.to_thread(_folders, self._work_dir, FOLDERS)
        await asyncio.gather(*map(_clear, found))
        return len(found)

    # --- one plan -----------------------------------------------------------------------------------------------------------

    def _left(self) -> int:
        """How many more may be begun now."""
        while self._begun and self._begun[0] <= self._monotonic() - MINUTE_S:
            self._begun.popleft()
        return max(0, self._per_minute() - len(self._begun))

    async def _make(self, wanted: rows.Wanted) -> None:
        made = await self.made(wanted.run, wanted.targets)
        state, detail, content = made.state, made.detail, None
        if made.content is not None:
            try:
                content = await self._store.keep(orjson.dumps(made.content))
            except errors.StoreFull:
                state, detail = "failed", "the disk was full"
        await self._store.insist(rows.End(wanted, state, detail, round(made.seconds, 3), content))
        fails = (made.content or {}).get("fails")
        logger.bind(run=wanted.run["id"], action=wanted.run["action"]).info(
            "plan of {}: {}", wanted.run["id"], detail or (f"it would fail: {fails}" if fails else state)
        )

    def _done(self, run: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(run, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.bind(run=run).error("the plan of {} could not be written: {}", run, error)
        self._wake.set()

    async def _attempt(self, run: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> attempts.Attempt:
        """What its attempt would be: of a dry run too that of the run itself."""
        values = {
            one["target"]: transaction.loads(one["value"]) for one in targets if one["state"] != "left_out"
        }  # fmt: skip
        limit_s = min(float(transaction.loads(run["limits"]).get("timeout_s") or LIMIT_S), LIMIT_S)
        token = f"plan-{run['id']}-{next(self._numbers)}"
        return await self._maker.make({**run, "dry_run": 0}, 0, token, sorted(values), values, limit_s)

    async def _asked(self, attempt: attempts.Attempt) -> model.Plan:
        limit_s = attempt.job.deadline_s
        asking = asyncio.create_task(_plan(attempt), name=f"asking {attempt.token}")
        asking.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )  # also one that nobody waits for any more
        try:
            await asyncio.wait([asking], timeout=limit_s)
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait([asking], timeout=GRACE_S)
        if not asking.done() or asking.cancelled():
            raise TimeoutError(f"it took longer than {limit_s:g} s")
        return asking.result()

    def _content(self, plan: model.Plan) -> dict[str, Any]:
        """What is kept of a plan: so much of each part, without secrets."""
        diff, cut = _cut(self._masked(plan.diff), BYTES_MAX)
        made = {
            "targets": [self._masked(str(one))[:STEP_MAX] for one in plan.targets[:TARGETS_MAX]],
            "steps": [self._masked(str(one))[:STEP_MAX] for one in plan.steps[:STEPS_MAX]],
            "diff": diff, "exact": plan.exact, "fails": self._masked(" ".join(str(plan.fails).split()))[:STEP_MAX],
        }  # fmt: skip
        cut = cut or len(plan.targets) > TARGETS_MAX or len(plan.steps) > STEPS_MAX
        return made | {"cut": cut or any(len(str(one)) > STEP_MAX for one in (*plan.targets, *plan.steps))}

    def _masked(self, text: str) -> str:
        masker = secrets.Masker(self._secret_values())
        return quoting.printed(masker.whole(text.encode("utf-8", "replace")).decode("utf-8", "replace"))


def _cut(text: str, bytes_max: int) -> tuple[str, bool]:
    raw = text.encode()
    return (text, False) if len(raw) <= bytes_max else (raw[:bytes_max].decode("utf-8", "ignore"), True)


def _told(error: Exception) -> str:
    said = (str(error) if isinstance(error, TimeoutError) else "") or plugins.raised(error)
    return " ".join(said.split())


def _folders(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """Those in a folder; none behind a link."""
    return [one for one in sorted(folder.glob(pattern)) if one.is_dir() and not one.is_symlink()]


async def _clear(folder: pathlib.Path) -> None:
    """End the children whose jobs lie in a folder of plans, then remove it."""
    for job in await asyncio.to_thread(_folders, folder, "*"):
        try:
            if not await asyncio.to_thread(jobs.place_tombstone, job):
                await jobs.Follower(job, lambda _stream, _piece: None).stop(jobs.KILL_AFTER_S)
        except OSError as error:
            logger.warning("what a plan left in {} cannot be ended; its deadline does: {}", job, error)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _plan(attempt: attempts.Attempt) -> model.Plan:
    return await plugins.within(attempt.controller.plan, attempt.job)
