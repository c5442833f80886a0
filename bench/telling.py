"""From a click in Slack to the message that says so: a real daemon, a Slack on loopback with its Socket Mode, one request after the other.

Then a hundred people click at once on one request: it is decided once.
"""

from __future__ import annotations

import asyncio
import pathlib
import sys
import time
from typing import Any, Final

import bars
import daemons
import projects

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "fakes"))

CLICKS: Final = 60
PEOPLE: Final = 100
WAIT_S: Final = 30.0
ACTION: Final = "actions: {note: {command: ['true'], impact: high, target: none, cooldown: 0 seconds, rate_limit: 100000 per hour}}\n"
RULES: Final = """\
- name: asking
  hosts: all
  sources:
    - healer.api: {}
  rules:
    - {name: ask, condition: event.ask is defined, action: {run_action: {name: note}}}
"""
SETTINGS: Final = """\
notifications:
  channels:
    slack: {{team: {team}, bot_token: {{secret: "file:bot"}}, app_token: {{secret: "file:app"}}, api_url: "{url}"}}
  receivers: {{ops: {{slack: {{channel: C0OPS}}, news: [needs_approval]}}}}
roles: {{clicker: {{permissions: [approvals.decide, approvals.read]}}}}
defaults: {{run_action: {{approval: {{any: [{{name: anybody, roles: [clicker], approve: 1, reject: 1}}]}}}}}}
principals:
"""


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Milliseconds of each click; and how many of the hundred decided."""
    return asyncio.run(_measure(folder, max(10, round(CLICKS * scale))))


async def _measure(folder: pathlib.Path, clicks: int) -> list[bars.Result]:
    import fake_slack

    async with fake_slack.Fake().serving() as fake:
        people = [f"U{number:04}" for number in range(PEOPLE)]
        for one in people:
            fake.user(one)
        projects.write(folder, [])
        (folder / "actions.yaml").write_text(ACTION)
        (folder / "rulebooks" / "measured.yml").write_text(RULES)
        (folder / "bot").write_text(fake_slack.BOT_TOKEN)
        (folder / "app").write_text(fake_slack.APP_TOKEN)
        settings = SETTINGS.format(team=fake_slack.TEAM, url=fake.api_url)
        named = "".join(f'  p{one}: {{slack: "{fake_slack.TEAM}/{one}", roles: [clicker]}}\n' for one in people)
        with (folder / "healer.yaml").open("a") as written:
            written.write(settings + named)
        daemon = await asyncio.to_thread(daemons.Daemon, folder)
        try:
            await fake.until(lambda: fake.sockets, WAIT_S)
            took = [await _click(fake, daemon, number, people[number % PEOPLE]) for number in range(clicks)]
            decided = await _at_once(fake, daemon, clicks, people)
        finally:
            await asyncio.to_thread(daemon.stop)
    return [
        bars.Result(
            "click",
            [sorted(took)[round(len(took) * 0.99) - 1]],
            f"median {sorted(took)[len(took) // 2]:.0f} ms, {clicks} clicks",
        ),
        bars.Result("clicks-at-once", [decided]),
    ]


async def _asked(fake: Any, daemon: daemons.Daemon, number: int) -> Any:
    """A run waits for a person; the message that asks."""
    before = len(fake.posts())
    code, answer = await asyncio.to_thread(daemon.ask, "/events", "POST", b'{"ask": %d}' % number)
    if code != 202:
        raise daemons.MeasureFailedError(f"/events answered {code}: {answer}")
    await fake.until(lambda: len(fake.posts()) > before and fake.posts()[-1].buttons, WAIT_S)
    return fake.posts()[-1]


async def _click(fake: Any, daemon: daemons.Daemon, number: int, user: str) -> float:
    """From the click to a message without the question."""
    posted = await _asked(fake, daemon, number)
    began = time.perf_counter()
    await fake.envelope(fake.click(posted, _approving(posted), user))
    await fake.until(lambda: "Approved" in _text(posted), WAIT_S)
    return (time.perf_counter() - began) * 1e3


async def _at_once(fake: Any, daemon: daemons.Daemon, number: int, people: list[str]) -> float:
    """How many of those who click at once decide."""
    posted = await _asked(fake, daemon, number)
    clicks = [fake.click(posted, _approving(posted), one) for one in people]
    await asyncio.gather(*(fake.envelope(one) for one in clicks))
    await fake.until(lambda: "Approved" in _text(posted), WAIT_S)
    code, found = await asyncio.to_thread(daemon.ask, "/api/v1/audit?kind=transition&limit=200")
    last = [one for one in found["items"] if one.get("reason") == "approved"] if code == 200 else []
    runs = [one["run"] for one in last]
    return float(runs.count(runs[0])) if runs else 0.0


def _approving(posted: Any) -> str:
    return next(name for name in posted.buttons if "approve" in name)


def _text(posted: Any) -> str:
    import fake_slack

    return fake_slack.words(posted.body["blocks"])
