"""Rules that take each other's events, against what the engine really does with them."""

from __future__ import annotations

import pytest

HEAD = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
MMR = HEAD.replace("  rules:", "  match_multiple_rules: true\n  rules:")


def told(found):
    return [
        (one.code, one.severity, one.place.line, one.message)
        for one in found
        if one.code in ("shadowed", "duplicate-condition", "trap-consumed")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("event.a == 1", "event.a == 1"),
        ("event.a == 1", "event.b == 2 and event.a == 1"),
        ("event.a == 1 and event.b == 2", "event.b == 2 and event.a == 1 and event.c == 3"),
        ("(event.a == 1 or event.b == 2)", "(event.b == 2 or event.a == 1) and event.c == 1"),
        ("true", "event.a == 1"),
        ("not (event.a == 1)", "not (event.a == 1) and event.b == 1"),
    ],
)
def test_a_rule_whose_events_all_go_to_one_before_it(linted, rules, first, second):
    (one,) = told(linted(rules(f"condition: {first}", f"condition: {second}", head=HEAD)))
    message = "the rule 'rule 1' never fires: each event of it goes to 'rule 0' (rulebooks/web.yml:5:7), and an event fires one rule"
    assert one == ("shadowed", "warning", 8, message)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("event.a == 1 and event.b == 2", "event.a == 1"),
        ("event.a == 1", "event.a == 2"),
        ("event.a == 1", "event.a == true"),
        ("event.a == 1", 'event.a == "1"'),
        ("event.a == 1", "event.a != 1"),
        ("event.a == 1 or event.b == 2", "event.a == 1 and event.c == 2 or event.b == 1"),
        ("event.a is not defined", "event.a is not defined and event.b == 1"),
    ],
)
def test_a_rule_that_is_left_some(linted, rules, first, second):
    assert told(linted(rules(f"condition: {first}", f"condition: {second}", head=HEAD))) == []


def test_a_rule_that_is_off_takes_nothing(linted, rules):
    assert told(linted(rules("condition: event.a == 1\nenabled: false", "condition: event.a == 1", head=HEAD))) == []
    assert told(linted(rules("condition: event.a == 1", "condition: event.a == 1\nenabled: false", head=HEAD))) == []


def test_a_throttled_rule_takes_its_events_all_the_same(linted, rules):
    throttle = "throttle: {once_within: 1 minute, group_by_attributes: [event.x]}"
    assert len(told(linted(rules(f"condition: event.a == 1\n{throttle}", "condition: event.a == 1", head=HEAD)))) == 1


def test_with_match_multiple_rules_two_that_are_alike_both_act(linted, rules):
    found = told(
        linted(
            rules(
                "condition: event.a == 1",
                "condition: event.a == 1 and event.b == 1",
                "condition: event.a == 1",
                head=MMR,
            )
        )
    )
    message = "the rule 'rule 2' has the condition of 'rule 0' (rulebooks/web.yml:6:7): both act on each such event"
    assert found == [("duplicate-condition", "warning", 12, message)]


def test_facts_fire_every_rule(linted, rules):
    makes = "condition: event.b == 1\naction: {set_fact: {fact: {a: 1}}}"
    assert told(linted(rules(makes, "condition: event.a == 1", "condition: event.a == 1", head=HEAD))) == []


@pytest.mark.parametrize("joint_first", [True, False])
def test_what_an_all_waits_for_and_another_rule_takes(linted, rules, joint_first):
    texts = ["condition: {all: [event.i == 1 and event.k == 2, event.j == 2]}", "condition: event.i == 1"]
    texts = texts if joint_first else texts[::-1]
    (one,) = told(linted(rules(*texts, head=HEAD)))
    assert one[0] == "trap-consumed"
    assert one[3].startswith(
        f"an event of condition 1 of the rule 'rule {0 if joint_first else 1}' fires 'rule {1 if joint_first else 0}'"
    )
    assert told(linted(rules(*texts, head=MMR))) == []


def test_conditions_of_several_events_that_are_alike(linted, rules):
    joint = "condition: {all: [event.i == 1, event.j == 2]}"
    assert [one[0] for one in told(linted(rules(joint, joint, head=HEAD)))] == ["shadowed"]
    assert [one[0] for one in told(linted(rules(joint, joint, head=MMR)))] == ["duplicate-condition"]


def test_an_any_of_which_each_part_goes_elsewhere(linted, rules):
    some = "condition: {any: [event.a == 1 and event.c == 1, event.b == 1]}"
    assert told(linted(rules("condition: event.a == 1", some, head=HEAD))) == []
    found = told(linted(rules("condition: event.a == 1", "condition: event.b == 1", some, head=HEAD)))
    assert [(one[0], one[2]) for one in found] == [("shadowed", 11)]


def test_each_ruleset_is_by_itself(linted, rules):
    second = rules("condition: event.a == 1", head=HEAD.replace("web", "other"))
    assert told(linted(rules("condition: event.a == 1", head=HEAD) + second)) == []
