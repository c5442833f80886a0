"""A rule that only events without an end can meet needs a brake."""

from __future__ import annotations

import pytest

BOTH = "- name: web\n  hosts: all\n  sources: [{healer.source: {name: am}}, {healer.api: {}}]\n  rules:\n"
ACTION = "\naction: {run_action: {name: clean, target: web1}}"
ONCE = "\nthrottle: {once_within: 5 minutes, group_by_attributes: [event.f]}"
RULE = "    - name: rule"


def told(found):
    return [(one.place.line, one.message) for one in found if one.code == "no-brake"]


def test_what_only_the_api_can_send_has_no_brake(linted, rules):
    message = "each event that matches acts: the format alertmanager has none that does, no other source tells when an alert is over, and no throttle holds it"
    assert told(linted(rules("condition: event.f == 1" + ACTION, head=BOTH))) == [(5, message)]


@pytest.mark.parametrize(
    "text",
    [
        'condition: event.alert.status == "firing"' + ACTION,
        'condition: event.f == 1 or event.alert.name == "x"' + ACTION,
        "condition: event.f is not defined and event.alert.name is defined" + ACTION,
        "condition: event.f == 1 and 1 == 2" + ACTION,
        "condition: event.f == 1" + ACTION + ONCE,
        "condition: event.f == 1" + ACTION + "\npolicy: {cooldown: 5 minutes}",
        "condition: event.f == 1" + ACTION + "\nenabled: false",
        "condition: event.f == 1\naction: {debug: {msg: x}}",
        "condition: {all: [event.f == 1, event.g == 1]}" + ACTION,
    ],
)
def test_where_something_holds_it_or_it_may_end(linted, rules, text):
    assert told(linted(rules(text, head=BOTH))) == []


def test_where_no_source_ends_it_is_told_once(linted, rules):
    head = BOTH.replace("{healer.source: {name: am}}, ", "")
    assert len(told(linted(rules("condition: event.f == 1" + ACTION, head=head)))) == 1
    for never in ("false", "'false'", "' False '"):
        assert told(linted(rules(f"condition: {never}" + ACTION, head=head))) == []
    head = BOTH.replace(", {healer.api: {}}", "")
    assert told(linted(rules("condition: event.f == 1" + ACTION, head=head))) == []


@pytest.mark.parametrize(
    "condition",
    [
        "1 == 2",
        "event.f == 1 and 1 == 2",
        "event.f == 1 and event.f == 2",
        "not (1 == 1)",
        "{any: [1 == 2, event.f > 2 and event.f < 1]}",
        "{all: [1 == 2]}",
    ],
)
def test_a_rule_that_never_fires_needs_none(codes, rules, condition):
    head = BOTH.replace("{healer.source: {name: am}}, ", "")
    found = codes(rules(f"condition: {condition}" + ACTION, head=head))
    assert "unreachable" in found
    assert "no-brake" not in found
    ignored = f"condition: {condition}  # healer: ignore[unreachable]" + ACTION
    assert set(codes(rules(ignored, head=head))) & {"unreachable", "no-brake", "unused-ignore"} <= {"unreachable"}


ENDLESS = 'sources: {fa: {healer.webhook: {path: fa, format: falco, auth: {bearer: {secret: "env:T"}}}}}\n'
FALCO = "- name: web\n  hosts: all\n  sources: [{healer.source: {name: fa}}]\n  rules:\n"


@pytest.mark.parametrize(
    "condition",
    [
        'event.alert.status == "bogus"',
        "event.alert.name == 5",
        "event.alert.name != 5",
        "not (event.alert.name == 5)",
        'event.alert.status == "bogus" or event.alert.status == "resolvd"',
        'event.alert.status == "bogus" or event.alert.cycle == 1 and event.alert.name == 5',
        "(event.alert.cycle == 1 and event.alert.cycle == 2) or event.alert.name == 5",
        'event.alert.status in ["bogus", 5]',
        "event.alert.name",
        "event.alert.name == event.alert.cycle",
        "event.alert.name in event.alert.labels",
        "event.alert.labels < event.alert.labels",
        "{any: [event.alert.name == 5, event.alert.cycle == 1 and event.alert.cycle == 2]}",
    ],
)
def test_a_rule_that_wants_a_value_that_there_never_is_needs_none(codes, rules, condition):
    found = codes(rules(f"condition: {condition}" + ACTION, head=FALCO), ENDLESS)
    assert "unreachable" in found
    assert "no-brake" not in found


@pytest.mark.parametrize(
    "condition",
    [
        'event.alert.status == "bogus" or event.alert.name == "x"',
        'not (event.alert.status == "bogus")',
        'event.alert.status in ["bogus", "firing"]',
        'not (event.alert.status in ["bogus"])',
        "event.alert.name not in [5]",
        "not event.alert.name",
        "event.alert.name in event.alert.summary",
        "event.alert.name not in event.alert.labels",
        '{any: [event.alert.name == 5, event.alert.name == "x"]}',
    ],
)
def test_a_rule_that_may_fire_beside_such_a_value_needs_one(codes, rules, condition):
    assert "no-brake" in codes(rules(f"condition: {condition}" + ACTION, head=FALCO), ENDLESS)


def test_beside_a_rule_that_never_fires_another_still_needs_one(linted, rules):
    head = BOTH.replace("{healer.source: {name: am}}, ", "")
    text = rules("condition: 1 == 2" + ACTION, "condition: {any: [1 == 2, event.f == 1]}" + ACTION, head=head)
    assert [line for line, _ in told(linted(text))] == [8]


@pytest.mark.parametrize(("condition", "needed"), [("event.f == 1 and event.f == 2", True), ("1 == 2", False)])
def test_a_comment_that_a_start_needs_is_not_said_to_be_for_nothing(codes, rules, condition, needed):
    """What is false whatever comes a start sees itself."""
    head = BOTH.replace("{healer.source: {name: am}}, ", "")
    text = rules(f"condition: {condition}" + ACTION, head=head).replace(
        "name: rule 0", "name: rule 0  # healer: ignore[no-brake]"
    )
    found = set(codes(text))
    assert "no-brake" not in found
    assert ("unused-ignore" in found) is not needed
