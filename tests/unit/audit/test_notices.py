"""Which records are told to people, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from healer.audit import notices, records

RUN = {"run": "r-1", "rule": "a/b/c", "action": "clean"}


@pytest.mark.parametrize(("record", "line"), [
    ({"kind": "breaker_opened", "action": "clean", "controller": "site", "failures": 3},
     "the breaker of clean on site is open after 3 failures: it is not started there for a while"),
    ({"kind": "breaker_closed", "action": "clean", "controller": "site", "failures": 0}, "the breaker of clean on site is closed again"),
    ({"kind": "storm", "matches": 101, "limit": 100, "within_ms": 60000},
     "a storm: 101 matches at once (limit 100); nothing new starts until it is calm"),
    ({"kind": "audit_broken", "finding": "record 7: it has no time", "findings": 1, "first_bad": 7},
     "the audit does not prove itself: record 7: it has no time; healer audit verify"),
    ({"kind": "storm_over", "since_us": 1, "calm_us": 2, "peak": 300},
     "the storm is over (300 matches at most): what it held comes back, slowly at first"),
    ({"kind": "approval_asked", "reason": "blast_radius", **RUN}, "run r-1 waits for a person: clean of a/b/c (blast_radius); healer approvals"),
    ({"kind": "transition", "state": "expired", **RUN}, "nobody decided on run r-1 of a/b/c in time: clean is not done"),
    ({"kind": "transition", "state": "void", **RUN}, "what was to be approved for run r-1 of a/b/c is something else now: clean is not done"),
    ({"kind": "transition", "state": "suppressed", "reason": "stale", **RUN}, "clean of a/b/c is not done, as it would come too late (run r-1)"),
    ({"kind": "decision", "state": "suppressed", "reason": "attempts", **RUN},
     "the attempts of a/b/c for this alert are used up: clean is not tried again (run r-1)"),
    ({"kind": "decision", "state": "suppressed", "reason": "duplicate", **RUN}, None), ({"kind": "decision", "state": "queued", **RUN}, None),
    ({"kind": "transition", "state": "withdrawn", "reason": "resolved", **RUN}, None), ({"kind": "outcome", "state": "failed", **RUN}, None),
    ({"kind": "outcome", "state": "suppressed", "reason": "stale", **RUN}, None), ({"kind": "transition", "state": "queued", "reason": "stale", **RUN}, None),
    ({"kind": "break_glass", "actor": "key:ana", "past": ["paused", "disabled"], "targets": [], "detail": "now", **RUN},
     "BREAK-GLASS: key:ana has run r-1 of a/b/c start past its gates (paused, disabled): clean on none: now"),
    ({"kind": "storm"}, "a storm: ? matches at once (limit ?); nothing new starts until it is calm"),
])  # fmt: skip
def test_what_is_told(record: dict[str, Any], line: str | None) -> None:
    assert notices.of(record) == line


def test_only_kinds_that_are_written_are_told() -> None:
    assert {*notices.KINDS, *(kind for kind, _ in notices.ENDS)} <= {*records.KINDS}


@pytest.mark.parametrize("kind", ["decision", "transition", "outcome"])
@pytest.mark.parametrize(("state", "told"), [
    ("failed", "failed"), ("timed_out", "failed"), ("unknown", "unknown"), ("succeeded", "succeeded"), ("expired", "not_done"),
    ("void", "not_done"), ("refused", "not_done"), ("deferred", "deferred"), ("queued", ""), ("running", ""), ("withdrawn", ""),
])  # fmt: skip
def test_of_a_run_what_became_of_it_is_news(kind: str, state: str, told: str) -> None:
    assert notices.news({"kind": kind, "state": state, **RUN}) == told


@pytest.mark.parametrize(
    ("reason", "told"), [("attempts", "not_done"), ("stale", "not_done"), ("duplicate", ""), (None, "")]
)
def test_what_is_suppressed_is_news_where_its_alert_may_still_need_it(reason: str | None, told: str) -> None:
    record = {"kind": "transition", "state": "suppressed", **RUN}
    assert notices.news(record if reason is None else record | {"reason": reason}) == told


@pytest.mark.parametrize(("record", "told"), [
    ({"kind": "reload", "state": "refused"}, "reload_refused"), ({"kind": "reload", "state": "taken"}, ""), ({"kind": "reload"}, ""),
    ({"kind": "approval_asked"}, "needs_approval"), ({"kind": "breaker_opened"}, "breaker_open"), ({"kind": "breaker_closed"}, ""),
    ({"kind": "storm"}, "storm"), ({"kind": "source_silent"}, "source_silent"), ({"kind": "delivery_refused"}, "batch_refused"),
    ({"kind": "break_glass"}, "break_glass"), ({"kind": "pause"}, "paused"), ({"kind": "resume"}, ""), ({"kind": "transition"}, ""),
    ({"kind": "storm", "state": "failed"}, "storm"),
])  # fmt: skip
def test_of_all_else_its_kind_is_news(record: dict[str, Any], told: str) -> None:
    assert notices.news(record) == told
