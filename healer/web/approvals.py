"""`/approvals`: what waits for a person's word, and saying it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import pydantic
from aiohttp import web

from healer import access, errors
from healer.explain import plans
from healer.policy import approvals as policy
from healer.store import approving, reads, reviewing, transaction
from healer.web import answers, bodies, queries, within
from healer.web.services import Services

OPEN_MAX: Final = 1_000_000
"""More never wait for a person at once (`approvals_max`)."""


class Word(pydantic.BaseModel):
    """The body of `POST /approvals/{id}/approve` and `/reject`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    reason: Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Words(Word):
    """The body of `POST /approvals/approve` and `/reject`: requests by their whole ids, as they were shown."""

    requests: Annotated[
        list[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]],
        pydantic.Field(min_length=1, max_length=1000),
    ]


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The open requests; with `bundle` those that are alike, by a beginning of their name."""
    query = queries.Query(request, "limit", "after", "bundle")
    limit, after, bundle = query.limit(), query.after(str), query.text("bundle")
    start = after[0] if after else ""
    if bundle:
        rows = [row for row in await alike(services, bundle) if row["id"] > start][: limit + 1]
    else:
        rows = await services.store.reader.all("approvals_open", start, limit + 1)
    following = queries.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return answers.page([await _shown(services, row) for row in rows[:limit]], following)


async def alike(services: Services, name: str) -> list[dict[str, Any]]:
    """Those open requests that are alike and have a name which begins so, by their ids; none: there are none. Raises `errors.Ambiguous`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await services.store.reader.all("approvals_open", "", OPEN_MAX):
        if (bundle := approving.bundle_of(row)).startswith(name):
            found.setdefault(bundle, []).append(row)
    if len(found) > 1:
        raise reads.several(name, sorted(found))
    return next(iter(found.values()), [])


async def show(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One request, by a beginning of its id or of its run's, with what people said, and the plan of what it asks for."""
    queries.Query(request)
    return answers.json(await in_full(services, await find(services, request.match_info["id"])))


async def in_full(services: Services, approval: str) -> dict[str, Any]:
    """One request by its whole id, for whoever may see it. Raises `errors.NotFound`."""
    row = await _row(services, approval)
    return await _shown(services, row) | {"plan": await plans.of(services.store, row["run"])}


async def _row(services: Services, approval: str) -> Any:
    rows = await services.store.reader.all("approval_shown", approval)
    if not rows:
        raise errors.NotFound("healer approvals", what=f"the request {approval[:80]!r}")
    return rows[0]


async def approve(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with what the word came to. 403 for who may not, 409 where nothing waits any more."""
    return await _say(request, services, caller, "approve")


async def reject(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """As `approve`."""
    return await _say(request, services, caller, "reject")


async def approve_many(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with what each word came to (`items`), and why it came to nothing (`refused`). 403 where one of them is none of theirs."""
    return await _say_many(request, services, caller, "approve")


async def reject_many(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """As `approve_many`."""
    return await _say_many(request, services, caller, "reject")


async def _say_many(
    request: web.Request, services: Services, caller: access.Principal, word: reviewing.Word
) -> web.StreamResponse:
    queries.Query(request)
    asked = await bodies.document(request, Words)
    return answers.json(await say_many(services, caller, asked.requests, word, asked.reason))


async def say_many(
    services: Services, caller: access.Principal, requests: Sequence[str], word: reviewing.Word, reason: str,
    digests: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What each word came to (`items`), and why it came to nothing (`refused`). `digests`: of what they were shown, by request.

    Raises `errors.Forbidden` where one is none of theirs.
    """
    units: list[reviewing.Review | errors.RequestError] = []
    async with services.attempts.noted(caller.actor, requests, word):
        within.known(caller, "approver")
        for approval in dict.fromkeys(requests):
            try:
                digest = None if digests is None else digests.get(approval, "")
                units.append(await unit(services, caller, approval, word, reason, digest))
            except errors.NotFound as error:
                units.append(error)
    made = await asyncio.gather(
        *(services.store.submit(one) for one in units if isinstance(one, reviewing.Review)), return_exceptions=True
    )
    done, items, refused = iter(made), [], []
    for approval, one in zip(dict.fromkeys(requests), units, strict=True):
        found = next(done) if isinstance(one, reviewing.Review) else one
        if isinstance(found, errors.RequestError):
            refused.append({"id": approval, "code": found.code, "detail": found.message, "try": found.try_})
        elif isinstance(found, BaseException):
            raise found
        else:
            items.append(said(found))
    for code, detail in {one["code"]: one["detail"] for one in reversed(refused)}.items():
        of = [str(one["id"]) for one in refused if one["code"] == code]
        await services.attempts.note(caller.actor, of, word, code, detail)
    await services.look_again()
    return {"items": items, "refused": refused}


async def unit(
    services: Services,
    caller: access.Principal,
    approval: str,
    word: reviewing.Word,
    reason: str,
    digest: str | None = None,
) -> reviewing.Review:
    """The unit that says it, with the roles that they have for each of its steps. Raises `errors.NotFound`, `errors.Forbidden`."""
    row = await _row(services, approval)
    roles: list[str] | None = None
    for run in (row["run"], *(step["run"] for step in transaction.loads(row["steps"]))):
        about = await within.of_run(services, run)
        access.demand(caller, "approvals.decide", about)
        here = access.roles_for(caller, about)
        roles = [role for role in here if roles is None or role in roles]
    return reviewing.Review(
        approval, word, who=caller, roles=roles or [], reason=reason, standing_of=services.standing_of, digest=digest
    )


async def has_a_say(services: Services, caller: access.Principal, approval: str) -> bool:
    """Whether their word on a request may count, with the permission and the roles that they have now."""
    try:
        review = await unit(services, caller, approval, "approve", "")
    except (errors.Forbidden, errors.NotFound):
        return False
    asked = policy.from_json(transaction.loads((await _row(services, approval))["asked"]))
    return policy.may_review(asked, review.roles)


async def barred(services: Services, caller: access.Principal, approval: str) -> str:
    """Why they may only reject a request; '' where they may approve it, as far as who they are is concerned."""
    row = await _row(services, approval)
    asked = policy.from_json(transaction.loads(row["asked"]))
    return reviewing.barred(asked, caller, row["requester"], row["author"] or "")


def said(made: reviewing.Reviewed) -> dict[str, Any]:
    """What a word came to."""
    return {"id": made.approval, "run": made.run, "state": made.state, "stood": made.stood}


async def _say(
    request: web.Request, services: Services, caller: access.Principal, word: reviewing.Word
) -> web.StreamResponse:  # fmt: skip
    queries.Query(request)
    asked = await bodies.document_or_none(request, Word)
    approval = await find(services, request.match_info["id"])
    return answers.json(await say(services, caller, approval, word, asked.reason))


async def say(
    services: Services,
    caller: access.Principal,
    approval: str,
    word: reviewing.Word,
    reason: str,
    digest: str | None = None,
) -> dict[str, Any]:
    """What the word on one request came to. Raises what `unit` and `reviewing.Review` raise, and `within.NobodyKnown`."""
    async with services.attempts.noted(caller.actor, [approval], word):
        within.known(caller, "approver")
        review = await unit(services, caller, approval, word, reason, digest)
        made: reviewing.Reviewed = await services.store.submit(review)
    await services.look_again()
    return said(made)


async def find(services: Services, asked: str) -> str:
    """The request that a beginning of its id or of its run's means. Raises `errors.NotFound`, `errors.Ambiguous`."""
    read = services.store.reader.all
    rows = await read("approval_beginning", asked, asked) or await read("approval_of_beginning", asked, asked)
    if not rows:
        raise errors.NotFound("healer approvals", what=f"one request that begins with {asked[:80]!r}")
    if len(rows) > 1 and rows[0]["name"] != asked:
        raise reads.several(asked, [row["name"] for row in rows])
    return str(rows[0]["id"])


async def _shown(services: Services, row: Any) -> dict[str, Any]:
    read = services.store.reader
    asked = policy.from_json(transaction.loads(row["asked"]))
    words = await read.all("reviews", row["id"])
    reviews = [reviewing.review_of(one["person"], one["role"], one["approves"]) for one in words]
    targets = await read.all("run_targets_in", row["run"])
    return {
        "id": row["id"], "bundle": approving.bundle_of(row), "run": row["run"],
        "state": row["state"], "reason": row["reason"], "rule": row["rule"],
        "action": row["action"], "controller": row["controller"],
        "parameters": transaction.loads(row["parameters"]), "targets": [one["target"] for one in targets],
        "requester": row["requester"], "asked": queries.iso(row["asked_us"]), "digest": row["digest"][: reviewing.DIGEST_LEAST],
        "expires": None if row["expires_us"] is None else queries.iso(row["expires_us"]), "needs": policy.missing(asked, reviews),
        "exclude": policy.exclusions(asked), "author": row["author"] or None,
        "reviews": [_review(one) for one in words],
        "steps": [await _step(services, step["run"]) for step in transaction.loads(row["steps"])],
    }  # fmt: skip


async def _step(services: Services, run: str) -> dict[str, Any]:
    """What follows on the run that is asked about, with the same word."""
    row = await reads.run(services.store.reader, run)
    targets = await services.store.reader.all("run_targets_in", run)
    return {
        "run": run, "action": row["action"], "controller": row["controller"],
        "parameters": transaction.loads(row["parameters"]), "targets": [one["target"] for one in targets],
    }  # fmt: skip


def _review(row: Any) -> dict[str, Any]:
    return {
        "person": row["person"],
        "roles": row["role"].split(),
        "approves": bool(row["approves"]),
        "reason": row["reason"],
        "at": queries.iso(row["at_us"]),
    }
