"""Alertmanager's bodies become one event an alert; real bodies give the values that the corpus expects."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors, plugins
from healer.formats import _alertmanager_api, alertmanager

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.sampled_from(
    ["labels", "annotations", "status", "startsAt", "endsAt", "fingerprint", "generatorURL", "name", "key", "target"]
)
ALERT = st.dictionaries(FIELDS, JSON | st.dictionaries(st.text(), st.text()) | st.just("firing"))


def alert(**fields: Any) -> dict[str, Any]:
    return {"status": "firing", "labels": {"alertname": "DiskFull", "instance": "web1:9100"}, **fields}


def read_one(**fields: Any) -> dict[str, Any]:
    [element] = alertmanager.read({"alerts": [alert(**fields)]})
    return dict(element.event["alert"])


def expected(shared: pathlib.Path, file: str) -> Mapping[str, Any]:
    return dict(json.loads((shared / "payloads" / "EXPECT.json").read_text())["files"][file])


FILES = [
    "firing_grouped",
    "firing_same_labels_two_fingerprints",
    "firing_v3_legacy",
    "mixed_firing_and_resolved_truncated",
    "resolved_grouped",
]


@pytest.mark.parametrize("name", FILES)
def test_real_bodies_give_the_expected_values(shared: pathlib.Path, name: str) -> None:
    file = f"alertmanager/{name}.json"
    body = json.loads((shared / "payloads" / file).read_text())
    found = [element.event["alert"] for element in alertmanager.read(body)]
    for word, wanted in expected(shared, file).items():
        got = {one[word] for one in found}
        if isinstance(wanted, list):
            assert got == set(wanted), word
        else:  # where the corpus names one value, it is that of the first alert
            assert found[0][word] == wanted, word


def test_the_senders_alert_stands_unchanged_and_the_group_stands_beside_it(shared: pathlib.Path) -> None:
    body = json.loads((shared / "payloads/alertmanager/firing_grouped.json").read_text())
    elements = alertmanager.read(body)
    for element, own in zip(elements, body["alerts"], strict=True):
        assert {name: element.event["alert"][name] for name in own} == own
        assert "alerts" not in element.event["group"]
        assert element.event["group"]["groupKey"] == body["groupKey"]
        assert element.event["group"] is elements[0].event["group"]


def test_what_the_sender_says_is_never_overwritten() -> None:
    found = read_one(target="db1", severity="odd", labels={"instance": "web1", "severity": "page"})
    assert (found["target"], found["severity"], found["severity_raw"]) == ("db1", "odd", "page")


def test_null_says_nothing_of_a_word() -> None:
    found = read_one(target=None, severity=None, other=None, labels={"instance": "web1", "severity": "page"})
    assert (found["target"], found["severity"], found["other"]) == ("web1", "critical", None)
    assert read_one(labels=None)["labels"] == {}


def test_the_status_of_the_alert_counts_not_that_of_the_group() -> None:
    body = {"status": "firing", "alerts": [alert(status="resolved")]}
    assert alertmanager.read(body)[0].event["alert"]["status"] == "resolved"


def test_without_a_fingerprint_the_key_is_a_hash_of_the_labels_whatever_their_order() -> None:
    one, other = read_one(labels={"a": "1", "b": "2"}), read_one(labels={"b": "2", "a": "1"})
    assert one["key"] == other["key"] != read_one(labels={"a": "1", "b": "3"})["key"]


def test_started_at_is_since_when_the_status_holds() -> None:
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z"}
    assert read_one(**times)["started_at"] == times["startsAt"]
    assert read_one(**times, status="resolved")["started_at"] == times["endsAt"]


def test_repeat_names_the_delivery_of_a_redundant_pair() -> None:
    fields = {"fingerprint": "f1", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    [element] = alertmanager.read({"alerts": [alert(**fields)]})
    assert element.repeat == "f1|firing|2026-01-01T00:00:00.000Z|0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        ({"instance": "web1:9100", "host": "x"}, "web1:9100"),
        ({"instance": "", "host": "h", "pod": "p"}, "h"),
        ({"pod": "p-1"}, "p-1"),
        ({"job": "node"}, ""),
    ],
)
def test_target_is_the_first_label_that_may_name_it(labels: dict[str, str], target: str) -> None:
    assert read_one(labels=labels)["target"] == target


@pytest.mark.parametrize(
    ("raw", "severity"),
    [("PAGE", "critical"), ("major", "error"), ("warn", "warning"), ("none", "info"), ("x", "unknown")],
)
def test_severities_are_mapped(raw: str, severity: str) -> None:
    found = read_one(labels={"severity": raw})
    assert (found["severity"], found["severity_raw"]) == (severity, raw)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "alerts"),
        ({"alerts": {}}, "alerts"),
        ({"alerts": [alert(), 7]}, "alerts[1]"),
        ({"alerts": [alert(labels=[])]}, "alerts[0].labels"),
        ({"alerts": [alert(labels={"instance": 7})]}, "alerts[0].labels.instance"),
        ({"alerts": [alert(status=True)]}, "alerts[0].status"),
        ({"alerts": [alert(status=None)]}, "alerts[0].status"),
        ({"alerts": [alert(fingerprint={})]}, "alerts[0].fingerprint"),
        ({"alerts": [alert(key=["x"])]}, "alerts[0].key"),
        ({"alerts": [alert(labels={"instance": "x" * 1025})]}, "alerts[0].labels"),
        ({"alerts": [alert(labels={"alertname": "x" * 1025})]}, "alerts[0].labels.alertname"),
        ({"alerts": [alert(annotations={"a": "b", "summary": None})]}, "alerts[0].annotations.summary"),
        ({"alerts": [alert(startsAt=1, endsAt=2)]}, "alerts[0].startsAt"),
        ({"alerts": [alert(endsAt=[])]}, "alerts[0].endsAt"),
        ({"alerts": [alert(generatorURL="x" * 1025)]}, "alerts[0].generatorURL"),
    ],
)
def test_a_wrong_shape_is_told_with_its_path(body: Any, field: str) -> None:
    try:
        [error] = [one.error for one in alertmanager.read(body) if isinstance(one, plugins.Wrong)]
    except errors.RequestError as whole:
        error = whole
    assert error.fields.get("field", "body") == field


def test_a_bad_alert_keeps_no_other_from_being_read() -> None:
    bad = {"status": "firing", "labels": 5}
    first, wrong, last = alertmanager.read({"alerts": [alert(), bad, alert()]})
    assert isinstance(first, plugins.Element)
    assert isinstance(last, plugins.Element)
    assert isinstance(wrong, plugins.Wrong)
    assert wrong.value is bad
    assert wrong.error.message == "alerts[1].labels: an object of texts is wanted, got a number"


@pytest.mark.parametrize(("cut", "said"), [(3, True), (0, False), (None, False), (True, False), ("3", False)])
def test_alerts_that_were_cut_off_are_told(cut: object, said: bool) -> None:
    told = alertmanager.remark({"alerts": [], "truncatedAlerts": cut})
    assert told.startswith("3 alerts of a group were not sent") if said else told == ""


def test_no_alert_is_no_event() -> None:
    assert alertmanager.read({"alerts": []}) == []


@hypothesis.given(JSON | st.fixed_dictionaries({"alerts": st.lists(JSON | ALERT, max_size=3)}))
def test_any_body_gives_elements_or_a_named_mistake(body: Any) -> None:
    try:
        elements = alertmanager.read(body)
    except (errors.InvalidField, errors.NotAnObject):
        return
    for element in elements:
        if isinstance(element, plugins.Wrong):
            assert element.error.message.startswith("alerts[")
            continue
        assert all(isinstance(element.event["alert"][word], str) for word in ("name", "target", "status", "key"))


@pytest.mark.parametrize(("text", "same"), [
    ("2026-11-26T19:00:00.123456789Z", "2026-11-26T19:00:00.123Z"), ("2026-11-26T19:00:00.123Z", "2026-11-26T19:00:00.123Z"),
    ("2026-11-26T20:00:00.1239+01:00", "2026-11-26T19:00:00.123Z"), ("2026-11-26T19:00:00Z", "2026-11-26T19:00:00.000Z"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"), ("0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00+05:00"),
    ("2026-11-26T19:00:00", "2026-11-26T19:00:00"), ("yesterday", "yesterday"), ("", ""),
])  # fmt: skip
def test_a_moment_is_the_same_in_a_delivery_and_in_an_answer(text: str, same: str) -> None:
    assert _alertmanager_api.moment(text) == same
