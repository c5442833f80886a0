"""Diagnostics as SARIF 2.1.0 (OASIS, docs.oasis-open.org/sarif/sarif/v2.1.0), for code scanning: one run, a rule for each code.

Columns count Unicode code points, which is said (`columnKind`): ours do, and SARIF's default are UTF-16 units.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from typing import Any, Final

import healer
from healer import errors
from healer.lint import codes, reports

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {"error": "error", "warning": "warning", "hint": "note"}
_ROOT: Final = "%SRCROOT%"


def log(told: Iterable[errors.Diagnostic], prefix: str = "") -> dict[str, Any]:
    """The log, a JSON object."""
    told = list(told)
    names = sorted({one.code for one in told})
    places = {name: index for index, name in enumerate(names)}
    results = [
        _result(one, places[one.code], prefix) | {"partialFingerprints": {"healer/v1": fingerprint}}
        for one, fingerprint in zip(told, reports.fingerprints(told, prefix), strict=True)
    ]
    driver = {"name": "healer", "version": healer.__version__, "rules": [_rule(name) for name in names]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, Any]:
    known = codes.TABLE.get(name)
    if known is None:
        return {"id": name}
    text = f"{known.what[:1].upper()}{known.what[1:]}. What to do: {known.do}."
    return {
        "id": name, "shortDescription": {"text": known.what}, "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[known.severity]}, "properties": {"tags": [known.area]},
    }  # fmt: skip


def _result(one: errors.Diagnostic, rule: int, prefix: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ruleId": one.code, "ruleIndex": rule, "level": _LEVELS[one.severity], "message": {"text": reports.message(one)},
    }  # fmt: skip
    if not one.place.file:
        return made
    uri = urllib.parse.quote(reports.path_of(one, prefix))
    where: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT}}
    if one.place.line:
        where["region"] = {"startLine": one.place.line}
    if one.place.line and one.place.column:
        where["region"] |= {"startColumn": one.place.column, "endColumn": one.place.column + max(1, one.width)}
    return made | {"locations": [{"physicalLocation": where}]}
