"""A receiver that is somewhere else than before: what waits for a person is told there, and where it was it offers nothing any more."""

from __future__ import annotations

from typing import Any

import pytest

from healer import plugins
from healer.notify import delivering
from healer.store import reshaping


class Places:
    """Receivers of one channel, each at a place that a test says. `kind`: the name of the channel."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.where = "C1"

    def move(self, where: str, *, kind: str = "fake", updates: bool = True) -> None:
        """A reload, after which the receiver is there, maybe by another channel."""
        self.where = where
        given, channel = self.desk.channel.given, self.desk.channel
        if (channel.context.name, channel.updates) != (kind, updates):
            made: Any = type("Other", (type(channel),), {"updates": updates})()
            made.context = plugins.NotifierContext(kind, made.context.resolve, made.context.log, made.context.identity)
            made.given = given
            self.desk.channel = made
        self.desk.channel.place_of = lambda _: self.where
        receiver = delivering.Receiver("ops", self.desk.channel, None)
        self.desk.deliverer.use(self.desk.deliverer._routes, {"ops": receiver})


@pytest.fixture
async def places(desk: Any) -> Any:
    """One open request is told at C1."""
    found = Places(desk)
    found.move("C1")
    desk.ask("web01", asks=True)
    assert len(await desk.told()) == 1
    del desk.channel.given[:]
    return found


def given(desk: Any) -> list[tuple[str, str, bool]]:
    """(what a channel was told to do, of which message, whether it can be decided there)."""
    return [(what, reference, bool(message.asks)) for what, reference, message in desk.channel.given]


async def test_it_is_told_there_and_offers_nothing_where_it_was(desk: Any, places: Places, shown: Any) -> None:
    places.move("C2")
    left, told = await desk.told()
    assert given(desk) == [("update", "ref-1", False), ("send", "", True)]
    assert (left.answerable, left.ways, left.details, left.link) == (False, (), (), "")
    assert "moved: the receiver ops is somewhere else now, and this is told there" in shown(left)
    assert told.asks
    assert await desk.told() == []
    desk.say("approve")
    await desk.told()
    ((reference,),) = desk.rows("reference")
    assert given(desk)[-1] == ("update", reference, False)
    assert reference != "ref-1"
    del desk.channel.given[:]
    places.move("C1")
    assert await desk.told() == [], "it needs nobody any more"


async def test_back_again_it_is_told_once_more(desk: Any, places: Places) -> None:
    places.move("C2")
    places.move("C1")
    assert await desk.told() == [], "nobody was told anything elsewhere"
    places.move("C2")
    await desk.told()
    places.move("C1")
    await desk.told()
    assert [what for what, _, _ in given(desk)] == ["update", "send"] * 2


async def test_what_was_told_before_anybody_wrote_down_where_is_told_anew(desk: Any, places: Places) -> None:
    desk.store.writer.tx.connection.execute("UPDATE outbox SET place = ''")
    places.move("C1")
    await desk.told()
    assert given(desk) == [("update", "ref-1", False), ("send", "", True)]


async def test_what_came_of_it_is_told_where_it_was_asked(desk: Any, places: Places) -> None:
    desk.say("reject")
    places.move("C2")
    await desk.told()
    assert given(desk) == [("update", "ref-1", False)]


@pytest.mark.parametrize(("kind", "updates"), [("mail", True), ("mail", False), ("fake", False)])
async def test_by_another_channel_it_is_only_told(desk: Any, places: Places, kind: str, updates: bool) -> None:
    """What it was told by cannot be reached by this one, or changes nothing."""
    places.move("ops@example.org", kind=kind, updates=updates)
    await desk.told()
    assert given(desk) == [("send", "", True)]
    desk.say("approve")
    await desk.told()
    assert given(desk)[1:] == ([("update", "ref-1", False)] if updates else [])


async def test_by_another_channel_what_needs_nobody_is_let_be(desk: Any, places: Places) -> None:
    desk.say("reject")
    places.move("ops@example.org", kind="mail")
    assert await desk.told() == []
    assert desk.rows("state", "due_us", "form") == [("sent", None, reshaping.CLOSED)]


@pytest.mark.parametrize("final", [True, False])
async def test_a_place_that_cannot_be_changed(desk: Any, places: Places, final: bool) -> None:
    """For good, it keeps nobody from being told; for now, it is tried again before anything is told elsewhere."""
    places.move("C2")
    desk.channel.fails = [plugins.Undelivered("not in there", final=final)]
    await desk.told()
    if not final:
        assert given(desk) == []
        ((desk.now_us,),) = desk.rows("due_us")
        await desk.told()
    assert given(desk) == [*([] if final else [("update", "ref-1", False)]), ("send", "", True)]


async def test_a_try_that_fails_between_the_two_is_made_again(desk: Any, places: Places) -> None:
    places.move("C2")
    desk.channel.fails = []
    send = desk.channel.send

    async def fails(to: Any, message: plugins.Message) -> str:
        raise plugins.Undelivered("busy")

    desk.channel.send = fails
    await desk.told()
    assert given(desk) == [("update", "ref-1", False)]
    desk.channel.send = send
    places.move("C1")
    ((due_us,),) = desk.rows("due_us")
    desk.now_us = due_us
    await desk.told()
    assert given(desk)[1:] == [("update", "ref-1", True)], "what it offered is there again"


async def test_a_receiver_that_moves_in_the_middle_is_told_where_it_is(
    desk: Any, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who a principal is may change between two steps: nothing that is made for the one is put where the other reads."""
    insist = desk.store.insist

    async def moves(unit: Any) -> Any:
        if isinstance(unit, reshaping.Unsure) and places.where == "C1":
            places.where = "C2"
        return await insist(unit)

    monkeypatch.setattr(desk.store, "insist", moves)
    desk.ask("web02", asks=True)
    await desk.told()
    assert given(desk) == []
    ((due_us,),) = desk.rows("due_us")
    desk.now_us = due_us
    await desk.told()
    assert given(desk) == [("update", "ref-1", False), ("send", "", True)]


async def test_a_channel_that_does_not_say_where_is_one_place(desk: Any, places: Places) -> None:
    def fails(_: Any) -> str:
        raise ValueError("a mistake of the channel")

    for _ in range(2):
        places.move("C1")
        desk.channel.place_of = fails
        await desk.told()
    assert [what for what, _, _ in given(desk)] == ["update", "send"]
