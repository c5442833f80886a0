"""As whom, where and within which limits a controller `local` runs its children. Caller: `local`."""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import pwd
import stat
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import pydantic

from healer import plugins

ROOT: Final = 0
HEAD_BYTES: Final = 256
"""So much of a file the kernel looks at for its interpreter."""

Count = Annotated[int, pydantic.Field(ge=1, le=10_000_000)]
_KEYS: Final = {"memory": "AS", "cpu": "CPU", "processes": "NPROC", "open_files": "NOFILE", "file_size": "FSIZE"}


class Limits(plugins.Options):
    """What a child may take (setrlimit(2)); each of its processes by itself, but for `processes`."""

    memory: Annotated[plugins.Size, pydantic.Field(ge=1 << 20)] | None = pydantic.Field(
        None, description="address space of a process"
    )
    cpu: Annotated[plugins.Duration, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="time of a processor that a process may use, in whole seconds"
    )
    processes: Count | None = pydantic.Field(
        None, description="processes and threads of its user at once; does not hold for root"
    )
    open_files: Annotated[Count, pydantic.Field(ge=16)] | None = pydantic.Field(
        None, description="files that a process has open"
    )
    file_size: Annotated[plugins.Size, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="the largest file that it may write"
    )

    def plain(self) -> dict[str, int]:
        """The kernel's name (`RLIMIT_…`) of each that is given, and its value."""
        return {_KEYS[key]: int(value) for key, value in self.model_dump(exclude_none=True).items()}


class Unusable(Exception):
    """Children cannot be run as the options say; the text says why, and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Another user than the daemon's. `numbers`: of the user, its group, its further groups."""

    env: dict[str, str]
    numbers: tuple[int, ...]
    home: str


def account(user: str | None) -> Account | None:
    """Whom children run as; None: the daemon's own user. Raises `Unusable`."""
    if user is None:
        return None
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise Unusable(f"this machine has no user {user!r}") from None
    if found.pw_uid == os.geteuid():
        return None
    if os.geteuid() != ROOT:
        who = pwd.getpwuid(os.geteuid()).pw_name
        raise Unusable(
            f"the daemon runs as {who} and cannot become {user}; a controller of type ssh to this machine can"
        )
    env = {"HOME": found.pw_dir, "USER": user, "LOGNAME": user}
    groups = {*os.getgrouplist(user, found.pw_gid)} - {found.pw_gid}
    return Account(env, (found.pw_uid, found.pw_gid, *sorted(groups)), found.pw_dir)


def folder(cwd: str | None, who: Account | None, revision: str) -> str:
    """Where a child starts. Another user cannot go to the revision's folder: its home then, or / where there is none."""
    if who is None:
        return str(pathlib.Path(revision, cwd or ""))
    return cwd or (who.home if pathlib.Path(who.home).is_dir() else "/")


def enter(cwd: str, who: Account | None, revision: pathlib.Path) -> None:
    """Raises `Unusable` where a child cannot start in that folder, as far as this user can see."""
    path = revision / cwd
    of = "on this machine" if cwd.startswith("/") else "of the project"
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            raise Unusable(f"cwd: {cwd} is no folder {of}")
    except FileNotFoundError:
        raise Unusable(f"cwd: there is no folder {cwd} {of}; make it, or mend cwd in controllers.yaml") from None
    except (OSError, ValueError) as error:
        raise Unusable(f"cwd: {cwd} cannot be looked at: {getattr(error, 'strerror', '') or error}") from error
    if who is None and not os.access(path, os.X_OK):
        raise Unusable(f"cwd: the daemon's user may not enter {cwd}")


def startable(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
    """Raises `Unusable`, in the words of the shim, where it could not start that program there, as far as this user can see."""
    if any("\0" in one for one in argv):
        raise Unusable("an argument has a NUL")
    if not pathlib.Path(cwd).is_dir():
        raise Unusable(f"the folder that it starts in, {cwd}: {os.strerror(errno.ENOENT)}")
    program = argv[0]
    places = [""] if "/" in program else os.get_exec_path(env)
    files = [path for path in (pathlib.Path(cwd, place, program) for place in places) if _is_there(path)]
    found = next((path for path in files if os.access(path, os.X_OK) and path.is_file()), None)
    if found is None:
        why = os.strerror(errno.EACCES if files else errno.ENOENT)
        raise Unusable(f"{program}: {why}" if files or "/" in program else f"{program} is not on the PATH")
    if (missing := _missing_of_env(argv, env, cwd)) is not None:
        raise Unusable(f"{program}: env would look for {missing}, which is not on the PATH")
    if not os.access(found, os.R_OK):
        return
    with found.open("rb") as file:
        interpreter = shebang(file.read(HEAD_BYTES))
    if interpreter and not _is_there(pathlib.Path(cwd, interpreter[0])):
        raise Unusable(f"{program}: there is no {interpreter[0]}, which its first line #! names")
    if (missing := _missing_of_env(interpreter, env, cwd)) is not None:
        raise Unusable(f"{program}: env would look for {missing}, which is not on the PATH")


def _missing_of_env(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> str | None:
    """The program that `env` would look for as a first line `#!` has it, in one argument, and not find; None: it is there, or not known."""
    if len(argv) < 2 or pathlib.PurePath(argv[0]).name != "env":
        return None
    named = argv[1].removeprefix("-S").split() if argv[1].startswith("-S") else [argv[1]]
    program = named[0] if named else ""
    if (
        not program
        or "=" in program
        or "/" in program
        or program.startswith("-")
        or any(one in program for one in "\"'\\$")
    ):
        return None
    return None if any(_is_there(pathlib.Path(cwd, place, program)) for place in os.get_exec_path(env)) else program


def _is_there(path: pathlib.Path) -> bool:
    """Also where it cannot be looked at."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def shebang(head: bytes) -> list[str]:
    """The interpreter and its one argument, as the kernel splits them (execve(2)); empty where there is none."""
    line, end, _ = head.partition(b"\n")
    if not line.startswith(b"#!") or (not end and len(head) == HEAD_BYTES):
        return []
    interpreter, _, argument = line[2:].decode("utf-8", "surrogateescape").strip(" \t\r").partition(" ")
    return [interpreter, *([argument.strip()] if argument.strip() else [])] if interpreter else []
