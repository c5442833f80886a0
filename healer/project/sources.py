"""The sources of a project: those that `healer.yaml` shares and those of rulebooks, each checked with its plugin.

Caller: `loading`. What a rulebook calls `healer.source: {name: x}` subscribes its ruleset to the shared source; every other
one is an instance of its own, named `activation/ruleset/name`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

from healer import config, errors, model, plugins, rulebook
from healer.catalog import building
from healer.project import listeners, locating, rendering, tree, webhooks
from healer.project.revision import Source
from healer.project.settings import Settings

API: Final = "healer.api"
EVENTS: Final = "healer.events"
BY_HAND: Final = "healer.actions"
SHARED: Final = "healer.source"
WEBHOOK: Final = "healer.webhook"
LIFECYCLES: Final = ("ansible.eda.alertmanager", "eda.builtin.alertmanager", "alertmanager")
KNOWN: Final = "healer.webhook, healer.api, healer.source, check, a file of sources/, or NAMESPACE.COLLECTION.NAME"
"""What a source may be, for a name that is like none."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NATIVE: Final = re.compile(r"healer\.[a-z]")


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """One source as written, found sound: what of it does not depend on who listens."""

    source: Source
    path: str = ""
    """Of a webhook."""
    address: listeners.Address = listeners.NOWHERE


@dataclasses.dataclass(slots=True)
class Given:
    """What an activation gives the sources of its rulebook. `sources`: name in the file → shared source; `used`: those it has."""

    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    used: set[str] = dataclasses.field(default_factory=set)


NOTHING_GIVEN: Final = Given()


class Sources:
    """Collects all sources of a project. `found`: by name, those that are right. `settings`: of the daemon that they are for; `plain`:
    as of `listeners.Listeners`."""

    def __init__(
        self, files: tree.Tree, settings: Settings | None = None, plain: listeners.Plain = lambda _: None
    ) -> None:
        self._tree = files
        self._project_dir = files.root
        self._located: dict[str, locating.Located | errors.HealerError] = {}
        self._filters: dict[str, pathlib.Path | errors.HealerError] = {}
        self._formats: dict[str, plugins.Format | errors.HealerError] = {}
        self._paths: dict[str, errors.Place] = {}
        self._shared: dict[str, Checked | None] = {}
        self._listeners = listeners.Listeners(settings.server if settings else None, plain)
        self._settings = settings
        self.found: dict[str, Source] = {}

    @property
    def shared(self) -> Collection[str]:
        """The names of the sources that `healer.yaml` shares, also of those that are wrong."""
        return self._shared.keys()

    def aside(self) -> Sources:
        """For what is checked and not taken: it knows what `healer.yaml` shares, and takes no name, port or path here."""
        other = Sources(self._tree)
        other._shared, other.found = self._shared, dict(self.found)
        return other

    # --- those of healer.yaml -------------------------------------------------------------------------------------------

    def share(self, document: config.Document) -> None:
        """Take `sources` of `healer.yaml`."""
        listed = document.value.get("sources") if isinstance(document.value, config.Map) else None
        if not isinstance(listed, config.Map):
            return
        for name, value in listed.items():
            at = listed.keys_at.get(name)
            before = len(document.diagnostics)
            named = isinstance(name, str)  # else that was told with the settings
            if named and (not NAME.fullmatch(name) or NATIVE.match(name)):
                message = f"{name!r} is no name of a source"
                document.error(
                    "name", message, at, "letters, digits, _ . - (at most 64), not healer.… which names ours"
                )
            checked = self._item(document, value, at, shared=True) if rulebook.source(document, value, at) else None
            right = all(one.severity != "error" for one in document.diagnostics[before:])
            self._shared[str(name)] = None
            if checked is not None and named and right:
                source = dataclasses.replace(checked.source, name=name, shared=True)
                if self._listeners.name_of(document, source, checked.address) is not None:
                    self._shared[name], self.found[name] = checked, source

    # --- those of rulebooks -----------------------------------------------------------------------------------------------

    def of_ruleset(
        self, document: config.Document, ruleset: config.Map, activation: str, name: str, given: Given = NOTHING_GIVEN
    ) -> bool:
        """Take the sources of one ruleset; whether one of them has a lifecycle of its own."""
        items = ruleset.get("sources")
        resolves = False
        if not isinstance(items, config.Seq):
            return resolves
        for index, item in enumerate(items):
            checked = self._replaced(item, given)
            if checked is None:
                checked = self._item(document, item, items.items_at[index], variables=given.variables)
                checked = checked and dataclasses.replace(
                    checked, source=dataclasses.replace(checked.source, env=given.env)
                )
            if checked is None:
                resolves = True  # what it is will be known once it is right: no complaint before
                continue
            resolves |= checked.source.resolves
            self._subscribe(document, item, checked, (activation, name))
        return resolves

    def _replaced(self, item: Any, given: Given) -> Checked | None:
        """The shared source that an activation puts in the place of one of the file's, which then is not looked at."""
        name = name_of(item)
        if name not in given.sources:
            return None
        given.used.add(name)
        shared = self.found.get(given.sources[name])
        return Checked(shared) if shared is not None and shared.shared else None

    def _subscribe(
        self, document: config.Document, item: config.Map, checked: Checked, subscriber: tuple[str, str]
    ) -> None:
        source = checked.source
        if source.type == API:
            source = dataclasses.replace(source, name=API, shared=True)
        elif not source.shared:
            shown = name_of(item) or source.type
            listening = self._listeners.name_of(document, source, checked.address, subscriber[0])
            if listening is None:
                return
            name = listening or self._free("/".join((*subscriber, shown)))
            source = dataclasses.replace(source, name=name, shown=shown)
        known = self.found.get(source.name, source)
        if known.env != source.env and not known.shared:
            known = dataclasses.replace(known, env=listeners.common(known.env, source.env))
        if subscriber not in known.subscribers:
            known = dataclasses.replace(known, subscribers=(*known.subscribers, subscriber))
        if source.shown and not source.shared and (source.shown, source.type) != (known.shown, known.type):
            known = dataclasses.replace(
                known, shown_to={**known.shown_to, "/".join(subscriber): (source.shown, source.type)}
            )
        self.found[source.name] = known

    def _free(self, own: str) -> str:
        """A name that no other source has."""
        name, number = own, 2
        while name in self.found:
            name, number = f"{own}-{number}", number + 1
        return name

    # --- checking one -----------------------------------------------------------------------------------------------------

    def _item(
        self, document: config.Document, item: Any, mark: config.Mark | None, *, shared: bool = False,
        variables: Mapping[str, Any] = MappingProxyType({}),
    ) -> Checked | None:  # fmt: skip
        if not isinstance(item, config.Map):
            return None
        types = [key for key in item if key not in ("name", "filters")]
        if len(types) != 1 or not isinstance(types[0], str):
            return None
        name, at = types[0], item.keys_at.get(types[0])
        if name == SHARED:
            return self._reference(document, item, shared=shared)
        if name in (EVENTS, BY_HAND):
            document.error("unknown-source", f"{name} is for the actions of the catalog and listed nowhere", at)
            return None
        located = self._locate(document, name, at)
        if located is None or (rendered := rendering.source(document, item, name, variables)) is None:
            return None
        return self._options(document, rendered, located, at, shared=shared)

    def _reference(self, document: config.Document, item: config.Map, *, shared: bool) -> Checked | None:
        at = item.keys_at.get(SHARED)
        if shared:
            document.error("source-type", f"{SHARED} is for rulebooks: it names a source of this file", at)
            return None
        args = item[SHARED]
        options = plugins.check_options(document, locating.options(SHARED), args, at, SHARED)
        if options is None:
            return None
        mark = args.values_at.get("name", at) if isinstance(args, config.Map) else at
        if options.name not in self._shared:
            near = errors.nearest(options.name, self._shared)
            known = "healer.yaml shares " + (", ".join(sorted(self._shared)) or "none (sources:)")
            document.error("unknown-source", f"healer.yaml has no source {options.name!r}", mark, near or known)
            return None
        if item.get("filters"):
            message = f"{SHARED} takes no filters here: they belong to the shared source"
            document.error("filters", message, item.keys_at.get("filters"), "put them at the source in healer.yaml")
            return None
        return self._shared[options.name] and Checked(self.found[options.name])

    def _locate(self, document: config.Document, name: str, at: config.Mark | None) -> locating.Located | None:
        if name not in self._located:
            try:
                self._located[name] = locating.locate(name, self._project_dir)
            except errors.HealerError as error:
                self._located[name] = error
        found = self._located[name]
        if isinstance(found, locating.Located):
            return found
        if isinstance(found, plugins.UnknownPlugin):
            document.error("unknown-source", f"no source is named {name!r}", at, found.try_ or KNOWN)
        else:
            document.error(found.code, found.message, at, found.try_)
        return None

    def _options(
        self, document: config.Document, item: config.Map, located: locating.Located, at: config.Mark | None, *, shared: bool
    ) -> Checked | None:  # fmt: skip
        args = item[located.name]
        if not shared:
            _inline_secrets(document, args)
        filters = self._filters_of(document, item, located)
        options: Any = None
        if located.kind != "eda":
            options = self._checked(document, located, args, at)
            if options is None:
                if located.kind == "push" and isinstance(args, config.Map):  # its format is told all the same
                    self._resolves(document, located, args, SimpleNamespace(format=args.get("format")), at)
                return None
        where = listeners.address(document, located.name, args, at) if located.kind == "eda" else listeners.NOWHERE
        if filters is None or where is None:
            return None
        checked = Source(
            "", located.name, _KINDS[located.kind], model.sealed(building.plain(args) or {}), filters, document.place(at),
            options=options if located.kind == "push" and locating.is_builtin(located.plugin) else None,
            resolves=self._resolves(document, located, args, options, at),
            code=self._code(located, [name for name, _ in filters], options),
            max_quiet_s=getattr(options, "max_quiet", None), alert_ttl_s=getattr(options, "alert_ttl", None),
        )  # fmt: skip
        path = getattr(options, "path", "") if located.kind == "push" else ""
        if path:
            mark = args.values_at.get("path", at) if isinstance(args, config.Map) else at
            if path in self._paths:
                message = f"the path {path!r} is taken by another webhook ({self._paths[path]})"
                document.error("duplicate-path", message, mark, "another path")
                return None
            self._paths[path] = document.place(mark)
        if located.name == WEBHOOK:
            form = self._formats.get(options.format)
            webhooks.tell(document, args, options, at, self._settings, resolves=checked.resolves, form=form)
        return Checked(checked, path, where)

    def _checked(
        self, document: config.Document, located: locating.Located, args: Any, at: config.Mark | None
    ) -> plugins.Options | None:
        """The options of one of ours; what it takes of the project's own plugins is found for that."""
        try:
            shape = locating.options_for(located, args, self._project_dir)
        except errors.HealerError as error:
            document.error(error.code, error.message, at, error.try_)
            return None
        made: plugins.Options | None = plugins.check_options(document, shape, args, at, located.name)
        return made

    def _resolves(
        self, document: config.Document, located: locating.Located, args: Any, options: Any, at: config.Mark | None
    ) -> bool:
        if located.kind == "eda":
            return located.name in LIFECYCLES
        name = getattr(options, "format", None)
        if located.kind == "native" or not isinstance(name, str):
            return bool(getattr(located.plugin, "resolves", False))
        if (mapping := getattr(options, "mapping", None)) is not None:
            return bool(mapping.resolves)
        if name not in self._formats:
            try:
                self._formats[name] = locating.format_of(name)
            except errors.HealerError as error:
                self._formats[name] = error
        found = self._formats[name]
        if isinstance(found, errors.HealerError):
            mark = args.values_at.get("format", at) if isinstance(args, config.Map) else at
            code = "unknown-format" if isinstance(found, plugins.UnknownPlugin) else found.code
            document.error(code, found.message, mark, found.try_)
            return True  # not known: no further complaint rests on it
        return found.resolves

    def _filters_of(
        self, document: config.Document, item: config.Map, located: locating.Located
    ) -> tuple[tuple[str, Mapping[str, Any]], ...] | None:
        listed = item.get("filters")
        if listed is None:
            return ()
        if located.kind != "eda":
            message = f"filters are for sources of event-driven Ansible, not for {located.name}"
            document.error("filters", message, item.keys_at.get("filters"), "leave them out")
            return None
        made, good = [], isinstance(listed, config.Seq)
        for one in listed if isinstance(listed, config.Seq) else ():
            if not isinstance(one, config.Map) or len(one) != 1:
                good = False
                continue
            name = next(iter(one))
            good &= self._filter(document, str(name), one.keys_at.get(name))
            made.append((str(name), building.plain(one[name]) if isinstance(one[name], config.Map) else {}))
        return tuple(made) if good else None

    def _filter(self, document: config.Document, name: str, at: config.Mark | None) -> bool:
        if name not in self._filters:
            try:
                self._filters[name] = locating.locate_filter(name, self._project_dir)
            except errors.HealerError as error:
                self._filters[name] = error
        found = self._filters[name]
        if isinstance(found, errors.HealerError):
            if isinstance(found, errors.MissingExtra):
                document.error(found.code, found.message, at, found.try_)
            else:
                document.error("unknown-filter", f"no filter is named {name!r}", at, found.try_)
            return False
        return True

    def _code(self, located: locating.Located, filters: list[str], options: Any) -> str:
        """A hash of the project's own files that the source runs; '' where it has none."""
        own = [located.path] if located.path else []
        own += [path for name in filters if isinstance(path := self._filters.get(name), pathlib.Path)]
        inner = [type(one) for _, one in options or () if isinstance(one, plugins.Options)]
        for plugin in (located.plugin, *inner):
            if plugin is not None and not locating.is_builtin(plugin):
                own += [path] if (path := locating.file_of(plugin)) else []
        known = self._tree.files
        mine = [known[name].sha256 for path in own if (name := self._relative(path)) in known]
        return hashlib.sha256("".join(mine).encode()).hexdigest() if mine else ""

    def _relative(self, path: pathlib.Path) -> str:
        return path.relative_to(self._project_dir).as_posix() if path.is_relative_to(self._project_dir) else ""


_KINDS: Final[Mapping[str, Any]] = {"native": "pull", "pull": "pull", "push": "push", "eda": "eda"}


def name_of(item: Any) -> str:
    """What a rulebook calls one of its sources: the name it gives, else its type."""
    if not isinstance(item, config.Map):
        return ""
    named = item.get("name")
    if isinstance(named, str) and named:
        return named
    return next((str(key) for key in item if key not in ("name", "filters")), "")


def _inline_secrets(document: config.Document, args: Any) -> None:
    for mark in secrets_in(args):
        message = "a secret's name stands in a rulebook, so whoever may change rules may send it elsewhere"
        document.warning("inline-secret", message, mark, "share the source in healer.yaml: healer.source: {name: …}")


def secrets_in(value: Any) -> Iterator[config.Mark | None]:
    """Where a `{secret: …}` stands in a value."""
    if isinstance(value, config.Map):
        for key, inner in value.items():
            if key == "secret" and isinstance(inner, str) and len(value) == 1:
                yield value.keys_at.get(key)
            else:
                yield from secrets_in(inner)
    elif isinstance(value, config.Seq):
        for inner in value:
            yield from secrets_in(inner)
