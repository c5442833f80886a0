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
    reading = groups.Reading(variables.Folder("", {}, {}), ())
    reading.partial = True
    try:
        _fill(reading, listed, told)
        made = reading.inventory()
    except groups.TooMuch as error:
        raise Unreadable(f"it has {error}") from None
    hosts = {name: _as_known(host, known.get(name)) for name, host in made.hosts.items()}
    shown = told if len(told) <= LEFT_OUT_MAX else [*told[:LEFT_OUT_MAX], f"and {len(told) - LEFT_OUT_MAX} more"]
    return names.Inventory(hosts, made.groups, partial=True, dynamic=True), shown


def _listed(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"it has to be an object of groups, got {wording.shown(found)}")
    return found


def _fill(reading: groups.Reading, listed: Mapping[str, Any], told: list[str]) -> None:
    """Raises `groups.TooMuch`, `Unreadable`."""
    given = _object(_object(listed.get(_META), _META).get("hostvars"), "hostvars")
    bodies = {name: _object(body, name) for name, body in listed.items() if name != _META}
    taken: dict[str, bool] = {}
    for name in [*bodies]:
        if why := unfit(name) if name not in ("all", "ungrouped") else "":
            told.append(f"the group {config.shown(name)} {why}")
            del bodies[name]
        else:
            reading.add_group(name)
    for name, body in bodies.items():
        for host in _words(body, "hosts", name):
            if host not in taken:
                if len(taken) >= HOSTS_MAX:
                    raise Unreadable(f"it has more than {HOSTS_MAX} hosts")
                taken[host] = _take(reading, host, _object(given.get(host), host), told)
            if taken[host]:
                reading.add_hosts(name, host, {})
    for name, body in bodies.items():
        for child in _words(body, "children", name) if name != "all" else ():
            if not unfit(child) or child == "ungrouped":
                _lie(reading, name, child, told)


def _take(reading: groups.Reading, host: str, given: Mapping[str, Any], told: list[str]) -> bool:
    """Whether the host is one that can be a target; it lies in `ungrouped` until a group has it."""
    why = unfit(host)
    try:
        if not why:
            reading.add_hosts("ungrouped", host, dict(_variables(given)))
    except groups.TooMuch:
        raise
    except ValueError as error:
        why = f"is left out: {error}"
    if why:
        told.append(f"the host {config.shown(host)} {why}")
    return not why


def _lie(reading: groups.Reading, group: str, child: str, told: list[str]) -> None:
    try:
        reading.add_group(child)
        reading.add_child(group, child)
    except groups.TooMuch:
        raise
    except ValueError as error:
        told.append(str(error))


def unfit(name: str) -> str:
    """Why a name can be none of a host or group that Ansible is given by it; '' where it can."""
    if not name or len(name) > names.TEXT_MAX or not name.isprintable() or any(c.isspace() for c in name):
        return f"is left out: a name has no spaces or control characters, and 1 to {names.TEXT_MAX} characters"
    if why := names.meaning_more(name):
        return f"is left out: it {why}"
    if names.with_port(name):
        return "is left out: its name ends like a port, which Ansible would take for one"
    return ""


def _variables(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that are taken, and the earlier names, which leave open how a host is reached. Raises ValueError."""
    for name in (*TAKEN, *variables.OLD):
        value = given.get(name)
        if isinstance(value, dict):
            value = config.SEALED if _VAULTED in value else value.get(_UNSAFE, value)
        if isinstance(value, dict | list):
            raise ValueError(f"{name} has to be a text, got {wording.shown(value)}")  # noqa: TRY004 - as for any that cannot be
        if name == "ansible_host" and isinstance(value, str) and "{{" not in value and value:
            _check_address(value)
        if value is not None:
            yield name, value


def _check_address(value: str) -> None:
    if len(value) > names.TEXT_MAX or value.startswith("-") or not value.isprintable() or any(map(str.isspace, value)):
        raise ValueError(f"ansible_host is a name or an address, got {config.shown(value)}")


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
