"""The walk over a pattern: where it groups, and what it writes at the edges."""

from __future__ import annotations

import pytest

from healer.engine import dialect


def made(pattern: str, flags: str = "") -> str:
    return dialect.Translation(pattern, flags).all()


def test_groups_are_found_past_what_only_looks_like_one() -> None:
    found = dialect.groups(r"a|(b|[)|(]\)\Q(|\E)|c(d")
    assert found[-1] == dialect.Group(23, [1, 19])
    assert found[3 - 1] == dialect.Group(18, [4])
    assert found[21] == dialect.Group(23, [])


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("^a", r"\Aa"), ("(?m)a^b", "a(?m:^)b"), ("(?m)(^a)+", "((?m:^)a)+"), ("(?m)^^a", dialect._LINE_BEGINS + "a"),
        ("(?m)a$|b", "a" + dialect._LINE_ENDS + "|b"), ("(?m)a$b", "a(?m:$)b"), ("(?m)(a$)?", "(a(?m:$))?"), (r"^\ba", r"\Aa"),
        (r"a\bb", r"a\bb"), (r"a?\bb", r"a?\bb"), ("(?i)a1", "[aA]1"), ("(?i:a)b", "(?:[aA])b"), ("(?<n>a)", "(a)"), ("a.", f"a[^{dialect.BREAKS}]"),
    ],
)  # fmt: skip
def test_what_is_written(pattern: str, wanted: str) -> None:
    assert made(pattern) == wanted


def test_flags_given_beside_the_pattern_hold_for_all_of_it() -> None:
    assert made("a^", "im") == "[aA](?m:^)"
    assert made("(?-i)a", "i") == "a"
