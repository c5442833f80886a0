"""Which plans are wanted, in which order they are made, and what becomes of those that are too many."""

from __future__ import annotations

import dataclasses
from typing import Any

from healer import policy
from healer.policy import limits
from healer.store import planning, trimming

S = 1_000_000
ASKS = policy.Limits(timeout_s=10, approvals=(limits.Approval((limits.Threshold("one", ("approver",), 1, 1),), ()),))
PLAIN = policy.Limits(timeout_s=10)


def observed(kit: Any, key: str, **more: Any) -> str:
    """A run that is only simulated."""
    kit.now_us += S
    return str(kit.run_of(key, limits=PLAIN, **({"mode": "observe"} | more)))


def plans(kit: Any) -> dict[str, str]:
    return dict(kit.rows("SELECT run, state FROM plan"))


def take(kit: Any, count: int, keep: int, *under_way: str) -> list[planning.Wanted]:
    taken: list[planning.Wanted] = kit.do(planning.Take(count, keep, under_way, "too many"))
    return taken


def test_what_would_run_wants_a_plan_and_what_a_gate_would_hold_does_not(kit: Any) -> None:
    kit.queue("before", "host:k2")
    kit.finish(kit.only())
    would = observed(kit, "k1")
    held = kit.run_of("k2", "host:k2", limits=policy.Limits(timeout_s=10, cooldown_s=600), mode="observe")
    dry = kit.run_of("k3", limits=PLAIN, dry_run=True)
    asking = kit.run_of("k4", limits=ASKS)
    goes = kit.run_of("k5", limits=PLAIN)
    assert plans(kit) == dict.fromkeys((would, dry, asking), "wanted")
    assert {held, goes}.isdisjoint(plans(kit))


def test_those_that_a_person_waits_for_come_first_and_no_more_than_may_wait_stay_wanted(kit: Any) -> None:
    runs = [observed(kit, f"k{number}") for number in range(4)]
    asking = kit.run_of("ask", limits=ASKS)
    (first,) = take(kit, 1, 3)
    assert first.run["id"] == asking
    assert [one["target"] for one in first.targets] == ["host:ask"]
    states = plans(kit)
    assert states == {asking: "wanted", runs[0]: "wanted", runs[1]: "wanted", runs[2]: "skipped", runs[3]: "skipped"}
    assert [one.run["id"] for one in take(kit, 2, 2, asking)] == runs[:2]
    assert {row[0] for row in kit.rows("SELECT detail FROM plan WHERE state = 'skipped'")} == {"too many"}


def test_what_became_of_one_is_written_once_with_its_record(kit: Any) -> None:
    run = observed(kit, "k1")
    (wanted,) = take(kit, 1, 9)
    blob = kit.store.blobs.keep(b"{}")
    assert kit.do(planning.End(wanted, "made", "", 1.5, blob))
    assert not kit.do(planning.End(wanted, "failed", "late", 1.5, None))
    assert kit.rows("SELECT state, detail, seconds, hash FROM plan") == [("made", "", 1.5, blob.hash)]
    record = kit.record("plan")
    assert (record["run"], record["state"], record["controller"], record["content"]) == (run, "made", "here", blob.hash)
    assert kit.verify().ok


def test_a_run_that_is_decided_anew_meanwhile_wants_another_one(kit: Any) -> None:
    kit.run_of("k1", limits=PLAIN, mode="observe", lifecycle=True)
    (wanted,) = take(kit, 1, 9)
    kit.now_us += S
    kit.decide(kit.asked("k1", "host:k1", limits=ASKS, lifecycle=True))
    assert not kit.do(planning.End(wanted, "made", "", 1.0, kit.store.blobs.keep(b"old")))
    assert kit.rows("SELECT state, hash FROM plan") == [("wanted", None)]


def test_one_whose_run_went_on_is_not_made(kit: Any) -> None:
    run = kit.run_of("k1", limits=ASKS)
    kit.connection.execute("UPDATE run SET state = 'queued' WHERE id = ?", (run,))
    assert take(kit, 1, 9) == []
    assert kit.rows("SELECT state, detail FROM plan") == [("skipped", "the run went on before it was made")]


def test_what_it_says_is_kept_as_long_as_outputs_and_it_goes_with_its_run(kit: Any) -> None:
    run = observed(kit, "k1")
    (wanted,) = take(kit, 1, 9)
    kit.do(planning.End(wanted, "made", "", 1.0, kit.store.blobs.keep(b"x")))
    kit.now_us += 7200 * S
    assert kit.do(trimming.TrimBlobs()) == []
    assert kit.do(trimming.TrimPlans(kit.now_us)) == 1
    assert kit.rows("SELECT state, hash FROM plan") == [("made", None)]
    assert kit.do(trimming.TrimBlobs()) != []
    assert kit.do(trimming.TrimRuns(kit.now_us)) == 1
    assert run not in plans(kit)


def test_what_waits_and_is_only_simulated_today_has_no_effect_but_a_plan(kit: Any) -> None:
    run = kit.queue("k1", "host:k1")
    kit.standing = dataclasses.replace(kit.standing, dry_run=True)
    assert kit.claim().claimed == []
    assert kit.state_of(run) == ("simulated", "dry_run")
    assert plans(kit) == {run: "wanted"}
