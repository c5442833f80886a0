"""Whether a command may run code of the project that it reads: not of strangers. Callers: `validate`, `test`, `policy`."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from healer.cli import terminal, usage

if TYPE_CHECKING:
    from healer import project, vault

VARIABLE: Final = "EDA_VAULT_PASSWORD_FILE"


def option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--no-project-plugins`, as `distrusted`."""
    return click.option(
        "--no-project-plugins", "distrusted", is_flag=True, help="Run no code of the project, as for a pull request of a fork"
    )(command)  # fmt: skip


def reason(environ: Mapping[str, str], asked: bool) -> str:
    """Why no code of the project may run, '' where it may."""
    from healer.lint import untrusted

    return untrusted.reason(environ, asked)


@contextlib.contextmanager
def under(why: str) -> Iterator[None]:
    """No code of the project runs meanwhile, where there is a reason for that."""
    from healer import plugins

    with plugins.without_project_code() if why else contextlib.nullcontext():
        yield


def load(root: pathlib.Path, environ: Mapping[str, str], opened: vault.Vault | None, why: str) -> project.Loaded:
    """Read a project. What needs its code is no mistake where that may not run: it is left out, and told on the side."""
    from healer import plugins, project
    from healer.project import loading

    if not why:
        return project.load(root, environ, {}, opened)
    with under(why):
        draft = project.draft_of(root, environ, {}, opened)
    needing = [one for one in draft.diagnostics if one.code == plugins.ProjectCode.code]
    others = tuple(one for one in draft.diagnostics if one.code != plugins.ProjectCode.code)
    if needing:
        first = terminal.clean(str(needing[0].place))
        terminal.note(
            f"hint[{plugins.ProjectCode.code}]: code of the project is not run ({why}): what needs it is left out, as at {first}"
        )
    wrong = any(one.severity == "error" for one in others)
    return loading.Loaded(None if wrong else draft.revision, others)


def passwords(
    roots: Iterable[pathlib.Path], vault_password_file: str | None, vault_id: Iterable[str], environ: Mapping[str, str], why: str
) -> None:  # fmt: skip
    """Refuse a program of the project that would be run for a vault password. Raises `usage.WrongUse`."""
    named = [vault_password_file or environ.get(VARIABLE, ""), *(one.rpartition("@")[2] for one in vault_id)]
    folders = [one.resolve() for one in roots]
    for one in filter(None, named) if why else ():
        path = pathlib.Path(one).expanduser()
        places = (pathlib.Path(os.path.abspath(path)), path.resolve())  # noqa: PTH100 - as it is named, links and all
        inside = any(place.is_relative_to(folder) for place in places for folder in folders)
        if inside and os.access(path, os.X_OK) and path.is_file():
            raise usage.WrongUse(
                "a program outside of the project, or a file that is none",
                detail=f"{usage.got(one)} is a program of the project, which is not run for a vault password ({why})",
            )
