"""`healer validate` with Ansible: when it is asked, when not, and what is said where it is not there."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

FILES = {
    "actions.yaml": "actions:\n  one: {playbook: one.yml, impact: low, target: none, verify: {resolved_within: 1 minute}}\n",
    "controllers.yaml": "controllers: {here: {type: ansible}}\n",
    "inventory/hosts.yml": "all: {hosts: {a: }}\n",
    "playbooks/one.yml": "- hosts: localhost\n  bogus: 1\n",
    "callback_plugins/mine.py": "open('ran', 'w')\n",
}
PROGRAM = """#!/bin/sh
echo "$@" >> {log}
if [ "$1" = --version ]; then echo 'ansible-playbook [core 2.19.14]'; exit 0; fi
echo "[ERROR]: 'bogus' is not a valid attribute for a Play" >&2
echo "Origin: $PWD/playbooks/one.yml:2:3" >&2
exit 4
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(text)
    for name in (
        "GITHUB_EVENT_NAME",
        "CI_MERGE_REQUEST_IID",
        "CI_MERGE_REQUEST_PROJECT_ID",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "p"


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The calls of an `ansible-playbook` beside our Python."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ansible-playbook").write_text(PROGRAM.format(log=tmp_path / "log"))
    (tmp_path / "bin/ansible-playbook").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    return tmp_path / "log"


TOLD = "playbooks/one.yml:2:3: error[ansible-syntax]: Ansible says: 'bogus' is not a valid attribute for a Play\n    2 |   bogus: 1"


def test_it_is_asked_where_it_is_there_and_once(healer, project, log):
    for given in ((), ("--ansible",), ()):
        done = healer("validate", project, *given)
        assert done.exit_code == 1
        assert TOLD in done.stdout
    assert len(log.read_text().splitlines()) == 2, "its version, and the playbook"
    told = json.loads(healer("validate", project, "--json").stdout)["diagnostics"]
    assert [(one["code"], one["line"], one["column"]) for one in told if one["severity"] == "error"] == [
        ("ansible-syntax", 2, 3)
    ]


def test_it_is_left_out(healer, project, log):
    done = healer("validate", project, "--no-ansible")
    assert (done.exit_code, "ansible" in done.stdout) == (0, False)
    assert not log.exists()


@pytest.mark.parametrize(
    ("given", "env"),
    [
        (("--no-project-plugins",), {}), ((), {"HEALER_NO_PROJECT_PLUGINS": "1"}), ((), {"GITHUB_EVENT_NAME": "pull_request"}),
        (("--no-project-plugins", "--ansible"), {}), ((), {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1", "CI_MERGE_REQUEST_PROJECT_ID": "2"}),
    ],
)  # fmt: skip
def test_nothing_runs_where_the_project_is_not_trusted(healer, project, log, tmp_path, given, env):
    assert healer("validate", project).exit_code == 1
    log.unlink()
    done = healer("validate", project, *given, env=env)
    assert (done.exit_code, done.stdout.count("hint[project-code]")) == (0, 1)
    assert "playbooks/one.yml: hint[project-code]: code of the project was not run" in done.stdout
    assert "ansible-syntax" not in done.stdout, "not even what was kept"
    assert not log.exists()
    assert healer("validate", project, "--no-project-plugins", "--no-ansible").stdout.count("project-code") == 0


def test_where_it_is_not_there_nothing_is_said(healer, project, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "/nonexistent")
    done = healer("validate", project)
    assert (done.exit_code, "ansible" in done.stdout) == (0, False)
    done = healer("validate", project, "--ansible")
    assert done.exit_code == 1
    assert "error[missing-extra]: --ansible needs a package that is not installed: ansible-core" in done.stderr


def test_reading_for_the_daemon_asks_nothing(project, log):
    from healer import project as reading

    assert reading.load(project, {}).errors == 0
    assert not log.exists()
    assert not pathlib.Path(project, "ran").exists()
