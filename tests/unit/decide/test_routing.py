"""Events visit the rulesets that they could concern, and lead to what visiting all would."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from healer import testing
from healer.decide import evaluating, routing

CONDITIONS = [
    'event.a == "x"', 'event.a == "y" and event.b > 1', "event.b > 3", 'event.c is search("z")', "event.a is not defined and event.b is defined",
    "event.d is not defined", "true", 'event.a in ["x", "y"]', "event.b is defined",
]  # fmt: skip
SEVERAL = {"all": ['event.a == "x"', "event.b > 2"]}
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from(["x", "y", "z", 1]),
        "b": st.integers(0, 5),
        "c": st.sampled_from(["z", "azb", None]),
        "d": st.just(1),
    },
)


def listeners(conditions: list[Any]) -> list[evaluating.Running]:
    books = [
        {"name": f"s{number}", "hosts": "all", "sources": [], "rules": [{"name": "r", "condition": one, "action": {"none": None}}]}
        for number, one in enumerate(conditions)
    ]  # fmt: skip
    return [evaluating.Running("act", one) for one in testing.load(books)]


def indexed(found: list[evaluating.Running]) -> routing.Route:
    made = routing.Route(found)
    assert list(made.index_in_slices()) or len(found) <= routing.FEW
    return made


@given(
    st.lists(st.sampled_from([*CONDITIONS, SEVERAL]), min_size=routing.FEW + 1, max_size=12),
    st.lists(EVENTS, max_size=8),
)
def test_who_is_not_visited_would_fire_nothing(conditions: list[Any], events: list[dict[str, Any]]) -> None:
    few, everyone = indexed(listeners(conditions)), listeners(conditions)
    for number, event in enumerate(events):
        reached = few.reached_by(event)
        got = {one.name: [match.matches for match in one.session.post(dict(event), number)] for one in reached}
        wanted = {one.name: [match.matches for match in one.session.post(dict(event), number)] for one in everyone}
        assert {name: found for name, found in wanted.items() if found} == {
            name: found for name, found in got.items() if found
        }
        assert [one.name for one in reached] == [one.name for one in everyone if one.name in got]


def test_few_are_asked_one_after_the_other() -> None:
    found = listeners(CONDITIONS[: routing.FEW])
    assert indexed(found).reached_by({}) == tuple(found)


def test_most_of_many_are_not_visited() -> None:
    found = listeners([f'event.a == "{number}"' for number in range(200)])
    assert [one.name for one in indexed(found).reached_by({"a": "7"})] == ["act/s7"]
    assert list(indexed(found).reached_by({"b": "7"})) == []


def test_before_the_index_is_made_all_are_visited() -> None:
    found = listeners(CONDITIONS)
    route = routing.Route(found)
    next(route.index_in_slices())
    assert route.reached_by({}) == tuple(found)
