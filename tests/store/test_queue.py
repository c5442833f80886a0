"""The queue: the most severe first, waiting makes severe, and nobody in it starves, whoever is before him."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.store import asking, claiming, names

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)
ONE = policy.Limits(timeout_s=10, concurrency_controller=1)


def asked(kit: Any, key: str, severity: int, controller: str = "here", limits: policy.Limits = WIDE) -> Any:
    made = kit.asked(key, f"host:{key}", limits=limits)
    made.severity = severity
    made.candidate = dataclasses.replace(made.candidate, controller=controller)
    return made


def claim(kit: Any, limit: int, after: str = "") -> claiming.Claims:
    claims: claiming.Claims = kit.do(claiming.Claim(limit, lambda _: kit.standing, after))
    return claims


def test_who_is_least_severe_comes_though_worse_ones_never_end(kit: Any) -> None:
    """Each minute one attempt may start and two critical ones come."""
    kit.decide(asked(kit, "info", 4))
    for minute in range(1, 100):
        kit.now_us += 60 * S
        kit.decide(asked(kit, f"a{minute}", 0), asked(kit, f"b{minute}", 0))
        (claimed,) = claim(kit, 1).claimed
        kit.finish(claimed)
        if claimed.targets == ["host:info"]:
            break
    # Of the critical ones every second waits on: the one in front has waited half as long, so four steps take twice as long to make up.
    assert 40 <= minute <= 80


def test_of_one_severity_the_oldest_is_first_and_of_one_time_the_first_decided(kit: Any) -> None:
    kit.decide(asked(kit, "a", 1), asked(kit, "b", 1))
    kit.now_us += S
    kit.decide(asked(kit, "c", 1))
    kit.decide(asked(kit, "d", 0))
    assert [one.targets[0] for one in claim(kit, 4).claimed] == ["host:d", "host:a", "host:b", "host:c"]


def test_who_can_start_starts_though_many_before_him_cannot(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "SCAN_MAX", 20)
    monkeypatch.setattr(claiming, "TURNS_MAX", 7)
    kit.decide(*(asked(kit, f"k{n}", 0, limits=ONE) for n in range(60)))
    kit.decide(asked(kit, "other", 4, "there", ONE))
    first = claim(kit, 5)
    assert [one.run["controller"] for one in first.claimed] in (
        ["here"],
        ["here", "there"],
    )  # its turn may come at once
    after, started = first.after, [one.targets[0] for one in first.claimed]
    for _ in range(61 // 7 + 1):
        claims = claim(kit, 5, after)
        after = claims.after
        started += [one.targets[0] for one in claims.claimed]
    assert started[1:] == ["host:other"]
    assert kit.rows("SELECT count(*) FROM attempt WHERE state = 'running'") == [(2,)]


def test_an_action_with_few_places_holds_no_other_back_on_its_controller(kit: Any) -> None:
    """Of one action two may be under way on a controller, of another more: many of the first are before it."""
    two, many = (
        dataclasses.replace(WIDE, concurrency_controller=2),
        dataclasses.replace(WIDE, concurrency_controller=10),
    )
    kit.decide(*(asked(kit, f"k{n}", 0, limits=two) for n in range(4 * claiming.FULL_LOOKS_MAX)))
    other = asked(kit, "other", 4, limits=many)
    other.candidate = dataclasses.replace(other.candidate, action="restart")
    kit.decide(other)
    assert [one.targets[0] for one in claim(kit, 20).claimed] == ["host:k0", "host:k1", "host:other"]
    told = kit.rows("SELECT count(*) FROM attempt WHERE state = 'queued' AND held = 'concurrency'")
    assert told == [(claiming.FULL_LOOKS_MAX + 1,)], (
        "behind the first few nobody is asked: a storm must not hold the writer"
    )


def test_those_that_wait_for_a_place_are_told_one_after_the_other(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claim tells some more; of those that know it few are asked again."""
    kit.decide(asked(kit, "busy", 0, limits=ONE))
    claim(kit, 1)
    kit.decide(*(asked(kit, f"k{n}", 0, limits=ONE) for n in range(50)))
    looks: list[str] = []
    real = asking.run_row
    monkeypatch.setattr(asking, "run_row", lambda tx, run: (looks.append(run), real(tx, run))[1])
    told = "SELECT count(*) FROM attempt WHERE state = 'queued' AND held = 'concurrency'"
    counts = []
    for _ in range(4):
        claim(kit, 5)
        counts.append((kit.rows(told)[0][0], len(looks)))
        looks.clear()
    few, many = claiming.TOLD_LOOKS_MAX + 1, claiming.FULL_LOOKS_MAX + 1
    assert counts == [(many, many), (2 * many - 1, few + many - 1), (50, few + 50 - (2 * many - 1)), (50, few)]


def test_turns_go_round(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "SCAN_MAX", 5)
    monkeypatch.setattr(claiming, "TURNS_MAX", 7)
    kit.decide(asked(kit, "busy", 0, limits=ONE))
    claim(kit, 1)
    kit.decide(*(asked(kit, f"k{n}", 0, limits=ONE) for n in range(20)))
    looked: list[str] = []
    real = claiming.Claim._one
    monkeypatch.setattr(
        claiming.Claim, "_one", lambda self, tx, run, *more: (looked.append(run), real(self, tx, run, *more))
    )
    after = ""
    for _ in range(3):
        after = claim(kit, 5, after).after
    assert after == ""
    assert {run for (run,) in kit.rows("SELECT run FROM attempt WHERE state = 'queued'")} == {*looked}


def test_what_is_not_due_has_no_turn(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "SCAN_MAX", 1)
    kit.decide(asked(kit, "busy", 0, limits=ONE))
    claim(kit, 1)
    kit.decide(asked(kit, "a", 0, limits=ONE), asked(kit, "later", 4, "there"))
    kit.connection.execute("UPDATE attempt SET not_before_us = ? WHERE targets LIKE '%later%'", (kit.now_us + 60 * S,))
    assert claim(kit, 5).claimed == []
    kit.now_us += 60 * S
    assert [one.targets[0] for one in claim(kit, 5).claimed] == ["host:later"]


def test_a_long_queue_is_read_from_its_index(kit: Any) -> None:
    sql = names.load()["attempts_due"]
    plan = [row[3] for row in kit.rows(f"EXPLAIN QUERY PLAN {sql}", *([0] * sql.count("?")))]
    assert sum("INDEX attempt_ready (severity=? AND not_before_us<?)" in line for line in plan) == claiming.SEVERITIES
    assert sum("TEMP B-TREE" in line for line in plan) == 1  # of what came of the five
    plan = [row[3] for row in kit.rows(f"EXPLAIN QUERY PLAN {names.load()['attempts_in_turn']}", "", 0, 1)]
    assert len(plan) == 1
    assert "attempt_turns (run>?)" in plan[0]
