"""Attempts that only look whether an action helped: the places that they take, their records, the pauses that cover them."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from healer import policy
from healer.store import deciding, finishing, following, pausing

S = 1_000_000
FREE = policy.Limits(timeout_s=10, attempts=3, cooldown_s=0)
ALERT = [("am", "k", 1, True)]
CHECK = {
    "verify": {
        "within_ms": 60_000,
        "action": {
            "name": "look", "kind": "script", "subject": "scripts/look.sh", "controller": "there", "parameters": {"service": "nginx"},
            "idempotent": True, "timeout_ms": 5_000,
        },
    }
}  # fmt: skip


PAGE = {
    "escalate": [
        {
            "name": "page", "kind": "script", "subject": "scripts/page.sh", "controller": "here", "parameters": {}, "idempotent": False,
            "timeout_ms": 10_000, "after_ms": 0, "extra": {},
        }
    ]
}  # fmt: skip
PAUSED = {"scope": "all", "who": "ana", "since": "now", "reason": "a look"}


def within(seconds: int) -> dict[str, Any]:
    """An effect that is checked for so long, and a next rung."""
    return {"verify": CHECK["verify"] | {"within_ms": seconds * 1000}} | PAGE


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


def test_a_check_takes_a_place_of_its_controller(kit: Any) -> None:
    fires(kit, CHECK)
    kit.finish(only(kit))
    one = dataclasses.replace(FREE, concurrency_controller=1)
    kit.standing = dataclasses.replace(kit.standing, limits=one)
    busy = kit.asked("other", "host:web9", limits=one)
    kit.decide(dataclasses.replace(busy, candidate=dataclasses.replace(busy.candidate, controller="there"), severity=0))
    working = only(kit)
    assert working.run["controller"] == "there"
    assert kit.rows("SELECT held FROM attempt WHERE purpose = 'verify'") == [("concurrency",)]
    kit.finish(working)
    assert only(kit).run["action"] == "look"


def test_a_check_that_never_began_has_its_record(kit: Any) -> None:
    fires(kit, CHECK)
    kit.finish(only(kit))
    check = only(kit)
    kit.do(finishing.TakeBack(check.token, check.run["id"], check.number, "never began"))
    told = [one for one in kit.audit() if one.get("token") == check.token]
    assert [(one["kind"], one.get("state")) for one in told] == [("intent", None), ("outcome", "withdrawn")]


def test_a_pause_of_its_controller_covers_a_check_that_is_under_way(kit: Any) -> None:
    """Not that of its run: what a pause waits for is what acts."""
    fires(kit, CHECK)
    kit.finish(only(kit))
    check = only(kit)
    under_way, _ = kit.do(pausing.Pause("controller:there", "ana", "r"))
    assert [one.token for one in under_way] == [check.token]
    others, _ = kit.do(pausing.Pause("controller:here", "ana", "r"))
    assert others == []


# --- for how long ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "at"), [(5, [0, 1, 2, 3, 4, 5]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (12, [0, 2.4, 4.8, 7.2, 9.6, 12]), (33, [*range(0, 31, 5), 33])])  # fmt: skip
def test_it_is_made_again_until_the_very_end_of_its_time(kit: Any, seconds: int, at: list[float]) -> None:
    run = fires(kit, within(seconds))
    kit.finish(only(kit))
    began_us, seen = kit.now_us, []
    while kit.state_of(run)[0] == "verifying":
        check = only(kit)
        seen.append((kit.now_us - began_us) / S)
        kit.finish(check, "failed")
        kit.now_us = kit.claim().next_us or kit.now_us
        kit.decide(look=True)
    assert seen == at
    assert kit.state_of(run) == ("failed", "not_verified")
    assert kit.summary(run) == "not verified: failed"
    assert kit.verify().ok


def test_what_helped_at_the_last_moment_has_helped(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    kit.finish(only(kit), "failed")
    kit.now_us += S
    last_us = kit.now_us + 4 * S
    check = only(kit)
    kit.now_us = last_us - 1
    kit.finish(check, "failed")
    assert kit.claim().next_us == last_us
    kit.now_us = last_us
    kit.decide(look=True)
    kit.finish(only(kit))
    assert kit.state_of(run) == ("succeeded", "verified")


def test_a_check_that_began_before_the_end_is_not_the_last_one(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    check = only(kit)
    kit.now_us += 6 * S
    kit.finish(check, "failed")
    assert kit.state_of(run)[0] == "verifying"
    kit.finish(only(kit))
    assert kit.state_of(run) == ("succeeded", "verified")


def test_while_a_check_is_under_way_at_the_end_it_is_not_looked_at_all_the_time(kit: Any) -> None:
    """Each look is a row of the journal."""
    run = fires(kit, within(5))
    kit.finish(only(kit))
    check = only(kit)
    kit.now_us += 5 * S
    assert kit.decide(look=True).next_look_us == kit.now_us + following.LOOK_US
    kit.now_us += following.LOOK_US
    assert kit.decide(look=True).next_look_us == kit.now_us + following.LOOK_US
    kit.finish(check)
    assert kit.state_of(run) == ("succeeded", "verified")


# --- where it cannot be made -----------------------------------------------------------------------------------------------


def pause(kit: Any, paused: Any = PAUSED) -> None:
    """Or its end."""
    kit.standing = dataclasses.replace(kit.standing, paused=paused)


def held(kit: Any) -> list[str]:
    return [one for (one,) in kit.rows("SELECT held FROM attempt WHERE purpose = 'verify' AND state = 'queued'")]


def rungs(kit: Any) -> int:
    return int(kit.rows("SELECT count(*) FROM run WHERE rung > 0")[0][0])


@pytest.mark.parametrize("early", [True, False], ids=["the claim comes first", "the look comes first"])
def test_a_run_whose_check_a_pause_holds_has_not_failed(kit: Any, early: bool) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    pause(kit)
    if early:
        assert kit.claim().claimed == []
    kit.now_us += 5 * S
    kit.decide(look=True)
    assert kit.claim().claimed == []
    for _ in range(3):
        kit.now_us += 100 * S
        kit.decide(look=True)
        assert (kit.state_of(run)[0], held(kit)) == ("verifying", ["paused"])
    pause(kit, None)
    kit.finish(only(kit))
    assert kit.state_of(run) == ("succeeded", "verified")
    assert rungs(kit) == 0
    assert kit.verify().ok


def test_after_a_pause_it_has_its_whole_time_again(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    pause(kit)
    assert kit.claim().claimed == []
    kit.now_us += 100 * S
    kit.decide(look=True)
    pause(kit, None)
    began_us, seen = kit.now_us, []
    while kit.state_of(run)[0] == "verifying":
        check = only(kit)
        seen.append((kit.now_us - began_us) // S)
        kit.finish(check, "failed")
        ((_, look_us, detail),) = kit.rows("SELECT state, look_at_us, detail FROM run WHERE id = ?", run)
        if kit.state_of(run)[0] == "verifying":
            assert look_us == orjson.loads(detail)["until_us"] == began_us + 5 * S
        kit.now_us = kit.claim().next_us or kit.now_us
        kit.decide(look=True)
    assert seen == [0, 1, 2, 3, 4, 5]
    assert kit.state_of(run) == ("failed", "not_verified")
    assert rungs(kit) == 1


def test_a_pause_that_takes_a_part_of_its_time_takes_none_of_it(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    kit.finish(only(kit), "failed")
    pause(kit)
    kit.now_us += S
    assert kit.claim().claimed == []
    kit.now_us += 4 * S - 1
    pause(kit, None)
    kit.finish(only(kit), "failed")
    kit.now_us += 5 * S
    kit.decide(look=True)
    kit.finish(only(kit))
    assert kit.state_of(run) == ("succeeded", "verified")


def test_that_a_pause_held_it_is_known_after_it_waited_for_a_place_too(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    pause(kit)
    assert kit.claim().claimed == []
    one = dataclasses.replace(FREE, concurrency_controller=1)
    kit.standing = dataclasses.replace(kit.standing, paused=None, limits=one)
    busy = kit.asked("other", "host:web9", limits=one)
    kit.decide(dataclasses.replace(busy, candidate=dataclasses.replace(busy.candidate, controller="there"), severity=0))
    working = only(kit)
    assert working.run["controller"] == "there"
    kit.now_us += 60 * S
    kit.decide(look=True)
    kit.finish(working)
    kit.finish(only(kit), "failed")
    assert kit.state_of(run)[0] == "verifying"
    assert kit.claim().next_us == kit.now_us + S


def test_a_check_that_waits_for_a_place_decides_once_it_has_it_and_gets_no_more_time(kit: Any) -> None:
    """Where places are always full it would never end."""
    run = fires(kit, within(5))
    kit.finish(only(kit))
    one = dataclasses.replace(FREE, concurrency_controller=1)
    kit.standing = dataclasses.replace(kit.standing, limits=one)
    busy = kit.asked("other", "host:web9", limits=one)
    kit.decide(dataclasses.replace(busy, candidate=dataclasses.replace(busy.candidate, controller="there"), severity=0))
    working = only(kit)
    kit.now_us += 60 * S
    kit.decide(look=True)
    assert (kit.state_of(run)[0], held(kit)) == ("verifying", ["concurrency"])
    kit.finish(working)
    kit.finish(only(kit), "failed")
    assert kit.state_of(run) == ("failed", "not_verified")


def test_a_check_whose_rule_is_switched_off_is_not_waited_for(kit: Any) -> None:
    """Also where a pause held it before."""
    run = fires(kit, within(5))
    kit.finish(only(kit))
    pause(kit)
    assert kit.claim().claimed == []
    kit.standing = policy.Standing(enabled=False, mode="active")
    assert kit.claim().claimed == []
    assert held(kit) == ["disabled"]
    kit.now_us += 5 * S
    kit.decide(look=True)
    assert kit.state_of(run) == ("failed", "not_verified")


def test_a_check_that_the_daemons_stop_ended_is_made_again(kit: Any) -> None:
    """Also at the end of its time: nobody has seen whether it helped."""
    run = fires(kit, within(5))
    kit.finish(only(kit))
    check = only(kit)
    kit.now_us += 5 * S
    kit.finish(check, "cancelled")
    assert kit.state_of(run)[0] == "verifying"
    kit.finish(only(kit), "cancelled")
    assert kit.claim().next_us == kit.now_us + S
    kit.now_us += S
    kit.finish(only(kit))
    assert kit.state_of(run) == ("succeeded", "verified")
    assert rungs(kit) == 0


def test_that_a_pause_held_it_is_known_after_it_was_taken_back_too(kit: Any) -> None:
    """A crash between its claim and its begin."""
    run = fires(kit, within(5))
    kit.finish(only(kit))
    pause(kit)
    assert kit.claim().claimed == []
    kit.now_us += 60 * S
    pause(kit, None)
    check = only(kit)
    kit.do(finishing.TakeBack(check.token, run, check.number, "never began"))
    assert held(kit) == ["paused"]
    began_us = kit.now_us
    kit.finish(only(kit), "failed")
    ((detail,),) = kit.rows("SELECT detail FROM run WHERE id = ?", run)
    assert (kit.state_of(run)[0], orjson.loads(detail)["until_us"]) == ("verifying", began_us + 5 * S)


def test_one_that_no_pause_held_has_no_more_time_after_it_was_taken_back(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    kit.now_us += 5 * S
    check = only(kit)
    kit.do(finishing.TakeBack(check.token, run, check.number, "never began"))
    assert held(kit) == [""]
    kit.finish(only(kit), "failed")
    assert kit.state_of(run) == ("failed", "not_verified")


def test_a_last_check_of_which_nobody_knows_is_made_again(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    kit.now_us += 5 * S
    kit.finish(only(kit), "unknown")
    assert (kit.state_of(run)[0], rungs(kit)) == ("verifying", 0)
    kit.now_us += S
    kit.finish(only(kit))
    assert kit.state_of(run) == ("succeeded", "verified")
    assert kit.verify().ok


def test_that_has_an_end_too(kit: Any) -> None:
    run = fires(kit, within(5))
    kit.finish(only(kit))
    kit.finish(only(kit), "unknown")  # in time: it counts for nothing
    kit.now_us += 5 * S
    for _ in range(following.UNTOLD_MAX):
        assert kit.state_of(run)[0] == "verifying"
        kit.finish(only(kit), "unknown")
        kit.now_us += S
    assert kit.state_of(run) == ("failed", "not_verified")
    assert (kit.summary(run), rungs(kit)) == ("not verified: unknown", 1)
