"""T3 on rows read in its own transaction: which targets an attempt goes for, what holds it, what takes it out."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from healer import policy
from healer.store import finishing, notes

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)
COOL = policy.Limits(cooldown_s=600, timeout_s=10)


def targets_of(kit: Any) -> dict[str, tuple[str, str]]:
    return {
        target: (state, reason) for target, state, reason in kit.rows("SELECT target, state, reason FROM run_target")
    }


def runs(kit: Any) -> dict[str, tuple[str, str]]:
    return {run: (state, reason) for run, state, reason in kit.rows("SELECT id, state, reason FROM run")}


def healed(kit: Any, *targets: str) -> None:
    """An action that ended just now on the targets."""
    kit.decide(kit.asked(f"before{targets}", *targets, limits=WIDE))
    (claimed,) = kit.claim().claimed
    kit.finish(claimed)


def test_what_waited_for_its_cooldown_goes_for_its_target(kit: Any) -> None:
    healed(kit, "host:a")
    decided = kit.decide(kit.asked("k", "host:a", limits=COOL))
    assert list(decided.runs.values()) == ["deferred"]
    assert decided.next_look_us == kit.now_us + 600 * S
    kit.now_us += 599 * S
    assert kit.decide(look=True).runs == {}
    kit.now_us += S
    assert list(kit.decide(look=True).runs.values()) == ["queued"]
    (claimed,) = kit.claim().claimed
    assert claimed.targets == ["host:a"]
    kit.finish(claimed)
    assert targets_of(kit)["host:a"] == ("succeeded", "")


def test_a_target_in_its_cooldown_is_left_out_of_what_goes_now(kit: Any) -> None:
    healed(kit, "host:a")
    kit.decide(kit.asked("k", "host:a", "host:b", limits=COOL))
    (claimed,) = kit.claim().claimed
    assert claimed.targets == ["host:b"]
    assert targets_of(kit)["host:a"] in [("left_out", "cooldown"), ("succeeded", "")]


def test_a_target_whose_cooldown_began_after_the_decision_is_left_out_at_the_claim(kit: Any) -> None:
    kit.decide(kit.asked("k", "host:a", "host:b", limits=COOL))
    kit.connection.execute("UPDATE attempt SET not_before_us = not_before_us + 1000000")  # the other one goes first
    healed(kit, "host:a")
    kit.now_us += S
    (claimed,) = kit.claim().claimed
    assert claimed.targets == ["host:b"]
    assert kit.rows("SELECT targets FROM attempt WHERE token = ?", claimed.token) == [('["host:b"]',)]
    assert kit.rows("SELECT target FROM lock") == [("host:b",)]
    kit.finish(claimed)
    run = claimed.run["id"]
    assert kit.rows("SELECT target, state, reason FROM run_target WHERE run = ? ORDER BY target", run) == [
        ("host:a", "left_out", "cooldown"), ("host:b", "succeeded", ""),
    ]  # fmt: skip


def test_who_is_refused_stays_out_when_the_others_have_waited(kit: Any) -> None:
    healed(kit, "host:a")
    bad = (policy.Problem("unknown_target", {"target": "b"}, "host:b"),)
    kit.standing = dataclasses.replace(kit.standing, problems=())
    kit.decide(kit.asked("k", "host:a", "host:b", limits=COOL, problems=bad))
    kit.now_us += 600 * S
    kit.decide(look=True)
    (claimed,) = kit.claim().claimed
    assert claimed.targets == ["host:a"]


def test_two_that_share_a_target_go_one_after_the_other(kit: Any) -> None:
    asks = [
        kit.asked(str(n), *names, limits=WIDE)
        for n, names in enumerate([("host:a",), ("host:a", "host:b"), ("host:b",)])
    ]
    kit.decide(*asks)
    seen = []
    while claims := kit.claim().claimed:
        seen.append([one.targets for one in claims])
        for one in claims:
            kit.finish(one)
    assert sorted(len(one) for one in seen) in ([1, 2], [1, 1, 1])
    assert sorted(itertools.chain(*seen)) == [["host:a"], ["host:a", "host:b"], ["host:b"]]
    assert kit.rows("SELECT * FROM lock") == []


def test_a_place_that_is_taken_holds_an_attempt_where_it_is(kit: Any) -> None:
    kit.decide(*[kit.asked(str(n), f"host:{n}", limits=policy.Limits(concurrency_daemon=2)) for n in range(3)])
    first = kit.claim().claimed
    assert len(first) == 2
    assert sorted(kit.rows("SELECT state, held FROM attempt")) == [
        ("queued", "concurrency"),
        ("running", ""),
        ("running", ""),
    ]
    kit.finish(first[0])
    assert len(kit.claim().claimed) == 1


@pytest.mark.parametrize(("change", "state", "reason"), [
    ({"paused": {"scope": "--all", "who": "ana", "since": "now", "reason": "x"}}, "deferred", "paused"),
    ({"enabled": False}, "suppressed", "disabled"),
    ({"mode": "observe"}, "simulated", "observe"),
    ({"problems": (policy.Problem("unknown_action", {"action": "x", "nearest": ""}),)}, "refused", "unknown_action"),
])  # fmt: skip
def test_what_changed_since_the_decision_counts_at_the_claim(kit: Any, change: Any, state: str, reason: str) -> None:
    kit.decide(kit.asked("k"))
    kit.standing = dataclasses.replace(kit.standing, **change)
    claims = kit.claim()
    assert (claims.claimed, list(claims.changed.values())) == ([], [state])
    assert list(runs(kit).values()) == [(state, reason)]
    assert kit.rows("SELECT state FROM attempt") == [("withdrawn",)]
    record = kit.audit()[-1]
    assert (record["kind"], record["old"], record["state"], record["reason"]) == ("transition", "queued", state, reason)
    assert kit.verify().ok


def test_what_was_paused_goes_on_when_it_is_woken(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, paused={"scope": "--all", "who": "a", "since": "n", "reason": "x"})
    decided = kit.decide(kit.asked("k"))
    assert (list(decided.runs.values()), decided.next_look_us) == (["deferred"], None)
    assert kit.decide(look=True).runs == {}
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    assert kit.do(notes.Wake("paused")) == 1
    kit.decide(look=True)
    assert [one.targets for one in kit.claim().claimed] == [["host:web1"]]


PAUSED = {"scope": "--all", "who": "a", "since": "n", "reason": "x"}
MINUTE = 60 * S
PATIENT = policy.Limits(timeout_s=10, defer_for_s=7200)


def resumed(kit: Any) -> None:
    """The pause is over, and what waited for that is looked at."""
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)


@pytest.mark.parametrize(("minutes", "goes"), [(16, True), (119, True), (121, False)])
def test_how_old_an_event_is_does_not_count_for_what_waited_for_a_gate_but_how_long_it_waited(
    kit: Any, minutes: int, goes: bool
) -> None:
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    kit.decide(kit.asked("k", limits=PATIENT))
    kit.now_us += minutes * MINUTE
    resumed(kit)
    assert len(kit.claim().claimed) == goes
    assert list(runs(kit).values()) == [("running", "") if goes else ("suppressed", "stale")]


def test_waits_one_after_the_other_are_one_wait(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    kit.decide(kit.asked("k", limits=PATIENT))
    kit.now_us += 70 * MINUTE
    resumed(kit)
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    assert list(kit.claim().changed.values()) == ["deferred"]
    kit.now_us += 70 * MINUTE
    resumed(kit)
    assert list(runs(kit).values()) == [("suppressed", "stale")]


@pytest.mark.parametrize(("minutes", "goes"), [(16, True), (121, False)])
def test_a_busy_target_is_a_gate_that_is_waited_for(kit: Any, minutes: int, goes: bool) -> None:
    kit.decide(kit.asked("first", "host:web1", limits=PATIENT), kit.asked("second", "host:web1", limits=PATIENT))
    (first,) = kit.claim().claimed
    kit.now_us += minutes * MINUTE
    kit.finish(first)
    assert len(kit.claim().claimed) == goes


def test_a_wait_is_over_when_its_run_goes(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    kit.decide(kit.asked("k", limits=dataclasses.replace(PATIENT, max_age_s=None)))
    kit.now_us += MINUTE
    resumed(kit)
    (claimed,) = kit.claim().claimed
    kit.now_us += 121 * MINUTE  # the daemon was away meanwhile
    kit.do(finishing.TakeBack(claimed.token, claimed.run["id"], claimed.number, "absent"))
    assert len(kit.claim().claimed) == 1


def test_what_nobody_looked_at_in_the_queue_is_too_old_for_its_effect(kit: Any) -> None:
    """As after an hour without the daemon: whether it is still so, only a fresh sign can say."""
    kit.decide(kit.asked("k"))
    kit.now_us += 16 * MINUTE
    assert list(kit.claim().changed.values()) == ["awaiting_approval"]
    assert list(runs(kit).values()) == [("awaiting_approval", "no_fresh_sign")]


def test_a_resolved_alert_withdraws_what_is_queued(kit: Any) -> None:
    from healer.store import deciding

    def word(firing: bool) -> deciding.AlertWord:
        return deciding.AlertWord("am", "k", 1, firing, firing, 10**12, "Disk", "web1", "critical", "full")

    ask = kit.asked("k", lifecycle=True, alerts=[("am", "k", 1, True)])
    kit.decide(ask, alerts=[word(True)])
    kit.decide(alerts=[word(False)])
    claims = kit.claim()
    assert (claims.claimed, list(claims.changed.values())) == ([], ["withdrawn"])


def test_the_most_severe_goes_first_and_waiting_makes_severe(kit: Any) -> None:
    def ask(key: str, severity: int) -> Any:
        made = kit.asked(key, f"host:{key}", limits=WIDE)
        made.severity = severity
        return made

    kit.decide(ask("old", 4))
    kit.now_us += 100 * S
    kit.decide(ask("info", 3), ask("critical", 0))
    assert [one.targets for one in kit.claim(1).claimed] == [["host:critical"]]
    kit.now_us += 2400 * S
    kit.decide(ask("late", 1))
    assert [one.targets for one in kit.claim(1).claimed] == [["host:info"]]
    assert [one.targets for one in kit.claim(1).claimed] == [["host:old"]]


def test_an_intent_is_in_the_audit_before_the_effect(kit: Any) -> None:
    kit.decide(kit.asked("k"))
    (claimed,) = kit.claim().claimed
    record = kit.audit()[-1]
    assert (record["kind"], record["token"], record["targets"]) == ("intent", claimed.token, ["host:web1"])
    assert record["deadline_us"] == kit.now_us + 10 * S


def test_what_a_crash_left_is_taken_up_by_the_next_owner(make_kit: Any, tmp_path: Any) -> None:
    first = make_kit(tmp_path)
    first.decide(first.asked("k"))
    (claimed,) = first.claim().claimed
    first.close()
    second = make_kit(tmp_path)
    assert second.finish(claimed) is False  # not ours yet: kept as evidence
    assert second.audit()[-1]["late"] is True
    second.do(finishing.TakeUp(claimed.token, claimed.run["id"], claimed.number))
    assert second.finish(claimed) is True
    assert second.rows("SELECT * FROM lock") == []
    second.close()


def test_what_ended_unknown_keeps_its_lock_and_is_never_done_again(kit: Any) -> None:
    kit.decide(kit.asked("k", alerts=[]))
    (claimed,) = kit.claim().claimed
    kit.finish(claimed, "unknown")
    assert list(runs(kit).values()) == [("unknown", "")]
    assert kit.rows("SELECT target FROM lock") == [("host:web1",)]
    kit.decide(kit.asked("k"), kit.asked("other"))
    assert kit.claim().claimed == []


def test_a_policys_places_hold_an_attempt_where_it_is(kit: Any) -> None:
    limits = policy.Limits(timeout_s=10).under([policy.Layer("ruleset:a/b", {"concurrency": 1})])
    kit.decide(*[kit.asked(str(n), f"host:{n}", limits=limits) for n in range(2)])
    (first,) = kit.claim().claimed
    assert kit.rows("SELECT held FROM attempt WHERE state = 'queued'") == [("concurrency",)]
    kit.finish(first)
    assert len(kit.claim().claimed) == 1
