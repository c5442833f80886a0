"""Words that were refused are on record, a few a minute, and by whichever way they came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import errors
from healer.web import attempts

MINUTE = 60_000_000


async def records(room: Any) -> list[dict[str, Any]]:
    """Of the audit."""
    rows = await room.services.store.reader.select(
        "SELECT record FROM audit WHERE kind = 'review_refused' ORDER BY seq", []
    )
    return [json.loads(row["record"]) for row in rows]


async def test_whose_role_decides_nothing_is_on_record(room: Any) -> None:
    assert (await room.ask("POST", "/approvals/a-1/approve", "readonly", json={}))[0] == 403
    assert (await room.ask("POST", "/approvals/reject", "readonly", json={"requests": ["a-1"]}))[0] == 403
    first, second = await records(room)
    assert {name: first[name] for name in ("actor", "approval", "word", "code")} == {
        "actor": "key:readonly", "approval": "a-1", "word": "approve", "code": "forbidden",
    }  # fmt: skip
    assert (second.get("approval"), second["word"]) == (None, "reject")
    assert (await room.ask("POST", "/approvals/a-1/approve", None, json={}))[0] == 401
    assert (await room.ask("POST", "/approvals/none/approve", "approver", json={}))[0] == 404
    assert len(await records(room)) == 2, "who is nobody, and what is nothing, is not on record"


async def test_nobody_fills_the_disk(room: Any) -> None:
    clock = room.services.clock
    made = attempts.Attempts(room.services.store, clock)

    async def tries(actor: str, times: int) -> None:
        for _ in range(times):
            await made.note(actor, ["a-1", "a-2"], "approve", "may-not-approve", "you\nasked for it" + "x" * 1_000)

    await tries("key:ana", 100)
    found = await records(room)
    assert len(found) == attempts.OF_ONE_MAX
    assert (found[0]["more"], found[0]["left_out"]) == (1, 0)
    assert len(found[0]["detail"]) < 400
    for n in range(100):
        await tries(f"slack:T/U{n}", 1)
    assert len(await records(room)) == attempts.OF_ALL_MAX
    clock.now_us += MINUTE
    await tries("key:ana", 1)
    found = await records(room)
    assert len(found) + sum(one["left_out"] for one in found) == 201, "each is on record, or counted there"


@pytest.mark.parametrize("error", [errors.NotFound(what="it"), errors.Unavailable(reason="x"), ValueError("x")])
async def test_what_says_nothing_of_who_tried_it_is_not(room: Any, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with room.services.attempts.noted("key:ana", ["a-1"], "approve"):
            raise error
    assert await records(room) == []


async def test_a_full_disk_changes_nothing_of_the_answer(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: Any) -> None:
        raise errors.StoreFull

    monkeypatch.setattr(room.services.store, "submit", full)
    with pytest.raises(errors.Forbidden):
        async with room.services.attempts.noted("key:ana", ["a-1"], "approve"):
            raise errors.Forbidden(actor="key:ana", permission="approvals.decide")
