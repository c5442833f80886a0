"""Loads a rulebook for a test: a path, YAML text, or a loaded list. Callers: `replaying` and tests."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from healer import config, engine, errors, rulebook

Rulebook = str | os.PathLike[str] | Sequence[Any]


def load(book: Rulebook, variables: Mapping[str, Any] | None = None) -> list[engine.Compiled]:
    """The compiled rulesets of a rulebook.

    `book` is a path, YAML text (a string with a line break, or one that is no path to a file), or a loaded list. No action is run. Raises
    `errors.ConfigurationError` with every mistake in it.
    """
    document = _document(book)
    rulesets = rulebook.parse(document, variables or {})
    if not document.ok:
        raise errors.ConfigurationError(document.diagnostics)
    return [engine.compile(ruleset) for ruleset in rulesets]


def _document(book: Rulebook) -> config.Document:
    if isinstance(book, str):
        if "\n" not in book and not book.lstrip().startswith(("[", "-")):
            return config.read_file(pathlib.Path(book), book, twice="warning")
        return config.read_text(book, "<text>", twice="warning")
    if isinstance(book, os.PathLike):
        path = pathlib.Path(book)
        return config.read_file(path, str(path), twice="warning")
    text = yaml.safe_dump(_plain(book), sort_keys=False, allow_unicode=True, width=1 << 20)
    return config.read_text(text, "<list>", twice="warning")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
