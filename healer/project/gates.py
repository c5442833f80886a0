"""The gates' values for the runs of a revision: what its policies, catalog, rulebooks and defaults say together.

Caller: the daemon's standing, for each match and each look at a run that waits. Layers that do not depend on the run are made once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import model, policy
from healer.catalog import entries
from healer.policy import approvals, brakes, labels, limits, selecting
from healer.project import revision, settings
from healer.project.controllers import Controller

KNOWN_MAX: Final = 4096
"""So many different ones are kept: rules × policies that may select a run of theirs."""


class Gates:
    """Of one revision."""

    def __init__(self, held: revision.Revision) -> None:
        self._environment = held.settings.environment
        self._defaults = held.settings.defaults
        values = held.settings.defaults.run_action.layer()
        self._each = {key: values.pop(key) for key in ("rate_limit",) if key in values}
        self._shared = limits.Layer("default", values)
        self._policies = [_policy(one) for one in held.settings.policies]
        self._rules = _rules(held)
        self.inhibitions = tuple(
            labels.Inhibition(tuple(sorted(one.source.items())), tuple(sorted(one.target.items())), tuple(one.equal))
            for one in held.settings.inhibit
        )
        self.storm = storm_of(held.settings)
        self._known: dict[tuple[Any, ...], policy.Limits] = {}
        self._asking: dict[model.Impact, limits.Layer] = {}

    def catalog(
        self, entry: entries.Entry | None, controller: Controller | None, action: str, traits: selecting.Traits
    ) -> policy.Limits:
        """For an action of the catalog; `traits` say which policies select it."""
        selected = self._selected(_of(traits, controller))
        key = (action, controller.name if controller else "", entry is None, traits.rule, selected)
        if (found := self._known.get(key)) is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[key] = self._catalog(entry, controller, action, traits.rule, selected)
        return found

    def _catalog(
        self, entry: entries.Entry | None, controller: Controller | None, action: str, rule: str, selected: Sequence[int]
    ) -> policy.Limits:  # fmt: skip
        shipped = self._defaults.run_action.concurrency
        places = (controller and controller.concurrency) or shipped.controller
        if entry is not None and entry.concurrency is not None:
            places = min(places or entry.concurrency, entry.concurrency)
        base = policy.Limits(
            concurrency_daemon=shipped.daemon, concurrency_controller=places, chain_depth=self._defaults.run_action.chain_depth,
            rates=_rates(controller),
        )  # fmt: skip
        layers = self._layers(entry, action, rule, selected)
        return base.under(layers, self.defaults(layers, action, entry.impact if entry else "high"))

    def layers(
        self, entry: entries.Entry | None, controller: Controller | None, action: str, traits: selecting.Traits
    ) -> list[limits.Layer]:
        """All that names gates for such a run, but for the defaults and the controller."""
        return self._layers(entry, action, traits.rule, self._selected(_of(traits, controller)))

    def _layers(
        self, entry: entries.Entry | None, action: str, rule: str, selected: Sequence[int]
    ) -> list[limits.Layer]:
        own = [limits.Layer(f"action:{action}", entry.gates)] if entry is not None and entry.gates else []
        chosen = [limits.Layer(f"policy:{one.name}", one.values) for one in map(self._policies.__getitem__, selected)]
        return [self._excluding(one) for one in (*chosen, *own, *self._rules.get(rule, ()))]

    def _excluding(self, layer: limits.Layer) -> limits.Layer:
        """With whom the defaults exclude, where an approval does not say it."""
        asked = layer.values.get("approval")
        if not asked or asked["exclude"] is not None:
            return layer
        filled = {**asked, "exclude": tuple(self._defaults.run_action.approval_exclude)}
        return limits.Layer(layer.scope, {**layer.values, "approval": filled})

    def upstream(self, controller: Controller | None, traits: selecting.Traits) -> policy.Limits:
        """For ansible-rulebook's own actions: they act as they acted, but for what selects them."""
        base = policy.Limits(
            concurrency_daemon=self._defaults.upstream.concurrency.daemon,
            concurrency_controller=controller.concurrency if controller else None,
            timeout_s=revision.UPSTREAM_TIMEOUT_S,
            chain_depth=self._defaults.upstream.chain_depth,
            lock_targets=False,
            rates=_rates(controller),
        )
        base = dataclasses.replace(base, selected=bool(base.rates))
        layers = self.layers(None, controller, "", traits)
        return base.under(layers) if layers else base

    def defaults(self, layers: Sequence[limits.Layer], action: str, impact: model.Impact) -> list[limits.Layer]:
        """The defaults, whose rate is of each action by itself; their blast radius is one for all. Their approval hangs on the impact."""
        found = [self._shared, limits.Layer(f"default:{action}", self._each)]
        return found if any("approval" in one.values for one in layers) else [*found, self._asked(impact)]

    def _asked(self, impact: model.Impact) -> limits.Layer:
        """Who is asked where nothing says it."""
        if (found := self._asking.get(impact)) is None:
            asked = limits.Layer("default", self._defaults.run_action.approval_of(impact))
            found = self._asking[impact] = self._excluding(asked)
        return found

    @property
    def asks(self) -> tuple[limits.Approval, ...]:
        """Whose word counts where a gate asks for a person and nothing says whose: as the defaults have it for an action of high impact."""
        asked = limits.Layer("default", self._defaults.run_action.approval_of("high"))
        found = policy.Limits().under([self._excluding(asked)]).approvals
        exclude = tuple(self._defaults.run_action.approval_exclude)
        return found or tuple(dataclasses.replace(one, exclude=exclude) for one in approvals.SHIPPED)

    def _selected(self, traits: selecting.Traits) -> tuple[int, ...]:
        """The places of the policies that select such a run."""
        return tuple(place for place, one in enumerate(self._policies) if one.select.selects(traits))


def storm_of(of: settings.Settings) -> brakes.StormLimit | None:
    """What counts as a storm; None: nothing does."""
    storm = of.storm
    return brakes.StormLimit(storm.matches.count, storm.matches.within, storm.calm) if storm else None


def _of(traits: selecting.Traits, controller: Controller | None) -> selecting.Traits:
    """With the tags of the controller beside those of the action."""
    more = controller.tags if controller else ()
    return dataclasses.replace(traits, tags=(*traits.tags, *more)) if more else traits


def _rates(controller: Controller | None) -> tuple[limits.Rate, ...]:
    """The rate of a controller, one for all that it runs."""
    rate = controller.rate_limit if controller else None
    return (limits.Rate(f"controller:{controller.name}", rate.count, rate.within),) if controller and rate else ()


def _policy(written: Any) -> selecting.Policy:
    given: dict[str, Any] = {
        key: tuple(sorted(value.items())) if isinstance(value, Mapping) else tuple(value)
        for key, value in written.select.model_dump().items()
    }
    return selecting.Policy(written.name, selecting.Select(**given), written.layer())


def _rules(held: revision.Revision) -> dict[str, list[limits.Layer]]:
    """Rule → the layers of its ruleset and its own `policy:`."""
    found: dict[str, list[limits.Layer]] = {}
    for activation, ruleset in held.rulesets():
        name = f"{activation.name}/{ruleset.name}"
        for rule in ruleset.rules:
            said = (("ruleset", name, ruleset.policy), ("rule", f"{name}/{rule.name}", rule.policy))
            if layers := [limits.Layer(f"{kind}:{scope}", values) for kind, scope, values in said if values]:
                found[f"{name}/{rule.name}"] = layers
    return found
