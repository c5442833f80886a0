"""What others may see of the daemon: nothing of its memory and environment, nothing in its folder, no core dump."""

from __future__ import annotations

import ctypes
import os
import pathlib
import resource
import signal
import socket
import stat
import traceback
from collections.abc import Callable

import pytest

from healer.daemon import privacy

NOBODY = 65534


def in_child(act: Callable[[], object], *, stays: bool = False) -> int:
    """Do it in a child that is nobody (where root runs the tests); its process, once it is done. `stays`: until it is killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                ctypes.CDLL(None).prctl(privacy.PR_SET_DUMPABLE, 1, 0, 0, 0)  # as an exec by nobody would have left it
            act()
            status = 0
            os.write(write, b"x")
            if stays:
                signal.pause()
        except BaseException:  # noqa: BLE001 - the child has nobody to raise to
            traceback.print_exc()
        os._exit(status)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    return child


def well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("private", [True, False])
def test_a_process_of_the_same_user_cannot_look_into_it(private: bool) -> None:
    daemon = in_child(privacy.begin if private else lambda: None, stays=True)

    def look() -> None:
        for name in ("environ", "mem", "maps"):
            try:
                pathlib.Path(f"/proc/{daemon}/{name}").open("rb").close()
            except PermissionError:
                assert private
            else:
                assert not private

    try:
        assert well(in_child(look))
    finally:
        os.kill(daemon, signal.SIGKILL)
        os.waitpid(daemon, 0)


def test_it_leaves_no_core_dump_and_no_file_for_others(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o777)

    def check() -> None:
        privacy.begin()
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        (tmp_path / "made").touch()
        assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o600

    let_others_through(tmp_path)
    assert well(in_child(check))


def let_others_through(path: pathlib.Path) -> None:
    """To a folder of pytest's, which are its own."""
    for folder in path.parents:
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o011)


def test_it_still_reaches_its_own_socket_by_a_short_address(tmp_path: pathlib.Path) -> None:
    """`/proc/self` is root's then: the way through it has to go on all the same."""
    tmp_path.chmod(0o777)
    let_others_through(tmp_path)

    def bind() -> None:
        privacy.begin()
        folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{folder}/control.sock")
            pathlib.Path(f"/proc/self/fd/{folder}/control.sock").chmod(0o660)
            bound.listen()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "control.sock"))
        assert pathlib.Path("/proc/self/stat").read_bytes()

    assert well(in_child(bind))


@pytest.mark.parametrize(("mode", "to_group", "becomes"), [
    (0o755, False, 0o700), (0o777, False, 0o700), (0o2770, False, 0o2700), (0o755, True, 0o750), (0o2770, True, 0o2750),
])  # fmt: skip
def test_a_folder_that_is_open_is_closed(tmp_path: pathlib.Path, mode: int, to_group: bool, becomes: int) -> None:
    tmp_path.chmod(mode)
    assert privacy.close(tmp_path, to_group=to_group) == mode
    assert stat.S_IMODE(tmp_path.stat().st_mode) == becomes


@pytest.mark.parametrize(
    ("mode", "to_group"), [(0o700, False), (0o500, False), (0o700, True), (0o750, True), (0o710, True)]
)
def test_a_folder_that_is_closed_stays_as_it_is(tmp_path: pathlib.Path, mode: int, to_group: bool) -> None:
    tmp_path.chmod(mode)
    assert privacy.close(tmp_path, to_group=to_group) is None
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode
    tmp_path.chmod(0o700)


def test_a_folder_of_somebody_else_stays_as_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    tmp_path.chmod(0o777)
    monkeypatch.setattr(pathlib.Path, "chmod", refuse)
    assert privacy.close(tmp_path, to_group=False) is None
