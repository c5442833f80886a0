"""An effect later than `max_age` after the sender's last word: a repeat, a reconcile, a check or a person says whether it is needed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import access, policy
from healer.store import deciding, finishing, outside, people, reviewing

S = 1_000_000
MINUTE = 60 * S
LIMITS = policy.Limits(max_age_s=900, defer_for_s=7200, attempts=3, timeout_s=10, approval_expires_s=1800)
ALERT = [("am", "k", 1, True)]
CHECK = {
    "verify": {
        "within_ms": 60_000,
        "action": {
            "name": "look", "kind": "script", "subject": "scripts/look.sh", "controller": "there", "parameters": {}, "idempotent": True,
            "timeout_ms": 5_000,
        },
    }
}  # fmt: skip
PAUSED = {"scope": "all", "who": "ana", "since": "now", "reason": "release"}
ASKED = ("awaiting_approval", "no_fresh_sign")
LOOKED = ("deferred", "no_fresh_sign")


def word(firing: bool = True, opens: bool = False) -> deciding.AlertWord:
    return deciding.AlertWord("am", "k", 1, firing, opens, 10**12, "Disk", "web1", "critical", "full")


def held(kit: Any, minutes: float, *targets: str, resumed: bool = True, **more: Any) -> str:
    """A run of an alert that a pause held for so long; its id."""
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    made = {"limits": LIMITS, "alerts": ALERT, "lifecycle": True} | more
    asked = kit.asked("k", *targets, **made)
    kit.decide(asked, alerts=[word(opens=True)] if made["alerts"] else [])
    kit.now_us += round(minutes * MINUTE)
    if resumed:
        kit.standing = dataclasses.replace(kit.standing, paused=None)
        kit.connection.execute("UPDATE run SET look_at_us = ?", (kit.now_us,))
        kit.decide(look=True)
    return str(asked.candidate.run)


@pytest.mark.parametrize("again", [True, False])
def test_who_goes_on_saying_that_it_fires_wants_it_still_however_long_it_waits(kit: Any, again: bool) -> None:
    run = held(kit, 175, resumed=False)
    if again:
        kit.decide(kit.asked("k", limits=LIMITS, alerts=ALERT, lifecycle=True), alerts=[word()])
    kit.now_us += 5 * MINUTE
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.connection.execute("UPDATE run SET look_at_us = ?", (kit.now_us,))
    kit.decide(look=True)
    assert kit.state_of(run) == (("queued", "") if again else ("suppressed", "stale"))


def look(kit: Any) -> None:
    """A tick for what is due."""
    kit.now_us += 1
    kit.decide(look=True)


def say(kit: Any, run: str, text: str) -> Any:
    (approval,) = kit.rows("SELECT id FROM approval WHERE run = ? AND state = 'open'", run)
    return kit.do(
        reviewing.Review(
            approval[0],
            text,
            who=access.Principal("key:ana"),
            roles=("approver",),
            reason="",
            standing_of=lambda _: kit.standing,
        )  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("minutes", "state"), [(15, ("queued", "")), (15.001, ASKED)])
def test_a_person_is_asked_where_the_last_word_is_too_old(kit: Any, minutes: float, state: tuple[str, str]) -> None:
    run = held(kit, minutes)
    assert kit.state_of(run) == state


def test_it_is_asked_just_before_the_effect_too(kit: Any) -> None:
    """As after an hour without the daemon."""
    run = kit.queue(limits=LIMITS)
    kit.now_us += 16 * MINUTE
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ASKED
    assert say(kit, run, "approve").state == "approved"
    kit.now_us += 16 * MINUTE  # the person's word is a sign, and for exactly this
    assert kit.only().run["id"] == run


def test_nobody_is_asked_of_what_another_gate_holds(kit: Any) -> None:
    run = held(kit, 16, resumed=False)
    kit.connection.execute("UPDATE run SET look_at_us = ?", (kit.now_us,))
    kit.decide(look=True)
    assert kit.state_of(run) == ("deferred", "paused")


def test_nor_of_what_a_person_is_asked_about_anyway(kit: Any) -> None:
    asked = (policy.limits.Approval((policy.limits.Threshold("on call", ("approver",), 1, 1),)),)
    run = held(kit, 16, limits=dataclasses.replace(LIMITS, approvals=asked))
    assert kit.state_of(run) == ("awaiting_approval", "needs_approval")
    assert say(kit, run, "approve").state == "approved"
    assert kit.only().run["id"] == run


def test_nor_of_what_is_resolved(kit: Any) -> None:
    run = held(kit, 16, resumed=False)
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.decide(alerts=[word(firing=False)])
    look(kit)
    assert kit.state_of(run) == ("withdrawn", "resolved")


@pytest.mark.parametrize("sign", ["repeat", "reconcile"])
def test_a_word_of_the_sender_while_it_waits_is_one(kit: Any, sign: str) -> None:
    run = held(kit, 10, resumed=False)
    heard(kit, sign)
    kit.now_us += 10 * MINUTE
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.connection.execute("UPDATE run SET look_at_us = ?", (kit.now_us,))
    kit.decide(look=True)
    assert kit.state_of(run) == ("queued", "")


def heard(kit: Any, sign: str) -> None:
    if sign == "repeat":
        kit.decide(alerts=[word()])
    else:
        kit.do(outside.Heard("am", ["other", "k"], kit.now_us))


@pytest.mark.parametrize("sign", ["repeat", "reconcile"])
def test_it_goes_by_itself_when_the_sign_comes_and_nobody_has_approved_it(kit: Any, sign: str) -> None:
    run = held(kit, 16)
    assert kit.state_of(run) == ASKED
    heard(kit, sign)
    look(kit)
    assert kit.state_of(run) == ("queued", "")
    assert kit.rows("SELECT state FROM approval") == [("withdrawn",)]
    assert [one["kind"] for one in kit.audit() if one.get("run") == run][-1] == "transition"
    kit.now_us += 16 * MINUTE
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ASKED  # that sign is old too, and was no approval


def test_a_sign_for_another_cycle_or_alert_is_none(kit: Any) -> None:
    run = held(kit, 16)
    kit.do(outside.Heard("am", ["other"], kit.now_us))
    kit.do(outside.Heard("other", ["k"], kit.now_us))
    look(kit)
    assert kit.state_of(run) == ASKED


def test_reconcile_says_when_the_run_is_to_be_looked_at(kit: Any) -> None:
    held(kit, 16)
    assert kit.do(outside.Heard("am", ["k"], kit.now_us)) == kit.now_us


def test_where_the_time_of_the_person_is_over_a_repeat_decides_anew(kit: Any) -> None:
    run = held(kit, 16)
    kit.now_us += 31 * MINUTE
    look(kit)
    assert kit.state_of(run) == ("expired", "no_fresh_sign")
    kit.decide(kit.asked("k", limits=LIMITS, alerts=ALERT, lifecycle=True), alerts=[word()])
    assert kit.state_of(run) == ("queued", "")


# --- what verifies it looks first -------------------------------------------------------------------------------------------


def test_its_check_looks_whether_it_is_still_needed(kit: Any) -> None:
    run = held(kit, 16, "host:web1", "host:web2", extra=CHECK)
    assert kit.state_of(run) == LOOKED
    claimed = kit.only()
    assert (claimed.run["action"], sorted(claimed.targets)) == ("look", ["host:web1", "host:web2"])
    assert kit.rows("SELECT target FROM lock") == []
    kit.finish(claimed, "failed")
    look(kit)
    assert kit.state_of(run) == ("queued", "")
    effect = kit.only()
    assert effect.run["action"] == "clean"
    kit.finish(effect)
    assert kit.state_of(run)[0] == "verifying"


def test_what_it_finds_well_is_withdrawn(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    kit.finish(kit.only(), "succeeded")
    assert kit.state_of(run) == ("withdrawn", "resolved")
    assert kit.rows("SELECT state FROM run_target") == [("withdrawn",)]
    detail = {"check": "look"}
    assert policy.reasons.sentence("resolved", detail) == "look found nothing to heal any more."
    assert kit.claim().claimed == []


@pytest.mark.parametrize("ended", ["unknown", "timed_out"])
def test_where_it_cannot_tell_a_person_is_asked(kit: Any, ended: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    kit.finish(kit.only(), ended)
    look(kit)
    assert kit.state_of(run) == ASKED
    assert kit.claim().claimed == []


def test_one_that_the_stop_of_the_daemon_ended_is_made_again(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    kit.finish(kit.only(), "cancelled")
    look(kit)
    assert kit.state_of(run) == LOOKED
    assert kit.only().run["action"] == "look"


def test_one_that_never_began_is_made_again(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    claimed = kit.only()
    kit.do(finishing.TakeBack(claimed.token, run, claimed.number, "absent"))
    assert kit.state_of(run) == LOOKED
    assert kit.only().run["action"] == "look"


def test_it_looks_once_at_a_time(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    kit.connection.execute("UPDATE run SET look_at_us = ?", (kit.now_us,))
    look(kit)
    assert kit.rows("SELECT count(*) FROM attempt WHERE run = ?", run) == [(1,)]


@pytest.mark.parametrize("ended", ["resolved", "repeat", "cancel"])
def test_nobody_looks_once_it_is_known_otherwise(kit: Any, ended: str) -> None:
    run = held(kit, 16, extra=CHECK)
    if ended == "cancel":
        kit.do(people.Cancel(run, actor="key:ana", reason=""))
    else:
        kit.decide(alerts=[word(firing=ended == "repeat")])
        look(kit)
    expected = {"resolved": ("withdrawn", "resolved"), "repeat": ("queued", ""), "cancel": ("cancelled", "")}[ended]
    assert kit.state_of(run) == expected
    assert [one.run["action"] for one in kit.claim().claimed] == (["clean"] if ended == "repeat" else [])


def test_what_ends_while_it_looks_changes_nothing(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    claimed = kit.only()
    kit.decide(alerts=[word(firing=False)])
    look(kit)
    kit.finish(claimed, "failed")
    assert kit.state_of(run) == ("withdrawn", "resolved")


def test_a_pause_keeps_it_from_looking(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    assert kit.claim().claimed == []
    assert kit.state_of(run) == LOOKED


def test_a_sign_of_long_ago_is_asked_for_anew(kit: Any) -> None:
    run = held(kit, 16, extra=CHECK)
    kit.finish(kit.only(), "failed")
    look(kit)
    kit.now_us += 16 * MINUTE  # in the queue
    assert kit.claim().claimed == []
    assert kit.state_of(run) == LOOKED
    assert kit.only().run["action"] == "look"
