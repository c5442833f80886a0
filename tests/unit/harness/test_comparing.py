"""Entries find one of their own, whatever the order: against a count of all ways."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from healer.harness import comparing

GOT = st.fixed_dictionaries(
    {"rule": st.sampled_from(["a/b/x", "a/b/y"]), "status": st.sampled_from(["s", "f"]), "attempts": st.integers(1, 2)}
)
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "rule": st.sampled_from(["x", "b/y", "a/b/x"]),
        "status": st.sampled_from(["s", "f"]),
        "attempts": st.integers(1, 2),
    },
)


def most(wanted: list[dict[str, Any]], got: list[dict[str, Any]]) -> int:
    """How many entries can have one of their own at once, by trying everything."""
    if len(wanted) > len(got):
        got = [*got, *([{"rule": "?", "status": "?", "attempts": 0}] * (len(wanted) - len(got)))]
    return max(
        (sum(comparing._holds(entry, one) and one["rule"] != "?" for entry, one in zip(wanted, order, strict=False)) for order in itertools.permutations(got)),
        default=0,
    )  # fmt: skip


@given(wanted=st.lists(WANTED, max_size=4), got=st.lists(GOT, max_size=4))
def test_as_many_as_can_be(wanted, got):
    pairs = comparing._matched(wanted, got, complete=True)
    missing = [one for one in pairs if one.wanted is not None]
    assert len(missing) == len(wanted) - most(wanted, got)
    assert (not pairs) == (len(wanted) == len(got) == most(wanted, got))
    shown = [one.got for one in missing if one.got is not None] + [one.got for one in pairs if one.wanted is None]
    assert len(shown) <= len(got)


@given(wanted=st.lists(WANTED, max_size=4), got=st.lists(GOT, max_size=4))
def test_what_is_not_complete_leaves_the_rest_alone(wanted, got):
    assert all(one.wanted is not None for one in comparing._matched(wanted, got, complete=False))


@given(wanted=WANTED, got=GOT)
def test_the_fields_that_differ_are_those_that_do_not_hold(wanted, got):
    wrong = comparing._wrong(wanted, got)
    assert (not wrong) == comparing._holds(wanted, got)
    assert set(wrong) <= set(wanted)


def test_numbers_truth_and_what_lies_within():
    assert not comparing._inside({"a": 1}, {"a": True})
    assert not comparing._inside({"a": True}, {"a": 1})
    assert comparing._inside({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3})
    assert not comparing._inside({"a": [1]}, {"a": [1, 2]})
    assert comparing._inside({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 1}]})
    assert comparing._same("targets", ["web1", "host:web2"], {"targets": ["host:web2", "host:web1"]})
    assert not comparing._same("target", "web1", {"targets": ["host:web1", "host:web2"]})
