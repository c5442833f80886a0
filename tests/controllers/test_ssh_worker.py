"""Sessions of `ssh` that stay for the next job: shared one after another, given up for others, and done without where Python does not do."""

from __future__ import annotations

import ast
import asyncio
import os
import pathlib
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer.controllers import _ssh_far, _ssh_pool, _ssh_worker

WaitAsync = Callable[..., Awaitable[None]]
site_module: Any = sys.modules["ssh_site"]
TOKEN = site_module.TOKEN
PARENT = "#!/bin/sh\necho $PPID\n"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first job of a connection has a worker too."""
    monkeypatch.setattr(_ssh_pool, "SHELLS_FIRST", 0)
    monkeypatch.setattr(_ssh_worker, "START_S", 60.0)


async def parent(site: Any, number: int) -> int:
    """The process that began a job, as the job saw it."""
    outcome = await site.run("parent.sh", token=f"{TOKEN}{number}")
    assert outcome.state == "succeeded", outcome
    result: int = outcome.result
    return result


async def waiting(site: Any, wait_for_async: WaitAsync, count: int = 1) -> Any:
    """The connection, once so many of its sessions wait for a job."""
    (connection,) = site.controller.pool._open.values()
    await wait_for_async(lambda: len(connection._workers) == count, what="sessions to be free")
    return connection


# --- what is shared ---------------------------------------------------------------------------------------------------


async def test_jobs_one_after_another_share_a_session(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script("parent.sh", PARENT)
    seen = set()
    for number in range(5):
        seen.add(await parent(ssh_one, number))
        await waiting(ssh_one, wait_for_async)
        assert ssh_one.server.left() == []
    assert seen == set(ssh_one.workers())
    assert len(seen) == 1


async def test_the_first_job_of_a_connection_waits_for_no_worker(
    ssh_one: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    ssh_one.script("parent.sh", PARENT)
    await parent(ssh_one, 1)
    await wait_for_async(lambda: ssh_one.server.left() == [])
    assert ssh_one.workers() == []
    assert await parent(ssh_one, 2) in ssh_one.workers()


async def test_jobs_at_once_have_each_their_own(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    at = f"'{ssh_one.folder}/at'"
    all_begun = f'until [ "$(wc -l <{at})" -ge 3 ]; do sleep 0.05; done'
    ssh_one.script("parent.sh", f"#!/bin/sh\necho x >>{at}\n{all_begun}\necho $PPID\n")
    assert len(set(await asyncio.gather(*(parent(ssh_one, number) for number in range(3))))) == 3
    await waiting(ssh_one, wait_for_async, 3)
    assert len(ssh_one.workers()) == 3


async def test_one_that_died_is_not_asked_again(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script("parent.sh", PARENT)
    first = await parent(ssh_one, 1)
    connection = await waiting(ssh_one, wait_for_async)
    (talk,) = connection._workers
    os.kill(first, signal.SIGKILL)
    await wait_for_async(talk.closed.done)
    assert await parent(ssh_one, 2) != first


async def test_a_place_is_given_up_for_a_question(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    narrow = ssh_one.serve("narrow", "MaxSessions 1")
    ssh_one.know(narrow.known())
    ssh_one.controller = ssh_one.made(port=narrow.port)
    ssh_one.script("parent.sh", PARENT)
    first = await parent(ssh_one, 1)
    await waiting(ssh_one, wait_for_async)
    found = await ssh_one.controller.find(ssh_one.job("parent.sh", token=f"{TOKEN}7"))
    assert found.state == "absent"
    assert await parent(ssh_one, 2) != first


async def test_environment_and_folder_of_one_are_not_those_of_the_next(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script("first.sh", "#!/bin/sh\ncd /\numask 022\nexport LEFT=1\necho 1\n")
    ssh_one.script("next.sh", '#!/bin/sh\nprintf \'%s %s %s %s\' "$LEFT$GIVEN" "$PWD" "$(umask)" "$(cat)"\n')
    await ssh_one.run("first.sh", token=f"{TOKEN}1", environment={"GIVEN": "1"}, parameters={"a": 1})
    await waiting(ssh_one, wait_for_async)
    ssh_one.heard.clear()
    assert (await ssh_one.run("next.sh", token=f"{TOKEN}2")).state == "succeeded"
    assert ssh_one.said() == f" {pathlib.Path.home()} 0077 {{}}".encode()


# --- what it runs -----------------------------------------------------------------------------------------------------


async def test_programs_are_looked_for_as_execvp_does(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    programs = tmp_path / "programs"
    (programs / "a" / "tool").mkdir(parents=True)  # a folder is no program
    (programs / "b").mkdir()
    tool = programs / "b" / "tool"
    tool.write_text("echo a text without a first line: $1\n")
    tool.chmod(0o755)
    (programs / "plain").write_text("not to be run\n")
    (programs / "plain").chmod(0o644)
    environment = {"PATH": f"{programs}/a:{programs}/b:/usr/bin:/bin"}
    assert (await ssh_one.run(("tool", "x"), token=f"{TOKEN}1", environment=environment)).state == "succeeded"
    assert ssh_one.said() == b"a text without a first line: x\n"
    for number, (argv, code, words) in enumerate(
        [
            (("missing",), 127, "missing cannot be run: No such file or directory"),
            ((str(programs / "plain"),), 126, "plain cannot be run: Permission denied"),
            ((str(programs / "none"),), 127, "none cannot be run: No such file or directory"),
        ]
    ):
        outcome = await ssh_one.run(argv, token=f"{TOKEN}2{number}")
        assert (outcome.state, outcome.exit_code) == ("failed", code)
        assert words in outcome.summary


async def test_signals_are_as_at_a_login(ssh_one: Any) -> None:
    """SIGPIPE ends a program whose reader has gone; what the worker ignores is not ignored by its jobs."""
    ssh_one.script("signals.sh", "#!/bin/sh\ngrep -E '^Sig(Ign|Blk)' /proc/self/status\n")
    assert (await ssh_one.run("signals.sh")).state == "succeeded"
    masks = {line.split()[0]: int(line.split()[1], 16) for line in ssh_one.said().decode().splitlines()}
    ignored = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD, signal.SIGXFSZ)
    assert masks["SigBlk:"] == 0
    assert not [one for one in ignored if masks["SigIgn:"] >> (one - 1) & 1]


async def test_where_there_is_no_room_for_the_word_of_an_end_the_next_has_a_session_of_its_own(
    ssh_one: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = _ssh_worker.TEXT.replace(b'noted = self.note(b".status"', b'noted = False and self.note(b".status"')
    assert full != _ssh_worker.TEXT
    monkeypatch.setattr(_ssh_worker, "TEXT", full)
    ssh_one.script("parent.sh", PARENT)
    first = await parent(ssh_one, 1)
    await wait_for_async(lambda: not ssh_one.workers())
    assert await parent(ssh_one, 2) != first
    await wait_for_async(lambda: ssh_one.server.left() == [])


async def test_a_home_that_was_made_anew_is_gone_to(
    ssh_one: Any, wait_for_async: WaitAsync, tmp_path: pathlib.Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    server = ssh_one.serve("homes", path=f"/usr/bin:/bin HOME={home}")
    ssh_one.know(server.known())
    ssh_one.controller = ssh_one.made(port=server.port)
    ssh_one.script("touch.sh", "#!/bin/sh\ntouch here\n")
    assert (await ssh_one.run("touch.sh", token=f"{TOKEN}1")).state == "succeeded"
    await waiting(ssh_one, wait_for_async)
    shutil.rmtree(home)
    home.mkdir()
    assert (await ssh_one.run("touch.sh", token=f"{TOKEN}2")).state == "succeeded"
    assert (home / "here").exists()


# --- without it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["exit 1", "exit 64", "exec cat >/dev/null", "echo what is this; exec cat >/dev/null"])
async def test_a_python_that_does_not_do_is_done_without(
    ssh_one: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wait_for_async: WaitAsync, text: str
) -> None:
    monkeypatch.setattr(_ssh_worker, "START_S", 0.3)
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "python3"
    fake.write_text(f"#!/bin/sh\n{text}\n")
    fake.chmod(0o755)
    server = ssh_one.serve("odd", path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    ssh_one.know(server.known())
    ssh_one.controller = ssh_one.made(port=server.port)
    ssh_one.script("parent.sh", PARENT)
    await parent(ssh_one, 1)
    (connection,) = ssh_one.controller.pool._open.values()
    assert not connection.known.python
    await parent(ssh_one, 2)
    assert not connection._workers
    server.cut()
    await wait_for_async(lambda: not connection.alive)
    started = []
    monkeypatch.setattr(_ssh_worker, "start", started.append)
    await parent(ssh_one, 3)
    assert not started, "it is known of a host until its controller is made anew"


async def test_of_jobs_at_once_one_finds_out(ssh_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    async def start(*_: Any) -> None:
        started.append(1)
        await asyncio.sleep(0)

    monkeypatch.setattr(_ssh_worker, "start", start)
    ssh_one.script("parent.sh", PARENT)
    await asyncio.gather(*(parent(ssh_one, number) for number in range(5)))
    assert started == [1]


def test_its_text_is_one_program_of_an_old_python() -> None:
    program = ast.parse(_ssh_worker.TEXT, feature_version=(3, 8))
    modules = [one.names[0].name for one in ast.walk(program) if isinstance(one, ast.Import)]
    assert {*modules} == {"errno", "mmap", "os", "select", "signal", "sys", "time"}
    assert [one.module for one in ast.walk(program) if isinstance(one, ast.ImportFrom)] == ["__future__"]
    assert _ssh_worker.BEGIN.count("'") == 2
    assert "\n" not in _ssh_worker.BEGIN


def test_what_cannot_be_sent_is_refused() -> None:
    place = _ssh_far.Place("/tmp", "boot.id", True, "plain", "/bin/sh", True)
    for name in ("a b", "-a", "a\n", "a" * 300, "ä"):
        with pytest.raises(ValueError, match="no name"):
            _ssh_worker.order(place, name, "n", 1, ["sh"], {}, "", None)
    for argv, environment in ((["a\0b"], {}), (["a"], {"A": "\0"})):
        with pytest.raises(ValueError, match="NUL"):
            _ssh_worker.order(place, "r-1", "n", 1, argv, environment, "", None)


def test_a_probe_says_whether_python_may_be_tried() -> None:
    for word in ("yes", "no"):
        place = _ssh_far.place_of(f"healer: ready b bc plain /bin/sh {word}\n/tmp/x\n".encode())
        assert place.python is (word == "yes")


def holds(pid: int, needle: bytes) -> bool:
    """Whether the memory of a process has some bytes."""
    with pathlib.Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, _, end = line.split()[0].partition("-")
            if line.split()[1].startswith("rw"):
                memory.seek(int(start, 16))
                if needle in memory.read(int(end, 16) - int(start, 16)):
                    return True
    return False


async def test_who_guards_deadlines_knows_nothing_of_the_job(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script("parent.sh", f"#!/bin/sh\necho $PPID\n# {'text of a script' * 9}\n")
    outcome = await ssh_one.run("parent.sh", parameters={"password": "word of a secret" * 9})
    assert outcome.state == "succeeded"
    await waiting(ssh_one, wait_for_async)
    (guard,) = map(int, pathlib.Path(f"/proc/{outcome.result}/task/{outcome.result}/children").read_text().split())
    assert holds(guard, b"HEALER_MARK")
    assert not holds(guard, b"text of a script" * 2)
    assert not holds(guard, b"word of a secret" * 2)


async def test_who_guards_deadlines_is_made_again(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script("parent.sh", PARENT)
    worker = await parent(ssh_one, 1)
    await waiting(ssh_one, wait_for_async)
    children = pathlib.Path(f"/proc/{worker}/task/{worker}/children")
    (guard,) = map(int, children.read_text().split())
    os.kill(guard, signal.SIGKILL)
    await wait_for_async(lambda: b") Z " in pathlib.Path(f"/proc/{guard}/stat").read_bytes())
    assert await parent(ssh_one, 2) == worker
    await waiting(ssh_one, wait_for_async)
    (another,) = map(int, children.read_text().split())
    assert another != guard
    os.kill(worker, signal.SIGKILL)
    await wait_for_async(lambda: not pathlib.Path(f"/proc/{another}").exists(), what="it to go with the worker")
