"""Dispatch: claims queued attempts (T3), lets their controllers act, writes how they ended (T4), and finds what a crash left.

A worker on the daemon's loop. Nothing here decides whether a run may start: the gates are asked inside the claim's transaction.
An attempt's task holds only what is on disk anyway; if the daemon dies, the child goes on under its shim and is found again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from loguru import logger

from healer import errors, model, plugins, secrets, store, telemetry
from healer.dispatch import output
from healer.store import asking, claiming, finishing, journal, transaction

__all__ = ["Dispatcher", "output"]

CLAIM_MAX: Final = 20
AT_ONCE_MAX: Final = 200
BEGINNINGS_MAX: Final = 5
"""So many times an attempt is begun that finds no space though the store's disk has some."""
RESULT_TEXT_MAX: Final = 4_000
_NEVER: Final = 1 << 62

Ended = Callable[[str], Awaitable[None]]


@dataclasses.dataclass(slots=True)
class _Attempt:
    token: str
    run: str
    number: int
    job: model.Job
    controller: plugins.Controller
    live: output.Live


class Dispatcher:
    """One dispatcher a daemon. `controllers()` gives the controllers that hold now, `revision_dir(n)` the files of a revision."""

    def __init__(
        self, opened: store.Store, standing_of: asking.StandingOf, *, controllers: Callable[[], Mapping[str, plugins.Controller]],
        revision_dir: Callable[[int], Awaitable[pathlib.Path]], work_dir: pathlib.Path, clock: Callable[[], int],
        secret_values: Callable[[], list[str]], on_changed: Callable[[dict[str, str], int | None], None],
        environment_of: Callable[[str], Mapping[str, str]] = lambda _: {},
        resolve: Callable[[str], model.Secret] = lambda reference: model.Secret(reference, ""),
    ) -> None:  # fmt: skip
        self._store = opened
        self.standing_of = standing_of
        self._controllers = controllers
        self._revision_dir = revision_dir
        self._work_dir = work_dir
        self._clock = clock
        self._secret_values = secret_values
        self._on_changed = on_changed
        self._environment_of = environment_of
        self._resolve = resolve
        self._wake = asyncio.Event()
        self._next_us = _NEVER
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._stopping = False
        self._claiming = asyncio.Lock()

    def wake(self) -> None:
        """There may be something to claim."""
        self._wake.set()

    @property
    def tokens(self) -> set[str]:
        """The attempts that are followed here."""
        return set(self._tasks)

    @property
    def running(self) -> int:
        """How many attempts are under way."""
        return len(self._tasks)

    def live_output(self, token: str, stream: output.Stream) -> bytes | None:
        """What a running attempt has put out so far; None when it does not run here."""
        attempt = self._attempts.get(token)
        return attempt.live.so_far(stream) if attempt else None

    async def run(self) -> None:
        """Until `stop`: claim when woken or when the next attempt is due."""
        while True:
            self._wake.clear()
            async with self._claiming:  # `stop` must see what a claim on its way brings
                if self._stopping:
                    return
                free = AT_ONCE_MAX - len(self._tasks)
                claims: claiming.Claims = await self._store.insist(
                    claiming.Claim(min(free, CLAIM_MAX), self.standing_of)
                )
                for claimed in claims.claimed:
                    await self._start(claimed)
            if claims.changed or claims.next_look_us is not None:
                self._on_changed(claims.changed, claims.next_look_us)
            self._next_us = claims.next_us or _NEVER
            if not claims.claimed:
                await self._idle()

    async def _idle(self) -> None:
        wait_s = (self._next_us - self._clock()) / 1_000_000 if self._next_us != _NEVER else None
        try:
            async with asyncio.timeout(max(wait_s, 0.001) if wait_s is not None else None):
                await self._wake.wait()
        except TimeoutError:
            return

    async def stop(self, drain_s: float) -> int:
        """Start nothing more, wait until what runs has ended or the time is over, then end it. How many had to be ended."""
        self._stopping = True
        self._wake.set()
        async with self._claiming:
            tasks = list(self._tasks.values())
        if not tasks:
            return 0
        _, pending = await asyncio.wait(tasks, timeout=drain_s)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return len(pending)

    # --- attempts -----------------------------------------------------------------------------------------------------

    async def _start(self, claimed: claiming.Claimed) -> None:
        attempt = await self._attempt(
            claimed.run, claimed.number, claimed.token, claimed.targets, claimed.values, claimed.deadline_s
        )
        if attempt is not None:
            logger.bind(
                run=attempt.run,
                action=attempt.job.action,
                controller=claimed.run["controller"],
                targets=claimed.targets,
            ).info(
                "run starts: {} on {} by {}",
                attempt.job.action,
                ", ".join(claimed.targets) or "no target",
                claimed.run["controller"],
            )
            self._follow(attempt, attempt.controller.run)

    async def _attempt(
        self,
        row: asking.RunRow,
        number: int,
        token: str,
        targets: list[str],
        values: Mapping[str, Any],
        deadline_s: float,
        *,
        begun: bool = False,
    ) -> _Attempt | None:
        """The attempt with its job; one whose controller cannot be had ends at once: as failed, or, where it may have `begun`, unknown."""
        controller = self._controllers().get(row["controller"])
        if controller is None:
            why = f"no controller is named {row['controller']!r} any more"
            await self._never(row, number, token, why, begun=begun)
            return None
        try:
            environment = self._environment_of(row["rule"])
            given = self._given(transaction.loads(row["parameters"]), transaction.loads(row["extra"]))
        except errors.SecretUnavailable as error:
            await self._never(row, number, token, error.message, begun=begun)
            return None
        job = model.Job(
            token=token, run_id=row["id"], action=row["action"], kind=row["kind"], subject=_subject(transaction.loads(row["subject"])),
            parameters=given["parameters"], targets=tuple(_target(name, values[name]) for name in targets),
            deadline_s=deadline_s,
            revision_dir=str(await self._revision_dir(row["revision"])), work_dir=str(self._work_dir / token),
            dry_run=bool(row["dry_run"]), idempotent=bool(row["idempotent"]), extra={**given["extra"], "instance": self._store.uid[:12]},
            environment=environment,
        )  # fmt: skip
        maskers: dict[output.Stream, secrets.Masker] = {
            stream: secrets.Masker(self._secret_values()) for stream in output.STREAMS
        }
        live = output.Live(
            {name: m.feed for name, m in maskers.items()}, {name: m.flush for name, m in maskers.items()}
        )
        return _Attempt(token, row["id"], number, job, controller, live)

    def _given(self, parameters: Any, extra: Any) -> dict[str, Any]:
        """Parameters and the rest with the secrets that were taken out of them. Raises `errors.SecretUnavailable`."""
        given: dict[str, Any] = {"parameters": parameters, "extra": extra}
        for path, reference in extra.pop("secrets", ()):
            at: Any = given
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = self._resolve(reference)
        return given

    async def _never(self, row: asking.RunRow, number: int, token: str, why: str, *, begun: bool) -> None:
        """It cannot be begun; where it may have begun before, nobody can say."""
        await self._end_at_once(row["id"], number, token, model.Outcome("unknown" if begun else "failed", why))

    def _follow(self, attempt: _Attempt, how: Callable[[model.Job, plugins.Output], Awaitable[model.Outcome]]) -> None:
        self._attempts[attempt.token] = attempt
        task = asyncio.create_task(self._effect(attempt, how), name=f"attempt {attempt.token}")
        self._tasks[attempt.token] = task
        task.add_done_callback(functools.partial(self._done, attempt))

    def _done(self, attempt: _Attempt, task: asyncio.Task[None]) -> None:
        self._tasks.pop(attempt.token, None)
        self._attempts.pop(attempt.token, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.bind(run=attempt.run).error("the outcome of {} could not be written: {}", attempt.token, error)
        self._wake.set()

    async def _effect(
        self, attempt: _Attempt, how: Callable[[model.Job, plugins.Output], Awaitable[model.Outcome]]
    ) -> None:
        outcome: model.Outcome | None = None
        while outcome is None:
            try:
                outcome = await how(attempt.job, attempt.live.write)
            except asyncio.CancelledError:
                found = await self._found(attempt)
                await self._finish(attempt, _after_stop(found))
                raise
            except (
                Exception
            ) as error:  # a controller is a plugin: what it raises is a failed attempt, told with its words
                if not self._passes(error):
                    outcome = _raised(error)
                    continue
                found = await self._found_with_space(attempt, error)
                if found.state == "absent":
                    await self._take_back(attempt, f"the disk was full: {error}")
                    return
                how = attempt.controller.follow
                if found.state != "running":
                    outcome = found.outcome or model.Outcome(
                        "unknown", found.detail or "it cannot be said how it ended"
                    )
        await self._finish(attempt, outcome)

    async def _found_with_space(self, attempt: _Attempt, error: Exception) -> model.Found:
        """What its controller knows of an attempt that ran out of space, once there is some: most often that nothing was begun.

        Where there is space and it still says that there is none (another disk, a quota), the attempt has failed in the end.
        """
        elsewhere = self._store.has_room() and attempt.number >= BEGINNINGS_MAX
        self._store.short = True
        logger.bind(run=attempt.run).warning("the disk is full, and {} waits for space: {}", attempt.token, error)
        while True:
            await asyncio.sleep(store.FULL_S)
            if self._store.has_room() or not self._store.patient:
                break
        found = await self._found(attempt)
        return model.Found("ended", _raised(error)) if found.state == "absent" and elsewhere else found

    async def _take_back(self, attempt: _Attempt, why: str) -> None:
        await self._store.insist(finishing.TakeBack(attempt.token, attempt.run, attempt.number, why))
        await asyncio.to_thread(shutil.rmtree, attempt.job.work_dir, ignore_errors=True)

    async def _finish(self, attempt: _Attempt, outcome: model.Outcome) -> None:
        stdout, stderr = attempt.live.finish()
        masker = secrets.Masker(self._secret_values())
        outcome = dataclasses.replace(
            outcome, truncated=outcome.truncated or attempt.live.truncated, summary=_masked(masker, outcome.summary),
            result=_masked_result(masker, outcome.result), facts=_masked_facts(masker, outcome.facts),
        )  # fmt: skip
        kept = finishing.Kept(await self._keep(stdout), await self._keep(stderr))
        ours = await self._store.insist(finishing.Finish(attempt.token, attempt.run, attempt.number, outcome, kept))
        log = logger.bind(run=attempt.run, action=attempt.job.action, state=outcome.state, exit_code=outcome.exit_code)
        level = "INFO" if outcome.state == "succeeded" else "ERROR"
        log.log(level, "run {}: {} ({:.1f} s)", outcome.state, outcome.summary, outcome.seconds)
        if ours and outcome.state != "unknown":
            await asyncio.to_thread(shutil.rmtree, attempt.job.work_dir, ignore_errors=True)

    async def _keep(self, text: bytes) -> journal.Blob:
        """An output as content. On a full disk it waits: what took place has to be written down, however late."""
        while True:
            try:
                return await self._store.keep(text)
            except errors.StoreFull:
                if not self._store.patient:
                    raise
                await asyncio.sleep(store.FULL_S)

    async def _end_at_once(self, run: str, number: int, token: str, outcome: model.Outcome) -> None:
        kept = finishing.Kept(self._store.blobs.keep(b""), self._store.blobs.keep(b""))
        await self._store.insist(finishing.Finish(token, run, number, outcome, kept))
        self._wake.set()

    # --- after a start ------------------------------------------------------------------------------------------------

    async def recover(self) -> dict[str, int]:
        """Ask the controllers what became of the attempts that a crash left running. Counts by what was found."""
        found: dict[str, int] = {}
        for row in await self._store.reader.all("attempts_running"):
            state = await self._recover_one(row)
            found[state] = found.get(state, 0) + 1
            telemetry.count(f"recovered_{state}")
        return found

    async def _recover_one(self, row: dict[str, Any]) -> str:
        token, run, number = row["token"], row["run"], row["number"]
        (run_row,) = await self._store.reader.select("SELECT * FROM run WHERE id = ?", [run])
        values = {
            one["target"]: transaction.loads(one["value"])
            for one in await self._store.reader.all("run_target_values", run)
        }
        await self._store.insist(finishing.TakeUp(token, run, number))
        left_s = max((row["deadline_us"] - row["started_us"]) / 1_000_000, 1.0)
        attempt = await self._attempt(
            run_row, number, token, transaction.loads(row["targets"]), values, left_s, begun=True
        )
        if attempt is None:
            return "unknown"
        found = await self._found(attempt)
        logger.bind(run=run).info("found {}: {} {}", token, found.state, found.detail)
        if found.state == "absent":
            await self._take_back(attempt, found.detail)
        elif found.state in ("running", "ended"):
            self._follow(attempt, attempt.controller.follow)
        else:
            await self._finish(attempt, model.Outcome("unknown", found.detail or "it cannot be said how it ended"))
        return found.state

    async def _found(self, attempt: _Attempt) -> model.Found:
        while True:
            try:
                return await attempt.controller.find(attempt.job)
            except Exception as error:  # a controller that cannot say is an answer too: unknown, for a person
                if not self._passes(error):
                    return model.Found("unknown", None, f"{type(error).__name__}: {error}")
            await asyncio.sleep(store.FULL_S)

    def _passes(self, error: Exception) -> bool:
        """Whether the disk is full, and that is waited out."""
        return isinstance(error, OSError) and error.errno in errors.NO_SPACE and self._store.patient


def _after_stop(found: model.Found) -> model.Outcome:
    """What an attempt is that the daemon's stop cancelled. One that may go on all the same is unknown: nothing follows on it by itself."""
    if found.state == "ended" and found.outcome is not None:
        return found.outcome
    if found.state == "absent":
        return model.Outcome("cancelled", "ended by the daemon's stop")
    return model.Outcome(
        "unknown", f"the daemon's stop asked for its end, and it may go on: {found.detail or found.state}"
    )


def _raised(error: Exception) -> model.Outcome:
    message = error.message if isinstance(error, errors.HealerError) else f"{type(error).__name__}: {error}"
    return model.Outcome("failed", f"the controller failed: {message}"[:2000])


def _masked(masker: secrets.Masker, text: str) -> str:
    return masker.whole(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _masked_result(masker: secrets.Masker, result: Any) -> Any:
    """A result with secrets masked; as a text where it is no JSON (a controller is a stranger's code)."""
    try:
        return orjson.loads(masker.whole(orjson.dumps(result, default=str)))
    except (TypeError, ValueError):
        return _masked(masker, repr(result)[:RESULT_TEXT_MAX])


def _masked_facts(masker: secrets.Masker, facts: Any) -> dict[str, Any] | None:
    """What an attempt gives to rules, with secrets masked; nothing where it is no mapping."""
    made = _masked_result(masker, dict(facts)) if isinstance(facts, Mapping) else None
    return made if isinstance(made, dict) else None


def _subject(value: Any) -> str | tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else str(value)


def _target(name: str, value: Mapping[str, Any]) -> model.Target:
    kind, _, rest = name.partition(":")
    return model.Target(kind, rest, value["inventory_name"], value["address"], tuple(value["groups"]), value["local"])
