"""`/notifications`: what people were told and what is still on its way; having one tried again, giving it up, answering it, trying and
checking receivers."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from loguru import logger

from healer import access, errors
from healer.store import outbox, transaction
from healer.web import answers, queries
from healer.web.services import Services

STATES: Final = ("waiting", "sent", "failed", "dropped")
NUMBER_MAX: Final = 18


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """The messages, the newest first. `state`, `receiver`, `undelivered=true`: those that wait for another try or were given up."""
    query = queries.Query(request, "limit", "after", "state", "receiver", "undelivered")
    limit, after = query.limit(), query.after(int)
    state, receiver, undelivered = query.word("state", STATES), query.text("receiver"), query.flag("undelivered")
    rows = await services.store.reader.all(
        "outbox_list", after[0] if after else 1 << 62, state, state, receiver, receiver, int(undelivered), limit + 1
    )  # fmt: skip
    following = queries.cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
    return answers.page([_shown(row) for row in rows[:limit]], following)


async def retry(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One that could not be delivered is tried now. 404 for one that is not there, or was delivered."""
    queries.Query(request)
    message = _number(request)
    if not await services.store.submit(outbox.Again(message)):
        raise errors.NotFound(
            "healer notify outbox --undelivered", what=f"a message n-{message} that was not delivered"
        )
    services.notices.wake()
    return answers.json({"id": f"n-{message}", "state": "waiting"})


async def drop(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """One that is not delivered yet never will be. 404 for one that is not there, or was delivered."""
    queries.Query(request)
    message = _number(request)
    if not await services.store.submit(outbox.Drop(message, caller.actor)):
        raise errors.NotFound(
            "healer notify outbox --undelivered", what=f"a message n-{message} that was not delivered"
        )
    return answers.json({"id": f"n-{message}", "state": "dropped"})


async def answer(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """Somebody looks after what it tells: it goes to nobody else. Who does so: the first who said so."""
    queries.Query(request)
    message = _number(request)
    return answers.json({"id": f"n-{message}", "answered_by": await services.notices.answer(f"n-{message}", caller)})


async def test(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """A message is sent to a receiver now. 502 with the reason where its channel does not take it."""
    queries.Query(request)
    await services.notices.test(request.match_info["receiver"], caller)
    return answers.json({"receiver": request.match_info["receiver"], "sent": True})


async def check(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """Each receiver, or `receiver`, is asked whether it can be reached now; 200 with what its channel says, also where that is no."""
    receiver = queries.Query(request, "receiver").text("receiver")
    items = await services.notices.check(receiver)
    wrong = ", ".join(str(one["receiver"]) for one in items if not one["ok"])
    logger.info("{} asked whether receivers can be reached: {}", caller.actor, f"no: {wrong}" if wrong else "yes")
    return answers.json({"items": items})


def _number(request: web.Request) -> int:
    given = request.match_info["id"]
    text = given.removeprefix("n-")
    if not (text.isascii() and text.isdecimal() and len(text) <= NUMBER_MAX):
        raise errors.NotFound("healer notify outbox", what=f"the message {given[:80]!r}")
    return int(text)


def _shown(row: Any) -> dict[str, Any]:
    members = transaction.loads(row["members"])
    return {
        "id": f"n-{row['id']}", "receiver": row["receiver"], "news": row["news"], "subject": row["subject"], "state": row["state"],
        "count": row["count"], "runs": [*dict.fromkeys(one["run"] for one in members if "run" in one)],
        "due": _iso(row["due_us"]), "tries": row["tries"], "error": row["error"] or None, "made": _iso(row["made_us"]),
        "sent": _iso(row["sent_us"]), "passed_on_at": _iso(row["unanswered_us"]), "rung": row["rung"],
        "answered_by": row["answered_by"] or None, "answered": _iso(row["answered_us"]),
    }  # fmt: skip


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else queries.iso(at_us)
