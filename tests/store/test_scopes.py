"""Which runs a scope covers: by the names of the rule's activation and ruleset, which may have slashes, and not by how its identity begins."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from healer import policy
from healer.store import pausing, scopes

WIDE = policy.Limits(timeout_s=10)
TEAM, WEB = ("team", "rs", "r"), ("team/web", "rs", "r")
NAMES = {"/".join(names): names for names in (TEAM, WEB, ("team", "web/rs", "s"))}


@pytest.mark.parametrize(("scope", "covered"), [
    ("all", ["team/rs/r", "team/web/rs/r", "team/web/rs/s"]), ("activation:team", ["team/rs/r", "team/web/rs/s"]),
    ("activation:team/web", ["team/web/rs/r"]), ("ruleset:team/web", []), ("ruleset:team/web/rs", ["team/web/rs/r", "team/web/rs/s"]),
    ("ruleset:team/rs", ["team/rs/r"]), ("rule:team/web/rs/r", ["team/web/rs/r"]), ("rule:team/web/rs", []),
    ("controller:here", ["team/rs/r", "team/web/rs/r", "team/web/rs/s"]), ("controller:team", []), ("activation:", []), ("what:team", []),
])  # fmt: skip
def test_it_is_a_matter_of_exact_names(scope: str, covered: list[str]) -> None:
    rules = scopes.Rules()
    rules.use(NAMES)
    assert [rule for rule in NAMES if rules.covers(scope, rule, "here")] == covered


def test_of_a_rule_that_is_not_there_any_more_the_first_slashes_count() -> None:
    rules = scopes.Rules()
    assert (rules.names("team/web/rs/r"), rules.names("x")) == (("team", "web", "rs/r"), ("x", "", ""))


@hypothesis.given(names=strategies.tuples(*[strategies.text("ab/", min_size=1, max_size=4)] * 3))
def test_each_part_of_a_rules_own_name_covers_it(names: scopes.Names) -> None:
    own = [f"activation:{names[0]}", f"ruleset:{'/'.join(names[:2])}", f"rule:{'/'.join(names)}"]
    assert [scopes.covers(scope, names, "") for scope in own] == [True] * 3
    assert not any(scopes.covers(f"{scope}x", names, "") for scope in own)


# --- in rows ----------------------------------------------------------------------------------------------------------------


def decided(kit: Any, names: scopes.Names) -> str:
    """A run of a rule, on a host of its own."""
    key = f"k{len(kit.rows('SELECT id FROM run'))}"
    made = kit.asked(key, f"host:{key}", limits=WIDE)
    candidate = dataclasses.replace(made.candidate, rule="/".join(names), names=names)
    (run,) = kit.decide(dataclasses.replace(made, candidate=candidate)).runs
    return str(run)


def test_a_pause_of_one_activation_is_none_of_another_whose_name_begins_so(kit: Any) -> None:
    kit.store.writer.tx.rules.use(NAMES)
    kit.do(pausing.Pause("activation:team", "os:ana", ""))
    mine, other = decided(kit, TEAM), decided(kit, WEB)
    assert (kit.state_of(mine), kit.state_of(other)) == (("deferred", "paused"), ("queued", ""))
    assert [one.run["id"] for one in kit.claim().claimed] == [other]
    under_way, waiting = kit.do(pausing.Pause("activation:team/web", "os:ana", ""))
    assert ([one.run for one in under_way], waiting) == ([other], 0)
    kit.do(pausing.Resume("activation:team", "os:ana"))
    assert kit.rows("SELECT id FROM run WHERE look_at_us IS NOT NULL") == [(mine,)]


def test_what_the_gates_are_asked_about_brings_its_names_itself(kit: Any) -> None:
    """A new rule, decided before anybody has told the store of it."""
    kit.do(pausing.Pause("activation:team/web", "os:ana", ""))
    assert kit.state_of(decided(kit, WEB)) == ("deferred", "paused")
    assert kit.state_of(decided(kit, TEAM)) == ("queued", "")


def test_a_ramp_is_of_those_alone_that_the_pause_held(kit: Any) -> None:
    kit.store.writer.tx.rules.use(NAMES)
    kit.do(pausing.Pause("activation:team", "os:ana", ""))
    for _ in range(3):
        decided(kit, TEAM)
    kit.do(pausing.Resume("activation:team", "os:ana"))
    kit.now_us += 1
    kit.decide(look=True)
    (first,) = kit.claim().claimed
    for _ in range(5):
        kit.now_us += 1
        run = decided(kit, WEB)
        (claimed,) = kit.claim().claimed
        assert claimed.run["id"] == run
        kit.finish(claimed)
    kit.finish(first)
    assert len(kit.claim().claimed) == 2
