"""What a test names has to be there: rules, actions, people, sources, hosts. Caller: `suite`.

All mistakes at once, each where it stands, with the nearest name that there is.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import config, engine, errors, model, project
from healer.harness import fixtures, hearing, hosting, shapes
from healer.policy import labels, reasons
from healer.store import following

Path = Sequence[str | int]
Tell = Callable[[str, str, Path, str], None]
"""(code, message, path in the test, what to do)"""
OTHER_REASONS: Final = ("unverified", "verified", "not_verified")
"""Of runs that have ended."""
STATES: Final = ("open", "approved", "rejected", "expired", "void", "withdrawn", "cancelled")
"""Of requests."""
OUTCOMES: Final = ("done", *typing.get_args(model.RunState))
"""Of decisions."""


class Project:
    """What there is in the project that a file of tests may name. `rulebook`: the file under test, '' for all."""

    def __init__(self, revision: project.Revision, rulebook: str, known: fixtures.Fixtures) -> None:
        self.revision = revision
        self.fixtures = known
        self.rulesets = [(one, ruleset) for one, ruleset in revision.rulesets() if not rulebook or one.file == rulebook]
        self.rules = [
            f"{one.name}/{ruleset.name}/{rule.name}" for one, ruleset in self.rulesets for rule in ruleset.rules
        ]
        self.actions = {*revision.catalog.entries, *_upstream(ruleset for _, ruleset in self.rulesets)}
        names = {one.name for one, _ in self.rulesets}
        self.sources = hearing.known(revision, names)
        self.people = sorted(revision.directory.people)
        self.hosts = hosting.of(revision)
        """What targets may be; None where that is not known."""

    def beside(self, inventory: Mapping[str, Collection[str]] | None) -> Project:
        """The same for a test with an inventory of its own."""
        if inventory is None:
            return self
        made = copy.copy(self)
        made.hosts = hosting.listed(self.revision, inventory)
        return made


def _upstream(rulesets: Iterable[engine.Ruleset]) -> Iterator[str]:
    """The names of ansible-rulebook's own actions in rules, as runs have them."""
    for ruleset in rulesets:
        for rule in ruleset.rules:
            for action in rule.actions:
                if action.name in project.UPSTREAM:
                    yield f"{action.name} {action.args.get('name', '')}"


def meant(identity: str, wanted: str) -> bool:
    """Whether a rule (`activation/ruleset/rule`) is the one that a test names: whole, or by its last parts."""
    return identity == wanted or identity.endswith("/" + wanted)


def check(known: Project, test: shapes.Test, tell: Tell) -> None:
    """Tell every mistake of a test."""
    known = known.beside(test.inventory)
    for number, step in enumerate(test.steps):
        _step(known, step, ("steps", number), tell)
    for number, one in enumerate(test.expect):
        for kind in shapes.EXPECTED:
            for item, wanted in enumerate(getattr(one, kind) or ()):
                _wanted(known, wanted, ("expect", number, kind, item), tell)


def _step(known: Project, step: shapes.Step, path: Path, tell: Tell) -> None:
    if step.outcome is not None:
        _among(known.actions, step.outcome.action, "action", (*path, "outcome", "action"), tell)
        for name, at in (
            (step.outcome.target, ("target",)),
            *((one, ("per_target", one)) for one in step.outcome.per_target),
        ):
            _target(known, name, (*path, "outcome", *at), tell)
    for word in ("approve", "reject"):
        review: shapes.Review | None = getattr(step, word)
        if review is not None:
            if review.rule is not None:
                _rule(known, review.rule, (*path, word, "rule"), tell)
            if review.action is not None:
                _among(known.actions, review.action, "action", (*path, word, "action"), tell)
    _people(known, step, path, tell)
    if step.silence is not None:
        for number, text in enumerate(step.silence.matchers):
            try:
                labels.parse(text)
            except ValueError as error:
                tell("matcher", str(error), (*path, "silence", "matchers", number), "as healer silence add takes them")
    if step.source is not None and step.source not in known.sources:
        near = errors.nearest(step.source, known.sources) or f"known: {', '.join(sorted(known.sources)) or 'none'}"
        tell(
            "unknown-source",
            f"nothing under test listens to the source {config.shown(step.source)}",
            (*path, "source"),
            near,
        )
    elif step.event is not None and step.source is None and hearing.default(known.sources) is None:
        there = ", ".join(sorted(known.sources))
        said = (
            f"source: one of {there} is wanted, as several are listened to"
            if there
            else "nothing under test listens to any source"
        )
        tell("unknown-source", said, (*path, "event"), "source: … beside the event")
    if step.ruleset is not None:
        _among({name for one, ruleset in known.rulesets for name in (ruleset.name, f"{one.name}/{ruleset.name}")}, step.ruleset, "ruleset",
               (*path, "ruleset"), tell)  # fmt: skip


def _people(known: Project, step: shapes.Step, path: Path, tell: Tell) -> None:
    for at in ((), ("approve",), ("reject",), ("silence",), ("pause",), ("resume",)):
        holder: Any = getattr(step, at[0]) if at else step
        if holder is not None and holder.by is not None:
            _among(known.people, holder.by, "principal of healer.yaml", (*path, *at, "by"), tell)


def _wanted(known: Project, wanted: Any, path: Path, tell: Tell) -> None:
    if isinstance(wanted, str):  # of `fired`
        _rule(known, wanted, path, tell)
        return
    if isinstance(wanted, Mapping):  # of `facts`
        return
    if getattr(wanted, "rule", None) is not None:
        _rule(known, wanted.rule, (*path, "rule"), tell)
    if isinstance(wanted, shapes.Run | shapes.Approval) and wanted.action is not None:
        _among(known.actions, wanted.action, "action", (*path, "action"), tell)
    if isinstance(wanted, shapes.Run):
        if wanted.controller is not None:
            _among(
                known.revision.controllers,
                wanted.controller,
                "controller",
                (*path, "controller"),
                tell,
                "unknown_controller",
            )
        _parameters(known, wanted, path, tell)
    for key, words in (("outcome", OUTCOMES), ("state", STATES)):
        _word(getattr(wanted, key, None), words, f"no {key} is called", (*path, key), tell)
    if isinstance(wanted, shapes.Run | shapes.Approval) and wanted.target is not None and wanted.targets is not None:
        tell(
            "twice",
            "target and targets say the same: one of them is wanted",
            (*path, "targets"),
            "leave one of them out",
        )
    reason = getattr(wanted, "reason", None)
    if (
        reason is not None
        and reason not in reasons.REASONS
        and reason not in OTHER_REASONS
        and reason != following.NO_SIGN
    ):
        near = errors.nearest(reason, (*reasons.REASONS, *OTHER_REASONS)) or "docs/gates.md lists them"
        tell("unknown-reason", f"there is no reason code {config.shown(reason)}", (*path, "reason"), near)


def _word(word: str | None, known: Collection[str], what: str, path: Path, tell: Tell) -> None:
    if word is not None and word not in known:
        near = errors.nearest(word, known) or f"one of: {', '.join(known)}"
        tell("unknown-word", f"{what} {config.shown(word)}", path, near)


def _parameters(known: Project, wanted: shapes.Run, path: Path, tell: Tell) -> None:
    """Parameters that the action, where it is named and of the catalog, does not declare."""
    entry = known.revision.catalog.entries.get(wanted.action or "")
    for name in wanted.parameters or () if entry is not None else ():
        if entry is not None and name not in entry.parameters:
            near = errors.nearest(name, entry.parameters) or f"it has: {', '.join(entry.parameters) or 'none'}"
            said = f"the action {entry.name!r} declares no parameter {config.shown(name)}"
            tell("unknown-parameter", said, (*path, "parameters", name), near)


def _target(known: Project, name: str | None, path: Path, tell: Tell) -> None:
    """A host that none of the controllers knows; where one may know more than is known here, nothing is said."""
    if name is None or (found := known.hosts) is None or found.may_be(name):
        return
    near = errors.nearest(name, found.names) or "a host as the inventory names it"
    tell("unknown_target", f"no inventory has {config.shown(name)}", path, near)


def _rule(known: Project, name: str, path: Path, tell: Tell) -> None:
    if not any(meant(one, name) for one in known.rules):
        near = errors.nearest(name, [*(one.rpartition("/")[2] for one in known.rules), *known.rules])
        near = near or f"there are: {', '.join(known.rules[:10]) or 'none'}"
        tell("unknown-rule", f"no rule under test is named {config.shown(name)}", path, near)


def _among(known: Collection[str], name: str, what: str, path: Path, tell: Tell, code: str = "") -> None:
    if name not in known:
        near = errors.nearest(name, known) or f"known: {', '.join(sorted(known)[:10]) or 'none'}"
        tell(code or f"unknown-{what.partition(' ')[0]}", f"no {what} is named {config.shown(name)}", path, near)
