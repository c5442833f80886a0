"""Which files count, what is refused, and the id that they give."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from healer import project
from healer.project import tree


def read(root: pathlib.Path) -> tree.Tree:
    made = tree.Tree(root, lambda path: False)
    made.scan()
    return made


def identity(root: pathlib.Path) -> str:
    revision = project.load(root, {}).revision
    assert revision is not None
    return revision.id


def test_the_id_is_of_paths_contents_and_executability_alone(write: Any, tmp_path: pathlib.Path) -> None:
    first = identity(write({}))
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "project").rename(elsewhere)
    os.utime(elsewhere / "healer.yaml", (1, 1))
    (elsewhere / "README.md").write_text("not counted")
    (elsewhere / "playbooks/restart.yml~").write_text("not counted")
    (elsewhere / "sources").mkdir()
    assert identity(elsewhere) == first
    assert project.load(elsewhere, {"HEALER_MODE": "observe"}, {"server.port": 1}).revision.id == first  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("healer.yaml", "environment: prod\nsources: {am: {check: {process: {name: x}}}}\n"),
        ("playbooks/restart.yml", "[] # x\n"),
        ("playbooks/files/x.bin", "x"),
        ("roles/a/tasks/main.yml", ""),
        ("templates/x.j2", ""),
        ("group_vars/all.yml", "a: 1\n"),
        ("ansible.cfg", "[defaults]\n"),
        ("inventory/hosts", "[web]\nweb[01:04]\n"),
        ("scripts/clean.sh", "#!/bin/sh\nexit 0\n"),
        ("sources/mine.py", "x = 1\n"),
        ("collections/requirements.yml", "[]\n"),
    ],
)
def test_any_change_gives_another_id(write: Any, path: str, text: str) -> None:
    first = identity(write({}))
    assert identity(write({path: text})) != first


def test_executability_and_names_give_another_id(write: Any) -> None:
    root = write({})
    first = identity(root)
    (root / "scripts/clean.sh").chmod(0o644)
    assert identity(root) != first
    (root / "scripts/clean.sh").chmod(0o744)
    assert identity(root) == first
    (root / "playbooks/files").mkdir()
    (root / "playbooks/files/a").write_text("x")
    other = identity(root)
    (root / "playbooks/files/a").rename(root / "playbooks/files/b")
    assert identity(root) != other


def test_links_inside_count_as_what_they_show(write: Any) -> None:
    root = write({})
    (root / "playbooks/again.yml").symlink_to("restart.yml")
    (root / "roles").symlink_to("playbooks")
    files = read(root).files
    assert files["playbooks/again.yml"].sha256 == files["playbooks/restart.yml"].sha256
    assert "roles/again.yml" in files


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "/", "../.."])
def test_links_that_lead_out_are_refused(write: Any, target: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").write_text("x")
    root = write({})
    (root / "playbooks/bad").symlink_to(target)
    loaded = project.load(root, {})
    assert loaded.revision is None
    assert [(d.code, str(d.place)) for d in loaded.diagnostics if d.severity == "error"] == [
        ("path-escapes", "playbooks/bad")
    ]


def test_loops_special_files_and_dangling_links_are_refused(write: Any) -> None:
    root = write({})
    (root / "playbooks/loop").symlink_to(".")
    (root / "playbooks/whole").symlink_to("..")
    (root / "playbooks/nowhere").symlink_to("missing")
    os.mkfifo(root / "playbooks/pipe")
    (root / "requirements.yml").mkdir()
    found = {str(d.place): d.code for d in read(root).diagnostics}
    assert found == {
        "playbooks/loop": "path-loops",
        "playbooks/whole": "path-loops",
        "playbooks/nowhere": "unreadable",
        "playbooks/pipe": "not-a-file",
        "requirements.yml": "not-a-file",
    }


@pytest.mark.parametrize("name", tree.ALWAYS_FOLDERS)
def test_a_file_in_the_place_of_a_folder_is_told(write: Any, name: str) -> None:
    root = write({})
    if (root / name).is_dir():
        (root / name).rename(root / "elsewhere")
    (root / name).write_text("x")
    assert [(d.code, str(d.place)) for d in read(root).diagnostics] == [("not-a-file", name)]


def test_names_that_cannot_be_shown_are_refused(write: Any) -> None:
    root = write({})
    (root / "playbooks/a\nb").write_text("")
    pathlib.Path(os.fsdecode(os.fsencode(root / "playbooks") + b"/\xff")).write_text("")
    assert [d.code for d in read(root).diagnostics] == ["bad-name", "bad-name"]


def test_caps(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write({})
    monkeypatch.setattr(tree, "FILES_MAX", 3)
    assert [d.code for d in read(root).diagnostics] == ["too-large"]
    monkeypatch.setattr(tree, "FILES_MAX", 1000)
    monkeypatch.setattr(tree, "BYTES_MAX", 100)
    assert [d.code for d in read(root).diagnostics] == ["too-large"]
    monkeypatch.setattr(tree, "BYTES_MAX", 1 << 20)
    monkeypatch.setattr(tree, "DEPTH_MAX", 0)
    assert "too-deep" in [d.code for d in read(root).diagnostics]


def test_no_folder(tmp_path: pathlib.Path) -> None:
    loaded = project.load(tmp_path / "nothing", {})
    assert loaded.revision is None
    assert "no-project" in [d.code for d in loaded.diagnostics]


def test_the_programs_own_plugins_are_no_files_of_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository of healer is a project itself; what is installed from it is code."""
    repository = pathlib.Path(project.__file__).resolve().parents[2]
    found = read(repository)
    assert not [path for path in found.files if path.startswith(("sources/", "controllers/"))]


def test_nor_is_a_copy_of_them_as_where_healer_is_installed_elsewhere(write: Any) -> None:
    repository = pathlib.Path(project.__file__).resolve().parents[2]
    copied = {
        f"{kind}/{path.name}": path.read_text()
        for kind in ("sources", "checks", "controllers")
        for path in (repository / kind).glob("*.py")
    }
    root = write({**copied, "sources/formats/x.yml": "", "controllers/_away/machine.py": ""})
    loaded = project.load(root, {})
    assert [one for one in loaded.diagnostics if one.code in ("plugin-shadows", "wrong-folder")] == []
    assert not [path for path in read(root).files if path.startswith(("sources/", "checks/", "controllers/"))]
    (root / "controllers/ssh.py").write_text("# another\n")
    found = [(str(one.place), one.code) for one in project.load(root, {}).diagnostics]
    assert found == [("controllers/ssh.py", "plugin-shadows")]
