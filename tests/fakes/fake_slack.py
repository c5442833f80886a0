"""A Slack on loopback that speaks what the real one does: Web API, Socket Mode, `response_url`, signed deliveries; and errors and delays.

It checks what it is given as Slack would (tokens, arguments, Block Kit), keeps what was posted, and makes of a click on a message that it
has the payload that Slack would send. Tests of the channel, of `web.slack` and of the whole daemon use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import time
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import slack_limits
from aiohttp import web
from slack_faults import drop, error, hang, html, limited
from slack_workspace import APP, TEAM, Posted, Refusal, Workspace, words

__all__ = ["APP", "TEAM", "Fake", "Posted", "drop", "error", "hang", "html", "limited", "words"]
BOT_TOKEN, APP_TOKEN = "xoxb-" + "1" * 20 + "-canary", "xapp-" + "2" * 20 + "-canary"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ACK_S = 30.0
"""3 s at the real one; see `slack_workspace.TRIGGER_S`."""
RESPONSES_MAX = 5
JSON_METHODS = ("chat.postMessage", "chat.update", "chat.postEphemeral", "views.open", "conversations.open")
"""Others read a form or the query alone, as at the real one."""


class Fake(Workspace):
    """The workspace, the app in it, and the server."""

    ahead_s = 0
    """So much the clock is ahead by which deliveries are signed."""

    # --- what Slack sends ---------------------------------------------------------------------------------------------

    def click(
        self, posted: Posted, action: str, user: str = "U7ANA", *, team: str = TEAM, of: str = "", **more: Any
    ) -> dict[str, Any]:
        """A click on a button of a message. `of`: the team of the user, where that is another one."""
        button = dict(posted.buttons[action])
        return self._interaction("block_actions", user, team, of) | {
            "container": {"type": "message", "message_ts": posted.ts, "channel_id": posted.channel, "is_ephemeral": False},
            "channel": {"id": posted.channel, "name": "ops"}, "message": {"ts": posted.ts, **posted.body},
            "actions": [{**button, "block_id": "b1", "action_ts": f"{time.time():.6f}"}], "state": {"values": {}}, **more,
        }  # fmt: skip

    def submit(self, view: dict[str, Any], values: dict[str, Any], user: str = "U7ANA", **more: Any) -> dict[str, Any]:
        """A modal that was sent: `values` by block_id, a text or a list of the options' values."""
        state: dict[str, Any] = {}
        for block in view["blocks"]:
            if block["type"] == "input" and block["block_id"] in values:
                state[block["block_id"]] = {
                    block["element"]["action_id"]: _entered(block["element"], values[block["block_id"]])
                }
        made = self._interaction("view_submission", user, TEAM, "")
        made.pop("response_url")
        return made | {"view": {**view, "state": {"values": state}}, "response_urls": [], **more}

    def command(self, text: str, user: str = "U7ANA", channel: str = "C0OPS", **more: Any) -> dict[str, str]:
        """`/heal TEXT`, as Slack writes it: `& < >` escaped."""
        written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {
            "token": "deprecated", "team_id": TEAM, "team_domain": "acme", "channel_id": channel, "channel_name": "ops", "user_id": user,
            "user_name": "whoever", "command": "/heal", "text": written, "api_app_id": APP, "is_enterprise_install": "false",
            "response_url": self._response_url(), "trigger_id": self._trigger(), **more,
        }  # fmt: skip

    def _interaction(self, kind: str, user: str, team: str, of: str) -> dict[str, Any]:
        return {
            "type": kind, "team": {"id": team, "domain": "acme"}, "api_app_id": APP, "token": "deprecated",
            "user": {"id": user, "username": "Ana (the boss)", "name": "ana", "team_id": of or team},
            "trigger_id": self._trigger(), "response_url": self._response_url(), "is_enterprise_install": False,
        }  # fmt: skip

    def _trigger(self) -> str:
        made = f"{next(self._count)}.{time.monotonic_ns()}"
        self._triggers[made] = time.monotonic()
        return made

    def _response_url(self) -> str:
        ticket = f"{next(self._count)}x{time.monotonic_ns()}"
        self._urls[ticket] = 0
        return f"{self.url}/actions/{TEAM}/{ticket}"

    @staticmethod
    def signed(body: bytes, at_s: int | None = None, secret: str = SIGNING_SECRET) -> dict[str, str]:
        """The headers that prove a delivery."""
        at = str(int(time.time()) if at_s is None else at_s)
        made = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {
            "X-Slack-Signature": f"v0={made}", "X-Slack-Request-Timestamp": at, "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }  # fmt: skip

    @staticmethod
    def body(payload: dict[str, Any]) -> bytes:
        """The form of an interaction, or of a command."""
        fields = payload if "command" in payload else {"payload": json.dumps(payload)}
        return urllib.parse.urlencode(fields).encode()

    async def deliver(self, session: aiohttp.ClientSession, base: str, payload: dict[str, Any]) -> tuple[int, str]:
        """By signed HTTP: the status and the body of the answer, which may be late."""
        path = "/slack/commands" if "command" in payload else "/slack/interactions"
        body, began = self.body(payload), time.monotonic()
        async with session.post(
            base + path, data=body, headers=self.signed(body, int(time.time()) + self.ahead_s)
        ) as answer:
            text = await answer.text()
        if time.monotonic() - began > ACK_S:
            self.late.append(path)
        return answer.status, text

    async def envelope(self, payload: dict[str, Any], envelope: str = "") -> Any:
        """By Socket Mode, over one of the connections: the payload of its acknowledgement (None: it has none). TimeoutError where it is late."""
        name = envelope or f"e{next(self._count)}"
        waits = self._acks[name] = asyncio.get_running_loop().create_future()
        kind = "slash_commands" if "command" in payload else "interactive"
        await self.sockets[-1].send_json(
            {"envelope_id": name, "type": kind, "payload": payload, "accepts_response_payload": True}
        )
        try:
            async with asyncio.timeout(ACK_S):
                return await waits
        except TimeoutError:
            self.late.append(name)
            raise

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell the newest connection to go."""
        await self.sockets[-1].send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "wss-1"}})

    async def cut(self) -> None:
        """All connections break."""
        for socket in [*self.sockets]:
            await socket.close(code=1006)

    # --- the server ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Fake]:
        """Serve on a free port of the loopback."""
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/api/{method}", self._method)
        app.router.add_post("/actions/{team}/{ticket}", self._respond)
        app.router.add_get("/link", self._link)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listening = web.TCPSite(runner, "127.0.0.1", port)
        await listening.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.release.set()
            await self.cut()
            await listening.stop()
            for _ in range(10):  # what was accepted last is known to the server before it closes all that it knows
                await asyncio.sleep(0)
            await runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    async def _method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        fault = next((one for one in self.faults if one.times and re.fullmatch(one.method, method)), None)
        if fault is not None:
            fault.times -= 1
            self.changed.set()
            if not fault.after:
                return await fault.behave(self, request)
        if token != wanted:
            known = token in (APP_TOKEN, BOT_TOKEN)
            return web.json_response({"ok": False, "error": "not_allowed_token_type" if known else "invalid_auth"})
        given = await self._given(request, method)
        self.calls.append((method, given))
        try:
            handler = getattr(self, "_" + re.sub(r"[.A-Z]", lambda one: "_" + one[0].lower().strip("."), method), None)
            if handler is None:
                raise Refusal("unknown_method")
            answer = {"ok": True, **handler(given)}
        except Refusal as refusal:
            answer = {"ok": False, "error": str(refusal)}
        except slack_limits.Invalid as invalid:
            answer = {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [f"[ERROR] {invalid}"]}}
        self.changed.set()
        return web.json_response(answer) if fault is None else await fault.behave(self, request)

    async def _given(self, request: web.Request, method: str) -> dict[str, Any]:
        given: dict[str, Any] = dict(request.query)
        if "json" in request.content_type and method in JSON_METHODS:
            given |= await request.json()
        elif request.can_read_body and "form" in request.content_type:
            given |= dict(await request.post())
        return given

    async def _respond(self, request: web.Request) -> web.Response:
        ticket = request.match_info["ticket"]
        used = self._urls.get(ticket)
        if used is None or used >= RESPONSES_MAX:
            return web.Response(status=404, text="used_url")
        self._urls[ticket] = used + 1
        given = await request.json()
        try:
            slack_limits.keys(
                given,
                "response",
                "text",
                "blocks response_type replace_original delete_original mrkdwn link_names parse",
            )
            slack_limits.want(not re.search(r"<[!@#]", given["text"]), "the text would notify somebody")
            if "blocks" in given:
                slack_limits.blocks(given["blocks"])
        except slack_limits.Invalid as invalid:
            self.late.append(f"invalid response: {invalid}")
            return web.Response(status=400, text="invalid_blocks")
        self.responses.append(given)
        self.changed.set()
        return web.Response(text="ok")

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        if request.query.get("ticket") not in self._tickets:
            raise web.HTTPForbidden
        self._tickets.discard(request.query["ticket"])
        await socket.prepare(request)
        await socket.send_json({
            "type": "hello", "num_connections": len(self.sockets) + 1, "connection_info": {"app_id": APP},
            "debug_info": {"host": "wss-1", "approximate_connection_time": 18060},
        })  # fmt: skip
        self.sockets.append(socket)
        self.connected += 1
        self.changed.set()
        try:
            async for frame in socket:
                ack = json.loads(frame.data)
                waits = self._acks.pop(ack["envelope_id"], None)
                if waits is not None and not waits.done():
                    waits.set_result(ack.get("payload"))
        finally:
            self.sockets.remove(socket)
            self.changed.set()
        return socket


def _entered(element: dict[str, Any], value: Any) -> dict[str, Any]:
    if element["type"] == "checkboxes":
        chosen = [option for option in element["options"] if option["value"] in value]
        return {"type": "checkboxes", "selected_options": chosen}
    return {"type": "plain_text_input", "value": value}
