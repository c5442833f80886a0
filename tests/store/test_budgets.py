"""Budgets and places in rows: taken in the transaction that asks, and given back where nothing began."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import limits
from healer.store import finishing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10, attempts=99)
RATE = dataclasses.replace(WIDE, rates=(limits.Rate("policy:x", 2, 60),))
BLAST = dataclasses.replace(WIDE, blasts=(limits.Blast("policy:x", 60, 2, None, 1, 5, ""),), approval_expires_s=30)


def spent(kit: Any) -> list[tuple[str, str, int]]:
    return kit.rows("SELECT budget, target, started FROM spent ORDER BY budget, target, at_us")  # type: ignore[no-any-return]


# --- rates ------------------------------------------------------------------------------------------------------------------


def test_of_two_in_one_transaction_only_one_gets_the_last_place(kit: Any) -> None:
    decided = kit.decide(*[kit.asked(str(n), f"host:{n}", limits=RATE) for n in range(4)])
    assert list(decided.runs.values()) == ["queued", "queued", "deferred", "deferred"]
    assert spent(kit) == [("policy:x", "", 0)] * 2
    assert kit.verify().ok


def test_a_place_is_free_when_the_oldest_is_over_and_not_before(kit: Any) -> None:
    kit.run_of("a", limits=RATE)
    kit.claim()
    kit.now_us += 10 * S
    kit.run_of("b", limits=RATE)
    kit.claim()
    kit.now_us += S
    run = kit.run_of("c", limits=RATE)
    ((look_us,),) = kit.rows("SELECT look_at_us FROM run WHERE id = ?", run)
    assert look_us == kit.now_us + 49 * S
    kit.now_us = look_us - 1
    assert kit.decide(look=True).runs == {}
    kit.now_us = look_us
    assert kit.decide(look=True).runs == {run: "queued"}


def test_what_waits_in_the_queue_keeps_its_place_however_long(kit: Any) -> None:
    laned = {"lane": "lock:x"}
    for key in "ab":
        kit.run_of(key, **laned, limits=RATE)
    (first,) = kit.claim().claimed  # the second waits for its lane
    kit.now_us += 61 * S
    assert kit.state_of(kit.run_of("c", limits=RATE)) == ("queued", "")  # that of the first is over
    assert kit.state_of(kit.run_of("d", limits=RATE)) == ("deferred", "rate_limited")
    kit.finish(first)
    assert len(kit.claim().claimed) == 2
    begun = [at for (at,) in kit.rows("SELECT at_us FROM spent WHERE started = 1 ORDER BY at_us")]
    assert [at - begun[0] for at in begun] == [0, 61 * S, 61 * S]


def test_no_reservation_stops_its_own_run(kit: Any) -> None:
    for key in "ab":
        kit.run_of(key, limits=RATE)
    assert len(kit.claim().claimed) == 2


@pytest.mark.parametrize("ends", ["withdrawn", "deferred", "refused", "simulated"])
def test_what_began_nothing_gives_its_place_back(kit: Any, ends: str) -> None:
    run = kit.run_of("a", "host:a", limits=dataclasses.replace(RATE, blasts=BLAST.blasts))
    assert spent(kit) == [("policy:x", "", 0), ("policy:x", "host:a", 0)]
    change: dict[str, Any] = {
        "deferred": {"paused": {"scope": "all", "who": "a", "since": "n", "reason": "x"}}, "simulated": {"mode": "observe"},
        "refused": {"problems": (policy.Problem("unknown_action", {"action": "x", "nearest": ""}),)},
    }.get(ends, {})  # fmt: skip
    kit.standing = dataclasses.replace(kit.standing, **change)
    if ends == "withdrawn":
        kit.connection.execute("UPDATE run SET state = 'withdrawn' WHERE id = ?", (run,))
    else:
        kit.claim()
    assert kit.state_of(run)[0] == ends
    assert [one for one in spent(kit) if not one[0].startswith("shadow:")] == []


def test_an_attempt_that_never_began_gives_its_place_back_and_the_next_takes_it_again(kit: Any) -> None:
    run = kit.run_of("a", limits=RATE)
    (claimed,) = kit.claim().claimed
    assert spent(kit) == [("policy:x", "", 1)]
    kit.do(finishing.TakeBack(claimed.token, run, claimed.number, "the disk was full"))
    assert spent(kit) == []
    kit.now_us += 5 * S
    assert len(kit.claim().claimed) == 1
    assert kit.rows("SELECT at_us, started FROM spent") == [(kit.now_us, 1)]


def test_a_retry_is_no_other_run(kit: Any) -> None:
    one = dataclasses.replace(RATE, rates=(limits.Rate("policy:x", 1, 60),))
    run = kit.run_of("a", limits=one, extra={"retries": {"times": 1, "delay_ms": 0}})
    kit.finish(kit.claim().claimed[0], "failed")
    assert len(kit.claim().claimed) == 1
    assert spent(kit) == [("policy:x", "", 1)]
    assert kit.state_of(run)[0] == "running"


def test_a_repeat_after_a_failure_takes_a_place_of_its_own(kit: Any) -> None:
    kit.run_of("a", limits=RATE)
    kit.finish(kit.claim().claimed[0], "failed")
    kit.now_us += S
    kit.run_of("a", limits=RATE)
    assert spent(kit) == [("policy:x", "", 1), ("policy:x", "", 0)]
    kit.finish(kit.claim().claimed[0], "failed")
    kit.now_us += S
    assert kit.state_of(kit.run_of("a", limits=RATE)) == ("deferred", "rate_limited")


def test_a_limit_that_came_with_a_reload_holds_for_what_is_queued(kit: Any) -> None:
    for key in "abc":
        kit.run_of(key, limits=WIDE)
    kit.standing = dataclasses.replace(kit.standing, limits=RATE)
    claims = kit.claim()
    assert (len(claims.claimed), list(claims.changed.values())) == (2, ["deferred"])
    assert spent(kit) == [("policy:x", "", 1)] * 2


def test_what_only_looks_spends_what_nobody_else_may(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, mode="observe")
    would = [
        kit.rows(
            "SELECT json_extract(explanation, '$.would') FROM run WHERE id = ?",
            kit.run_of(key, mode="observe", limits=RATE),
        )
        for key in "abc"
    ]
    assert would == [[("",)], [("",)], [("rate_limited",)]]
    assert spent(kit) == [("shadow:policy:x", "", 1)] * 2
    kit.standing = dataclasses.replace(kit.standing, mode="active")
    assert kit.state_of(kit.run_of("d", limits=RATE)) == ("queued", "")


# --- blast radius -----------------------------------------------------------------------------------------------------------


def test_distinct_targets_count_once_over_all_runs(kit: Any) -> None:
    for key, target in (("1", "host:a"), ("2", "host:a"), ("3", "host:b")):
        assert kit.state_of(kit.run_of(key, target, limits=BLAST))[0] == "queued"
    run = kit.run_of("4", "host:c", limits=BLAST)
    assert kit.state_of(run) == ("awaiting_approval", "blast_radius")
    assert kit.state_of(kit.run_of("5", "host:a", limits=BLAST))[0] == "queued"
    assert kit.rows("SELECT look_at_us FROM run WHERE id = ?", run) == [(kit.now_us + 30 * S,)]


def test_a_target_that_is_left_out_at_last_is_not_touched(kit: Any) -> None:
    cool = dataclasses.replace(BLAST, cooldown_s=600)
    kit.run_of("1", "host:a", "host:b", limits=cool)
    assert [target for _, target, _ in spent(kit)] == ["host:a", "host:b"]
    before = kit.run_of("0", "host:b", limits=WIDE)
    kit.connection.execute("UPDATE attempt SET severity = 0 WHERE run = ?", (before,))
    (first,) = kit.claim().claimed
    kit.finish(first)
    (claimed,) = kit.claim().claimed
    assert claimed.targets == ["host:a"]
    assert spent(kit) == [("policy:x", "host:a", 1)]


def test_a_run_that_waits_for_a_person_ends_by_itself(kit: Any) -> None:
    kit.run_of("1", "host:a", "host:b", limits=BLAST)
    run = kit.run_of("2", "host:c", limits=BLAST)
    kit.now_us += 29 * S
    assert kit.decide(look=True).runs == {}
    kit.now_us += S
    assert kit.decide(look=True).runs == {run: "expired"}
    assert kit.state_of(run) == ("expired", "blast_radius")
    kit.now_us += 60 * S
    assert (
        kit.state_of(kit.run_of("2", "host:c", limits=BLAST))[0] == "awaiting_approval"
    )  # the others have not begun yet
    assert kit.verify().ok


# --- places -----------------------------------------------------------------------------------------------------------------


def test_places_are_given_back_whatever_the_attempt_ended_with(kit: Any) -> None:
    one = dataclasses.replace(WIDE, places=(("policy:x", 1),))
    for key in "abcd":
        kit.run_of(key, limits=one)
    for end in ("succeeded", "failed", "unknown", None):
        (claimed,) = kit.claim().claimed
        assert kit.rows("SELECT count(*) FROM place") == [(1,)]
        if end is None:
            kit.do(finishing.TakeBack(claimed.token, claimed.run["id"], claimed.number, "x"))
        else:
            kit.finish(claimed, end)
        assert kit.rows("SELECT count(*) FROM place") == [(0,)]
