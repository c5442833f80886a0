"""What the daemon's own stop ended, since it took longer than the stop waits: nobody decided against it, and it is not its failure."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from healer import model, policy
from healer.policy import limits
from healer.store import deciding, finishing, people

S = 1_000_000
ONCE = policy.Limits(timeout_s=10, attempts=1, cooldown_s=0)
ALERT = [("am", "k", 1, True)]
PAGE = {
    "escalate": [
        {
            "name": "page", "kind": "script", "subject": "scripts/page.sh", "controller": "here", "parameters": {}, "idempotent": False,
            "timeout_ms": 10_000, "after_ms": 0, "extra": {},
        }
    ]
}  # fmt: skip


def word(opens: bool = False) -> deciding.AlertWord:
    return deciding.AlertWord("am", "k", 1, True, opens, 10**12, "Disk", "web1", "critical", "full")


def fires(kit: Any, *targets: str, idempotent: bool = False, opens: bool = True, **more: Any) -> str:
    """A word of the alert, and its run."""
    asked = kit.asked("k", *targets, **({"limits": ONCE, "alerts": ALERT, "lifecycle": True} | more))
    asked.idempotent = idempotent
    kit.decide(asked, alerts=[word(opens)] if asked.alerts else [])
    return str(asked.candidate.run)


def stops(kit: Any, claimed: Any) -> None:
    """The daemon ends it, since its stop waits no longer."""
    kit.do(finishing.Stopping([claimed.token]))
    kit.finish(claimed, "cancelled")


def rungs(kit: Any) -> list[str]:
    return [action for (action,) in kit.rows("SELECT action FROM run WHERE rung > 0")]


# --- what may be done twice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", [True, False])
def test_what_is_idempotent_has_its_turn_anew(kit: Any, alert: bool) -> None:
    more: dict[str, Any] = {} if alert else {"alerts": [], "lifecycle": False}
    run = fires(kit, idempotent=True, extra=PAGE, **more)
    stops(kit, kit.only())
    assert kit.states(run) == ("queued", ["cancelled", "queued"])
    assert kit.summary(run) == "cancelled"
    assert (kit.locks(), rungs(kit)) == ([], [])
    assert kit.record("transition")["detail"] == "the daemon's stop ended it"
    again = kit.only()
    assert (again.number, again.targets) == (2, ["host:web1"])
    kit.finish(again)
    assert kit.state_of(run) == ("succeeded", "unverified")
    assert kit.verify().ok


def test_that_is_the_same_try(kit: Any) -> None:
    run = fires(kit, idempotent=True)
    for _ in range(5):
        stops(kit, kit.only())
    kit.finish(kit.only(), "failed")
    assert kit.store.writer.tx.one("attempts_made", run) == (1,)
    fires(kit, idempotent=True, opens=False)
    assert kit.state_of(run)[0] == "failed"
    assert kit.claim().claimed == []


def test_of_a_wave_only_what_it_did_not_do_is_done_again(kit: Any) -> None:
    hosts = tuple(f"host:web{n}" for n in range(1, 6))
    run = fires(kit, *hosts, idempotent=True, extra={"ramp": {"first": 1, "limit": 10, "max_errors": 1}})
    kit.finish(kit.only(), "failed")
    second = kit.only()
    assert second.targets == ["host:web2", "host:web3"]
    kit.do(finishing.Stopping([second.token]))
    kept = finishing.Kept(kit.store.blobs.keep(b""), kit.store.blobs.keep(b""))
    outcome = model.Outcome("cancelled", "ended", 1, per_target={"host:web2": "succeeded"})
    kit.do(finishing.Finish(second.token, run, second.number, outcome, kept))
    states = dict(kit.rows("SELECT target, state FROM run_target"))
    assert [states[host] for host in hosts] == ["failed", "succeeded", "queued", "queued", "queued"]
    third = kit.only()
    assert third.targets == ["host:web3", "host:web4", "host:web5"]


def test_a_person_who_cancelled_it_before_has_decided_against_it(kit: Any) -> None:
    run = fires(kit, idempotent=True)
    claimed = kit.only()
    kit.do(people.Cancel(run, actor="os:ana", reason="the wrong host"))
    kit.finish(claimed, "cancelled")
    assert kit.states(run) == ("cancelled", ["cancelled"])


def test_a_daemon_that_dies_at_its_stop_knows_at_its_next_start(make_kit: Any, tmp_path: Any) -> None:
    kit = make_kit(tmp_path)
    run = fires(kit, idempotent=True)
    claimed = kit.only()
    kit.do(finishing.Stopping([claimed.token]))
    kit.close()
    again = make_kit(tmp_path)
    again.now_us = kit.now_us + S
    again.do(finishing.TakeUp(claimed.token, run, claimed.number))
    again.finish(claimed, "cancelled")
    assert again.states(run) == ("queued", ["cancelled", "queued"])
    again.close()


def test_what_somebody_else_cancelled_is_not_done_again(kit: Any) -> None:
    """In its automation controller, say: it has failed, and counts."""
    run = fires(kit, idempotent=True)
    kit.finish(kit.only(), "cancelled")
    assert kit.states(run) == ("failed", ["cancelled"])
    assert kit.store.writer.tx.one("attempts_made", run) == (1,)


def test_what_ended_by_itself_while_it_was_being_stopped_has_ended(kit: Any) -> None:
    run = fires(kit, idempotent=True)
    claimed = kit.only()
    kit.do(finishing.Stopping([claimed.token]))
    kit.finish(claimed)
    assert kit.state_of(run)[0] == "succeeded"


# --- what may not -----------------------------------------------------------------------------------------------------------


def test_anything_else_is_never_repeated_by_itself_and_a_repeat_of_the_alert_tries_it_again(kit: Any) -> None:
    """Its half may have had its effect. With `attempts: 1` too: that its sender speaks of it again is a new sign."""
    run = fires(kit, extra=PAGE)
    stops(kit, kit.only())
    assert kit.state_of(run)[0] == "failed"
    assert kit.claim().claimed == []
    assert rungs(kit) == []
    fires(kit, opens=False, extra=PAGE)
    again = kit.only()
    assert again.number == 2
    kit.finish(again, "failed")
    assert rungs(kit) == ["page"]
    fires(kit, opens=False, extra=PAGE)
    assert kit.state_of(run)[0] == "failed"
    assert kit.states(run)[1] == ["cancelled", "failed"]
    assert kit.verify().ok


def test_two_stops_are_none_of_its_attempts_and_more_are(kit: Any) -> None:
    """Where it is stopped again and again while it runs, its halves are not to be done without end."""
    run = fires(kit)
    for number in range(1, 4):
        stops(kit, kit.only())
        fires(kit, opens=False)
        assert len(kit.claim(0).claimed) == 0
        assert kit.store.writer.tx.one("attempts_made", run) == (max(0, number - 2),)
    assert kit.state_of(run)[0] == "failed"
    assert kit.rows("SELECT reason FROM decision ORDER BY seq DESC LIMIT 1") == [("attempts",)]


def test_where_no_repeat_would_try_it_again_the_next_rung_follows(kit: Any) -> None:
    fires(kit, extra=PAGE)
    for _ in range(2):
        stops(kit, kit.only())
        fires(kit, opens=False, extra=PAGE)
        assert rungs(kit) == []
    stops(kit, kit.only())
    assert rungs(kit) == ["page"]


def test_what_failed_and_was_tried_again_before_the_stop_is_one(kit: Any) -> None:
    run = fires(kit, extra={"retries": {"times": 1, "delay_ms": 0}})
    kit.finish(kit.only(), "failed")
    stops(kit, kit.only())
    assert kit.store.writer.tx.one("attempts_made", run) == (1,)


def test_without_an_alert_nobody_repeats_it_so_that_the_next_rung_follows(kit: Any) -> None:
    run = fires(kit, alerts=[], lifecycle=False, extra=PAGE)
    stops(kit, kit.only())
    assert kit.state_of(run)[0] == "failed"
    kit.decide(look=True)
    assert kit.only().run["action"] == "page"


def test_a_rung_is_repeated_by_nobody_so_that_the_one_after_it_follows(kit: Any) -> None:
    (page,) = PAGE["escalate"]
    fires(kit, extra={"escalate": [page, page | {"name": "reboot"}]})
    kit.finish(kit.only(), "failed")
    kit.decide(look=True)
    stops(kit, kit.only())
    assert sorted(rungs(kit)) == ["page", "reboot"]


def test_nor_does_it_open_a_breaker(kit: Any) -> None:
    braked = dataclasses.replace(ONCE, breakers=(limits.Breaker(1, 1800, 600),))
    fires(kit, limits=braked)
    stops(kit, kit.only())
    assert kit.rows("SELECT * FROM breaker") == []


def test_it_says_so(kit: Any) -> None:
    run = fires(kit)
    stops(kit, kit.only())
    ((detail,),) = kit.rows("SELECT detail FROM run WHERE id = ?", run)
    assert orjson.loads(detail) == {"summary": "cancelled"}
    assert kit.record("outcome")["state"] == "cancelled"
