"""What the events of GitHub say, one function a kind: the words of `event.alert` that are not the same for all. Used by `github`.

Each takes the body and the repository (or organisation) that it is about, and raises `errors.InvalidField` with the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from healer.formats import _part, _words

CONCLUSIONS: Final = {
    "success": ("resolved", "info"), "failure": ("firing", "error"), "error": ("firing", "error"), "timed_out": ("firing", "error"),
    "startup_failure": ("firing", "error"), "action_required": ("event", "warning"),
}  # fmt: skip
"""A conclusion or state -> status, severity. What was cancelled, skipped or still runs neither opens nor closes anything."""
ALERT_STATES: Final = {
    "open": "firing", "fixed": "resolved", "resolved": "resolved", "dismissed": "resolved", "auto_dismissed": "resolved",
}  # fmt: skip
ALERT_ACTIONS: Final = {
    "created": "open", "reopened": "open", "reopened_by_user": "open", "auto_reopened": "open", "reintroduced": "open", "fixed": "fixed",
    "resolved": "resolved", "dismissed": "dismissed", "auto_dismissed": "dismissed", "closed_by_user": "dismissed",
}  # fmt: skip
"""What an action makes of an alert whose state is not sent."""


def read(event: str, body: _part.Part, place: str) -> dict[str, Any]:
    """The words of `event.alert` that the event gives: always `key`."""
    tell = _TOLD.get(event)
    return _any(event, body, place) if tell is None else tell(body, place)


def _concluded(raw: str) -> dict[str, Any]:
    status, severity = CONCLUSIONS.get(raw, ("event", "info" if raw else "unknown"))
    return {"status": status, "severity": severity, "severity_raw": raw}


def _workflow_run(body: _part.Part, place: str) -> dict[str, Any]:
    """Known by workflow and branch: the next good run closes what a bad one opened, be it a re-run or of another commit."""
    run = body.wanted("workflow_run")
    branch, fork = run.line("head_branch"), run.part("head_repository").line("full_name")
    workflow = run.word("workflow_id") or run.text("name")
    ended = run.line("status") == "completed"
    return {
        **_concluded(run.line("conclusion")),
        "key": _words.key(place, "workflow_run", workflow, "" if fork == place else fork, branch),
        "started_at": run.when("updated_at") if ended else run.when("run_started_at", "created_at"),
        "summary": run.line("display_title", "name"),
        "link": run.line("html_url"),
        "labels": {
            "workflow": run.line("name") or body.part("workflow").line("name"),
            "branch": branch,
            "trigger": run.line("event"),
        }
        | run.flat("run_number", "run_attempt", "head_sha"),
    }


def _workflow_job(body: _part.Part, place: str) -> dict[str, Any]:
    job = body.wanted("workflow_job")
    name, branch, workflow = job.text("name"), job.line("head_branch"), job.line("workflow_name")
    return {
        **_concluded(job.line("conclusion")),
        "key": _words.key(place, "workflow_job", workflow, name, branch),
        "started_at": job.when("completed_at", "started_at", "created_at"),
        "summary": name,
        "link": job.line("html_url"),
        "labels": {"workflow": workflow, "job": name, "branch": branch}
        | job.flat("runner_name", "runner_group_name", "run_attempt", "head_sha"),
    }


def _check_run(body: _part.Part, place: str) -> dict[str, Any]:
    check = body.wanted("check_run")
    app, branch, name = (
        check.part("app").line("slug"),
        check.part("check_suite").line("head_branch"),
        check.text("name"),
    )
    return {
        **_concluded(check.line("conclusion")),
        "key": _words.key(place, "check_run", app, name, branch),
        "started_at": check.when("completed_at", "started_at"),
        "summary": check.part("output").line("title") or name,
        "link": check.line("html_url", "details_url"),
        "labels": {"app": app, "check": name, "branch": branch} | check.flat("head_sha"),
    }


def _check_suite(body: _part.Part, place: str) -> dict[str, Any]:
    suite = body.wanted("check_suite")
    app, branch = suite.part("app").line("slug"), suite.line("head_branch")
    return {
        **_concluded(suite.line("conclusion")),
        "key": _words.key(place, "check_suite", app, branch),
        "started_at": suite.when("updated_at", "created_at"),
        "summary": suite.part("head_commit").line("message"),
        "labels": {"app": app, "branch": branch} | suite.flat("head_sha"),
    }


def _status(body: _part.Part, place: str) -> dict[str, Any]:
    """Of a commit, by a service of its own."""
    branches = body.objects("branches")
    branch = branches[0].line("name") if branches else ""
    return {
        **_concluded(body.needed("state")),
        "key": _words.key(place, "status", body.text("context"), branch or body.word("sha")),
        "started_at": body.when("updated_at", "created_at"),
        "summary": body.line("description"),
        "link": body.line("target_url"),
        "labels": {"context": body.line("context"), "branch": branch, "head_sha": body.line("sha")},
    }


def _deployment_status(body: _part.Part, place: str) -> dict[str, Any]:
    """Known by environment: the next good deployment closes what a bad one opened."""
    status, deployment = body.wanted("deployment_status"), body.part("deployment")
    environment = status.text("environment") or deployment.text("environment")
    return {
        **_concluded(status.line("state")),
        "key": _words.key(place, "deployment", environment),
        "started_at": status.when("updated_at", "created_at"),
        "summary": status.line("description") or deployment.line("description"),
        "link": status.line("log_url", "target_url", "environment_url"),
        "labels": {"environment": environment} | deployment.flat("ref", "sha", "task"),
    }


def _push(body: _part.Part, _place: str) -> dict[str, Any]:
    """Known by its new commit; of a branch or tag that was deleted there is none."""
    after, commit = body.text("after"), body.part("head_commit")
    return {
        "key": after if after.strip("0") else body.needed("ref"),
        "started_at": commit.when("timestamp"),
        "summary": commit.line("message"),
        "link": body.line("compare"),
        "labels": {"pusher": body.part("pusher").line("name")} | body.flat("ref", "after"),
    }


def _security(kind: str, body: _part.Part, place: str) -> dict[str, Any]:
    alert, rule = body.wanted("alert"), body.wanted("alert").part("rule")
    advisory = alert.part("security_advisory")
    state = alert.line("state") or ALERT_ACTIONS.get(body.line("action"), "")
    raw = advisory.line("severity") or rule.line("security_severity_level", "severity")
    return {
        "status": ALERT_STATES.get(state, "event"),
        "severity": _words.severity(raw),
        "severity_raw": raw,
        "key": _words.key(place, kind, alert.word("number") or _words.digest(alert.values)),
        "started_at": alert.when("updated_at", "created_at"),
        "summary": advisory.line("summary")
        or rule.line("description")
        or alert.line("secret_type_display_name", "secret_type"),
        "link": alert.line("html_url"),
        "labels": {"state": state, "rule": rule.line("id"), "secret_type": alert.line("secret_type")},
    }


def _any(event: str, body: _part.Part, place: str) -> dict[str, Any]:
    """Whatever else happens: an issue, a release, a star. What it is about lies under its name or the first word of that."""
    found = next(
        (
            body.values[name]
            for name in (event, event.removesuffix("s"), event.partition("_")[0])
            if name in body.values
        ),
        None,
    )
    about = _part.Part(event, found if isinstance(found, Mapping) else {})
    return {
        "key": _words.key(place, event, about.line("number", "id") or _words.digest(body.values)),
        "started_at": about.when("updated_at", "created_at"),
        "summary": about.line("title", "name", "description"),
        "link": about.line("html_url"),
    }


_TOLD: Final[Mapping[str, Callable[[_part.Part, str], dict[str, Any]]]] = {
    "workflow_run": _workflow_run, "workflow_job": _workflow_job, "check_run": _check_run, "check_suite": _check_suite,
    "status": _status, "deployment_status": _deployment_status, "push": _push,
    "dependabot_alert": lambda body, place: _security("dependabot_alert", body, place),
    "code_scanning_alert": lambda body, place: _security("code_scanning_alert", body, place),
    "secret_scanning_alert": lambda body, place: _security("secret_scanning_alert", body, place),
}  # fmt: skip
