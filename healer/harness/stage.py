"""What cases have in common, made once: the rules compiled, what holds for their runs, and a store that has just started with them.

Callers: `harness`, which keeps stages by what makes them differ (`Wanted`), and `rig`, whose cases each begin on a copy. The evaluator,
the standing and the rows are the production's, made as `daemon.running` makes them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from healer import config, decide, errors, inventory, project, rulebook, store
from healer.daemon import rules, standing
from healer.decide import acting, alerts, evaluating
from healer.harness import hearing, shapes, virtual
from healer.project import found
from healer.store import deciding, image, notes

NOWHERE: Final = pathlib.Path("/nonexistent/healer-test")
GROUPS_OF_ALL: Final = ("all", "ungrouped")


class WrongVariables(errors.ConfigurationError):
    """{count} in the rulebook with the variables of the test"""


class Pauses(standing.PauseFile):
    """The kill switch of a case: what people pause by command, and no file."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)

    def __call__(self) -> None:
        """There is no file."""
        return


@dataclasses.dataclass(slots=True)
class Rules:
    """The rules of some files under some variables and settings, compiled, and the store as it is once they hold. All is shared."""

    revision: project.Revision
    evaluator: evaluating.Evaluator
    number: int
    position: int
    started: image.Nested
    """What cases begin on, one after the other."""


@dataclasses.dataclass(slots=True)
class Stage:
    """Rules over an inventory, for as many cases as want them, one after the other."""

    rules: Rules
    revision: project.Revision
    pause: Pauses
    standing: standing.Standing
    actor: acting.Actor
    sources: Mapping[str, str]
    """What people call each source → its name."""

    def evaluator(self) -> evaluating.Evaluator:
        """The rules with an empty memory, for one case."""
        made = self.rules.evaluator.alone(self.rules.evaluator.running)
        made.alerts, made.acting = alerts.Alerts(), self.actor
        return made


def of(rules_: Rules, hosts: Mapping[str, Sequence[str]] | None) -> Stage:
    """A stage. `hosts`: group → hosts, in the place of every inventory of the project; None: those count."""
    revision = rules_.revision if hosts is None else over(rules_.revision, hosts)
    pause = Pauses()
    held = standing.Standing(revision, pause, revision.settings.mode)
    sources = hearing.known(revision, {one.name for one in revision.activations})
    return Stage(rules_, revision, pause, held, acting.Actor(revision, held, _unsaid), sources)


def _unsaid(_level: str, _message: str, _fields: Mapping[str, Any]) -> None:
    """What an action tells people goes to nobody."""


def over(revision: project.Revision, hosts: Mapping[str, Sequence[str]]) -> project.Revision:
    """The revision with these hosts and no others. Raises ValueError for what no inventory can have."""
    groups: dict[str, Any] = {
        name: {"hosts": dict.fromkeys(names)} for name, names in hosts.items() if name not in GROUPS_OF_ALL
    }
    loose = [one for name in GROUPS_OF_ALL for one in hosts.get(name, ())]
    text = yaml.safe_dump({"all": {"hosts": dict.fromkeys(loose), "children": groups}})
    read, told = inventory.parse({"inventory.yml": text}, "inventory.yml")
    if wrong := [one for one in told if one.severity == "error"]:
        raise ValueError(wrong[0].message)
    paths = {spec.inventory for spec in revision.controllers.values()} | {one.inventory for one in revision.activations}
    answers = found.Found()
    answers.inventories = dict.fromkeys(paths, read)
    return dataclasses.replace(revision, found=answers)


# --- rules ----------------------------------------------------------------------------------------------------------------


def narrowed(
    revision: project.Revision, file: str, variables: Mapping[str, Any], settings: Mapping[str, Any]
) -> project.Revision:
    """The revision with the activations of one rulebook alone ('': all), with variables over theirs, and settings over its own.

    Raises `WrongVariables` where the rulebook does not hold together with these.
    """
    kept = [one for one in revision.activations if not file or one.file == file]
    names = {one.name for one in kept}
    if variables:
        kept = [_with(revision, one, variables) for one in kept]
    sources = {
        name: dataclasses.replace(one, subscribers=tuple(by for by in one.subscribers if by[0] in names))
        for name, one in revision.sources.items()
    }  # fmt: skip
    given = shapes.Settings.model_validate(settings)
    changes = {"mode": given.mode} | {name: getattr(given, name) for name in given.model_fields_set}
    made = revision.settings.model_copy(update=changes)
    return dataclasses.replace(revision, activations=tuple(kept), sources=sources, settings=made)


def _with(revision: project.Revision, one: project.Activation, variables: Mapping[str, Any]) -> project.Activation:
    if one.hidden:
        return one
    document = config.read_file(revision.project_dir / one.file, one.file, twice="warning")
    merged = {**one.variables, **variables}
    made = rulebook.parse(document, merged)
    if not document.ok:
        raise WrongVariables([found for found in document.diagnostics if found.severity == "error"])
    return dataclasses.replace(one, rulesets=tuple(made), variables=merged)


def prepared(revision: project.Revision) -> Rules:
    """Compile the rules, and bring a store to where they hold, at the beginning of time."""
    loop = virtual.Loop(virtual.Clock(0))
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_prepared(revision))
    finally:
        asyncio.set_event_loop(None)
        loop.bury()


async def _prepared(revision: project.Revision) -> Rules:
    held = standing.Standing(revision, Pauses(), revision.settings.mode)
    opened = store.Store.open(
        None, _at_first, loop=None, environment=revision.settings.environment, memory=image.fresh()
    )
    await opened.submit(notes.Start("daemon", storm=revision.settings.storm is not None, version="test", epoch=1))
    evaluator = await rules.evaluator(opened, revision, held, alerts.Alerts())
    git = "" if revision.git is None else str(revision.git)
    using = deciding.UseRevision(
        revision.id, git, "daemon", {}, held.inhibitions, None, revision.settings.storm is not None
    )  # fmt: skip
    row, number = await opened.submit(using)

    async def use(_id: str, _old: evaluating.Evaluator) -> decide.Used:
        return decide.Used(evaluator, number, held.of_run)

    async def tick() -> None:
        """None is due."""

    decider = decide.Decider(
        opened, evaluating.without_rules(opened.uid, alerts.Alerts()), number, held.of_run, position=0, clock=_at_first,
        on_decided=_unheard, tick=tick, use=use, monotonic=_zero,
    )  # fmt: skip
    decider.tail.committed = row.seq
    await decider.next_rows()
    await decider.drain_snapshot()
    connection = opened.writer.tx.connection
    connection.execute("UPDATE instance SET uid = ?", (UID,))
    return Rules(revision, _renamed(evaluator), number, row.seq, image.Nested(connection))


UID: Final = "7e57" * 8
"""Of every store here, so that each test says the same each time."""


def _renamed(of_: evaluating.Evaluator) -> evaluating.Evaluator:
    of_.uid = UID
    return of_


def _at_first() -> int:
    return 0


def _zero() -> float:
    return 0.0


def _unheard(_decided: deciding.Decided) -> None:
    """Nobody is told."""
