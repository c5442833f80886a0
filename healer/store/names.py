"""SQL by name: each file of `sql/` holds statements under a line `-- name: word`, with a comment what they are for."""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import Final

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@functools.cache
def load() -> dict[str, str]:
    """All statements of all files by name. A name that stands twice is a mistake of ours: ValueError."""
    found: dict[str, str] = {}
    for file in sorted(importlib.resources.files("healer.store").joinpath("sql").iterdir(), key=lambda path: path.name):
        if not file.name.endswith(".sql"):
            continue
        parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"the statement {name} stands twice")
            lines = [line for line in text.splitlines() if not line.startswith("--")]
            found[name] = "\n".join(lines).strip().rstrip(";")
    return found


@functools.cache
def schema() -> tuple[tuple[int, str], ...]:
    """The numbered migrations in order: (number, script)."""
    files = importlib.resources.files("healer.store").joinpath("schema").iterdir()
    found = [file for file in files if file.name.endswith(".sql")]
    return tuple(sorted((int(file.name.split("_")[0]), file.read_text(encoding="utf-8")) for file in found))
