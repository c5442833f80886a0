"""What is certainly wrong with a value of which parts are known only when an event comes: templates stand in it. Pure.

Callers: `building` (parameters of `verify` and `escalate`), `project` (those of rules). How: each template is held to be whatever the
schema wants, and the schema is asked as ever. A keyword that could be wrong only for what a template turns out to be says nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import jinja2
from jinja2 import nodes

from healer import errors, templates
from healer.catalog import schemas

_ENVIRONMENT: Final = jinja2.Environment()  # noqa: S701 - it parses, and renders nothing
BESIDE: Final = "shorten what stands beside {{ … }}: all of it stays in the text"
ALONE: Final = 'write "{{ … }}" alone: with anything beside it a template gives a text'


class _Later(str):
    """A template alone: it gives a value of any type."""

    __slots__ = ()


class _Text(_Later):
    """A template with something beside it: some text."""

    __slots__ = ()


_OF_TEXTS: Final = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$dynamicRef", "maxLength"})
"""What can be wrong with a text whatever stands in it."""


def mistakes(schema: Any, value: Any) -> list[tuple[schemas.Mistake, str]]:
    """All that no event could make right, each with what to do where that is certain."""
    found = schemas.found(schema, _held(value), _validators())
    return [(one, _instead(one) if isinstance(one.value, _Text) else "") for one in found]


def _instead(one: schemas.Mistake) -> str:
    return BESIDE if one.keyword == "maxLength" else ALONE if one.keyword else ""


def _held(value: Any) -> Any:
    """The plain value, its templates held open. Keys are never rendered."""
    if isinstance(value, Mapping):
        return {str(key): _held(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_held(inner) for inner in value]
    if not isinstance(value, str) or not templates.is_template(value):
        return value
    try:
        return _Text(value) if templates.check(value) else _Later(value)
    except errors.TemplateError:  # which is told
        return _Later(value)


def _is_open(value: Any) -> bool:
    """Whether a template is anywhere in a value."""
    if isinstance(value, dict):
        return any(map(_is_open, value.values()))
    return any(map(_is_open, value)) if isinstance(value, list) else isinstance(value, _Later)


def _may_be(value: Any, wanted: Any) -> bool:
    """Whether a value can turn out to be this one."""
    if isinstance(value, _Later):
        return not isinstance(value, _Text) or (isinstance(wanted, str) and _around(value).fits(wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_may_be(value[key], wanted[key]) for key in value)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_may_be, value, wanted))
    return bool(value == wanted)


class _Around(NamedTuple):
    """What of a text is there whatever its templates give: how it begins and ends, and how long it is at least."""

    before: str = ""
    behind: str = ""
    least: int = 0

    def fits(self, whole: str) -> bool:
        """Whether the text can turn out to be this one."""
        return len(whole) >= self.least and whole.startswith(self.before) and whole.endswith(self.behind)


@functools.lru_cache(maxsize=4096)
def _around(text: str) -> _Around:
    try:
        body = _ENVIRONMENT.parse(text).body
    except (jinja2.TemplateError, RecursionError, ValueError):
        return _Around()
    parts: list[str] = []
    for part in body:
        given = part.nodes if isinstance(part, nodes.Output) else [part]
        parts += [one.data if isinstance(one, nodes.TemplateData) else "" for one in given]
    parts = parts or [""]
    return _Around(parts[0], parts[-1], sum(map(len, parts)))


@functools.cache
def _validators() -> Any:
    """That of `schemas`, with each keyword silent where it cannot be certain."""
    from jsonschema import validators

    strict: Any = schemas.validators()
    extend: Any = validators.extend
    return extend(strict, {name: _certain(name, own, strict) for name, own in strict.VALIDATORS.items()})


def _certain(name: str, own: Callable[..., Any], strict: Any) -> Callable[..., Iterator[Any]]:
    def checked(validator: Any, part: Any, value: Any, schema: Any) -> Iterator[Any]:
        if isinstance(value, _Later) and not (isinstance(value, _Text) and name in _OF_TEXTS):
            return
        if name in _OPEN and _is_open(value):
            yield from _OPEN[name](validator, part, value, schema, strict)
        else:
            yield from own(validator, part, value, schema) or ()

    return checked


def _of_values(_validator: Any, part: Any, value: Any, _schema: Any, _strict: Any) -> Iterator[Any]:
    if not any(_may_be(value, one) for one in part):
        yield schemas.error(f"{value!r} is not one of {part!r}")


def _of_value(_validator: Any, part: Any, value: Any, _schema: Any, _strict: Any) -> Iterator[Any]:
    if not _may_be(value, part):
        yield schemas.error(f"{part!r} was expected")


def _not_longer(_validator: Any, part: Any, value: Any, _schema: Any, _strict: Any) -> Iterator[Any]:
    if isinstance(value, _Text) and _around(value).least > part:
        yield schemas.error(f"{value!r} is too long")


def _one_of(validator: Any, part: Any, value: Any, schema: Any, strict: Any) -> Iterator[Any]:
    """Whether it fits several is known when it comes; whether it fits none, as for `anyOf`."""
    return strict.VALIDATORS["anyOf"](validator, part, value, schema)  # type: ignore[no-any-return]


def _contains(validator: Any, part: Any, value: Any, schema: Any, strict: Any) -> Iterator[Any]:
    """Too many may be fewer when it comes."""
    found = strict.VALIDATORS["contains"](validator, part, value, schema)
    return (one for one in found if one.validator != "maxContains")


def _unique(validator: Any, part: Any, value: Any, schema: Any, strict: Any) -> Iterator[Any]:
    known = [one for one in value if not _is_open(one)] if isinstance(value, list) else value
    return strict.VALIDATORS["uniqueItems"](validator, part, known, schema)  # type: ignore[no-any-return]


def _if(validator: Any, part: Any, value: Any, schema: Any, _strict: Any) -> Iterator[Any]:
    """That it holds is never certain; that it does not is."""
    if "else" in schema and not validator.evolve(schema=part).is_valid(value):
        yield from validator.descend(value, schema["else"], schema_path="else")


def _nothing(*_: Any) -> Iterator[Any]:
    yield from ()


_OPEN: Final[Mapping[str, Callable[..., Iterator[Any]]]] = {
    "enum": _of_values, "const": _of_value, "oneOf": _one_of, "contains": _contains, "uniqueItems": _unique, "if": _if, "not": _nothing,
    "maxLength": _not_longer,
}  # fmt: skip
"""Keyword → what it says of a value with a template in it, where it cannot be asked as ever."""
