"""What the tests of the linter share: a project of a few files, and what is told of it."""

from __future__ import annotations

import pathlib
import textwrap
from collections.abc import Callable, Mapping

import pytest

from healer import errors, lint, project

HOOK = 'sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}}\n'
ACTIONS = """\
actions:
  clean: {command: [df], impact: medium, verify: {resolved_within: 5 minutes}}
  look: {command: [df], impact: low, target: none}
"""
HEAD = "- name: web\n  hosts: all\n  sources: [{healer.source: {name: am}}]\n  rules:\n"


def _rules(*texts: str, head: str = HEAD) -> str:
    """A rulebook of one ruleset with these rules; the action is `none` where a rule has none."""
    made = []
    for number, text in enumerate(texts):
        whole = text if "action" in text else text + "\naction: {none: {}}"
        body = textwrap.indent(whole, "      ")
        made.append(f"    - name: rule {number}\n{body}\n")
    return head + "".join(made)


@pytest.fixture
def rules() -> Callable[..., str]:
    """`rules(*texts, head=HEAD)`: a rulebook of one ruleset with these rules."""
    return _rules


Lint = Callable[..., list[errors.Diagnostic]]


@pytest.fixture
def linted(tmp_path: pathlib.Path) -> Lint:
    """`linted(files)`: all that is told of a project of these files, beside one webhook and two actions."""

    def made(files: Mapping[str, str] | str, main: str = HOOK) -> list[errors.Diagnostic]:
        given = {"rulebooks/web.yml": files} if isinstance(files, str) else files
        for name, text in {"healer.yaml": main, "actions.yaml": ACTIONS, **given}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return lint.lint(project.draft_of(tmp_path, {}))

    return made


@pytest.fixture
def codes(linted: Lint) -> Callable[..., list[str]]:
    """`codes(…)`: the codes alone, in their order."""
    return lambda *args, **named: [one.code for one in linted(*args, **named)]
