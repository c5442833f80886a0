"""Runs `ansible-playbook`: which one, with what around it, at most two at once, each bounded in time and output.

The environment is that of runs (`controllers/_ansible_command`): little of this machine's, a private home, the project's own ansible.cfg or
an empty one. Nothing has an inventory but `localhost,`, so that no program of one is run, and no variable is kept anywhere.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import errors, project, secrets, vault
from healer.lint.syntax import keeping, saying

PROGRAM: Final = "ansible-playbook"
HERE: Final = "localhost,"
TOGETHER: Final = 2
LIMIT_S: Final = 60.0
VERSION_LIMIT_S: Final = 30.0
BYTES_MAX: Final = 1 << 20
LOOK_S: Final = 0.1
TAKEN: Final = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")
PATH_DEFAULT: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NUMBER: Final = re.compile(r"\d[\w.+-]{0,40}")
_VERSION: Final = re.compile(rf"\A\S+ (?:\[core )?({_NUMBER.pattern})")
_LOCATION: Final = re.compile(r"^\s*ansible python module location = (/.*)$", re.MULTILINE)


class NoAnswer(Exception):
    """The program does not say which it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """Which Ansible it is: `key` for what is kept, `location` of its package ('' where it does not say)."""

    key: str
    location: str


def program(environ: Mapping[str, str]) -> pathlib.Path | None:
    """The one that a run would take: beside our Python, or on the path."""
    beside = pathlib.Path(sys.executable).parent / PROGRAM
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(PROGRAM, path=environ.get("PATH", PATH_DEFAULT))
    return pathlib.Path(found).absolute() if found else None


def release(found: pathlib.Path, environ: Mapping[str, str], folder: pathlib.Path, kept: keeping.Kept) -> Release:
    """Of a program that was asked before what it said then, as long as neither it nor its package has changed. Raises `NoAnswer`."""
    key = hashlib.sha256("\0".join(["release", str(found), *_stamp(found)]).encode()).hexdigest()
    said = kept.read(key)
    if not _is_release(said) or said[2] != _package(said[1]):
        said = _version(found, environ, folder)
        kept.write(key, said)
    return Release(hashlib.sha256("\0".join([key, *said]).encode()).hexdigest(), said[1])


def _is_release(said: Any) -> bool:
    texts = isinstance(said, list) and len(said) == 3 and all(isinstance(one, str) and "\0" not in one for one in said)
    return texts and _NUMBER.fullmatch(said[0]) is not None and said[1][:1] in ("", "/")


def _version(found: pathlib.Path, environ: Mapping[str, str], folder: pathlib.Path) -> list[str]:
    own = folder / "asked"
    own.mkdir(mode=0o700)
    (ended,) = run([[str(found), "--version"]], environment(environ, own, own), own, limit_s=VERSION_LIMIT_S, out=True)
    version, location = _VERSION.match(ended.text), _LOCATION.search(ended.text)
    if ended.code != 0 or version is None:
        raise NoAnswer(ended.why or f"it ended with {ended.code}, and names no version")
    where = location[1].strip() if location else ""
    return [version[1], where, _package(where)]


def _package(location: str) -> str:
    return "\0".join(_stamp(pathlib.Path(location, "release.py"))).replace("\0", " ") if location else ""


def _stamp(path: pathlib.Path) -> list[str]:
    """What changes where a file is another."""
    try:
        found = path.stat()
        return [str(path.resolve()), *map(str, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))]
    except (OSError, ValueError):
        return ["none"]


def environment(environ: Mapping[str, str], folder: pathlib.Path, root: pathlib.Path) -> dict[str, str]:
    """That of the programs. `folder`: where they may write; `root`: where the files of the project lie."""
    made = {name: environ[name] for name in TAKEN if name in environ}
    made.setdefault("PATH", PATH_DEFAULT)
    locale = (made.get("LC_ALL") or made.get("LANG") or "").lower()
    if "utf-8" not in locale and "utf8" not in locale:
        made["LC_ALL"] = "C.UTF-8"
    for name in ("home", "tmp"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    home = made.get("HOME") or "/nonexistent"
    made |= {
        "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder / "tmp"), "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_LOG_PATH": os.devnull, "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_VERBOSITY": "0", "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False", "ANSIBLE_INVENTORY": HERE,
        "ANSIBLE_INVENTORY_ENABLED": "host_list", "ANSIBLE_CACHE_PLUGIN": "memory", "ANSIBLE_ASK_PASS": "False",
        "ANSIBLE_ASK_VAULT_PASS": "False", "ANSIBLE_BECOME_ASK_PASS": "False",
    }  # fmt: skip
    if (root / "ansible.cfg").is_file():
        return made | {"ANSIBLE_CONFIG": str(root / "ansible.cfg")}
    (folder / "ansible.cfg").touch()
    places = (str(root), f"{home}/.ansible", "/usr/share/ansible")
    return made | {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_ROLES_PATH": ":".join(f"{one}/roles" for one in places),
        "ANSIBLE_COLLECTIONS_PATH": ":".join(f"{one}/collections" for one in places),
    }  # fmt: skip


def passwords(
    held: project.Revision, opened: vault.Vault, environ: Mapping[str, str], folder: pathlib.Path
) -> list[str]:
    """The options by which what is vaulted opens: with what `healer validate` was given, and what controllers have, where it is here."""
    found = list(opened.keys)
    known = secrets.Secrets(held.project_dir, environ)
    for controller in held.controllers.values():
        named = controller.options.get("vault_password") if "playbook" in controller.kinds else None
        if isinstance(named, Mapping) and isinstance(named.get("secret"), str):
            with contextlib.suppress(errors.HealerError):
                found.append((vault.DEFAULT_LABEL, known.resolve(named["secret"]).reveal()))
    made = []
    for number, (label, password) in enumerate(dict.fromkeys(found)):
        path = folder / f"vault-{number}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(password.encode())
        made += ["--vault-id", f"{label}@{path}"]
    return made


# --- processes --------------------------------------------------------------------------------------------------------------


def run(
    commands: Sequence[Sequence[str]], environ: Mapping[str, str], folder: pathlib.Path, *, limit_s: float = LIMIT_S, out: bool = False,
) -> list[saying.Ended]:  # fmt: skip
    """How each ended, in their order. `out`: standard output is read in the place of standard error."""
    ended: dict[int, saying.Ended] = {}
    waiting, running = collections.deque(enumerate(commands)), dict[int, _Child]()
    with selectors.DefaultSelector() as ready:
        try:
            while waiting or running:
                while waiting and len(running) < TOGETHER:
                    number, argv = waiting.popleft()
                    try:
                        running[number] = _Child(argv, environ, folder, limit_s, out=out)
                        ready.register(running[number].pipe, selectors.EVENT_READ, number)
                    except OSError as error:
                        ended[number] = saying.Ended(None, "", f"it does not start: {error.strerror or error}")
                for event, _ in ready.select(LOOK_S) if running else ():
                    if not running[event.data].hear():
                        ready.unregister(event.fileobj)
                for number, child in list(running.items()):
                    if (found := child.look()) is not None:
                        if child.pipe in ready.get_map():  # `look` may have heard its end
                            ready.unregister(child.pipe)
                        ended[number] = found
                        running.pop(number).end()
        finally:
            for child in running.values():
                child.end()
    return [ended[number] for number in range(len(commands))]


class _Child:
    """One program in a session of its own, so that nothing asks at our terminal, and all of it can be ended."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], folder: pathlib.Path, limit_s: float, *, out: bool
    ) -> None:
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        self._limit_s = limit_s
        self._ends_at = time.monotonic() + limit_s
        self._process = subprocess.Popen(
            argv, stdin=null, stdout=pipe if out else null, stderr=null if out else pipe, env=dict(environ), cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        heard = self._process.stdout if out else self._process.stderr
        assert heard is not None  # noqa: S101 - it is a pipe
        self.pipe = heard
        os.set_blocking(heard.fileno(), False)
        self.text = bytearray()
        self.deaf = False
        """Whether its output is over."""

    def hear(self) -> bool:
        """Take what it wrote; False where that is over."""
        with contextlib.suppress(BlockingIOError):
            while len(self.text) <= BYTES_MAX:
                piece = os.read(self.pipe.fileno(), 64 << 10)
                if not piece:
                    self.deaf = True
                    break
                self.text += piece
        return not self.deaf

    def look(self) -> saying.Ended | None:
        """How it ended, also where it has to end now; None while it goes on."""
        if len(self.text) > BYTES_MAX:
            return saying.Ended(None, "", f"it wrote more than {BYTES_MAX >> 20} MiB")
        # Not reaped before all of its session is ended: so long the number is its own.
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            self.hear()
            code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            if code < 0:
                return saying.Ended(None, "", f"a signal ended it ({-code})")
            return saying.Ended(code, self.text.decode("utf-8", "replace"))
        if time.monotonic() >= self._ends_at:
            return saying.Ended(None, "", f"it took longer than {self._limit_s:g} s")
        return None

    def end(self) -> None:
        """End it and what it left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.pipe.close()
