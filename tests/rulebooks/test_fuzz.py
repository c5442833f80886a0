"""No text gives anything but rules or diagnostics, and no event anything but firings: hypothesis, and what it once found.

`make fuzz` looks further: FUZZ=n examples of each kind (default 150). A find goes into `corpus/`, where every run looks at it:
a line `[why, text]` of `conditions.jsonl` or `documents.jsonl`, or a line `[why, condition, events]` of `events.jsonl`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import generating
import hypothesis
import mutating
import pytest
from hypothesis import strategies as st

import examples  # conftest.py has put it where it is found
from healer import config, engine, errors, rulebook

CORPUS = pathlib.Path(__file__).with_name("corpus")
FUZZ = hypothesis.settings(
    max_examples=int(os.environ.get("FUZZ", "150")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
    **({"derandomize": False} if "FUZZ" in os.environ else {}),
)
VARIABLES = {"x": 42, "l": [1, "a"], "m": {"k": 1}, "n": None}
CALLS_EACH, CALLS_MORE = 150, 30_000
"""Calls of Python that reading may take: for each character, and beside that."""


def corpus(name: str) -> list[Any]:
    """The finds of one kind, each under its reason."""
    lines = [json.loads(line) for line in (CORPUS / name).read_text("utf-8").splitlines()]
    return [pytest.param(*rest, id=why) for why, *rest in lines]


class Seeds:
    """What to begin with. No dataclass: hypothesis would show all of it beside a find, and fail on its length."""

    def __init__(self, conditions: list[str], documents: list[str]) -> None:
        self.conditions = conditions
        self.documents = documents


@pytest.fixture(scope="session")
def seeds(repository: pathlib.Path, request: pytest.FixtureRequest) -> Seeds:
    """Conditions and documents to begin with: generated ones, this repository's, and upstream's where they can be had."""
    conditions = [
        rule["condition"]
        for seed in range(40)
        for rule in generating.expressions(seed).rulebook[0]["rules"]
        if isinstance(rule["condition"], str)
    ]
    version = importlib.metadata.version("ansible-rulebook")
    upstream = examples.fetch(version, request.config.cache.mkdir("upstream"))  # type: ignore[union-attr]
    paths = [*(repository / "rulebooks").glob("*.yml"), *((upstream / "examples").glob("*.yml") if upstream else ())]
    made = [json.dumps(generating.timed(seed).rulebook, indent=1) for seed in range(10)]
    return Seeds(conditions, [path.read_text("utf-8") for path in sorted(paths)] + made)


class Work:
    """Counts calls of Python, which say how long something takes whatever the machine."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        self.calls += event == "call"

    def __enter__(self) -> Work:
        self._before = sys.getprofile()
        sys.setprofile(self)
        return self

    def __exit__(self, *caught: object) -> None:
        sys.setprofile(self._before)


def looked_at(text: str) -> list[engine.Compiled]:
    """What a text gives: rules or diagnostics, each inside the text, with bounded work."""
    with Work() as work:
        document = config.read_text(text, "x.yml", twice="warning")
        rulesets = rulebook.parse(document, VARIABLES)
    if "*" not in text:  # an alias is read as often as it stands
        assert work.calls <= CALLS_MORE + CALLS_EACH * len(text)
    assert rulesets or not document.ok
    for found in document.diagnostics:
        assert found.code
        assert found.message
        assert str(found)
        assert inside(document, found.place), found
    return [engine.compile(ruleset) for ruleset in rulesets]


def inside(document: config.Document, place: errors.Place) -> bool:
    """Whether a place is one of the text; an empty text has none, and the end of a text is that of YAML: the line after the last one."""
    lines = document.lines
    if place.line > len(lines):
        return (place.line, place.column) == (len(lines) + 1, 1)
    return place.line >= 1 and 1 <= place.column <= len(lines[place.line - 1]) + 1 if lines else place.line == 0


def run(compiled: Sequence[engine.Compiled], events: Sequence[dict[str, Any]]) -> None:
    """Everything that can be done with events gives firings of the rules that are there, and a stop in between changes none."""
    for one in compiled:
        straight = engine.Session(one)
        names = {rule.name for rule in one.rules}
        assert {fired[0] for fired in _fired(straight, events, 0)} <= names
        stopped = engine.Session(one)
        stopped.restore(json.loads(json.dumps(straight.snapshot())))
        later = 3 * len(events)
        assert _fired(stopped, events, later) == _fired(straight, events, later)


def _fired(session: engine.Session, events: Sequence[dict[str, Any]], now: float) -> list[tuple[Any, ...]]:
    """The firings (rule, events, references, time) of events and of facts, which come and go, three seconds apart."""
    found: list[engine.Match] = []
    for number, event in enumerate(events):
        told = session.explain(event)
        assert [one["rule"] for one in told] == [rule.name for rule in session.compiled.rules]
        at = now + 3 * number
        found += [*session.post(event, at, number), *session.assert_fact(event, at, number)]
        if number % 2:
            found += session.retract_fact(event, True, [], at, number)
        found += session.advance(at + 2)
    return [(match.rule.name, match.matches, match.refs, match.at) for match in found]


def in_a_book(condition: str) -> str:
    """The document of one rule with a condition."""
    rule = {"name": "r", "condition": condition, "action": {"none": {}}}
    return json.dumps([{"name": "s", "hosts": "all", "sources": [{"healer.api": {}}], "rules": [rule]}])


@FUZZ
@hypothesis.given(data=st.data())
def test_any_condition_gives_a_rule_or_a_diagnostic(data: st.DataObject, seeds: Seeds) -> None:
    text = data.draw(mutating.books(seeds.conditions))
    compiled = looked_at(text)
    if compiled:
        run(compiled, data.draw(mutating.events(text)))


@FUZZ
@hypothesis.given(data=st.data())
def test_any_document_gives_rules_or_diagnostics(data: st.DataObject, seeds: Seeds) -> None:
    text = data.draw(mutating.documents(seeds.documents))
    compiled = looked_at(text)
    if compiled:
        run(compiled, data.draw(mutating.events(text)))


@pytest.mark.parametrize("text", corpus("conditions.jsonl"))
def test_conditions_of_the_corpus(text: str) -> None:
    run(looked_at(in_a_book(text)), [{}, {"a": None}, {"a": {"b": [1]}, "b": "x"}])


@pytest.mark.parametrize("text", corpus("documents.jsonl"))
def test_documents_of_the_corpus(text: str) -> None:
    run(looked_at(text), [{}, {"a": None}, {"a": {"b": [1]}, "b": "x"}])


@pytest.mark.parametrize(("condition", "events"), corpus("events.jsonl"))
def test_events_of_the_corpus(condition: Any, events: list[dict[str, Any]]) -> None:
    compiled = looked_at(in_a_book(condition))
    assert [len(one.rules) for one in compiled] == [1]
    run(compiled, events)
