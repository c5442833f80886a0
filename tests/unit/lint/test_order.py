"""Rules that take each other's events, against what the engine really does with them."""

from __future__ import annotations

import itertools
import json

import pytest

from healer import testing

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
        ("1 == 1", "event.a == 1"),
        ("not (1 == 2) and event.a > 0", "event.a == 1"),
        ("not (event.a == 1)", "not (event.a == 1) and event.b == 1"),
        ("event.a > 5", "event.a > 7"),
        ("event.a > 5", "event.b == 1 and event.a >= 6 and event.a < 9"),
        ("event.a > 5", "event.a == 7"),
        ("event.a != 5", "event.a == 7"),
        ("event.a is defined", "event.a == 7"),
        ("event.a is defined", "event.a.b == 7"),
        ("event.a in [5, 7, 9]", "event.a in [5, 7]"),
        ("event.a not in [5, 7]", "event.a not in [5, 7, 9]"),
        ("event.a == 1 or event.a == 2", "event.a == 2"),
        ("event.a == 1 or event.a == 2", "event.a in [1, 2]"),
        ("event.a in [1, 2]", "event.a == 1 or event.a == 2"),
        ("event.a == 1 or event.b == 1", "(event.b == 1 and event.c == 1) or event.a == 1.0"),
        ("event.a < 5 or event.a >= 3", "event.a == 4 or event.a > 5"),
        ('event.a is search("err")', 'event.a == "an err"'),
        ("event.a contains 1", "event.a == 1"),
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
        ("event.a > 7", "event.a > 5"),
        ("event.a > 5", "event.a >= 5"),
        ("event.a > 5", "not (event.a <= 5)"),
        ("event.a > 5", 'event.a == "7"'),
        ("event.a != 5", 'event.a == "7"'),
        ("event.a in [1, 2]", "event.a in [1, 2, 3]"),
        ("event.a == 1 or event.b == 2", "event.a in [1, 2]"),
        ("event.a.b is defined", "event.a is defined"),
        ("event.a == 9007199254740993", "event.a == 9007199254740995"),
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


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{any: [event.i == 1, event.k == 3]}", "event.i == 1"),
        ("{any: [event.i == 1, event.k == 3]}", "event.i == 1 and event.j == 2 or event.k == 3"),
        ("{any: [event.i < 5, event.i >= 3]}", "event.i == 4"),
        ("{any: [event.i is not defined, event.k == 3]}", "event.i is not defined and event.j == 1"),
        ("event.i == 1 or event.k == 3", "{any: [event.k == 3]}"),
        ("{any: [event.i == 1, event.k == 3]}", "{any: [event.k == 3]}"),
        ("{any: [event.k == 3]}", "event.k == 3"),
        ("{any: [event.i == 1, event.k == 3]}", "{any: [event.k == 3, event.i == 1]}"),
        ("{any: [event.i == 1, event.k == 3, event.j == 1]}", "{any: ['event.k == 3 and event.j == 2', event.i == 1]}"),
        ("event.i == 1", "{any: [event.i == 1, 'event.k == 1 and event.k == 2']}"),
        ("{all: [event.i == 1, event.j == 2]}", "{all: [event.j == 2, event.i == 1]}"),
        ("{all: ['events.x << event.i == 1', event.j == 2]}", "{all: [event.j == 2, event.i == 1]}"),
    ],
)
def test_any_takes_what_each_of_its_conditions_does_and_the_order_of_all_says_nothing(linted, rules, first, second):
    (one,) = told(linted(rules(f"condition: {first}", f"condition: {second}", head=HEAD)))
    assert (one[0], one[2]) == ("shadowed", 8)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{any: [event.i == 1, event.k == 3]}", "event.i == 1 or event.j == 2"),
        ("{any: [event.i == 1, event.k == 3]}", "{any: [event.i == 1, event.j == 2]}"),
        ("{any: [event.i is not defined]}", "event.i is not defined and event.j == 1"),
        ("{all: [event.i == 1, event.j == 2]}", "{all: [event.j == 2, event.i == 1, event.k == 1]}"),
        ("{all: [event.i == 1, event.j == 2]}", "{all: [event.j == 2, event.i == 1], timeout: 1 minute}"),
        ("{all: ['events.x << event.i == 1', event.j == events.x.j]}", "{all: ['events.x << event.j == events.x.j', event.i == 1]}"),
        ("{all: ['events.x << event.i == 1', 'events.x << event.j == 2']}", "{all: [event.j == 2, event.i == 1]}"),
        ("{all: [event.i is not defined, event.j == 2]}", "{all: [event.j == 2, event.i is not defined]}"),
    ],
)  # fmt: skip
def test_any_and_all_that_leave_some(linted, rules, first, second):
    assert told(linted(rules(f"condition: {first}", f"condition: {second}", head=HEAD))) == []


def test_what_an_all_waits_for_and_an_any_takes(linted, rules):
    texts = ["condition: {all: [event.i == 1, event.j == 2]}", "condition: {any: [event.i == 1, event.k == 3]}"]
    assert [one[0] for one in told(linted(rules(*texts, head=HEAD)))] == ["trap-consumed"]
    assert [one[0] for one in told(linted(rules(*texts[::-1], head=HEAD)))] == ["trap-consumed"]
    assert told(linted(rules(*texts, head=MMR))) == []


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("names", ["ij", "ijk"])
def test_what_a_not_all_waits_for_and_another_rule_takes(linted, rules, before, names):
    listed = [f"event.{name} == 1" for name in names]
    absent = {"not_all": listed, "timeout": "1 minute"}
    for head, codes in ((HEAD, ["trap-consumed"]), (MMR, [])):
        conditions = [absent, listed[0]] if before else [listed[0], absent]
        found = told(linted(rules(*(f"condition: {json.dumps(one)}" for one in conditions), head=head)))
        assert [one[0] for one in found] == codes
        for order in itertools.permutations(names):
            book = {"name": "s", "hosts": "all", "sources": [], "match_multiple_rules": head == MMR}
            book["rules"] = [{"name": f"{one}", "condition": one, "action": {"none": {}}} for one in conditions]
            steps = [step for name in order for step in ({"event": {name: 1}}, {"advance_s": 1})]
            fired = [one for one in testing.replay([book], [*steps, {"advance_s": 100}]) if one.rule == f"{absent}"]
            assert bool(fired) is (bool(codes) and order[-1] != names[0])


def test_a_not_all_whose_events_are_left_or_throttled(linted, rules):
    absent = "condition: {not_all: [event.i == 1, event.j == 1], timeout: 1 minute}"
    throttle = "throttle: {once_within: 1 minute, group_by_attributes: [event.x]}"
    assert told(linted(rules(f"condition: event.i == 1\n{throttle}", absent, head=HEAD))) == []
    assert told(linted(rules("condition: event.i == 1 and event.k == 1", absent, head=HEAD))) == []
    assert told(linted(rules("condition: event.i == 1", absent.replace(", event.j == 1", ""), head=HEAD))) == []


def test_with_match_multiple_rules_conditions_in_another_order_are_the_same(linted, rules):
    for kind in ("any", "all"):
        texts = [
            f"condition: {{{kind}: [{listed}]}}"
            for listed in ("event.i == 1, event.j == 2", "event.j == 2, event.i == 1")
        ]
        assert [one[0] for one in told(linted(rules(*texts, head=MMR)))] == ["duplicate-condition"]


def test_each_ruleset_is_by_itself(linted, rules):
    second = rules("condition: event.a == 1", head=HEAD.replace("web", "other"))
    assert told(linted(rules("condition: event.a == 1", head=HEAD) + second)) == []


THROTTLE = "throttle: {accumulate_within: 5 minutes, threshold: 3, group_by_attributes: [event.h, event.i]}"


@pytest.mark.parametrize(
    ("second", "codes"),
    [
        ("event.a > 5", []),
        ("event.a > 5 and event.h == null", []),
        ("event.a > 5 and event.h == null and event.i is defined", ["shadowed"]),
        ("event.a > 5 and event.h.x == 1 and not (event.i > 5)", ["shadowed"]),
    ],
)
def test_what_accumulates_leaves_events_that_lack_its_attributes(linted, rules, second, codes):
    found = told(linted(rules(f"condition: event.a > 5\n{THROTTLE}", f"condition: {second}", head=HEAD)))
    assert [one[0] for one in found] == codes


def test_an_attribute_that_is_no_path_is_never_there(linted, rules):
    throttle = THROTTLE.replace("event.h, event.i", "h")
    assert told(linted(rules(f"condition: event.a > 5\n{throttle}", "condition: event.a > 5", head=HEAD))) == []


def test_once_after_gathers_what_a_rule_without_a_throttle_has(linted, rules):
    after, once = (
        f"throttle: {{{kind}: 1 minute, group_by_attributes: [event.x]}}" for kind in ("once_after", "once_within")
    )
    plain = "condition: event.a > 5"
    assert told(linted(rules(plain, f"{plain}\n{after}", head=HEAD))) == []
    assert len(told(linted(rules(f"{plain}\n{once}", f"{plain}\n{after}", head=HEAD)))) == 1
    assert len(told(linted(rules(plain, f"{plain}\n{once}", head=HEAD)))) == 1


@pytest.mark.parametrize("last", ["event.a in [1, 2]", "event.b == 1 and (event.a == 2 or event.a == 1.0)"])
def test_a_rule_of_which_several_take_the_events_value_by_value(linted, rules, last):
    texts = [f"condition: {text}" for text in ("event.a == 1", "event.a >= 2", last)]
    (one,) = told(linted(rules(*texts, head=HEAD)))
    assert "each event of it goes to 'rule 0' (rulebooks/web.yml:5:7) or 'rule 1' (rulebooks/web.yml:8:7)" in one[3]
    assert told(linted(rules(*texts[::2], head=HEAD))) == []


def test_a_rule_of_which_several_take_the_events(linted, rules):
    texts = [
        f"condition: {text}"
        for text in ("event.a == 1", "event.b == 2", "event.a == 1 and event.c == 1 or event.b == 2")
    ]
    (one,) = told(linted(rules(*texts, head=HEAD)))
    assert "each event of it goes to 'rule 0' (rulebooks/web.yml:5:7) or 'rule 1' (rulebooks/web.yml:8:7)" in one[3]


def test_what_an_all_waits_for_is_left_by_what_accumulates(linted, rules):
    joint = "condition: {all: [event.i == 1, event.j == 2]}"
    taker = f"condition: event.i == 1\n{THROTTLE.replace('event.h, event.i', 'event.h')}"
    assert told(linted(rules(taker, joint, head=HEAD))) == []
    assert told(linted(rules(joint, taker, head=HEAD))) == []
    wide = "condition: event.i > 0"
    assert [one[0] for one in told(linted(rules(joint, wide, head=HEAD)))] == ["trap-consumed"]


@pytest.mark.parametrize(
    "condition", ["{not_all: [event.i == 1, event.j == 2], timeout: 1 minute}", "event.i is not defined"]
)
def test_rules_that_time_fires_leave_each_other_theirs(linted, rules, condition):
    assert told(linted(rules(f"condition: {condition}", f"condition: {condition}", head=HEAD))) == []
