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
