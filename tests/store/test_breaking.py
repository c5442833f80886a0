"""Breakers in rows: what opens one, whom it holds, the one trial, and what closes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import policy
from healer.policy import limits
from healer.store import breaking

S = 1_000_000
BRAKED = policy.Limits(timeout_s=10, breakers=(limits.Breaker(3, 1800, 600),))
WIDE = policy.Limits(timeout_s=10)


def asked(kit: Any, key: str, braked: policy.Limits = BRAKED) -> str:
    """A run on a host of its own; its id."""
    (run,) = kit.decide(kit.asked(key, f"host:{key}", limits=braked)).runs
    return str(run)


def ends(kit: Any, key: str, state: str = "failed", braked: policy.Limits = BRAKED) -> None:
    """A run that starts and ends so."""
    run = asked(kit, key, braked)
    (claimed,) = kit.claim().claimed
    assert claimed.run["id"] == run
    kit.now_us += S
    kit.finish(claimed, state)


def state(kit: Any, run: str) -> tuple[str, str]:
    ((now, reason),) = kit.rows("SELECT state, reason FROM run WHERE id = ?", run)
    return now, reason


def told(kit: Any) -> list[tuple[str, str, int]]:
    return [(one["kind"], one["actor"], one["failures"]) for one in kit.audit() if one["kind"].startswith("breaker_")]


@pytest.fixture
def opened(kit: Any) -> Any:
    """A kit whose breaker of `clean` on `here` has just opened."""
    for number in range(3):
        ends(kit, f"f{number}")
    return kit


def test_what_was_refused_before_it_began_is_no_failure_of_the_action(kit: Any) -> None:
    for number in range(5):
        asked(kit, f"f{number}")
        (claimed,) = kit.claim().claimed
        kit.now_us += S
        kit.finish(claimed, "failed", refused=True)
    assert told(kit) == []
    assert state(kit, asked(kit, "fine"))[0] == "queued"


@pytest.mark.parametrize("bad", ["failed", "timed_out", "unknown"])
def test_it_opens_after_so_many_failures(kit: Any, bad: str) -> None:
    for number in range(2):
        ends(kit, f"f{number}", bad)
    assert state(kit, asked(kit, "fine"))[0] == "queued"
    kit.finish(kit.claim().claimed[0], "cancelled")
    assert told(kit) == []
    ends(kit, "f2", bad)
    assert told(kit) == [("breaker_opened", "daemon", 3)]
    record = next(one for one in kit.audit() if one["kind"] == "breaker_opened")
    assert (record["action"], record["controller"]) == ("clean", "here")
    run = asked(kit, "held")
    assert state(kit, run) == ("deferred", "breaker_open")
    assert kit.rows("SELECT look_at_us FROM run WHERE id = ?", run) == [(kit.now_us + 600 * S,)]
    assert kit.verify().ok


def test_failures_that_are_long_ago_do_not_count(kit: Any) -> None:
    for number in range(5):
        ends(kit, f"f{number}")
        kit.now_us += 901 * S
    assert told(kit) == []


def test_a_run_that_is_tried_again_fails_once(kit: Any) -> None:
    """The retries of one host are no reason to stop the action for all."""
    twice = {"retries": {"times": 2, "delay_ms": 0}}
    for number in range(3):
        assert told(kit) == []
        kit.decide(kit.asked(f"f{number}", f"host:f{number}", limits=BRAKED, extra=twice))
        for _ in range(3):
            (claimed,) = kit.claim().claimed
            kit.finish(claimed, "failed")
    assert told(kit) == [("breaker_opened", "daemon", 3)]


def test_one_that_a_retry_helps_has_not_failed(kit: Any) -> None:
    once = {"retries": {"times": 1, "delay_ms": 0}}
    for number in range(4):
        kit.decide(kit.asked(f"f{number}", f"host:f{number}", limits=BRAKED, extra=once))
        for state in ("failed", "succeeded"):
            kit.finish(kit.claim().claimed[0], state)
    assert told(kit) == []


def test_a_run_of_many_waves_fails_once(kit: Any) -> None:
    hosts = [f"host:web{number}" for number in range(4)]
    kit.decide(kit.asked("k", *hosts, limits=BRAKED, extra={"ramp": {"first": 1, "limit": 1, "max_errors": 9}}))
    for _ in hosts:
        kit.finish(kit.claim().claimed[0], "failed")
    assert kit.rows("SELECT failures FROM breaker") == [(f"[{kit.now_us}]",)]
    assert told(kit) == []


def test_others_go_on(opened: Any) -> None:
    other = opened.asked("other", "host:other", limits=BRAKED)
    other.candidate = other.candidate.__class__(**{
        **{name: getattr(other.candidate, name) for name in other.candidate.__slots__}, "controller": "there",
    })  # fmt: skip
    (run,) = opened.decide(other).runs
    assert state(opened, run) == ("queued", "")
    assert state(opened, asked(opened, "free", WIDE)) == ("queued", "")


def test_what_is_queued_is_held_too(kit: Any) -> None:
    waiting = asked(kit, "waiting")
    claimed = kit.claim().claimed[0]
    late = asked(kit, "late")
    for number in range(2):
        kit.do(_Fail(kit, f"x{number}"))
    kit.finish(claimed, "failed")
    assert kit.claim().claimed == []
    assert (state(kit, waiting), state(kit, late)) == (("failed", ""), ("deferred", "breaker_open"))


class _Fail:
    """A failure of `clean` on `here` in the past, as its row has it."""

    weight = 1

    def __init__(self, kit: Any, _name: str) -> None:
        self.now_us = kit.now_us

    def apply(self, tx: Any) -> None:
        row = tx.one("breaker_find", "clean", "here")
        times = json.loads(row[0]) if row else []
        tx.run("breaker_put", "clean", "here", json.dumps([*times, self.now_us]), 0)


def test_one_trial_and_no_second_beside_it(opened: Any) -> None:
    kit = opened
    runs = [asked(kit, f"w{number}") for number in range(3)]
    kit.now_us += 600 * S
    kit.decide(look=True)
    assert sorted(state(kit, run) for run in runs) == [("deferred", "breaker_open")] * 2 + [("queued", "")]
    (trial,) = kit.claim().claimed
    kit.now_us += 100 * S
    kit.decide(look=True)
    assert kit.claim().claimed == []
    held = [run for run in runs if run != trial.run["id"]]
    ((detail,),) = kit.rows("SELECT detail FROM run WHERE id = ?", held[0])
    assert json.loads(detail)["trial"] == trial.run["id"]


def waits_for_the_trial(kit: Any, count: int) -> Any:
    """So many runs that are held; the trial of one of them, which has begun."""
    for number in range(count):
        asked(kit, f"w{number}")
    kit.now_us += 600 * S
    kit.decide(look=True)
    (trial,) = kit.claim().claimed
    return trial


def test_a_trial_that_fails_begins_the_time_anew(opened: Any) -> None:
    kit = opened
    trial = waits_for_the_trial(kit, 2)
    kit.finish(trial, "failed")
    assert told(kit) == [("breaker_opened", "daemon", 3)]
    ends_us = kit.now_us
    kit.now_us += 1
    kit.decide(look=True)
    assert kit.rows("SELECT look_at_us FROM run WHERE state = 'deferred'") == [(ends_us + 600 * S,)]


def test_the_second_success_that_nobody_verified_closes_it(opened: Any) -> None:
    kit = opened
    kit.finish(waits_for_the_trial(kit, 5))
    assert told(kit)[-1][0] == "breaker_opened"
    kit.now_us += 1
    kit.decide(look=True)
    (second,) = kit.claim().claimed
    kit.finish(second)
    assert told(kit)[-1] == ("breaker_closed", "daemon", 0)
    kit.now_us += 1
    kit.decide(look=True)
    assert len(kit.claim().claimed) == 3
    assert kit.verify().ok


def test_a_success_while_it_is_closed_forgets_no_failure(kit: Any) -> None:
    for number in range(2):
        ends(kit, f"f{number}")
    ends(kit, "good", "succeeded")
    ends(kit, "f2")
    assert told(kit) == [("breaker_opened", "daemon", 3)]


@pytest.mark.parametrize("word", ["cancelled"])
def test_what_a_person_cancels_is_no_failure_and_lets_the_next_trial_go(opened: Any, word: Any) -> None:
    kit = opened
    trial = waits_for_the_trial(kit, 2)
    kit.finish(trial, word)
    kit.now_us += 1
    kit.decide(look=True)
    assert len(kit.claim().claimed) == 1


def test_a_person_closes_it_and_what_waited_goes(opened: Any) -> None:
    kit = opened
    run = asked(kit, "held")
    assert kit.do(breaking.Close("clean", "here", "os:ana", "mended")) is True
    record = kit.audit()[-1]
    assert {name: record[name] for name in ("kind", "actor", "action", "controller", "reason", "failures")} == {
        "kind": "breaker_closed", "actor": "os:ana", "action": "clean", "controller": "here", "reason": "mended", "failures": 3,
    }  # fmt: skip
    kit.now_us += 1
    kit.decide(look=True)
    assert state(kit, run) == ("queued", "")
    ends(kit, "again") if kit.claim().claimed == [] else None
    assert told(kit)[-1][0] == "breaker_closed"


def test_only_what_has_failed_is_closed(opened: Any) -> None:
    size = len(opened.audit())
    for action, controller in (("clean", "there"), ("cleans", "here"), ("here", "clean")):
        assert opened.do(breaking.Close(action, controller, "os:ana", "")) is False
    assert len(opened.audit()) == size
    assert opened.do(breaking.Close("clean", "here", "os:ana", "")) is True
    assert opened.do(breaking.Close("clean", "here", "os:ana", "")) is False


def test_it_is_as_it_was_after_a_kill(make_kit: Any, tmp_path: Any) -> None:
    kit = make_kit(tmp_path)
    for number in range(3):
        ends(kit, f"f{number}")
    kit.close()
    again = make_kit(tmp_path)
    again.now_us = kit.now_us + S
    again.revision, again.position = kit.revision, kit.position
    assert state(again, asked(again, "held")) == ("deferred", "breaker_open")
    again.close()
