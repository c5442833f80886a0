"""Which daemon a command means: the options `--project --data-dir --url --key` and what stands for them in the environment.

The data directory is, in this order: `--data-dir`, `HEALER_DATA_DIR`, `data_dir` of the project's `healer.yaml`, `.healer`
in the project. The control socket lies there, or a link to it; where that cannot be looked into, `HEALER_CONTROL__SOCKET` or
`control.socket` of `healer.yaml` says where it is. A daemon elsewhere is named by `--url` or `HEALER_URL`, with a key. Callers:
commands that ask a daemon.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from healer import cli
from healer.cli import terminal, usage

DATA_DIR: Final = ".healer"
SETTINGS: Final = ("healer.yaml", "healer.yml")
OF_A_PROJECT: Final = (*SETTINGS, "rulebooks", "actions.yaml", "actions.yml", "controllers.yaml", "controllers.yml")
"""One of them makes a folder a project."""

NAMING: Final = {name: f"--{name.replace('_', '-')}" for name in usage.REPEATED}
_ASKING: Final = re.compile(
    r"healer (?:run|reload|status|alerts|runs|locks|explain|audit list|keys|send|pause|resume|silence|breakers|actions|controllers|sources)"
    r"(?: (?:[\w./:-]+|'[^']*'))*"
)
VALIDATE: Final = "healer validate"
URL_WANTED: Final = "--url or HEALER_URL: a URL like https://healer.example.org:8080 is wanted"

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """A daemon: the control socket of a data directory, or a URL; with a key where one stands for who asks."""

    data_dir: pathlib.Path
    url: str = ""
    key: str = dataclasses.field(default="", repr=False)
    socket: pathlib.Path | None = None
    """The control socket, where a setting names it: for who may use it, but not look into the data directory."""
    known: bool = dataclasses.field(default=True, compare=False)
    """Whether the data directory was named, is there, or is that of a project: else nothing is to be made there."""
    named: bool = dataclasses.field(default=True, compare=False)
    """Whether somebody said which daemon is meant; else it is that of the folder in which the command happens to run."""
    root: pathlib.Path | None = dataclasses.field(default=None, compare=False)
    """The project's folder; None where only a data directory was named."""

    def __str__(self) -> str:
        return terminal.clean(self.url or self.socket or self.data_dir / "control.sock")


def find(
    project: pathlib.Path | None,
    data_dir: pathlib.Path | None,
    url: str | None,
    key: str | None,
    environ: Mapping[str, str],
) -> Where:
    """The daemon that options and environment name. An option stands above the environment, a folder above HEALER_URL. Where a folder
    does, HEALER_KEY is not the key of its daemon but of that URL.

    Raises `usage.WrongUse` for an empty URL: what a variable that is not set leaves must not mean the daemon of this folder.
    """
    if url == "":
        raise usage.WrongUse(detail=f"{URL_WANTED}, got ''")
    if url is None and project is None and data_dir is None:
        url = environ.get("HEALER_URL")
    root = None if data_dir is not None and project is None else project or pathlib.Path()
    socket = None if root is None else _socket(root, environ)
    folder = data_dir_of(project, data_dir, environ)
    named = data_dir is not None or bool(environ.get("HEALER_DATA_DIR"))
    told = named or project is not None or bool(url)
    if not key and (url or not environ.get("HEALER_URL")):
        key = environ.get("HEALER_KEY")
    known = named or folder.is_dir() or any(((project or pathlib.Path()) / name).exists() for name in OF_A_PROJECT)
    return Where(folder, url or "", key or "", socket, known, told, root)


def data_dir_of(
    project: pathlib.Path | None, data_dir: pathlib.Path | None, environ: Mapping[str, str]
) -> pathlib.Path:
    """The data directory, as the daemon finds it."""
    if data_dir is not None:
        return data_dir
    root = project or pathlib.Path()
    named = environ.get("HEALER_DATA_DIR") or _from_settings(root, "data_dir") or DATA_DIR
    return root / pathlib.Path(named)


def _socket(root: pathlib.Path, environ: Mapping[str, str]) -> pathlib.Path | None:
    named = environ.get("HEALER_CONTROL__SOCKET") or _from_settings(root, "control", "socket")
    return root / pathlib.Path(named) if named else None


def again(advice: str) -> str:
    """A command that is advised, with what was said to the one that runs about which daemon is meant. Other advice stays as it is."""
    context = click.get_current_context(silent=True)
    given = {name: value for name in NAMING if context and (value := context.params.get(name)) is not None}
    if advice == VALIDATE and "project" in given:
        return terminal.clean(f"{VALIDATE} {shlex.quote(str(given['project']))}")
    if not given or _ASKING.fullmatch(advice) is None:
        return advice
    return terminal.clean(
        " ".join([advice, *(f"{NAMING[name]} {shlex.quote(str(one))}" for name, one in given.items())])
    )


def _from_settings(root: pathlib.Path, *keys: str) -> str | None:
    """The path that `healer.yaml` has at some keys, one below the other. A file with mistakes is for `healer validate` to judge."""
    for name in SETTINGS:
        if (root / name).is_file():
            from healer import config

            found = config.read_file(root / name, name).value
            for key in keys:
                found = found.get(key) if isinstance(found, dict) else None
            return found if isinstance(found, str) and found and "\0" not in found else None
    return None


PROJECT: Final = click.option(
    "--project",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    metavar="DIR",
    help="The project directory [default: .]",
)
DATA: Final = click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=pathlib.Path), metavar="DIR",
    help="The daemon's data directory [default: HEALER_DATA_DIR, data_dir of healer.yaml, .healer]",
)  # fmt: skip
URL: Final = click.option(
    "--url", metavar="URL", help="A daemon elsewhere: http(s)://HOST[:PORT] [default: HEALER_URL]"
)
KEY: Final = click.option(
    "--key",
    metavar="KEY",
    help="The API key that says who asks; better in HEALER_KEY, since a command line can be seen by others",
)


def options(function: Function) -> Function:
    """The four options; the command gets them as one argument `where`."""

    @functools.wraps(function)
    def wrapped(
        *args: Any,
        project: pathlib.Path | None,
        data_dir: pathlib.Path | None,
        url: str | None,
        key: str | None,
        **rest: Any,
    ) -> Any:
        return function(*args, where=find(project, data_dir, url, key, cli.environment()), **rest)

    made: Any = wrapped
    for option in (KEY, URL, DATA, PROJECT):
        made = option(made)
    return made  # type: ignore[no-any-return]


JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
