"""The nouns that several rooms share: frozen values, no behaviour beyond what their shape gives.

Times are integer microseconds of journal time (`…_us`) where they are stored and compared; people's times (windows,
silences) are not here. Everything is picklable, so that a child process can hand it over.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

JournalKind = Literal["event", "fact", "retract", "tick", "revision"]

RunState = Literal[
    "planned", "suppressed", "refused", "deferred", "awaiting_approval", "queued", "running", "verifying", "succeeded",
    "failed", "timed_out", "cancelled", "unknown", "withdrawn", "rejected", "expired", "void", "simulated",
]  # fmt: skip
AttemptState = Literal["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "unknown", "withdrawn"]
EndState = Literal["succeeded", "failed", "timed_out", "cancelled", "unknown"]
FoundState = Literal["running", "ended", "absent", "unknown"]

Impact = Literal["low", "medium", "high"]
Mode = Literal["active", "observe"]

ENDED_STATES: Final = frozenset(
    {
        "suppressed",
        "refused",
        "succeeded",
        "failed",
        "timed_out",
        "cancelled",
        "withdrawn",
        "rejected",
        "expired",
        "void",
        "simulated",
    }
)
ALERT_STATUSES: Final = ("firing", "resolved", "event", "unknown")
ALERT_SEVERITIES: Final = ("critical", "error", "warning", "info", "unknown")


class Secret:
    """A value that must not be seen: it prints as its reference, and only `reveal()` gives it.

    `reference` is what the operator wrote (`env:NAME`, `file:/run/secrets/x`).
    """

    __slots__ = ("_value", "reference")

    def __init__(self, reference: str, value: str) -> None:
        self.reference = reference
        self._value = value

    def reveal(self) -> str:
        """The value; call it at the moment of use and keep it nowhere."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __reduce__(self) -> Any:
        raise TypeError("a secret is never pickled")


VAULTED: Final = "$ANSIBLE_VAULT;"
"""Begins a text that ansible-vault encrypted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """Stands for a secret in values that an operator wrote, until the moment of use: `ansible-vault:` and the vaulted text, or
    `ansible-vault:file:PATH#POINTER` for one in a vaulted file. Never made of what an event brings."""

    reference: str

    @classmethod
    def of(cls, vaulted: str) -> Reference:
        """For a vaulted text."""
        return cls(f"ansible-vault:{vaulted}")

    def __repr__(self) -> str:
        return "Reference(ansible-vault:…)"


def sealed(value: Any) -> Any:
    """The value with each vaulted text in it, however deep, as a `Reference`; mappings and lists are made anew."""
    if isinstance(value, str):
        return Reference.of(value) if value.lstrip().startswith(VAULTED) else value
    if isinstance(value, Mapping):
        return {str(key): sealed(inner) for key, inner in value.items()}
    return [sealed(inner) for inner in value] if isinstance(value, list) else value


def references(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Reference]]:
    """Where references stand in a value."""
    if isinstance(value, Reference):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from references(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from references(inner, (*path, number))


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What is healed: `kind:name`. `inventory_name` is what the inventory calls a host (what `--limit` takes).

    `port` and `user`: ansible_port and ansible_user of a host, where the inventory says so; 0: it does, and what cannot be known here.
    """

    kind: str
    name: str
    inventory_name: str = ""
    address: str = ""
    groups: tuple[str, ...] = ()
    local: bool = False
    port: int | None = None
    user: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One attempt of one run, as a controller gets it: rendered values, never templates.

    `kind` says which of the action's forms it is; `subject` is the file (relative to `revision_dir`), the module's or the
    template's name, the role's folder (`roles/x`) or its name in a collection, the argv (a tuple) for `command`, or a mapping with
    parameters filled in (`oc`, `http`, `check`).
    `deadline_s` counts from the start of the effect. `parameters` are JSON values and `Secret`s. `extra` carries what only upstream's
    actions have.
    """

    token: str
    run_id: str
    action: str
    kind: Literal[
        "script", "playbook", "module", "role", "command", "oc", "http", "check", "job_template", "workflow_template"
    ]
    subject: str | tuple[str, ...] | Mapping[str, Any]
    parameters: Mapping[str, Any]
    targets: tuple[Target, ...]
    deadline_s: float
    revision_dir: str
    work_dir: str
    dry_run: bool = False
    idempotent: bool = False
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class NotBegunError(Exception):
    """what an attempt was to do has not begun, and never will under its token: another attempt may be made at once"""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `summary` is one line for people; `result` what the action itself reported (JSON).

    `facts`: what a playbook's `set_fact` or `set_stats`, a module's result or a job's artifacts give to `set_facts` and
    `post_events`; None: nothing. `refused`: it failed before anything was begun, as what was asked cannot be done; so it is not tried again
    by itself, and no breaker hears of it. `lost`: a target was not found or not reached where the inventory has it, so that what a program
    listed of that may have changed.
    """

    state: EndState
    summary: str
    exit_code: int | None = None
    result: Any = None
    per_target: Mapping[str, str] = dataclasses.field(default_factory=dict)
    truncated: bool = False
    seconds: float = 0.0
    facts: Mapping[str, Any] | None = None
    refused: bool = False
    lost: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What `find` says of an attempt after a crash.

    `absent` is certain: it never started and never will under this token. `unknown`: it cannot be said.
    """

    state: FoundState
    outcome: Outcome | None = None
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a job would do: its targets as the controller sees them, the commands, and a diff where it can make one. `fails`: why it would
    be refused or fail as things are, where that is sure."""

    targets: tuple[str, ...]
    steps: tuple[str, ...]
    diff: str = ""
    exact: bool = False
    fails: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """Whether a controller can be reached and used."""

    ok: bool
    detail: str


# --- what senders say -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    """One event of a webhook body. `repeat` names what it says for senders that run as a redundant pair (else empty). `delivery`: its
    own id, by which its sender means the same event again (else empty)."""

    event: dict[str, Any]
    repeat: str = ""
    delivery: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Fires:
    """An alert that fires at its sender, as that answers when it is asked. `keys`: how we may know it, the first as of today.

    `told`: it would be delivered now (nobody has silenced it there), to `receivers`. `since_us`: of its own clock; None: not known.
    """

    keys: tuple[str, ...]
    told: bool
    receivers: tuple[str, ...]
    since_us: int | None
    alert: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Inquiry:
    """How a sender of alerts is asked which of them fire: paths below its address, and how its answers are read.

    What `read` and `up_since_us` get is parsed JSON; both raise `errors.InvalidField` for what is no answer of such a sender.
    """

    path: str
    status_path: str
    read: Callable[[Any], Iterator[Fires]]
    up_since_us: Callable[[Any], int | None]
    """Since when it runs; None: it is not ready to be asked."""
    firing: Callable[[Fires, str], Element]
    """The event of an alert, as a delivery to that receiver would give it."""
    resolved: Callable[[Mapping[str, Any], str], Element]
    """The event of an alert's end at a moment (ISO 8601), made of the last event of it."""
    receiver: Callable[[Mapping[str, Any]], str]
    """To whom an event was delivered; '' where it does not say."""


def rule_names(rule: str) -> tuple[str, str, str]:
    """(activation, ruleset, rule) of a rule's identity where nothing better is known: each of them may have slashes of its own."""
    activation, _, rest = rule.partition("/")
    ruleset, _, name = rest.partition("/")
    return activation, ruleset, name


def like(text: str, pattern: str) -> bool:
    """Whether a word meets a pattern, in which only `*` and `?` mean more than themselves."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


_WHO: Final = " = "
_PEOPLE: Final = ("key:", "link:", "os:", "slack:")


def acting_for(actor: str, person: str) -> str:
    """An actor of which it is known who it is: `key:laptop = ana`."""
    return f"{actor}{_WHO}{person}" if person else actor


def person_of(actor: str) -> str:
    """Who an actor is: the person of `key:laptop = ana`, else the actor itself. Names of rules may have anything in them."""
    return actor.rpartition(_WHO)[2] if actor.startswith(_PEOPLE) else actor


def run_id(activation: str, ruleset: str, rule: str, key: str, ordinal: int, action_index: int) -> str:
    """The id of the run of one action of one match: `r-` and 26 base-32 characters of a SHA-256.

    `key` is the match's key with its cycles (see `decide`). The same match gives the same id, so that it cannot be made twice.
    """
    return "r-" + short_hash("\x1f".join((activation, ruleset, rule, key, str(ordinal), str(action_index))))


_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"
TOKEN: Final = re.compile(rf"r-[{_BASE32}]{{26}}-[1-9][0-9]*")
"""An attempt's token: its run and its number. Names of job folders are of this form."""


def short_hash(text: str) -> str:
    """130 bits of SHA-256 as 26 characters of Crockford's base 32, lower case."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:17]) >> 6
    return "".join(_BASE32[(number >> shift) & 31] for shift in range(125, -1, -5))


_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, without saying so


MOMENT: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
"""A moment in a text, as `iso` writes it. ASCII digits alone."""


def iso(at_us: int) -> str:
    """A moment in microseconds as ISO 8601 in UTC, as all that others read has it. OverflowError for no year that could be."""
    return f"{_EPOCH + datetime.timedelta(microseconds=at_us):%Y-%m-%dT%H:%M:%S.%fZ}"
