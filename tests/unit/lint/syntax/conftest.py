"""What these tests share: a project with playbooks, and an `ansible-playbook` that notes how it was called and says what it was told to."""

from __future__ import annotations

import dataclasses
import pathlib
import stat
from collections.abc import Callable

import pytest

from healer import errors, lint, project, vault
from healer.lint import syntax

SOUND = "- hosts: localhost\n  tasks:\n    - ansible.builtin.debug: {msg: hello}\n"
FILES = {
    "actions.yaml": """\
actions:
  one: {playbook: one.yml, impact: low, target: none, verify: {resolved_within: 1 minute}}
""",
    "controllers.yaml": "controllers: {here: {type: ansible}}\n",
    "inventory/hosts.yml": "all: {hosts: {a: }}\n",
    "playbooks/one.yml": SOUND,
}
PROGRAM = """#!/bin/sh
if [ "$1" = --version ]; then
    echo version >> {log}
    cat {version}
    exit 0
fi
echo "$@" >> {log}
env > {folder}/environ
ls -A > {folder}/here
for last; do :; done
name=$(basename "$last")
if [ -f {folder}/$name.sh ]; then . {folder}/$name.sh; fi
exit 0
"""


@dataclasses.dataclass
class Fake:
    """A program that notes what it is asked."""

    folder: pathlib.Path

    @property
    def program(self) -> pathlib.Path:
        return self.folder / "bin/ansible-playbook"

    @property
    def asked(self) -> list[str]:
        """How it was called, one line each, `version` for its version."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def forget(self) -> None:
        (self.folder / "log").unlink(missing_ok=True)

    def does(self, playbook: str, script: str) -> None:
        """What it does with a playbook: lines of sh."""
        (self.folder / f"{playbook}.sh").write_text(script)

    def says(self, playbook: str, text: str, code: int = 4) -> None:
        """What it writes to standard error; `$PWD` is the folder of the project's files."""
        self.does(playbook, f"cat >&2 <<END\n{text}\nEND\nexit {code}\n")

    def release(self, version: str) -> None:
        (self.folder / "version").write_text(f"ansible-playbook [core {version}]\n  config file = None\n")

    def touched(self) -> None:
        """As one that was installed anew."""
        with self.program.open("a") as file:
            file.write("# again\n")


@pytest.fixture
def fake(tmp_path: pathlib.Path) -> Fake:
    """A fake `ansible-playbook`, which finds nothing wrong until it is told to."""
    made = Fake(tmp_path / "fake")
    made.program.parent.mkdir(parents=True)
    text = PROGRAM.format(log=made.folder / "log", version=made.folder / "version", folder=made.folder)
    made.program.write_text(text)
    made.program.chmod(made.program.stat().st_mode | stat.S_IXUSR)
    made.release("2.19.14")
    return made


@pytest.fixture
def environ(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of whoever validates: a home with nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "SECRET_OF_MINE": "x", "LANG": "C.UTF-8"}


Look = Callable[..., list[errors.Diagnostic]]


@pytest.fixture
def look(tmp_path: pathlib.Path, fake: Fake, environ: dict[str, str]) -> Look:
    """`look(files, program=…, opened=…)`: what is told of a project of these files, beside a sound one, of Ansible's check alone."""
    root = tmp_path / "project"

    def made(
        files: dict[str, str] | None = None, program: pathlib.Path | None = fake.program, keys: tuple[tuple[str, str], ...] = ()
    ) -> list[errors.Diagnostic]:  # fmt: skip
        for name, text in {**({} if root.exists() else FILES), **(files or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        draft = project.draft_of(root, environ)
        return lint.lint(draft, syntax.told(draft, syntax.Machine(program, environ, vault.Vault(keys))))

    return made


@pytest.fixture
def said(look: Look) -> Callable[..., list[str]]:
    """`said(…)`: what Ansible's check has told, each as `PLACE SEVERITY MESSAGE`."""
    return lambda *args, **named: [
        f"{one.place} {one.severity} {one.message}" for one in look(*args, **named) if one.code == "ansible-syntax"
    ]
