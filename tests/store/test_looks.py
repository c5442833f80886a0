"""A run's explanation is that of its last look: whoever looked, its gates agree with the run's state and reason."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import policy
from healer.policy import gates
from healer.store import asking, notes

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)
COOL = policy.Limits(cooldown_s=600, timeout_s=10)
PAUSED = {"scope": "--all", "who": "a", "since": "n", "reason": "x"}


def explanation(kit: Any, run: str) -> dict[str, Any]:
    """What the run's row says, once it is seen to agree with the run's state and reason."""
    ((state, reason, detail, text),) = kit.rows("SELECT state, reason, detail, explanation FROM run WHERE id = ?", run)
    told: dict[str, Any] = json.loads(text)
    said_no = [gate for gate in told["gates"] if not gate["ok"]]
    assert [gate["code"] for gate in said_no] == ([reason] if reason not in ("", "unverified") else []), (state, reason)
    assert [gate["fields"] for gate in said_no] == [json.loads(detail) for _ in said_no]
    return told


def healed(kit: Any, target: str) -> None:
    """An action that ended just now on the target."""
    kit.decide(kit.asked(f"before{target}", target, limits=WIDE))
    kit.finish(kit.claim().claimed[0])


def only(decided: Any) -> str:
    (run,) = decided.runs
    return str(run)


def test_the_look_of_the_claim_is_the_last_one(kit: Any) -> None:
    run = only(kit.decide(kit.asked("k")))
    assert "look" not in explanation(kit, run)
    kit.now_us += 7 * S
    (claimed,) = kit.claim().claimed
    told = explanation(kit, run)
    assert told["look"] == kit.now_us
    assert [gate["gate"] for gate in told["gates"]] == [name for name, _ in gates.ORDER]
    assert [gate["saw"] for gate in told["gates"] if gate["gate"] == "age"] == [
        {"age_ms": 7000, "max_age_ms": 900_000},
    ]
    assert "waited" not in told
    kit.finish(claimed)
    assert explanation(kit, run) == told


def test_the_intent_in_the_audit_holds_what_the_gates_saw(kit: Any) -> None:
    run = only(kit.decide(kit.asked("k")))
    kit.claim()
    record = kit.audit()[-1]
    assert (record["kind"], record["gates"]) == ("intent", explanation(kit, run)["gates"])
    assert kit.verify().ok


def test_what_was_deferred_and_went_on_shows_the_look_that_let_it_and_what_it_waited_for(kit: Any) -> None:
    healed(kit, "host:a")
    began = kit.now_us
    run = only(kit.decide(kit.asked("k", "host:a", limits=COOL)))
    assert explanation(kit, run)["gates"][-1]["code"] == "cooldown"
    kit.now_us += 600 * S
    kit.decide(look=True)
    waited = [{"code": "cooldown", "since_us": began, "until_us": kit.now_us}]
    for _ in ("queued", "running"):
        told = explanation(kit, run)
        assert all(gate["ok"] for gate in told["gates"])
        assert [{name: one[name] for name in waited[0]} for one in told["waited"]] == waited
        assert told["waited"][0]["fields"]["target"] == "host:a"
        kit.now_us += S
        kit.claim()


def test_a_look_that_finds_the_same_shows_what_it_saw(kit: Any) -> None:
    healed(kit, "host:a")
    run = only(kit.decide(kit.asked("k", "host:a", limits=COOL)))
    kit.now_us += 60 * S
    kit.connection.execute("UPDATE run SET look_at_us = 1 WHERE state = 'deferred'")
    kit.decide(look=True)
    told = explanation(kit, run)
    assert (told["look"], told["gates"][-1]["fields"]["ago"]) == (kit.now_us, "60 s")
    assert "waited" not in told  # it still does


@pytest.mark.parametrize("wakes", [
    lambda kit: kit.use("e" * 64), lambda kit: kit.do(notes.Start("daemon")),
], ids=["reload", "start"])  # fmt: skip
def test_other_limits_hold_for_what_waits(kit: Any, wakes: Any) -> None:
    healed(kit, "host:a")
    run = only(kit.decide(kit.asked("k", "host:a", limits=COOL)))
    kit.now_us += 60 * S
    assert kit.decide(look=True).runs == {}
    kit.standing = dataclasses.replace(kit.standing, limits=dataclasses.replace(COOL, cooldown_s=90, timeout_s=77))
    wakes(kit)
    assert kit.decide(look=True).runs == {run: "deferred"}
    assert explanation(kit, run)["gates"][-1]["saw"]["cooldown_ms"] == 90_000
    kit.now_us += 30 * S
    assert kit.decide(look=True).runs == {run: "queued"}
    (claimed,) = kit.claim().claimed
    assert claimed.deadline_s == COOL.timeout_s  # it belongs to the files that run


def test_limits_that_became_narrower_hold_just_before_the_effect(kit: Any) -> None:
    healed(kit, "host:a")
    kit.decide(kit.asked("k", "host:a", limits=WIDE))
    kit.standing = dataclasses.replace(kit.standing, limits=COOL)
    claims = kit.claim()
    assert (claims.claimed, list(claims.changed.values())) == ([], ["deferred"])


def test_waking_leaves_a_pause_what_it_is(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    run = only(kit.decide(kit.asked("k")))
    kit.do(notes.Wake())
    assert kit.decide(look=True).runs == {run: "deferred"}
    assert kit.rows("SELECT look_at_us FROM run WHERE id = ?", run) == [(None,)]


def test_what_was_taken_out_of_the_queue_forgets_that_look_when_it_goes_on(kit: Any) -> None:
    run = only(kit.decide(kit.asked("k")))
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    kit.now_us += S
    kit.claim()
    assert explanation(kit, run)["gates"][0]["code"] == "paused"
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.now_us += S
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)
    told = explanation(kit, run)
    assert [(one["code"], one["until_us"] - one["since_us"]) for one in told["waited"]] == [("paused", S)]
    kit.claim()
    assert explanation(kit, run)["waited"] == told["waited"]


def test_each_reason_of_a_long_wait_has_its_time(kit: Any) -> None:
    healed(kit, "host:a")
    run = only(kit.decide(kit.asked("k", "host:a", limits=COOL)))
    for paused in (PAUSED, None):
        kit.now_us += S
        kit.standing = dataclasses.replace(kit.standing, paused=paused)
        kit.connection.execute("UPDATE run SET look_at_us = 1 WHERE state = 'deferred'")
        kit.decide(look=True)
    told = explanation(kit, run)
    assert [(one["code"], one["until_us"] - one["since_us"]) for one in told["waited"]] == [
        ("cooldown", S),
        ("paused", S),
    ]
    assert told["waited"][0]["until_us"] == told["waited"][1]["since_us"]


def test_what_waits_in_the_queue_says_for_what(kit: Any) -> None:
    kit.decide(*[kit.asked(str(n), f"host:{n}", limits=policy.Limits(concurrency_daemon=1)) for n in range(2)])
    (first,) = kit.claim().claimed
    (held,) = (run for (run,) in kit.rows("SELECT id FROM run WHERE state = 'queued'"))
    assert explanation(kit, held)["gates"][-1]["code"] == "concurrency"
    queued_us = kit.now_us
    kit.now_us += 3 * S
    kit.finish(first)
    kit.claim()
    (one,) = explanation(kit, held)["waited"]
    assert (one["code"], one["since_us"], one["until_us"]) == ("concurrency", queued_us, kit.now_us)


def test_the_list_of_what_it_waited_for_is_bounded(kit: Any) -> None:
    healed(kit, "host:a")
    run = only(kit.decide(kit.asked("k", "host:a", limits=COOL)))
    for number in range(2 * asking.WAITED_MAX):
        kit.now_us += S
        kit.standing = dataclasses.replace(kit.standing, paused=None if number % 2 else PAUSED)
        kit.connection.execute("UPDATE run SET look_at_us = 1 WHERE state = 'deferred'")
        kit.decide(look=True)
    told = explanation(kit, run)["waited"]
    assert len(told) == asking.WAITED_MAX
    assert told[-1]["until_us"] == kit.now_us


def test_a_repeat_that_is_decided_again_begins_anew(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    run = only(kit.decide(kit.asked("k")))
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)
    kit.finish(kit.claim().claimed[0], "failed")
    assert explanation(kit, run)["waited"]
    kit.now_us += 1000 * S
    assert kit.decide(kit.asked("k")).runs == {run: "queued"}
    assert explanation(kit, run).keys() == {"conditions", "gates", "would"}


def test_what_would_have_been_is_that_of_the_last_look(kit: Any) -> None:
    run = only(kit.decide(kit.asked("k")))
    kit.standing = dataclasses.replace(kit.standing, mode="observe", paused=PAUSED)
    kit.claim()
    ((state, text),) = kit.rows("SELECT state, explanation FROM run WHERE id = ?", run)
    assert (state, json.loads(text)["would"]) == ("simulated", "paused")


@pytest.mark.parametrize("target", ["", "host:web1"])
def test_what_was_not_valid_is_not_forgotten_while_another_gate_holds_it(kit: Any, target: str) -> None:
    """A gate before `validity` hid it when the run was decided; it must not take effect once that gate lets it go."""
    problem = policy.Problem("unknown_target", {"target": "web1", "inventory": "hosts", "nearest": ""}, target=target)
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    run = only(kit.decide(kit.asked("k", "host:web1", limits=WIDE, problems=(problem,))))
    assert kit.rows("SELECT state, reason FROM run") == [("deferred", "paused")]
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)
    assert kit.rows("SELECT id, state, reason FROM run") == [(run, "refused", "unknown_target")]
    assert kit.claim().claimed == []


def test_one_target_that_was_not_valid_is_left_out_later_too(kit: Any) -> None:
    problem = policy.Problem(
        "unknown_target", {"target": "web2", "inventory": "hosts", "nearest": ""}, target="host:web2"
    )
    kit.standing = dataclasses.replace(kit.standing, paused=PAUSED)
    kit.decide(kit.asked("k", "host:web1", "host:web2", limits=WIDE, problems=(problem,)))
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    kit.do(notes.Wake("paused"))
    kit.decide(look=True)
    (claimed,) = kit.claim().claimed
    assert claimed.targets == ["host:web1"]
