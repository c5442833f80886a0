"""Limits under policies: the stricter value holds, whoever says it; and what a policy selects passes every gate."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import policy
from healer.policy import gates

S = 1_000_000
LIMITS = policy.Limits(max_age_s=900, defer_for_s=None, attempts=3, cooldown_s=600, timeout_s=60)


def test_without_a_policy_nothing_changes() -> None:
    assert LIMITS.tightened([]) is LIMITS


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"cooldown": 900.0}, {"cooldown_s": 900.0}), ({"cooldown": 5.0}, {"cooldown_s": 600}),
        ({"max_age": 10.0}, {"max_age_s": 10.0}), ({"max_age": 1e6}, {"max_age_s": 900}), ({"defer_for": 7.0}, {"defer_for_s": 7.0}),
        ({"attempts": 1}, {"attempts": 1}), ({"attempts": 9}, {"attempts": 3}), ({"timeout": 1.0}, {"timeout_s": 1.0}),
        ({"concurrency": 2}, {"places": (("a/b/", 2),)}),
    ],
)  # fmt: skip
def test_it_tightens_only(said: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert LIMITS.tightened([("a/b/", said)]) == dataclasses.replace(LIMITS, selected=True, **wanted)


POLICIES = st.dictionaries(
    st.sampled_from(["cooldown", "max_age", "defer_for", "attempts", "timeout", "concurrency"]), st.integers(1, 2000)
)


@hypothesis.given(st.lists(POLICIES, min_size=1, max_size=4))
def test_more_policies_are_never_looser_and_their_order_says_nothing(said: list[dict[str, float]]) -> None:
    found = [(f"s{number}/", one) for number, one in enumerate(said)]
    all_, some = LIMITS.tightened(found), LIMITS.tightened(found[:-1]) if len(found) > 1 else LIMITS
    for key in ("max_age_s", "defer_for_s", "attempts", "timeout_s"):
        assert getattr(some, key) is None or getattr(all_, key) <= getattr(some, key)
    assert (all_.cooldown_s or 0) >= (some.cooldown_s or 0)
    turned = LIMITS.tightened(found[::-1])
    assert dataclasses.replace(turned, places=()) == dataclasses.replace(all_, places=())
    assert set(turned.places) == set(all_.places)


@hypothesis.given(st.lists(POLICIES, max_size=3))
def test_a_row_keeps_them(said: list[dict[str, float]]) -> None:
    made = LIMITS.tightened([(f"s{number}/", one) for number, one in enumerate(said)])
    assert policy.Limits.from_json(made.as_json()) == made


def test_upstreams_actions_pass_the_gates_that_a_policy_names() -> None:
    plain = policy.Candidate("r-1", "a/b/c", "run_playbook x", "here", ("host:a",), 0, policy.Limits(), upstream=True)
    view = policy.View(last_ended={"host:a": (9 * S, "r-0")})
    assert policy.decide(plain, view, 10 * S).state == "queued"
    for said, reason in (({"cooldown": 60}, "cooldown"), ({"max_age": 5}, "stale"), ({"timeout": 5}, "")):
        limits = policy.Limits(lock_targets=False).tightened([("a/b/", said)])
        assert policy.decide(dataclasses.replace(plain, limits=limits), view, 10 * S).reason == reason


@pytest.mark.parametrize(
    ("running", "codes"),
    [
        ({}, []), ({"a/b/c": 1}, ["concurrency"]), ({"a/b/other": 2}, ["concurrency"]), ({"a/b/other": 1}, []), ({"a/b": 5, "a/bb/c": 5}, []),
        ({"a/b/c": 2}, ["concurrency", "concurrency"]), ({"a/b/c2": 1}, []),
    ],
)  # fmt: skip
def test_places_of_a_ruleset_and_of_a_rule(running: dict[str, int], codes: list[str]) -> None:
    limits = policy.Limits().tightened([("a/b/", {"concurrency": 2}), ("a/b/c", {"concurrency": 1})])
    candidate = policy.Candidate("r-1", "a/b/c", "x", "here", (), 0, limits)
    noes = gates.lock(candidate, policy.View(running_by_rule=running), 0)[1]
    assert [no.code for no in noes] == codes
    assert all("policy of a/b" in no.fields["place"] for no in noes)
