"""Texts as people read them: what cannot be seen, or changes how the rest is seen, is written out. Pure; callers: the channels.

What a message tells may be an event's word. A host name with a right-to-left override in it reads as another one, a line end makes a row
that nobody wrote, and an escape sequence moves a terminal's cursor: each is shown as `\\u202e`, `\\n`, `\\x1b`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MARKS_MAX: Final = 4
"""Marks above and below one letter that are left as they are; more of them cover the lines around it."""
_EMPTY: Final = re.compile("[\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufff9-\ufffc]")
"""Letters and marks that look like nothing, though Unicode counts them among those that print."""
_LINE: Final = "\n\t"


def line(text: str) -> str:
    """A text in one line."""
    return text if text.isascii() and text.isprintable() else _shown(text, "")


def lines(text: str) -> str:
    """A text whose lines stay: line ends and tabs are left as they are."""
    text = text.replace("\r\n", "\n")
    return text if text.isascii() and text.replace("\n", "").isprintable() else _shown(text, _LINE)


def cut(text: str, most: int, what: str = "characters") -> str:
    """A text of at most `most` characters, with what is left out counted at its end."""
    if len(text) <= most:
        return text
    kept = most - 40
    return f"{text[:kept]} … {len(text) - kept:,} more {what}"


def _shown(text: str, kept: str) -> str:
    made, marks = [], 0
    for char in text:
        kind = unicodedata.category(char)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if char in kept:
            made.append(char)
        elif kind == "Zs":
            made.append(" ")
        elif not char.isprintable() or marks > MARKS_MAX or _EMPTY.match(char):
            made.append(_written(char))
        else:
            made.append(char)
    return "".join(made)


def _written(char: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(char)
    return known.get(char) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )
