"""What the real ansible-vault encrypted reaches playbooks and sources, and stands nowhere that the daemon keeps."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest

TOKEN, PASSWORD, OTHER = "t0ken-in-a-value", "p4ssword-in-a-file", "another-t0ken"
BOOK: Final = """\
- name: rs
  hosts: all
  sources:
    - name: greeter
      greeter: {{secret: "{{{{ token }}}}"}}
  rules:
    - name: heard
      condition: event.heard == true
      actions:
        - debug: {{var: token}}
        - debug: {{var: db}}
        - run_playbook:
            name: note.yml
            extra_vars:
              token: "{{{{ token }}}}"
              all: {{deep: ["{{{{ db.password }}}}", plain]}}
              here: {here}
"""
GREETER: Final = """\
import asyncio

async def main(queue, args):
    await queue.put({"heard": args["secret"] == "t0ken-in-a-value"})
    await asyncio.Event().wait()
"""
PLAY: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ token }} {{ all.deep[0] }} {{ here }}"
        dest: %s
        mode: "0600"
    - ansible.builtin.debug: {var: token}
"""
SETTINGS: Final = """\
environment: test
mode: active
activations:
  - {name: a, rulebook: rulebooks/healing.yml, vars_files: [vars/open.yml, vars/shut.yml]}
"""


def vaulted(folder: pathlib.Path, text: str) -> str:
    """The text as `ansible-vault encrypt` writes it."""
    path = folder / "to-encrypt"
    path.write_text(text)
    program = pathlib.Path(sys.executable).with_name("ansible-vault")
    subprocess.run(
        [program, "encrypt", "--vault-password-file", folder / "password", path], check=True, capture_output=True
    )
    return path.read_text()


def indented(text: str, by: int) -> str:
    """As a block of YAML."""
    return "|\n" + "".join(" " * by + line + "\n" for line in text.splitlines())


@pytest.fixture
def project(daemon: Any) -> Any:
    """A daemon with its project, not started."""
    base = daemon.base
    (base / "password").write_text("open sesame\n")
    daemon.write("healer.yaml", SETTINGS)
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible, inventory: inventory}}\n")
    daemon.write("actions.yaml", "{}\n")
    daemon.write("rulebooks/healing.yml", BOOK.format(here="!vault " + indented(vaulted(base, OTHER), 16)))
    daemon.write("vars/open.yml", "token: !vault " + indented(vaulted(base, TOKEN), 2))
    daemon.write("vars/shut.yml", vaulted(base, f"db: {{password: {PASSWORD}}}\n"))
    daemon.write("sources/greeter.py", GREETER)
    daemon.write("playbooks/note.yml", PLAY % daemon.effects)
    daemon.write("inventory/hosts.yml", f"h1 ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    (daemon.project / "inventory/hosts.yml").rename(daemon.project / "inventory/hosts")
    return daemon


def test_vaulted_values_reach_what_is_run_and_nothing_else(project: Any, wait_for: Callable[..., None]) -> None:
    project.variables["EDA_VAULT_PASSWORD_FILE"] = str(project.base / "password")
    project.start()
    project.ready()
    wait_for(lambda: project.states() == ["succeeded"])
    assert project.effects.read_text() == f"{TOKEN} {PASSWORD} {OTHER}"
    (run,) = project.runs()
    shown = project.healer("runs", "show", run["id"], "--output").stdout
    assert "***" in shown
    project.stop()
    said = project.said()
    assert ("token: ***\n" in said, 'db: {"password":"***"}\n' in said, "ansible-vault:" in said) == (True, True, False)
    kept = [path for path in project.data.rglob("*") if path.is_file()] + [
        project.log,
        *(project.project / "logs").rglob("*"),
    ]
    for path in kept:
        raw = path.read_bytes() if path.is_file() else b""
        found = [secret for secret in (TOKEN, PASSWORD, OTHER) if secret.encode() in raw]
        assert found == ([TOKEN] if path.name == "greeter.py" else []), path  # the plugin of this test says it itself


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "no vault password is given"),
        (("--vault-password-file", "{base}/wrong"), "no password given (default) opens it"),
        (("--vault-id", "prod@{base}/gone"), "gone"),
    ],
)
def test_a_start_says_what_it_cannot_open(project: Any, flags: tuple[str, ...], said: str) -> None:
    (project.base / "wrong").write_text("not it\n")
    project.start(*(flag.format(base=project.base) for flag in flags))
    assert not project.came_up()
    assert project.ended() != 0
    assert "error[vault]" in project.said()
    assert said in project.said()
