"""What of a body is never kept: values at paths that a source names (`redact`). Pure. Callers: `hooks`, and `heavy_child` for large bodies.

It is done as soon as a body is parsed, before its format reads it: neither events nor parts in quarantine, nor the kept body, have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

REDACTED: Final = "[redacted]"
ANY: Final = "*"
"""In a path: every element of a list, or every value of an object."""

Path = tuple[str, ...]


def paths(written: Iterable[str]) -> tuple[Path, ...]:
    """`alerts.*.annotations.token` as its parts."""
    return tuple(tuple(one.split(".")) for one in written)


def redact(value: Any, wanted: Sequence[Path]) -> bool:
    """Put `REDACTED` in the place of what stands at the paths, in the value itself; whether anything did. A body that is a list is looked
    at element by element."""
    found = False
    for body in value if isinstance(value, list) else (value,):
        for path in wanted:
            found |= _within(body, path)
    return found


def _within(value: Any, path: Path) -> bool:
    part, rest = path[0], path[1:]
    if part == ANY:
        keys: Iterable[Any] = (
            range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
        )
    elif isinstance(value, dict):
        keys = (part,) if part in value else ()
    else:
        keys = (
            (int(part),)
            if isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value)
            else ()
        )
    found = False
    for key in keys:
        if rest:
            found |= _within(value[key], rest)
        elif value[key] is not None:
            value[key] = REDACTED
            found = True
    return found
