"""Upstream's own example rulebooks load here, and fire as its engine fires.

The examples come from its source distribution of the installed version, once, into pytest's cache. `upstream_examples.json` is what its
engine fired for the events that their sources give; RECORD_EXAMPLES=1 writes it anew (Java 17). Time is virtual on both sides.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import examples  # conftest.py has put it where it is found
from healer import engine, errors, testing

VERSION = importlib.metadata.version("ansible-rulebook")
RECORDED = pathlib.Path(__file__).with_name("upstream_examples.json")
VARIABLES: dict[str, dict[str, Any]] = {
    "28_right_side_condition_template.yml": {"custom": {"expected_index": 2}},
    "51_vars_namespace.yml": {"person": {
        "age": 45, "name": "Fred Flintstone", "active": True, "reliability": 86.9,
        "address": {"street": "123 Any Street", "city": "Bedrock", "state": "NJ", "years_active": [2001, 2002, 2003, 2004]},
    }},
    "72_set_fact_with_type.yml": {"my_bool": True, "my_int": 2, "my_float": 3.123},
}  # fmt: skip
"""What upstream's own tests give them."""
REFUSED = {
    "22_run_playbook.yml": ("wrong-type", "its playbook has no name; upstream's own schema refuses it too"),
}
"""Example → (code, reason) of the error that it has here."""
ROUNDS_MAX = 20
"""Of actions that make events and facts."""


@pytest.fixture(scope="session")
def tests(request: pytest.FixtureRequest) -> pathlib.Path:
    """The folder `tests` of upstream's source distribution."""
    found: pathlib.Path | None = examples.fetch(VERSION, request.config.cache.mkdir("upstream"))  # type: ignore[union-attr]
    if found is None:
        pytest.skip("no network: upstream's examples cannot be downloaded")
    return found


@pytest.fixture(scope="session")
def paths(tests: pathlib.Path) -> list[pathlib.Path]:
    """All examples."""
    found = sorted((tests / "examples").glob("*.yml"))
    assert len(found) > 90
    return found


def recorded() -> dict[str, Any]:
    """What was recorded, by example."""
    found = json.loads(RECORDED.read_text("utf-8"))
    assert found["ansible_rulebook"] == VERSION, "another version: RECORD_EXAMPLES=1"
    made: dict[str, Any] = found["examples"]
    return made


def test_every_example_loads(paths: Sequence[pathlib.Path]) -> None:
    wrong = {}
    for path in paths:
        try:
            testing.load(path, VARIABLES.get(path.name))
        except errors.ConfigurationError as error:
            wrong[path.name] = {one.code for one in error.diagnostics if one.severity == "error"}
    assert wrong == {name: {code} for name, (code, _) in REFUSED.items()}


class Ours:
    """The sessions of a rulebook, on a clock in milliseconds."""

    def __init__(self, book: list[dict[str, Any]], variables: Mapping[str, Any]) -> None:
        self.sessions = {one.name: engine.Session(one) for one in testing.load(book, variables)}
        self.now_ms = 0

    def step(self, step: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What a step fires, as the peer's program says it."""
        self.now_ms += step.get("advance_ms", 0)
        found = []
        for name, session in self.sessions.items():
            if step.get("ruleset", name) == name:
                found += [_shown(name, match, step) for match in self._matches(session, json.loads(json.dumps(step)))]
        return found

    def _matches(self, session: engine.Session, step: Mapping[str, Any]) -> Sequence[engine.Match]:
        now = self.now_ms / 1000
        if "event" in step:
            return session.post(step["event"], now)
        if "fact" in step:
            return session.assert_fact(step["fact"], now)
        if "retract" in step:
            return session.retract_fact(step["retract"], step["partial"], step["exclude_keys"], now)
        return session.advance(now)


def _shown(ruleset: str, match: engine.Match, step: Mapping[str, Any]) -> dict[str, Any]:
    at = {"at": round(match.at * 1000)} if "advance_ms" in step else {}
    return {"ruleset": ruleset, "rule": match.rule.name, "matches": match.matches, **at}


def test_every_example_fires_as_recorded(paths: Sequence[pathlib.Path]) -> None:
    wrong, of_file, fired = [], recorded(), 0
    assert set(of_file) == {path.name for path in paths} - set(REFUSED)
    for path in paths:
        if path.name in REFUSED:
            continue
        ours = Ours(examples.rulebook(path), VARIABLES.get(path.name, {}))
        one = of_file[path.name]
        for number, (step, wanted) in enumerate(zip(one["steps"], one["fired"], strict=True)):
            fired += len(wanted)
            got = ours.step(step)
            if got != wanted:
                wrong.append((path.name, number, step, wanted, got))
    assert not wrong, f"{len(wrong)} steps, the first: {wrong[0]}"
    assert fired > 200


def record(
    paths: Sequence[pathlib.Path], tests: pathlib.Path, peer: Callable[..., list[dict[str, Any]]]
) -> dict[str, Any]:
    """What the real engine fires for each example. What its actions make comes right behind the step that they fired in."""
    found: dict[str, Any] = {}
    for path in paths:
        if path.name not in REFUSED:
            book = examples.rulebook(path)
            found[path.name] = {"rulebook": book, "steps": list(examples.steps(book, tests)), "done": 0}
    for _ in range(ROUNDS_MAX):
        cases = [
            {"rulebook": [{**ruleset, "sources": []} for ruleset in one["rulebook"]], "steps": one["steps"],
             "variables": VARIABLES.get(name, {}), "named": True}
            for name, one in found.items()
        ]  # fmt: skip
        for (name, one), answer in zip(found.items(), peer(cases), strict=True):
            assert "steps" in answer, (name, answer)
            one["fired"] = answer["steps"]
            _grow(one, VARIABLES.get(name, {}))
        if all(one["done"] == len(one["steps"]) for one in found.values()):
            break
    return {name: {"steps": one["steps"], "fired": one["fired"]} for name, one in found.items()}


def _grow(one: dict[str, Any], variables: Mapping[str, Any]) -> None:
    """Put in what the actions of the next step that has some make; or find that there is none."""
    for number in range(one["done"], len(one["steps"])):
        made = [step for fired in one["fired"][number] for step in examples.feedback(one["rulebook"], fired, variables)]
        one["done"] = number + 1
        if any("shutdown" in step for step in made):
            del one["steps"][number + 1 :], one["fired"][number + 1 :]
        if made:
            one["steps"][number + 1 : number + 1] = [step for step in made if "shutdown" not in step]
            return


def test_the_engine_still_fires_what_is_recorded(
    paths: Sequence[pathlib.Path], tests: pathlib.Path, peer: Callable[..., list[dict[str, Any]]]
) -> None:
    found = record(paths, tests, peer)
    if os.environ.get("RECORD_EXAMPLES"):
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in found.items())
        RECORDED.write_text(f'{{"ansible_rulebook": "{VERSION}", "examples": {{\n{lines}\n}}}}\n', encoding="utf-8")
    assert found == recorded()
