"""The files of a job folder as the shim writes them, on disks that fill up."""

from __future__ import annotations

import errno
import json
import os
import pathlib
from typing import Any

import pytest

from healer.child import folder

JOB = {"argv": ["true"], "env": {"T": "s3cret"}}


@pytest.fixture
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    return tmp_path


def full(*_arguments: Any, **_named: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def names(here: pathlib.Path) -> list[str]:
    return sorted(path.name for path in here.iterdir())


def test_scrub_removes_what_it_cannot_write_and_writes_it_later(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            folder.scrub(JOB)
        assert names(here) == []
    folder.scrub(JOB)
    assert json.loads((here / "job.json").read_text()) == {"argv": ["true"], "env": ["T"]}


def test_writing_goes_on_after_a_part(here: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
    folder.scrub(JOB)
    assert json.loads((here / "job.json").read_text())["env"] == ["T"]


def test_status_needs_no_space_once_it_is_reserved(here: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = folder.reserve_status()
    blocks = os.fstat(descriptor).st_blocks
    monkeypatch.setattr(os, "write", full)
    folder.write_status(descriptor, {"error": "\N{PILE OF POO}" * 1000})
    assert os.fstat(descriptor).st_blocks == blocks > 0
    os.close(descriptor)
    assert json.loads((here / "status").read_bytes())["error"]
    assert names(here) == ["job.json", "status"]


@pytest.mark.parametrize("missing", ["pwrite", "fsync", "rename"])
def test_status_can_be_written_again_after_a_failure(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    descriptor = folder.reserve_status()
    with monkeypatch.context() as patch:
        patch.setattr(os, missing, full)
        with pytest.raises(OSError, match="No space"):
            folder.write_status(descriptor, {"error": ""})
    assert not (here / "status").exists()
    folder.write_status(descriptor, {"error": ""})
    os.close(descriptor)
    assert json.loads((here / "status").read_bytes())["error"] == ""


def test_file_system_without_reservation_is_written_to(here: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_arguments: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    descriptor = folder.reserve_status()
    assert os.fstat(descriptor).st_size == folder.STATUS_BYTES
    os.close(descriptor)


@pytest.mark.parametrize("missing", ["posix_fallocate", "write"])
def test_what_cannot_be_prepared_leaves_nothing(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(os, missing, full)
    with pytest.raises(OSError, match="No space"):
        folder.reserve_status() if missing == "posix_fallocate" else folder.claim("{}")
    assert names(here) == ["job.json"]
