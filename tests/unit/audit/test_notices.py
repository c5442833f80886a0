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
