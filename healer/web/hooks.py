"""`POST /hooks/<path>`: what alert senders deliver to the sources `healer.webhook`, each with its own authentication and format.

The order matters: an unknown path is 404 before anything is read, then who sends, then what and how large, then what it says.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from aiohttp import web
from loguru import logger

from healer import access, errors, plugins
from healer.intake import strict
from healer.web import auth, bodies, deliveries, ingest, tally
from healer.web.services import Revision, Services

TYPE: Final = "healer.webhook"
"""A bare `webhook` is ansible-rulebook's, which listens on a port of its own."""

TAKEN: Final = (bodies.JSON, bodies.CLOUDEVENTS)


class TokenWanted(errors.Unauthorized):
    """this hook wants its source's own token, no API key: Authorization: Bearer …

    The same for every reason, so that nobody learns which token that is or whether it can be read.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Hook:
    """A path that is answered: the source's name, its options, and how its bodies are read."""

    source: str
    options: Any
    format: plugins.Format


class Hooks:
    """The hooks of a revision by path, made anew when another revision holds."""

    def __init__(self) -> None:
        self._revision: Revision | None = None
        self._by_path: dict[str, Hook] = {}

    def find(self, revision: Revision, path: str) -> Hook:
        """Raises `errors.NotFound`."""
        if self._revision is not revision:
            self._by_path = dict(_hooks(revision))
            self._revision = revision
        found = self._by_path.get(path)
        if found is None:
            raise errors.NotFound(
                "the paths stand in healer.yaml and in the sources of rulebooks", what=f"the hook {path[:80]!r}"
            )
        return found

    async def answer(self, request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
        """The handler: 202 `{"accepted", "duplicates", "ids"}` after the commit."""
        hook = self.find(services.revision(), request.match_info["path"])
        try:
            return await _take(request, services, hook)
        except errors.HealerError as error:
            services.tally.refused(hook.source, error.code, error.message)
            services.tally.last[hook.source] = services.clock(), tally.one_line(_why(error))
            if isinstance(error, errors.Unauthorized):
                await services.gate.throttle.wait()
            raise


def _why(error: errors.HealerError) -> str:
    """What is wrong, for those who run the daemon: what a sender is not told either."""
    cause = error.__cause__
    return cause.message if isinstance(cause, errors.SecretUnavailable) else error.message


def _hooks(revision: Revision) -> list[tuple[str, Hook]]:
    made = []
    for name, spec in revision.sources.items():
        if spec.type != TYPE:
            continue
        try:
            form = plugins.find("formats", spec.options.format).FORMAT
        except errors.HealerError as error:
            logger.bind(source=name).error("the hook {} is not answered: {}", spec.options.path, error.message)
            continue
        made.append((spec.options.path, Hook(name, spec.options, form)))
    return made


async def _take(request: web.Request, services: Services, hook: Hook) -> web.StreamResponse:
    _authenticate(request, services, hook)
    bodies.content_type(request, TAKEN)
    delivery = deliveries.named_by(request, hook.options.delivery_id)
    body = await bodies.read(request, hook.options.max_body)
    value = strict.parse(body)
    headers = deliveries.headers_of(request)
    elements: list[plugins.Element] = []
    for one in hook.format.read(value, headers):
        if isinstance(one, plugins.Wrong):
            raise one.error
        elements.append(one)
    if len(elements) > ingest.EVENTS_MAX:
        raise ingest.TooManyEvents(limit=ingest.EVENTS_MAX)
    # A format whose events hold the whole body needs no second copy of it.
    raw = None if "payload.*" in hook.format.fields else body
    meta = {"endpoint": hook.options.path, "headers": headers}
    return await ingest.commit(
        services, hook.source, [(element.event, None) for element in elements], actor=f"source:{hook.source}", delivery=delivery,
        meta=meta, raw=raw, repeats=[element.repeat for element in elements],
    )  # fmt: skip


def _authenticate(request: web.Request, services: Services, hook: Hook) -> None:
    """Raises `TokenWanted`, also while the secret cannot be read: an alert that is refused comes again, a forged one must not."""
    wanted = hook.options.auth
    if wanted.none:
        return
    try:
        given = auth.bearer(request)
    except errors.Unauthorized as error:
        raise TokenWanted from error
    if given is None:
        raise TokenWanted
    try:
        secret = services.secrets.resolve(wanted.bearer.secret)
    except errors.SecretUnavailable as error:
        logger.bind(source=hook.source).warning("{}: every delivery is refused until it can be", error.message)
        raise TokenWanted from error
    if not auth.same(given, secret.reveal()):
        raise TokenWanted
