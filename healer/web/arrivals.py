"""A delivery at a hook, on its way to the journal: its proof, what it says by its format, and its row. Used by `hooks`.

`STAGES` and `journal_all` are done for all deliveries that came together, one stage after the other (`together`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
from typing import Any, Final

import orjson
from aiohttp import web
from loguru import logger

from healer import errors, plugins, redacting
from healer.intake import strict
from healer.store import journal
from healer.web import auth, bodies, buckets, deliveries, heavy, proving, small, sns
from healer.web.services import Services

TAKEN: Final = (bodies.JSON, bodies.CLOUDEVENTS)
AUTO: Final = "auto"
UNNAMED: Final = (AUTO, "generic")
"""Formats behind which a sender may stand that has one of its own."""
SECRETS_S: Final = 0.1
"""For so long secrets that were opened are used again: each system call hands the interpreter to the writer, which costs more than all else
that is done for a delivery."""
LOOKS_MAX: Final = 100
"""Deliveries of a hook that are looked at for that, from a reload on."""


class TooFast(errors.Unavailable):
    """not now: {source} may deliver {count} times per {within:g} s"""

    code = "rate-limit"


@dataclasses.dataclass(slots=True)
class Hook:
    """A path that is answered: the source's name, its options, and how its bodies are read."""

    source: str
    options: Any
    format: plugins.Format
    bucket: buckets.Bucket | None = None
    suggested: str = ""
    looked_at: int = 0
    proof_headers: frozenset[str] = frozenset()
    redact: tuple[redacting.Path, ...] = ()
    secrets: proving.Secrets = ()
    opened: float = -math.inf
    """When they were opened last, in the loop's time."""
    media: tuple[str, ...] = dataclasses.field(init=False)
    """The content types that it takes."""
    actor: str = dataclasses.field(init=False)
    """Who its events are of, in the journal."""
    early: bool = dataclasses.field(init=False)
    """Whether the proof is looked at before the body is read."""

    def __post_init__(self) -> None:
        self.media = (*TAKEN, *self.format.media)
        self.actor = f"source:{self.source}"
        self.early = not proving.needs_body(self.options.auth)


@dataclasses.dataclass(slots=True)
class Proved:
    """A body of somebody who may send. `id_header`: the header that names the delivery, where that is signed; `delivery`: its id, where the
    signature covers that in the body."""

    body: bytes
    id_header: str = ""
    delivery: str = ""


@dataclasses.dataclass(slots=True)
class Delivery:
    """A request on its way to the journal; what is not known yet is None. `token`: the end of its path, where that is a proof."""

    request: web.Request
    services: Services
    hook: Hook
    token: str | None
    proved: Proved | None = None
    secrets: proving.Secrets = ()
    """By which it was proved; those of the hook may be others by now."""
    value: Any = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    read: heavy.Read | None = None
    exact: bytes | None = None
    """The JSON of the only event, with the very bytes of the body in it."""
    raw: bytes | None = None
    """What is kept beside the rows."""
    row: journal.Row | None = None
    seq: int = 0
    """The row's position, once it is written."""

    @property
    def body(self) -> bytes:
        """Of a delivery that is proved."""
        return b"" if self.proved is None else self.proved.body

    @property
    def meta(self) -> dict[str, Any]:
        """What is journaled of the request beside its body."""
        return {"endpoint": self.hook.options.path, "headers": self.headers}

    def ids(self) -> tuple[str, list[str]]:
        """(its id as a whole, or those of its events). What is signed goes before what anybody can add to a copy."""
        proved, hook = self.proved, self.hook
        own = [] if self.read is None else self.read.deliveries
        signed, in_signed = ("", "") if proved is None else (proved.id_header, proved.delivery)
        named = signed or hook.options.delivery_id or None
        in_body = bool(own) and all(own)
        if not in_body or named is not None or hook.early or in_signed:
            whole = in_signed or deliveries.named_by(self.request, named, hook.format.delivery_ids)
            if whole or not in_body:
                return whole, []
        return "", own


# --- stages ---------------------------------------------------------------------------------------------------------------


def admit(one: Delivery) -> bool:
    """Who sent it, and whether that may be now."""
    services, hook = one.services, one.hook
    if one.proved is None:
        _before_body(one)
        one.proved = _behind_body(one, bodies.here(one.request, hook.options.max_body))
    if not hook.options.auth.none:
        services.gate.throttle.right(one.request.remote)
    _not_too_fast(services, hook)
    return True


def parse(one: Delivery) -> bool:
    body = one.body
    if len(body) > heavy.FROM_BYTES:
        return False
    one.value = bodies.form(body) if one.request.content_type == bodies.FORM else strict.parse(body)
    return True


def understand(one: Delivery) -> bool:
    """Read it by its format. What was proved is kept byte for byte: within the only event where that holds all of it, else beside."""
    hook, value = one.hook, one.value
    one.headers = headers_of(one)
    one.read = read = small.read(hook.format, hook.options, hook.redact, value, one.headers)
    body = orjson.dumps(value) if read.redacted else one.body
    one.exact = None if one.request.content_type == bodies.FORM else small.exact(read, value, body)
    one.raw = body if one.exact is None else None
    _suggest(one.services, hook, value, one.headers)
    return len(read.events) == 1 and not read.unread and not read.remark and read.greeting is None


def make_row(one: Delivery) -> bool:
    """The row of a single event without an id; whether it goes the short way, which it has begun then."""
    read = one.read
    delivery, each = one.ids()
    if read is None or delivery or (each and each[0]):
        return False
    ((event, _),), (repeat,) = read.events, read.repeats
    if type(event) is not dict or not isinstance(repeat, str):  # of a stranger's format
        raise TypeError(f"the format {one.hook.format.name} gave no event with a text as its word")
    hook, meta = one.hook, orjson.dumps(one.meta).decode()
    encoded = one.exact or orjson.dumps(event)
    one.row = journal.Row("event", hook.source, encoded, data=event, actor=hook.actor, meta=meta, raw=one.raw)
    one.row.repeat = repeat or None
    return one.services.intake.begin(one.row)


async def journal_all(several: list[Delivery]) -> list[Exception | None]:
    """Write the rows that have begun."""
    services = several[0].services
    written = await services.intake.write([one.row for one in several if one.row is not None])
    return [_taken(services, one, position) for one, position in zip(several, written, strict=True)]


def _taken(services: Services, one: Delivery, position: int | Exception) -> Exception | None:
    if isinstance(position, Exception):
        return position
    one.seq = position
    try:
        services.tally.took(one.hook.source, 1, 0)
        services.heard(one.hook.source, 1)
    except Exception as error:  # a mistake of ours: of this delivery alone
        return error
    return None


def headers_of(one: Delivery) -> dict[str, str]:
    hook = one.hook
    return deliveries.headers_of(one.request, hook.proof_headers, proving.sent(hook.options.auth, one.secrets))


STAGES: Final = (admit, parse, understand, make_row)
"""Of each: what is left where one says no has to go the long way."""


# --- proof ----------------------------------------------------------------------------------------------------------------


async def authentic(one: Delivery) -> Proved:
    """Wait for the body, and look at the proof: before that where it can be. A body that is here needs no such thing (`admit`).

    Raises `proving.Unproved`, also while a secret cannot be read: an alert that is refused comes again, a forged one must not.
    """
    request, hook, services = one.request, one.hook, one.services
    _before_body(one)
    proved = hook.early and not hook.options.auth.none
    room = services.room_of_known if proved else services.room
    known = proved or services.gate.throttle.knows(request.remote)
    with room.place(auth.machine(request.remote or ""), known) as more:
        body = await bodies.read(request, hook.options.max_body, more=more)
        if hook.options.auth.sns is not None:
            topics = hook.options.auth.sns.topics
            found = await sns.verify(topics, body, services.certificates, services.wall() / 1_000_000)
            return Proved(body, delivery=found.message_id)
    return _behind_body(one, body)


def _before_body(one: Delivery) -> None:
    if one.hook.early:
        _prove(one, b"")
    bodies.content_type(one.request, one.hook.media)


def _behind_body(one: Delivery, body: bytes) -> Proved:
    return Proved(body, "" if one.hook.early else _prove(one, body))


def _prove(one: Delivery, body: bytes) -> str:
    services, hook, wanted = one.services, one.hook, one.hook.options.auth
    given = proving.Given(body, one.request.headers, one.token)
    now = asyncio.get_running_loop().time()
    try:
        if now - hook.opened >= SECRETS_S:
            hook.secrets = proving.opened(wanted, services.secrets.resolve)
            hook.opened = now
    except proving.Unproved as error:
        logger.bind(source=hook.source).warning("{}: every delivery is refused until it can be", error.reason)
        raise
    one.secrets = hook.secrets
    proving.verify(wanted, given, hook.secrets, services.wall() / 1_000_000)
    return proving.signed_id(wanted, given, hook.secrets)


def _not_too_fast(services: Services, hook: Hook) -> None:
    if hook.bucket is not None and (wait_s := hook.bucket.take(services.clock() / 1_000_000)) > 0:
        again_s = math.ceil(wait_s)
        raise TooFast(source=hook.source, count=hook.bucket.count, within=hook.bucket.within_s, retry_after_s=again_s)


def _suggest(services: Services, hook: Hook, value: Any, headers: dict[str, str]) -> None:
    """Whose deliveries these seem to be, where nobody has said it."""
    if hook.format.name not in UNNAMED or hook.looked_at >= LOOKS_MAX:
        return
    hook.looked_at += 1
    likely = plugins.find("sources", "webhook").suggested(value, headers)
    services.tally.suggested[hook.source] = likely
    if likely and hook.format.name == AUTO and likely != hook.suggested:
        hook.suggested = likely
        logger.bind(source=hook.source).warning(
            "{}: its deliveries look like those of {}: write format: {}", hook.source, likely, likely
        )
