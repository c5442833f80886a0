"""`validate.severity` and `validate.ignore_paths` of healer.yaml over what was told. Errors stay what they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from healer import config, errors, model, project
from healer.lint import codes
from healer.lint.scope import Told


def apply(told: Iterable[errors.Diagnostic], settings: project.Settings) -> list[errors.Diagnostic]:
    """What is left of it, each as serious as it is to be."""
    wanted, paths = settings.validated.severity, settings.validated.ignore_paths
    return [made for one in told if (made := _judged(one, wanted.get(one.code), paths)) is not None]


def _judged(one: errors.Diagnostic, wanted: str | None, paths: Iterable[str]) -> errors.Diagnostic | None:
    if one.severity == "error":
        return one
    if wanted == "off" or any(model.like(one.place.file, path) for path in paths):
        return None
    return one if wanted in (None, one.severity) else dataclasses.replace(one, severity=wanted)  # type: ignore[arg-type]


def mistakes(document: config.Document | None, told: Told) -> None:
    """Tell of codes that there are not, and of errors that somebody would like to be less; and of two checks with one name."""
    value = document.value if document is not None else None
    section = value.get("validate") if isinstance(value, config.Map) else None
    if document is None or not isinstance(section, config.Map):
        return
    for name, mark in _twice(section.get("checks")):
        told.tell(document, "duplicate-name", f"the check {name!r} is there twice", mark, "another name")
    listed = section.get("severity")
    for code, wanted in listed.items() if isinstance(listed, config.Map) else ():
        if not isinstance(code, str) or not isinstance(listed, config.Map):
            continue
        mark, known = listed.keys_at.get(code), codes.TABLE.get(code)
        if known is None:
            message = f"no diagnostic has the code {code!r}"
            told.tell(document, "unknown-code", message, mark, errors.nearest(code, codes.TABLE))
        elif known.severity == "error" and not known.also and wanted != "error":
            message = f"{code} is an error, which cannot be lowered"
            told.tell(document, "ignored-error", message, listed.values_at.get(code), "take it out")


def _twice(checks: object) -> Iterator[tuple[str, config.Mark | None]]:
    seen = set[str]()
    for one in checks if isinstance(checks, config.Seq) else ():
        name = one.get("name") if isinstance(one, config.Map) else None
        if isinstance(name, str) and name in seen:
            yield name, one.values_at.get("name")
        elif isinstance(name, str):
            seen.add(name)
