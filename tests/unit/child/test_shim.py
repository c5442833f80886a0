"""The shim alone, as a real process: what it does with a job folder, whoever started it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from healer.child import shim

ROOT = pathlib.Path(shim.__file__).resolve().parents[2]
Wait = Callable[..., None]


# A limit on the size of files stands for a disk that is full: it takes a part of a file, then nothing more.
SHIM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.path.append(sys.argv[2])
from healer.child import shim
os._exit(shim.main(sys.argv[3]))
"""
UNTIL_GO = (
    "import os, sys, time\nprint(1, flush=True)\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\nsys.exit(3)"
)


class Run:
    """A job folder and the shim over it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, program: str | list[str], **given: Any) -> Run:
        """Start the shim over a Python program (or an argument list)."""
        argv = [sys.executable, "-c", program] if isinstance(program, str) else program
        stdin = given.pop("stdin", None)
        file_max = given.pop("file_max", resource.RLIM_INFINITY)
        job = {
            "argv": argv, "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/", "timeout_s": 30.0, "kill_after_s": 5.0,
            "output_max_bytes": 1 << 20, "umask": 0o077, "remove": [], **given,
        }  # fmt: skip
        (self.folder / "job.json").write_text(json.dumps(job))
        if stdin is not None:
            (self.folder / "stdin").write_bytes(stdin)
        self.process = self.shim(file_max)
        return self

    def shim(self, file_max: int = resource.RLIM_INFINITY) -> subprocess.Popen[bytes]:
        """A shim for the folder."""
        command = [sys.executable, "-I", "-S", "-c", SHIM, str(file_max), str(ROOT), str(self.folder)]
        return subprocess.Popen(command, env={}, start_new_session=True)

    def end(self) -> dict[str, Any]:
        """Wait for the shim, and give the status."""
        assert self.process
        assert self.process.wait(60) == 0
        status: dict[str, Any] = json.loads((self.folder / "status").read_text())
        return status

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.send_signal(signal.SIGTERM)
        made.process.wait(60)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return shim.Process(pid).state not in "ZX"
    return False


def test_status_output_and_exit_code(run: Run) -> None:
    status = run.start("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)").end()
    assert (status["exit_code"], status["signal"]) == (3, None)
    assert (status["timed_out"], status["cancelled"], status["truncated"], status["error"]) == (False, False, False, "")
    assert status["ended_at"] >= status["started_at"] > 1e9
    assert (run.text("stdout"), run.text("stderr")) == ("out\n", "err\n")


def test_death_by_signal_is_told(run: Run) -> None:
    status = run.start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").end()
    assert (status["exit_code"], status["signal"]) == (None, 9)


def test_child_gets_what_the_job_says_and_nothing_else(run: Run) -> None:
    program = """
import json, os, resource, signal, sys
signals = [n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN and n != signal.SIGPIPE]
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(), "umask": os.umask(0),
    "stdin": sys.stdin.read(), "fds": sorted(os.listdir("/proc/self/fd")),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "leader": os.getpgid(0) == os.getpid(),
    "session": os.getsid(0) == os.getppid(),
    "ignored": [int(n) for n in signals],
    "tty": os.isatty(0) or os.isatty(1), "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])]}))
"""
    hostile = ["$(id)", "; rm -rf /", "-oProxyCommand=x", "a\nb", "'\"", "", "\N{PILE OF POO}", "{{ 1 }}"]
    env = {"PATH": "/bin", "A": "\N{SNOWMAN} \n =x"}
    run.start([sys.executable, "-I", "-c", program, *hostile], env=env, cwd="/usr", stdin=b"given", umask=0o027).end()
    seen = json.loads(run.text("stdout"))
    assert seen["argv"] == hostile
    assert {k: v for k, v in seen["env"].items() if k != "LC_CTYPE"} == env  # Python sets LC_CTYPE itself
    assert (seen["cwd"], seen["umask"], seen["stdin"], seen["core"]) == ("/usr", 0o027, "given", [0, 0])
    assert len(seen["fds"]) == 4, "three streams and the folder being listed"
    assert (seen["leader"], seen["session"], seen["tty"]) == (True, True, False)
    assert (seen["ignored"], seen["blocked"]) == ([signal.SIGXFSZ], [])  # Python itself ignores SIGXFSZ at its start


def test_sigpipe_has_its_default_again(run: Run) -> None:
    run.start(["/bin/sh", "-c", "yes | head -n1; kill -PIPE $$; echo never"])
    assert run.end()["signal"] == signal.SIGPIPE


def test_secrets_leave_the_folder_while_the_child_runs(run: Run, wait_for: Wait) -> None:
    for name in ("vars", "vault"):
        (run.folder / name).write_text("s3cret-value")
    run.start(
        "import sys, time; sys.stdin.read(); print(1, flush=True); time.sleep(60)",
        env={"TOKEN": "s3cret-value"}, stdin=b"s3cret-value", remove=["vars", "vault", "not-there"],
    )  # fmt: skip
    wait_for(lambda: (run.folder / "stdout").exists() and run.text("stdout"))
    wait_for(lambda: "s3cret" not in run.text("job.json"))
    assert not (run.folder / "stdin").exists()
    assert json.loads(run.text("job.json"))["env"] == ["TOKEN"]
    (run.folder / "cancel").touch()
    run.end()
    left = {path.name: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert [name for name, content in left.items() if b"s3cret" in content] == []


@pytest.mark.parametrize(
    ("argv", "cwd", "word"),
    [(["/no/such"], "/", "No such file"), (["/etc/passwd"], "/", "Permission"), (["true"], "/no", "No such")],
)
def test_what_cannot_be_started_is_a_status(run: Run, argv: list[str], cwd: str, word: str) -> None:
    status = run.start(argv, cwd=cwd, env={"PATH": "/bin", "T": "s3cret"}).end()
    assert status["exit_code"] is None
    assert word in status["error"]
    assert "s3cret" not in run.text("job.json")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"argv": 1', '{"argv": ["true"]}', '{"output_max_bytes": 1, "argv": 1}']
)
def test_broken_job_is_a_status(run: Run, content: str) -> None:
    (run.folder / "job.json").write_text(content)
    assert run.shim().wait(60) == 0
    assert json.loads(run.text("status"))["error"]


def test_claimed_folder_is_left_alone(run: Run) -> None:
    (run.folder / "started").write_text('{"tombstone": true}')
    run.start("print('effect')")
    assert run.process
    assert run.process.wait(60) == shim.EXIT_CLAIMED
    assert sorted(path.name for path in run.folder.iterdir()) == ["job.json", "started"]


def test_two_shims_over_one_folder_have_one_effect(run: Run, tmp_path: pathlib.Path) -> None:
    effects = tmp_path / "effects"
    effects.mkdir()
    run.start(f"import tempfile; tempfile.mkstemp(dir={str(effects)!r})")
    others = [run.shim() for _ in range(3)]
    assert run.process
    codes = [process.wait(60) for process in (run.process, *others)]
    assert sorted(codes) == [0, 75, 75, 75]
    assert len(list(effects.iterdir())) == 1


def test_output_is_capped_and_the_child_goes_on(run: Run) -> None:
    status = run.start(
        "import sys; sys.stdout.write('x' * 300_000); sys.stderr.write('done')", output_max_bytes=1000
    ).end()
    assert (status["exit_code"], status["truncated"]) == (0, True)
    assert (run.text("stdout"), run.text("stderr")) == ("x" * 1000, "done")


def test_output_of_exactly_the_cap_is_not_cut(run: Run) -> None:
    status = run.start("import sys; sys.stdout.write('x' * 1000)", output_max_bytes=1000).end()
    assert (status["truncated"], len(run.text("stdout"))) == (False, 1000)


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    os.setsid()                      # leaves the group, as the workers of ansible do
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(120)
"""


def pids_told(run: Run, count: int) -> list[int]:
    text = run.text("stdout") if (run.folder / "stdout").exists() else ""
    return [int(word) for word in text.split()] if text.count("\n") == count else []


def test_timeout_kills_the_whole_tree(run: Run) -> None:
    status = run.start(STUBBORN, timeout_s=5.0, kill_after_s=0.2).end()
    assert (status["timed_out"], status["cancelled"], status["signal"]) == (True, False, 9)
    pids = pids_told(run, 2)
    assert len(pids) == 2
    assert [pid for pid in pids if alive(pid)] == []


def test_timeout_gives_the_child_time_to_tidy_up(run: Run) -> None:
    program = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("tidied", flush=True), sys.exit(7)))
time.sleep(60)
"""
    status = run.start(program, timeout_s=5.0, kill_after_s=20.0).end()
    assert (status["timed_out"], status["exit_code"], run.text("stdout")) == (True, 7, "tidied\n")


@pytest.mark.parametrize("how", ["file", "signal"])
def test_cancel(run: Run, wait_for: Wait, how: str) -> None:
    run.start(STUBBORN, kill_after_s=0.2)
    wait_for(lambda: pids_told(run, 2))
    assert run.process
    if how == "file":
        (run.folder / "cancel").touch()
    else:
        run.process.send_signal(signal.SIGTERM)
    status = run.end()
    assert (status["cancelled"], status["timed_out"]) == (True, False)
    assert [pid for pid in pids_told(run, 2) if alive(pid)] == []


def test_what_a_child_leaves_in_its_group_is_ended(run: Run) -> None:
    status = run.start(["/bin/sh", "-c", "sleep 120 & echo $!; exit 0"]).end()
    assert (status["exit_code"], status["error"]) == (0, "")
    assert not alive(pids_told(run, 1)[0])


def test_daemon_started_by_the_child_lives_on_and_its_pipe_is_not_waited_for(run: Run) -> None:
    program = """
import os, time
told, tell = os.pipe()
if not os.fork():
    os.setsid()
    print(os.getpid(), flush=True)
    os.write(tell, b"x")
    time.sleep(120)
os.read(told, 1)
"""
    status = run.start(program).end()
    pid = pids_told(run, 1)[0]
    try:
        assert status["exit_code"] == 0
        assert alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_claim_names_the_shim(run: Run, wait_for: Wait) -> None:
    run.start("import time; time.sleep(60)")
    wait_for((run.folder / "started").exists)
    claim = json.loads(run.text("started"))
    assert run.process
    assert claim["pid"] == run.process.pid
    assert claim["boot_id"] == shim.boot_id()
    assert claim["started"] == shim.Process(run.process.pid).started
    (run.folder / "cancel").touch()
    assert run.end()["cancelled"]


def test_files_are_private(run: Run) -> None:
    run.start("print(1)").end()
    modes = {path.name: path.stat().st_mode & 0o777 for path in run.folder.iterdir()}
    assert {modes[name] for name in ("started", "status", "stdout", "stderr", "job.json")} == {0o600}


# --- a full disk, and what else befalls the shim --------------------------------------------------------------------------


def until_go(run: Run, **given: Any) -> Run:
    return run.start([sys.executable, "-c", UNTIL_GO, str(run.folder / "go")], **given)


def told(run: Run) -> bool:
    return (run.folder / "stdout").exists() and bool(run.text("stdout"))


@pytest.mark.parametrize("how", ["exit", "cancel"])
def test_child_goes_on_and_its_end_is_told_where_the_job_cannot_be_scrubbed(run: Run, wait_for: Wait, how: str) -> None:
    until_go(run, env={"T": "s3cret", **{f"NAME{n}": "" for n in range(900)}}, file_max=shim.folder.STATUS_BYTES)
    wait_for(lambda: told(run))
    wait_for(lambda: not (run.folder / "job.json").exists())
    left = [path.name for path in run.folder.iterdir() if b"s3cret" in path.read_bytes()]
    (run.folder / ("go" if how == "exit" else "cancel")).touch()
    status = run.end()
    assert (status["exit_code"], status["signal"]) == ((3, None) if how == "exit" else (None, signal.SIGTERM))
    assert (status["cancelled"], status["error"], left) == (how == "cancel", "", [])
    assert not [path.name for path in run.folder.iterdir() if path.name.startswith("job.json")]


@pytest.mark.parametrize("file_max", [0, 600])
def test_nothing_starts_where_there_is_no_room_for_the_status(run: Run, tmp_path: pathlib.Path, file_max: int) -> None:
    """0: no room for the claim either."""
    run.start(f"open({str(tmp_path / 'effect')!r}, 'w')", file_max=file_max)
    assert run.process
    assert run.process.wait(60) == shim.EXIT_UNPREPARED
    assert [path.name for path in run.folder.iterdir()] == ["job.json"], "no claim: nobody can think it was started"


@pytest.mark.parametrize(("number", "code"), [
    (errno.ENOSPC, shim.EXIT_NO_ROOM), (errno.EDQUOT, shim.EXIT_NO_ROOM), (errno.EIO, shim.EXIT_UNPREPARED),
])  # fmt: skip
def test_only_what_a_full_disk_hindered_may_be_tried_again(number: int, code: int) -> None:
    assert shim.unprepared(OSError(number, "x")) == code


def test_shim_without_descriptors_neither_ends_the_child_nor_forgets_the_wish_to_end_it(
    run: Run, wait_for: Wait
) -> None:
    """The processes cannot be listed then. The wish is carried out once they can."""
    until_go(run, kill_after_s=30.0)
    wait_for(lambda: told(run))
    wait_for(lambda: "env" in run.text("job.json") and json.loads(run.text("job.json"))["env"] == ["PATH"])
    assert run.process
    pid = run.process.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, most))
    run.process.send_signal(signal.SIGTERM)
    looks = switches(pid)
    wait_for(lambda: switches(pid) > looks + 5)
    assert run.process.poll() is None
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    status = run.end()
    assert (status["cancelled"], status["signal"], status["error"]) == (True, signal.SIGTERM, "")


def switches(pid: int) -> int:
    """How often a process has waited until now."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


@pytest.mark.parametrize("given", [{"remove": 1}, {"env": 1}])
def test_job_that_cannot_be_tidied_up_after_has_a_status(run: Run, given: dict[str, Any]) -> None:
    assert {"exit_code", "error"} <= set(run.start(["true"], **given).end())


def test_long_error_fits_the_space_of_the_status(run: Run) -> None:
    status = run.start(["/" + "\N{PILE OF POO}" * 900]).end()
    assert status["error"].startswith("/\N{PILE OF POO}")
    assert (run.folder / "status").stat().st_size == shim.folder.STATUS_BYTES


def test_quietly_tells_whether_it_was_done() -> None:
    assert shim.quietly(os.getpid)
    assert not shim.quietly(os.close, -1)


def test_what_is_no_job_is_a_status_that_says_why(run: Run) -> None:
    status = run.start(["/bin/true"], limits={"NOSUCH": 1}).end()
    assert "RLIMIT_NOSUCH" in status["error"]
    assert status["exit_code"] is None
