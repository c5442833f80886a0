"""A small sound project that each test changes, and mistakes told by a mark in the text (⟦ stands before what is wrong)."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from healer import project

MARK = "⟦"

SOUND = {
    "healer.yaml": """\
environment: prod
sources:
  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:TOKEN"}}}}
  plain: {healer.webhook: {path: plain, auth: {none: true}, alert_ttl: 1 day}}
""",
    "actions.yaml": """\
actions:
  restart:
    playbook: restart.yml
    impact: low
    parameters: {service: {type: string}, wait_s: {type: integer, default: 30}}
    required: [service]
    events: [service_down]
""",
    "controllers.yaml": """\
controllers:
  here: {type: local}
  site: {type: ansible, inventory: inventory}
default: site
""",
    "inventory/hosts": "[web]\nweb[01:03]\n",
    "playbooks/restart.yml": "[]\n",
    "scripts/clean.sh": "#!/bin/sh\n",
    "scripts/clean.meta.yml": "controller: here\nimpact: low\n",
    "rulebooks/team/web.yml": """\
- name: web
  hosts: all
  sources:
    - healer.source: {name: am}
    - healer.api: {}
    - range: {limit: 3}
      filters: [{json_filter: {}}]
  rules:
    - name: down
      condition: event.alert.name == "Down"
      action: {run_action: {name: restart, target: web01, parameters: {service: nginx}}}
""",
}

Write = Callable[[Mapping[str, str | bytes | None]], pathlib.Path]


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    """Write the sound project with some files changed (None: left out) and give its folder."""

    def made(changes: Mapping[str, str | bytes | None]) -> pathlib.Path:
        root = tmp_path / "project"
        for name, text in {**SOUND, **changes}.items():
            if text is not None:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text if isinstance(text, bytes) else text.replace(MARK, "").encode())
                path.chmod(0o755 if name.endswith(".sh") else 0o644)
        root.mkdir(exist_ok=True)
        return root

    return made


@pytest.fixture
def sealed(tmp_path: pathlib.Path) -> Callable[[str], str]:
    """A text as the real ansible-vault writes it, with the password `right`."""
    password = tmp_path / "password"
    password.write_text("right")
    program = pathlib.Path(sys.executable).with_name("ansible-vault")

    def made(text: str) -> str:
        return subprocess.run(
            [program, "encrypt", "--vault-password-file", password, "--output", "-"],
            input=text, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    return made


@pytest.fixture(scope="session")
def sound() -> dict[str, str]:
    """The files of the sound project."""
    return dict(SOUND)


def places(changes: Mapping[str, str | bytes | None]) -> list[tuple[str, int, int]]:
    """Where the marks stand, file by file."""
    found = []
    for name, text in changes.items():
        if not isinstance(text, str):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            while MARK in line:
                found.append((name, number, line.index(MARK) + 1))
                line = line.replace(MARK, "", 1)
    return found


@pytest.fixture
def told(write: Write) -> Callable[[Mapping[str, str | bytes | None]], list[tuple[tuple[str, int, int], str]]]:
    """The errors and warnings of a changed project: (place, code), sorted."""

    def found(changes: Mapping[str, str | bytes | None]) -> list[tuple[tuple[str, int, int], str]]:
        loaded = project.load(write(changes), {})
        assert (loaded.revision is None) == (loaded.errors > 0)
        return sorted(
            ((one.place.file, one.place.line, one.place.column), one.code)
            for one in loaded.diagnostics
            if one.severity != "hint"
        )

    return found


@pytest.fixture
def marked() -> Callable[[Mapping[str, str | bytes | None]], list[tuple[str, int, int]]]:
    """Where the marks stand."""
    return places
