"""What the status counts of runs that began to act in its window."""

from __future__ import annotations

from typing import Any

from healer import policy
from healer.store import people

S = 1_000_000
CHECKED = {"verify": {"within_ms": 60_000}}
FREE = policy.Limits(timeout_s=10, cooldown_s=0)


def counted(kit: Any, since_us: int = 0) -> dict[str, int]:
    """State → how many runs of the only rule."""
    rows = kit.rows(kit.store.writer.tx._sql["status_outcomes"], since_us)
    assert {rule for rule, _, _ in rows} <= {"a/b/c"}
    return {state: n for _, state, n in rows}


def test_a_run_is_counted_once_by_what_became_of_it_however_often_it_tried(kit: Any) -> None:
    kit.run_of("retried", limits=FREE, extra={"retries": {"times": 2, "delay_ms": 0, "backoff": 1}})
    for end in ("failed", "failed", "succeeded"):
        kit.finish(kit.only(), end)
    assert counted(kit) == {"succeeded": 1}
    kit.run_of(
        "waves", "host:w1", "host:w2", "host:w3", limits=FREE, extra={"ramp": {"first": 1, "limit": 1, "max_errors": 0}}
    )
    for end in ("succeeded", "succeeded", "failed"):
        kit.finish(kit.only(), end)
    assert counted(kit) == {"succeeded": 1, "failed": 1}


def test_what_ended_well_and_is_not_verified_has_not_healed(kit: Any) -> None:
    asked = kit.asked("k", limits=FREE, alerts=[("am", "k", 1, True)], lifecycle=True, extra=CHECKED)
    kit.decide(asked)
    kit.finish(kit.only())
    assert counted(kit) == {"verifying": 1}
    kit.now_us += 60 * S
    kit.decide(look=True)
    assert counted(kit) == {"failed": 1}


def test_what_a_person_said_of_an_unknown_one_counts(kit: Any) -> None:
    claimed = kit.unknown()
    assert counted(kit) == {"unknown": 1}
    kit.do(people.Resolve(claimed.run["id"], "succeeded", actor="os:ana", reason="seen"))
    assert counted(kit) == {"succeeded": 1}


def test_what_has_not_begun_and_what_began_before_is_not_counted(kit: Any) -> None:
    kit.run_of("one", limits=FREE)
    assert counted(kit) == {}
    kit.finish(kit.only())
    assert counted(kit, kit.now_us - 1) == {"succeeded": 1}
    assert counted(kit, kit.now_us) == {}


def test_a_check_is_no_act(kit: Any) -> None:
    look = {"name": "look", "kind": "script", "subject": "scripts/look.sh", "controller": "here", "parameters": {}, "idempotent": True,
            "timeout_ms": 5_000}  # fmt: skip
    kit.run_of("one", limits=FREE, extra={"verify": {"within_ms": 60_000, "action": look}})
    kit.finish(kit.only())
    kit.now_us += S
    before = kit.now_us
    kit.now_us += S
    kit.only()
    assert (counted(kit), counted(kit, before)) == ({"verifying": 1}, {})
