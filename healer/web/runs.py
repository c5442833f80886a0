"""`/runs`: what was done or refused, one run in full, what it printed; ending one, and saying how one ended."""

from __future__ import annotations

import asyncio
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import pydantic
from aiohttp import web

from healer import access, errors, model
from healer.explain import plans
from healer.store import forcing, people, reads, transaction
from healer.web import answers, bodies, queries, shapes, within
from healer.web.services import Services

STATES: Final = typing.get_args(model.RunState)
ATTEMPT_OPEN: Final = ("queued", "running")
FOLLOWERS_MAX: Final = 64
LOOK_S: Final = 0.2
PIECE: Final = 64 << 10
Reason = Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Why a person does it, in the audit for good."""


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The list, newest first."""
    query = queries.Query(request, "state", "rule", "action", "target", "since", "until", "failed", "limit", "after")
    now_us, limit = services.clock(), query.limit()
    states = query.words("state", STATES) or (reads.FAILED_STATES if query.flag("failed") else ())
    wanted = reads.RunFilter(
        states=states, rule=query.text("rule"), action=query.text("action"), target=query.text("target"),
        since_us=query.time_us("since", now_us), until_us=query.time_us("until", now_us),
    )  # fmt: skip
    after = query.after(int, str)
    found = await reads.runs(services.store.reader, wanted, (after[0], after[1]) if after else None, limit)
    following = queries.cursor(found.rows[-1]["created_us"], found.rows[-1]["id"]) if found.more else None
    return answers.page([shapes.run(row) for row in found.rows], following)


async def show(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One run, by any unique beginning of its id."""
    read = services.store.reader
    run_id = await reads.find_run(read, request.match_info["id"])
    row = await reads.run(read, run_id)
    attempts = await read.all("attempts_of_run", run_id)
    targets = await read.all("targets_of_run", run_id)
    events = sorted(found["seq"] for found in await read.all("events_of_run", run_id))
    sizes = await _sizes(services, shapes.outputs(attempts))
    plan = await plans.of(services.store, run_id)
    return answers.json(shapes.run_in_full(row, attempts, targets, events, sizes) | {"plan": plan})


async def _sizes(services: Services, names: list[str]) -> dict[str, int]:
    """The bytes of content by its name; what was trimmed is not among them."""
    sql = "SELECT hash, size FROM blob WHERE hash IN (SELECT value FROM json_each(?))"
    found = await services.store.reader.select(sql, [transaction.dumps(names)])
    return {row["hash"]: row["size"] for row in found}


class Cancellation(pydantic.BaseModel):
    """The body of `POST /runs/{id}/cancel`, which may be left out."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    reason: Reason | None = None


async def cancel(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with its state now: `cancelled`, or with `ending` the one that it still has. 409 where nothing is left to end."""
    queries.Query(request)
    asked = await bodies.document_or_none(request, Cancellation)
    run_id = await reads.find_run(services.store.reader, request.match_info["id"])
    await within.run(services, caller, "runs.cancel", run_id)
    return _done(await services.people.cancel(run_id, actor=caller.actor, reason=asked.reason or ""))


class BreakGlass(pydantic.BaseModel):
    """The body of `POST /runs/{id}/start`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    break_glass: Literal[True]
    reason: Reason


async def start(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with its state now. 403 for who may not, or whom nobody knows; 409 where nothing waits, or it may not start even so."""
    queries.Query(request)
    asked = await bodies.document(request, BreakGlass)
    run_id = await reads.find_run(services.store.reader, request.match_info["id"])
    within.known(caller, "admin")
    await within.run(services, caller, "runs.break_glass", run_id)
    unit = forcing.Force(run_id, actor=caller.actor, reason=asked.reason, standing_of=services.standing_of)
    made: forcing.Forced = await services.store.submit(unit)
    await services.look_again()
    return _done(
        {
            "id": run_id,
            "state": made.state,
            "asked_before": made.before or None,
            "past": made.past,
            "waits": made.waits or None,
        }
    )


class Resolution(pydantic.BaseModel):
    """The body of `POST /runs/{id}/resolve`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    state: people.Word
    reason: Reason


async def resolve(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200 with its state now, which is what its controller knows where it does. 409 for one that is not unknown, or still runs."""
    queries.Query(request)
    asked = await bodies.document(request, Resolution)
    run_id = await reads.find_run(services.store.reader, request.match_info["id"])
    await within.run(services, caller, "runs.resolve", run_id)
    return _done(await services.people.resolve(run_id, asked.state, actor=caller.actor, reason=asked.reason))


def _done(made: Mapping[str, Any]) -> web.Response:
    return answers.json({"id": made["id"], "short": made["id"][: shapes.SHORT], **made})


class Output:
    """`/runs/{id}/output`; it counts who follows."""

    def __init__(self) -> None:
        self.following = 0

    async def answer(self, request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
        """The text of one attempt: all there is, or with `follow` also what comes until it ends."""
        query = queries.Query(request, "attempt", "stream", "follow")
        stream = query.word("stream", shapes.STREAMS) or "stdout"
        run_id = await reads.find_run(services.store.reader, request.match_info["id"])
        attempt = await reads.attempt(services.store.reader, run_id, query.number("attempt", 1, 1_000_000))
        if attempt is None:
            raise errors.NotFound(
                f"healer runs show {run_id[: shapes.SHORT]}", what=f"an attempt of {run_id} like that"
            )
        if not query.flag("follow") or attempt["state"] not in ATTEMPT_OPEN:
            return web.Response(body=await _all(services, attempt, stream), headers=answers.TEXT_HEADERS)
        if self.following >= FOLLOWERS_MAX:
            raise errors.Unavailable("leave out follow", reason=f"{FOLLOWERS_MAX} requests follow an output already")
        self.following += 1
        try:
            return await _follow(request, services, attempt, stream)
        finally:
            self.following -= 1


async def _all(services: Services, attempt: dict[str, Any], stream: str) -> bytes:
    name = attempt[f"{stream}_hash"]
    if name is None:
        return services.live_output(attempt["token"], stream) or b""
    kept = await services.store.blob(name)
    return b"(the output was trimmed)\n" if kept is None else kept


async def _follow(request: web.Request, services: Services, attempt: dict[str, Any], stream: str) -> web.StreamResponse:
    """Pieces as they come; at the end what of the kept output was not sent yet. A sender that is gone ends it."""
    answer = web.StreamResponse(headers=answers.TEXT_HEADERS)
    await answer.prepare(request)
    sent = 0
    ended = False
    try:
        while not ended:
            found = await reads.attempt(services.store.reader, attempt["run"], attempt["number"])
            ended = found is None or found["state"] not in ATTEMPT_OPEN or services.state() == "stopping"
            output = (
                await _all(services, found or attempt, stream)
                if ended
                else services.live_output(attempt["token"], stream)
            )
            if output is not None and len(output) > sent:
                for at in range(sent, len(output), PIECE):
                    await answer.write(output[at : at + PIECE])
                sent = len(output)
            if not ended:
                await asyncio.sleep(LOOK_S)
        await answer.write_eof()
    except ConnectionError:
        pass  # they have seen enough
    return answer
