"""A store that is older than what was done with it is refused; one that is as new, or newer than its witness says, is not."""

from __future__ import annotations

import os
import pathlib
import shutil
import struct
from typing import Any

import pytest

from healer import errors, store
from healer.store import journal, notes, witness


def said(folder: pathlib.Path) -> list[int]:
    return list(struct.unpack("=8s3Q", (folder / witness.FILE).read_bytes())[1:])


def test_it_says_what_is_committed(make_kit: Any, tmp_path: pathlib.Path) -> None:
    kit = make_kit(tmp_path)
    assert said(tmp_path) == [1, 0, 0]
    kit.append()  # the short way
    kit.do(notes.Note("start", "daemon"))
    kit.append(journal.Row("event", "s", b"{}", delivery="d"))
    assert said(tmp_path) == [1, 1, 2]
    with pytest.raises(errors.HealerError):
        kit.do(Refused())
    assert said(tmp_path) == [1, 1, 2]
    kit.close()
    again = make_kit(tmp_path)
    assert said(tmp_path) == [2, 1, 2]
    assert (tmp_path / witness.FILE).stat().st_mode & 0o777 == 0o600
    again.close()


class Refused:
    """A unit that is taken back."""

    weight = 1

    def apply(self, tx: Any) -> None:
        """A record, and an error."""
        tx.audit("start", actor="daemon")
        raise errors.NotFound("", what="it")


def older(folder: pathlib.Path) -> witness.Older:
    """What a start says."""
    with pytest.raises(witness.Older) as caught:
        store.Store.open(folder, lambda: 1, loop=None)
    assert (caught.value.code, caught.value.exit_code) == ("store-older", errors.EXIT_USAGE)
    return caught.value


def test_a_copy_of_another_day_is_refused_until_somebody_says_so(make_kit: Any, tmp_path: pathlib.Path) -> None:
    first = make_kit(tmp_path)
    first.append()
    first.close()
    shutil.copy(tmp_path / store.DATABASE, tmp_path / "copy")
    second = make_kit(tmp_path)
    second.append()
    second.close()
    shutil.move(tmp_path / "copy", tmp_path / store.DATABASE)
    error = older(tmp_path)
    assert "has 1 starts, 0 audit records and 1 journal rows" in error.message
    assert "it had 2 starts, 0 audit records and 2 journal rows" in error.message
    assert error.try_.endswith(f"rm {tmp_path / witness.FILE}")
    assert said(tmp_path) == [2, 0, 2]
    (tmp_path / witness.FILE).unlink()
    make_kit(tmp_path).close()


def test_without_its_log_it_is_refused(make_kit: Any, tmp_path: pathlib.Path) -> None:
    kit = make_kit(tmp_path)
    kit.close()
    kit = make_kit(tmp_path)
    kit.do(notes.Note("start", "daemon"))
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path, killed)  # as a kill leaves it
    kit.close()
    make_kit(shutil.copytree(killed, tmp_path / "whole")).close()
    for name in ("-wal", "-shm"):
        (killed / f"{store.DATABASE}{name}").unlink()
    assert "0 audit records" in older(killed).message


def test_one_that_says_less_holds_nobody_back(make_kit: Any, tmp_path: pathlib.Path) -> None:
    """After a power cut; it is not synced."""
    kit = make_kit(tmp_path)
    kit.append()
    kit.close()
    (tmp_path / witness.FILE).write_bytes(struct.pack("=8s3Q", b"healer-w", 1, 0, 0))
    kit = make_kit(tmp_path)
    assert said(tmp_path) == [2, 0, 1]
    kit.close()


@pytest.mark.parametrize("content", [b"", b"\0" * 32, b"\xff" * 32, b"healer-w", b"x" * 9000])
def test_one_that_says_nothing_holds_nobody_back(make_kit: Any, tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / witness.FILE).write_bytes(content)
    kit = make_kit(tmp_path)
    kit.append()
    kit.close()
    assert (tmp_path / witness.FILE).read_bytes()[:32] == struct.pack("=8s3Q", b"healer-w", 1, 0, 1)


@pytest.mark.parametrize("what", ["a folder", "a link", "a pipe"])
def test_where_there_can_be_none_there_is_none(make_kit: Any, tmp_path: pathlib.Path, what: str) -> None:
    path = tmp_path / witness.FILE
    {
        "a folder": path.mkdir,
        "a link": lambda: path.symlink_to(tmp_path / "elsewhere"),
        "a pipe": lambda: os.mkfifo(path),
    }[what]()
    kit = make_kit(tmp_path)
    kit.append()
    kit.close()
    make_kit(tmp_path).close()
    assert not (tmp_path / "elsewhere").exists()
