"""Which format a delivery looks like, where the source names none of a sender's own."""

from __future__ import annotations

import json
import pathlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import plugins
from healer.sources import webhook

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["alerts", "data", "rule", "a"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
ENVELOPES = {"azure_eventgrid/vm_availability_changed_cloudevents.json": "cloudevents"}
"""Real bodies that a sender sends in the form of another format."""
AM = {"version": "4", "receiver": "healer", "groupKey": "{}", "alerts": []}


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`ship(name=marks)`: these formats ship, in place of ours; None for one that is broken."""

    def made(**formats: tuple[str, ...] | None) -> None:
        def find(_kind: str, name: str) -> Any:
            marks = formats[name]
            if marks is None:
                raise plugins.BrokenPlugin(what="format", name=name, where=name, reason="x")
            return types.SimpleNamespace(FORMAT=plugins.Format(name, False, lambda _body, _headers: [], marks=marks))

        monkeypatch.setattr(plugins, "builtin_names", lambda _kind: sorted(formats))
        monkeypatch.setattr(plugins, "find", find)
        webhook._marked.cache_clear()

    yield made
    monkeypatch.undo()
    webhook._marked.cache_clear()


def test_ours_know_their_own() -> None:
    assert webhook.suggested(AM, {}) == "alertmanager"
    assert webhook.suggested({**AM, "receiver": None}, {}) == "alertmanager"
    del (less := dict(AM))["receiver"]
    assert webhook.suggested(less, {}) != "alertmanager"


@pytest.mark.parametrize(
    ("value", "headers", "wanted"),
    [
        ({"a": 1}, {}, "one"),
        ({"a": 1, "b": {"c": None}}, {}, "two"),
        ({"a": 1, "b": {"c": 1}}, {"x-other": "y"}, "two"),
        ({"b": {"c": 1}}, {"x-sender": ""}, "by_header"),
        ({}, {"x-sender": "z"}, ""),
        ({"b": [{"c": 1}, 5], "a": 1}, {}, "two"),
        ({"b": [], "a": 1}, {}, "one"),
        ([{"a": 1}], {}, "one"),
        ({"b": "c"}, {}, ""),
        ([], {}, ""),
        (None, {}, ""),
        ("a", {}, ""),
    ],
)
def test_all_marks_have_to_be_there_and_the_most_win(
    ship: Any, value: Any, headers: dict[str, str], wanted: str
) -> None:
    ship(
        one=("a",), two=("a", "b.c"), by_header=("header:X-Sender", "b"), none=(), broken=None, generic=("a", "b", "c")
    )
    assert webhook.suggested(value, headers) == wanted


def test_among_equals_the_name_decides(ship: Any) -> None:
    ship(zeta=("a", "b"), alpha=("a", "c"), auto=("a", "b", "c"))
    assert webhook.suggested({"a": 1, "b": 2, "c": 3}, {}) == "alpha"
    assert webhook.suggested({"a": 1, "b": 2}, {}) == "zeta"


@hypothesis.given(JSON, st.dictionaries(st.sampled_from(["x-a", "sentry-hook-resource"]), st.text(), max_size=2))
def test_any_delivery_is_told_by_a_format_that_ships_or_none(value: Any, headers: dict[str, str]) -> None:
    found = webhook.suggested(value, headers)
    assert found == "" or found in {*plugins.builtin_names("formats")} - {"auto", "generic"}


def test_no_real_body_of_a_sender_is_taken_for_anothers(shared: pathlib.Path) -> None:
    index = {one["file"]: one for one in json.loads((shared / "payloads/INDEX.json").read_text())["entries"]}
    names, wrong, known = {*plugins.builtin_names("formats")}, [], set()
    for path in sorted((shared / "payloads").glob("*/*.json")):
        sender, file = path.parent.name, f"{path.parent.name}/{path.name}"
        given = index.get(file, {}).get("headers") or {}
        found = webhook.suggested(json.loads(path.read_text()), {name.lower(): str(one) for name, one in given.items()})
        if sender in names and found not in ("", sender, ENVELOPES.get(file)):
            wrong.append(f"{file} → {found}")
        known.add(found)
    assert wrong == []
    assert known >= {"alertmanager", "cloudevents"}
