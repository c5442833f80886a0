"""A reload: the project is read again in a child, all is made ready beside what holds, and one row makes it hold. Caller: the daemon."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from healer import errors, project, telemetry
from healer.daemon import holding, keys, rules, standing, status
from healer.store import granting, notes, voiding

if TYPE_CHECKING:
    from healer.daemon import running


MISTAKES_MAX: Final = 20


async def reload(daemon: running.Daemon, actor: str, preview: bool = False) -> dict[str, Any]:
    """All of it or nothing: what changed, and what is to be told. Raises `errors.ConfigurationError`, `errors.StoreFull`.

    `preview`: only say it; nothing holds that did not before.

    Keys in files lie beside the project: they are read again also where nothing of it has changed.
    """
    loaded = await project.load_in_child(
        daemon.base, os.environ, daemon.options.overrides(), publish_to=daemon.data_dir, opened=daemon.options.vault
    )
    if loaded.revision is None or loaded.published is None:
        telemetry.count("reloads_refused")
        if not preview:
            await _note(daemon, actor, "refused", mistakes=_mistakes(loaded.diagnostics))
        raise errors.ConfigurationError(loaded.diagnostics)
    new, old = loaded.revision, daemon.revision
    warnings = [one.as_json() for one in loaded.diagnostics if one.severity != "hint"]
    warnings += [one.as_json() for one in project.unreadable(new, daemon.base, os.environ)]
    known, file_keys = daemon.services.gate.keys, keys.of_files(daemon.base, new, os.environ)
    given = keys.changed(known, new, file_keys)
    if is_same(old, new) and not daemon.decider.evaluator.ended:
        idle = [] if preview else await keys.take(daemon.store, known, new, file_keys, actor)
        if not preview:
            await daemon.hosts.ask(old, daemon.controllers, daemon.files)
            warnings += daemon.hosts.told(old)
            await _note(daemon, actor, "unchanged", revision=new.id)
        return _answer(new, given, warnings + idle)
    warnings += [one.as_json() for one in status.needs_restart(daemon.started_with, new.settings)]
    new.found.inherit(old.found, new)
    made = standing.Standing(new, daemon.pause, new.settings.mode)
    prepared = await rules.evaluator(daemon.store, new, made, daemon.decider.evaluator.alerts)
    before, after = await rules.digests(daemon.decider.evaluator), await rules.digests(prepared)
    changed = await status.difference(old, new, before, after)
    held, holds_now = await asyncio.to_thread(holding.of, old), await asyncio.to_thread(holding.of, new)
    if settings := granting.difference({"settings": held["settings"]}, {"settings": holds_now["settings"]}):
        changed["settings"] = settings
    left = await daemon.telling.left(new)
    warnings += [one.as_json() for one in left]
    if preview:
        return _answer(new, changed | given | await voids(daemon, made, actor, write=False), warnings)
    controllers = rules.controllers(new, loaded.published, daemon.resolve)
    await daemon.hosts.ask(new, controllers, loaded.published)
    warnings += daemon.hosts.told(new)
    daemon.prepared = {new.id: (new, prepared)}
    # A row; if it cannot be written, nothing has changed.
    holds = keys.holds(new.directory, file_keys) | holds_now
    await daemon.use(new, actor, {"before": old.id, **changed}, holds)
    daemon.take(new, loaded.published, controllers)
    daemon.telling.use(new)
    for one in left:
        logger.warning("{}", one.message)
    daemon.dispatcher.wake()  # what is queued is held to the limits of today
    idle = keys.use(known, new, file_keys)
    changed |= await voids(daemon, made, actor, write=True)
    await rules.gather(daemon.intake, new, old)
    await daemon.supervisor.replace(rules.sources(new))
    logger.bind(revision=new.id, actor=actor).info("revision {} holds", new.short)
    return _answer(new, changed | given, warnings + idle)


async def logged(daemon: running.Daemon, actor: str) -> None:
    """A reload that nobody waits for the answer of: what went wrong is in the log, and the old set stays."""
    try:
        await daemon.reload(actor)
    except errors.HealerError as error:
        logger.error("reload refused: {}", error)
    except Exception as error:
        logger.opt(exception=error).error("reload failed: {}", error)


async def _note(daemon: running.Daemon, actor: str, state: str, **more: Any) -> None:
    """A reload that makes nothing hold is in the audit too."""
    await daemon.store.submit(notes.Note("reload", actor, state=state, **more))


def _mistakes(told: Sequence[errors.Diagnostic]) -> list[str]:
    """The first ones, without their texts: these quote the files."""
    return [f"{one.code} {one.place}" for one in told if one.severity == "error"][:MISTAKES_MAX]


def is_same(old: project.Revision, new: project.Revision) -> bool:
    """Whether nothing else would hold. Another commit of the same files may have other authors, whom approvals leave out."""
    return new.id == old.id and new.settings == old.settings and new.git == old.git


async def voids(daemon: running.Daemon, made: standing.Standing, actor: str, *, write: bool) -> dict[str, Any]:
    """The requests for a person's word that mean something else by the new files, also those that were approved and whose runs have not
    started; `write`: they end."""
    found: list[dict[str, Any]] = []
    for given in (False, True):
        after: str | None = ""
        while after is not None:
            unit = voiding.Void(made.of_run, after, write=write, given=given, actor=actor)
            piece: voiding.Found = await (daemon.store.insist(unit) if write else daemon.store.submit(unit))
            found += piece.items
            after = piece.last
    return {"approvals": {"void": [*dict.fromkeys(one["approval"] for one in found)]}} if found else {}


def _answer(new: project.Revision, changed: dict[str, Any], told: list[dict[str, object]]) -> dict[str, Any]:
    return {"revision": new.id, "short": new.short, "changed": changed, "diagnostics": told}
