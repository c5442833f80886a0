"""GitLab's webhooks of projects and groups: pipelines, jobs, deployments, incidents, alerts, vulnerabilities, and the rest. One event each.

Used by `healer.webhook: {format: gitlab}`. Shapes: https://docs.gitlab.com/user/project/integrations/webhook_events/. What runs again and
again under one name (the pipeline of a ref, a job of it, the deployment to an environment) fires when it fails and is over when it next
succeeds. Incidents, alerts and vulnerabilities fire until they are closed. Anything else is an event. Times are as GitLab writes them,
mostly `2026-01-31 12:00:00 UTC`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _part, _words

STATUSES: Final = {"success": ("resolved", "info"), "failed": ("firing", "error")}
"""Of a pipeline, job or deployment -> status, severity. What runs, waits, was skipped or cancelled neither opens nor closes anything."""
OPEN: Final = {
    "opened": "firing", "closed": "resolved", "triggered": "firing", "acknowledged": "firing", "resolved": "resolved",
    "ignored": "resolved", "detected": "firing", "confirmed": "firing", "dismissed": "resolved",
}  # fmt: skip
"""Of incidents, alerts, vulnerabilities."""


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    kind = whole.text("object_kind") or whole.text("event_name") or whole.needed("object_kind")
    project = whole.part("project")
    place = project.text("path_with_namespace") or whole.text("project_name") or project.text("name")
    found = _TOLD.get(kind, _any)(whole, kind, place)
    labels = {"project": place, **found.pop("labels", {})}
    found["labels"] = {name: value for name, value in labels.items() if value}
    alert = _part.alert(**{"name": kind, "target": place} | found)
    return [plugins.Element({"payload": body, "alert": alert})]


def _ended(raw: str) -> dict[str, Any]:
    status, severity = STATUSES.get(raw, ("event", "info" if raw else "unknown"))
    return {"status": status, "severity": severity, "severity_raw": raw}


def _pipeline(body: _part.Part, kind: str, place: str) -> dict[str, Any]:
    pipeline, project = body.wanted("object_attributes"), body.part("project")
    ref = pipeline.text("ref")
    return {
        **_ended(pipeline.needed("status")),
        "key": _words.key(place, kind, ref),
        "started_at": pipeline.when("finished_at", "created_at"),
        "summary": pipeline.line("name") or body.part("commit").line("title", "message"),
        "link": pipeline.line("url") or project.line("web_url"),
        "labels": {
            "ref": ref,
            "pipeline": pipeline.line("id"),
            "source": pipeline.line("source"),
            "sha": pipeline.line("sha"),
        },
    }


def _job(body: _part.Part, kind: str, place: str) -> dict[str, Any]:
    """A job that may fail opens nothing."""
    name, ref = body.text("build_name"), body.text("ref")
    ended = _ended(body.needed("build_status"))
    if ended["status"] == "firing" and body.values.get("build_allow_failure") is True:
        ended |= {"status": "event", "severity": "warning"}
    return {
        **ended,
        "key": _words.key(place, kind, ref, name),
        "started_at": body.when("build_finished_at", "build_started_at", "build_created_at"),
        "summary": name,
        "link": body.part("repository").line("homepage"),
        "labels": {
            "job": name, "stage": body.line("build_stage"), "ref": ref, "failure_reason": body.line("build_failure_reason"),
            "runner": body.part("runner").line("description"), "environment": body.part("environment").line("name"),
        },
    }  # fmt: skip


def _deployment(body: _part.Part, kind: str, place: str) -> dict[str, Any]:
    environment = body.text("environment")
    return {
        **_ended(body.needed("status")),
        "key": _words.key(place, kind, environment),
        "started_at": body.when("status_changed_at"),
        "summary": body.line("commit_title"),
        "link": body.line("deployable_url", "environment_external_url"),
        "labels": {"environment": environment, "ref": body.line("ref"), "tier": body.line("environment_tier")},
    }


def _push(body: _part.Part, _kind: str, _place: str) -> dict[str, Any]:
    """Known by its new commit; of a branch or tag that was deleted there is none."""
    after, commits = body.text("after"), body.objects("commits")
    last = commits[-1] if commits else _part.Part("commits", {})
    return {
        "key": after if after.strip("0") else body.needed("ref"),
        "started_at": last.when("timestamp"),
        "summary": last.line("title", "message"),
        "link": last.line("url"),
        "labels": {"ref": body.line("ref"), "after": after, "user": body.line("user_username")},
    }


def _issue(body: _part.Part, kind: str, place: str) -> dict[str, Any]:
    """An incident is an issue of that type; any other is no alert."""
    issue = body.wanted("object_attributes")
    found = _any(body, kind, place)
    if issue.line("type").lower() != "incident":
        return found
    raw = issue.line("severity")
    closed = issue.line("state") == "closed"
    return found | {
        "status": OPEN.get(issue.line("state"), "event"),
        "severity": _words.severity(raw),
        "severity_raw": raw,
        "key": _words.key(place, "incident", issue.word("iid", "id")),
        "started_at": issue.when("closed_at", "updated_at") if closed else issue.when("created_at"),
        "labels": {"type": "incident", "iid": issue.line("iid")},
    }


def _alert(body: _part.Part, kind: str, place: str) -> dict[str, Any]:
    """An alert or a vulnerability: known by its address, they have no number."""
    alert = body.wanted("object_attributes")
    raw, state = alert.line("severity"), alert.line("status", "state")
    return {
        "target": place or alert.line("project_id"),
        "status": OPEN.get(state.lower(), "event"),
        "severity": _words.severity(raw),
        "severity_raw": raw,
        "key": _words.key(alert.line("url")) or _words.key(place, kind, alert.line("title")),
        "started_at": alert.when("started_at") if kind == "alert" else alert.when("updated_at", "created_at"),
        "summary": alert.line("title"),
        "link": alert.line("url"),
        "labels": {"state": state, "report_type": alert.line("report_type")},
    }


def _any(body: _part.Part, kind: str, place: str) -> dict[str, Any]:
    given = body.values.get("object_attributes")
    about = _part.Part("object_attributes", given) if isinstance(given, Mapping) else body
    return {
        "key": _words.key(place, kind, about.line("iid", "id") or _words.digest(body.values)),
        "started_at": about.when("updated_at", "created_at"),
        "summary": about.line("title", "name", "note"),
        "link": about.line("url"),
        "labels": {"action": about.line("action"), "state": about.line("state")},
    }


_TOLD: Final[Mapping[str, Callable[[_part.Part, str, str], dict[str, Any]]]] = {
    "pipeline": _pipeline, "build": _job, "deployment": _deployment, "push": _push, "tag_push": _push, "issue": _issue,
    "work_item": _issue, "incident": _issue, "alert": _alert, "vulnerability": _alert,
}  # fmt: skip
SETUP = """The project or group -> Settings -> Webhooks -> Add new webhook:
  URL: HOOK_URL
  Secret token: SECRET               (for `auth: {gitlab: …}`; a signing token, where it is offered, for `auth: {standard_webhooks: …}`)
  Trigger: Pipeline events, Job events, Deployment events … those that rules are about
"""
FORMAT = plugins.Format(
    "gitlab", resolves=True, read=read, fields=("payload.*",), setup=SETUP,
    auth=("gitlab", "standard_webhooks", "header", "bearer", "url_token"), marks=("header:x-gitlab-event", "object_kind"),
)  # fmt: skip
