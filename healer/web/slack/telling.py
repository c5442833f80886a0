"""What somebody is told in Slack, by themselves: made of plain text, and given to the address that came with their click.

Callers: `commands` and `desk`, which say it. An address is used only where it is Slack's own (`hooks.slack.com`): a request may name any.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import Any, Final

import aiohttp
from loguru import logger

from healer.notify.channels import _slack_api as api
from healer.notify.channels import _slack_blocks as blocks
from healer.notify.channels import _visible as visible
from healer.web.slack.payloads import From

HOST: Final = "hooks.slack.com"
TEXT_MAX: Final = 2_900
LINE_MAX: Final = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """`text`: sentences; `table`: lines whose columns stand below each other; `buttons`: of Block Kit. All empty: there is nothing to say,
    since the message itself shows it."""

    text: str = ""
    table: str = ""
    buttons: tuple[dict[str, Any], ...] = ()

    def body(self, *, replaces: bool = False) -> dict[str, Any]:
        """As Slack takes it. `replaces`: in the place of the message with the button."""
        text = visible.cut(visible.lines(self.text), TEXT_MAX)
        parts: list[blocks.Block] = []
        if text:
            parts.append({"type": "rich_text_section", "elements": [{"type": "text", "text": text}]})
        if table := visible.cut(visible.lines(self.table), TEXT_MAX):
            parts.append({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": table}]})
        made = [{"type": "rich_text", "elements": [part]} for part in parts]
        if self.buttons:
            made.append({"type": "actions", "elements": [*self.buttons]})
        first = (text or table).partition("\n")[0]
        return {
            "response_type": "ephemeral", "replace_original": replaces, "blocks": made,
            "text": blocks.escaped(visible.line(first)[:LINE_MAX]) or "healer",
        }  # fmt: skip


class Voice:
    """Tells people. `api_url`: another address of Slack's, whose host may be answered to as well."""

    def __init__(self, asked: api.Api, api_url: str | None) -> None:
        self._api = asked
        self._own = urllib.parse.urlsplit(api_url) if api_url else None

    async def tell(self, at: From, said: Said, *, replaces: bool = False) -> None:
        """To them alone. What Slack does not take is in the log: what was done stands."""
        if not (said.text or said.table):
            return
        if self.is_ours(at.url) and await self._respond(at.url, said.body(replaces=replaces)):
            return
        if not at.channel:
            logger.warning("slack: {}/{} could not be answered", at.team, at.user)
            return
        body = {name: value for name, value in said.body().items() if name in ("text", "blocks")}
        try:
            await self._api.call(
                "chat_postEphemeral", channel=at.channel, user=at.user, link_names=False, parse="none", **body
            )
        except api.Failed as error:
            logger.warning("slack: {}/{} could not be answered: {}", at.team, at.user, error)

    def is_ours(self, url: str) -> bool:
        """Whether that is an address of Slack."""
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        if "@" in parts.netloc or "\\" in url:
            return False
        if self._own is not None and (parts.scheme, parts.netloc) == (self._own.scheme, self._own.netloc):
            return True
        return (parts.scheme, parts.hostname, port) == ("https", HOST, None)

    async def _respond(self, url: str, body: dict[str, Any]) -> bool:
        try:
            async with self._api.session().post(url, json=body, allow_redirects=False) as answer:
                return answer.status == 200
        except (api.Failed, aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False
