"""Work in small steps gives what it gives at once."""

from __future__ import annotations

import random

import pytest

from healer.engine import slices


def steps_of(work: slices.Steps[list[int]]) -> tuple[int, list[int]]:
    """How many steps, and what came of them."""
    count = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return count, end.value
        count += 1


@pytest.mark.parametrize(("things", "steps"), [(0, 0), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_each_step_takes_a_chunk(things: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 10)
    assert steps_of(slices.mapped(range(things), lambda one: one + 1)) == (steps, list(range(1, things + 1)))
    assert slices.done(slices.mapped(range(things), str)) == [str(one) for one in range(things)]


def test_in_order_whatever_the_order_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 10)
    for seed in range(5):
        mixed = random.Random(seed).choices(range(50), k=95)
        for things in (mixed, sorted(mixed), sorted(mixed, reverse=True), []):
            count, made = steps_of(slices.ordered(things, lambda one: one))
            assert made == sorted(things)
            assert count == 2 * -(-len(things) // 10)


def test_equal_ones_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 2)
    things = [(1, "a"), (0, "b"), (1, "c"), (0, "d"), (1, "e")]
    assert slices.done(slices.ordered(things, lambda one: one[0])) == sorted(things, key=lambda one: one[0])
