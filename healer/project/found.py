"""What Ansible has listed of the inventories that programs and plugins make, laid over those of a revision, whose id stays. Pure.

Callers: `revision` (which host a name means), the daemon (`daemon.hosts`), which asks and takes in what it hears.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from healer import inventory

if TYPE_CHECKING:
    from healer.project.revision import Revision


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What came of asking for the hosts of an inventory: when that was last, when there was an answer last (µs, 0: never), how many hosts
    that had and what of it was left out, its digest; and why there was none last, '' where there was. `fell_from`, `fell_us`: how many
    hosts the answer before had and when there was this one, where it has not half of them. `beside`: how many of the hosts no file names;
    `dried_from`, `dried_us`: how many that were before there was none any more, and since when."""

    asked_us: int = 0
    heard_us: int = 0
    hosts: int = 0
    left_out: tuple[str, ...] = ()
    error: str = ""
    mark: str = ""
    fell_from: int = 0
    fell_us: int = 0
    beside: int = 0
    dried_from: int = 0
    dried_us: int = 0


class Found:
    """The last good answers over a revision's inventories, by path. Each is immutable and takes the place of the one before."""

    def __init__(self) -> None:
        self.inventories: Mapping[str, inventory.Inventory] = {}
        self.said: Mapping[str, Said] = {}

    def take(self, path: str, said: Said, answer: inventory.Inventory | None = None) -> None:
        """Without an `answer` the one before stays."""
        if answer is not None:
            self.inventories = {**self.inventories, path: answer}
        self.said = {**self.said, path: said}

    def inherit(self, old: Found, of: Revision) -> None:
        """What was heard under another revision, for as long as nothing is heard under this one."""
        paths = dynamic(of)
        self.inventories = {path: one for path, one in old.inventories.items() if path in paths}
        self.said = {path: one for path, one in old.said.items() if path in paths}


def dynamic(of: Revision) -> dict[str, None]:
    """The paths of its inventories that have a part that a program or plugin makes, of those that somebody uses."""
    used = dict.fromkeys(
        (*(spec.inventory for spec in of.controllers.values()), *(one.inventory for one in of.activations))
    )
    return {path: None for path in used if path in of.inventories and of.inventories[path].dynamic}
