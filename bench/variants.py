"""The daemon with one thing changed, to compare with: `python variants.py NAME run --project DIR …`. Caller: `daemons.py`.

Each variant is the shipped daemon, image and all, with one method replaced before it starts; nothing of it is in the product.

- `baseline`: the journal's append is a counter. Handler, authentication, strict parse and answer are as ever; no row is
  written and `decide` sees none.
- `single`: the writer's batch cap is 1, one transaction a request.
- `slow`, `slow-single`: each transaction takes a millisecond more, as on a disk whose sync does; with the batch cap as ever, and 1.
- `lag`: how late the loop is, each hundredth of a second, is written to `lag.txt` in the current folder.
- `retaining`: the journal is trimmed to a few seconds, every few seconds, so that retention has its work within minutes.
"""

from __future__ import annotations

import asyncio
import functools
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from healer import retain, store
from healer.daemon import running
from healer.store import journal, writer

KEPT_S: Final = 5.0
LOOK_S: Final = 0.01
SLOWER_S: Final = 0.001


def baseline() -> None:
    """Count instead of committing."""
    submit = store.Store.submit
    counted = 1 << 20

    async def count(self: store.Store, unit: Any) -> Any:
        nonlocal counted
        if not isinstance(unit, journal.Append):
            return await submit(self, unit)
        for row in unit.rows:
            counted += 1
            row.seq = counted
        return unit.rows

    store.Store.submit = count


def single() -> None:
    """One request a transaction."""
    store.Store.open = functools.partial(store.Store.open, batch_rows_max=1)


def slow() -> None:
    """A disk whose sync takes a millisecond more."""
    commit = writer.Writer._batch

    def later(self: writer.Writer, units: Sequence[Any]) -> Any:
        made = commit(self, units)
        time.sleep(SLOWER_S)
        return made

    writer.Writer._batch = later


def slow_single() -> None:
    """The same, one request a transaction."""
    slow()
    single()


def retaining() -> None:
    """A short memory, and a round of retention as often."""
    retain.EVERY_S = KEPT_S
    make = retain.Retainer.__init__

    def shortened(self: retain.Retainer, opened: store.Store, retention: Any, *rest: Any) -> None:
        make(self, opened, retention.model_copy(update={"journal": KEPT_S}), *rest)

    retain.Retainer.__init__ = shortened


def lag() -> None:
    """A look at the loop each hundredth of a second: by how many milliseconds it came late, a line each."""
    start = running.Daemon._start

    async def looking() -> None:
        with pathlib.Path("lag.txt").open("w", buffering=1) as file:  # noqa: ASYNC230 - what it costs is in the figure
            loop = asyncio.get_running_loop()
            while True:
                due = loop.time() + LOOK_S
                await asyncio.sleep(LOOK_S)
                file.write(f"{max(0.0, loop.time() - due) * 1e3:.3f}\n")

    async def started(self: running.Daemon) -> None:
        await start(self)
        self._work("lag", looking())

    running.Daemon._start = started


VARIANTS: Final[dict[str, Callable[[], None]]] = {
    "baseline": baseline, "single": single, "slow": slow, "slow-single": slow_single, "retaining": retaining, "lag": lag,
}  # fmt: skip


if __name__ == "__main__":
    from healer import cli

    VARIANTS[sys.argv.pop(1)]()
    cli.main()
