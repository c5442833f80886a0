"""What a preview of a resume says: it writes nothing, and is what a resume then does."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import strategies

from healer import policy
from healer.policy import limits
from healer.store import deciding, pausing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)


def asked(kit: Any, key: str, *targets: str, rule: str = "a/b/c", **more: Any) -> Any:
    """As `kit.asked`, of any rule; it works on a host of its own."""
    made = kit.asked(key, *(targets or (f"host:{key}",)), limits=more.pop("limits", WIDE), **more)
    return dataclasses.replace(made, candidate=dataclasses.replace(made.candidate, rule=rule))


def states(kit: Any) -> dict[str, tuple[str, str]]:
    """Run → (state, reason)."""
    return {run: (state, reason) for run, state, reason in kit.rows("SELECT id, state, reason FROM run")}


def look(kit: Any) -> None:
    """The tick that looks at what is due."""
    kit.now_us += 1
    kit.decide(look=True)


def everything_stored(kit: Any) -> list[Any]:
    names = [name for (name,) in kit.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [(name, kit.rows(f"SELECT * FROM {name}")) for name in names]


def previewed(kit: Any, scope: str) -> pausing.Ahead:
    ahead = pausing.Ahead()
    before = everything_stored(kit)
    while kit.do(pausing.Preview(scope, lambda _: kit.standing, ahead)):
        pass
    assert everything_stored(kit) == before
    return ahead


def resolved(kit: Any, key: str) -> None:
    kit.decide(alerts=[deciding.AlertWord("am", key, 1, False, False, 0, key, key, "error", "")])


def fired(kit: Any, key: str, **more: Any) -> Any:
    word = deciding.AlertWord("am", key, 1, True, True, 0, key, key, "error", "")
    return kit.decide(asked(kit, key, lifecycle=True, alerts=[("am", key, 1, True)], **more), alerts=[word])


def test_a_preview_says_what_a_resume_then_does(kit: Any) -> None:
    kit.do(pausing.Pause("all", "os:ana", ""))
    rate = dataclasses.replace(WIDE, rates=(limits.Rate("policy:p", 2, 3600),))
    for number in range(5):
        fired(kit, f"rated{number}", limits=rate)
    fired(kit, "gone")
    resolved(kit, "gone")
    kit.decide(asked(kit, "k", rule="a/b/d"))
    kit.do(pausing.Pause("rule:a/b/e", "os:ana", ""))
    kit.decide(asked(kit, "e", rule="a/b/e"))
    ahead = previewed(kit, "all")
    assert ahead.seen == 8
    assert ahead.states == {
        "withdrawn": {"resolved": 1}, "queued": {"": 3}, "deferred": {"rate_limited": 3, "paused": 1},
    }  # fmt: skip
    assert ahead.starting == {"a/b/c": 2, "a/b/d": 1}
    kit.do(pausing.Resume("all", "os:ana"))
    look(kit)
    assert counted(kit) == ahead.states


def counted(kit: Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for state, reason, number in kit.rows("SELECT state, reason, count(*) FROM run GROUP BY state, reason"):
        found.setdefault(state, {})[reason] = number
    return found


SHAPES = (
    WIDE,
    dataclasses.replace(WIDE, rates=(limits.Rate("policy:p", 2, 3600),)),
    dataclasses.replace(WIDE, rates=(limits.Rate("policy:p", 3, 3600), limits.Rate("policy:q", 1, 60))),
    dataclasses.replace(WIDE, blasts=(limits.Blast("policy:p", 3600, 2, None, 1, 5, ""),)),
    dataclasses.replace(
        WIDE, blasts=(limits.Blast("policy:p", 3600, 3, None, 1, 5, ""),), rates=(limits.Rate("policy:q", 2, 60),)
    ),
    dataclasses.replace(WIDE, breakers=(limits.Breaker(1, 60, 0.0),)),
    dataclasses.replace(WIDE, cooldown_s=600),
    dataclasses.replace(WIDE, defer_for_s=0.5),
)


@dataclasses.dataclass(frozen=True)
class Held:
    shape: int
    rule: str
    targets: tuple[str, ...]
    dry_run: bool
    alert: bool
    resolves: bool


HELD = strategies.builds(
    Held, strategies.integers(0, len(SHAPES) - 1), strategies.sampled_from(["a/b/c", "a/b/d", "x/y/z"]),
    strategies.lists(strategies.sampled_from(["host:h1", "host:h2", "host:h3"]), min_size=1, max_size=3, unique=True).map(tuple),
    strategies.booleans(), strategies.booleans(), strategies.booleans(),
)  # fmt: skip


@hypothesis.settings(
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(
    held=strategies.lists(HELD, max_size=10), scope=strategies.sampled_from(["all", "activation:a", "rule:a/b/c"]),
    other=strategies.sampled_from(["", "rule:a/b/d", "ruleset:a/b"]), piece=strategies.integers(1, 4), failed=strategies.booleans(),
)  # fmt: skip
def test_a_preview_is_what_comes(
    make_kit: Callable[..., Any], held: list[Held], scope: str, other: str, piece: int, failed: bool
) -> None:
    kit = make_kit(None)
    before, pausing_piece = {}, pausing.PREVIEWED
    try:
        pausing.PREVIEWED = piece  # type: ignore[misc]
        kit.decide(asked(kit, "before", "host:h1", limits=SHAPES[5]))
        kit.finish(kit.claim().claimed[0], "failed" if failed else "succeeded")
        for one in (scope, other):
            if one:
                kit.do(pausing.Pause(one, "os:ana", ""))
        for number, one in enumerate(held):
            key = f"k{number}"
            more = {"limits": SHAPES[one.shape], "rule": one.rule, "dry_run": one.dry_run}
            alert = {"lifecycle": True, "alerts": [("am", key, 1, True)]} if one.alert else {}
            word = deciding.AlertWord("am", key, 1, True, True, 0, key, key, "error", "")
            kit.decide(asked(kit, key, *one.targets, **more, **alert), alerts=[word] if one.alert else [])
            if one.alert and one.resolves:
                resolved(kit, key)
        kit.now_us += S
        look(kit)
        before = states(kit)
        ahead = previewed(kit, scope)
        kit.do(pausing.Resume(scope, "os:ana"))
        kit.now_us += 1
        kit.decide(look=True)
        looked_at = [run for run, now in states(kit).items() if before[run] == ("deferred", "paused")]
        mine = [run for run in looked_at if covered(kit, scope, run)]
        assert Counter(states(kit)[run] for run in mine) == {
            (state, reason): count for state, reasons in ahead.states.items() for reason, count in reasons.items()
        }
        starting = Counter(rule_of(kit, run) for run in mine if states(kit)[run][0] == "queued")
        assert starting == ahead.starting
    finally:
        pausing.PREVIEWED = pausing_piece  # type: ignore[misc]
        kit.close()


def rule_of(kit: Any, run: str) -> str:
    ((rule,),) = kit.rows("SELECT rule FROM run WHERE id = ?", run)
    return str(rule)


def covered(kit: Any, scope: str, run: str) -> bool:
    return bool(kit.store.writer.tx.rules.covers(scope, rule_of(kit, run), "here"))
