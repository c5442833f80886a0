"""Keeps the pull sources running: one task each, started again with growing pauses when it fails.

The daemon calls `replace` with the sources of each revision; what did not change goes on undisturbed, so that a reload
drops no connection. A source of the daemon's own port (`push`) has no task; it stands here so that `status` and
`max_quiet` know all sources alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, runtime_checkable

from healer import plugins, quoting

PAUSE_FIRST_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
LISTENING_S: Final = 5.0
"""How long a start waits for sources that listen."""
WELL_AFTER_S: Final = 60.0
"""A source that ran so long has recovered: its next failure begins with the first pause again."""
STOP_MAX_S: Final = 10.0
ERROR_MAX: Final = 2000

State = Literal["starting", "running", "ended", "failed"]


class Runs(Protocol):
    """What a worker runs: `plugins.Source` and `EdaSource` have it."""

    async def run(self, emit: plugins.Emit) -> None:
        """Deliver until cancelled; returning means that no more will come, raising: start me again."""


@runtime_checkable
class Telling(Protocol):
    """One that says itself when it runs: `EdaSource`."""

    on_running: Callable[[], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A source as the current revision wants it.

    `key` names it within the daemon (`activation/ruleset/source`). `args`, `filters` and `env` are JSON values; `code`
    is a hash of the plugin's file where it is the project's own, so that a new file is a change.
    """

    key: str
    type: str
    args: Any = None
    filters: tuple[tuple[str, Any], ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    code: str = ""
    push: bool = False
    max_quiet_s: float | None = None
    again: str = "on_failure"
    """When it is started again: `never`, `on_failure`, or `always`, also where it had no more to say."""
    listens: bool = False
    """Whether senders come to a port of its own."""

    @property
    def digest(self) -> str:
        """Equal for sources that would run alike (`max_quiet_s` only changes how one is shown)."""
        same = [self.type, self.args, self.filters, dict(self.env), self.code, self.push, self.again]
        return hashlib.sha256(json.dumps(same, sort_keys=True, default=str).encode()).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """How a source does, for `status`: times are the clock's, in microseconds."""

    key: str
    type: str
    state: State
    since_us: int
    last_event_us: int | None
    events: int
    restarts: int
    last_error: str
    silent: bool


class Beside(Protocol):
    """What has something of its own to do for each source (`reconciling`)."""

    async def replace(self, specs: Iterable[Running]) -> None:
        """Do it for exactly these."""

    async def stop(self) -> None:
        """Do it no more."""


class _Worker:
    """One source and its task."""

    def __init__(self, spec: Running, supervisor: Supervisor) -> None:
        self.spec = spec
        self._supervisor = supervisor
        self.state: State = "starting"
        self.since = self.known_since = supervisor.clock()
        self.last_event: float | None = None
        self.events = 0
        self.restarts = 0
        self.last_error = ""
        self.begun = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        if spec.push:
            self.state = "running"
        else:
            self.task = asyncio.create_task(self._keep(), name=f"source {spec.key}")

    def heard(self, count: int) -> None:
        """So many events came."""
        self.events += count
        self.last_event = self._supervisor.clock()

    def status(self) -> Status:
        now = self._supervisor.clock()
        quiet_since = self.known_since if self.last_event is None else self.last_event
        limit = self.spec.max_quiet_s
        return Status(
            self.spec.key,
            self.spec.type,
            self.state,
            round(self.since * 1e6),
            None if self.last_event is None else round(self.last_event * 1e6),
            self.events,
            self.restarts,
            self.last_error,
            limit is not None and self.state != "ended" and now - quiet_since > limit,
        )

    def _becomes(self, state: State) -> None:
        self.state, self.since = state, self._supervisor.clock()
        if state != "starting":
            self.begun.set()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            self._becomes("starting")
            try:
                await plugins.within(self._run)
                if self.spec.again != "always":
                    self._becomes("ended")
                    self._supervisor.log("INFO", f"source {self.spec.key} has ended")
                    return
                self.last_error = "it had no more to say"
            except Exception as error:  # noqa: BLE001 - a stranger's code: no mistake of one stops the rest
                self.last_error = (quoting.printed(str(error)) or type(error).__name__)[:ERROR_MAX]
            if self.spec.again == "never":
                self._becomes("failed")
                self._supervisor.log(
                    "ERROR", f"source {self.spec.key} failed, and is not started again: {self.last_error}"
                )
                return
            failures = 1 if loop.time() - started >= WELL_AFTER_S else failures + 1
            pause_s = pause(self.spec.key, failures)
            self._becomes("failed")
            self._supervisor.log(
                "WARNING", f"source {self.spec.key} failed, again in {pause_s:.1f} s: {self.last_error}"
            )
            await asyncio.sleep(pause_s)
            self.restarts += 1

    async def _run(self) -> None:
        source = self._supervisor.build(self.spec)
        if isinstance(source, Telling):
            source.on_running = lambda: self._becomes("running")
        else:
            self._becomes("running")
        await source.run(self._emit)

    async def _emit(self, events: Sequence[Mapping[str, Any]]) -> Sequence[int]:
        positions = await self._supervisor.emit_for(self.spec.key)(events)
        self.heard(len(events))
        return positions


def pause(key: str, failures: int) -> float:
    """Seconds until the next try: 1, 2, 4 … 60, less up to a quarter by the key, so that not all try at once."""
    whole = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** min(failures - 1, 10))
    return float(whole * (1 - 0.25 * zlib.crc32(f"{key}#{failures}".encode()) / (1 << 32)))


class Supervisor:
    """All sources of the daemon.

    `build(spec)` makes a source ready to run; what it raises counts as a failure of that source. `emit_for(key)` gives
    the way into the journal; `clock()` seconds for people; `log(level, message)`.
    """

    def __init__(
        self,
        build: Callable[[Running], Runs],
        emit_for: Callable[[str], plugins.Emit],
        clock: Callable[[], float],
        log: Callable[[str, str], None],
        beside: Beside | None = None,
    ) -> None:
        self.build = build
        self.emit_for = emit_for
        self.clock = clock
        self.log = log
        self._beside = beside
        self._workers: dict[str, _Worker] = {}

    async def replace(self, specs: Iterable[Running]) -> None:
        """Run exactly these: what is alike goes on, what changed is stopped and started, what is gone is stopped.

        A source that had ended and did not change stays ended.
        """
        wanted = {spec.key: spec for spec in specs}
        old = [
            key for key, worker in self._workers.items()
            if key not in wanted or wanted[key].digest != worker.spec.digest
        ]  # fmt: skip
        await self._stop([self._workers.pop(key) for key in old])
        for key, spec in wanted.items():
            if key in self._workers:
                self._workers[key].spec = spec
            else:
                self._workers[key] = _Worker(spec, self)
        if self._beside is not None:
            await self._beside.replace(wanted.values())

    async def listening(self) -> None:
        """Wait until senders reach the sources that listen, as far as that does not take longer than a start may."""
        waiting = [worker.begun.wait() for worker in self._workers.values() if worker.spec.listens]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTENING_S):
                await asyncio.gather(*waiting)

    async def stop(self) -> None:
        """Stop all; returns when they are, or after 10 s without those that will not."""
        if self._beside is not None:
            await self._beside.stop()
        await self._stop(list(self._workers.values()))
        self._workers.clear()

    def heard(self, key: str, count: int = 1) -> None:
        """A push source got so many events."""
        if key in self._workers:
            self._workers[key].heard(count)

    def status(self) -> list[Status]:
        """How all do, by key."""
        return [self._workers[key].status() for key in sorted(self._workers)]

    async def _stop(self, workers: Sequence[_Worker]) -> None:
        tasks = {worker.task for worker in workers if worker.task}
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_MAX_S)
            for task in late:
                self.log("ERROR", f"{task.get_name()} does not stop and is left alone")
        for task in tasks:
            if task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    task.result()
