"""How far long work is: a line on standard error of a terminal, drawn over and gone at the end; never in pipes, nor beside `--json`.

Callers: what reads or sends much (`audit verify`, `replay`, `send`). Short work shows nothing.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from healer.cli import terminal

QUIET_S: Final = 0.5
"""What takes no longer is over before anybody asks."""
BETWEEN_S: Final = 0.1
BEGIN: Final = "\r\x1b[K"

Tell = Callable[[int], None]
"""Takes how much is done by now."""


def _nothing(_done: int) -> None:
    """Where nobody looks."""


@contextlib.contextmanager
def of(total: int, what: str, *, as_json: bool = False) -> Iterator[Tell]:
    """Says how much of `total` is done; `what` is counted: `records`, `bytes`."""
    if as_json or total <= 0 or not sys.stderr.isatty() or terminal.is_dumb():
        yield _nothing
        return
    line = _Line(total, what)
    try:
        yield line.tell
    finally:
        line.end()


class _Line:
    """The line, and when it was drawn last."""

    def __init__(self, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._next = time.monotonic() + QUIET_S
        self._drawn = False

    def tell(self, done: int) -> None:
        """Draw it anew, not too often."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next, self._drawn = now + BETWEEN_S, True
        done = min(done, self._total)
        text = f"  {done * 100 // self._total:3d} %  {done:,} of {self._total:,} {self._what}"
        sys.stderr.write(BEGIN + text)
        sys.stderr.flush()

    def end(self) -> None:
        """Leave nothing of it."""
        if self._drawn:
            sys.stderr.write(BEGIN)
            sys.stderr.flush()
