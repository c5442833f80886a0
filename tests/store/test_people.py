"""People who cancel runs: in one transaction, with the record of who asked, and nothing that goes on after it."""

from __future__ import annotations

from typing import Any

import pytest

from healer import errors, model, policy
from healer.store import finishing, people

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)
TWICE = {"retries": {"times": 2, "delay_ms": 5000}}
PAUSED = {"scope": "--all", "who": "a", "since": "n", "reason": "x"}


def run_id(key: str = "k") -> str:
    return model.run_id("a", "b", "c", key, 0, 0)


def cancel(kit: Any, run: str, reason: str = "the wrong host", **more: Any) -> people.Asked:
    asked: people.Asked = kit.do(people.Cancel(run, actor="key:ana", reason=reason, **more))
    return asked


def output(kit: Any, text: bytes = b"late") -> finishing.Kept:
    return finishing.Kept(kit.store.blobs.keep(text), kit.store.blobs.keep(b""))


def test_what_is_queued_is_cancelled_with_its_attempt(kit: Any) -> None:
    run = kit.queue()
    assert cancel(kit, run) == people.Asked("cancelled")
    assert kit.states(run) == ("cancelled", ["cancelled"])
    assert kit.claim().claimed == []
    assert kit.summary(run) == "cancelled by key:ana: the wrong host"
    kept = kit.record("cancel")
    assert (kept["actor"], kept["run"], kept["old"], kept["state"], kept["detail"]) == (
        "key:ana", run, "queued", "cancelled", "the wrong host",
    )  # fmt: skip
    assert kit.rows("SELECT state, ended_us FROM run_target") == [("cancelled", None)]
    assert kit.rows("SELECT ended_us FROM run") == [(kit.now_us,)]
    assert kit.verify().ok


def test_without_a_reason_none_is_made_up(kit: Any) -> None:
    run = kit.queue()
    cancel(kit, run, "")
    assert kit.summary(run) == "cancelled by key:ana"
    assert "detail" not in kit.record("cancel")


def test_what_waits_for_a_gate_is_cancelled_and_not_looked_at_again(kit: Any) -> None:
    kit.standing = policy.Standing(enabled=True, mode="active", paused=PAUSED)
    run = kit.queue()
    assert cancel(kit, run).state == "cancelled"
    kit.standing = policy.Standing(enabled=True, mode="active")
    kit.decide(look=True)
    assert kit.states(run) == ("cancelled", [])


@pytest.mark.parametrize("state", ["awaiting_approval", "verifying"])
def test_what_waits_for_people_or_a_proof_is_cancelled_at_once(kit: Any, state: str) -> None:
    run = kit.queue()
    kit.connection.execute("DROP TRIGGER run_legal")
    kit.connection.execute("UPDATE run SET state = ?", (state,))
    kit.connection.execute("UPDATE attempt SET state = 'withdrawn'")
    assert cancel(kit, run).state == "cancelled"
    assert kit.states(run) == ("cancelled", ["withdrawn"])


def test_what_only_looks_whether_it_helped_is_ended_and_says_nothing_of_its_run(kit: Any) -> None:
    run = kit.queue()
    claimed = kit.only()
    kit.connection.execute("UPDATE run SET state = 'verifying'")
    kit.connection.execute("UPDATE attempt SET purpose = 'verify'")
    assert cancel(kit, run) == people.Asked("cancelled", (claimed.token,))
    kit.finish(claimed, "succeeded")
    assert kit.states(run) == ("cancelled", ["succeeded"])
    assert kit.record("outcome")["cancelled_by"] == "key:ana"


def test_a_repeat_of_the_alert_does_not_try_again_what_a_person_cancelled(kit: Any) -> None:
    run = kit.queue()
    cancel(kit, run)
    kit.decide(kit.asked("k"))
    assert kit.states(run) == ("cancelled", ["cancelled"])
    assert kit.rows("SELECT outcome, reason FROM decision ORDER BY seq DESC LIMIT 1") == [("suppressed", "duplicate")]


def test_the_wish_that_an_attempt_ends_is_on_disk_first(kit: Any) -> None:
    run = kit.queue()
    token = kit.only().token
    assert cancel(kit, run) == people.Asked("running", (token,))
    assert kit.states(run) == ("running", ["running"])
    assert kit.rows("SELECT cancel_by, cancel_us, cancel_reason FROM attempt") == [
        ("key:ana", kit.now_us, "the wrong host")
    ]
    assert (kit.record("cancel")["old"], kit.record("cancel")["state"]) == ("running", "running")
    assert kit.locks() == ["host:web1"]


def test_a_second_wish_changes_nothing_and_says_who_was_first(kit: Any) -> None:
    run = kit.queue()
    token = kit.only().token
    cancel(kit, run)
    before = len(kit.audit())
    again = kit.do(people.Cancel(run, actor="key:bob", reason="me too"))
    assert again == people.Asked("running", (token,), "key:ana")
    assert len(kit.audit()) == before
    assert kit.rows("SELECT cancel_by FROM attempt") == [("key:ana",)]


@pytest.mark.parametrize(("end", "state"), [
    ("cancelled", "cancelled"), ("failed", "cancelled"), ("timed_out", "cancelled"), ("succeeded", "succeeded"), ("unknown", "unknown"),
])  # fmt: skip
def test_what_becomes_of_a_run_whose_end_was_asked_for(kit: Any, end: Any, state: str) -> None:
    run = kit.queue(extra=TWICE)
    claimed = kit.only()
    cancel(kit, run)
    kit.finish(claimed, end)
    assert kit.states(run) == (state, [end])
    assert kit.locks() == (["host:web1"] if end == "unknown" else [])
    if state == "cancelled":
        assert kit.summary(run) == f"cancelled by key:ana: the wrong host ({end})"
    assert kit.record("outcome")["cancelled_by"] == "key:ana"
    kit.now_us += 60 * S
    assert kit.claim().claimed == []
    assert kit.verify().ok


def test_what_the_daemons_stop_ended_has_failed_as_before(kit: Any) -> None:
    run = kit.queue()
    kit.finish(kit.only(), "cancelled")
    assert kit.states(run) == ("failed", ["cancelled"])
    assert "cancelled_by" not in kit.record("outcome")


def test_a_retry_that_waits_is_cancelled_too(kit: Any) -> None:
    run = kit.queue(extra=TWICE)
    kit.finish(kit.only(), "failed")
    ended = kit.rows("SELECT ended_us FROM run_target")
    assert cancel(kit, run).state == "cancelled"
    assert kit.states(run) == ("cancelled", ["failed", "cancelled"])
    assert kit.rows("SELECT ended_us FROM run_target") == ended  # the cooldown of the one that acted goes on
    kit.now_us += 60 * S
    assert kit.claim().claimed == []


def test_one_that_never_began_is_not_begun_anew(kit: Any) -> None:
    run = kit.queue()
    claimed = kit.only()
    cancel(kit, run)
    assert kit.do(finishing.TakeBack(claimed.token, run, 1, "it was never started")) == ""
    assert kit.states(run) == ("cancelled", ["cancelled"])
    assert (kit.locks(), kit.rows("SELECT ended_us FROM run_target")) == ([], [(None,)])
    kept = kit.record("transition")
    assert (kept["actor"], kept["old"], kept["state"], kept["detail"]) == (
        "key:ana",
        "running",
        "cancelled",
        "it was never started",
    )


def test_the_next_owner_learns_that_an_end_was_asked_for(kit: Any) -> None:
    run = kit.queue()
    claimed = kit.only()
    assert kit.do(finishing.TakeUp(claimed.token, run, 1)) is False
    cancel(kit, run)
    assert kit.do(finishing.TakeUp(claimed.token, run, 1)) is True


@pytest.mark.parametrize("end", ["succeeded", "failed", "timed_out"])
def test_what_has_ended_cannot_be_cancelled(kit: Any, end: Any) -> None:
    run = kit.queue()
    kit.finish(kit.only(), end)
    with pytest.raises(people.RunEnded) as caught:
        cancel(kit, run)
    assert (caught.value.status, caught.value.fields["state"]) == (409, end)
    assert caught.value.try_ == f"healer runs show {run[:8]}"
    assert kit.states(run) == (end, [end])


def test_one_of_which_nobody_knows_is_for_resolve(kit: Any) -> None:
    run = kit.unknown().run["id"]
    with pytest.raises(people.RunUnknown) as caught:
        cancel(kit, run)
    assert caught.value.try_ == f"healer runs resolve {run[:8]} --as failed --reason TEXT"
    assert kit.record("outcome") == kit.audit()[-1]


def test_one_that_was_called_unknown_and_runs_on_can_be_ended(kit: Any) -> None:
    claimed = kit.unknown()
    run = claimed.run["id"]
    assert cancel(kit, run, runs_on=True) == people.Asked("unknown", (claimed.token,))
    assert cancel(kit, run, runs_on=True) == people.Asked("unknown", (claimed.token,))
    assert kit.states(run) == ("unknown", ["unknown"])
    settled = kit.do(people.Settle(claimed.token, run, 1, model.Outcome("cancelled", "ended by TERM"), output(kit)))
    assert settled == people.Asked("cancelled")
    assert (kit.states(run), kit.locks()) == (("cancelled", ["cancelled"]), [])
    assert (kit.record("resolved")["actor"], kit.record("resolved")["state"]) == ("key:ana", "cancelled")


@pytest.mark.parametrize("unit", [
    lambda: people.Cancel("r-0", actor="a", reason=""), lambda: people.Resolve("r-0", "failed", actor="a", reason="x"),
])  # fmt: skip
def test_a_run_that_was_trimmed_is_not_found(kit: Any, unit: Any) -> None:
    with pytest.raises(errors.NotFound):
        kit.do(unit())


def test_the_next_of_a_list_hears_of_a_step_that_was_cancelled(kit: Any) -> None:
    run = kit.queue()
    kit.decide(kit.asked("next", "host:db1", limits=WIDE, after=run))
    kit.now_us += S
    cancel(kit, run)
    assert kit.rows("SELECT look_at_us FROM run WHERE id = ?", run_id("next")) == [(kit.now_us,)]
    kit.decide(look=True)
    assert kit.states(run_id("next")) == ("suppressed", [])


def test_the_next_of_a_lane_goes_when_the_first_is_cancelled(kit: Any) -> None:
    kit.decide(*[kit.asked(key, f"host:{key}", limits=WIDE, lane="sequence:a/b") for key in ("first", "second")])
    cancel(kit, run_id("first"))
    assert [one.run["id"] for one in kit.claim().claimed] == [run_id("second")]
