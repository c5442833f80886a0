"""JSON Schema for parameters: whether a schema is sound, and what is wrong with a value under it.

Patterns run on RE2: an event must not be able to make one slow, and `$` is the end of the text (in Python's own it also
stands before a last line break, which would let `name\\n` pass). Nothing outside of a schema is ever fetched.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer import errors, wording

PROBLEMS_MAX: Final = 20
TEXT_MAX: Final = 200
TYPES: Final = {
    "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list",
    "object": "a mapping", "null": "nothing",
}  # fmt: skip
REFUSED: Final = ("$id", "$schema", "$vocabulary", "unevaluatedProperties", "unevaluatedItems")
"""`$id` and `$schema` change what references mean; the unevaluated ones match patterns with Python's expressions."""


WITHIN: Final = (
    "additionalProperties",
    "items",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
    "contentSchema",
)
LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords of which the value is a schema, a list of schemas, and a mapping of names to schemas."""
_OLDER: Final = {"dependencies": "dependentRequired", "additionalItems": "items"}
"""Keywords of older drafts, which say nothing here."""
KEYWORDS: Final = (
    *WITHIN, *LISTED, *NAMED, *REFUSED, "$anchor", "$comment", "$dynamicAnchor", "$dynamicRef", "$ref", "const", "contentEncoding",
    "contentMediaType", "default", "dependentRequired", "deprecated", "description", "enum", "examples", "exclusiveMaximum",
    "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "pattern", "readOnly", "required", "title", "type", "uniqueItems", "writeOnly",
)  # fmt: skip
"""Of JSON Schema, draft 2020-12, and `definitions`, which references of older schemas lead to."""
OWN: Final = "x-"
"""Begins a keyword of somebody's own."""


def unknown(schema: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """(path, message, what to do) of each keyword that is none: it would say nothing, and what it is to refuse would pass."""
    if not isinstance(schema, Mapping):
        return
    for key, inner in schema.items():
        here = (*path, key)
        if key in WITHIN:
            yield from unknown(inner, here)
        elif key in LISTED and isinstance(inner, list):
            for index, one in enumerate(inner):
                yield from unknown(one, (*here, index))
        elif key in NAMED and isinstance(inner, Mapping):
            for name, one in inner.items():
                yield from unknown(one, (*here, name))
        elif isinstance(key, str) and key not in KEYWORDS and not key.startswith(OWN):
            meant = f"did you mean '{_OLDER[key]}'?" if key in _OLDER else errors.nearest(key, KEYWORDS)
            near = meant or f"keywords of JSON Schema 2020-12, and {OWN}… for your own"
            yield here, f"the keyword {wording.shown(key)} is not known", near


def unfit(part: Any, root: Any, path: tuple[Any, ...], *, names: bool = False) -> Iterator[tuple[tuple[Any, ...], str]]:
    """What no check of the schema itself finds: values that JSON has not, references that lead nowhere or outside.

    `names`: the keys of this part are names, no keywords.
    """
    if isinstance(part, Mapping):
        for key, inner in part.items():
            here = (*path, key)
            if not isinstance(key, str):
                yield here, f"a key has to be a text, got {wording.shown(key)}"
            elif names:
                yield from unfit(inner, root, here)
            elif key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                if not inner.startswith("#"):
                    yield here, f"{key} leads outside of the schema, to {short(inner)!r}"
                elif not _leads(inner, root):
                    yield here, f"{key} leads nowhere: {short(inner)!r}"
            elif key in REFUSED:
                yield here, f"{key} cannot be used here"
            else:
                yield from unfit(inner, root, here, names=key in NAMED)
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
def schema_mistakes(text: str) -> tuple[tuple[tuple[Any, ...], str, str], ...]:
    """(path, message, what to do) of what is wrong with a schema (as JSON text)."""
    import jsonschema

    schema = json.loads(text)
    checker = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)
    try:
        found = [_of_schema(error) for error in checker.iter_errors(schema)]
    except RecursionError:
        return (((), "it is nested too deep", ""),)
    once = dict.fromkeys(found or _patterns(schema, ()))  # each part of the schema of schemas says it
    return tuple(once)[:PROBLEMS_MAX]


def _of_schema(error: Any) -> tuple[tuple[Any, ...], str, str]:
    path, value = tuple(error.absolute_path), error.instance
    if path[-1:] == ("type",) and not {*path[-2:-1]} & {*NAMED}:
        listed = value if isinstance(value, list) else [value]
        unknown = next((one for one in listed if not isinstance(one, str) or one not in TYPES), None)
        if unknown is not None:
            near = errors.nearest(str(unknown), TYPES) or f"known: {', '.join(TYPES)}"
            return path, f"the type {wording.shown(unknown)} is not known", near
    return path, short("".join(f"{step}: " for step in path)) + _said(error), ""


def _patterns(part: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    if isinstance(part, Mapping):
        for key, inner in part.items():
            texts = [inner] if key == "pattern" and isinstance(inner, str) else []
            texts += list(inner) if key == "patternProperties" and isinstance(inner, Mapping) else []
            for text in texts:
                try:
                    _pattern(text)
                except ValueError as error:
                    yield (*path, key), f"the pattern {short(text)!r} cannot be used: {error}", ""
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


class Mistake(NamedTuple):
    """What is wrong, and where: `path` is '' or `.a[0]`, `steps` the same in parts; `value` stands there. `keyword`: '' where none may."""

    path: str
    message: str
    steps: tuple[Any, ...] = ()
    value: Any = None
    keyword: str = ""


def mistakes(schema: Any, value: Any) -> list[tuple[str, str]]:
    """(path, message) of everything that is wrong with a value under a schema that was checked; the path is '' or `.a[0]`."""
    return [(one.path, one.message) for one in found(schema, value, validators())]


def found(schema: Any, value: Any, asked: Any) -> list[Mistake]:
    """The same in full. `asked`: the class of validators, `validators()` or one made of it."""
    try:
        wrong = sorted(
            _validator(json.dumps(schema, sort_keys=True), asked).iter_errors(value), key=lambda e: str(e.json_path)
        )
    except RecursionError:
        return [Mistake("", "it is nested too deep")]
    except (ArithmeticError, TypeError, ValueError) as failed:
        return [Mistake("", f"it cannot be checked: {short(str(failed))}")]
    return [
        Mistake(one.json_path[1:], _said(one), tuple(one.absolute_path), one.instance, one.validator or "")
        for one in wrong[:PROBLEMS_MAX]
    ]


def _said(error: Any) -> str:
    """What is wrong with a value, in plain words where there are some for the keyword."""
    wanted = _wanted(error)
    if not wanted:
        return short(error.message)
    got, near = error.instance, ""
    if error.validator == "enum" and isinstance(got, str) and len(got) <= TEXT_MAX:
        near = errors.nearest(got, (one for one in error.validator_value if isinstance(one, str)))
    many = f"{len(got)}" if got and error.validator in _COUNTED else wording.shown(got)
    return f"{short(wanted)} is wanted, got {many}{near and ', ' + near}"


def _wanted(error: Any) -> str:
    """What a keyword asks for; '' for one without words of its own."""
    value = error.validator_value
    if error.validator in ("anyOf", "oneOf"):  # of which each part says what it wants of the same value
        parts = [_wanted(part) if part.instance is error.instance else "" for part in error.context]
        return " or ".join(dict.fromkeys(parts)) if all(parts) else ""
    if error.validator == "type":
        return " or ".join(TYPES[one] for one in ([value] if isinstance(value, str) else value))
    if error.validator == "enum" and value:
        *others, last = map(wording.shown, value)
        return f"{', '.join(others)} or {last}" if others else last
    found = _WORDS.get(error.validator, "").format(wording.shown(value))
    return found.removesuffix("s") if value == 1 and found.endswith("s") else found


_WORDS: Final = {
    "const": "{}", "pattern": "a text that matches {}", "minimum": "at least {}", "maximum": "at most {}",
    "exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}", "multipleOf": "a multiple of {}",
    "minLength": "a text of at least {} characters", "maxLength": "a text of at most {} characters",
    "minItems": "a list of at least {} items", "maxItems": "a list of at most {} items",
    "minProperties": "a mapping of at least {} keys", "maxProperties": "a mapping of at most {} keys",
    "uniqueItems": "a list without the same item twice",
}  # fmt: skip
"""Keyword of JSON Schema → what it asks for."""
_COUNTED: Final = frozenset({"minItems", "maxItems", "minProperties", "maxProperties"})
"""Keywords for which it matters how many there are."""


@functools.lru_cache(maxsize=4096)
def _validator(text: str, asked: Any) -> Any:
    return asked(json.loads(text))


@functools.cache
def validators() -> Any:
    """Draft 2020-12 with RE2 in the place of Python's regular expressions, wherever the library would use them."""
    import jsonschema

    own = {
        "pattern": _check_pattern,
        "patternProperties": _check_pattern_properties,
        "additionalProperties": _check_additional_properties,
        "required": _check_required,
    }
    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft202012Validator, own)


def _check_pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield error(pattern)


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
            yield error(f"{short(str(name))!r} is not declared")
        else:
            yield from validator.descend(inner, part, path=name)


def _check_required(_validator: Any, names: Sequence[str], value: Any, _schema: Any) -> Iterator[Any]:
    for name in names:
        if isinstance(value, Mapping) and name not in value:
            yield error(f"the key {short(name)!r} is missing")


def error(message: str) -> Any:
    import jsonschema

    return jsonschema.ValidationError(message)


def short(text: str) -> str:
    """A text in a message, cut where it is long."""
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
