"""The mappings that ship: each reads its sender's real bodies as the corpus wants it, and says how its sender is set up."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import healer.formats
from healer import plugins
from healer.sources import _proof, webhook

NAMES = sorted(path.stem for folder in healer.formats.__path__ for path in pathlib.Path(folder).glob("*.yml"))
NO_LIFECYCLE = {"msteams", "slack", "splunk", "stripe_like"}
UNKNOWN_BODIES = {"msteams/incoming_adaptive_card.json", "msteams/outgoing_webhook_reply_card.json", "newrelic/legacy_incident_open.json",
                  "slack/block_actions_approve_button.decoded.json",
                  "slack/block_actions_ephemeral_button.decoded.json", "slack/events_url_verification.json"}  # fmt: skip
"""Not known by their marks: what is sent to Teams, an older form, and bodies of which the corpus has no headers."""

every = pytest.mark.parametrize("name", NAMES)


def form_of(name: str) -> plugins.Format:
    found: plugins.Format = plugins.find("formats", name).FORMAT
    return found


def test_they_are_these() -> None:
    assert NAMES == [
        "flux", "healthchecks", "jira", "msteams", "newrelic", "opsgenie", "pingdom", "servicenow", "slack", "splunk", "stripe_like",
        "uptimerobot",
    ]  # fmt: skip


@every
def test_a_file_says_how_its_sender_is_known_and_set_up(name: str) -> None:
    form = form_of(name)
    assert form.name == name
    assert form.resolves is (name not in NO_LIFECYCLE)
    assert form.marks
    assert set(form.auth) <= set(_proof.KINDS) - {"none"}
    assert "HOOK_URL" in form.setup
    assert "SECRET" in form.setup if {"hmac", "slack", "stripe"} & {form.auth[0]} else "TOKEN" in form.setup
    assert all(len(line) <= 140 for line in form.setup.splitlines())


@every
def test_real_bodies_give_the_expected_values(
    name: str, corpus: Callable[..., Any], meets: Callable[..., None]
) -> None:
    for case in corpus(name):
        found = form_of(name).read(case.body, case.headers)
        assert [one.event["payload"] for one in found if isinstance(one, plugins.Element)] == [case.body]
        meets(found, case.wanted)


@every
def test_real_bodies_are_known_by_their_marks(name: str, corpus: Callable[..., Any]) -> None:
    cases = corpus(name)
    assert [case.file for case in cases if webhook.suggested(case.body, case.headers) != name] == [
        case.file for case in cases if case.file in UNKNOWN_BODIES
    ]


@every
def test_any_body_gives_elements_or_a_named_mistake(
    name: str, corpus: Callable[..., Any], withstands: Callable[..., None]
) -> None:
    withstands(form_of(name).read, *(case.body for case in corpus(name)))


@pytest.mark.parametrize(("name", "body", "wanted"), [
    ("flux", {"reason": "ReconciliationSucceeded", "severity": "info", "involvedObject": {"uid": "u"}}, {"status": "resolved", "key": "u"}),
    ("flux", {"reason": "HealthCheckFailed", "severity": "error", "involvedObject": {"uid": "u"}}, {"status": "firing", "key": "u", "target": ""}),
    ("flux", {"reason": "Progressing", "severity": "info"}, {"status": "event"}),
    ("healthchecks", {"name": "Backup", "status": "up", "tags": "a b"}, {"status": "resolved", "key": "Backup/up", "labels": {"a": "", "b": ""}}),
    ("jira", {"webhookEvent": "jira:issue_updated", "issue": {"key": "A-1", "id": "1", "fields": {"status": {"statusCategory": {"key": "done"}}}}},
     {"status": "resolved", "key": "1", "target": "A-1"}),
    ("jira", {"webhookEvent": "jira:issue_deleted", "issue": {"fields": {"status": {"statusCategory": {"key": "new"}}}}}, {"status": "resolved"}),
    ("jira", {"webhookEvent": "comment_created", "comment": {}}, {"status": "event", "name": "comment_created"}),
    ("msteams", {"type": "message", "id": "17", "text": "<at>healer</at> restart", "timestamp": "T"}, {"status": "event", "key": "17", "started_at": "T"}),
    ("newrelic", {"id": "i", "state": "CREATED", "alertConditionNames": ["CPU", "RAM"], "impactedEntities": []}, {"status": "firing", "name": "CPU", "target": ""}),
    ("newrelic", {"id": "i", "state": "ACKNOWLEDGED"}, {"status": "event"}),
    ("newrelic", {"incident_id": 0, "current_state": "closed", "targets": [{"name": "db1", "labels": {"a": "b"}}]},
     {"status": "resolved", "key": "0", "target": "db1", "labels": {"a": "b"}}),
    ("opsgenie", {"action": "Acknowledge", "alert": {"alertId": "a", "priority": "P1"}}, {"status": "event", "key": "a", "severity": "critical"}),
    ("opsgenie", {"action": "Delete", "alert": {"alias": "x", "alertId": "a", "createdAt": 1, "updatedAt": 2}}, {"status": "resolved", "key": "x", "started_at": 2}),
    ("opsgenie", {"action": "Create", "alert": {"details": {"env": "prod"}, "tags": ["vip"]}}, {"status": "firing", "labels": {"env": "prod"}}),
    ("pingdom", {"check_id": 1, "current_state": "FAILING"}, {"status": "firing", "key": "1"}),
    ("pingdom", {"check_id": 1, "current_state": "SUCCESS"}, {"status": "resolved", "key": "1"}),
    ("servicenow", {"number": "INC1", "state": "2", "priority": "2", "opened_at": "O"}, {"status": "firing", "severity": "error", "started_at": "O"}),
    ("servicenow", {"number": "INC1", "state": "Resolved", "priority": "3 - Moderate", "opened_at": "O", "resolved_at": "R"},
     {"status": "resolved", "severity": "warning", "started_at": "R", "name": "incident"}),
    ("slack", {"command": "/heal", "text": "web1", "trigger_id": "1.2"}, {"name": "/heal", "summary": "web1", "key": "1.2", "status": "event"}),
    ("slack", {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "text": "help", "event_ts": "1.5"}},
     {"name": "event_callback/message", "summary": "help", "started_at": "1.5"}),
    ("slack", {"type": "view_submission", "view": {"callback_id": "heal"}}, {"name": "view_submission/heal"}),
    ("splunk", {"search_name": "s", "result": {"host": "h", "severity": "high"}, "sid": "1"}, {"status": "event", "severity": "error", "key": "h/s"}),
    ("stripe_like", {"id": "evt_1", "type": "invoice.paid", "created": 5, "data": {"object": {"id": "in_1"}}}, {"name": "invoice.paid", "started_at": 5, "key": "in_1"}),
    ("uptimerobot", {"monitorID": "7", "monitorURL": "https://x", "alertTypeFriendlyName": "Down"}, {"status": "firing", "key": "7", "target": "https://x"}),
    ("uptimerobot", {"monitor_id": "7", "alert_type_friendly_name": "SSL expiry"}, {"status": "event"}),
])  # fmt: skip
def test_other_bodies_of_the_senders(
    name: str, body: dict[str, Any], wanted: Mapping[str, Any], alert: Callable[..., dict[str, Any]]
) -> None:
    found = alert(form_of(name).read(body, {}))
    assert {word: found[word] for word in wanted} == wanted


@pytest.mark.parametrize(("name", "body", "delivery"), [
    ("slack", {"type": "event_callback", "event_id": "Ev1"}, "Ev1"), ("stripe_like", {"id": "evt_1"}, "evt_1"), ("msteams", {"id": "17"}, "17"),
    ("splunk", {"search_name": "s", "sid": "1"}, ""), ("opsgenie", {"action": "Create", "alert": {"alertId": "a"}}, ""),
])  # fmt: skip
def test_an_event_has_its_own_id_where_its_sender_gives_one(name: str, body: dict[str, Any], delivery: str) -> None:
    body = {"type": "x", **body} if name in ("msteams", "stripe_like") else body
    [element] = form_of(name).read(body, {})
    assert isinstance(element, plugins.Element)
    assert element.delivery == delivery


@every
@pytest.mark.parametrize("body", [{}, {"something": "else"}, [], "text", None])
def test_a_body_of_somebody_else_is_refused(name: str, body: Any, path_of: Callable[..., str]) -> None:
    assert path_of(form_of(name).read, body) == "body"


def test_what_is_sent_beside_json() -> None:
    assert form_of("slack").media == ("application/x-www-form-urlencoded",)
    assert form_of("jira").delivery_ids == ("X-Atlassian-Webhook-Identifier",)
