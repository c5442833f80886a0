"""Messages to Slack: posted into a channel or to a person, changed in place, and what is long in their thread.

What people do with the buttons comes back another way (`web.slack`); `docs/slack.md` has the setting up. A message is posted with one
request and known from then on by channel and time; a crash between the request and the row that says so may post it a second time, which
Slack offers nothing against.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import types
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, ClassVar, Final

import pydantic

from healer import errors, model, plugins
from healer.notify.channels import _slack_api as api
from healer.notify.channels import _slack_blocks as blocks

WAIT_MAX_S: Final = 3.0
"""For so long a reply in a thread waits that Slack takes it."""
THREAD_S: Final = 6.0
"""For so long a thread is written; the rest comes with the next change of its message. Whoever delivers ends a `send` that takes too long
and sends it once more, so that what follows the message must not."""
MARKS_MAX: Final = 80
"""Replies of a thread that are remembered with its message."""
_REFERENCE: Final = re.compile(r"([CDG][A-Z0-9]{1,30}):([0-9]{1,20}\.[0-9]{1,10})(?::([0-9a-z,]*))?")
TEAM: Final = r"^[TE][A-Z0-9]{1,30}$"
_KEPT: Final = {"unfurl_links": False, "unfurl_media": False, "mrkdwn": False, "link_names": False, "parse": "none"}
"""Of a line of text nothing is read but letters, and no page is fetched for it."""


class SlackAccount(plugins.Options):
    """The app in a workspace."""

    bot_token: plugins.SecretRef = pydantic.Field(description="of the app in the workspace: xoxb-…")
    app_token: plugins.SecretRef | None = pydantic.Field(
        None, description="for Socket Mode, which needs no public port: xapp-…, with the scope connections:write"
    )
    signing_secret: plugins.SecretRef | None = pydantic.Field(
        None, description="for signed HTTP: Slack delivers to /slack/interactions and /slack/commands"
    )
    team: Annotated[
        str, pydantic.StringConstraints(pattern=TEAM), plugins.Wanted("the id of a workspace like T02AB")
    ] = pydantic.Field(description="the workspace: whoever is of another is refused")
    api_url: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^https?://[!-~]{1,300}$"),
        plugins.Wanted("an address like https://slack.example.org/api/"),
    ] | None = pydantic.Field(None, description="another address of the Web API, of a proxy or of a test")  # fmt: skip


class SlackOptions(plugins.Options):
    """Where messages go: one of the two."""

    _one_of: ClassVar[tuple[str, ...]] = ("channel", "principal")
    channel: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^[CGD][A-Z0-9]{1,30}$"),
        plugins.Wanted("the id of a channel like C0123456789 (at the bottom of its details)"),
    ] | None = pydantic.Field(None, description="the id of a channel that the app is in")  # fmt: skip
    principal: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)] | None = pydantic.Field(
        None, description="a principal of healer.yaml with slack: a message to that person"
    )


class Slack(plugins.Notifier):
    """Delivers to channels and people."""

    updates = True
    identity = "slack"
    packages = types.MappingProxyType({"slack_sdk": "slack"})
    Account = SlackAccount
    Options = SlackOptions

    def __init__(
        self, account: SlackAccount, context: plugins.NotifierContext, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:  # fmt: skip
        super().__init__(account, context)
        self._api = api.Api(lambda: context.resolve(account.bot_token).reveal(), account.api_url or "")
        self._sleep = sleep

    @property
    def form(self) -> str:
        """By its account, Slack can tell of a click, or cannot."""
        return "buttons" if self._hears else "no buttons"

    def form_of(self, to: SlackOptions) -> str:
        """One person alone has links for as long as their word counts."""
        is_linked = to.principal is not None and not self._hears
        return f"{self.form} {self.context.standing(str(to.principal))}".strip() if is_linked else self.form

    def place_of(self, to: SlackOptions) -> str:
        """Of this workspace."""
        return f"{self.account.team} {super().place_of(to)}"

    @property
    def _hears(self) -> bool:
        return self.account.app_token is not None or self.account.signing_secret is not None

    async def send(self, to: SlackOptions, message: plugins.Message) -> str:
        """Post it; `channel:ts`, and marks of what its thread has. Raises `plugins.Undelivered`."""
        who = self._who(to)
        channel = await self._channel(to, who)
        made = await self._blocks(to, who, message)
        answer = await self._call(
            "chat_postMessage", channel=channel, text=blocks.summary(message), blocks=made, **_KEPT
        )
        at = str(answer.get("ts") or "")
        channel = str(answer.get("channel") or channel)
        if not _REFERENCE.fullmatch(f"{channel}:{at}"):
            raise plugins.Undelivered("Slack did not say under which time it has the message")
        return await self._with_thread(channel, at, [], message)

    async def update(self, to: SlackOptions, reference: str, message: plugins.Message) -> str:
        """Change it, and add to its thread what is new. Raises `plugins.Undelivered`."""
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise plugins.Undelivered(f"{reference[:80]!r} is no message of Slack", final=True)
        channel, at, marks = found[1], found[2], found[3] or ""
        who = self._who(to)
        if (message.asks or message.answerable) and not await self._is_at(to, who, channel):
            raise plugins.Undelivered("it is not where its receiver is", final=True)
        summary, made = blocks.summary(message), await self._blocks(to, who, message)
        await self._call(
            "chat_update", channel=channel, ts=at, text=summary, blocks=made, link_names=False, parse="none"
        )
        known = [mark for mark in marks.split(",") if mark]
        for reply in blocks.replies(message):
            if reply.loud and reply.mark not in known:  # the change itself makes no sound: without this it is not told
                await self._reply(channel, at, reply, aloud=True)
                known.append(reply.mark)
        return await self._with_thread(channel, at, known, message)

    def _who(self, to: SlackOptions) -> str:
        """Who a principal is here now (`T…/U…`), once for all of a message: where it goes, and whose links it has."""
        return "" if to.principal is None else self.context.identity(str(to.principal), "slack")

    async def _is_at(self, to: SlackOptions, who: str, channel: str) -> bool:
        """Whether a message of a channel is where its receiver is, as far as that matters: with buttons it is anybody's."""
        if to.channel is not None:
            return str(to.channel) == channel
        return self._hears or await self._channel(to, who) == channel

    async def _blocks(self, to: SlackOptions, who: str, message: plugins.Message) -> list[blocks.Block]:
        """With buttons where Slack can tell of a click on them; else with the commands in their place, and to one person alone with links
        by which they decide."""
        if self._hears:
            return blocks.blocks(message)
        links = []
        for one in message.asks if to.principal is not None else ():
            if url := await self.context.link(one, str(to.principal), who):
                where = ", ".join(target.removeprefix("host:") for target in one.targets) or one.request
                links.append((f"{where}  {one.about}".rstrip(), url))
        rows = (*message.rows, *message.ways)
        return blocks.blocks(dataclasses.replace(message, rows=rows, asks=(), answerable=False), links)

    async def _with_thread(self, channel: str, at: str, marks: list[str], message: plugins.Message) -> str:
        """The message is there: what of its thread is not yet is no reason to send it once more, but comes with its next change."""
        try:
            async with asyncio.timeout(THREAD_S):
                for reply in blocks.replies(message):
                    if reply.mark not in marks:
                        await self._reply(channel, at, reply)
                        marks.append(reply.mark)
        except plugins.Undelivered as error:
            self.context.log("WARNING", f"a part of a thread comes later: {error.reason}")
        except TimeoutError:
            self.context.log("WARNING", "a part of a thread comes later: Slack takes too long")
        kept = ",".join(marks[-MARKS_MAX:])
        return f"{channel}:{at}" + (f":{kept}" if kept else "")

    async def _reply(self, channel: str, at: str, reply: blocks.Reply, *, aloud: bool = False) -> None:
        given = {"channel": channel, "thread_ts": at, "text": reply.text, "blocks": reply.blocks, **_KEPT}
        given |= {"reply_broadcast": True} if aloud else {}
        try:
            await self._call("chat_postMessage", **given)
        except plugins.Undelivered as error:
            if error.retry_after_s is None or error.retry_after_s > WAIT_MAX_S:
                raise
            await self._sleep(error.retry_after_s)
            await self._call("chat_postMessage", **given)

    async def _channel(self, to: SlackOptions, who: str) -> str:
        if to.channel is not None:
            return str(to.channel)
        team, _, user = who.partition("/")
        if not user:
            try_ = f'principals: {{{to.principal}: {{slack: "{self.account.team}/U…"}}}} in healer.yaml'
            raise plugins.Undelivered(f"nobody knows who {to.principal} is in Slack", final=True, try_=try_)
        if team != self.account.team:
            raise plugins.Undelivered(f"{to.principal} is of another workspace ({team})", final=True)
        answer = await self._call("conversations_open", users=[user])
        opened = answer.get("channel")
        found = opened.get("id") if isinstance(opened, dict) else None
        if not isinstance(found, str):
            raise plugins.Undelivered("Slack did not say which conversation it opened")
        return found

    async def _call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        try:
            return await self._api.call(method, **arguments)
        except api.Failed as error:
            after_s = error.retry_after_s
            raise plugins.Undelivered(
                str(error), retry_after_s=after_s, final=not error.passes, try_=error.way_out
            ) from None
        except errors.HealerError as error:
            raise plugins.Undelivered(error.message, try_=error.try_) from None

    async def check(self, to: SlackOptions) -> model.Health:
        """Whether the token is good and of that workspace, and whether the app is in the channel."""
        try:
            who = await self._api.call("auth_test")
            if who.get("team_id") != self.account.team:
                return model.Health(
                    False, f"the token is of the workspace {who.get('team_id')}, not of {self.account.team}"
                )
            where = await self._where(to)
        except api.Failed as error:
            return model.Health(False, f"{error}" + (f"; {error.way_out}" if error.way_out else ""))
        except plugins.Undelivered as error:
            return model.Health(False, error.reason + (f"; {error.try_}" if error.try_ else ""))
        except errors.HealerError as error:
            return model.Health(False, error.message + (f"; {error.try_}" if error.try_ else ""))
        return model.Health(True, f"{who.get('user')} in {who.get('team')}{where}")

    async def _where(self, to: SlackOptions) -> str:
        """Raises `api.Failed`, `plugins.Undelivered`."""
        if to.channel is None:
            return f", to {to.principal}: {await self._channel(to, self._who(to))}"
        try:
            answer = await self._api.call("conversations_info", channel=str(to.channel))
        except api.Failed as error:
            if error.code == "missing_scope":
                return f"; whether it is in {to.channel} cannot be seen without the scope {error.needed or 'channels:read'}"
            raise
        found = answer.get("channel")
        channel = found if isinstance(found, dict) else {}
        if channel.get("is_archived"):
            raise api.Failed("is_archived")
        if channel.get("is_member") is False:
            raise api.Failed("not_in_channel")
        return f", #{channel.get('name') or to.channel}"

    async def close(self) -> None:
        """Close what is open."""
        await self._api.close()


NOTIFIER: Final = Slack
