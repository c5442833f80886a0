"""What messages quote of values and of lines of files: short, and nothing that may be a secret. Used by `config`.

A password in an address is left out wherever it stands. Of a line also what its keys call a secret, and what `config.Document.conceal`
names: the line is printed by `healer validate`, and so in the logs of a CI.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

SHOWN_MAX: Final = 100
MASK: Final = "***"

Piece = tuple[int, int]
"""From a character up to before another."""

_WORD: Final = re.compile(r"""[^\s"'<>]+""")
_KEY: Final = re.compile(
    r"""(?i)(?<![\w.-])[\w.-]*(?:pass(?:w(?:or)?d|phrase)?|pwd|pasw(?:or)?d|secret|to?ke?ne?|bear+er|credentials?|kubeconfig|authorization|"""
    r"""(?:api|private|secret|access)[_-]?key)["']?"""
    r"""(?::(?:\s+|(?=["']))|=(?![=\s~]))"""
)
_NO_SECRET: Final = re.compile(r"""["']?(?:env:|file:|\{\{)|[{\[&*!|>]|(?:null|true|false|yes|no|~)?\s*(?:[,}\]#]|$)""")
"""Begins what says nothing itself: a reference, a mapping, nothing at all."""
_FLOW: Final = re.compile(r"[{\[]")
_VALUES: Final = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*"?'), "'": re.compile(r"'(?:[^']|'')*'?"),
    "flow": re.compile(r"[^,}\]#]+"), "block": re.compile(r"(?:[^#]|(?<!\s)#)+"), "=": re.compile(r"\S+"),
}  # fmt: skip


class _Shown(reprlib.Repr):
    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, dict):
            return self.repr_dict(x, level)
        if isinstance(x, list):
            return self.repr_list(x, level)
        if isinstance(x, int) and x.bit_length() > 3 * SHOWN_MAX:  # Python itself refuses to write very long ones
            return f"a number of {x.bit_length()} bits"
        return super().repr1(x, level)

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(without_password(x), level)


_SHOWN: Final = _Shown()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = SHOWN_MAX
_SHOWN.maxlevel = 1


def shown(value: object) -> str:
    """The value as `repr` writes it, shortened to what fits a message (`SHOWN_MAX` characters for a text), without passwords."""
    return _SHOWN.repr(value)


def bare(text: str) -> str:
    """A text as `shown`, without quotes around it: what is hidden in it is written out (`\\n`), so that no line ends there."""
    text = text[:SHOWN_MAX]
    return text if text.isprintable() else repr(text)[1:-1]


def without_password(text: str) -> str:
    """A text with `***` in the place of who is named in its addresses (`https://user:password@host`, `user:password@host`)."""
    return _masked(text, _of_addresses(text))


def excerpt(line: str, column: int, width: int, hidden: Iterable[Piece] = ()) -> tuple[str, int, int]:
    """A line as it may be printed; by how much what stands at `column` (from 1) has moved, and how wide it is now."""
    pieces = _joined([*_of_addresses(line), *_of_keys(line), *hidden], len(line))
    start, end = (_moved(at, pieces) for at in (column - 1, column - 1 + width))
    inside = next((piece for piece in pieces if piece[0] <= column - 1 < piece[1]), None)
    if inside is not None:
        start = _moved(inside[0], pieces)
        end = max(end, start + len(MASK))
    return _masked(line, pieces), start - (column - 1), max(1, end - start)


def _of_addresses(text: str) -> Iterator[Piece]:
    for word in _WORD.finditer(text) if "@" in text else ():
        last = word[0].rfind("@")
        host, colon = word[0].find("//", 0, max(last, 0)), word[0].find(":", 0, max(last, 0))
        if host >= 0:
            yield word.start() + host + 2, word.start() + last
        elif colon > 0 and "/" not in word[0][:last]:
            yield word.start() + colon + 1, word.start() + last


def _of_keys(line: str) -> Iterator[Piece]:
    at, in_flow = 0, False
    while key := _KEY.search(line, at):
        in_flow = in_flow or _FLOW.search(line, at, key.end()) is not None
        at = key.end()
        if at == len(line) or _NO_SECRET.match(line, at):
            continue
        if key[0].endswith("="):
            kind = "="
        elif line[at] in _VALUES:
            kind = line[at]
        else:
            kind = "flow" if in_flow else "block"
        if value := _VALUES[kind].match(line, at):
            yield at, at + len(value[0].rstrip())
            at = value.end()


def _joined(pieces: Iterable[Piece], length: int) -> list[Piece]:
    """In their order, without those that are empty; of two that overlap one is made."""
    found: list[Piece] = []
    for start, end in sorted((max(0, start), min(end, length)) for start, end in pieces):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif start < end:
            found.append((start, end))
    return found


def _masked(text: str, pieces: Iterable[Piece]) -> str:
    made, at = [], 0
    for start, end in pieces:
        made += [text[at:start], MASK]
        at = end
    return "".join([*made, text[at:]])


def _moved(at: int, pieces: Iterable[Piece]) -> int:
    """Where a character stands once these are masked; of one within such a piece where that ends."""
    moved = at
    for start, end in pieces:
        if start < at:
            moved += len(MASK) - (min(end, at) - start) if end > at else len(MASK) - (end - start)
    return moved
