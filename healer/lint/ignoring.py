"""`# healer: ignore[code]`: a warning or hint that somebody has looked at, on its line or on the line above. Errors are never ignored.

Comments are read as text, so that they work in every file that something is told of. Whatever such a comment is for that is not told (any
more) is a hint itself: what is silenced for nothing would silence the next mistake there.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from healer import errors
from healer.lint import codes

_COMMENT: Final = re.compile(r"(?:^|\s)#\s*healer:\s*ignore(?:\[([^\]]*)\])?")
WORD: Final = "healer:"
ALWAYS: Final = frozenset({"ignored-error", "unused-ignore", "unknown-code", "more"})
"""What is told about the comments themselves cannot be ignored by one."""


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
    """The comments of a file."""
    for number, text in enumerate(lines, 1):
        if WORD in text and (found := _COMMENT.search(text)) is not None:
            inside, start = found[1] or "", found.start(1)
            named = {one[0]: start + one.start() + 1 for one in re.finditer(r"[^\s,]+", inside)}
            column = text.index("#", found.start()) + 1
            yield Comment(file, text, number, column, named, not text[: column - 1].strip())


def apply(
    told: Iterable[errors.Diagnostic], texts: Mapping[str, Sequence[str]], others: Callable[[str], Sequence[str]]
) -> list[errors.Diagnostic]:
    """What is left, and what is to be said of the comments. `texts`: the files that are read anyway; `others`: the lines of another."""
    told = list(told)
    comments = [one for file, lines in texts.items() for one in read(file, lines)]
    more = dict.fromkeys(one.place.file for one in told if one.place.file not in texts and one.place.line)
    comments += [one for file in more for one in read(file, others(file))]
    if not comments:
        return told
    about = collections.defaultdict[tuple[str, int], list[Comment]](list)
    for one in comments:
        about[one.file, one.line].append(one)
        if one.alone:
            about[one.file, _next(one, texts, others)].append(one)
    left = [one for one in told if not _ignored(one, about.get((one.place.file, one.place.line), ()))]
    return [*left, *(said for one in comments for said in _said(one))]


def _next(comment: Comment, texts: Mapping[str, Sequence[str]], others: Callable[[str], Sequence[str]]) -> int:
    """The line that a comment above it is about: the first that is no comment."""
    lines = texts.get(comment.file)
    lines = others(comment.file) if lines is None else lines
    number = comment.line
    while number < len(lines) and (not (text := lines[number].strip()) or text.startswith("#")):
        number += 1
    return number + 1


def _ignored(one: errors.Diagnostic, comments: Iterable[Comment]) -> bool:
    for comment in comments:
        if one.code in comment.codes and one.code not in ALWAYS:
            if one.severity != "error":
                comment.used.add(one.code)
                return True
            comment.errors.add(one.code)
    return False


def _said(comment: Comment) -> Iterator[errors.Diagnostic]:
    """What is wrong with a comment."""
    if not comment.codes:
        yield _of(comment, "unused-ignore", "it names no code, so nothing is ignored", comment.column, 1, "ignore[code]")
    for code, column in comment.codes.items():
        if code not in codes.TABLE:
            message, near = f"no diagnostic has the code {code!r}", errors.nearest(code, codes.TABLE)
            yield _of(comment, "unknown-code", message, column, len(code), near)
        elif code in comment.errors:
            message = f"{code} is an error here, and errors are not ignored"
            yield _of(comment, "ignored-error", message, column, len(code), "mend it")
        elif code not in comment.used:
            message = f"nothing is told here with the code {code}"
            yield _of(comment, "unused-ignore", message, column, len(code), "take it out")


def _of(comment: Comment, code: str, message: str, column: int, width: int, try_: str) -> errors.Diagnostic:
    place = errors.Place(comment.file, comment.line, column)
    return errors.Diagnostic(code, message, place, codes.TABLE[code].severity, comment.text, width, try_)
