"""What `check:` says, as an action and in `verify`: one check with its options, in which parameters have places. Caller: `project`.

Which checks there are depends on the project, so that this is asked once its folder is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from healer import config, errors, plugins, wording
from healer.catalog import filling

Find = Callable[[str], type[plugins.Check]]
"""`plugins.check` for a project."""
_KNOWN: Final = "a file of checks/"


def check(document: config.Document, find: Find, value: Any, at: config.Mark | None) -> None:
    """Say what is wrong with one check as it is written. What a parameter fills is known when it looks."""
    if not isinstance(value, config.Map) or len(value) != 1:
        return  # which is told with the shape that it stands in
    ((name, options),) = value.items()
    if not isinstance(name, str) or not isinstance(options, config.Map | None):
        return
    named = value.keys_at.get(name, at)
    try:
        plugin = find(name)
    except plugins.UnknownPlugin as error:
        near = error.try_ or f"known: {', '.join(plugins.builtin_names('checks'))}, or {_KNOWN}"
        document.error("unknown-check", error.message, named, near)
        return
    except errors.HealerError as error:
        document.error(error.code, error.message, named, error.try_)
        return
    later = [mark for text, mark in _texts(options, named) if _has_place(text)]
    plugins.check_options(document, plugin.Options, options, named, f"the check {wording.shown(name)}", later)


def templates(document: config.Document, value: Any, at: config.Mark | None) -> None:
    """Say which templates in a check are no places of parameters, where no action says which parameters there are."""
    for text, mark in _texts(value, at):
        try:
            list(filling.names(text))
        except ValueError as error:
            document.error("template", str(error), mark)


def _has_place(text: str) -> bool:
    try:
        return any(filling.names(text))
    except ValueError:  # which is told as a mistake of its own
        return True


def _texts(value: Any, at: config.Mark | None) -> Iterator[tuple[str, config.Mark | None]]:
    """The texts in a value, however deep, and where they stand."""
    if isinstance(value, str):
        yield value, at
    elif isinstance(value, config.Map):
        for key, inner in value.items():
            yield from _texts(inner, value.values_at.get(key, at))
    elif isinstance(value, config.Seq):
        for inner, where in zip(value, value.items_at, strict=True):
            yield from _texts(inner, where)
