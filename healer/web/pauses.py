"""`/pauses`, `POST /pause`, `POST /resume`: the kill switch as people use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import pydantic
from aiohttp import web

from healer import access
from healer.web import answers, bodies, queries, within
from healer.web.services import Services

FOR_MAX_S: Final = 366 * 86_400.0
Scope = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)]


class Pausing(pydantic.BaseModel):
    """The body of `POST /pause`. `scope`: `all`, `activation:A`, `ruleset:A/R`, `rule:A/R/X`, `controller:C`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    scope: Scope
    reason: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=500)] = ""
    for_s: Annotated[float | int, pydantic.Field(gt=0, le=FOR_MAX_S)] | None = None
    until_revision_changes: bool = False
    cancel_running: bool = False


class Resuming(pydantic.BaseModel):
    """The body of `POST /resume`. `preview`: only say what would become of what waits."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    scope: Scope
    preview: bool = False


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """What is paused, the longest first, by commands and by the file."""
    queries.Query(request)
    return answers.page([shown(one) for one in await services.switch.pauses()], None)


async def scopes(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The scopes that there are, `all` first, then what the rulebooks and `controllers.yaml` name."""
    queries.Query(request)
    return answers.page([{"scope": scope} for scope in services.switch.known()], None)


async def pause(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 once nothing new in the scope can begin any more, with what is under way and how many runs wait."""
    queries.Query(request)
    return answers.json(await make(services, caller, await bodies.document(request, Pausing)))


async def make(services: Services, caller: access.Principal, asked: Pausing) -> dict[str, Any]:
    """What is under way and how many runs wait, once nothing new can begin.

    Raises `errors.Forbidden`, `errors.NotFound`, `errors.InvalidField`.
    """
    scope = services.switch.meant(asked.scope)
    about = within.of_scope(services.revision(), scope, stops=True)
    access.demand(caller, "pause", about)
    if asked.cancel_running:
        access.demand(caller, "runs.cancel", within.strictly(about))
    made = await services.switch.pause(
        scope, actor=caller.actor, reason=asked.reason, for_s=asked.for_s, until_changed=asked.until_revision_changes,
        cancel=asked.cancel_running,
    )  # fmt: skip
    return shown(made)


async def resume(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with what is still paused; with `preview` with what would become of what waits, and nothing is changed."""
    queries.Query(request)
    return answers.json(await end(services, caller, await bodies.document(request, Resuming)))


async def end(services: Services, caller: access.Principal, asked: Resuming) -> Mapping[str, Any]:
    """What is still paused, or what would become of what waits. Raises as `make`."""
    scope = services.switch.held(asked.scope)
    access.demand(caller, "resume", within.of_scope(services.revision(), scope, stops=False))
    if asked.preview:
        return await services.switch.preview(scope)
    return await services.switch.resume(scope, actor=caller.actor)


def shown(made: Any) -> dict[str, Any]:
    """A pause with its times as texts."""
    kept = {key: value for key, value in made.items() if not key.endswith("_us")}
    return kept | {
        key.removesuffix("_us"): queries.iso(made[key]) for key in made if key.endswith("_us") and made[key] is not None
    }
