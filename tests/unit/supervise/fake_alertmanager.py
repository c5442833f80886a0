"""An Alertmanager on a loopback socket: the part of its API v2 that is asked here, in the shapes of a real one (0.25).

`tests/sources/test_reconcile.py` holds the same against a real one. What goes wrong is a `fault` of a test in the place of an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import email.utils
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

TOKEN = "t0ken-of-alertmanager"
STARTS = "2026-11-26T19:00:00.123456789Z"
Behave = Callable[[web.Request], Awaitable[web.StreamResponse]]


def labels_of(name: str) -> dict[str, str]:
    return {"alertname": "ServiceDown", "instance": f"{name}:9100", "severity": "critical"}


def delivered(*names: str, status: str = "firing", starts: str = STARTS, receiver: str = "healer") -> dict[str, Any]:
    """The webhook's body."""
    ends = "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-26T19:10:00Z"
    alerts = [
        {
            "status": status, "labels": labels_of(name), "annotations": {"summary": f"{name} is down"}, "startsAt": starts, "endsAt": ends,
            "generatorURL": "http://prom/graph", "fingerprint": f"fp-{name}",
        }
        for name in names
    ]  # fmt: skip
    return {
        "receiver": receiver, "status": status, "alerts": alerts, "groupLabels": {"alertname": "ServiceDown"}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://vm:9093", "version": "4", "groupKey": "{}", "truncatedAlerts": 0,
    }  # fmt: skip


class Fake:
    """What it says; `alerts` by name."""

    def __init__(self) -> None:
        self.alerts: dict[str, dict[str, Any]] = {}
        self.up_s = 3600.0
        self.cluster = "ready"
        self.wall = lambda: datetime.datetime.now(datetime.UTC)
        self.asked: list[str] = []
        self.fault: dict[str, Behave] = {}
        """The last part of the path → what answers in its place."""
        self.before: Callable[[], Awaitable[None]] | None = None
        """What happens while an answer is under way."""
        self.url = ""

    def fire(
        self, *names: str, starts: str = "2026-11-26T19:00:00.123Z", state: str = "active", receiver: str = "healer"
    ) -> None:
        """Alerts begin to fire there."""
        for name in names:
            self.alerts[name] = {
                "annotations": {"summary": f"{name} is down"}, "endsAt": "2026-11-26T23:47:51.311Z", "fingerprint": f"fp-{name}",
                "receivers": [{"name": "mail"}, {"name": receiver}], "startsAt": starts, "updatedAt": "2026-11-26T19:42:51.311Z",
                "status": {"inhibitedBy": [], "silencedBy": ["x"] if state == "suppressed" else [], "state": state},
                "generatorURL": "http://prom/graph", "labels": labels_of(name),
            }  # fmt: skip

    def end(self, *names: str) -> None:
        """They fire no more."""
        for name in names:
            del self.alerts[name]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        self.asked.append(request.path_qs)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response("unauthorized", status=401)
        if self.before is not None and kind == "alerts":
            await self.before()
        if kind in self.fault:
            return await self.fault[kind](request)
        date = {"Date": email.utils.format_datetime(self.wall(), usegmt=True)}
        if kind == "alerts":
            return web.json_response([*self.alerts.values()], headers=date)
        since = (self.wall() - datetime.timedelta(seconds=self.up_s)).isoformat(timespec="milliseconds")[:23] + "Z"
        said = {
            "cluster": {"peers": [], "status": self.cluster},
            "config": {"original": "route: {}\n"},
            "uptime": since,
        }
        return web.json_response(said, headers=date)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Fake]:
    """One that answers below the path /am."""
    fake, app = Fake(), web.Application()
    app.router.add_get("/am/api/v2/{kind}", fake._answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/am/"
    try:
        yield fake
    finally:
        await runner.cleanup()


# --- what goes wrong -------------------------------------------------------------------------------------------------


def failing(status: int) -> Behave:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/am/api/v2/elsewhere"} if status == 302 else {})

    return answer


def saying(body: bytes) -> Behave:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    return answer


async def breaking(request: web.Request) -> web.StreamResponse:
    """The connection goes in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"[")
    assert request.transport is not None
    request.transport.abort()
    return response


async def hanging(request: web.Request) -> web.StreamResponse:
    """A body that never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b" ")
    await asyncio.Event().wait()
    return response
