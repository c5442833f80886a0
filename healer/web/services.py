"""What this room needs of the others: the daemon fills it in, tests fill in their own.

One value that is handed to each handler; no global state, so that two daemons can live in one test.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from healer import access, errors, model, secrets, store
from healer import intake as intakes
from healer.store import candidates, people
from healer.web import attempts, auth, bodies, fetching, sns, tally

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
    def default_controller(self) -> str:
        """The one of actions that name none."""
        ...

    @property
    def sources(self) -> Mapping[str, Any]:
        """The sources by name."""
        ...

    def hosts(self, controller: str) -> Any:
        """The inventory of a controller."""
        ...

    def said(self, inventory: str) -> Any:
        """What came of asking Ansible for the hosts of an inventory last; None where it is not asked."""
        ...

    def inventory_name(self, controller: str) -> str:
        """What people call it."""
        ...

    def expand_hosts(self, controller: str, hosts: Sequence[str]) -> tuple[Sequence[Any], Sequence[str]]:
        """The hosts of names and groups, and the names that are neither."""
        ...

    def rulesets(self) -> Iterable[tuple[Any, Any]]:
        """(activation, ruleset of it)"""
        ...

    def ruleset_of(self, rule: str) -> tuple[str, str]:
        """(activation, ruleset) of a rule's identity."""
        ...

    def resolve_target(self, controller: str, text: str) -> Any:
        """The target that a text means for a controller, or why it means none."""
        ...

    def under(self, inventory_path: str) -> Any:
        """The project as an activation with an inventory of its own sees it."""
        ...


class People(Protocol):
    """What people ask of runs and locks; each gives a JSON object that says what became of it."""

    async def cancel(self, run: str, *, actor: str, reason: str = "") -> Mapping[str, Any]:
        """End a run, or keep it from starting."""
        ...

    async def resolve(self, run: str, state: people.Word, *, actor: str, reason: str) -> Mapping[str, Any]:
        """Say how an unknown run ended, or that it is to be tried again."""
        ...

    async def release(self, target: str, *, actor: str, reason: str, run: str = "") -> Mapping[str, Any]:
        """Let go of a lock; where a run is named, only of one that it has."""
        ...


class Switch(Protocol):
    """The kill switch as people use it."""

    def known(self) -> Sequence[str]:
        """The scopes that there are."""
        ...

    def meant(self, scope: str) -> str:
        """The scope that a text means."""
        ...

    def held(self, scope: str) -> str:
        """The paused scope that a text means."""
        ...

    async def pauses(self) -> Sequence[Mapping[str, Any]]:
        """What is paused."""
        ...

    async def pause(
        self, scope: str, *, actor: str, reason: str, for_s: float | None = None, until_changed: bool = False, cancel: bool = False
    ) -> Mapping[str, Any]:  # fmt: skip
        """Pause a scope; what is under way, and what waits."""
        ...

    async def preview(self, scope: str) -> Mapping[str, Any]:
        """What a resume would let go."""
        ...

    async def resume(self, scope: str, *, actor: str) -> Mapping[str, Any]:
        """End the pause of a scope."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """What came of asking a controller whether it is usable. `detail`: one line, with what its tools are or what is wrong; `try_`: what to
    do about that, where it is known beside."""

    ok: bool
    detail: str
    at_us: int
    seconds: float
    try_: str = ""


class Checks(Protocol):
    """Asking controllers whether they are usable."""

    def last(self, controller: str) -> Check | None:
        """What came of it last; None where it was not asked since it is as it is."""
        ...

    async def check(self, controller: str) -> Check:
        """Ask it now. That takes a while, never long."""
        ...


class Notices(Protocol):
    """Messages that people were sent, as far as they answer them."""

    async def answer(self, message: str, who: access.Principal) -> str:
        """Somebody looks after what a message tells; the actor who does so: the first who said so. Raises `errors.NotFound`."""
        ...

    async def test(self, receiver: str, who: access.Principal) -> None:
        """Send a message to a receiver now. Raises `errors.NotFound`, `plugins.Undelivered`."""
        ...

    async def check(self, receiver: str) -> Sequence[Mapping[str, Any]]:
        """Whether a receiver, or each (''), can be reached now. Raises `errors.NotFound`."""
        ...

    def wake(self) -> None:
        """A message may have to go."""
        ...


class Nobody:
    """Where no messages are sent."""

    async def answer(self, message: str, who: access.Principal) -> str:
        """There is none."""
        del who
        raise errors.NotFound("healer notify outbox", what=f"the message {message[:80]!r}")

    async def test(self, receiver: str, who: access.Principal) -> None:
        """As `answer`."""
        del who
        raise errors.NotFound("notifications in healer.yaml", what=f"the receiver {receiver[:80]!r}")

    async def check(self, receiver: str) -> Sequence[Mapping[str, Any]]:
        """As `answer`."""
        if receiver:
            raise errors.NotFound("notifications in healer.yaml", what=f"the receiver {receiver[:80]!r}")
        return []

    def wake(self) -> None:
        """Nothing has to go."""


class Slack(Protocol):
    """The app in a workspace of Slack, and what people do there."""

    async def run(self) -> None:
        """Until cancelled."""
        ...

    def reloaded(self) -> None:
        """`healer.yaml` was read again."""
        ...

    def shown(self) -> Mapping[str, Any] | None:
        """How it is, for the status; None: there is none."""
        ...

    def is_signed(self) -> bool:
        """Whether such requests are taken."""
        ...

    def since_us(self) -> int:
        """When this process began to take them, by the wall clock."""
        ...

    def signing_secrets(self) -> Sequence[model.Secret]:
        """What they are signed with. Raises `errors.SecretUnavailable`."""
        ...

    def interaction(self, payload: Any) -> Mapping[str, Any] | None:
        """A click, or a form that was sent. What Slack is answered at once; the work is done later. Raises `errors.HealerError`."""
        ...

    def command(self, fields: Mapping[str, Any]) -> None:
        """`/heal …`. The answer goes to Slack later. Raises `errors.HealerError`."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Simulation:
    """An event as it would be journaled, and what is to be told of it. `event`: the id of one that is stored; `rule`: only that one
    ('' for all); `why`: conditions, of each rule; `plans`: controllers are asked what they would do."""

    source: str
    body: bytes
    actor: str
    meta: str | None = None
    depth: int = 0
    event: str | None = None
    rule: str = ""
    why: bool = False
    plans: bool = False


@dataclasses.dataclass(slots=True)
class Services:
    """`status`, `reload(actor, preview)` and `explain(id, rule)` give JSON objects; `live_output(token, "stdout"|"stderr")` what
    an attempt that runs has printed so far (masked), None when it does not run here; `ready` (whether, why not); `clock` µs;
    `heard(source, events)` is told of what came by a request; `body_max` bytes of `POST /events`;
    `look_again()`: runs that wait may go on; `wall` is the wall clock in µs, which people's times mean;
    `standing_of`: what holds for a run now; `simulate`: what an event would lead to; `limits_of`: the gates' values that hold for an
    action, each with where it comes from; `sources()`: how each source does, by name, as `status` has it; `listens()`: the host and port
    that senders reach; `notices`: messages that were sent; `slack`: None where nothing of it is taken.
    """

    store: store.Store
    intake: intakes.Intake
    revision: Callable[[], Revision]
    secrets: secrets.Secrets
    gate: auth.Gate
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    reload: Callable[[str, bool], Awaitable[Mapping[str, Any]]]
    explain: Callable[[str, str | None], Awaitable[Mapping[str, Any]]]
    live_output: Callable[[str, str], bytes | None]
    state: Callable[[], State]
    ready: Callable[[], tuple[bool, str]]
    clock: Callable[[], int]
    people: People
    switch: Switch
    look_again: Callable[[], Awaitable[None]]
    wall: Callable[[], int]
    standing_of: candidates.StandingOf
    simulate: Callable[[Simulation], Awaitable[Mapping[str, Any]]]
    checks: Checks
    limits_of: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
    heard: Callable[[str, int], None] = lambda _source, _events: None
    sources: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    listens: Callable[[], tuple[str, int]] = lambda: ("127.0.0.1", 8080)
    body_max: Callable[[], int] = lambda: bodies.BYTES_MAX
    notices: Notices = dataclasses.field(default_factory=Nobody)
    slack: Slack | None = None
    fetch: fetching.Fetch = dataclasses.field(default_factory=fetching.Fetcher)
    certificates: sns.Certificates = dataclasses.field(init=False)
    attempts: attempts.Attempts = dataclasses.field(init=False)
    room: bodies.Room = dataclasses.field(default_factory=bodies.Room)
    """For bodies of which nobody knows yet who sends them."""
    room_of_known: bodies.Room = dataclasses.field(default_factory=bodies.Room)
    """For those of senders who have proved themselves before."""
    tally: tally.Tally = dataclasses.field(default_factory=tally.Tally)

    def __post_init__(self) -> None:
        self.certificates = sns.Certificates(self.fetch)
        self.attempts = attempts.Attempts(self.store, self.clock)
