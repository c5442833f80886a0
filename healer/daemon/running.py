"""One running daemon: every worker with its wiring, from the first row read to the last one written."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import gc
import os
import pathlib
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from loguru import logger

import healer
from healer import (
    decide,
    dispatch,
    intake,
    model,
    plugins,
    project,
    retain,
    secrets,
    store,
)
from healer.daemon import (
    answering,
    banner,
    caps,
    checking,
    clock,
    hosts,
    keys,
    logs,
    masking,
    options,
    outside,
    reloading,
    rules,
    standing,
    status,
    switching,
    telling,
    vaulted,
    watching,
)
from healer.decide import alerts, evaluating, recovery
from healer.dispatch import planning, wishes
from healer.store import deciding, notes, ownership
from healer.web import auth, control, routes, services, serving


class Daemon:
    """Made once a process; `run` is its life."""

    def __init__(
        self, revision: project.Revision, base: pathlib.Path, data_dir: pathlib.Path, owned: ownership.Ownership,
        given: options.StartOptions,
    ) -> None:  # fmt: skip
        self.base = base
        self.data_dir = data_dir
        self.revision = revision
        self.clock = clock.JournalClock()
        self.pause = standing.PauseFile(data_dir, self.clock.ahead_us)
        self._masking = masking.Masking()
        self.masked = self._masking.line
        self.secrets = secrets.Secrets(base, os.environ, self._masking, vaulted.Opener(given.vault, lambda: self.files))
        self.started_us = self.clock()
        self.port = 0
        self._owned = owned
        self.options = given
        self._standing = standing.Standing(revision, self.pause, revision.settings.mode)
        self.heard = revision
        self._made = weakref.WeakSet[plugins.Controller]()
        self.started_with = revision.settings
        self._state: services.State = "starting"
        self._end: asyncio.Event = asyncio.Event()
        self._exit_code = 0
        self.failed = False
        self._tasks: list[asyncio.Task[Any]] = []
        self._reloading = asyncio.Lock()
        self._soon: set[asyncio.Task[Any]] = set()
        self.prepared: dict[str, tuple[project.Revision, evaluating.Evaluator]] = {}

    # --- its life -----------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Start, serve until `end`, stop. Raises `errors.StartError` and others when it cannot start."""
        loop = asyncio.get_running_loop()
        logs.configure(self.revision.settings, self.base, self.data_dir, self.options.log_level, self._masking.line)
        self.store = store.Store.open(
            self.data_dir, self.clock, loop=loop, environment=self.revision.settings.environment, on_rows=self._on_rows,
            on_fatal=self._on_fatal,
        )  # fmt: skip
        try:
            await self._start()
        except BaseException:
            await self.store.close()
            raise
        await self._end.wait()
        await self._stop()
        return self._exit_code

    def end(self, code: int) -> None:
        """Ask it to stop; a second time does nothing more."""
        self._exit_code = self._exit_code or code
        self._end.set()

    async def _start(self) -> None:
        settings = self.revision.settings
        # After the store, which would not begin anew beside revisions that an earlier one left.
        self.files = await asyncio.to_thread(project.publish, self.revision, self.data_dir)
        await self._begin()
        await self.store.forget_unnamed()
        await self._start_deciding()
        self.intake = await self._taking(settings.backlog_max)
        self.take(self.revision, self.files, rules.controllers(self.revision, self.files, self.resolve))
        self.dispatcher = dispatch.Dispatcher(
            self.store, self.of_run, controllers=lambda: self.controllers, revision_dir=self._revision_dir,
            work_dir=self.data_dir / "work", clock=self.clock, secret_values=self._masking.values,
            on_changed=self._on_claimed,
            environment_of=lambda rule: vaulted.environment(self.secrets, self._standing.environment_of(rule)),
            resolve=self.secrets.resolve,
        )  # fmt: skip
        self.planner = planning.Planner(
            self.store, self.dispatcher.maker, self.data_dir / "work", self._masking.values,
            lambda: self.revision.settings.plans_per_minute,
        )  # fmt: skip
        self.checks = checking.Checks(lambda: self.controllers, self.masked, self.clock)
        self.people = wishes.Wishes(self.store, self.dispatcher)
        self.switch = switching.of(self)
        await self.switch.load()
        self.outside, self.caps, self.hosts = outside.Outside(self), caps.Caps(self), hosts.Hosts(self)
        self.dispatcher.maker.lost = self.hosts.lost
        self.supervisor = self.outside.supervisor(self._emit_for)
        self.telling = telling.Telling(self)
        await self._serve()
        await self.hosts.first(self._end)
        self._work("decide", self.decider.run())
        await reloading.voids(self, self._standing, "daemon", write=True)  # files may have changed while nobody ran
        if found := await self.dispatcher.recover():
            told = ", ".join(f"{count} {what}" for what, count in sorted(found.items()))
            logger.info("attempts that were under way: {}", told)
        running = {row["token"] for row in await self.store.reader.all("attempts_open")}
        await retain.forget_work(self.data_dir, running | self.dispatcher.tokens)
        await self.planner.clear()
        self._work("dispatch", self.dispatcher.run())
        self._work("plan", self.planner.run())
        self._work("watch", watching.Watch(self.store, self.pause, self.clock, self.look_again, self.switch).run())
        retainer = retain.Retainer(self.store, settings.retention, self.clock, self.decider.forget_alerts)
        self._work("retain", retainer.run())
        await rules.gather(self.intake, self.revision, None)
        await self.supervisor.replace(rules.sources(self.revision))
        await self.supervisor.listening()
        self._state = "ok"
        self._work("heartbeat", self.outside.heart.run())
        self._work("caps", self.caps.run())
        self._work("hosts", self.hosts.run())
        for name, work in self.telling.works():
            self._work(name, work)
        gc.freeze()
        gc.enable()
        self._greet()

    def _greet(self) -> None:
        settings = self.revision.settings
        shown = banner.lines(
            self.revision, self.base, settings.server.host, self.port, self._standing.mode, os.environ, self.options
        )
        print("\n".join(shown), flush=True)  # noqa: T201 - the banner is for the person at the terminal
        at = logger.bind(revision=self.revision.id, port=self.port, epoch=self.store.epoch)
        at.info("ready on port {}", self.port)

    async def _begin(self) -> None:
        """What the store has to know, and to keep, of a start."""
        self.clock.not_before(self.store.writer.tx.now_us)
        self.store.writer.tx.rules.use(self._standing.names)
        storm = self.revision.settings.storm is not None
        by = {"version": healer.__version__, "epoch": self.store.epoch, "pid": os.getpid()}
        await self.store.submit(notes.Start("daemon", storm=storm, **by))

    async def _taking(self, backlog_max: int) -> intake.Intake:
        heard = self.decider.evaluator.alerts.heard
        made = intake.Intake(self.store, self.clock, lambda: self.decider.backlog, backlog_max=backlog_max, heard=heard)
        await made.recall()
        return made

    async def _start_deciding(self) -> None:
        """Rules as they stood, then from a row of its own on the rules of today."""
        (at,) = await self.store.reader.all("position_find", 0)
        known = alerts.Alerts(await self.store.reader.all("alerts_state"))
        old = await recovery.recover(self.store, at["seq"], functools.partial(self.rules_of, known=known))
        rows = await self.store.reader.all("journal_last_revision", 1 << 62)
        last = deciding.revision_of(rows[0]["body"]) if rows else ""
        rows = await self.store.reader.all("journal_last_revision", at["seq"])
        held = deciding.revision_of(rows[0]["body"]) if rows else ""
        number = await self.store.submit(notes.RevisionNumber(held)) or 0
        if old is None:
            old = evaluating.without_rules(self.store.uid, known)
        self.decider = decide.Decider(
            self.store, old, number, self.of_run, position=at["seq"], on_decided=self._on_decided, clock=self.clock,
            tick=lambda: self.intake.tick(),  # noqa: PLW0108 - it is made later
            use=self._rules_from, on_ended=self._activations_ended, rules_of=functools.partial(self.rules_of, known=known),
        )  # fmt: skip
        self.decider.tail.committed = (
            await self.store.reader.select("SELECT coalesce(max(seq), 0) AS seq FROM journal", [])
        )[0]["seq"]
        if last != self.revision.id or old.ended:  # a start brings back what a rule had ended
            files = await asyncio.to_thread(project.listed, self.data_dir / project.REVISIONS / last) if last else {}
            changed = status.changed_files(files, self.revision.files) if files else None
            await self.use(self.revision, "daemon", {"before": last or None, "files": changed})

    async def _serve(self) -> None:
        settings = self.revision.settings
        known = auth.Keys(self.store.reader)
        await known.load()
        files = keys.of_files(self.base, self.revision, os.environ)
        await keys.take(self.store, known, self.revision, files, "daemon")
        self.services = answering.of(self, auth.Gate(known))
        per_address = settings.server.connections_per_address
        self._listening = serving.Listening(routes.build(self.services), per_address=per_address)
        await self._listening.start()
        self.port = await self._listening.tcp(settings.server.host, settings.server.port)
        path = self.base / settings.control.socket if settings.control.socket else self.data_dir / control.NAME
        self._control = control.ControlSocket(path, self._owned, settings.control.group)
        await self._listening.unix(self._control.socket)

    async def _stop(self) -> None:
        """Take no more, let run what runs for a while, keep the rest for the next start."""
        self._state = "stopping"
        self.store.patient = False
        logger.info("stopping")
        self.intake.stopped = True
        await self._listening.stop_accepting()
        await self.supervisor.stop()
        if self.failed:
            # The disk is not to be trusted: nothing more is written. What runs goes on under its shim and is found again.
            os._exit(self._exit_code or 1)
        drain_s = self.revision.settings.drain
        ended, *_ = await asyncio.gather(self.dispatcher.stop(drain_s), self.planner.stop(), self.checks.stop())
        await rules.close([*self._made])
        await self.decider.stop()
        for task in self._tasks:
            if task.get_name() != "decide":
                task.cancel()
        await asyncio.gather(*self._tasks, self.telling.close(), return_exceptions=True)
        try:
            await self.decider.drain_snapshot()
            await self.store.submit(notes.Note("stop", "daemon", ended=ended or None, position=self.decider.position))
        except Exception as error:  # a full disk, a mistake of ours: a stop ends the process all the same
            logger.warning("the stop could not be written down, the next start goes on from the last commit: {}", error)
        await self._listening.stop()
        self._control.close()
        await self.store.close()
        logger.info("stopped")

    def _work(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """A worker that must not end by itself: if it does, the daemon ends, and starts anew from its rows."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._worker_ended)

    def _worker_ended(self, task: asyncio.Task[Any]) -> None:
        if self._end.is_set() or task.cancelled():
            return
        error = task.exception()
        logger.opt(exception=error).critical("the worker {} ended: {}", task.get_name(), error)
        self.failed = True
        self.end(1)

    def _on_fatal(self, error: Exception) -> None:
        if not self.failed:
            self.failed = True
            logger.critical("the store failed and the daemon ends: {}", error)
            self.end(1)

    # --- rules --------------------------------------------------------------------------------------------------------

    async def rules_of(self, revision_id: str, *, known: alerts.Alerts) -> evaluating.Evaluator | None:
        revision = self.revision if revision_id == self.revision.id else await self.old_revision(revision_id)
        if revision is None:
            return None
        return await rules.evaluator(
            self.store, revision, standing.Standing(revision, self.pause, self._standing.mode), known
        )

    async def old_revision(self, revision_id: str) -> project.Revision | None:
        """A revision that held once, of its copy; None where that is gone."""
        folder = self.data_dir / project.REVISIONS / revision_id
        if not folder.is_dir():
            return None
        found = (await asyncio.to_thread(project.load, folder, {}, None, self.options.vault)).revision
        return found and dataclasses.replace(found, found=self.revision.found)

    async def use(
        self, revision: project.Revision, actor: str, difference: dict[str, Any], holds: dict[str, Any] | None = None
    ) -> None:
        """Write the row from which on a revision holds. `holds`: who may what then."""
        git = "" if revision.git is None else str(revision.git)
        made = standing.Standing(revision, self.pause, revision.settings.mode)
        storm = revision.settings.storm is not None
        unit = deciding.UseRevision(revision.id, git, actor, difference, made.inhibitions, holds, storm)
        await self.store.submit(unit)
        self.store.writer.tx.rules.use(made.names)
        self._standing = made

    async def _rules_from(self, revision_id: str, old: evaluating.Evaluator) -> decide.Used | None:
        """What holds from a journal row `revision` on, with the memory that unchanged rules keep."""
        prepared = self.prepared.pop(revision_id, None)
        if prepared is not None:
            revision: project.Revision | None = prepared[0]
        else:
            revision = self.revision if revision_id == self.revision.id else await self.old_revision(revision_id)
        number = await self.store.insist(notes.RevisionNumber(revision_id))
        if revision is None or number is None:
            logger.error("the files of revision {} are gone; its rules cannot hold", revision_id)
            return None
        mode = revision.settings.mode if prepared is not None else self._standing.mode
        made = standing.Standing(revision, self.pause, mode)
        new = prepared[1] if prepared is not None else await rules.evaluator(self.store, revision, made, old.alerts)
        kept = await recovery.carry_over(self.store, old, new, noted=True)
        return decide.Used(kept or new, number, made.of_run)

    def of_run(self, row: Mapping[str, Any]) -> Any:
        """What holds for a run now."""
        return self._standing.of_run(row)

    async def _revision_dir(self, number: int) -> pathlib.Path:
        (row,) = await self.store.reader.select("SELECT id FROM revision WHERE n = ?", [number])
        return self.data_dir / project.REVISIONS / str(row["id"])

    def reload_soon(self) -> None:
        """SIGHUP."""
        task = asyncio.create_task(reloading.logged(self, "os:signal"))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def reload(self, actor: str, preview: bool = False) -> dict[str, Any]:
        """Read the project again: all of it or nothing. Raises `errors.ConfigurationError`, `errors.StoreFull`."""
        async with self._reloading, rules.no_collecting():
            return await reloading.reload(self, actor, preview)

    def take(self, revision: project.Revision, files: pathlib.Path, controllers: dict[str, Any]) -> None:
        """A revision whose row is written is ours from now on."""
        project.hear(revision, self.secrets.resolve)
        self.controllers, self.files, self.revision, self.heard = controllers, files, revision, revision
        self._made.update(controllers.values())

    # --- what the workers need of each other -----------------------------------------------------------------------------

    def _on_rows(self, rows: list[store.journal.Row]) -> None:
        if decider := getattr(self, "decider", None):
            decider.tail.feed(rows)

    def _on_decided(self, decided: deciding.Decided) -> None:
        if decided.queued:
            self.dispatcher.wake()
        if decided.tells:
            self.telling.wake()
        self.planner.decided(decided.runs)

    def _on_claimed(self, changed: dict[str, str], look_us: int | None) -> None:
        self.decider.look_at(look_us)
        self.planner.decided(changed)

    def _activations_ended(self, ended: frozenset[str]) -> None:
        """Rules have ended activations, or a revision has brought them back: nobody is to be told 2xx for what nobody hears."""
        self.heard = dataclasses.replace(self.revision, sources=self.revision.sources_without(ended))
        task = asyncio.create_task(self.supervisor.replace(rules.sources(self.revision, ended)))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def look_again(self) -> None:
        """Runs that wait may go on."""
        await self.intake.tick()
        self.dispatcher.wake()

    def _emit_for(self, source: str) -> plugins.Emit:
        async def emit(events: Sequence[Mapping[str, Any]]) -> Sequence[int]:
            taken = await self.intake.take(source, [(event, None) for event in events], actor=f"source:{source}")
            return taken.positions

        return emit

    def resolve(self, reference: plugins.SecretRef) -> model.Secret:
        return self.secrets.resolve(reference.secret)

    # --- what it says of itself ---------------------------------------------------------------------------------------------

    def shown_state(self) -> services.State:
        if self._state == "ok" and self.store.lacks_space():
            return "disk-full"
        return "paused" if self._state == "ok" and self.pause.everything() else self._state
