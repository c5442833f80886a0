"""`validate.severity` and `validate.ignore_paths`."""

from __future__ import annotations

import pytest

from healer.lint import codes

HOOK = 'sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}}\n'


def judged(linted, rules, section: str):
    text = 'condition: event.alert.lables == "x"'
    return [(one.place.file, one.code, one.severity) for one in linted(rules(text), HOOK + f"validate: {section}\n")]


@pytest.mark.parametrize("severity", ["error", "warning", "hint"])
def test_raised_and_lowered(linted, rules, severity):
    assert judged(linted, rules, f"{{severity: {{unknown-path: {severity}}}}}") == [
        ("rulebooks/web.yml", "unknown-path", severity)
    ]


@pytest.mark.parametrize(
    "section",
    [
        "{severity: {unknown-path: off}}",
        '{severity: {unknown-path: "off"}}',
        "{ignore_paths: [rulebooks/*]}",
        "{ignore_paths: ['*.yml']}",
    ],
)
def test_switched_off(linted, rules, section):
    assert judged(linted, rules, section) == []


def test_other_files_are_told(linted, rules):
    assert len(judged(linted, rules, "{ignore_paths: [rulebooks/other/*]}")) == 1


def test_an_error_cannot_be_lowered(linted, rules):
    found = judged(linted, rules, "{severity: {yaml: hint, wrong-type: off}}")
    assert found[:2] == [("healer.yaml", "ignored-error", "error")] * 2


def test_an_error_stays_whatever_its_file(linted):
    found = linted({"rulebooks/web.yml": "x"}, HOOK + "validate: {ignore_paths: ['*']}\n")
    assert [one.severity for one in found] == ["error"]


def test_a_code_that_there_is_not(linted, rules):
    found = judged(linted, rules, "{severity: {unknown-pth: off}}")
    assert ("healer.yaml", "unknown-code", "warning") in found


def test_a_value_that_there_is_not(linted, rules):
    assert ("healer.yaml", "options", "error") in judged(linted, rules, "{severity: {unknown-path: fatal}}")


def test_two_checks_of_one_name(linted, rules):
    one = "{name: x, require: [approval]}"
    assert ("healer.yaml", "duplicate-name", "error") in judged(linted, rules, f"{{checks: [{one}, {one}]}}")


def test_every_code_has_a_severity() -> None:
    assert {one.severity for one in codes.TABLE.values()} == {"error", "warning", "hint"}
