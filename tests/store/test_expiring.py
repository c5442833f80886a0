"""What follows where nobody approves a run in time: the action that its approval names, as a rung of its own.

While that, or a step of an escalation, is at work a repeat of the alert does not begin the run anew beside it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import model, policy
from healer.policy import limits
from healer.store import deciding, notes

S = 1_000_000
FREE = policy.Limits(timeout_s=10, attempts=3, cooldown_s=0)
ALERT = [("am", "k", 1, True)]


def rung(name: str, after_ms: int) -> dict[str, Any]:
    return {
        "name": name, "kind": "script", "subject": f"scripts/{name}.sh", "controller": "here", "parameters": {}, "idempotent": False,
        "timeout_ms": 10_000, "after_ms": after_ms, "extra": {},
    }  # fmt: skip


def word(firing: bool, opens: bool = False) -> deciding.AlertWord:
    return deciding.AlertWord("am", "k", 1, firing, opens, 10**12, "Disk", "web1", "critical", "full")


def only(kit: Any) -> Any:
    (claimed,) = kit.claim().claimed
    return claimed


def state(kit: Any, run: str) -> tuple[str, str]:
    found: tuple[str, str] = kit.rows("SELECT state, reason FROM run WHERE id = ?", run)[0]
    return found


def run_of(kit: Any, action: str) -> str:
    return str(kit.rows("SELECT id FROM run WHERE action = ?", action)[0][0])


ASKED = dataclasses.replace(
    FREE,
    approvals=(limits.Approval((limits.Threshold("one", ("ops",), 1, 1),), then="page"),),
    approval_expires_s=60,
)


def expires(kit: Any, extra: dict[str, Any], *, resolved: bool = False) -> str:
    """A run that nobody approves in its time; its id."""
    asked = kit.asked("k", limits=ASKED, alerts=ALERT, lifecycle=True, extra=extra)
    kit.decide(asked, alerts=[word(True, opens=True)])
    assert state(kit, asked.candidate.run)[:2] == ("awaiting_approval", "needs_approval")
    if resolved:
        kit.decide(alerts=[word(False)])
    kit.now_us += 61 * S
    kit.decide(look=True)
    return str(asked.candidate.run)


def test_where_nobody_approves_it_in_time_another_action_is_tried(kit: Any) -> None:
    run = expires(kit, {"expired": [rung("page", 0)], "escalate": [rung("reboot", 0)]})
    assert state(kit, run)[0] == "expired"
    kit.decide(look=True)
    claimed = only(kit)
    assert (claimed.run["action"], claimed.targets, claimed.run["after"]) == ("page", ["host:web1"], run)
    kit.finish(claimed, "failed")
    kit.decide(look=True)
    assert kit.rows("SELECT rung, action FROM run ORDER BY rung") == [(0, "clean"), (1, "page")]
    assert kit.verify().ok


def test_nothing_is_tried_where_the_alert_is_resolved_or_nothing_is_named(kit: Any) -> None:
    run = expires(kit, {"expired": [rung("page", 0)]}, resolved=True)
    assert state(kit, run)[0] == "withdrawn"
    assert kit.rows("SELECT count(*) FROM run") == [(1,)]


def test_without_a_name_nothing_follows_on_an_expiry(kit: Any) -> None:
    assert state(kit, expires(kit, {"escalate": [rung("reboot", 0)]}))[0] == "expired"
    assert kit.rows("SELECT count(*) FROM run") == [(1,)]


def test_what_was_to_be_tried_waits_while_a_repeat_asks_people_anew(kit: Any) -> None:
    run = expires(kit, {"expired": [rung("page", 0)]})
    kit.decide(kit.asked("k", limits=ASKED, alerts=ALERT, lifecycle=True), alerts=[word(True)])
    assert state(kit, run)[0] == "awaiting_approval"
    kit.decide(look=True)
    assert state(kit, run_of(kit, "page"))[:2] == ("deferred", "chain")
    kit.now_us += 61 * S
    kit.decide(look=True)
    kit.decide(look=True)
    assert only(kit).run["action"] == "page"
    assert kit.rows("SELECT count(*) FROM run WHERE action = 'page'") == [(1,)]


# --- a repeat of the alert meanwhile -------------------------------------------------------------------------------------------


def repeats(kit: Any, limits: Any = FREE, extra: Any = None) -> tuple[str, str]:
    """The alert is said again; the outcome of that, and its reason."""
    kit.now_us += S
    asked = kit.asked("k", limits=limits, alerts=ALERT, lifecycle=True, extra=extra or {})
    kit.decide(asked, alerts=[word(True)])
    (found,) = kit.rows("SELECT outcome, reason FROM decision ORDER BY seq DESC, n DESC LIMIT 1")
    return str(found[0]), str(found[1])


def escalates(kit: Any, **extra: Any) -> None:
    asked = kit.asked(
        "k", limits=FREE, alerts=ALERT, lifecycle=True, extra={"escalate": [rung("reboot", 0) | {"extra": extra}]}
    )
    kit.decide(asked, alerts=[word(True, opens=True)])
    kit.finish(only(kit), "failed")
    kit.decide(look=True)


@pytest.mark.parametrize("end", ["unknown", "succeeded", None])
def test_while_a_rung_is_at_work_a_repeat_is_a_duplicate(kit: Any, end: model.EndState | None) -> None:
    escalates(kit, verify={"within_ms": 60_000})
    reboot = run_of(kit, "reboot")
    assert (state(kit, reboot)[0], repeats(kit)) == ("queued", ("suppressed", "duplicate"))
    claimed = only(kit)
    assert repeats(kit) == ("suppressed", "duplicate")
    if end is not None:
        kit.finish(claimed, end)
        assert state(kit, reboot)[0] == ("verifying" if end == "succeeded" else "unknown")
        assert repeats(kit) == ("suppressed", "duplicate")
    assert kit.claim().claimed == []


def test_a_rung_of_a_rung_is_one_too_and_once_all_have_failed_a_repeat_tries_again(kit: Any) -> None:
    escalates(kit, escalate=[rung("page", 0)])
    kit.finish(only(kit), "failed")
    kit.decide(look=True)
    claimed = only(kit)
    assert (claimed.run["action"], repeats(kit)) == ("page", ("suppressed", "duplicate"))
    kit.finish(claimed, "failed")
    assert repeats(kit)[0] == "queued"


def test_what_is_tried_where_nobody_approves_it_is_one_too(kit: Any) -> None:
    run = expires(kit, {"expired": [rung("page", 0)]})
    kit.decide(look=True)
    claimed = only(kit)
    assert (claimed.run["action"], repeats(kit, ASKED)) == ("page", ("suppressed", "duplicate"))
    kit.finish(claimed)
    assert state(kit, run)[0] == "expired"
    assert repeats(kit, ASKED) == ("awaiting_approval", "needs_approval")


def test_a_rung_waits_for_its_time_also_while_only_observed(kit: Any) -> None:
    asked = kit.asked("k", limits=FREE, alerts=ALERT, lifecycle=True, extra={"escalate": [rung("reboot", 30_000)]})
    kit.decide(asked, alerts=[word(True, opens=True)])
    kit.finish(only(kit), "failed")
    active = kit.standing
    kit.standing = dataclasses.replace(active, mode="observe")
    kit.do(notes.Wake())
    kit.decide(look=True)
    assert state(kit, run_of(kit, "reboot")) == ("deferred", "escalation")
    kit.standing = active
    kit.now_us += 30 * S
    kit.decide(look=True)
    assert only(kit).run["action"] == "reboot"
