"""The contracts of sources, formats and controllers, and finding one by its name.

One file is one plugin and the file's name is its name; nothing is registered. A plugin is imported only when something names
it. Found in this order: built in (`healer.sources`, `healer.formats`, `healer.controllers`), the project's own folders
`sources/` and `controllers/`, entry points of the names of the built-in packages. Callers: `project` (checks), `supervise`
(sources), `web` (formats), `dispatch` (controllers).
"""

from __future__ import annotations

import abc
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import pathlib
import re
import sys
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import pydantic
import pydantic.json_schema

from healer import config, errors, model, units, wording

Kind = Literal["sources", "formats", "controllers"]
OWN_KINDS: Final[frozenset[Kind]] = frozenset({"sources", "controllers"})
"""Those that a project may have a folder of. Formats read what strangers send, inside the daemon: they are installed."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Options(pydantic.BaseModel):
    """The base of a plugin's options: unknown keys are errors, values are not coerced from other types."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)
    _one_of: ClassVar[tuple[str, ...]] = ()
    """Keys of which exactly one is given."""

    @pydantic.model_validator(mode="after")
    def _has_one(self) -> Self:
        if self._one_of and sum(getattr(self, key) is not None for key in self._one_of) != 1:
            raise ValueError(wording.exactly_one(self._one_of))
        return self


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


# --- sources --------------------------------------------------------------------------------------------------------------

Emit = Callable[[Sequence[Mapping[str, Any]]], Awaitable[Sequence[int]]]
"""`await emit(events)` gives their journal positions once all are on disk; several calls may be in flight.

A position of 0 stands for an event that was a duplicate. An event is a JSON object; `meta` keys given are kept beside ours."""


@dataclasses.dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is given beside its options. `resolve` turns a secret reference into its value."""

    name: str
    project_dir: pathlib.Path
    resolve: Callable[[SecretRef], model.Secret]
    log: Callable[[str, str], None]
    """`log(level, message)`"""


class Source(abc.ABC):
    """A source that the daemon runs as a task (a *pull* source)."""

    Options: ClassVar[type[Options]]
    resolves: ClassVar[bool] = False
    """Whether its alerts are closed by a `resolved` event of its own."""

    def __init__(self, options: Any, context: SourceContext) -> None:
        self.options = options
        self.context = context

    @abc.abstractmethod
    async def run(self, emit: Emit) -> None:
        """Deliver events until cancelled. Returning means: no more will come. Raising means: start me again later."""


class Push:
    """A source that waits for requests on the daemon's own port: it has options and no task."""

    Options: ClassVar[type[Options]]


# --- formats --------------------------------------------------------------------------------------------------------------


Element = model.Element


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """How a sender's bodies become events: `read(body) → elements`; raises `errors.InvalidField` for a body not of it.

    It is the `FORMAT` of its module, also of one that an entry point names. `inquiry`: how its sender is asked what fires.
    """

    name: str
    resolves: bool
    read: Callable[[Mapping[str, Any]], list[Element]]
    fields: tuple[str, ...] = ()
    inquiry: model.Inquiry | None = None


# --- checks ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a probe saw: `value` against the threshold (None where the probe failed), and one line for people."""

    ok: bool
    value: float | None
    detail: str


# --- controllers ----------------------------------------------------------------------------------------------------------

Output = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Called with each piece of output as it comes; never blocks."""


@dataclasses.dataclass(frozen=True, slots=True)
class ControllerContext:
    """What a controller is given beside its options."""

    name: str
    resolve: Callable[[SecretRef], model.Secret]
    log: Callable[[str, str], None]
    project_dir: pathlib.Path = pathlib.Path()
    subjects: tuple[Any, ...] = ()
    """What its actions of the catalog run (`model.Job.subject`, parameters not filled in), for `check`."""


class Controller(abc.ABC):
    """A named way to reach targets. One instance serves many jobs at once."""

    Options: ClassVar[type[Options]]
    kinds: ClassVar[frozenset[str]]
    """Which of `model.Job.kind` it can do."""
    target_kinds: ClassVar[frozenset[str]] = frozenset({"host"})
    """Which of `model.Target.kind` it reaches; any other is no target for it."""
    needs_inventory: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ()
    """Options that are files of the project: they are of its revision."""
    packages: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    """Module → the extra of `auto-healer` that brings it: `healer validate` and the start warn of one that is not installed."""

    def __init__(self, options: Any, context: ControllerContext) -> None:
        self.options = options
        self.context = context

    @abc.abstractmethod
    async def check(self) -> model.Health:
        """Whether it is usable now (tools there, hosts reachable)."""

    @abc.abstractmethod
    async def plan(self, job: model.Job) -> model.Plan:
        """What `run` would do, without doing it."""

    @abc.abstractmethod
    async def run(self, job: model.Job, output: Output) -> model.Outcome:
        """Do it, once under this token, and follow it to its end. Cancelling the task stops the work.

        OSError for want of space (ENOSPC, EDQUOT): `find` is asked when there is space, and its answer counts as after a crash.
        `model.NotBegunError`: it is certain that nothing began, so that a new attempt is queued.
        """

    @abc.abstractmethod
    async def find(self, job: model.Job) -> model.Found:
        """After a crash: what became of the job under its token."""

    async def withhold(self, job: model.Job) -> bool:
        """A pause, while `run` is under way: where the job has not begun to take effect, keep it from that. `run` is cancelled then.

        True: nothing has begun, and nothing will. False: it has begun, or nobody can say. If not told otherwise, as `find` says.
        """
        return (await self.find(job)).state == "absent"

    @abc.abstractmethod
    async def follow(self, job: model.Job, output: Output) -> model.Outcome:
        """Take up a job again that `find` says is running, and follow it to its end."""


# --- finding one ----------------------------------------------------------------------------------------------------------


class UnknownPlugin(errors.HealerError):
    """no {what} is named {name!r}"""

    code = "unknown-plugin"


class BrokenPlugin(errors.HealerError):
    """the {what} {name!r} ({where}) cannot be used: {reason}"""

    code = "broken-plugin"


def builtin_names(kind: Kind) -> list[str]:
    """The names of the plugins that ship with healer, sorted."""
    package = importlib.import_module(f"healer.{kind}")
    return sorted(
        path.stem
        for folder in package.__path__
        for path in pathlib.Path(folder).glob("*.py")
        if _NAME.fullmatch(path.stem)
    )


def project_names(kind: Kind, project_dir: pathlib.Path) -> dict[str, pathlib.Path]:
    """The plugins in the project's own folder, by name; a file that is the built-in one itself is left out.

    None of a kind that projects have no folder of.
    """
    if kind not in OWN_KINDS:
        return {}
    package = importlib.import_module(f"healer.{kind}")
    builtin = {path.resolve() for folder in package.__path__ for path in pathlib.Path(folder).glob("*.py")}
    folder = project_dir / kind
    found = (
        {path.stem: path for path in sorted(folder.glob("*.py")) if _NAME.fullmatch(path.stem)}
        if folder.is_dir()
        else {}
    )
    return {name: path for name, path in found.items() if path.resolve() not in builtin}


def entry_points(kind: Kind) -> dict[str, importlib.metadata.EntryPoint]:
    """The plugins that installed packages offer, by name."""
    return {point.name: point for point in importlib.metadata.entry_points(group=f"healer.{kind}")}


def names(kind: Kind, project_dir: pathlib.Path | None = None) -> list[str]:
    """All names that `find` knows."""
    own = project_names(kind, project_dir) if project_dir else {}
    return sorted({*builtin_names(kind), *own, *entry_points(kind)})


def find(kind: Kind, name: str, project_dir: pathlib.Path | None = None) -> types.ModuleType | Any:
    """The module (or the object of an entry point) of a plugin. Raises `UnknownPlugin` or `BrokenPlugin`."""
    what = kind[:-1]
    where = name
    try:
        if name in builtin_names(kind):
            return importlib.import_module(f"healer.{kind}.{name}")
        own = project_names(kind, project_dir) if project_dir else {}
        if name in own:
            where = str(own[name])
            return _import_file(f"healer_project_{kind}.{name}", own[name])
        points = entry_points(kind)
        if name in points:
            where = points[name].value
            return _checked(kind, points[name].load())
    except KeyboardInterrupt:
        raise
    except ImportError as error:
        raise BrokenPlugin(what=what, name=name, where=where, reason=str(error)) from error
    except BaseException as error:  # a stranger's code: whatever it raises at import (`sys.exit()`) is its mistake
        raise BrokenPlugin(what=what, name=name, where=where, reason=f"{type(error).__name__}: {error}") from error
    raise UnknownPlugin(what=what, name=name, try_=errors.nearest(name, names(kind, project_dir)))


def _checked(kind: Kind, found: Any) -> Any:
    """Whoever asks for a format reads its `FORMAT`: what has none must be known before a delivery comes."""
    if kind == "formats" and not isinstance(getattr(found, "FORMAT", None), Format):
        raise ImportError("a module with FORMAT = plugins.Format(…) is wanted")
    return found


def _import_file(module_name: str, path: pathlib.Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(module_name)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # a half of a module is none; the one from before a reload stays
        sys.modules.pop(module_name, None)
        if before is not None:
            sys.modules[module_name] = before
        raise
    return module


# --- checking options -----------------------------------------------------------------------------------------------------


def check_options(
    document: config.Document, shape: type[pydantic.BaseModel], value: Any, mark: config.Mark | None, what: str
) -> Any:
    """Make `shape` of `value`; mistakes become diagnostics of the document, each where it stands, and None is given."""
    if value is None:
        value = {}
    try:
        return shape.model_validate(value)
    except pydantic.ValidationError as error:
        for one in wording.mistakes(error, shape, value, mark):
            document.error("options", f"{what}: {one.below(0)}", one.mark, one.try_)
        return None


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
