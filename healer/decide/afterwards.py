"""What follows on an action of the catalog, frozen at its decision: how it is verified, what is tried next, retries, its ramp.

The store acts on it when attempts end (`store.finishing`, `store.following`): no rule and no file is asked again then. Caller: `acting`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from healer import catalog, errors, model, policy, project, templates
from healer.decide.firing import Fired
from healer.policy import approvals
from healer.store import asking, candidates, following

Problems = list[policy.Problem]
CHECK: Final = "check"


def of(
    revision: project.Revision, standing: project.Standing, fired: Fired, entry: catalog.Entry, parameters: Mapping[str, Any],
    targets: Sequence[model.Target], problems: Problems, *, rung: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The part of a run's `extra` that says what follows. What is wrong with it becomes a problem of the run.

    `revision` as the activation sees it.
    """
    made: dict[str, Any] = {}
    if entry.retries:
        made["retries"] = {
            "times": entry.retries["times"], "delay_ms": round(entry.retries["delay"] * 1000), "backoff": entry.retries["backoff"],
        }  # fmt: skip
    if len(targets) > 1:
        made["ramp"] = {**entry.ramp, "max_errors": entry.max_errors}
    if verify := _verify(revision, fired, entry):
        made["verify"] = {"within_ms": round(verify["within"] * 1000)}
        if verify.get("check"):
            made["verify"]["action"] = _look(revision, verify, parameters, problems)
        elif verify["action"]:
            made["verify"]["action"] = _action(revision, verify, parameters, problems)
            problems += _out_of_reach(revision, made["verify"]["action"], targets)
    if entry.escalate and not rung:
        made["escalate"] = [
            _rung(revision, standing, fired, one, parameters, targets, problems) for one in entry.escalate
        ]
    return made


def _verify(revision: project.Revision, fired: Fired, entry: catalog.Entry) -> Mapping[str, Any] | None:
    """How it is verified; that the alert is resolved can be asked only where one fires, and is where its sender resolves."""
    source = revision.sources.get(fired.row.source)
    fires = fired.word is not None and fired.word.firing
    verify = entry.verify
    if verify is None and fires and source is not None and source.resolves:
        shipped = revision.settings.defaults.run_action.verify
        verify = shipped.plain() if shipped else None
    return verify if verify and (verify["action"] or verify.get("check") or fires) else None


def _action(
    revision: project.Revision, wanted: Mapping[str, Any], parameters: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """An action that is named by another, as an attempt needs it."""
    entry, name = revision.catalog.entries.get(wanted["action"]), wanted["action"]
    if entry is None:
        problems.append(policy.Problem("unknown_action", {"action": name, "nearest": ""}))
        return {}
    try:
        given = templates.render(wanted["parameters"], {"parameters": dict(parameters)})
    except errors.TemplateError as error:
        problems.append(policy.Problem("invalid_parameters", {"action": name, "detail": error.message}))
        return {}
    checked = entry.parameters_of(given)
    if isinstance(checked, list):
        problems.append(policy.Problem("invalid_parameters", {"action": name, "detail": "; ".join(checked)}))
        return {}
    controller = entry.controller or revision.default_controller
    timeout_s = entry.gates.get("timeout") or revision.settings.defaults.run_action.timeout
    return {
        "name": name, "kind": entry.kind, "subject": entry.subject, "controller": controller, "parameters": checked,
        "idempotent": entry.idempotent, "timeout_ms": round(timeout_s * 1000),
    }  # fmt: skip


def _look(
    revision: project.Revision, wanted: Mapping[str, Any], parameters: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """The check of `verify`, as an action that is in no catalog: it gets those parameters that its options take."""
    (kind,) = wanted["check"]
    name, used = f"{CHECK} {kind}", sorted(catalog.used(wanted["check"]))
    if lacking := [one for one in used if one not in parameters]:
        detail = f"verify: the parameter {lacking[0]!r} is not given"
        problems.append(policy.Problem("invalid_parameters", {"action": name, "detail": detail}))
        return {}
    timeout_s = min(revision.settings.defaults.run_action.timeout, wanted["within"])
    return {
        "name": name, "kind": CHECK, "subject": wanted["check"], "controller": revision.controller_for(CHECK),
        "parameters": {one: parameters[one] for one in used}, "idempotent": True, "timeout_ms": round(timeout_s * 1000),
    }  # fmt: skip


def _rung(
    revision: project.Revision, standing: project.Standing, fired: Fired, wanted: Mapping[str, Any], parameters: Mapping[str, Any],
    targets: Sequence[model.Target], problems: Problems,
) -> dict[str, Any]:  # fmt: skip
    """One step of `escalate`: a run of its own, which passes the gates when its time comes, and is refused then what is out of reach."""
    made = _action(revision, wanted, parameters, problems)
    entry = revision.catalog.entries.get(wanted["action"])
    if not made or entry is None:
        return {}
    own: Problems = list(_out_of_reach(revision, made, targets))
    extra = of(revision, standing, fired, entry, made["parameters"], targets, own, rung=True)
    if own:
        extra[candidates.PROBLEMS] = [dataclasses.asdict(problem) for problem in own]
    return {**made, "after_ms": round(wanted["after"] * 1000), "extra": extra}


def on_expiry(
    revision: project.Revision, standing: project.Standing, fired: Fired, asked: Sequence[policy.limits.Approval],
    targets: Sequence[model.Target],
) -> list[dict[str, Any]]:  # fmt: skip
    """What is tried where nobody approves a run in time (`then`), as rungs. One that could not run is left out: the run itself can."""
    names = dict.fromkeys(one.then for one in asked if one.then)
    found = [
        _rung(revision, standing, fired, {"action": name, "parameters": {}, "after": 0.0}, {}, targets, [])
        for name in names
    ]
    return [one for one in found if one]


def chain(steps: Sequence[asking.Ask]) -> None:
    """Of a rule's list people are asked once: before the first step that asks the gates, for all that the steps behind it need.

    What is tried where nobody says a word then is also what those name, each on its own targets.
    """
    asks = [one for one in steps if not one.candidate.upstream or one.candidate.limits.selected]
    gated = [one for one in asks if one.candidate.limits.approvals and not one.candidate.dry_run]
    if not gated:
        return
    first = asks[0]
    behind = steps[next(number for number, one in enumerate(steps, 1) if one is first) :]
    if not behind:
        return
    held = [one.candidate.limits for one in gated if one is not first]
    needed = [approval for limits in held for approval in limits.approvals]
    expires_s = min(
        (limits.approval_expires_s for limits in held if limits.approval_expires_s is not None), default=None
    )
    first.candidate = dataclasses.replace(
        first.candidate, limits=candidates.with_steps(first.candidate.limits, needed, expires_s)
    )
    first.extra[candidates.CHAIN] = {
        "steps": [one.candidate.run for one in behind], "approvals": approvals.as_json(needed) if needed else [], "expires_s": expires_s,
    }  # fmt: skip
    expired = {(rung["name"], first.candidate.targets): rung for rung in first.extra.get(following.EXPIRED, ())}
    for one in behind:
        one.candidate = dataclasses.replace(one.candidate, first=first.candidate.run)
        one.extra[candidates.CHAIN] = {"first": first.candidate.run}
        for rung in one.extra.get(following.EXPIRED, ()):
            expired.setdefault((rung["name"], one.candidate.targets), rung | {"of": one.candidate.run})
    if expired:
        first.extra[following.EXPIRED] = [*expired.values()]


def _out_of_reach(
    revision: project.Revision, action: Mapping[str, Any], targets: Sequence[model.Target]
) -> Iterator[policy.Problem]:
    """Why an action that follows may not do on its controller what the first one does on another."""
    entry = revision.catalog.entries.get(action.get("name", ""))
    if entry is None or entry.target == "none":
        return
    if not targets:
        why = f"{action['name']} needs one, and what it follows on has none"
        yield policy.Problem("unknown_target", {"why": why, "step": "name an action with target: none"})
    controller = action["controller"]
    yield from revision.forbidden(controller, action["name"], action["kind"], targets)
    for target in targets:
        found = revision.resolve_target(controller, target.inventory_name or target.name)
        if str(found) != str(target):
            fields = {
                "target": target.name,
                "inventory": revision.inventory_name(controller),
                "nearest": "",
                "detail": action["name"],
            }
            yield policy.Problem("unknown_target", fields, target=str(target))
