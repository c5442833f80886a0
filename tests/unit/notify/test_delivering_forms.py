"""A channel that shows messages otherwise than before: what is open is changed in place, once, whatever happens in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from healer import plugins
from healer.notify import delivering, places
from healer.store import reshaping


class Shows:
    """Another account holds: another channel, which writes down what it is given where the first one does."""

    def __init__(self, desk: Any, form: Any) -> None:
        kind = type(desk.channel)
        self.channel = type("Formed", (kind,), {"form": form})()
        self.channel.given = desk.channel.given
        self.desk = desk
        self.use()

    def use(self) -> None:
        """A reload."""
        receiver = places.Receiver("ops", self.channel, None)
        self.desk.deliverer.use(self.desk.deliverer._routes, {"ops": receiver})


def given(desk: Any) -> list[tuple[str, str]]:
    """What channels were told to do, in order."""
    return [(what, message.id) for what, _, message in desk.channel.given]


async def begun(shows: Shows) -> None:
    """A turn, until its channel was given something and does not answer."""
    holds = shows.channel.holds = asyncio.Event()
    await shows.desk.deliverer.turn()
    async with asyncio.timeout(20):
        while not holds._waiters:
            await asyncio.sleep(0)


async def test_what_is_open_is_changed_once(desk: Any) -> None:
    desk.ask("web01", asks=True)
    desk.ask("web02", rule="web/alerts/other")
    desk.end("failed")
    desk.ask("web03", rule="web/alerts/third")
    desk.end("failed")
    await desk.told()
    await desk.deliverer.answer("n-3", "key:bo")
    await desk.told()
    del desk.channel.given[:]
    Shows(desk, "buttons")
    await desk.told()
    assert sorted(given(desk)) == [("update", "n-1"), ("update", "n-2")]
    Shows(desk, "buttons")
    assert await desk.told() == []
    Shows(desk, "none")
    Shows(desk, "buttons")
    assert await desk.told() == [], "it never looked otherwise"


async def test_a_restart_in_between_loses_nothing(desk: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    first = desk.deliverer
    for ends_after in ("nothing", "the look", "a try"):
        desk.deliverer = delivering.Deliverer(desk.store, lambda: desk.now_us, desk.around)
        desk.deliverer._routes = first._routes
        shows = Shows(desk, "buttons")
        if ends_after == "the look":
            await desk.deliverer._follow()
        elif ends_after == "a try":
            shows.channel.fails = [plugins.Undelivered("busy")]
            assert await desk.told() == []
    ((due_us,),) = desk.rows("due_us")
    desk.now_us = due_us
    desk.deliverer = delivering.Deliverer(desk.store, lambda: desk.now_us, desk.around)
    desk.deliverer._routes = first._routes
    Shows(desk, "buttons")
    await desk.told()
    assert given(desk) == [("send", "n-1"), ("update", "n-1")]


@pytest.mark.parametrize("before", ["none", ""])
async def test_what_was_on_its_way_meanwhile_is_changed_too(desk: Any, before: str) -> None:
    """Also where it is as it was once more, and what was on its way is not."""
    Shows(desk, "buttons")
    desk.ask("web01", asks=True)
    if before:
        await desk.told()
        desk.ask("web02", asks=True)
    old = Shows(desk, before)
    await begun(old)
    Shows(desk, "buttons")
    await desk.deliverer.turn()
    old.channel.holds.set()
    await desk.deliverer.settled()
    await desk.told()
    assert given(desk)[-2:] == [("update" if before else "send", "n-1"), ("update", "n-1")]
    assert desk.rows("due_us") == [(None,)]
    assert await desk.told() == []


async def test_pages_at_another_address_are_told_too(desk: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    desk.link = "https://ops.example.org"
    desk.use(desk.deliverer._routes)
    (message,) = await desk.told()
    assert message.link.startswith("https://ops.example.org/ui/approvals/")


async def test_a_channel_that_does_not_say_it_is_one_that_never_changes(desk: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()

    def form(_self: Any) -> str:
        raise ValueError("a mistake of the channel")

    Shows(desk, property(form))
    assert await desk.told() == []


async def test_what_is_asked_meanwhile_waits_for_no_history(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each turn looks at a piece, and tells what came."""
    monkeypatch.setattr(reshaping, "AT_ONCE", 2)
    for key in "abcde":
        desk.ask(key, asks=True, rule=f"web/alerts/{key}")
    await desk.told()
    Shows(desk, "buttons")
    desk.ask("f", asks=True, rule="web/alerts/f")
    assert [message.id for message in await desk.told()] == ["n-1", "n-2", "n-6"]
    assert desk.deliverer._woken.is_set()
    assert [len(await desk.told()) for _ in range(3)] == [2, 1, 0]
    assert desk.rows("json_array_length(members)") == [(1,)] * 6
    assert desk.rows("form") == [("buttons https://healer.example.org",)] * 6


async def test_the_row_of_what_needs_nobody_any_more_says_so(desk: Any) -> None:
    desk.ask("web01", asks=True)
    desk.ask("web02", rule="web/alerts/other")
    desk.end("failed")
    await desk.told()
    assert desk.rows("form") == [("https://healer.example.org",)] * 2
    desk.say("reject")
    await desk.deliverer.answer("n-2", "key:bo")
    await desk.told()
    assert desk.rows("form") == [(reshaping.CLOSED,)] * 2


@pytest.mark.parametrize("ends", ["lost", "killed"])
async def test_a_change_that_may_have_been_made_is_made_anew(desk: Any, ends: str) -> None:
    """Also where the message is to look again as it did before it: nobody knows how it looks."""
    Shows(desk, "none")
    desk.ask("web01", asks=True)
    await desk.told()
    cut = Shows(desk, "buttons")
    if ends == "lost":
        cut.channel.fails = [plugins.Undelivered("Slack cannot be reached")]
        assert await desk.told() == []
    else:
        await begun(cut)
        routes = desk.deliverer._routes
        (task,) = [task for _, task in desk.deliverer._under_way.values()]
        task.cancel()
        await desk.deliverer.settled()
        desk.deliverer = delivering.Deliverer(desk.store, lambda: desk.now_us, desk.around)
        desk.deliverer._routes = routes
    Shows(desk, "none")
    desk.now_us += 5_000_000
    await desk.told()
    assert given(desk) == [("send", "n-1"), ("update", "n-1")]


async def test_who_closes_a_channel_waits_for_what_goes_by_it(desk: Any) -> None:
    old = Shows(desk, "none")
    desk.ask("web01", asks=True)
    await begun(old)
    waits = asyncio.create_task(desk.deliverer.done_with(old.channel))
    Shows(desk, "buttons")
    await desk.deliverer.turn()
    assert not waits.done()
    await desk.deliverer.done_with(desk.channel)
    assert old.channel.holds is not None
    old.channel.holds.set()
    await waits
    await desk.deliverer.settled()
    await desk.told()
    assert given(desk) == [("send", "n-1"), ("update", "n-1")]
