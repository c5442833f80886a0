"""What is told of webhooks that are no mistake: who may deliver, and whether anybody says when an alert is over."""

from __future__ import annotations

from typing import Any

import pytest

from healer import project

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
