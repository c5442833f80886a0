"""Which gates hold for an action of a rule: asked of what the daemon decides by (`project.Gates`), never worked out a second time.

What is known before an event comes counts: environment, rule, action, its impact and tags, the source. A policy that selects by severity,
labels or targets is not taken as one that holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from healer import catalog, engine, policy, project, templates
from healer.lint.scope import Scope
from healer.policy import selecting


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """An action of a rule for the events of one source (None: of any). `entry`: of the catalog, where it is one of that."""

    rule: engine.Rule
    action: engine.Action
    name: str
    entry: catalog.Entry | None
    controller: project.Controller | None
    source: project.Source | None
    traits: selecting.Traits
    gates: project.Gates
    default_verify: bool

    @property
    def limits(self) -> policy.Limits:
        """What holds; worked out when it is asked for, as most never are."""
        if self.entry is None:
            return self.gates.upstream(self.controller, self.traits)
        return self.gates.catalog(self.entry, self.controller, self.name, self.traits)

    @property
    def shown(self) -> str:
        """The action in a message."""
        return f"the action {self.name!r}" if self.entry is not None else self.name

    @property
    def verified(self) -> bool:
        """Whether something looks if it helped."""
        if self.entry is None:
            return False
        if self.entry.verify is not None:
            return bool(self.entry.verify)
        return self.default_verify


class Where(NamedTuple):
    """A ruleset, and the sources that it listens to."""

    activation: project.Activation
    ruleset: engine.Ruleset
    sources: Sequence[project.Source]

    @property
    def name(self) -> str:
        """`activation/ruleset`"""
        return f"{self.activation.name}/{self.ruleset.name}"


class Holding:
    """Of one revision."""

    def __init__(self, held: project.Revision) -> None:
        self._revision = held
        self._gates = project.Gates(held)
        self._of: Scope | None = None
        self._made: dict[tuple[int, int], tuple[Held, ...]] = {}

    def of(self, scope: Scope, rule: engine.Rule, action: engine.Action) -> Sequence[Held]:
        """What holds, for each source of the ruleset; nothing of an action without an effect, or of which the name is known later."""
        if self._of is not scope:
            self._of, self._made = scope, {}
        key = (rule.index, action.index)
        if (found := self._made.get(key)) is None:
            found = self._made[key] = tuple(self._each(scope, rule, action))
        return found

    def _each(self, scope: Scope, rule: engine.Rule, action: engine.Action) -> Iterator[Held]:
        named = action.args.get("name")
        if action.name not in project.EFFECTFUL or not isinstance(named, str) or templates.is_template(named):
            return
        view = scope.held.under(scope.activation.inventory)
        entry = view.catalog.entries.get(named) if action.name == "run_action" else None
        if action.name != "run_action" or entry is not None:
            where = Where(scope.activation, scope.ruleset, scope.sources)
            yield from self.under(view, where, rule, action, named, entry)

    def under(
        self, view: project.Revision, where: Where, rule: engine.Rule, action: engine.Action, named: str, entry: catalog.Entry | None
    ) -> Iterator[Held]:  # fmt: skip
        """What holds for an action of that name, for each source of its ruleset."""
        controller = view.controllers.get(self._controller(view, action, entry))
        words = (named,) if entry is not None else (action.name, f"{action.name} {named}")
        none: list[project.Source | None] = [None]
        for source in where.sources or none:
            traits = selecting.Traits(
                view.settings.environment, f"{where.name}/{rule.name}", words, entry.impact if entry else "high",
                entry.tags if entry else (), source.name if source else "", "unknown", (), frozenset(),
                {"source": source.name} if source else {}, (where.activation.name, where.ruleset.name, rule.name),
            )  # fmt: skip
            shown = named if entry is not None else f"{action.name} {named}"
            yield Held(rule, action, shown, entry, controller, source, traits, self._gates, self._default(source))

    def _controller(self, view: project.Revision, action: engine.Action, entry: catalog.Entry | None) -> str:
        if entry is None:
            return view.controller_for(project.UPSTREAM[action.name])
        given = action.args.get("controller")
        return given if isinstance(given, str) and given else entry.controller or view.default_controller

    def _default(self, source: project.Source | None) -> bool:
        """Whether the defaults look if an action helped: by an action or check, or by the alert's end where the source tells it."""
        wanted = self._revision.settings.defaults.run_action.verify
        if wanted is None:
            return False
        return bool(wanted.action or wanted.check) or (source is not None and source.resolves)
