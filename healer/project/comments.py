"""`# healer: ignore[code]`: a warning or hint that somebody has looked at, on its line or on the line above. Errors are never ignored.

Comments are read as text, so that they work in every file that something is told of. Callers: `loading` (what is ignored is told at no
start and no reload either), and the room `lint`, which also tells of comments that ignore nothing.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from healer import errors

_COMMENT: Final = re.compile(r"(?:^|\s)#\s*healer:\s*ignore(?:\[([^\]]*)\])?")
WORD: Final = "healer:"
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ALWAYS: Final = frozenset({"ignored-error", "unused-ignore", "unknown-code", "more"})
"""What is told about the comments themselves cannot be ignored by one."""

Lines = Callable[[str], Sequence[str]]
"""A file by its path → its lines; none of one that is not read."""


@dataclasses.dataclass(slots=True)
class Comment:
    """One comment: its line, the codes with the column of each, and whether it has its line for itself (so that it is about the next)."""

    file: str
    text: str
    line: int
    column: int
    codes: dict[str, int]
    alone: bool
    used: set[str] = dataclasses.field(default_factory=set)
    errors: set[str] = dataclasses.field(default_factory=set)
    """Codes that are errors there."""


def read(file: str, lines: Sequence[str]) -> Iterator[Comment]:
    """The comments of a file. What stands in a quoted text or a block of YAML is none."""
    found = list(_read(file, lines))
    if found and file.endswith((".yml", ".yaml")):
        texts = _texts(lines)
        found = [one for one in found if not any(begin <= (one.line, one.column) < end for begin, end in texts)]
    yield from found


def _texts(lines: Sequence[str]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where the quoted texts and the blocks of a YAML file stand, as far as it can be read; of a block without the line of its `|`."""
    found = []
    with contextlib.suppress(yaml.YAMLError, RecursionError):
        for token in yaml.scan("\n".join(lines), Loader=_LOADER):
            if isinstance(token, yaml.ScalarToken) and not token.plain:
                start, end = token.start_mark, token.end_mark
                block = token.style in ("|", ">")
                begin = (start.line + 2, 0) if block else (start.line + 1, start.column + 1)
                found.append((begin, (end.line + 1, end.column + 1)))
    return found


def _read(file: str, lines: Sequence[str]) -> Iterator[Comment]:
    for number, text in enumerate(lines, 1):
        if WORD in text and (found := _COMMENT.search(text)) is not None:
            inside, start = found[1] or "", found.start(1)
            named = {one[0]: start + one.start() + 1 for one in re.finditer(r"[^\s,]+", inside)}
            column = text.index("#", found.start()) + 1
            yield Comment(file, text, number, column, named, not text[: column - 1].strip())


def apply(
    told: Sequence[errors.Diagnostic], texts: Mapping[str, Sequence[str]], others: Lines
) -> tuple[list[errors.Diagnostic], list[Comment]]:
    """What no comment ignores, and all comments. `texts`: the files that are read anyway, by path; `others`: the lines of another one."""
    found = [one for file, lines in texts.items() for one in read(file, lines)]
    more = dict.fromkeys(one.place.file for one in told if one.place.file not in texts and one.place.line)
    found += [one for file in more for one in read(file, others(file))]
    about = collections.defaultdict[tuple[str, int], list[Comment]](list)
    for one in found:
        about[one.file, one.line].append(one)
        if one.alone:
            lines = texts[one.file] if one.file in texts else others(one.file)
            about[one.file, _next(one, lines)].append(one)
    return [one for one in told if not _ignored(one, about.get((one.place.file, one.place.line), ()))], found


def _next(comment: Comment, lines: Sequence[str]) -> int:
    """The line that a comment above it is about: the first that is no comment."""
    number = comment.line
    while number < len(lines) and (not (text := lines[number].strip()) or text.startswith("#")):
        number += 1
    return number + 1


def _ignored(one: errors.Diagnostic, about: Iterable[Comment]) -> bool:
    for comment in about:
        if one.code in comment.codes and one.code not in ALWAYS:
            if one.severity != "error":
                comment.used.add(one.code)
                return True
            comment.errors.add(one.code)
    return False
