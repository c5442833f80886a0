"""What the API asks of a running daemon: its workers, as `web` wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from healer.daemon import explaining, simulating, status
from healer.explain import values
from healer.project import receivers
from healer.web import auth, services
from healer.web.slack import desk

if TYPE_CHECKING:
    from healer.daemon import running


def of(daemon: running.Daemon, gate: auth.Gate) -> services.Services:
    """For its whole life: what a reload changes is asked for anew each time."""

    async def stands() -> Mapping[str, Any]:
        return await status.of(daemon)

    async def explain(asked: str, rule: str | None) -> Mapping[str, Any]:
        return await explaining.of(daemon, asked, rule)

    async def simulate(wanted: services.Simulation) -> Mapping[str, Any]:
        return await simulating.of(daemon, wanted)

    async def limits_of(action: str) -> Sequence[Mapping[str, Any]]:
        found = await asyncio.to_thread(values.of, daemon.heard, values.Asked(action))  # it looks into files for places
        return [one.as_json() for one in found.values]

    def live_output(token: str, stream: str) -> bytes | None:
        return daemon.dispatcher.live_output(token, "stdout" if stream == "stdout" else "stderr")

    def ready() -> tuple[bool, str]:
        state = daemon.shown_state()
        return (True, "") if state in ("ok", "paused") else (False, state)

    made = services.Services(
        store=daemon.store, intake=daemon.intake, revision=lambda: daemon.heard, secrets=daemon.secrets, gate=gate, status=stands,
        reload=daemon.reload, explain=explain, live_output=live_output, state=daemon.shown_state, ready=ready, clock=daemon.clock,
        heard=daemon.supervisor.heard, body_max=lambda: daemon.revision.settings.body_max, people=daemon.people, switch=daemon.switch,
        look_again=daemon.look_again, wall=lambda: daemon.clock() + daemon.clock.ahead_us(), standing_of=daemon.of_run,
        simulate=simulate, checks=daemon.checks, limits_of=limits_of, sources=lambda: status.sources(daemon),
        listens=lambda: (daemon.started_with.server.host, daemon.port), notices=daemon.telling,
    )  # fmt: skip
    made.slack = desk.Desk(made, lambda: _slack(daemon))
    return made


def _slack(daemon: running.Daemon) -> Any | None:
    """The account of Slack, where there is one."""
    told = daemon.revision.settings.notifications
    return receivers.account(told, "slack") if "slack" in told.channels else None
