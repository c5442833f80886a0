"""`/locks`: what runs have locked, and letting go of it."""

from __future__ import annotations

from typing import Annotated

import pydantic
from aiohttp import web

from healer import access
from healer.web import answers, bodies, queries, runs, shapes
from healer.web.services import Services


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The list, by name."""
    query = queries.Query(request, "limit", "after")
    limit, after = query.limit(), query.after(str)
    found = await services.store.reader.all("locks_after", after[0] if after else "", limit + 1)
    following = queries.cursor(found[limit - 1]["target"]) if len(found) > limit else None
    return answers.page([shapes.lock(row) for row in found[:limit]], following)


class Letting(pydantic.BaseModel):
    """The body of `POST /locks/release`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    target: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)]
    reason: runs.Reason


async def release(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with its whole name and the run that had it. 409 while that is running, or where the name may mean several."""
    queries.Query(request)
    asked = await bodies.document(request, Letting)
    return answers.json(await services.people.release(asked.target, actor=caller.actor, reason=asked.reason))
