"""What is kept: for one user alone, whole or not at all, and passed over where anybody else could have written it."""

from __future__ import annotations

import os
import pathlib
import stat
import time

import pytest

from healer.lint.syntax import keeping

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def base(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "cache"


@pytest.fixture
def kept(base: pathlib.Path) -> keeping.Kept:
    return keeping.Kept({"XDG_CACHE_HOME": str(base)})


@pytest.fixture
def file(base: pathlib.Path, kept: keeping.Kept) -> pathlib.Path:
    """The file of a value that is kept."""
    kept.write(KEY, ["x"])
    assert kept.read(KEY) == ["x"]
    return base / "healer/ansible-syntax" / f"{KEY}.json"


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_this_users_alone(file):
    assert (mode(file), mode(file.parent), mode(file.parent.parent)) == (0o600, 0o700, 0o700)
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing unfinished is left"


def test_by_default_it_lies_in_the_home(tmp_path):
    for named in ({}, {"XDG_CACHE_HOME": "relative"}, {"XDG_CACHE_HOME": ""}):
        keeping.Kept({"HOME": str(tmp_path), **named}).write(KEY, [])
        (tmp_path / f".cache/healer/ansible-syntax/{KEY}.json").unlink()


def test_without_a_home_nothing_is_kept():
    for environ in ({}, {"HOME": "x"}, {"HOME": "/nonexistent\0"}, {"HOME": "/proc/nothing"}):
        nowhere = keeping.Kept(environ)
        nowhere.write(KEY, [])
        assert nowhere.read(KEY) is None


def test_another_key_has_nothing(kept, file):
    assert kept.read(OTHER) is None
    file.rename(file.with_name(f"{OTHER}.json"))
    assert kept.read(OTHER) is None, "it says itself what it is of"
    for key in ("", "../x", "A" * 64, f"{KEY}\n"):
        kept.write(key, [])
        assert kept.read(key) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "null", '{"form": "ansible-syntax 1"}', "[" * 10_000, '{"form": "healer ansible-syntax 0", "key": "KEY", "value": []}',
        '{"form": "ansible-syntax 1", "key": "KEY", "value": [], "more": 1}', "x" * 100_000, "\udcff",
    ],
)  # fmt: skip
def test_garbage_is_passed_over(kept, file, text):
    file.write_bytes(text.replace("KEY", KEY).encode("utf-8", "surrogateescape"))
    assert kept.read(KEY) is None
    kept.write(KEY, ["y"])
    assert kept.read(KEY) == ["y"], "and written anew"


def test_a_file_that_others_may_touch_is_passed_over(kept, file):
    for other in (0o640, 0o602, 0o666):
        file.chmod(other)
        assert kept.read(KEY) is None
    file.chmod(0o600)
    os.link(file, file.with_name("another"))
    assert kept.read(KEY) is None, "it has a second name"


def test_links_and_other_things_are_passed_over(kept, file, tmp_path):
    real = tmp_path / "real"
    file.rename(real)
    file.symlink_to(real)
    assert kept.read(KEY) is None
    kept.write(KEY, ["y"])
    assert kept.read(KEY) == ["y"]
    assert b'["x"]' in real.read_bytes(), "what the link led to is as it was"
    file.unlink()
    os.mkfifo(file, 0o600)
    assert kept.read(KEY) is None
    file.unlink()
    file.mkdir()
    assert kept.read(KEY) is None
    kept.write(KEY, ["z"])
    assert kept.read(KEY) is None


@pytest.mark.parametrize("which", ["healer", "healer/ansible-syntax"])
def test_a_folder_that_is_a_link_or_of_others_is_not_used(base, kept, file, which):
    folder = base / which
    folder.chmod(0o777)
    assert kept.read(KEY) is None
    folder.chmod(0o700)
    folder.rename(base / "elsewhere")
    folder.symlink_to(base / "elsewhere")
    assert kept.read(KEY) is None
    kept.write(OTHER, [])
    assert not list(base.rglob(f"{OTHER}*"))


def test_of_another_user_nothing_is_taken(kept, file, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert kept.read(KEY) is None


def test_what_is_too_old_or_of_the_future_is_passed_over(kept, file):
    for moved_s in (-keeping.AGE_MAX_S - 10, keeping.UNFINISHED_S + 10):
        at = time.time() + moved_s
        os.utime(file, (at, at))
        assert kept.read(KEY) is None


def test_it_is_bounded(base, file, monkeypatch):
    monkeypatch.setattr(keeping, "ENTRIES_MAX", 3)
    folder, now = file.parent, time.time()
    for number in range(6):
        path = folder / f"{number:064x}.json"
        path.write_text("{}")
        os.utime(path, (now - number - 1, now - number - 1))
    (folder / ".unfinished-1-x").write_text("")
    os.utime(folder / ".unfinished-1-x", (now - 7_200, now - 7_200))
    keeping.Kept({"XDG_CACHE_HOME": str(base)}).write(OTHER, [])
    names = {path.name for path in folder.iterdir()}
    assert names == {file.name, f"{0:064x}.json", f"{1:064x}.json", f"{OTHER}.json"}


def test_a_value_that_is_too_large_is_not_kept(kept):
    kept.write(KEY, ["x" * keeping.BYTES_MAX])
    assert kept.read(KEY) is None
