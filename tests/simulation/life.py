"""One life of a daemon: the workers of `healer.daemon.running`, wired as there, without its port, its processes and its disk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import pathlib
import shutil
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import virtual
import world

from healer import decide, dispatch, engine, errors, intake, plugins, project, store
from healer.daemon import clock, rules, standing, switching, watching
from healer.decide import alerts, evaluating, recovery
from healer.dispatch import wishes
from healer.project import git
from healer.store import deciding, notes, voiding

FOLDER: Final = pathlib.Path(__file__).with_name("project")
NOWHERE: Final = pathlib.Path("/nonexistent/healer-simulation")

_compiled: dict[int, tuple[Any, Any]] = {}
_compile = engine.compile_in_slices


def compile_once(ruleset: Any) -> Any:
    """In the place of `engine.compile_in_slices`: what is compiled never changes, so that all lives of all seeds share it."""
    known = _compiled.get(id(ruleset))
    if known is None:
        work = _compile(ruleset)
        while True:
            try:
                next(work)
            except StopIteration as done:
                known = _compiled[id(ruleset)] = (ruleset, done.value)
                break
    return known[1]
    yield


@functools.cache
def revisions() -> dict[str, project.Revision]:
    """`base`; `tight`: with other limits and without some rules; `watching`: it only observes."""
    found = project.load(FOLDER, {}).revision
    assert found is not None
    return {name: _by(name, one) for name, one in {"base": found, **_variants()}.items()}


def _by(name: str, revision: project.Revision) -> project.Revision:
    """With the author of its rulebook, as Git would have it."""
    author = "bo@example.org" if name == "tight" else "ana@example.org"
    return dataclasses.replace(revision, git=git.Git("0" * 40, True, (("rulebooks/ops.yml", author),)))


def _variants() -> dict[str, project.Revision]:
    made: dict[str, project.Revision] = {}
    for name, changes in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
            for file, old, new in changes:
                path = pathlib.Path(folder, file)
                text = path.read_text()
                assert old in text, (file, old)
                path.write_text(text.replace(old, new))
            loaded = project.load(pathlib.Path(folder), {})
            assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
            made[name] = loaded.revision
    return made


NIGHTLY: Final = "{any: [{name: a hand, roles: [hand]}], expires: 15 seconds, exclude: []}"
VARIANTS: Final[Mapping[str, list[tuple[str, str, str]]]] = {
    "tight": [
        ("healer.yaml", "daemon: 7", "daemon: 3"),
        ("healer.yaml", "cooldown: 5 seconds", "cooldown: 9 seconds"),
        ("actions.yaml", "rate_limit: 4 per 20 seconds", "rate_limit: 2 per 20 seconds"),
        ("rulebooks/ops.yml", "- name: flaps\n", "- name: flaps\n      enabled: false\n"),
        ("rulebooks/ops.yml", "name: disk, critical", "name: disk, very critical"),
        ("rulebooks/ops.yml", "roles: [hand], approve: 2, reject: 2", "roles: [hand, approver], approve: 3, reject: 1"),
        ("healer.yaml", "when: night}}, windows", f"when: night}}}}, approval: {NIGHTLY}, windows"),
        ("healer.yaml", "bo: {roles: [hand]", "bo: {roles: [lead]"),
        ("healer.yaml", "  eve: {roles: [approver]}\n", ""),
        ("actions.yaml", '  reset:\n    command: ["true"]', '  reset:\n    command: ["true", "again"]'),
    ],
    "watching": [("healer.yaml", "mode: active", "mode: observe")],
}


class PauseFile(standing.PauseFile):
    """The file PAUSE, which the world makes and removes."""

    def __init__(self, ahead_us: Callable[[], int], text: Callable[[], str]) -> None:
        super().__init__(NOWHERE, ahead_us)
        self._text = text

    def __call__(self) -> dict[str, Any] | None:
        text = self._text()
        return {"scope": "everything", "who": "the file PAUSE", "since": "then", "reason": text} if text else None


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How a life is to end: after so many steps of the loop, or statements; -1: not so."""

    steps: int = -1
    statements: int = -1


class Life:
    """From a start on what the database holds to a crash or a stop. `known`: the revisions that there are, by a name; `revision`: which of
    them lies in the project folder at its start."""

    def __init__(
        self, scene: world.World, raw: sqlite3.Connection, known: Mapping[str, project.Revision], revision: str, text: Callable[[], str],
        ending: Ending,
    ) -> None:  # fmt: skip
        self.world = scene
        self.known = known
        self.revision = known[revision]
        steps, statements, revision_now = ending.steps, ending.statements, self.revision
        self.loop = virtual.Loop(scene.clock, steps)
        self.wire = virtual.Wire(raw, statements)
        self.ready = False
        self.clock = clock.JournalClock()
        self.pause = PauseFile(self.clock.ahead_us, text)
        self._standing = standing.Standing(revision_now, self.pause, revision_now.settings.mode)
        self._prepared: dict[str, tuple[project.Revision, evaluating.Evaluator]] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self.decider: decide.Decider | None = None
        self.failed = ""

    # --- its life -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until its loop is stopped, or it crashes (`virtual.Crashed`)."""
        asyncio.set_event_loop(self.loop)
        try:
            start = self.loop.create_task(self._start(), name="Task-0")
            start.add_done_callback(self._worker_ended)
            self.loop.run_forever()
        finally:
            asyncio.set_event_loop(None)

    def die(self) -> None:
        """As with kill -9."""
        self.world.life += 1
        self.wire.cut()
        self.loop.bury()

    def do(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A request of somebody."""
        return self.loop.create_task(work)

    async def _start(self) -> None:
        raw: Any = self.wire
        self.store = store.Store.open(None, self.clock, loop=None, environment="sim", on_rows=self._on_rows, memory=raw)
        self.clock.not_before(self.store.writer.tx.now_us)
        await self.store.insist(notes.Start("daemon", version="0", epoch=self.store.epoch))
        await self._start_deciding()
        decider = self.decider
        assert decider is not None
        settings = self.revision.settings
        self.intake = intake.Intake(
            self.store, self.clock, lambda: decider.backlog, backlog_max=settings.backlog_max, heard=decider.evaluator.alerts.heard
        )  # fmt: skip
        self._reach(self.revision)
        self.dispatcher = dispatch.Dispatcher(
            self.store, self._of_run, controllers=lambda: self.controllers, revision_dir=self._revision_dir,
            work_dir=NOWHERE / "work", clock=self.clock, secret_values=list, on_changed=lambda _, look_us: decider.look_at(look_us),
        )  # fmt: skip
        self.people = wishes.Wishes(self.store, self.dispatcher)
        self.switch = switching.Switch(
            self.store, self.dispatcher, self.people, self.pause, revision=lambda: self.revision,
            evaluator=lambda: decider.evaluator, standing_of=self._of_run, clock=self.clock, look_again=self._look_again,
        )  # fmt: skip
        await self.switch.load()
        self.ready = True
        self._work("Task-decide-1", decider.run())
        await self.dispatcher.recover()
        self._work("Task-dispatch-2", self.dispatcher.run())
        watch = watching.Watch(self.store, self.pause, self.clock, self._look_again)
        self._work("Task-watch-3", watch.run())
        self._work("Task-switch-4", self._look())

    async def _look(self) -> None:
        while True:
            future = self.loop.create_future()
            self.loop.call_later(1.0, future.set_result, None)
            await future
            await self.switch.look()

    def _reach(self, revision: project.Revision) -> None:
        self.controllers: dict[str, plugins.Controller] = {
            name: world.Controller(name, self.world, self.loop) for name in revision.controllers
        }

    async def _start_deciding(self) -> None:
        read = self.store.reader.all
        (at,) = await read("position_find", 0)
        known = alerts.Alerts(await read("alerts_state"))
        old = await recovery.recover(self.store, at["seq"], functools.partial(self.rules_of, known=known))
        rows = await read("journal_last_revision", 1 << 62)
        last = deciding.revision_of(rows[0]["body"]) if rows else ""
        rows = await read("journal_last_revision", at["seq"])
        held = deciding.revision_of(rows[0]["body"]) if rows else ""
        number = await self.store.insist(notes.RevisionNumber(held)) or 0
        if old is None:
            old = evaluating.Evaluator(self.store.uid, [], {}, known, _nobody(), {}, {})
        self.decider = decide.Decider(
            self.store, old, number, self._of_run, position=at["seq"], on_decided=self._on_decided, clock=self.clock,
            tick=lambda: self.intake.tick(), use=self._rules_from, monotonic=self.loop.time,  # noqa: PLW0108
            rules_of=functools.partial(self.rules_of, known=known),
        )  # fmt: skip
        self.decider.tail.committed = (
            await self.store.reader.select("SELECT coalesce(max(seq), 0) AS seq FROM journal", [])
        )[0]["seq"]
        if last != self.revision.id or old.ended:
            await self._use(self.revision, "daemon", {"before": last or None})

    def _work(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        task = self.loop.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._worker_ended)

    def _worker_ended(self, task: asyncio.Task[Any]) -> None:
        """As in the daemon: it ends, and starts anew from its rows."""
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, errors.StoreFull) and not self.store.patient:
                self.world.say("it ends, since the disk was full at its stop")
                self.loop.stop()
                return
            self.failed = "".join(traceback.format_exception(error))
            self.loop.stop()

    async def stop(self, drain_s: float) -> None:
        """As on SIGTERM."""
        self.store.patient = False
        self.intake.stopped = True
        await self.dispatcher.stop(drain_s)
        assert self.decider is not None
        await self.decider.stop()
        for task in self._tasks:
            if "decide" not in task.get_name():
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(errors.StoreFull):  # the next start goes on from the last commit
            await self.decider.drain_snapshot()
            await self.store.submit(notes.Note("stop", "daemon", position=self.decider.position))

    # --- rules ----------------------------------------------------------------------------------------------------------

    async def _evaluator(
        self, revision: project.Revision, held: standing.Standing, known: alerts.Alerts
    ) -> evaluating.Evaluator:
        made = await rules.evaluator(self.store, revision, held, known)
        made.acting._say = lambda *_: None
        return made

    async def rules_of(self, revision_id: str, *, known: alerts.Alerts) -> evaluating.Evaluator | None:
        revision = by_id(self.known, revision_id)
        return await self._evaluator(revision, standing.Standing(revision, self.pause, revision.settings.mode), known)

    async def _use(self, revision: project.Revision, actor: str, difference: dict[str, Any]) -> None:
        made = standing.Standing(revision, self.pause, revision.settings.mode)
        await self.store.submit(deciding.UseRevision(revision.id, "", actor, difference, made.inhibitions))
        self._standing = made

    async def _rules_from(self, revision_id: str, old: evaluating.Evaluator) -> decide.Used | None:
        prepared = self._prepared.pop(revision_id, None)
        revision = prepared[0] if prepared is not None else by_id(self.known, revision_id)
        number = await self.store.insist(notes.RevisionNumber(revision_id))
        made = standing.Standing(revision, self.pause, revision.settings.mode)
        new = prepared[1] if prepared is not None else await self._evaluator(revision, made, old.alerts)
        return decide.Used(await recovery.carry_over(self.store, old, new) or new, number, made.of_run)

    async def reload(self, new: project.Revision, actor: str) -> None:
        """As `healer reload`."""
        assert self.decider is not None
        if new.id == self.revision.id:
            return
        made = standing.Standing(new, self.pause, new.settings.mode)
        prepared = await self._evaluator(new, made, self.decider.evaluator.alerts)
        self._prepared = {new.id: (new, prepared)}
        await self._use(new, actor, {})
        self._reach(new)
        self.revision = new
        after: str | None = ""
        while after is not None:
            after = (await self.store.insist(voiding.Void(made.of_run, after, write=True, actor=actor))).last

    # --- what the workers need of each other ------------------------------------------------------------------------------

    def _of_run(self, row: Mapping[str, Any]) -> Any:
        return self._standing.of_run(row)

    async def _revision_dir(self, number: int) -> pathlib.Path:
        return NOWHERE / str(number)

    def _on_rows(self, rows: list[store.journal.Row]) -> None:
        if self.decider is not None:
            self.decider.tail.feed(rows)

    def _on_decided(self, decided: deciding.Decided) -> None:
        if decided.queued:
            self.dispatcher.wake()

    async def _look_again(self) -> None:
        await self.intake.tick()
        self.dispatcher.wake()


def by_id(known: Mapping[str, project.Revision], revision_id: str) -> project.Revision:
    """The revision of an id."""
    return next(one for one in known.values() if one.id == revision_id)


def _nobody() -> Any:
    return None
