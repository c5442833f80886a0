"""`healer run`, which kills itself with SIGKILL the n-th time that it comes to a place: `crashing.py PLACE N run …`.

Started by tests in the place of `healer`. A place is named for what is under way and on which side of its commit it is (`begin`: of
its transaction); `PLACES` lists them. With `BEFALLS=stop` it is stopped there until somebody lets it go on, with `BEFALLS=eio` the
disk fails. At `numbered` each of the places is counted that there are, in the order in which it is passed, and what is
rare elsewhere (`make_rare_things_happen`) happens soon; N = 0 never kills. Why from inside: only so a kill falls between two
instructions for certain, and not near them.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import contextlib
import functools
import os
import pathlib
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from healer import cli, decide, dispatch, engine, retain, store
from healer.child import starting
from healer.store import claiming, deciding, finishing, journal, people, writer

NUMBERED = "numbered"
UNITS = ("accept", "decide", "claim", "finish", "take-up", "cancel")
EFFECTS = ("effect-before-folder", "effect-before-shim", "effect-after-shim")
BEGUN = ("decide", "claim", "finish")
PLACES = (
    *(f"{unit}-{side}-commit" for unit in UNITS for side in ("before", "after")), *(f"{unit}-before-begin" for unit in BEGUN),
    *EFFECTS, NUMBERED,
)  # fmt: skip
QUEUED = "SELECT 1 FROM attempt WHERE state = 'queued'"
SWEPT_LATER_US = 2 * 3600 * 1_000_000
"""A sweep that a test asks for takes place so much later by its own clock."""

_noted: collections.Counter[str] = collections.Counter()
"""Units in the batch that the writer is making, of each kind how many: a start takes up all it found in one batch."""
_all: list[str] = []
"""The names of all units in it, as their classes have them."""


class Countdown:
    """Counts how often a place was come to, from whichever thread."""

    def __init__(self, left: int) -> None:
        self.passed = 0
        self._left = left
        self._lock = threading.Lock()

    def come_to(self, place: str) -> None:
        """Be gone at the n-th call, as with kill -9: nothing is flushed, nobody is told."""
        with self._lock:
            self.passed += 1
            if self.passed == self._left:
                os.write(2, f"crashing: {place}\n".encode())
                if place in EFFECTS and os.environ.get("BEFALLS") == "stop":
                    out_of_transactions()
                befall(os.environ.get("BEFALLS", "kill"))


def out_of_transactions() -> None:
    """Effects begin in another thread than the writer's, which is not to stand still while it holds the file: nobody could take it over."""
    folder = sys.argv[sys.argv.index("--data-dir") + 1]
    with contextlib.closing(sqlite3.connect(pathlib.Path(folder, store.DATABASE), isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        file.execute("ROLLBACK")


def befall(what: str) -> None:
    """What happens at the place."""
    if what == "eio":
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR | (4 << 8)  # of fsync
        raise error
    if what == "stop":  # by its thread: sent to the process, this one might go on for a moment
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    else:
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


# --- commits ----------------------------------------------------------------------------------------------------------


class Connection(sqlite3.Connection):
    """The writing connection: it comes to a place before and after each commit that changes something, from its first one on."""

    come_to: Callable[[str], None] = staticmethod(nothing)
    _changes = 0
    _migrates = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Also what is a transaction of its own, and a checkpoint."""
        if sql.startswith("BEGIN"):
            self._changes, self._migrates = self.total_changes, False
        self._migrates = self._migrates or sql.startswith("PRAGMA user_version =")
        alone = sql.startswith("INSERT") and not self.in_transaction
        if sql == "COMMIT" and (self._migrates or self.total_changes != self._changes):
            return self._between("commit", sql)
        if alone or "wal_checkpoint" in sql:
            return self._between("commit" if alone else "checkpoint", sql, *parameters)
        return super().execute(sql, *parameters)

    def _between(self, what: str, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self.come_to(f"before-{what}")
        done = super().execute(sql, *parameters)
        self.come_to(f"after-{what}")
        return done


def watch_commits(come_to: Callable[[str], None]) -> None:
    """Hear of each commit of the store: `come_to("before-commit")`, `come_to("after-commit")`, the same of a checkpoint."""
    connect = sqlite3.connect
    Connection.come_to = staticmethod(come_to)

    def ours(path: Any, *more: Any, **named: Any) -> sqlite3.Connection:
        if not named.get("uri") and path != ":memory:":
            named["factory"] = Connection
        return connect(path, *more, **named)

    sqlite3.connect = ours  # type: ignore[assignment]


def note_units() -> None:
    """Keep `_noted` and `_all`: what a batch holds."""
    around(writer.Writer, "_batch", begin_batch, lambda _: _all.clear())
    around(journal, "append_all", lambda tx, units: _noted.update(["accept"] * any(map(_from_api, units))), nothing)
    around(
        journal, "insert_guarded", lambda tx, rows: _noted.update(["accept"] * any(map(_is_from_api, rows))), nothing
    )
    around(deciding.Decide, "apply", lambda self, tx: _noted.update(["decide"] * bool(self.outcomes)), nothing)
    around(claiming.Claim, "_start", lambda *_: _noted.update(["claim"]), nothing)
    around(finishing.Finish, "apply", lambda *_: _noted.update(["finish"]), nothing)
    around(finishing.TakeUp, "apply", lambda *_: _noted.update(["take-up"]), nothing)
    around(people.Cancel, "apply", lambda *_: _noted.update(["cancel"]), nothing)


def begin_batch(_: writer.Writer, units: Sequence[writer.Unit]) -> None:
    """Note what it is made of."""
    _noted.clear()
    _all[:] = sorted({re.sub("(?!^)([A-Z])", r" \1", type(unit).__name__).lower() for unit in units})


def _from_api(unit: journal.Append) -> bool:
    return any(map(_is_from_api, unit.rows))


def _is_from_api(row: journal.Row) -> bool:
    return row.kind == "event" and row.source == "healer.api"


def watch_units(place: str, countdown: Countdown) -> None:
    """Die in a batch that holds such a unit: with it applied and not committed, or committed and nobody told."""
    unit, side = place.removesuffix("-commit").rsplit("-", 1)
    note_units()

    def hear(what: str) -> None:
        for _ in range(_noted[unit] if what == f"{side}-commit" else 0):
            countdown.come_to(place)

    watch_commits(hear)


def watch_begins(place: str, countdown: Countdown) -> None:
    """Come to the place before the transaction of a batch that holds such a unit; of claims, where something is queued."""
    kind = {"decide": deciding.Decide, "claim": claiming.Claim, "finish": finishing.Finish}[place.partition("-")[0]]

    def look(self: writer.Writer, units: Sequence[writer.Unit]) -> None:
        held = any(isinstance(unit, kind) for unit in units)
        if held and (kind is not claiming.Claim or self.tx.connection.execute(QUEUED).fetchone()):
            countdown.come_to(place)

    around(writer.Writer, "_batch", look, nothing)


# --- effects ----------------------------------------------------------------------------------------------------------


def watch_effects(come_to: Callable[[str], None]) -> None:
    """Hear of the steps between the claim and the effect."""
    folder, before, after = EFFECTS
    around(dispatch.Dispatcher, "_follow", lambda *_: come_to(folder), nothing)
    around(starting, "start", lambda *_: come_to(before), lambda _: come_to(after))


# --- all of them ------------------------------------------------------------------------------------------------------


def watch_all(countdown: Countdown) -> None:
    """Every commit and every step of an effect is a place, named with what the batch holds."""
    note_units()
    watch_effects(countdown.come_to)

    def hear(what: str) -> None:
        side, _, kind = what.partition("-")
        held = " + ".join(_all) or "what a start writes"
        countdown.come_to(f"{side} the {kind}" + (f": {held}" if kind == "commit" else ""))

    watch_commits(hear)
    atexit.register(lambda: os.write(2, f"crashing: {countdown.passed} places were passed\n".encode()))


def make_rare_things_happen() -> None:
    """Snapshots and checkpoints after little, a sweep when SIGUSR1 asks for one, and a ruleset that cannot digest `poison`."""
    decide.SNAPSHOT_ROWS = 4  # type: ignore[misc]
    writer.CHECKPOINT_BYTES = 1_000_000  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until somebody listens
    retain.Retainer.run = sweep_when_asked  # type: ignore[method-assign]
    around(engine.Session, "post", fail_of_poison, nothing)


async def sweep_when_asked(self: retain.Retainer) -> None:
    """In the place of `Retainer.run`."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    clock = self._clock
    self._clock = lambda: clock() + SWEPT_LATER_US
    while True:
        await asked.wait()
        asked.clear()
        await self.once()


def fail_of_poison(_session: engine.Session, event: dict[str, Any], *_: Any) -> None:
    """A mistake in the code of rules that one event meets."""
    if "poison" in event:
        raise ArithmeticError("poison")


def main() -> None:
    """Set the place up and be `healer`."""
    place, times = sys.argv[1:3]
    countdown = Countdown(int(times))
    if place not in PLACES:
        sys.exit(f"no place is named {place}: {', '.join(PLACES)}")
    if place == NUMBERED:
        make_rare_things_happen()
        watch_all(countdown)
    elif place in EFFECTS:
        watch_effects(lambda passed: countdown.come_to(place) if passed == place else None)
    elif place.endswith("-begin"):
        watch_begins(place, countdown)
    else:
        watch_units(place, countdown)
    sys.argv = ["healer", *sys.argv[3:]]
    cli.main()


if __name__ == "__main__":
    main()
