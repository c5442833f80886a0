"""Which files of a project hold tests, told by their lines: nothing has to be loaded for that. Callers: the command
`validate`, `harness.suite`."""

from __future__ import annotations

import pathlib
from typing import Final

FOLDER: Final = "rulebooks"
ENDINGS: Final = (".yml", ".yaml")


def is_suite(path: pathlib.Path) -> bool:
    """Whether a file is a mapping with `tests:` at its top, which is no rulebook; by its lines, so that a broken one is found too."""
    try:
        if path.suffix not in ENDINGS or not path.is_file():
            return False
        with path.open("rb") as file:
            return any(line.startswith((b"tests:", b'"tests":', b"'tests':")) for line in file)
    except OSError:
        return False
