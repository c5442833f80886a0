"""What `aap` keeps of an attempt in its folder: that it is about to be launched, then the job that came of it.

The intent is on the disk before the launch is sent, so that after a crash nothing is launched twice; it is taken back where it is certain
that nothing was launched. Both files appear whole or not at all. They hold no secret and nothing of what the job is launched with.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import Final

from healer.child import jobs
from healer.controllers import _kept

_INTENT: Final = "intent.json"
_LAUNCHED: Final = "launched.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Intent:
    """A launch that may have been sent. Times are seconds since 1970.

    `api`: where. `lists`: the paths that list what the template launched. `after`: the newest id in them before. `mark`: what carries the
    token (`variables`, `labels` or nothing), `label` the label that does.
    """

    api: str
    started: float
    sent: float
    lists: tuple[str, ...]
    after: int
    mark: str
    label: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A job of the API: `kind` is `jobs` or `workflow_jobs`, which is also its path."""

    kind: str
    id: int

    @property
    def path(self) -> str:
        """Below `…/v2/`."""
        return f"{self.kind}/{self.id}/"

    def __str__(self) -> str:
        return f"{'workflow job' if self.kind == 'workflow_jobs' else 'job'} {self.id}"


Unreadable = _kept.Unreadable
"""A launch may have been sent, and what was written of it cannot be read."""


def begin(folder: pathlib.Path) -> None:
    """Make the folder (0700) for one attempt. Raises `jobs.FolderUsed`, OSError."""
    jobs.make(folder)


def intend(folder: pathlib.Path, intent: Intent) -> None:
    """Write that a launch is about to be sent. Raises OSError, and then nothing may be sent."""
    _kept.write(folder / _INTENT, dataclasses.asdict(intent))


def withdraw(folder: pathlib.Path) -> None:
    """Take the intent back: nothing was launched. Where that fails, a crash leaves the attempt `unknown`."""
    with contextlib.suppress(OSError):
        _kept.remove(folder / _INTENT)


def launched(folder: pathlib.Path, job: Launched) -> None:
    """Write which job came of it. Raises OSError."""
    _kept.write(folder / _LAUNCHED, dataclasses.asdict(job))


def read(folder: pathlib.Path) -> tuple[Intent | None, Launched | None]:
    """What is known of an attempt; without an intent nothing was ever launched. Raises `Unreadable`, OSError."""
    intent, job = _kept.read(folder / _INTENT), _kept.read(folder / _LAUNCHED)
    try:
        return (
            Intent(**{**intent, "lists": tuple(intent["lists"])}) if intent is not None else None,
            Launched(**job) if job is not None else None,
        )
    except (KeyError, TypeError) as error:
        raise Unreadable(str(folder)) from error
