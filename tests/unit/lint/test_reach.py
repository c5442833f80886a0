"""`unreachable`: only what is certain, and nothing that could hold."""

from __future__ import annotations

import pytest

from healer import config, rulebook
from healer.engine import leaves, normal
from healer.lint import alerts, reach

HOOK = 'sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}}\n'


def why(text: str) -> str:
    """Why a condition never holds; '' where it may."""
    book = f"- name: a\n  hosts: all\n  sources: []\n  rules:\n    - name: r\n      condition: >-\n        {text}\n      action: {{none: {{}}}}\n"
    document = config.read_text(book, "a.yml")
    (ruleset,) = rulebook.parse(document, {})
    assert document.ok, document.diagnostics
    found = reach.never(normal.normal(ruleset.rules[0].condition.patterns[0].test))
    return found.why if found else ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('event.a == "x" and event.a == "y"', "`event.a` would have to be 'x' and 'y'"),
        ("event.a == 1 and event.b == 2 and event.a == 2", "`event.a` would have to be 1 and 2"),
        ("event.a in [1, 2] and event.a in [3, 4]", "`event.a` would have to be 1 or 2 and 3 or 4"),
        ('event.a == 1 and event.a == "1"', "`event.a` would have to be 1 and '1'"),
        ("event.a == true and event.a == 1", "`event.a` would have to be true and 1"),
        ("event.a == 1 and event.a != 1", "`event.a` would have to be 1 and not be it"),
        ("event.a == 1 and not (event.a == 1)", "`event.a` would have to be 1 and not be it"),
        ("event.a in [1, 2] and event.a not in [1, 2, 3]", "`event.a` would have to be 1 or 2 and not be it"),
        ("event.a > 5 and event.a < 3", "`event.a` would have to be more than 5 and less than 3"),
        ("event.a >= 5 and event.a < 5", "`event.a` would have to be at least 5 and less than 5"),
        ("5 < event.a and event.a < 5", "`event.a` would have to be more than 5 and less than 5"),
        ("event.a > 1 and event.a > 9 and event.a <= 9", "`event.a` would have to be more than 9 and at most 9"),
        ("event.a == 1 and event.a > 1", "`event.a` would have to be 1, which another test excludes"),
        ('event.a == "x" and event.a > 1', "`event.a` would have to be 'x', which another test excludes"),
        ('event.a > 1 and event.a < "x"', "`event.a` would have to be a number and a text"),
        ("event.a is not defined and event.a == 1", "`event.a` would have to be there and not be there"),
        ("event.a is defined and event.a is not defined", "`event.a` would have to be there and not be there"),
        ("event.a and event.a == false", "`event.a` would have to be true and false"),
        ("event.b == 1 and (event.a == 1 and event.a == 2)", "`event.a` would have to be 1 and 2"),
        ("(event.a == 1 and event.a == 2) or (event.b > 2 and event.b < 1)", "`event.a` would have to be 1 and 2"),
        ('event["a"].b == 1 and event.a["b"] == 2', "`event.a.b` would have to be 1 and 2"),
        ("event.a[0] == 1 and event.a[0] == 2", "`event.a[0]` would have to be 1 and 2"),
        ("false", "`false` is always false"),
        ("(False)", "`(False)` is always false"),
        ("1 == 2", "`1 == 2` is always false"),
        ('"a" == "b" and event.i == 1', '`"a" == "b"` is always false'),
        ("event.i == 1 and 3 in [1, 2]", "`3 in [1, 2]` is always false"),
        ("not (1 == 1)", "`1 == 1` is always true, and `not` stands before it"),
        ('not (1 == "1")', '`1 == "1"` is always false, with `not` before it too'),
        ('not (1 != "1")', '`1 != "1"` is always false, with `not` before it too'),
        ("not true", "`true` is always true, and `not` stands before it"),
        ("event.a != event.a", "`event.a != event.a` compares a field with itself"),
        ("event.b == 1 and event.a.b < event.a.b", "`event.a.b < event.a.b` compares a field with itself"),
        ("not (event.a == event.a)", "`event.a == event.a` compares a field with itself"),
        ('1 == "1" or 1 + 1 > 2', '`1 == "1"` is always false'),
        ('event.a > 400 and event.a != ""', "`event.a` would have to be a number, and a text or null"),
        ('event.a == 1 and event.a != "1"', "`event.a` would have to be a number, and a text or null"),
        ('event.a == 1 and not (event.a == "1")', "`event.a` would have to be a number, and a text or null"),
        ("event.a == true and event.a != 0", "`event.a` would have to be true, and a number or null"),
        ('event.a is match("x") and event.a is not defined', "`event.a` would have to be there and not be there"),
        ('event.a == "a" and event.a is match("b")', '`event.a is match("b")` fails on all that another test leaves'),
        (
            'event.a is not search("a") and event.a in ["a", "ba"]',
            '`event.a in ["a", "ba"]` fails on all that another test leaves',
        ),
        ("event.a.x == 1 and event.a == 2", "`event.a` would have to be a list or a mapping, and a number"),
        ("event.a == 2 and event.a.x == 1", "`event.a` would have to be a number, and a list or a mapping"),
        (
            "event.a contains 1 and event.a == 2 and event.b == 1",
            "no value of `event.a` meets this test and those before it",
        ),
        (
            'event.b == 1 and (event.a == 1 or event.a == 2) and event.a != "x"',
            "`event.a` would have to be a number, and a text or null",
        ),
    ],
)
def test_what_excludes_each_other(text: str, said: str) -> None:
    assert why(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "event.a == 1",
        "event.a == 1 and event.a == 1.0",
        "event.a == 1 or event.a == 2",
        "event.a == 1 and event.b == 2",
        "event.a in [1, 2] and event.a in [2, 3]",
        "event.a != 1 and event.a != 2",
        "event.a >= 5 and event.a <= 5",
        "event.a > 5 and event.a < 6",
        "event.a[0] == 1 and event.a[1] == 2",
        "event.a == 1 and (event.a == 2 or event.b == 1)",
        "not (event.a == 1 and event.a == 2)",
        "event.a is defined and event.a == 1",
        "event.a == event.b and event.a == 1",
        "event.a == event.a",
        "not (event.a <= event.a)",
        "not (event.a != event.a)",
        "event.a != event.a.b",
        "event.a contains 1 and event.a contains 2",
        'event.a is search("x") and event.a is search("y")',
        "event.a == null and event.a != 1",
        "event.a != 1 and event.a > 0",
        "not (event.b not in [null]) and not (event.b > 1.5)",
        'event.a.b is defined and event.a["b"] is not defined',
        "true",
        "1 == 1",
        "not (1 == 2)",
        "event.a == 1 or false",
        "event.a + 1 == 1",
        '"a text"',
        'event.a == 5 and event.a not in ["a"]',
        'event.a != 1 and event.a != "1"',
        'event.a == "ab" and event.a is match("a")',
        'event.a in ["a", "b"] and event.a is not match("b")',
        'event.a == 5 and event.a is match("x")',
        "event.a.x == 1 and event.a != null",
        "event.a.x != 1 and event.a == null",
        "event.a contains 1 and event.a == [1, 2]",
        "event.a == 1 and not (event.a is defined)",
        "event.a is search('x') and event.a.b is defined",
    ],
)
def test_what_may_hold(text: str) -> None:
    assert why(text) == ""


def told(found):
    return [(str(one.place), one.message, one.try_) for one in found if one.code == "unreachable"]


def test_a_rule_that_never_fires(linted, rules):
    found = told(linted(rules('condition: event.alert.name == "x" and event.alert.name == "y"')))
    message = "the condition of the rule 'rule 0' never holds: `event.alert.name` would have to be 'x' and 'y'"
    assert found == [("rulebooks/web.yml:6:46", message, "mend it, or take the rule out")]


def test_of_any_all_have_to_be_wrong_and_of_all_one(linted, rules):
    bad, good = "event.alert.cycle == 1 and event.alert.cycle == 2", 'event.alert.name == "x"'
    assert len(told(linted(rules(f"condition: {{all: ['{bad}', '{good}']}}")))) == 1
    assert told(linted(rules(f"condition: {{any: ['{bad}', '{good}']}}"))) == []
    assert len(told(linted(rules(f"condition: {{any: ['{bad}', '{bad}']}}")))) == 2
    assert told(linted(rules(f"condition: {{not_all: ['{bad}', '{good}'], timeout: 1 minute}}"))) == []


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("false", 1),
        ("'false'", 1),
        ("{all: [event.alert.cycle == 1, 1 == 2]}", 1),
        ("{any: [event.alert.cycle == 1, 'false']}", 0),
        ("{not_all: [event.alert.cycle == 1, 'false'], timeout: 1 minute}", 0),
        ("true", 0),
        ("vars.flag", 0),
        ("vars.n == 1 and event.alert.cycle == 1", 0),
        ('\'"{{ n }}" == "1"\'', 0),
    ],
)
def test_a_condition_that_is_false_whatever_comes(linted, rules, condition, wanted):
    main = HOOK + "activations: [{name: web, rulebook: rulebooks/web.yml, vars: {flag: false, n: 2}}]\n"
    found = linted(rules(f"condition: {condition}"), main)
    assert not [one for one in found if one.severity == "error"]
    assert len(told(found)) == wanted


@pytest.mark.parametrize(
    ("text", "message", "try_"),
    [
        ('event.alert.status == "fireing"', "`event.alert.status` is never 'fireing'", "did you mean 'firing'?"),
        ('event.alert.status == "Resolved"', "`event.alert.status` is never 'Resolved'", "did you mean 'resolved'?"),
        ('event.alert.severity in ["urgent"]', "`event.alert.severity` is never 'urgent'", "it is one of: critical, error, warning, info, unknown"),
        ("event.alert.name == 5", "`event.alert.name` is a text, so this is always false", "put quotes around the value"),
        ("event.alert.labels.disk > 90", "`event.alert.labels.disk` is a text, so this is always false", alerts.NO_NUMBER),
        ("event.alert.labels.on == true", "`event.alert.labels.on` is a text, so this is always false", "put quotes around the value"),
        ("not (event.alert.labels.on == true)", "`event.alert.labels.on` is a text, so this is always false", "put quotes around the value"),
        ("event.alert.name in [5]", "`event.alert.name` is a text and never 5", "put quotes around the value"),
        ('event.alert.name == ["x"]', "`event.alert.name` is a text, so this is always false", ""),
        ('event.alert.cycle == "1"', "`event.alert.cycle` is a number, so this is always false", "compare it with a number, without quotes"),
        ("event.alert.cycle != true", "`event.alert.cycle` is a number, so this is always false", ""),
        ('event.alert == "x"', "`event.alert` is a mapping, so this is always false", "compare something below it: event.alert.…"),
        ("5 != event.alert.labels", "`event.alert.labels` is a mapping, so this is always false", "compare something below it: event.alert.labels.…"),
        ("event.alert.name", "`event.alert.name` is a text and alone never true", "compare it: event.alert.name == …"),
        ("event.alert.labels.up and event.alert.cycle == 1", "`event.alert.labels.up` is a text and alone never true", "compare it: event.alert.labels.up == …"),
        ("event.alert.cycle", "`event.alert.cycle` is a number and alone never true", "compare it: event.alert.cycle == …"),
        ("event.alert", "`event.alert` is a mapping and alone never true", "compare it: event.alert.… == …"),
    ],
)  # fmt: skip
def test_a_value_that_a_word_of_an_alert_never_has(linted, rules, text, message, try_):
    assert [(said, advice) for _, said, advice in told(linted(rules(f"condition: {text}")))] == [(message, try_)]


@pytest.mark.parametrize(
    ("text", "message", "try_"),
    [
        ('event.alert.severity in ["critical", "high"]', "`event.alert.severity` is never 'high'", "it is one of: critical, error, warning, info, unknown"),
        ("event.alert.name in ['x', 5]", "`event.alert.name` is a text and never 5", "put quotes around the value"),
        ('not (event.alert.status == "fireing")', "`event.alert.status` is never 'fireing'", "did you mean 'firing'?"),
        ('event.alert.status != "fireing"', "`event.alert.status` is never 'fireing'", "did you mean 'firing'?"),
        ('event.alert.severity not in ["high"]', "`event.alert.severity` is never 'high'", "it is one of: critical, error, warning, info, unknown"),
        ('event.alert.severity not in ["info", "high"]', "`event.alert.severity` is never 'high'", "it is one of: critical, error, warning, info, unknown"),
        ('event.alert.name not in ["x", 5]', "`event.alert.name` is a text and never 5", "put quotes around the value"),
        ('not (event.alert.name in [5])', "`event.alert.name` is a text and never 5", "put quotes around the value"),
    ],
)  # fmt: skip
def test_a_value_that_it_never_has_in_a_test_that_lives(linted, rules, text, message, try_):
    found = linted(rules(f"condition: {text!r}"))
    assert told(found) == []
    assert [(one.message, one.try_) for one in found if one.code == "unreachable-value"] == [(message, try_)]


@pytest.mark.parametrize(
    "text",
    [
        'not (event.alert.status != "fireing")', 'not (event.alert.severity not in ["page", "high"])', "not (event.alert.cycle not in ['1'])",
        'event.alert.severity in ["page"]',
    ],
)  # fmt: skip
def test_a_test_of_values_that_it_never_has_alone_is_dead(linted, rules, text):
    found = linted(rules(f"condition: {text!r}"))
    assert {one.code for one in found if one.code.startswith("unreach")} == {"unreachable"}


def test_a_list_of_which_nothing_is_left_is_dead(linted, rules):
    found = linted(rules("condition: 'event.alert.severity in [\"page\", 5]'"))
    assert [one.code for one in found if one.code.startswith("unreach")] == ["unreachable", "unreachable"]


@pytest.mark.parametrize(
    "text",
    [
        'event.alert.status != "firing"', 'event.alert.severity not in ["info"]', "event.alert.name not in ['x', null]", "event.alert.labels.a not in [5]",
        'event.alert.severity_raw == "high"', "event.alert.cycle > 2", 'event.alert.status == "firing"',
        'event.alert.labels.disk == "90"', 'event.alert.status is match("fir")', "event.alert.labels.x != null",
        "not event.alert.name", "not event.alert", "event.alert != null", "event.alert.labels != null", "event.alert.cycle > 1.5",
        "event.alert.generatorURL", "event.alert.started_at", "event.alert.labels.a.b", 'event.alert is search("x")',
        "event.alert.name == event.alert.target", "event.alert.labels == event.alert", "event.alert.name != event.alert.labels.a", "event.alert.name < event.alert.target",
        "event.alert.labels not contains 5", "not (event.alert.name in event.alert.labels)", "event.alert.labels contains event.alert", "event.alert.labels contains event.x",
        "event.alert.cycle contains 1", "event.alert.name in event.alert.annotations", "event.alert.name == event.alert.started_at", "event.alert.name < event.alert.labels.n + 1",
    ],
)  # fmt: skip
def test_a_value_that_it_may_have(linted, rules, text):
    assert told(linted(rules(f"condition: {text}"))) == []


def test_nothing_is_known_of_values_of_open_sources(linted, rules):
    head = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
    assert told(linted(rules('condition: event.alert.status == "whatever"', head=head))) == []


TWO = [
    ("event.alert.name == event.alert.cycle", "`event.alert.name` is a text and `event.alert.cycle` is a number, so this is always false", ""),
    ("not (event.alert.cycle != event.alert.name)", "`event.alert.cycle` is a number and `event.alert.name` is a text, so this is always false", ""),
    ("event.alert.labels.n > event.alert.cycle", "`event.alert.labels.n` is a text and `event.alert.cycle` is a number, so this is always false", ""),
    ("event.alert == event.alert.key", "`event.alert` is a mapping and `event.alert.key` is a text, so this is always false", "compare something below it: event.alert.…"),
    ("event.alert.labels < event.alert", "mappings have no order, so this is always false", "compare something below it: event.alert.labels.…"),
    ("not (event.alert >= event.alert.labels)", "mappings have no order, so this is always false", "compare something below it: event.alert.…"),
    ("event.alert.name in event.alert.labels", "the keys of the mapping `event.alert.labels` are not looked at, so this is always false", "compare something below it: event.alert.labels.…"),
    ("not (event.alert.labels not contains event.alert.cycle)", "the keys of the mapping `event.alert.labels` are not looked at, so this is always false", "compare something below it: event.alert.labels.…"),
    ("event.alert.labels contains 5", "the keys of the mapping `event.alert.labels` are not looked at, so this is always false", "compare something below it: event.alert.labels.…"),
    ('event.alert.labels contains "team"', "the keys of the mapping `event.alert.labels` are not looked at, so this is always false", "for a key write event.alert.labels.team is defined"),
    ('"app.name" in event.alert.labels', "the keys of the mapping `event.alert.labels` are not looked at, so this is always false", 'for a key write event.alert.labels["app.name"] is defined'),
    ('event.alert.cycle contains "1"', "`event.alert.cycle` is a number and never '1'", "compare it with a number, without quotes"),
    ("event.alert.name contains 5", "`event.alert.name` is a text and never 5", "put quotes around the value"),
    ("event.alert.cycle in event.alert.name", "`event.alert.cycle` is a number and `event.alert.name` is a text, so this is always false", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "try_"), TWO)
def test_two_that_never_match(linted, rules, text, message, try_):
    assert [(said, advice) for _, said, advice in told(linted(rules(f"condition: {text!r}")))] == [(message, try_)]
    assert not any(map(holds(text), EVENTS))


LABELS = ({}, {"n": "1"}, {"team": "a", "app.name": "b", "n": "9", "disk": "disk"})
EVENTS = [
    {"alert": {"name": name, "key": name, "target": "h", "cycle": cycle, "summary": "disk is full", "labels": labels}}
    for name in ("", "1", "team", "disk", "disk is full")
    for cycle in (0, 1, 9)
    for labels in LABELS
]


def holds(text):
    book = f"- name: a\n  hosts: all\n  sources: []\n  rules:\n    - name: r\n      condition: {text!r}\n      action: {{none: {{}}}}\n"
    (ruleset,) = rulebook.parse(config.read_text(book, "a.yml"), {})
    node = normal.normal(ruleset.rules[0].condition.patterns[0].test)
    assert isinstance(node, normal.Check)
    return leaves.leaf(node.leaf.test, node.negated, leaves.Tally())


@pytest.mark.parametrize(
    ("text", "code", "try_"),
    [
        ("event.alert.name in event.alert.summary", "trap-substring", "a pattern of search is written out: … is search(\"…\"); for the same text write =="),
        ("event.alert.name not in event.alert.summary", "trap-substring", "a pattern of search is written out: … is search(\"…\"); for the same text write =="),
        ('"full" in event.alert.summary', "trap-substring", 'write event.alert.summary is search("…")'),
        ("event.alert.summary contains event.alert.name", "trap-contains", "a pattern of search is written out: … is search(\"…\"); for the same text write =="),
        ('event.alert.summary contains "full"', "trap-contains", 'for a part of a text write … is search("…")'),
    ],
)  # fmt: skip
def test_a_part_of_a_text_that_is_a_field(linted, rules, text, code, try_):
    found = [one for one in linted(rules(f"condition: {text!r}")) if one.code in ("trap-substring", "trap-contains")]
    assert [(one.code, one.try_) for one in found] == [(code, try_)]
    sentence = "in looks" if code == "trap-substring" else "contains looks"
    assert found[0].message == f"{sentence} for an element of a list, not for a part of a text"


def test_of_open_sources_nothing_is_known_of_two(linted, rules):
    head = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
    for text, *_ in TWO:
        assert told(linted(rules(f"condition: {text!r}", head=head))) == []
    assert not [
        one
        for one in linted(rules("condition: event.alert.name in event.alert.summary", head=head))
        if "trap" in one.code
    ]
