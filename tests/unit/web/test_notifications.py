"""`/notifications`: what people were told, and what they do with a message."""

from __future__ import annotations

from typing import Any

import pytest

from healer import access, errors, plugins
from healer.store import outbox

S = 1_000_000


class Notices:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.error: Exception | None = None
        self.woken = 0

    async def answer(self, message: str, who: access.Principal) -> str:
        """It is theirs."""
        self.asked.append(("answer", message, who.actor))
        return who.actor

    async def test(self, receiver: str, who: access.Principal) -> None:
        """As the error says."""
        self.asked.append(("test", receiver, who.actor))
        if self.error is not None:
            raise self.error

    async def check(self, receiver: str) -> list[dict[str, Any]]:
        """One of them cannot be reached."""
        self.asked.append(("check", receiver, ""))
        if self.error is not None:
            raise self.error
        return [{"receiver": name, "channel": "slack", "ok": name == "ops", "detail": "x"} for name in ("night", "ops")]

    def wake(self) -> None:
        """Count it."""
        self.woken += 1


@pytest.fixture
async def told(room: Any, seed: Any) -> Any:
    """Three messages: one sent, one tried again, one given up."""

    def apply(tx: Any) -> None:
        for news in ("failed", "succeeded", "storm"):
            member = {"seq": 1, "run": "r-1"}
            outbox.put(
                tx,
                "ops",
                outbox.Thing(news, f"{news}/x", member),
                f"{news}/x",
                tx.now_us,
                is_open=False,
                routes=Routes(),
            )
        outbox.Sent(1, "C1:1", "d", 0, stays_open=False).apply(tx)
        outbox.Later(2, "no answer", tx.now_us + S).apply(tx)
        outbox.End(3, "failed", "no channel C1").apply(tx)

    await seed.do(room, apply)
    notices = Notices()
    object.__setattr__(room.services, "notices", notices)
    return notices


class Routes:
    """Nobody is next."""

    after_us = 0
    is_empty = False

    def next_of(self, _rung: int, _receiver: str, _news: str) -> None:
        """Nobody."""


async def test_the_list(room: Any, told: Any) -> None:
    status, body = await room.ask("GET", "/notifications", "readonly")
    assert (status, [one["id"] for one in body["items"]]) == (200, ["n-3", "n-2", "n-1"])
    lost, late, sent = body["items"]
    assert {name: sent[name] for name in ("receiver", "news", "state", "runs", "due", "error")} == {
        "receiver": "ops", "news": "failed", "state": "sent", "runs": ["r-1"], "due": None, "error": None,
    }  # fmt: skip
    assert (late["state"], late["tries"], late["error"], lost["state"]) == ("waiting", 1, "no answer", "failed")


@pytest.mark.parametrize(("query", "found"), [
    ("?undelivered=1", ["n-3", "n-2"]), ("?state=sent", ["n-1"]), ("?receiver=ops&limit=1", ["n-3"]), ("?receiver=other", []),
])  # fmt: skip
async def test_some_of_them(room: Any, told: Any, query: str, found: list[str]) -> None:
    assert [one["id"] for one in (await room.ask("GET", f"/notifications{query}", "readonly"))[1]["items"]] == found


async def test_page_by_page(room: Any, told: Any) -> None:
    status, first = await room.ask("GET", "/notifications?limit=2", "readonly")
    assert status == 200
    _, second = await room.ask("GET", f"/notifications?limit=2&after={first['next']}", "readonly")
    assert ([one["id"] for one in second["items"]], second["next"]) == (["n-1"], None)


async def test_one_is_tried_again(room: Any, told: Any) -> None:
    assert await room.ask("POST", "/notifications/n-3/retry", "operator") == (200, {"id": "n-3", "state": "waiting"})
    assert told.woken == 1
    status, problem = await room.ask("POST", "/notifications/n-1/retry", "operator")
    assert (status, problem["code"]) == (404, "not-found")


async def test_one_is_given_up(room: Any, told: Any) -> None:
    assert await room.ask("POST", "/notifications/2/drop", "operator") == (200, {"id": "n-2", "state": "dropped"})
    (item,) = (await room.ask("GET", "/notifications?state=dropped", "readonly"))[1]["items"]
    assert item["error"] == "given up by key:operator"
    assert (await room.ask("POST", "/notifications/n-2/retry", "operator"))[0] == 404


async def test_somebody_looks_after_it(room: Any, told: Any) -> None:
    assert await room.ask("POST", "/notifications/n-1/answer", "approver") == (
        200,
        {"id": "n-1", "answered_by": "key:approver"},
    )
    assert told.asked == [("answer", "n-1", "key:approver")]


@pytest.mark.parametrize(("error", "status", "code"), [
    (None, 200, None), (errors.NotFound(what="the receiver 'ops'"), 404, "not-found"), (plugins.Undelivered("no channel C1"), 502, "undelivered"),
])  # fmt: skip
async def test_a_receiver_is_tried(
    room: Any, told: Any, error: Exception | None, status: int, code: str | None
) -> None:
    told.error = error
    got, body = await room.ask("POST", "/receivers/ops/test", "operator")
    assert (got, body.get("code")) == (status, code)


async def test_receivers_are_asked_whether_they_can_be_reached(room: Any, told: Any) -> None:
    got, body = await room.ask("POST", "/receivers/check", "operator")
    assert (got, [one["ok"] for one in body["items"]]) == (200, [False, True])
    assert (await room.ask("POST", "/receivers/check?receiver=ops", "operator"))[0] == 200
    assert told.asked == [("check", "", ""), ("check", "ops", "")]
    told.error = errors.NotFound(what="the receiver 'x'")
    assert (await room.ask("POST", "/receivers/check?receiver=x", "operator"))[0] == 404


async def test_where_nobody_is_told_anything(room: Any) -> None:
    assert await room.ask("POST", "/receivers/check", "operator") == (200, {"items": []})
    assert (await room.ask("POST", "/receivers/check?receiver=x", "operator"))[0] == 404


@pytest.mark.parametrize("name", ["x", "n-", "n-1e3", "n--1", "n-²", "9" * 30])
async def test_what_names_no_message(room: Any, told: Any, name: str) -> None:
    for word in ("retry", "drop", "answer"):
        status, answer = await room.ask("POST", f"/notifications/{name}/{word}", "operator")
        assert (status, answer["detail"]) == (404, f"the message {name!r} is not known")


@pytest.mark.parametrize(
    "path",
    [
        "/notifications/n-1/retry",
        "/notifications/n-1/drop",
        "/notifications/n-1/answer",
        "/receivers/ops/test",
        "/receivers/check",
    ],
)
async def test_who_may_not(room: Any, told: Any, path: str) -> None:
    assert (await room.ask("POST", path, "readonly"))[0] == 403
    assert told.asked == []
