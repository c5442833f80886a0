"""Break-glass: a run that waits starts past its gates, once, with a record that says so."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import errors, policy
from healer.policy import limits
from healer.store import deciding, forcing, pausing, people

S = 1_000_000
ONE = limits.Approval((limits.Threshold("one approver", ("approver",), 1, 1),), ())
ASKING = policy.Limits(timeout_s=10, approvals=(ONE,), approval_expires_s=1800)
COOL = policy.Limits(timeout_s=10, cooldown_s=600)


def force(kit: Any, run: str, who: str = "key:ana") -> forcing.Forced:
    unit = forcing.Force(run, actor=who, reason="the site is down", standing_of=lambda _: kit.standing)
    made: forcing.Forced = kit.do(unit)
    return made


def test_what_waits_for_a_person_starts_and_its_request_is_withdrawn(kit: Any) -> None:
    run = kit.queue(limits=ASKING)
    assert kit.state_of(run) == ("awaiting_approval", "needs_approval")
    made = force(kit, run)
    assert (made.state, made.before) == ("queued", "")
    (past,) = made.past
    assert past.startswith("Waiting for 1 of one approver until ")
    ((told,),) = kit.rows("SELECT explanation FROM run")
    said = json.loads(told)["break_glass"]
    assert (said["actor"], said["reason"], [one["code"] for one in said["past"]]) == (
        "key:ana",
        "the site is down",
        ["needs_approval"],
    )
    assert kit.rows("SELECT state FROM approval") == [("withdrawn",)]
    assert kit.only().run["id"] == run
    kept = kit.record("break_glass")
    assert (kept["actor"], kept["old"], kept["past"], kept["detail"], kept["targets"]) == (
        "key:ana", "awaiting_approval", ["needs_approval"], "the site is down", ["host:web1"],
    )  # fmt: skip
    assert kit.verify().ok


def test_what_a_pause_a_cooldown_or_a_ramp_holds_starts(kit: Any) -> None:
    kit.queue("first", limits=COOL)
    kit.finish(kit.only())
    run = kit.queue("second", limits=COOL)
    assert kit.state_of(run) == ("deferred", "cooldown")
    kit.do(pausing.Pause("all", "os:bo", "a look", None, None))
    force(kit, run)
    assert kit.only().run["id"] == run
    other = kit.queue("other", "host:other", limits=COOL)
    assert kit.state_of(other) == ("deferred", "paused")


def test_it_is_the_first_of_the_queue_however_full_it_is(kit: Any) -> None:
    full = policy.Limits(timeout_s=10, concurrency_daemon=1)
    for n in range(30):
        kit.queue(f"k{n}", f"host:h{n}", limits=full)
    run = kit.queue("mine", "host:mine", limits=full)
    (under_way,) = kit.claim().claimed
    assert under_way.run["id"] != run
    force(kit, run)
    assert kit.only().run["id"] == run


def test_a_delay_of_a_retry_is_over_and_the_next_one_asks_the_gates_again(kit: Any) -> None:
    extra = {"retries": {"times": 3, "delay_ms": 60_000}}
    run = kit.queue(limits=policy.Limits(timeout_s=10), extra=extra)
    kit.finish(kit.only(), "failed")
    kit.do(pausing.Pause("all", "os:bo", "a look", None, None))
    force(kit, run)
    assert force(kit, run, "key:bo") == forcing.Forced("queued", before="key:ana")
    kit.finish(kit.only(), "failed")
    kit.now_us += 60 * S
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ("deferred", "paused")


def test_its_targets_lock_holds(kit: Any) -> None:
    kit.queue("first", limits=policy.Limits(timeout_s=10))
    first = kit.only()
    run = kit.queue("second", limits=ASKING)
    made = force(kit, run)
    assert "is working on host:web1" in made.waits
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ("queued", "target_busy")
    kit.finish(first)
    assert kit.only().run["id"] == run


@pytest.mark.parametrize(("how", "why"), [
    ("invalid", "No target host:web1"), ("observe", "mode observe"), ("running", "it is running"), ("unknown", "it is unknown"),
])  # fmt: skip
def test_what_may_not_start_even_so(kit: Any, how: str, why: str) -> None:
    run = kit.queue(limits=ASKING if how in ("invalid", "observe") else policy.Limits(timeout_s=10))
    if how == "invalid":
        fields = {"target": "host:web1", "inventory": "hosts.yml", "nearest": ""}
        kit.standing = dataclasses.replace(kit.standing, problems=(policy.Problem("unknown_target", fields),))
    elif how == "observe":
        kit.standing = dataclasses.replace(kit.standing, mode="observe")
    else:
        claimed = kit.only()
        if how == "unknown":
            kit.finish(claimed, "unknown")
    before = (kit.states(run), len(kit.audit()))
    with pytest.raises(forcing.NotForced, match=why):
        force(kit, run)
    assert (kit.states(run), len(kit.audit())) == before


ALL = ("all", "os:bo", "everybody out", None, None)


@pytest.mark.parametrize("how", ["pause", "file"])
def test_a_pause_that_comes_later_holds_it(kit: Any, how: str) -> None:
    """Who says it last is heard: also one that was there before is passed no more then."""
    kit.queue("first", limits=policy.Limits(timeout_s=10))
    first = kit.only()
    run = kit.queue("second", limits=ASKING)
    force(kit, run)
    if how == "pause":
        kit.do(pausing.Pause(*ALL))
    else:
        kit.standing = dataclasses.replace(
            kit.standing, paused={"who": "PAUSE", "since": "now", "reason": "everybody out"}
        )
    kit.finish(first)
    assert kit.claim().claimed == []
    assert kit.state_of(run)[1] == "paused"
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.do(pausing.Resume("all", "os:bo") if how == "pause" else pausing.Lifted({"scope": "everything"}))
    kit.decide(look=True)
    assert kit.state_of(run) == ("awaiting_approval", "needs_approval")
    ((told,),) = kit.rows("SELECT explanation FROM run WHERE id = ?", run)
    assert json.loads(told)["break_glass"]["over"].endswith("all gates are asked again")


def test_it_is_told_of_every_gate_that_it_passes(kit: Any) -> None:
    """One pauses a rule, which needs an approval and is in no rulebook any more: who breaks the glass hears of all of that."""
    kit.do(pausing.Pause("all", "os:bo", "a look", None, None))
    run = kit.queue(limits=ASKING)
    kit.standing = dataclasses.replace(
        kit.standing, problems=(policy.Problem("disabled", {"rule": "a/b/c", "gone": True}),)
    )
    made = force(kit, run)
    assert kit.record("break_glass")["past"] == ["paused", "disabled", "needs_approval"]
    assert [word.split()[0] for word in made.past] == ["Paused", "The", "Waiting"]


def test_a_second_pause_holds_what_was_started_past_the_first(kit: Any) -> None:
    kit.queue("first", limits=policy.Limits(timeout_s=10))
    first = kit.only()
    kit.do(pausing.Pause("rule:a/b/c", "os:bo", "a look", None, None))
    run = kit.queue("second", limits=policy.Limits(timeout_s=10))
    force(kit, run)
    kit.do(pausing.Pause(*ALL))
    kit.finish(first)
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ("deferred", "paused")


def test_where_the_alert_is_resolved_there_is_nothing_to_force(kit: Any) -> None:
    word = deciding.AlertWord("am", "k", 1, True, True, 10**12, "Disk", "web1", "critical", "full")
    kit.queue("first", limits=policy.Limits(timeout_s=10))
    first = kit.only()
    asked = kit.asked("second", limits=policy.Limits(timeout_s=10), alerts=[("am", "k", 1, True)], lifecycle=True)
    kit.decide(asked, alerts=[word])
    force(kit, asked.candidate.run)
    kit.decide(alerts=[dataclasses.replace(word, firing=False, opens=False)])
    kit.finish(first)
    assert kit.claim().claimed == []
    assert kit.state_of(asked.candidate.run) == ("withdrawn", "resolved")


def test_what_has_ended_stays_so(kit: Any) -> None:
    run = kit.queue(limits=policy.Limits(timeout_s=10))
    kit.finish(kit.only())
    with pytest.raises(people.RunEnded):
        force(kit, run)
    with pytest.raises(errors.NotFound):
        force(kit, "r-nothing")


def test_a_repeat_of_its_alert_does_not_start_so(kit: Any) -> None:
    run = kit.queue(limits=dataclasses.replace(ASKING, attempts=3))
    force(kit, run)
    kit.finish(kit.only(), "failed")
    kit.decide(kit.asked("k", limits=dataclasses.replace(ASKING, attempts=3)))
    assert kit.state_of(run) == ("awaiting_approval", "needs_approval")
