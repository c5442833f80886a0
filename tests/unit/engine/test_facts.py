"""The memory for facts is bounded."""

from __future__ import annotations

import pytest

from healer.engine import facts, memory


def test_beyond_the_bound_a_fact_is_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "FACTS_MAX", 2)
    kept = facts.Facts()
    assert [kept.store(memory.Entry(ref, {"i": ref}, ref, 0, fact=True)) for ref in range(3)] == [True, True, False]
    assert ([fact.ref for fact in kept.stored], kept.refused) == ([0, 1], 1)


def test_retracting_takes_all_that_fit_and_gives_them_back() -> None:
    kept = facts.Facts()
    for ref, body in enumerate([{"a": 1, "b": 1}, {"a": 1}, {"a": 2}]):
        kept.store(memory.Entry(ref, body, ref, 0, fact=True))
    assert [fact.ref for fact in kept.retract({"a": 1}, True, [])] == [0, 1]
    assert [fact.ref for fact in kept.stored] == [2]
