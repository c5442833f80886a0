"""The control socket: its mode, its address, and what lies in its place."""

from __future__ import annotations

import gc
import grp
import os
import pathlib
import socket
import stat

import pytest

from healer import errors
from healer.store import ownership
from healer.web import control


@pytest.fixture
def owned(tmp_path: pathlib.Path) -> ownership.Ownership:
    """The lock of the folder."""
    made = ownership.Ownership(tmp_path)
    made.take()
    return made


def test_only_its_owner_may_use_it(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    before = os.umask(0)
    try:
        bound = control.ControlSocket(tmp_path / "control.sock", owned)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600
    bound.close()
    assert not (tmp_path / "control.sock").exists()


def test_a_group_may_be_let_in(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    name = grp.getgrgid(os.getgid()).gr_name
    bound = control.ControlSocket(tmp_path / "control.sock", owned, name)
    found = (tmp_path / "control.sock").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, os.getgid())
    bound.close()
    with pytest.raises(errors.StartError, match="no group"):
        control.ControlSocket(tmp_path / "control.sock", owned, "no-such-group")


def test_a_folder_may_lie_deep(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    deep = tmp_path / ("x" * 200)
    deep.mkdir()
    bound = control.ControlSocket(deep / "control.sock", owned)
    bound.socket.listen()
    folder = os.open(deep, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(control.reach(folder))
    os.close(folder)
    bound.close()


def test_without_the_lock_nothing_is_touched(tmp_path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        folder = os.open(tmp_path, os.O_RDONLY)
        other.bind(control.reach(folder))
        os.close(folder)
        with pytest.raises(errors.StartError, match="nobody does"):
            control.ControlSocket(tmp_path / "control.sock", ownership.Ownership(tmp_path))
        assert (tmp_path / "control.sock").exists()


def test_a_stale_socket_is_replaced(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    first = control.ControlSocket(tmp_path / "control.sock", owned)
    first.socket.close()
    second = control.ControlSocket(tmp_path / "control.sock", owned)
    second.close()
    os.close(first._folder)


def test_a_link_in_the_data_directory_leads_to_one_elsewhere(
    tmp_path: pathlib.Path, owned: ownership.Ownership
) -> None:
    (tmp_path / "elsewhere").mkdir()
    bound = control.ControlSocket(tmp_path / "elsewhere" / "c.sock", owned)
    bound.socket.listen()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control.sock"))
    bound.close()
    assert not (tmp_path / "control.sock").is_symlink()


def test_named_as_it_would_be_without_a_name_it_needs_no_link(
    tmp_path: pathlib.Path, owned: ownership.Ownership
) -> None:
    (tmp_path / "elsewhere").mkdir()
    bound = control.ControlSocket(tmp_path / "elsewhere" / ".." / "control.sock", owned)
    assert stat.S_ISSOCK((tmp_path / "control.sock").lstat().st_mode)
    bound.close()


@pytest.mark.parametrize("stale", ["elsewhere", "here"])
def test_what_a_killed_daemon_left_makes_room(tmp_path: pathlib.Path, owned: ownership.Ownership, stale: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    paths = [tmp_path / "elsewhere" / "c.sock", tmp_path / "control.sock"]
    first, then = paths if stale == "elsewhere" else reversed(paths)
    killed = control.ControlSocket(first, owned)
    killed.socket.close()
    os.close(killed._folder)
    bound = control.ControlSocket(then, owned)
    bound.socket.listen()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control.sock"))
    bound.close()


def test_what_lies_in_the_place_of_the_link_is_left_alone(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "control.sock").symlink_to("precious")
    with pytest.raises(errors.StartError, match="no socket"):
        control.ControlSocket(tmp_path / "elsewhere" / "c.sock", owned)
    assert (tmp_path / "control.sock").read_text() == "precious"
    assert not (tmp_path / "elsewhere" / "c.sock").exists()


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(tmp_path: pathlib.Path, owned: ownership.Ownership, what: str) -> None:
    path = tmp_path / "control.sock"
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "lock")
    with pytest.raises(errors.StartError, match="no socket"):
        control.ControlSocket(path, owned)
    assert path.exists()


def test_a_folder_that_is_not_there(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    with pytest.raises(errors.StartError, match="nothing"):
        control.ControlSocket(tmp_path / "nothing" / "control.sock", owned)


def test_no_descriptor_is_left_open(tmp_path: pathlib.Path, owned: ownership.Ownership) -> None:
    gc.collect()  # else what another test left may be closed meanwhile
    before = len(list(pathlib.Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        control.ControlSocket(tmp_path / "control.sock", owned).close()
        with pytest.raises(errors.StartError):
            control.ControlSocket(tmp_path / "control.sock", owned, "no-such-group")
    assert len(list(pathlib.Path("/proc/self/fd").iterdir())) == before
