"""ansible-rulebook's own effectful actions: what each asks the gates, on which hosts, and what its controller is to get.

They act as they acted there: on `job_args.limit`, else the hosts of the events' meta, else those of the ruleset; in its order
(`execution_strategy`), with its locks, retries, and what they give back as facts or events. Caller: `acting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import engine, errors, model, policy, project, templates
from healer.decide import firing
from healer.decide.firing import Fired
from healer.rulebook import freeform
from healer.store import asking, deciding

PLAYBOOK_EXTRA: Final = ("verbosity", "check", "diff", "json_mode", "extra_vars", "copy_files")
TEMPLATE_EXTRA: Final = ("organization", "labels", "include_events", "add_event_uuid_label")
RETRIES_MAX: Final = 1000
DELAY_MAX_S: Final = 86_400.0
_COMMAND_TEXTS: Final = ("cmd", freeform.RAW)


def lane(fired: Fired, action: engine.Action, args: Mapping[str, Any]) -> str:
    """What orders an action's runs: its ruleset where that is sequential (upstream's actions alone), else its lock; '' for nothing."""
    if action.name != "run_action" and fired.ruleset.execution_strategy == "sequential":
        return f"{policy.SEQUENCE}{fired.ruleset_name}"
    named = args.get("lock")
    return f"lock:{fired.ruleset_name}/{named[:200]}" if isinstance(named, str) and named else ""


def module(args: Mapping[str, Any], variables: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `run_module` rendered. `own`: the variables that no event had a say in.

    The text of a command takes one plain word from each expression, unless no event is in it. Raises `errors.TemplateError`.
    """
    made: dict[str, Any] = templates.render(
        {key: value for key, value in args.items() if key not in ("module_args", project.GATHERED_FOR)}, variables
    )
    given, name = args.get("module_args"), made.get("name")
    command = not isinstance(name, str) or freeform.runs_command(name)
    if isinstance(given, str):
        rendered = _without_events(given, own)
        if isinstance(rendered, str) and isinstance(name, str):
            try:
                rendered = freeform.arguments(name, rendered)
            except ValueError as error:
                raise errors.TemplateError(template=given, reason=str(error)) from None
        made["module_args"] = templates.render(given, variables) if rendered is None else rendered
        if rendered is None and command:
            raise errors.TemplateError(template=given, reason="an event cannot give the whole of a command")
    elif isinstance(given, Mapping):
        made["module_args"] = {
            key: _command_text(value, variables, own)
            if command and (key in _COMMAND_TEXTS or key == "argv")
            else templates.render(value, variables)
            for key, value in given.items()
        }
    return made


def _command_text(value: Any, variables: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    rendered = _without_events(value, own)
    return templates.render(value, variables, words=True) if rendered is None else rendered


def _without_events(value: Any, own: Mapping[str, Any]) -> Any:
    """The value where it needs no event, else None."""
    try:
        return templates.render(value, own)
    except errors.TemplateError:
        return None


class Upstream:
    """Makes their questions."""

    def __init__(self, standing: project.Standing) -> None:
        self._standing = standing

    def ask(
        self, revision: project.Revision, fired: Fired, action: engine.Action, args: dict[str, Any], problems: list[policy.Problem],
        variables: Mapping[str, Any],
    ) -> asking.Ask:  # fmt: skip
        """The question about one action with rendered arguments. `revision`: as the activation sees it; `problems`: those found so far."""
        kind, name = project.UPSTREAM[action.name], str(args.get("name", ""))
        controller = revision.controller_for(kind)
        extra: dict[str, Any] = {"ansible_eda": firing.for_playbooks(fired, variables)}
        if kind in ("playbook", "module"):
            extra |= {key: args[key] for key in PLAYBOOK_EXTRA if key in args}
            subject, targets = self._ansible(revision, fired, kind, name, controller, problems)
        else:
            extra |= {key: args[key] for key in TEMPLATE_EXTRA if key in args}
            extra |= {"job_args": _job_args(fired, args), "event_uuid": _uuid(fired)}
            subject, targets = name, [model.Target("aap", f"{args.get('organization', '')}/{name}"[:290])]
        problems += self._standing.forbidden(controller, name, kind, targets)
        traits = firing.traits(self._standing.environment, fired, (action.name, f"{action.name} {name}"), targets, None)
        limits = self._standing.upstream_limits(controller, traits)
        extra |= _afterwards(fired, action, args, limits)
        run = model.run_id(
            fired.activation,
            fired.ruleset.name,
            fired.match.rule.name,
            f"e-{fired.row.seq}",
            fired.ordinal,
            action.index,
        )
        standing = self._standing.at_decision(
            fired.rule, f"{action.name} {name}", controller, tuple(problems), firing.groups_of(limits, traits)
        )
        candidate = policy.Candidate(
            run=run, rule=fired.rule, action=f"{action.name} {name}", controller=controller,
            targets=tuple(sorted({str(t) for t in targets})), event_us=fired.row.at_us, limits=limits, upstream=True,
            mode=self._standing.mode_of(fired.activation), problems=tuple(problems), depth=fired.row.depth, labels=traits.labels,
            groups={str(one): one.groups for one in targets}, environment=traits.environment, sizes=standing.sizes, names=standing.names,
        )  # fmt: skip
        parameters = args.get("module_args") if kind == "module" else args.get("extra_vars")
        return asking.Ask(
            candidate=candidate, standing=standing, action_index=action.index,
            kind=kind, subject=subject, parameters=dict(parameters or {}), extra=extra, idempotent=False,
            severity=deciding.severity_rank(fired.word.severity if fired.word else "unknown"), actor=fired.asker, targets=targets,
            alerts=[], conditions=[], told={"chosen": {"controller": controller, "by": _by(revision, controller)}},
        )  # fmt: skip

    def _ansible(
        self,
        revision: project.Revision,
        fired: Fired,
        kind: str,
        name: str,
        controller: str,
        problems: list[policy.Problem],
    ) -> tuple[str, list[model.Target]]:
        """(file or module, hosts) of a playbook or module."""
        named = _hosts(fired)
        targets, missing = (
            revision.expand_hosts(controller, named)
            if named
            else revision.expand_pattern(controller, fired.ruleset.hosts)
        )
        subject = name
        if kind == "playbook":
            found = revision.playbook(name)
            if found is None:
                problems.append(policy.Problem("unknown_action", {"action": name, "nearest": ""}))
            subject = found or name
        if missing:
            where = revision.inventory_name(controller)
            fields = {"target": ", ".join(missing)[:200], "inventory": where, "nearest": ""}
            problems.append(policy.Problem("unknown_target", fields))
        return subject, targets


def _by(revision: project.Revision, controller: str) -> str:
    return "default" if controller == revision.default_controller else "kind"


def _hosts(fired: Fired) -> list[str]:
    """The hosts of the events' meta, of all of them; none: those of the ruleset count."""
    found: list[str] = []
    for event in fired.match.matches.values():
        meta = event.get("meta")
        hosts = meta.get("hosts") if isinstance(meta, Mapping) else None
        if isinstance(hosts, str | list):
            found += _split(hosts)
    return list(dict.fromkeys(found))


def _split(hosts: str | list[Any]) -> list[str]:
    parts = hosts.replace(":", ",").split(",") if isinstance(hosts, str) else map(str, hosts)
    return [part.strip() for part in parts if part.strip()]


def _job_args(fired: Fired, args: Mapping[str, Any]) -> dict[str, Any]:
    """What the template is started with; its limit is the one given, else the hosts, a pattern of the ruleset's as it is written."""
    given = args.get("job_args")
    made = dict(given) if isinstance(given, Mapping) else {}
    limit = made.get("limit", _hosts(fired) or fired.ruleset.hosts.strip())
    made["limit"] = ",".join(map(str, limit)) if isinstance(limit, list) else str(limit)
    return made


def _uuid(fired: Fired) -> str:
    """The id of the (first) event."""
    event = next(iter(fired.match.matches.values()), {})
    return str(firing.at_path(event, "meta.uuid") or "")


def _afterwards(fired: Fired, action: engine.Action, args: Mapping[str, Any], limits: policy.Limits) -> dict[str, Any]:
    """What the store does once it has ended: try again, hand on what it gives."""
    made: dict[str, Any] = {}
    times = max(_number(args.get("retries")), 1 if args.get("retry") is True else 0)
    if times:
        delay_s = min(_number(args.get("delay")), DELAY_MAX_S)
        made["retries"] = {"times": min(int(times), RETRIES_MAX), "delay_ms": round(delay_s * 1000)}
    kinds = [kind for kind, key in (("fact", "set_facts"), ("event", "post_events")) if args.get(key) is True]
    if kinds:
        hosts = action.args.get(project.GATHERED_FOR)
        names = hosts or [args.get("ruleset") or fired.ruleset.name]
        made["facts"] = {
            "sources": [firing.inner_source(f"{fired.activation}/{name}") for name in names], "kinds": kinds, "action": action.name,
            "depth_max": limits.chain_depth, "by_host": hosts is not None,
        }  # fmt: skip
    return made


def _number(value: Any) -> float:
    """A count or a span as an operator's template gave it; nought for what is none."""
    return max(0.0, float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
