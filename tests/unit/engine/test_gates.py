"""The rules of one path, by what its value is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from healer.engine import gates


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=20), st.integers(-4, 4))
def test_thresholds_are_what_comparing_each_gives(entries: list[tuple[int, bool]], value: int) -> None:
    made = gates.Thresholds()
    for rule, (number, inclusive) in enumerate(entries):
        made.add(float(number), inclusive, rule)
    made.freeze()
    above: list[int] = []
    below: list[int] = []
    made.at_most(value, above)
    made.at_least(value, below)
    assert sorted(above) == [n for n, (t, inclusive) in enumerate(entries) if value > t or (inclusive and value == t)]
    assert sorted(below) == [n for n, (t, inclusive) in enumerate(entries) if value < t or (inclusive and value == t)]


def found(place: gates.PathGates, event: dict[str, Any]) -> list[int]:
    rules: list[int] = []
    place.collect(event, rules)
    return sorted(rules)


def test_many_patterns_are_looked_for_in_sets() -> None:
    place = gates.PathGates(("a",))
    for rule in range(200):
        place.add(rule, "search", (f"n{rule}x.", rule % 2 == 1, False, False))
    list(place.freeze())
    assert len(place.sets) > 1
    assert found(place, {"a": "  n4x! n5x! n198x!"}) == [4, 198]
    assert found(place, {"a": "n5x!"}) == [5]


def test_what_only_needs_the_path_is_found_when_it_is_there() -> None:
    place = gates.PathGates(("a",))
    place.add(7, "present", None)
    list(place.freeze())
    assert [found(place, event) for event in ({"a": None}, {"a": []}, {"a": "x"}, {"b": 1})] == [[7], [7], [7], []]
