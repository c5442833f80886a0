"""What `http` keeps of an attempt in its folder: for each of its requests that it is about to be sent, then how it ended.

That it is about to be sent is on the disk before; it is taken back where it is certain that nothing was. Both files appear whole or not at
all (`_kept`). What is kept of an answer is what the run is told of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import Any, Final

from healer import model
from healer.child import jobs
from healer.controllers import _kept

_SENT: Final = "sent-{}.json"
_ENDED: Final = "ended-{}.json"


Unreadable = _kept.Unreadable
"""What was written of a request cannot be read."""


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How one request ended. `sent`: it may have arrived; `passing`: where it has not, it may be sent a little later."""

    state: model.EndState
    summary: str
    result: Any = None
    sent: bool = True
    passing: bool = False
    truncated: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Noted:
    """What is known of one request."""

    sent: bool
    end: End | None


def begin(folder: pathlib.Path) -> None:
    """Make the folder (0700) for one attempt. Raises `jobs.FolderUsed`, OSError."""
    jobs.make(folder)


def intend(folder: pathlib.Path, number: int) -> None:
    """Write that a request is about to be sent. Raises OSError, and then nothing may be sent."""
    if not (folder / _SENT.format(number)).exists():
        _kept.write(folder / _SENT.format(number), {})


def withdraw(folder: pathlib.Path, number: int) -> None:
    """Take that back: nothing was sent. Where it fails, a crash leaves the attempt `unknown`."""
    with contextlib.suppress(OSError):
        _kept.remove(folder / _SENT.format(number))


def ended(folder: pathlib.Path, number: int, end: End) -> None:
    """Write how it ended. Raises OSError."""
    _kept.write(folder / _ENDED.format(number), dataclasses.asdict(end))


def read(folder: pathlib.Path, count: int) -> list[Noted]:
    """What is known of each of so many requests. Raises `Unreadable`, OSError."""
    found = []
    for number in range(count):
        sent, end = _kept.read(folder / _SENT.format(number)), _kept.read(folder / _ENDED.format(number))
        try:
            found.append(Noted(sent is not None, None if end is None else End(**end)))
        except TypeError as error:
            raise Unreadable(str(folder)) from error
    return found


def rule_out(folder: pathlib.Path, number: int) -> None:
    """Write that a request is never sent, where it was not. Raises `Unreadable`, OSError."""
    if _kept.read(folder / _SENT.format(number)) is None:
        ended(folder, number, End("cancelled", "it was not sent", sent=False))
