"""The traps of the language that the linter tells, each with a case beside it that is none; what they claim is what the engine does."""

from __future__ import annotations

import pytest

from healer import config, engine, rulebook
from healer.lint import alerts

HEAD = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
MMR = HEAD.replace("  rules:", "  match_multiple_rules: true\n  rules:")

TRAPS = [
    ("trap-facts", "facts.x == 1", "fact.x == 1"),
    ("trap-events", "events.x == 1", "event.x == 1"),
    ("trap-index", 'event.a["0"] == 1', "event.a[0] == 1"),
    ("trap-text-order", 'event.a > "5"', "event.a > 5"),
    ("trap-text-order", "event.a >= '5.5'", 'event.a > "b"'),
    ("trap-not-select", 'event.a is not select(">", 5)', 'not (event.a is select(">", 5))'),
    ("trap-select-match", 'event.a is select("match", "x")', 'event.a is select("match", "^x")'),
    ("trap-select-match", 'event.a is selectattr("b", "match", "x")', 'event.a is selectattr("b", "search", "x")'),
]


def codes_of(found, code):
    return [(one.place.line, one.severity) for one in found if one.code == code]


@pytest.mark.parametrize(("code", "trap", "sound"), TRAPS)
def test_of_one_condition(linted, rules, code, trap, sound):
    assert [line for line, _ in codes_of(linted(rules(f"condition: {trap}", head=HEAD)), code)] == [6]
    assert codes_of(linted(rules(f"condition: {sound}", head=HEAD)), code) == []


SEVERAL = [
    (
        "trap-not-all-alone",
        "{not_all: [event.a == 1], timeout: 1 minute}",
        "{not_all: [event.a == 1, event.b == 1], timeout: 1 minute}",
    ),
    (
        "trap-absence-join",
        "{all: [event.a is not defined, event.b == 1]}",
        "{all: [event.a is not defined and event.c == 1, event.b == 1]}",
    ),
    ("trap-self-match", "{all: [event.a == 1, event.a == 1]}", "{all: [event.a == 1, event.a == 2]}"),
    (
        "trap-self-match",
        "{all: ['events.f << event.k == \"a\"', event.h == events.f.h]}",
        '{all: [\'events.f << event.k == "a"\', event.k == "b" and event.h == events.f.h]}',
    ),
    (
        "trap-zero-window",
        "{all: [event.a == 1, event.b == 1], timeout: 0 seconds}",
        "{all: [event.a == 1, event.b == 1], timeout: 1 second}",
    ),
    (
        "trap-ttl",
        "{all: [event.a == 1, event.b == 1], timeout: 3 hours}",
        "{all: [event.a == 1, event.b == 1], timeout: 2 hours}",
    ),
]


@pytest.mark.parametrize(("code", "trap", "sound"), SEVERAL)
def test_of_several_conditions(linted, rules, code, trap, sound):
    assert len(codes_of(linted(rules(f"condition: {trap}", head=HEAD)), code)) == 1
    assert codes_of(linted(rules(f"condition: {sound}", head=HEAD)), code) == []


def test_with_match_multiple_rules_an_event_that_meets_itself_is_not_used_up(linted, rules):
    assert codes_of(linted(rules("condition: {all: [event.a == 1, event.a == 1]}", head=MMR)), "trap-self-match") == []


def test_facts_that_meet_themselves_are_not_used_up(linted, rules):
    makes = "condition: event.b == 1\naction: {set_fact: {fact: {a: 1}}}"
    found = linted(rules(makes, "condition: {all: [event.a == 1, event.a == 1]}", head=HEAD))
    assert codes_of(found, "trap-self-match") == []


@pytest.mark.parametrize(
    ("code", "trap", "sound"),
    [
        ("trap-threshold", "{accumulate_within: 1 minute, threshold: 1, group_by_attributes: [event.a]}", "{accumulate_within: 1 minute, threshold: 2, group_by_attributes: [event.a]}"),
        ("trap-zero-window", "{once_within: 0 seconds, group_by_attributes: [event.a]}", "{once_within: 1 second, group_by_attributes: [event.a]}"),
    ],
)  # fmt: skip
def test_of_throttles(linted, rules, code, trap, sound):
    assert [
        line for line, _ in codes_of(linted(rules(f"condition: event.a == 1\nthrottle: {trap}", head=HEAD)), code)
    ] == [7]
    assert codes_of(linted(rules(f"condition: event.a == 1\nthrottle: {sound}", head=HEAD)), code) == []


def test_a_template_in_a_condition_is_a_text(linted, rules):
    main = 'activations: [{name: web, rulebook: rulebooks/web.yml, vars: {n: 42, s: "web"}}]\n'
    for text, wanted in (("{{ n }}", 1), ("{{ s }}", 0), ("x{{ n }}", 0)):
        found = linted(rules(f'condition: event.a == "{text}"', head=HEAD), main)
        assert len(codes_of(found, "trap-template-text")) == wanted, text


@pytest.mark.parametrize("text", ['"{{ n }}" == "1"', 'event.alert.labels.n == "{{ n }}"'])
def test_a_template_beside_a_text_is_none(linted, rules, text):
    main = "activations: [{name: web, rulebook: rulebooks/web.yml, vars: {n: 42}}]\n"
    assert codes_of(linted(rules(f"condition: {text!r}", head=HEAD), main), "trap-template-text") == []


@pytest.mark.parametrize(
    ("fact", "condition", "wanted"),
    [
        ("{b: 1}", "event.a == 1", 1),
        ("{a: 1}", "event.a == 1", 0),
        ("{b: 1}", "true", 0),
        ("{b: 1}", "event.a is not defined and event.c == 1", 0),
    ],
)
def test_a_fact_that_nothing_looks_at(linted, rules, fact, condition, wanted):
    found = linted(rules(f"condition: {condition}\naction: {{set_fact: {{fact: {fact}}}}}", head=HEAD))
    assert len(codes_of(found, "trap-fact-unused")) == wanted


def fired(condition: str, events: list[dict[str, object]], *, mmr: bool = False) -> int:
    head = (MMR if mmr else HEAD).replace("{healer.api: {}}", "")
    document = config.read_text(
        f"{head}    - name: r\n      condition: {condition}\n      action: {{none: {{}}}}\n", "a.yml"
    )
    session = engine.Session(engine.compile(rulebook.parse(document, {})[0]))
    found = [one for at, event in enumerate(events) for one in session.post(event, float(at))]
    return len(found) + len(session.advance(100_000.0))


def test_what_is_claimed_is_what_the_engine_does() -> None:
    assert fired(SEVERAL[0][1], [{"a": 1}]) == 0
    assert fired(SEVERAL[1][1], [{"b": 1}, {"b": 1}, {"b": 1, "a": 1}]) == 0
    assert fired(SEVERAL[2][1], [{"a": 1}, {"a": 1}]) == 0
    assert fired(SEVERAL[2][1], [{"a": 1}, {"a": 1}], mmr=True) > 0
    assert fired(SEVERAL[3][1], [{"k": "a", "h": 1}, {"k": "b", "h": 1}]) == 0
    assert fired("facts.x == 1", [{"x": 1}]) == 0


@pytest.mark.parametrize(("text", "advised"), [
    ('event.alert.startsAt > "2026"', None), ('"2026" <= event.alert["endsAt"]', None), ('event.meta.received_at < "20260601"', None),
    ('event.alert.labels.day >= "20260601"', None), ('event.alert.started_at > "2026"', None), ('event.alert.startsAt > "2026-06-01"', None),
    ('event.alert.labels.free_mb > "2048"', alerts.NO_NUMBER), ('event.alert.labels.day >= "20261301"', alerts.NO_NUMBER),
    ('event.alert.startsAt > "90"', alerts.NO_NUMBER), ('event.alert.annotations.x > "90"', alerts.NO_NUMBER),
])  # fmt: skip
def test_a_date_in_quotes_is_no_number(linted, rules, text, advised):
    found = [one.try_ for one in linted(rules(f"condition: {text!r}")) if one.code == "trap-text-order"]
    assert found == ([] if advised is None else [advised])
    (open_,) = [
        one.try_ for one in linted(rules("condition: event.x > '2026'", head=HEAD)) if one.code == "trap-text-order"
    ]
    assert open_ == "write 2026 without quotes"
