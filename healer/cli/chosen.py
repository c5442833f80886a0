"""Which projects a command looks at, and which of their files: what `healer validate [PATH…]` is given. Caller: `validate`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Final

from healer import errors
from healer.cli import usage

_REPOSITORIES: Final = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where CI has checked out what it looks at."""


@dataclasses.dataclass(slots=True)
class Chosen:
    """A project, and the files and folders of it that are asked about (none: all), relative to it."""

    folder: pathlib.Path
    paths: list[str] = dataclasses.field(default_factory=list)

    def has(self, one: errors.Diagnostic) -> bool:
        """Whether a diagnostic is of what is asked about."""
        file = one.place.file
        return not self.paths or any(file == path or file.startswith(f"{path}/") for path in self.paths)


def of(given: Sequence[pathlib.Path], named: pathlib.Path | None) -> list[Chosen]:
    """The projects that are meant, in the order they are named; `named`: by `--project`. Raises `usage.WrongUse`, `usage.Unreadable`."""
    folders = [path for path in given if path.is_dir() and _is_project(path)]
    for path in folders if named is not None else ():
        if named is not None and _has_marks(path) and path.resolve() != named.resolve():
            raise usage.WrongUse(
                detail=f"--project and PATH name two folders: {usage.got(str(named))} and {usage.got(str(path))}"
            )
    found: dict[pathlib.Path, Chosen] = {}
    for path in given or [named or pathlib.Path()]:
        if not os.access(path, os.R_OK):
            raise usage.Unreadable(detail=f"{usage.got(str(path))} cannot be read")
        folder = named if named is not None else path if path in folders or not given else _around(path)
        chosen = found.setdefault(folder.resolve(), Chosen(folder))
        inside = path.resolve()
        if inside != folder.resolve():
            if not inside.is_relative_to(folder.resolve()):
                raise usage.WrongUse(
                    detail=f"{usage.got(str(path))} is no file of the project {usage.got(str(folder))}"
                )
            chosen.paths.append(inside.relative_to(folder.resolve()).as_posix())
        else:
            chosen.paths = [""] if not chosen.paths else chosen.paths
    for chosen in found.values():
        if "" in chosen.paths:
            chosen.paths = []
    return list(found.values())


def _is_project(folder: pathlib.Path) -> bool:
    """Whether a folder is to be taken for a project, and not for a folder of one."""
    return _has_marks(folder) or not any(_holds(above, folder) for above in folder.resolve().parents)


def _has_marks(folder: pathlib.Path) -> bool:
    from healer.project import tree  # which brings all that reads a project

    files = (f"{name}{ending}" for name in tree.NAMES for ending in (".yaml", ".yml"))
    return (folder / "rulebooks").is_dir() or any((folder / name).is_file() for name in files)


def _holds(above: pathlib.Path, path: pathlib.Path) -> bool:
    """Whether a folder is a project with the path in one of its own folders, or as one of its files."""
    from healer.project import tree

    first = path.resolve().relative_to(above).parts[0]
    return _has_marks(above) and first in (*tree.FOLDERS, *tree.FILES)


def _around(path: pathlib.Path) -> pathlib.Path:
    """The project that a file or folder is of. Raises `usage.WrongUse`."""
    parents = path.resolve().parents
    for above in (*(one for one in parents if _holds(one, path)), *filter(_has_marks, parents)):
        here = pathlib.Path().resolve()
        return above.relative_to(here) if above.is_relative_to(here) else above
    detail = f"{usage.got(str(path))} is no file of a project: no folder above has rulebooks/ or a healer.yaml"
    raise usage.WrongUse("--project DIR", detail=detail)


def prefix(folder: pathlib.Path, environ: Mapping[str, str]) -> str:
    """The folder of a project within its repository, as reports name files; '' where it is the repository."""
    real = folder.resolve()
    checked_out = (pathlib.Path(environ[name]).resolve() for name in _REPOSITORIES if environ.get(name))
    roots = [root for root in checked_out if real.is_relative_to(root)]
    roots += [above for above in (real, *real.parents) if (above / ".git").exists()]
    roots += [here] if real.is_relative_to(here := pathlib.Path().resolve()) else []
    made = real.relative_to(roots[0]).as_posix() if roots else ""
    return "" if made == "." else made
