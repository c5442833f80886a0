"""`/silences`: people say that some alerts or runs are left alone for a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import pydantic
from aiohttp import web

from healer import access, errors
from healer.policy import labels
from healer.store import silencing, transaction
from healer.web import answers, bodies, queries, within
from healer.web.services import Services

SPAN_MAX_S: Final = 366 * 86_400.0
LISTED_MAX: Final = 1_000
_WRITE: Final = "silences.write"


class WrongMatcher(errors.RequestError):
    """matchers: {reason}"""

    code = "invalid-matcher"
    status = 400


class TooManySilences(errors.RequestError):
    """{count} silences hold already"""

    code = "too-many-silences"
    status = 409


class NewSilence(pydantic.BaseModel):
    """The body of `POST /silences`. An end is a must: `for_s`, from now or from `in_s` on."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    matchers: Annotated[
        list[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1_200)]],
        pydantic.Field(min_length=1, max_length=silencing.MATCHERS_MAX),
    ]
    for_s: Annotated[float | int, pydantic.Field(gt=0, le=SPAN_MAX_S)]
    in_s: Annotated[float | int, pydantic.Field(ge=0, le=SPAN_MAX_S)] = 0
    comment: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """All that are kept, the newest first."""
    queries.Query(request)
    rows = await services.store.reader.all("silences", LISTED_MAX)
    wall_us = services.wall()
    return answers.page([_shown(row, wall_us) for row in rows], None)


async def create(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """201 with its id. 400 for a matcher that is none."""
    queries.Query(request)
    return answers.json(await make(services, caller, await bodies.document(request, NewSilence)), 201)


async def make(services: Services, caller: access.Principal, asked: NewSilence) -> dict[str, Any]:
    """Its id, and from when to when it holds. Raises `WrongMatcher`, `errors.Forbidden`, `TooManySilences`."""
    found, wrong = [], []
    for text in asked.matchers:
        try:
            found.append(labels.parse(text))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise WrongMatcher("write name=value, name!=value, name=~regex or name!~regex", reason="; ".join(wrong))
    _may(services, caller, found)
    from_us = services.wall() + round(asked.in_s * 1_000_000)
    until_us = from_us + round(asked.for_s * 1_000_000)
    try:
        made = await services.store.submit(silencing.Silence(found, from_us, until_us, caller.actor, asked.comment))
    except silencing.TooMany:
        raise TooManySilences("healer silence list; healer silence end ID", count=silencing.ACTIVE_MAX) from None
    return {"id": made, "from": queries.iso(from_us), "until": queries.iso(until_us)}


async def end(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200; what it held is looked at. A second time changes nothing. The beginning of an id will do, where one begins so."""
    queries.Query(request)
    asked = request.match_info["id"]
    rows = await services.store.reader.all("silence_beginning", asked, asked)
    if len(rows) > 1:
        raise errors.Ambiguous("more of it", prefix=asked[:80], count="several", near=[row["id"] for row in rows])
    if not rows:
        raise errors.NotFound("healer silence list", what=f"the silence {asked[:80]!r}")
    _may(services, caller, [labels.parse(text) for text in transaction.loads(rows[0]["matchers"])])
    ended = await services.store.submit(silencing.EndSilence(rows[0]["id"], caller.actor, services.wall()))
    await services.look_again()
    return answers.json({"id": rows[0]["id"], "ended": ended})


def _may(services: Services, caller: access.Principal, matchers: Sequence[labels.Matcher]) -> None:
    """Raises `errors.Forbidden` where the roles of somebody are limited and the matchers do not pin the silence to their scope."""
    if access.allows(caller, _WRITE):
        return
    about = within.of_silence(services.revision(), matchers)
    if not access.allows(caller, _WRITE, about):
        refusal = access.refusal(caller, _WRITE, about)
        refusal.try_ = "matchers with = of what your role is limited to: ruleset=NAME, target=NAME, action=NAME"
        raise refusal


def _shown(row: Any, wall_us: int) -> dict[str, Any]:
    state = (
        "ended"
        if row["ended_us"] is not None or row["until_us"] <= wall_us
        else "holds"
        if row["from_us"] <= wall_us
        else "waits"
    )
    return {
        "id": row["id"], "state": state, "matchers": transaction.loads(row["matchers"]), "from": queries.iso(row["from_us"]),
        "until": queries.iso(row["until_us"]), "who": row["who"], "comment": row["comment"], "created": queries.iso(row["created_us"]),
        "ended": queries.iso(row["ended_us"]) if row["ended_us"] is not None else None, "ended_by": row["ended_by"],
    }  # fmt: skip
