"""What stands in a request's query: limits, cursors, times, words. Used by the handlers of lists.

Every mistake is an `errors.InvalidField` that names the parameter. A parameter that a route does not know is refused too: a
misspelt filter would otherwise list everything.
"""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Collection
from typing import Any, Final

import orjson
from aiohttp import web

from healer import errors, model, units

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500
TEXT_MAX: Final = 1024
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)


class Query:
    """The parameters of a request; `known` are those that the route takes."""

    def __init__(self, request: web.Request, *known: str) -> None:
        self._values: dict[str, str] = {}
        for name, value in request.query.items():
            if name not in known:
                detail = (
                    f"not known here; known: {', '.join(known)}" if known else "not known here: nothing is asked for"
                )
                raise errors.InvalidField(errors.nearest(name, known), field=name[:80], detail=detail)
            if name in self._values:
                raise errors.InvalidField(field=name, detail="it is given twice")
            if len(value) > TEXT_MAX or "\0" in value or not value.isprintable():
                raise errors.InvalidField(
                    field=name, detail=f"a text of at most {TEXT_MAX} printable characters is wanted"
                )
            self._values[name] = value

    def has(self, name: str) -> bool:
        """Whether it is given, be it empty."""
        return name in self._values

    def text(self, name: str) -> str:
        """The value, '' where it is not given."""
        return self._values.get(name, "")

    def word(self, name: str, known: Collection[str]) -> str:
        """One of the known words, or ''."""
        value = self.text(name)
        if value and value not in known:
            raise errors.InvalidField(
                errors.nearest(value, known),
                field=name,
                detail=f"one of {', '.join(known)} is wanted, got {value[:80]!r}",
            )
        return value

    def words(self, name: str, known: Collection[str]) -> tuple[str, ...]:
        """Known words with commas between them."""
        values = tuple(word.strip() for word in self.text(name).split(",") if word.strip())
        for value in values:
            if value not in known:
                raise errors.InvalidField(
                    errors.nearest(value, known),
                    field=name,
                    detail=f"words of {', '.join(known)} are wanted, got {value[:80]!r}",
                )
        return values

    def flag(self, name: str) -> bool:
        """`?name`, `?name=1`, `?name=true`."""
        if name not in self._values:
            return False
        value = self._values[name].lower()
        if value not in ("", "1", "true", "0", "false"):
            raise errors.InvalidField(field=name, detail=f"1 or 0 is wanted, got {value[:80]!r}")
        return value in ("", "1", "true")

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int | None:
        """A whole number within bounds."""
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and low <= int(value) <= high):
            raise errors.InvalidField(field=name, detail=f"a number from {low} to {high} is wanted, got {value[:80]!r}")
        return int(value)

    def limit(self) -> int:
        """How many items a page has."""
        return self.number("limit", 1, LIMIT_MAX) or LIMIT_DEFAULT

    def time_us(self, name: str, now_us: int) -> int | None:
        """A time as ISO 8601 with its zone, or a span back from now (`2h`, `5 minutes`); microseconds."""
        value = self.text(name)
        if not value:
            return None
        try:
            return max(0, now_us - round(min(units.duration_s(value), 1e9) * 1e6))
        except ValueError:
            pass
        try:
            at = datetime.datetime.fromisoformat(value.replace(" ", "+") if value.count(":") > 2 else value)
            if at.tzinfo is not None:
                return max(0, (at - _EPOCH) // _MICROSECOND)
        except (ValueError, OverflowError):
            pass
        detail = f"a time with zone like 2026-01-31T08:00:00Z or a span back like 2h is wanted, got {value[:80]!r}"
        raise errors.InvalidField(field=name, detail=detail)

    def after(self, *kinds: type) -> tuple[Any, ...] | None:
        """The cursor of the page before, made by `cursor`; its parts have these types."""
        value = self.text("after")
        if not value:
            return None
        try:
            parts = orjson.loads(base64.urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4)))
        except (binascii.Error, ValueError):
            parts = None
        if (
            not isinstance(parts, list)
            or [type(part) for part in parts] != list(kinds)
            or any(isinstance(part, int) and abs(part) >= 1 << 62 for part in parts)
        ):
            raise errors.InvalidField(field="after", detail="that is no cursor of this list; take it from `next`")
        return tuple(parts)


def cursor(*parts: Any) -> str:
    """Where a page ended, as a text without meaning to others."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode("ascii").rstrip("=")


def iso(at_us: int | None) -> str | None:
    """Microseconds as ISO 8601 in UTC."""
    return None if at_us is None else model.iso(at_us)
