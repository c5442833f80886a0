"""`healer run`, which kills itself with SIGKILL the n-th time that it comes to a place: `crashing.py PLACE N run …`.

Started by tests in the place of `healer`. A place is named for what is under way and on which side of its commit it is;
`PLACES` lists them. Why from inside: only so a kill falls between two instructions for certain, and not near them.
"""

from __future__ import annotations

import collections
import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from healer import cli, dispatch
from healer.child import starting
from healer.store import claiming, deciding, finishing, journal, people, transaction, writer

UNITS = ("accept", "decide", "claim", "finish", "take-up", "cancel")
PLACES = (
    *(f"{unit}-{side}-commit" for unit in UNITS for side in ("before", "after")),
    "effect-before-folder", "effect-before-shim", "effect-after-shim",
)  # fmt: skip

_noted: collections.Counter[str] = collections.Counter()
"""Units in the batch that the writer is making, of each kind how many: a start takes up all it found in one batch."""


class Countdown:
    """Counts how often the place was come to."""

    def __init__(self, place: str, left: int) -> None:
        self.place = place
        self.left = left

    def die(self) -> None:
        """Be gone at the n-th call, as with kill -9: nothing is flushed, nobody is told."""
        self.left -= 1
        if self.left == 0:
            os.write(2, f"crashing: {self.place}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


def around(holder: Any, name: str, before: Callable[..., None], after: Callable[..., None]) -> None:
    """Wrap a function: `before(*arguments)`, and `after(result)`."""
    inner = getattr(holder, name)

    @functools.wraps(inner)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        before(*arguments)
        result = inner(*arguments, **named)
        after(result)
        return result

    setattr(holder, name, wrapped)


def nothing(*_: Any) -> None:
    """Do nothing."""


def watch_units(place: str, die: Callable[[], None]) -> None:
    """Die in a batch that holds such a unit: with it applied and not committed, or committed and nobody told."""
    unit, side = place.removesuffix("-commit").rsplit("-", 1)
    around(journal, "append_all", lambda tx, units: _noted.update(["accept"] * any(map(_from_api, units))), nothing)
    around(deciding.Decide, "apply", lambda self, tx: _noted.update(["decide"] * bool(self.outcomes)), nothing)
    around(claiming.Claim, "_start", lambda *_: _noted.update(["claim"]), nothing)
    around(finishing.Finish, "apply", lambda *_: _noted.update(["finish"]), nothing)
    around(finishing.TakeUp, "apply", lambda *_: _noted.update(["take-up"]), nothing)
    around(people.Cancel, "apply", lambda *_: _noted.update(["cancel"]), nothing)

    def die_with_it(_: Any) -> None:
        for _ in range(_noted[unit]):
            die()

    if side == "before":
        around(transaction.Transaction, "write_head", nothing, die_with_it)
    around(writer.Writer, "_batch", lambda *_: _noted.clear(), die_with_it if side == "after" else nothing)


def _from_api(unit: journal.Append) -> bool:
    return any(row.kind == "event" and row.source == "healer.api" for row in unit.rows)


def watch_effects(place: str, die: Callable[[], None]) -> None:
    """Die between the claim and the effect."""
    if place == "effect-before-folder":
        around(dispatch.Dispatcher, "_follow", lambda *_: die(), nothing)
    elif place == "effect-before-shim":
        around(starting, "start", lambda *_: die(), nothing)
    else:
        around(starting, "start", nothing, lambda _: die())


def main() -> None:
    """Set the place up and be `healer`."""
    place, times = sys.argv[1:3]
    if place not in PLACES:
        sys.exit(f"no place is named {place}: {', '.join(PLACES)}")
    watch = watch_effects if place.startswith("effect-") else watch_units
    watch(place, Countdown(place, int(times)).die)
    sys.argv = ["healer", *sys.argv[3:]]
    cli.main()


if __name__ == "__main__":
    main()
