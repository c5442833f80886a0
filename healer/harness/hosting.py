"""Which hosts a test may name as targets: those that its controllers know, with every name that they know them by. Caller: `checking`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from healer import inventory, model, project
from healer.project import addresses, clusters, targets


@dataclasses.dataclass(frozen=True, slots=True)
class Hosts:
    """`names`: as inventories write them; `known`: (controller, its inventory)."""

    revision: project.Revision
    names: tuple[str, ...]
    known: tuple[tuple[project.Controller, inventory.Inventory], ...]

    def may_be(self, name: str) -> bool:
        """Whether some controller takes a name for a target, or a group of them."""
        bare = name.removeprefix("host:").removeprefix("group:")
        return any(
            bare in hosts.groups or isinstance(targets.resolve(spec, hosts, self.revision.hostname, bare), model.Target)
            for spec, hosts in self.known
        )


def of(revision: project.Revision) -> Hosts | None:
    """Those of a project; None where a controller may know others (a cluster, an inventory of a program, one of an activation)."""
    known = [(spec, revision.hosts(name)) for name, spec in revision.controllers.items()]
    if any(hosts.partial or hosts.dynamic for _, hosts in known) or any(one.inventory for one in revision.activations):
        return None
    return _of(revision, known)


def listed(revision: project.Revision, given: Mapping[str, Collection[str]]) -> Hosts | None:
    """Those of a test that lists its own."""
    hosts = {one: inventory.Host(one, one) for names in given.values() for one in names}
    groups = {name: tuple(names) for name, names in given.items()}
    made = inventory.Inventory(hosts, groups)
    return _of(revision, [(spec, made) for spec in revision.controllers.values()])


def _of(revision: project.Revision, known: list[tuple[project.Controller, inventory.Inventory]]) -> Hosts | None:
    if any(clusters.reaches(spec) or addresses.reaches(spec) for spec, _ in known):
        return None
    return Hosts(revision, tuple(dict.fromkeys(name for _, hosts in known for name in hosts.hosts)), tuple(known))
