"""Telling people: the daemon's channels, made of `notifications` of its revision, and what messages need to know of it."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import shlex
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from loguru import logger

from healer import access, errors, model, plugins, project, tickets
from healer.daemon import proving, quiet
from healer.explain import ahead, plans
from healer.notify import delivering, looking, places, routing
from healer.project import receivers
from healer.store import ticketing
from healer.web import approvals, queries

if TYPE_CHECKING:
    from healer.daemon import running

CLOSE_S: Final = 5.0
DAY_US: Final = 86_400_000_000


def _messages(count: int) -> str:
    return "1 message waits" if count == 1 else f"{count:,} messages wait"


class Telling:
    """The worker that delivers, and the channels that it delivers by."""

    def __init__(self, daemon: running.Daemon) -> None:
        self._daemon = daemon
        self._channels: dict[str, tuple[Any, plugins.Notifier]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.deliverer = delivering.Deliverer(daemon.store, daemon.clock, self._around)
        daemon.store.writer.on_records = self.deliverer.wake

    def works(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What goes on for as long as the daemon does, by its name."""
        self.use(self._daemon.revision)
        yield "notify", self.deliverer.run()
        yield "quiet", quiet.Quiet(self._daemon).run()
        yield "proving", proving.Proving(self._daemon).run()
        if (slack := self._daemon.services.slack) is not None:
            yield "slack", slack.run()

    def use(self, revision: project.Revision) -> None:
        """From now on people hear as this revision says. A channel whose account is the same goes on."""
        told = revision.settings.notifications
        named: dict[str, places.Receiver] = {}
        for one in receivers.receivers(told):
            channel = self._channel(told, one.channel)
            if channel is not None:
                named[one.name] = places.Receiver(one.name, channel, one.options)
        self._let_go({one.channel for one in named.values()})
        unchanging = [name for name, one in named.items() if not one.channel.updates]
        self.deliverer.use(routing.of(told, named, unchanging), named)
        if (slack := self._daemon.services.slack) is not None:
            slack.reloaded()

    async def close(self) -> None:
        """The daemon stops."""
        self._let_go(set())
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_S)

    async def answer(self, message: str, who: access.Principal) -> str:
        """Somebody looks after what a message tells; who does so. Raises `errors.NotFound`."""
        return await self.deliverer.answer(message, who.actor)

    async def test(self, receiver: str, who: access.Principal) -> None:
        """Send a message to a receiver now. Raises `errors.NotFound`, `plugins.Undelivered`."""
        await self.deliverer.test(receiver, who.actor, self._daemon.revision.settings.environment)

    async def check(self, receiver: str) -> list[dict[str, Any]]:
        """Whether a receiver, or each (''), can be reached now. Raises `errors.NotFound`."""
        every = receivers.receivers(self._daemon.revision.settings.notifications)
        lost = {one.name: one.channel for one in every if one.name not in self.deliverer.receivers}
        found = [] if receiver in lost else await self.deliverer.check(receiver)
        said = model.Health(ok=False, detail="the channel cannot be used: the log says why")
        found += [(name, channel, said) for name, channel in lost.items() if receiver in ("", name)]
        return [
            {"receiver": name, "channel": channel, "ok": said.ok, "detail": self._daemon.masked(said.detail)}
            for name, channel, said in sorted(found, key=lambda one: one[0])
        ]

    async def shown(self, now_us: int) -> list[dict[str, Any]]:
        """For the status: of each receiver what waits, and what went wrong in the last day."""
        since_us = now_us - DAY_US
        rows = {
            row["receiver"]: row for row in await self._daemon.store.reader.all("outbox_counts", since_us, since_us)
        }
        return [
            {
                "receiver": name, "waiting": row.get("waiting", 0), "retried": row.get("retried", 0), "failed": row.get("failed", 0),
                "error": self._daemon.masked(row.get("error") or "") or None,
                "sent": queries.iso(row["sent_us"]) if row.get("sent_us") else None,
            }
            for name in sorted({*rows, *self.deliverer.receivers}) for row in (rows.get(name, {}),)
        ]  # fmt: skip

    async def left(self, revision: project.Revision) -> list[errors.Diagnostic]:
        """What is on its way to receivers that this revision does not name, and what becomes of it."""
        named = orjson.dumps([*revision.settings.notifications.receivers]).decode()
        return [
            errors.Diagnostic(
                "receiver-gone",
                f"{_messages(row['count'])} for the receiver {row['receiver']!r}, which is not there any more: kept for a day from the "
                "first try on, in case it comes back, then given up; what needs somebody goes on by escalate meanwhile",
                errors.Place("healer.yaml"), severity="warning", try_=f"healer notify outbox --receiver {shlex.quote(row['receiver'])}",
            )
            for row in await self._daemon.store.reader.all("outbox_left", named)
        ]  # fmt: skip

    def wake(self) -> None:
        """A message may have to go."""
        self.deliverer.wake()

    def _channel(self, told: receivers.Notifications, name: str) -> plugins.Notifier | None:
        account = receivers.account(told, name)
        held = self._channels.get(name)
        if held is not None and held[0] == account:
            return held[1]
        try:
            kind = receivers.notifier(name)
            link = functools.partial(self.link, kind.identity)
            context = plugins.NotifierContext(
                name, self._daemon.resolve, self._log(name), self._identity, link, self.standing
            )
            made = kind(account, context)
        except errors.HealerError as error:
            logger.bind(channel=name).error("the channel {} cannot be used: {}", name, error.message)
            return None
        if held is not None:
            self._close_soon(held[1])
        self._channels[name] = account, made
        return made

    async def link(self, kind: str, asked: plugins.Asked, person: str, identity: str) -> str:
        """The signed link by which a principal decides a request, `plugins.NotifierContext.link`; '' for one whose word would not count.
        `kind`: by which identities the channel finds people."""
        public, services = self._daemon.revision.settings.server.public_url, self._daemon.services
        to = tickets.address(kind, identity)
        caller = services.gate.keys.directory.of_person("link:", person) if public and to else None
        if not public or caller is None or not await approvals.has_a_say(services, caller, asked.request):
            return ""
        ticket = tickets.Ticket(asked.request, person, tickets.ends(asked.expires_us, self._daemon.clock()), to)
        return public.rstrip("/") + tickets.PATH + tickets.sign(await ticketing.key(self._daemon.store), ticket)

    def standing(self, person: str) -> str:
        """What changes with the roles of a principal, `plugins.NotifierContext.standing`; '' where nobody is sent a link."""
        if not self._daemon.revision.settings.server.public_url:
            return ""
        known = self._daemon.services.gate.keys.directory.of_person("link:", person)
        held = {role.name: role.as_json() for role in known.roles} if known is not None else {}
        return hashlib.sha256(orjson.dumps(held, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def _let_go(self, used: set[plugins.Notifier]) -> None:
        for name, (_, channel) in [*self._channels.items()]:
            if channel not in used:
                del self._channels[name]
                self._close_soon(channel)

    def _close_soon(self, channel: plugins.Notifier) -> None:
        task = asyncio.create_task(self._close(channel))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, channel: plugins.Notifier) -> None:
        """Once what goes by it has ended."""
        await self.deliverer.done_with(channel)
        await channel.close()

    def _log(self, channel: str) -> Any:
        def log(level: str, message: str) -> None:
            logger.bind(channel=channel).log(level, "{}: {}", channel, message)

        return log

    def _identity(self, person: str, kind: str) -> str:
        known = self._daemon.services.gate.keys.directory.people.get(person)
        return str(getattr(known, kind, "")) if known is not None and kind else ""

    def _around(self) -> looking.Around:
        settings = self._daemon.revision.settings
        link = (settings.server.public_url or "").rstrip("/")
        return looking.Around(settings.environment, link, self._plan, self._shares, self._daemon.store.blob)

    async def _plan(self, run: str) -> Mapping[str, Any] | None:
        return await plans.of(self._daemon.store, run)

    def _shares(self, rule: str, controller: str, groups: Sequence[Sequence[str]]) -> Sequence[Mapping[str, Any]]:
        named = {group for some in groups for group in some}
        sizes = self._daemon.decider.evaluator.acting.sizes(rule.partition("/")[0], controller, named)
        return ahead.shares([tuple(some) for some in groups], sizes)
