"""GitHub's events: what runs again under one name fires and is over; security alerts fire until they are closed; the rest are events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import plugins
from healer.formats import github

REPOSITORY = {"full_name": "acme/shop"}
BODIES: dict[str, dict[str, Any]] = {
    "workflow_run": {
        "action": "completed",
        "workflow_run": {
            "id": 1, "workflow_id": 9, "name": "CI", "head_branch": "main", "status": "completed", "conclusion": "failure",
            "updated_at": "2026-01-02", "run_started_at": "2026-01-01", "head_repository": REPOSITORY,
        },
    },
    "workflow_job": {"workflow_job": {"workflow_name": "CI", "name": "test", "head_branch": "main", "conclusion": "failure"}},
    "check_run": {"check_run": {"name": "lint", "conclusion": "failure", "app": {"slug": "ci"}, "check_suite": {"head_branch": "main"}}},
    "check_suite": {"check_suite": {"conclusion": "failure", "app": {"slug": "ci"}, "head_branch": "main"}},
    "status": {"context": "ci/x", "state": "failure", "sha": "abc", "branches": [{"name": "main"}]},
    "deployment_status": {"deployment_status": {"state": "failure", "environment": "prod"}, "deployment": {"id": 5}},
    "push": {"ref": "refs/heads/main", "after": "abc1", "pusher": {"name": "ana"}, "head_commit": {"timestamp": "2026-01-01"}},
    "dependabot_alert": {"action": "created", "alert": {"number": 3, "state": "open", "security_advisory": {"severity": "high"}}},
    "code_scanning_alert": {"action": "created", "alert": {"number": 3, "rule": {"id": "r", "security_severity_level": "critical"}}},
    "secret_scanning_alert": {"action": "created", "alert": {"number": 3, "secret_type": "token"}},
    "release": {"action": "published", "release": {"id": 8, "name": "v1", "html_url": "u"}},
    "issues": {"action": "opened", "issue": {"number": 12, "title": "Broken"}},
}  # fmt: skip
REPEATED = {
    "workflow_run": ("workflow_run", "acme/shop/workflow_run/9/main"),
    "workflow_job": ("workflow_job", "acme/shop/workflow_job/CI/test/main"),
    "check_run": ("check_run", "acme/shop/check_run/ci/lint/main"),
    "check_suite": ("check_suite", "acme/shop/check_suite/ci/main"),
}


def told(event: str, **over: Any) -> dict[str, Any]:
    [element] = github.read({"repository": REPOSITORY, **BODIES[event], **over}, {"x-github-event": event})
    assert isinstance(element, plugins.Element)
    return dict(element.event["alert"])


def test_real_bodies_give_the_expected_values(corpus: Callable[..., Any], meets: Callable[..., None]) -> None:
    for case in corpus("github"):
        meets(github.read(case.body, case.headers), case.wanted)
        meets(github.read(case.body), case.wanted)  # a proxy may have taken the header


@pytest.mark.parametrize("event", REPEATED)
def test_what_runs_again_fires_and_is_over_under_one_key(event: str) -> None:
    field, key = REPEATED[event]
    for conclusion, status in [
        ("failure", "firing"), ("timed_out", "firing"), ("success", "resolved"), ("cancelled", "event"), ("skipped", "event"),
        (None, "event"),
    ]:  # fmt: skip
        found = told(event, **{field: {**BODIES[event][field], "id": 77, "conclusion": conclusion}})
        assert (found["status"], found["key"], found["target"]) == (status, key, "acme/shop"), conclusion
        assert found["severity_raw"] == (conclusion or "")


def test_a_run_of_a_fork_is_another_alert_than_that_of_the_branch() -> None:
    run = {**BODIES["workflow_run"]["workflow_run"], "head_repository": {"full_name": "eve/shop"}}
    assert told("workflow_run", workflow_run=run)["key"] == "acme/shop/workflow_run/9/eve/shop/main"


@pytest.mark.parametrize(
    ("state", "status"), [("failure", "firing"), ("error", "firing"), ("success", "resolved"), ("inactive", "event")]
)
def test_a_deployment_is_known_by_its_environment(state: str, status: str) -> None:
    found = told(
        "deployment_status", deployment_status={"state": state, "environment": "prod", "created_at": "2026-01-01"}
    )
    assert (found["status"], found["key"], found["started_at"]) == (status, "acme/shop/deployment/prod", "2026-01-01")


@pytest.mark.parametrize(("state", "status"), [("error", "firing"), ("success", "resolved"), ("pending", "event")])
def test_a_status_is_known_by_its_context_and_branch(state: str, status: str) -> None:
    found = told("status", state=state)
    assert (found["status"], found["key"]) == (status, "acme/shop/status/ci/x/main")


@pytest.mark.parametrize("event", ["dependabot_alert", "code_scanning_alert", "secret_scanning_alert"])
def test_a_security_alert_fires_until_it_is_closed(event: str) -> None:
    alert = BODIES[event]["alert"]
    assert (told(event)["status"], told(event)["key"]) == ("firing", f"acme/shop/{event}/3")
    assert told(event, alert={**alert, "state": "dismissed"})["status"] == "resolved"
    assert told(event, action="fixed", alert={**alert, "state": None})["status"] == "resolved"
    assert told(event, action="assigned", alert={**alert, "state": None})["status"] == "event"


def test_a_push_is_known_by_its_commit_and_a_deletion_by_its_ref() -> None:
    assert (told("push")["key"], told("push")["status"], told("push")["started_at"]) == ("abc1", "event", "2026-01-01")
    assert told("push", after="0" * 40, head_commit=None)["key"] == "refs/heads/main"


@pytest.mark.parametrize(
    ("event", "name", "key"),
    [("release", "release.published", "acme/shop/release/8"), ("issues", "issues.opened", "acme/shop/issues/12")],
)
def test_anything_else_is_an_event(event: str, name: str, key: str) -> None:
    found = told(event)
    assert (found["name"], found["key"], found["status"]) == (name, key, "event")


def test_an_event_of_an_organisation_is_about_it(alert: Callable[..., Any]) -> None:
    given = {"action": "member_added", "organization": {"login": "acme"}}
    assert alert(github.read(given, {"x-github-event": "organization"}))["target"] == "acme"


def test_the_ping_is_a_greeting(corpus: Callable[..., Any]) -> None:
    [case] = corpus("github", "ping")
    for headers in (case.headers, {}):
        assert github.greeting(case.body, headers) == plugins.Greeting(
            f"GitHub's ping of webhook {case.body['hook_id']}"
        )
    assert github.greeting({"hook_id": "a\nb"}, {"x-github-event": "ping"}) == plugins.Greeting("GitHub's ping")
    assert github.greeting(BODIES["push"], {"x-github-event": "push"}) is None


@pytest.mark.parametrize(
    ("event", "given", "field"),
    [
        ("push", [], "body"), ("", {"a": 1}, "x-github-event"), ("push", {"after": 5}, "after"), ("push", {"repository": 5}, "repository"),
        ("workflow_run", {"workflow_run": 5}, "workflow_run"), ("workflow_run", {}, "workflow_run"), ("status", {}, "state"),
        ("workflow_run", {"workflow_run": {"head_repository": 5}}, "workflow_run.head_repository"), ("dependabot_alert", {}, "alert"),
        ("workflow_job", {"workflow_job": {"name": 5.5}}, "workflow_job.name"), ("x" * 1025, {}, "alert.name"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(path_of: Callable[..., str], event: str, given: Any, field: str) -> None:
    assert path_of(lambda one: github.read(one, {"x-github-event": event} if event else {}), given) == field


@pytest.mark.parametrize("event", BODIES)
def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None], event: str) -> None:
    withstands(github.read, {"repository": REPOSITORY, **BODIES[event]}, headers={"x-github-event": event})


@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["zen", "hook_id", "pusher"]), st.none() | st.integers() | st.text() | st.lists(st.text())
    )
)
def test_no_body_breaks_the_look_for_a_greeting(given: Any) -> None:
    found = github.greeting(given, {})
    assert found is None or found.told.isprintable()
