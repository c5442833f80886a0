"""`/locks`: what runs have locked, and letting go of it."""

from __future__ import annotations

from typing import Annotated, Final

import pydantic
from aiohttp import web

from healer import access
from healer.web import answers, bodies, queries, runs, shapes, within
from healer.web.services import Services

_RELEASE: Final = "locks.release"


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
    holder = await _holder(services, caller, asked.target)
    made = await services.people.release(asked.target, actor=caller.actor, reason=asked.reason, run=holder)
    return answers.json(made)


async def _holder(services: Services, caller: access.Principal, target: str) -> str:
    """The run whose lock somebody may let go of whose roles are limited; '': whichever has it. Raises `errors.Forbidden`."""
    if access.allows(caller, _RELEASE):
        return ""
    read = services.store.reader
    ends = [row["target"] for row in await read.all("locks_ending_in", target)]
    held = [row for name in dict.fromkeys((target, *ends)) for row in await read.all("lock_named", name)]
    for row in held:
        await within.run(services, caller, _RELEASE, row["run"])
    return str(held[0]["run"]) if held else ""
