"""The files of rulebooks/: each is one activation under its own path, tests aside. Caller: `loading`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from healer import config, engine, rulebook
from healer.project.revision import HIDDEN_ACTIVATION
from healer.project.tree import Tree

FOLDER: Final = "rulebooks"
ENDINGS: Final = (".yml", ".yaml")


@dataclasses.dataclass(slots=True)
class Book:
    """One rulebook: its activation's name, its document, what could be read of it, and the rulesets as written."""

    activation: str
    document: config.Document
    rulesets: list[engine.Ruleset]

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


def read(tree: Tree) -> Iterator[Book]:
    """Every rulebook, by path."""
    for path in tree.names(FOLDER):
        if not is_book(path):
            continue
        document = tree.document(path, twice="warning")
        if isinstance(document.value, config.Map) and "tests" in document.value:
            continue
        name = path.removeprefix(FOLDER + "/").rpartition(".")[0]
        if path.endswith(ENDINGS[0]) and path.removesuffix(ENDINGS[0]) + ENDINGS[1] in tree.files:
            document.error("both-endings", f"{name}.yaml is there too; one of them has to go", None)
        if name == HIDDEN_ACTIVATION:
            message = f"{HIDDEN_ACTIVATION!r} is the name of the rules that events: of actions.yaml make"
            document.error("reserved-name", message, None, "give the file another name")
        yield Book(name, document, rulebook.parse(document, {}))
