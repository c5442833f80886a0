"""Parameters in what an entry says that is a mapping (`oc:`, `http:`, `check:`): `{{ parameters.NAME }}`, and no other template.

Callers: `building` (at load) and `dispatch` (when an attempt is made). Why no Jinja: what is filled in reaches other machines, so it is
data alone. It is put in once, whatever it looks like, and nothing is computed of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, model, templates

_PLACE: Final = re.compile(r"\{\{\s*parameters\.([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}", re.ASCII)
LIKE: Final = "only {{ parameters.NAME }} can stand here"


class Unfillable(ValueError):
    """a value cannot be put where an entry wants it"""


def names(text: str) -> Iterator[str]:
    """The parameters that a text takes. Raises ValueError where it has a template of another form."""
    rest = _PLACE.sub("", text)
    if templates.is_template(rest):
        raise ValueError(f"{config.shown(text)} is no template that is known here: {LIKE}")
    yield from _PLACE.findall(text)


def split(text: str) -> list[str]:
    """The text cut at its places: its own parts, maybe empty, at 0, 2, 4 …, the places between them."""
    parts, at = [], 0
    for found in _PLACE.finditer(text):
        parts += [text[at : found.start()], found[0]]
        at = found.end()
    return [*parts, text[at:]]


def used(value: Any) -> set[str]:
    """The parameters that a value takes, whose templates were found right."""
    if isinstance(value, Mapping):
        return set().union(*map(used, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(used, value))
    return set(names(value)) if isinstance(value, str) else set()


def fill(value: Any, parameters: Mapping[str, Any]) -> Any:
    """The value with parameters in it. A text that is one place alone becomes the parameter's value, of whatever type.

    Raises `Unfillable`: a parameter that is not given, a secret in the middle of a text.
    """
    if isinstance(value, Mapping):
        return {key: fill(inner, parameters) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill(inner, parameters) for inner in value]
    if not isinstance(value, str):
        return value
    if alone := _PLACE.fullmatch(value):
        return _given(alone[1], parameters)
    return _PLACE.sub(lambda found: _text(found[1], _given(found[1], parameters)), value)


def _given(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise Unfillable(f"the parameter {name!r} is not given")
    return parameters[name]


def _text(name: str, value: Any) -> str:
    if isinstance(value, model.Secret):
        raise Unfillable(f"the parameter {name!r} is a secret, which cannot be a part of a text")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
