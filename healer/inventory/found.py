"""What Ansible itself says of an inventory (`ansible-inventory --list`), read as one of ours. Caller: `project.dynamic`, in a child.

A program wrote it: what no static file could name is left out, and told. Pure.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, wording
from healer.inventory import groups, names, variables

HOSTS_MAX: Final = 50_000
LEFT_OUT_MAX: Final = 20
"""So many hosts and groups that are left out are told one by one."""
TAKEN: Final = ("ansible_host", "ansible_port", "ansible_user", "ansible_connection")
_META: Final = "_meta"
_VAULTED: Final = "__ansible_vault"
_UNSAFE: Final = "__ansible_unsafe"

Known = Mapping[str, tuple[tuple[str, ...], str]]
"""Host → its aliases and its connection, as the files of the project say."""


class Unreadable(ValueError):
    """why it is no inventory that can be taken, in words for people"""


def read(raw: bytes, known: Known) -> tuple[names.Inventory, list[str]]:
    """The inventory, which counts as partial since a program may find others tomorrow, and what was left out. Raises `Unreadable`."""
    listed = _listed(raw)
    told: list[str] = []
    out: dict[str, names.LeftOut] = {}
    reading = groups.Reading(variables.Folder("", {}, {}), ())
    reading.partial = True
    try:
        _fill(reading, listed, told, out)
        made = reading.inventory()
    except groups.TooMuch as error:
        raise Unreadable(f"it has {error}") from None
    if out and not made.hosts:
        (name, first), *_ = out.items()
        each = f"each of the {len(out)} hosts is left out; the first" if len(out) > 1 else "its one host"
        raise Unreadable(f"{each}, the host {config.shown(name)}, is left out: {first.why}")
    hosts = {name: _as_known(host, known.get(name)) for name, host in made.hosts.items()}
    shown = told if len(told) <= LEFT_OUT_MAX else [*told[:LEFT_OUT_MAX], f"and {len(told) - LEFT_OUT_MAX} more"]
    return names.Inventory(hosts, made.groups, partial=True, dynamic=True, left_out=out), shown


def _listed(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"it has to be an object of groups, got {wording.shown(found)}")
    return found


def _fill(reading: groups.Reading, listed: Mapping[str, Any], told: list[str], out: dict[str, names.LeftOut]) -> None:
    """Raises `groups.TooMuch`, `Unreadable`."""
    given = _object(_object(listed.get(_META), _META).get("hostvars"), "hostvars")
    bodies = {name: _object(body, name) for name, body in listed.items() if name != _META}
    taken: dict[str, bool] = {}
    for name in [*bodies]:
        if why := names.unfit(name) if name not in ("all", "ungrouped") else "":
            told.append(f"the group {config.shown(name)} is left out: {why}")
            del bodies[name]
        else:
            reading.add_group(name)
    for name, body in bodies.items():
        for host in _words(body, "hosts", name):
            if host not in taken:
                if len(taken) >= HOSTS_MAX:
                    raise Unreadable(f"it has more than {HOSTS_MAX} hosts")
                if host == "all":
                    raise Unreadable("it has a host named 'all', beside which Ansible lists no other")
                if why := _take(reading, host, _object(given.get(host), host)):
                    told.append(f"the host {config.shown(host)} is left out: {why}")
                    out[host] = names.LeftOut(why, _address(given.get(host)))
                taken[host] = not why
            if taken[host]:
                reading.add_hosts(name, host, {})
    for name, body in bodies.items():
        for child in _words(body, "children", name) if name != "all" else ():
            if not names.unfit(child) or child == "ungrouped":
                _lie(reading, name, child, told)


def _take(reading: groups.Reading, host: str, given: Mapping[str, Any]) -> str:
    """Why a host cannot be a target; '' where it can. It lies in `ungrouped` until a group has it."""
    why = names.unfit_host(host)
    try:
        if not why:
            reading.add_hosts("ungrouped", host, dict(_variables(given)))
    except groups.TooMuch:
        raise
    except ValueError as error:
        why = str(error)
    return why


def _address(given: Any) -> str:
    """By what else a host may be called that is left out: what it is connected to, where that is a name or an address."""
    value = given.get("ansible_host") if isinstance(given, dict) else None
    return value if isinstance(value, str) and not variables.odd_address({"ansible_host": value}) else ""


def _lie(reading: groups.Reading, group: str, child: str, told: list[str]) -> None:
    try:
        reading.add_group(child)
        reading.add_child(group, child)
    except groups.TooMuch:
        raise
    except ValueError as error:
        told.append(str(error))


def _variables(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that are taken, and the earlier names, which leave open how a host is reached. Raises ValueError."""
    for name in (*TAKEN, *variables.OLD):
        value = given.get(name)
        if isinstance(value, dict):
            value = config.SEALED if _VAULTED in value else value.get(_UNSAFE, value)
        if isinstance(value, dict | list):
            raise ValueError(f"{name} has to be a text, got {wording.shown(value)}")  # noqa: TRY004 - as for any that cannot be
        if name == "ansible_host" and (why := variables.odd_address({name: value})):
            raise ValueError(why)
        if value is not None:
            yield name, value


def _as_known(host: names.Host, known: tuple[tuple[str, ...], str] | None) -> names.Host:
    """What the files say and this list does not: aliases; and a connection that leads elsewhere for playbooks of some folder."""
    if known is None:
        return host
    aliases, connection = known
    elsewhere = connection not in ("", "local")
    return dataclasses.replace(host, aliases=aliases, connection=connection if elsewhere else host.connection)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise Unreadable(f"{config.shown(name)} has to be an object, got {wording.shown(value)}")
    return value or {}


def _words(body: Mapping[str, Any], key: str, group: str) -> list[str]:
    value = body.get(key) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unreadable(
            f"{key} of the group {config.shown(group)} have to be a list of names, got {wording.shown(value)}"
        )
    return value
