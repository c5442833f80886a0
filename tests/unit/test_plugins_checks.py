"""Finding the class of a check, wherever it is from."""

from __future__ import annotations

import importlib
import pathlib
import sys

import pytest

from healer import plugins


@pytest.mark.parametrize(
    "text", ["", "CHECK = 5\n", "CHECK = str\n", "from healer import plugins\nCHECK = plugins.Check\n"]
)
def test_a_check_is_a_class_with_options(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "checks" / "mine.py"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.check("mine", tmp_path)
    assert caught.value.message == f"the check 'mine' ({path}) cannot be used: CHECK is no Check class with Options"


def test_a_check_of_an_installed_package_is_found(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "far-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[healer.checks]\nfar = far_check:Far\n")
    text = "from healer import plugins\nclass Far(plugins.Check):\n    class Options(plugins.Options):\n        pass\n"
    (tmp_path / "far_check.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    assert plugins.check("far").__name__ == "Far"
    sys.modules.pop("far_check")
    with pytest.raises(plugins.UnknownPlugin) as caught:
        plugins.check("fra")
    assert (caught.value.message, caught.value.try_) == ("no check is named 'fra'", "did you mean 'far'?")
