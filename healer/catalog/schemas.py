"""JSON Schema for parameters: whether a schema is sound, and what is wrong with a value under it.

Patterns run on RE2: an event must not be able to make one slow, and `$` is the end of the text (in Python's own it also
stands before a last line break, which would let `name\\n` pass). Nothing outside of a schema is ever fetched.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

PROBLEMS_MAX: Final = 20
TEXT_MAX: Final = 200
_REFUSED: Final = ("$id", "$schema", "$vocabulary", "unevaluatedProperties", "unevaluatedItems")
"""`$id` and `$schema` change what references mean; the unevaluated ones match patterns with Python's expressions."""


def unfit(part: Any, root: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """What no check of the schema itself finds: values that JSON has not, references that lead nowhere or outside."""
    if isinstance(part, Mapping):
        for key, inner in part.items():
            here = (*path, key)
            if not isinstance(key, str):
                yield here, f"a key has to be a text, got {key!r}"
            elif key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                if not inner.startswith("#"):
                    yield here, f"{key} leads outside of the schema, to {short(inner)!r}"
                elif not _leads(inner, root):
                    yield here, f"{key} leads nowhere: {short(inner)!r}"
            elif key in _REFUSED and not isinstance(inner, Mapping):
                yield here, f"{key} cannot be used here"
            else:
                yield from unfit(inner, root, here)
    elif isinstance(part, list | tuple):
        for index, inner in enumerate(part):
            yield from unfit(inner, root, (*path, index))
    elif isinstance(part, float) and part - part != 0:
        yield path, f"{part} is no JSON number"
    elif not isinstance(part, str | int | float | None):
        yield path, f"{type(part).__name__} is no JSON value"


def _leads(reference: str, root: Any) -> bool:
    at = root
    for step in reference[1:].split("/")[1:] if reference != "#" else ():
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(at, Mapping) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isdecimal() and int(key) < len(at):
            at = at[int(key)]
        else:
            return False
    return reference == "#" or reference.startswith("#/")


@functools.lru_cache(maxsize=4096)
def schema_mistakes(text: str) -> tuple[tuple[tuple[Any, ...], str], ...]:
    """(path, message) of what is wrong with a schema (as JSON text)."""
    import jsonschema

    schema = json.loads(text)
    checker = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)
    try:
        found = [(tuple(error.absolute_path), short(error.message)) for error in checker.iter_errors(schema)]
    except RecursionError:
        return (((), "it is nested too deep"),)
    return tuple((found or list(_patterns(schema, ())))[:PROBLEMS_MAX])


def _patterns(part: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(part, Mapping):
        for key, inner in part.items():
            texts = [inner] if key == "pattern" and isinstance(inner, str) else []
            texts += list(inner) if key == "patternProperties" and isinstance(inner, Mapping) else []
            for text in texts:
                try:
                    _pattern(text)
                except ValueError as error:
                    yield (*path, key), f"the pattern {short(text)!r} cannot be used: {error}"
            yield from _patterns(inner, (*path, key))
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from _patterns(inner, (*path, index))


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> Any:
    """The compiled pattern; ValueError says why there is none."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeError) as error:
        raise ValueError(
            error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        ) from None


def _matches(text: str, value: str) -> bool:
    try:
        return _pattern(text).search(value) is not None
    except UnicodeError:  # a lone surrogate: no pattern of ours can mean it
        return False


def mistakes(schema: Any, value: Any) -> list[tuple[str, str]]:
    """(path, message) of everything that is wrong with a value under a schema that was checked; the path is '' or `.a[0]`."""
    try:
        found = sorted(
            _validator(json.dumps(schema, sort_keys=True)).iter_errors(value), key=lambda e: str(e.json_path)
        )
    except RecursionError:
        return [("", "it is nested too deep")]
    except (ArithmeticError, TypeError, ValueError) as error:
        return [("", f"it cannot be checked: {short(str(error))}")]
    return [(error.json_path[1:], short(error.message)) for error in found[:PROBLEMS_MAX]]


@functools.lru_cache(maxsize=4096)
def _validator(text: str) -> Any:
    return _validators()(json.loads(text))


@functools.cache
def _validators() -> Any:
    """Draft 2020-12 with RE2 in the place of Python's regular expressions, wherever the library would use them."""
    from jsonschema import Draft202012Validator, validators

    own = {
        "pattern": _check_pattern,
        "patternProperties": _check_pattern_properties,
        "additionalProperties": _check_additional_properties,
    }
    extend: Any = validators.extend
    return extend(Draft202012Validator, own)


def _check_pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield _error(f"{short(value)!r} does not match {pattern!r}")


def _check_pattern_properties(validator: Any, parts: Mapping[str, Any], value: Any, _schema: Any) -> Iterator[Any]:
    for pattern, part in parts.items() if isinstance(value, Mapping) else ():
        for name, inner in value.items():
            if _matches(pattern, name):
                yield from validator.descend(inner, part, path=name, schema_path=pattern)


def _check_additional_properties(validator: Any, part: Any, value: Any, schema: Any) -> Iterator[Any]:
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        if name in schema.get("properties", {}) or any(_matches(p, name) for p in schema.get("patternProperties", {})):
            continue
        if part is False:
            yield _error(f"{short(str(name))!r} is not declared")
        else:
            yield from validator.descend(inner, part, path=name)


def _error(message: str) -> Any:
    import jsonschema

    return jsonschema.ValidationError(message)


def short(text: str) -> str:
    """A text in a message, cut where it is long."""
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
