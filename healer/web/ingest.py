"""`POST /events`: one JSON object, an array of them, or NDJSON, journaled before the answer. The hot path of the room.

All or nothing: one bad element refuses the whole request and names its place, so that a sender never has to guess what was kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from healer import access, errors
from healer.intake import strict
from healer.web import answers, bodies, deliveries
from healer.web.services import Services

SOURCE: Final = "healer.api"
TAKEN: Final = (bodies.JSON, bodies.NDJSON, bodies.CLOUDEVENTS)
EVENTS_MAX: Final = 10_000


class TooManyEvents(errors.RequestError):
    """the request has more than {limit} events"""

    code = "too-many-events"
    status = 413


async def events(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """202 `{"accepted", "duplicates", "ids"}` after the commit. Empty arrays are accepted: 0."""
    try:
        return await _take(request, services, caller)
    except errors.HealerError as error:
        services.tally.refused(SOURCE, error.code, error.message)
        raise


async def _take(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    spec = services.revision().sources.get(SOURCE)
    if spec is None or not spec.subscribers:
        raise errors.NoListener("add `- healer.api: {}` to the sources of a ruleset")
    media = bodies.content_type(request, TAKEN)
    body = await bodies.read(request, services.body_max())
    delivery = deliveries.of_caller(request, caller.actor)
    if media != bodies.NDJSON and not delivery:
        value = strict.one_or_many(body)
        if type(value) is dict and "meta" not in value and b"\\u" not in body:
            return await _one(services, value, body, caller.actor)
        data = _elements(value, body)
    else:
        data = _read(body, media)
    return await commit(services, SOURCE, data, actor=caller.actor, delivery=delivery)


async def _one(services: Services, value: Mapping[str, Any], body: bytes, actor: str) -> web.StreamResponse:
    """One event as it comes by far most often: the very bytes are kept."""
    seq = await services.intake.take_one(SOURCE, value, body, actor)
    if not seq:
        return await commit(services, SOURCE, [(value, body)], actor=actor)
    services.tally.took(SOURCE, 1, 0)
    services.heard(SOURCE, 1)
    return answers.taken(seq)


async def commit(
    services: Services,
    source: str,
    data: Sequence[tuple[Mapping[str, Any], bytes | None]],
    *,
    actor: str,
    delivery: str = "",
    meta: Mapping[str, Any] | None = None,
    raw: bytes | None = None,
    repeats: list[str] | None = None,
    deliveries_of: Sequence[str] = (),
    unread: Sequence[tuple[Any, str]] = (),
    whole: bool = True,
    digest: str = "",
) -> web.StreamResponse:
    """Journal the events and answer 202; counted for the source."""
    if not data and not unread:
        return answers.json({"accepted": 0, "duplicates": 0, "ids": []}, 202)
    taken = await services.intake.take(
        source, data, actor=actor, delivery=delivery, meta=meta, raw=raw, repeats=repeats or (),
        deliveries=deliveries_of, unread=unread, whole=whole, digest=digest,
    )  # fmt: skip
    if source == SOURCE:
        deliveries.checked(taken, delivery)
    services.tally.took(source, taken.accepted, taken.duplicates)
    services.heard(source, taken.accepted + taken.duplicates)
    made = {"accepted": taken.accepted, "duplicates": taken.duplicates, "ids": taken.ids}
    return answers.json(made | ({"quarantined": taken.quarantined} if taken.quarantined else {}), 202)


def _read(body: bytes, media: str) -> list[tuple[Mapping[str, Any], bytes | None]]:
    """(event, its JSON where the body is just that) of each element."""
    if media == bodies.NDJSON:
        if body.count(b"\n") > EVENTS_MAX:
            raise TooManyEvents(limit=EVENTS_MAX)
        read: list[tuple[Mapping[str, Any], bytes | None]] = [
            (event_of(value, f"line {at}"), None) for at, value in strict.lines(body)
        ]
        if len(read) > EVENTS_MAX:  # the last line may have no end
            raise TooManyEvents(limit=EVENTS_MAX)
        return read
    return _elements(strict.one_or_many(body), body)


def _elements(value: Any, body: bytes) -> list[tuple[Mapping[str, Any], bytes | None]]:
    if type(value) is dict:
        if "meta" in value:
            return [(event_of(value, ""), None)]
        # The very bytes are kept, save for those with escapes: what two parsers may read differently is written anew.
        return [(value, None if b"\\u" in body else body)]
    if type(value) is list:
        if len(value) > EVENTS_MAX:
            raise TooManyEvents(limit=EVENTS_MAX)
        return [(event_of(element, f"element {at}"), None) for at, element in enumerate(value)]
    raise errors.NotAnObject(or_more=" (or an array of them)", got=bodies.kind(value))


def event_of(value: Any, where: str) -> Mapping[str, Any]:
    """The event of one element: a sender's own `meta` is kept beside, since ours says who sent it and to which hosts it belongs."""
    if type(value) is not dict:
        raise errors.NotAnObject(or_more="", got=f"{bodies.kind(value)} ({where})")
    if "meta" in value:
        value["client_meta"] = value.pop("meta")
    return value
