"""`/controllers`: how targets are reached, and whether that works. What is shown has references to secrets, never one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from loguru import logger

from healer import access, errors
from healer.web import answers, hiding, queries
from healer.web.services import Check, Revision, Services


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """All controllers by name, each with what its last check said."""
    queries.Query(request)
    revision, running = services.revision(), await _running(services)
    return answers.page([_shown(services, revision, name, running) for name in sorted(revision.controllers)], None)


async def show(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One with its options."""
    queries.Query(request)
    revision = services.revision()
    spec = _spec(revision, request.match_info["name"])
    shown = _shown(services, revision, spec.name, await _running(services))
    return answers.json(shown | {"options": hiding.hidden(spec.options)})


async def check(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """Ask it whether it is usable now; 200 with what it says, also where that is no."""
    queries.Query(request)
    spec = _spec(services.revision(), request.match_info["name"])
    found = await services.checks.check(spec.name)
    bound = logger.bind(actor=caller.actor, controller=spec.name)
    bound.info(
        "{} asked whether {} is usable: {}", caller.actor, spec.name, "yes" if found.ok else f"no, {found.detail}"
    )
    return answers.json({
        "name": spec.name, "type": spec.type, "health": _health(found), "hosts_listed": _of_its_hosts(services.revision(), spec),
    })  # fmt: skip


async def _running(services: Services) -> dict[str, int]:
    return {row["controller"]: row["n"] for row in await services.store.reader.all("running_by_controller")}


def _spec(revision: Revision, name: str) -> Any:
    spec = revision.controllers.get(name)
    if spec is None:
        near = errors.nearest(name, revision.controllers)
        raise errors.NotFound(near or "healer controllers", what=f"the controller {name[:200]!r}")
    return spec


def _shown(services: Services, revision: Revision, name: str, running: Mapping[str, int]) -> dict[str, Any]:
    """A controller as lists show it. `bound_to`: the only targets and actions that it takes, where it is bound to some."""
    spec, hosts = revision.controllers[name], revision.hosts(name)
    reads = _reads(spec)
    last = services.checks.last(name)
    ours = revision.settings.defaults.run_action.concurrency.controller
    return {
        "name": name, "type": spec.type, "default": name == revision.default_controller,
        "place": str(dataclasses.replace(spec.place, column=0)), "tags": list(spec.tags),
        "kinds": sorted(spec.kinds), "target_kinds": sorted(spec.target_kinds),
        "inventory": (spec.inventory or None) if reads else None, "hosts": len(hosts.hosts) if reads else 0,
        "hosts_partial": bool(reads and hosts.partial),
        "hosts_listed": _of_its_hosts(revision, spec),
        "bound_to": {"targets": _sized(hosts, spec.targets), "actions": list(spec.actions)},
        "concurrency": spec.concurrency or ours, "running": running.get(name, 0), "health": None if last is None else _health(last),
    }  # fmt: skip


def _reads(spec: Any) -> bool:
    """Whether its inventory is read: one that reaches no hosts has one all the same where the project has one."""
    return "host" in spec.target_kinds


def _of_its_hosts(revision: Revision, spec: Any) -> dict[str, Any] | None:
    """What Ansible said of the hosts of its inventory, where a program or plugin makes that; None where it was not asked."""
    said = revision.said(spec.inventory) if _reads(spec) else None
    if said is None:
        return None
    return {
        "asked": queries.iso(said.asked_us), "heard": queries.iso(said.heard_us) if said.heard_us else None,
        "left_out": list(said.left_out), "error": said.error or None,
        "dried": {"from": said.dried_from, "at": queries.iso(said.dried_us)} if said.dried_from else None,
    }  # fmt: skip


def _sized(hosts: Any, names: Any) -> list[dict[str, Any]]:
    """Targets with the number of hosts of those that are groups."""
    return [{"target": one, "hosts": len(hosts.groups.get(one.removeprefix("group:"), ())) if one.startswith("group:") else None}
            for one in names]  # fmt: skip


def _health(found: Check) -> dict[str, Any]:
    return {
        "ok": found.ok, "detail": found.detail, "try": found.try_, "at": queries.iso(found.at_us), "seconds": found.seconds,
    }  # fmt: skip
