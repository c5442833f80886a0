"""The inventories that controllers and activations name: their files, with those of variables beside them, as hosts. Caller: `loading`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Final

from healer import config, errors
from healer import inventory as hosts
from healer.project import activations, controllers, tree

_LIKE: Final = f"like {controllers.INVENTORY}/"
_BESIDE_PLAYS: Final = re.compile(r"(playbooks(?:/[^/]+)*?)/(?:group|host)_vars/")


@dataclasses.dataclass(slots=True)
class Inventories:
    """`kept`: the files at a path, which are parsed from now on; `text`: the text of one; `more`: where mistakes are told."""

    tree: tree.Tree
    kept: Callable[[str], list[str]]
    text: Callable[[str], str | None]
    more: list[errors.Diagnostic]
    incomplete: set[str] = dataclasses.field(default_factory=set)
    """Those whose hosts are not all known here."""

    @property
    def default(self) -> str:
        """The one of a controller that names none; '' where there is none."""
        return controllers.INVENTORY if any(self.tree.names(controllers.INVENTORY)) else ""

    def read(
        self, document: config.Document | None, found: controllers.Controllers, specs: list[activations.Spec]
    ) -> dict[str, hosts.Inventory]:  # fmt: skip
        """All that controllers and activations name."""
        made: dict[str, hosts.Inventory] = {}
        wanted = [
            (path, at, document or config.Document("controllers.yaml", "")) for path, at in found.inventories.items()
        ]
        for spec in specs:
            if spec.shape.inventory and controllers.path_of(spec.shape.inventory) not in found.inventories:
                wanted.append((controllers.path_of(spec.shape.inventory), spec.at("inventory"), spec.document))
        plays = sorted({"playbooks", *(found[1] for found in map(_BESIDE_PLAYS.match, self.tree.files) if found)})
        for path, at, named_in in wanted:
            if not path or path in made:
                continue
            files = self._files(named_in, path, at)
            if files:
                folder = path.rpartition("/")[0] if path in files else path
                files |= {one: text for where in (folder, *plays) for one, text in self._variables(where)}
            made[path], told = hosts.parse(files, path, plays, self.tree.counting)
            self.more += told
            if any(one.code == hosts.DYNAMIC for one in told):
                self.incomplete.add(path)
        return made

    def _files(self, document: config.Document, path: str, at: config.Mark | None) -> dict[str, str]:
        if path.startswith("/") or ".." in path.split("/") or path == "." or "\0" in path:
            message = f"the inventory {path!r} has to be a file or folder of its own in the project"
            document.error("path-escapes", message, at, _LIKE)
            self.incomplete.add(path)
            return {}
        there = self.kept(path)
        if not there:
            near = errors.nearest(path, {one.partition("/")[0] for one in self.tree.files}) or _LIKE
            document.error("no-inventory", f"there is no inventory {path!r}", at, near)
            self.incomplete.add(path)
        # Ansible tries to run whatever is executable; a text without `#!` no system starts, and it is read as it stands.
        return {one: text for one in there if (text := self._compiled(one) or self.text(one)) is not None}

    def _compiled(self, path: str) -> str:
        """What stands for a program that is no text; '' for anything else."""
        executable = path in self.tree.files and self.tree.files[path].executable
        starts = executable and (self.tree.content(path) or b"").startswith(hosts.COMPILED.encode())
        return hosts.COMPILED if starts else ""

    def _variables(self, folder: str) -> Iterator[tuple[str, str]]:
        """The files of variables beside an inventory or playbooks, with their texts."""
        for kind in hosts.KINDS:
            for path in self.kept(f"{folder}/{kind}" if folder else kind):
                if (text := self.text(path)) is not None:
                    yield path, text
