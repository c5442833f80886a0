"""A receiver that is somewhere else than before: what waits for a person is told there, and where it was it offers nothing any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from healer import plugins
from healer.notify import delivering, routing
from healer.notify.places import Receiver
from healer.store import outbox, pausing, reshaping

ALL = frozenset(outbox.notices.NEWS)


class Places:
    """Receivers of one channel, each at a place that a test says. `kind`: the name of the channel."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.where = "C1"

    def move(
        self, where: str, *, kind: str = "fake", updates: bool = True, routes: Any = None, name: str = "ops"
    ) -> None:
        """A reload, after which the receiver is there, maybe by another channel."""
        self.where = where
        given, channel = self.desk.channel.given, self.desk.channel
        if (channel.context.name, channel.updates) != (kind, updates):
            made: Any = type("Other", (type(channel),), {"updates": updates})()
            made.context = plugins.NotifierContext(kind, made.context.resolve, made.context.log, made.context.identity)
            made.given = given
            self.desk.channel = made
        self.desk.channel.place_of = lambda _: self.where
        receiver = Receiver(name, self.desk.channel, None)
        self.desk.deliverer.use(routes or self.desk.deliverer._routes, {name: receiver})


@pytest.fixture
async def places(desk: Any) -> Any:
    """One open request is told at C1."""
    found = Places(desk)
    desk.routes = desk.deliverer._routes
    found.move("C1")
    desk.ask("web01", asks=True)
    assert len(await desk.told()) == 1
    del desk.channel.given[:]
    return found


def given(desk: Any) -> list[tuple[str, str, bool]]:
    """(what a channel was told to do, of which message, whether somebody can do something there)."""
    return [
        (what, reference, bool(message.asks or message.answerable)) for what, reference, message in desk.channel.given
    ]


def refuse(desk: Any, error: Exception) -> None:
    """The next change is refused."""
    update = desk.channel.update

    async def fails(*_: Any) -> str:
        desk.channel.update = update
        raise error

    desk.channel.update = fails


LEFT, TOLD = ("update", "ref-1", False), ("send", "", True)


async def test_it_is_told_there_and_offers_nothing_where_it_was(desk: Any, places: Places, shown: Any) -> None:
    places.move("C2")
    told, left = await desk.told()
    assert given(desk) == [TOLD, LEFT], "who waits for nobody is told first"
    assert (left.answerable, left.ways, left.details, left.link) == (False, (), (), "")
    assert "moved: the receiver ops is somewhere else now: nothing changes here any more" in shown(left)
    assert told.asks
    assert await desk.told() == []
    desk.say("approve")
    await desk.told()
    assert desk.rows("state", "due_us") == [("dropped", None), ("sent", None)]
    _, (reference,) = desk.rows("reference")
    assert given(desk)[-1] == ("update", reference, False)
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
    assert [what for what, _, _ in given(desk)] == ["send", "update"] * 2


async def test_what_was_told_before_anybody_wrote_down_where_is_there_at_the_first_look(
    desk: Any, places: Places
) -> None:
    desk.store.writer.tx.connection.execute("UPDATE outbox SET place = ''")
    places.move("C2")
    assert await desk.told() == []
    places.move("C3")
    await desk.told()
    assert given(desk) == [TOLD, LEFT]


async def test_what_came_of_it_is_told_where_it_was_asked(desk: Any, places: Places) -> None:
    desk.say("reject")
    places.move("C2")
    await desk.told()
    assert given(desk) == [LEFT]


@pytest.mark.parametrize(("kind", "updates"), [("mail", True), ("mail", False), ("fake", False)])
async def test_by_another_channel_it_is_only_told(desk: Any, places: Places, kind: str, updates: bool) -> None:
    """What it was told by cannot be reached by this one, or changes nothing."""
    places.move("ops@example.org", kind=kind, updates=updates)
    await desk.told()
    assert given(desk) == [TOLD]
    assert desk.rows("state") == [("dropped",), ("sent",)]


async def test_by_another_channel_what_needs_nobody_is_let_be(desk: Any, places: Places) -> None:
    desk.say("reject")
    places.move("ops@example.org", kind="mail")
    assert await desk.told() == []
    assert desk.rows("state", "due_us", "form") == [("sent", None, reshaping.CLOSED)]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (plugins.Undelivered("not in there", final=True), "dropped"),
        (plugins.Undelivered("slowly", retry_after_s=3000.0), "sent"),
    ],
)
async def test_a_place_that_cannot_be_changed_keeps_nobody_from_being_told(
    desk: Any, places: Places, error: Exception, state: str
) -> None:
    places.move("C2")
    refuse(desk, error)
    await desk.told()
    assert given(desk) == [TOLD]
    desk.ask("web02", rule="web/alerts/other")
    desk.end("failed")
    await desk.told()
    assert given(desk)[1:] == [TOLD], "nor of what comes next"
    assert desk.rows("state")[0] == (state,)
    if state == "sent":
        desk.now_us += 3000 * 1_000_000
        await desk.told()
        assert given(desk)[2:] == [LEFT]


async def test_after_a_day_the_place_of_before_is_let_be(desk: Any, places: Places) -> None:
    places.move("C2")
    refuse(desk, plugins.Undelivered("slowly", retry_after_s=5.0))
    await desk.told()
    refuse(desk, plugins.Undelivered("slowly", retry_after_s=5.0))
    desk.now_us += delivering.GIVEN_UP_US + 1
    await desk.told()
    ((state, error), _) = desk.rows("state", "error")
    assert (state, "it stays as it is: slowly" in error) == ("dropped", True)


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
    await desk.told()
    assert given(desk) == [TOLD, LEFT]


async def test_a_channel_that_does_not_say_where_is_one_place(desk: Any, places: Places) -> None:
    def fails(_: Any) -> str:
        raise ValueError("a mistake of the channel")

    for _ in range(2):
        places.move("C1")
        desk.channel.place_of = fails
        await desk.told()
    assert [what for what, _, _ in given(desk)] == ["send", "update"]


async def test_what_fails_after_its_receiver_moved_is_told_where_they_are(desk: Any, places: Places) -> None:
    """Though nobody waited for it while it ran."""
    desk.say("approve")
    await desk.told()
    places.move("C2")
    assert await desk.told() == []
    desk.end("failed")
    await desk.told()
    await desk.told()
    assert given(desk)[-2:] == [TOLD, LEFT]
    assert desk.rows("due_us") == [(None,), (None,)]


async def test_many_are_told_before_any_is_left(desk: Any, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "DUE", 2)
    for number in range(4):
        desk.ask(f"other{number}", asks=True, rule=f"web/alerts/r{number}")
        await desk.told()
    await desk.told()
    del desk.channel.given[:]
    places.move("C2")
    held = asyncio.Event()
    update = desk.channel.update

    async def slowly(*given: Any) -> str:
        await held.wait()
        return str(await update(*given))

    desk.channel.update = slowly
    for _ in range(8):
        await desk.deliverer.turn()
        for _ in range(50):
            await asyncio.sleep(0)
    assert [what for what, _, _ in given(desk)] == ["send"] * 5
    held.set()
    await desk.deliverer.settled()
    for _ in range(4):
        await desk.told()
    assert [what for what, _, _ in given(desk)] == ["send"] * 5 + ["update"] * 5


async def test_what_waits_for_another_try_elsewhere_is_told_at_once(desk: Any, places: Places) -> None:
    desk.channel.fails = [plugins.Undelivered("slowly", retry_after_s=300.0)]
    desk.ask("web02", rule="web/alerts/other")
    desk.end("failed")
    assert await desk.told() == []
    places.move("C2")
    await desk.told()
    assert [message.news for what, _, message in desk.channel.given if what == "send"] == ["failed", "needs_approval"]


async def test_what_was_refused_in_its_place_is_told_at_the_right_one(desk: Any, places: Places) -> None:
    """A channel that was archived: it can be changed no more, nor told anew there."""
    desk.ask("web02", rule="web/alerts/other")
    desk.end("failed")
    await desk.told()
    desk.link = "https://ops.example.org"
    desk.channel.fails = [plugins.Undelivered("is archived", final=True)] * 4
    places.move("C1")
    await desk.told()
    assert ("failed", "failed") in desk.rows("state", "news")
    desk.channel.fails = []
    del desk.channel.given[:]
    places.move("C2")
    await desk.told()
    assert [message.news for what, _, message in desk.channel.given if what == "send"].count("failed") == 1


async def test_by_whom_else_the_place_of_before_can_be_changed(desk: Any, places: Places) -> None:
    """The receiver is told by another channel now, and another receiver has the one of before."""
    before = desk.channel
    places.move("ops@example.org", kind="mail", updates=False)
    both = {"ops": Receiver("ops", desk.channel, None), "team": Receiver("team", before, None)}
    desk.deliverer.use(desk.deliverer._routes, both)
    await desk.told()
    assert given(desk) == [TOLD, LEFT]


async def test_who_does_not_hear_of_such_is_not_told_of_it_elsewhere(desk: Any, places: Places) -> None:
    """Neither one that hears other news from then on, nor one that hears what others left unanswered."""
    paused = routing.Routing({"ops": frozenset({"paused"}), "night": ALL}, dict.fromkeys(ALL, 0))
    places.move("C2", routes=paused)
    await desk.told()
    assert given(desk) == [LEFT]
    ladder = routing.Routing({"night": ALL}, dict.fromkeys(ALL, 0), ladder={"ops": ALL}, after_us=60_000_000)
    desk.ask("web02", asks=True)
    places.move("C2", routes=desk.routes)
    await desk.told()
    del desk.channel.given[:]
    places.move("C3", routes=ladder)
    await desk.told()
    assert [what for what, _, _ in given(desk)] == ["update"]


async def test_what_a_wrong_place_refused_is_told_at_the_right_one(desk: Any, places: Places) -> None:
    """A failure that nobody looks after, once; not one that somebody does."""
    for number, key in enumerate(("web02", "web03"), 1):
        desk.ask(key, rule=f"web/alerts/{number}")
        desk.end("failed")
    await desk.told()
    places.move("typo")
    del desk.channel.given[:]
    no = plugins.Undelivered("no such channel", final=True)
    desk.channel.fails = [no] * 6
    await desk.told()
    assert desk.rows("state", "news")[3:] == [("failed", "needs_approval"), ("failed", "failed"), ("failed", "failed")]
    desk.channel.fails = []
    await desk.deliverer.answer("n-6", "key:bo")
    del desk.channel.given[:]
    places.move("C1")
    await desk.told()
    assert given(desk) == [TOLD, TOLD], "the request, and the failure that nobody looks after"
    assert sorted(message.news for _, _, message in desk.channel.given) == ["failed", "needs_approval"]
    places.move("typo")
    places.move("C1")
    assert await desk.told() == []


async def test_what_lasts_is_joined_only_where_its_receiver_is(desk: Any, places: Places) -> None:
    desk.do(pausing.Pause("all", "os:root", "first"))
    await desk.told()
    del desk.channel.given[:]
    places.move("C2")
    desk.do(pausing.Pause("all", "os:root", "second"))
    await desk.told()
    assert [(what, message.news) for what, _, message in desk.channel.given if message.news == "paused"] == [
        ("send", "paused")
    ]


async def test_what_came_of_it_is_told_to_who_has_another_name_now(desk: Any, places: Places) -> None:
    """What offers something goes on doing so: it waits for a receiver of that name to come back, or for its end."""
    desk.routes = routing.Routing({"night": ALL}, dict.fromkeys(ALL, 0))
    places.move("C1", routes=desk.routes, name="night")
    await desk.told()
    assert given(desk) == [TOLD]
    del desk.channel.given[:]
    desk.say("reject")
    await desk.told()
    made = [(what, message.id, bool(message.asks)) for what, _, message in desk.channel.given]
    assert sorted(made) == [("update", "n-1", False), ("update", "n-2", False)]
