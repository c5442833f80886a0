"""What this room needs of the others: the daemon fills it in, tests fill in their own.

One value that is handed to each handler; no global state, so that two daemons can live in one test.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from healer import intake as intakes
from healer import secrets, store
from healer.web import auth, bodies, tally

State = Literal["starting", "ok", "paused", "disk-full", "stopping"]


class SourceSpec(Protocol):
    """One source instance of the revision."""

    type: str
    options: Any
    subscribers: Sequence[Any]


class Revision(Protocol):
    """What is asked of the checked project."""

    @property
    def settings(self) -> Any:
        """`healer.yaml`."""
        ...

    @property
    def catalog(self) -> Any:
        """The actions."""
        ...

    @property
    def controllers(self) -> Mapping[str, Any]:
        """The controllers by name."""
        ...

    @property
    def sources(self) -> Mapping[str, Any]:
        """The sources by name."""
        ...


@dataclasses.dataclass(slots=True)
class Services:
    """`status`, `reload(actor)` and `explain(id, rule)` give JSON objects; `live_output(token, "stdout"|"stderr")` what an attempt that
    runs has printed so far (masked), None when it does not run here; `ready` (whether, why not); `clock` µs; `heard(source, events)`
    is told of what came by a request; `body_max` bytes of `POST /events`.
    """

    store: store.Store
    intake: intakes.Intake
    revision: Callable[[], Revision]
    secrets: secrets.Secrets
    gate: auth.Gate
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    reload: Callable[[str], Awaitable[Mapping[str, Any]]]
    explain: Callable[[str, str | None], Awaitable[Mapping[str, Any]]]
    live_output: Callable[[str, str], bytes | None]
    state: Callable[[], State]
    ready: Callable[[], tuple[bool, str]]
    clock: Callable[[], int]
    heard: Callable[[str, int], None] = lambda _source, _events: None
    body_max: Callable[[], int] = lambda: bodies.BYTES_MAX
    tally: tally.Tally = dataclasses.field(default_factory=tally.Tally)
