"""Reports for GitHub and GitLab: escapes, places, and names that stay when lines move."""

from __future__ import annotations

import dataclasses

import pytest

from healer import errors
from healer.lint import reports

ONE = errors.Diagnostic(
    "no-brake", "it acts", errors.Place("rulebooks/a.yml", 7, 3), "warning", "  x: 1", 4, "a throttle"
)


def test_github() -> None:
    (line,) = reports.github([ONE])
    assert (
        line == "::warning file=rulebooks/a.yml,line=7,col=3,endColumn=7,title=healer%3A no-brake::it acts – a throttle"
    )
    (line,) = reports.github([dataclasses.replace(ONE, severity="hint")], "ops/heal")
    assert line.startswith("::notice file=ops/heal/rulebooks/a.yml,line=7")


def test_github_escapes_what_would_end_a_property_or_a_line() -> None:
    odd = errors.Diagnostic("yaml", "100% of\r\nit: a,b::error::x", errors.Place("a,b:c%.yml", 1, 1))
    (line,) = reports.github([odd])
    assert (
        line
        == "::error file=a%2Cb%3Ac%25.yml,line=1,col=1,endColumn=2,title=healer%3A yaml::100%25 of%0D%0Ait: a,b::error::x"
    )


def test_github_without_a_place_in_the_file() -> None:
    (line,) = reports.github([errors.Diagnostic("x", "y", errors.Place("a.yml"))])
    assert line == "::error file=a.yml,title=healer%3A x::y"


@pytest.mark.parametrize(("severity", "wanted"), [("error", "major"), ("warning", "minor"), ("hint", "info")])
def test_gitlab(severity: errors.Severity, wanted: str) -> None:
    (one,) = reports.gitlab([dataclasses.replace(ONE, severity=severity)], "heal")
    assert {key: one[key] for key in ("description", "check_name", "severity", "location")} == {
        "description": "it acts – a throttle", "check_name": "no-brake", "severity": wanted,
        "location": {"path": "heal/rulebooks/a.yml", "lines": {"begin": 7}},
    }  # fmt: skip
    assert len(one["fingerprint"]) == 64


def test_a_fingerprint_stays_when_lines_move() -> None:
    moved = dataclasses.replace(ONE, place=errors.Place("rulebooks/a.yml", 90, 5))
    assert reports.fingerprints([ONE]) == reports.fingerprints([moved])
    names = [
        dataclasses.replace(ONE, message=f"taken by 'x' (rulebooks/a.yml:{line}:7), and so on") for line in (5, 50)
    ]
    assert reports.fingerprints(names[:1]) == reports.fingerprints(names[1:])


@pytest.mark.parametrize(
    "other", [{"code": "x"}, {"message": "another"}, {"text": "  y: 2"}, {"place": errors.Place("b.yml", 7, 3)}]
)
def test_another_has_another(other: dict[str, object]) -> None:
    assert reports.fingerprints([ONE]) != reports.fingerprints([dataclasses.replace(ONE, **other)])  # type: ignore[arg-type]


def test_two_that_are_alike_are_told_apart() -> None:
    assert len(set(reports.fingerprints([ONE, ONE, ONE]))) == 3
