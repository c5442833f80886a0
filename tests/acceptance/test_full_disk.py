"""A whole daemon on a disk that is full: what it answers, what goes on, what a start does, and that nothing is lost or done twice.

The disk is a real file system of a few MiB, mounted where only the daemon's processes see it; who may not mount takes the small
one that containers have at /dev/shm. While it is full whatever becomes free is taken at once, as by another program that writes on.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

WaitFor = Callable[..., None]
SIZE: Final = 24 << 20
SHARED: Final = pathlib.Path("/dev/shm")
SHARED_MAX: Final = 256 << 20
AGAIN_S: Final = 0.005

# It ends when its input does, so also when whoever runs the tests is killed; the mount goes with the last process that sees it.
KEEPER: Final = f'mount -t tmpfs -o size={SIZE},mode=700 small-disk "$1" && echo mounted && read -r _'
UNSHARE: Final = {
    "mounts": (["unshare", "--mount"], []),
    "users": (["unshare", "--map-root-user", "--mount"], ["--user", "--preserve-credentials"]),
}
"""What is unshared → how, and how the same is entered. The first takes root, the second a kernel that lets users be it."""


class Disk:
    """A small file system at `path`, for processes that run `within`."""

    def __init__(self, path: pathlib.Path, seen: pathlib.Path, within: list[str]) -> None:
        self.path = path
        self.seen = seen  # the same from here
        self.within = within

    def free(self) -> int:
        """Bytes that are left."""
        found = os.statvfs(self.seen)
        return found.f_bavail * found.f_frsize

    def take(self, left: int) -> None:
        """Leave no more than that."""
        descriptor = os.open(self.seen / "ballast", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            more = self.free() - left
            while (more := min(more, self.free() - left) & -4096) > 0:
                try:
                    os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, more)
                except OSError:
                    more //= 2  # somebody was quicker, or a part is kept back
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def full(self, left: int = 0) -> Iterator[None]:
        """As long as this lasts there is no more space than `left`."""
        over = threading.Event()
        self.take(left)

        def again() -> None:
            while not over.wait(AGAIN_S):
                self.take(left)

        taking = threading.Thread(target=again)
        taking.start()
        try:
            yield
        finally:
            over.set()
            taking.join()
            (self.seen / "ballast").unlink()


@contextlib.contextmanager
def mounted(at: pathlib.Path, what: str) -> Iterator[Disk | None]:
    """A disk that was mounted there, or None where that is not permitted."""
    unshare, enter = UNSHARE[what]
    argv = [*unshare, "sh", "-c", KEEPER, "sh", str(at)]
    at.mkdir(exist_ok=True)
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as keeper:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "mounted\n":
            yield None
            return
        pid = keeper.pid
        yield Disk(
            at, pathlib.Path(f"/proc/{pid}/root{at}"), ["nsenter", "--target", str(pid), "--mount", *enter, "--"]
        )


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[Disk]:
    """A small disk."""
    with contextlib.ExitStack() as stack:
        for what in UNSHARE:
            if shutil.which("unshare") and (made := stack.enter_context(mounted(tmp_path / "disk", what))):
                yield made
                return
        if not SHARED.is_dir() or shutil.disk_usage(SHARED).total > SHARED_MAX:
            pytest.skip(f"nothing may be mounted here, and {SHARED} is no small disk: run it as root")
        folder = pathlib.Path(tempfile.mkdtemp(dir=SHARED))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Disk(folder, folder, [])


@pytest.fixture
def healing(daemon: Any, disk: Disk) -> Any:
    """A daemon with its data on the small disk, not started."""
    daemon.data, daemon.within = disk.path / "data", disk.within
    return daemon


def begun(daemon: Any, host: str, wait_for: WaitFor) -> str:
    """Let an attempt begin on a host; its run."""
    daemon.break_host(host)
    wait_for(lambda: [target for _, target in daemon.lines()].count(host) == 1, 60, "the attempt to begin")
    return next(run for run, target in daemon.lines() if target == host)


def refused(daemon: Any, *request: Any) -> dict[str, Any]:
    """What it answers on a full disk."""
    status, answer = daemon.ask(*request)
    assert (status, answer["code"]) == (503, "disk-full"), answer
    assert "ids" not in answer
    return dict(answer)


def in_vain(daemon: Any) -> None:
    """Start it on a full disk."""
    before = len(daemon.said())
    daemon.start()
    assert not daemon.came_up()
    assert daemon.ended() == 1
    said = daemon.said()[before:]
    assert said.count("error[") == said.count("error[disk-full]: the disk is full") == 1, said
    assert f"try  free some space on the disk of {daemon.data}" in said
    assert "Traceback" not in said


def healed_once(daemon: Any, hosts: list[str], wait_for: WaitFor) -> None:
    """Each of the hosts was healed, and only once, and the audit is whole."""
    wait_for(lambda: daemon.states() == ["succeeded"] * len(hosts), 60, f"the runs to end: {daemon.states()}")
    assert sorted(target for _, target in daemon.lines()) == sorted(hosts)
    daemon.verified()


# --- while it runs ----------------------------------------------------------------------------------------------------------------


def test_what_it_says_while_it_is_full(healing: Any, disk: Disk, wait_for: WaitFor) -> None:
    healing.start()
    healing.ready()
    first = healing.break_host("h1")
    healed_once(healing, ["h1"], wait_for)
    with disk.full():
        large = {"heal": "h4", "more": "x" * 100_000}  # a file of its own
        for body in (large, {"heal": "h2"}, [{"heal": "h2"}, {"heal": "h3"}], [large, {"heal": "h5"}]):
            refused(healing, "POST", "/events", body)
        refused(healing, "POST", "/webhook?wait=1s", {"event_type": "heal", "target": "h5"})
        refused(healing, "POST", "/keys", {"name": "more", "role": "admin"})
        assert healing.get("/readyz") == (503, {"ready": False, "reason": "disk-full"})
        assert healing.get("/livez")[0] == 200
        assert healing.get("/health")[1]["status"] == "disk-full"
        for path in ("/runs", "/alerts", "/audit", f"/events/{first}", "/explain/latest", "/status", "/keys"):
            assert healing.get(path)[0] == 200, path
        told = healing.healer("status")
        assert (told.returncode, "DISK FULL nothing new is taken" in told.stdout) == (0, True), told
        healing.verified()
        wait_for(lambda: "ERROR   the disk is full" in healing.said(), 60, "the log to tell")
    wait_for(lambda: healing.get("/readyz")[0] == 200, 60, "it to be ready again")
    assert healing.get("/health")[1]["status"] == "ok"
    for host in ("h2", "h5"):
        healing.event({"heal": host})
    healed_once(healing, ["h1", "h2", "h5"], wait_for)
    assert [key["name"] for key in healing.get("/keys")[1]["items"]] == ["the-admin"]
    assert "Traceback" not in healing.said()


def test_it_gives_no_sign_of_life_while_it_is_full(healing: Any, disk: Disk, wait_for: WaitFor) -> None:
    healing.write(
        "healer.yaml", "mode: active\nheartbeat: {url: 'http://127.0.0.1:1/', every: 1 second, timeout: 1 second}\n"
    )
    healing.start()
    healing.ready()

    def why() -> str:
        return str(healing.status()["heartbeat"]["why"])

    wait_for(lambda: why().startswith("it does not arrive"), 60, "a beat, which nobody takes")
    with disk.full():
        refused(healing, "POST", "/events", {"heal": "h2"})
        wait_for(lambda: why() == "none is sent: the disk is full", 60, "none to be sent")
    wait_for(lambda: why().startswith("it does not arrive"), 60, "beats again")


def test_what_was_taken_is_done_once_and_what_was_refused_never(healing: Any, disk: Disk, wait_for: WaitFor) -> None:
    healing.start()
    healing.ready()
    hosts = iter(f"h{n}" for n in range(1, 300))
    taken: list[str] = []

    def send() -> int:
        host = next(hosts)
        status, answer = healing.post("/events", {"heal": host})
        assert (status, "ids" in answer) in ((202, True), (503, False)), answer
        if status == 202:
            taken.append(host)
        return int(status)

    for left in (0, 64 << 10, 400 << 10):
        while sum(send() == 202 for _ in range(4)) < 4:
            wait_for(lambda: healing.get("/readyz")[0] == 200, 60, "it to be ready again")
        with disk.full(left):
            for _ in range(3):
                wait_for(lambda: send() == 503, 60, "the disk to be full")
    wait_for(lambda: healing.get("/readyz")[0] == 200, 60, "it to be ready again")
    healed_once(healing, taken, wait_for)


def test_what_runs_goes_on_and_its_end_is_kept_for_when_there_is_space(
    healing: Any, disk: Disk, wait_for: WaitFor
) -> None:
    script = healing.project / "scripts/heal.sh"
    script.write_text(script.read_text().replace("\necho", "\nseq 20000\necho"))  # more than goes into the database
    healing.hold.touch()
    healing.start()
    healing.ready()
    run = begun(healing, "h1", wait_for)

    def output() -> list[str]:
        return str(healing.healer("runs", "show", run, "--output").stdout).split()

    wait_for(lambda: output() == [str(n) for n in range(1, 20001)], 60, "the output")
    healing.break_host("h1", "another alert")
    wait_for(lambda: healing.states() == ["queued", "running"], 60, "the second run to wait for the target")
    with disk.full():
        healing.hold.unlink()
        wait_for(lambda: not healing.children(), 60, "the child to end")
        wait_for(lambda: healing.get("/readyz")[0] == 503, 60, "its end to find no space")
        assert healing.states() == ["queued", "running"]
    healed_once(healing, ["h1", "h1"], wait_for)
    assert output() == [str(n) for n in range(1, 20001)]


PLAYBOOK: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: "sh {folder}/scripts/heal.sh"
      environment: {{HEALER_TARGET: "{{{{ inventory_hostname }}}}"}}
"""


def test_a_playbook_goes_on_and_its_report_has_its_space(healing: Any, disk: Disk, wait_for: WaitFor) -> None:
    python = f"ansible_connection: local, ansible_python_interpreter: {sys.executable}"
    healing.write("inventory/hosts.yml", f"all: {{hosts: {{h1: {{{python}}}, h2: {{{python}}}}}}}\n")
    healing.write("controllers.yaml", "controllers: {here: {type: ansible, inventory: inventory/}}\ndefault: here\n")
    healing.write("actions.yaml", "actions: {heal: {playbook: heal.yml, impact: low}}\n")
    healing.write("playbooks/heal.yml", PLAYBOOK.format(folder=healing.project))
    healing.write("rulebooks/healing.yml", BOOK)
    healing.hold.touch()
    healing.start("--mode", "active")
    healing.ready()
    run = begun(healing, "h1", wait_for)
    with disk.full():
        healing.hold.unlink()
        wait_for(lambda: not healing.children(), 60, "the playbook to end")
        wait_for(lambda: healing.get("/readyz")[0] == 503, 60, "its end to find no space")
    healed_once(healing, ["h1"], wait_for)
    (attempt,) = healing.get(f"/runs/{run}")[1]["attempts"]
    assert (attempt["exit_code"], attempt["per_target"]) == (0, {"host:h1": "succeeded"})
    assert attempt["summary"] == "1 host, 1 changed"


BOOK: Final = """\
- name: healing
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: broken
      condition: event.alert.name == "Broken" and event.alert.status == "firing"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
"""


def test_a_reload_that_finds_no_space_changes_nothing(healing: Any, disk: Disk, wait_for: WaitFor) -> None:
    healing.start()
    healing.ready()
    before = healing.status()["revision"]
    book = healing.project / "rulebooks/healing.yml"
    old, new = book.read_text(), book.read_text().replace("Broken", "Torn")
    book.write_text(new)
    with disk.full():
        answer = refused(healing, "POST", "/api/v1/reload", b"")
        assert answer["try"] == f"free some space on the disk of {healing.data}"
        told = healing.healer("reload")
        assert told.returncode == 1
        assert "error[disk-full]: " in told.stderr
        assert "error[configuration]" not in told.stderr
        healing.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reload refused: error[disk-full]" in healing.said(), 60, "the reload by signal")
        book.write_text(old)  # its files lie there, and only the row that it holds would be written
        healing.write("healer.yaml", "environment: test\nmode: active\ndrain: 30 seconds\n")
        refused(healing, "POST", "/api/v1/reload", b"")
        assert healing.status()["revision"] == before
        assert [path.name[:7] for path in (disk.seen / "data/revisions").iterdir()] == [before]
    healing.break_host("h1")
    healed_once(healing, ["h1"], wait_for)
    book.write_text(new)
    assert healing.healer("reload").returncode == 0
    healing.event({"alert": {"name": "Torn", "target": "h2", "key": "torn", "status": "firing"}})
    healing.break_host("h3")
    healed_once(healing, ["h1", "h2"], wait_for)


def test_with_all_that_it_has_on_one_disk(healing: Any, disk: Disk, wait_for: WaitFor) -> None:
    """Project, log and temporary files too, as on a machine with one file system."""
    healing.project, project = disk.path / "project", healing.project
    shutil.copytree(project, disk.seen / "project")
    healing.data = healing.project / ".healer"
    (disk.seen / "tmp").mkdir()
    healing.variables["TMPDIR"] = str(disk.path / "tmp")
    healing.start()
    healing.ready()
    log, book = disk.seen / "project/logs/healer.log", disk.seen / "project/rulebooks/healing.yml"
    book.write_text(book.read_text().replace("hosts: all", "hosts: all\n  gather_facts: false"))
    with disk.full():
        for _ in range(40):  # more lines than fit into what the log has of its last page
            refused(healing, "POST", "/events", {"heal": "h1"})
        refused(healing, "POST", "/api/v1/reload", b"")
        before = log.read_bytes()
    assert healing.healer("reload").returncode == 0
    healing.event({"heal": "h1"})
    healed_once(healing, ["h1"], wait_for)
    assert b" succeeded: heal of " in log.read_bytes().removeprefix(before)
    assert "Traceback" not in healing.said()


# --- starting and ending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["never", "stop", "kill"])
def test_a_start_on_a_full_disk_says_so_and_spoils_nothing(
    healing: Any, disk: Disk, wait_for: WaitFor, how: str
) -> None:
    """With nothing left, and with what the lock, the index of the log and the first commits take: it fails at another place each time."""
    hosts = []
    if how != "never":
        healing.start()
        healing.ready()
        begun(healing, "h1", wait_for)
        hosts.append("h1")
        healed_once(healing, hosts, wait_for)
        getattr(healing, how)()
    for left in {"never": (0, 24 << 10, 512 << 10), "stop": (0, 24 << 10, 48 << 10), "kill": (0, 12 << 10)}[how]:
        with disk.full(left):
            in_vain(healing)
    healing.start()
    healing.ready()
    healing.break_host("h2")
    healed_once(healing, [*hosts, "h2"], wait_for)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_end_on_a_full_disk_loses_nothing(healing: Any, disk: Disk, wait_for: WaitFor, how: str) -> None:
    healing.hold.touch()
    healing.start()
    healing.ready()
    begun(healing, "h1", wait_for)
    begun(healing, "h2", wait_for)
    healing.break_host("h1", "another alert")
    wait_for(lambda: healing.states() == ["queued", "running", "running"], 60, "the third run to wait for the target")
    with disk.full():
        refused(healing, "POST", "/events", {"heal": "h3"})
        if how == "stop":
            healing.hold.unlink()
        assert getattr(healing, how)() in (None, 0)
        healing.hold.unlink(missing_ok=True)
        wait_for(lambda: not healing.children(), 60, "what runs to end, with no daemon there")
        healing.verified()
        told = healing.healer("keys", "create", "more", "--role", "admin")
        assert (told.returncode, "error[disk-full]: " in told.stderr) == (1, True), told
        in_vain(healing)
    healing.start()
    healing.ready()
    healed_once(healing, ["h1", "h1", "h2"], wait_for)
    assert "Traceback" not in healing.said()
