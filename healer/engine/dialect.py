"""A regular expression of Java's, as re2 reads it: one walk over the pattern.

Caller: `patterns`. What re2 cannot do is `Unsupported`; what Java would refuse is `Bad` (`classes`). Flags are followed group by group and
written out: `.` leaves out Java's line breaks, `(?i)` folds ASCII letters only, `$` and `^` know every break of Java's. re2 cannot look
around, so a `^`, `$`, `\\b` or `\\B` at the edge of the pattern takes the character that it looks at: all the same to a search that only
says yes or no. In the middle it is re2's own: `\\n` breaks lines, ASCII letters are words. Source: the documentation of
java.util.regex.Pattern (17), what the peer does (measured), re2's syntax page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from healer.engine import classes

BREAKS: Final = r"\n\r\x{85}\x{2028}\x{2029}"
_AT_END: Final = rf"(?:(?:\r\n|[{BREAKS}])?\z)"
_LINE_BEGINS: Final = rf"(?:\A|[{BREAKS}])"
_LINE_BEGINS_ANYHOW: Final = r"(?:\A|[\n\x{85}\x{2028}\x{2029}])"
"""For what may begin with a line break itself: between `\\r` and `\\n` no line begins, and one `\\r` alone cannot be told from that."""
_LINE_ENDS: Final = rf"(?:[{BREAKS}]|\z)"
_WORD: Final = r"\p{L}\p{Nd}\p{Mn}_"
_NEVER: Final = r"[^\x00-\x{10ffff}]"
_ESCAPES: Final = {"e": r"\x1b", "R": rf"(?:\r\n|[\x0b\x0c{BREAKS}])", "Z": _AT_END, "A": r"\A", "z": r"\z"}
_REFUSED: Final = {"G": r"\G", "X": r"\X", "k": "a back reference", "N": r"\N{…}", "c": r"\c"}
_PLAIN: Final = re.compile(r"[^\\^$.|?*+()\[\]{}]+")
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_NAMED: Final = re.compile(r"\(\?<[a-zA-Z][a-zA-Z0-9]*>")
_QUANTIFIER: Final = re.compile(r"([*+?]|\{\d+(?:,\d*)?\})\??")
_MAY_BE_NONE: Final = re.compile(r"[*?]|\{0")
_ATOM: Final = re.compile(
    r"\\[wdS]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[^a-zA-Z0-9]|\[(?:\\[wd]|[A-Za-z0-9_](?:-[A-Za-z0-9_])?)+\]|[^\\^$|?*+()\[\]{}]",
    re.DOTALL,
)
_CLASS_OF_WORDS: Final = re.compile(r"\[(?:\\[wd]|[A-Za-z0-9_](?:-[A-Za-z0-9_])?)+\]")
_SPECIAL: Final = re.compile(r"[\\\[(|)]")
_INSIDE: Final = re.compile(r"\((?:\?<[a-zA-Z][a-zA-Z0-9]*>|\?[a-zA-Z]*(?:-[a-zA-Z]+)?:|(?!\?))")


class Group(NamedTuple):
    """Where a group closes, and where its other alternatives begin."""

    close: int
    bars: list[int]


def groups(pattern: str) -> dict[int, Group]:
    """The groups by where they open; the whole pattern as one at -1. What is not closed reaches to the end."""
    found: dict[int, Group] = {}
    stack: list[tuple[int, list[int]]] = [(-1, [])]
    at = 0
    while special := _SPECIAL.search(pattern, at):
        at, char = special.start(), special[0]
        if char == "\\":
            end = pattern.find("\\E", at) if pattern.startswith("\\Q", at) else at
            at = len(pattern) if end < 0 else end + 2
            continue
        if char == "[":
            at = _after_class(pattern, at)
            continue
        if char == "(":
            stack.append((at, []))
        elif char == "|":
            stack[-1][1].append(at)
        elif char == ")" and len(stack) > 1:
            opened, bars = stack.pop()
            found[opened] = Group(at, bars)
        at += 1
    for opened, bars in stack:
        found[opened] = Group(len(pattern), bars)
    return found


def _after_class(pattern: str, at: int) -> int:
    at += 2 if pattern.startswith("[^", at) else 1
    at += pattern.startswith("]", at)
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


class _Frame(NamedTuple):
    """What holds again when a group closes; `words`: of its alternatives so far whether they end with a character of a word."""

    flags: frozenset[str]
    opened: int
    edge: bool
    begun: bool
    words: list[bool]


class Translation:
    """One walk."""

    def __init__(self, pattern: str, flags: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.made: list[str] = []
        self.flags = frozenset(flags)
        self.groups = groups(pattern)
        self.edge = True
        """Nothing stands before it, so that a character more can be taken."""
        self.begun = False
        """The text or a line begins there, for certain."""
        self.word = False
        """What was taken last is a character of a word, for certain."""
        self.names: set[str] = set()
        self.frames = [_Frame(self.flags, -1, True, False, [])]

    def all(self) -> str:
        """The pattern in re2's dialect; raises `Bad` or `Unsupported` with a reason."""
        while self.at < len(self.pattern):
            plain = _PLAIN.match(self.pattern, self.at)
            if plain:
                self.take(plain[0], "".join(map(self.literal, plain[0])), word=classes.is_word(plain[0][-1]))
                continue
            self.special(self.pattern[self.at])
        return "".join(self.made)

    def take(self, text: str, instead: str, *, word: bool = False) -> None:
        """Move past `text`, which takes a character or more, and write `instead`."""
        self.look(text, instead)
        self.edge = self.begun = False
        self.word = word

    def look(self, text: str, instead: str) -> None:
        """Move past `text`, which takes nothing."""
        self.at += len(text)
        self.made.append(instead)

    def literal(self, char: str) -> str:
        """One character, in both cases where an ASCII letter has two."""
        if "i" in self.flags and char.isascii() and char.isalpha():
            return f"[{char.lower()}{char.upper()}]"
        return char if char.isalnum() or char == "_" or not char.isascii() or char == " " else f"\\x{{{ord(char):x}}}"

    def special(self, char: str) -> None:
        if char == "\\":
            self.escape()
        elif char == "[":
            made, end, word = classes.read(self.pattern, self.at, fold="i" in self.flags)
            self.take(self.pattern[self.at : end], made, word=word)
        elif char == "(":
            self.group()
        elif char == ".":
            self.take(".", r"(?s:.)" if "s" in self.flags else f"[^{BREAKS}]")
        elif char == "$":
            ends = self.ends(self.at + 1)
            self.look("$", _AT_END if "m" not in self.flags else _LINE_ENDS if ends else "(?m:$)")
        elif char == "^":
            self.line_begins()
        elif char in "*+?{":
            self.quantifier(char)
        elif char == "|":
            self.frames[-1].words.append(self.word)
            self.look("|", "|")
            self.edge, self.begun, self.word = self.frames[-1].edge, self.frames[-1].begun, False
        elif char == ")":
            self.close()
        else:
            self.take(char, f"\\{char}")

    def line_begins(self) -> None:
        if "m" not in self.flags:
            made = r"\A"
        elif self.begun:
            made = ""
        elif self.edge:
            rest = self.at + 1
            for frame in reversed(self.frames):
                group = self.groups[frame.opened]
                rest = group.close + 1 if rest == group.close or rest in group.bars else rest
            made = _LINE_BEGINS if self.begins(rest, _is_no_break) else _LINE_BEGINS_ANYHOW
        else:
            made = "(?m:^)"
        self.look("^", made)
        self.edge, self.begun = False, True

    def quantifier(self, char: str) -> None:
        found = _QUANTIFIER.match(self.pattern, self.at)
        if not found:
            raise classes.Bad(f"{char!r} at {self.at} is no quantifier; write \\{char} for the character itself")
        if self.pattern[found.end() : found.end() + 1] == "+" and not found[0].endswith("??"):
            raise classes.Unsupported(f"the possessive quantifier {found[1]}+ cannot be used here; write {found[1]}")
        self.look(found[0], found[0])
        self.word = self.word and not _MAY_BE_NONE.match(found[1])

    def group(self) -> None:
        rest = self.pattern[self.at : self.at + 4]
        if rest.startswith("(?<") and rest[3:] not in ("=", "!"):
            named = _NAMED.match(self.pattern, self.at)
            if not named:
                raise classes.Bad(f"the name of the group at {self.at} is not of letters and digits")
            if named[0] in self.names:
                raise classes.Bad(f"two groups have the name {named[0][3:-1]!r}")
            self.names.add(named[0])
            self.open(named[0], "(", self.flags)
        elif rest.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            raise classes.Unsupported("looking ahead or behind, (?= (?! (?<= (?<!, cannot be used here")
        elif rest.startswith("(?>"):
            raise classes.Unsupported("the atomic group (?> cannot be used here; write (?:")
        elif rest.startswith("(?"):
            self.set_flags()
        else:
            self.open("(", "(", self.flags)

    def open(self, text: str, instead: str, flags: frozenset[str]) -> None:
        again = _QUANTIFIER.match(self.pattern, self.groups[self.at].close + 1)
        self.frames.append(_Frame(self.flags, self.at, self.edge and not again, self.begun and not again, []))
        self.look(text, instead)
        self.flags, self.edge, self.begun, self.word = flags, self.frames[-1].edge, self.frames[-1].begun, False

    def close(self) -> None:
        if len(self.frames) == 1:
            raise classes.Bad(f"the ) at {self.at} closes nothing")
        frame = self.frames.pop()
        self.flags = frame.flags
        self.take(")", ")", word=self.word and all(frame.words))

    def set_flags(self) -> None:
        found = _FLAGS.match(self.pattern, self.at)
        if not found:
            raise classes.Bad(
                f"{self.pattern[self.at : self.at + 4]!r} is no group of Java's; a named group is (?<name>…)"
            )
        wrong = sorted(set(found[1] + (found[2] or "")) - set("ims"))
        if wrong:
            kind = classes.Unsupported if set(wrong) <= set("xduU") else classes.Bad
            raise kind(f"the flag {wrong[0]!r} cannot be used here; i, m and s can")
        flags = (self.flags | set(found[1])) - set(found[2] or "")
        if found[3] == ":":
            self.open(found[0], "(?:", flags)
        else:
            self.look(found[0], "")
            self.flags = flags

    def escape(self) -> None:
        char = self.pattern[self.at + 1 : self.at + 2]
        if not char:
            raise classes.Bad("the pattern ends with a single backslash")
        if char == "Q":
            end = self.pattern.find("\\E", self.at)
            quoted = self.pattern[self.at + 2 : end if end >= 0 else None]
            whole = self.pattern[self.at : end + 2 if end >= 0 else None]
            self.take(whole, "".join(map(self.literal, quoted)), word=quoted != "" and classes.is_word(quoted[-1]))
        elif char in "123456789":
            raise classes.Unsupported(f"the back reference \\{char} cannot be used here")
        elif char in _REFUSED:
            raise classes.Unsupported(f"{_REFUSED[char]} cannot be used here")
        elif char in "bB":
            self.boundary(char)
        elif char in "AzZ":
            self.look("\\" + char, _ESCAPES[char])
        elif char == "R":
            self.take("\\R", _ESCAPES["R"])
        elif char in "dDwWsShHvVpP":
            made, end = classes.named(self.pattern, self.at, fold="i" in self.flags)
            self.take(self.pattern[self.at : end], f"[{made}]", word=char in "dw")
        else:
            point, end = classes.code_point(self.pattern, self.at)
            self.take(self.pattern[self.at : end], self.literal(chr(point)), word=classes.is_word(chr(point)))

    def boundary(self, char: str) -> None:
        """`\\b`, `\\B`: exact beside the edge of the pattern where what stands on the other side is a character of a word."""
        text, wanted = "\\" + char, f"[{'^' if char == 'b' else ''}{_WORD}]"
        begins = (self.edge or self.begun) and self.begins(self.at + 2, _is_of_word)
        if begins and self.begun:
            self.look(text, "" if char == "b" else _NEVER)
        elif begins:
            self.look(text, rf"(?:\A|{wanted})" if char == "b" else wanted)
            self.edge = False
        elif self.word and self.ends(self.at + 2):
            self.look(text, rf"(?:{wanted}|\z)" if char == "b" else wanted)
        else:
            self.look(text, text)

    def begins(self, at: int, wanted: Callable[[str], bool]) -> bool:
        """Whether what stands there begins with a character of a kind, for certain."""
        pattern = self.pattern
        if pattern.startswith("(", at):
            if (flags := _FLAGS.match(pattern, at)) and flags[3] == ")":
                return self.begins(flags.end(), wanted)
            inside, group = _INSIDE.match(pattern, at), self.groups[at]
            if not inside or _MAY_BE_NONE.match(pattern, group.close + 1):
                return False
            return all(self.begins(one, wanted) for one in (inside.end(), *(bar + 1 for bar in group.bars)))
        if pattern.startswith("^", at):
            return self.begins(at + 1, wanted)
        found = _ATOM.match(pattern, at)
        return found is not None and wanted(found[0]) and not _MAY_BE_NONE.match(pattern, found.end())

    def ends(self, at: int) -> bool:
        """Whether nothing stands there before the end of the pattern, whatever groups close."""
        for frame in reversed(self.frames):
            group = self.groups[frame.opened]
            if at != group.close and at not in group.bars:
                return False
            at = group.close + 1
        return True


def _is_of_word(atom: str) -> bool:
    return atom in ("\\w", "\\d") or bool(_CLASS_OF_WORDS.fullmatch(atom)) or classes.is_word(_meant(atom))


def _is_no_break(atom: str) -> bool:
    return _meant(atom)[-1] not in "\n\r\x85\u2028\u2029"


def _meant(atom: str) -> str:
    return chr(classes.code_point(atom, 0)[0]) if atom[:2] in ("\\x", "\\u") else atom
