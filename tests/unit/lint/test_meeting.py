"""An `all` whose events meet themselves: what is said of it is what the engine does."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from healer import config, engine, rulebook
from healer.lint import meeting

HEAD = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"


def made(listed: list[str], timeout: str = "") -> engine.Ruleset:
    rule = {
        "name": "r",
        "condition": {"all": listed, **({"timeout": timeout} if timeout else {})},
        "action": {"none": {}},
    }
    document = config.read_text(json.dumps([{"name": "a", "hosts": "all", "sources": [], "rules": [rule]}]), "a.yml")
    (ruleset,) = rulebook.parse(document, {})
    assert document.ok, document.diagnostics
    return ruleset


def said(*listed: str) -> tuple[int, int, bool] | None:
    found = meeting.itself(made(list(listed)).rules[0].condition)
    return None if found is None else (found.first, found.other, found.never)


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (["event.k == 1", "event.k == 1"], (0, 1, True)),
        (["event.k == 1 and event.i == 2", "event.i == 2 and event.k in [1]"], (0, 1, True)),
        (["event.k == 1"] * 3, (0, 1, True)),
        (["event.k is defined", "event.k == 2"], (1, 0, False)),
        (["event.k > 10", "event.k > 5"], (0, 1, False)),
        (["event.k > 5", "event.k > 10"], (1, 0, False)),
        (["true", "event.k > 10"], (1, 0, False)),
        (["event.i == 1", "event.j == 1", "event.i == 1 and event.j == 1"], (2, 0, False)),
        (['events.f << event.k == "a"', "event.h == events.f.h"], (0, 1, False)),
        (['events.f << event.k == "a"', "event.h == events.f.h", "events.m_1.h == event.h"], None),
        (['events.f << event.k == "a"', "event.h == events.f.h and event.i == events.f.i"], (0, 1, False)),
        (["event.k == 1", "event.k == 1", "event.i == 1"], None),
        (["event.k > 5", "event.k < 10"], None),
        (["event.k is not defined", "event.k is not defined"], None),
        (["event.k == 1 and event.k == 2", "event.k == 1"], None),
        (['events.f << event.k == "a"', 'event.k == "b" and event.h == events.f.h'], None),
        (['events.f << event.k == "a"', "event.h == events.f.i"], None),
        (['events.f << event.k == "a"', "event.h != events.f.h"], None),
    ],
)
def test_which_meets_the_others_by_itself(listed: list[str], wanted: tuple[int, int, bool] | None) -> None:
    assert said(*listed) == wanted


def test_it_is_told_where_it_stands(linted: Any, rules: Any) -> None:
    found = [
        one
        for one in linted(rules("condition: {all: [event.k > 5, event.k > 10]}", head=HEAD))
        if one.code == "trap-self-match"
    ]
    message = (
        "each event of condition 2 of the rule 'rule 0' meets condition 1 by itself, and is used up:"
        " it waits for none, and the rule fires only where it comes last"
    )
    assert [(one.message, one.place.line, one.place.column) for one in found] == [(message, 6, 38)]
    joined = "condition: {all: ['events.f << event.k == 1', event.h == events.f.h]}"
    (one,) = [one for one in linted(rules(joined, head=HEAD)) if one.code == "trap-self-match"]
    assert "each event of condition 1 of the rule 'rule 0' that can meet condition 2 does so by itself" in one.message


TESTS = (
    "event.k == 1",
    "event.k > 1",
    "event.k >= 1",
    "event.k is defined",
    "event.i == 1",
    "event.i != 1",
    "event.k == 1 and event.i == 1",
    "true",
)
JOINS = ("event.h == events.m_0.h", "events.m_0.h == event.h and event.i == events.m_0.i", "event.h == events.m_0.i")
VALUES = (None, 1, 2, "x")


@pytest.mark.parametrize("seed", range(6))
def test_what_meets_itself_waits_for_none(seed: int) -> None:
    draw, claims = random.Random(seed), 0
    for _ in range(250):
        listed = [draw.choice(TESTS)] + [
            draw.choice(TESTS if draw.random() < 0.7 else JOINS) for _ in range(draw.choice((1, 1, 2)))
        ]
        ruleset = made(listed, draw.choice(("", "", "5 seconds")))
        found = meeting.itself(ruleset.rules[0].condition)
        if found is None:
            continue
        claims += 1
        meets = engine.Session(made([listed[found.first]]))
        session = engine.Session(ruleset)
        for at in range(60):
            event = {"n": at, **{name: draw.choice(VALUES) for name in "khi" if draw.random() < 0.8}}
            for match in session.post(event, float(at)):
                waited = [one for one in match.matches.values() if one["n"] != at]
                assert not found.never, listed
                assert not [one for one in waited if meets.post(one, float(at))], (listed, match)
    assert claims > 20
