"""What a start is told to have failed by, whoever met a full disk first."""

from __future__ import annotations

import errno
import os
import pathlib
import types
from collections.abc import Callable
from typing import Any

import pytest

from healer import daemon, errors


def caused(error: Exception, by: Exception) -> Exception:
    """An error that another led to."""
    error.__cause__ = by
    return error


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def failing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """`failing(error)`: a start on a sound project that fails so."""
    revision = types.SimpleNamespace(settings=types.SimpleNamespace(data_dir="x"))
    monkeypatch.setattr(daemon.project, "load", lambda *_: types.SimpleNamespace(revision=revision, diagnostics=()))
    for holder, name in ((daemon.sys, "setswitchinterval"), (daemon.privacy, "begin"), (daemon.gc, "disable")):
        monkeypatch.setattr(holder, name, lambda *_: None)

    def start(error: Exception) -> None:
        def fail(*_: Any) -> int:
            raise error

        monkeypatch.setattr(daemon, "_on", fail)
        daemon.main(daemon.StartOptions(tmp_path))

    return start


@pytest.mark.parametrize("error", [
    NO_SPACE, OSError(errno.EDQUOT, "x"), errors.StoreFull(), caused(errors.StartError(reason="the data directory"), NO_SPACE),
    caused(errors.StoreError(reason="x"), caused(errors.StoreError(reason="y"), NO_SPACE)),
])  # fmt: skip
def test_a_full_disk_is_told_as_one(failing: Any, tmp_path: pathlib.Path, error: Exception) -> None:
    with pytest.raises(errors.StoreFull) as caught:
        failing(error)
    assert caught.value.try_ == f"free some space on the disk of {tmp_path / 'x'}, then start it again"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "x"), errors.StartError(reason="x"), ValueError("x")])
def test_anything_else_is_told_as_it_is(failing: Any, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        failing(error)
    assert caught.value is error
