"""Runs that wait for a person, no more at once than may: who is beyond waits for a place, and gets the first that is free."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import limits
from healer.store import people

S = 1_000_000
PERSON = policy.Limits(
    attempts=3, timeout_s=10, defer_for_s=7200, approval_expires_s=1800,
    approvals=(limits.Approval((limits.Threshold("on call", ("admin",), 1, 1),)),),
)  # fmt: skip


@pytest.fixture
def asking(kit: Any) -> Any:
    """Two may wait for a person."""
    kit.standing = dataclasses.replace(kit.standing, approvals_max=2)
    return kit


def states(kit: Any) -> list[tuple[str, str]]:
    return [tuple(row) for row in kit.rows("SELECT state, reason FROM run ORDER BY seq, id")]


def ask(kit: Any, *keys: str) -> list[str]:
    """Each key is a run of a row of its own, a second after the one before."""
    made: list[str] = []
    for key in keys:
        kit.now_us += S
        made += kit.decide(kit.asked(key, f"host:{key}", limits=PERSON)).runs
    return made


WAITS, HELD = ("awaiting_approval", "needs_approval"), ("deferred", "approvals_full")


def test_who_is_beyond_waits_and_the_first_gets_the_place(asking: Any) -> None:
    first, *_ = ask(asking, "a", "b", "c", "d")
    assert states(asking) == [WAITS, WAITS, HELD, HELD]
    asking.decide(look=True)  # nothing is free: nobody is looked at
    assert states(asking) == [WAITS, WAITS, HELD, HELD]
    asking.now_us += S
    asking.do(people.Cancel(first, actor="key:ana", reason="no"))
    decided = asking.decide(look=True)
    assert states(asking) == [("cancelled", ""), WAITS, WAITS, HELD]
    assert len(decided.runs) == 1  # the others are not looked at
    asking.verify()


def test_each_place_that_is_free_is_taken(asking: Any) -> None:
    first, second, *_ = ask(asking, "a", "b", "c", "d", "e")
    for run in (first, second):
        asking.now_us += S
        asking.do(people.Cancel(run, actor="key:ana", reason="no"))
        asking.decide(look=True)
    assert states(asking)[2:] == [WAITS, WAITS, HELD]


def test_who_does_not_take_the_place_lets_the_next_have_it(asking: Any) -> None:
    first, *_ = ask(asking, "a", "b", "c", "d")
    connection = asking.connection
    asking.now_us += S
    connection.execute(
        "UPDATE run SET deferred_us = deferred_us - 9000 * 1000000, event_us = event_us - 9000 * 1000000"
        " WHERE state = 'deferred' AND seq = (SELECT min(seq) FROM run WHERE state = 'deferred')"
    )
    asking.do(people.Cancel(first, actor="key:ana", reason="no"))
    asking.decide(look=True)  # the one that waited longest has waited too long
    assert states(asking)[2:] == [("suppressed", "stale"), HELD]
    asking.decide(look=True)
    assert states(asking)[2:] == [("suppressed", "stale"), WAITS]


def test_an_expiry_frees_a_place(asking: Any) -> None:
    ask(asking, "a", "b", "c")
    asking.now_us += 1801 * S
    asking.decide(look=True)
    asking.decide(look=True)
    assert states(asking) == [("expired", "needs_approval")] * 2 + [WAITS]


def test_the_first_that_waits_is_found_by_an_index(kit: Any) -> None:
    sql = "SELECT id FROM run WHERE state = 'deferred' AND reason = 'approvals_full' ORDER BY deferred_us, id LIMIT 1"
    plan = " ".join(row[3] for row in kit.rows(f"EXPLAIN QUERY PLAN {sql}"))
    assert "run_place_for_person" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("limit", [None, 9])
def test_without_a_cap_or_below_it_all_wait_for_people(kit: Any, limit: int | None) -> None:
    kit.standing = dataclasses.replace(kit.standing, approvals_max=limit)
    ask(kit, "a", "b", "c")
    assert states(kit) == [WAITS] * 3
