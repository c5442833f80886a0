"""One name means one ruleset and one rule, whatever slashes its parts have."""

from __future__ import annotations

from typing import Any

import pytest

from healer import project

RULE = "{name: %s, condition: event.a == 1, action: {none: {}}}"


def ruleset(name: str, *rules: str) -> str:
    return f"- name: {name}\n  hosts: all\n  sources: []\n  rules: [{', '.join(RULE % one for one in rules)}]\n"


def load(write: Any, files: dict[str, str | bytes | None]) -> Any:
    return project.load(write({"rulebooks/team/web.yml": None, **files}), {})


def duplicates(loaded: Any) -> list[tuple[str, str]]:
    return [(str(one.place), one.message) for one in loaded.diagnostics if one.code == "duplicate-name"]


def test_rules_of_one_file_cannot_be_one(write: Any) -> None:
    found = load(write, {"rulebooks/a.yml": ruleset("R/S", "x") + ruleset("R", "S/x", "y")})
    assert duplicates(found) == [
        ("rulebooks/a.yml:8:18", "'a/R/S/x' is the name of another rule already (rulebooks/a.yml:4:18)")
    ]
    assert found.revision is None


def test_rules_of_two_activations_cannot_be_one(write: Any) -> None:
    """The same file twice, and names that only the variables make the same."""
    settings = (
        "activations:\n"
        "  - {name: a, rulebook: rulebooks/r.yml, vars: {n: S/x}}\n"
        "  - {name: a/R, rulebook: rulebooks/s.yml, vars: {n: x}}\n"
    )
    files: dict[str, str | bytes | None] = {
        "healer.yaml": settings,
        "rulebooks/r.yml": ruleset("R", "'{{ n }}'"),
        "rulebooks/s.yml": ruleset("S", "'{{ n }}'"),
    }
    assert duplicates(load(write, files)) == [
        ("rulebooks/s.yml:4:18", "'a/R/S/x' is the name of another rule already (rulebooks/r.yml:4:18)")
    ]
    files["healer.yaml"] = settings.replace("n: x", "n: z")
    assert load(write, files).revision is not None


def test_rulesets_of_one_file_under_two_names_cannot_be_one(write: Any) -> None:
    settings = "activations:\n  - {name: a, rulebook: rulebooks/r.yml}\n  - {name: a/b, rulebook: rulebooks/r.yml}\n"
    found = load(write, {"healer.yaml": settings, "rulebooks/r.yml": ruleset("b/c") + ruleset("c")})
    assert duplicates(found) == [
        ("rulebooks/r.yml:5:9", "'a/b/c' is the name of another ruleset already (rulebooks/r.yml:1:9)")
    ]


@pytest.mark.parametrize(("event", "taken"), [("RS/r", True), ("RS/s", False)])
def test_rules_of_the_catalogs_events_have_names_too(write: Any, event: str, taken: bool) -> None:
    actions = f"actions: {{restart: {{playbook: restart.yml, impact: low, events: ['{event}']}}}}\n"
    found = load(write, {"actions.yaml": actions, "rulebooks/healer/events.yml": ruleset("RS", "r")})
    said = "'healer/events/RS/r' is the name of another rule already (rulebooks/healer/events.yml:4:18)"
    assert [one[1] for one in duplicates(found)] == ([said] if taken else [])
