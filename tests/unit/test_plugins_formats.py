"""Formats of webhooks: those that ship with healer and those of installed packages; a project's folder has none."""

from __future__ import annotations

import importlib
import pathlib
import sys

import pytest

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
