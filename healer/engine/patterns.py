"""Java's regular expressions on google-re2, which matches in linear time whatever the text is.

Callers: `leaves` (to compile) and `healer.rulebook` (to refuse a pattern where it stands). What re2 cannot do is
`Unsupported`; what Java would refuse is `Bad`. Differences that are taken care of: `$` before a final line break, what
`.` leaves out, `\\s` with the vertical tab, named groups, POSIX classes by `\\p{…}`.
Source: the documentation of java.util.regex.Pattern (17) and re2's syntax page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import re2

LENGTH_MAX: Final = 10_000
MEMORY_MAX: Final = 64 << 20

Finder = Callable[[str], bool]


class Bad(ValueError):
    """Java refuses the pattern too."""


class Unsupported(ValueError):
    """Java has it, a linear-time engine cannot."""


_POSIX: Final = {
    "Lower": "a-z", "Upper": "A-Z", "ASCII": r"\x00-\x7f", "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": r" \t", "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F", "Space": r" \t\n\x0b\f\r",
}  # fmt: skip
_BREAKS: Final = r"\n\r\x{85}\x{2028}\x{2029}"
_ESCAPES: Final = {"e": r"\x1b", "h": r"[ \t\x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]",
                   "R": rf"(?:\r\n|[\x0b\x0c{_BREAKS}])", "v": rf"[\x0b\f{_BREAKS}]", "s": r"[\t\n\x0b\f\r ]",
                   "S": r"[^\t\n\x0b\f\r ]", "Z": rf"(?:\r\n|[{_BREAKS}])?\z"}  # fmt: skip
_AT_END: Final = "(?:" + _ESCAPES["Z"] + ")"
_SAME: Final = frozenset("tnrfadDwWbBAz")
_REFUSED: Final = {"G": r"\G", "X": r"\X", "k": "a back reference", "N": r"\N{…}", "c": r"\c", "H": r"\H", "V": r"\V"}
_PLAIN: Final = re.compile(r"[^\\^$.|?*+()\[\]{}]*")
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_HEX: Final = re.compile(r"\\(?:x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")
_OCTAL: Final = re.compile(r"\\0([0-3]?[0-7]{1,2})")
_PROPERTY: Final = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|(\w))")
_QUANTIFIER: Final = re.compile(r"[*+?]|\{\d+(?:,\d*)?\}")


def translate(pattern: str, *, ignorecase: bool = False, multiline: bool = False) -> str:
    """The pattern in re2's dialect; raises `Bad` or `Unsupported` with a reason."""
    if len(pattern) > LENGTH_MAX:
        raise Unsupported(f"the pattern has {len(pattern)} characters, at most {LENGTH_MAX} are taken")
    flags = ("i" if ignorecase else "") + ("m" if multiline else "")
    return (f"(?{flags})" if flags else "") + _Translation(pattern, multiline).all()


class _Translation:
    """One walk over a pattern."""

    def __init__(self, pattern: str, multiline: bool) -> None:
        self.pattern = pattern
        self.at = 0
        self.made: list[str] = []
        inline = "".join(found[1] for found in _FLAGS.finditer(pattern))
        self.keep_dot = "s" in inline
        self.keep_dollar = multiline or "m" in inline

    def all(self) -> str:
        while self.at < len(self.pattern):
            plain = _PLAIN.match(self.pattern, self.at)
            if plain and plain[0]:
                self.take(plain[0], plain[0])
                continue
            self.special(self.pattern[self.at])
        return "".join(self.made)

    def take(self, text: str, instead: str) -> None:
        """Move past `text` and write `instead`."""
        self.at += len(text)
        self.made.append(instead)

    def special(self, char: str) -> None:
        if char == "\\":
            self.escape(inside=False)
        elif char == "[":
            self.char_class()
        elif char == "(":
            self.group()
        elif char == ".":
            self.take(".", "." if self.keep_dot else f"[^{_BREAKS}]")
        elif char == "$":
            self.take("$", "$" if self.keep_dollar else _AT_END)
        elif char in "*+?{":
            self.quantifier(char)
        else:
            self.take(char, char)

    def quantifier(self, char: str) -> None:
        found = _QUANTIFIER.match(self.pattern, self.at)
        if not found:
            raise Bad(f"{char!r} at {self.at} is no quantifier; write \\{char} for the character itself")
        after = self.pattern[found.end() : found.end() + 1]
        if after == "+":
            raise Unsupported(f"the possessive quantifier {found[0]}+ cannot be used here; write {found[0]}")
        self.take(found[0], found[0])

    def group(self) -> None:
        rest = self.pattern[self.at : self.at + 4]
        if rest.startswith("(?<") and rest[3:] not in ("=", "!"):
            named = re.compile(r"\(\?<[a-zA-Z][a-zA-Z0-9]*>").match(self.pattern, self.at)
            if not named:
                raise Bad(f"the name of the group at {self.at} is not of letters and digits")
            self.take(named[0], "(")
        elif rest.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            raise Unsupported("looking ahead or behind, (?= (?! (?<= (?<!, cannot be used here")
        elif rest.startswith("(?>"):
            raise Unsupported("the atomic group (?> cannot be used here; write (?:")
        elif rest.startswith("(?"):
            self.flags()
        else:
            self.take("(", "(")

    def flags(self) -> None:
        found = _FLAGS.match(self.pattern, self.at)
        if not found:
            raise Bad(f"{self.pattern[self.at : self.at + 4]!r} is no group of Java's; a named group is (?<name>…)")
        wrong = sorted(set(found[1] + (found[2] or "")) - set("ims"))
        if wrong:
            kind = Unsupported if set(wrong) <= set("xduU") else Bad
            raise kind(f"the flag {wrong[0]!r} cannot be used here; i, m and s can")
        self.take(found[0], found[0])

    def escape(self, *, inside: bool) -> None:
        char = self.pattern[self.at + 1 : self.at + 2]
        if not char:
            raise Bad("the pattern ends with a single backslash")
        if char == "Q":
            end = self.pattern.find("\\E", self.at)
            quoted = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.take(self.pattern[self.at : end + 2 if end >= 0 else None], re.escape(quoted))
        elif char in "123456789":
            raise Unsupported(f"the back reference \\{char} cannot be used here")
        elif char in "xu0":
            self.code_point()
        elif char in "pP":
            self.property(inside=inside)
        elif char in _REFUSED:
            raise Unsupported(f"{_REFUSED[char]} cannot be used here")
        else:
            self.letter(char, inside=inside)

    def letter(self, char: str, *, inside: bool) -> None:
        if char in _ESCAPES:
            instead = _ESCAPES[char]
            if inside and char in "ZRS":
                raise Unsupported(f"\\{char} cannot be used between [ and ]")
            self.take("\\" + char, instead[1:-1] if inside and char in "hvs" else instead)
        elif char in _SAME or not char.isalpha() or not char.isascii():
            self.take("\\" + char, "\\" + char if char.isascii() else char)
        else:
            raise Bad(f"\\{char} means nothing")

    def code_point(self) -> None:
        found = _HEX.match(self.pattern, self.at) or _OCTAL.match(self.pattern, self.at)
        if not found:
            raise Bad(f"{self.pattern[self.at : self.at + 4]!r} is no code of a character")
        number = int(found[1], 8) if found.re is _OCTAL else int(found[1] or found[2] or found[3], 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise Bad(f"{found[0]} is no character")
        self.take(found[0], f"\\x{{{number:x}}}")

    def property(self, *, inside: bool) -> None:
        found = _PROPERTY.match(self.pattern, self.at)
        if not found:
            raise Bad(f"{self.pattern[self.at : self.at + 6]!r} is no property of characters")
        name = found[3] or found[4]
        negated = (found[1] == "P") != bool(found[2])
        if name in _POSIX:
            if inside and negated:
                raise Unsupported(f"{found[0]} cannot be used between [ and ]")
            self.take(found[0], _POSIX[name] if inside else f"[{'^' if negated else ''}{_POSIX[name]}]")
            return
        if name.startswith("java"):
            raise Unsupported(f"{found[0]} cannot be used here")
        self.take(found[0], f"\\{'P' if negated else 'p'}{{{name.removeprefix('Is')}}}")

    def char_class(self) -> None:
        start = self.at
        self.take("[", "[")
        if self.pattern[self.at : self.at + 1] == "^":
            self.take("^", "^")
        if self.pattern[self.at : self.at + 1] == "]":
            self.take("]", "\\]")
        while True:
            char = self.pattern[self.at : self.at + 1]
            if not char:
                raise Bad(f"the [ at {start} is never closed")
            if char == "[":
                raise Unsupported(
                    "a [ inside [ ] (a union of classes) cannot be used here; write \\[ for the character"
                )
            if self.pattern.startswith("&&", self.at):
                raise Unsupported("&& inside [ ] (a section of classes) cannot be used here")
            if char == "\\":
                self.escape(inside=True)
                continue
            self.take(char, char)
            if char == "]":
                return


def options(memory: int = MEMORY_MAX) -> Any:
    """Options of re2: no lines on standard error, a bound on memory (bytes)."""
    made = re2.Options()
    made.log_errors = False
    made.max_mem = memory
    return made


def finder(
    pattern: str, *, anchored: bool, ignorecase: bool = False, multiline: bool = False, memory: int = MEMORY_MAX
) -> Finder:
    """A function that says whether the pattern is in a text: at its start where `anchored`, else anywhere.

    Raises `Bad` or `Unsupported`. A pattern without special characters is looked for without an expression.
    """
    if not ignorecase and (plain := _PLAIN.fullmatch(pattern)):
        return _plain(plain[0], anchored)
    translated = translate(pattern, ignorecase=ignorecase, multiline=multiline)
    try:
        re2.compile(translated, options(memory))
    except re2.error as error:
        text = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        kind = Unsupported if "repetition size" in text or "too large" in text else Bad
        raise kind(text) from None
    looked_for = SearchSet(options(memory), [rf"\A(?:{translated})" if anchored else translated])
    return lambda text: bool(looked_for.match(text))


class SearchSet:
    """Several translated patterns looked for at once. Also for one: re2's set is the quickest way in from Python."""

    __slots__ = ("_set",)

    def __init__(self, options_: Any, translated: list[str]) -> None:
        self._set = re2.Set.SearchSet(options_)
        for pattern in translated:
            self._set.Add(pattern)
        self._set.Compile()

    def match(self, text: str) -> list[int]:
        """The numbers of the patterns found. Half a surrogate pair in the text is looked at as a question mark."""
        try:
            return self._set.Match(text) or []
        except UnicodeEncodeError:
            return self._set.Match(text.encode("utf-8", "replace")) or []


def _plain(needle: str, anchored: bool) -> Finder:
    if anchored:
        return lambda text: text.startswith(needle)
    return lambda text: needle in text
