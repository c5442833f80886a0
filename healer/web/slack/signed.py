"""`POST /slack/interactions` and `/slack/commands`: what Slack delivers over HTTP, each request signed. Caller: `routes`.

The signature is looked at over the bytes as they came, before anything of them is read. A request that comes a second time does nothing:
Slack sends none twice, so that somebody else did. What came is remembered by this process alone, so that what was signed before it began is
refused: the process before it may have taken it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from healer import access, errors
from healer.web import auth, bodies, evidence, signing
from healer.web.services import Services, Slack

BODY_MAX: Final = 1 << 20
SEEN_MAX: Final = 50_000
SEEN_S: Final = 2 * signing.TOLERANCE_S
"""So long a request may come again: its time may be ahead of ours by as much as it may be behind."""


START_S: Final = 5
"""What is signed within so long after the start is refused too: Slack's clock may be ahead of ours."""


class BeforeStart(errors.Unavailable):
    """that was signed before healer began to take it, and may have been taken before"""

    code = "signed-before-start"


class SeenFull(errors.Unavailable):
    """not now: too many requests of Slack came in a short while"""

    code = "busy"


class Seen:
    """Requests that were taken, as long as their time would let them come again."""

    def __init__(self, most: int = SEEN_MAX) -> None:
        self._most = most
        self._until: dict[bytes, float] = {}

    def holds(self, name: bytes, now_s: float) -> bool:
        """Whether it came already. Raises `SeenFull`: what cannot be remembered is not taken."""
        while self._until and next(iter(self._until.values())) <= now_s:
            del self._until[next(iter(self._until))]
        if name in self._until:
            return True
        if len(self._until) >= self._most:
            raise SeenFull
        return False

    def add(self, name: bytes, now_s: float) -> None:
        """It was taken."""
        self._until[name] = now_s + SEEN_S


class Signed:
    """Both handlers, and what they have taken."""

    def __init__(self) -> None:
        self._seen = Seen()

    async def interactions(
        self, request: web.Request, services: Services, _caller: access.Principal
    ) -> web.StreamResponse:
        """200; with what a form shows, where it is not taken as it is."""

        def take(slack: Slack, body: bytes) -> web.StreamResponse:
            answer = slack.interaction(bodies.form(body))
            return web.Response() if answer is None else web.json_response(dict(answer))

        return await self._take(request, services, take)

    async def commands(self, request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
        """200; what it says comes later."""

        def take(slack: Slack, body: bytes) -> web.StreamResponse:
            fields: Any = bodies.form(body)
            slack.command(fields if isinstance(fields, dict) else {})
            return web.Response()

        return await self._take(request, services, take)

    async def _take(
        self, request: web.Request, services: Services, take: Callable[[Slack, bytes], web.StreamResponse]
    ) -> web.StreamResponse:
        slack = services.slack
        if slack is None or not slack.is_signed():
            raise errors.NotFound("docs/slack.md", what="Slack over HTTP")
        throttle = services.gate.throttle
        try:
            _is_form(request)
            with services.room.place(auth.machine(request.remote or ""), throttle.knows(request.remote)) as more:
                body = await bodies.read(request, BODY_MAX, more=more)
            given = evidence.Given(body, request.headers)
            signing.by_form(signing.SLACK, given, _keys(slack), services.wall() / 1_000_000)
        except errors.Unauthorized as error:
            services.tally.refused(request.path, error.code, getattr(error, "reason", error.message))
            await throttle.wait(request.remote)
            raise
        throttle.right(request.remote)
        if int(evidence.header(given, signing.SLACK.timestamp)) < slack.since_us() / 1_000_000 + START_S:
            services.tally.refused(request.path, BeforeStart.code, "a request of Slack was signed before the start")
            raise BeforeStart("do it once more in Slack")
        name = hashlib.sha256(evidence.header(given, signing.SLACK.header).encode() + b"\0" + body).digest()
        now_s = asyncio.get_running_loop().time()
        if self._seen.holds(name, now_s):
            services.tally.refused(request.path, "replayed", "a request of Slack came a second time")
            return web.Response()
        try:
            answer = take(slack, body)
        except errors.HealerError as error:
            services.tally.refused(request.path, error.code, error.message)
            raise
        self._seen.add(name, now_s)
        return answer


def _keys(slack: Slack) -> list[bytes]:
    """Raises `evidence.Unproved` also while the secret cannot be read: a click that is refused comes again, a forged one must not."""
    try:
        return signing.keys_of(slack.signing_secrets())
    except errors.SecretUnavailable as error:
        raise evidence.Unproved(error.message) from None


def _is_form(request: web.Request) -> None:
    if bodies.content_type(request, (bodies.FORM,)) != bodies.FORM:
        raise errors.WrongContentType(got="none", wanted=bodies.FORM)
