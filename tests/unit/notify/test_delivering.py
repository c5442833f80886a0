"""The worker: each message once, in order, again where a channel failed, changed in place; no channel holds up another."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from loguru import logger

from healer import errors, model, plugins
from healer.notify import delivering, places, routing
from healer.store import outbox

ALL = frozenset(outbox.notices.NEWS)

S = 1_000_000
MINUTE = 60 * S


async def until(condition: Callable[[], object]) -> None:
    """Let the others go on until it holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def test_a_message_is_sent_once(desk: Any) -> None:
    desk.ask("web01")
    desk.end("failed")
    assert [message.news for message in await desk.told()] == ["failed"]
    assert await desk.told() == []
    assert desk.rows("state", "reference", "due_us", "sent_us") == [("sent", "ref-1", None, desk.now_us)]


async def test_what_it_tells_of_is_changed_in_place(desk: Any) -> None:
    desk.ask("web01", asks=True)
    (first,) = await desk.told()
    desk.now_us += S
    desk.say("approve")
    (second,) = await desk.told()
    assert [(what, reference) for what, reference, _ in desk.channel.given] == [("send", ""), ("update", "ref-1")]
    assert (len(first.asks), second.asks, first.id) == (1, (), second.id)


async def test_the_same_is_not_sent_again(desk: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    desk.do(outbox.Follow(desk.deliverer._routes))
    desk.store.writer.tx.connection.execute("UPDATE outbox SET due_us = ?, version = version + 1", [desk.now_us])
    assert await desk.told() == []
    assert desk.rows("due_us") == [(None,)]


@pytest.mark.parametrize(("error", "wait_s"), [
    (plugins.Undelivered("busy"), 2), (plugins.Undelivered("slow down", retry_after_s=30), 30), (plugins.Undelivered("soon", retry_after_s=0.5), 1),
    (plugins.Undelivered("never", retry_after_s=1e9), 3600), (ValueError("a mistake of the channel"), 2), (TimeoutError(), 2),
])  # fmt: skip
async def test_what_could_not_be_sent_is_tried_again(desk: Any, error: Exception, wait_s: int) -> None:
    desk.channel.fails = [error]
    desk.ask("web01")
    desk.end("failed")
    assert await desk.told() == []
    ((state, tries, due_us, reason),) = desk.rows("state", "tries", "due_us", "error")
    assert (state, tries, (due_us - desk.now_us) / S) == ("waiting", 1, wait_s)
    assert reason
    desk.now_us = due_us - 1
    assert await desk.told() == []
    desk.now_us = due_us
    assert len(await desk.told()) == 1
    assert desk.rows("state", "tries", "error") == [("sent", 0, "")]


async def test_it_waits_longer_each_time_up_to_a_bound(desk: Any) -> None:
    desk.channel.fails = [plugins.Undelivered("busy")] * 10
    desk.ask("web01")
    desk.end("failed")
    waits = []
    for _ in range(10):
        await desk.told()
        ((due_us,),) = desk.rows("due_us")
        waits.append((due_us - desk.now_us) // S)
        desk.now_us = due_us
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


async def test_where_the_channel_says_when_that_is_the_time(desk: Any) -> None:
    busy, said = plugins.Undelivered("busy"), plugins.Undelivered("slow down", retry_after_s=3)
    desk.channel.fails = [
        said,
        busy,
        busy,
        busy,
        said,
        said,
        plugins.Undelivered("odd", retry_after_s=float("nan")),
        busy,
    ]
    desk.ask("web01")
    desk.end("failed")
    waits = []
    for _ in range(8):
        await desk.told()
        ((due_us, tries),) = desk.rows("due_us", "tries")
        waits.append((due_us - desk.now_us) // S)
        desk.now_us = due_us
    assert waits == [3, 2, 4, 8, 3, 3, 1, 16]
    assert tries == 8, "each try counts, for who looks"
    assert len(await desk.told()) == 1
    assert desk.deliverer._told_when == {}


async def test_what_its_channel_refuses_is_given_up_and_told_of(desk: Any) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    desk.channel.fails = [plugins.Undelivered("no channel C1", final=True)]
    run = desk.ask("web01")
    desk.end("failed")
    await desk.told()
    assert desk.rows("state", "due_us", "error") == [("failed", None, "no channel C1")]
    logger.remove(sink)
    assert any("is given up: no channel C1" in line for line in lines)
    assert desk.do(outbox.Again(1)) is True
    assert [message.news for message in await desk.told()] == ["failed"]
    assert run


async def test_what_fails_for_a_day_is_given_up(desk: Any) -> None:
    desk.ask("web01")
    desk.end("failed")
    desk.now_us += 2 * delivering.GIVEN_UP_US  # how old it is says nothing
    desk.channel.fails = [plugins.Undelivered("busy")] * 2
    await desk.told()
    assert desk.rows("state") == [("waiting",)]
    desk.now_us += delivering.GIVEN_UP_US + 1
    await desk.told()
    assert desk.rows("state", "error") == [("failed", "busy")]


async def test_a_failure_whose_message_is_gone_is_told_anew(desk: Any) -> None:
    """Somebody has to look after it; what else became of a message that somebody deleted is let be."""
    for key, end, wanted in (("web01", "failed", ["send"]), ("web02", "succeeded", [])):
        desk.ask(key, asks=True)
        await desk.told()
        desk.say("approve")
        await desk.told()
        before = len(desk.channel.given)
        desk.end(end)
        desk.channel.fails = [plugins.Undelivered("message_not_found", final=True)]
        await desk.told()
        assert [what for what, _, _ in desk.channel.given[before:]] == wanted
    assert desk.rows("state", "reference") == [("sent", "ref-3"), ("failed", "ref-4")]


async def test_requests_whose_message_is_gone_are_asked_anew(desk: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    desk.ask("web02", asks=True)
    desk.channel.fails = [plugins.Undelivered("message_not_found", final=True)]
    await desk.told()
    what, _, message = desk.channel.given[-1]
    assert (what, [one.targets for one in message.asks]) == ("send", [("web01",), ("web02",)])
    assert desk.rows("state", "reference") == [("sent", "ref-2")]


async def test_a_receiver_that_is_gone_waits_to_be_there_again(desk: Any) -> None:
    desk.ask("web01")
    desk.end("failed")
    desk.do(outbox.Follow(desk.deliverer._routes))
    desk.use(routing.Routing({"other": frozenset({"failed"})}, {"failed": 0}))
    await desk.told()
    assert desk.rows("receiver", "state", "error") == [("ops", "waiting", "no receiver has this name any more")]
    desk.use(routing.Routing({"ops": frozenset({"failed"})}, {"failed": 0}))
    ((due_us,),) = desk.rows("due_us")
    desk.now_us = due_us
    assert len(await desk.told()) == 1


async def test_a_channel_that_hangs_holds_up_no_other(desk: Any) -> None:
    slow = type(desk.channel)()
    slow.holds = asyncio.Event()
    routes = routing.Routing({"ops": frozenset({"failed"}), "slow": frozenset({"failed"})}, {"failed": 0})
    desk.deliverer.use(
        routes, {"ops": places.Receiver("ops", desk.channel, None), "slow": places.Receiver("slow", slow, None)}
    )
    desk.ask("web01")
    desk.end("failed")
    await desk.deliverer.turn()
    await until(lambda: desk.channel.given)
    assert slow.given == []
    slow.holds.set()
    await desk.deliverer.settled()
    assert len(slow.given) == 1


async def test_when_a_channel_says_when_it_is_not_put_off_for_longer(desk: Any) -> None:
    desk.ask("web01")
    desk.end("failed")
    for _ in range(6):
        desk.channel.fails = [plugins.Undelivered("slow down", retry_after_s=3)]
        assert await desk.told() == []
        ((due_us,),) = desk.rows("due_us")
        assert (due_us - desk.now_us) / S == 3
        desk.now_us = due_us
    assert len(await desk.told()) == 1


async def test_a_channel_that_wants_to_be_left_alone_is(desk: Any) -> None:
    for rule in ("web/alerts/one", "web/alerts/two"):
        desk.ask("web01" if rule.endswith("one") else "web02", rule=rule)
        desk.end("failed")
    desk.channel.fails = [plugins.Undelivered("slow down", retry_after_s=7)]
    assert await desk.told() == []
    assert await desk.told() == []
    desk.now_us += 7 * S
    assert [message.id for message in await desk.told()] == ["n-1", "n-2"]


async def test_many_that_hang_leave_room_for_others(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "DUE", 2)
    slow = type(desk.channel)()
    slow.holds = asyncio.Event()
    news = frozenset({"failed"})
    routes = routing.Routing({"a": news, "b": news, "ops": news}, {"failed": 0})
    desk.deliverer.use(
        routes,
        {name: places.Receiver(name, desk.channel if name == "ops" else slow, None) for name in ("a", "b", "ops")},
    )
    for number in range(3):
        desk.ask(f"web{number}", rule=f"web/alerts/{number}")
        desk.end("failed")
    for _ in range(3):
        await desk.deliverer.turn()
    await until(lambda: len(desk.channel.given) >= 2)
    slow.holds.set()
    await desk.deliverer.settled()


async def test_a_digest_comes_at_its_time(desk: Any, shown: Any) -> None:
    for key in ("web01", "web02"):
        desk.ask(key)
        desk.end("succeeded")
        assert await desk.told() == []
        desk.now_us += MINUTE
    desk.now_us += 3 * MINUTE
    (message,) = await desk.told()
    assert shown(message) == ["2 runs succeeded – prod", "web/alerts/down: restart on web01  web02: succeeded"]
    assert (message.level, message.answerable) == ("ok", False)


async def test_what_nobody_answers_is_told_to_the_next(desk: Any) -> None:
    desk.use(dataclasses.replace(desk.deliverer._routes, ladder={"second": ALL}, after_us=10 * MINUTE))
    desk.ask("web01", asks=True)
    await desk.told()
    desk.now_us += 10 * MINUTE
    await desk.told()
    assert desk.rows("receiver", "state", "rung") == [("ops", "sent", 0), ("second", "sent", 1)]
    desk.say("approve")
    await desk.told()
    assert [(what, reference) for what, reference, _ in desk.channel.given][-2:] == [
        ("update", "ref-1"),
        ("update", "ref-2"),
    ]


async def test_who_answers_is_shown_in_place(desk: Any, shown: Any) -> None:
    desk.use(dataclasses.replace(desk.deliverer._routes, ladder={"second": ALL}, after_us=10 * MINUTE))
    desk.ask("web01")
    desk.end("failed")
    (message,) = await desk.told()
    assert message.answerable
    assert await desk.deliverer.answer(message.id, "slack:T/U = ana") == "slack:T/U = ana"
    (message,) = await desk.told()
    assert shown(message)[-1] == "= slack:T/U = ana looks after it since @0"
    assert not message.answerable
    for odd, named in (
        ("n-", "'n-'"),
        ("n-99999999999999999999", "'n-9{20}'"),
        ("x", "'x'"),
        ("n-x", "'n-x'"),
        ("n-7", "n-7"),
    ):
        with pytest.raises(errors.NotFound, match=f"^error.not-found.: the message {named} is not known"):
            await desk.deliverer.answer(odd, "key:bo")


async def test_the_worker_wakes_sends_and_ends(desk: Any) -> None:
    task = asyncio.create_task(desk.deliverer.run())
    desk.ask("web01")
    desk.end("failed")
    desk.deliverer.wake()
    await until(lambda: desk.channel.given)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_stop_keeps_what_was_on_its_way(desk: Any) -> None:
    desk.channel.holds = asyncio.Event()
    desk.ask("web01")
    desk.end("failed")
    task = asyncio.create_task(desk.deliverer.run())
    await until(lambda: desk.deliverer._under_way)
    task.cancel()
    await asyncio.wait([task])
    assert desk.rows("state") == [("waiting",)]
    desk.channel.holds = None
    assert len(await desk.told()) == 1


async def test_whether_receivers_can_be_reached(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself, whatever its channel does; nothing is sent."""
    good, no = model.Health(ok=True, detail="#ops"), errors.NotFound(what="C1")
    said: dict[str, Any] = {"ops": good, "mute": None, "wrong": ValueError("x"), "no": no}

    async def check(to: Any) -> Any:
        if to == "hangs":
            await asyncio.Event().wait()
        if isinstance(said[to], Exception):
            raise said[to]
        return said[to]

    desk.channel.check = check
    monkeypatch.setattr(delivering, "SEND_S", 0.01)
    names = (*said, "hangs")
    desk.deliverer.use(desk.deliverer._routes, {name: places.Receiver(name, desk.channel, name) for name in names})
    found = {name: (channel, health.ok, health.detail) for name, channel, health in await desk.deliverer.check()}
    assert found == {
        "ops": ("fake", True, "#ops"), "mute": ("fake", False, "the channel did not say"), "wrong": ("fake", False, "ValueError: x"),
        "no": ("fake", False, errors.NotFound(what="C1").message), "hangs": ("fake", False, "the channel took longer than 0.01 s"),
    }  # fmt: skip
    assert [one[0] for one in await desk.deliverer.check("ops")] == ["ops"]
    with pytest.raises(errors.NotFound):
        await desk.deliverer.check("opz")
    assert desk.channel.given == []
