"""A match's actions: internal ones become decisions and appended rows, effectful ones become questions for the gates.

Arguments are rendered here, once, from what the operator wrote; event data goes in as values. What cannot be rendered, found or
validated does not stop anything: it becomes a problem of the run, which gate `validity` shows. ansible-rulebook's own effectful
actions are in `upstream`.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from healer import catalog, engine, errors, model, policy, project, telemetry, templates
from healer.decide import afterwards, firing, upstream
from healer.decide.firing import Fired
from healer.policy import reasons
from healer.store import asking, deciding, following, journal

TARGETS_MAX: Final = 1000
REASON_MAX: Final = 500
APPENDING: Final = ("set_fact", "retract_fact", "post_event")
"""Internal actions that append a row to the journal."""
TYPES: Final[Mapping[str, type]] = {
    "name": str, "controller": str, "ruleset": str, "lock": str, "extra_vars": dict, "module_args": dict, "job_args": dict,
    "organization": str, "labels": list, "event": dict, "fact": dict,
}  # fmt: skip
"""What arguments have to be once they are rendered (`parameters` and `target` are looked at where they are used)."""
Say = Callable[[str, str, Mapping[str, Any]], None]
"""`say(level, message, fields)`: what an action tells people, after the commit."""


class Actor:
    """Acts on firings under one revision."""

    def __init__(self, revision: project.Revision, standing: project.Standing, say: Say) -> None:
        self._revision = revision
        self._standing = standing
        self._say = say
        self._anew = frozenset(one.name for one in revision.activations if one.restart == "always")
        self._inventories = {one.name: one.inventory for one in revision.activations if one.inventory}
        self._views = {name: revision.under(path) for name, path in self._inventories.items()}
        self._upstream = upstream.Upstream(standing)

    @property
    def revision(self) -> project.Revision:
        """The revision under which it acts."""
        return self._revision

    def quiet(self) -> Actor:
        """The same, telling people nothing."""
        made = copy.copy(self)
        made._say = lambda _level, _message, _fields: None
        return made

    def sizes(self, activation: str, controller: str, groups: Iterable[str]) -> Mapping[str, int]:
        """How many hosts groups have in the inventory of a controller, as an activation sees it."""
        return self._views.get(activation, self._revision).sizes(controller, groups)

    def act(self, fired: Fired, outcome: deciding.Outcome) -> None:
        """Add what the firing's actions lead to."""
        plain, after = firing.variables_of(fired), ""
        steps: list[asking.Ask] = []
        for action in fired.match.rule.actions:
            root = action.args.get("var_root")
            variables = firing.variables_of(fired, root) if root else plain
            try:
                args = _rendered(fired, action, variables)
                problem = None
            except errors.TemplateError as error:
                args, problem = dict(action.args), error.message
            problem = problem or _unkept(args) or self._unknown_ruleset(fired, action, args)
            if action.name in project.EFFECTFUL:
                asked = self._ask(fired, action, args, problem, after, variables)
                outcome.results.append(asked)
                steps.append(asked)
                after = asked.candidate.run
            else:
                self._internal(fired, action, args, problem, outcome, variables)
        afterwards.chain(steps)

    def _unknown_ruleset(self, fired: Fired, action: engine.Action, args: Mapping[str, Any]) -> str | None:
        named = args.get("ruleset")
        if not named or (fired.activation, named) in (
            (one.name, found.name) for one, found in self._revision.rulesets()
        ):
            return None
        return f"{action.name} names the ruleset {str(named)[:200]!r}, and {fired.activation} has none of that name"

    # --- internal actions -------------------------------------------------------------------------------------------

    def _internal(
        self, fired: Fired, action: engine.Action, args: dict[str, Any], problem: str | None, outcome: deciding.Outcome,
        variables: Mapping[str, Any],
    ) -> None:  # fmt: skip
        verdict, reason = "done", ""
        fields: Mapping[str, Any] = {}
        problem = problem or _mistyped(action.name, args)
        if problem is None and action.name in APPENDING and any(model.references(args)):
            problem = "a vaulted value cannot go into a fact or an event: it would stand in the journal"
        depth, limit = fired.row.depth + 1, self._revision.settings.defaults.upstream.chain_depth
        if problem is not None:
            verdict, reason, fields = "refused", "invalid_parameters", {"action": action.name, "detail": problem}
            self._say("WARNING", f"{fired.rule}: {action.name}: {problem}", {"rule": fired.rule})
        elif (pause := self._standing.paused(fired.rule)) is not None:
            verdict, reason, fields = "suppressed", "paused", pause
        elif action.name in APPENDING:
            if limit is not None and depth > limit:
                verdict, reason, fields = "refused", "chain_depth", {"depth": depth, "limit": limit}
                telemetry.count("decisions_chain_depth")
            else:
                outcome.appends.append(self._append(fired, action, args, depth))
        else:
            self._tell(fired, action, args, variables)
        events = firing.earlier(fired)
        told: dict[str, Any] = {"events": events} if events else {}
        if reason:
            gate = {
                "gate": reasons.REASONS[reason].gate,
                "ok": False,
                "code": reason,
                "saw": {},
                "fields": dict(fields),
            }
            told |= {"conditions": [], "gates": [gate]}
        text = orjson.dumps(told).decode() if told else None
        outcome.results.append(deciding.Internal(fired.rule, action.index, action.name, verdict, reason, text))

    def _append(self, fired: Fired, action: engine.Action, args: dict[str, Any], depth: int) -> journal.Row:
        ruleset = args.get("ruleset") or fired.ruleset.name
        source = firing.inner_source(f"{fired.activation}/{ruleset}")
        kind: model.JournalKind = "event"
        body: dict[str, Any] = args.get("event") or {}
        if action.name == "set_fact":
            kind, body = "fact", args.get("fact") or {}
        elif action.name == "retract_fact":
            kind = "retract"
            body = {"retract": args.get("fact") or {}, "partial": args.get("partial", True), "exclude_keys": ["meta"]}
        meta = orjson.dumps({"source": {"name": action.name, "type": "internal"}}).decode()
        return journal.Row(
            kind, source, orjson.dumps(body), data=body, actor=f"rule:{fired.rule}", meta=meta, depth=depth
        )

    def _tell(self, fired: Fired, action: engine.Action, args: dict[str, Any], variables: Mapping[str, Any]) -> None:
        fields = {"rule": fired.rule, "event": fired.row.seq, "action": action.name}
        if action.name == "debug":
            msg = args["msg"] if "msg" in args else firing.looked_up(args["var"], variables) if "var" in args else None
            for line in msg if isinstance(msg, list) else [msg]:
                self._say("INFO", firing.shown(line if line is not None else fired.match.matches), fields)
        elif action.name == "print_event":
            option = orjson.OPT_INDENT_2 if args.get("pretty") else 0
            shown = variables["event"] if list(fired.match.matches) == ["m"] else variables["events"]
            self._say("INFO", firing.shown(shown, option), fields)
        elif action.name == "shutdown":
            what = "begins anew" if fired.activation in self._anew else "ends"
            message = firing.shown(args.get("message", "shutdown"))
            self._say("WARNING", f"activation {fired.activation} {what}: {message}", fields)

    # --- effectful actions --------------------------------------------------------------------------------------------

    def _ask(
        self, fired: Fired, action: engine.Action, args: dict[str, Any], problem: str | None, after: str,
        variables: Mapping[str, Any],
    ) -> asking.Ask:  # fmt: skip
        """`after`: the run of the effectful action before it."""
        found = [problem] if problem else []
        if (mistyped := _mistyped(action.name, args)) is not None:
            found.append(mistyped)
            args = {key: value for key, value in args.items() if isinstance(value, TYPES.get(key, object))}
        named = firing.named(action)
        problems = [policy.Problem("invalid_parameters", {"action": named, "detail": detail}) for detail in found]
        if action.name == "run_action":
            made = self._catalog(fired, action, args, problems)
        else:
            made = self._upstream.ask(self._view(fired), fired, action, args, problems, variables)
        view, asked = self._view(fired), made.candidate.limits.approvals
        if rungs := afterwards.on_expiry(view, self._standing, fired, asked, made.targets):
            made.extra[following.EXPIRED] = rungs
        _hide(made)
        lane = upstream.lane(fired, action, args)
        if after or lane:
            made.candidate = dataclasses.replace(made.candidate, after=after, lane=lane)
        made.conditions, made.events = firing.tests_of(fired.match), firing.earlier(fired)
        if (own := self._inventories.get(fired.activation)) is not None:
            made.extra["inventory"] = own
        return made

    def _catalog(
        self, fired: Fired, action: engine.Action, args: dict[str, Any], problems: list[policy.Problem]
    ) -> asking.Ask:
        name = str(args.get("name") or "")
        entry = self._revision.catalog.entries.get(name or "")
        if entry is None:
            nearest = errors.nearest(name or "", self._revision.catalog.entries)
            problems.append(policy.Problem("unknown_action", {"action": name, "nearest": nearest}))
        controller = args.get("controller") or (entry.controller if entry else "") or self._revision.default_controller
        spec = self._revision.controllers.get(controller)
        parameters = self._parameters(entry, name, args.get("parameters"), problems)
        view = self._view(fired)
        targets = self._targets(view, entry, controller, args.get("target"), problems)
        problems += self._standing.forbidden(controller, name or "", entry.kind if entry else "", targets)
        if entry is not None and not problems:
            problems += map(functools.partial(_misfit, name), catalog.misfits(entry, parameters, targets))
        traits = firing.traits(self._standing.environment, fired, (name,), targets, entry)
        limits = self._standing.limits(entry, spec, name, traits)
        word = fired.word
        full = word.full if word else 0
        if full:  # without its lifecycle each repeat would act anew
            problems.append(policy.Problem("alerts_full", {"limit": full}))
        lifecycle = word is not None and word.firing and not full
        key = f"{word.source}\x1e{word.key}\x1e{'full' if full else word.cycle}" if word else f"e-{fired.row.seq}"
        run = model.run_id(
            fired.activation, fired.ruleset.name, fired.match.rule.name, key, 0 if word else fired.ordinal, action.index
        )
        standing = self._standing.at_decision(
            fired.rule, name, controller, tuple(problems), firing.groups_of(limits, traits)
        )
        follows = entry and afterwards.of(view, self._standing, fired, entry, parameters, targets, problems)
        candidate = policy.Candidate(
            run=run, rule=fired.rule, action=name or "?", controller=controller, targets=tuple(sorted({str(t) for t in targets})),
            event_us=fired.row.at_us, limits=limits, enabled=True, dry_run=bool(args.get("dry_run") or (entry and entry.dry_run)),
            mode=self._standing.mode_of(fired.activation),
            lifecycle=lifecycle, problems=tuple(problems), depth=fired.row.depth, labels=traits.labels,
            groups={str(one): one.groups for one in targets}, environment=traits.environment, sizes=standing.sizes, names=standing.names,
        )  # fmt: skip
        return asking.Ask(
            candidate=candidate, standing=standing, action_index=action.index, told=_told(fired, entry, controller, args),
            kind=entry.kind if entry else "script", subject=entry.subject if entry else "", parameters=parameters, extra=follows or {},
            idempotent=entry.idempotent if entry else False, severity=deciding.severity_rank(word.severity if word else "unknown"),
            actor=fired.asker, targets=targets,
            alerts=[(word.source, word.key, word.cycle, word.firing)] if word and not full else [], conditions=[],
        )  # fmt: skip

    def _parameters(self, entry: Any, name: str, given: Any, problems: list[policy.Problem]) -> dict[str, Any]:
        given = {} if given is None else given
        if entry is None or not isinstance(given, dict):
            if entry is not None:
                problems.append(
                    policy.Problem("invalid_parameters", {"action": name, "detail": "parameters have to be a mapping"})
                )
            return given if isinstance(given, dict) else {}
        checked = entry.parameters_of(given)
        if isinstance(checked, list):
            problems.append(policy.Problem("invalid_parameters", {"action": name, "detail": "; ".join(checked)}))
            return given
        return dict(checked)

    def _view(self, fired: Fired) -> project.Revision:
        """The revision as the activation sees it: with an inventory of its own where it has one."""
        return self._views.get(fired.activation, self._revision)

    def _targets(
        self, view: project.Revision, entry: Any, controller: str, given: Any, problems: list[policy.Problem]
    ) -> list[model.Target]:
        names = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        if entry is not None and entry.target == "none":
            if detail := entry.unwanted_target(given):
                problems.append(policy.Problem("invalid_parameters", {"action": entry.name, "detail": detail}))
            return []
        if not names:
            where = view.inventory_name(controller)
            problems.append(
                policy.Problem("unknown_target", {"target": "(none given)", "inventory": where, "nearest": ""})
            )
        return self._resolve(view, controller, names, problems)

    def _resolve(
        self, view: project.Revision, controller: str, names: Sequence[Any], problems: list[policy.Problem]
    ) -> list[model.Target]:
        targets: dict[str, model.Target] = {}
        for name in names[:TARGETS_MAX]:
            found = view.resolve_target(controller, name if isinstance(name, str) else repr(name))
            if isinstance(found, model.Target):
                targets[str(found)] = found
                continue
            where = view.inventory_name(controller)
            fields = {"target": str(name)[:200], "inventory": where, "nearest": found.nearest, "detail": found.reason}
            if found.step:
                fields |= {"why": found.reason, "step": found.step}
            unknown = model.Target("host", str(name)[:290])
            targets[str(unknown)] = unknown
            problems.append(policy.Problem("unknown_target", fields, target=str(unknown)))
        if len(names) > TARGETS_MAX:
            why = f"{len(names)} are asked for, and an action takes {TARGETS_MAX}"
            fields = {"target": f"{len(names)} targets", "why": why, "step": "name fewer targets"}
            problems.append(policy.Problem("unknown_target", fields))
        return list(targets.values())


def _told(fired: Fired, entry: Any, controller: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """What chose the controller (`reasons.CHOSEN`), and why a person wants it: as the run's explanation and the audit have them."""
    by_hand = fired.activation == project.HIDDEN_ACTIVATION
    by = "action" if entry is not None and entry.controller else "default"
    if args.get("controller"):
        by = "override" if by_hand else "rule"
    told: dict[str, Any] = {"chosen": {"controller": controller, "by": by}}
    if by == "override":
        told["chosen"]["who"] = fired.asker
    reason = next(iter(fired.match.matches.values()), {}).get("reason") if by_hand else None
    return told | ({"reason": reason[:REASON_MAX]} if isinstance(reason, str) and reason else {})


def _misfit(action: str, one: catalog.Misfit) -> policy.Problem:
    if one.code == "unknown_target":
        return policy.Problem(one.code, {"why": one.detail, "step": "name another target"}, target=one.target)
    return policy.Problem(one.code, {"action": action, "detail": one.detail})


def _hide(made: asking.Ask) -> None:
    """Take secrets out of what is stored: their references stand beside it (`extra.secrets`), and are resolved at the moment of use."""
    found = list(model.references({"parameters": made.parameters, "extra": made.extra}))
    if not found:
        return
    kept: dict[str, Any] = {"parameters": made.parameters, "extra": made.extra}
    for path, _ in found:
        kept = _masked(kept, path)
    made.parameters, made.extra = kept["parameters"], kept["extra"]
    made.extra["secrets"] = [[list(path), one.reference] for path, one in found]


def _masked(value: Any, path: Sequence[Any]) -> Any:
    """The value with `***` at a path."""
    if not path:
        return "***"
    made = dict(value) if isinstance(value, Mapping) else list(value)
    made[path[0]] = _masked(value[path[0]], path[1:])
    return made


def _rendered(fired: Fired, action: engine.Action, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with values in them; what runs as a command takes single words of an event alone."""
    if action.name == "run_module":
        return upstream.module(action.args, variables, fired.variables)
    made: dict[str, Any] = templates.render(action.args, variables)
    return made


def _unkept(args: Mapping[str, Any]) -> str | None:
    """Why rendered arguments cannot be kept: what no JSON can hold must stop this action, not the event."""
    try:
        orjson.dumps(args, default=lambda value: None if isinstance(value, model.Reference) else repr(value))
    except TypeError as error:
        return f"an argument is no JSON value: {error}"
    return None if _finite(args) else "an argument is no JSON value: a number is infinite or none"


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list | tuple) else True


def _mistyped(action: str, args: Mapping[str, Any]) -> str | None:
    """What is wrong with the types of arguments once they are rendered: a template may give anything."""
    for key, value in args.items():
        wanted = TYPES.get(key)
        if wanted is not None and value is not None and not isinstance(value, wanted):
            kind = "a mapping" if wanted is dict else "a list" if wanted is list else "a text"
            return f"{key} of {action} has to be {kind}, the template gave {type(value).__name__}"
    return None
