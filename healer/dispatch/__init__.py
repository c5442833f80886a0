"""Dispatch: claims queued attempts (T3), lets their controllers act, writes how they ended (T4), and finds what a crash left.

A worker on the daemon's loop. Nothing here decides whether a run may start: the gates are asked inside the claim's transaction.
An attempt's task holds only what is on disk anyway; if the daemon dies, the child goes on under its shim and is found again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import pathlib
import shutil
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from loguru import logger

from healer import errors, model, plugins, secrets, store, telemetry
from healer.dispatch import attempts, outcomes, output, telling
from healer.store import asking, claiming, finishing, following, journal, people, transaction

__all__ = ["Dispatcher", "output"]

CLAIM_MAX: Final = 20
AT_ONCE_MAX: Final = 500
BEGINNINGS_MAX: Final = 5
"""So many attempts are made of what finds no space though the store's disk has some, or cannot begin at all."""
ENDING_S = 20.0
"""So long one that a person ended, and that runs on, is followed; then it is told again."""
ENDINGS_MAX: Final = 2
LOOK_S = 20.0
"""So long a controller has for its answer: a start, a pause or a person waits for it."""
_NEVER: Final = 1 << 62


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
        self.maker = attempts.Maker(
            controllers, revision_dir, work_dir, secret_values, environment_of, resolve, opened.uid[:12]
        )
        self._work_dir = work_dir
        self._clock = clock
        self._secret_values = secret_values
        self._on_changed = on_changed
        self._wake = asyncio.Event()
        self._next_us, self._after = _NEVER, ""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._attempts: dict[str, attempts.Attempt] = {}
        self._to_end: set[str] = set()
        """Attempts whose end a person asked for before they were followed here: claimed, or found after a crash, and not begun yet."""
        self._stopping = False
        self.turns = 0  # how often `run` has claimed: it goes on
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
                    claiming.Claim(min(free, CLAIM_MAX), self.standing_of, self._after)
                )
                for claimed in claims.claimed:
                    await self._start(claimed)
                self._to_end.clear()  # who was to be ended and is not followed by now has ended
            if claims.changed or claims.next_look_us is not None:
                self._on_changed(claims.changed, claims.next_look_us)
            self._next_us, self._after = claims.next_us or _NEVER, claims.after
            self.turns += 1
            if not claims.claimed and not claims.changed:  # who left the queue may have been before others in a lane
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
        if self._attempts:
            with contextlib.suppress(errors.HealerError):  # a full disk: it ends them all the same
                await self._store.submit(finishing.Stopping([*self._attempts]))
        for attempt in [*self._attempts.values()]:
            attempt.end("stop")
        await asyncio.gather(*pending, return_exceptions=True)
        return len(pending)

    async def barrier(self, tokens: Collection[str]) -> set[str]:
        """A pause waits until each of these, which were claimed before it, has begun its effect or never will; those that never will."""
        async with self._claiming:  # until then what was claimed may not be followed here yet
            found = [one for token, one in self._attempts.items() if token in tokens]
        asked = await asyncio.gather(*(one.withhold() for one in found))
        kept = {one.token for one, withheld in zip(found, asked, strict=True) if withheld}
        if tasks := [task for token, task in self._tasks.items() if token in kept]:
            await asyncio.wait(tasks, timeout=LOOK_S)
        return kept

    def end(self, token: str) -> None:
        """A person asked for an attempt's end, and that is on disk."""
        if (attempt := self._attempts.get(token)) is not None:
            attempt.end("person")
        else:
            self._to_end.add(token)

    # --- attempts -----------------------------------------------------------------------------------------------------

    async def _start(self, claimed: claiming.Claimed) -> None:
        row = claimed.run
        try:
            attempt = await self.maker.make(
                row, claimed.number, claimed.token, claimed.targets, claimed.values, claimed.deadline_s
            )
        except attempts.Hindered as hindered:
            outcome = model.Outcome("failed", str(hindered))
            await self._end_at_once(row["id"], claimed.number, claimed.token, outcome)
            telling.ended(row, outcome)
            return
        telling.begins(row, claimed.targets)
        attempt.fresh = True
        self._follow(attempt, attempt.controller.run)

    def _follow(self, attempt: attempts.Attempt, how: attempts.How) -> None:
        self._attempts[attempt.token] = attempt
        if attempt.token in self._to_end:
            attempt.end("person")
        task = asyncio.create_task(self._effect(attempt, how), name=f"attempt {attempt.token}")
        self._tasks[attempt.token] = task
        task.add_done_callback(functools.partial(self._done, attempt))

    def _done(self, attempt: attempts.Attempt, task: asyncio.Task[None]) -> None:
        self._tasks.pop(attempt.token, None)
        self._attempts.pop(attempt.token, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.bind(run=attempt.run).error("the outcome of {} could not be written: {}", attempt.token, error)
        self._wake.set()

    async def _effect(self, attempt: attempts.Attempt, how: attempts.How) -> None:
        outcome: model.Outcome | None = None
        while outcome is None:
            try:
                outcome = await attempt.act(how)
            except asyncio.CancelledError:
                await self._ended(attempt)
                return
            except Exception as error:  # a plugin's: a failed attempt, told with its words
                if attempt.ender:
                    await self._ended(attempt)
                    return
                if isinstance(error, model.NotBegunError) and (
                    attempt.number < BEGINNINGS_MAX or await attempt.withheld()
                ):
                    why = attempts.PAUSED if await attempt.withheld() else str(error)
                    await self._take_back(attempt, why, attempts.again_s(attempt.number, why))
                    return
                if not self._passes(error):
                    outcome = outcomes.raised(error)
                    continue
                found = await self._found_with_space(attempt, error)
                if found.state == "absent":
                    await self._take_back(attempt, f"the disk was full: {error}")
                    return
                how = attempt.controller.follow
                if found.state != "running":
                    outcome = outcomes.of(found)
        if outcome.state != "succeeded" and await attempt.withheld():
            await self._take_back(attempt, attempts.PAUSED)
        else:
            await self._finish(attempt, outcome)

    async def _ended(self, attempt: attempts.Attempt) -> None:
        """Write what became of one whose end was asked for. A person's wish is worth some patience, the daemon's stop has none."""
        found = await self._found(attempt)
        for _ in range(ENDINGS_MAX):
            if found.state != "running" or attempt.ender != "person" or self._stopping:
                break
            found = await self._followed(attempt, ENDING_S) or await self._found(attempt)
        if found.state == "absent" and attempt.ender in attempts.NOT_BEGUN and not attempt.settles:
            await self._take_back(attempt, attempts.NOT_BEGUN[attempt.ender])
        else:
            await self._finish(attempt, outcomes.asked_for(found, attempt.ender))

    async def _followed(self, attempt: attempts.Attempt, limit_s: float) -> model.Found | None:
        """Its end, with its output from the beginning. None where it has none within the limit (then it is told to end) or fails."""
        attempt.live = self.maker.live()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(limit_s):
                outcome = await plugins.within(attempt.controller.follow, attempt.job, attempt.live.write)
                return model.Found("ended", outcome) if outcome.state != "unknown" else None
        return None

    async def _found_with_space(self, attempt: attempts.Attempt, error: Exception) -> model.Found:
        """What its controller knows of an attempt that ran out of space, once there is some: most often that nothing was begun.

        Where there is space and it still says that there is none (another disk, a quota), the attempt has failed in the end.
        """
        elsewhere = self._store.has_room() and attempt.number >= BEGINNINGS_MAX
        self._store.short = True
        logger.bind(run=attempt.run).warning("the disk is full, and {} waits for space: {}", attempt.token, error)
        while True:
            await asyncio.sleep(store.FULL_S)
            if self._store.has_room() or not self._patient:
                break
        found = await self._found(attempt)
        return model.Found("ended", outcomes.raised(error)) if found.state == "absent" and elsewhere else found

    async def _take_back(self, attempt: attempts.Attempt, why: str, wait_s: float = 0.0) -> None:
        await self._store.insist(finishing.TakeBack(attempt.token, attempt.run, attempt.number, why, wait_s))
        await self.forget(attempt.token)

    async def _finish(self, attempt: attempts.Attempt, outcome: model.Outcome) -> None:
        outcome, kept = await self._kept(attempt, outcome)
        if attempt.settles:
            await self._settle(attempt, outcome, kept)
            return
        ours = await self._store.insist(finishing.Finish(attempt.token, attempt.run, attempt.number, outcome, kept))
        telling.ended(attempt.row, outcome)
        if ours and outcome.state != "unknown":
            await self.forget(attempt.token)

    async def _settle(self, attempt: attempts.Attempt, outcome: model.Outcome, kept: finishing.Kept) -> None:
        """As `_finish`, of one that was unknown before and that a person wanted to end."""
        if outcome.state == "unknown":
            logger.bind(run=attempt.run).error("run unknown, as before: {}", outcome.summary)
            return
        unit = people.Settle(attempt.token, attempt.run, attempt.number, outcome, kept)
        if await self._store.insist(unit) is not None:
            bound = logger.bind(run=attempt.run, state=outcome.state)
            bound.info("the run that was unknown has ended: {}", outcome.summary)
            await self.forget(attempt.token)

    async def _kept(self, attempt: attempts.Attempt, outcome: model.Outcome) -> tuple[model.Outcome, finishing.Kept]:
        """Outcome and output as they may be kept."""
        stdout, stderr = attempt.live.finish()
        masker = secrets.Masker(self._secret_values())
        outcome = outcomes.masked(outcome, masker, truncated=attempt.live.truncated)
        return outcome, finishing.Kept(await self._keep(stdout), await self._keep(stderr))

    async def forget(self, token: str) -> None:
        """Remove the job folder of one whose end is known and written down."""
        await asyncio.to_thread(shutil.rmtree, self._work_dir / token, ignore_errors=True)

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
        rows = await self._store.reader.all("attempts_running")
        for state in await asyncio.gather(
            *map(self._recover_one, rows)
        ):  # one without an answer must not hold the others
            found[state] = found.get(state, 0) + 1
            telemetry.count(f"recovered_{state}")
        for row in await self._store.reader.all("attempts_asked_to_end"):
            if (looked := await self.look(row["run"])) is not None:
                self.end_unknown(looked)
        self._to_end.clear()
        return found

    async def _recover_one(self, row: dict[str, Any]) -> str:
        token, run, number = row["token"], row["run"], row["number"]
        to_end = await self._store.insist(finishing.TakeUp(token, run, number))
        try:
            attempt = await self._made(row)
        except attempts.Hindered as hindered:
            await self._end_at_once(run, number, token, outcomes.unknown(str(hindered)))
            return "unknown"
        found = await self._found(attempt)
        logger.bind(run=run).info("found {}: {} {}", token, found.state, found.detail)
        if found.state == "absent":
            await self._take_back(attempt, found.detail)
        elif found.state in ("running", "ended"):
            if to_end and found.state == "running":
                attempt.end("person")
            self._follow(attempt, attempt.controller.follow)
        else:
            await self._finish(attempt, outcomes.unknown(found.detail))
        return found.state

    async def _made(self, row: dict[str, Any]) -> attempts.Attempt:
        """The attempt of a row of one that was started. Raises `attempts.Hindered`."""
        (run_row,) = await self._store.reader.select("SELECT * FROM run WHERE id = ?", [row["run"]])
        if row["purpose"] == following.VERIFY:
            run_row = following.as_check(run_row)
        told = await self._store.reader.all("run_target_values", row["run"])
        values = {one["target"]: transaction.loads(one["value"]) for one in told}
        targets = transaction.loads(row["targets"])
        return await self.maker.make(run_row, row["number"], row["token"], targets, values, attempts.deadline_of(row))

    # --- what people ask (see `wishes`) -------------------------------------------------------------------------------

    async def look(self, run: str) -> attempts.Looked | None:
        """What is known now of the attempt of a run that is unknown; None where it has none."""
        rows = await self._store.reader.all("attempt_unknown", run)
        if not rows:
            return None
        token, number = rows[0]["token"], rows[0]["number"]
        if token in self._attempts:
            return attempts.Looked(token, number, None, model.Found("running", detail="its end was asked for"))
        try:
            attempt = await self._made(rows[0])
        except attempts.Hindered as hindered:
            return attempts.Looked(token, number, None, model.Found("unknown", detail=str(hindered)))
        return attempts.Looked(token, number, attempt, await self._found(attempt))

    def end_unknown(self, looked: attempts.Looked) -> None:
        """End one that was called unknown and is known to its controller now; a person's wish for that is on disk."""
        attempt = looked.attempt
        if attempt is not None and looked.found.state in ("running", "ended") and attempt.token not in self._attempts:
            attempt.settles = True
            if looked.found.state == "running":
                attempt.end("person")
            self._follow(attempt, attempt.controller.follow)

    async def end_of(self, looked: attempts.Looked) -> tuple[model.Outcome, finishing.Kept] | None:
        """How one that was called unknown ended, with its output, where its controller knows now."""
        attempt, outcome = looked.attempt, looked.found.outcome
        if attempt is None or looked.found.state != "ended":
            return None
        found = await self._followed(attempt, LOOK_S)
        outcome = found.outcome if found is not None else outcome
        return None if outcome is None or outcome.state == "unknown" else await self._kept(attempt, outcome)

    async def _found(self, attempt: attempts.Attempt) -> model.Found:
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    return await attempts.found(attempt)
            except TimeoutError:
                return model.Found("unknown", None, "its controller does not answer")
            except Exception as error:  # a controller that cannot say is an answer too: unknown, for a person
                if not self._passes(error):
                    return model.Found("unknown", None, plugins.raised(error))
            await asyncio.sleep(store.FULL_S)

    def _passes(self, error: Exception) -> bool:
        """Whether the disk is full, and that is waited out."""
        return isinstance(error, OSError) and error.errno in errors.NO_SPACE and self._patient

    @property
    def _patient(self) -> bool:
        """Whether a full disk is waited out."""
        return self._store.patient and not self._stopping
