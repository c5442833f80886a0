"""A change of the files ends the requests that mean something else by them, and no others."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import access, policy
from healer.policy import limits
from healer.store import reviewing, voiding

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


def test_what_has_acted_and_failed_is_not_void_but_asks_anew(kit: Any) -> None:
    """Its failure stands: only its retry is something else now."""
    run = kit.queue("a", limits=ASKING, extra={"retries": {"times": 2, "delay_ms": 0}})
    ((approval,),) = kit.rows("SELECT id FROM approval")
    who = access.Principal("key:ana")
    kit.do(
        reviewing.Review(
            approval, "approve", who=who, roles=["approver"], reason="", standing_of=lambda _: kit.standing
        )
    )
    kit.finish(kit.only(), "failed")
    kit.standing = dataclasses.replace(kit.standing, bound="other")
    unit = voiding.Void(lambda _: kit.standing, "", write=True, given=True)
    assert kit.do(unit).items == []
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ("awaiting_approval", "needs_approval")
    assert kit.rows("SELECT count(*) FROM approval WHERE state = 'open'") == [(1,)]
