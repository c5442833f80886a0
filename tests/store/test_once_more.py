"""Nobody knows how an attempt ended: an idempotent action is done again by itself once its time is over, any other never."""

from __future__ import annotations

from typing import Any

import pytest

from healer import policy
from healer.store import finishing, people

S = 1_000_000
LIMITS = policy.Limits(timeout_s=10, max_age_s=900)


def idempotent(kit: Any, key: str = "k", *targets: str, **more: Any) -> Any:
    made = kit.asked(key, *targets, **({"limits": LIMITS} | more))
    made.idempotent = True
    return made


def lost(kit: Any) -> str:
    """The only attempt that may begin does, and nobody knows how it ended; its run."""
    claimed = kit.only()
    kit.finish(claimed, "unknown")
    return str(claimed.run["id"])


def look(kit: Any, after_s: float) -> None:
    """So much later comes a tick."""
    kit.now_us += round(after_s * S)
    kit.decide(look=True)


def test_it_is_done_again_once_its_time_is_over_and_locked_until_then(kit: Any) -> None:
    kit.decide(idempotent(kit, "k", "host:a"))
    run = lost(kit)
    ((at_us,),) = kit.rows("SELECT look_at_us FROM run")
    assert at_us == kit.rows("SELECT deadline_us FROM attempt")[0][0] == kit.now_us + 10 * S
    assert kit.claim().next_look_us == at_us
    look(kit, 9.9)
    assert (kit.states(run), kit.locks()) == (("unknown", ["unknown"]), ["host:a"])
    look(kit, 0.1)
    assert (kit.states(run), kit.locks()) == (("queued", ["failed", "queued"]), [])
    assert kit.summary(run) == "resolved as queued by daemon: it is idempotent, and its time is over"
    kept = kit.record("resolved")
    assert (kept["actor"], kept["old"], kept["state"]) == ("daemon", "unknown", "queued")
    again = kit.only()
    assert (again.number, kit.locks()) == (2, ["host:a"])
    kit.finish(again)
    assert kit.states(run) == ("succeeded", ["failed", "succeeded"])
    assert kit.verify().ok


def test_one_that_was_over_its_time_before_it_was_found_is_done_again_at_once(kit: Any) -> None:
    """The daemon was away for longer than the attempt could take."""
    kit.decide(idempotent(kit))
    claimed = kit.only()
    kit.now_us += 60 * S
    kit.finish(claimed, "unknown")
    assert kit.claim().next_look_us == kit.now_us
    look(kit, 0)
    assert kit.states(claimed.run["id"])[0] == "queued"


def test_after_a_few_times_a_person_says(kit: Any) -> None:
    kit.decide(idempotent(kit))
    for number in range(finishing.ONCE_MORE_MAX):
        run = lost(kit)
        assert len(kit.states(run)[1]) == number + 1
        look(kit, 11)
    assert lost(kit) == run
    look(kit, 3600)
    assert kit.states(run) == ("unknown", ["failed"] * finishing.ONCE_MORE_MAX + ["unknown"])
    assert kit.rows("SELECT look_at_us FROM run") == [(None,)]


@pytest.mark.parametrize("way", ["not idempotent", "its end was asked for", "a person was first"])
def test_it_stays_a_persons(kit: Any, way: str) -> None:
    made = idempotent(kit)
    made.idempotent = way != "not idempotent"
    kit.decide(made)
    claimed = kit.only()
    run = claimed.run["id"]
    if way == "its end was asked for":
        kit.do(people.Cancel(run, actor="key:ana", reason=""))
    kit.finish(claimed, "unknown")
    if way == "a person was first":
        kit.do(people.Resolve(run, "failed", actor="key:ana", reason="looked at it"))
    look(kit, 3600)
    assert kit.states(run) == (("failed", ["failed"]) if way == "a person was first" else ("unknown", ["unknown"]))


def test_what_nobody_has_spoken_of_for_long_is_not_done_again(kit: Any) -> None:
    """That its time is over is no fresh sign that it is still needed, as a person's word would be."""
    kit.decide(idempotent(kit))
    run = lost(kit)
    look(kit, 3600)
    assert kit.claim().claimed == []
    assert kit.rows("SELECT state, reason FROM run") == [("awaiting_approval", "no_fresh_sign")]
    assert kit.states(run)[1] == ["failed", "withdrawn"]
    assert kit.locks() == []


def test_retries_of_what_failed_do_not_count(kit: Any) -> None:
    made = idempotent(kit, extra={"retries": {"times": 5, "delay_ms": 0}})
    kit.decide(made)
    for _ in range(3):
        kit.finish(kit.only(), "failed")
    run = lost(kit)
    look(kit, 11)
    assert kit.states(run) == ("queued", ["failed"] * 4 + ["queued"])


def test_what_a_person_has_ended_meanwhile_is_not_done_again(kit: Any) -> None:
    """Its controller knew that it went on; it is for the person to say what became of it."""
    kit.decide(idempotent(kit))
    run = lost(kit)
    assert kit.do(people.Cancel(run, actor="key:ana", reason="no", runs_on=True)).state == "unknown"
    look(kit, 600)
    assert kit.states(run) == ("unknown", ["unknown"])
