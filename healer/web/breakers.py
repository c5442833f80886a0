"""`/breakers`: which actions failed so often that they are stopped, and closing one by hand."""

from __future__ import annotations

from typing import Annotated, Any, Final

import pydantic
from aiohttp import web

from healer import access, errors
from healer.policy import brakes
from healer.store import breaking, transaction
from healer.web import answers, bodies, queries, within
from healer.web.services import Services

NEAR_MAX: Final = 10
Named = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=300)]


class Closing(pydantic.BaseModel):
    """The body of `POST /breakers/close`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    action: Named
    controller: Named
    reason: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """Each action and controller that failed lately, with the times, and whether it is stopped by the limits of its last run."""
    queries.Query(request)
    rows = await services.store.reader.all("breakers")
    return answers.page([await _shown(services, row) for row in rows], None)


async def close(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200; what waited for it is looked at. 404 where nothing failed."""
    queries.Query(request)
    asked = await bodies.document(request, Closing)
    access.demand(caller, "breakers.close", within.of_action(asked.action))
    unit = breaking.Close(asked.action, asked.controller, caller.actor, asked.reason)
    if not await services.store.submit(unit):
        rows = await services.store.reader.all("breakers")
        known = {f"{row['action']} on {row['controller']}": None for row in rows}
        wanted = f"{asked.action} on {asked.controller}"
        raise errors.NotFound(
            errors.nearest(wanted, known) or "healer breakers", what=f"a failure of {wanted}", near=[*known][:NEAR_MAX]
        )
    await services.look_again()
    return answers.json({"action": asked.action, "controller": asked.controller, "closed": True})


async def _shown(services: Services, row: Any) -> dict[str, Any]:
    failures = brakes.Failures(tuple(transaction.loads(row["failures"])), row["good"])
    found = await services.store.reader.all("limits_of_last", row["action"], row["controller"])
    limits = breaking.limits_of(found[0]["limits"]) if found else ()
    opened = [(one, at) for one in limits if (at := failures.opened_us(one)) is not None]
    trial = max((at + round(one.retry_after_s * 1_000_000) for one, at in opened), default=None)
    state = "closed" if trial is None else "open" if services.clock() < trial else "half-open"
    return {
        "action": row["action"], "controller": row["controller"], "state": state, "failures": [queries.iso(at) for at in failures.at_us],
        "succeeded_since": failures.good, "trial": None if trial is None else queries.iso(trial),
    }  # fmt: skip
