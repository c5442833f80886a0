"""Documents of a JSON Schema by seed, and the same with a mistake. Caller: `test_schema`."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema

CONDITIONS: Final = ("event.i == 1", "event.a.b is defined", 'event.s == "x" and event.i > 2', "true", "fact.ok")
"""All parse, whatever stands around them."""
TEXTS: Final = ("x", "all", "web 1", "Grüße", "{{ event.i }}", "0")
DURATIONS: Final = ("5 seconds", "1 second", "0 hours", "2 days", "1 minute", "10 minutes")
FINE_DURATIONS: Final = (*DURATIONS, "5 milliseconds", "1 millisecond")
TYPES: Final = ("range", "eda.builtin.generic", "a.b.c", "mine")
VALUES: Final = (
    None, True, False, 0, 1, -1, 5, 1.0, 1.5, "", " ", "x", "5 seconds", "5 seconds\n", "5 parsecs", "seconds", "5 milliseconds",
    "1  day", "٥ days", "parallel", "now", [], ["x"], [1], [{}], {}, {"a": 1}, {"none": None}, {"timeout": "5 seconds"},
)  # fmt: skip
TRIES: Final = 200


class Walk:
    """Makes documents that a schema accepts."""

    def __init__(self, schema: Mapping[str, Any], seed: int) -> None:
        self.root = schema
        self.random = random.Random(seed)
        self.numbers = itertools.count(1)
        self.judge = jsonschema.validators.validator_for(schema)

    def document(self) -> Any:
        """One that is valid."""
        return self._valid(self.root, "")

    def _valid(self, part: Mapping[str, Any], key: str) -> Any:
        part = self._resolved(part)
        for _ in range(TRIES):
            made = self._made(part, key)
            if self.judge({**part, "$defs": self.root.get("$defs", {})}).is_valid(made):
                return made
        raise AssertionError(f"no document found for {key}: {part}")

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in part:
            found: Any = self.root
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = {**found, **{name: inner for name, inner in part.items() if name != "$ref"}}
        return part

    def _made(self, part: Mapping[str, Any], key: str) -> Any:
        part = self._resolved(part)
        if "enum" in part:
            return self.random.choice(part["enum"])
        for word in ("oneOf", "anyOf"):
            if word in part and "properties" not in part:
                return self._valid(self.random.choice(part[word]), key)
        kind = part.get("type", "string")
        kind = self.random.choice(kind) if isinstance(kind, list) else kind
        make: Any = getattr(self, f"_{kind}")
        return make(part, key)

    def _object(self, part: Mapping[str, Any], key: str) -> dict[str, Any]:
        known = part.get("properties", {})
        if key == "filters":
            return {self.random.choice(TYPES): self.random.choice((None, {}, {"a": 1}))}
        if not known and "additionalProperties" not in part:
            return {f"k{number}": self.random.choice(VALUES) for number in range(self.random.randrange(3))}
        required = {*part.get("required", ()), *self.random.choice(part.get("oneOf", [{}])).get("required", ())}
        required |= {"all", "any"} & set(known)  # no condition at all is another matter: see `test_schema.LATER`
        names = [name for name in known if name in required or self.random.random() < 0.3]
        self.random.shuffle(names)
        made = {name: self._valid(known[name], name) for name in names}
        others = part.get("additionalProperties")
        if isinstance(others, Mapping):  # a source
            made[self.random.choice(TYPES)] = self._valid(others, "")
        if "throttle" in made:  # takes a condition on one event
            made["condition"] = self.random.choice(CONDITIONS)
        return made

    def _array(self, part: Mapping[str, Any], key: str) -> list[Any]:
        least = 1 if key in ("all", "any", "not_all", "actions") else part.get("minItems", 0)
        return [self._valid(part.get("items", {}), key) for _ in range(max(least, self.random.choice((0, 1, 1, 2, 3))))]

    def _string(self, part: Mapping[str, Any], key: str) -> str:
        if "pattern" in part and "seconds" in part["pattern"]:
            return self.random.choice(FINE_DURATIONS if "milli" in part["pattern"] else DURATIONS)
        if key in ("condition", "all", "any", "not_all"):
            return self.random.choice(CONDITIONS)
        if key == "name":
            return f"n{next(self.numbers)}"
        if key == "module_args":
            return "a=1 b='two words'"
        if key == "group_by_attributes":
            return self.random.choice(("event.i", "host"))
        return self.random.choice(TEXTS)

    def _boolean(self, _part: Mapping[str, Any], _key: str) -> bool:
        return self.random.choice((True, False))

    def _integer(self, part: Mapping[str, Any], _key: str) -> int:
        return self.random.choice((1, 2, 5)) if "minimum" in part else self.random.choice((-1, 0, 3))

    def _number(self, _part: Mapping[str, Any], _key: str) -> float:
        return self.random.choice((0, 2, 1.5))

    def _null(self, _part: Mapping[str, Any], _key: str) -> None:
        return None


def keys(schema: Any) -> Iterator[str]:
    """Every key that a schema has a place for."""
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {}) if isinstance(schema.get("properties"), Mapping) else ()
        for inner in schema.values():
            yield from keys(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keys(inner)


def mutated(document: Any, names: list[str], chance: random.Random) -> Any:
    """The document with one thing changed: a key dropped, added or renamed, an item more or less, another value."""
    made = copy.deepcopy(document)
    places = list(_places(made))
    if not places:
        return chance.choice(VALUES)
    inside, at = chance.choice(places)
    value = chance.choice(VALUES)
    changes = [
        "value",
        "value",
        "drop",
        *(["add", "rename", "add"] if isinstance(inside, dict) else ["twice", "empty"]),
    ]
    change = chance.choice(changes)
    if change == "value":
        inside[at] = value
    elif change == "drop":
        del inside[at]
    elif change == "add":
        inside[chance.choice(names)] = value
    elif change == "rename":
        inside[chance.choice(names)] = inside.pop(at)
    elif change == "twice":
        inside.append(copy.deepcopy(inside[at]))
    else:
        inside.clear()
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for at, inner in list(found):
        yield value, at
        yield from _places(inner)
