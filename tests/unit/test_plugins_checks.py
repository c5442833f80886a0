"""Finding the class of a check, wherever it is from."""

from __future__ import annotations

import asyncio
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


@pytest.mark.parametrize("ends", [SystemExit(3), KeyboardInterrupt("x")])
async def test_what_ends_the_process_is_a_failure_of_the_plugin(ends: BaseException) -> None:
    async def work() -> int:
        raise ends

    with pytest.raises(plugins.Quit, match=f"it wanted to end the process: {type(ends).__name__}"):
        await plugins.within(work())


async def test_all_else_comes_through_as_it_is() -> None:
    async def work(error: BaseException | None) -> int:
        if error:
            raise error
        return 7

    assert await plugins.within(work(None)) == 7
    for error in (OSError(28, "full"), asyncio.CancelledError()):
        with pytest.raises(type(error)) as told:
            await plugins.within(work(error))
        assert told.value is error
