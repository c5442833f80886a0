"""The schemas in a project, and the lines by which its files name them."""

from __future__ import annotations

import json
import pathlib

import jsonschema
import pytest
import yaml

from healer.cli import editing, starter

PROJECTS = (".", "examples/cluster")
"""In this repository."""


@pytest.mark.parametrize(
    ("file", "kind", "up"),
    [
        ("healer.yaml", "healer", ""), ("actions.yml", "actions", ""), ("controllers.yaml", "controllers", ""),
        ("rulebooks/disk.yml", "rulebook", "../"), ("rulebooks/web/disk.yaml", "rulebook", "../../"), ("rulebooks/disk_test.yml", "test", "../"),
        ("scripts/clean.meta.yml", "metadata", "../"), ("playbooks/web/x.meta.yaml", "metadata", "../../"),
    ],
)  # fmt: skip
def test_a_file_names_the_schema_of_its_kind(file, kind, up):
    assert editing.modeline(file) == f"# yaml-language-server: $schema={up}.healer-schemas/{kind}.json\n"


@pytest.mark.parametrize(
    "file",
    ["inventory/hosts.yml", "scripts/clean.sh", "playbooks/x.yml", "other.yaml", "examples/x.json", "healer.json"],
)
def test_what_has_no_schema_has_no_line(file):
    assert editing.modeline(file) == ""


def test_all_are_written_and_ignored_by_git(tmp_path):
    written = editing.write(tmp_path)
    folder = tmp_path / editing.FOLDER
    assert {path.name for path in folder.iterdir()} == {".gitignore", *(pathlib.Path(name).name for name in written)}
    assert (folder / ".gitignore").read_text() == "*\n"
    for kind, schema in editing.schemas().items():
        assert json.loads((folder / f"{kind}.json").read_text()) == schema


def test_they_are_written_anew_and_no_link_is_followed(tmp_path):
    folder = tmp_path / editing.FOLDER
    folder.mkdir()
    (tmp_path / "mine").write_text("mine")
    (folder / "healer.json").symlink_to(tmp_path / "mine")
    (folder / "rulebook.json").write_text("old")
    editing.write(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (folder / "healer.json").is_symlink()
    assert json.loads((folder / "rulebook.json").read_text())["title"]


def samples(root: pathlib.Path) -> list[str]:
    """The files of a project that have a schema."""
    found = [path.relative_to(root).as_posix() for path in root.glob("*.y*ml")]
    for folder in ("rulebooks", "playbooks", "scripts"):
        found += [path.relative_to(root).as_posix() for path in (root / folder).rglob("*.y*ml")]
    return sorted(name for name in found if editing.modeline(name))


@pytest.mark.parametrize("name", PROJECTS)
def test_the_samples_name_their_schemas_and_are_what_these_say(repository, name):
    root = repository / name
    found = editing.schemas()
    assert samples(root)
    for sample in samples(root):
        text = (root / sample).read_text("utf-8")
        line = editing.modeline(sample)
        assert text.startswith(line), f"{sample}: its first line has to be {line}"
        schema = found[pathlib.PurePosixPath(line.strip()).stem]
        assert [
            error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text))
        ] == [], sample


def test_so_do_the_files_of_a_new_project(healer):
    assert healer("init", "new").exit_code == 0
    root, found = pathlib.Path("new"), editing.schemas()
    assert samples(root) == sorted(name for name in starter.FILES if editing.modeline(name))
    for sample in samples(root):
        text = (root / sample).read_text("utf-8")
        named = root / pathlib.PurePosixPath(sample).parent / text.splitlines()[0].partition("$schema=")[2]
        assert json.loads(named.read_text()) == found[named.stem]
        assert jsonschema.Draft202012Validator(found[named.stem]).is_valid(yaml.safe_load(text)), sample
