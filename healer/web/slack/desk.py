"""Where clicks, forms and commands of Slack are taken, and done: taken at once, since Slack waits 3 s, and done by a few workers.

Both ways in (`signed`, `linked`) end here. What is taken is in a bounded queue of this process alone: after a crash nothing of it is done,
and people click again. What is not taken is said to be so, by refusing it: Slack tells them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from loguru import logger

from healer import access, errors, model, plugins, telemetry
from healer.notify.channels import _slack_api as api
from healer.notify.channels import _slack_values as values
from healer.web import queries, tally
from healer.web.services import Services
from healer.web.slack import commands, deciding, forms, identity, linked, payloads
from healer.web.slack.telling import Said, Voice

WAITING_MAX: Final = 1_000
WORKERS: Final = 8
DO_S: Final = 60.0
"""So long one of them may take."""

Item = payloads.Click | payloads.Form | payloads.Command


class Crowded(errors.Unavailable):
    """not now: {count} clicks wait already"""

    code = "busy"


class NoSlack(errors.NotFound):
    """Slack is not set up here"""


class App:
    """The app in its workspace, as `healer.yaml` has it now. `account`: the channel's (`notifiers`, slack)."""

    def __init__(self, services: Services, account: Any) -> None:
        self.account = account
        base = account.api_url or ""
        resolve = services.secrets.resolve
        self.api = api.Api(lambda: resolve(account.bot_token.secret).reveal(), base)
        self.link: api.Api | None = None
        if (token := account.app_token) is not None:
            self.link = api.Api(lambda: resolve(token.secret).reveal(), base)
        self.identities = identity.Identities(self.api, lambda: services.gate.keys.directory, account.team)
        self.voice = Voice(self.api, account.api_url)

    async def close(self) -> None:
        """It is another one now."""
        await self.identities.close()
        await self.api.close()
        if self.link is not None:
            await self.link.close()


class Desk:
    """One a daemon. `account()`: what `healer.yaml` has of the channel slack now; None: nothing."""

    def __init__(
        self, services: Services, account: Callable[[], Any | None], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:  # fmt: skip
        self._services = services
        self._account = account
        self._sleep = sleep
        self._app: App | None = None
        self._link: linked.Link | None = None
        self._queue: asyncio.Queue[tuple[App, Item, float]] = asyncio.Queue(WAITING_MAX)
        self._workers: list[asyncio.Task[None]] = []
        self._linking: asyncio.Task[None] | None = None
        self._reloaded = asyncio.Event()
        self._since_us = 0

    # --- its life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        await self.start()
        try:
            while True:
                await self._reloaded.wait()
                self._reloaded.clear()
                await self.refresh()
        finally:
            await self.stop()

    def reloaded(self) -> None:
        """`healer.yaml` was read again."""
        self._reloaded.set()

    async def start(self) -> None:
        """From now on what people do in Slack is taken. It needs the loop, and waits for nothing of Slack's."""
        self._since_us = self._services.wall()
        self._workers = [asyncio.create_task(self._work(), name=f"slack-{number}") for number in range(WORKERS)]
        await self.refresh()

    async def refresh(self) -> None:
        """Another account may hold: after each reload."""
        account = self._account()
        if (self._app.account if self._app else None) == account:
            return
        await self._unlink()
        before, self._app = self._app, None if account is None else App(self._services, account)
        if self._app is not None and self._app.link is not None:
            self._link = linked.Link(self._app.link, self, self._sleep)
            self._linking = asyncio.create_task(self._link.run(), name="slack-link")
        if before is not None:
            await before.close()

    async def _unlink(self) -> None:
        link, self._linking, self._link = self._linking, None, None
        if link is not None:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)

    async def stop(self) -> None:
        """Nothing more is taken; what is under way ends, what waits is let be."""
        await self._unlink()
        for task in self._workers:
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []
        if self._app is not None:
            await self._app.close()
            self._app = None

    def shown(self) -> dict[str, Any] | None:
        """For `status`: by which ways it comes, and how that by Socket Mode does. None: there is no Slack."""
        if self._app is None:
            return None
        state = self._link.state if self._link is not None else None
        return {
            "team": self._app.account.team, "http": self.is_signed(), "socket": state is not None,
            "connected": None if state is None else state.connected, "since": None if state is None else queries.iso(state.since_us),
            "error": None if state is None else state.error or None, "waiting": self._queue.qsize(),
        }  # fmt: skip

    def clock(self) -> int:
        """The time of `since`."""
        return self._services.clock()

    # --- taking -------------------------------------------------------------------------------------------------------

    def is_signed(self) -> bool:
        """As `services.Slack` has it."""
        return self._app is not None and self._app.account.signing_secret is not None

    def since_us(self) -> int:
        """As `services.Slack` has it."""
        return self._since_us

    def signing_secrets(self) -> Sequence[model.Secret]:
        """As `services.Slack` has it. Raises `errors.SecretUnavailable`."""
        ref: plugins.SecretRef | None = self._app.account.signing_secret if self._app is not None else None
        return () if ref is None else (self._services.secrets.resolve(ref.secret),)

    def interaction(self, payload: Any) -> Mapping[str, Any] | None:
        """As `services.Slack` has it. Raises `payloads.Unreadable`, `Crowded`, `NoSlack`."""
        found = payloads.interaction(payload)
        if isinstance(found, payloads.Form) and (wrong := forms.wrong(found)) is not None:
            return wrong
        if found is not None:
            self._take(found)
        return None

    def command(self, fields: Mapping[str, Any]) -> None:
        """As `services.Slack` has it. Raises as `interaction`."""
        if "ssl_check" not in fields:
            self._take(payloads.command(fields))

    def _take(self, item: Item) -> None:
        if self._app is None:
            raise NoSlack
        try:
            self._queue.put_nowait((self._app, item, asyncio.get_running_loop().time()))
        except asyncio.QueueFull:
            telemetry.count("slack_crowded")
            raise Crowded(count=WAITING_MAX) from None
        telemetry.count("slack_taken")

    # --- doing --------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            app, item, came_s = await self._queue.get()
            try:
                await self._do(app, item, came_s)
            finally:
                self._queue.task_done()

    async def _do(self, app: App, item: Item, came_s: float) -> None:
        try:
            async with asyncio.timeout(DO_S):
                await self._answered(app, item, came_s)
        except TimeoutError:
            logger.error("slack: a click of {}/{} took more than {:g} s", item.at.team, item.at.user, DO_S)
        except Exception:  # noqa: BLE001 - outermost: no click ends the worker
            logger.opt(exception=True).error("slack: a click of {}/{} failed", item.at.team, item.at.user)
            with contextlib.suppress(Exception):
                wrong = "Something went wrong here, not in what you did. It is in healer's log."
                await app.voice.tell(item.at, Said(wrong))

    async def _answered(self, app: App, item: Item, came_s: float) -> None:
        replaces = not isinstance(item, payloads.Command) and item.private
        try:
            said = await self._done(app, item, came_s)
        except errors.HealerError as error:
            self._services.tally.refused("slack", error.code, f"{item.at.team}/{item.at.user}: {error.message}")
            said, replaces = Said(_sentence(error)), False
        except api.Failed as error:
            logger.warning("slack: nothing could be shown to {}/{}: {}", item.at.team, item.at.user, error)
            said, replaces = Said(f"That could not be shown: {error}. Nothing was decided."), False
        await app.voice.tell(item.at, said, replaces=replaces)

    async def _done(self, app: App, item: Item, came_s: float) -> Said:
        """Raises `errors.HealerError`, `api.Failed`."""
        looks = isinstance(item, payloads.Command) and commands.looks(item.text)
        at = item.at
        word, named = _asks(item)
        async with (
            self._services.attempts.noted(f"slack:{at.team}/{at.user}", named, word)
            if word
            else contextlib.nullcontext()
        ):
            who = await app.identities.of(at.team, at.user, at.user_team, came_s=came_s, looks=looks)
        if isinstance(item, payloads.Command):
            return await commands.run(self._services, who, item.text)
        if isinstance(item, payloads.Form):
            return await deciding.say(self._services, who, item.action, item.meant, item.reason, private=item.private)
        return await self._clicked(app, item, who)

    async def _clicked(self, app: App, item: payloads.Click, who: access.Principal) -> Said:
        if item.action == values.APPROVE:
            meant, reason = deciding.meant(item.value), values.reason_of(item.value)
            return await deciding.say(self._services, who, item.action, meant, reason, private=item.private)
        if item.action == values.RESUME:
            return await commands.resume(self._services, who, item.value)
        if item.action == values.ANSWER:
            access.demand(who, "notifications.write")
            by = await self._services.notices.answer(item.value, who)
            return Said() if by in (who.actor, "") else Said(f"{by} looks after it already.")
        action = values.REJECT if item.action == values.REJECT else values.APPROVE
        choices = await deciding.choices(self._services, deciding.meant(item.value))
        view = forms.deciding(action, choices, payloads.metadata(item), values.reason_of(item.value))
        await app.api.call("views_open", trigger_id=item.trigger, view=view)
        return Said()


def _asks(item: Item) -> tuple[str, list[str]]:
    """The word on requests that somebody wants to say, and on which; '' for something else."""
    if isinstance(item, payloads.Command):
        word, rest = commands.first(item.text)
        name, _ = commands.first(rest)
        return (word.lower(), [name] if name else []) if word.lower() in ("approve", "reject") else ("", [])
    words = {values.APPROVE: "approve", values.CHOOSE: "approve", values.REJECT: "reject"}
    if isinstance(item, payloads.Form):
        return words.get(item.action, ""), [one.request for one in item.meant]
    try:
        return words.get(item.action, ""), [one.request for one in values.read(item.value)]
    except ValueError:
        return words.get(item.action, ""), []


def _sentence(error: errors.HealerError) -> str:
    text = tally.one_line(error.message) if not isinstance(error, identity.Stranger) else error.message
    first = deciding.sentence(error.code, text)
    return f"{first}\ntry  {error.try_}" if error.try_ else first
