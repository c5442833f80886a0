"""Which values of the gates hold for a run, and where each comes from; and the values that ship. Offline: of a checked project.

Caller: `healer policy show`. The layers are those that the daemon takes (`project.Gates`): of single values the strictest holds, brakes
all hold, and the defaults fill what nothing else names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, errors, inventory, model, project
from healer.explain import wordings
from healer.policy import limits, selecting
from healer.project import revision, settings, shipped

SHIPPED: Final = "shipped"
ALIKE_MAX: Final = 10
COMMENTS: Final = {
    "mode": "`healer init` writes `mode: observe`",
    "environment": "a label on decisions and audit; `select: {environment: [prod]}`",
    "run_action": "run_action and /webhook",
    "max_age": "since received, for the first decision",
    "defer_for": "how long a still firing alert may wait for a gate",
    "settle": "wait so long whether it resolves by itself",
    "attempts": "per firing; not the action's own `retries`",
    "cooldown": "per action and target, from the end of the last run",
    "rate_limit": "per action",
    "blast_radius": "`or`: where no group is known",
    "verify": "of alerts whose sender resolves them",
    "approval": "impact: high → {any: [{name: one approver, roles: [approver], approve: 1, reject: 1}]}",
    "approval_exclude": "may add: author",
    "upstream": "run_playbook, run_module, run_job_template …: as they ran before",
}
"""What is said beside a value."""
_ORDER: Final = (
    "max_age", "defer_for", "settle", "attempts", "cooldown", "rate_limit", "breaker", "blast_radius", "flapping", "windows", "timeout",
    "concurrency", "verify", "approval", "approval_expires", "approval_exclude", "chain_depth",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A run as it is asked about. `action`: of the catalog, or `run_playbook` and the like; '' for what is not said."""

    action: str
    target: str = ""
    rule: str = ""
    source: str = ""
    severity: str = "unknown"
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """One value of a gate that holds, and where it comes from: `origin` in words, `place` as `file:line` ('' where it ships)."""

    gate: str
    value: Any
    origin: str
    place: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs: the value as it is written too."""
        return {"gate": self.gate, "value": self.value, "written": wordings.value(self.gate, self.value), "from": self.origin,
                "place": self.place or None}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What holds for a run: the run as it is meant, and the values by gate."""

    action: str
    target: str
    rule: str
    controller: str
    values: tuple[Value, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        about = {
            "action": self.action,
            "target": self.target or None,
            "rule": self.rule or None,
            "controller": self.controller,
        }
        return about | {"values": [one.as_json() for one in self.values]}


def of(held: project.Revision, asked: Asked) -> Shown:
    """What holds for such a run. Raises `errors.UnknownAction`, `errors.UnknownTarget`, `errors.NotFound`."""
    rule, names = _rule(held, asked.rule)
    activation = next((one for one in held.activations if names and one.name == names[0]), None)
    view = held.under(activation.inventory) if activation is not None else held
    kind = asked.action.partition(" ")[0]
    entry = held.catalog.entries.get(asked.action)
    if entry is None and kind not in project.UPSTREAM:
        known = [*held.catalog.entries, *project.UPSTREAM]
        raise errors.UnknownAction(errors.nearest(asked.action, known) or "healer validate", action=asked.action[:200])
    controller = (entry.controller if entry else "") or _controller(held, kind, entry)
    target = _target(view, controller, asked.target)
    traits = selecting.Traits(
        held.settings.environment, rule, (asked.action,) if entry else tuple(dict.fromkeys((kind, asked.action))),
        entry.impact if entry else "high", entry.tags if entry else (), asked.source, asked.severity,
        (str(target),) if target else (), frozenset(target.groups if target else ()), {"source": asked.source, **asked.labels}, names,
    )  # fmt: skip
    gates = project.Gates(held)
    layers = gates.layers(entry, held.controllers.get(controller), asked.action if entry else "", traits)
    places = _Places(held, entry, rule)
    values = [*_strict(layers, places), *_braked(layers, places)]
    named = {key for layer in layers for key in layer.values}
    values += _by_default(gates.defaults(layers, asked.action, entry.impact), named, places) if entry else []
    values += _others(held, entry, controller, places, named)
    made = sorted(
        values, key=lambda one: _ORDER.index(one.gate.partition(".")[0]) if one.gate.partition(".")[0] in _ORDER else 99
    )
    return Shown(asked.action, str(target or ""), rule, controller, tuple(made))


# --- what a run is ----------------------------------------------------------------------------------------------------------


def _rule(held: project.Revision, asked: str) -> tuple[str, tuple[str, str, str] | None]:
    """The identity of a rule and its names; also by its end, where only one ends so."""
    known = {
        f"{one.name}/{ruleset.name}/{rule.name}": (one.name, ruleset.name, rule.name)
        for one, ruleset in held.rulesets() for rule in ruleset.rules
    }  # fmt: skip
    if not asked or asked in known:
        return asked, known.get(asked)
    alike = [one for one in known if one.endswith(f"/{asked}")]
    if len(alike) == 1:
        return alike[0], known[alike[0]]
    try_ = "one of: " + ", ".join(alike[:ALIKE_MAX]) if alike else errors.nearest(asked, known)
    raise errors.NotFound(try_, what=f"{'one' if alike else 'the'} rule {asked[:200]!r}")


def _controller(held: project.Revision, kind: str, entry: Any) -> str:
    return held.default_controller if entry else held.controller_for(project.UPSTREAM[kind])


def _target(view: project.Revision, controller: str, asked: str) -> model.Target | None:
    if not asked:
        return None
    found = view.resolve_target(controller, asked)
    if isinstance(found, inventory.Refusal):
        try_ = found.nearest or "inventory/ has the hosts"
        raise errors.UnknownTarget(try_, target=asked[:200], inventory=view.inventory_name(controller))
    return found


# --- where values come from -------------------------------------------------------------------------------------------------


class _Places:
    """Where the files of a project say what."""

    def __init__(self, held: project.Revision, entry: Any, rule: str) -> None:
        self._held = held
        self._entry = entry
        self._rule = rule
        self._settings = ""
        self._written: Any = None
        for name in ("healer.yaml", "healer.yml"):
            if name in held.files and (held.project_dir / name).is_file():
                self._settings, self._written = name, config.read_file(held.project_dir / name, name).value

    def of(self, scope: str, key: str) -> tuple[str, str]:
        """(in words, file:line) of what a layer says of a gate."""
        kind, _, name = scope.partition(":")
        key = "approval" if key == "approval_expires" else key
        if kind == "policy":
            return f"policy {name}", self._policy(name, key)
        if kind == "action":
            return f"action {name}", str(dataclasses.replace(self._entry.place, column=0))
        for activation, ruleset in self._held.rulesets():
            for rule in ruleset.rules:
                if f"{activation.name}/{ruleset.name}/{rule.name}" == self._rule:
                    place = rule.place if kind == "rule" else ruleset.place
                    return f"{kind} {name}", str(dataclasses.replace(place, column=0))
        return f"{kind} {name}", ""

    def setting(self, *path: str) -> str:
        """file:line of a setting, '' where the file does not name it."""
        at = self._written
        for depth, name in enumerate(path):
            if not isinstance(at, config.Map) or name not in at:
                return ""
            if depth == len(path) - 1:
                return f"{self._settings}:{at.keys_at[name][0]}"
            at = at[name]
        return ""

    def default(self, *path: str) -> tuple[str, str]:
        """As `of`, of a value below `defaults`."""
        place = self.setting("defaults", *path)
        return ("defaults", place) if place else (f"defaults ({SHIPPED})", "")

    def _policy(self, name: str, key: str) -> str:
        found = self._written.get("policies") if isinstance(self._written, config.Map) else None
        for one in found if isinstance(found, config.Seq) else ():
            if isinstance(one, config.Map) and one.get("name") == name and key in one:
                return f"{self._settings}:{one.keys_at[key][0]}"
        return ""


def _strict(layers: list[limits.Layer], places: _Places) -> Iterator[Value]:
    """Of single values the strictest, from each that says it."""
    for key, stricter in limits.STRICTER.items():
        given = [(layer, layer.values[key]) for layer in layers if layer.values.get(key) is not None]
        if given:
            holds = stricter([value for _, value in given])
            yield from (Value(key, value, *places.of(layer.scope, key)) for layer, value in given if value == holds)


def _braked(layers: list[limits.Layer], places: _Places) -> Iterator[Value]:
    """Brakes, which all hold."""
    for layer in layers:
        for key, value in layer.values.items():
            if key not in limits.STRICTER and value is not None:
                yield Value(key, value, *places.of(layer.scope, key))


def _by_default(layers: list[limits.Layer], named: set[str], places: _Places) -> Iterator[Value]:
    """What nothing else names."""
    rest = [limits.Layer(one.scope, {key: one.values[key] for key in one.values if key not in named}) for one in layers]
    for one in (*_strict(rest, places), *_braked(rest, places)):
        origin, place = places.default("run_action", one.gate)
        yield dataclasses.replace(one, origin=origin, place=place)


def _others(
    held: project.Revision, entry: Any, controller: str, places: _Places, named: set[str]
) -> Iterator[Value]:  # fmt: skip
    """Places of the daemon and of the controller, the depth of chains, how it is seen whether it helped."""
    spec, name = held.controllers.get(controller), "run_action" if entry else "upstream"
    ours: Any = held.settings.defaults.run_action if entry else held.settings.defaults.upstream
    yield Value("concurrency.daemon", ours.concurrency.daemon, *places.default(name, "concurrency", "daemon"))
    if spec is not None and spec.concurrency is not None:
        yield Value(
            "concurrency.controller",
            spec.concurrency,
            f"controller {controller}",
            str(dataclasses.replace(spec.place, column=0)),
        )
    if spec is not None and spec.rate_limit is not None:
        at = str(dataclasses.replace(spec.place, column=0))
        yield Value("rate_limit", spec.rate_limit.model_dump(), f"controller {controller}", at)
    if entry is not None and (spec is None or spec.concurrency is None):
        yield Value(
            "concurrency.controller", ours.concurrency.controller, *places.default(name, "concurrency", "controller")
        )
    if entry is not None and entry.concurrency is not None:
        yield Value("concurrency.controller", entry.concurrency, *places.of(f"action:{entry.name}", "concurrency"))
    yield Value("chain_depth", ours.chain_depth, *places.default(name, "chain_depth"))
    if entry is None:
        if "timeout" not in named:
            yield Value("timeout", revision.UPSTREAM_TIMEOUT_S, f"defaults ({SHIPPED})")
        return
    if entry.verify is not None:
        yield Value("verify", dict(entry.verify), *places.of(f"action:{entry.name}", "verify"))
    elif ours.verify is not None:
        yield Value("verify", ours.verify.plain(), *places.default(name, "verify"))


# --- what ships -------------------------------------------------------------------------------------------------------------


def defaults() -> Iterator[str]:
    """The shipped defaults as `healer.yaml` takes them, line by line."""
    made, run_action, upstream = settings.Settings(), shipped.RunAction(), shipped.Upstream()
    yield _line(0, "mode", made.mode)
    yield _line(0, "environment", made.environment)
    yield "defaults:"
    yield _line(2, "run_action", "")
    layer = run_action.layer() | {
        "concurrency": run_action.concurrency.model_dump(),
        "chain_depth": run_action.chain_depth,
    }
    if run_action.verify is not None:
        layer["verify"] = run_action.verify.plain()
    layer |= {"approval": None, "approval_exclude": run_action.approval_exclude}
    for key in sorted(layer, key=_ORDER.index):
        yield _line(4, key, wordings.value(key, layer[key]))
    yield _line(2, "upstream", "")
    yield _line(4, "concurrency", wordings.value("concurrency", upstream.concurrency.model_dump()))
    yield _line(4, "chain_depth", wordings.value("chain_depth", upstream.chain_depth))
    storm = made.storm or shipped.Storm()
    yield f"storm: {{matches: {wordings.value('rate_limit', storm.matches.model_dump())}, calm: {wordings.span(storm.calm)}}}"
    kept = {key: wordings.span(value) for key, value in made.retention.model_dump().items() if key != "audit"}
    yield "retention: {" + ", ".join(f"{key}: {value}" for key, value in kept.items()) + "}"


def _line(indent: int, key: str, value: str) -> str:
    text = f"{' ' * indent}{key}: {value}".rstrip()
    return f"{text:<39} # {COMMENTS[key]}".replace("} #", "}  #") if key in COMMENTS else text
