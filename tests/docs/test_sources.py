"""`docs/sources.md`: the check of one's own that it shows works, in a source and in an action."""

from __future__ import annotations

import pathlib
import re

import pytest

from healer import plugins, project


@pytest.fixture
def folder(repository: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A project with the page's check."""
    page = (repository / "docs" / "sources.md").read_text("utf-8")
    ((name, text),) = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(text)
    (tmp_path / "spool").mkdir()
    return tmp_path


async def test_the_check_of_the_page_looks(folder: pathlib.Path) -> None:
    plugin = plugins.check("queue", folder)
    spool = folder / "spool"
    options = plugins.made_of(plugin.Options, {"folder": str(spool), "waiting_max": 1})
    check = plugin(options, plugins.CheckContext(lambda one: pytest.fail(f"no secret is wanted, got {one}")))
    assert (check.subject(), check.alert) == (str(spool), "QueueLong")
    for number in (1, 2):
        (spool / str(number)).touch()
        reading = await check.look()
        assert (reading.ok, reading.value, reading.detail) == (number == 1, number, f"{number} messages wait")


def test_it_is_known_where_checks_are_written(folder: pathlib.Path) -> None:
    (folder / "actions.yaml").write_text("actions: {spool_is_short: {check: {queue: {folder: spool}}}}\n")
    (folder / "healer.yaml").write_text("sources: {spool: {check: {queue: {folder: spool}, interval: 5 minutes}}}\n")
    assert [str(one) for one in project.load(folder, {}).diagnostics] == []
    (folder / "actions.yaml").write_text("actions: {spool_is_short: {check: {queu: {folder: spool}}}}\n")
    (told,) = project.load(folder, {}).diagnostics
    assert (told.code, told.try_) == ("unknown-check", "did you mean 'queue'?")
