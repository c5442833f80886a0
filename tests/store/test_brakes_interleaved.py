"""No order of decisions, claims, ends and looks gives more than the brakes permit; what is not used comes back."""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import policy
from healer.policy import brakes, limits
from healer.store import finishing

S = 1_000_000
WITHIN_S = 60
WIDE = policy.Limits(timeout_s=10, attempts=9)
OF: dict[str, dict[str, Any]] = {
    "rate": {"rates": (limits.Rate("policy:x", 2, WITHIN_S),)},
    "blast": {"blasts": (limits.Blast("policy:x", WITHIN_S, 2, None, 1, 5, ""),), "approval_expires_s": 40},
    "place": {"places": (("policy:x", 2),)},
    "breaker": {"breakers": (limits.Breaker(2, 100, 30),)},
}
STEPS = st.one_of(
    st.tuples(st.just("decide"), st.integers(0, 7), st.booleans()),
    st.tuples(st.just("claim"), st.integers(1, 5)),
    st.tuples(st.just("finish"), st.integers(0, 5), st.sampled_from(["succeeded", "failed", "unknown", "timed_out"])),
    st.tuples(st.just("take back"), st.integers(0, 5)),
    st.tuples(st.just("look"), st.sampled_from([1, 10, 29, 30, 60, 61])),
    st.tuples(st.just("withdraw"), st.integers(0, 5)),
)


class Walk:
    """A store on which steps are taken; after each the brakes are looked at."""

    def __init__(self, kit: Any, braked: Any = ()) -> None:
        """`braked`: the brakes of each of the runs 0, 1, 2 …"""
        self.kit = kit
        self.braked = dict(enumerate(braked))
        self.under_way: list[Any] = []
        self.asked: dict[str, set[str]] = {}

    def take(self, step: Any) -> None:
        """One step."""
        what, kit = step[0], self.kit
        if what == "decide":
            _, key, several = step
            names = self.braked.get(key, set())
            own = {name: value for one in sorted(names) for name, value in OF[one].items()}
            targets = (f"host:{key % 4}", f"host:{key % 4 + 4}") if several else (f"host:{key % 4}",)
            (run,) = kit.decide(kit.asked(str(key), *targets, limits=dataclasses.replace(WIDE, **own))).runs
            self.asked[run] = names
        elif what == "claim":
            self.under_way += kit.claim(step[1]).claimed
        elif what == "look":
            kit.now_us += step[1] * S
            kit.decide(look=True)
        elif what == "withdraw":
            queued = kit.rows("SELECT id FROM run WHERE state = 'queued' ORDER BY id")
            for (run,) in queued[step[1] : step[1] + 1]:
                kit.connection.execute(
                    "UPDATE attempt SET state = 'withdrawn' WHERE run = ? AND state = 'queued'", (run,)
                )
                kit.connection.execute("UPDATE run SET state = 'withdrawn' WHERE id = ?", (run,))
        elif self.under_way:
            claimed = self.under_way.pop(step[1] % len(self.under_way))
            if what == "finish":
                kit.finish(claimed, step[2])
            else:
                kit.do(finishing.TakeBack(claimed.token, claimed.run["id"], claimed.number, "x"))

    def check(self) -> None:
        """What holds at every instant."""
        kit = self.kit
        begun = kit.rows(
            "SELECT started_us, run, targets, state FROM attempt WHERE started_us IS NOT NULL AND state <> 'withdrawn' ORDER BY started_us"
        )
        rated = [at for at, run, _, _ in begun if "rate" in self.asked[run]]
        assert all(later - earlier >= WITHIN_S * S for earlier, later in zip(rated, rated[2:], strict=False)), rated
        blasted = [(at, targets) for at, run, targets, _ in begun if "blast" in self.asked[run]]
        for at, _ in blasted:
            inside = {
                one
                for other, targets in blasted
                if at - WITHIN_S * S < other <= at
                for one in targets.strip("[]").split(",")
            }
            assert len(inside) <= 2, blasted
        running = [(at, run) for at, run, _, state in begun if state == "running"]
        assert sum("place" in self.asked[run] for _, run in running) <= 2
        for failures, good in kit.rows("SELECT failures, good FROM breaker"):
            found = brakes.Failures(tuple(map(int, filter(None, failures.strip("[]").split(",")))), good)
            opened_us = found.opened_us(OF["breaker"]["breakers"][0])
            if opened_us is not None:
                trials = [run for at, run in running if "breaker" in self.asked[run] and at >= opened_us + 30 * S]
                assert len(trials) <= 1, (opened_us, trials)
        held = kit.rows("SELECT DISTINCT s.run, r.state FROM spent s JOIN run r ON r.id = s.run WHERE s.started = 0")
        assert {state for _, state in held} <= {"queued", "running"}, held
        assert kit.rows(
            "SELECT count(*) FROM place p WHERE NOT EXISTS (SELECT 1 FROM attempt a WHERE a.token = p.token AND a.state = 'running')"
        ) == [(0,)]


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_no_interleaving_gives_more_than_the_brakes_permit(on_disk: bool, make_kit: Any) -> None:
    @hypothesis.given(
        st.lists(st.sets(st.sampled_from(sorted(OF))), min_size=8, max_size=8), st.lists(STEPS, max_size=40)
    )
    @hypothesis.settings(max_examples=15 if on_disk else 120, deadline=None)
    def walked(braked: Any, steps: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            walk = Walk(make_kit(pathlib.Path(folder) if on_disk else None), braked)
            for step in steps:
                walk.take(step)
                walk.check()
            assert walk.kit.verify().ok
            walk.kit.close()

    walked()


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "disk"])
def test_no_interleaving_gives_more_than_a_ramp_permits(on_disk: bool, make_kit: Any) -> None:
    @hypothesis.given(st.integers(0, 3), st.lists(st.one_of(
        st.tuples(st.just("decide"), st.integers(100, 140), st.just(False)),
        st.tuples(st.just("claim"), st.integers(1, 9)), st.tuples(st.just("finish"), st.integers(0, 5), st.sampled_from(["succeeded", "failed", "unknown"])),
        st.tuples(st.just("take back"), st.integers(0, 5)),
    ), max_size=40))  # fmt: skip
    @hypothesis.settings(max_examples=15 if on_disk else 80, deadline=None)
    def walked(before: int, steps: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            kit = make_kit(pathlib.Path(folder) if on_disk else None)
            walk = Walk(kit)
            for number in range(before):
                walk.take(("decide", number, False))
            walk.take(("claim", 9))
            kit.standing = dataclasses.replace(kit.standing, storm=brakes.StormLimit(4, 10, 20))
            for number in range(8):
                walk.take(("decide", 10 + number, True))
            walk.take(("claim", 9))
            calm_us = kit.now_us + 20 * S
            kit.now_us = calm_us - 1
            walk.take(("claim", 9))
            assert len(walk.under_way) == min(before, 4)  # nothing began in the storm
            kit.now_us = calm_us
            kit.standing = dataclasses.replace(kit.standing, storm=None)
            kit.decide(look=True)
            for step in steps:
                walk.take(step)
                since = "FROM attempt WHERE started_us >= ? AND state"  # what ran before is no part of what comes back
                ((running,),) = kit.rows(f"SELECT count(*) {since} = 'running'", calm_us)
                ((ended,),) = kit.rows(f"SELECT count(*) {since} NOT IN ('running', 'withdrawn')", calm_us)
                assert running <= 1 + ended
            kit.close()

    walked()
