"""Sentry's resources: issues and metric alerts have a lifecycle, issue alerts and errors are events of their issue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer.formats import sentry

ISSUE = {
    "id": "7",
    "title": "ValueError",
    "level": "fatal",
    "project": {"slug": "shop"},
    "firstSeen": "2026-01-01",
    "lastSeen": "2026-01-02",
}
METRIC = {
    "id": 4, "title": "Slow", "projects": ["shop"], "alert_rule": {"name": "p95"}, "date_started": "2026-01-01",
    "date_closed": "2026-01-02",
}  # fmt: skip
EVENT = {
    "issue_id": "7", "title": "ValueError", "level": "error", "datetime": "2026-01-01", "project": 1,
    "tags": [["server_name", "web1"], ["browser", "x"], ["server_name", "web2"], ["odd"], 5],
}  # fmt: skip


def body(action: str, **data: Any) -> dict[str, Any]:
    return {"action": action, "data": data}


def told(action: str, headers: dict[str, str] | None = None, **data: Any) -> dict[str, Any]:
    [element] = sentry.read(body(action, **data), headers or {})
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("sentry"):
        meets(sentry.read(case.body, case.headers), case.wanted)
        meets(sentry.read(case.body), case.wanted)  # a proxy may have taken the header


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("created", "firing"),
        ("unresolved", "firing"),
        ("resolved", "resolved"),
        ("archived", "resolved"),
        ("assigned", "event"),
    ],
)
def test_an_issue_fires_until_it_is_resolved_or_put_away(action: str, wanted: str) -> None:
    found = told(action, issue=ISSUE)
    assert (found["status"], found["key"], found["target"], found["severity"]) == (
        wanted,
        "issue/7",
        "shop",
        "critical",
    )


def test_since_when_an_issue_is_resolved_is_told_by_the_header_alone() -> None:
    assert told("created", {"sentry-hook-timestamp": "1700000000"}, issue=ISSUE)["started_at"] == "2026-01-01"
    assert told("resolved", {"sentry-hook-timestamp": "1700000000"}, issue=ISSUE)["started_at"] == "1700000000"
    assert told("resolved", issue=ISSUE)["started_at"] == "2026-01-02"


@pytest.mark.parametrize(
    ("action", "wanted"),
    [("critical", ("firing", "critical", "2026-01-01")), ("warning", ("firing", "warning", "2026-01-01")),
     ("resolved", ("resolved", "unknown", "2026-01-02"))],
)  # fmt: skip
def test_a_metric_alert_is_one_over_its_steps(action: str, wanted: tuple[str, ...]) -> None:
    found = told(action, metric_alert=METRIC)
    assert (found["status"], found["severity"], found["started_at"]) == wanted
    assert (found["name"], found["key"], found["target"]) == ("p95", "metric_alert/4", "shop")


def test_an_issue_alert_is_an_event_of_its_issue_on_the_machine_that_its_tags_name() -> None:
    found = told("triggered", event=EVENT, triggered_rule="Many errors")
    assert (found["name"], found["status"], found["key"], found["target"]) == (
        "Many errors",
        "event",
        "issue/7",
        "web1",
    )
    assert found["labels"] == {"server_name": "web1", "browser": "x"}


def test_an_error_is_an_event_of_its_issue() -> None:
    found = told("created", error=EVENT)
    assert (found["name"], found["status"], found["key"]) == ("ValueError", "event", "issue/7")


def test_another_resource_is_an_event_of_its_own_name() -> None:
    found = told("created", {"sentry-hook-resource": "installation"}, installation={})
    assert (found["name"], found["status"]) == ("installation.created", "event")


@pytest.mark.parametrize(
    ("given", "headers", "field"),
    [
        ([], {}, "body"), ({"action": "created"}, {}, "data"), ({"data": {}}, {}, "action"), (body("created"), {}, "data"),
        (body("created", issue=5), {}, "data.issue"), (body("created", error=EVENT), {"sentry-hook-resource": "issue"}, "data.issue"),
        (body("created", issue={**ISSUE, "project": 5}), {}, "data.issue.project"),
        (body("critical", metric_alert={**METRIC, "projects": [5]}), {}, "data.metric_alert.projects[0]"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(
    path_of: Callable[..., str], given: Any, headers: dict[str, str], field: str
) -> None:
    assert path_of(lambda one: sentry.read(one, headers), given) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    withstands(
        sentry.read, body("created", issue=ISSUE), body("critical", metric_alert=METRIC), body("triggered", event=EVENT)
    )
    withstands(sentry.read, body("x"), headers={"sentry-hook-resource": "comment"})
