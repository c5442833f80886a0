"""A change of the files ends the requests that mean something else by them, and no others."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import access, policy
from healer.policy import limits
from healer.store import pausing, reviewing, voiding

ONE = limits.Approval((limits.Threshold("on call", ("approver",), 1, 1),))
ASKING = policy.Limits(timeout_s=10, approvals=(ONE,), approval_expires_s=1800)


def all_of(kit: Any, standing_of: Any, *, write: bool) -> list[str]:
    found, after = [], ""
    while after is not None:
        piece = kit.do(voiding.Void(standing_of, after, write=write, actor="key:ana"))
        found += [one["run"] for one in piece.items]
        after = piece.last
    return sorted(found)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voiding, "AT_ONCE", 2)


@pytest.mark.usefixtures("few")
def test_those_that_mean_something_else_are_void(kit: Any) -> None:
    runs = [kit.queue(key, f"host:{key}", limits=ASKING) for key in ("a", "b", "c", "d", "e")]
    changed = {runs[1], runs[4]}

    def standing_of(row: Any) -> policy.Standing:
        return dataclasses.replace(kit.standing, bound="other") if row["id"] in changed else kit.standing

    before = kit.audit()
    assert all_of(kit, standing_of, write=False) == sorted(changed)
    assert kit.audit() == before
    assert all_of(kit, standing_of, write=True) == sorted(changed)
    assert {kit.state_of(run) for run in changed} == {("void", "approval_void")}
    assert {kit.state_of(run)[0] for run in runs if run not in changed} == {"awaiting_approval"}
    assert kit.rows("SELECT state, count(*) FROM approval GROUP BY state ORDER BY state") == [("open", 3), ("void", 2)]
    ended = [(one["run"], one["actor"]) for one in kit.audit() if one.get("state") == "void"]
    assert sorted(ended) == sorted((run, "key:ana") for run in changed)
    assert all_of(kit, standing_of, write=True) == []


def test_a_repeat_asks_anew(kit: Any) -> None:
    run = kit.queue("a", limits=ASKING)
    all_of(kit, lambda _: dataclasses.replace(kit.standing, bound="other"), write=True)
    kit.standing = dataclasses.replace(kit.standing, bound="other")
    kit.queue("a", limits=ASKING)
    assert kit.state_of(run) == ("awaiting_approval", "needs_approval")
    assert kit.rows("SELECT count(*) FROM approval") == [(2,)]


@pytest.mark.parametrize("how", ["off", "gone"])
def test_a_rule_that_is_off_asks_nobody_any_more(kit: Any, how: str) -> None:
    run = kit.queue("a", limits=ASKING)
    problem = policy.Problem("disabled", {"rule": "a/b/c", "gone": True})
    today = (
        dataclasses.replace(kit.standing, enabled=False)
        if how == "off"
        else dataclasses.replace(kit.standing, problems=(problem,))
    )
    assert all_of(kit, lambda _: today, write=True) == [run]
    assert kit.state_of(run) == ("void", "approval_void")
    assert kit.summary(run) == "its rule is switched off, or in no rulebook any more"


@pytest.mark.parametrize("paused", [False, True])
def test_what_has_acted_and_failed_is_not_void_and_not_tried_again(kit: Any, paused: bool) -> None:
    """Its failure stands, also for its breaker and its escalation: only the retry would be something else."""
    rung = {"name": "page", "kind": "script", "subject": "scripts/page.sh", "controller": "here", "parameters": {}, "idempotent": False,
            "timeout_ms": 10_000, "after_ms": 0, "extra": {}}  # fmt: skip
    held = dataclasses.replace(ASKING, breakers=(limits.Breaker(1, 600, 600),))
    run = kit.queue("a", limits=held, extra={"retries": {"times": 2, "delay_ms": 0}, "escalate": [rung]})
    ((approval,),) = kit.rows("SELECT id FROM approval")
    who = access.Principal("key:ana")
    kit.do(
        reviewing.Review(
            approval, "approve", who=who, roles=["approver"], reason="", standing_of=lambda _: kit.standing
        )
    )
    kit.finish(kit.only(), "failed")
    if paused:
        kit.do(pausing.Pause("all", "os:bo", "a look", None, None))
        assert kit.claim().claimed == []
    kit.standing = dataclasses.replace(kit.standing, bound="other")
    assert kit.do(voiding.Void(lambda _: kit.standing, "", write=True, given=True)).items == []
    if paused:
        kit.do(pausing.Resume("all", "os:bo"))
        kit.decide(look=True)
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ("failed", "not_retried")
    assert kit.rows("SELECT count(*) FROM approval WHERE state = 'open'") == [(0,)]
    assert kit.record("breaker_opened")["run"] == run
    assert kit.rows("SELECT action, state FROM run WHERE after = ?", run) == [("page", "deferred")]
    assert kit.verify().ok
