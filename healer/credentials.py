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
    for one in _COMPARED.finditer(line):
        if one.lastindex and called(one[1]):
            yield one.span(one.lastindex)
    for one in _COMPARED_TO.finditer(line):
        if called(one[3]):
            yield one.span(1 if one[1] is not None else 2)


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
