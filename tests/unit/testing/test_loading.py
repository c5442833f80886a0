"""Loading a rulebook for a test: a path, YAML text, or a loaded list."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from healer import engine, errors, testing

TEXT = """\
- name: first
  hosts: all
  sources: [{mine: {limit: 3}}]
  rules:
    - {name: "disk {{ limit }}", condition: event.full > vars.limit, action: {run_job_template: {name: x, organization: y}}}
- {name: second, hosts: all, sources: [], rules: []}
"""


@pytest.mark.parametrize("form", ["path", "text of a path", "text", "list", "tuple"])
def test_every_form_gives_the_compiled_rulesets(form: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "book.yml"
    path.write_text(TEXT)
    forms: dict[str, Any] = {
        "path": path, "text of a path": str(path), "text": TEXT, "list": yaml.safe_load(TEXT),
        "tuple": tuple(yaml.safe_load(TEXT)),
    }  # fmt: skip
    made = testing.load(forms[form], {"limit": 90})
    assert [one.name for one in made] == ["first", "second"]
    assert [match.rule.name for match in engine.Session(made[0]).post({"full": 91}, 0)] == ["disk 90"]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(errors.ConfigurationError) as raised:
        testing.load(TEXT.replace("hosts: all", "hots: all").replace("event.full >", "event.full ="), {"limit": 90})
    assert sorted(one.code for one in raised.value.diagnostics) == [
        "condition-syntax", "missing-key", "missing-key", "unknown-key", "unknown-key",
    ]  # fmt: skip


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(errors.ConfigurationError, match="cannot be read"):
        testing.load("nowhere.yml")


def test_what_an_action_cannot_do_yet_is_not_told_beside_a_mistake() -> None:
    assert len(testing.load(TEXT.replace("hosts: all,", "hosts: all, policy: {settle: 5s},"), {"limit": 90})) == 2
    wrong = TEXT.replace("hosts: all, ", "hosts: all, policy: {settle: 5s}, ").replace("event.full >", "event.full =")
    with pytest.raises(errors.ConfigurationError, match="1 error in the files") as raised:
        testing.load(wrong, {"limit": 90})
    assert [one.code for one in raised.value.diagnostics] == ["condition-syntax"]
