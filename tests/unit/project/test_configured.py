"""Which folders an ansible.cfg names."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from healer import project
from healer.project import configured, publishing


@pytest.mark.parametrize(("text", "found"), [
    ("[defaults]\nstrategy_plugins = strategies\n", ["strategies"]), ("[defaults]\nstrategy_plugins=./a/b/:/usr/share/x:~/y ; why\n", ["a/b"]),
    ("[defaults]\nlibrary = lib\nmodule_utils = u\nroles_path = r:../s\ncollections_path = c\n", ["lib", "u", "r", "c"]),
    ("[defaults]\ncallback_plugins = a:a\nfilter_plugins = a\ninventory_plugins = i\ncollections_paths: d\n", ["a", "i", "d"]),
    ("[defaults]\nroles_path = .:..:../x:$HOME/r:{{CWD}}/r:/abs\nlog_path = logs\ninventory = hosts\n", []),
    ("[other]\nlibrary = lib\n", []), ("no ini", []), ("", []), ("\xff", []), ("[defaults]\nlibrary\n", []), ("[defaults]\nlibrary = %(x)s\n", ["%(x)s"]),
])  # fmt: skip
def test_what_lies_in_the_project_is_named(text: str, found: list[str]) -> None:
    assert list(configured.folders(text.encode("latin-1"))) == found


def test_no_more_than_so_many_count() -> None:
    named = ":".join(f"p{number}" for number in range(configured.FOLDERS_MAX + 5))
    assert len(list(configured.folders(f"[defaults]\nlibrary = {named}\n".encode()))) == configured.FOLDERS_MAX


def test_they_are_published(write: Any, tmp_path: pathlib.Path) -> None:
    config = "[defaults]\nstrategy_plugins = strategy_plugins\nfilter_plugins = of/filters:gone:.git:a/file\nlibrary = library\n"
    files = {"ansible.cfg": config, "a/file": "", "of/other/x.py": "", ".git/x.py": "", "library/x.py": ""}
    root = write({**files, "strategy_plugins/noted.py": "x = 1\n", "of/filters/up.py": "x = 1\n"})
    revision = project.load(root, {}).revision
    assert revision is not None
    published = publishing.publish(revision, tmp_path / "data")
    assert {"strategy_plugins/noted.py", "of/filters/up.py", "library/x.py"} <= set(revision.files)
    assert not {"a/file", "of/other/x.py", ".git/x.py"} & set(revision.files)
    assert (published / "strategy_plugins/noted.py").read_text() == "x = 1\n"


def test_one_that_leads_out_of_the_project_is_told(write: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = write({"ansible.cfg": "[defaults]\nstrategy_plugins = out\n"})
    (root / "out").symlink_to(tmp_path / "elsewhere")
    assert [one.code for one in project.load(root, {}).diagnostics] == ["path-escapes"]


CONTROLLERS = "controllers: {s: {type: ansible, inventory: inventory/hosts.yml%s}}\n"


@pytest.mark.parametrize(("text", "told"), [
    ("[defaults]\nforks = 5\nvault_password_file = vault.txt\n", [(3, "vault_password_file names vault.txt")]), ("[defaults]\nprivate_key_file=keys/id ; why\n", [(2, "private_key_file names keys/id")]),
    ("[defaults]\nvault_identity_list = a@va, vb@prompt\n", [(2, "vault_identity_list names va")]),
    ("[ssh_connection]\nssh_args = -F ssh.cfg -o UserKnownHostsFile=./kh -o IdentityFile=~/k\n", [(2, "ssh_args names ssh.cfg"), (2, "ssh_args names ./kh")]),
    ("[defaults]\nroles_path = {{CWD}}/ans/roles:roles:../shared\n", [(2, "roles_path names {{CWD}}/ans/roles"), (2, "roles_path names ../shared")]),
    ("[defaults]\nvault_password_file = files/vault\nprivate_key_file = /etc/id\nroles_path = roles:~/r:/usr/share\n", []),
    ("[defaults]\nvault_password_file = ~/v\nprivate_key_file =\n[ssh_connection]\nssh_args = -o ControlMaster=auto -C\n", []), ("[defaults", []),
])  # fmt: skip
def test_a_file_that_no_run_gets_is_told(write: Any, text: str, told: list[tuple[int, str]]) -> None:
    files = {
        "ansible.cfg": text,
        "vault.txt": "x",
        "keys/id": "x",
        "ssh.cfg": "",
        "files/vault": "x",
        "controllers.yaml": CONTROLLERS % "",
    }
    found = [one for one in project.load(write(files), {}).diagnostics if one.place.file == "ansible.cfg"]
    assert [(one.place.line, one.message.partition(",")[0]) for one in found] == told
    assert {(one.code, one.severity, bool(one.try_)) for one in found} <= {("no-file", "warning", True)}


def test_a_password_of_a_vault_that_the_controller_has_is_not_looked_for(write: Any) -> None:
    files = {
        "ansible.cfg": "[defaults]\nvault_password_file = vault.txt\n",
        "controllers.yaml": CONTROLLERS % ", vault_password: {secret: 'env:HOME'}",
    }
    assert [one for one in project.load(write(files), {}).diagnostics if one.place.file == "ansible.cfg"] == []
