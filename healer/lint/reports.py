"""Diagnostics as other programs take them: annotations of GitHub, a code quality report of GitLab. `sarif` has its own.

Sources: docs.github.com "Workflow commands" (escapes), docs.gitlab.com "Code Quality" (the fields that it needs). Nothing is printed here.
"""

from __future__ import annotations

import collections
import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from healer import errors

_GITHUB: Final = {"error": "error", "warning": "warning", "hint": "notice"}
_GITLAB: Final = {"error": "major", "warning": "minor", "hint": "info"}
_PLACES: Final = re.compile(r":\d+(:\d+)?(?=\W|$)")
"""Places in a message move when lines are added above them."""


def path_of(one: errors.Diagnostic, prefix: str) -> str:
    """The file as the repository has it. `prefix`: the folder of the project in that, '' for the repository itself."""
    return posixpath.normpath(posixpath.join(prefix, one.place.file)) if one.place.file else prefix or "."


def github(told: Iterable[errors.Diagnostic], prefix: str = "") -> Iterator[str]:
    """A line for each, that a step of a workflow prints."""
    for one in told:
        fields = {"file": path_of(one, prefix)}
        if one.place.line:
            fields["line"] = str(one.place.line)
        if one.place.line and one.place.column:
            fields |= {"col": str(one.place.column), "endColumn": str(one.place.column + max(1, one.width))}
        fields["title"] = f"healer: {one.code}"
        words = ",".join(f"{key}={_property(value)}" for key, value in fields.items())
        yield f"::{_GITHUB[one.severity]} {words}::{_data(message(one))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def message(one: errors.Diagnostic) -> str:
    """What is told with what to do."""
    return f"{one.message} – {one.try_}" if one.try_ else one.message


def gitlab(told: Iterable[errors.Diagnostic], prefix: str = "") -> list[dict[str, Any]]:
    """The report, a JSON list."""
    told = list(told)
    return [
        {
            "description": message(one), "check_name": one.code, "fingerprint": fingerprint, "severity": _GITLAB[one.severity],
            "location": {"path": path_of(one, prefix), "lines": {"begin": max(1, one.place.line)}},
        }
        for one, fingerprint in zip(told, fingerprints(told, prefix), strict=True)
    ]  # fmt: skip


def fingerprints(told: Iterable[errors.Diagnostic], prefix: str = "") -> list[str]:
    """A name for each that stays the same when its line moves: made of its code, file, words, and the text of the line."""
    seen = collections.Counter[str]()
    made = []
    for one in told:
        parts = (one.code, path_of(one, prefix), _PLACES.sub("", one.message), one.text.strip())
        base = "\0".join(parts)
        seen[base] += 1
        made.append(hashlib.sha256(f"{base}\0{seen[base]}".encode("utf-8", "surrogatepass")).hexdigest())
    return made
