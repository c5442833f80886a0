"""`healer init`: writes a small project that works at once and touches nothing. What is there already is left as it is."""

from __future__ import annotations

import os
import pathlib
import shlex
from typing import Final

import click

from healer import errors
from healer.cli import editing, starter, terminal, usage

ENDINGS: Final = {".yaml": ".yml", ".yml": ".yaml"}


class NotAFolder(errors.HealerError):
    """{path} is no folder that can be written to: {reason}"""

    code = "init-folder"
    exit_code = errors.EXIT_USAGE


@click.command(cls=usage.Command)
@click.argument(
    "folder", metavar="[DIR]", default=pathlib.Path(), type=click.Path(file_okay=False, path_type=pathlib.Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: pathlib.Path, as_json: bool) -> None:
    """Write a small working project into DIR [default: .]; nothing that is there is overwritten."""
    try:
        written, there = write(folder)
        if written:
            editing.write(folder)
    except OSError as error:
        raise NotAFolder(path=terminal.clean(error.filename or folder), reason=error.strerror or error) from error
    if as_json:
        terminal.echo_json({"folder": str(folder), "written": written, "there": there})
        return
    if there:
        terminal.note(f"there already, left as they are: {', '.join(there)}")
    if not written:
        terminal.echo("nothing written")
        return
    terminal.echo(f"wrote {', '.join(written)}, and schemas for editors in {editing.FOLDER}/")
    here = "" if folder.resolve() == pathlib.Path.cwd() else f"cd {terminal.clean(shlex.quote(str(folder)))} && "
    terminal.note(f"next:  {here}healer validate && healer run")
    terminal.note(f"then, in another terminal:  {here}healer send examples/disk_full.json && healer explain --latest")


def write(folder: pathlib.Path) -> tuple[list[str], list[str]]:
    """Write what is not there; (the names written, the names that were there). Raises OSError."""
    written, there = [], []
    for name, text in starter.FILES.items():
        if found := _found(folder, name):
            there.append(found)
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o755 if name in starter.EXECUTABLE else 0o644
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        except FileExistsError:
            there.append(name)
            continue
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(editing.modeline(name) + text)
        written.append(name)
    return written, there


def _found(folder: pathlib.Path, name: str) -> str:
    """The name under which a file is there: the other ending of YAML counts, since both at once are an error."""
    path = pathlib.PurePath(name)
    for ending in (path.suffix, ENDINGS.get(path.suffix, path.suffix)):
        other = path.with_suffix(ending) if path.suffix else path
        if os.path.lexists(folder / other):
            return str(other)
    return ""
