"""What follows on an effect: waves of targets, verification, rungs of an escalation; each with its rows and records."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from healer import model, policy
from healer.store import deciding, finishing, following, notes, people

S = 1_000_000
FREE = policy.Limits(timeout_s=10, attempts=3, cooldown_s=0)
HOSTS = tuple(f"host:web{n}" for n in range(1, 9))
ALERT = [("am", "k", 1, True)]
RESOLVED = {"verify": {"within_ms": 60_000}}
CHECK = {
    "verify": {
        "within_ms": 60_000,
        "action": {
            "name": "look", "kind": "script", "subject": "scripts/look.sh", "controller": "there", "parameters": {"service": "nginx"},
            "idempotent": True, "timeout_ms": 5_000,
        },
    }
}  # fmt: skip


def rung(name: str, after_ms: int, **extra: Any) -> dict[str, Any]:
    return {
        "name": name, "kind": "script", "subject": f"scripts/{name}.sh", "controller": "here", "parameters": {}, "idempotent": False,
        "timeout_ms": 10_000, "after_ms": after_ms, "extra": extra,
    }  # fmt: skip


def ramp(first: int = 1, limit: int = 10, max_errors: int = 0) -> dict[str, Any]:
    return {"ramp": {"first": first, "limit": limit, "max_errors": max_errors}}


def word(firing: bool, opens: bool = False) -> deciding.AlertWord:
    return deciding.AlertWord("am", "k", 1, firing, opens, 10**12, "Disk", "web1", "critical", "full")


def fires(kit: Any, extra: dict[str, Any], *targets: str, **more: Any) -> str:
    """A run of an alert that fires; its id."""
    asked = kit.asked("k", *targets, limits=FREE, alerts=ALERT, lifecycle=True, extra=extra, **more)
    kit.decide(asked, alerts=[word(True, opens=True)])
    return str(asked.candidate.run)


def only(kit: Any) -> Any:
    (claimed,) = kit.claim().claimed
    return claimed


def state(kit: Any, run: str) -> tuple[str, str, Any]:
    ((found, reason, detail),) = kit.rows("SELECT state, reason, detail FROM run WHERE id = ?", run)
    return found, reason, orjson.loads(detail)


def targets(kit: Any) -> dict[str, str]:
    return dict(kit.rows("SELECT target, state FROM run_target"))


# --- waves ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "limit", "sizes"), [(1, 10, [1, 2, 4, 1]), (1, 2, [1, 2, 2, 2, 1]), (3, 10, [3, 5]), (8, 8, [8]), (20, 2, [2, 2, 2, 2])]
)  # fmt: skip
def test_targets_come_in_waves_that_double(kit: Any, first: int, limit: int, sizes: list[int]) -> None:
    kit.decide(kit.asked("k", *HOSTS, limits=FREE, extra=ramp(first, limit)))
    seen: list[str] = []
    for size in sizes:
        wave = only(kit)
        assert len(wave.targets) == size
        assert kit.rows("SELECT target FROM lock ORDER BY target") == [(one,) for one in sorted(wave.targets)]
        seen += wave.targets
        kit.finish(wave)
    assert seen == list(HOSTS)
    assert kit.rows("SELECT state, reason FROM run") == [("succeeded", "unverified")]
    said = orjson.loads(kit.rows("SELECT detail FROM run")[0][0])["summary"]
    last = f"the last {size}" if size > 1 else "the last"
    assert said == ("succeeded" if size == 8 else f"8 targets succeeded; {last}: succeeded")
    assert kit.claim().claimed == []
    assert kit.verify().ok


def test_more_errors_than_allowed_stop_it_and_leave_the_rest_untouched(kit: Any) -> None:
    run = kit.asked("k", *HOSTS, limits=FREE, extra=ramp(max_errors=1))
    kit.decide(run)
    kit.finish(only(kit), "failed")
    kit.finish(only(kit), "succeeded")
    third = only(kit)
    kit.finish(third, "failed")
    assert kit.claim().claimed == []
    found, _, detail = state(kit, run.candidate.run)
    assert (found, detail["summary"]) == ("failed", "5 of 7 targets failed, 1 not touched; the last: failed")
    assert [targets(kit)[one] for one in HOSTS] == ["failed", "succeeded", "succeeded", *["failed"] * 4, "left_out"]
    assert kit.rows("SELECT reason FROM run_target WHERE state = 'left_out'") == [("max_errors",)]


def test_an_error_that_is_allowed_makes_the_run_a_failure_in_the_end(kit: Any) -> None:
    run = kit.asked("k", *HOSTS[:3], limits=FREE, extra=ramp(max_errors=1))
    kit.decide(run)
    kit.finish(only(kit), "failed")
    kit.finish(only(kit))
    assert state(kit, run.candidate.run)[0] == "failed"
    assert "1 of 3 targets failed" in state(kit, run.candidate.run)[2]["summary"]


def test_nobody_goes_on_after_an_end_that_nobody_knows(kit: Any) -> None:
    run = kit.asked("k", *HOSTS, limits=FREE, extra=ramp(max_errors=100))
    kit.decide(run)
    kit.finish(only(kit), "unknown")
    assert kit.claim().claimed == []
    assert state(kit, run.candidate.run)[0] == "unknown"


def test_waves_and_retries_of_one_decision_are_one_of_its_attempts(kit: Any) -> None:
    extra = ramp() | {"retries": {"times": 1, "delay_ms": 0, "backoff": 2}}
    run = fires(kit, extra, *HOSTS[:3])
    kit.finish(only(kit), "failed")
    again = only(kit)
    assert again.targets == ["host:web1"]
    kit.finish(again, "failed")
    assert state(kit, run)[0] == "failed"
    assert kit.store.writer.tx.one("attempts_made", run) == (1,)
    fires_again = kit.asked("k", *HOSTS[:3], limits=FREE, alerts=ALERT, lifecycle=True, extra=extra)
    kit.decide(fires_again, alerts=[word(True)])
    assert only(kit).targets == ["host:web1"]
    assert kit.store.writer.tx.one("attempts_made", run) == (2,)


def test_the_delay_of_retries_grows(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra={"retries": {"times": 3, "delay_ms": 1000, "backoff": 3}}))
    waits = []
    for _ in range(3):
        kit.finish(only(kit), "failed")
        waits.append(kit.claim().next_us - kit.now_us)
        kit.now_us += waits[-1]
    assert waits == [1 * S, 3 * S, 9 * S]


# --- verification -------------------------------------------------------------------------------------------------------------


def test_it_has_succeeded_once_the_alert_is_resolved(kit: Any) -> None:
    run = fires(kit, RESOLVED)
    kit.finish(only(kit))
    assert state(kit, run)[0] == "verifying"
    assert kit.rows("SELECT count(*) FROM lock") == [(0,)]
    kit.decide(alerts=[word(False)])
    assert state(kit, run) == ("succeeded", "verified", {"summary": "the alert is resolved"})
    assert [one["state"] for one in kit.audit() if one["kind"] == "transition"] == ["verifying", "succeeded"]
    assert kit.verify().ok


def test_an_alert_that_was_resolved_while_it_ran_needs_no_wait(kit: Any) -> None:
    run = fires(kit, RESOLVED)
    claimed = only(kit)
    kit.decide(alerts=[word(False)])
    kit.finish(claimed)
    assert state(kit, run)[:2] == ("succeeded", "verified")


def test_one_whose_alert_goes_on_has_failed_and_a_repeat_tries_again(kit: Any) -> None:
    run = fires(kit, RESOLVED)
    kit.finish(only(kit))
    kit.now_us += 60 * S - 1
    assert kit.decide(look=True).next_look_us == kit.now_us + 1
    assert state(kit, run)[0] == "verifying"
    kit.now_us += 1
    kit.decide(look=True)
    assert state(kit, run) == ("failed", "not_verified", {"summary": "the alert still fires"})
    kit.decide(kit.asked("k", limits=FREE, alerts=ALERT, lifecycle=True, extra=RESOLVED), alerts=[word(True)])
    assert only(kit).number == 2


def test_a_check_is_made_until_it_succeeds(kit: Any) -> None:
    run = fires(kit, CHECK)
    kit.finish(only(kit))
    check = only(kit)
    assert (check.run["action"], check.run["controller"], orjson.loads(check.run["parameters"])) == (
        "look",
        "there",
        {"service": "nginx"},
    )
    assert (check.targets, check.deadline_s, check.number) == (["host:web1"], 5.0, 2)
    assert kit.rows("SELECT count(*) FROM lock") == [(0,)]
    kit.finish(check, "failed")
    assert kit.claim().claimed == []
    kit.now_us += 6 * S
    kit.finish(only(kit))
    assert state(kit, run) == ("succeeded", "verified", {"summary": "succeeded"})
    assert [one.get("purpose") for one in kit.audit() if one["kind"] == "intent"] == [None, "verify", "verify"]
    assert kit.store.writer.tx.one("attempts_made", run) == (1,)
    assert kit.verify().ok


def test_checks_end_with_the_time_that_they_have(kit: Any) -> None:
    run = fires(kit, CHECK)
    kit.finish(only(kit))
    for _ in range(20):
        for check in kit.claim().claimed:
            kit.finish(check, "failed")
        kit.now_us += 6 * S
        kit.decide(look=True)
    assert state(kit, run) == ("failed", "not_verified", {"summary": "not verified: failed"})
    assert kit.claim().claimed == []


def test_a_check_that_is_under_way_at_the_end_is_waited_for(kit: Any) -> None:
    run = fires(kit, CHECK)
    kit.finish(only(kit))
    check = only(kit)
    kit.now_us += 61 * S
    kit.decide(look=True)
    assert state(kit, run)[0] == "verifying"
    kit.finish(check)
    assert state(kit, run)[0] == "succeeded"


def test_a_check_waits_for_the_kill_switch(kit: Any) -> None:
    fires(kit, CHECK)
    kit.finish(only(kit))
    kit.standing = policy.Standing(enabled=True, mode="active", paused={"who": "ana", "since": "now", "reason": "look"})
    assert kit.claim().claimed == []
    assert kit.rows("SELECT held FROM attempt WHERE purpose = 'verify'") == [("paused",)]
    kit.standing = policy.Standing(enabled=True, mode="active")
    assert only(kit).run["action"] == "look"


def test_a_check_that_a_crash_kept_from_beginning_is_made_again(kit: Any) -> None:
    run = fires(kit, CHECK)
    kit.finish(only(kit))
    check = only(kit)
    assert kit.do(finishing.TakeBack(check.token, run, check.number, "nothing was begun")) == f"{run}-3"
    assert only(kit).token == f"{run}-3"
    assert state(kit, run)[0] == "verifying"


def test_what_only_looks_is_not_verified(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra=RESOLVED, dry_run=True))
    assert kit.rows("SELECT state FROM run") == [("simulated",)]


# --- escalation -------------------------------------------------------------------------------------------------------------


def run_of(kit: Any, action: str) -> str:
    return str(kit.rows("SELECT id FROM run WHERE action = ?", action)[0][0])


def test_the_next_rung_comes_after_its_time_while_the_alert_fires(kit: Any) -> None:
    run = fires(kit, {"escalate": [rung("reboot", 30_000), rung("page", 0)]})
    kit.finish(only(kit), "failed")
    reboot = run_of(kit, "reboot")
    assert state(kit, reboot)[:2] == ("deferred", "escalation")
    kit.decide(look=True)
    assert state(kit, reboot)[0] == "deferred"
    kit.now_us += 30 * S
    kit.decide(look=True)
    claimed = only(kit)
    assert (claimed.run["action"], claimed.targets, claimed.run["after"]) == ("reboot", ["host:web1"], run)
    kit.finish(claimed, "failed")
    kit.decide(look=True)
    assert only(kit).run["action"] == "page"
    assert kit.rows("SELECT rung, action FROM run ORDER BY rung") == [(0, "clean"), (1, "reboot"), (2, "page")]
    assert kit.verify().ok


def test_a_rung_is_not_needed_once_the_run_before_it_helps(kit: Any) -> None:
    fires(kit, {"escalate": [rung("reboot", 30_000)]})
    kit.finish(only(kit), "failed")
    kit.decide(kit.asked("k", limits=FREE, alerts=ALERT, lifecycle=True, extra={}), alerts=[word(True)])
    again = only(kit)
    kit.now_us += 40 * S
    kit.decide(look=True)
    assert state(kit, run_of(kit, "reboot"))[:2] == ("deferred", "chain")
    kit.finish(again)
    kit.decide(look=True)
    assert state(kit, run_of(kit, "reboot"))[:2] == ("withdrawn", "not_needed")


def test_a_rung_is_withdrawn_with_the_alert(kit: Any) -> None:
    fires(kit, {"escalate": [rung("reboot", 30_000)]})
    kit.finish(only(kit), "failed")
    kit.decide(alerts=[word(False)])
    assert state(kit, run_of(kit, "reboot"))[:2] == ("withdrawn", "resolved")


def test_a_second_failure_makes_no_second_rung(kit: Any) -> None:
    fires(kit, {"escalate": [rung("reboot", 30_000)]})
    kit.finish(only(kit), "failed")
    kit.decide(
        kit.asked("k", limits=FREE, alerts=ALERT, lifecycle=True, extra={"escalate": [rung("reboot", 30_000)]}),
        alerts=[word(True)],
    )
    kit.finish(only(kit), "timed_out")
    assert kit.rows("SELECT count(*) FROM run") == [(2,)]


def test_what_the_daemons_own_stop_ended_does_not_escalate(kit: Any) -> None:
    """It has failed, so that a repeat of the alert tries it again; the next rung follows once that fails by itself."""
    extra = {"escalate": [rung("reboot", 0)]}
    run = fires(kit, extra)
    kit.finish(only(kit), "cancelled")
    assert state(kit, run)[0] == "failed"
    assert kit.rows("SELECT count(*) FROM run") == [(1,)]
    kit.decide(kit.asked("k", limits=FREE, alerts=ALERT, lifecycle=True, extra=extra), alerts=[word(True)])
    kit.finish(only(kit), "failed")
    assert state(kit, run_of(kit, "reboot"))[:2] == ("deferred", "escalation")
    assert kit.verify().ok


def test_what_is_not_verified_escalates_too(kit: Any) -> None:
    fires(kit, RESOLVED | {"escalate": [rung("reboot", 0, **RESOLVED)]})
    kit.finish(only(kit))
    kit.now_us += 60 * S
    kit.decide(look=True)
    kit.decide(look=True)
    claimed = only(kit)
    assert claimed.run["action"] == "reboot"
    kit.finish(claimed)
    assert state(kit, claimed.run["id"])[0] == "verifying"


def test_a_check_takes_no_place_of_the_lock_of_its_target(kit: Any) -> None:
    fires(kit, CHECK)
    kit.finish(only(kit))
    other = kit.asked("other", limits=FREE)
    kit.decide(other)
    assert {one.run["action"] for one in kit.claim().claimed} == {"look", "clean"}


def test_its_row_says_what_a_check_is_made_of(kit: Any) -> None:
    run = fires(
        kit,
        CHECK
        | {"inventory": "inventory/eu", "secrets": [[["extra", "verify", "action", "parameters", "key"], "env:K"]]},
    )
    kit.finish(only(kit))
    ((extra,),) = kit.rows("SELECT extra FROM run WHERE id = ?", run)
    row = following.as_check({"extra": extra, "id": run})
    assert orjson.loads(row["extra"]) == {"inventory": "inventory/eu", "secrets": [[["parameters", "key"], "env:K"]]}


# --- found by simulation ----------------------------------------------------------------------------------------------------


def test_between_two_waves_nothing_is_done_again_and_no_error_is_forgotten(kit: Any) -> None:
    run = kit.asked("k", *HOSTS[:4], limits=FREE, extra=ramp(first=2, max_errors=1))
    kit.decide(run)
    first = only(kit)
    kept = finishing.Kept(kit.store.blobs.keep(b""), kit.store.blobs.keep(b""))
    each = {"host:web1": "succeeded", "host:web2": "failed"}
    outcome = model.Outcome("failed", "one", 1, per_target=each)
    kit.do(finishing.Finish(first.token, first.run["id"], first.number, outcome, kept))
    kit.standing = dataclasses.replace(kit.standing, paused={"scope": "all", "who": "a", "since": "n", "reason": "r"})
    assert kit.claim().claimed == []
    assert state(kit, run.candidate.run)[:2] == ("deferred", "paused")
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)
    second = only(kit)
    assert second.targets == ["host:web3", "host:web4"]
    assert [targets(kit)[one] for one in HOSTS[:2]] == ["succeeded", "failed"]


def test_a_person_who_cancels_between_waves_has_cancelled_it(kit: Any) -> None:
    """What ran has succeeded, but not all that was asked for: it is not verified, nor is a next rung tried."""
    run = fires(kit, ramp() | CHECK | {"escalate": [rung("reboot", 0)]}, *HOSTS[:3])
    wave = only(kit)
    kit.do(people.Cancel(run, actor="ana", reason="r"))
    kit.finish(wave)
    assert state(kit, run)[0] == "cancelled"
    assert targets(kit) == {"host:web1": "succeeded", "host:web2": "cancelled", "host:web3": "cancelled"}
    assert kit.claim().claimed == []
    assert kit.rows("SELECT count(*) FROM run") == [(1,)]


def test_so_has_one_whose_last_wave_succeeded_where_another_had_not(kit: Any) -> None:
    """It has not succeeded as a whole: a repeat of its alert would try again what they wanted to end."""
    run = fires(kit, ramp(max_errors=1), *HOSTS[:2])
    kit.finish(only(kit), "failed")
    last = only(kit)
    kit.do(people.Cancel(run, actor="ana", reason="r"))
    kit.finish(last)
    assert state(kit, run)[0] == "cancelled"


def test_what_had_succeeded_when_a_person_cancelled_it_is_not_verified(kit: Any) -> None:
    run = fires(kit, CHECK | {"escalate": [rung("reboot", 0)]})
    effect = only(kit)
    kit.do(people.Cancel(run, actor="ana", reason="r"))
    kit.finish(effect)
    assert state(kit, run)[:2] == ("succeeded", "unverified")
    assert kit.claim().claimed == []
