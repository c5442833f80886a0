"""What keys call a secret, however they are spelt: `db.password`, `X-Auth-Token`, `apikey`, `pasword`. Pure.

Callers: `quoting`, `config` and `wording`, so that no message repeats such a value, also where the key is not known to whatever reads it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Mark = tuple[int, int, int]
"""As `config.Mark`."""
NAME_MAX: Final = 100
TEXT_MIN: Final = 4
"""A shorter one may be a part of any sentence."""
TEXTS_MAX: Final = 500
"""Of more of them a sentence is rid of those alone that stand in it in quotes."""
_QUOTED: Final = re.compile(r"""(?<=['"])[^'"]+(?=['"])""")

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SAY: Final = frozenset(("value", "text", "plain", "plaintext", "literal", "raw", "string", "base"))
"""May stand behind what a key is about."""
_CALLED: Final = frozenset(
    ("pass", "passwd", "paswd", "pwd", "psw", "pw", "psk", "tkn", "jwt", "otp", "auth", "basic", "pin", "pat")
)
_KEYS_OF: Final = frozenset((
    "api", "private", "secret", "access", "signing", "encryption", "master", "license", "subscription", "function", "functions",
    "application", "app", "auth", "account", "shared", "storage", "deploy", "hmac", "integration",
))  # fmt: skip
"""Before `key`, which alone may be anything."""
_ENDING: Final = (
    "password", "passwd", "passphrase", "token", "secret", "apikey", "privatekey", "credential", "credentials", "kubeconfig",
    "authorization", "sessionid", "sessid",
)  # fmt: skip
_MISSPELT: Final[Mapping[str, int]] = {
    "token": 1, "secret": 1, "bearer": 1, "cookie": 1, "apikey": 1, "privatekey": 1, "secretkey": 1, "accesskey": 1, "passcode": 1,
    "kubeconfig": 1, "password": 2, "passphrase": 2, "credential": 2, "authorization": 2,
}  # fmt: skip
"""How many letters of each may be wrong, missing, too many or exchanged with the next."""
_WORDS: Final = frozenset(
    ("taken", "woken", "wearer", "nearer", "hearer", "beaker", "beater", "rookie", "passport", "paraphrase")
)
"""Are near to one of these, and mean something else."""
_SEVERAL: Final = frozenset(("tokens", "secrets", "passwords", "passphrases", "credentials", "creds"))
_ABOUT: Final = frozenset((
    "type", "description", "title", "required", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "env", "file", "name", "label",
))  # fmt: skip
"""Keys in a mapping of secrets that say something about them."""
_USERS: Final = frozenset(("user", "username", "login"))
_NOTHING: Final = re.compile(
    r"""["']?(?:env:|file:|\{\{)|[{\[&*!|>]|["']?(?:null|true|false|yes|no|none|~)?["']?\s*(?:[,}\]#]|$)"""
)
"""Begins what says nothing itself: a reference, a mapping, nothing at all."""
_WAY: Final = re.compile(
    r"""["']?(?i:none|off|anonymous|disabled|basic|bearer|digest|hmac|jwt|ntlm|kerberos|oauth2?|oidc|open|optional|required|token)\b"""
)
"""Begins how somebody is known, which `auth` may say."""


def called(key: str) -> bool:
    """Whether a key calls its value a secret, also where it is misspelt."""
    return _called(key[-NAME_MAX:])


def called_by(path: Sequence[int | str]) -> bool:
    """Whether the last key of those that lead to a value calls it a secret; positions in a list are none."""
    return called(next((one for one in reversed(path) if isinstance(one, str)), ""))


@functools.lru_cache(maxsize=4096)
def _called(key: str) -> bool:
    words = [one.lower() for one in _PARTS.findall(key)]
    while len(words) > 1 and words[-1] in _SAY:
        words.pop()
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _CALLED or last.endswith(_ENDING) or (last in ("key", "keys") and before in _KEYS_OF):
        return True
    if (before, last) == ("session", "id"):
        return True
    if last not in _WORDS and any(_is_near(last, known, wrong) for known, wrong in _MISSPELT.items()):
        return True
    ends = ["".join(words[-count:]) for count in (2, 3) if count <= len(words)]
    return any(_is_near(end, known, 1) for end in ends for known in _MISSPELT)


def several(key: str) -> bool:
    """Whether a key is of a mapping of names to secrets."""
    words = [one.lower() for one in _PARTS.findall(key[-NAME_MAX:])]
    return bool(words) and (
        words[-1] in _SEVERAL or (words[-1] == "keys" and {*words[-2:-1]} <= _KEYS_OF and len(words) > 1)
    )


def is_one_of(key: str) -> bool:
    """Whether a key in such a mapping names a secret, and says nothing about them."""
    return key not in _ABOUT


def says(key: str) -> bool:
    """Whether a key in the mapping of a secret says that its value is the secret."""
    return key in _SAY or key in ("default", "const")


def of_user(key: str) -> bool:
    """Whether a key names somebody, who is left out beside a secret."""
    return bool(_USERS & {*_PARTS.findall(key[-NAME_MAX:].lower())[-1:]})


def _is_near(word: str, known: str, wrong: int) -> bool:
    """Whether a word is another one but for so many letters (optimal string alignment)."""
    if abs(len(word) - len(known)) > wrong:
        return False
    before: list[int] = []
    row = [*range(len(known) + 1)]
    for i, one in enumerate(word, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(known, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (one != other))
            if i > 1 and j > 1 and one == known[j - 2] and word[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return bool(row[-1] <= wrong)


def is_literal(key: str, text: str, at: int = 0) -> bool:
    """Whether what stands there, as the value of a key that calls it a secret, may be the secret itself."""
    way = key.lower().endswith("auth") and _WAY.match(text, at)
    return not way and not _NOTHING.match(text, at)


_BY_PROGRAM: Final = re.compile(
    r"""(?<![\w.-])(?:(?:mysql\w*|mariadb[\w-]*)\b.{0,200}?[\s"',]-p|sshpass["']?,?\s+["']?-p["',]*\s*"""
    r"""|(?:docker|podman|oc|skopeo|helm)["']?,?\s+["']?login\b.{0,200}?[\s"',]-p["',]*\s+|redis-cli\b.{0,200}?[\s"',]-a["',]*\s+)"""
    r"""(?:"([^"]*)"|'([^']*)'|["']?([^\s"',\]]+))"""
)
"""As these take a password, in short."""
_COMPARED: Final = re.compile(
    r"""(?<![\w.-])([\w.-]++)["'\])]*+(?:\s*[=!]=\s*\\?(?:"([^"\\]*)|'([^']*)|(\d[\w.]*))"""
    r"""|\s+(?:not\s+)?in\s*\[([^\]]{0,200})|\s+is\s+(?:not\s+)?(?:match|search|regex)\s*\(([^)]{0,200}))"""
)
_COMPARED_TO: Final = re.compile(r"""(?:"([^"]*)"|'([^']*)')\s*[=!]=\s*([\w.\-\["'\]]++)""")


def spoken(line: str) -> Iterator[tuple[int, int]]:
    """Where a password stands in a command of these, and what a condition compares with a field that is called a secret."""
    for one in _BY_PROGRAM.finditer(line):
        value = one[one.lastindex or 0]
        if is_literal("password", value) and not value.startswith("$"):
            yield one.span(one.lastindex or 0)
    for one in _IN_COMMANDS.finditer(line):
        value = one[one.lastindex or 0]
        if is_literal("password", value) and not value.startswith("$"):
            yield one.span(one.lastindex or 0)
    for one in _ELEMENT.finditer(line):
        if called(one[1]) and is_literal(one[1], one[2]):
            yield one.span(2)
    for one in _COMPARED.finditer(line):
        if one.lastindex and called(one[1]):
            yield one.span(one.lastindex)
    for one in _COMPARED_TO.finditer(line):
        if called(one[3]):
            yield one.span(1 if one[1] is not None else 2)


_ELEMENT: Final = re.compile(r"<([\w:.-]{1,100})(?:\s[^<>]{0,200})?>([^<>]+)</")
_IN_COMMANDS: Final = re.compile(
    r"""(?<![\w.-])(?:curl\b.{0,200}?[\s"',]-u["',]*\s*["']?[\w.-]+:([^\s"',\]]+)|ldap\w+\b.{0,200}?[\s"',]-w["',]*\s*([^\s"',\]]+)"""
    r"""|smbclient\b.{0,200}?[\s"',]-U["',]*\s*["']?[\w.\\-]+%([^\s"',\]]+)|-pass(?:in|out)["',]*\s+["']?pass:([^\s"',\]]+)"""
    r"""|echo\s+["']?[\w.-]+:([^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd|login\s+[^\s"']+\s+password\s+([^\s"']+)"""
    r"""|(?i:identified\s+by|password)\s+'([^']+)')"""
)
"""As others take one, and SQL and `.netrc`."""
_ALONE: Final = "expired|invalid|missing|required|denied|rejected|unauthorized|forbidden|revoked|unset|empty|incorrect"
_WITH_MORE: Final = (
    "permission|connection|no|not|none|wrong|unknown|failed|failure|refused|unexpected|too|cannot|could|bad|is|was|must|should|has|unable|malformed"
    "|authentication|access|dial|exec|open|read|get|post|put|lookup|error|timeout|timed|yes"
)
_WHY: Final = re.compile(rf"""["']?(?i:(?:{_ALONE})(?=[\s,.;:)"'!]|$)|(?:{_WITH_MORE})(?=[:,;)]|\s+\S))""")
_STATUS: Final = re.compile(r"[1-5]\d\d(?= (?:[A-Z]|\d\.))")
_FILE: Final = re.compile(
    r"""["']?(?:(?:~|\.{1,2})/[\w.]|/(?:run|etc|var|home|root|opt|srv|usr|tmp|mnt|data|proc|secrets|app)/)[\w./-]*(?=[\s,;:)"']|$)"""
)
_COUNT: Final = re.compile(r"\d{1,7}(?![\w.+/=-])")
_COUNTED: Final = re.compile(r"(?i)\bfail|\bof \d")


def is_why(key: str, line: str, at: int, *, sentence: bool) -> bool:
    """Whether what a program says behind such a key is no secret by its form: a file, a count, in a sentence also why something failed."""
    words = [one.lower() for one in _PARTS.findall(key[-NAME_MAX:])]
    last = words[-1] if words else ""
    if _FILE.match(line, at):
        return True
    if _COUNT.match(line, at) and (
        last == "tokens" or (last == "pass" and _COUNTED.search(line, max(0, at - 100), at + 100))
    ):
        return True
    status = last not in ("pin", "otp") and _STATUS.match(line, at)
    return sentence and bool(status or _WHY.match(line, at))


class Written:
    """Secrets that stand as they are in what was read of a file (`config.Map`, `config.Seq`), and the users beside them. `marks`: where."""

    def __init__(self, value: Any) -> None:
        self.marks: list[Mark] = []
        self._keys: set[Mark] = set()
        self._texts: set[str] = set()
        waiting = [value]
        while waiting:
            found = waiting.pop()
            if isinstance(found, dict) and hasattr(found, "values_at"):
                waiting += found.values()
                self._look_at(found)
            elif isinstance(found, list):
                waiting += found

    def left_out(self, said: str, mark: Mark | None, mask: str) -> str:
        """What is said without them. `mark`: what it is said of, of which nothing is told as got where it is one of them."""
        if mark in self._keys:
            said = said.partition(", got ")[0]
        many = len(self._texts) > TEXTS_MAX  # looked for one by one they would take long
        for text in self._texts.intersection(_QUOTED.findall(said)) if many else self._texts:
            if text in said:
                said = said.replace(text, mask)
        return said

    def _look_at(self, found: Any) -> None:
        keys = [key for key in found if isinstance(key, str)]
        count = len(self.marks)
        named = isinstance(found.get("name"), str) and called(found["name"])  # of a list of variables
        for key in keys:
            if called(key) or (named and says(key)):
                self._take(found, key)
        if len(self.marks) > count:
            for key in keys:
                if of_user(key):
                    self._take(found, key)

    def _take(self, found: Any, key: str) -> None:
        """Of a list its texts and numbers, and of a mapping what says that it is the value."""
        value: Any = found[key]
        marks: Any = getattr(value, "items_at", None) or getattr(value, "values_at", None)
        taken: list[tuple[Any, Any]] = [(value, found.values_at.get(key))]
        if isinstance(value, list):
            taken = [*zip(value, marks or (), strict=True)]
        elif isinstance(value, dict):
            whole = several(key)
            taken = [(value[one], marks.get(one)) for one in value if says(one) or (whole and is_one_of(one))]
        for one, mark in taken:
            if isinstance(one, str | int | float) and not isinstance(one, bool) and is_literal(key, str(one)):
                self.marks.append(mark)
                self._keys |= {mark, found.keys_at.get(key)}
                self._texts |= {text for text in (str(one), repr(one)[1:-1]) if len(text) >= TEXT_MIN}


# --- private keys ---------------------------------------------------------------------------------------------------------

BLOCK_MAX: Final = 64 << 10
"""So many characters lie between the two lines of one key at most."""
_OF_KEY: Final = re.compile(
    r"(?P<begin>-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|\bPrivate-Lines: \d+)"
    r"|(?P<end>-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5})|(?P<masked>\*{3}(?!\*))|(?=b3BlbnNzaC1rZXktdjE)"
)
"""PEM (RFC 7468), PuTTY's own, what another mask left of either line, and how what ssh-keygen writes begins."""
_GAP: Final = re.compile(r"""(?:\\+[nrt]|[\s"',|>*]|(?:(?<=\n)|(?<=\\n))[+-]|[+-](?=\s))*+""")
"""What may stand between lines of a key: line ends, also written out, what a difference has before each line, quotes."""
_BODY: Final = re.compile(r"""([A-Za-z0-9+/=]+)(?=[\s\\"',|<*]|$)|(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\"']*""")
_PIECE: Final = re.compile(r"""[^\s\\"',|>*]+""")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=]+")
_IN_BASE64: Final = re.compile(r"\bLS0tLS1CRUdJTi(?!BDRVJU|BQVUJM)[A-Za-z0-9+/=_-]*")
"""A key in base64 once more, as a Secret of Kubernetes has it; not of certificates and public keys."""


def private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Where bodies of private keys stand in a text of many lines, also where it was cut off, and where another mask took the line that
    begins or ends one."""
    marks = [*_OF_KEY.finditer(text)]
    ends: list[int | None] = [None] * len(marks)
    after: int | None = None
    for number in range(len(marks) - 1, -1, -1):
        ends[number] = after
        if marks[number].lastgroup in ("begin", "end"):
            after = number
    at = 0
    for one, closed_by in zip(marks, ends, strict=True):
        if one.start() < at:
            continue
        end = marks[closed_by] if closed_by is not None else None
        if one.lastgroup == "end":
            yield _before(text, max(at, one.start() - BLOCK_MAX), one.start()), one.start()
            at = one.end()
        elif (
            one.lastgroup == "begin"
            and end is not None
            and end.lastgroup == "end"
            and end.start() - one.end() <= BLOCK_MAX
        ):
            yield one.end(), end.start()
            at = end.end()
        else:
            start, last, at = _behind(text, one.end(), headed=one.lastgroup == "begin")
            yield start, last
    yield from (one.span() for one in _IN_BASE64.finditer(text))


def _behind(text: str, at: int, *, headed: bool) -> tuple[int, int, int]:
    """(from, to) of the lines of a key that stand from `at` on, and how far was looked. `headed`: its headers may come first."""
    start = last = -1
    while True:
        at = _gap(text, at)
        found = _BODY.match(text, at)
        token = found[1] if found else None
        if found is None or (token is None and not headed):
            break
        if token is not None and not _is_body(token):
            if start >= 0 and _is_last(token):
                last = at = found.end()
            break
        start, last, at = (at if start < 0 else start), found.end(), found.end()
    return max(start, 0), max(last, 0), at


def _before(text: str, low: int, end: int) -> int:
    """Where the lines of a key begin that stand before its last line; `end` where there are none."""
    start, tail = end, True
    for piece in reversed([*_PIECE.finditer(text, low, end)]):
        written_out = text[max(low, piece.start() - 1)] == "\\" and piece[0][0] in "nrt"
        token = piece[0][written_out:]
        if not token.strip("+-"):
            continue
        if not _BASE64.fullmatch(token.lstrip("-")) or not (_is_body(token) or (tail and _is_last(token))):
            break
        start, tail = (piece.start() + written_out if _is_body(token) else start), False
    return start


def _gap(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at


def _is_body(token: str) -> bool:
    """Whether it may be a whole line of a key: long, of all kinds of letters, and no path."""
    kinds = any(map(str.isupper, token)) and any(map(str.islower, token)) and any(map(str.isdigit, token))
    return len(token) >= 16 and kinds and not token.startswith("/")


def _is_last(token: str) -> bool:
    return token.endswith("=") or (len(token) >= 8 and len(token.lstrip("+-")) % 4 == 0)
