"""Paths: each statement of section 5 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

from typing import Any

import pytest


def test_5_1_indexes_keys_and_names(on: Any) -> None:
    on.table({
        "event.a[0] == 1": [({"a": [1, 2]}, True), ({"a": []}, False)],
        "event.a[-1] == 2": [({"a": [1, 2]}, True), ({"a": [2, 1]}, False)],
        "event.a[0][1] == 2": [({"a": [[1, 2]]}, True), ({"a": [[1]]}, False)],
        'event.a["x.y"] == 1': [({"a": {"x.y": 1}}, True), ({"a": {"x": {"y": 1}}}, False)],
        'event["grün"] == 1': [({"grün": 1}, True)], "event.grün.ä == 1": [({"grün": {"ä": 1}}, True)],
        "event.a[5] is defined": [({"a": [1]}, False)], "event.a[5] is not defined and event.a is defined": [({"a": [1]}, True)],
        "event.a[5] != 1": [({"a": [1]}, False)],
    })  # fmt: skip


def test_5_1_before_the_first_element_the_peer_raises(on: Any) -> None:
    """The page has it of an empty list (4.8b); it holds of every list that is too short. Here it is not defined, and counted."""
    for condition in ("event.a[-2] is defined", "event.a[-2] == 1"):
        assert on.holds(condition, {"a": [1]}) == [False if on.ours else "raised"]


def test_5_2_a_dot_in_brackets_belongs_to_the_key(on: Any) -> None:
    on.table({
        'event["a.b"] == 1': [({"a.b": 1}, True), ({"a": {"b": 1}}, False)],
        "event.a.b == 1": [({"a.b": 1}, False), ({"a": {"b": 1}}, True)],
    })  # fmt: skip


def test_5_3_a_text_in_brackets_is_a_key_and_a_number_an_index(on: Any) -> None:
    on.table({
        'event.a["0"] == 1': [({"a": {"0": 1}}, True), ({"a": [1]}, False)],
        "event.a[0] is defined": [({"a": {"0": 1}}, False), ({"a": {"x": 1}}, False), ({"a": [1]}, True)],
        "event.a.b == 1": [({"a": [{"b": 1}]}, False), ({"a": {"b": 1}}, True)],
    })  # fmt: skip


@pytest.mark.parametrize("condition", ["event", "event == 1", "not event", "event.a == 1 and event"])
def test_5_4_event_alone_is_an_error_at_load(on: Any, condition: str) -> None:
    assert on.refuses(condition)


def test_5_5_events_without_a_binding_is_the_event(on: Any) -> None:
    on.table({"events.x == 1": [({"x": 1}, True), ({"x": 2}, False), ({"y": 1}, False)]})


def test_5_6_of_duplicate_keys_the_last_counts(on: Any) -> None:
    assert on.fired(["event.a == 1", "event.a == 2"], {"text": '{"a": 1, "a": 2}'}) == [[("r1", {"m": {"a": 2}})]]
