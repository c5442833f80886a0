"""Where people look for a mistake at which YAML's parser gives up, and what they mostly meant. Caller: `config`.

The parser tells where it noticed, in words about its own state; a quote that is not closed is noticed at the end of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import yaml

from healer import errors

_WHAT_TO_DO: Final = {
    "mapping values are not allowed": 'put quotes around a text with ": " in it, or mend the indentation',
    "expected '-' indicator": "indent it as the other lines of its item of the list",
    "did not find expected key": "indent it as the keys above it; or a quote or bracket above is closed too early",
    "could not find expected ':'": "behind a key stands a colon and a blank; a text of several lines has quotes",
    "expected ',' or": "a comma is missing, or quotes around a text with a comma, bracket or colon in it",
    "undefined alias": "put quotes around a text that begins with *",
    "unknown escape character": "write it in single quotes, or each backslash twice",
    "expected a single document": "one document is a file: take the line --- out",
}  # fmt: skip
"""Of a problem as YAML's parser says it: what people mostly meant."""


def meant(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[tuple[int, int, int] | None, str]:
    """Where a mistake stands that the parser notices at a place of its own, and what to do about it."""
    at, begins = error.problem_mark or error.context_mark, error.context_mark
    context, problem = str(error.context), str(error.problem)
    if at is None:
        return None, ""
    here = lines[at.line][at.column : at.column + 1] if at.line < len(lines) else ""
    try_ = next((do for said, do in _WHAT_TO_DO.items() if said in problem), "")
    if "cannot start any token" in problem:
        try_ = (
            "indent with blanks, not with tabs" if here == "\t" else f"put quotes around a text that begins with {here}"
        )
    elif begins is not None and ("quoted scalar" in context and "end of stream" in problem):
        at, try_ = begins, "this quote is not closed"
    elif begins is not None and "flow " in context and begins.line < at.line:
        at, try_ = begins, "this bracket is not closed, or a comma is missing behind one of its lines"
    return (at.line + 1, at.column + 1, 1), try_


def about_tag(tag: str) -> str:
    """What to do about a tag that is not known."""
    if not tag.startswith("!"):
        return ""
    return errors.nearest(tag, ("!vault", "!unsafe")) or "put quotes around a text that begins with !"
