"""A pause that lasts until what it covers changes: what was decided before that goes to a person, and to nobody else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import access, policy
from healer.store import deciding, finishing, pausing, reviewing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10, defer_for_s=7200)
UNTIL = ("os:ana", "it hits healthy nodes", None, "digest of then")
ALERT = [("am", "k", 1, True)]


def asked(kit: Any, key: str, rule: str = "a/b/c", **more: Any) -> Any:
    """A match of a rule, on a host of its own."""
    made = kit.asked(key, f"host:{key}", limits=more.pop("limits", WIDE), **more)
    return dataclasses.replace(made, candidate=dataclasses.replace(made.candidate, rule=rule))


def decided(kit: Any, key: str, rule: str = "a/b/c", **more: Any) -> str:
    """Its run."""
    (run,) = kit.decide(asked(kit, key, rule, **more)).runs
    return str(run)


def until_it_changes(kit: Any, scope: str = "rule:a/b/c") -> None:
    kit.do(pausing.Pause(scope, *UNTIL))


def changes(kit: Any, *scopes: str, name: str = "e") -> None:
    """A reload after which the scopes mean something else."""
    kit.use(name * 64)
    ends = pausing.EndOfThemselves(0, dict.fromkeys(scopes or ("rule:a/b/c",), "digest of now"), kit.revision)
    assert kit.do(ends) == list(scopes or ("rule:a/b/c",))
    look(kit)


def look(kit: Any) -> None:
    """The tick that looks at what is due."""
    kit.now_us += 1
    kit.decide(look=True)


def state(kit: Any, run: str) -> tuple[str, str]:
    found: tuple[str, str] = kit.state_of(run)
    return found


def fields(kit: Any, run: str) -> dict[str, Any]:
    ((detail,),) = kit.rows("SELECT detail FROM run WHERE id = ?", run)
    found: dict[str, Any] = json.loads(detail)
    return found


def approve(kit: Any, run: str) -> str:
    ((approval,),) = kit.rows("SELECT id FROM approval WHERE run = ? AND state = 'open'", run)
    unit = reviewing.Review(
        approval,
        "approve",
        who=access.Principal("key:bo"),
        roles=("approver",),
        reason="",
        standing_of=lambda _: kit.standing,
    )
    return str(kit.do(unit).state)


def claimed(kit: Any) -> list[str]:
    return [one.run["id"] for one in kit.claim().claimed]


# --- who goes to a person ---------------------------------------------------------------------------------------------------


def test_what_the_pause_held_goes_to_a_person_and_runs_once_one_says_so(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k")
    assert state(kit, run) == ("deferred", "paused")
    changes(kit)
    assert state(kit, run) == ("awaiting_approval", "rule_changed")
    assert fields(kit, run) == {"scope": "rule a/b/c"}
    assert kit.record("resume")["asked"] == 1
    assert claimed(kit) == []
    ((expires_us,),) = kit.rows("SELECT expires_us FROM approval")
    assert expires_us == kit.now_us + 1800 * S
    assert approve(kit, run) == "approved"
    assert claimed(kit) == [run]
    assert kit.verify().ok


def test_so_does_what_was_queued_before_it_and_had_not_begun(kit: Any) -> None:
    run = decided(kit, "k")
    until_it_changes(kit)
    assert state(kit, run) == ("queued", "")
    kit.use("e" * 64)
    kit.do(pausing.EndOfThemselves(0, {"rule:a/b/c": "digest of now"}, kit.revision))
    assert claimed(kit) == []
    assert state(kit, run) == ("awaiting_approval", "rule_changed")
    assert kit.states(run)[1] == ["withdrawn"]


def test_so_does_what_another_gate_held_while_it_was_paused(kit: Any) -> None:
    """Whether the pause held it too is a matter of when it was looked at last."""
    cooling = dataclasses.replace(WIDE, cooldown_s=600)
    kit.decide(asked(kit, "k", limits=cooling))
    kit.finish(kit.only())
    (run,) = kit.decide(dataclasses.replace(asked(kit, "j", limits=cooling), targets=(), candidate=dataclasses.replace(
        asked(kit, "j", limits=cooling).candidate, targets=("host:k",)))).runs  # fmt: skip
    assert state(kit, run) == ("deferred", "cooldown")
    until_it_changes(kit)
    changes(kit)
    assert state(kit, run) == ("awaiting_approval", "rule_changed")


def test_what_was_decided_by_the_rule_of_today_does_not(kit: Any) -> None:
    until_it_changes(kit)
    before = decided(kit, "before")
    kit.use("e" * 64)
    after = decided(kit, "after")
    assert state(kit, after) == ("deferred", "paused")
    assert kit.do(pausing.EndOfThemselves(0, {"rule:a/b/c": "digest of now"}, kit.revision)) == ["rule:a/b/c"]
    look(kit)
    assert (state(kit, before), state(kit, after)) == (("awaiting_approval", "rule_changed"), ("queued", ""))


def test_nor_what_it_did_not_cover(kit: Any) -> None:
    until_it_changes(kit)
    other = decided(kit, "other", "a/b/d")
    changes(kit)
    assert state(kit, other) == ("queued", "")
    assert claimed(kit) == [other]
    assert "asked" not in kit.record("resume")


@pytest.mark.parametrize("how", ["a person", "its time"])
def test_nor_what_goes_on_since_somebody_said_so(kit: Any, how: str) -> None:
    kit.do(pausing.Pause("rule:a/b/c", "os:ana", "", 500 * S, "digest of then"))
    run = decided(kit, "k")
    kit.do(pausing.Resume("rule:a/b/c", "os:ana") if how == "a person" else pausing.EndOfThemselves(500 * S))
    look(kit)
    assert state(kit, run) == ("queued", "")


def test_its_time_and_a_change_at_once_are_a_change(kit: Any) -> None:
    kit.do(pausing.Pause("rule:a/b/c", "os:ana", "", 500 * S, "digest of then"))
    run = decided(kit, "k")
    kit.use("e" * 64)
    kit.do(pausing.EndOfThemselves(501 * S, {"rule:a/b/c": "digest of now"}, kit.revision))
    look(kit)
    assert state(kit, run) == ("awaiting_approval", "rule_changed")


def test_what_a_wider_pause_holds_too_is_asked_once_that_is_over(kit: Any) -> None:
    kit.do(pausing.Pause("all", "os:bob", ""))
    until_it_changes(kit)
    run = decided(kit, "k")
    changes(kit)
    assert state(kit, run) == ("deferred", "paused")
    ahead = pausing.Ahead()
    kit.do(pausing.Preview("all", lambda _: kit.standing, ahead))
    assert ahead.states == {"awaiting_approval": {"rule_changed": 1}}
    kit.do(pausing.Resume("all", "os:bob"))
    look(kit)
    assert state(kit, run) == ("awaiting_approval", "rule_changed")


def test_actions_of_ansible_rulebook_do_too(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k", upstream=True)
    changes(kit)
    assert state(kit, run) == ("awaiting_approval", "rule_changed")
    approve(kit, run)
    assert claimed(kit) == [run]


def test_a_rule_that_is_off_or_gone_asks_nobody(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k")
    kit.standing = dataclasses.replace(kit.standing, enabled=False)
    changes(kit)
    assert state(kit, run) == ("suppressed", "disabled")


def test_it_is_known_after_a_kill(make_kit: Any, tmp_path: Any) -> None:
    kit = make_kit(tmp_path)
    until_it_changes(kit)
    run = decided(kit, "k")
    kit.use("e" * 64)
    kit.do(pausing.EndOfThemselves(0, {"rule:a/b/c": "digest of now"}, kit.revision))
    kit.close()
    again = make_kit(tmp_path)
    again.now_us, again.revision, again.position = kit.now_us + S, kit.revision, kit.position
    again.decide(look=True)
    assert state(again, run) == ("awaiting_approval", "rule_changed")
    again.close()


def test_a_resolved_alert_asks_nobody_and_withdraws_what_was_asked(kit: Any) -> None:
    word = deciding.AlertWord("am", "k", 1, True, True, 10**12, "Disk", "web1", "critical", "full")
    until_it_changes(kit)
    kit.decide(asked(kit, "k", alerts=ALERT, lifecycle=True), alerts=[word])
    ((run,),) = kit.rows("SELECT id FROM run")
    changes(kit)
    assert state(kit, run) == ("awaiting_approval", "rule_changed")
    kit.decide(alerts=[dataclasses.replace(word, opens=False, firing=False)])
    assert state(kit, run) == ("withdrawn", "resolved")
    assert kit.rows("SELECT state FROM approval") == [("withdrawn",)]


def test_what_has_waited_too_long_asks_nobody(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k")
    kit.now_us += 7201 * S
    changes(kit)
    assert state(kit, run) == ("suppressed", "stale")


# --- for how long -----------------------------------------------------------------------------------------------------------


def test_a_repeat_that_decides_anew_is_decided_by_the_rule_of_today(kit: Any) -> None:
    word = deciding.AlertWord("am", "k", 1, True, True, 10**12, "Disk", "web1", "critical", "full")
    until_it_changes(kit)
    kit.decide(asked(kit, "k", alerts=ALERT, lifecycle=True), alerts=[word])
    changes(kit)
    ((run,),) = kit.rows("SELECT id FROM run")
    kit.now_us += 1800 * S
    kit.decide(look=True)
    assert state(kit, run) == ("expired", "rule_changed")
    kit.decide(asked(kit, "k", alerts=ALERT, lifecycle=True), alerts=[dataclasses.replace(word, opens=False)])
    assert state(kit, run) == ("queued", "")


def test_without_a_place_before_people_it_waits_for_one(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, approvals_max=1)
    until_it_changes(kit)
    runs = [decided(kit, f"k{number}") for number in range(2)]
    changes(kit)
    assert sorted(state(kit, run) for run in runs) == [
        ("awaiting_approval", "rule_changed"),
        ("deferred", "approvals_full"),
    ]
    first = next(run for run in runs if state(kit, run)[0] == "awaiting_approval")
    approve(kit, first)
    look(kit)
    assert [state(kit, run) for run in runs if run != first] == [("awaiting_approval", "rule_changed")]
    assert claimed(kit) == [first]


def test_a_preview_counts_the_places_before_people(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, approvals_max=1)
    kit.do(pausing.Pause("all", "os:bob", ""))
    until_it_changes(kit)
    for number in range(3):
        decided(kit, f"k{number}")
    changes(kit)
    ahead = pausing.Ahead()
    kit.do(pausing.Preview("all", lambda _: kit.standing, ahead))
    assert ahead.states == {"awaiting_approval": {"rule_changed": 1}, "deferred": {"approvals_full": 2}}


def test_who_approved_it_before_the_change_is_asked_anew(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k")
    changes(kit)
    approve(kit, run)
    until_it_changes(kit)
    changes(kit, name="d")
    assert claimed(kit) == []
    assert state(kit, run) == ("awaiting_approval", "rule_changed")


# --- what belongs to a run that was asked about -----------------------------------------------------------------------------


CHECK = {
    "verify": {
        "within_ms": 60_000,
        "action": {
            "name": "look", "kind": "script", "subject": "scripts/look.sh", "controller": "there", "parameters": {},
            "idempotent": True, "timeout_ms": 5_000,
        },
    }
}  # fmt: skip
PAGE = {
    "escalate": [
        {
            "name": "page", "kind": "script", "subject": "scripts/page.sh", "controller": "here", "parameters": {}, "idempotent": False,
            "timeout_ms": 10_000, "after_ms": 60_000, "extra": {},
        }
    ]
}  # fmt: skip


def test_its_check_asks_nobody_again(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k", extra=CHECK)
    changes(kit)
    approve(kit, run)
    kit.finish(kit.only())
    check = kit.only()
    assert check.run["action"] == "look"
    kit.finish(check)
    assert state(kit, run) == ("succeeded", "verified")


def test_its_next_rung_is_asked_about_at_its_time(kit: Any) -> None:
    """It is of the rule of then too."""
    until_it_changes(kit)
    run = decided(kit, "k", extra=PAGE)
    changes(kit)
    approve(kit, run)
    kit.finish(kit.only(), "failed")
    ((rung,),) = kit.rows("SELECT id FROM run WHERE rung = 1")
    look(kit)
    assert state(kit, rung) == ("deferred", "escalation")
    kit.now_us += 60 * S
    kit.decide(look=True)
    assert state(kit, rung) == ("awaiting_approval", "rule_changed")


def test_what_is_under_way_goes_on_but_what_follows_on_it_is_asked_about(kit: Any) -> None:
    """Its retry, its next try by a stop, its rung: they are of the rule of then."""
    once_more = {"retries": {"times": 1, "delay_ms": 5000}}
    one, two = decided(kit, "one", extra=once_more), decided(kit, "two", extra=PAGE)
    first, second = kit.claim().claimed
    until_it_changes(kit)
    changes(kit)
    assert "asked" not in kit.record("resume")
    for attempt in (first, second):
        kit.finish(attempt, "failed")
    ((rung,),) = kit.rows("SELECT id FROM run WHERE rung = 1")
    kit.now_us += 60 * S
    kit.decide(look=True)
    assert claimed(kit) == []
    assert state(kit, one) == state(kit, rung) == ("awaiting_approval", "rule_changed")
    assert state(kit, two)[0] == "failed"
    assert approve(kit, one) == "approved"
    assert claimed(kit) == [one]


def test_the_next_step_is_asked_about_once_the_one_before_it_is_over(kit: Any) -> None:
    until_it_changes(kit)
    first = asked(kit, "one")
    second = asked(kit, "two", after=first.candidate.run)
    kit.decide(first, second)
    look(kit)
    changes(kit)
    one, two = first.candidate.run, second.candidate.run
    assert (state(kit, one)[0], state(kit, two)) == ("awaiting_approval", ("deferred", "chain"))
    approve(kit, one)
    kit.finish(kit.only())
    look(kit)
    assert state(kit, two) == ("awaiting_approval", "rule_changed")


def test_what_was_taken_back_is_not_asked_about_again(kit: Any) -> None:
    until_it_changes(kit)
    run = decided(kit, "k")
    changes(kit)
    approve(kit, run)
    first = kit.only()
    kit.do(finishing.TakeBack(first.token, run, first.number, "nothing was begun"))
    assert claimed(kit) == [run]
