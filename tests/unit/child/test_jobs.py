"""The daemon's side of a job folder: start, follow, cancel, and what can be said after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from healer.child import jobs, shim, starting
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
Wait = Callable[..., None]
ENV = {"PATH": "/usr/bin:/bin"}


def python(program: str, timeout_s: float = 60.0, **given: object) -> jobs.Spec:
    return jobs.Spec([sys.executable, "-c", program], {**ENV, "HEALER_TOKEN": "t-1"}, "/", timeout_s, **given)  # type: ignore[arg-type]


class Ended:
    """A shim that has ended, which is told at the second look."""

    pid = 0
    returncode: int | None = None

    def __init__(self, code: int) -> None:
        self._codes = [None, code]

    def poll(self) -> int | None:
        if self._codes:
            self.returncode = self._codes.pop(0)
        return self.returncode


class Heard:
    """Collects output."""

    def __init__(self) -> None:
        self.of: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def __call__(self, stream: jobs.Stream, piece: bytes) -> None:
        self.of[stream] += piece


def prepared(folder: pathlib.Path, spec: jobs.Spec) -> pathlib.Path:
    jobs.make(folder)
    jobs.write(folder, spec)
    return folder


async def test_run_to_the_end(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    folder = prepared(tmp_path / "j", python("import sys; print(sys.stdin.read()); sys.exit(4)", stdin=b"hello"))
    heard = Heard()
    process = starting.start(folder)
    status = await jobs.Follower(folder, heard, process).wait()
    assert (status.exit_code, heard.of) == (4, {"stdout": b"hello\n", "stderr": b""})
    await wait_for_async(lambda: process.poll() == 0)
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_large_output_arrives_whole_and_in_pieces(tmp_path: pathlib.Path) -> None:
    folder = prepared(tmp_path / "j", python("import sys; sys.stdout.write('0123456789' * 50_000)"))
    pieces: list[bytes] = []
    await jobs.Follower(folder, lambda _stream, piece: pieces.append(piece), starting.start(folder)).wait()
    assert b"".join(pieces) == b"0123456789" * 50_000
    assert max(map(len, pieces)) <= 1 << 16


def test_folder_serves_once(tmp_path: pathlib.Path) -> None:
    jobs.make(tmp_path / "j")
    with pytest.raises(jobs.FolderUsed):
        jobs.make(tmp_path / "j")


def test_folder_that_was_ruled_out_is_not_made(tmp_path: pathlib.Path) -> None:
    assert jobs.look(tmp_path / "j") == "absent"
    with pytest.raises(jobs.FolderUsed):
        jobs.make(tmp_path / "j")


@pytest.mark.parametrize(("argv", "env"), [(["a\0b"], {}), (["a"], {"A": "\0"})])
def test_nul_is_refused(tmp_path: pathlib.Path, argv: list[str], env: dict[str, str]) -> None:
    jobs.make(tmp_path / "j")
    with pytest.raises(ValueError, match="NUL"):
        jobs.write(tmp_path / "j", jobs.Spec(argv, env, "/", 1.0))


async def test_absent_is_certain(tmp_path: pathlib.Path) -> None:
    """A shim that was on its way when the recovery looked starts nothing."""
    folder = prepared(tmp_path / "j", python("open('/proc/self/stat')"))
    assert jobs.look(folder) == "absent"
    with pytest.raises(jobs.NeverStarted):
        await jobs.Follower(folder, Heard(), starting.start(folder)).wait()
    assert not (folder / "stdout").exists()
    assert jobs.look(folder) == "absent"


async def test_race_of_claim_and_tombstone_has_one_winner(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    for number in range(12):
        folder = prepared(tmp_path / str(number), python("pass"))
        process = starting.start(folder)
        for _ in range(number * 20):
            folder.stat()
        found = jobs.look(folder)
        await wait_for_async(lambda: process.poll() is not None)  # noqa: B023 - waited for at once
        code = process.returncode
        assert (code == shim.EXIT_CLAIMED) == (found == "absent")
        assert (folder / "status").exists() == (found != "absent")


async def test_followed_after_the_starter_was_killed(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    """kill -9 of the process that started the job: found running, followed to its end, which is success."""
    program = f"""
import os, time
print('first', flush=True)
while not os.path.exists({str(tmp_path / "go")!r}):
    time.sleep(0.01)
print('second')
"""
    folder = prepared(tmp_path / "j", python(program))
    program = f"""
import pathlib, sys, time
from healer.child import starting
starting.start(pathlib.Path({str(folder)!r}))
time.sleep(120)
"""
    daemon = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    await wait_for_async(lambda: (folder / "stdout").exists() and (folder / "stdout").read_bytes())
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait(60)
    assert jobs.look(folder) == "running"
    heard = Heard()
    following = asyncio.ensure_future(jobs.Follower(folder, heard).wait())
    await wait_for_async(lambda: heard.of["stdout"])
    (tmp_path / "go").touch()
    status = await following
    assert (status.exit_code, status.cancelled, heard.of["stdout"]) == (0, False, b"first\nsecond\n")
    assert jobs.look(folder) == status


async def test_lost_shim_is_unknown_and_its_child_is_named(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    folder = prepared(tmp_path / "j", python("import os, time; print(os.getpid(), flush=True); time.sleep(120)"))
    process = starting.start(folder)
    following = asyncio.ensure_future(jobs.Follower(folder, Heard(), process).wait())
    await wait_for_async(lambda: (folder / "stdout").exists() and (folder / "stdout").read_bytes())
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(jobs.Lost):
        await following
    child = int((folder / "stdout").read_bytes())
    try:
        assert jobs.look(folder) == "unknown"
        assert jobs.pids_with("HEALER_TOKEN", "t-1") == [child]
        assert jobs.pids_with("HEALER_TOKEN", "t-") == []
    finally:
        os.kill(child, signal.SIGKILL)


async def test_stop_ends_the_child(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    folder = prepared(tmp_path / "j", python("import time; print(1, flush=True); time.sleep(120)"))
    heard = Heard()
    follower = jobs.Follower(folder, heard, starting.start(folder))
    following = asyncio.ensure_future(follower.wait())
    await wait_for_async(lambda: heard.of["stdout"])
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    status = await follower.stop(10.0)
    assert status
    assert (status.cancelled, status.signal) == (True, signal.SIGTERM)
    assert heard.of["stdout"] == b"1\n", "nothing is told twice"


def claim(folder: pathlib.Path, **given: object) -> None:
    (folder / "started").write_text(json.dumps(given))


@pytest.mark.parametrize("wrong", ["pid", "started", "boot_id"])
def test_claim_of_another_process_is_dead(tmp_path: pathlib.Path, wrong: str) -> None:
    own = {"pid": os.getpid(), "started": shim.Process(os.getpid()).started, "boot_id": shim.boot_id()}
    claim(tmp_path, **own)
    assert jobs.look(tmp_path) == "running"
    other = {"pid": 2**22 + 1, "started": 1, "boot_id": "another"}[wrong]
    claim(tmp_path, **{**own, wrong: other})
    assert jobs.look(tmp_path) == "unknown"


@hypothesis.given(
    st.binary(max_size=60) | st.from_regex(r'\{"pid": [0-9]{1,30}(, "started": "?[0-9]*"?)?\}').map(str.encode)
)
def test_any_content_of_a_claim_gives_an_answer(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("j")
    (folder / "started").write_bytes(content)
    assert jobs.look(folder) in ("unknown", "absent")


@hypothesis.given(st.binary(max_size=60) | st.just(b'{"exit_code": 0}'))
def test_any_content_of_a_status_gives_an_answer(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("j")
    (folder / "status").write_bytes(content)
    assert jobs.look(folder) == "absent"


def test_scrub_removes_what_a_shim_that_never_came_left(tmp_path: pathlib.Path) -> None:
    spec = jobs.Spec(["true"], {"T": "s3cret"}, "/", 1.0, b"s3cret", remove=["vars"])
    folder = prepared(tmp_path / "j", spec)
    (folder / "vars").write_text("s3cret")
    jobs.scrub(folder)
    jobs.scrub(folder)
    assert [path.name for path in folder.iterdir() if b"s3cret" in path.read_bytes()] == []
    assert json.loads((folder / "job.json").read_text())["env"] == ["T"]


def full(*_arguments: Any, **_named: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def secret_job(folder: pathlib.Path) -> pathlib.Path:
    return prepared(folder, jobs.Spec(["true"], {"T": "s3cret"}, "/", 1.0, b"s3cret"))


def test_scrub_that_was_cut_off_is_done_again(tmp_path: pathlib.Path) -> None:
    folder = secret_job(tmp_path / "j")
    (folder / "job.json.scrubbed").write_text('{"argv": ["tr')
    jobs.scrub(folder)
    assert json.loads((folder / "job.json").read_text())["env"] == ["T"]
    assert sorted(path.name for path in folder.iterdir()) == ["job.json", "made"]


@pytest.mark.parametrize("at", ["write_private", "part"])
def test_scrub_on_a_full_disk_removes_the_job(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """Either it finds no space for the job without its secrets, or the job itself was written in part."""
    folder = secret_job(tmp_path / "j")
    if at == "part":
        os.truncate(folder / "job.json", 40)
    else:
        monkeypatch.setattr(jobs, "write_private", full)
    jobs.scrub(folder)
    jobs.scrub(folder)
    assert [path.name for path in folder.iterdir()] == ["made"]


@pytest.mark.parametrize("code", [shim.EXIT_NO_ROOM, shim.EXIT_UNPREPARED])
async def test_shim_without_room_never_started_and_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """There is no room for a tombstone either: that our shim has ended without a claim is enough."""
    folder = prepared(tmp_path / "j", python("open('/proc/self/stat')"))
    monkeypatch.setattr(jobs, "place_tombstone", full)
    process: Any = Ended(code)
    with pytest.raises(jobs.NeverStarted) as caught:
        await jobs.Follower(folder, Heard(), process).wait()
    assert isinstance(caught.value, jobs.NoRoom) == (code == shim.EXIT_NO_ROOM)


def test_tombstone_without_room_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        jobs.place_tombstone(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_cancel_needs_no_space(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wait_for_async: WaitAsync
) -> None:
    folder = prepared(tmp_path / "j", python("import time; print(1, flush=True); time.sleep(120)"))
    follower = jobs.Follower(folder, Heard(), starting.start(folder))
    await wait_for_async(lambda: (folder / "stdout").exists() and (folder / "stdout").read_bytes())
    monkeypatch.setattr(pathlib.Path, "touch", full)
    status = await follower.stop(10.0)
    assert status
    assert status.cancelled


@pytest.mark.parametrize("turns", range(6))
async def test_cancelling_at_the_moment_of_the_end_is_not_lost(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    """The kernel tells of the shim's end in one turn of the loop, and some turns later somebody cancels who follows it."""
    told = asyncio.Event()
    monkeypatch.setattr(jobs, "_exit_of", lambda _pid: contextlib.nullcontext(told))
    monkeypatch.setattr(jobs.Follower, "_alive", lambda _: True)
    following = asyncio.create_task(jobs.Follower(tmp_path, Heard()).wait())
    await asyncio.sleep(0)
    told.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    asked = following.cancel()
    (ended,) = await asyncio.gather(following, return_exceptions=True)
    assert asked or turns
    assert isinstance(ended, asyncio.CancelledError) is asked


def test_argument_list_of_the_shim_shows_nothing(tmp_path: pathlib.Path, wait_for: Wait) -> None:
    spec = python("import time; time.sleep(120)", stdin=b"s3cret of this one")
    folder = prepared(
        tmp_path / "j", jobs.Spec(spec.argv, {**spec.env, "T": "s3cret of this one"}, "/", 60.0, spec.stdin)
    )
    process = starting.start(folder)
    wait_for((folder / "stdout").exists)
    shown = processes.with_words(b"s3cret of this one")
    named = processes.read(process.pid, "comm").decode().strip()
    jobs.cancel(folder)
    wait_for(lambda: process.poll() == 0)
    assert str(folder).endswith(named)
    assert len(named) == 15, "which attempt it is"
    assert shown == []
