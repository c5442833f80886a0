"""`not` at the leaves."""

from __future__ import annotations

from healer.engine import conditions, normal


def leaf(name: str) -> conditions.Leaf:
    return conditions.Leaf(conditions.Truth(conditions.Path((name,))), name, 1, 1)


A, B, C = leaf("a"), leaf("b"), leaf("c")


def test_not_turns_and_into_or_and_negates_the_leaves() -> None:
    made = normal.normal(conditions.Not(conditions.And((A, conditions.Or((B, C))))))
    inner = normal.All((normal.Check(B, True), normal.Check(C, True)))
    assert made == normal.AnyOf((normal.Check(A, True), inner))


def test_a_second_not_turns_back_and_keeps_the_leaves_negated() -> None:
    made = normal.normal(conditions.Not(conditions.Not(conditions.And((A, B)))))
    assert made == normal.All((normal.Check(A, True), normal.Check(B, True)))


def test_chains_are_flat() -> None:
    made = normal.normal(conditions.And((conditions.And((A, B)), C)))
    assert made == normal.All((normal.Check(A, False), normal.Check(B, False), normal.Check(C, False)))
