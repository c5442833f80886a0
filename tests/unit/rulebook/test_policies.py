"""`policy:`: what is there is read in seconds, and each mistake told where it stands."""

from __future__ import annotations

from typing import Any

from healer import config, engine, rulebook

BOOK = """\
- name: rs
  hosts: all
  sources: []
  policy: {cooldown: 5 minutes, concurrency: 2}
  rules:
    - {name: r, condition: true, action: {none: {}}, policy: {max_age: 1h, defer_for: 0s, attempts: 1, timeout: 250ms}}
    - {name: s, condition: true, action: {none: {}}, policy: {}}
    - {name: t, condition: true, action: {none: {}}}
"""


def read(text: str) -> tuple[config.Document, list[engine.Ruleset]]:
    document = config.read_text(text, "x.yml")
    return document, rulebook.parse(document, {})


def test_spans_are_seconds() -> None:
    document, (found,) = read(BOOK)
    assert document.diagnostics == []
    policies: list[Any] = [dict(rule.policy) for rule in found.rules]
    assert found.policy == {"cooldown": 300.0, "concurrency": 2}
    assert policies == [{"max_age": 3600.0, "defer_for": 0.0, "attempts": 1, "timeout": 0.25}, {}, {}]


def test_each_mistake_is_told_where_it_stands() -> None:
    text = BOOK.replace("concurrency: 2", "concurrency: 0, approval: {any: []}, colour: red")
    told = [(one.code, one.place.line, one.place.column) for one in read(text)[0].diagnostics]
    assert sorted(told) == [("options", 4, 46), ("options", 4, 60), ("unknown-key", 4, 70)]


def test_an_approval_of_a_rule_is_read() -> None:
    text = BOOK.replace("concurrency: 2", "approval: {any: [{name: one, roles: [approver]}], expires: 5m}")
    document, (found,) = read(text.replace("timeout: 250ms", "approval: none"))
    assert document.diagnostics == []
    asked = {
        "thresholds": [{"name": "one", "roles": ["approver"], "approve": 1, "reject": 1}],
        "exclude": None,
        "then": "",
    }
    assert found.policy == {"cooldown": 300.0, "approval": asked, "approval_expires": 300.0}
    assert found.rules[0].policy["approval"] == {}
