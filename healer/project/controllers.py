"""`controllers.yaml`: the named ways to reach targets, each checked with its plugin. Caller: `loading`.

Without the file there is one controller, `local`. Keys that every type has (`targets actions concurrency rate_limit tags`) are
read here, all others are the plugin's own options.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import config, errors, plugins, quoting, wording
from healer.catalog import building
from healer.project import tree

CONTROLLERS_MAX: Final = 1000
FILE_BYTES_MAX: Final = 1 << 20
"""A larger one is not looked through for words that say nothing."""
AAP: Final = "aap"
INVENTORY: Final = "inventory"
"""The folder that a controller without `inventory:` takes, where it is there."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_COMMON: Final = ("targets", "actions", "concurrency", "rate_limit", "tags")
Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=300)]


class Common(plugins.Options):
    """The keys that any controller may have."""

    targets: list[Name] = pydantic.Field(default=[], min_length=1, description="the only ones that it may touch")
    actions: list[Name] = pydantic.Field(default=[], min_length=1, description="the only ones that it may run")
    concurrency: Annotated[int, pydantic.Field(ge=1, le=10_000)] | None = pydantic.Field(
        None, description="most runs at once"
    )
    rate_limit: plugins.Rate | None = pydantic.Field(None, description="most runs within a time, like 30 per minute")
    tags: list[Name] = pydantic.Field(default=[])


class Inventory(plugins.Options):
    """The key that those without options for it may have too."""

    inventory: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1000)] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Controller:
    """One controller as written. `options` are plain values for the plugin's `Options`; secrets in them are references.

    `kinds` of `model.Job` that it can do, `target_kinds` that it reaches. `inventory`: its path in the project, '' for none.
    `targets` (`group:x` or names) and `actions` bound it where they are not empty. `machines`: options that name one (`machines`).
    """

    name: str
    type: str
    kinds: frozenset[str]
    target_kinds: frozenset[str] = frozenset({"host"})
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inventory: str = ""
    targets: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    concurrency: int | None = None
    rate_limit: plugins.RateShape | None = None
    tags: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    place: errors.Place = dataclasses.field(default_factory=lambda: errors.Place("controllers.yaml"))


@dataclasses.dataclass(frozen=True, slots=True)
class Controllers:
    """All of them, which one is the default, which names are wrong, and of these what can be looked at all the same (`drafts`).

    `inventories`: each that one of them names, also one that is wrong elsewhere, and where the first of these stands.
    """

    by_name: Mapping[str, Controller]
    default: str
    broken: frozenset[str] = frozenset()
    inventories: Mapping[str, config.Mark | None] = dataclasses.field(default_factory=dict)
    drafts: Mapping[str, Controller] = dataclasses.field(default_factory=dict)
    """Those of which some options are wrong, with the others."""
    guessed: bool = False
    """Whether the default is not known, so that another one stands for it: what it cannot do says nothing."""

    def known(self, name: str) -> Controller | None:
        """As far as it is right."""
        return self.by_name.get(name) or self.drafts.get(name)


def read(document: config.Document | None, project: Project) -> Controllers:
    """The controllers of a file (None: there is none); mistakes become its diagnostics."""
    local = Controller(
        "local",
        "local",
        project.kinds("local"),
        project.plugin("local").target_kinds,
        inventory=project.default_inventory,
    )
    alone = Controllers({"local": local}, "local", inventories={project.default_inventory: None})
    if document is None or (document.ok and document.value is None):
        return alone
    value = document.value
    if not isinstance(value, config.Map):
        if document.ok:
            document.error("wrong-type", "controllers.yaml has to be a mapping", getattr(value, "mark", (1, 1, 1)))
        return alone
    for key in value:
        if key not in ("controllers", "default"):
            try_ = wording.about_key(key, ("controllers", "default"))
            document.error("unknown-key", f"controllers.yaml has no key {wording.shown(key)}", value.keys_at[key], try_)
    listed = value.get("controllers")
    if listed is not None and (not isinstance(listed, config.Map) or len(listed) > CONTROLLERS_MAX):
        message = f"controllers has to be a mapping of at most {CONTROLLERS_MAX} names"
        document.error("wrong-type", message, value.keys_at.get("controllers"))
        return alone
    if not listed:
        return alone
    drafts: dict[str, Controller] = {}
    found = {str(name): _one(document, listed, name, project, drafts) for name in listed}
    made = {name: spec for name, spec in found.items() if spec is not None}
    broken = frozenset(found) - frozenset(made)
    before = len(document.diagnostics)
    default = _default(document, value, found)
    guessed = len(document.diagnostics) > before
    return Controllers(made, default, broken, _inventories(listed, project), drafts, guessed)


OF_UPSTREAM: Final = "EDA_CONTROLLER_"
"""Begins the variables by which ansible-rulebook knows its automation controller."""


def with_environment(
    found: Controllers, project: Project, environ: Mapping[str, str], told: list[errors.Diagnostic]
) -> Controllers:
    """With a controller `aap` of ansible-rulebook's variables (`EDA_CONTROLLER_URL` …), where none can run job templates."""
    url = environ.get(f"{OF_UPSTREAM}URL")
    if (
        not url
        or found.broken
        or any("job_template" in one.kinds for one in found.by_name.values())
        or AAP in found.by_name
    ):
        return found
    secrets = {
        name: {"secret": f"env:{OF_UPSTREAM}{name.upper()}"}
        for name in ("token", "password")
        if environ.get(OF_UPSTREAM + name.upper())
    }
    verify = environ.get(f"{OF_UPSTREAM}SSL_VERIFY", "yes")
    plain = {"username": environ.get(f"{OF_UPSTREAM}USERNAME"), "verify_tls": verify.lower() not in ("no", "false")}
    if plain["verify_tls"] and verify.lower() not in ("yes", "true"):
        plain["ca"] = verify
    options = {"url": url, **secrets, **{name: value for name, value in plain.items() if value is not None}}
    document = config.Document(f"{OF_UPSTREAM}URL", "")
    if plugins.check_options(document, project.plugin(AAP).Options, options, None, "the automation controller") is None:
        told += document.diagnostics
        return found
    made = Controller(
        AAP, AAP, project.kinds(AAP), project.plugin(AAP).target_kinds, options, place=document.place(None)
    )
    return dataclasses.replace(found, by_name={**found.by_name, AAP: made})


def _inventories(listed: config.Map, project: Project) -> dict[str, config.Mark | None]:
    found: dict[str, config.Mark | None] = {}
    for name, value in listed.items():
        written = value.get("inventory") if isinstance(value, config.Map) else None
        if isinstance(value, config.Map) and (written is None or isinstance(written, str)):
            at = value.values_at.get("inventory") or listed.keys_at.get(name)
            found.setdefault(path_of(written) or project.default_inventory, at)
    return found


def take_files(document: config.Document | None, found: Controllers, project: Project, files: tree.Tree) -> None:
    """Read the files of the project that options name; one that is not there is a mistake. A path from the root is not of the project."""
    listed = (
        document.value.get("controllers") if document is not None and isinstance(document.value, config.Map) else None
    )
    for name, spec in {**found.drafts, **found.by_name}.items():
        written = listed.get(name) if isinstance(listed, config.Map) else None
        for option in project.plugin(spec.type).files:
            named = spec.options.get(option)
            if (
                document is None
                or not isinstance(written, config.Map)
                or not isinstance(named, str)
                or named.startswith("/")
            ):
                continue
            path, at = path_of(named), written.values_at.get(option)
            if not path or ".." in path.split("/") or "\0" in path:
                document.error(
                    "path-escapes",
                    f"{option} {named!r} has to be a file of its own in the project",
                    at,
                    "copy it into the project",
                )
                continue
            if path not in files.files:
                files.keep(path)
            if path not in files.files:
                near = errors.nearest(path, files.files)
                document.error(
                    "no-file", f"there is no file {path!r}, which {option} of the controller {name!r} names", at, near
                )
            told = _passed_over(project.plugin(spec.type), option, path, files)
            document.diagnostics += [one for one in told if one not in document.diagnostics]


def _passed_over(
    plugin: type[plugins.Controller], option: str, path: str, files: tree.Tree
) -> Iterator[errors.Diagnostic]:
    """Words of a file that its controller does not know. Whether it can be read at all is told of all files alike."""
    if path not in files.files or files.files[path].bytes > FILE_BYTES_MAX:
        return
    try:
        text = (files.root / path).read_text("utf-8", "replace")
    except OSError:
        return
    lines = text.split("\n")
    for line, column, word, try_ in plugin.passed_over(option, text):
        message = f"{wording.shown(word)} is no word of such a file, and is passed over"
        place = errors.Place(path, line, column)
        shown, moved, width = quoting.excerpt(lines[line - 1], column, len(word))
        yield errors.Diagnostic("unknown-keyword", message, place, "warning", shown, width, try_, moved=moved)


class Project:
    """What reading controllers needs of the project: its plugins, each found once, and its default inventory.

    `find(kind, name)` is `plugins.find` for this project.
    """

    def __init__(self, find: Callable[[plugins.Kind, str], Any], default_inventory: str) -> None:
        self._find = find
        self.default_inventory = default_inventory
        self._found: dict[str, type[plugins.Controller] | errors.HealerError] = {}
        self._told: set[str] = set()

    def plugin(self, type_name: str) -> type[plugins.Controller]:
        """The class of a type. Raises `plugins.UnknownPlugin` or `plugins.BrokenPlugin`."""
        found = self._found.get(type_name)
        if found is None:
            try:
                found = self._class(type_name)
            except errors.HealerError as error:
                found = error
            self._found[type_name] = found
        if isinstance(found, errors.HealerError):
            raise found
        return found

    def _class(self, type_name: str) -> type[plugins.Controller]:
        module = self._find("controllers", type_name)
        plugin = getattr(module, "CONTROLLER", module)
        if isinstance(plugin, type) and issubclass(plugin, plugins.Controller):
            return plugin
        where = str(getattr(module, "__file__", type_name))
        reason = "CONTROLLER is no Controller class"
        raise plugins.BrokenPlugin(what="controller", name=type_name, where=where, reason=reason)

    def lacks(self, type_name: str) -> tuple[str, str] | None:
        """(package, extra) of one that a type names in `packages` (module → extra) and that is not installed; told once a type."""
        needed: Mapping[str, str] = getattr(self.plugin(type_name), "packages", {})
        for module, extra in needed.items():
            if type_name not in self._told and importlib.util.find_spec(module) is None:
                self._told.add(type_name)
                return module.replace("_", "-"), extra
        return None

    def kinds(self, type_name: str) -> frozenset[str]:
        """Which kinds of jobs a type can do."""
        return frozenset(self.plugin(type_name).kinds)


def _one(
    document: config.Document, listed: config.Map, name: Any, project: Project, drafts: dict[str, Controller]
) -> Controller | None:
    """The controller; one that is not wholly right goes to `drafts` where enough of it is."""
    value, at = listed[name], listed.keys_at.get(name)
    before = len(document.diagnostics)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        try_ = wording.OF_TRUTH if isinstance(name, bool) else "letters, digits, _ . - (at most 64)"
        document.error("name", f"{wording.shown(name)} is no name of a controller", at, try_)
    if not isinstance(value, config.Map) or not isinstance(value.get("type"), str):
        mark = value.values_at.get("type", at) if isinstance(value, config.Map) else at
        document.error("wrong-type", f"the controller {name!r} has to be a mapping with a type", mark, "{type: local}")
        return None
    try:
        plugin = project.plugin(value["type"])
    except plugins.UnknownPlugin as error:
        message = f"there is no type of controllers {wording.shown(value['type'])}"
        document.error("unknown-controller-type", message, value.values_at.get("type"), error.try_)
        return None
    except errors.HealerError as error:
        document.error(error.code, error.message, value.values_at.get("type"), error.try_)
        return None
    if lacks := project.lacks(value["type"]):
        message = f"controllers of the type {value['type']} need a package that is not installed: {lacks[0]}"
        document.warning(
            "missing-extra", message, value.values_at.get("type"), f"pip install 'auto-healer[{lacks[1]}]'"
        )
    rest = building.without(value, ("type", *_COMMON))
    plugins.conceal(document, plugin.Options, rest)
    what = f"the controller {name!r}"
    common = plugins.check_options(
        document, Common, building.without(value, [k for k in value if k not in _COMMON]), at, what
    )
    only = building.without(rest, [key for key in rest if key != "inventory"])
    where = plugins.check_options(document, Inventory, only, at, what)
    if "inventory" not in plugin.Options.model_fields:
        rest = building.without(rest, ("inventory",))
    elif where is None:
        return None
    options = plugins.check_options(document, plugin.Options, rest, at, what)
    sound = options is not None or _sound(plugin.Options, rest)
    if common is None or where is None or sound is None or not isinstance(name, str):
        return None
    made = Controller(
        name, value["type"], project.kinds(value["type"]), project.plugin(value["type"]).target_kinds,
        building.plain(rest if sound is True else sound), path_of(where.inventory) or project.default_inventory,
        tuple(common.targets), tuple(common.actions), common.concurrency, common.rate_limit, tuple(common.tags),
        plugin.machines, document.place(at),
    )  # fmt: skip
    if options is not None and not _wrong(document, before):
        return made
    drafts[name] = made
    return None


def _sound(shape: type[plugins.Options], value: config.Map) -> config.Map | None:
    """What of a value is right by itself; None where something is not that has to be there."""
    try:
        shape.model_validate(value)
    except pydantic.ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
        needed = [name for name, field in shape.model_fields.items() if field.is_required()]
        return None if any(one in wrong or one not in value for one in needed) else building.without(value, [*wrong])
    return value


def _wrong(document: config.Document, before: int) -> bool:
    return any(one.severity == "error" for one in document.diagnostics[before:])


def path_of(text: str | None) -> str:
    """A path as written, without what says nothing; '' for none."""
    return (
        "/".join(part for part in (text or "").split("/") if part not in ("", "."))
        if text and text[0] != "/"
        else text or ""
    )


def _default(document: config.Document, value: config.Map, found: Mapping[str, Any]) -> str:
    default = value.get("default")
    if default is None:
        if len(found) > 1 and "default" not in value:
            message = "default is missing: which controller do actions use that name none?"
            document.error("missing-key", message, value.mark, f"default: {next(iter(found))}")
        return next(iter(found))
    if not isinstance(default, str) or default not in found:
        mark = value.values_at.get("default")
        document.error(
            "unknown_controller",
            f"no controller is named {default!r}",
            mark,
            errors.nearest(str(default), found) or f"there are: {', '.join(found)}",
        )
        return next(iter(found))
    return default
