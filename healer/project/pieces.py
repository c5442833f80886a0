"""A loaded project cut into pieces that are quick to read each, and put together again.

Caller: `child`. A revision with thousands of rules takes tens of milliseconds to unpickle; the daemon's loop must not stand
still for so long, so it takes piece after piece and lets others go between them.
"""

from __future__ import annotations

import dataclasses
import pathlib
import pickle
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from healer import inventory
from healer.project.loading import Loaded
from healer.project.revision import Activation, Revision

RULES: Final = 10
ITEMS: Final = 100
MEMBERS: Final = 5_000
"""How many rules, smaller things, and names of a group, make a piece: half a millisecond's work."""


def cut(loaded: Loaded) -> Iterator[bytes]:
    """The pieces, in the order in which `Joined.add` wants them."""
    for piece in _cut(loaded):
        yield pickle.dumps(piece, pickle.HIGHEST_PROTOCOL)


def cut_inventory(one: inventory.Inventory | None, told: Iterable[str], mark: str) -> Iterator[bytes]:
    """The pieces of a lone inventory, or of none, with what is to be told and a word of its own."""
    for some in _batched(told, ITEMS):
        yield pickle.dumps(("diagnostics", some), pickle.HIGHEST_PROTOCOL)
    for piece in _cut_inventory("", one) if one is not None else ():
        yield pickle.dumps(piece, pickle.HIGHEST_PROTOCOL)
    yield pickle.dumps(("end", mark), pickle.HIGHEST_PROTOCOL)


def _cut(loaded: Loaded) -> Iterator[tuple[Any, ...]]:
    for some in _batched(loaded.diagnostics, ITEMS):
        yield "diagnostics", some
    whole = loaded.revision
    if whole is not None:
        for name in ("files", "controllers", "sources"):
            for some in _batched(getattr(whole, name).items(), ITEMS):
                yield "items", name, some
        for some in _batched(whole.catalog.entries.items(), ITEMS):
            yield "items", "entries", some
        for path, one in whole.inventories.items():
            yield from _cut_inventory(path, one)
        for activation in whole.activations:
            yield "activation", dataclasses.replace(activation, rulesets=())
            for ruleset in activation.rulesets:
                yield "ruleset", dataclasses.replace(ruleset, rules=())
                for rules in _batched(ruleset.rules, RULES):
                    yield "rules", rules
        bare = dataclasses.replace(
            whole, files={}, controllers={}, sources={}, inventories={}, activations=(), diagnostics=(),
            catalog=dataclasses.replace(whole.catalog, entries={}),
        )  # fmt: skip
        yield "revision", bare
    yield "end", str(loaded.published or "")


def _cut_inventory(path: str, one: inventory.Inventory) -> Iterator[tuple[Any, ...]]:
    for attribute, value in vars(one).items():
        if attribute == "groups":  # each may have all the hosts
            for name, members in value.items():
                for some in _batched(members, MEMBERS):
                    yield "group", path, name, tuple(some)
            empty = ((name, members) for name, members in value.items() if not members)
            for some in _batched(empty, ITEMS):
                yield "inventory", path, attribute, some
            continue
        for some in _batched(value.items(), ITEMS) if isinstance(value, dict) else ():
            yield "inventory", path, attribute, some
    plain = {name: {} if isinstance(value, dict) else value for name, value in vars(one).items()}
    yield "inventory_rest", path, plain


def _batched(items: Iterable[Any], count: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while some := list(islice(iterator, count)):
        yield some


class Joined:
    """Takes the pieces in their order."""

    def __init__(self) -> None:
        self._diagnostics: list[Any] = []
        self._items: dict[str, dict[Any, Any]] = {"files": {}, "controllers": {}, "sources": {}, "entries": {}}
        self._inventories: dict[str, dict[str, Any]] = {}
        self._activations: list[tuple[Activation, list[tuple[Any, list[Any]]]]] = []
        self._bare: Revision | None = None
        self._published: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the last piece has come."""
        return self._published is not None

    def add(self, piece: bytes) -> None:
        """Take one piece. It comes from a child of our own, in a file that nobody else has."""
        kind, *rest = pickle.loads(piece)  # noqa: S301 - see above
        if kind == "diagnostics":
            self._diagnostics += rest[0]
        elif kind == "items":
            self._items[rest[0]].update(rest[1])
        elif kind == "inventory":
            self._inventories.setdefault(rest[0], {}).setdefault(rest[1], {}).update(rest[2])
        elif kind == "group":
            groups = self._inventories.setdefault(rest[0], {}).setdefault("groups", {})
            groups[rest[1]] = groups.get(rest[1], ()) + rest[2]
        elif kind == "inventory_rest":
            self._inventories[rest[0]] = {**rest[1], **self._inventories.get(rest[0], {})}
        elif kind == "activation":
            self._activations.append((rest[0], []))
        elif kind == "ruleset":
            self._activations[-1][1].append((rest[0], []))
        elif kind == "rules":
            self._activations[-1][1][-1][1].extend(rest[0])
        elif kind == "revision":
            self._bare = rest[0]
        else:
            self._published = rest[0]

    def lone(self) -> tuple[inventory.Inventory | None, tuple[str, ...], str]:
        """What was cut by `cut_inventory`."""
        one = next(map(_inventory, self._inventories.values()), None)
        return one, tuple(self._diagnostics), self._published or ""

    def loaded(self) -> Loaded:
        """What was cut."""
        diagnostics = tuple(self._diagnostics)
        published = pathlib.Path(self._published) if self._published else None
        if self._bare is None:
            return Loaded(None, diagnostics, published)
        whole = dataclasses.replace(
            self._bare, files=self._items["files"], controllers=self._items["controllers"],
            sources=self._items["sources"], diagnostics=diagnostics,
            catalog=dataclasses.replace(self._bare.catalog, entries=self._items["entries"]),
            inventories={path: _inventory(state) for path, state in self._inventories.items()},
            activations=tuple(_activation(*one) for one in self._activations),
        )  # fmt: skip
        return Loaded(whole, diagnostics, published)


def _inventory(state: Mapping[str, Any]) -> inventory.Inventory:
    made = inventory.Inventory.__new__(inventory.Inventory)
    vars(made).update(state)
    return made


def _activation(activation: Activation, rulesets: list[tuple[Any, list[Any]]]) -> Activation:
    whole = tuple(dataclasses.replace(ruleset, rules=tuple(rules)) for ruleset, rules in rulesets)
    return dataclasses.replace(activation, rulesets=whole)
