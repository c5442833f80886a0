"""What an `ansible` controller's playbooks are run by on the machine that `run_on` names. Sent there by `_run_on`; it stands alone.

Nothing of ours is installed there, and Python may be 3.9. Over standard input it answers a question (a line of JSON, then bytes): `look`,
`keep`, `plan`. As a program of its own, a zip with `order.json` under the wrapper of `_ssh_far`, it runs a job: the wrapper holds deadline,
output and the way it ended; here is what Ansible needs, and a report of its events. In the user's own folder there:

revisions/ID, revisions/ID.json  the files of a revision, and their sizes and times, by which what is missing is noticed
NAME.work                        the private files of a job: they go when it ends
NAME.report                      what its events come to, until it is fetched
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from typing import Any

REVISIONS_KEPT = 5
STRAY_S = 86_400.0
"""So old is what a transfer that was cut off left."""
OUTPUT_BYTES = 1 << 20
EVENT_BYTES = 4 << 20
REPORT_BYTES = 8 << 20
FAILURES_MAX = 1_000
KILL_AFTER_S = 10.0
LOOK_S = 0.1
EXIT_REFUSED = 69
GONE = "the revision's files were removed there meanwhile"
FAILED = ("runner_on_failed", "runner_on_unreachable")
SETS = ("set_fact", "set_stats")


class Refused(Exception):
    """why nothing was begun, in words for people"""


# --- revisions ----------------------------------------------------------------------------------------------------------


def kept(base: pathlib.Path, revision: str) -> bool:
    """Whether a revision is here with all of its files; it counts as used now."""
    note = base / "revisions" / f"{revision}.json"
    try:
        files = json.loads(note.read_bytes())
        whole = all(_mark(base / "revisions" / revision / path) == known for path, known in files.items())
        if whole:
            os.utime(note)
    except (OSError, ValueError):
        return False
    return whole


def keep(base: pathlib.Path, revision: str, stream: Any) -> None:
    """Unpack a revision and let go of the oldest ones that nothing runs from. Raises `Refused`."""
    folder = base / "revisions"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=str(folder)) as name:
            made = pathlib.Path(name)
            _unpack(stream, made / "new")
            found = (path for path in (made / "new").rglob("*") if path.is_file())
            note = json.dumps({str(path.relative_to(made / "new")): _mark(path) for path in found})
            (made / "note").write_text(note)
            with (folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if kept(base, revision):  # somebody else has sent it meanwhile, and may run from it
                    return
                if (folder / revision).exists():
                    (folder / revision).rename(made / "before")
                (made / "new").rename(folder / revision)
                (made / "note").replace(folder / f"{revision}.json")
                _let_go(folder)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise Refused(f"its files cannot be kept in {folder}: {error}") from error


def _unpack(stream: Any, to: pathlib.Path) -> None:
    to.mkdir(mode=0o700)
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for member in archive:
            path = to / member.name
            if not member.isfile() or ".." in path.parts or member.name.startswith("/"):
                raise tarfile.TarError(f"{member.name!r} is no file of a revision")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            source = archive.extractfile(member)
            if source is not None:
                with path.open("xb") as file:
                    shutil.copyfileobj(source, file)
            path.chmod(0o700 if member.mode & 0o100 else 0o600)


def _mark(path: pathlib.Path) -> list[int]:
    """By which it is known whether a file is the one that was sent."""
    found = path.lstat()
    return [found.st_size, found.st_mtime_ns, found.st_mode]


def _let_go(folder: pathlib.Path) -> None:
    notes = sorted(folder.glob("*.json"), key=lambda note: note.stat().st_mtime_ns, reverse=True)
    for note in notes[REVISIONS_KEPT:]:
        with note.open() as held, contextlib.suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note.unlink()
            shutil.rmtree(note.with_suffix(""), ignore_errors=True)
    for stray in folder.glob(".unfinished-*"):
        if time.time() - stray.stat().st_mtime > STRAY_S:
            shutil.rmtree(stray, ignore_errors=True)


@contextlib.contextmanager
def _held(base: pathlib.Path, revision: str) -> Iterator[pathlib.Path]:
    """A revision's folder, which is not let go of meanwhile. Raises `Refused`."""
    note = base / "revisions" / f"{revision}.json"
    with contextlib.ExitStack() as stack:
        try:
            fcntl.flock(stack.enter_context(note.open()), fcntl.LOCK_SH)
        except FileNotFoundError:
            raise Refused(GONE) from None
        if not kept(base, revision):
            raise Refused(GONE)
        yield note.with_suffix("")


# --- running ------------------------------------------------------------------------------------------------------------


def program(name: str) -> str:
    """Where a program is. Raises `Refused`."""
    path = os.pathsep.join((os.environ.get("PATH") or os.defpath, str(pathlib.Path("~/.local/bin").expanduser())))
    found = shutil.which(name, path=path)
    if not found:
        raise Refused(f"there is no {name} on the PATH there ({path}); install ansible-core")
    return found


def prepared(order: dict[str, Any], work: pathlib.Path, revision: pathlib.Path) -> tuple[list[str], dict[str, str]]:
    """The command and the whole of its environment; its files are written. Raises `Refused`."""
    places = {"\0work\0": str(work), "\0revision\0": str(revision), "\0home\0": str(pathlib.Path("~").expanduser())}

    def filled(text: str) -> str:
        for mark, place in places.items():
            text = text.replace(mark, place)
        return text

    argv = [program(order["argv"][0]), *map(filled, order["argv"][1:])]
    for folder in (".", "home", "tmp", "callbacks", "ansible/artifacts/run"):
        (work / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in order["files"].items():
        (work / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    taken = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "HEALER_MARK")
    own = {name: os.environ[name] for name in taken if name in os.environ}
    locale = (own.get("LC_ALL") or own.get("LANG") or "").lower()
    if "utf-8" not in locale and "utf8" not in locale:
        own["LC_ALL"] = "C.UTF-8"  # Ansible refuses any other
    env = {**own, **{name: filled(value) for name, value in order["env"].items()}}
    return argv, {**env, **{name: own[name] for name in ("HEALER_MARK",) if name in own}}


def run(zipped: pathlib.Path) -> int:
    """A job of its own, in the place of its script. The exit code is Ansible's."""
    with zipfile.ZipFile(zipped) as archive:
        order = json.loads(archive.read("order.json"))
    zipped.unlink()  # it has what is private
    base, name = zipped.parent, order["name"]
    work = base / f"{name}.work"
    told: dict[str, Any] = {}
    try:
        with _held(base, order["revision"]) as revision:
            code = _child(*prepared(order, work, revision), revision)
            for folder in ("home", "tmp"):  # first, since that gives space
                shutil.rmtree(work / folder, ignore_errors=True)
            told["events"] = report(work, order, code)
    except (Refused, OSError) as error:
        told, code = {"refused": str(error)}, EXIT_REFUSED
        os.write(2, f"{error}\n".encode("utf-8", "replace"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with contextlib.suppress(OSError):
        _write(base / f"{name}.report", told)
    return code


def _child(argv: list[str], env: dict[str, str], cwd: pathlib.Path) -> int:
    """Run it with our output. An end that is asked for is its, and it is waited for."""
    asked: list[int] = []
    child: list[subprocess.Popen[bytes]] = []

    def end(number: int, _frame: Any) -> None:
        asked.append(number)
        if child and len(asked) == 1:
            child[0].send_signal(number)  # a timeout may tell its child alone, and not the group

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    child.append(subprocess.Popen(argv, env=env, cwd=str(cwd), stdin=subprocess.DEVNULL))
    if asked:  # while it was being started
        child[0].send_signal(asked[0])
    code = child[0].wait()
    return code if code >= 0 else 128 - code


def _write(path: pathlib.Path, told: dict[str, Any]) -> None:
    temporary = path.with_suffix(".report-new")
    temporary.write_text(json.dumps(told))
    temporary.replace(path)


def plan(base: pathlib.Path, order: dict[str, Any]) -> dict[str, Any]:
    """Run what has no effect, and end it where standard input ends: nobody listens any more. Raises `Refused`."""
    os.environ["HEALER_MARK"] = order["name"]
    work = base / f"{order['name']}.work"
    try:
        with _held(base, order["revision"]) as revision:
            argv, env = prepared(order, work, revision)
            child = subprocess.Popen(
                argv,
                env=env,
                cwd=str(revision),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            over = threading.Timer(order["deadline_s"], _end, (order["name"],))
            for thread in (over, threading.Thread(target=_listen, args=(order["name"],))):
                thread.daemon = True
                thread.start()
            said = bytearray()
            while child.stdout is not None and (piece := child.stdout.read1(1 << 16)):  # type: ignore[attr-defined]
                said += piece[: OUTPUT_BYTES - len(said)]
            code = child.wait()
            over.cancel()
            code = code if code >= 0 else 128 - code
            return {"code": code, "said": said.decode("utf-8", "surrogateescape"), "events": report(work, order, code)}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _listen(mark: str) -> None:
    while os.read(0, 1 << 10):
        pass
    _end(mark)


def _end(mark: str) -> None:
    """End all that came of a plan: TERM, and KILL after the grace."""
    until = time.monotonic() + KILL_AFTER_S
    number = signal.SIGTERM
    while pids := _marked(mark):
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        time.sleep(LOOK_S)
        number = signal.SIGKILL if time.monotonic() > until else signal.SIGTERM


def _marked(mark: str) -> list[int]:
    wanted = b"HEALER_MARK=" + mark.encode()
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0") and b") Z " not in path.with_name("stat").read_bytes():
                found.append(int(path.parent.name))
    return found


# --- what its events come to ----------------------------------------------------------------------------------------------


def report(work: pathlib.Path, order: dict[str, Any], code: int) -> list[dict[str, Any]]:
    """Of all events those that say how it ended, in their order; where there is no end, on which hosts something had begun."""
    events = list(_events(work / "ansible" / "artifacts" / "run" / "job_events"))
    ended = [one for one in events if one["event"] == "playbook_on_stats"]
    chosen: list[dict[str, Any]] = []
    if not ended:
        hosts = dict.fromkeys(str(one["event_data"].get("host")) for one in events if "host" in one["event_data"])
        chosen += [{"event": "runner_on_start", "event_data": {"host": host}} for host in hosts]
    failures = 0
    for one in events:
        kind, data = one["event"], one["event_data"]
        action = str(data.get("task_action")).replace("ansible.builtin.", "")
        ended_it = code and not (data.get("ignore_errors") or data.get("excused"))
        if kind in FAILED and (ended_it or order["returned"] or order["sets"]) and failures < FAILURES_MAX:
            failures += 1
            chosen.append(one)
        elif kind == "runner_on_ok" and (order["returned"] or (order["sets"] and action in SETS)):
            chosen.append(one)
    room = REPORT_BYTES - sum(len(json.dumps(one)) for one in ended)
    within = []
    for one in chosen:
        room -= len(json.dumps(one))
        if room > 0:
            within.append(one)
    return within + ended


def _events(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Those that count, oldest first. A file says its kind in its first bytes."""
    try:
        found = sorted(
            (entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder) if entry.name.endswith(".json")
        )
    except OSError:
        return
    wanted = tuple(
        f'{{"event": "{kind}"'.encode() for kind in (*FAILED, "runner_on_ok", "runner_on_start", "playbook_on_stats")
    )
    for _, path in found:
        with contextlib.suppress(OSError, ValueError):
            raw = pathlib.Path(path).read_bytes() if pathlib.Path(path).stat().st_size <= EVENT_BYTES else b""
            if raw.startswith(wanted):
                event = json.loads(raw)
                if isinstance(event.get("event_data"), dict):
                    yield {"event": event["event"], "event_data": event["event_data"]}


# --- being asked ----------------------------------------------------------------------------------------------------------


def look(base: pathlib.Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Whether a revision is here; which Ansible, where that is asked for. Raises `Refused`."""
    found = program("ansible-playbook")
    if not asked.get("version"):
        return {"kept": kept(base, asked["revision"])}
    done = subprocess.run(
        [found, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=asked["version"], check=False,
    )  # fmt: skip
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode:
        raise Refused(f"ansible-playbook --version: {said}")
    return {"version": said.splitlines()[0] if said else "?"}


def answer() -> None:
    """Read a question from standard input and answer it, a line of JSON."""
    base = pathlib.Path(os.path.realpath("."))
    told: dict[str, Any] = {}
    try:
        asked = json.loads(sys.stdin.buffer.readline())
        if asked["do"] == "keep":
            keep(base, asked["revision"], sys.stdin.buffer)
        else:
            told = look(base, asked) if asked["do"] == "look" else plan(base, asked)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        told = {"refused": str(error)}
    sys.stdout.write(f"healer: {json.dumps(told)}\n")
    sys.stdout.flush()
    os._exit(0)  # a thread may read on


if __name__ == "__main__":
    if sys.argv[0] == "-c":
        answer()
    else:
        sys.exit(run(pathlib.Path(sys.argv[0])))
