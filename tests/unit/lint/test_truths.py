"""`not` before a field alone: what is said of it is what the engine does, and following the advice ends it."""

from __future__ import annotations

import pytest

from tests.unit.lint.test_alerts import EVENTS, holds, real

OPEN = "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"
LACKING = "`%s` is a text, never true: `not` of it holds wherever it is there, and never where it is missing"
ALL = "`%s` is %s, never true: `not` of it holds of every alert"
UNKNOWN = "`not %s` holds of all that is there and is not `true`, and never where the field is missing"
LEAVE = "compare it, or leave it out"


def told(found):
    return [(one.severity, one.message, one.try_) for one in found if one.code == "trap-not-field"]


@pytest.mark.parametrize("path", ["event.alert.labels.team", "event.alert.summary", "event.alert.link"])
@pytest.mark.parametrize("form", ["not %s", "not (%s)", "not (not %s)"])
def test_of_a_text_that_an_alert_may_lack(linted, rules, path, form):
    text = f"{form % path} and event.alert.cycle == 1"
    assert told(linted(rules(f"condition: {text}"))) == [("warning", LACKING % path, f"write {path} is not defined")]
    assert told(linted(rules(f"condition: {path} is not defined and event.alert.cycle == 1"))) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("event.alert.name", "a text"),
        ("event.alert.severity", "a text"),
        ("event.alert.cycle", "a number"),
        ("event.alert.labels", "a mapping"),
        ("event.alert", "a mapping"),
    ],
)
def test_of_what_every_alert_has(linted, rules, path, kind, shared):
    found = told(linted(rules(f"condition: not {path}")))
    assert found == [("warning", ALL % (path, kind), LEAVE)]
    test = holds(f"not {path}")
    assert all(test(event) for event in real(shared))


def test_it_is_the_opposite_of_what_it_reads_as(shared):
    events = [*EVENTS, *real(shared)]
    for label in ("team", "n", "severity", "alertname"):
        test = holds(f"not event.alert.labels.{label}")
        assert all(test(event) is (label in event["alert"]["labels"]) for event in events)
    test = holds("not event.alert.summary")
    assert all(test(event) is ("summary" in event["alert"]) for event in events)


@pytest.mark.parametrize(
    "condition",
    ["{any: [%s, event.alert.cycle == 1]}", "{all: [%s, event.alert.cycle == 1]}", "event.alert.cycle == 1 or %s"],
)
def test_wherever_it_stands(linted, rules, condition):
    assert len(told(linted(rules(f"condition: {condition % 'not event.alert.labels.x'}")))) == 1


@pytest.mark.parametrize("text", ["not event.ok", "not (event.a.b)", 'not event["a"]', "event.i == 1 and not fact.ok"])
def test_of_a_field_of_which_the_kind_is_not_known_it_is_a_hint(linted, rules, text):
    (found,) = told(linted(rules(f"condition: {text}", head=OPEN)))
    assert found[0] == "hint"


def test_what_a_hint_says(linted, rules):
    (found,) = told(linted(rules("condition: not event.ok", head=OPEN)))
    assert found == (
        "hint",
        UNKNOWN % "event.ok",
        "write event.ok is not defined, or event.ok == false where it is a Boolean",
    )
    test = holds("not event.ok")
    assert [test({"ok": one}) for one in (False, 0, "", None, "false", [], {}, "x", True)] == [True] * 8 + [False]
    assert not test({})


@pytest.mark.parametrize(
    "text",
    [
        "event.ok == false",
        "event.ok is not defined",
        "event.ok is not defined or not event.ok",
        "event.ok is defined and not event.ok",
        "event.ok",
        "not (event.ok == 1)",
        "event.i == 1",
        "not (event.a is not defined)",
        "not true",
    ],
)
def test_what_is_known_to_whoever_wrote_it_is_not_told(linted, rules, text):
    assert told(linted(rules(f"condition: {text}", head=OPEN))) == []


def test_a_comment_ignores_it(codes, rules):
    found = codes(rules("condition: not event.alert.labels.x  # healer: ignore[trap-not-field] it is so"))
    assert not {"trap-not-field", "unused-ignore"} & set(found)
