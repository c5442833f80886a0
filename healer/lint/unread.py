"""Files that look as if they were meant for the project, and that nothing of it reads: `wrong-folder`, as a warning."""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Iterator
from typing import Final

from healer import errors, project

FOLDERS: Final = (
    "rulebooks",
    "playbooks",
    "scripts",
    "sources",
    "checks",
    "controllers",
    "filters",
    "roles",
    "inventory",
)
ENDINGS: Final = (".yml", ".yaml", ".py", ".sh")
NEAR: Final = 0.85
SEEN_MAX: Final = 2_000
"""So many names of a folder are looked at."""


def told(draft: project.Draft) -> Iterator[errors.Diagnostic]:
    """What is to be said of files of a project."""
    root = draft.revision.project_dir
    for path in _names(root / "rulebooks"):
        name = pathlib.PurePosixPath(path)
        if name.suffix.lower() in (".yml", ".yaml") and name.suffix not in (".yml", ".yaml"):
            yield _of(
                f"rulebooks/{path}",
                f"files that end in {name.suffix} are not read",
                f"call it {name.stem}{name.suffix.lower()}",
            )
    read = {path.partition("/")[0] for path in draft.revision.files if "/" in path}
    for one in _names(root):
        near = difflib.get_close_matches(one, FOLDERS, n=1, cutoff=NEAR)
        if near and one not in FOLDERS and one not in read and (root / one).is_dir():
            found = next((path for path in _names(root / one) if path.endswith(ENDINGS)), "")
            if found:
                yield _of(f"{one}/{found}", f"nothing reads the folder {one}/", f"did you mean {near[0]}/?")


def _names(folder: pathlib.Path) -> list[str]:
    """What lies in a folder, sorted; nothing of one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name for _, one in zip(range(SEEN_MAX), entries, strict=False))
    except OSError:
        return []


def _of(path: str, message: str, try_: str) -> errors.Diagnostic:
    return errors.Diagnostic("wrong-folder", message, errors.Place(path), "warning", try_=try_)
