"""`POST /hooks/<path>`: what alert senders deliver to the sources `healer.webhook`, each with its own authentication and format.

The order matters: an unknown path is 404 before anything is read, then from where, then who (where a header says it), then what and how
large, then who (where the body is signed), and only then what it says.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import ipaddress
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from aiohttp import web
from loguru import logger

from healer import access, errors, plugins, redacting
from healer.intake import strict
from healer.web import (
    bodies,
    buckets,
    deliveries,
    greetings,
    heavy,
    ingest,
    problems,
    proving,
    refusals,
    sns,
    tally,
)
from healer.web.services import Revision, Services

TYPE: Final = "healer.webhook"
"""A bare `webhook` is ansible-rulebook's, which listens on a port of its own."""

TAKEN: Final = (bodies.JSON, bodies.CLOUDEVENTS)
AUTO: Final = "auto"
UNNAMED: Final = (AUTO, "generic")
"""Formats behind which a sender may stand that has one of its own."""
SECRETS_S: Final = 0.1
"""For so long secrets that were opened are used again: each system call hands the interpreter to the writer, which costs more than all else
that is done for a delivery."""
LOOKS_MAX: Final = 100
"""Deliveries of a hook that are looked at for that, from a reload on."""


_PAYLOAD: Final = b'{"payload":'
_BLANK: Final = " \t\r\n"


class NotFromThere(errors.Forbidden):
    """this hook takes no deliveries from {address}"""


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
    early: bool = dataclasses.field(init=False)
    """Whether the proof is looked at before the body is read."""

    def __post_init__(self) -> None:
        self.media = (*TAKEN, *self.format.media)
        self.early = not proving.needs_body(self.options.auth)


@dataclasses.dataclass(slots=True)
class Proved:
    """A body of somebody who may send. `id_header`: the header that names the delivery, where that is signed; `delivery`: its id, where the
    signature covers that in the body."""

    body: bytes
    id_header: str = ""
    delivery: str = ""


class Hooks:
    """The hooks of a revision by path, made anew when another revision holds."""

    def __init__(self) -> None:
        self._revision: Revision | None = None
        self._by_path: dict[str, Hook] = {}
        self._refusals = refusals.Refusals()
        self._greetings = greetings.Greetings()
        self._heavy = heavy.Heavy()

    def find(self, revision: Revision, path: str) -> tuple[Hook, str | None]:
        """The hook, and the token where its path ends with one. Raises `errors.NotFound`, which does not repeat what may be a token."""
        if self._revision is not revision:
            buckets_of = {hook.source: hook.bucket for hook in self._by_path.values()}
            self._by_path = dict(_hooks(revision, buckets_of))
            self._revision = revision
        found = self._by_path.get(path)
        if found is not None:
            return found, None
        base, _, token = path.rpartition("/")
        found = self._by_path.get(base)
        if found is not None and found.options.auth.url_token:
            return found, token
        shown = problems.shown_path(f"/hooks/{path}").removeprefix("/hooks/")
        raise errors.NotFound(
            "the paths stand in healer.yaml and in the sources of rulebooks", what=f"the hook {shown[:80]!r}"
        )

    async def answer(self, request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
        """The handler: 202 `{"accepted", "duplicates", "ids"}` after the commit, and `quarantined` where parts cannot be read."""
        hook, token = self.find(services.revision(), request.match_info["path"])
        proved = None
        try:
            _from_there(request, hook)
            with services.room.place() as more:
                proved = await _authentic(request, services, hook, token, more)
            if not hook.options.auth.none:
                services.gate.throttle.right(request.remote)
            _not_too_fast(services, hook)
            return await self._take(request, services, hook, proved)
        except errors.HealerError as error:
            if hook.redact and proved is not None and isinstance(error, errors.RequestError):
                vars(error)["reason"] = f"{error.code} (nothing is quoted, since parts of such bodies are not kept)"
            why = getattr(error, "reason", error.message)  # which a sender is not told
            services.tally.refused(hook.source, error.code, why)
            services.tally.last[hook.source] = services.clock(), tally.one_line(why)
            if isinstance(error, errors.Unauthorized):
                await services.gate.throttle.wait(request.remote)
            elif proved is not None or (hook.early and not isinstance(error, errors.Forbidden)):
                await self._refusals.tell(services, hook.source, error)
            raise

    async def consent(self, request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
        """`OPTIONS`: whether a sender of CloudEvents may deliver here (CloudEvents 1.0.2, HTTP webhook, section 4)."""
        hook, _ = self.find(services.revision(), request.match_info["path"])
        return greetings.consent(request, hook.options.origins, hook.options.rate_limit)

    async def _take(self, request: web.Request, services: Services, hook: Hook, proved: Proved) -> web.StreamResponse:
        form = request.content_type == bodies.FORM
        headers = deliveries.headers_of(request, hook.proof_headers, proving.sent(hook.options.auth, hook.secrets))
        exact = None
        if large := len(proved.body) > heavy.FROM_BYTES:
            mapping = None if hook.options.mapping is None else hook.options.mapping.model_dump(mode="json")
            read = await self._heavy.read(hook.options.format, mapping, headers, proved.body, form, hook.options.redact)
            body = read.body or proved.body
        else:
            value = bodies.form(proved.body) if form else strict.parse(proved.body)
            read = _read(hook, value, headers)
            body = orjson.dumps(value) if read.redacted else proved.body
            exact = None if form else _exact(read, value, body)
            _suggest(services, hook, value, headers)
        if read.greeting is not None:
            return await self._greetings.answer(services, hook.source, hook.options, read.greeting)
        if read.remark:
            logger.bind(source=hook.source).warning("{}: {}", hook.source, tally.one_line(read.remark))
        if len(read.events) + len(read.unread) > ingest.EVENTS_MAX:
            raise ingest.TooManyEvents(limit=ingest.EVENTS_MAX)
        delivery, each = _ids(request, hook, proved, read.deliveries)
        # What was proved is kept byte for byte: within the only event where that holds all of it, else beside the rows.
        raw = None if exact is not None else body
        events = read.events if exact is None else [(read.events[0][0], exact)]
        meta = {"endpoint": hook.options.path, "headers": headers}
        return await ingest.commit(
            services, hook.source, events, actor=f"source:{hook.source}", delivery=delivery, meta=meta, raw=raw,
            repeats=read.repeats, deliveries_of=each, unread=read.unread, whole=not large,
            digest=hashlib.sha256(proved.body).hexdigest() if delivery else "",
        )  # fmt: skip


def _read(hook: Hook, value: Any, headers: dict[str, str]) -> heavy.Read:
    """What a body is that is small enough to be read here."""
    greeting = greetings.of(hook.format, hook.options, value, headers)
    if greeting is not None:
        return heavy.Read(greeting)
    hides = False
    if hook.redact:
        found, hides = redacting.read(hook.format.read, value, headers, hook.redact)
        elements: Sequence[Any] = found
    else:
        elements = hook.format.read(value, headers)
    read = heavy.Read(remark=hook.format.remark(value), redacted=hides)
    for one in elements:
        if isinstance(one, plugins.Wrong):
            read.unread.append((one.value, tally.one_line(one.error.message)))
        else:
            read.events.append((one.event, orjson.dumps(one.event)))
            read.repeats.append(one.repeat)
            read.deliveries.append(one.delivery)
    return read


def _exact(read: heavy.Read, value: Any, body: bytes) -> bytes | None:
    """The JSON of the only event with the very bytes of the body in it; None where it does not hold all of the body, and where the body has
    escapes: what two parsers may read differently is written anew."""
    if len(read.events) != 1 or read.unread:
        return None
    event = read.events[0][0]
    if next(iter(event), None) != "payload" or event["payload"] is not value or b"\\u" in body:
        return None
    rest = orjson.dumps({name: inner for name, inner in event.items() if name != "payload"})
    return _PAYLOAD + body + (b"," + rest[1:] if len(rest) > 2 else b"}")


def body_in(event: bytes) -> bytes:
    """The other way round: the body that an event has in it as it came; an event that is none such as it is."""
    if not event.startswith(_PAYLOAD):
        return event
    text = event[len(_PAYLOAD) :].decode()
    start = len(text) - len(text.lstrip(_BLANK))
    _, end = json.JSONDecoder().raw_decode(text, start)
    after = text[end:]
    return text[: len(text) - len(after.lstrip(_BLANK))].encode()


def _hooks(revision: Revision, buckets_of: dict[str, buckets.Bucket | None]) -> list[tuple[str, Hook]]:
    made = []
    for name, spec in revision.sources.items():
        if spec.type != TYPE:
            continue
        try:
            form = reader_of(spec.options)
        except errors.HealerError as error:
            logger.bind(source=name).error("the hook {} is not answered: {}", spec.options.path, error.message)
            continue
        bucket = _bucket(spec.options, buckets_of.get(name))
        hidden = proving.proof_headers(spec.options.auth)
        hides = redacting.paths(spec.options.redact)
        made.append((spec.options.path, Hook(name, spec.options, form, bucket, proof_headers=hidden, redact=hides)))
    return made


def reader_of(options: Any) -> plugins.Format:
    """The format of a source's options, also of a mapping in them. Raises `plugins.UnknownPlugin`, `plugins.BrokenPlugin`."""
    found: plugins.Format = plugins.find("sources", "webhook").reader_of(options)
    return found


def _bucket(options: Any, before: buckets.Bucket | None) -> buckets.Bucket | None:
    """The one there was, where its rate is still the same."""
    rate = options.rate_limit
    if rate is None:
        return None
    if before is not None and (before.count, before.within_s) == (rate.count, rate.within):
        return before
    return buckets.Bucket(rate.count, rate.within)


def _from_there(request: web.Request, hook: Hook) -> None:
    if not hook.options.allow_from:
        return
    try:
        address = ipaddress.ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        address = None
    mapped = getattr(address, "ipv4_mapped", None)
    if address is None or not any((mapped or address) in ipaddress.ip_network(one) for one in hook.options.allow_from):
        raise NotFromThere("allow_from of the source", address=address or "an unknown address")


def _not_too_fast(services: Services, hook: Hook) -> None:
    if hook.bucket is not None and (wait_s := hook.bucket.take(services.clock() / 1_000_000)) > 0:
        again_s = math.ceil(wait_s)
        raise TooFast(source=hook.source, count=hook.bucket.count, within=hook.bucket.within_s, retry_after_s=again_s)


async def _authentic(
    request: web.Request, services: Services, hook: Hook, token: str | None, more: Callable[[int], None]
) -> Proved:
    """Read the body and look at the proof, where it can be before that.

    Raises `proving.Unproved`, also while a secret cannot be read: an alert that is refused comes again, a forged one must not.
    """
    wanted, early = hook.options.auth, hook.early
    if early:
        _prove(request, services, hook, token, b"")
    bodies.content_type(request, hook.media)
    body = await bodies.read(request, hook.options.max_body, more=more)
    if wanted.sns is not None:
        found = await sns.verify(wanted.sns.topics, body, services.certificates, services.wall() / 1_000_000)
        return Proved(body, delivery=found.message_id)
    return Proved(body, "" if early else _prove(request, services, hook, token, body))


def _prove(request: web.Request, services: Services, hook: Hook, token: str | None, body: bytes) -> str:
    wanted = hook.options.auth
    given = proving.Given(body, request.headers, token)
    now = asyncio.get_running_loop().time()
    try:
        if now - hook.opened >= SECRETS_S:
            hook.secrets = proving.opened(wanted, services.secrets.resolve)
            hook.opened = now
    except proving.Unproved as error:
        logger.bind(source=hook.source).warning("{}: every delivery is refused until it can be", error.reason)
        raise
    proving.verify(wanted, given, hook.secrets, services.wall() / 1_000_000)
    return proving.signed_id(wanted, given, hook.secrets)


def _ids(request: web.Request, hook: Hook, proved: Proved, own: list[str]) -> tuple[str, list[str]]:
    """(the id of the delivery as a whole, or those of its events). What is signed goes before what anybody can add to a copy."""
    named = proved.id_header or hook.options.delivery_id or None
    in_body = bool(own) and all(own)
    if not in_body or named is not None or hook.early or proved.delivery:
        whole = proved.delivery or deliveries.named_by(request, named, hook.format.delivery_ids)
        if whole or not in_body:
            return whole, []
    return (own[0], []) if len(own) == 1 else ("", own)


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
