"""What may go wrong with the fake Slack: answers of its own, cut connections, none at all. Caller: `fake_slack`."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Behave = Callable[[Any, web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class Fault:
    """What becomes of the next `times` calls of a method; `after`: they took effect."""

    method: str
    behave: Behave
    after: bool = False
    times: int = 1


def error(code: str, status: int = 200, **more: Any) -> Behave:
    """`{"ok": false, "error": CODE}`."""

    async def behave(_fake: Any, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": False, "error": code, **more}, status=status)

    return behave


def limited(after_s: int) -> Behave:
    """429 with Retry-After."""

    async def behave(_fake: Any, _request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(after_s)}
        )

    return behave


def html(status: int) -> Behave:
    """What proxies answer."""

    async def behave(_fake: Any, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>bad gateway</html>", content_type="text/html", status=status)

    return behave


async def drop(_fake: Any, request: web.Request) -> web.StreamResponse:
    """The connection is cut."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(fake: Any, _request: web.Request) -> web.StreamResponse:
    """No answer, until `fake.release` is set."""
    await fake.release.wait()
    return web.json_response({"ok": False, "error": "internal_error"}, status=500)
