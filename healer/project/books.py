"""The rulebooks that are on: those that `activations:` names, else all files of rulebooks/ but the tests. Caller: `loading`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from typing import Final

from healer import config, engine, errors, model, rulebook, wording
from healer.project import activations, locating
from healer.project.revision import HIDDEN_ACTIVATION
from healer.project.tree import Tree

FOLDER: Final = "rulebooks"
COLLECTED: Final = ".rulebooks"
"""Where a revision keeps the rulebooks of collections that it uses, so that it is whole without them."""
ENDINGS: Final = (".yml", ".yaml")


@dataclasses.dataclass(slots=True)
class Book:
    """One rulebook switched on: its activation's name, its document, what could be read of it, and what it is given (None: nothing)."""

    activation: str
    document: config.Document
    rulesets: list[engine.Ruleset]
    spec: activations.Spec | None = None

    def written(self) -> Iterator[tuple[str, config.Map]]:
        """Each ruleset's name and mapping, also of those that are wrong elsewhere."""
        value = self.document.value
        for item in value if isinstance(value, config.Seq) else ():
            name = item.get("name") if isinstance(item, config.Map) else None
            if isinstance(item, config.Map) and isinstance(name, str) and name.strip():
                yield name.strip(), item


def is_book(path: str) -> bool:
    """Whether a path of the project is a rulebook or a test of one."""
    return path.startswith(FOLDER + "/") and path.endswith(ENDINGS)


def read(tree: Tree, specs: list[activations.Spec] | None) -> Iterator[Book]:
    """Every rulebook that is on: those of the activations, or (None) all of them by path."""
    if specs is not None:
        for spec in specs:
            yield from _activated(tree, spec)
        return
    for path in _paths(tree):
        document = tree.document(path, twice="warning", vaulted=model.Reference.of)
        if isinstance(document.value, config.Map) and "tests" in document.value:
            continue
        name = path.removeprefix(FOLDER + "/").rpartition(".")[0]
        _endings(tree, path, document)
        if name == HIDDEN_ACTIVATION:
            message = f"{HIDDEN_ACTIVATION!r} is the name of the rules that events: of actions.yaml make"
            document.error("reserved-name", message, None, "give the file another name")
        yield Book(name, document, rulebook.parse(document, {}))


def idle(tree: Tree, named: Collection[str]) -> list[str]:
    """The rulebooks that no activation names."""
    found = []
    for path in _paths(tree):
        value = tree.document(path, twice="warning", vaulted=model.Reference.of).value
        if path not in named and not (isinstance(value, config.Map) and "tests" in value):
            found.append(path)
    return found


def _activated(tree: Tree, spec: activations.Spec) -> Iterator[Book]:
    if not isinstance(spec.written.get("rulebook"), str):  # that was told
        return
    path = _found(tree, spec.shape.rulebook)
    if path is None:
        near = errors.nearest(spec.shape.rulebook, _paths(tree))
        message = f"there is no rulebook {spec.shape.rulebook!r}"
        spec.document.error(
            "no-file", message, spec.at("rulebook"), near or "a file of rulebooks/, or NAMESPACE.COLLECTION.NAME"
        )
        return
    document = tree.document(path, twice="warning", vaulted=model.Reference.of)
    _endings(tree, path, document)
    yield Book(spec.shape.name, document, rulebook.parse(document, spec.variables), spec)


def _found(tree: Tree, name: str) -> str | None:
    """The path in the project of a rulebook that an activation names; one of a collection is taken into it."""
    if is_book(name):
        return name if name in tree.files else None
    installed = locating.locate_rulebook(name, tree.root)
    if installed is None:
        return None
    path = f"{COLLECTED}/{name}.yml"
    tree.take_in(path, installed)
    return path if path in tree.files else None


def _paths(tree: Tree) -> list[str]:
    return [path for path in tree.names(FOLDER) if is_book(path)]


def _endings(tree: Tree, path: str, document: config.Document) -> None:
    if path.endswith(ENDINGS[0]) and path.removesuffix(ENDINGS[0]) + ENDINGS[1] in tree.files:
        other = path.removesuffix(ENDINGS[0]).removeprefix(FOLDER + "/") + ENDINGS[1]
        document.error("both-endings", f"{other} is there too", None, "one of the two has to go")


def windows(book: Book, journal_s: float) -> None:
    """What is remembered longer than the journal is kept could not be rebuilt after a restart."""
    limit = f"longer than the journal is kept (retention.journal, {wording.span(journal_s)})"
    longer = "a shorter one, or a longer retention.journal in healer.yaml"
    written = {item.mark[:2]: item for _, item in book.written()}
    for ruleset in book.rulesets:
        item = written[ruleset.place.line, ruleset.place.column]
        if ruleset.default_events_ttl_s > journal_s:
            mark = item.values_at.get("default_events_ttl", item.mark)
            book.document.error("window-too-long", f"default_events_ttl is {limit}", mark, longer)
        for rule in ruleset.rules:
            if rule.throttle is not None and rule.throttle.window_us > journal_s * 1_000_000:
                mark = item["rules"][rule.index]["throttle"].values_at.get(rule.throttle.kind, item.mark)
                message = f"the window of the rule {rule.name!r} is {limit}"
                book.document.error("window-too-long", message, mark, longer)
