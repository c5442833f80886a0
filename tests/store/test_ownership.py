"""One process owns a data directory: a second is refused, and a killed one leaves no lock behind."""

from __future__ import annotations

import errno
import os
import pathlib
import subprocess
import sys

import pytest

from healer import errors
from healer.store import ownership

OWN = """
import pathlib, sys
from healer.store import ownership
owned = ownership.Ownership(pathlib.Path(sys.argv[1]))
owned.take()
print("mine", flush=True)
sys.stdin.read()
owned.release()
"""


def owner(folder: pathlib.Path) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", OWN, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "mine\n"
    return started


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: pathlib.Path) -> None:
    with owner(tmp_path) as first:
        mine = ownership.Ownership(tmp_path)
        with pytest.raises(errors.AlreadyRunning) as caught:
            mine.take()
        assert (caught.value.exit_code, caught.value.fields["pid"], mine.held) == (errors.EXIT_USAGE, first.pid, False)
        assert ownership.holder(tmp_path)[0] == first.pid
        first.communicate("")
    mine.take()
    assert mine.held
    assert ownership.holder(tmp_path)[0] == os.getpid()
    mine.release()


def test_a_killed_owner_leaves_no_lock(tmp_path: pathlib.Path) -> None:
    with owner(tmp_path) as first:
        first.kill()
        first.wait()
    mine = ownership.Ownership(tmp_path)
    mine.take()
    mine.release()


def test_letting_go_keeps_the_file_and_forgets_the_name(tmp_path: pathlib.Path) -> None:
    mine = ownership.Ownership(tmp_path)
    mine.take()
    mine.release()
    mine.release()
    assert (mine.held, (tmp_path / ownership.LOCK_FILE).read_bytes(), ownership.holder(tmp_path)) == (
        False,
        b"",
        (0, "?"),
    )


def test_a_child_does_not_inherit_the_lock(tmp_path: pathlib.Path) -> None:
    mine = ownership.Ownership(tmp_path)
    mine.take()
    code = "import sys; print('here', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        mine.release()
        other = ownership.Ownership(tmp_path)
        other.take()
        other.release()
        child.communicate(b"")


@pytest.mark.parametrize("content", ["", "x", "1 2 3", "pid since", "ü 1"])
def test_a_lock_file_of_another_making_names_nobody(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / ownership.LOCK_FILE).write_text(content)
    assert ownership.holder(tmp_path) == (0, "?")


def test_a_folder_that_is_not_there_has_no_holder(tmp_path: pathlib.Path) -> None:
    assert ownership.holder(tmp_path / "missing") == (0, "?")


def test_the_name_is_written_over_an_older_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / ownership.LOCK_FILE).write_text("123456789 " + "x" * 200)
    mine = ownership.Ownership(tmp_path)
    mine.take()
    assert ownership.holder(tmp_path)[0] == os.getpid()
    mine.release()


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EIO, "start")]
)
def test_a_name_that_cannot_be_written_is_told_and_lets_go(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", fail)
    mine = ownership.Ownership(tmp_path)
    with pytest.raises(errors.HealerError, match="full" if code == "disk-full" else "Input/output") as caught:
        mine.take()
    assert (caught.value.code, mine.held) == (code, False)
    monkeypatch.undo()
    with owner(tmp_path) as other:  # nobody holds it
        other.communicate("")
