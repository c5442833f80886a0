"""The worker that tells people: follows the audit, gives messages to their channels, and again where that failed.

A message is with a channel before the row says so: a crash between the two sends it once more, and never not at all. No run waits for any
of this. A receiver has one message on its way at a time, in their order; a receiver whose channel hangs holds up no other.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import orjson
from loguru import logger

from healer import errors, model, plugins, store, telemetry
from healer.notify import looking, making, places, routing
from healer.store import answering, outbox, reshaping

DUE: Final = 100
SEND_S: Final = 20.0
"""So long a channel may take for one message."""
BACKOFF_S: Final = 2.0
BACKOFF_MAX_S: Final = 300.0
WAIT_MIN_S: Final = 1.0
WAIT_MAX_S: Final = 3600.0
"""No channel puts us off for longer."""
GIVEN_UP_US: Final = 86_400_000_000
"""A message that could not be delivered for so long is not tried again."""
BREATH_S: Final = 0.02
"""What comes within so short a time is followed in one transaction."""
LEAST_S: Final = 0.02
LEFT: Final = "\x1f"
"""Behind a receiver's name: what stands where it was before has a lane of its own, which holds up nothing."""
IDLE_S: Final = 60.0
"""It looks again after so long, whatever it heard."""


class Deliverer:
    """One a daemon. `around`: what is true outside of the rows, asked for each message."""

    def __init__(self, opened: store.Store, clock: Callable[[], int], around: Callable[[], looking.Around]) -> None:
        self._store = opened
        self._clock = clock
        self._around = around
        self._routes = routing.NOBODY
        self._receivers: Mapping[str, places.Receiver] = {}
        self._woken = asyncio.Event()
        self._under_way: dict[str, tuple[places.Receiver | None, asyncio.Task[None]]] = {}
        """Lane → its receiver as it was when its messages were begun, and who delivers them."""
        self._is_silent = False
        self._is_new = False
        """Others may hear now: what waits for a person is told to all who were not told."""
        self._is_otherwise = False
        """Messages may look otherwise now, and not all of them were looked at."""
        self._put_off: dict[str, int] = {}
        """Lane → when its channel is asked again."""
        self._told_when: dict[int, int] = {}
        """Message → how many of its tries failed so that the channel said when to come again: they make no later wait longer."""

    def use(self, routes: routing.Routing, receivers: Mapping[str, places.Receiver]) -> None:
        """From now on these hear, and hear so."""
        self._routes, self._receivers = routes, dict(receivers)
        self._is_new, self._is_otherwise, self._put_off = True, True, {}
        self.wake()

    @property
    def receivers(self) -> Collection[str]:
        """Those that there are."""
        return self._receivers.keys()

    def wake(self) -> None:
        """There may be something to tell."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._woken.clear()
                await self.turn()
                await self._wait()
        finally:
            for _, task in self._under_way.values():
                task.cancel()
            await self.settled()

    async def turn(self) -> None:
        """One look: messages of what was recorded, and a beginning of what is due."""
        if not (self._routes.is_empty and self._is_silent):
            self._is_silent = self._routes.is_empty
            await self._follow()
        await self._begin()

    async def settled(self) -> None:
        """Until nothing is on its way."""
        while self._under_way:
            await asyncio.gather(*(task for _, task in self._under_way.values()), return_exceptions=True)

    async def done_with(self, channel: plugins.Notifier) -> None:
        """Until nothing goes by a channel that no receiver has any more: a call that is cut off may have taken effect."""
        tasks = [task for had, task in self._under_way.values() if had is not None and had.channel is channel]
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self) -> None:
        """Make messages of what was recorded, and pass on what nobody has answered."""
        if self._is_otherwise:  # first: what is new joins nothing that stands where its receiver was before
            self._is_otherwise = False
            await self._reshape()
        unit = outbox.Follow(self._routes)
        while await self._store.insist(unit):
            telemetry.count("notifications_behind")
        if self._is_new:
            self._is_new = False
            await self._store.insist(outbox.Retell(self._routes))
        if await self._store.reader.all("outbox_unanswered", self._clock(), 1):
            await self._store.insist(outbox.Escalate(self._routes))

    async def _reshape(self) -> None:
        """What somebody may still do something with is told anew where it looks otherwise now, or is elsewhere: a piece of it at a time."""
        link = self._around().link
        looks = {
            name: (places.form(one, link) if one.channel.updates else None, places.of(one))
            for name, one in self._receivers.items()
        }
        if await self._store.insist(reshaping.Reshape(looks, self._routes)):
            self._is_otherwise = True
            self.wake()

    async def answer(self, message: str, actor: str) -> str:
        """Somebody looks after what a message tells; who does so, which may be another who said it first. Raises `errors.NotFound`."""
        number = message.removeprefix("n-")
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise errors.NotFound("healer notify outbox", what=f"the message {message[:80]!r}")
        who: str = await self._store.submit(answering.Answer(int(number), actor))
        self.wake()
        return who

    async def test(self, receiver: str, actor: str, environment: str) -> None:
        """Send a message to a receiver now. Raises `errors.NotFound`, `plugins.Undelivered`."""
        known = self._known(receiver)
        title = (plugins.Strong("A test"), f" – {environment}")
        rows = (plugins.Row("by", (actor,)), plugins.Row("at", (plugins.When(self._clock()),)))
        message = plugins.Message(id="n-0", news="test", level="info", title=title, rows=rows)
        try:
            async with asyncio.timeout(SEND_S):
                await known.channel.send(known.options, message)
        except TimeoutError:
            raise plugins.Undelivered(f"the channel took longer than {SEND_S:g} s") from None

    async def check(self, receiver: str = "") -> list[tuple[str, str, model.Health]]:
        """Whether a receiver, or each, can be reached now, as its channel says: (receiver, channel, that). Nothing is sent.

        Raises `errors.NotFound`.
        """
        asked = [self._known(receiver)] if receiver else [*self._receivers.values()]
        found = await asyncio.gather(*map(_checked, asked))
        return [(one.name, one.channel.context.name, said) for one, said in zip(asked, found, strict=True)]

    def _known(self, receiver: str) -> places.Receiver:
        known = self._receivers.get(receiver)
        if known is None:
            near = errors.nearest(receiver, self._receivers) or f"there are: {', '.join(self._receivers) or 'none'}"
            raise errors.NotFound(near, what=f"the receiver {receiver[:80]!r}")
        return known

    async def _wait(self) -> None:
        """For a word, or until something is due."""
        (found,) = await self._store.reader.all("outbox_next", self._busy())
        now_us = self._clock()
        next_us = min(
            [found["at"], *self._put_off.values()] if found["at"] is not None else self._put_off.values(), default=None
        )
        wait_s = IDLE_S if next_us is None else min(IDLE_S, max(LEAST_S, (next_us - now_us) / 1_000_000))
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
                await asyncio.sleep(BREATH_S)
        except TimeoutError:
            return

    def _busy(self) -> str:
        """Lanes that have something on its way, or are not to be asked yet, as JSON."""
        now_us = self._clock()
        self._put_off = {name: until_us for name, until_us in self._put_off.items() if until_us > now_us}
        return orjson.dumps([*self._under_way, *self._put_off]).decode()

    async def _begin(self) -> None:
        """Give each receiver that is idle what is due for it."""
        due: dict[str, list[dict[str, Any]]] = {}
        for row in await self._store.reader.all("outbox_due", self._clock(), self._busy(), DUE):
            due.setdefault(row["receiver"] + (LEFT if row["leaving"] else ""), []).append(row)
        for lane, rows in due.items():
            receiver = self._receivers.get(rows[0]["receiver"])
            task = asyncio.create_task(self._deliver_all(lane, receiver, rows), name=f"notify {rows[0]['receiver']}")
            self._under_way[lane] = receiver, task
            task.add_done_callback(functools.partial(self._ended, lane))

    def _ended(self, lane: str, _: asyncio.Task[None]) -> None:
        del self._under_way[lane]
        self.wake()

    async def _deliver_all(self, lane: str, receiver: places.Receiver | None, rows: list[dict[str, Any]]) -> None:
        """In their order: where one has to wait for its channel, so do those behind it."""
        for row in rows:
            by = receiver
            if by is None or (row["leaving"] and not places.is_by(row["place"], by)):
                by = self._stand_in(row) or receiver
            unit: Any = (
                self._failed(row, "no receiver has this name any more") if by is None else await self._tried(by, row)
            )
            await self._store.insist(unit)
            is_later = isinstance(unit, outbox.Later)
            if not is_later:
                self._told_when.pop(row["id"], None)
            if self._receivers.get(row["receiver"]) is not receiver:
                self._is_otherwise = True  # it was told as it was to look before
                return
            if is_later:
                self._put_off[lane] = unit.due_us
                return

    def _stand_in(self, row: Mapping[str, Any]) -> places.Receiver | None:
        """By whom what was told to a receiver that is gone can be changed; nothing new is told by them."""
        able = (
            one
            for one in self._receivers.values()
            if one.channel.updates and row["place"] and places.is_by(row["place"], one)
        )
        return next(able, None) if row["reference"] else None

    async def _tried(self, receiver: places.Receiver, row: dict[str, Any]) -> Any:
        """What is written of one try."""
        place = places.of(receiver)
        try:
            return await self._deliver(receiver, row)
        except plugins.Undelivered as error:
            said = f"{error.reason}; {error.try_}" if error.try_ else error.reason
            return self._failed(row, said, error.retry_after_s, final=error.final, place=place)
        except TimeoutError:
            return self._failed(row, f"the channel took longer than {SEND_S:g} s", place=place)
        except Exception as error:  # a channel is a stranger's code, and its mistake is no end of ours
            logger.opt(exception=error).warning(
                "the message n-{} could not be told to {}: {}", row["id"], receiver.name, error
            )
            return self._failed(row, f"{type(error).__name__}: {error}"[:300], place=place)

    async def _deliver(self, receiver: places.Receiver, row: dict[str, Any]) -> Any:
        around = self._around()
        message, form = (
            await making.made(self._store.reader, around, row, self._clock()),
            places.form(receiver, around.link),
        )
        if message is None:
            return outbox.End(row["id"], "dropped", "there is nothing to tell any more")
        if row["leaving"]:
            return await self._leave(receiver, row, message)
        if row["receiver"] != receiver.name and (message.asks or message.answerable):
            raise plugins.Undelivered("no receiver has this name any more")
        shown, is_open = making.digest(message, form), bool(message.asks or message.answerable)
        reference, where = row["reference"], row["place"]
        place = places.of(receiver)
        if reference is None:
            reference, where = await self._send(receiver, message), place
        elif shown != row["shown"] or (is_open and where not in ("", place)):
            await self._unsure(row)
            place = places.of(receiver)  # nothing is waited for from here until the channel has it
            if is_open and where not in ("", place):
                return reshaping.Move(row["id"], place, self._routes)
            if receiver.channel.updates and reference and places.is_by(where, receiver):
                reference = await self._update(receiver, reference, message)
        stays = bool(message.asks) or row["news"] in outbox.LASTING
        form = form if is_open else reshaping.CLOSED
        return outbox.Sent(
            row["id"], reference, shown, row["version"], stays_open=stays, form=form, place=where or place
        )

    async def _unsure(self, row: Mapping[str, Any]) -> None:
        if row["shown"]:
            await self._store.insist(reshaping.Unsure(row["id"]))

    async def _send(self, receiver: places.Receiver, message: plugins.Message) -> str:
        async with asyncio.timeout(SEND_S):
            reference = await receiver.channel.send(receiver.options, message)
        telemetry.count("notifications_sent")
        return reference

    async def _leave(self, receiver: places.Receiver, row: Mapping[str, Any], message: plugins.Message) -> Any:
        """Where its receiver was before it says so, and offers nothing any more."""
        if receiver.channel.updates and row["reference"] and places.is_by(row["place"], receiver):
            said = plugins.Row(
                "moved", (f"the receiver {row['receiver']} is somewhere else now: nothing changes here any more",)
            )
            left = dataclasses.replace(
                message, rows=(*message.rows, said), asks=(), answerable=False, ways=(), details=(), link=""
            )
            async with asyncio.timeout(SEND_S):
                await receiver.channel.update(receiver.options, row["reference"], left)
            telemetry.count("notifications_updated")
            return outbox.End(row["id"], "dropped", "its receiver was there before")
        return outbox.End(row["id"], "dropped", "its receiver was there before, by another channel: it stays as it is")

    async def _update(self, receiver: places.Receiver, reference: str, message: plugins.Message) -> str:
        """In place; what somebody has to look after is sent anew where the message is not there any more, or cannot be changed."""
        try:
            async with asyncio.timeout(SEND_S):
                reference = await receiver.channel.update(receiver.options, reference, message)
        except plugins.Undelivered as error:
            if not (error.final and (message.answerable or message.asks)):
                raise
            return await self._send(receiver, message)
        telemetry.count("notifications_updated")
        return reference

    def _failed(
        self, row: Mapping[str, Any], reason: str, after_s: float | None = None, *, final: bool = False, place: str | None = None
    ) -> Any:  # fmt: skip
        telemetry.count("notifications_failed")
        now_us = self._clock()
        bound = logger.bind(receiver=row["receiver"], news=row["news"])
        if final or now_us - (row["failing_us"] or now_us) > GIVEN_UP_US:
            if row["leaving"]:
                bound.warning(
                    "the message n-{} stays as it is where {} was before: {}", row["id"], row["receiver"], reason
                )
                return outbox.End(row["id"], "dropped", f"its receiver was there before; it stays as it is: {reason}")
            bound.error(
                "the message n-{} to {} is given up: {}; healer notify outbox", row["id"], row["receiver"], reason
            )
            return outbox.End(row["id"], "failed", reason, passes_on=True, place=place)
        told = self._told_when.get(row["id"], 0) if row["tries"] else 0
        if after_s is not None:
            self._told_when[row["id"]] = told + 1
            wait_s = min(max(WAIT_MIN_S, after_s), WAIT_MAX_S)
        else:
            wait_s = min(BACKOFF_MAX_S, BACKOFF_S * 2 ** min(max(0, row["tries"] - told), 10))
        bound.warning(
            "the message n-{} to {} is tried again in {:.0f} s: {}", row["id"], row["receiver"], wait_s, reason
        )
        return outbox.Later(row["id"], reason, now_us + round(wait_s * 1_000_000), place)


async def _checked(receiver: places.Receiver) -> model.Health:
    """What a channel says of a receiver; a channel that fails at it cannot be used."""
    try:
        async with asyncio.timeout(SEND_S):
            said: Any = await receiver.channel.check(receiver.options)
    except TimeoutError:
        return model.Health(ok=False, detail=f"the channel took longer than {SEND_S:g} s")
    except errors.HealerError as error:
        return model.Health(ok=False, detail=error.message + (f"; {error.try_}" if error.try_ else ""))
    except Exception as error:  # a stranger's code, as above
        logger.opt(exception=error).warning("whether {} can be reached could not be asked: {}", receiver.name, error)
        return model.Health(ok=False, detail=f"{type(error).__name__}: {error}"[:300])
    return said if isinstance(said, model.Health) else model.Health(ok=False, detail="the channel did not say")
