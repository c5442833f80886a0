"""The pipeline with plain values: the first no decides, observe mode waits for nothing."""

from __future__ import annotations

import dataclasses

import pytest

from healer import policy
from healer.policy import reasons

S = 1_000_000
PLAIN = policy.Candidate(
    "r-1", "a/b/c", "clean", "here", ("host:a",), 100 * S,
    policy.Limits(max_age_s=900, defer_for_s=7200, attempts=3, cooldown_s=600, concurrency_daemon=2, chain_depth=3),
)  # fmt: skip


@pytest.mark.parametrize(
    ("candidate", "view", "state", "reason"),
    [
        ({}, {}, "queued", ""),
        ({}, {"paused": {"who": "ana", "since": "03:05", "reason": "x", "scope": "--all"}}, "deferred", "paused"),
        ({"enabled": False}, {}, "suppressed", "disabled"),
        ({"event_us": -901 * S}, {}, "suppressed", "stale"),
        ({}, {"state": "running"}, "suppressed", "duplicate"),
        ({}, {"state": "failed", "attempts_made": 2}, "queued", ""),
        ({}, {"state": "failed", "attempts_made": 3}, "suppressed", "attempts"),
        ({"lifecycle": True}, {"resolved_us": 90 * S}, "withdrawn", "resolved"),
        ({"problems": (policy.Problem("unknown_action", {"action": "x"}),)}, {}, "refused", "unknown_action"),
        ({}, {"last_ended": {"host:a": (99 * S, "r-2")}}, "deferred", "cooldown"),
        ({}, {"last_ended": {"host:a": (-500 * S, "r-2")}}, "queued", ""),
        ({"depth": 4}, {}, "refused", "chain_depth"),
        *[
            ({"after": "r-0"}, {"before": before}, "deferred", "chain")
            for before in ("deferred", "queued", "running", "unknown")
        ],
        *[
            ({"after": "r-0"}, {"before": before}, "suppressed", "chain")
            for before in ("failed", "timed_out", "cancelled", "refused", "suppressed", "withdrawn", "simulated", None)
        ],
        ({"after": "r-0"}, {"before": "succeeded"}, "queued", ""),
        *[
            ({"after": "r-0", "upstream": True}, {"before": before}, "queued", "")
            for before in ("succeeded", "failed", "timed_out")
        ],
        *[
            ({"after": "r-0", "upstream": True}, {"before": before}, "suppressed", "chain")
            for before in ("refused", "suppressed", "withdrawn", "cancelled")
        ],
        ({"after": "r-0", "mode": "observe"}, {"before": "simulated"}, "simulated", "observe"),
        ({"after": "r-0", "dry_run": True}, {"before": "simulated"}, "simulated", "dry_run"),
        (
            {"problems": (policy.Problem("unknown_target", {"target": "b"}, target="host:b"),)},
            {},
            "refused",
            "unknown_target",
        ),
        ({"mode": "observe"}, {"last_ended": {"host:a": (99 * S, "r-2")}}, "simulated", "observe"),
        ({"dry_run": True}, {}, "simulated", "dry_run"),
    ],
)
def test_each_gate_says_its_no(candidate: dict[str, object], view: dict[str, object], state: str, reason: str) -> None:
    decision = policy.decide(dataclasses.replace(PLAIN, **candidate), policy.View(**view), 100 * S)
    assert (decision.state, decision.reason) == (state, reason)
    assert not reason or "?" not in reasons.sentence("duplicate", {"run": "r", "state": "s"})


def test_observe_tells_what_would_have_stopped_it() -> None:
    decision = policy.decide(
        dataclasses.replace(PLAIN, mode="observe"), policy.View(last_ended={"host:a": (99 * S, "r-2")}), 100 * S
    )
    assert decision.would == "cooldown"
    assert decision.sentence.startswith("Nothing was touched (mode observe)")
    assert "again after" in decision.sentence


def test_a_busy_target_waits_only_at_the_recheck() -> None:
    busy = policy.View(locked_by={"host:a": "r-9"})
    assert policy.decide(PLAIN, busy, 100 * S).reason == ""
    assert (policy.recheck(PLAIN, busy, 100 * S).state, policy.recheck(PLAIN, busy, 100 * S).reason) == (
        "queued",
        "target_busy",
    )


def test_a_cooldown_leaves_out_only_its_target() -> None:
    two = dataclasses.replace(PLAIN, targets=("host:a", "host:b"))
    decision = policy.decide(two, policy.View(last_ended={"host:a": (99 * S, "r-2")}), 100 * S)
    assert decision.state == "queued"
    assert list(decision.left_out) == ["host:a"]
