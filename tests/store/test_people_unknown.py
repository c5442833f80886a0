"""Runs of which nobody knows how they ended: what people say, what their controller knows after all, and their locks."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from healer import errors, model, policy
from healer.store import deciding, finishing, people

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)


def run_id(key: str = "k") -> str:
    return model.run_id("a", "b", "c", key, 0, 0)


def resolve(kit: Any, run: str, state: Any, **more: Any) -> people.Asked:
    asked: people.Asked = kit.do(people.Resolve(run, state, actor="key:ana", reason="looked at it", **more))
    return asked


def release(kit: Any, target: str) -> people.Held:
    held: people.Held = kit.do(people.Release(target, actor="key:ana", reason="it is gone"))
    return held


def output(kit: Any, text: bytes = b"late") -> finishing.Kept:
    return finishing.Kept(kit.store.blobs.keep(text), kit.store.blobs.keep(b""))


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_a_person_says_how_it_ended(kit: Any, state: Any) -> None:
    claimed = kit.unknown("k", "host:a", "host:b", lane="lock:db")
    run = claimed.run["id"]
    assert kit.locks() == ["host:a", "host:b", "lock:db"]
    kit.now_us += S
    assert resolve(kit, run, state) == people.Asked(state)
    assert (kit.states(run), kit.locks()) == ((state, [state]), [])
    assert kit.rows("SELECT state, ended_us FROM run_target") == [(state, kit.now_us)] * 2
    assert kit.rows("SELECT ended_us FROM run") == kit.rows("SELECT ended_us FROM attempt") == [(kit.now_us,)]
    assert kit.summary(run) == f"resolved as {state} by key:ana: looked at it"
    kept = kit.record("resolved")
    assert (kept["actor"], kept["old"], kept["state"], kept["detail"]) == ("key:ana", "unknown", state, "looked at it")
    assert (kept["attempt"], kept["token"], kept["targets"]) == (1, claimed.token, ["host:a", "host:b"])
    assert kit.verify().ok


PAGE = {
    "escalate": [
        {
            "name": "page", "kind": "script", "subject": "scripts/page.sh", "controller": "here", "parameters": {}, "idempotent": False,
            "timeout_ms": 10_000, "after_ms": 0, "extra": {},
        }
    ]
}  # fmt: skip


def turns_out_to_have_failed(kit: Any, claimed: Any, who: str) -> None:
    run = claimed.run["id"]
    if who == "a person":
        resolve(kit, run, "failed")
    else:
        kit.do(people.Settle(claimed.token, run, claimed.number, model.Outcome("failed", "exit 1", 1), output(kit)))


@pytest.mark.parametrize("who", ["a person", "its controller"])
def test_what_turns_out_to_have_failed_escalates(kit: Any, who: str) -> None:
    turns_out_to_have_failed(kit, kit.unknown(extra=PAGE), who)
    kit.decide(look=True)
    assert kit.only().run["action"] == "page"


@pytest.mark.parametrize("who", ["a person", "its controller"])
def test_what_a_person_wanted_to_end_does_not(kit: Any, who: str) -> None:
    kit.decide(kit.asked("k", limits=WIDE, extra=PAGE))
    claimed = kit.only()
    kit.do(people.Cancel(claimed.run["id"], actor="key:bo", reason="the wrong host"))
    kit.finish(claimed, "unknown")
    turns_out_to_have_failed(kit, claimed, who)
    assert kit.rows("SELECT count(*) FROM run") == [(1,)]


def test_a_repeat_of_the_alert_tries_again_what_was_resolved_as_failed(kit: Any) -> None:
    run = kit.unknown(limits=policy.Limits(timeout_s=10, attempts=3)).run["id"]
    resolve(kit, run, "failed")
    kit.decide(kit.asked("k", limits=policy.Limits(timeout_s=10, attempts=3)))
    assert kit.states(run) == ("queued", ["failed", "queued"])


def test_what_is_to_be_tried_again_is_queued_however_old_its_event_is(kit: Any) -> None:
    """A person's word is a fresh sign; the other gates are asked as always."""
    run = kit.unknown(limits=policy.Limits(timeout_s=10, max_age_s=900, cooldown_s=600)).run["id"]
    kit.now_us += 7200 * S
    assert resolve(kit, run, "queued") == people.Asked("queued")
    assert (kit.states(run), kit.locks()) == (("queued", ["failed", "queued"]), [])
    assert kit.rows("SELECT ended_us FROM run") == [(None,)]
    again = kit.only()
    assert (again.number, again.targets) == (2, ["host:web1"])
    kit.finish(again)
    assert kit.states(run) == ("succeeded", ["failed", "succeeded"])


def test_a_gate_may_still_hold_what_is_to_be_tried_again(kit: Any) -> None:
    run = kit.unknown().run["id"]
    resolve(kit, run, "queued")
    kit.standing = policy.Standing(enabled=False, mode="active")
    assert kit.claim().changed == {run: "suppressed"}


def test_an_attempt_that_never_began_does_not_count(kit: Any) -> None:
    run = kit.unknown().run["id"]
    resolve(kit, run, "queued", never=True)
    assert kit.states(run) == ("queued", ["withdrawn", "queued"])


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_only_what_is_unknown_is_resolved(kit: Any, state: str) -> None:
    run = kit.queue()
    if state != "queued":
        claimed = kit.only()
    if state == "succeeded":
        kit.finish(claimed)
    with pytest.raises(people.NotUnknown) as caught:
        resolve(kit, run, "failed")
    assert (caught.value.status, caught.value.fields["state"]) == (409, state)
    assert kit.states(run) == (state, [state])


def test_the_next_of_a_list_hears_of_what_was_resolved(kit: Any) -> None:
    run = kit.unknown().run["id"]
    kit.decide(kit.asked("next", "host:db1", limits=WIDE, after=run))
    assert kit.states(run_id("next")) == ("deferred", [])
    resolve(kit, run, "succeeded")
    kit.decide(look=True)
    assert [one.run["id"] for one in kit.claim().claimed] == [run_id("next")]


@pytest.mark.parametrize(
    ("end", "state"),
    [("succeeded", "succeeded"), ("failed", "failed"), ("cancelled", "failed"), ("timed_out", "timed_out")],
)
def test_what_its_controller_knows_after_all_counts(kit: Any, end: Any, state: str) -> None:
    claimed = kit.unknown()
    run = claimed.run["id"]
    outcome = model.Outcome(end, "as it says", 3, seconds=2.0)
    asked = finishing.Asked("key:ana", "looked at it")
    assert kit.do(people.Settle(claimed.token, run, 1, outcome, output(kit), asked)) == people.Asked(state)
    assert (kit.states(run), kit.locks()) == ((state, [end]), [])
    ((text, stdout),) = kit.rows("SELECT outcome, stdout_hash FROM attempt")
    assert orjson.loads(text)["summary"] == "as it says"
    assert stdout == output(kit).stdout.hash
    kept = kit.record("resolved")
    assert (kept["actor"], kept["state"], kept["found"], kept["summary"]) == ("key:ana", state, end, "as it says")


def test_what_an_attempt_gives_to_rules_comes_late_and_comes(kit: Any) -> None:
    facts = {"sources": ["ruleset:a/b"], "kinds": ["fact"], "action": "run_playbook", "depth_max": 5, "by_host": False}
    claimed = kit.unknown(extra={"facts": facts})
    outcome = model.Outcome("succeeded", "ok", 0, facts={"x": 1})
    kit.do(people.Settle(claimed.token, claimed.run["id"], 1, outcome, output(kit)))
    assert kit.rows("SELECT body FROM journal WHERE kind = 'fact'") == [(b'{"x":1}',)]


def test_who_comes_second_changes_nothing(kit: Any) -> None:
    claimed = kit.unknown()
    run = claimed.run["id"]
    resolve(kit, run, "succeeded")
    before = kit.audit()
    assert kit.do(people.Settle(claimed.token, run, 1, model.Outcome("failed", "x"), output(kit))) is None
    with pytest.raises(people.NotUnknown):
        resolve(kit, run, "failed")
    assert (kit.audit(), kit.states(run)) == (before, ("succeeded", ["succeeded"]))


# --- locks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["host:web1", "web1"])
def test_a_lock_of_what_is_unknown_is_let_go(kit: Any, given: str) -> None:
    claimed = kit.unknown()
    run = claimed.run["id"]
    waiting = kit.queue("waits")
    assert kit.claim().claimed == []
    assert release(kit, given) == people.Held("host:web1", run, "unknown")
    assert kit.states(run) == ("unknown", ["unknown"])
    kept = kit.record("lock_released")
    assert (kept["actor"], kept["target"], kept["run"], kept["detail"]) == ("key:ana", "host:web1", run, "it is gone")
    assert [one.run["id"] for one in kit.claim().claimed] == [waiting]
    assert kit.verify().ok


def test_to_resolve_it_later_leaves_the_lock_to_who_has_it_now(kit: Any) -> None:
    run = kit.unknown().run["id"]
    release(kit, "host:web1")
    kit.queue("next")
    holder = kit.only().run["id"]
    resolve(kit, run, "queued")
    assert kit.rows("SELECT target, run FROM lock") == [("host:web1", holder)]
    assert kit.claim().claimed == []


def test_a_lock_in_use_stays(kit: Any) -> None:
    run = kit.queue()
    kit.only()
    with pytest.raises(people.LockInUse) as caught:
        release(kit, "host:web1")
    assert (caught.value.status, caught.value.try_) == (409, f"healer runs cancel {run[:8]}")
    assert kit.locks() == ["host:web1"]


def test_a_lock_that_is_none_is_not_found(kit: Any) -> None:
    with pytest.raises(errors.NotFound):
        release(kit, "host:web1")


def test_a_name_that_may_mean_several_is_none(kit: Any) -> None:
    kit.unknown("k", "host:db", lane="lock:db")
    with pytest.raises(errors.Ambiguous) as caught:
        release(kit, "db")
    assert caught.value.fields["near"] == ["host:db", "lock:db"]
    assert release(kit, "lock:db").target == "lock:db"
    assert kit.locks() == ["host:db"]


@pytest.mark.parametrize("never", [True, False])
def test_what_is_tried_again_takes_its_part_of_the_budgets_anew(kit: Any, never: bool) -> None:
    """Else what began long ago would be the leave to begin now, beside as many others as may."""
    one = policy.Limits(timeout_s=10, rates=(policy.limits.Rate("policy:x", 1, 60),))
    run = kit.unknown("k", limits=one).run["id"]
    kit.now_us += 100 * S
    kit.decide(kit.asked("other", "host:web9", limits=one))
    kit.finish(kit.only())
    resolve(kit, run, "queued", never=never)
    assert kit.claim().claimed == []
    assert kit.rows("SELECT state, reason FROM run WHERE id = ?", run) == [("deferred", "rate_limited")]
    kit.now_us += 60 * S
    kit.decide(look=True)
    assert kit.only().run["id"] == run
    assert kit.rows("SELECT count(*) FROM spent WHERE at_us > ?", kit.now_us - S) == [(1,)]


# --- a success that is to be verified --------------------------------------------------------------------------------------


CHECK = {
    "verify": {
        "within_ms": 60_000,
        "action": {
            "name": "look", "kind": "script", "subject": "scripts/look.sh", "controller": "there", "parameters": {},
            "idempotent": True, "timeout_ms": 5_000,
        },
    }
}  # fmt: skip


def test_what_its_controller_found_has_still_to_be_verified(kit: Any) -> None:
    claimed = kit.unknown(extra=CHECK)
    run = claimed.run["id"]
    outcome, asked = model.Outcome("succeeded", "exit 0", 0), finishing.Asked("key:ana", "looked at it")
    assert kit.do(people.Settle(claimed.token, run, 1, outcome, output(kit), asked)) == people.Asked("verifying")
    assert (kit.states(run), kit.locks()) == (("verifying", ["succeeded", "queued"]), [])
    check = kit.only()
    assert (check.run["action"], check.targets) == ("look", ["host:web1"])
    kit.finish(check)
    assert kit.state_of(run) == ("succeeded", "verified")
    assert kit.verify().ok


def test_so_has_what_a_start_found_after_a_crash(kit: Any) -> None:
    kit.queue(extra=CHECK)
    claimed = kit.only()
    run = claimed.run["id"]
    kit.do(finishing.TakeUp(claimed.token, run, claimed.number))
    kit.finish(claimed)
    assert kit.state_of(run)[0] == "verifying"


def test_one_whose_alert_is_resolved_meanwhile_is_verified_and_closes_its_breaker(kit: Any) -> None:
    word = deciding.AlertWord("am", "k", 1, True, True, 10**12, "Disk", "web1", "critical", "full")
    braked = policy.Limits(timeout_s=10, breakers=(policy.limits.Breaker(1, 1800, 600),))
    verified = {"verify": {"within_ms": 60_000}}
    kit.decide(
        kit.asked("k", limits=braked, alerts=[("am", "k", 1, True)], lifecycle=True, extra=verified), alerts=[word]
    )
    claimed = kit.only()
    kit.finish(claimed, "unknown")
    assert kit.record("breaker_opened")["failures"] == 1
    kit.decide(alerts=[dataclasses.replace(word, firing=False, opens=False)])
    run = claimed.run["id"]
    kit.do(people.Settle(claimed.token, run, 1, model.Outcome("succeeded", "exit 0", 0), output(kit)))
    assert kit.state_of(run) == ("succeeded", "verified")
    assert kit.record("breaker_closed")["failures"] == 0


def test_what_ended_while_a_person_ended_it_has_not(kit: Any) -> None:
    claimed = kit.unknown(extra=CHECK)
    run = claimed.run["id"]
    kit.do(people.Cancel(run, actor="key:ana", reason="no", runs_on=True))
    kit.do(people.Settle(claimed.token, run, 1, model.Outcome("succeeded", "exit 0", 0), output(kit)))
    assert kit.states(run)[0] == "succeeded"


def test_a_persons_word_is_the_last_one(kit: Any) -> None:
    """They have looked."""
    run = kit.unknown(extra=CHECK).run["id"]
    assert resolve(kit, run, "succeeded") == people.Asked("succeeded")
    assert kit.claim().claimed == []
