"""Machines that a controller's options name, as `CONTROLLER:HOST`: which controller connects there, and to which host of its inventory.

Callers: `checking` (mistakes where they are written), `revision` (the daemon's controllers, which are given what is found).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from healer import config, errors, inventory, model
from healer.inventory import names
from healer.project.controllers import Controller, Controllers

TYPE: Final = "ssh"
"""Of controllers that connect to a machine. The word also stands for the one of the type where there is no other."""


class UnknownMachine(errors.HealerError):
    """{reason}"""

    code = "unknown-machine"
    status = 422


def find(
    text: str, controllers: Mapping[str, Controller], inventories: Mapping[str, inventory.Inventory]
) -> tuple[str, model.Target]:
    """The name of the controller and the machine that a text means. Raises `UnknownMachine`."""
    word, _, host = text.partition(":")
    name = _controller(word, controllers)
    return name, _machine(controllers[name], inventories.get(controllers[name].inventory), host)


def check(
    document: config.Document, spec: Controller, value: config.Map, among: Controllers,
    inventories: Mapping[str, inventory.Inventory], incomplete: Collection[str],
) -> None:  # fmt: skip
    """Tell what of a controller's options names no machine; nothing where that cannot be known, as something else is wrong."""
    known = {**among.drafts, **among.by_name}  # what is wrong elsewhere in it is told there
    for option in spec.machines:
        text = spec.options.get(option)
        if not isinstance(text, str):
            continue
        try:
            name = _controller(text.partition(":")[0], known)
            if known[name].inventory not in incomplete:
                find(text, known, inventories)
        except UnknownMachine as error:
            if text.partition(":")[0] not in among.broken - known.keys():
                document.error(error.code, f"{option}: {error.message}", value.values_at.get(option), error.try_)


def _controller(word: str, controllers: Mapping[str, Controller]) -> str:
    known = sorted(name for name, one in controllers.items() if one.type == TYPE)
    if word in known:
        return word
    if word in controllers:
        reason = f"the controller {word!r} is of the type {controllers[word].type}; one of the type {TYPE} connects to machines"
        raise UnknownMachine(f"one of {', '.join(known)}" if known else "", reason=reason)
    if not known:
        reason = f"no controller is of the type {TYPE}, so nothing connects to another machine"
        raise UnknownMachine(f"NAME: {{type: {TYPE}}} in controllers.yaml, and NAME:HOST here", reason=reason)
    if word == TYPE and len(known) == 1:
        return known[0]
    if word == TYPE:
        raise UnknownMachine(
            f"{known[0]}:HOST", reason=f"{len(known)} controllers are of the type {TYPE}: {', '.join(known)}"
        )
    raise UnknownMachine(errors.nearest(word, known), reason=f"no controller is named {word!r}")


def _machine(spec: Controller, hosts: inventory.Inventory | None, text: str) -> model.Target:
    """A host of the controller's inventory, or an address; where it has none, or one that is not known here, any name but one that means
    several of its hosts, or one that is left out."""
    found = hosts.resolve(text) if hosts is not None else None
    if isinstance(found, model.Target) and found.kind == "host":
        return found
    bare = text.removeprefix("[").removesuffix("]")
    address = names.address_of(bare)
    unclear = isinstance(found, inventory.Refusal) and bool(found.candidates)
    unknown = (hosts is None or hosts.partial) and not unclear
    if address or (unknown and bare and not bare.startswith("-")):
        return model.Target("host", address or bare, "", address or bare)
    reason = (
        found.reason.removesuffix("; an event names one host")
        if isinstance(found, inventory.Refusal)
        else f"{text!r} is no host"
    )
    step = (found.nearest or found.step) if isinstance(found, inventory.Refusal) else ""
    raise UnknownMachine(
        step or f"a host of {spec.inventory}, which is the inventory of {spec.name!r}, or an IP address", reason=reason
    )
