"""Classes of characters of Java's regular expressions, as re2 reads them: `[a-z\\S]`, `\\h`, `\\p{Lower}`.

Caller: `dialect`. Java's `\\s` has the vertical tab, which re2's has not; what stands negated inside of a class is written out; `(?i)` adds
the other case of ASCII letters only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import re2


class Bad(ValueError):
    """Java refuses the pattern too."""


class Unsupported(ValueError):
    """Java has it, a linear-time engine cannot."""


Ranges = list[tuple[int, int]]

_CHARACTERS: Final = {"t": 9, "n": 10, "r": 13, "f": 12, "a": 7, "e": 27}
_HEX: Final = re.compile(r"\\(?:x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")
_OCTAL: Final = re.compile(r"\\0([0-3]?[0-7]{1,2})")
_LAST: Final = 0x10FFFF
_SPACE: Final = [(9, 13), (32, 32)]
_LETTERS: Final = {
    "s": _SPACE,
    "h": [(9, 9), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x180E, 0x180E), (0x2000, 0x200A), (0x202F, 0x202F), (0x205F, 0x205F),
          (0x3000, 0x3000)],
    "v": [(10, 13), (0x85, 0x85), (0x2028, 0x2029)],
    "d": [(48, 57)],
    "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
}  # fmt: skip
_POSIX: Final = {
    "Lower": [(97, 122)], "Upper": [(65, 90)], "ASCII": [(0, 127)], "Alpha": [(65, 90), (97, 122)], "Digit": [(48, 57)],
    "Alnum": [(48, 57), (65, 90), (97, 122)], "Punct": [(33, 47), (58, 64), (91, 96), (123, 126)], "Graph": [(33, 126)],
    "Print": [(32, 126)], "Blank": [(9, 9), (32, 32)], "Cntrl": [(0, 31), (127, 127)], "XDigit": [(48, 57), (65, 70), (97, 102)],
    "Space": _SPACE,
}  # fmt: skip
_WORDS: Final = _POSIX["Alnum"]
_CASES: Final = ("Lu", "Ll", "Lt")
_PROPERTY: Final = re.compile(r"\\([pP])(?:\{(\^?)([\w=]+)\}|(\w))")


def read(pattern: str, start: int, *, fold: bool) -> tuple[str, int, bool]:
    """A class from its `[` on, where it ends, and whether all in it are characters of words. Raises `Bad` or `Unsupported`."""
    at = start + 1
    negated = pattern.startswith("^", at)
    at += negated
    made: list[str] = []
    ranges: Ranges = []
    first, words = True, not negated
    while True:
        char = pattern[at : at + 1]
        if not char:
            raise Bad(f"the [ at {start} is never closed")
        if char == "]" and not first:
            break
        first = False
        if char == "[":
            raise Unsupported("a [ inside [ ] (a union of classes) cannot be used here; write \\[ for the character")
        if pattern.startswith("&&", at):
            raise Unsupported("&& inside [ ] (a section of classes) cannot be used here")
        if char == "\\" and pattern[at + 1 : at + 2] in tuple("dDwWsShHvVpP"):
            words &= pattern[at + 1] in "dw"
            text, at = named(pattern, at, fold=fold)
            made.append(text)
        elif pattern.startswith("\\Q", at):
            end = pattern.find("\\E", at)
            quoted = pattern[at + 2 : end if end >= 0 else None]
            ranges += [(ord(one), ord(one)) for one in quoted]
            at = end + 2 if end >= 0 else len(pattern)
        else:
            (low, high), at = _range(pattern, at)
            ranges.append((low, high))
    words &= all(
        is_word(chr(low)) if low == high else any(a <= low <= high <= b for a, b in _WORDS) for low, high in ranges
    )
    return f"[{'^' if negated else ''}{''.join(made)}{written(folded(ranges) if fold else ranges)}]", at + 1, words


def is_word(char: str) -> bool:
    """Whether Java's `\\b` takes a character for one of a word."""
    return char == "_" or (len(char) == 1 and (char.isalpha() or unicodedata.category(char) == "Nd"))


def _range(pattern: str, at: int) -> tuple[tuple[int, int], int]:
    """One character, or one up to another."""
    low, at = _one(pattern, at)
    if not pattern.startswith("-", at) or pattern[at + 1 : at + 2] in ("]", "[", ""):
        return (low, low), at
    if pattern[at + 1] == "\\" and pattern[at + 2 : at + 3] in tuple("dDwWsShHvVpPQ"):
        raise Bad(f"{pattern[at - 1 : at + 3]!r} is no range of characters")
    high, at = _one(pattern, at + 1)
    if high < low:
        raise Bad(f"{chr(low)}-{chr(high)} is no range of characters")
    return (low, high), at


def _one(pattern: str, at: int) -> tuple[int, int]:
    return code_point(pattern, at) if pattern[at] == "\\" else (ord(pattern[at]), at + 1)


def named(pattern: str, at: int, *, fold: bool) -> tuple[str, int]:
    """A class with a name, as what stands between [ and ], and where it ends."""
    letter = pattern[at + 1]
    if letter not in "pP":
        known = _LETTERS[letter.lower()]
        return written(others(known) if letter.isupper() else known), at + 2
    found = _PROPERTY.match(pattern, at)
    if not found:
        raise Bad(f"{pattern[at : at + 6]!r} is no property of characters")
    name = found[3] or found[4]
    negated = (found[1] == "P") != bool(found[2])
    if name in _POSIX:
        ranges = folded(_POSIX[name]) if fold else _POSIX[name]
        return written(others(ranges) if negated else ranges), found.end()
    name = name.removeprefix("Is")
    try:
        re2.compile(rf"\p{{{name}}}", _QUIET)
    except re2.error:
        raise Unsupported(f"the property {found[0]} cannot be used here") from None
    if fold and name in _CASES:
        if negated:
            raise Unsupported(f"{found[0]} cannot be used here without regard to case")
        return "".join(rf"\p{{{one}}}" for one in _CASES), found.end()
    return f"\\{'P' if negated else 'p'}{{{name}}}", found.end()


def others(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """All characters that are in none of the ranges."""
    found, begin = [], 0
    for low, high in sorted(ranges):
        if begin < low:
            found.append((begin, low - 1))
        begin = max(begin, high + 1)
    return [*found, (begin, _LAST)] if begin <= _LAST else found


def folded(ranges: Ranges) -> Ranges:
    """The ranges with the other case of every ASCII letter in them."""
    found = list(ranges)
    for low, high in ranges:
        for first, last, other in ((65, 90, 32), (97, 122, -32)):
            if max(low, first) <= min(high, last):
                found.append((max(low, first) + other, min(high, last) + other))
    return found


def written(ranges: Ranges) -> str:
    """Ranges as they stand between [ and ]."""
    return "".join(f"\\x{{{low:x}}}" if low == high else f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in ranges)


def code_point(pattern: str, at: int) -> tuple[int, int]:
    """The character that an escape means, and where the escape ends."""
    char = pattern[at + 1 : at + 2]
    if char in "xu0":
        found = _HEX.match(pattern, at) or _OCTAL.match(pattern, at)
        if not found:
            raise Bad(f"{pattern[at : at + 4]!r} is no code of a character")
        number = int(found[1], 8) if found.re is _OCTAL else int(found[1] or found[2] or found[3], 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise Bad(f"{found[0]} is no character")
        return number, found.end()
    if char in _CHARACTERS:
        return _CHARACTERS[char], at + 2
    if char.isascii() and char.isalpha():
        raise Bad(f"\\{char} means nothing")
    return ord(char), at + 2


_QUIET: Final = re2.Options()
_QUIET.log_errors = False
