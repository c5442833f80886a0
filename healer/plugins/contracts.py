"""What a source, a format, a check and a controller are, and what each is given. Callers: the plugins themselves."""

from __future__ import annotations

import abc
import dataclasses
import functools
import pathlib
import types
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from healer import errors, model
from healer.plugins import calling
from healer.plugins.options import Options, SecretRef

Shape = type[Options]
"""Of options: what a class of them is."""

# --- sources --------------------------------------------------------------------------------------------------------------

Emit = Callable[[Sequence[Mapping[str, Any]]], Awaitable[Sequence[int]]]
"""`await emit(events)` gives their journal positions once all are on disk; several calls may be in flight.

A position of 0 stands for an event that was a duplicate. An event is a JSON object; `meta` keys given are kept beside ours."""


@dataclasses.dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is given beside its options. `resolve` turns a secret reference into its value."""

    name: str
    project_dir: pathlib.Path
    resolve: Callable[[SecretRef], model.Secret]
    log: Callable[[str, str], None]
    """`log(level, message)`"""


class Source(abc.ABC):
    """A source that the daemon runs as a task (a *pull* source)."""

    Options: ClassVar[type[Options]]
    resolves: ClassVar[bool] = False
    """Whether its alerts are closed by a `resolved` event of its own."""

    def __init__(self, options: Any, context: SourceContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def options_for(cls, written: Any, project_dir: pathlib.Path) -> Shape:
        """The shape of what is written: `Options`, unless keys of it name plugins of the project (`check`).

        Raises `BrokenPlugin`.
        """
        del written, project_dir
        return cls.Options

    @abc.abstractmethod
    async def run(self, emit: Emit) -> None:
        """Deliver events until cancelled. Returning means: no more will come. Raising means: start me again later."""


class Push:
    """A source that waits for requests on the daemon's own port: it has options and no task."""

    Options: ClassVar[type[Options]]


# --- formats --------------------------------------------------------------------------------------------------------------


Element = model.Element
NO_HEADERS: Mapping[str, str] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Wrong:
    """One of several elements of a body that cannot be read: it is kept in quarantine with the reason, and the others go on."""

    value: Any
    error: errors.RequestError


@dataclasses.dataclass(frozen=True, slots=True)
class Greeting:
    """A delivery that is no event: a sender makes sure that somebody is there. `answer`: the JSON object of the 200 that it wants; None:
    any 2xx will do. `told`: for the operator, one line. `visit`: an address that has to be looked at, which is done only where the source
    says so (`confirm: true`) and its signature was right."""

    told: str
    answer: Mapping[str, Any] | None = None
    visit: str = ""


def _nothing_said(_body: Any) -> str:
    return ""


def _no_greeting(_body: Any, _headers: Mapping[str, str]) -> Greeting | None:
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """How a sender's bodies become events. It is the `FORMAT` of its module, also of one that an entry point names.

    `read(body, headers)` gives the elements of a parsed body (any JSON value) in their order; `headers`: lower case, without those that
    hold credentials. It raises `errors.InvalidField` for a body that is none of this sender's; one bad element among several is `Wrong`.
    """

    name: str
    resolves: bool
    """Whether its sender says when an alert is over."""
    read: Callable[[Any, Mapping[str, str]], Sequence[Element | Wrong]]
    fields: tuple[str, ...] = ()
    """What its events have beside the words of `event.alert`: paths below `event`, `.*` at the end of one that is open: `group.status`,
    `alert.labels.*`, `payload.*`."""
    inquiry: model.Inquiry | None = None
    """How its sender is asked what fires."""
    greeting: Callable[[Any, Mapping[str, str]], Greeting | None] = _no_greeting
    """Whether a body is a greeting. Asked before `read`."""
    remark: Callable[[Any], str] = _nothing_said
    """What the operator should know of a body that was taken, '' for nothing: that the sender has cut it short."""
    media: tuple[str, ...] = ()
    """Content types that it is sent with beside `application/json`, lower case, without parameters. A body of any of them is JSON."""
    delivery_ids: tuple[str, ...] = ()
    """Headers of its own that name a delivery, beside those that many senders have (`X-GitHub-Delivery`, `webhook-id` …)."""
    marks: tuple[str, ...] = ()
    """By what a body of it is known: paths that all have to be there (`alerts`, `data.alert_rule`), `header:NAME` for a header. For
    suggestions alone."""
    auth: tuple[str, ...] = ("bearer",)
    """How its sender can prove itself, the best first: keys of `auth`."""
    setup: str = ""
    """What is entered at the sender's side, for `healer sources show`: `HOOK_URL`, `TOKEN` (or the signing secret) and `TOKEN_FILE` stand
    for what they say."""

    def __post_init__(self) -> None:
        """Whoever calls it, `sys.exit()` in it is a mistake of its own (`calling.called`)."""
        for name, none in (("greeting", _no_greeting), ("remark", _nothing_said)):
            if (how := getattr(self, name)) is not none:
                object.__setattr__(self, name, functools.partial(calling.called, how))
        object.__setattr__(self, "read", functools.partial(calling.called, _read_whole, self.read))


def _read_whole(read: Callable[..., Sequence[Element | Wrong]], *given: Any) -> Any:
    found: Any = read(*given)
    if type(found) is list or isinstance(found, Sequence):
        return found
    return list(found)  # of one that goes on reading while it is asked for the next


# --- checks ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a check saw: `value` against the threshold (None where it could not be had), and one line for people."""

    ok: bool
    value: float | None
    detail: str


class Blind(Exception):
    """Nothing could be seen, which is neither good nor bad; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check is given beside its options."""

    resolve: Callable[[SecretRef], model.Secret]
    project_dir: pathlib.Path = pathlib.Path()


class Check(abc.ABC):
    """Looks at one thing and changes nothing: for the source `check`, which repeats it, and for `check:` of actions and `verify`.

    It is made for each look or for many. What blocks (a file system, a driver without asyncio) belongs into a thread.
    """

    Options: ClassVar[type[Options]]
    alert: ClassVar[str] = "CheckFailed"
    """What the alert of the source is called, where its `name` does not say it."""
    addresses: ClassVar[tuple[str, ...]] = ()
    """Options that are addresses (`https://host/path`, or a list of such). Of an action and in `verify` a parameter may stand in their
    path and behind it alone, where its value is percent-encoded: it never chooses a host."""

    def __init__(self, options: Any, context: CheckContext) -> None:
        self.options = options
        self.context = context

    @abc.abstractmethod
    async def look(self) -> Reading:
        """One reading, now. Raises `Blind` where nothing can be read; cancelling it ends it."""

    @abc.abstractmethod
    def subject(self) -> str:
        """What it looks at, in a few words that stay the same: a label of its alert, and a part of the alert's key."""

    @property
    def clear_below(self) -> float | None:
        """A value at or above it does not count towards the alert's end; None: every good reading does."""
        return None


# --- controllers ----------------------------------------------------------------------------------------------------------

Output = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Called with each piece of output as it comes; never blocks."""


def _no_machine(text: str) -> tuple[Controller, model.Target]:
    raise errors.NotFound(what=f"the machine {text!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class ControllerContext:
    """What a controller is given beside its options."""

    name: str
    resolve: Callable[[SecretRef], model.Secret]
    log: Callable[[str, str], None]
    project_dir: pathlib.Path = pathlib.Path()
    subjects: tuple[Any, ...] = ()
    """What its actions of the catalog run (`model.Job.subject`, parameters not filled in), for `check`."""
    reach: Callable[[str], tuple[Controller, model.Target]] = _no_machine
    """The controller and the machine that an option of `Controller.machines` names."""
    hosts: Callable[[], Sequence[model.Target]] = tuple
    """The first ten hosts of its inventory by name, of those that it may touch and that are connected to (`ansible_connection: local` is
    not): what `check` may try. It may take some time."""


class Controller(abc.ABC):
    """A named way to reach targets. One instance serves many jobs at once."""

    Options: ClassVar[type[Options]]
    kinds: ClassVar[frozenset[str]]
    """Which of `model.Job.kind` it can do."""
    target_kinds: ClassVar[frozenset[str]] = frozenset({"host"})
    """Which of `model.Target.kind` it reaches; any other is no target for it."""
    needs_inventory: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ()
    """Options that are files of the project: they are of its revision."""
    machines: ClassVar[tuple[str, ...]] = ()
    """Options that name a machine which another controller connects to, as `CONTROLLER:HOST`."""
    lists_hosts: ClassVar[bool] = False
    """Whether `list_hosts` can be asked."""
    packages: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    """Module → the extra of `auto-healer` that brings it: `healer validate` and the start warn of one that is not installed."""

    def __init__(self, options: Any, context: ControllerContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def passed_over(cls, option: str, text: str) -> Iterable[tuple[int, int, str, str]]:
        """What of a file of `files`, named by that option, says nothing and was surely meant to: line, column (from 1), the word, and
        what may have been meant. `healer validate` and the start warn of it."""
        del option, text
        return ()

    @abc.abstractmethod
    async def check(self) -> model.Health:
        """Whether it is usable now (tools there, hosts reachable)."""

    @abc.abstractmethod
    async def plan(self, job: model.Job) -> model.Plan:
        """What `run` would do, without doing it."""

    @abc.abstractmethod
    async def run(self, job: model.Job, output: Output) -> model.Outcome:
        """Do it, once under this token, and follow it to its end. Cancelling the task stops the work.

        OSError for want of space (ENOSPC, EDQUOT): `find` is asked when there is space, and its answer counts as after a crash.
        `model.NotBegunError`: it is certain that nothing began, so that a new attempt is queued.
        """

    @abc.abstractmethod
    async def find(self, job: model.Job) -> model.Found:
        """After a crash: what became of the job under its token. What has no effect (a check) is `absent`: it may be done again."""

    async def withhold(self, job: model.Job) -> bool:
        """A pause, while `run` is under way: where the job has not begun to take effect, keep it from that. `run` is cancelled then.

        True: nothing has begun, and nothing will. False: it has begun, or nobody can say. If not told otherwise, as `find` says.
        """
        return (await self.find(job)).state == "absent"

    @abc.abstractmethod
    async def follow(self, job: model.Job, output: Output) -> model.Outcome:
        """Take up a job again that `find` says is running, and follow it to its end."""

    async def list_hosts(self, inventory: str, folder: pathlib.Path) -> pathlib.Path:
        """The hosts of an inventory of the project of which files alone do not tell, as a file of the JSON of `ansible-inventory --list`,
        of 16 MiB at the most and within a minute. `folder` is for it alone, not made yet, and removed afterwards. Cancelling it ends it.

        Raises `errors.HealerError` or OSError where it cannot be had.
        """
        raise errors.NotFound(what=f"a list of hosts of {inventory}, which {self.context.name} cannot make")

    async def close(self) -> None:  # noqa: B027 - most have nothing to do
        """The daemon stops, and no job is under way here: end what is still held open or tidied up. It has 5 seconds."""
