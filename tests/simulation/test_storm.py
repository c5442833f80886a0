"""The storm: thousands of alerts in a minute, and afterwards none is forgotten, none healed twice, and no limit was broken."""

from __future__ import annotations

import brakes_held
import invariants
import pytest
import simulating
import storming

LIMITS_OF_ITS_OWN = (
    "places_hold",
    "cooldown_holds",
    "rates_hold",
    "blast_radius_holds",
    "waves_hold",
    "breakers_hold",
    "sign_is_fresh",
    "nothing_begins_unapproved",
)
"""Checkers that know the limits of the other project."""


def test_nothing_is_lost_or_done_twice_in_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STORM_MATCHES", 200), ("STORM_S", 60), ("CALM_US", 60 * simulating.US)):
        monkeypatch.setattr(brakes_held, name, value)
    seen = simulating.simulate(1, storming.Storm)
    told = storming.summed_up(seen)
    assert not seen.errors, seen.errors
    names = tuple(name for name in invariants.ALL if name not in LIMITS_OF_ITS_OWN)
    found = [*storming.healed_once(seen), *storming.places_hold(seen), *invariants.broken(seen, names)]
    assert found == [], told
    assert seen.crashes == 2
    assert told["storms"] >= 1
    assert {act.kind for act in seen.crowd.acts if not act.error} == {"pause", "resume"}
    assert told["effects"] > storming.ALERTS / 4
    assert told["states"]["succeeded:verified"] > storming.ALERTS / 4
    assert told["states"]["withdrawn:resolved"] > storming.ALERTS / 4


def test_observe_mode_touches_nothing_and_decides_as_active_mode_would() -> None:
    """Every match of the storm, since no outcome matters before all of it has come."""
    acting, observing = simulating.simulate(2, storming.Watched), simulating.simulate(2, storming.Observed)
    assert not acting.errors + observing.errors
    assert (len(observing.world.effects), observing.rows("SELECT count(*) FROM attempt")) == (0, [(0,)])
    assert observing.rows("SELECT count(*) FROM run WHERE state <> 'simulated'") == [(0,)]
    assert len(acting.world.effects) == storming.PLACES
    assert acting.rows("SELECT count(*) FROM attempt WHERE ended_us IS NOT NULL AND started_us IS NOT NULL") == [(0,)]
    decided, would = storming.verdicts(acting), storming.verdicts(observing)
    assert decided == would
    assert len(decided) > 0.9 * storming.ALERTS  # of a few the word was lost on its way
    assert {reason for _, _, reason in decided} == {"", "paused", "storm"}
