"""The memory for facts is bounded."""

from __future__ import annotations

import pytest

from healer.engine import facts


def test_beyond_the_bound_a_fact_is_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "FACTS_MAX", 2)
    memory = facts.Facts()
    for ref in range(3):
        memory.store({"i": ref}, ref)
    assert ([fact.ref for fact in memory.stored], memory.refused) == ([0, 1], 1)


def test_retracting_takes_all_that_fit_and_gives_them_back() -> None:
    memory = facts.Facts()
    for ref, body in enumerate([{"a": 1, "b": 1}, {"a": 1}, {"a": 2}]):
        memory.store(body, ref)
    assert [fact.ref for fact in memory.retract({"a": 1}, True, [])] == [0, 1]
    assert [fact.ref for fact in memory.stored] == [2]
