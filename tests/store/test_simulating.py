"""What a simulation finds is what a decision then comes to, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from healer import policy, telemetry
from healer.policy import brakes, limits
from healer.store import asking, deciding, simulating

S = 1_000_000
REVISION = "f" * 64
GOES = policy.Limits(timeout_s=10)
COOLED = policy.Limits(timeout_s=10, cooldown_s=600)
ONE_AN_HOUR = policy.Limits(timeout_s=10, rates=(limits.Rate("rule:a/b/c", 1, 3600),))
SMALL = policy.Limits(timeout_s=10, blasts=(limits.Blast("action:clean", 3600, 1, None, 1, 1, ""),))
ASKS = policy.Limits(timeout_s=10, approvals=(limits.Approval((limits.Threshold("one", ("approver",), 1, 1),)),))


def dump(kit: Any) -> list[str]:
    return list(kit.connection.iterdump())


def simulate(kit: Any, *results: Any, **more: Any) -> simulating.Simulated:
    if not kit.revision:
        kit.use(REVISION)
    before, counted = dump(kit), telemetry.read()
    outcome = deciding.Outcome(0, kit.now_us, results=list(results), **more)

    async def ask() -> simulating.Simulated:
        return await simulating.simulated(kit.store, simulating.Simulate(outcome, REVISION, lambda _: kit.standing))

    found = asyncio.run(ask())
    assert dump(kit) == before, "it wrote"
    changed = {name for name, count in telemetry.read().items() if counted.get(name) != count}
    assert changed <= {"store_commits", "store_units"}
    assert kit.verify().ok
    return found


def told(found: simulating.Simulated) -> list[tuple[Any, ...]]:
    """(run, state, reason, the gates) of each."""
    return [
        (one["run"], one["state"], one["run_reason"], json.loads(one["explanation"])["gates"])
        for one in found.decisions
    ]


def real(kit: Any, *results: Any, **more: Any) -> list[tuple[Any, ...]]:
    """The same of a row that is decided."""
    kit.decide(*results, **more)
    names = ("run", "state", "run_reason", "explanation")
    rows = kit.rows(
        "SELECT d.run, r.state, r.reason, d.explanation FROM decision d JOIN run r ON r.id = d.run WHERE d.seq = ? ORDER BY d.n",
        kit.position,
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [(one["run"], one["state"], one["run_reason"], json.loads(one["explanation"])["gates"]) for one in found]


def asked(kit: Any, key: str, *targets: str, index: int = 0, **more: Any) -> asking.Ask:
    made: asking.Ask = kit.asked(key, *targets, **more)
    return dataclasses.replace(made, action_index=index)


CASES = {
    "goes": (GOES, []),
    "cooldown": (COOLED, ["ended"]),
    "rate": (ONE_AN_HOUR, ["queued"]),
    "blast radius": (SMALL, ["queued"]),
    "a person": (ASKS, []),
    "busy": (GOES, ["running"]),
}


@pytest.mark.parametrize("name", CASES)
def test_it_finds_what_is_decided_then(kit: Any, name: str) -> None:
    asks, before = CASES[name]
    for state in before:
        target = "host:web2" if name == "blast radius" else "host:web1"
        kit.queue("before", target, limits=asks)
        if state != "queued":
            claimed = kit.only()
        if state == "ended":
            kit.finish(claimed)
    found = simulate(kit, asked(kit, "k", limits=asks))
    assert told(found) == real(kit, asked(kit, "k", limits=asks))
    assert {"goes": "queued", "cooldown": "deferred", "rate": "deferred", "blast radius": "awaiting_approval",
            "a person": "awaiting_approval", "busy": "queued"}[name] == told(found)[0][1]  # fmt: skip


def test_of_two_actions_that_share_a_budget_the_second_finds_it_taken(kit: Any) -> None:
    first, second = (asked(kit, key, f"host:{key}", limits=ONE_AN_HOUR) for key in ("k1", "k2"))
    found = simulate(kit, first, second)
    assert [one[1:3] for one in told(found)] == [("queued", ""), ("deferred", "rate_limited")]
    assert told(found) == real(kit, first, second)


def test_of_a_list_of_actions_the_second_waits_for_the_first(kit: Any) -> None:
    first = asked(kit, "k1", limits=GOES)
    second = asked(kit, "k2", "host:web2", limits=GOES, after=first.candidate.run)
    assert [one[1:3] for one in told(simulate(kit, first, second))] == [("queued", ""), ("deferred", "chain")]


def test_a_storm_that_the_event_would_bring_holds_it(kit: Any) -> None:
    kit.standing = dataclasses.replace(kit.standing, storm=brakes.StormLimit(1, 60, 300))
    kit.decide(kit.asked("k1", limits=GOES))
    assert told(simulate(kit, kit.asked("k2", "host:web2", limits=GOES)))[0][1:3] == ("deferred", "storm")


def test_an_alert_that_the_event_would_open_settles(kit: Any) -> None:
    settling = policy.Limits(timeout_s=10, settle_s=60)
    word = deciding.AlertWord("s", "key", 1, True, True, 3600 * S, "Full", "web1", "error", "")
    one = kit.asked("k", limits=settling, lifecycle=True, alerts=[("s", "key", 1, True)])
    found = simulate(kit, one, alerts=[word])
    assert told(found)[0][1:3] == ("deferred", "settling")


def test_a_run_that_is_there_makes_it_a_duplicate(kit: Any) -> None:
    run = kit.queue("k")
    (one,) = told(simulate(kit, kit.asked("k", limits=GOES)))
    assert one[0] == run
    assert [gate["code"] for gate in one[3] if not gate["ok"]] == ["duplicate"]


def test_the_run_and_each_target_are_told_as_they_would_be(kit: Any) -> None:
    found = simulate(kit, kit.asked("k", "host:web1", "host:web2", limits=GOES), deciding.Internal("a/b/c", 1, "debug"))
    (run,) = found.runs
    assert found.runs[run]["controller"] == "here"
    assert [(one["target"], one["state"]) for one in found.targets[run]] == [
        ("host:web1", "queued"),
        ("host:web2", "queued"),
    ]
    assert [one["action"] for one in found.decisions] == ["clean", "debug"]
