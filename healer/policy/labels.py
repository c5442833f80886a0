"""What silences, inhibitions and policies go by: labels of an alert, and words about the run itself. Pure.

Matchers are Alertmanager's: `name=value`, `name!=value`, `name=~regex`, `name!~regex`, a regex matches the whole value; a label that
is not there is ''.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import re2

LABELS_MAX: Final = 64
TEXT_MAX: Final = 200
_PLAIN: Final = (str, int, float)
RUN_WORDS: Final = ("rule", "ruleset", "action", "controller", "target", "environment")
"""Names that mean the run and not its alert."""
_MATCHER: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.:-]{0,99})\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
REGEX_MAX: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of a label."""

    name: str
    sign: str
    value: str

    def __str__(self) -> str:
        """What `parse` reads as this one: in quotes where the value alone would be read as another."""
        value = self.value
        bare = value == value.strip() and not value.startswith("~") and _unquoted(value) == value
        return f"{self.name}{self.sign}{value}" if bare else f'{self.name}{self.sign}"{value}"'

    def matches(self, values: Sequence[str]) -> bool:
        """Whether it holds for a label's value; of several (the targets of a run) one is enough, or none that it forbids."""
        hit = any(map(_pattern(self.value), values)) if "~" in self.sign else self.value in values
        return not hit if self.sign[0] == "!" else hit


@functools.lru_cache(2_000)
def _pattern(regex: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(regex, options).fullmatch


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


@functools.lru_cache(10_000)
def parse(text: str) -> Matcher:
    """A matcher from its text. ValueError says what is wrong with it."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f"a matcher like alertname=NodeDown or env=~'prod|stage' is wanted, got {text[:TEXT_MAX]!r}")
    name, sign, value = found.groups()
    value = _unquoted(value)
    if "~" in sign:
        if len(value) > REGEX_MAX:
            raise ValueError(f"a regular expression has at most {REGEX_MAX} characters, got {len(value)}")
        try:
            _pattern(value)
        except re2.error as error:
            said = error.args[0]
            why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            raise ValueError(f"{value[:TEXT_MAX]!r} is no regular expression: {why}") from None
    return Matcher(name, sign, value)


def of_alert(alert: Mapping[str, Any], source: str) -> dict[str, str]:
    """The labels of an event's `alert`, bounded: its own, and what every alert has under one name."""
    given = alert.get("labels")
    made: dict[str, str] = {}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if len(made) >= LABELS_MAX:
            break
        if type(value) is str and type(name) is str:  # as nearly all are
            made[name[:TEXT_MAX]] = value[:TEXT_MAX]
        elif isinstance(value, _PLAIN) and not isinstance(value, bool):
            made[str(name)[:TEXT_MAX]] = str(value)[:TEXT_MAX]
    for name, key in (("alertname", "name"), ("severity", "severity"), ("target", "target")):
        if isinstance(value := alert.get(key), str):
            made.setdefault(name, value[:TEXT_MAX])
    made["source"] = source
    return made


def all_match(matchers: Sequence[Matcher], labels: Mapping[str, str], words: Mapping[str, Sequence[str]]) -> bool:
    """Whether every matcher holds for labels, and for the words of a run (`RUN_WORDS`), which go before labels of that name."""
    return all(one.matches(words.get(one.name) or (labels.get(one.name, ""),)) for one in matchers)


@dataclasses.dataclass(frozen=True, slots=True)
class Silence:
    """What holds nothing to be done about some alerts or runs, for a time (µs of the wall clock)."""

    id: str
    matchers: tuple[Matcher, ...]
    from_us: int
    until_us: int
    who: str
    comment: str


@dataclasses.dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert with the labels `source` fires, what has those of `target` and equal values of `equal` is explained by it."""

    source: tuple[tuple[str, str], ...]
    target: tuple[tuple[str, str], ...]
    equal: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Names it in the store."""
        return repr((self.source, self.target, self.equal))

    def shared(self, labels: Mapping[str, str]) -> str:
        """The values that source and target have to share, as one text."""
        return repr([labels.get(name, "") for name in self.equal])

    def explains(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels explains others."""
        return all(labels.get(name, "") == value for name, value in self.source)

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels may be explained."""
        return all(labels.get(name, "") == value for name, value in self.target)
