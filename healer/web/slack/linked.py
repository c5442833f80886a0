"""Socket Mode: a connection that we open to Slack, over which it sends clicks, forms and commands. Caller: `desk`.

What comes is acknowledged once it is in the queue, which takes no time; what cannot be taken is not acknowledged, so that Slack tells
whoever clicked. A connection that Slack is about to end is heard out while the next one is open already. What happens while there is none
is lost: Slack tells them too, nothing is done, and they click again. Source: docs.slack.dev, "Using Socket Mode".
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import aiohttp
import orjson
from loguru import logger

from healer import errors, telemetry
from healer.intake import strict
from healer.notify.channels import _slack_api as api

HEARTBEAT_S: Final = 15.0
"""A connection on which nothing comes back for so long is dead."""
BACKOFF_S: Final = 0.5
BACKOFF_MAX_S: Final = 60.0
HEARD_OUT_S: Final = 15.0
"""How long a connection that is to end is still heard."""
HELD_S: Final = 30.0
"""A connection that held for so long was a good one."""
FRAME_MAX: Final = 1 << 20
SEEN_MAX: Final = 4_096


class Taker(Protocol):
    """Who takes what comes."""

    def interaction(self, payload: Any) -> Mapping[str, Any] | None:
        """A click or a form."""
        ...

    def command(self, fields: Mapping[str, Any]) -> None:
        """A command."""
        ...

    def clock(self) -> int:
        """Now, µs."""
        ...


@dataclasses.dataclass(slots=True)
class State:
    """How it is: since when, and what went wrong last ('': nothing)."""

    connected: bool = False
    since_us: int = 0
    error: str = ""


class Link:
    """Keeps a connection. `asked`: the Web API with the app's own token."""

    def __init__(self, asked: api.Api, taker: Taker, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._api = asked
        self._taker = taker
        self._sleep = sleep
        self._seen: dict[str, None] = {}
        self._open: set[aiohttp.ClientWebSocketResponse] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self.state = State(since_us=taker.clock())

    async def run(self) -> None:
        """Until cancelled."""
        tries = 0
        try:
            while True:
                began = asyncio.get_running_loop().time()
                error, wait_s = await self._once()
                tries = 0 if asyncio.get_running_loop().time() - began >= HELD_S else tries + 1
                if error or tries > 1:
                    self._is(error)
                    wait_s = max(wait_s, min(BACKOFF_MAX_S, BACKOFF_S * 2.0 ** min(max(tries - 1, 0), 20)))
                    await self._sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - so that many do not come at once
        finally:
            for task in self._ending:
                task.cancel()
            await asyncio.gather(*self._ending, return_exceptions=True)

    async def _once(self) -> tuple[str, float]:
        """What went wrong with a connection ('': nothing, Slack wants another one), and how long Slack wants us to wait."""
        try:
            await self._hold()
        except api.Failed as error:
            return f"{error}" + (f"; {error.way_out}" if error.way_out else ""), error.retry_after_s or 0.0
        except errors.HealerError as error:
            return error.message, 0.0
        except (aiohttp.ClientError, OSError, TimeoutError):
            return "the connection to Slack broke", 0.0
        except Exception:  # noqa: BLE001 - outermost: whatever goes wrong, it is tried again
            logger.opt(exception=True).error("slack: a connection failed")
            return "a mistake of healer, see its log", 0.0
        return "", 0.0

    async def _hold(self) -> None:
        """One connection, until it breaks (raises) or Slack wants another one (returns)."""
        answer = await self._api.call("api_call", api_method="apps.connections.open")
        url = answer.get("url")
        if not isinstance(url, str):
            raise api.Failed("no_answer")
        socket = await self._api.session().ws_connect(url, heartbeat=HEARTBEAT_S, max_msg_size=FRAME_MAX)
        goes_on = False
        try:
            goes_on = await self._hear(socket)
        finally:
            if goes_on:
                task = asyncio.create_task(self._hear_out(socket))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
            else:
                await self._close(socket)

    async def _close(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._open.discard(socket)
        self._is()
        await socket.close()

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """True: Slack is about to end it, and it is heard out while there is another. Raises `aiohttp.ClientError` where it broke."""
        async for frame in socket:
            if frame.type != aiohttp.WSMsgType.TEXT:
                continue
            found = _read(frame.data)
            kind = found.get("type")
            if kind == "hello":
                self._open.add(socket)
                self._is()
            elif kind == "disconnect":
                if found.get("reason") == "link_disabled":
                    raise api.Failed("link_disabled")
                return True
            else:
                await self._envelope(socket, found)
        raise aiohttp.ClientConnectionError("closed")

    async def _hear_out(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async with asyncio.timeout(HEARD_OUT_S):
                while await self._hear(socket):
                    pass
        except (aiohttp.ClientError, OSError, TimeoutError, api.Failed):
            pass  # it was to end
        finally:
            await self._close(socket)

    async def _envelope(self, socket: aiohttp.ClientWebSocketResponse, found: Mapping[str, Any]) -> None:
        name, kind = found.get("envelope_id"), found.get("type")
        if not isinstance(name, str) or not name or len(name) > 200:
            return
        answer: Mapping[str, Any] | None = None
        if name in self._seen:
            telemetry.count("slack_duplicates")
        else:
            try:
                if kind == "interactive":
                    answer = self._taker.interaction(found.get("payload"))
                elif kind == "slash_commands":
                    payload = found.get("payload")
                    self._taker.command(payload if isinstance(payload, dict) else {})
            except errors.HealerError as error:
                telemetry.count("slack_refused")
                logger.warning("slack: {}", error.message)
                return  # not acknowledged: Slack says so to whoever clicked
            self._seen[name] = None
            if len(self._seen) > SEEN_MAX:
                del self._seen[next(iter(self._seen))]
        body = {"envelope_id": name, **({"payload": answer} if answer is not None else {})}
        await socket.send_str(orjson.dumps(body).decode())

    def _is(self, error: str = "") -> None:
        """`error`: why there is none."""
        connected = bool(self._open)
        if connected and not self.state.connected:
            self.state = State(True, self._taker.clock())
            logger.info("slack: connected")
        elif not connected and (self.state.connected or error not in ("", self.state.error)):
            since_us = self._taker.clock() if self.state.connected else self.state.since_us
            self.state = State(False, since_us, error)
            logger.warning("slack: not connected: {}", error or "closed")


def _read(text: str) -> Mapping[str, Any]:
    """What Slack sent; what is none of its objects is nothing."""
    try:
        found = strict.parse(text.encode("utf-8", "surrogatepass"))
    except errors.HealerError:
        return {}
    return found if isinstance(found, dict) else {}
