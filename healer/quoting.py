"""What messages quote of values and of lines of files: short, and nothing that may be a secret. Used by `config`, and who quotes texts.

Of an address who is named in it is left out, and what its query calls a secret; of anything what looks like a token. Of values and lines
also what their keys call a secret, however they are spelt, and of lines what `config.Document` conceals: a line is printed by
`healer validate`, and so in the logs of a CI. What is in doubt is left out: a message still tells its key and its place.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from healer import credentials

SHOWN_MAX: Final = 100
MASK: Final = "***"

Piece = tuple[int, int]
"""From a character up to before another."""
Mark = tuple[int, int, int]


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
        return super().repr_str(without_secrets(x), level)


_SHOWN: Final = _Shown()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = SHOWN_MAX
_SHOWN.maxlevel = 1


def shown(value: object) -> str:
    """The value as `repr` writes it, shortened to what fits a message (`SHOWN_MAX` characters for a text), without secrets."""
    return _SHOWN.repr(value)


def bare(text: str) -> str:
    """A text as `shown`, without quotes around it: what is hidden in it is written out (`\\n`), so that no line ends there."""
    text = without_secrets(text)[:SHOWN_MAX]
    return text if text.isprintable() else repr(text)[1:-1]


def without_secrets(text: str) -> str:
    """A value with `***` in the place of what may be a secret in it: `https://***@host/?token=***`, `user:***@host`, `password=***`."""
    whole = [(0, len(text))]
    named = [*_of_accounts(text, whole), *_of_keys(text, whole), *credentials.private_keys(text)]
    return _masked(text, _joined([*_of_addresses(text, whole), *named], len(text)))


def said(message: str) -> str:
    """A sentence, in which values may be quoted, without what may be a secret in an address, and without tokens."""
    quoted = _quoted(message)
    named = [*_of_accounts(message, quoted), *credentials.spoken(message), *credentials.private_keys(message)]
    return _masked(message, _joined([*_of_addresses(message, quoted), *named], len(message)))


def printed(text: str) -> str:
    """What a program printed, without what may be a secret in an address or behind a key, an option or the name of a header. Of a value
    without quotes that is one word: what follows it may be the sentence that says what was wrong."""
    text = _masked(text, _joined(credentials.private_keys(text), len(text)))
    return "\n".join(_of_program(line) for line in text.split("\n"))


def printed_line(text: str) -> str:
    """As `printed`, in one line: of white space one space is left, and what cannot be seen is written out (`\\x1b`, `\\u202e`)."""
    return printed(" ".join("".join(c if c.isprintable() or c.isspace() else repr(c)[1:-1] for c in text).split()))


def _of_program(line: str) -> str:
    quoted = _quoted(line)
    named = [*_of_accounts(line, quoted), *_of_keys(line, quoted, prose=True)]
    return _masked(line, _joined([*_of_addresses(line, quoted, _IN_PROSE), *named], len(line)))


def excerpt(line: str, column: int, width: int, hidden: Iterable[Piece] = ()) -> tuple[str, int, int]:
    """A line as it may be printed; by how much what stands at `column` (from 1) has moved, and how wide it is now."""
    quoted = _quoted(line)
    plain = [(last.end(), len(line))] if (last := _LAST.match(line)) else []
    plain += [one.span(1) for one in _ITEM.finditer(line)]
    of_line = [*_of_accounts(line, [*quoted, *plain]), *_of_keys(line, quoted)]
    pieces = _joined([*_of_addresses(line, quoted), *of_line, *hidden], len(line))
    start, end = (_moved(at, pieces) for at in (column - 1, column - 1 + width))
    inside = next((piece for piece in pieces if piece[0] <= column - 1 < piece[1]), None)
    if inside is not None:
        start = _moved(inside[0], pieces)
        end = max(end, start + len(MASK))
    return _masked(line, pieces), start - (column - 1), max(1, end - start)


class Lines:
    """The lines of a file as messages quote them. A mark is one of `config.Mark`: line and column from 1, width (1 of several lines)."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._concealed: dict[int, list[Piece]] = {}
        self._secrets: credentials.Written | None = None

    def look_through(self, value: Any) -> None:
        """Conceal what the keys of the file's value call a secret, once it is read."""
        if self._secrets is None and value is not None:
            self._secrets = credentials.Written(value)
            for mark in self._secrets.marks:
                self.conceal(mark)

    def conceal(self, mark: Mark) -> None:
        """Quote nothing of the scalar that stands there."""
        number, column, width = mark
        if 0 < number <= len(self._lines):
            line = self._lines[number - 1]
            whole = width > 1 or line[column : column + 1] in ("", " ", ",", "}", "]")  # else it may have more lines
            end = column - 1 + width if whole else len(line)
            self._concealed.setdefault(number, []).append((column - 1, end))

    def excerpt(self, mark: Mark) -> tuple[str, int, int]:
        """As `excerpt`, of the line of a mark; nothing where there is none."""
        number, column, width = mark
        if not 0 < number <= len(self._lines):
            return "", 0, 1
        hidden = [*self._concealed.get(number, ()), *_gone_on(self._lines, number - 1)]
        return excerpt(self._lines[number - 1], column, width, hidden)

    def said(self, message: str, mark: Mark | None) -> str:
        """As `said`, of a mistake at a mark."""
        return said(self._secrets.left_out(message, mark, MASK) if self._secrets else message)


# --- addresses, and what looks like a token ---------------------------------------------------------------------------------

_QUOTED: Final = re.compile(r"""(?<![^\s\[{(,:=])(?:"((?:[^"\\]|\\.)*+)|'((?:[^']|'')*+))""")
_ADDRESS: Final = re.compile(r"""(?:(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*+:/?|(?<![^\s"'<>\[({,=])/)/""")
"""Begins one; as a path that has been tidied it has one slash."""
_GAP: Final = re.compile(r"\s|$")
_LAST: Final = re.compile(r"""[\s-]*(?:[\w.-]+[ ]*:\s+)?(?=[^\s"'\[{])""")
"""Stands before the value of a line that has no quotes."""
_ITEM: Final = re.compile(r"""[\[,]\s*([^\s"'\[\]{},][^\[\]{},"']*)""")
"""One without quotes in a list of one line."""
_CLOSING: Final = frozenset(",;)]}\"'")
"""Ends a word behind which no password goes on."""
_ACCOUNT: Final = re.compile(r"[\w.-]+:(?=[^\s/])")
_QUERY: Final = re.compile(r"[?&#]([\w.%-]+)=")
_IN_QUERY: Final = re.compile(r"""(?:[^&#"'<>,;}\]]|[,;}\]](?=[^\s,;}\]"']))*""")
_IN_PROSE: Final = re.compile(r"""[^\s&#"'<>]*""")
_IN_QUOTED_QUERY: Final = re.compile(r"[^&#]*")
_OF_QUERIES: Final = frozenset(("sig", "signature", "sign", "key", "code", "hash", "ticket", "session", "sid", "sas"))
"""What is a secret in an address, and elsewhere any value."""
_RANDOM: Final = re.compile(
    r"(?<=/)(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,}"
    r"|(?=[\w:-]*?[0-9])(?=[\w:-]*?[a-z])(?=[\w:-]*?[A-Z])[\w:-]{20,})(?![\w:-])"
)
"""A part of a path by which whoever knows it is let in, as of hooks."""
_HOOK: Final = re.compile(r"\bhooks\.slack(?:-gov)?\.com/\w+(?:/\w+)*/(\w{8,})")
"""Whose last part may be of letters alone."""
_TOKEN: Final = re.compile(
    r"\bBearer +(?!auth|token)([\w+/=.~-]{4,})|\bBasic +(?=[a-z]*[A-Z0-9])([\w+/=.~-]{4,})"
    r"|\b(eyJ[\w-]{8,}\.eyJ[\w-]+(?:\.[\w-]*)?|(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|hvs\.|AKIA|ASIA|AGE-SECRET-KEY-1|SG\.[\w-]{8,}\.)[\w-]{8,})"
)


def _quoted(text: str) -> list[Piece]:
    """Where what stands in quotes stands, without them."""
    return [one.span(one.lastindex or 0) for one in _QUOTED.finditer(text)]


def _of_addresses(text: str, quoted: Sequence[Piece], bare: re.Pattern[str] = _IN_QUERY) -> Iterator[Piece]:
    """`bare`: what a value in a query is where the address stands in no quotes."""
    if "@" in text:
        yield from _of_users(text, quoted)
    if "://" in text:
        yield from (one.span() for one in _RANDOM.finditer(text))
        yield from (one.span(1) for one in _HOOK.finditer(text))
    at = 0
    while one := _QUERY.search(text, at):
        at = one.end()
        if re.split(r"[^a-z0-9]", one[1][-credentials.NAME_MAX :].lower())[-1] in _OF_QUERIES or credentials.called(
            one[1]
        ):
            end = _end(quoted, at)
            value = bare.match(text, at) if end is None else _IN_QUOTED_QUERY.match(text, at, end)
            yield at, at + len(value[0].rstrip() if value else "")
            at = value.end() if value else at
    for one in _TOKEN.finditer(text):
        yield one.span(one.lastindex or 0)


def _of_users(text: str, quoted: Sequence[Piece]) -> Iterator[Piece]:
    """`user:password` of addresses. A password may have spaces in it, where no address can have them."""
    found = [*_ADDRESS.finditer(text)]
    behind = follower = 0
    for one in found:
        if one.start() < behind:
            continue
        start = one.end()
        end = _end(quoted, start)
        whole = end is not None
        end = len(text) if end is None else end
        gap = _GAP.search(text, start, end)
        behind = gap.start() if gap else end
        while follower < len(found) and found[follower].start() < behind:
            follower += 1
        stop = min(end, found[follower].start()) if follower < len(found) else end
        first, later = text.rfind("@", start, behind), text.rfind("@", behind, stop)
        closed = text[behind - 1] in _CLOSING and not whole
        last = later if later >= 0 and not closed and (first >= 0 or _begins_user(text[start:behind])) else first
        if last >= 0 and (one[0].endswith("//") or ":" in text[start:last]):
            yield start, last


def _begins_user(word: str) -> bool:
    """Whether a word behind `//` begins a user with a password, and is no host with a port and a path."""
    before, colon, after = word.partition(":")
    port, slash, _ = after.partition("/")
    return bool(colon) and "/" not in before and not (slash and port.isdecimal())


def _of_accounts(text: str, values: Sequence[Piece]) -> Iterator[Piece]:
    """The password of `user:password@host`, which has no spaces but where it stands in a value of its own."""
    if "@" not in text:
        return
    for start, end in values:
        found, last = _ACCOUNT.match(text, start, end), text.rfind("@", start, end)
        if found and last > found.end() and "/" not in text[found.end() : last]:
            yield found.end(), last
    for one in re.finditer(r"""[^\s"'<>]+""", text):
        last = one[0].rfind("@")
        colon = one[0].find(":", 0, max(last, 0))
        if colon > 0 and "/" not in one[0][:last]:
            yield one.start() + colon + 1, one.start() + last


def _end(values: Sequence[Piece], at: int) -> int | None:
    """Where the value ends that something stands in; None: in none of these."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle][1] < at:
            low = middle + 1
        else:
            high = middle
    return values[low][1] if low < len(values) and values[low][0] <= at else None


# --- keys -----------------------------------------------------------------------------------------------------------------

_KEY: Final = re.compile(r"""(?<![\w.-])([\w.-]++)["']?(?: *+:(?:\s+|(?=["']))|=(?![=\s~]))""")
_KEY_IN_PROSE: Final = re.compile(
    r"""(?<![\w.-])([\w.-]++)\\?["']?(?: *+:(?:\s+|(?=\\?["']))|(?<![\s"']):(?=[^\s:/\\])|\t+(?=\S)| *+=>?(?![=~])\s*+)"""
)
_OPTION: Final = re.compile(
    r"""(?<![\w.-])(?:--([\w-]+)(?:["']?,\s*|\s+)["']?|(?:-u|--user)(?:["']?,\s*|\s+|(?<=r)=)["']?[\w.-]+:)([^\s"',\]-][^\s"',\]]*)"""
)
"""As programs take them: `--token x`, `-u user:x`."""
_FLOW: Final = re.compile(r"[{\[]")
_ITEMS: Final = re.compile(r"\[([^\[\]{}]*)")
_VALUES: Final = {
    '"': re.compile(r'"(?:[^"\\]|\\.)*"?'), "'": re.compile(r"'(?:[^']|'')*'?"),
    "flow": re.compile(r"(?:[^,}\]#]|(?<!\s)#)+"), "block": re.compile(r"(?:[^#]|(?<!\s)#|#(?!\s|$))+"), "=": re.compile(r"\S+"),
    "prose": re.compile(r"(?:(?i:basic|bearer|digest|negotiate|token|apikey) +)?\S+"),
}  # fmt: skip


def _of_keys(line: str, quoted: Sequence[Piece], *, prose: bool = False) -> Iterator[Piece]:
    secrets: list[Piece] = []
    users: list[Piece] = []
    at, in_flow, within, whole = 0, False, False, False
    while key := (_KEY_IN_PROSE if prose else _KEY).search(line, at):
        in_flow = in_flow or _FLOW.search(line, at, key.end()) is not None
        plain = "prose" if prose else "flow" if in_flow else "block"
        within = within and line.find("}", at, key.start()) < 0
        whole = whole and within
        name, at = key[1], key.end()
        called = credentials.called(name) or (
            within and (credentials.says(name) or (whole and credentials.is_one_of(name)))
        )
        if called and line.startswith("{", at):
            within, whole = True, whole or credentials.several(name)
        to = secrets if called else users if credentials.of_user(name) else None
        if to is None or at == len(line) or (found := _value(line, at, key, quoted, plain)) is None:
            continue
        if prose and called and _is_no_secret(line, key):
            continue
        to.append(found)
        at = found[1] if called else at
    yield from (*secrets, *(users if secrets else ()))
    yield from credentials.spoken(line)
    for option in _OPTION.finditer(line):
        name = option[1] or "password"
        if credentials.called(name) and credentials.is_literal(name, option[2]):
            yield option.span(2)


def _is_no_secret(line: str, key: re.Match[str]) -> bool:
    """Whether what stands behind a key in what a program printed is none by its form. `image/token:1.2` has no key."""
    if key[0].endswith(":") and line[key.start() - 1 : key.start()] in ("/", "@"):
        return True
    return credentials.is_why(key[1], line, key.end(), sentence="=" not in key[0] and key[0][-1:].isspace())


# --- lines of a longer value -------------------------------------------------------------------------------------------------

BACK_MAX: Final = 500
"""So many lines the beginning of a value is looked for."""
_ANY_KEY: Final = re.compile(r"""(?<![\w.-])([\w.-]++)["']?\s*:(?:\s+|$)""")


def _gone_on(lines: Sequence[str], at: int) -> list[Piece]:
    """The whole of a line (from 0) that goes on with a value which a key above calls a secret, or that lies in a private key."""
    if _goes_on(lines, at):
        return [(_indent(lines[at]), len(lines[at]))]
    found = _ANY_KEY.match(lines[at], _indent(lines[at]))
    if found and credentials.is_one_of(found[1]) and credentials.is_literal("", lines[at], found.end()):
        above = (lines[one] for one in range(at - 1, max(-1, at - 1 - BACK_MAX), -1))
        parent = next((one for one in above if one.strip() and _indent(one) < _indent(lines[at])), "")
        key = _ANY_KEY.match(parent, _indent(parent))
        if key and credentials.several(key[1]) and not parent[key.end() :].partition("#")[0].strip():
            return [(found.end(), len(lines[at]))]
    return []


def _goes_on(lines: Sequence[str], at: int) -> bool:
    own, depth = _ANY_KEY.search(lines[at]) is not None, _indent(lines[at])
    for line in (lines[above] for above in range(at - 1, max(-1, at - 1 - BACK_MAX), -1)):
        if not own and "-----END " in line:
            return False
        if not own and "-----BEGIN " in line and "PRIVATE" in line:
            return True
        keys = [*_ANY_KEY.finditer(line)] if not own or _indent(line) < depth else []
        if keys:
            value, deep = line[keys[-1].end() :], _indent(lines[at]) - _indent(line)
            kind = value[:1]
            unclosed = kind in ("'", '"') and not (_VALUES[kind].fullmatch(value) and value.endswith(kind, 1))
            goes = (deep > 0 and (kind in ("|", ">") or not own)) or (
                not own and (unclosed or (not kind and deep == 0))
            )
            return goes and credentials.called(keys[-1][1])
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


# --- leaving out ------------------------------------------------------------------------------------------------------------


def _value(line: str, at: int, key: re.Match[str], quoted: Sequence[Piece], plain: str) -> Piece | None:
    """The value of a key, where it is one as it stands there. `plain`: how one without quotes ends."""
    if (items := _ITEMS.match(line, at)) and credentials.is_literal(key[1], items[1]):
        return items.span(1)
    of_address = key[0].endswith("=") and line[key.start() - 1 : key.start()] in ("?", "&", "#")
    if of_address or not credentials.is_literal(key[1], line, at):
        return None
    kind = line[at] if line[at] in _VALUES else "=" if key[0].endswith("=") else plain
    end = _end(quoted, at) if kind in ("=", "prose") else None
    found = _VALUES[kind].match(line, at, len(line) if end is None else end)
    if found is None:
        return None
    value = found[0].rstrip()
    if kind == "prose" and not any(one in value for one in "([{"):
        value = value.rstrip(",;)]}") or value
    return at, at + len(value)


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
