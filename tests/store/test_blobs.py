"""Content by its hash: small in the row, large in a file that is whole or not there."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat

import pytest

from healer.store import blobs, journal


def test_small_content_stays_in_the_row(tmp_path: pathlib.Path) -> None:
    kept = blobs.Blobs(tmp_path / "blobs")
    blob = kept.keep(b"x" * journal.INLINE_MAX)
    assert (blob.data, blob.size) == (b"x" * journal.INLINE_MAX, journal.INLINE_MAX)
    assert list((tmp_path / "blobs").iterdir()) == []
    assert kept.read(blob.hash, blob.data) == blob.data


def test_large_content_is_a_file_of_its_hash(tmp_path: pathlib.Path) -> None:
    kept, data = blobs.Blobs(tmp_path / "blobs"), b"x" * (journal.INLINE_MAX + 1)
    blob = kept.keep(data)
    (path,) = (tmp_path / "blobs").iterdir()
    assert (blob.data, path.name, path.read_bytes()) == (None, hashlib.sha256(data).hexdigest(), data)
    assert kept.read(blob.hash, None) == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_content_is_on_disk_before_it_has_its_name(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, names = blobs.Blobs(tmp_path / "blobs"), []
    sync = os.fsync
    monkeypatch.setattr(
        blobs.os, "fsync", lambda fd: (names.append(sorted(p.name[:5] for p in kept.folder.iterdir())), sync(fd))
    )
    name = kept.keep(b"x" * 20_000).hash[:5]
    assert names == [[".new-"], [name]]  # the file before its name, then the folder that has the name
    kept.keep(b"x" * 20_000)
    assert len(names) == 2


def test_a_disk_that_is_full_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = blobs.Blobs(tmp_path / "blobs")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        kept.keep(b"x" * 20_000)
    assert list((tmp_path / "blobs").iterdir()) == []


def test_what_is_forgotten_is_gone_and_may_be_forgotten_again(tmp_path: pathlib.Path) -> None:
    kept = blobs.Blobs(tmp_path / "blobs")
    blob = kept.keep(b"x" * 20_000)
    for _ in range(2):
        kept.forget(blob.hash)
        with pytest.raises(FileNotFoundError):
            kept.read(blob.hash, None)


def test_in_memory_everything_stays_in_the_row() -> None:
    kept = blobs.Blobs(None)
    assert kept.keep(b"x" * 100_000).data == b"x" * 100_000
    kept.forget("0" * 64)
    with pytest.raises(FileNotFoundError):
        kept.read("0" * 64, None)
