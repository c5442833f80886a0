"""The tree of a condition: its meaning, leaves, paths, and what is only about absence."""

from __future__ import annotations

from healer.engine import conditions

PATH = conditions.Path(("a", ("b",)))
COMPARE = conditions.Compare("==", PATH, conditions.Arithmetic("+", conditions.Path(("c",)), conditions.Literal(1)))
LEAF = conditions.Leaf(COMPARE, "text", 3, 4)
ABSENT = conditions.Leaf(conditions.Defined(PATH, True), "x", 1, 1)


def one(test: conditions.Test, *, bound: bool = False) -> conditions.Condition:
    return conditions.Condition("all", (conditions.Pattern("m", bound, test),))


def test_meaning_has_no_texts_and_places() -> None:
    assert conditions.meaning(LEAF) == conditions.meaning(LEAF._replace(text="other", line=9, column=9))
    assert conditions.meaning(LEAF) != conditions.meaning(conditions.Not(LEAF))


def test_leaves_and_paths_from_left_to_right() -> None:
    tree = conditions.Or((LEAF, conditions.Not(conditions.And((ABSENT, LEAF)))))
    assert conditions.leaves(tree) == [LEAF, ABSENT, LEAF]
    assert conditions.paths(COMPARE) == [("a", ("b",)), ("c",)]


def test_only_absence_alone_and_unbound_is_about_the_memory() -> None:
    assert conditions.absence(one(ABSENT)) == PATH
    assert conditions.absence(one(conditions.Not(ABSENT))) == PATH
    for other in (one(LEAF), one(conditions.And((ABSENT, LEAF))), one(ABSENT, bound=True)):
        assert conditions.absence(other) is None
