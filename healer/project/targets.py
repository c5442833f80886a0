"""What a controller's targets are: the hosts of its inventory, this machine for the controller `local`, objects of a cluster, addresses.

Callers: `checking` (names and patterns written in rulebooks) and `revision` (names that events bring, `hosts:` of rulesets).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from healer import config, errors, inventory, model, policy
from healer.project import addresses, clusters, patterns
from healer.project.controllers import Controller

NEAREST_OF_MAX: Final = 2_000
"""Of more hosts none is offered in the place of a name that is none: it would take too long."""
EMPTY: Final = inventory.Inventory({}, {})
_LOCALHOST: Final = model.Target("host", "localhost", "localhost", "127.0.0.1", (), local=True)
_NOT_OWN: Final = ", and beside other hosts Ansible takes its own localhost for none"


def resolve(
    spec: Controller, hosts: inventory.Inventory, hostname: str, text: str, *, written: bool = False
) -> model.Target | inventory.Refusal:
    """The target that a text means for a controller.

    For `local` this machine needs no inventory, and its own name means the same as `localhost`, so that one lock holds for all its
    spellings. Ansible has a `localhost` of itself, which `--limit` takes where the inventory has no hosts at all, and beside others where
    an operator has `written` it; whoever connects to hosts has none but its inventory's.
    """
    if clusters.reaches(spec):
        return clusters.resolve(spec, text)
    if addresses.reaches(spec):
        return addresses.resolve(spec, text)
    found = hosts.resolve(text)
    if isinstance(found, model.Target):
        if found.kind in spec.target_kinds:
            return found
        reason = f"{text!r}: {spec.name} reaches no {found.kind}: targets (a controller of type {spec.type})"
        return inventory.Refusal(reason, step="another controller, or another target")
    if found.candidates:
        return found
    own: tuple[str, ...] = ()
    if spec.type == "local":
        own = (*inventory.THIS_MACHINE, hostname.lower(), hostname.lower().partition(".")[0])
    elif spec.kinds <= _ANSIBLE:
        own = ("localhost",)
    name = text.removeprefix("host:").lower()
    host, colon, port = name.rpartition(":")
    with_port = bool(host and colon and port.isascii() and port.isdecimal())
    if not name or not (name in own or (with_port and host.strip("[]") in own)):
        return found
    if spec.type != "local" and not written and not _takes_localhost(hosts):
        near = errors.nearest(_LOCALHOST.name, hosts.hosts) if len(hosts.hosts) <= NEAREST_OF_MAX else ""
        return dataclasses.replace(found, reason=f"{found.reason}{_NOT_OWN}", nearest=near)
    return _LOCALHOST


def expand(
    spec: Controller, hosts: inventory.Inventory, hostname: str, names: Sequence[str]
) -> tuple[list[model.Target], list[str]]:
    """The hosts of names and groups as operators write them (`all`, `web`, `web01`), and the names that are neither."""
    targets: dict[str, model.Target] = {}
    missing: list[str] = []
    for name in names:
        members: Iterable[str] = hosts.groups.get(name, ())
        found = [
            resolve(spec, hosts, hostname, member, written=True)
            for member in members or ([] if name in hosts.groups else [name])
        ]
        kept = [one for one in found if isinstance(one, model.Target)]
        if not kept or len(kept) < len(found):
            missing.append(name)
        targets |= {str(one): one for one in kept}
    if _is_alone(spec, hosts, targets):
        return [], list(names)
    return list(targets.values()), missing


def pattern(
    spec: Controller, hosts: inventory.Inventory, hostname: str, text: str
) -> tuple[list[model.Target], list[str]]:
    """The hosts of a ruleset's own `hosts:`, which may be a pattern of Ansible's; and what cannot be acted on: the whole where it means
    no host, a part that means hosts without one name. As with Ansible a part that means none is passed over where others mean some."""
    targets: dict[str, model.Target] = {}
    missing: list[str] = []
    for part in patterns.split(text):
        try:
            found = _meant(spec, hosts, hostname, patterns.bare(part))
        except patterns.Unreadable:
            return [], [part]
        named = {str(one): one for one in found if isinstance(one, model.Target)}
        if part[0] == "&":
            targets = {name: one for name, one in targets.items() if name in named}
        elif part[0] == "!":
            targets = {name: one for name, one in targets.items() if name not in named}
        else:
            targets |= named
            missing += [part] if len(named) < len(found) else []
    if _is_alone(spec, hosts, targets):
        return [], [text]
    return list(targets.values()), missing or ([] if targets else [text])


def _takes_localhost(hosts: inventory.Inventory) -> bool:
    """Whether `--limit localhost` is this machine where the inventory does not name it: it is nothing as soon as there is any host."""
    return not hosts.hosts and not hosts.left_out


def _is_alone(spec: Controller, hosts: inventory.Inventory, targets: Mapping[str, model.Target]) -> bool:
    """Whether nothing is meant but Ansible's own `localhost`, and that cannot be acted on."""
    return (
        spec.type != "local"
        and not _takes_localhost(hosts)
        and all(one is _LOCALHOST for one in targets.values())
        and bool(targets)
    )


def _meant(
    spec: Controller, hosts: inventory.Inventory, hostname: str, part: str
) -> list[model.Target | inventory.Refusal]:
    """What a part of a pattern means: what it means to Ansible, by its letters' case too, and no other name of a host as events may
    bring one. This machine needs no inventory there."""
    names = patterns.matching(part, hosts)
    if not names and part not in hosts.groups and part in inventory.THIS_MACHINE:
        names = ["localhost"]
    return [resolve(spec, hosts, hostname, name, written=True) for name in names]


def idle(spec: Controller, hosts: inventory.Inventory, hostname: str, text: str) -> Iterator[tuple[str, str]]:
    """What of a pattern means no host, and what may have been meant."""
    where, told = spec.inventory or "any inventory", False
    names = [*hosts.groups, *hosts.hosts] if len(hosts.hosts) <= NEAREST_OF_MAX else [*hosts.groups]
    if "//" in text:  # an address, of which a part may be a password
        yield f"no host of {where} matches {config.shown(text)}", ""
        return
    for part in patterns.split(text):
        try:
            if _meant(spec, hosts, hostname, patterns.bare(part)):
                continue
            other = hosts.resolve(patterns.bare(part))  # as an event may call it, whatever its case
            known = f"did you mean {other.inventory_name!r}?" if isinstance(other, model.Target) else ""
            yield f"no host of {where} matches {part!r}", known or errors.nearest(patterns.bare(part), names)
        except patterns.Unreadable as error:
            yield f"{part!r} is no regular expression that can be used: {error}", ""
        told = True
    if not told and not pattern(spec, hosts, hostname, text)[0]:
        own = any(
            one is _LOCALHOST
            for part in patterns.split(text)
            for one in _meant(spec, hosts, hostname, patterns.bare(part))
        )
        yield (
            f"no host of {where} matches {text!r}{_NOT_OWN if own else ''}",
            errors.nearest(text, names) if own else "",
        )


def forbidden(spec: Controller, action: str, kind: str, targets: Sequence[model.Target]) -> list[policy.Problem]:
    """Why a controller may not do an action (a kind of `model.Job`) on targets; empty: it may."""
    problems = []
    if kind and kind not in spec.kinds:
        detail = f"a controller of type {spec.type} cannot run actions of the kind {kind}"
        problems.append(policy.Problem("controller_forbidden", {"controller": spec.name, "detail": detail}))
    if spec.actions and action not in spec.actions:
        detail = f"its actions are {', '.join(spec.actions[:5])}"
        problems.append(policy.Problem("controller_forbidden", {"controller": spec.name, "detail": detail}))
    for target in targets:
        if spec.targets and not _listed(spec, target):
            detail = f"{target} is not of its targets {', '.join(spec.targets[:5])}"
            fields = {"controller": spec.name, "detail": detail}
            problems.append(policy.Problem("controller_forbidden", fields, target=str(target)))
    return problems


def _listed(spec: Controller, target: model.Target) -> bool:
    if target.kind == clusters.KIND and clusters.reaches(spec):
        return any(str(clusters.resolve(spec, text)) == str(target) for text in spec.targets)
    if target.kind == addresses.KIND and addresses.reaches(spec):
        return str(target) in addresses.spellings(spec, spec.targets)
    names = (str(target), target.name, target.inventory_name, *(f"group:{group}" for group in target.groups))
    return any(name in spec.targets for name in names)


def is_local(spec: Controller, hosts: inventory.Inventory) -> bool:
    """Whether everything that the controller reaches is this machine."""
    if spec.type == "local":
        return True
    if hosts.partial or not hosts.hosts or not spec.kinds <= _ANSIBLE or any(map(spec.options.get, spec.machines)):
        return False
    return all(host.here for host in hosts.hosts.values())


_ANSIBLE: Final = frozenset({"playbook", "module", "role"})
