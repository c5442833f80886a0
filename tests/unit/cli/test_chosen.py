"""Which project and which of its files are meant by paths."""

from __future__ import annotations

import pathlib

import pytest

from healer import errors
from healer.cli import chosen, usage


@pytest.fixture
def heal(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in (
        "heal/rulebooks/web/a.yml",
        "heal/playbooks/x.yml",
        "heal/healer.yaml",
        "other/actions.yaml",
        "loose/b.yml",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path / "heal"


def meant(*paths: pathlib.Path, named: pathlib.Path | None = None) -> list[tuple[str, list[str]]]:
    return [(one.folder.name, one.paths) for one in chosen.of(paths, named)]


def test_a_project_is_meant_whole(heal, monkeypatch):
    assert meant(heal) == [("heal", [])]
    assert meant(named=heal) == [("heal", [])]
    monkeypatch.chdir(heal)
    assert meant() == [("", [])]
    assert meant(pathlib.Path()) == [("", [])]


def test_a_file_or_folder_of_one(heal, monkeypatch):
    assert meant(heal / "rulebooks/web/a.yml") == [("heal", ["rulebooks/web/a.yml"])]
    assert meant(heal / "rulebooks") == [("heal", ["rulebooks"])]
    assert meant(heal / "rulebooks/web", heal / "healer.yaml") == [("heal", ["rulebooks/web", "healer.yaml"])]
    assert meant(heal / "rulebooks/web/a.yml", named=heal) == [("heal", ["rulebooks/web/a.yml"])]
    assert meant(heal, heal / "healer.yaml") == [("heal", [])]
    (heal / "README.md").write_text("")
    assert meant(heal / "README.md") == [("heal", ["README.md"])], "it is of the project, and nothing is told of it"
    monkeypatch.chdir(heal / "rulebooks")
    assert meant(pathlib.Path("web/a.yml")) == [("heal", ["rulebooks/web/a.yml"])]


def test_several_projects(heal):
    assert meant(heal, heal.parent / "other") == [("heal", []), ("other", [])]


def test_a_folder_that_is_no_project_is_one_without_files(heal):
    assert meant(heal.parent / "loose") == [("loose", [])]


@pytest.mark.parametrize(("path", "named"), [("loose/b.yml", None), ("other/actions.yaml", "heal"), ("other", "heal")])
def test_what_is_of_no_project_or_of_another(heal, path, named):
    with pytest.raises(usage.WrongUse):
        meant(heal.parent / path, named=named and heal.parent / named)


def test_what_is_of_the_files() -> None:
    one = chosen.Chosen(pathlib.Path(), ["rulebooks/web", "a.yml"])
    files = ["rulebooks/web/x.yml", "rulebooks/web", "rulebooks/web2.yml", "a.yml", "b.yml"]
    assert [one.has(errors.Diagnostic("x", "y", errors.Place(file))) for file in files] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_how_reports_name_the_folder(heal, monkeypatch):
    monkeypatch.chdir(heal.parent)
    assert chosen.prefix(heal, {}) == "heal"
    assert chosen.prefix(heal, {"GITHUB_WORKSPACE": str(heal)}) == ""
    assert chosen.prefix(heal, {"CI_PROJECT_DIR": str(heal.parent.parent)}) == f"{heal.parent.name}/heal"
    (heal / ".git").mkdir()
    assert chosen.prefix(heal, {}) == ""
    assert chosen.prefix(heal, {"GITHUB_WORKSPACE": str(heal.parent / "other")}) == ""
