"""`/approvals`: what waits for a person's word, and saying it."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
from aiohttp import web

from healer import access, errors
from healer.explain import plans
from healer.policy import approvals as policy
from healer.store import approving, transaction
from healer.web import answers, bodies, queries, within
from healer.web.services import Services


class Word(pydantic.BaseModel):
    """The body of `POST /approvals/{id}/approve` and `/reject`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    reason: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=500)] = ""


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The open requests."""
    query = queries.Query(request, "limit", "after")
    limit, after = query.limit(), query.after(str)
    rows = await services.store.reader.all("approvals_open", after[0] if after else "", limit + 1)
    following = queries.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return answers.page([await _shown(services, row) for row in rows[:limit]], following)


async def show(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One request, by a beginning of its id or of its run's, with what people said, and the plan of what it asks for."""
    queries.Query(request)
    approval = await _find(services, request.match_info["id"])
    (row,) = await services.store.reader.all("approval_shown", approval)
    return answers.json(await _shown(services, row) | {"plan": await plans.of(services.store, row["run"])})


async def approve(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with what the word came to. 403 for who may not, 409 where nothing waits any more."""
    return await _say(request, services, caller, "approve")


async def reject(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """As `approve`."""
    return await _say(request, services, caller, "reject")


async def _say(
    request: web.Request, services: Services, caller: access.Principal, word: approving.Word
) -> web.StreamResponse:  # fmt: skip
    queries.Query(request)
    asked = await bodies.document_or_none(request, Word)
    approval = await _find(services, request.match_info["id"])
    within.known(caller, "approver")
    (row,) = await services.store.reader.all("approval_shown", approval)
    about = await within.of_run(services, row["run"])
    access.demand(caller, "approvals.decide", about)
    unit = approving.Review(
        approval, word, who=caller, roles=access.roles_for(caller, about), reason=asked.reason, standing_of=services.standing_of
    )  # fmt: skip
    made: approving.Reviewed = await services.store.submit(unit)
    await services.look_again()
    return answers.json({"id": made.approval, "run": made.run, "state": made.state, "stood": made.stood})


async def _find(services: Services, asked: str) -> str:
    rows = await services.store.reader.all("approval_beginning", asked, asked, asked, asked)
    if not rows or (len(rows) > 1 and asked.startswith("a-")):
        raise errors.NotFound("healer approvals", what=f"one request that begins with {asked[:80]!r}")
    return str(rows[0]["id"])


async def _shown(services: Services, row: Any) -> dict[str, Any]:
    read = services.store.reader
    asked = policy.from_json(transaction.loads(row["asked"]))
    said = await read.all("reviews", row["id"])
    reviews = [approving.review_of(one["person"], one["role"], one["approves"]) for one in said]
    targets = await read.all("run_targets_in", row["run"])
    return {
        "id": row["id"], "run": row["run"], "state": row["state"], "reason": row["reason"], "rule": row["rule"], "action": row["action"],
        "controller": row["controller"], "parameters": transaction.loads(row["parameters"]), "targets": [one["target"] for one in targets],
        "requester": row["requester"], "asked": queries.iso(row["asked_us"]), "digest": row["digest"][:12],
        "expires": None if row["expires_us"] is None else queries.iso(row["expires_us"]), "needs": policy.missing(asked, reviews),
        "exclude": policy.exclusions(asked), "author": row["author"] or None,
        "reviews": [_review(one) for one in said],
    }  # fmt: skip


def _review(row: Any) -> dict[str, Any]:
    return {
        "person": row["person"],
        "roles": row["role"].split(),
        "approves": bool(row["approves"]),
        "reason": row["reason"],
        "at": queries.iso(row["at_us"]),
    }
