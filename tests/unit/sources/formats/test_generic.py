"""Any object becomes one event whose alert is made of the usual names."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors
from healer.formats import generic

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from([name for names in generic.NAMES.values() for name in names] + ["alert", "labels"])


def read_one(body: dict[str, Any]) -> dict[str, Any]:
    [element] = generic.read(body)
    assert element.event["payload"] == body
    return dict(element.event["alert"])


def test_the_corpus_gives_the_expected_values(shared: pathlib.Path) -> None:
    found = read_one(json.loads((shared / "payloads/generic/riemann_ok.json").read_text()))
    wanted = json.loads((shared / "payloads/EXPECT.json").read_text())["files"]["generic/riemann_ok.json"]
    assert {word: found[word] for word in wanted} == wanted
    assert found["key"] == "hostbob/servicejane"


def test_a_body_without_a_lifecycle_is_an_event(shared: pathlib.Path) -> None:
    found = read_one(json.loads((shared / "payloads/generic/oncall_message_only.json").read_text()))
    assert found["status"] == "event"
    assert found["key"]
    assert (found["name"], found["target"]) == ("", "")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("PROBLEM", "firing"),
        ("down", "firing"),
        ("Recovered", "resolved"),
        ("ok", "resolved"),
        ("NODATA", "unknown"),
        ("In Progress", "event"),
        (1, "event"),
    ],
)
def test_statuses_are_mapped(raw: object, status: str) -> None:
    assert read_one({"status": raw})["status"] == status


def test_names_are_found_without_regard_to_case_and_dashes() -> None:
    found = read_one(
        {"Alert-Name": "DiskFull", "HOST_NAME": "web1", "alertState": "alerting", "Level": "CRIT", "id": 42}
    )
    assert {word: found[word] for word in ("name", "target", "status", "severity", "key")} == {
        "name": "DiskFull",
        "target": "web1",
        "status": "firing",
        "severity": "critical",
        "key": "42",
    }


def test_an_alert_object_of_the_senders_own_stands_and_is_filled_up() -> None:
    found = read_one({"alert": {"name": "A", "status": "firing", "extra": [1]}, "host": "web1", "name": "B"})
    assert (found["name"], found["target"], found["extra"], found["key"]) == ("A", "web1", [1], "web1/A")


def test_firing_and_resolved_of_one_name_and_target_have_one_key() -> None:
    body = {"name": "DiskFull", "host": "web1", "time": 1}
    assert read_one({**body, "status": "firing"})["key"] == read_one({**body, "status": "ok", "time": 2})["key"]


def test_a_name_alone_is_a_key() -> None:
    assert read_one({"name": "Backup", "status": "firing"})["key"] == "Backup"


def test_two_problems_without_a_name_are_two_alerts(shared: pathlib.Path) -> None:
    body = json.loads((shared / "payloads/zabbix/problem.json").read_text())
    keys = [read_one(body)["key"], read_one({**body, "trigger": "another one"})["key"]]
    assert len({*keys, body["hostname"]}) == 3
    assert read_one(body)["key"] == keys[0]


def test_labels_are_texts() -> None:
    assert read_one({"labels": {"a": "x", "b": 1, "c": None, "d": []}})["labels"] == {"a": "x", "b": "1"}


@pytest.mark.parametrize("name", ["name", "host", "status"])
def test_a_name_too_long_to_be_one_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidField):
        generic.read({name: "x" * 1025})


def test_a_long_key_is_hashed() -> None:
    assert len(read_one({"key": "x" * 5000})["key"]) == 26


@hypothesis.given(JSON | st.dictionaries(NAMES, JSON, max_size=6))
def test_any_body_gives_one_element_or_a_named_mistake(body: Any) -> None:
    try:
        [element] = generic.read(body)
    except (errors.InvalidField, errors.NotAnObject):
        return
    assert all(isinstance(element.event["alert"][word], str) for word in ("name", "target", "status", "key"))
