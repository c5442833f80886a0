"""What an action asks for against what its controller may do, reaches and keeps for itself: addresses, headers, nodes. Caller: `checking`.

What the files say already is told when they are read, and not by each run.
"""

from __future__ import annotations

from collections.abc import Iterator

from healer import catalog, config, wording
from healer.catalog import building
from healer.project import addresses, clusters, targets
from healer.project.controllers import Controller


def check(one: catalog.Written, spec: Controller, kind: str) -> None:
    """Say what of an action of a kind its controller would refuse, whatever an event brings."""
    for problem in targets.forbidden(spec, one.name, "", ()):
        message = f"{spec.name} may not do {one.name}: {problem.fields['detail']}"
        at = one.value.values_at.get("controller") or one.mark
        one.document.error(
            "controller_forbidden", message, at, f"list it there (actions of {spec.name}), or name another controller"
        )
    written = one.value[kind] if kind in ("http", "oc") else None
    if not isinstance(written, config.Map):
        return
    if kind == "oc" and (said := clusters.beyond(spec, written)):
        one.document.error("controller_forbidden", said[0], building.mark_at(written, ("verb",), one.mark), said[1])
    if kind == "http" and (said := addresses.beyond(spec, written)):
        one.document.error("forbidden-address", said[0], building.mark_at(written, ("url",), one.mark), said[1])
    for name, at in _headers(written) if kind == "http" else ():
        if addresses.keeps(spec, name):
            message = f"the header {wording.shown(name)} is the own one of {spec.name} (auth): an action cannot set it"
            one.document.error("forbidden-header", message, at, "leave it out, or take another controller")


def _headers(written: config.Map) -> Iterator[tuple[str, config.Mark | None]]:
    """The headers that a request sets, and where they stand."""
    if isinstance(headers := written.get("headers"), config.Map):
        yield from ((name, at) for name, at in headers.keys_at.items() if isinstance(name, str))
    if isinstance(name := written.get("idempotency_key"), str):
        yield name, written.values_at.get("idempotency_key")
