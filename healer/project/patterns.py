"""Ansible's patterns of hosts, as operators write them in `hosts:` of a ruleset: `web*`, `web:!web01`, `web:&prod`, `~web0[12]`.

After split_host_pattern, order_patterns and InventoryManager of ansible-core 2.19 (lib/ansible/inventory/manager.py). What an event
brings is never read as one. Caller: `targets`.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Mapping
from typing import Final

import re2

from healer import inventory
from healer.engine import patterns

REGEX_MEMORY: Final = 1 << 20
"""Bytes that one regular expression may take."""
_PARTS: Final = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_WITH_PORT: Final = re.compile(r"(?:[\w.-]|\[[^\]]*\])+:[0-9]+")
"""A host's name with a port is one pattern to Ansible, which no host matches."""
_SUBSCRIPT: Final = re.compile(r"(.+)\[(?:(-?[0-9]{1,9})|([0-9]{1,9})[:-]([0-9]{0,9}))\]")
_SPECIAL: Final = frozenset(".?*[")


class Unreadable(ValueError):
    """A regular expression that is none, or that cannot be run in linear time."""


def split(text: str) -> list[str]:
    """The parts in the order in which they count: what is taken, what it has to be in too (`&`), what is left out (`!`)."""
    alone = "," in text or _is_address(text.strip()) or _WITH_PORT.fullmatch(text.strip())
    found = text.split(",") if alone else _PARTS.findall(text)
    parts = [part.strip() for part in found if part.strip()]
    taken = [part for part in parts if part[0] not in "&!"] or ["all"] * bool(parts)
    return [*taken, *(part for part in parts if part[0] == "&"), *(part for part in parts if part[0] == "!")]


def bare(part: str) -> str:
    """A part without its `&` or `!`."""
    return part[1:] if part[0] in "&!" else part


def matching(part: str, known: inventory.Inventory) -> list[str]:
    """The names of the hosts that one part means, without its `&` or `!`. Raises `Unreadable`."""
    if part in known.hosts:
        return [part]
    found = None if part.startswith("~") else _SUBSCRIPT.fullmatch(part)
    text = found[1] if found else part
    plain = not text.startswith("~") and not _SPECIAL & set(text)
    groups = ([text] if text in known.groups else []) if plain else _like(text, known.groups)
    names = [name for group in groups for name in known.groups[group]]
    if not groups or not plain:
        names += ([text] if text in known.hosts else []) if plain else _like(text, known.hosts)
    names = list(dict.fromkeys(names))
    return _subscripted(names, found) if found else names


def _like(text: str, names: Mapping[str, object]) -> list[str]:
    if not text.startswith("~"):
        return [name for name in names if fnmatch.fnmatchcase(name, text)]
    try:
        regex = re2.compile(text[1:], patterns.options(REGEX_MEMORY))
        return [name for name in names if regex.match(name)]
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise Unreadable(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None
    except UnicodeError as error:
        raise Unreadable(str(error)) from None


def _subscripted(names: list[str], found: re.Match[str]) -> list[str]:
    _, index, start, end = found.groups()
    if index is None:
        return names[int(start) : int(end) + 1 if end else None]
    return names[int(index) :][:1] if -len(names) <= int(index) < len(names) else []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
