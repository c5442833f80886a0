"""`process` on real processes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

from healer import plugins
from tests import processes

Make = Callable[..., plugins.Check]
WaitAsync = Callable[..., Awaitable[None]]


async def test_by_pidfile(made: Make, tmp_path: pathlib.Path) -> None:
    pidfile = tmp_path / "pid"
    check = made("process", pidfile=str(pidfile))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pidfile.write_text(f"{child.pid}\n")
    assert (await check.look()).ok
    child.communicate(b"\n")
    reading = await check.look()
    assert (reading.ok, reading.detail) == (False, f"the process {child.pid} of {pidfile} does not run")
    assert (check.subject(), check.alert) == (str(pidfile), "ProcessDown")


@pytest.mark.parametrize("text", ["", "abc", "-1", "1 2", "9" * 500])
async def test_a_pidfile_with_something_else_is_no_process(made: Make, tmp_path: pathlib.Path, text: str) -> None:
    pidfile = tmp_path / "pid"
    pidfile.write_text(text)
    assert not (await made("process", pidfile=str(pidfile)).look()).ok
    assert not (await made("process", pidfile=str(tmp_path / "none")).look()).ok


async def test_a_zombie_does_not_run(made: Make, tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    pidfile = tmp_path / "pid"
    child = subprocess.Popen([sys.executable, "-c", ""])
    pidfile.write_text(str(child.pid))
    state = pathlib.Path("/proc", str(child.pid), "stat")
    await wait_for_async(lambda: ") Z " in state.read_text())
    assert not (await made("process", pidfile=str(pidfile)).look()).ok
    child.wait()


async def test_by_name(made: Make, tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    program = tmp_path / "probed-service-with-a-long-name"
    program.symlink_to("/bin/cat")
    check = made("process", name=program.name)
    reading = await check.look()
    assert (reading.ok, reading.detail) == (False, f"no process is named {program.name}")
    child = subprocess.Popen([program], stdin=subprocess.PIPE)
    await wait_for_async(lambda: program.name.encode() in processes.read(child.pid, "cmdline"))
    reading = await check.look()
    assert reading.ok
    assert str(child.pid) in reading.detail
    child.communicate()


@pytest.mark.parametrize("given", [{}, {"name": "a", "pidfile": "/b"}])
def test_one_of_both_is_wanted(made: Make, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one of 'name' and 'pidfile' is wanted"):
        made("process", **given)


async def test_a_pidfile_that_is_a_pipe_is_no_file(made: Make, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pid")
    reading = await made("process", pidfile=str(tmp_path / "pid")).look()
    assert (reading.ok, reading.detail) == (False, f"{tmp_path}/pid is no file")
