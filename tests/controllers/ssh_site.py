"""A real OpenSSH sshd and a controller `ssh` that reaches it. The tests' conftest loads it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import getpass
import os
import pathlib
import shutil
import socket
import subprocess
import time
from typing import Any

from healer import model, plugins
from healer.controllers import ssh
from tests import ports, processes

KEYGEN = shutil.which("ssh-keygen") or "/usr/bin/ssh-keygen"
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "/usr/sbin/sshd"
TOKEN = "r-0123456789abcdefghjkmnpqrs-1"


def keypair(path: pathlib.Path, *more: str) -> pathlib.Path:
    """A key of ssh-keygen, at once."""
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-C", path.name, *more, "-f", str(path)], check=True)
    return path


class Sshd:
    """One that listens on all addresses of the loopback, knows one user, and keeps its temporary files in a folder of the test."""

    def __init__(self, folder: pathlib.Path, authorized: str, *more: str, path: str = "") -> None:
        folder.mkdir()
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(mode=0o700)
        self.host_key = keypair(folder / "host")
        (folder / "authorized").write_text(authorized)
        self.port = ports.free()
        lines = [
            f"Port {self.port}", "ListenAddress 0.0.0.0", f"HostKey {self.host_key}", f"AuthorizedKeysFile {folder / 'authorized'}",
            "PidFile none", "UsePAM no", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE", "MaxStartups 1000", "PermitRootLogin yes", "Subsystem sftp internal-sftp", f"SetEnv TMPDIR={self.temporary} SHLVL=1{f' PATH={path}' if path else ''}", *more,
        ]  # fmt: skip
        (folder / "config").write_text("\n".join(lines) + "\n")
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it listens."""
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.folder / "config")], stdin=subprocess.DEVNULL, stderr=log
            )
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise AssertionError(self.log.read_text()) from None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.01)

    def sessions(self) -> list[int]:
        """The processes of sshd that serve connections."""
        return [pid for pid in _tree(self.process.pid) if _name(pid).startswith("sshd")] if self.process else []

    def cut(self) -> None:
        """End all of its connections as a power cut would, and leave what runs in them alone."""
        for pid in self.sessions():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue

    def stop(self) -> None:
        """No new connections, and no old ones."""
        if self.process is not None:
            self.cut()
            self.process.kill()
            self.process.wait()
            self.process = None

    def known(self, *names: str) -> str:
        """The line of a known_hosts file for it."""
        names = names or ("127.*",)
        text = (self.host_key.with_suffix(".pub")).read_text()
        return f"{','.join(f'[{name}]:{self.port}' for name in names)} {text}"

    def left(self) -> list[str]:
        """What stands in its temporary files, but for the id of the folder."""
        return sorted(path.name for path in self.temporary.glob("healer-*/*") if path.name != "id")


def _tree(pid: int) -> list[int]:
    return [one for child in processes.children(pid) for one in (child, *_tree(child))]


def _name(pid: int) -> str:
    return processes.read(pid, "comm").decode().strip()


def _environ(pid: int) -> list[bytes]:
    return processes.read(pid, "environ").split(b"\0")


class Site:
    """A revision with scripts, a key, a server, and controllers that reach it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.revision = folder / "revision"
        (self.revision / "scripts").mkdir(parents=True)
        self.key = keypair(folder / "id")
        self.public = self.key.with_suffix(".pub").read_text()
        self.servers: list[Sshd] = []
        self.server = self.serve("one")
        self.secrets = {"file:id": self.key.read_text()}
        self.heard: list[tuple[str, bytes]] = []
        self.controllers: list[ssh.Ssh] = []
        self.know(self.server.known())
        self.controller = self.made()

    def serve(self, name: str, *more: str, path: str = "") -> Sshd:
        """Another server that lets the same key in. `path`: the PATH of those who log in there."""
        self.servers.append(Sshd(self.folder / name, self.public, *more, path=path))
        return self.servers[-1]

    def know(self, *lines: str) -> None:
        """Write known_hosts anew."""
        (self.folder / "known_hosts").write_text("".join(lines))

    def made(self, **given: Any) -> ssh.Ssh:
        """A controller; a None takes an option away."""
        options = {
            "user": getpass.getuser(), "port": self.server.port, "key": {"secret": "file:id"}, "known_hosts": "known_hosts", **given,
        }  # fmt: skip
        options = {key: value for key, value in options.items() if value is not None}
        context = plugins.ControllerContext("far", self.resolve, self.log, self.folder)
        self.controllers.append(ssh.Ssh(ssh.SshOptions.model_validate(options), context))
        return self.controllers[-1]

    def resolve(self, reference: plugins.SecretRef) -> model.Secret:
        return model.Secret(reference.secret, self.secrets[reference.secret])

    def log(self, level: str, message: str) -> None:
        raise AssertionError(message)

    def script(self, name: str, text: str | bytes) -> None:
        (self.revision / "scripts" / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def job(self, subject: str | tuple[str, ...], **given: Any) -> model.Job:
        token = given.get("token", TOKEN)
        job = model.Job(
            token=token, run_id=token.rpartition("-")[0], action="a", kind="script" if isinstance(subject, str) else "command",
            subject=subject, parameters={}, targets=hosts(1), deadline_s=60.0, revision_dir=str(self.revision),
            work_dir=str(self.folder / "work" / token), extra={"instance": str(self.folder)},
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, subject: str | tuple[str, ...], **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(subject, **given), self.hear)

    def marked(self, token: str = TOKEN) -> list[int]:
        """The processes of an attempt on its servers that are alive, whatever session they made."""
        word = f"HEALER_TOKEN={token}".encode()
        return [pid for pid in self._processes() if word in _environ(pid) and processes.runs(pid)]

    def workers(self) -> list[int]:
        """The sessions on its servers that stay for the next job; those beside them that guard their jobs, once they are gone."""
        found = {pid for pid in self._processes() if processes.read(pid, "cmdline").endswith(b"\0healer\0")}
        return sorted(found - {child for pid in found for child in processes.children(pid)})

    def _processes(self) -> list[int]:
        """All that were begun by a log-in at one of its servers."""
        ours = {f"TMPDIR={server.temporary}".encode() for server in self.servers}
        return [pid for pid in processes.pids() if not ours.isdisjoint(_environ(pid))]

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard.append((stream, piece))

    def said(self, stream: str = "stdout") -> bytes:
        return b"".join(piece for name, piece in self.heard if name == stream)

    async def close(self) -> None:
        for controller in self.controllers:
            await controller.close()
        for server in self.servers:
            server.stop()


def hosts(count: int) -> tuple[model.Target, ...]:
    """Names of an inventory whose addresses are the loopback's."""
    return tuple(model.Target("host", f"web{n:02}", f"web{n:02}", f"127.0.0.{n}") for n in range(1, count + 1))


WAITING = """#!/bin/sh
echo begun
echo x >>"$HEALER_AT/begun"
while [ ! -e "$HEALER_AT/go" ]; do sleep 0.02; done
echo '"done"'
"""
STUBBORN = """#!/bin/sh
trap '' TERM
(trap '' TERM; exec setsid sleep 300) &
sleep 300 &
echo x >"$HEALER_AT/begun"
while :; do sleep 300; done
"""


class Work:
    """A folder that a job and its test share, and the job."""

    def __init__(self, site: Site, folder: pathlib.Path) -> None:
        self.site = site
        self.at = folder / "at"
        self.at.mkdir()
        site.script("wait.sh", WAITING)
        site.script("stubborn.sh", STUBBORN)

    def job(self, subject: str = "wait.sh", **given: Any) -> model.Job:
        return self.site.job(subject, environment={"HEALER_AT": str(self.at)}, **given)

    def start(self, subject: str = "wait.sh", **given: Any) -> asyncio.Task[model.Outcome]:
        return asyncio.create_task(self.site.controller.run(self.job(subject, **given), self.site.hear))

    @property
    def begun(self) -> bool:
        return (self.at / "begun").exists()

    def written_down(self) -> bool:
        """Whether whoever supervises the job there has written down its child."""
        return any(one.read_text() for one in self.site.server.temporary.glob("healer-*/*.child"))

    def go(self) -> None:
        (self.at / "go").touch()
