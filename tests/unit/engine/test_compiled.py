"""Compiling: slices, digests, what a ruleset reads."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

from healer import engine, testing


def one(*conditions: str, **keys: Any) -> engine.Compiled:
    rules = [
        {"name": f"r{n}", "condition": text, "action": {"none": None}, **keys} for n, text in enumerate(conditions)
    ]
    return testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": rules}])[0]


def test_the_digest_is_of_the_meaning() -> None:
    same = one("event.a == 1 and event.b == 2").digest
    assert one("event.a==1   and (event.b == 2)").digest == same
    assert len(same) == 64
    for other in ("event.a == 1.0 and event.b == 2", 'event.a == "1" and event.b == 2', "event.a == 1 or event.b == 2"):
        assert one(other).digest != same


def test_the_digest_sees_throttle_actions_and_paths() -> None:
    throttle = {"once_within": "10 seconds", "group_by_attributes": ["a"]}
    digests = [
        one("event.a.b == 1").digest,
        one('event.a["b"] == 1').digest,
        one("event.a.b == 1", throttle=throttle).digest,
        one("event.a.b == 1", throttle={**throttle, "once_within": "11 seconds"}).digest,
        one("event.a.b == 1", action={"debug": {"msg": "x"}}).digest,
        one("event.a.b == 1", enabled=False).digest,
    ]
    assert len(set(digests)) == len(digests)


def test_slices_give_the_same_as_at_once() -> None:
    ruleset = one(*(f"event.a == {n}" for n in range(100))).ruleset
    slices, steps = engine.compile_in_slices(ruleset), 0
    while True:
        try:
            next(slices)
            steps += 1
        except StopIteration as done:
            assert done.value.digest == engine.compile(ruleset).digest
            break
    assert steps >= 5


def test_uses_meta() -> None:
    assert not one("event.a == 1").uses_meta
    assert one('event.a == 1 or event.meta.source == "x"').uses_meta
    throttle = {"once_within": "1 second", "group_by_attributes": ["event.meta.hosts"]}
    assert one("event.a == 1", throttle=throttle).uses_meta


def test_rules_are_all_rules_and_keep_their_place() -> None:
    made = testing.load("""
- name: s
  hosts: all
  sources: []
  rules:
    - {name: first, condition: event.a == 1, action: {none: }, enabled: false}
    - {name: second, condition: event.a == 1, action: {none: }}
""")[0]
    assert [(rule.name, rule.enabled, rule.index, rule.place.line) for rule in made.rules] == [
        ("first", False, 0, 6),
        ("second", True, 1, 7),
    ]


def test_a_ruleset_survives_pickling() -> None:
    ruleset = one('not (event.a["x"][0] == 1 or event.b is search("y"))').ruleset
    again = pickle.loads(pickle.dumps(ruleset))
    assert again == ruleset
    assert engine.compile(again).digest == engine.compile(ruleset).digest


PROGRAM = """
from healer import engine, testing
rules = [{"name": f"r{n}", "condition": c, "action": {"none": None}} for n, c in enumerate(
    ['event.a in ["x", "y", 1, true]', 'event.a is search("x.*")', "event.b is defined", "event.c.d > 1"] * 3)]
made = testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": rules, "match_multiple_rules": True}])[0]
session = engine.Session(made)
event = {"a": "x", "b": {"z": 1, "y": 2}, "c": {"d": 5}}
print(made.digest, [(m.rule.name, m.matches) for m in session.post(event, 1)], session.explain(event), session.snapshot())
"""


def test_the_hash_seed_changes_nothing() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1
