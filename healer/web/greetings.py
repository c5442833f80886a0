"""Handshakes: a sender makes sure that somebody is there who wants its events. Nothing that it names is visited, save where the source
says so and its signature was right. Used by `hooks`.

Sources: Amazon SNS "HTTP/HTTPS notifications"; Azure Event Grid "Webhook event delivery"; CloudEvents 1.0.2 "HTTP 1.1 Web Hooks for Event
Delivery"; Slack "url_verification".
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiohttp import web
from loguru import logger

from healer import errors, plugins
from healer.web import answers, sns, tally
from healer.web.services import Services

VISITS_MAX: Final = 8
"""At once."""
SHOWN_MAX: Final = 100
"""Topics of a source whose address is shown, the newest."""


def of(form: plugins.Format, options: Any, value: Any, headers: Mapping[str, str]) -> plugins.Greeting | None:
    """The greeting that a body is, None for a delivery of events. The sender has proved who it is."""
    if options.auth.slack and isinstance(value, Mapping) and value.get("type") == "url_verification":
        challenge = value.get("challenge")
        if isinstance(challenge, str):
            return plugins.Greeting("Slack has verified the address", {"challenge": challenge})
    if options.auth.slack and isinstance(value, Mapping) and "ssl_check" in value:
        return plugins.Greeting("Slack has looked at the certificate of the address")
    return form.greeting(value, headers)


def consent(request: web.Request, origins: Sequence[str], rate: plugins.RateShape | None) -> web.StreamResponse:
    """200 for an origin that may deliver, else 405: a status alone is no consent. The callback that a request names is never called."""
    asked = request.headers.get("WebHook-Request-Origin", "").strip().lower()
    if callback := request.headers.get("WebHook-Request-Callback"):
        logger.debug("an OPTIONS request names the callback {}, which is not called", tally.one_line(callback))
    if asked not in origins:
        raise errors.MethodNotAllowed(method="OPTIONS", wanted="POST")
    answer = answers.json({})
    answer.headers["Allow"] = "POST"
    answer.headers["WebHook-Allowed-Origin"] = asked
    answer.headers["WebHook-Allowed-Rate"] = "*" if rate is None else str(max(1, int(rate.count * 60 / rate.within)))
    return answer


def _topic(url: str, topics: Collection[str] | None) -> str:
    """Which of the source's topics an address is about (None: it takes any), '' for none: nothing confirms that."""
    said = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get("TopicArn", [""])
    return said[0] if topics is None or said[0] in topics else ""


def _hand_over(services: Services, source: str, url: str, topics: Collection[str] | None) -> str:
    """Show the address to the operator, where it is SNS's own and does nothing but confirm; what to say of it. It holds a code, which is
    not for a log."""
    try:
        topic = _topic(url, topics)
        sns.visit(url, topic)
    except (errors.HealerError, ValueError) as error:
        return f"it is not shown: {getattr(error, 'reason', 'it is no address')}"
    shown = services.tally.to_visit.setdefault(source, {})
    shown.pop(topic, None)
    if len(shown) >= SHOWN_MAX:
        del shown[next(iter(shown))]
    shown[topic] = url
    return "healer sources show has the address"


class Greetings:
    """Answers greetings, and visits what confirms them."""

    def __init__(self) -> None:
        self._visits: set[asyncio.Task[None]] = set()

    async def answer(
        self, services: Services, source: str, options: Any, greeting: plugins.Greeting
    ) -> web.StreamResponse:
        """200; what the operator should know is logged and shown with the source."""
        said = tally.one_line(greeting.told)
        confirm = options.auth.sns is not None and options.auth.sns.confirm and len(self._visits) < VISITS_MAX
        if greeting.visit and not confirm:
            topics = None if options.auth.sns is None else options.auth.sns.topics
            said += f"; {_hand_over(services, source, greeting.visit, topics)}"
        logger.bind(source=source).info("{}: {}", source, said)
        services.tally.greeted[source] = services.clock(), said
        if greeting.visit and confirm:
            visit = asyncio.create_task(self._visit(services, source, greeting.visit, options.auth.sns.topics))
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
        return answers.json(
            greeting.answer if greeting.answer is not None else {"accepted": 0, "duplicates": 0, "ids": []}
        )

    @staticmethod
    async def _visit(services: Services, source: str, url: str, topics: Collection[str]) -> None:
        try:
            await sns.confirm(url, _topic(url, topics), services.fetch)
        except errors.HealerError as error:
            said = f"the subscription could not be confirmed: {getattr(error, 'reason', error.message)}"
            said += f"; {_hand_over(services, source, url, topics)}"
            logger.bind(source=source).warning("{}: {}", source, tally.one_line(said))
        else:
            said = "the subscription is confirmed"
            services.tally.to_visit.get(source, {}).pop(_topic(url, topics), None)
            logger.bind(source=source).info("{}: {}", source, said)
        services.tally.greeted[source] = services.clock(), tally.one_line(said)
