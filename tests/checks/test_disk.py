"""`disk` on real folders and file systems."""

from __future__ import annotations

import asyncio
import pathlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from healer import plugins
from healer.checks import disk

Make = Callable[..., plugins.Check]


async def test_a_file_system_is_read(made: Make, tmp_path: pathlib.Path) -> None:
    reading = await made("disk", path=str(tmp_path), used_percent_max=100.0).look()
    assert reading.ok
    assert reading.value is not None
    assert 0 < reading.value <= 100


async def test_a_folder_is_measured_in_percent_of_what_it_may_take(made: Make, tmp_path: pathlib.Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "big").write_bytes(b"x" * 2000)
    reading = await made("disk", path=str(tmp_path), max_bytes=1000).look()
    assert (reading.ok, reading.value) == (False, 200.0)
    assert reading.detail == f"{tmp_path} is 200.0 % full (2000 of 1000 bytes), limit 100 %"


async def test_what_is_not_there_is_neither_good_nor_bad(made: Make, tmp_path: pathlib.Path) -> None:
    for more in ({}, {"max_bytes": 1000}):
        with pytest.raises(plugins.Blind, match="none: No such file or directory"):
            await made("disk", path=str(tmp_path / "none"), **more).look()


async def test_links_are_not_followed(made: Make, tmp_path: pathlib.Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "big")
    (folder / "loop").symlink_to(folder)
    assert (await made("disk", path=str(folder), max_bytes=1000).look()).value == 0.0


async def test_so_many_files_are_looked_at(made: Make, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FILES_MAX", 3)
    for number in range(4):
        (tmp_path / str(number)).write_bytes(b"x")
    with pytest.raises(plugins.Blind, match="more than 3 files"):
        await made("disk", path=str(tmp_path), max_bytes=1000).look()


async def test_one_that_nobody_waits_for_ends(
    made: Make, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wait_for_async: Callable[..., Awaitable[None]]
) -> None:
    """The thread too: a daemon that stops would wait for it."""
    began, go, counted = threading.Event(), threading.Event(), list[int]()

    def sizes(_path: str) -> Iterator[int]:
        yield 1
        began.set()
        go.wait(30)
        for number in range(1000):
            counted.append(number)
            yield 1
        raise AssertionError("it goes on")

    ended = threading.Event()
    folder_bytes = disk._folder_bytes

    def measured(path: str, over: threading.Event) -> int:
        try:
            return folder_bytes(path, over)
        finally:
            ended.set()

    monkeypatch.setattr(disk, "_sizes", sizes)
    monkeypatch.setattr(disk, "_folder_bytes", measured)
    task = asyncio.create_task(made("disk", path=str(tmp_path), max_bytes=1000).look())
    await wait_for_async(began.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await wait_for_async(ended.is_set)
    assert counted == [0]


@pytest.mark.parametrize(("given", "limit", "clear"), [
    ({}, 90.0, None), ({"max_bytes": "1 KiB"}, 100.0, None), ({"used_percent_max": 80, "clear_percent": 70}, 80.0, 70.0),
])  # fmt: skip
def test_what_counts_as_full(made: Make, given: dict[str, Any], limit: float, clear: float | None) -> None:
    check = made("disk", path="/var", **given)
    assert (check.options.limit, check.clear_below, check.subject(), check.alert) == (limit, clear, "/var", "DiskFull")


@pytest.mark.parametrize(("given", "says"), [
    ({"used_percent_max": 0}, "more than 0 is wanted, got 0"), ({"clear_percent": 95}, "clear_percent has to be at most used_percent_max (90)"),
    ({"max_bytes": "many"}, "max_bytes: "), ({"path": "a\nb"}, "a text without line breaks"),
])  # fmt: skip
def test_wrong_options_are_told(made: Make, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as caught:
        made("disk", **{"path": "/", **given})
    assert says in str(caught.value)
