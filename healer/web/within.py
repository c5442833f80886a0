"""What a request is about, of which the scopes of roles are asked: gathered from rows and the project of now. Callers: handlers that act.

Gathered only where somebody's roles are limited: whoever may do it everywhere is not kept waiting. A run's rule and action never change,
and targets that change make what was approved void, so that it may be read before the transaction that acts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import access, errors, model
from healer.policy import labels
from healer.store import reads, transaction
from healer.web.services import Revision, Services

_GROUP: Final = "group:"


class NobodyKnown(errors.RequestError):
    """{actor} may not do that: nobody has said whose shell this is"""

    code = "nobody-known"
    status = 403


def known(caller: access.Principal, role: str) -> None:
    """Raises `NobodyKnown` for who sits at this machine, until somebody has written down who that is: no second pair of eyes till then."""
    if caller.actor.startswith("os:") and not caller.name:
        user = caller.actor.removeprefix("os:")
        step = f"principals: {{NAME: {{os: {user}, roles: [{role}]}}}} in healer.yaml, or a key of your own (healer keys create)"
        raise NobodyKnown(step, actor=caller.actor)


async def run(services: Services, caller: access.Principal, permission: str, run_id: str) -> None:
    """Raises `errors.Forbidden` for who may not do that with this run."""
    if not access.allows(caller, permission):
        access.demand(caller, permission, await of_run(services, run_id))


async def of_run(services: Services, run_id: str) -> access.About:
    """Its ruleset, its action, and all of its targets with their groups."""
    row = await reads.run(services.store.reader, run_id)
    found = await services.store.reader.all("run_targets_in", run_id)
    groups = {one["target"]: transaction.loads(one["value"])["groups"] for one in found}
    return access.About(
        _rulesets([services.revision().ruleset_of(row["rule"])]), _targets(groups), _actions(row["action"])
    )


def of_scope(revision: Revision, scope: str, *, stops: bool) -> access.About:
    """What a pause or its end is about: rulesets, or (of everything, of a controller) no one can say what."""
    kind, _, name = scope.partition(":")
    found: Iterable[tuple[str, str]] = ()
    if kind == "rule":
        found = [revision.ruleset_of(name)]
    elif kind in ("ruleset", "activation"):
        every = [(activation.name, ruleset.name) for activation, ruleset in revision.rulesets()]
        found = [one for one in every if name in (one[0] if kind == "activation" else "/".join(one),)]
    return access.About(_rulesets(found) or None, stops=stops)


def of_silence(revision: Revision, matchers: Sequence[labels.Matcher]) -> access.About:
    """What its matchers pin it to: one that says `=` of the ruleset, the rule, the target or the action."""
    said: dict[str, str] = {}
    for one in matchers:
        if one.sign == "=" and one.value:
            said.setdefault(one.name, one.value)
    rulesets = [
        (activation.name, ruleset.name)
        for activation, ruleset in revision.rulesets()
        if _is(said.get("ruleset"), ruleset.name, f"{activation.name}/{ruleset.name}")
        and any(
            _is(said.get("rule"), rule.name, f"{activation.name}/{ruleset.name}/{rule.name}") for rule in ruleset.rules
        )
    ]
    pinned = "ruleset" in said or "rule" in said
    target, action = said.get("target"), said.get("action")
    return access.About(
        (_rulesets(rulesets) or None) if pinned else None,
        None if target is None else tuple(dict.fromkeys(_meanings(revision, target))),
        None if action is None else _actions(action),
    )


def of_event(
    revision: Revision, source: str, action: str, controller: str, targets: Iterable[str]
) -> access.About:  # fmt: skip
    """What an order (`orders`) is about. A target that means nothing there may mean anything."""
    subscribers = _rulesets(revision.sources[source].subscribers)
    resolved = [revision.resolve_target(controller, one) for one in targets]
    found = {str(one): one.groups for one in resolved if isinstance(one, model.Target)}
    known = all(isinstance(one, model.Target) for one in resolved)
    return access.About(subscribers, _targets(found) if known else None, _actions(action))


def of_action(action: str) -> access.About:
    """What a breaker is about: all that the action does, wherever."""
    return access.About(actions=_actions(action))


def strictly(about: access.About) -> access.About:
    """The same for what does more than stop."""
    return dataclasses.replace(about, stops=False)


def _is(said: str | None, *names: str) -> bool:
    return said is None or said in names


def _rulesets(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{activation}/{ruleset}", ruleset) for activation, ruleset in found)


def _targets(groups: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (name, name.partition(":")[2], *(f"{_GROUP}{group}" for group in groups[name])) for name in sorted(groups)
    )


def _actions(action: str) -> tuple[tuple[str, ...], ...]:
    """By its name; of ansible-rulebook's own (`run_playbook site.yml`) by the kind too."""
    kind, space, _ = action.partition(" ")
    return ((action, kind) if space else (action,),)


def _meanings(revision: Revision, target: str) -> Iterator[tuple[str, ...]]:
    """What a name in a matcher may be, over all inventories; itself, where it is in none."""
    paths = dict.fromkeys(activation.inventory for activation, _ in revision.rulesets())
    views: list[Any] = [revision, *(revision.under(path) for path in paths if path)]
    there = [
        found
        for view in views
        for controller in revision.controllers
        if isinstance(found := view.resolve_target(controller, target), model.Target)
    ]
    yield from (_targets({str(one): one.groups})[0] for one in there)
    if not there:
        yield (target,)
