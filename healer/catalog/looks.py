"""What `check:` says, as an action and in `verify`: one check with its options, in which parameters have places.

Callers: `project`, since which checks there are depends on it, and `dispatch`, which fills the places. What is put into an address is data
of its path and query, as in `http:` of an action: no event chooses where the daemon asks.
"""

from __future__ import annotations

import json
import math
import re
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from healer import config, errors, model, plugins, urls, wording
from healer.catalog import filling, requests

Find = Callable[[str], type[plugins.Check]]
"""`plugins.check` for a project."""
_KNOWN: Final = "a file of checks/"
_HOST: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+[/?#].*", re.DOTALL)
_BEHIND: Final = re.compile(r"[?#]")
"""What ends the path of an address."""


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
    later, what = (
        [mark for text, mark in _texts(options, named) if _has_place(text)],
        f"the check {wording.shown(name)}",
    )
    plugins.check_options(document, plugin.Options, options, named, what, later)
    for key in plugin.addresses:
        for text, mark in _texts(
            options.get(key) if options else None, options.values_at.get(key) if options else None
        ):
            try:
                _of_address(text, None)
            except ValueError as error:
                document.error("options", f"{what}: {key}: {error}", mark)


def templates(document: config.Document, value: Any, at: config.Mark | None) -> None:
    """Say which templates in a check are no places of parameters, where no action says which parameters there are."""
    for text, mark in _texts(value, at):
        try:
            list(filling.names(text))
        except ValueError as error:
            document.error("template", str(error), mark)


def filled(value: Mapping[str, Any], parameters: Mapping[str, Any], addresses: Callable[[str], Collection[str]]) -> Any:
    """A check as it is written, with parameters in it. `addresses`: of a check by its name, the options that are some.

    Raises `filling.Unfillable`, and what `addresses` does.
    """
    ((name, options),) = value.items()
    if not isinstance(options, Mapping) or not filling.used(options):
        return filling.fill(value, parameters)
    own = addresses(name)
    return {
        name: {key: (_address if key in own else filling.fill)(inner, parameters) for key, inner in options.items()}
    }


def _address(value: Any, parameters: Mapping[str, Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_address(inner, parameters) for inner in value]
    if not isinstance(value, str):
        return filling.fill(value, parameters)
    try:
        return _of_address(value, parameters)
    except UnicodeEncodeError:
        raise filling.Unfillable("a value has half of a surrogate pair, which no address can have") from None
    except ValueError as error:
        raise filling.Unfillable(str(error)) from error


def _of_address(text: str, parameters: Mapping[str, Any] | None) -> str:
    """The address with parameters in it (None: with stand-ins). Raises ValueError where one could lead elsewhere."""
    first, *others = filling.split(text)
    if not others:
        return text
    if not _HOST.fullmatch(first):
        raise ValueError(f"{requests.FIXED}: each host has a check of its own")
    made = first
    for at, part in enumerate(others):
        if at % 2:
            made += part
        else:
            value = requests.STAND_IN if parameters is None else filling.fill(part, parameters)
            made += _data(value, part, in_path=not _BEHIND.search(made))
    urls.parse(_BEHIND.split(made, maxsplit=1)[0])
    return made


def _data(value: Any, place: str, *, in_path: bool) -> str:
    if isinstance(value, model.Secret):
        raise filling.Unfillable(f"{place} is a secret, which cannot be a part of a text")
    if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        got = value if isinstance(value, float) else type(value).__name__
        raise ValueError(f"a text, a number, true or false is wanted in an address, got {got}")
    if in_path and value == "":
        raise ValueError("a parameter in the path of an address is empty, so that it would mean another address")
    return urllib.parse.quote(value if isinstance(value, str) else json.dumps(value), safe="")


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
