"""What tests of the outbox share: who hears, runs that wait or fail, and the messages that there are."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from healer import access, policy
from healer.notify import routing
from healer.policy import limits
from healer.store import outbox

S = 1_000_000
MINUTE = 60 * S
ALL = frozenset(
    {
        "needs_approval",
        "failed",
        "unknown",
        "not_done",
        "breaker_open",
        "succeeded",
        "deferred",
        "paused",
        "reload_refused",
    }
)
ROUTES = routing.Routing(
    {"ops": ALL, "chat": frozenset({"failed"})},
    {**dict.fromkeys(ALL, 0), "succeeded": 5 * MINUTE, "deferred": 15 * MINUTE},
)
ONE = limits.Approval((limits.Threshold("one approver", ("approver",), 1, 1),), ("requester",))
ANA = access.Principal("key:ana", (access.BUILT_IN["approver"],))


def messages(kit: Any, *columns: str) -> list[tuple[Any, ...]]:
    """All messages, in their order."""
    return [
        tuple(row)
        for row in kit.rows(
            f"SELECT {', '.join(columns or ('receiver', 'news', 'subject', 'count'))} FROM outbox ORDER BY id"
        )
    ]


def runs_in(kit: Any, message: int) -> list[str]:
    ((text,),) = kit.rows("SELECT members FROM outbox WHERE id = ?", message)
    return [one["run"] for one in json.loads(text)]


def asked_for(kit: Any, key: str, **more: Any) -> str:
    """A run that waits for a person."""
    wanted = dataclasses.replace(
        policy.Limits(max_age_s=900, attempts=3, timeout_s=10, concurrency_daemon=20),
        approvals=(ONE,),
        approval_expires_s=1800,
    )
    return str(kit.run_of(key, limits=wanted, **more))


def fail(kit: Any, key: str, state: Any = "failed") -> str:
    run = kit.run_of(key)
    (claimed,) = kit.claim().claimed
    kit.finish(claimed, state)
    return str(run)


def sent(kit: Any, message: int = 1, *, stays_open: bool = True, version: int | None = None) -> None:
    ((now,),) = kit.rows("SELECT version FROM outbox WHERE id = ?", message)
    kit.do(outbox.Sent(message, "C1:1", "abc", now if version is None else version, stays_open=stays_open))
