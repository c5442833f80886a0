"""What a policy selects passes every gate; places are of all that share a budget."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import gates

S = 1_000_000


def test_upstreams_actions_pass_the_gates_that_a_policy_names() -> None:
    plain = policy.Candidate("r-1", "a/b/c", "run_playbook x", "here", ("host:a",), 0, policy.Limits(), upstream=True)
    view = policy.View(last_ended={"host:a": (9 * S, "r-0")})
    assert policy.decide(plain, view, 10 * S).state == "queued"
    for said, reason in (({"cooldown": 60}, "cooldown"), ({"max_age": 5}, "stale"), ({"timeout": 5}, "")):
        limits = policy.Limits(lock_targets=False).under([policy.Layer("rule:a/b/c", said)])
        assert policy.decide(dataclasses.replace(plain, limits=limits), view, 10 * S).reason == reason


@pytest.mark.parametrize(
    ("taken", "codes"),
    [
        ({}, []), ({"rule:a/b/c": 1}, ["concurrency"]), ({"ruleset:a/b": 2}, ["concurrency"]), ({"ruleset:a/b": 1}, []),
        ({"ruleset:a/bb": 5, "policy:a/b": 5}, []), ({"rule:a/b/c": 1, "ruleset:a/b": 2}, ["concurrency", "concurrency"]),
        ({"rule:a/b/c2": 1}, []),
    ],
)  # fmt: skip
def test_places_of_a_ruleset_and_of_a_rule(taken: dict[str, int], codes: list[str]) -> None:
    said: list[tuple[str, dict[str, Any]]] = [("ruleset:a/b", {"concurrency": 2}), ("rule:a/b/c", {"concurrency": 1})]
    limits = policy.Limits().under([policy.Layer(scope, values) for scope, values in said])
    candidate = policy.Candidate("r-1", "a/b/c", "x", "here", (), 0, limits)
    noes = gates.lock(candidate, policy.View(places=taken), 0)[1]
    assert [no.code for no in noes] == codes
    assert all("policy of a/b" in no.fields["place"] for no in noes)


def test_a_run_of_a_policy_names_it_as_what_has_no_place() -> None:
    limits = policy.Limits().under([policy.Layer("policy:at night", {"concurrency": 1})])
    candidate = policy.Candidate("r-1", "a/b/c", "x", "here", (), 0, limits)
    (no,) = gates.lock(candidate, policy.View(places={"policy:at night": 1}), 0)[1]
    assert no.fields == {"used": 1, "limit": 1, "place": "the policy at night"}
