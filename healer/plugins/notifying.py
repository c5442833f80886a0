"""What a channel of notifications is, and what it is given to tell. Callers: the channels themselves; `notify`, which makes the messages.

A message is plain text in pieces: a channel writes each in its own way, escapes what it has to, and adds nothing. What stands in it may be
an event's word, so that no channel reads marks of its own in it (`<!channel>`, links, Markdown).
"""

from __future__ import annotations

import abc
import dataclasses
import types
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from healer import errors, model
from healer.plugins.options import Options, SecretRef

Level = Literal["info", "ok", "warning", "error"]


class When(NamedTuple):
    """A moment, which a channel shows in its reader's own time zone where it can. Microseconds since 1970."""

    at_us: int


class Strong(NamedTuple):
    """A text that stands out."""

    text: str


Piece = str | When | Strong
Text = tuple[Piece, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One thing that is told, with what it is: `on`, `web01  web07`."""

    label: str
    text: Text


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One request for a person's word that may be decided from the message. `digest`: of exactly what it asks for; a word that was said
    to another digest decides nothing. `about`: its parameters, as far as those of other requests beside it are others. `expires_us`: when
    it ends (None: never)."""

    request: str
    run: str
    targets: tuple[str, ...]
    digest: str
    about: str = ""
    expires_us: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Detail:
    """What is too long for the message itself: a diff, an output. Channels show it beside the message, in a thread. `loud`: it is news
    that whoever hears the channel should hear, as changing a message in place makes no sound."""

    name: str
    text: str
    loud: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What is told. `news`: the class that it is of; `status`: what became of it since; `asks`: what may be decided now; `answerable`:
    whether somebody may say that they look after it; `ways`: by which commands they do all that, for a channel in which nobody can."""

    id: str
    news: str
    level: Level
    title: Text
    rows: tuple[Row, ...] = ()
    status: Text = ()
    asks: tuple[Asked, ...] = ()
    answerable: bool = False
    ways: tuple[Row, ...] = ()
    details: tuple[Detail, ...] = ()
    link: str = ""
    foot: str = ""


class Undelivered(errors.HealerError):
    """a message cannot be delivered: {reason}"""

    code = "undelivered"
    status = 502

    def __init__(self, reason: str, *, retry_after_s: float | None = None, final: bool = False, try_: str = "") -> None:
        """`retry_after_s`: the channel says when to try again; `final`: it will never take this one."""
        super().__init__(try_, reason=reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.final = final


async def _nowhere(_asked: Asked, _person: str, _address: str) -> str:
    """No link."""
    return ""


def _nobody(_person: str) -> str:
    """No roles."""
    return ""


@dataclasses.dataclass(frozen=True, slots=True)
class NotifierContext:
    """What a channel is given beside its account. `identity(person, kind)`: who a principal is there (`slack`, `email`), '' for nobody
    known. `link(asked, person, identity)`: the address by which this principal, and whoever else has it, decides a request once and
    without a key: for a message that goes to them alone, of a channel without buttons of its own. `identity`: who they are there, as the
    message was addressed; it holds as long as that is theirs. '' without `server.public_url`, without an identity, and for somebody
    whose word would not count. `standing(person)`: a short text that is another one where the roles of a principal are, so that
    a message with links is told anew then."""

    name: str
    resolve: Callable[[SecretRef], model.Secret]
    log: Callable[[str, str], None]
    identity: Callable[[str, str], str]
    link: Callable[[Asked, str, str], Awaitable[str]] = _nowhere
    standing: Callable[[str], str] = _nobody


class NoAccount(Options):
    """Of a channel that needs none."""


Shape = type[Options]


class Notifier(abc.ABC):
    """A channel: one instance delivers to all its receivers. `Options`: what a receiver of it says; `Account`: what all of them share."""

    Options: ClassVar[Shape]
    Account: ClassVar[Shape] = NoAccount
    updates: ClassVar[bool] = False
    """Whether a message that was sent can be changed in place."""
    identity: ClassVar[str] = ""
    """The identity of a principal (`slack`, `email`) by which a receiver's option `principal` names somebody; '': it has none."""
    packages: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    """As of a controller."""

    def __init__(self, account: Any, context: NotifierContext) -> None:
        self.account = account
        self.context = context

    @property
    def form(self) -> str:
        """How it shows what somebody may do with a message, as far as its account says that (buttons, or none): where this is another one
        than before, what is open is changed in place."""
        return ""

    def form_of(self, to: Any) -> str:
        """The same of a receiver, `to` its options, where it is not that of all."""
        del to
        return self.form

    def place_of(self, to: Any) -> str:
        """Where a receiver is, `to` its options: what waits for a person is told anew where this is another text than before. By its
        options and, where these name a principal, by who that is there. Nobody is shown it."""
        person = str(getattr(to, "principal", None) or "")
        return f"{to} {self.context.identity(person, self.identity) if person and self.identity else ''}"

    @abc.abstractmethod
    async def send(self, to: Any, message: Message) -> str:
        """Deliver to a receiver, `to` its options; a reference under which it can be changed ('': it cannot). Raises `Undelivered`."""

    async def update(self, to: Any, reference: str, message: Message) -> str:
        """Change what was sent. Asked only where `updates`. Raises `Undelivered`."""
        del to, reference, message
        raise Undelivered(f"{self.context.name} changes nothing that was sent", final=True)

    async def check(self, to: Any) -> model.Health:
        """Whether a receiver can be reached now; nothing is sent."""
        del to
        return model.Health(ok=True, detail="")

    async def close(self) -> None:  # noqa: B027 - most have nothing to do
        """The daemon stops, or has another account for it."""
