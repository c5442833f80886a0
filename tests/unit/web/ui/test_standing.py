"""The first page: what `healer status` says, with what somebody has to look at before all else."""

from __future__ import annotations

from typing import Any

import pytest

STATUS: dict[str, Any] = {
    "version": "0.1.0", "environment": "prod", "mode": "active", "state": "paused", "revision": "3f2a9c1", "uptime_s": 1_051_200,
    "now": "2026-03-01T03:07:12Z", "window_s": 600,
    "paused": [
        {"scope": "rule:web/restart", "who": "os:ana", "since": "2026-03-01T03:05:00Z", "reason": "restarts <healthy> nodes", "until_changed": True},
        {"scope": "all", "who": "file", "since": "2026-03-01T03:05:00Z", "until": "2026-03-01T04:00:00Z"},
    ],
    "storm": {"since": "2026-03-01T03:00:41Z", "matches": 2114, "limit": 200, "within_s": 60.0, "calm_s": 300.0, "next_look": "2026-03-01T03:10:00Z"},
    "ended": ["web"], "alerts": {"firing": 2041, "opened": 1988, "resolved": 1959},
    "runs": {"running": 6, "awaiting_approval": 3, "deferred": 312, "unknown": 1}, "backlog": 7, "quarantine": 2,
    "rules": [{"rule": "web/alerts/restart", "fired": 1204, "acted": 41, "healed": 9, "failed": 32, "why_not": {"breaker_open": 988, "storm": 175}}],
    "rule_counters": {"web/alerts": {"facts_refused": 3}},
    "sources": [
        {"name": "am", "state": "running", "last_event": "2026-03-01T03:07:11Z", "silent": False, "reconcile": {"why": "", "note": "3 theirs"}},
        {"name": "sqs", "state": "running", "last_event": "2026-03-01T00:57:00Z", "silent": True, "max_quiet_s": 1800},
        {"name": "eda", "state": "failed", "error": "no\u202e module"}, {"name": "new", "state": "starting"},
        {"name": "hook", "state": "running", "refused": {"at": "2026-03-01T03:06:12Z", "why": "a wrong token"}},
        {"name": "prom", "state": "running", "reconcile": {"why": "connection refused"}},
    ],
    "inventories": [
        {"path": "inventory/a", "hosts": 3, "fell": {"at": "2026-03-01T02:00:00Z", "from": 40}, "error": "rc 4", "heard": "2026-03-01T02:00:00Z"},
        {"path": "inventory/b", "hosts": 0, "dried": {"at": "2026-03-01T02:00:00Z", "from": 9}, "error": "", "heard": None},
        {"path": "inventory/c", "hosts": 3, "fell": {"at": "2026-02-01T02:00:00Z", "from": 40}},
    ],
    "heartbeat": {"last": "2026-03-01T03:06:00Z", "why": "nobody answers"},
    "caps": {"alerts": {"used": 10, "limit": 10, "refused": 4}, "facts": {"used": 9, "limit": 9, "refused": 0}, "backlog": {"used": 1, "limit": 9, "refused": 0}},
    "audit": {"size": 88_120, "anchored": 88_000},
}  # fmt: skip


@pytest.fixture
def standing(room: Any) -> None:
    """The daemon says so."""

    async def status() -> dict[str, Any]:
        return STATUS

    room.services.status = status


async def test_all_that_the_command_says(room: Any, browser: Any, standing: None) -> None:
    said = (await (await browser("readonly")).get("/ui")).said
    for part in (
        "Version 0.1.0", "Environment prod", "Mode active", "Revision 3f2a9c1", "Up for 12 d 4 h",
        "rule web/restart by ana (os user) since 2026-03-01 03:05:00 UTC, “restarts <healthy> nodes”, until the rule changes",
        "everything by file since 2026-03-01 03:05:00 UTC, until 2026-03-01 04:00:00 UTC",
        "2,114 matches in 60 s (limit 200); calm needed 5 min; next look in 3 min", "web: a rule shut it down",
        "2,041 firing (+1,988 in 10 min), 1,959 resolved in 10 min", "6 running, 3 waiting for a person, 312 deferred, 1 unknown",
        "1 runs of which nobody knows how they ended", "7 events wait to be decided", "2 in quarantine",
        "web/alerts/restart 1,204 41 9 32 breaker open 988, storm 175", "facts refused 3", "am 1.0 s ago; 3 theirs".replace("1.0", "1"),
        "sqs silent: 2 h 10 min ago (at most 30 min)", "eda failed: no\\u202e module", "new starting",
        "hook nothing yet; refused 60 s ago: a wrong token", "prom nothing yet; its sender cannot be asked: connection refused",
        "Hosts of inventory/a Ansible lists 3 since 2026-03-01 02:00:00 UTC, 40 before", "Ansible could not list them",
        "Hosts of inventory/b Ansible lists none but those of files since", "Sign of life 72 s ago, nobody answers",
        "Limit of alerts 10 of 10, 4 beyond", "88,120 records, anchored to 88,000",
    ):  # fmt: skip
        assert part in said, part
    assert "inventory/c" not in said
    assert "Limit of backlog" not in said


async def test_what_needs_somebody_comes_first(room: Any, browser: Any, standing: None) -> None:
    said = (await (await browser("readonly")).get("/ui")).said
    assert said.index("Held back") < said.index("Daemon")
    sources = said[said.index("Sources") :]
    assert max(sources.index(one) for one in ("sqs", "eda", "hook", "prom")) < min(
        sources.index(one) for one in ("am 1 s", "new starting")
    )


async def test_what_is_not_told_is_left_out(room: Any, browser: Any) -> None:
    page = await (await browser("readonly")).get("/ui")
    assert page.status == 200
    assert "Mode active" in page.said
    assert "Held back" not in page.said
