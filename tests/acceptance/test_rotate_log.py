"""scripts/rotate_log.py by itself, as the controller calls it: what is kept, what is left alone, and that an end at any place loses no line."""

from __future__ import annotations

import fcntl
import gzip
import importlib.util
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "rotate_log.py"
LINE = b"2026-11-27 08:00:00 a line of a log\n"
FULL = LINE * 40_000
"""More than 1 MiB."""
STOPPED = """
import errno, os, runpy, signal, sys
at, way = int(sys.argv[1]), sys.argv[2]
def stopped(real):
    def change(*given, **more):
        global at
        at -= 1
        if at == -1 and way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if at == -1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*given, **more)
    return change
for name in ("unlink", "rename", "fchown", "fchmod", "fsync", "ftruncate"):
    setattr(os, name, stopped(getattr(os, name)))
runpy.run_path(sys.argv[3], run_name="__main__")
"""
"""The script, whose `at`-th change of the disk does not take place."""


def rotated(
    log: pathlib.Path,
    *,
    target: str = "localhost",
    dry: bool = False,
    program: Sequence[str] = (str(SCRIPT),),
    **more: int,
) -> subprocess.CompletedProcess[str]:
    """What it says and how it ends."""
    parameters = {"log": str(log), "min_mib": 1, "keep": 3, **more}
    environment = {"PATH": os.environ["PATH"], "HEALER_TARGET": target, "HEALER_DRY_RUN": str(int(dry))}
    return subprocess.run(
        [sys.executable, *program], cwd=log.parent, env=environment, input=json.dumps(parameters), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def log(tmp_path: pathlib.Path) -> pathlib.Path:
    """A full one, in a folder of its own."""
    path = pathlib.Path(os.path.realpath(tmp_path)) / "logs" / "shop.log"
    path.parent.mkdir()
    path.write_bytes(FULL)
    path.chmod(0o640)
    return path


@pytest.fixture
def script() -> Any:
    """It as a module, for what cannot be seen from outside."""
    spec = importlib.util.spec_from_file_location("rotate_log", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(log: pathlib.Path) -> list[str]:
    return sorted(path.name for path in log.parent.iterdir())


def kept(log: pathlib.Path, number: int) -> bytes:
    return gzip.decompress((log.parent / f"{log.name}.{number}.gz").read_bytes())


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_full_log_becomes_a_copy_and_who_writes_goes_on(log: pathlib.Path) -> None:
    with log.open("ab", buffering=0) as writer:
        writer.write(b"the last before\n")
        assert result(rotated(log)) == {"rotated": True, "bytes": len(FULL) + 16, "copies": 1}
        writer.write(b"the first after\n")
    assert log.read_bytes() == b"the first after\n"
    assert kept(log, 1) == FULL + b"the last before\n"
    assert names(log) == ["shop.log", "shop.log.1.gz"]
    assert stat.S_IMODE((log.parent / "shop.log.1.gz").stat().st_mode) == 0o640


def test_the_last_copies_are_kept_and_no_more(log: pathlib.Path) -> None:
    for number in range(5):
        log.write_bytes(b"%d" % number + FULL)
        assert result(rotated(log))["copies"] == min(number + 1, 3)
    assert [kept(log, number)[:1] for number in (1, 2, 3)] == [b"4", b"3", b"2"]
    log.write_bytes(b"5" + FULL)
    assert result(rotated(log, keep=1))["copies"] == 1
    assert kept(log, 1)[:1] == b"5"
    assert names(log) == ["shop.log", "shop.log.1.gz"]


def test_only_its_own_copies_go(log: pathlib.Path) -> None:
    others = ("shop.log.9", "shop.log.gz", "shop.log.09.gz", "shop.log.9.gz.old", "xshop.log.9.gz", "shopxlog.9.gz")
    for name in (*others, "shop.log.9.gz"):
        (log.parent / name).write_bytes(b"")
    result(rotated(log))
    assert names(log) == sorted(["shop.log", "shop.log.1.gz", *others])


def test_a_smaller_log_is_left_as_it_is(log: pathlib.Path) -> None:
    assert result(rotated(log, min_mib=2)) == {"rotated": False, "bytes": len(FULL), "copies": 0}
    assert (names(log), log.read_bytes()) == (["shop.log"], FULL)


def test_a_dry_run_says_what_and_changes_nothing(log: pathlib.Path) -> None:
    for _ in range(3):
        log.write_bytes(FULL)
        result(rotated(log))
    log.write_bytes(FULL)
    before = {path.name: path.stat().st_mtime_ns for path in log.parent.iterdir()}
    done = rotated(log, dry=True)
    assert result(done)["rotated"] is False
    assert "they would become shop.log.1.gz, shop.log.3.gz would go" in done.stdout
    assert {path.name: path.stat().st_mtime_ns for path in log.parent.iterdir()} == before


def linked(log: pathlib.Path) -> pathlib.Path:
    (log.parent / "link.log").symlink_to(log)
    return log.parent / "link.log"


def below_a_link(log: pathlib.Path) -> pathlib.Path:
    (log.parent.parent / "way").symlink_to(log.parent)
    return log.parent.parent / "way" / log.name


def second_name(log: pathlib.Path) -> pathlib.Path:
    (log.parent / "second.log").hardlink_to(log)
    return log.parent / "second.log"


def pipe(log: pathlib.Path) -> pathlib.Path:
    os.mkfifo(log.parent / "pipe.log")
    return log.parent / "pipe.log"


@pytest.mark.parametrize("made", [
    linked, below_a_link, second_name, pipe, lambda log: log.parent / "none.log", lambda log: log.parent,
    lambda log: log.parent / ".." / "logs" / log.name,
])  # fmt: skip
def test_what_is_no_log_of_its_own_is_refused(log: pathlib.Path, made: Callable[[pathlib.Path], pathlib.Path]) -> None:
    named = made(log)
    before = names(log)
    done = rotated(named)
    assert done.returncode == 1
    assert done.stderr.endswith("The log is left as it is\n"), done.stderr
    assert done.stdout == ""
    assert (names(log), log.read_bytes()) == (before, FULL)


@pytest.mark.parametrize("target", ["web01", "localhost,web01"])
def test_this_machine_is_never_taken_for_another(log: pathlib.Path, target: str) -> None:
    done = rotated(log, target=target)
    assert done.returncode == 1
    assert target in done.stderr
    assert log.read_bytes() == FULL


def test_two_at_once_do_not_meet(log: pathlib.Path) -> None:
    with log.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = rotated(log)
    assert done.returncode == 1
    assert "somebody else rotates it" in done.stderr
    assert names(log) == ["shop.log"]


def test_a_disk_without_room_is_not_filled(log: pathlib.Path, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "ROOM_BYTES", 1 << 62)
    with pytest.raises(script.Refused, match="there is no room for a copy"):
        script.heal({"log": str(log), "min_mib": 1, "keep": 3}, "localhost", dry=False)
    assert (names(log), log.read_bytes()) == (["shop.log"], FULL)


def test_lines_that_come_while_it_copies_are_in_the_copy(
    log: pathlib.Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def written_meanwhile(*given: Any, **more: Any) -> None:
        with log.open("ab") as writer:
            writer.write(b"in the meantime\n")
        rename(*given, **more)

    monkeypatch.setattr(script.os, "rename", written_meanwhile)
    assert script.heal({"log": str(log), "min_mib": 1, "keep": 3}, "localhost", dry=False)["rotated"]
    assert kept(log, 1) == FULL + b"in the meantime\n"
    assert log.read_bytes() == b""


@pytest.mark.parametrize("at", range(10))
@pytest.mark.parametrize("way", ["killed", "full"])
def test_an_end_at_any_place_loses_no_line(log: pathlib.Path, at: int, way: str) -> None:
    """Its `at`-th change of the disk does not take place: it is killed there, or the disk says no. Then it is done again."""
    for number in b"123":
        log.write_bytes(b"%c" % number + FULL)
        result(rotated(log))
    log.write_bytes(b"4" + FULL)
    ended = rotated(log, program=["-c", STOPPED, str(at), way, str(SCRIPT)])
    changes = 9 if os.geteuid() == 0 else 8
    assert ended.returncode == (0 if at >= changes else -signal.SIGKILL if way == "killed" else 1)

    def everything() -> list[bytes]:
        copies = (kept(log, number) for number in (1, 2, 3) if (log.parent / f"shop.log.{number}.gz").exists())
        return [text[:1] for text in (log.read_bytes(), *copies) if text]

    after = everything()
    assert after[0] == b"4"
    assert {b"3", b"2"} <= {*after}
    assert result(rotated(log))["copies"] == 3
    assert everything() in ([b"4", b"3", b"2"], [b"4", b"4", b"3"])
    assert names(log) == ["shop.log", "shop.log.1.gz", "shop.log.2.gz", "shop.log.3.gz"]
