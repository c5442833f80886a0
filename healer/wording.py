"""What is wrong with options, in an operator's words: what was wanted, what was got, where it stands.

Callers: `plugins` for what stands in a file, `project` for what the environment sets, `supervise`. pydantic tells mistakes to whoever
wrote the model (`Input should be a valid dictionary or instance of Disk`); whoever writes the file knows no class, and reads
`an hour`, not 3600. Only the type of a mistake is taken from it, and the words stand here; a test holds that there is one for each.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Union, get_args, get_origin

import pydantic

from healer import config, credentials, errors, quoting, units

KEYS_SHOWN: Final = 12
"""Of a mapping that is wanted. More are a page, which the docs have."""
OF_TRUTH: Final = "YAML reads on, off, yes and no as true and false: put quotes around it"
_MISSING: Final = frozenset(
    {"missing", "missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument"}
)
_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_OWN: Final = frozenset({"value_error", "assertion_error"})
"""A validator's own words."""
_OF_TEXT: Final = frozenset({"string_type", "string_pattern_mismatch"})
"""Those that a `Wanted` says better. A model says it for itself in `_wanted`, where that is not its keys."""
_OF_KEYS: Final = frozenset({"model_type", "model_attributes_type", "dataclass_type", "dataclass_exact_type"})
_CHOICES: Final = frozenset({"literal_error", "enum"})
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"), "less_than_equal": ("at most", "le"), "multiple_of": ("a multiple of", "multiple_of"),
}  # fmt: skip

_WORDS: Final[Mapping[str, str]] = {
    kind: words
    for words, kinds in {
        "a text": "string_type bytes_type",
        "a text of Unicode characters": "string_unicode",
        "a text of at least {min_length} characters": "string_too_short bytes_too_short",
        "a text of at most {max_length} characters": "string_too_long bytes_too_long",
        "a text that matches {pattern}": "string_pattern_mismatch",
        "a text of ASCII characters": "string_not_ascii",
        "a text in {encoding}": "bytes_invalid_encoding",
        "a text as key": "invalid_key",
        "JSON as text": "json_type json_invalid",
        "true or false": "bool_type bool_parsing",
        "a whole number": "int_type int_parsing int_from_float",
        "a smaller number": "int_parsing_size",
        "a number": "float_type float_parsing decimal_type decimal_parsing fraction_type fraction_parsing complex_type complex_str_parsing",
        "a finite number": "finite_number",
        "a number of at most {max_digits} digits": "decimal_max_digits",
        "a number of at most {decimal_places} digits behind the point": "decimal_max_places",
        "a number of at most {whole_digits} digits before the point": "decimal_whole_digits",
        "a list": "list_type tuple_type set_type frozen_set_type deque_type iterable_type iteration_error named_tuple_type arguments_type",
        "a {whole} of at least {min_length} {part}s": "too_short",
        "a {whole} of at most {max_length} {part}s": "too_long",
        "a single value": "set_item_not_hashable",
        "a mapping": "dict_type mapping_type frozen_dict_type ordered_dict_type counter_type",
        "a mapping with the key {discriminator}": "union_tag_not_found",
        "one of {expected_tags}": "union_tag_invalid",
        "nothing": "none_required missing_sentinel_error ellipsis_error",
        "a date like 2026-03-01": "date_type date_parsing date_from_datetime_parsing date_from_datetime_inexact",
        "a date in the past": "date_past",
        "a date in the future": "date_future",
        "a time of day like 10:30": "time_type time_parsing",
        "a time like 2026-03-01T10:30:00Z":
            "datetime_type datetime_parsing datetime_object_invalid datetime_from_date_parsing",
        "a time in the past": "datetime_past",
        "a time in the future": "datetime_future",
        "a time without a time zone": "timezone_naive",
        "a time with a time zone": "timezone_aware",
        "another time zone": "timezone_offset",
        "a span of time": "time_delta_type time_delta_parsing",
        "a URL like https://host/path": "url_type url_parsing url_syntax_violation",
        "a URL of at most {max_length} characters": "url_too_long",
        "a URL that begins with {expected_schemes}": "url_scheme",
        "a UUID": "uuid_type uuid_parsing uuid_version",
        "a value that is nested less": "recursion_depth_exceeded recursion_loop",
        "something that no file can say":
            "is_instance_of is_subclass_of callable_type needs_python_object no_such_attribute get_attribute_error "
            "default_factory_not_called frozen_field frozen_instance unexpected_positional_argument multiple_argument_values",
    }.items()
    for kind in kinds.split()
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Stands in an annotation: what a text has to be, where its pattern says it to nobody (`a host name or an address`)."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: the keys and positions that lead to it, what is said of it (without them), where it stands, what to do."""

    path: tuple[int | str, ...]
    said: str
    mark: config.Mark | None
    try_: str = ""

    def below(self, depth: int) -> str:
        """The message, behind what of the path lies deeper."""
        place = ".".join(quoting.bare(str(part)) for part in self.path[depth:])
        return f"{place}: {self.said}" if place else self.said


class Unfit(ValueError):
    """what is wrong between the keys of a mapping"""


_Leaf = tuple[Any, tuple[Any, ...]]
"""A type, and what stands beside it in `Annotated`."""


def mistakes(
    error: pydantic.ValidationError, shape: type[pydantic.BaseModel], value: Any, mark: config.Mark | None = None
) -> list[Mistake]:
    """What is wrong with a value that is not of a shape. `mark`: where the value stands.

    What a value may be instead is told together, which pydantic tells for each part of a union.
    """
    told: dict[Any, list[tuple[Mistake, str]]] = {}
    whole: list[Mistake] = []
    for number, raw in enumerate(error.errors(include_url=False)):
        path, at = _locate(raw["type"], raw["loc"], value, mark)
        if isinstance((raw.get("ctx") or {}).get("error"), Unfit):
            whole.append(Mistake(path, str(raw["ctx"]["error"]), at))
            continue
        one, wanted = _mistake(raw, shape, path, at)
        told.setdefault((path,) if wanted else number, []).append((one, wanted))
        if wanted and isinstance(raw["input"], dict) and raw["type"] not in _OWN | _OF_KEYS and _models(shape, path):
            told[(path,)].pop()  # what it may be instead of a mapping, which it is: what is wrong in that is told
    found = [_together(parts) for parts in told.values() if parts]
    # A model whose keys are wrong is not asked how many of them it has, and how they go together.
    known = {(one.path, one.said) for one in found}
    between = [one for one in _between(shape, value, mark) if (one.path, one.said) not in known]
    return found + between + [one for one in whole if not any(one.path == other.path for other in between)]


def exactly_one(keys: Sequence[str]) -> str:
    """What is wanted of options of which exactly one is given."""
    *others, last = [f"'{key}'" for key in keys]
    return f"exactly one of {', '.join(others)} and {last} is wanted"


def unfit(shape: type[pydantic.BaseModel], value: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong between the keys of a mapping as it is written: none, or several, of those of which a model wants one (`_one_of`),
    and what it says itself (`_between`)."""
    keys = getattr(shape, "_one_of", ())
    if keys and sum(value.get(key) is not None for key in keys) != 1:
        yield exactly_one(keys)
    yield from getattr(shape, "_between", lambda _: ())(value)


def _between(shape: type[pydantic.BaseModel], value: Any, mark: config.Mark | None) -> Iterator[Mistake]:
    """As `unfit`, of all models in a value, also where single values are wrong. A key that is mistyped is told as that."""
    if not isinstance(value, dict):
        return
    several = sum(value.get(key) is not None for key in getattr(shape, "_one_of", ())) > 1
    if several or value.keys() <= {*_keys(shape)}:
        yield from (Mistake((), said, mark) for said in unfit(shape, value))
    for name, inner in value.items():
        at = value.keys_at.get(name) if isinstance(value, config.Map) else mark
        for model in _models(shape, (name,)) if isinstance(name, str) else ():
            for one in _between(model, inner, at):
                yield dataclasses.replace(one, path=(name, *one.path))


def _together(parts: Sequence[tuple[Mistake, str]]) -> Mistake:
    one, wanted = parts[0]
    if not wanted:
        return one
    wants = " or ".join(dict.fromkeys(wanted for _, wanted in parts))
    try_ = next((part.try_ for part, _ in parts if part.try_), "")
    return dataclasses.replace(one, said=f"{wants} is wanted{one.said}", try_=try_)


def _mistake(
    raw: Any, shape: type[pydantic.BaseModel], path: tuple[int | str, ...], at: config.Mark | None
) -> tuple[Mistake, str]:
    """The mistake, and what was wanted ('': all is said; else what was got)."""
    kind = raw["type"]
    if kind in _UNKNOWN:
        known = [key for model in _models(shape, path[:-1]) for key in _keys(model)]
        return Mistake((), f"the key {shown(path[-1])} is not known here", at, about_key(path[-1], known)), ""
    if kind in _MISSING:
        return Mistake((), f"the key {path[-1]!r} is missing", at), ""
    leaves = list(_leaves(shape, (), path, of_key=(of_key := raw["loc"][-1:] == ("[key]",))))
    texts = isinstance(raw["input"], str) and bool(path) and may_hold_secret(shape, path)
    above = is_secret(shape, path[:-1]) or is_secret(shape, path) or credentials.called_by(path)
    got = "" if (secret := not of_key and (texts or above)) else f", got {shown(raw['input'])}"
    if kind in _OWN:
        got = "" if of_key or not _is_scalar(raw["input"], leaves) else got
        return _of_own(str(raw["ctx"]["error"]), path, at, None if secret else got)
    if kind not in _WORDS and kind not in _BOUNDS and kind not in _OF_KEYS and kind not in _CHOICES:
        return Mistake(path, raw["msg"], at), ""  # a plugin's own error
    return Mistake(path, got, at, _advice(kind, raw["input"], leaves)), _wanted(kind, raw.get("ctx") or {}, leaves)


def _of_own(said: str, path: tuple[int | str, ...], at: config.Mark | None, got: str | None) -> tuple[Mistake, str]:
    """What a validator says itself: `… is wanted, got 5`, or a sentence of another kind. `got` None: not to be told."""
    head, named, _ = said.partition(", got ")
    if head.endswith(" is wanted"):
        return Mistake(path, got or "", at), head.removesuffix(" is wanted")
    return Mistake(path, head if got is None else said if named else said + got, at), ""


def _is_scalar(value: Any, leaves: Sequence[_Leaf]) -> bool:
    """Whether a value is what was looked at itself: what is told of a mapping is about the keys in it."""
    return not isinstance(value, dict | list) or _reads(leaves, units.duration_s) or _reads(leaves, units.size_bytes)


def _advice(kind: str, value: Any, leaves: Sequence[_Leaf]) -> str:
    if kind in _CHOICES:
        return errors.nearest(str(value), map(str, _choices(leaves)))
    if kind not in ("string_type", "invalid_key") or not isinstance(value, bool | int | float):
        return ""
    return OF_TRUTH if isinstance(value, bool) else "put quotes around it"  # YAML reads 1.0 as no text


def _wanted(kind: str, ctx: Mapping[str, Any], leaves: Sequence[_Leaf]) -> str:
    if kind in _OF_TEXT:
        for _, beside in leaves:
            for one in beside:
                if isinstance(one, Wanted):
                    return one.text
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"{words} {_amount(ctx[name], leaves)}"
    if kind in _CHOICES:
        *others, last = [shown(one) for one in _choices(leaves)] or [str(ctx["expected"])]
        return f"{', '.join(others)} or {last}" if others else last
    if kind in _OF_KEYS:
        named = str(ctx.get("class_name", ""))
        models = [one for one, _ in leaves if _is_model(one)]
        return _mapping(next((one for one in models if one.__name__ == named), models[0] if models else None))
    whole, part = ("mapping", "key") if str(ctx.get("field_type", "")).startswith("Dict") else ("list", "item")
    return re.sub(r"\b1 (\w+)s\b", r"1 \1", _WORDS[kind].format_map({**ctx, "whole": whole, "part": part}))


def _mapping(model: type[pydantic.BaseModel] | None) -> str:
    """What a mapping of a model is: the keys that it needs, and others that it may have."""
    if model is None:
        return "a mapping"
    if own := getattr(model, "_wanted", ""):
        return str(own)
    needed = [key for key, field in zip(_keys(model), model.model_fields.values(), strict=True) if field.is_required()]
    others = [key for key in _keys(model) if key not in needed]
    also = ", ".join(others[:KEYS_SHOWN]) + (", …" if len(others) > KEYS_SHOWN else "")
    if needed:
        return f"a mapping with {', '.join(needed)}{also and f' (and maybe {also})'}"
    return f"a mapping with some of {also}" if also else "an empty mapping ({})"


def _choices(leaves: Sequence[_Leaf]) -> list[Any]:
    found: list[Any] = []
    for one, _ in leaves:
        origin: Any = get_origin(one)
        if origin is Literal:
            found += get_args(one)
        elif isinstance(one, type) and issubclass(one, enum.Enum):
            found += (member.value for member in one)
    return found


def shown(value: Any) -> str:
    """A value that was got, as a file has it: short, and by its kind where it is large."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return config.shown(value)


def about_key(key: object, known: Collection[str] = ()) -> str:
    """What to do about a key that is not one of the known."""
    if isinstance(key, bool):
        return OF_TRUTH
    return errors.nearest(str(key), known) or f"known: {', '.join(known) or 'none'}"


# --- amounts --------------------------------------------------------------------------------------------------------------

_SPANS: Final = (("day", 86_400.0), ("hour", 3600.0), ("minute", 60.0), ("second", 1.0), ("millisecond", 0.001))
_SIZES: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 10**9), ("MB", 10**6), ("KB", 10**3))


def _reads(leaves: Sequence[_Leaf], reader: Any) -> bool:
    return any(getattr(one, "func", None) is reader for _, beside in leaves for one in beside)


def span(seconds: float) -> str:
    """A duration as it would be written: `1 hour`, `90 seconds`."""
    word, unit = next(((word, unit) for word, unit in _SPANS if seconds and (seconds / unit).is_integer()), _SPANS[3])
    return f"{seconds / unit:g} {word}{'' if seconds == unit else 's'}"


def _amount(value: Any, leaves: Sequence[_Leaf]) -> str:
    """A bound as it would be written: `1 hour`, `16 MiB`, `65535`."""
    if _reads(leaves, units.duration_s):
        return span(value)
    if _reads(leaves, units.size_bytes):
        word, unit = next(((word, unit) for word, unit in _SIZES if value and value % unit == 0), ("bytes", 1))
        return "1 byte" if value == 1 else f"{value // unit} {word}"
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- where it stands ------------------------------------------------------------------------------------------------------


def _leaves(
    annotation: Any, beside: tuple[Any, ...], path: Sequence[int | str], *, of_key: bool = False
) -> Iterator[_Leaf]:
    """The types that may stand at a path below an annotation; with `of_key` its last part is a key that is meant itself."""
    args = get_args(annotation)
    if metadata := getattr(annotation, "__metadata__", ()):
        yield from _leaves(args[0], (*beside, *metadata), path, of_key=of_key)
    elif get_origin(annotation) in (Union, types.UnionType):
        for one in args:
            yield from _leaves(one, beside, path, of_key=of_key)
    elif of_key and len(path) == 1 and args:
        yield from _leaves(args[0], (), ())
    elif not path:
        yield annotation, beside
    elif _is_model(annotation):
        for name, field in annotation.model_fields.items():
            if path[0] in (name, field.alias):
                yield from _leaves(field.annotation, tuple(field.metadata), path[1:], of_key=of_key)
    elif args:
        yield from _leaves(args[-1], (), path[1:], of_key=of_key)


def _is_model(annotation: Any) -> bool:
    is_class = isinstance(annotation, type) and get_origin(annotation) is None
    return is_class and issubclass(annotation, pydantic.BaseModel)


def is_secret(shape: type[pydantic.BaseModel], path: Sequence[int | str]) -> bool:
    """Whether a reference to a secret may stand at a path: what stands there in its place may be the secret itself."""
    return any(one.model_config.get("hide_input_in_errors") for one in _models(shape, path))


def may_hold_secret(shape: type[pydantic.BaseModel], path: Sequence[int | str]) -> bool:
    """As `is_secret`, or within what has to stand there."""
    return any(_holds_secret(one) for one, _ in _leaves(shape, (), path))


def _holds_secret(annotation: Any, deep: int = 4) -> bool:
    if not _is_model(annotation):
        return any(_holds_secret(one, deep) for one in get_args(annotation))
    inner = (field.annotation for field in annotation.model_fields.values()) if deep else ()
    return annotation.model_config.get("hide_input_in_errors") or any(_holds_secret(one, deep - 1) for one in inner)


def _models(shape: type[pydantic.BaseModel], path: Sequence[int | str]) -> list[type[pydantic.BaseModel]]:
    return [one for one, _ in _leaves(shape, (), path) if _is_model(one)]


def _keys(model: type[pydantic.BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _locate(
    kind: str, loc: Sequence[int | str], value: Any, mark: config.Mark | None
) -> tuple[tuple[int | str, ...], config.Mark | None]:
    """The keys and positions that lead to a mistake of pydantic's, and where it stands.

    Between them pydantic puts labels of its own (`list[int]`, a class, `[key]`): those are known by not being in the value.
    """
    path: list[int | str] = []
    at = key_at = mark
    for depth, part in enumerate(loc):
        if isinstance(value, dict) and part in value:
            if isinstance(value, config.Map):
                at, key_at = value.values_at.get(part, at), value.keys_at.get(part, at)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            if isinstance(value, config.Seq):
                at = key_at = value.items_at[part]
        elif depth == len(loc) - 1 and (kind in _MISSING or kind == "invalid_key"):
            return (*path, part), at
        elif part == "[key]":
            return tuple(path), key_at
        else:
            continue
        truth = isinstance(value, dict) and part in (0, 1) and any(key is bool(part) for key in value)
        path.append(shown(bool(part)) if truth else part)  # pydantic takes a key `true` for 1
        value = value[part]
    of_key = kind in _UNKNOWN or kind == "invalid_key" or isinstance(value, dict | list)
    return tuple(path), key_at if of_key else at
