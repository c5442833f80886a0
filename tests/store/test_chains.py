"""A rule's list of effectful actions: each waits for the one before it, from the start on, and is decided when that one ends."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import model, policy
from healer.store import asking

S = 1_000_000
LIMITS = policy.Limits(attempts=3, timeout_s=10, concurrency_daemon=20, lock_targets=False)


def steps(kit: Any, count: int = 2, **more: Any) -> list[asking.Ask]:
    """The questions of one match, each for the step after the one before."""
    made: list[asking.Ask] = []
    for number in range(count):
        after = made[-1].candidate.run if made else ""
        asked = kit.asked(f"step {number}", "host:web1", limits=LIMITS, after=after, **more)
        made.append(dataclasses.replace(asked, action_index=number))
    return made


def states(kit: Any, asked: list[asking.Ask]) -> list[tuple[str, str]]:
    found = {row[0]: (row[1], row[2]) for row in kit.rows("SELECT id, state, reason FROM run")}
    return [found[one.candidate.run] for one in asked]


def ended(kit: Any, state: model.EndState) -> None:
    """The next attempt runs and ends; then a tick looks again."""
    (claimed,) = kit.claim().claimed
    kit.now_us += S
    kit.finish(claimed, state)
    kit.decide(look=True)


def test_each_step_runs_once_the_one_before_has_succeeded(kit: Any) -> None:
    asked = steps(kit, 3)
    kit.decide(*asked)
    assert states(kit, asked) == [("queued", ""), ("deferred", "chain"), ("deferred", "chain")]
    ended(kit, "succeeded")
    assert [state for state, _ in states(kit, asked)] == ["succeeded", "queued", "deferred"]
    ended(kit, "succeeded")
    ended(kit, "succeeded")
    assert [state for state, _ in states(kit, asked)] == ["succeeded"] * 3
    assert kit.verify().ok


@pytest.mark.parametrize("state", ["failed", "timed_out"])
def test_after_a_failure_no_step_follows(kit: Any, state: model.EndState) -> None:
    asked = steps(kit, 3)
    kit.decide(*asked)
    ended(kit, state)
    kit.decide(look=True)
    assert states(kit, asked)[1:] == [("suppressed", "chain")] * 2
    assert kit.claim().claimed == []


def test_actions_of_ansible_rulebook_follow_a_failure_too(kit: Any) -> None:
    asked = steps(kit, 2, upstream=True)
    kit.decide(*asked)
    ended(kit, "failed")
    assert [state for state, _ in states(kit, asked)] == ["failed", "queued"]


def test_a_no_of_a_gate_ends_the_chain_at_once(kit: Any) -> None:
    problem = policy.Problem("invalid_parameters", {"action": "clean", "detail": "x"})
    first, second = steps(kit, 2)
    first = dataclasses.replace(first, candidate=dataclasses.replace(first.candidate, problems=(problem,)))
    kit.decide(first, second)
    assert [state for state, _ in states(kit, [first, second])] == ["refused", "suppressed"]


def test_unknown_is_no_end(kit: Any) -> None:
    asked = steps(kit)
    kit.decide(*asked)
    ended(kit, "unknown")
    assert states(kit, asked)[1] == ("deferred", "chain")


def test_a_repeat_that_tries_again_lets_the_next_step_wait_again(kit: Any) -> None:
    asked = steps(kit)
    kit.decide(*asked)
    ended(kit, "failed")
    kit.decide(*asked)
    assert states(kit, asked) == [("queued", ""), ("deferred", "chain")]
    ended(kit, "succeeded")
    assert [state for state, _ in states(kit, asked)] == ["succeeded", "queued"]


def test_a_step_that_waits_is_looked_at_only_when_the_one_before_ends(kit: Any) -> None:
    asked = steps(kit)
    decided = kit.decide(*asked)
    assert decided.next_look_us is None
    kit.claim()
    kit.now_us += 1000 * S
    assert kit.decide(look=True).next_look_us is None
    assert states(kit, asked)[1] == ("deferred", "chain")


def test_the_first_step_withdrawn_before_its_effect_takes_the_second_with_it(kit: Any) -> None:
    asked = steps(kit)
    kit.decide(*asked)
    kit.standing = policy.Standing(enabled=False, mode="active")
    assert kit.claim().claimed == []
    kit.standing = policy.Standing(enabled=True, mode="active")
    kit.decide(look=True)
    assert states(kit, asked) == [("suppressed", "disabled"), ("suppressed", "chain")]
