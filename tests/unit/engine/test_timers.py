"""Rules that time fires, and counts within a window, by the numbers of the measured semantics (8)."""

from __future__ import annotations

from typing import Any

import pytest

from healer import engine, testing
from healer.engine import timers

GROUPED = {"group_by_attributes": ["event.h"]}


def book(*rules: dict[str, Any], **keys: Any) -> list[dict[str, Any]]:
    made = [{"name": f"r{n}", "action": {"none": None}, **one} for n, one in enumerate(rules)]
    return [{"name": "s", "hosts": "all", "sources": [], "rules": made, **keys}]


def after(window: str = "10 seconds", condition: str = "event.i == 1", **keys: Any) -> dict[str, Any]:
    return {"condition": condition, "throttle": {"once_after": window, **GROUPED, **keys}}


def within(threshold: int, window: str = "10 seconds", condition: str = "event.i == 1") -> dict[str, Any]:
    return {"condition": condition, "throttle": {"accumulate_within": window, "threshold": threshold, **GROUPED}}


def not_all(names: str, timeout: str = "10 seconds") -> dict[str, Any]:
    return {"condition": {"not_all": [f"event.{name} == 1" for name in names], "timeout": timeout}}


def fired(rules: list[dict[str, Any]], *steps: dict[str, Any], until: float = 100) -> list[tuple[str, float, Any]]:
    """(rule, time, matches) of all firings; `at` of a step is its time, any other key makes it an event."""
    known = ("event", "fact", "retract", "advance_s")
    made = []
    for step in steps:
        at = {"at": step["at"]} if "at" in step else {}
        rest = {key: value for key, value in step.items() if key != "at"}
        made.append({**(rest if any(key in rest for key in known) else {"event": rest}), **at})
    found = testing.replay(rules, [*made, {"advance_s": 0, "at": until}])
    return [(one.rule, one.at, one.matches) for one in found]


def shown(rules: list[dict[str, Any]], *steps: dict[str, Any], until: float = 100) -> list[str]:
    """As `r0@10 m=a`: rule, time, and the `n` of each event by its name."""
    return [
        f"{rule}@{at:g} " + " ".join(f"{name}={event['n']}" for name, event in sorted(matches.items()))
        for rule, at, matches in fired(rules, *steps, until=until)
    ]


def gathered(number: int) -> dict[str, Any]:
    return {"rule_engine": {"events_in_window": number, "once_after_time_window": "10 SECONDS"}}


# --- once_after ---------------------------------------------------------------------------------------------------------------


def test_8_5_once_after_fires_once_at_the_end_with_the_first_of_each_group() -> None:
    steps = [
        {"i": 1, "h": "a", "n": 0, "at": 0},
        {"i": 1, "h": "a", "n": 1, "at": 3},
        {"i": 1, "h": "b", "n": 2, "at": 9},
    ]
    assert fired(book(after()), *steps) == [
        ("r0", 10, {"m_0": {"i": 1, "h": "a", "n": 0, "meta": gathered(2)}, "m_1": {"i": 1, "h": "b", "n": 2, "meta": gathered(1)}}),
    ]  # fmt: skip


def test_8_5_a_single_group_is_named_m_and_it_starts_anew() -> None:
    steps = [{"i": 1, "h": "a", "n": n, "at": at} for n, at in enumerate((0, 9.999, 10, 25))]
    assert shown(book(after()), *steps) == ["r0@10 m=0", "r0@20 m=2", "r0@35 m=3"]


def test_8_5_groups_stand_in_the_order_in_which_they_were_last_heard_of() -> None:
    steps = [{"i": 1, "h": h, "n": n, "at": n} for n, h in enumerate("abcba")]
    assert shown(book(after()), *steps) == ["r0@10 m_0=2 m_1=1 m_2=0"]


def test_8_4_groups_of_once_after() -> None:
    """By type; a null is a group, what has no such field is one of its own."""
    values: list[Any] = [1, 1.0, "1", True, None, None]
    steps = [{"i": 1, "h": value, "n": n, "at": 0} for n, value in enumerate(values)]
    assert shown(book(after()), *steps, {"i": 1, "n": 6}, {"i": 1, "n": 7}) == [
        "r0@10 m_0=0 m_1=1 m_2=2 m_3=3 m_4=4 m_5=6 m_6=7"
    ]


def test_8_2_an_event_that_is_gathered_is_taken_from_the_rules_after_it() -> None:
    plain = {"condition": "event.i == 1"}
    for mmr in (False, True):
        rules = book(after(), plain, match_multiple_rules=mmr)
        assert shown(rules, {"i": 1, "h": "a", "n": 0}) == ["r0@10 m=0"]
        rules = book(plain, after(), match_multiple_rules=mmr)
        assert shown(rules, {"i": 1, "h": "a", "n": 0}) == ["r0@0 m=0", "r1@10 m=0"]
    joined = {"condition": {"all": ["event.i == 1", "event.j == 1"]}}
    assert shown(book(joined, after()), {"i": 1, "h": "a", "n": 0}, {"j": 1, "n": 1}) == ["r1@10 m=0"]


def test_a_fact_is_gathered_and_not_kept() -> None:
    session = engine.Session(testing.load(book(after()))[0])
    assert session.assert_fact({"i": 1, "h": "a"}, 0) == []
    assert session.facts.stored == []
    assert [match.at for match in session.advance(10)] == [10]


# --- accumulate_within --------------------------------------------------------------------------------------------------------


def test_8_6_it_fires_on_the_last_of_the_count_with_that_event() -> None:
    steps = [{"i": 1, "h": "a", "n": n, "at": n} for n in range(7)]
    noted = {"rule_engine": {"accumulate_within_time_window": "10 SECONDS", "threshold": 3}}
    assert fired(book(within(3)), *steps) == [
        ("r0", at, {"m": {"i": 1, "h": "a", "n": at, "meta": noted}}) for at in (2, 5)
    ]


@pytest.mark.parametrize(("times", "fires"), [
    ((0, 6, 12), []), ((0, 6, 9.999), [9.999]), ((0, 6, 10), []), ((0, 6, 12, 13, 14), [14]), ((0, 6, 10, 11, 12), [12]),
])  # fmt: skip
def test_8_6_the_window_is_tumbling(times: tuple[float, ...], fires: list[float]) -> None:
    """From the first event of the count; at exactly its end (8.10) the count starts anew."""
    steps = [{"i": 1, "h": "a", "n": n, "at": at} for n, at in enumerate(times)]
    assert [at for _, at, _ in fired(book(within(3)), *steps)] == fires


def test_8_6_a_threshold_of_one_fires_each_time() -> None:
    assert shown(book(within(1)), *[{"i": 1, "h": "a", "n": n} for n in range(2)]) == ["r0@0 m=0", "r0@0 m=1"]


def test_8_4_groups_of_accumulate_within() -> None:
    values: list[Any] = [1, 1.0, "1", True, None, None, 1]
    steps = [{"i": 1, "h": value, "n": n} for n, value in enumerate(values)]
    assert shown(book(within(2)), *steps, {"i": 1, "n": 7}, {"i": 1, "n": 8}) == ["r0@0 m=5", "r0@0 m=6"]


def test_8_6_what_is_counted_is_taken_and_what_has_no_group_is_not() -> None:
    rules = book(within(2), {"condition": "event.i == 1"})
    steps = [{"i": 1, "h": "a", "n": 0}, {"i": 1, "h": "a", "n": 1}, {"i": 1, "h": "a", "n": 2}, {"i": 1, "n": 3}]
    assert shown(rules, *steps) == ["r0@0 m=1", "r1@0 m=3"]


def test_8_6_a_rule_that_lost_the_event_counts_it_and_notes_it() -> None:
    """Upstream changes the one event that all rules see."""
    rules = book({"condition": "event.k == 1"}, within(2))
    lost = {"i": 1, "h": "a", "k": 1}
    noted = {"rule_engine": {"accumulate_within_time_window": "10 SECONDS", "threshold": 2}}
    assert fired(rules, lost, lost) == [("r0", 0, {"m": lost}), ("r0", 0, {"m": {**lost, "meta": noted}})]


def test_a_count_that_begins_anew_in_the_same_moment_is_kept_once() -> None:
    (compiled,) = testing.load(book(within(2)))
    session, again = engine.Session(compiled), engine.Session(compiled)
    for _ in range(3):
        session.post({"i": 1, "h": "a"}, 0)
    again.restore(session.snapshot())
    assert again.snapshot() == session.snapshot()


# --- not_all ------------------------------------------------------------------------------------------------------------------


def test_8_8_what_came_alone_fires_at_its_deadline() -> None:
    assert shown(book(not_all("ab")), {"a": 1, "n": 0, "at": 0}) == ["r0@10 m_0=0"]
    assert shown(book(not_all("ab")), {"b": 1, "n": 0, "at": 3}) == ["r0@13 m_1=0"]
    assert shown(book(not_all("ab"))) == []


def test_8_8_what_is_left_begins_a_window_of_its_own() -> None:
    """Measured on the engine anew; the page has 16."""
    assert shown(book(not_all("abc")), {"a": 1, "n": 0, "at": 0}, {"b": 1, "n": 1, "at": 6}) == [
        "r0@10 m_0=0",
        "r0@20 m_1=1",
    ]
    assert shown(book(not_all("ab")), {"a": 1, "n": 0, "at": 0}, {"a": 1, "n": 1, "at": 1}) == [
        "r0@10 m_0=0",
        "r0@20 m_0=1",
    ]


def test_8_8_when_all_came_it_is_silent_and_the_next_starts_anew() -> None:
    steps = [{"a": 1, "n": 0, "at": 0}, {"a": 1, "n": 1, "at": 1}, {"b": 1, "n": 2, "at": 9.999}]
    assert shown(book(not_all("ab")), *steps) == []
    assert shown(book(not_all("ab")), *steps, {"a": 1, "n": 3, "at": 50}) == ["r0@60 m_0=3"]


def test_8_10_an_event_at_the_deadline_belongs_to_the_next_window() -> None:
    steps = [{"a": 1, "n": 0, "at": 0}, {"b": 1, "n": 1, "at": 10}]
    assert shown(book(not_all("ab")), *steps) == ["r0@10 m_0=0", "r0@20 m_1=1"]


def test_an_event_that_is_alone_at_two_places_fires_once() -> None:
    assert shown(book(not_all("ab")), {"a": 1, "b": 1, "n": 0}) == ["r0@10 m_1=0"]


def test_names_of_not_all() -> None:
    rule = {"condition": {"not_all": ["events.first << event.a == 1", "event.b == 1"], "timeout": "10 seconds"}}
    assert shown(book(rule), {"a": 1, "n": 0}) == ["r0@10 first=0"]


def test_not_all_takes_no_event_and_gives_back_what_is_over() -> None:
    plain, joined = {"condition": "event.a == 1"}, {"condition": {"all": ["event.a == 1", "event.j == 1"]}}
    assert shown(book(not_all("ab"), plain), {"a": 1, "n": 0}) == ["r1@0 m=0", "r0@10 m_0=0"]
    complete = [{"a": 1, "n": 0}, {"b": 1, "n": 1}, {"j": 1, "n": 2}]
    assert shown(book(not_all("ab"), joined), *complete) == []
    assert shown(book(not_all("ab"), joined), complete[0], complete[2]) == ["r1@0 m_0=0 m_1=2", "r0@10 m_0=0"]


# --- time ---------------------------------------------------------------------------------------------------------------------


def test_what_is_due_fires_by_time_then_by_rule_before_the_event_that_comes_then() -> None:
    rules = book(
        {"condition": "event.z == 1"},
        after("10 seconds"),
        not_all("ab", "5 seconds"),
        after("5 seconds", "event.k == 1"),
    )
    steps = [
        {"i": 1, "h": "a", "n": 0, "at": 0},
        {"k": 1, "h": "a", "n": 1, "at": 5},
        {"a": 1, "n": 2, "at": 5},
        {"z": 1, "n": 3, "at": 20},
    ]
    assert shown(rules, *steps) == ["r1@10 m=0", "r2@10 m_0=2", "r3@10 m=1", "r0@20 m=3"]


def test_across_rulesets_by_time_then_in_the_order_of_the_file() -> None:
    first, second = book(after("10 seconds")), book(after("5 seconds"), after("10 seconds"))
    second[0]["name"] = "t"
    found = testing.replay(first + second, [{"event": {"i": 1, "h": "a"}}, {"advance_s": 60}])
    assert [(one.ruleset, one.rule, one.at) for one in found] == [("t", "r0", 5), ("s", "r0", 10)]


def test_the_next_deadline_is_known() -> None:
    session = engine.Session(testing.load(book(after(), not_all("ab", "4 seconds")))[0])
    assert session.next_deadline() is None
    session.post({"i": 1, "h": "a"}, 1.5)
    assert session.next_deadline() == 11.5
    session.post({"a": 1}, 2)
    assert session.next_deadline() == 6
    session.post({"b": 1}, 3)
    assert session.next_deadline() == 11.5
    assert [match.at for match in session.post({}, 30)] == [11.5]
    assert session.next_deadline() is None


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "HELD_MAX", 3)
    session = engine.Session(testing.load(book(after(), not_all("ab")))[0])
    for number in range(10):
        session.post({"i": 1, "h": number, "a": 1}, 0, number)
        session.post({"a": 1}, 0, number)
    assert session.counters["events_evicted"] == 7 + (10 - 1 - 3)
    assert [sorted(match.refs.values()) for match in session.advance(10)] == [[7, 8, 9], [0]]


def test_a_deadline_stands_once_however_many_events_are_gathered() -> None:
    session = engine.Session(testing.load(book(after(), not_all("ab")))[0])
    for number in range(1000):
        session.post({"i": 1, "h": number % 3, "a": 1}, number / 1000, number)
        session.post({"a": 1}, number / 1000, number)
    assert len(session.timers._due) == 2
    assert [match.at for match in session.advance(15)] == [10, 10]
    assert len(session.timers._due) == 1  # what is left of the `not_all`
    assert session.next_deadline() == 20


def test_explaining_changes_nothing() -> None:
    rules = book({"condition": {"all": ["event.i == 1", "event.j == 1"]}})
    session = engine.Session(testing.load(rules)[0])
    session.post({"i": 1}, 0)
    before, last = session.snapshot(), session.memory.last
    assert [one["reason"] for one in session.explain({"j": 1})] == ["fires"]
    assert [one["reason"] for one in session.explain({"i": 1})] == ["waits"]
    assert (session.snapshot(), session.memory.last) == (before, last)
