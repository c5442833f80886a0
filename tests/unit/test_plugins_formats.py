"""Formats of webhooks: those that ship with healer and those of installed packages; a project's folder has none."""

from __future__ import annotations

import importlib
import pathlib
import sys
from collections.abc import Callable

import pytest

import healer.formats
import healer.sources
from healer import plugins

GOOD = "from healer import plugins\nFORMAT = plugins.Format('far_format', resolves=True, read=lambda body: [])\n"


@pytest.fixture
def install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package whose entry points are a module with a format, the format itself, and two that are none."""
    info = tmp_path / "site" / "far-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1\n")
    points = "good = far_format\nbare = far_format:FORMAT\nnone = far_none\nodd = far_none:FORMAT\n"
    (info / "entry_points.txt").write_text(f"[healer.formats]\n{points}")
    (tmp_path / "site" / "far_format.py").write_text(GOOD)
    (tmp_path / "site" / "far_none.py").write_text("FORMAT = 5\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    for name in ("far_format", "far_none"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    return "far_format"


def test_a_project_has_no_formats_of_its_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "mine.py").write_text("raise SystemExit('imported')\n")
    assert plugins.project_names("formats", tmp_path) == {}
    assert plugins.names("formats", tmp_path) == plugins.names("formats")
    with pytest.raises(plugins.UnknownPlugin):
        plugins.find("formats", "mine", tmp_path)


def test_a_format_of_an_installed_package_is_found_by_its_module(install: str) -> None:
    assert plugins.find("formats", "good").FORMAT.name == install


@pytest.mark.parametrize(
    ("name", "where"), [("bare", "far_format:FORMAT"), ("none", "far_none"), ("odd", "far_none:FORMAT")]
)
def test_what_has_no_format_is_broken_before_a_hook_needs_it(install: str, name: str, where: str) -> None:
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.find("formats", name)
    assert (
        caught.value.message
        == f"the format '{name}' ({where}) cannot be used: a module with FORMAT = plugins.Format(…) is wanted"
    )


def test_each_format_that_ships_has_its_files_name() -> None:
    assert [
        plugins.find("formats", name).FORMAT.name for name in plugins.builtin_names("formats")
    ] == plugins.builtin_names("formats")


@pytest.fixture
def ships(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], pathlib.Path]:
    """`ships(file, text)`: one more file beside the formats that ship."""
    folder = tmp_path / "formats"
    folder.mkdir()
    monkeypatch.setattr(healer.formats, "__path__", [*healer.formats.__path__, str(folder)])

    def write(file: str, text: str) -> pathlib.Path:
        (folder / file).write_text(text)
        return folder / file

    return write


def test_a_mapping_beside_the_formats_is_one_of_them(ships: Callable[[str, str], pathlib.Path]) -> None:
    path = ships("my_sender.yml", "resolves: true\nfields: {name: title}\n")
    for other in ("_hidden.yml", "other.yaml", "With-Dash.yml", "notes.txt"):
        ships(other, "fields: {name: title}\n")
    assert "my_sender" in plugins.builtin_names("formats")
    assert {"hidden", "_hidden", "other", "With-Dash", "notes"}.isdisjoint(plugins.names("formats"))
    found = plugins.find("formats", "my_sender")
    assert (found.__name__, found.__file__) == ("healer.formats.my_sender", str(path))
    assert (found.FORMAT.name, found.FORMAT.resolves) == ("my_sender", True)
    [element] = found.FORMAT.read({"title": "DiskFull"}, {})
    assert element.event["alert"]["name"] == "DiskFull"
    path.unlink()
    with pytest.raises(plugins.UnknownPlugin):
        plugins.find("formats", "my_sender")


def test_a_mapping_is_read_when_something_names_it_and_then_once(ships: Callable[[str, str], pathlib.Path]) -> None:
    path = ships("my_sender.yml", "fields: {name: a}\n")
    first = plugins.find("formats", "my_sender")
    path.write_text("no mapping\n")
    assert plugins.find("formats", "my_sender") is first


def test_a_module_stands_before_a_mapping_of_its_name(ships: Callable[[str, str], pathlib.Path]) -> None:
    ships("generic.yml", "no mapping\n")
    assert plugins.find("formats", "generic").FORMAT.resolves is False
    assert plugins.builtin_names("formats").count("generic") == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "fields:\n  name: a..b\n  nmae: x\n",
            "2:9: broken: fields.name: no path: at character 3 a key is missing, got 'a..b'; broken.yml:3:3: broken: the key 'nmae' is not known here",
        ),
        ("", ": broken: the key 'fields' is missing"),
        ("- a\n", ": broken: a mapping with fields"),
        ("fields: {name: a\n", "1:9: not YAML"),
        ("fields: {name: a, name: b}\n", "1:19: the key 'name' stands here twice, already in line 1"),
    ],
)
def test_a_mapping_that_is_wrong_is_broken_and_told_where(
    ships: Callable[[str, str], pathlib.Path], text: str, reason: str
) -> None:
    path = ships("broken.yml", text)
    assert "broken" in plugins.builtin_names("formats")
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.find("formats", "broken")
    assert caught.value.message.startswith(f"the format 'broken' ({path}) cannot be used: broken.yml")
    assert reason in caught.value.message


def test_a_mapping_is_no_plugin_of_another_kind(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_sender.yml").write_text("fields: {name: a}\n")
    monkeypatch.setattr(healer.sources, "__path__", [*healer.sources.__path__, str(tmp_path)])
    assert "my_sender" not in plugins.builtin_names("sources")
    with pytest.raises(plugins.UnknownPlugin):
        plugins.find("sources", "my_sender")
