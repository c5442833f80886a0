"""Attempts that only look whether an action helped: the places that they take, their records, the pauses that cover them."""

from __future__ import annotations

import dataclasses
from typing import Any

from healer import policy
from healer.store import deciding, finishing, pausing

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
