"""A project directory → one checked revision, or everything that is wrong with it and where.

Callers: the daemon (start, reload through `child`), `healer validate`. Nothing raises for an operator's mistake. Files are read once; then
come settings, controllers with inventories, catalog, shared sources, rulebooks, each against those before; all that can be is checked.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import gc
import json
import pathlib
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from healer import catalog, config, errors, model, plugins, vault
from healer.project import (
    activations,
    approvers,
    books,
    checking,
    comments,
    controllers,
    discovery,
    drafts,
    events,
    folders,
    gathering,
    git,
    hidden,
    identities,
    inventories,
    looks,
    mistakes,
    opening,
    playbooks,
    revision,
    selections,
    settings,
    sources,
    tree,
)  # fmt: skip

MANIFEST: Final = ".revision.json"
"""Stands in a published revision; names the commit that it came from."""


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """What `load` gives: a revision where there is no error. `published`: where it was copied to, if that was asked."""

    revision: revision.Revision | None
    diagnostics: tuple[errors.Diagnostic, ...]
    published: pathlib.Path | None = None

    @property
    def errors(self) -> int:
        """How many errors there are, those that are not shown among them."""
        return mistakes.counted(self.diagnostics, "error")


def load(
    project_dir: pathlib.Path, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None,
    opened: vault.Vault | None = None,
) -> Loaded:  # fmt: skip
    """Read and check a project. `opened`: what is vaulted in it has to open with that; None: only that it is well written is checked.

    `environ`: of it the variables `HEALER_…` are settings. `overrides`: flags by their place in `healer.yaml` with dots
    (`{"server.port": 8081, "mode": "active"}`), None for one that was not given.
    """
    draft = draft_of(project_dir, environ, overrides, opened)
    texts = {file: document.lines for file, document in draft.documents.items()}
    shown = mistakes.bounded(comments.apply(draft.diagnostics, texts, lambda _: ())[0])
    return Loaded(None if draft.failed else dataclasses.replace(draft.revision, diagnostics=shown), shown)


def draft_of(
    project_dir: pathlib.Path, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None,
    opened: vault.Vault | None = None,
) -> drafts.Draft:  # fmt: skip
    """The same with the files as written, and what could be read where something is wrong: for who looks further (`healer.lint`)."""
    with without_collecting():
        return _Loading(project_dir, environ, overrides or {}, opened).load()


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: what is made stays, so that each look at all of it is lost time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Loading:
    """One reading of one directory."""

    def __init__(
        self,
        project_dir: pathlib.Path,
        environ: Mapping[str, str],
        overrides: Mapping[str, Any],
        opened: vault.Vault | None,
    ) -> None:
        self._vault = opened
        self._main: config.Document | None = None
        self._environ = environ
        self._overrides = overrides
        self._inventory_paths = {controllers.INVENTORY}
        self.tree = tree.Tree(project_dir, self._kept)
        self._documents: list[config.Document] = []
        self._more: list[errors.Diagnostic] = []
        self._hostname = socket.gethostname()

    def load(self) -> drafts.Draft:
        self.tree.scan()
        found = self._revision()
        diagnostics = self._told()
        again, left = hidden.readings(self.tree, diagnostics)
        diagnostics += left
        for file, counting, places in again:
            diagnostics += hidden.told(self._again(file, counting), file, places)
        unique = dict.fromkeys(sorted(diagnostics, key=lambda d: (d.place.file, d.place.line, d.place.column)))
        return drafts.Draft(found, {one.file: one for one in self._documents}, tuple(unique))

    def _told(self) -> list[errors.Diagnostic]:
        if self.tree.full:  # what was not read would be missed
            return list(self.tree.diagnostics)
        return [*self.tree.diagnostics, *self._more, *(d for one in self._documents for d in one.diagnostics)]

    def _is_sound(self) -> bool:
        return all(one.severity != "error" for one in self._told())

    def _again(self, file: str, counting: Collection[config.Span]) -> list[errors.Diagnostic]:
        """What is told where other places of keys that stand twice in a file count than the last ones."""
        other = copy.copy(self)
        other.tree = copy.copy(self.tree)
        other.tree.counting = {file: counting}
        other._documents, other._more = [], []
        other._revision()
        return other._told()

    def _revision(self) -> revision.Revision:
        main = self._main = self._document("healer")
        read = settings.read(main, self._environ, self._overrides)
        self._more += [*read.diagnostics, *folders.mistakes(self.tree)]
        held = inventories.Inventories(self.tree, self._kept_files, self._text, self._more)
        project = controllers.Project(self._find, held.default)
        control = self._document("controllers")
        control_by = controllers.with_environment(
            controllers.read(control, project), project, self._environ, self._more
        )
        controllers.take_files(control, control_by, project, self.tree)
        specs = activations.read(main, self.tree, self._kept_files, self._vault)
        hosts = held.read(control, control_by, specs or [])
        self._more += folders.among_read(self.tree, main, read, self._inventory_paths)
        actions = self._document("actions")
        written, metadata = discovery.written(self.tree, actions)
        self._documents += metadata
        names = discovery.names(self.tree, actions, written, metadata)
        found = catalog.build(written, names)
        checker = checking.Checker(
            self.tree, read.settings, found, names, control_by, hosts,
            frozenset(held.incomplete), self._hostname, approvers.Approvers(main, read, found, names),
        )  # fmt: skip
        self._check(checker, written, control)
        self._more += [*checker.approvers.settings(), *looks.check(main, read, written, control_by, self.tree.root)]
        all_sources = sources.Sources(self.tree, read.settings, self._plain)
        if main is not None:
            all_sources.share(main)
        taken = identities.Identities()
        switched_on = self._activations(checker, all_sources, read.settings, specs, taken)
        self._more += playbooks.mistakes(self.tree, written, checker.playbooks, control_by.by_name.values())
        if self._is_sound():  # else it is not known what runs what
            self._more += discovery.without_metadata(self.tree, found, checker.playbooks)
        of_events = events.activation(found, actions or config.Document("actions.yaml", ""))
        if of_events is not None:
            switched_on.append(of_events[0])
            all_sources.found |= {one.name: one for one in of_events[1]}
            for ruleset in of_events[0].rulesets:
                self._more += taken.take_ours(of_events[0].name, ruleset)
        if not written and len(switched_on) == (of_events is not None) and self._is_sound():
            self._more.append(mistakes.EMPTY)
        authored = approvers.authored(read.settings, found, switched_on, self.tree.files)
        made = revision.Revision(
            tree.revision_id(self.tree.files.values()), self.tree.root, self._git(authored), read.settings, found, control_by.by_name,
            control_by.default, hosts, tuple(switched_on), all_sources.found, self.tree.files, self._hostname,
            outside=self.tree.outside,
        )  # fmt: skip
        self._more += approvers.without_author(made.git, authored)
        if main is not None and self._is_sound():
            selections.warn(main, made)
        return made

    def _plain(self, reference: str) -> str | None:
        """The text behind a vaulted one, where it can be known here."""
        if self._vault is None:
            return None
        with contextlib.suppress(ValueError):
            return opening.value(
                reference.removeprefix("ansible-vault:"), self._vault, lambda path: self._text(path) or ""
            )
        return None

    # --- files ------------------------------------------------------------------------------------------------------------

    def _kept(self, path: str) -> bool:
        if (
            path in tree.FILES
            or path.startswith(books.COLLECTED + "/")
            or books.is_book(path)
            or discovery.is_metadata(path)
        ):
            return not path.endswith(".cfg")
        return any(path == one or path.startswith(one + "/") for one in self._inventory_paths)

    def _document(self, name: str) -> config.Document | None:
        """One of the files at the top, whichever ending it has."""
        there = [path for path in (f"{name}.yaml", f"{name}.yml") if path in self.tree.files]
        if not there:
            return None
        document = self.tree.document(there[0], vaulted=model.Reference.of if name == "healer" else None)
        if len(there) > 1:
            document.error("both-endings", f"{there[1]} is there too", None, "one of the two has to go")
        self._documents.append(document)
        return document

    def _find(self, kind: plugins.Kind, name: str) -> Any:
        return plugins.find(kind, name, self.tree.root)

    def _git(self, authored: list[str]) -> git.Git | None:
        """Of a published revision the commit that it was published from; else that of the repository."""
        try:
            noted = json.loads((self.tree.root / MANIFEST).read_bytes())["git"]
            authors = tuple((str(file), str(email)) for file, email in noted.get("authors", ())) if noted else ()
            return git.Git(str(noted["commit"]), bool(noted["clean"]), authors) if noted else None
        except (OSError, ValueError, KeyError, TypeError):
            counted = {path.split("/", 1)[0] for path in self.tree.files} | set(tree.FOLDERS) | set(tree.FILES)
            return git.read(self.tree.root, sorted(counted), authored)

    def _kept_files(self, path: str) -> list[str]:
        """The files at a path, which are parsed from now on."""
        if not any(path == one or path.startswith(one + "/") for one in self._inventory_paths):
            self._inventory_paths.add(path)
            self.tree.keep(path)
        return [one for one in self.tree.files if one == path or one.startswith(path + "/")]

    def _text(self, path: str) -> str | None:
        raw = self.tree.content(path)
        try:
            return raw.decode("utf-8-sig") if raw is not None else None
        except UnicodeDecodeError as error:
            message = f"the file is not UTF-8 (byte {error.start + 1})"
            self._more.append(errors.Diagnostic("unreadable", message, errors.Place(path), try_=config.AS_UTF8))
            return None

    # --- checks across files ----------------------------------------------------------------------------------------------

    def _check(
        self, checker: checking.Checker, written: Iterable[catalog.Written], control: config.Document | None
    ) -> None:
        for one in written:
            checker.entry(one)
        listed = control.value.get("controllers") if control and isinstance(control.value, config.Map) else None
        for name, value in listed.items() if isinstance(listed, config.Map) else ():
            if control is not None and isinstance(value, config.Map):
                checker.controller(control, checker.controllers.known(name), value)

    def _activations(
        self, checker: checking.Checker, all_sources: sources.Sources, read: settings.Settings,
        specs: list[activations.Spec] | None, names: identities.Identities,
    ) -> list[revision.Activation]:  # fmt: skip
        made: list[revision.Activation] = []
        views: dict[str, checking.Checker] = {"": checker}
        for book in books.read(self.tree, specs):
            self._documents.append(book.document)
            activation = _activation(book)
            if activation.inventory not in views:
                views[activation.inventory] = checker.under(activation.inventory)
            self._more += opening.shut(book, activation, self._vault)
            self._book(book, activation, views[activation.inventory], all_sources)
            names.take(book, activation.gathering)
            books.windows(book, read.retention.journal)
            activations.forget_unknown(book.document, book.spec)
            if not _is_off(book):
                made.append(views[activation.inventory].gathering(book.document, activation))
        for spec in specs or ():
            for name, shared in spec.shape.sources.items():
                if shared not in all_sources.shared:
                    message = f"healer.yaml shares no source {shared!r}"
                    near = errors.nearest(shared, all_sources.shared)
                    spec.document.error("unknown-source", message, spec.at("sources", name, value=True), near)
        for path in books.idle(self.tree, activations.named(self._main)) if specs is not None else ():
            self._more.append(mistakes.not_activated(path))
        return made

    def _book(
        self, book: books.Book, activation: revision.Activation, checker: checking.Checker, all_sources: sources.Sources
    ) -> None:
        """The rulesets of a rulebook that is on, against everything else; of one that is off the sources are not taken."""
        document, spec = book.document, book.spec
        written = list(book.written())
        names = frozenset(name for name, _ in written)
        made = {(rule.place.line, rule.place.column): rule for ruleset in book.rulesets for rule in ruleset.rules}
        replaced = spec.shape.sources if spec else {}
        given = sources.Given(activation.variables, activation.env, replaced)
        # Where not all variables are known a port may be another one.
        taking = all_sources.aside() if _is_off(book) or (spec is not None and not spec.known) else all_sources
        for name, value in written:
            lifecycle = taking.of_ruleset(document, value, activation.name, name, given) or _is_off(book)
            upstream = spec is not None and spec.shape.compat == "upstream"
            checker.ruleset(document, value, names, made, lifecycle=lifecycle, upstream=upstream)
        for name in replaced:
            if spec is not None and name not in given.used:
                known = [sources.name_of(item) for _, value in written for item in value.get("sources") or ()]
                message = f"{document.file} has no source {name!r}"
                near = errors.nearest(name, known)
                spec.document.error("unknown-source", message, spec.at("sources", name), near)


def _is_off(book: books.Book) -> bool:
    return book.spec is not None and book.spec.shape.mode == "off"


def _activation(book: books.Book) -> revision.Activation:
    """What the revision keeps of a rulebook that is on."""
    rulesets, spec = tuple(book.rulesets), book.spec
    if spec is None:
        return revision.Activation(book.activation, book.document.file, rulesets, gathering=gathering.ruleset(rulesets))
    shape = spec.shape
    env = {
        name: {"secret": value.secret} if isinstance(value, plugins.SecretRef) else model.sealed(value)
        for name, value in shape.env.items()
    }
    mode = None if shape.mode == "off" else shape.mode
    return revision.Activation(
        shape.name, book.document.file, rulesets, variables=spec.variables, env=env,
        inventory=controllers.path_of(shape.inventory), mode=mode, restart=shape.restart,
        gathering=gathering.ruleset(rulesets),
    )  # fmt: skip
