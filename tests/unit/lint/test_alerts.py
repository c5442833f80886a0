"""What never holds of a word of `event.alert`, and what always does: each claim beside events of real bodies."""

from __future__ import annotations

import json

import pytest

from healer import config, plugins, rulebook
from healer.engine import leaves, normal
from healer.lint import alerts

LABELS = ({}, {"n": "1"}, {"team": "a", "app.name": "b", "n": "9", "disk": "disk"}, {"team": "", "0": "x"})
EVENTS = [
    {
        "alert": {
            "name": name,
            "key": name,
            "target": "h",
            "cycle": cycle,
            "status": "firing",
            "summary": "disk is full",
            "labels": labels,
        }
    }
    for name in ("", "1", "team", "disk", "disk is full")
    for cycle in (0, 1, 9)
    for labels in LABELS
]
NOT_A_LIST = "is a mapping and no list: there is no `[0]`, so this is always false"
BELOW = "compare something below it: event.alert.labels.…"
KEY = "for a key write event.alert.labels.NAME"
MAPPING = "`event.alert.labels` is a mapping, so this is always false"
TEXT = "`event.alert.name` is a text, so this is always false"
NO_MAPPING = "`event.alert.name` is a text, and selectattr looks into mappings, so this is always false"
ALWAYS = "the keys of the mapping `event.alert.labels` are not looked at, so this holds of every alert"
NEVER = [
    ('event.alert.labels is select("==", "x")', MAPPING, BELOW),
    ('event.alert.labels is select(">", 90)', MAPPING, BELOW),
    ('event.alert.labels is select("==", ["x"])', MAPPING, BELOW),
    ('event.alert.labels is not select("!=", "x")', MAPPING, BELOW),
    ('not (event.alert.labels is select("!=", 5))', MAPPING, BELOW),
    ('not (event.alert.labels is not select("==", "x"))', MAPPING, BELOW),
    ('event.alert.labels is select("==", event.alert.name)', MAPPING, BELOW),
    ('event.alert.name is select("==", 5)', TEXT, "put quotes around the value"),
    ('event.alert.cycle is select(">", "5")', "`event.alert.cycle` is a number, so this is always false", ""),
    ('event.alert.labels is selectattr("n", ">", 5)', "`event.alert.labels.n` is a text, so this is always false", alerts.NO_NUMBER),
    ('event.alert.labels is not selectattr("n", "!=", 5)', "`event.alert.labels.n` is a text, so this is always false", "put quotes around the value"),
    ('event.alert is selectattr("name", "==", 5)', TEXT, "put quotes around the value"),
    ('event.alert.name is selectattr("x", "==", 1)', NO_MAPPING, "compare it: event.alert.name == …"),
    ('event.alert.name is not selectattr("x.y", "contains", "a")', NO_MAPPING, "compare it: event.alert.name == …"),
    ('not (event.alert.name is selectattr("x", "!=", 1))', NO_MAPPING, "compare it: event.alert.name == …"),
    ('event.alert.labels.n is selectattr("x", "search", "a")', NO_MAPPING.replace(".name", ".labels.n"), "compare it: event.alert.labels.n == …"),
    ('event.alert.cycle is selectattr("x", "==", 1)', NO_MAPPING.replace(".name", ".cycle").replace("text", "number"), "compare it: event.alert.cycle == …"),
    ('event.alert.labels[0] == "x"', f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("event.alert.labels[0] == 5", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ('not ("x" != event.alert.labels[0])', f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("event.alert.labels[0].x == null", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("event.alert.labels[0] is defined", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("not (event.alert.labels[0] is not defined)", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("not event.alert.labels[0]", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ('event.alert.labels[0] is not search("x")', f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ('event.alert.labels[0] is not select("==", 5)', f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("event.alert.labels[0] not in [1, 2]", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ("event.alert.name == event.alert.labels[0]", f"`event.alert.labels` {NOT_A_LIST}", KEY),
    ('event.alert[0] == "x"', f"`event.alert` {NOT_A_LIST}", "compare something below it: event.alert.…"),
    ('event.alert.name[0] == "x"', "`event.alert.name` is a text and no list: there is no `[0]`, so this is always false", "for a part of a text write event.alert.name is search(\"…\")"),
    ('event.alert.labels.n[-1] == "x"', "`event.alert.labels.n` is a text and no list: there is no `[-1]`, so this is always false", "for a part of a text write event.alert.labels.n is search(\"…\")"),
    ("event.alert.cycle[1] > 0", "`event.alert.cycle` is a number and no list: there is no `[1]`, so this is always false", "compare it: event.alert.cycle == …"),
    ("event.alert.labels.n == null", "`event.alert.labels.n` is a text and never null", "for what is missing write event.alert.labels.n is not defined"),
    ("not (event.alert.labels.n != null)", "`event.alert.labels.n` is a text and never null", "for what is missing write event.alert.labels.n is not defined"),
    ("null == event.alert.name", "`event.alert.name` is a text and never null", "compare it: event.alert.name == …"),
    ("event.alert.cycle > null", "`event.alert.cycle` is a number and never null", "compare it: event.alert.cycle == …"),
    ("event.alert.labels == null", "`event.alert.labels` is a mapping and never null", "compare it: event.alert.labels.… == …"),
    ("event.alert.name in [null]", "`event.alert.name` is a text and never null", "compare it: event.alert.name == …"),
    ('event.alert.status is match("Firing")', "nothing that `event.alert.status` can be matches 'Firing'", "did you mean 'firing'?"),
    ('not (event.alert.severity is not search("high|urgent"))', "nothing that `event.alert.severity` can be matches 'high|urgent'", "it is one of: critical, error, warning, info, unknown"),
    ('event.alert is selectattr("status", "==", "fireing")', "`event.alert.status` is never 'fireing'", "did you mean 'firing'?"),
    ("event.alert.summary > 5", "`event.alert.summary` is a text, so this is always false", alerts.NO_NUMBER),
    ("event.alert.summary == 5", "`event.alert.summary` is a text, so this is always false", "put quotes around the value"),
    ("event.alert.link in [true]", "`event.alert.link` is a text and never true", "put quotes around the value"),
]  # fmt: skip
ALWAYS_SO = [
    ('event.alert.labels not contains "team"', "trap-contains", "for a key write event.alert.labels.team is not defined"),
    ('not (event.alert.labels contains "app.name")', "trap-contains", 'for a key write event.alert.labels["app.name"] is not defined'),
    ("event.alert.labels not contains 5", "trap-contains", BELOW),
    ('"team" not in event.alert.labels', "trap-substring", "for a key write event.alert.labels.team is not defined"),
    ("not (event.alert.name in event.alert.labels)", "trap-substring", BELOW),
]  # fmt: skip


def real(shared):
    """Events of the bodies that real senders sent."""
    payloads = shared / "payloads"
    for one in json.loads((payloads / "INDEX.json").read_text())["entries"]:
        if one["file"].endswith(".json"):
            form = plugins.find("formats", one["file"].partition("/")[0]).FORMAT
            headers = {name.lower(): value for name, value in (one.get("headers") or {}).items()}
            for made in form.read(json.loads((payloads / one["file"]).read_text()), headers):
                yield {**made.event, "alert": {"cycle": 1, **made.event["alert"]}}


def holds(text):
    """The engine's own function for a condition of one test."""
    book = f"- name: a\n  hosts: all\n  sources: []\n  rules:\n    - name: r\n      condition: {text!r}\n      action: {{none: {{}}}}\n"
    document = config.read_text(book, "a.yml")
    (ruleset,) = rulebook.parse(document, {})
    assert document.ok, document.diagnostics
    node = normal.normal(ruleset.rules[0].condition.patterns[0].test)
    assert isinstance(node, normal.Check)
    return leaves.leaf(node.leaf.test, node.negated, leaves.Tally())


def told(found, *wanted):
    return [(one.code, one.message, one.try_) for one in found if one.code in wanted]


@pytest.mark.parametrize(("text", "message", "try_"), NEVER)
def test_what_never_holds(linted, rules, text, message, try_):
    found = linted(rules(f"condition: {text!r}"))
    assert told(found, "unreachable", "unknown-path") == [("unreachable", message, try_)]
    assert not any(map(holds(text), EVENTS))


@pytest.mark.parametrize(
    "text",
    [
        'event.alert.labels is select("search", "team")',
        'event.alert.labels is select("!=", "x")',
        'event.alert.labels is not select("==", "x")',
        'event.alert.labels is selectattr("team", "==", "a")',
        'event.alert.labels is not selectattr("team", "==", 5)',
        'not (event.alert.labels is selectattr("team", ">", 5))',
        'not (event.alert.labels is not selectattr("team", "!=", 5))',
        'event.alert is selectattr("name", "!=", 5)',
        'event.alert is selectattr("cycle", ">", 5)',
        'event.alert.name is select("==", "disk")',
        'event.alert.name is select("search", "disk")',
        "event.alert.labels[0] is not defined",
        "event.alert.labels.n != null",
        "event.alert.name not in [null]",
        "event.alert.cycle != null",
        'event.alert.status is match("fir")',
        'event.alert.status is match("FIRING", ignorecase=true)',
        'event.alert.status is not search("Firing")',
        'event.alert is selectattr("status", "==", "firing")',
        'event.alert is selectattr("status", "!=", "fireing")',
        'event.alert.summary != "x"',
        "event.alert.labels[0] + 1 == 1",
        'event.alert.labels["0"] == "x"',
        'event.alert.labels not contains "disk"',
        "event.alert.name not in event.alert.labels",
    ],
)
def test_what_may_hold(linted, rules, text):
    assert told(linted(rules(f"condition: {text!r}")), "unreachable") == []
    assert any(map(holds(text), EVENTS))


@pytest.mark.parametrize(
    "text",
    [
        'event.alert.annotations is select("==", "x")',
        'event.alert.annotations[0] == "x"',
        'event.alert.summary[0] == "x"',
        "event.alert.summary != 5",
        "not (event.alert.summary > 5)",
        "event.alert.summary == null",
        'event.alert.labels is select("==", event.x)',
        'event.alert.labels is select("<", null)',
        "event.alert.labels not contains event.x",
        "event.alert.labels not contains event.alert.labels.n",
    ],
)
def test_of_what_is_not_known_nothing_is_told(linted, rules, text):
    assert told(linted(rules(f"condition: {text!r}")), "unreachable", "trap-contains") == []


@pytest.mark.parametrize(("text", "code", "try_"), ALWAYS_SO)
def test_what_always_holds(linted, rules, text, code, try_):
    found = linted(rules(f"condition: {text!r}"))
    assert told(found, "unreachable", "trap-contains", "trap-substring") == [(code, ALWAYS, try_)]
    assert {one.severity for one in found if one.code == code} == {"warning"}
    assert all(map(holds(text), EVENTS))


def test_each_claim_holds_beside_real_bodies(shared):
    never, always = [holds(text) for text, *_ in NEVER], [holds(text) for text, *_ in ALWAYS_SO]
    events = list(real(shared))
    assert len(events) > 50
    for event in events:
        assert not any(one(event) for one in never)
        assert all(one(event) for one in always)


@pytest.mark.parametrize("joined", [" and ", "\n  and\n  "])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('event.alert.labels contains "team"', "unreachable"),
        ('event.alert.cycle contains "1"', "unreachable"),
        ('event.alert contains "x"', "unreachable"),
        ('event.alert.labels not contains "team"', "trap-contains"),
    ],
)
def test_one_code_at_one_place(linted, rules, joined, text, code):
    """What another test of the condition is told for stays."""
    another = 'event.alert.summary contains "full"'
    for parts in ((text, another), (another, text)):
        found = linted(rules(f"condition: >-\n  {joined.join(parts)}"))
        told = [one for one in found if one.code in ("unreachable", "trap-contains")]
        assert sorted(one.code for one in told) == sorted(["trap-contains", code])
        assert sum(one.try_ == 'for a part of a text write … is search("…")' for one in told) == 1


def test_where_the_one_is_ignored_the_other_does_not_come(codes, rules):
    text = 'condition: event.alert.labels contains "team"  # healer: ignore[unreachable] it is so'
    assert not {"unreachable", "trap-contains", "unused-ignore"} & set(codes(rules(text)))


def test_of_open_sources_the_trap_is_told(codes, rules):
    head = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
    found = codes(rules('condition: event.alert.labels contains "team"', head=head))
    assert "trap-contains" in found
    assert "unreachable" not in found


ADVISED = [
    ('event.alert.labels.disk_used > "90"', "trap-text-order", alerts.NO_NUMBER, ""),
    ('"1.10" <= event.alert.labels.version', "trap-text-order", alerts.NO_NUMBER, ""),
    ("event.alert.labels.disk_used > 90", "unreachable", alerts.NO_NUMBER, ""),
    ('event.alert.summary > "5"', "trap-text-order", alerts.NO_NUMBER, ""),
    ("event.alert.labels.flag == yes", "trap-boolean", "put quotes around the text", 'event.alert.labels.flag == "yes"'),
    ("off != event.alert.name", "trap-boolean", "put quotes around the text", '"off" != event.alert.name'),
    ("event.alert.labels.x == None", "trap-none", "for what is missing write event.alert.labels.x is not defined, else put quotes around the text", 'event.alert.labels.x is not defined and event.alert.name == "x"'),
    ("event.alert.labels.x != None", "trap-none", "for what is missing write event.alert.labels.x is defined, else put quotes around the text", "event.alert.labels.x is defined"),
    ("event.alert.summary == None", "trap-none", "for what is missing write event.alert.summary is not defined, else put quotes around the text", 'event.alert.summary == "None"'),
    ("event.alert.name == none", "trap-none", "put quotes around the text", 'event.alert.name == "none"'),
    ("event.alert.cycle == yes", "unreachable", "compare it with a number, without quotes", "event.alert.cycle == 1"),
    ("event.alert.cycle == None", "unreachable", "compare it with a number, without quotes", "event.alert.cycle == 1"),
    ('event.annotations contains "runbook"', "trap-contains", "for a key write event.annotations.runbook is defined", "event.annotations.runbook is defined"),
    ('event.annotations not contains "a.b"', "trap-contains", 'for a key write event.annotations["a.b"] is not defined', 'event.annotations["a.b"] is not defined and event.alert.name == "x"'),
    ('event.alert.labels["8080"] == "x"', "", "", ""),
    ('event.annotations["0"] == "x"', "", "", ""),
    ('event["0"].x == "x"', "", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "try_", "instead"), ADVISED)
def test_the_advice_is_what_works(linted, rules, text, code, try_, instead):
    """Who follows it is told nothing more; where nothing works, it says so."""
    found = [one for one in linted(rules(f"condition: {text!r}")) if one.code not in ("no-brake", "unknown-path")]
    assert [(one.code, one.try_) for one in found] == ([(code, try_)] if code else [])
    if instead:
        assert [one.code for one in linted(rules(f"condition: {instead!r}")) if one.code != "no-brake"] in (
            [],
            ["unknown-path"],
        )


@pytest.mark.parametrize(
    ("text", "code", "try_"),
    [
        ('event.alert.labels.used > "90"', "trap-text-order", alerts.NO_NUMBER),
        ('event.used > "90"', "trap-text-order", "write 90 without quotes"),
        ("event.labels.flag == yes", "trap-boolean", "put quotes around the text"),
        ("event.flag == yes", "trap-boolean", "write true, or quotes around the text"),
        ("event.flag == None", "trap-none", "write null"),
        ('event.list["0"] == 1', "trap-index", "write [0] for a list"),
    ],
)
def test_of_open_sources_labels_are_texts_and_nothing_is_known_else(linted, rules, text, code, try_):
    head = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
    found = linted(rules(f"condition: {text!r}", head=head))
    assert [(one.code, one.try_) for one in found if one.code != "no-brake"] == [(code, try_)]


def test_the_advice_is_for_the_test_that_it_stands_at(linted, rules):
    """Several in one condition, one of them of a field of which nothing is known."""
    text = "event.alert.labels.a == yes and event.alert.started_at == on and event.alert.cycle == no and event.alert.labels.b == off"
    found = [one for one in linted(rules(f"condition: {text}")) if one.code == "trap-boolean"]
    quotes = "put quotes around the text"
    assert [one.try_ for one in found] == [quotes, "write true, or quotes around the text", quotes]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event.alert.name == events.first.alert.cycle", "`event.alert.name` is a text and `events.first.alert.cycle` is a number, so this is always false"),
        ("events.first.alert.cycle < event.alert.labels.n", "`events.first.alert.cycle` is a number and `event.alert.labels.n` is a text, so this is always false"),
        ("event.alert.name == events.first.alert.name", ""),
        ("event.alert.name == events.first.alert.started_at", ""),
    ],
)  # fmt: skip
def test_of_an_earlier_event_as_much_is_known(linted, rules, text, said):
    found = linted(rules(f"condition: {{all: ['events.first << event.alert.status == \"firing\"', {text!r}]}}"))
    assert [one[1] for one in told(found, "unreachable")] == ([said] if said else [])
