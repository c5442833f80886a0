"""All checkers by name, each with the words of the invariant that it watches over as its docstring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import approvals_held
import brakes_held
import decisions
import execution
import records
import simulating

Check = Callable[[simulating.Seen], Iterator[str]]
ALL: Final[dict[str, Check]] = {
    check.__name__: check
    for room in (records, decisions, execution, brakes_held, approvals_held)
    for check in room.CHECKS
}


def broken(seen: simulating.Seen, names: tuple[str, ...] = tuple(ALL)) -> list[tuple[str, str]]:
    """(checker, what it found)"""
    return [(name, line) for name in names for line in ALL[name](seen)]
