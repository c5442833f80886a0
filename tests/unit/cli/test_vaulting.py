"""The flags for ansible-vault: what they open is checked, what is missing is told, and no password is on a command line."""

from __future__ import annotations

import os
import pathlib
import pty
import subprocess
import sys

import pytest

BOOK = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: "r {{ plain }}", condition: event.a == vars.%s, action: {none: {}}}]
"""


@pytest.fixture
def project(tmp_path):
    for name, text in {
        "healer.yaml": "activations: [{name: a, rulebook: rulebooks/a.yml, vars_files: [vars/a.yml]}]\n",
        "rulebooks/a.yml": BOOK % "plain", "vars/a.yml": "plain: true\ntoken: secret-text\npin: 4711\n", "../password": "right\n", "../wrong": "wrong\n",
    }.items():  # fmt: skip
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = pathlib.Path(sys.executable).with_name("ansible-vault")
    subprocess.run(
        [program, "encrypt", "--vault-password-file", tmp_path / "password", tmp_path / "p/vars/a.yml"], check=True
    )
    return tmp_path / "p"


@pytest.mark.parametrize(
    "flags",
    [
        ["--vault-password-file", "password"],
        ["--vault-id", "x@password"],
        ["--vault-id", "x@wrong", "--vault-id", "y@password"],
    ],
)
def test_the_right_password_opens_it(healer, project, flags):
    given = [
        flag
        if flag.startswith("--")
        else flag.replace("password", f"{project.parent}/password").replace("wrong", f"{project.parent}/wrong")
        for flag in flags
    ]
    done = healer("validate", project, *given)
    assert done.exit_code == 0, done.output


def test_the_variable_of_upstream_does_too(healer, project, monkeypatch):
    monkeypatch.setenv("EDA_VAULT_PASSWORD_FILE", str(project.parent / "password"))
    assert healer("validate", project).exit_code == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "no vault password is given"),
        (["--vault-password-file", "{}/wrong"], "no password given (default) opens it"),
    ],
)
def test_without_it_the_place_is_named(healer, project, flags, said):
    done = healer("validate", project, *(flag.format(project.parent) for flag in flags))
    assert done.exit_code == 1
    assert "healer.yaml:1:65: error[vault]: vars/a.yml: the vaulted text cannot be read:" in done.output
    assert said in done.output


@pytest.mark.parametrize("name", ["token", "pin"])
def test_a_condition_cannot_know_what_is_vaulted(healer, project, name):
    (project / "rulebooks/a.yml").write_text(BOOK % name)
    done = healer("validate", project, "--vault-password-file", project.parent / "password")
    assert done.exit_code == 1
    assert f"error[vars-type]: the variable '{name}' is vaulted, and known at the moment of use only" in done.output
    assert "secret-text" not in done.output
    assert "4711" not in done.output


def at_a_terminal(answers, *argv):
    """(exit code, what is shown) of `healer …` in a terminal of its own, where each answer is entered after a prompt."""
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-m", "healer", *map(str, argv)])
    shown, left = b"", list(answers)
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
        if left and shown.endswith(b": "):
            os.write(terminal, left.pop(0).encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.parametrize(
    ("flags", "prompts"),
    [
        (["--ask-vault-pass"], ["Vault password: "]),
        (["--vault-id", "prod@prompt"], ["Vault password (prod): "]),
        (["--vault-id", "x@prompt", "--vault-id", "y@prompt"], ["Vault password (x): ", "Vault password (y): "]),
    ],
)
def test_a_password_is_asked_for_at_the_terminal_unseen(project, flags, prompts):
    code, shown = at_a_terminal([*["wrong\n"] * (len(prompts) - 1), "right\n"], "validate", project, *flags)
    assert (code, [one for one in prompts if one in shown]) == (0, prompts)
    assert "right" not in shown
    assert "ok: 1 rulebook" in shown


@pytest.mark.parametrize(("entered", "code"), [("\n", 1), ("\x04", 1), ("\x03", 130)])
def test_nothing_entered_is_told(project, entered, code):
    ended, shown = at_a_terminal([entered], "validate", project, "--vault-id", "prod@prompt")
    assert ended == code
    said = "error[vault]: the vault password prod@prompt cannot be read: nothing was entered"
    assert (said in shown) is (code == 1)


@pytest.mark.parametrize(
    ("flags", "label"), [(["--ask-vault-pass"], "default"), (["--vault-id", "prod@prompt"], "prod")]
)
@pytest.mark.parametrize("given", [b"", b"right\n"])
def test_without_a_terminal_it_is_told_and_nothing_else(project, flags, label, given):
    done = subprocess.run(
        [sys.executable, "-m", "healer", "validate", project, *flags],
        input=given,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    said = f"error[vault]: the vault password {label}@prompt cannot be read: there is no terminal to ask for it at\n"
    assert done.stderr.decode() == f"{said}  try  --vault-password-file FILE or --vault-id LABEL@FILE\n"
    assert (done.stdout, done.returncode) == (b"", 1)
