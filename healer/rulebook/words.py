"""The words of a condition: numbers, escapes in strings, paths, and advice for what is no word. Caller: `grammar`."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from healer import errors
from healer.engine import conditions, values

DIGITS_MAX: Final = 400
ROOTS: Final = ("event", "events", "fact", "facts", "vars")
"""What a path may begin with."""
_BEFORE: Final = re.compile(r"(?<![\w.$\]])[^\W\d]\w*\Z")
_ESCAPE: Final = re.compile(r"\\([tnfr0])")
_MEANT: Final = {"t": "\t", "n": "\n", "f": "\f", "r": "\r", "0": "\0"}
_STEP: Final = re.compile(r"\.([^\W\d]\w*)|\[(?:\"([^\"\n]*)\"|'([^'\n]*)'|([+-]?\d+))\]")


class Wrong(Exception):
    """A mistake in a condition, by offsets in its text."""

    def __init__(self, code: str, message: str, start: int, end: int, try_: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.start, self.end, self.try_ = code, message, start, end, try_


class Part(NamedTuple):
    """A parsed piece: a value or a test of `engine.conditions`, a `calls.Call`, or a `Word`; and where it stands."""

    node: Any
    start: int
    end: int


class Word(str):
    """A bare word: a string, or `defined` after `is`."""

    __slots__ = ()


def number(text: str) -> int | float:
    """A number as Python's; one with too many digits for an integer becomes a double."""
    if re.fullmatch(r"[+-]?\d+", text, re.ASCII) and len(text) <= DIGITS_MAX:
        return int(text)
    return float(text)


def unescaped(text: str) -> str:
    r"""The text of a string literal: \t \n \f \r \0 mean a character, other backslashes stay, in both kinds of quotes (measured)."""
    return _ESCAPE.sub(lambda found: _MEANT[found[1]], text) if "\\" in text else text


def untabbed(text: str, start: int, end: int) -> str:
    """A part of a condition with its tabs as the peer's parser reads them: as blanks, up to the next column that eight divides."""
    if "\t" not in text[start:end]:
        return text[start:end]
    return text[:end].expandtabs()[len(text[:start].expandtabs()) :]


def path(text: str, earlier: Collection[str] = ()) -> conditions.Path | conditions.Bound | conditions.Nowhere | None:
    """`event.a["b c"][0]` as a path; None where it names no field. `earlier`: names that `events.NAME.…` may look into."""
    prefix = re.match(r"events|event|facts|fact", text)
    if not prefix:
        return None
    root, rest = prefix[0], text[prefix.end() :]
    if not rest or (root in ("events", "facts") and rest[0] != "."):
        return None
    made = steps(rest)
    if made is None or not isinstance(made[0], str):
        return None
    if root in ("events", "facts") and made[0] in earlier and len(made) > 1:
        return conditions.Bound(made[0], made[1:])
    return conditions.Nowhere() if root == "facts" else conditions.Path(made)


def steps(text: str) -> values.Steps | None:
    """`.a["b c"][0]` as steps; None where the text is none."""
    made: list[values.Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if not found or (found[4] and len(found[4]) > 18):
            return None
        made.append(_step(found, first=not made))
        at = found.end()
    return tuple(made) if made else None


def _step(found: re.Match[str], *, first: bool) -> values.Step:
    if found[4]:
        return int(found[4])
    if found[1]:
        return found[1]
    key = found[2] if found[2] is not None else found[3]
    return key if first else (key,)


def root(text: str, end: int) -> tuple[str, int, str] | None:
    """A word that ends at a dot or `[` and is like the beginning of a path: the word, where it begins, what may have been meant."""
    found = _BEFORE.search(text, 0, end) if text[end : end + 1] in (".", "[") else None
    near = errors.nearest(found[0].lower(), ROOTS) if found and found[0] not in ROOTS else ""
    return (found[0], found.start(), near) if found and near else None


def advice(word: str, text: str) -> str:
    """What to do about a word that does not belong where it stands."""
    if word in ("AND", "OR", "NOT", "IS"):
        return f"write {word.lower()}"
    if word in ("&", "|", "&&", "||"):
        return "write and, or"
    if word == "=":
        return "write == to compare"
    if word.startswith("_") or not word.isascii():
        return "put quotes around the text"
    if word == "[" and "[]" in text.replace(" ", ""):
        return "a list needs at least one value"
    if word in "'\"":
        return "the text is not closed with the same quote on its line"
    return ""
