"""Mistakes in options are told in an operator's words: of every model that a file is read with, and of every type of a mistake."""

from __future__ import annotations

import enum
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

import pydantic
import pytest
from pydantic_core import PydanticCustomError, ValidationError, _pydantic_core, core_schema

from healer import config, plugins, units, wording
from healer.catalog import building
from healer.project import controllers, settings

MODELS: dict[str, type[pydantic.BaseModel]] = {
    "healer.yaml": settings.Settings,
    "actions.yaml": building.EntryShape,
    "controllers.yaml": controllers.Common,
    "inventory of controllers.yaml": controllers.Inventory,
    **{f"source {name}": plugins.find("sources", name).SOURCE.Options for name in plugins.builtin_names("sources")},
    **{f"check {name}": plugins.check(name).Options for name in plugins.builtin_names("checks")},
    **{
        f"controller {name}": plugins.find("controllers", name).CONTROLLER.Options
        for name in plugins.builtin_names("controllers")
    },
}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)

TYPES: dict[str, set[str]] = {
    "any": set(),
    "bool": {"bool_type", "bool_parsing"},
    "default": set(),
    "definition-ref": set(),
    "definitions": set(),
    "dict": {"dict_type", "too_short", "too_long"},
    "float": {"float_type", "float_parsing", "finite_number", "greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"},
    "function-after": {"value_error", "assertion_error"},
    "function-before": {"value_error", "assertion_error"},
    "function-wrap": {"value_error", "assertion_error"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float", "greater_than", "greater_than_equal", "less_than", "less_than_equal",
            "multiple_of"},
    "list": {"list_type", "too_short", "too_long"},
    "literal": {"literal_error"},
    "model": {"model_type", "model_attributes_type"},
    "model-field": {"missing"},
    "model-fields": {"extra_forbidden", "model_type", "invalid_key"},
    "nullable": {"none_required"},
    "str": {"string_type", "string_unicode", "string_too_short", "string_too_long", "string_pattern_mismatch"},
    "tagged-union": {"union_tag_not_found", "union_tag_invalid"},
    "union": set(),
}  # fmt: skip
"""Part of a core schema → what it may find wrong."""

MACHINE = re.compile(
    r"\b([Ii]nput|[Ss]hould|instance of|dictionary|dict|[Vv]alid|[Vv]alue error|Assertion|[Ee]xtra|[Ff]ield|permitted|pydantic|str|int|bool|float|"
    r"list\[|None|True|False|NoneType|validator|class|object at|sentinel|Ellipsis)\b|<|\{'"
)


def parts(schema: Any) -> Iterator[str]:
    """The types of all parts of a core schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema["type"]
        for key, inner in schema.items():
            if key not in ("metadata", "serialization", "config", "cls", "expected", "default", "function"):
                yield from parts(inner)
    elif isinstance(schema, list | tuple):
        for inner in schema:
            yield from parts(inner)


def classes(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type[pydantic.BaseModel]]]:
    """Each mapping that a model is made of, by the keys that lead to it; a name of any length in a mapping is `x`."""
    yield path, model
    for key, field in model.model_fields.items():
        for inner in _inside(field.annotation):
            yield from classes(inner, (*path, key))


def _inside(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _inside(inner)


NAMES = sorted({found.__name__ for model in MODELS.values() for _, found in classes(model)})


def in_words(text: str) -> None:
    """Fails for what only a machine says; what was got is told as it was written."""
    said = re.sub(r", got .*", "", text, flags=re.DOTALL)
    assert not MACHINE.search(said), text
    assert not re.search(rf"\b({'|'.join(NAMES)})\b", said), text


def told(model: type[pydantic.BaseModel], value: Any) -> list[wording.Mistake]:
    try:
        model.model_validate(value)
    except pydantic.ValidationError as error:
        return wording.mistakes(error, model, value)
    return []


# --- every type of a mistake ------------------------------------------------------------------------------------------------


@models
def test_what_a_model_is_made_of_is_known(model: type[pydantic.BaseModel]) -> None:
    made_of = set(parts(model.__pydantic_core_schema__))
    assert {"model", "model-fields"} <= made_of
    assert made_of <= set(TYPES), "say below TYPES what this part may find wrong"


EXAMPLES = {one["type"]: one.get("example_context") or {} for one in _pydantic_core.list_all_errors()}


class Free(pydantic.BaseModel):
    """Whatever may stand in it."""

    key: Any = None


@pytest.mark.parametrize("kind", sorted({*EXAMPLES, *get_args(core_schema.ErrorType)}))
def test_each_type_of_a_mistake_has_words(kind: str) -> None:
    """Also those that only plugins of others can lead to."""
    context = {**EXAMPLES.get(kind, {})}
    if "expected" in context:
        context["expected"] = "'a' or 'b'"
    if kind in ("value_error", "assertion_error"):
        context["error"] = ValueError("an even number is wanted")
    lines: list[Any] = [{"type": kind, "loc": ("key",), "input": 5, "ctx": context}]
    (one,) = wording.mistakes(ValidationError.from_exception_data("Free", lines), Free, {"key": 5})
    in_words(one.below(0))
    assert re.fullmatch(r"key: .* is wanted, got 5|the key 'key' is (missing|not known here)", one.below(0)), one.below(
        0
    )
    assert "{" not in one.said


def test_the_table_has_all_types_of_our_models() -> None:
    ours = set().union(*TYPES.values())
    assert ours <= {
        *wording._WORDS,
        *wording._BOUNDS,
        *wording._CHOICES,
        *wording._OF_KEYS,
        *wording._OWN,
        *wording._MISSING,
        *wording._UNKNOWN,
    }


JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 5, 70_000, 10**30, 0.05, 1.5, float("inf"), float("nan"), "", "x", "X y\n", "x" * 5000, "\0", "\ud800", "5m", "0s", "1 second",
    "101 years", "1 B", "3 GiB", "1" * 40, [], [1], ["x"], [[]], {}, {"x": 1}, {"secret": "hunter2"}, {"secret": 1}, {1: 2}, {"a": {"b": []}},
]  # fmt: skip


@models
def test_whatever_stands_anywhere_is_told_in_words(model: type[pydantic.BaseModel]) -> None:
    found = 0
    for path, inner in classes(model):
        for key in (*inner.model_fields, "nothing_like_that", None):
            for junk in JUNK:
                value: Any = junk if key is None else {key: junk}
                for name in reversed(path):
                    value = {name: value}
                for one in told(model, value):
                    found += 1
                    in_words(one.below(0))
                    assert one.said.count("got") <= 1
                    assert len(one.below(0)) < 700
    assert found > 30


@models
def test_and_also_what_the_environment_sets(model: type[pydantic.BaseModel]) -> None:
    for _, inner in classes(model):
        for key in inner.model_fields:
            for junk in JUNK:
                try:
                    inner.model_validate({key: junk}, strict=False)
                except pydantic.ValidationError as error:
                    for one in wording.mistakes(error, inner, {key: junk}):
                        in_words(one.below(1))


# --- the words themselves ---------------------------------------------------------------------------------------------------


def said(model: type[pydantic.BaseModel], value: Any) -> list[str]:
    return [one.below(0) + (f" | {one.try_}" if one.try_ else "") for one in told(model, value)]


CHECK = MODELS["source check"]
HOOK = MODELS["source webhook"]
DISK = "a mapping with path (and maybe used_percent_max, max_bytes, clear_percent)"
RESERVED = "a mapping with some of journal, runs, output, audit, alerts"


@pytest.mark.parametrize(
    ("model", "value", "words"),
    [
        (CHECK, {"disk": "/"}, f"disk: {DISK} is wanted, got '/'"),
        (CHECK, {"disk": []}, f"disk: {DISK} is wanted, got an empty list"),
        (CHECK, {"disk": {"path": "/", "used_percent_max": 0}}, "disk.used_percent_max: more than 0 is wanted, got 0"),
        (CHECK, {"disk": {"path": "/", "used_percent_max": "x"}}, "disk.used_percent_max: a number is wanted, got 'x'"),
        (CHECK, {"disk": {"path": "/", "max_bytes": 0}}, "disk.max_bytes: at least 1 byte is wanted, got 0"),
        (CHECK, {"disk": {"path": "", "pth": 1}}, "disk.path: a text of at least 1 character is wanted, got ''"),
        (CHECK, {"disk": {"path": "/", "usd_percent_max": 1}}, "the key 'usd_percent_max' is not known here | did you mean 'used_percent_max'?"),
        (CHECK, {"disk": {"path": "/"}, "interval": "0.1s"}, "interval: at least 500 milliseconds is wanted, got '0.1s'"),
        (CHECK, {"disk": {"path": "/"}, "interval": "2 days"}, "interval: at most 1 day is wanted, got '2 days'"),
        (CHECK, {"disk": {"path": "/"}, "interval": True}, "interval: a duration like '5 minutes' or '5m' is wanted, got true"),
        (CHECK, {"disk": {"path": "/"}, "severity": "warn"}, "severity: 'critical', 'error', 'warning' or 'info' is wanted, got 'warn' | did you mean 'warning'?"),
        (CHECK, {"disk": {"path": "/"}, "labels": {"": "x"}}, "labels.: a text of at least 1 character is wanted, got ''"),
        (CHECK, {"disk": {"path": "/"}, "labels": {"a": 1}}, "labels.a: a text is wanted, got 1 | put quotes around it"),
        (CHECK, {"disk": {"path": "/"}, "labels": 5}, "labels: a mapping is wanted, got 5"),
        (CHECK, {"http": {"url": "ftp://x"}}, "http.url: a URL like https://host/path is wanted, got 'ftp://x'"),
        (CHECK, {"process": {}}, "process: exactly one of 'name' and 'pidfile' is wanted"),
        (CHECK, {}, "exactly one of 'disk', 'http' and 'process' is wanted"),
        (HOOK, {"path": "am", "auth": "nonee"}, "auth: none or {bearer: {secret: …}} is wanted"),
        (HOOK, {"path": "am", "auth": {"none": False}}, "auth.none: true is wanted, got false"),
        (HOOK, {"path": "am", "auth": {"bearer": "hunter2"}}, 'auth.bearer: a reference like {secret: "env:NAME"} is wanted'),
        (HOOK, {"path": "am", "auth": {"bearer": {"secret": "hunter2"}}}, "auth.bearer.secret: env:NAME or file:PATH is wanted"),
        (HOOK, {"path": "am", "auth": "none", "max_body": "17 MiB"}, "max_body: at most 16 MiB is wanted, got '17 MiB'"),
        (HOOK, {"path": "am", "auth": "none", "alert_ttl": "0s"}, "alert_ttl: more than 0 seconds is wanted, got '0s'"),
        (HOOK, 5, "a mapping with path, auth (and maybe format, mapping, max_body, max_quiet, alert_ttl, delivery_id, reconcile, rate_limit, allow_from, redact, origins) is wanted, got 5"),
        (MODELS["source api"], 5, "an empty mapping ({}) is wanted, got 5"),
        (MODELS["source api"], {"a": 5}, "the key 'a' is not known here | known: none"),
        (settings.Settings, {"retention": {"journal": "1 second"}}, "retention.journal: at least 1 hour is wanted, got '1 second'"),
        (settings.Settings, {"retention": 5}, f"retention: {RESERVED} is wanted, got 5"),
        (settings.Settings, {"server": {"port": "x"}}, "server.port: a whole number is wanted, got 'x'"),
        (settings.Settings, {"server": {"port": 70000}}, "server.port: at most 65535 is wanted, got 70000"),
        (settings.Settings, {"server": {"port": None}}, "server.port: a whole number is wanted, got nothing"),
        (settings.Settings, {"server": {"host": "a b"}}, "server.host: a host name or an address is wanted, got 'a b'"),
        (settings.Settings, {"log": {"rotation": "1 KB"}}, "log.rotation: at least 10 KB is wanted, got '1 KB'"),
        (settings.Settings, {"body_max": 5}, "body_max: at least 1 KiB is wanted, got 5"),
        (settings.Settings, {"control": {"socket": 5}}, "control.socket: a path without control characters (at most 1000) or '' is wanted, got 5 | put quotes around it"),
        (settings.Settings, {"defaults": {"run_action": {"concurrency": {"target": 2}}}}, "defaults.run_action.concurrency.target: 1 is wanted, got 2"),
        (building.EntryShape, {"command": []}, "command: a list of at least 1 item is wanted, got an empty list"),
        (building.EntryShape, {"command": "ls -l"}, "command: a list is wanted, got 'ls -l'"),
        (building.EntryShape, {"timeout": "0s"}, "timeout: more than 0 seconds is wanted, got '0s'"),
        (building.EntryShape, {"impact": "hihg"}, "impact: 'low', 'medium' or 'high' is wanted, got 'hihg' | did you mean 'high'?"),
        (building.EntryShape, {"idempotent": "yes"}, "idempotent: true or false is wanted, got 'yes'"),
        (building.EntryShape, {"required": ["a", 1]}, "required.1: a text is wanted, got 1 | put quotes around it"),
        (MODELS["controller ansible"], {"forks": 0}, "forks: at least 1 is wanted, got 0"),
        (MODELS["controller ansible"], {"run_on": "x"}, "run_on: CONTROLLER:HOST is wanted, got 'x'"),
    ],
)  # fmt: skip
def test_what_was_wanted_and_what_was_got(model: type[pydantic.BaseModel], value: Any, words: str) -> None:
    assert words in said(model, value)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Inner(pydantic.BaseModel):
    host: str


class Other(pydantic.BaseModel):
    """What plugins of others may ask for."""

    model_config = pydantic.ConfigDict(extra="forbid")
    colour: Colour = Colour.RED
    either: Inner | list[Inner] | Annotated[int, pydantic.Field(ge=3)] | None = None
    named: str = pydantic.Field("", alias="called", min_length=2)
    hosts: dict[Annotated[str, pydantic.StringConstraints(pattern="^a"), plugins.Wanted("a word with a")], Inner] = {}
    wait: plugins.Duration | Literal["never"] = 1.0
    own: Any = None
    few: Annotated[dict[str, int], pydantic.Field(min_length=1)] = {"a": 1}

    @pydantic.field_validator("own")
    @classmethod
    def _own(cls, value: object) -> object:
        if value == 1:
            raise PydanticCustomError("own", "my own words about {it}", {"it": "it"})
        if value == 2:
            raise AssertionError("two is too many")
        if value == 3:
            raise ValueError("four is wanted, got three")
        return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"colour": "bleu"}, ["colour: 'red' or 'blue' is wanted, got 'bleu' | did you mean 'blue'?"]),
        ({"either": "x"}, ["either: a mapping with host or a list or a whole number is wanted, got 'x'"]),
        ({"either": 1}, ["either: a mapping with host or a list or at least 3 is wanted, got 1"]),
        ({"either": [{"host": 1}]}, ["either: a mapping with host or a whole number is wanted, got a list",
                                     "either.0.host: a text is wanted, got 1 | put quotes around it"]),
        ({True: "xy"}, [f"true: a text as key is wanted, got true | {wording.OF_TRUTH}"]),
        ({"hosts": {False: {"host": "x"}}}, [f"hosts.false: a word with a is wanted, got false | {wording.OF_TRUTH}"]),
        ({"hosts": {1: {"host": "x"}}}, ["hosts.1: a word with a is wanted, got 1 | put quotes around it"]),
        ({"called": True}, [f"called: a text is wanted, got true | {wording.OF_TRUTH}"]),
        ({"caled": "xy"}, ["the key 'caled' is not known here | did you mean 'called'?"]),
        ({"called": "x"}, ["called: a text of at least 2 characters is wanted, got 'x'"]),
        ({"hosts": {"b": {"host": "x"}}}, ["hosts.b: a word with a is wanted, got 'b'"]),
        ({"hosts": {"a": 5}}, ["hosts.a: a mapping with host is wanted, got 5"]),
        ({"wait": "ever"}, ["wait: a duration like '5 minutes' or '5m' or 'never' is wanted, got 'ever' | did you mean 'never'?"]),
        ({"own": 1}, ["own: my own words about it"]),
        ({"own": 2}, ["own: two is too many, got 2"]),
        ({"own": 3}, ["own: four is wanted, got 3"]),
        ({"few": {}}, ["few: a mapping of at least 1 key is wanted, got an empty mapping"]),
        ({"few": {"a": {"b": 1}}}, ["few.a: a whole number is wanted, got a mapping"]),
    ],
)  # fmt: skip
def test_models_of_others(value: Any, words: list[str]) -> None:
    assert said(Other, value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"), (True, "true"), (False, "false"), (1, "1"), (1.5, "1.5"), ("x", "'x'"), ([], "an empty list"), ([1], "a list"), ({}, "an empty mapping"),
        ({1: 2}, "a mapping"), ((), "an empty list"), ("x" * 500, config.shown("x" * 500)),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_a_file_has_it(value: Any, words: str) -> None:
    assert wording.shown(value) == words


@pytest.mark.parametrize(
    ("reader", "value", "words"),
    [
        (units.duration_s, 0, "0 seconds"), (units.duration_s, 1.0, "1 second"), (units.duration_s, 90, "90 seconds"), (units.duration_s, 3600.0, "1 hour"),
        (units.duration_s, 5400, "90 minutes"), (units.duration_s, 2 * 86400, "2 days"), (units.duration_s, 0.25, "250 milliseconds"),
        (units.size_bytes, 1, "1 byte"), (units.size_bytes, 0, "0 bytes"), (units.size_bytes, 1500, "1500 bytes"), (units.size_bytes, 2048, "2 KiB"),
        (units.size_bytes, 16 << 20, "16 MiB"), (units.size_bytes, 10**9, "1 GB"), (None, 65535, "65535"), (None, 0.5, "0.5"),
    ],
)  # fmt: skip
def test_an_amount_is_written_as_it_would_be_in_a_file(reader: Any, value: Any, words: str) -> None:
    leaves = [(float, (types.SimpleNamespace(func=reader),))]
    assert wording._amount(value, leaves) == words
    assert reader is not units.duration_s or wording.span(value) == words
    if reader is not None and "byte" not in words:
        assert reader(words) == value
