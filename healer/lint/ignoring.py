"""Comments that ignore (`project.comments`), and what is wrong with them: one for an error, and one for nothing.

Whatever one is for that is not told (any more) is a hint itself: what is silenced for nothing would silence the next mistake there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from healer import errors
from healer.lint import codes
from healer.project import comments


def apply(
    told: Iterable[errors.Diagnostic], texts: Mapping[str, Sequence[str]], others: comments.Lines
) -> list[errors.Diagnostic]:
    """What is left, and what is to be said of the comments. `texts`: the files that are read anyway; `others`: the lines of another."""
    left, found = comments.apply(list(told), texts, others)
    return [*left, *(said for one in found for said in _said(one))]


def _said(comment: comments.Comment) -> Iterator[errors.Diagnostic]:
    """What is wrong with a comment."""
    if not comment.codes:
        message = "it names no code, so nothing is ignored"
        yield _of(comment, "unused-ignore", message, comment.column, 1, "ignore[code]")
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


def _of(comment: comments.Comment, code: str, message: str, column: int, width: int, try_: str) -> errors.Diagnostic:
    place = errors.Place(comment.file, comment.line, column)
    return errors.Diagnostic(code, message, place, codes.TABLE[code].severity, comment.text, width, try_)
