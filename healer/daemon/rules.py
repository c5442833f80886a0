"""From a revision to rules at work: compiled rulesets with their routes, and the controllers that the revision names."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import itertools
import pathlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final

from loguru import logger

from healer import engine, errors, intake, model, plugins, project, store, supervise
from healer.decide import acting, alerts, evaluating, firing
from healer.project import listeners

CLOSE_S: Final = 5.0
"""A controller has so long for its `close`."""
SLICE_S: Final = 0.002
"""As `project.child.SLICE_S`, and for its reason."""
TRIED_MAX: Final = 10
"""So many hosts of its inventory a controller may try in its `check`."""
Resolve = Callable[[plugins.SecretRef], model.Secret]


@contextlib.asynccontextmanager
async def no_collecting() -> AsyncIterator[None]:
    """Rules live long: a full collection over what is being compiled would stop the loop, and later ones need not look at it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def evaluator(
    opened: store.Store, revision: project.Revision, standing: project.Standing, known: alerts.Alerts
) -> evaluating.Evaluator:
    """The revision's rules, empty, compiled in slices so that a reload never holds the loop."""
    running = []
    started = time.monotonic()
    for activation, ruleset in revision.rulesets():
        work = engine.compile_in_slices(ruleset)
        while True:
            try:
                next(work)
            except StopIteration as done:
                anew = activation.restart == "always"
                compiled = dataclasses.replace(done.value, facts_max=revision.settings.facts_max)
                running.append(evaluating.Running(activation.name, compiled, activation.variables, anew=anew))
                break
            if time.monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = time.monotonic()
    sources = revision.sources.values()
    ttl_us = {one.name: round(one.alert_ttl_s * 1_000_000) for one in sources if one.alert_ttl_s is not None}
    types = {one.name: one.type for one in sources}
    shown = {one.name: one.shown for one in sources if one.shown}
    shown_to = {one.name: one.shown_to for one in sources if one.shown_to}
    made = evaluating.Evaluator(
        opened.uid,
        running,
        revision.routes(),
        known,
        acting.Actor(revision, standing, say),
        ttl_us,
        types,
        shown,
        shown_to,
        standing.inhibitions,
        revision.settings.alerts_max,
    )
    for _ in made.index_in_slices():
        if time.monotonic() - started > SLICE_S:
            await asyncio.sleep(0)
            started = time.monotonic()
    return made


async def digests(of: evaluating.Evaluator) -> dict[str, str]:
    """Rule (`activation/ruleset/rule`) → digest of what it means; in slices."""
    found: dict[str, str] = {}
    started = time.monotonic()
    for one in of.running.values():
        for made in one.session.compiled.live:
            found[f"{one.name}/{made.rule.name}"] = made.digest
            if time.monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = time.monotonic()
    return found


def _again(revision: project.Revision, source: project.Source) -> str:
    """When a source is started again: as its activations say, the most lasting one of them."""
    wanted = {one.restart for one in revision.activations if any(name == one.name for name, _ in source.subscribers)}
    return (
        next((word for word in ("always", "on_failure", "never") if word in wanted), "on_failure")
        if not source.shared
        else "on_failure"
    )


async def gather(taking: intake.Intake, revision: project.Revision, before: project.Revision | None) -> None:
    """Have the facts of hosts gathered for the activations that ask, and that were not on as they are now `before`."""
    known = before.activations if before is not None else ()
    for one in revision.activations:
        if one.gathering is not None and one not in known:
            source = firing.inner_source(f"{one.name}/{one.gathering.name}")
            await taking.take(source, [({"gather": True}, None)], actor="daemon")


def say(level: str, message: str, fields: Mapping[str, Any]) -> None:
    """What an action tells people goes to the log."""
    logger.bind(**fields).log(level, "{}", message)


def controllers(revision: project.Revision, files: pathlib.Path, resolve: Resolve) -> dict[str, plugins.Controller]:
    """An instance of each controller. Their options were checked when the revision was made."""
    made: dict[str, plugins.Controller] = {}

    def reach(text: str) -> tuple[plugins.Controller, model.Target]:
        name, target = revision.machine(text)
        return made[name], target

    for name, spec in revision.controllers.items():
        found = plugins.find("controllers", spec.type, files)
        plugin: Any = getattr(found, "CONTROLLER", found)
        subjects = tuple(
            entry.subject for entry in revision.catalog.entries.values()
            if name == (entry.controller or revision.default_controller) and entry.kind in spec.kinds
        )  # fmt: skip
        context = plugins.ControllerContext(name, resolve, _log(name), files, subjects, reach, _tried(revision, name))
        made[name] = _made(name, plugin, spec, context)
    return made


def _made(name: str, plugin: Any, spec: project.Controller, context: plugins.ControllerContext) -> plugins.Controller:
    try:
        made: plugins.Controller = plugins.called(plugin, plugin.Options.model_validate(dict(spec.options)), context)
    except errors.HealerError:
        raise
    except Exception as error:  # a stranger's code
        where, reason = f"type {spec.type}", plugins.raised(error)
        raise plugins.BrokenPlugin(what="controller", name=name, where=where, reason=reason) from error
    return made


def _tried(revision: project.Revision, name: str) -> Callable[[], tuple[model.Target, ...]]:
    """The hosts that a check of the controller may try: never one that its `targets` forbid, nor one that nobody connects to."""

    def first() -> tuple[model.Target, ...]:
        found = (revision.resolve_target(name, host) for host in sorted(revision.hosts(name).hosts))
        hosts = (one for one in found if isinstance(one, model.Target) and one.kind == "host" and not one.local)
        allowed = (one for one in hosts if not any(why.target for why in revision.forbidden(name, "", "", [one])))
        return tuple(itertools.islice(allowed, TRIED_MAX))

    return first


def controller(kind: str, files: pathlib.Path, resolve: Resolve) -> plugins.Controller:
    """One of a type as if the project had it without options."""
    found = plugins.find("controllers", kind, files)
    plugin: Any = getattr(found, "CONTROLLER", found)
    made: plugins.Controller = plugin(plugin.Options(), plugins.ControllerContext(kind, resolve, _log(kind), files))
    return made


async def close(made: Iterable[plugins.Controller]) -> None:
    """At a stop, also of those that a reload has replaced: end what they hold open. One that cannot be closed is told of, and left."""

    async def one(controller: plugins.Controller) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                await plugins.within(controller.close)
        except Exception as error:  # noqa: BLE001 - a stranger's code, and a stop ends the process all the same
            logger.bind(controller=controller.context.name).warning(
                "it was not closed: {}", str(error) or type(error).__name__
            )

    await asyncio.gather(*map(one, made))


def _log(name: str) -> Callable[[str, str], None]:
    return lambda level, message: logger.bind(controller=name).log(level, "{}", message)


def sources(revision: project.Revision, ended: frozenset[str] = frozenset()) -> list[supervise.Running]:
    """What the supervisor is to keep alive, push sources included (it only watches whether they are silent).

    Nothing is kept alive for activations that have `ended`.
    """
    return [
        supervise.Running(
            key=one.name, type=one.type, args=dict(one.args), filters=tuple((name, dict(args)) for name, args in one.filters),
            code=one.code, push=one.kind == "push", max_quiet_s=one.max_quiet_s, env=dict(one.env),
            again=_again(revision, one), listens=one.kind == "eda" and bool(listeners.of(one.type, one.args).port),
        )
        for one in revision.sources_without(ended).values()
    ]  # fmt: skip
