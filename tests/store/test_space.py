"""A full disk is known as one also where SQLite does not say so, what waits for space is told, and nothing unnamed stays behind."""

from __future__ import annotations

import asyncio
import errno
import os
import pathlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from healer import errors, store
from healer.store import connection, journal, soundness, space

LARGE = b"x" * (journal.INLINE_MAX + 1)


@pytest.fixture
async def kept(tmp_path: pathlib.Path) -> AsyncIterator[store.Store]:
    """A store with its thread."""
    made = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop())
    yield made
    await made.close()


def failing(number: int) -> Callable[..., Any]:
    """What fails as a disk does."""

    def fail(*_arguments: Any, **_named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def of_sqlite(code: int) -> sqlite3.OperationalError:
    """An error of SQLite's."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


# --- looking ----------------------------------------------------------------------------------------------------------


def test_a_disk_with_space_lacks_none_and_nothing_is_left_of_the_try(tmp_path: pathlib.Path) -> None:
    assert not space.lacking(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", ["open", "posix_fallocate"])
def test_no_inode_no_block_and_no_quota_are_no_space(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    monkeypatch.setattr(os, name, failing(number))
    assert space.lacking(tmp_path)
    assert not space.back(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["open", "posix_fallocate"])
def test_another_failure_is_no_full_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, name, failing(errno.EIO))
    assert not space.lacking(tmp_path)


def test_space_for_a_small_file_is_not_enough_to_go_on(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda _folder: space.WANTED_BYTES - 1)
    assert not space.back(tmp_path)
    monkeypatch.undo()
    assert space.back(tmp_path)


@pytest.mark.parametrize(("code", "asked", "found"), [
    (sqlite3.SQLITE_FULL, False, True), (sqlite3.SQLITE_IOERR_SHMSIZE, True, True), (sqlite3.SQLITE_IOERR_WRITE, True, True),
    (sqlite3.SQLITE_CANTOPEN, True, True), (sqlite3.SQLITE_IOERR_FSYNC, False, False), (sqlite3.SQLITE_CORRUPT, False, False),
])  # fmt: skip
def test_how_sqlite_fails_without_space(code: int, asked: bool, found: bool) -> None:
    """It is asked whether there is space where the error does not say so; never after a flush that failed."""
    asking: list[bool] = []

    def none_left() -> bool:
        asking.append(True)
        return True

    assert (space.was_missing(of_sqlite(code), none_left), bool(asking)) == (found, asked)
    if asked:
        assert not space.was_missing(of_sqlite(code), lambda: False)


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
def test_an_index_that_cannot_grow_is_damage_only_where_there_is_space(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    monkeypatch.setattr(space, "lacking", lambda _folder: full)
    error = connection.failed(of_sqlite(sqlite3.SQLITE_IOERR_SHMSIZE), tmp_path / "x.db", "put a copy back")
    assert (error.code, error.try_) == (
        ("disk-full", f"free some space on the disk of {tmp_path}") if full else ("store", "put a copy back")
    )


def test_an_owner_that_cannot_be_written_down_is_told_as_a_full_disk(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: Any) -> Any:
        raise of_sqlite(sqlite3.SQLITE_FULL)

    monkeypatch.setattr(store, "_begin", begin)
    with pytest.raises(errors.StoreFull, match="disk is full"):
        store.Store.open(tmp_path, lambda: 1, loop=None)


def test_a_store_that_is_refused_is_closed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []

    def refuse(found: sqlite3.Connection, *_: Any) -> None:
        opened.append(found)
        raise soundness.damaged(tmp_path, "so")

    monkeypatch.setattr(soundness, "refuse_damaged", refuse)
    with pytest.raises(soundness.Damaged):
        store.Store.open(tmp_path, lambda: 1, loop=None)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


# --- while it runs ----------------------------------------------------------------------------------------------------


async def test_large_content_without_space_is_told_and_shown_until_there_is_some(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while small commits still find some."""
    monkeypatch.setattr(kept.blobs, "keep", failing(errno.ENOSPC))
    monkeypatch.setattr(space, "back", lambda _folder: False)
    with pytest.raises(errors.StoreFull):
        await kept.keep(LARGE)
    await kept.submit(journal.Append([journal.Row("event", "s", b"{}")]))
    assert kept.lacks_space()
    monkeypatch.undo()
    assert not kept.lacks_space()
    assert (await kept.keep(LARGE)).data is None


async def test_content_that_fails_for_another_reason_is_not_told_as_a_full_disk(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept.blobs, "keep", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        await kept.keep(LARGE)
    assert not kept.lacks_space()


async def test_files_of_content_whose_unit_failed_go_at_a_start(kept: store.Store, tmp_path: pathlib.Path) -> None:
    named = await kept.keep(LARGE)
    await kept.submit(journal.Append([journal.Row("event", "s", None, body_hash=named.hash)], [named]))
    for n in range(journal.ROWS_PER_STATEMENT):
        (tmp_path / "blobs" / f"{n:064}").touch()
    (tmp_path / "blobs/.new-x").touch()
    (tmp_path / "blobs" / ("a" * 64)).mkdir()
    (tmp_path / "blobs/notes.txt").touch()
    assert await kept.forget_unnamed() == journal.ROWS_PER_STATEMENT + 1
    left = {path.name for path in (tmp_path / "blobs").iterdir()}
    assert left == {named.hash, "a" * 64, "notes.txt"}  # what is not ours is left alone
    assert await kept.forget_unnamed() == 0
    assert (await kept.rows_after(0, 10))[0].body == LARGE


async def test_in_memory_there_is_always_room() -> None:
    kept = store.Store.open(None, lambda: 1, loop=None)
    assert (kept.has_room(), kept.lacks_space(), await kept.forget_unnamed()) == (True, False, 0)
    assert (await kept.keep(LARGE)).data == LARGE
    await kept.close()
