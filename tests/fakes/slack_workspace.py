"""The workspace of the fake Slack: who is there, what was posted, and what the methods of the Web API make of it. Caller: `fake_slack`."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import re
import time
from collections.abc import Callable
from typing import Any

import slack_faults
import slack_limits

TEAM, APP = "T02AB", "A0HEALER"
TRIGGER_S = 30.0
"""3 s at the real one: here the machine has more to do. Who waits for an answer that never comes is late all the same."""


@dataclasses.dataclass
class Posted:
    """A message as it is now; `edits`: how often it was changed."""

    channel: str
    ts: str
    body: dict[str, Any]
    thread: str = ""
    edits: int = 0

    @property
    def blocks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body.get("blocks") or []
        return found

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """By their action_id."""
        rows = [block["elements"] for block in self.blocks if block["type"] == "actions"]
        return {element["action_id"]: element for row in rows for element in row}

    @property
    def words(self) -> str:
        """All that stands in its blocks."""
        return words(self.blocks)


def words(found: Any) -> str:
    """What people read of blocks."""
    if isinstance(found, list):
        return "".join(words(one) for one in found)
    if not isinstance(found, dict):
        return ""
    if found.get("type") == "date":
        return str(found.get("fallback"))
    if isinstance(found.get("text"), str):
        return str(found["text"])
    inner = "".join(
        words(found[name])
        for name in ("text", "fields", "elements", "element", "label", "options", "blocks")
        if name in found
    )
    return inner + (
        "\n"
        if found.get("type")
        in ("rich_text_section", "rich_text_preformatted", "context", "actions", "section", "button")
        else ""
    )


class Refusal(Exception):
    """An answer `{"ok": false}`."""


class Workspace:
    """Its people, groups, channels and messages."""

    url = ""

    def __init__(self) -> None:
        self.url = ""
        self.scopes: set[str] | None = None
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, list[str]] = {}
        self.channels: dict[str, dict[str, Any]] = {
            "C0OPS": {"id": "C0OPS", "name": "ops", "is_member": True, "is_archived": False}
        }
        self.messages: dict[tuple[str, str], Posted] = {}
        self.ephemerals: list[dict[str, Any]] = []
        self.responses: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.faults: list[slack_faults.Fault] = []
        self.sockets: list[Any] = []
        self.connected = 0
        self.late: list[str] = []
        self.release = asyncio.Event()
        self._triggers: dict[str, float] = {}
        self._urls: dict[str, int] = {}
        self._acks: dict[str, asyncio.Future[Any]] = {}
        self._tickets: set[str] = set()
        self._count = itertools.count(1)
        self.changed = asyncio.Event()
        for name in ("U7ANA", "U8BO", "U9CY"):
            self.user(name)
        self.user("U0BOT", is_bot=True)

    # --- what a test puts in and asks ---------------------------------------------------------------------------------

    def user(self, name: str, /, **more: Any) -> dict[str, Any]:
        """Somebody of the workspace."""
        self.users[name] = {
            "id": name, "team_id": TEAM, "name": name.lower(), "deleted": False, "is_bot": False, "is_app_user": False,
            "is_restricted": False, "is_ultra_restricted": False, "is_stranger": False, **more,
        }  # fmt: skip
        return self.users[name]

    def fault(self, method: str, behave: slack_faults.Behave, *, after: bool = False, times: int = 1) -> None:
        """See `Fault`."""
        self.faults.append(slack_faults.Fault(method, behave, after, times))

    def asked(self, method: str) -> list[dict[str, Any]]:
        """The arguments of its calls."""
        return [given for name, given in self.calls if name == method]

    def posts(self, thread: str = "") -> list[Posted]:
        """Messages of no thread, or the replies of one."""
        return [one for one in self.messages.values() if one.thread == thread]

    async def until(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Wait until something that this server is told has made it so."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _auth_test(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": "https://acme.slack.com/",
            "team": "Acme",
            "user": "healer",
            "team_id": TEAM,
            "user_id": "U0BOT",
            "bot_id": "B0",
        }

    def _checked(self, given: dict[str, Any]) -> dict[str, Any]:
        channel = self.channels.get(str(given.get("channel")))
        if channel is None:
            raise Refusal("channel_not_found")
        if channel["is_archived"]:
            raise Refusal("is_archived")
        if not channel["is_member"]:
            raise Refusal("not_in_channel")
        if not given.get("text"):
            raise Refusal("no_text")
        if len(given["text"]) > 40_000:
            raise Refusal("msg_too_long")
        if re.search(r"<[!@#]|<https?:", given["text"]) or given.get("link_names"):
            raise slack_limits.Invalid("the text would notify somebody, or has a link")
        if "blocks" in given:
            slack_limits.blocks(given["blocks"])
        return channel

    def _chat_post_message(self, given: dict[str, Any]) -> dict[str, Any]:
        channel = self._checked(given)["id"]
        thread = str(given.get("thread_ts", ""))
        if thread and (channel, thread) not in self.messages:
            raise Refusal("thread_not_found")
        ts = f"{1_790_000_000 + next(self._count)}.000100"
        self.messages[channel, ts] = Posted(
            channel, ts, {"text": given["text"], "blocks": given.get("blocks", [])}, thread
        )
        return {"channel": channel, "ts": ts, "message": {"ts": ts, "bot_id": "B0", "text": given["text"]}}

    def _chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        channel = self._checked(given)["id"]
        found = self.messages.get((channel, str(given.get("ts"))))
        if found is None:
            raise Refusal("message_not_found")
        found.body = {"text": given["text"], "blocks": given.get("blocks", [])}
        found.edits += 1
        return {"channel": channel, "ts": found.ts, "text": given["text"]}

    def _chat_post_ephemeral(self, given: dict[str, Any]) -> dict[str, Any]:
        self._checked(given)
        if given.get("user") not in self.users:
            raise Refusal("user_not_in_channel")
        self.ephemerals.append(given)
        return {"message_ts": "1.2"}

    def _conversations_open(self, given: dict[str, Any]) -> dict[str, Any]:
        users = given.get("users")
        (user,) = users if isinstance(users, list) else str(users).split(",")
        if user not in self.users:
            raise Refusal("user_not_found")
        if self.users[user]["is_bot"]:
            raise Refusal("cannot_dm_bot")
        name = f"D{user[1:]}"
        self.channels.setdefault(name, {"id": name, "is_im": True, "is_member": True, "is_archived": False})
        return {"channel": {"id": name}}

    def _conversations_info(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.scopes is not None and "channels:read" not in self.scopes:
            raise Refusal("missing_scope")
        found = self.channels.get(str(given.get("channel")))
        if found is None:
            raise Refusal("channel_not_found")
        return {"channel": found}

    def _users_info(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.users.get(str(given.get("user")))
        if found is None:
            raise Refusal("user_not_found")
        return {"user": found}

    def _usergroups_users_list(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.groups.get(str(given.get("usergroup")))
        if found is None:
            raise Refusal("no_such_subteam")
        return {"users": found}

    def _views_open(self, given: dict[str, Any]) -> dict[str, Any]:
        began = self._triggers.pop(str(given.get("trigger_id")), None)
        if began is None:
            raise Refusal("exchanged_trigger_id")
        if time.monotonic() - began > TRIGGER_S:
            raise Refusal("expired_trigger_id")
        slack_limits.view(given["view"])
        view = {**given["view"], "id": f"V{next(self._count)}", "team_id": TEAM, "app_id": APP, "hash": "1.x"}
        self.views.append(view)
        return {"view": view}

    def _apps_connections_open(self, _given: dict[str, Any]) -> dict[str, Any]:
        ticket = f"t{next(self._count)}"
        self._tickets.add(ticket)
        return {"url": f"{self.url.replace('http', 'ws', 1)}/link?ticket={ticket}&app_id={APP}"}
