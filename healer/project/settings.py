"""`healer.yaml`: how the daemon runs. Read whole, every mistake at once; flags and the environment go before the file.

Caller: `loading`. A value of the environment is named after its place (`HEALER_SERVER__PORT` is `port` under `server`); a
mistake in it is told with the variable's name where the file's would stand. Secrets are references only. What is planned and
read by nothing yet is refused: who writes a brake believes that there is one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import config, errors, measures, model, plugins, wording
from healer.catalog import building
from healer.project import people, receivers, shipped, validation

NOT_YET: Final = ("secrets",)
PEOPLE: Final = ("roles", "principals")
AS_WRITTEN: Final = ("sources", "activations", "policies", "inhibit", "notifications", "validate", *PEOPLE)
"""Read elsewhere, and set by no variable or flag."""
SECTIONS: Final = (
    "server",
    "log",
    "retention",
    "keys",
    "control",
    "sources",
    "defaults",
    "storm",
    "notifications",
    "validate",
    *PEOPLE,
)
LISTS: Final = ("policies", "inhibit")
PREFIX: Final = "HEALER_"
BODY_LIMIT: Final = 16 << 20
OTHER_VARIABLES: Final = (
    "ADMIN_KEY_FILE", "DATA_DIR", "DEBUG", "DRY_RUN", "HOOK_TOKEN", "KEY", "NO_PROJECT_PLUGINS", "PARAM_", "PORT", "PROJECT", "RUN_ID",
    "SERVICE_", "SHARED", "TARGET", "TOKEN", "URL",
)  # fmt: skip
"""Variables that others read, or that Kubernetes sets for a service of this name; `DATA_DIR` is a setting as well."""

Host = Annotated[
    str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,255}$"), plugins.Wanted("a host name or an address")
]
Path = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^\x00-\x1f]{1,1000}$"),
    plugins.Wanted("a path without control characters (at most 1000)"),
]
Label = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    plugins.Wanted("a word of letters, digits and _ . - (at most 64, at first a letter or digit)"),
]
Group = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$"),
    plugins.Wanted("the name of a group of this machine"),
]

PublicUrl = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$", max_length=1024),
    plugins.Wanted("a URL like https://healer.example.org, without a user, a query and a fragment"),
]


class Server(plugins.Options):
    """Where the daemon listens; port 0 takes any free one. `public_url`: what senders use to reach it, like https://healer.example.org.
    `connections_per_address`: None: half of all."""

    host: Host = "127.0.0.1"
    port: Annotated[int, pydantic.Field(ge=0, le=65535)] = 8080
    public_url: PublicUrl | None = None
    connections_per_address: Annotated[int, pydantic.Field(ge=16, le=2048)] | None = None


class Log(plugins.Options):
    """Logs as JSON lines."""

    dir: Path = "logs"
    level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    rotation: Annotated[plugins.Size, pydantic.Field(ge=10_000)] = 100_000_000
    retention: Annotated[plugins.Duration, pydantic.Field(ge=60)] = 30 * 86400.0


class Keys(plugins.Options):
    """A file of key hashes, for containers."""

    file: Path | None = None


class Control(plugins.Options):
    """The socket of the local shell; '' is `control.sock` in the data directory. `group` may use it too."""

    socket: Path | Literal[""] = ""
    group: Group | None = None


Url = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https?://[^\s/@?#]+([/?][^\s#]*)?$", max_length=2048),
    plugins.Wanted("a URL like https://host/path, without a user"),
]


class Heartbeat(plugins.Options):
    """A sign of life, sent to somebody who misses it while the daemon's work goes on."""

    url: Url | plugins.SecretRef
    every: Annotated[plugins.Duration, pydantic.Field(ge=1, le=86400)] = 60.0
    method: Literal["GET", "POST"] = "GET"
    timeout: Annotated[plugins.Duration, pydantic.Field(ge=0.1, le=300)] = 10.0


class Settings(plugins.Options):
    """All of `healer.yaml`. `sources` and `activations` as written."""

    environment: Label = "dev"
    mode: model.Mode = "active"
    server: Server = Server()
    data_dir: Path = ".healer"
    reload: Literal["manual"] = "manual"
    log: Log = Log()
    retention: shipped.Retention = shipped.Retention()
    keys: Keys = Keys()
    control: Control = Control()
    sources: dict[str, Any] = pydantic.Field(default={})
    activations: list[Any] | None = None
    roles: people.Roles = pydantic.Field(default={})
    principals: people.Principals = pydantic.Field(default={})
    defaults: shipped.Defaults = shipped.Defaults()
    policies: Annotated[list[shipped.Policy], pydantic.Field(max_length=500)] = pydantic.Field(default=[])
    inhibit: Annotated[list[shipped.Inhibit], pydantic.Field(max_length=500)] = pydantic.Field(default=[])
    storm: Annotated[shipped.Storm | None, measures.OrNothing()] = shipped.Storm()
    backlog_max: Annotated[int, pydantic.Field(ge=100, le=100_000_000)] = 100_000
    alerts_max: Annotated[int, pydantic.Field(ge=1, le=10_000_000)] = 100_000
    approvals_max: Annotated[int, pydantic.Field(ge=1, le=1_000_000)] = 1_000
    facts_max: Annotated[int, pydantic.Field(ge=1, le=10_000_000)] = 100_000
    plans_per_minute: Annotated[int, pydantic.Field(ge=0, le=10_000)] = 30
    body_max: Annotated[plugins.Size, pydantic.Field(ge=1024, le=BODY_LIMIT)] = 2 << 20
    drain: Annotated[plugins.Duration, pydantic.Field(ge=0, le=3600)] = 30.0
    heartbeat: Heartbeat | None = None
    notifications: receivers.Notifications = receivers.Notifications()
    validated: validation.Validation = pydantic.Field(default=validation.Validation(), alias="validate")


def read(document: config.Document | None, environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Read:
    """The settings of a file (None: there is none) under the environment and the flags.

    `overrides` are flags by their place with dots (`server.port`). Mistakes stand in the document and in `Read.diagnostics`;
    where there are any the values that were right still hold, so that the rest can be checked.
    """
    settings = _file(document) if document is not None else Settings()
    found: list[errors.Diagnostic] = []
    set_by: dict[str, str] = {}
    for place, path, value in (*_variables(environ, found), *_flags(overrides)):
        before, settings = settings, _put(settings, place, path, value, found)
        if settings is not before:
            set_by[".".join(path)] = place
    return Read(settings, found, set_by)


class Read:
    """What `read` gives. `set_by`: setting with dots → the variable or flag that it is from, where that is not the file."""

    __slots__ = ("diagnostics", "set_by", "settings")

    def __init__(self, settings: Settings, diagnostics: list[errors.Diagnostic], set_by: Mapping[str, str]) -> None:
        self.settings = settings
        self.diagnostics = diagnostics
        self.set_by = set_by


def _file(document: config.Document) -> Settings:
    value = document.value
    if not isinstance(value, config.Map):
        if value is not None:
            mark = getattr(value, "mark", None) or (1, 1, 1)
            document.error("wrong-type", f"healer.yaml has to be a mapping, got {wording.shown(value)}", mark)
        return Settings()
    refused = list(NOT_YET)
    for key in NOT_YET:
        if key in value:
            document.error("not-yet", f"{key} is not there yet", value.keys_at.get(key), "leave it out")
    _policies(document, value)
    people.check(document, value)
    receivers.check(document, value)
    if isinstance(kept := value.get("retention"), config.Map) and "audit" in kept:
        message = "retention.audit is not there yet: audit records are kept"
        document.warning("not-yet", message, kept.keys_at.get("audit"), "leave it out")
    if value.get("reload") == "on_change":
        document.error("not-yet", "reload: on_change is not there yet", value.values_at.get("reload"), "reload: manual")
        refused.append("reload")
    kept = _without_unknown(document, Settings, _empty_sections(building.without(value, refused)))
    for key in list(kept):
        # A section that is wrong is left out, so that the others still hold while the rest is checked.
        alone = building.without(kept, [other for other in kept if other != key])
        if plugins.check_options(document, Settings, alone, value.mark, "") is None:
            kept = building.without(kept, [key])
    made: Settings = Settings.model_validate(kept)
    return made


def _without_unknown(document: config.Document, shape: type[plugins.Options], value: config.Map) -> config.Map:
    """The mapping without the keys that its shape lacks, in its sections too, after telling each with the nearest that there is."""
    made = building.without(value, ())
    fields = {field.alias or name: field for name, field in shape.model_fields.items()}
    for key, inner in value.items():
        field = fields.get(key)
        if field is None:
            del made[key]
            message = f"the key {wording.shown(key)} is not known here"
            document.error("options", message, value.keys_at.get(key), wording.about_key(key, fields))
        elif isinstance(inner, config.Map) and isinstance(section := field.annotation, type(plugins.Options)):
            made[key] = _without_unknown(document, section, inner)
    return made


def _policies(document: config.Document, value: config.Map) -> None:
    """Refuse policies whose name is given twice: they name budgets."""
    given, seen = value.get("policies"), set()
    for one in given if isinstance(given, config.Seq) else ():
        if isinstance(one, config.Map) and isinstance(name := one.get("name"), str):
            if name in seen:
                document.error(
                    "duplicate-name",
                    f"the policy {wording.shown(name)} is there twice",
                    one.values_at.get("name"),
                    "another name",
                )
            seen.add(name)


def _empty_sections(value: config.Map) -> config.Map:
    """A section whose lines are all comments reads as nothing: it means its defaults."""
    made = building.without(value, ())
    for key in (*SECTIONS, *LISTS):
        if key in made and made[key] is None:
            made[key] = [] if key in LISTS else {}
    return made


def _variables(environ: Mapping[str, str], found: list[errors.Diagnostic]) -> Iterator[tuple[str, list[str], str]]:
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        path = name.removeprefix(PREFIX).lower().split("__")
        if len(path) > 1 or path[0] in Settings.model_fields or path[0] in NOT_YET:
            yield name, path, environ[name]
        elif not name.removeprefix(PREFIX).startswith(OTHER_VARIABLES):
            near = errors.nearest(name, (PREFIX + field.upper() for field in Settings.model_fields))
            if near:
                message = "no setting has this name; the variable is left out"
                found.append(errors.Diagnostic("unknown-variable", message, errors.Place(name), "warning", try_=near))


def _flags(overrides: Mapping[str, Any]) -> Iterator[tuple[str, list[str], Any]]:
    for name, value in overrides.items():
        if value is not None:
            yield "--" + name.split(".")[-1].replace("_", "-"), name.split("."), value


def _put(settings: Settings, place: str, path: list[str], value: Any, found: list[errors.Diagnostic]) -> Settings:
    """The settings with one value changed, or unchanged after saying what is wrong."""
    if path[0] in NOT_YET:
        found.append(
            errors.Diagnostic("not-yet", f"{'.'.join(path)} is not there yet", errors.Place(place), try_="leave it out")
        )
        return settings
    shapes: list[plugins.Options] = [settings]
    for depth, name in enumerate(path):
        fields = {field.alias or key: key for key, field in type(shapes[-1]).model_fields.items()}
        inner = getattr(shapes[-1], fields[name]) if name in fields else None
        last, whole = depth == len(path) - 1, isinstance(inner, measures.Whole)
        section = isinstance(inner, plugins.Options) and not isinstance(inner, plugins.RateShape)
        if name not in fields or not (section or last) or (last and section and not whole) or name in AS_WRITTEN:
            known = fields if name not in fields else ()
            message = f"no setting is named {'.'.join(path)!r} that a variable or flag could set"
            found.append(errors.Diagnostic("options", message, errors.Place(place), try_=errors.nearest(name, known)))
            return settings
        if not last and isinstance(inner, plugins.Options):
            shapes.append(inner)
    made = _checked(type(shapes[-1]), path[-1], value, place, found)
    if made is None:
        return settings
    inner = getattr(made, _key(type(made), path[-1]))
    for shape, name in zip(reversed(shapes), reversed(path), strict=True):
        inner = shape.model_copy(update={_key(type(shape), name): inner})
    return inner if isinstance(inner, Settings) else settings


def _key(shape: type[plugins.Options], name: str) -> str:
    """The field that is written so."""
    return next(key for key, field in shape.model_fields.items() if name == (field.alias or key))


def _checked(
    shape: type[plugins.Options], name: str, value: Any, place: str, found: list[errors.Diagnostic]
) -> plugins.Options | None:
    """A shape of this one value alone; None after saying what is wrong."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        value = building.plain(config.read_text(value, place).value)
    field = shape.model_fields[_key(shape, name)]
    fields: dict[str, Any] = {_key(shape, name): (field.annotation, copy.copy(field))}
    alone = pydantic.create_model(shape.__name__, __base__=plugins.Options, **fields)
    try:
        return alone.model_validate({name: value}, strict=False)  # a variable is a text, also where a number is wanted
    except pydantic.ValidationError as error:
        for one in wording.mistakes(error, alone, {name: value}):
            found.append(errors.Diagnostic("options", one.below(1), errors.Place(place), try_=one.try_))
        return None
