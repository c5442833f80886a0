"""Which collections are there, and that what is installed changes the stamp."""

from __future__ import annotations

import pathlib

import pytest

from healer import project
from healer.lint.syntax import installed


@pytest.fixture
def places(tmp_path: pathlib.Path):
    def made(config: str = "", bundled: str = "") -> installed.Places:
        root = tmp_path / "project"
        own = root / "collections/ansible_collections/own/one/README.md"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text("x\n")
        (root / "ansible.cfg").write_text(config)
        return installed.Places(project.draft_of(root, {}).revision, {"HOME": str(tmp_path / "home")}, bundled)

    return made


def test_a_collection_is_looked_for_where_ansible_does(places, tmp_path):
    for below in ("home/.ansible/collections", "opt/them", "lib"):
        (tmp_path / below / "ansible_collections" / below.split("/")[0] / "c").mkdir(parents=True)
    found = places(f"[defaults]\ncollections_path = ./x:{tmp_path}/opt/them\n", f"{tmp_path}/lib/ansible")
    names = (
        "own.one.x",
        "home.c.x",
        "opt.c.x",
        "lib.c.x.y",
        "ansible.builtin.x",
        "ansible.legacy.x",
        "x",
        "a.b",
        "A.b.c",
        "a.b.",
    )
    assert [found.lacks(name) for name in names] == [""] * len(names)
    assert found.lacks("no.such.x") == "no.such"
    assert places().lacks("opt.c.x") == "opt.c"


def test_the_stamp_changes_with_what_is_installed(places, tmp_path):
    seen = [places().stamp(), places().stamp()]
    assert seen[0] == seen[1] != ""
    for path in ("home/.ansible/roles/r/tasks/main.yml", "home/.ansible/collections/ansible_collections/a/b/x.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("1\n")
        seen.append(places().stamp())
        (tmp_path / path).write_text("22\n")
        seen.append(places().stamp())
    (tmp_path / "lib/ansible_collections/a/b").mkdir(parents=True)
    seen.append(places(bundled=f"{tmp_path}/lib/ansible").stamp())
    (tmp_path / "lib/ansible_collections/a/b/MANIFEST.json").write_text("{}")
    seen.append(places(bundled=f"{tmp_path}/lib/ansible").stamp())
    assert len(set(seen)) == len(seen) - 1


def test_of_too_much_there_is_no_stamp(places, tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "ENTRIES_MAX", 3)
    (tmp_path / "home/.ansible/roles/a/b/c/d").mkdir(parents=True)
    assert places().stamp() == ""


def test_a_configuration_that_cannot_be_read_names_none(places):
    assert places("no section\n").lacks("no.such.x") == "no.such"
