"""A body and the objects in it, each with its path, asked for by name: what is wrong is told with where it stands.

Used by the formats beside this file. Words that decide something are read strictly (`text`, `word`); what only adorns an alert is taken as
far as it is there (`line`, `when`, `objects`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from healer import errors
from healer.formats import _words

_ID: Final = re.compile(r"[ -~]{1,256}")
"""What may stand as the id of a delivery."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """An object of a body. `path` is '' for the body itself, else `data.essentials` or `[0].data`."""

    path: str
    values: Mapping[str, Any]

    def at(self, name: str) -> str:
        """The path of one of its values."""
        return f"{self.path}.{name}" if self.path else name

    def part(self, name: str) -> Part:
        """The object of that name, an empty one for null and nothing. Raises `errors.InvalidField`."""
        value = self.values.get(name)
        return Part(self.at(name), {} if value is None else _words.an_object(self.at(name), value))

    def wanted(self, name: str) -> Part:
        """The object of that name. Raises `errors.InvalidField`, also where nothing is there."""
        value = self.values.get(name)
        if value is None:
            raise errors.InvalidField(field=self.at(name), detail="an object is wanted, got nothing")
        return Part(self.at(name), _words.an_object(self.at(name), value))

    def text(self, name: str) -> str:
        """A name of bounded length; '' for null. Raises `errors.InvalidField`."""
        return str(_words.text(self.at(name), self.values.get(name)))

    def needed(self, name: str) -> str:
        """As `text`, and not empty. Raises `errors.InvalidField`."""
        found = self.text(name)
        if not found:
            raise errors.InvalidField(field=self.at(name), detail="text is wanted, got nothing")
        return found

    def word(self, *names: str) -> str:
        """The first of the named values that is not empty, a text or a whole number; '' for none. Raises `errors.InvalidField`."""
        for name in names:
            value = self.values.get(name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            found = str(value) if whole else self.text(name)
            if found:
                return found
        return ""

    def line(self, *names: str) -> str:
        """The first of the named values that is a text or a whole number and not empty, of any length; else ''."""
        return str(_words.first(self.values, names))

    def when(self, *names: str) -> Any:
        """The first of the named values that may be a time, as it is: a text that is not empty, or a number; else ''."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, str) and 0 < len(value) <= _words.TEXT_MAX:
                return value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return value
        return ""

    def objects(self, name: str) -> list[Part]:
        """The objects in the list of that name; none where there is no list."""
        value = self.values.get(name)
        found = enumerate(value) if isinstance(value, list) else ()
        return [Part(f"{self.at(name)}[{index}]", one) for index, one in found if isinstance(one, Mapping)]

    def flat(self, *names: str) -> dict[str, str]:
        """Those of the named values that are texts or whole numbers and not empty, as texts: for labels."""
        found: dict[str, str] = _words.flat({name: self.values.get(name) for name in names})
        return found


def whole(body: Any) -> Part:
    """The body. Raises `errors.NotAnObject`."""
    return Part("", _words.an_object("body", body))


def alert(key: str, **found: Any) -> dict[str, Any]:
    """`event.alert` with all of its words; those that are not named say nothing. Raises `errors.InvalidField` for a name or a target that
    is too long to be one."""
    made = {
        "name": "", "target": "", "status": "event", "severity": "unknown", "severity_raw": "", "key": _words.key(key), "started_at": "",
        "summary": "", "link": "", "labels": {},
    } | found  # fmt: skip
    for word in ("name", "target"):
        _words.text(f"alert.{word}", made[word])
    return made


def delivery(*parts: str) -> str:
    """The parts, none of them empty, as the id of a delivery: `a#b`; a hash of it where it could not be one. '' where a part is missing."""
    made = "#".join(parts)
    if not all(parts):
        return ""
    return made if _ID.fullmatch(made) else _words.digest(made)
