"""What is told of webhooks that are no mistake: who may deliver, and whether anybody says when an alert is over."""

from __future__ import annotations

from typing import Any

import pytest

from healer import plugins, project
from healer.project import locating
from healer.sources import _proof

ALONE: dict[str, Any] = {"rulebooks/team/web.yml": None}


CODES = ("never-resolved", "open-hook")


def of(write: Any, options: str, more: str = "") -> list[str]:
    text = f"{more}sources:\n  x: {{healer.webhook: {{path: x, {options}}}}}\n"
    loaded = project.load(write({"healer.yaml": text, **ALONE}), {})
    assert loaded.errors == 0
    return [one.code for one in loaded.diagnostics if one.code in CODES]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ("auth: none", ["never-resolved"]),
        ("auth: none, format: kubernetes", ["never-resolved"]),
        ("auth: none, format: kubernetes, alert_ttl: 2 hours", []),
        ("auth: none, format: grafana", []),
        ("auth: none, mapping: {fields: {name: a}}", ["never-resolved"]),
        ("auth: none, mapping: {resolves: true, fields: {name: a}}", []),
    ],
)
def test_where_nobody_says_that_an_alert_is_over_the_time_that_counts_is_told(
    write: Any, options: str, codes: list[str]
) -> None:
    assert of(write, options) == codes


@pytest.mark.parametrize(
    ("host", "auth", "warned"),
    [
        ("0.0.0.0", "auth: none", True), ("'::'", "auth: none", True), ("heal.example.org", "auth: none", True),
        ("127.0.0.1", "auth: none", False), ("localhost", "auth: none", False), ("'::1'", "auth: none", False),
        ("0.0.0.0", "auth: none, allow_from: [10.0.0.0/8]", False), ("0.0.0.0", "auth: {bearer: {secret: 'env:T'}}", False),
    ],
)  # fmt: skip
def test_an_open_hook_that_others_reach_is_warned_of(write: Any, host: str, auth: str, warned: bool) -> None:
    codes = of(write, f"{auth}, format: alertmanager", f"server: {{host: {host}}}\n")
    assert ("open-hook" in codes) == warned


REF = "{secret: 'env:T'}"
AUTHS = {
    "bearer": REF, "basic": f"{{user: u, password: {REF}}}", "header": f"{{name: X-T, token: {REF}}}", "hmac": f"{{header: X-S, key: {REF}}}",
    "github": REF, "gitlab": REF, "slack": REF, "standard_webhooks": REF, "sentry": REF, "pagerduty": REF, "grafana": f"{{key: {REF}}}",
    "stripe": REF, "sns": "{topics: ['arn:aws:sns:eu-west-1:123456789012:a']}", "url_token": REF, "none": "true",
}  # fmt: skip


def mismatches(write: Any, form: str, kinds: Any = _proof.KINDS) -> dict[str, Any]:
    """The kinds of `auth` that are warned of with a format (`format: x` or `mapping: …`), each with what is said."""
    hooks = "".join(
        f"  {kind}: {{healer.webhook: {{path: {kind}, {form}, auth: {{{kind}: {AUTHS[kind]}}}}}}}\n" for kind in kinds
    )
    loaded = project.load(write({"healer.yaml": f"sources:\n{hooks}", **ALONE}), {})
    assert loaded.errors == 0
    found = [one for one in loaded.diagnostics if one.code == "auth-mismatch"]
    assert {one.severity for one in found} <= {"warning"}
    return {kinds[one.place.line - 2]: one for one in found}


@pytest.mark.parametrize(("form", "fine"), [
    ("alertmanager", "bearer basic header"), ("grafana", "grafana hmac bearer basic header"), ("github", "github hmac"),
    ("jira", "hmac"), ("azure_monitor", ""), ("pingdom", ""), ("aws_sns", "sns basic"), ("slack", "slack"), ("stripe_like", "stripe"),
    ("gitlab", "gitlab standard_webhooks header bearer basic"), ("pagerduty", "pagerduty hmac header bearer basic"), ("sentry", "sentry hmac"),
    ("standard_webhooks", "standard_webhooks"), ("nagios", "bearer basic header hmac"), ("icinga2", "bearer basic header hmac"),
    ("zabbix", "bearer basic header hmac"), ("servicenow", "bearer basic header hmac"), ("msteams", "hmac"), ("gcp_pubsub", ""),
])  # fmt: skip
def test_a_way_of_proof_that_a_formats_senders_are_not_known_for_is_told(write: Any, form: str, fine: str) -> None:
    told = mismatches(write, f"format: {form}")
    assert {*_proof.KINDS} - {*told} == {*fine.split(), "url_token", "none"}


@pytest.mark.parametrize("form", ["generic", "auto", "cloudevents"])
def test_who_may_be_anybody_may_prove_themselves_in_any_way(write: Any, form: str) -> None:
    assert mismatches(write, f"format: {form}") == {}


def test_what_every_format_says_of_itself_is_never_warned_of(write: Any) -> None:
    for name in plugins.builtin_names("formats"):
        assert mismatches(write, f"format: {name}", plugins.find("formats", name).FORMAT.auth) == {}


def test_it_is_said_what_they_can_do_and_where(write: Any) -> None:
    one = mismatches(write, "format: jira", ("bearer",))["bearer"]
    assert (
        one.message
        == "who sends in the format jira is known to prove itself by hmac or url_token, and not by bearer: what cannot is refused"
    )
    assert one.try_ == "auth: {hmac: …}; healer sources show NAME says what is entered at its side"
    assert (one.place.line, one.place.column) == (2, 63)


def test_a_mapping_speaks_of_it_where_it_says_so(write: Any) -> None:
    assert mismatches(write, "mapping: {fields: {name: a}}") == {}
    told = mismatches(write, "mapping: {fields: {name: a}, auth: [hmac]}", ("hmac", "bearer", "none", "url_token"))
    assert [*told] == ["bearer"]
    assert told["bearer"].message.startswith("who sends in the format of this mapping is known")


def test_an_installed_format_that_says_nothing_of_it_is_not_warned_of(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = plugins.Format("alertmanager", resolves=True, read=lambda _body, _headers: [])
    monkeypatch.setattr(locating, "format_of", lambda _: far)
    assert mismatches(write, "format: alertmanager") == {}
