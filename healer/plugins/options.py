"""Options of plugins: their base, what they may be made of, what is wrong with them and where, and their JSON Schema.

Callers: every plugin, and all that read files of a project (`project`, `catalog`, `measures`), whose shapes are options too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Self

import pydantic
import pydantic.json_schema

from healer import config, units, wording


class Options(pydantic.BaseModel):
    """The base of a plugin's options: unknown keys are errors, values are not coerced from other types."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)
    _one_of: ClassVar[tuple[str, ...]] = ()
    """Keys of which exactly one is given."""

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        """What is wrong between keys, each mistake by itself. `given`: as it is written, so that a value may be of any type."""
        del given
        return ()

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _fits(cls, value: Any, handler: pydantic.ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(value)
        if isinstance(value, Mapping) and (found := [*wording.unfit(cls, value)]):
            raise wording.Unfit("; ".join(found))
        return made


Wanted = wording.Wanted
"""Beside a pattern: what the text has to be, as an operator says it."""


class SecretRef(Options):
    """`{secret: "env:NAME"}` or `{secret: "file:PATH"}`: a reference, resolved at the moment of use."""

    model_config = pydantic.ConfigDict(hide_input_in_errors=True)  # a secret itself may stand where a reference has to
    _wanted: ClassVar[str] = 'a reference like {secret: "env:NAME"}'

    secret: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"),
        Wanted("env:NAME or file:PATH"),
    ]


Duration = Annotated[float, pydantic.BeforeValidator(units.duration_s)]
"""Seconds, written as `5 minutes` or `5m`."""

Size = Annotated[int, pydantic.BeforeValidator(units.size_bytes)]
"""Bytes, written as `2 MiB` or a whole number."""


# --- checking options -----------------------------------------------------------------------------------------------------


def check_options(
    document: config.Document,
    shape: type[pydantic.BaseModel],
    value: Any,
    mark: config.Mark | None,
    what: str,
    later: Collection[config.Mark | None] = (),
) -> Any:
    """Make `shape` of `value`; mistakes become diagnostics of the document, each where it stands, and None is given.

    `what` the value is of, where that is more than its file; `later`: places whose values are known later, so that nothing is told of them.
    """
    if value is None:
        value = {}
    try:
        return shape.model_validate(value)
    except pydantic.ValidationError as error:
        conceal(document, shape, value)
        for one in wording.mistakes(error, shape, value, mark):
            if one.mark not in later:
                document.error("options", f"{what}: {one.below(0)}" if what else one.below(0), one.mark, one.try_)
        return None


def conceal(document: config.Document, shape: type[pydantic.BaseModel], value: Any) -> None:
    """Have nothing quoted of what may be a secret in a value of a shape: what stands in the place of a reference."""
    for mark in _secrets_of(shape, value, (), None):
        document.conceal(mark)


def _secrets_of(
    shape: type[pydantic.BaseModel], value: Any, path: tuple[int | str, ...], at: config.Mark | None
) -> Iterator[config.Mark | None]:
    reference = isinstance(value, config.Map | config.Seq) and wording.is_secret(shape, path)
    if isinstance(value, config.Map):
        for key, inner in value.items():
            if not (reference and isinstance(inner, str) and inner.startswith(("env:", "file:"))):
                yield from _secrets_of(shape, inner, path if reference else (*path, key), value.values_at.get(key))
    elif isinstance(value, config.Seq):
        for number, inner in enumerate(value):
            yield from _secrets_of(shape, inner, path if reference else (*path, number), value.items_at[number])
    elif value is not None and wording.may_hold_secret(shape, path):
        yield at


def made_of(shape: type[pydantic.BaseModel], value: Any) -> Any:
    """Make `shape` of a value that stands in no file. Raises ValueError, which says all that is wrong with it."""
    if value is None:
        value = {}
    try:
        return shape.model_validate(value)
    except pydantic.ValidationError as error:
        raise ValueError("; ".join(one.below(0) for one in wording.mistakes(error, shape, value))) from error


class _Written(pydantic.json_schema.GenerateJsonSchema):
    """What is written, not what is read of it: a duration is a text there. Titles that only say the key again are left out."""

    def function_before_schema(self, schema: Any) -> dict[str, Any]:
        """The texts that are read, for `Duration` and `Size`."""
        reader = schema["function"]["function"]
        written = _DURATION if reader is units.duration_s else _SIZE if reader is units.size_bytes else None
        return {**written} if written else super().function_before_schema(schema)

    def default_schema(self, schema: Any) -> dict[str, Any]:
        """A default as it would be written, where there is something to say."""
        made, inner = super().default_schema(schema), schema["schema"]
        reader = None
        while "schema" in inner and reader is not units.duration_s:
            reader, inner = inner.get("function", {}).get("function"), inner["schema"]
        default = made.pop("default", None)
        if isinstance(default, float) and reader is units.duration_s:
            default = wording.span(default)
        return made | (
            {"default": default} if default not in (None, "") and not isinstance(default, dict | list) else {}
        )

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


_DURATION: Final[dict[str, Any]] = {"type": "string", "pattern": f"^(?:{units.LONG.pattern}|{units.SHORT.pattern})$"}
_SIZE: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{units.SIZE.pattern}$"}]
}


def exactly_one(*keys: str) -> dict[str, Any]:
    """For `json_schema_extra` of options: exactly one of the keys is given, and is not nothing."""
    given = [{"required": [key], "properties": {key: {"not": {"type": "null"}}}} for key in keys]
    return {"oneOf": given}


def some_of(*keys: str) -> dict[str, Any]:
    """The same: one of the keys or more is given, and is not nothing."""
    return {"anyOf": exactly_one(*keys)["oneOf"]}


def schemas(shapes: Sequence[type[pydantic.BaseModel]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The JSON Schema (draft 2020-12) of each, as a reference, and the `$defs` that they lead to."""
    wanted: Any = [(shape, "validation") for shape in shapes]
    made, whole = pydantic.json_schema.models_json_schema(wanted, schema_generator=_Written)
    defs = {name: {key: part for key, part in one.items() if key != "title"} for name, one in whole["$defs"].items()}
    return [dict(made[one]) for one in wanted], _tidied(defs)


def _tidied(part: Any) -> Any:
    """The bounds that pydantic leaves under its own names as JSON Schema's; no other keys where keys have a pattern."""
    if not isinstance(part, dict):
        return [_tidied(inner) for inner in part] if isinstance(part, list) else part
    found = {key: _tidied(inner) for key, inner in part.items() if key not in _BOUNDS or isinstance(inner, dict)}
    if part.get("type") != "string":
        found |= {_BOUNDS[key]: part[key] for key in _BOUNDS if isinstance(part.get(key), int | float)}
    return found | ({"additionalProperties": False} if "patternProperties" in found else {})


_BOUNDS: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def describe(shape: type[pydantic.BaseModel]) -> Iterator[tuple[str, str, str]]:
    """(name, default or `required`, description) of each option, for help and the reference page."""
    for name, field in shape.model_fields.items():
        default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
        yield name, default, field.description or ""
