"""Which files of an inventory are read, and which are programs that only Ansible may run."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from healer import project

STATIC = {
    "ini": "[web]\nweb1\nweb2 ansible_host=10.0.0.1\n",
    "yaml": "web:\n  hosts: {web1: {}, web2: {ansible_host: 10.0.0.1}}\n",
}
COMPILED = b"\x7fELF\x02\x01\x01\0\xff\xfe\n"


@pytest.fixture
def project_of(write):
    """A project whose inventory is one file of this text and mode."""

    def made(text: str, mode: int) -> pathlib.Path:
        root = write({"inventory/hosts": text, "rulebooks/team/web.yml": None})
        (root / "inventory/hosts").chmod(mode)
        return root

    return made


@pytest.mark.parametrize("text", STATIC.values(), ids=STATIC)
def test_an_executable_text_is_read_as_ansible_reads_it(project_of, tmp_path, text):
    root = project_of(text, 0o755)
    loaded = project.load(root, {})
    assert loaded.revision is not None
    assert "dynamic-inventory" not in {one.code for one in loaded.diagnostics}
    hosts = loaded.revision.hosts("site").hosts
    said = subprocess.run(
        [pathlib.Path(sys.executable).with_name("ansible-inventory"), "-i", root / "inventory/hosts", "--list"],
        env={**os.environ, "HOME": str(tmp_path), "ANSIBLE_HOME": str(tmp_path)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert {name: one.address for name, one in hosts.items()} == {"web1": "web1", "web2": "10.0.0.1"}
    assert json.loads(said.stdout)["web"]["hosts"] == [*hosts]


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_what_begins_as_a_program_is_none_of_ours(project_of, mode):
    found = project.load(project_of("#!/bin/sh\nexit 1\n", mode), {}).diagnostics
    assert [str(one.place) for one in found if one.code == "dynamic-inventory"] == ["inventory/hosts:1:1"]


@pytest.mark.parametrize(("mode", "code"), [(0o755, "dynamic-inventory"), (0o644, "unreadable")])
def test_a_compiled_program_is_left_to_ansible(project_of, mode, code):
    root = project_of("", mode)
    (root / "inventory/hosts").write_bytes(COMPILED)
    found = [one for one in project.load(root, {}).diagnostics if one.place.file == "inventory/hosts"]
    assert [one.code for one in found] == [code]
    assert found[0].text == ""


def test_targets_are_not_checked_where_a_compiled_program_knows_them(write):
    book = """\
- name: web
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules:
    - name: down
      condition: event.alert.name == "Down"
      action: {run_action: {name: restart, target: web77}}
"""
    actions = "actions: {restart: {playbook: restart.yml, impact: low}}\n"
    root = write({"actions.yaml": actions, "rulebooks/team/web.yml": book})
    (root / "inventory/hosts").chmod(0o755)
    assert [one.code for one in project.load(root, {}).diagnostics if one.severity == "error"] == ["unknown_target"]
    (root / "inventory/hosts").write_bytes(COMPILED)
    assert [one.code for one in project.load(root, {}).diagnostics if one.severity == "error"] == []
