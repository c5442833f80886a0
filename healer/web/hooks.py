"""`POST /hooks/<path>`: what alert senders deliver to the sources `healer.webhook`, each with its own authentication and format.

The order matters: an unknown path is 404 before anything is read, then from where, then who (where a header says it), then what and how
large, then who (where the body is signed), and only then what it says.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any, Final

from aiohttp import web
from loguru import logger

from healer import access, errors, plugins, redacting
from healer.web import (
    answers,
    arrivals,
    bodies,
    buckets,
    greetings,
    heavy,
    ingest,
    problems,
    proving,
    refusals,
    tally,
    together,
)
from healer.web.services import Revision, Services

TYPE: Final = "healer.webhook"
"""A bare `webhook` is ansible-rulebook's, which listens on a port of its own."""


class NotFromThere(errors.Forbidden):
    """this hook takes no deliveries from {address}"""


class Hooks:
    """The hooks of a revision by path, made anew when another revision holds."""

    def __init__(self) -> None:
        self._revision: Revision | None = None
        self._by_path: dict[str, arrivals.Hook] = {}
        self._refusals = refusals.Refusals()
        self._greetings = greetings.Greetings()
        self._heavy = heavy.Heavy()
        self._together = together.Together(arrivals.STAGES, arrivals.journal_all)

    def find(self, revision: Revision, path: str) -> tuple[arrivals.Hook, str | None]:
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
        one = arrivals.Delivery(request, services, hook, token)
        try:
            _from_there(request, hook)
            if hook.options.auth.sns is not None or not bodies.is_here(request):
                one.proved = await arrivals.authentic(one)
            await self._together.through(one, request.content_length or request.content.total_bytes)
            return answers.taken(one.seq) if one.seq else await self._take(one)
        except errors.HealerError as error:
            if hook.redact and one.proved is not None and isinstance(error, errors.RequestError):
                vars(error)["reason"] = f"{error.code} (nothing is quoted, since parts of such bodies are not kept)"
            why = getattr(error, "reason", error.message)  # which a sender is not told
            services.tally.refused(hook.source, error.code, why)
            services.tally.last[hook.source] = services.clock(), tally.one_line(why)
            if isinstance(error, errors.Unauthorized):
                await services.gate.throttle.wait(request.remote)
            elif one.proved is not None or (hook.early and not isinstance(error, errors.Forbidden)):
                await self._refusals.tell(services, hook.source, error)
            raise

    async def consent(self, request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
        """`OPTIONS`: whether a sender of CloudEvents may deliver here (CloudEvents 1.0.2, HTTP webhook, section 4)."""
        hook, _ = self.find(services.revision(), request.match_info["path"])
        return greetings.consent(request, hook.options.origins, hook.options.rate_limit)

    async def _take(self, one: arrivals.Delivery) -> web.StreamResponse:
        """What is not a single event of a small body, or cannot be taken the short way."""
        services, hook, read = one.services, one.hook, one.read
        if large := read is None:
            read = await self._read_large(one)
        if read.greeting is not None:
            return await self._greetings.answer(services, hook.source, hook.options, read.greeting)
        if read.remark:
            logger.bind(source=hook.source).warning("{}: {}", hook.source, tally.one_line(read.remark))
        if len(read.events) + len(read.unread) > ingest.EVENTS_MAX:
            raise ingest.TooManyEvents(limit=ingest.EVENTS_MAX)
        delivery, each = one.ids()
        events = read.events if one.exact is None else [(read.events[0][0], one.exact)]
        return await ingest.commit(
            services, hook.source, events, actor=hook.actor, delivery=delivery, meta=one.meta, raw=one.raw,
            repeats=read.repeats, deliveries_of=each, unread=read.unread, whole=not large,
            digest=hashlib.sha256(one.body).hexdigest() if delivery else "",
        )  # fmt: skip

    async def _read_large(self, one: arrivals.Delivery) -> heavy.Read:
        hook = one.hook
        mapping = None if hook.options.mapping is None else hook.options.mapping.model_dump(mode="json")
        one.headers = arrivals.headers_of(one)
        form = one.request.content_type == bodies.FORM
        read = await self._heavy.read(hook.options.format, mapping, one.headers, one.body, form, hook.options.redact)
        one.read, one.raw = read, read.body or one.body
        return read


def _hooks(revision: Revision, buckets_of: dict[str, buckets.Bucket | None]) -> list[tuple[str, arrivals.Hook]]:
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
        made.append(
            (spec.options.path, arrivals.Hook(name, spec.options, form, bucket, proof_headers=hidden, redact=hides))
        )
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


def _from_there(request: web.Request, hook: arrivals.Hook) -> None:
    if not hook.options.allow_from:
        return
    try:
        address = ipaddress.ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        address = None
    mapped = getattr(address, "ipv4_mapped", None)
    if address is None or not any((mapped or address) in ipaddress.ip_network(one) for one in hook.options.allow_from):
        raise NotFromThere("allow_from of the source", address=address or "an unknown address")
