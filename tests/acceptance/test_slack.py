"""A real daemon and the fake Slack: it asks, people click, it heals, and the message says so; whatever dies in between."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
import re
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "fakes"))

import fake_slack

from healer.notify.channels import _slack_values as values
from healer.web.slack import signed

SETTINGS = """\
environment: prod
mode: active
drain: 10 seconds
storm: none
defaults: {run_action: {rate_limit: none, breaker: none, blast_radius: none, flapping: none, verify: none, attempts: 1, approval: 'off'}}
policies:
  - name: healing needs a person
    select: {actions: [heal]}
    approval: {any: [{name: on call, roles: [approver], approve: 1, reject: 1}], expires: 30 minutes}
principals:
  ana: {roles: [approver, operator], slack: "T02AB/U7ANA"}
  bo: {roles: [approver], slack: "T02AB/U8BO"}
notifications:
  channels: {slack: {team: T02AB, bot_token: {secret: "env:BOT"}, API api_url: "URL"}}
  receivers: {ops: {slack: {channel: C0OPS}}}
"""
SOCKET, HTTP = 'app_token: {secret: "env:APP"},', 'signing_secret: {secret: "env:SIGNING"},'


@dataclasses.dataclass
class Site:
    """The daemon and the fake."""

    daemon: Any
    fake: Any

    def settings(self, way: str) -> None:
        """Its `healer.yaml`, with that way back."""
        self.daemon.write("healer.yaml", SETTINGS.replace("API", way).replace("URL", self.fake.api_url))

    async def start(self, way: str = SOCKET) -> None:
        """Up, and connected where it opens a connection."""
        self.settings(way)
        self.daemon.variables = {
            "BOT": fake_slack.BOT_TOKEN,
            "APP": fake_slack.APP_TOKEN,
            "SIGNING": fake_slack.SIGNING_SECRET,
        }
        self.daemon.start()
        await asyncio.to_thread(self.daemon.ready)
        if way == SOCKET:
            await self.fake.until(lambda: self.fake.sockets, 30)

    async def asked(self, *hosts: str) -> Any:
        """Hosts break; the message that asks for all of them."""
        for host in hosts:
            await asyncio.to_thread(self.daemon.break_host, host)
        await self.fake.until(lambda: any(len(self.meant(one)) == len(hosts) for one in self.fake.posts()), 30)
        return next(one for one in self.fake.posts() if len(self.meant(one)) == len(hosts))

    @staticmethod
    def meant(posted: Any) -> tuple[values.Meant, ...]:
        """The requests of a message."""
        return values.read(posted.buttons[values.APPROVE]["value"]) if values.APPROVE in posted.buttons else ()

    async def states(self, wanted: list[str]) -> None:
        """Until the runs are in these states."""
        async with asyncio.timeout(30):
            while await asyncio.to_thread(self.daemon.states) != wanted:
                pass


@pytest.fixture
async def site(daemon: Any) -> AsyncIterator[Site]:
    async with fake_slack.Fake().serving() as fake:
        yield Site(daemon, fake)
        daemon.clean_up()
        assert fake.late == []


async def test_on_call_approves_in_slack(site: Site) -> None:
    await site.start()
    posted = await site.asked("h1", "h2")
    assert "heal" in posted.words
    assert "h1" in posted.words
    assert [*posted.buttons][:3] == [values.APPROVE, values.CHOOSE, values.REJECT]
    assert site.daemon.lines() == []
    edits = posted.edits
    await site.fake.envelope(site.fake.click(posted, values.APPROVE))
    await site.fake.until(lambda: posted.edits > edits and values.APPROVE not in posted.buttons)
    await site.states(["succeeded", "succeeded"])
    await site.fake.until(lambda: "ana" in posted.words)
    assert sorted(target for _, target in site.daemon.lines()) == ["h1", "h2"]
    assert len(site.fake.posts()) == 1, "told once, in place"


async def test_a_hundred_clicks_are_one_run(site: Site) -> None:
    await site.start()
    posted = await site.asked("h1")
    clicks = [site.fake.click(posted, values.APPROVE, ("U7ANA", "U8BO")[n % 2]) for n in range(100)]
    await asyncio.gather(*map(site.fake.envelope, clicks))
    await site.states(["succeeded"])
    await site.fake.until(lambda: len(site.fake.responses) == 99, 30)
    assert len(site.daemon.lines()) == 1
    reviews = site.daemon.rows("SELECT person FROM review")
    assert len(reviews) == 1


async def test_a_daemon_that_was_killed_meanwhile(site: Site) -> None:
    """The message still has its buttons; a click on it decides, once it is back."""
    await site.start()
    posted = await site.asked("h1")
    async with asyncio.timeout(30):  # a kill before that would have it posted once more
        while site.daemon.rows("SELECT count(*) FROM outbox WHERE reference IS NOT NULL") != [(1,)]:
            await asyncio.sleep(0)
    await asyncio.to_thread(site.daemon.kill)
    await site.fake.until(lambda: not site.fake.sockets)
    await site.start()
    assert len(site.fake.posts()) == 1
    await site.fake.envelope(site.fake.click(posted, values.APPROVE, "U8BO"))
    await site.states(["succeeded"])
    await site.fake.until(lambda: values.APPROVE not in posted.buttons)
    await asyncio.to_thread(site.daemon.verified)


async def test_buttons_are_there_as_long_as_they_are_heard(site: Site) -> None:
    """Whether the way back goes with a reload, or with another daemon on another `healer.yaml`."""
    await site.start()
    posted = await site.asked("h1")
    async with asyncio.timeout(30):
        while site.daemon.rows("SELECT count(*) FROM outbox WHERE reference IS NOT NULL") != [(1,)]:
            await asyncio.sleep(0)
    site.settings("")
    await asyncio.to_thread(site.daemon.healer, "reload")
    await site.fake.until(lambda: not posted.buttons, 30)
    assert "decide  healer approvals approve a-" in posted.words
    await asyncio.to_thread(site.daemon.kill)
    await site.start(HTTP)
    await site.fake.until(lambda: values.APPROVE in posted.buttons, 30)
    assert (posted.edits, len(site.fake.posts())) == (2, 1)


async def test_over_http_with_true_signatures(site: Site) -> None:
    await site.start(HTTP)
    site.fake.ahead_s = signed.START_S + 1
    posted = await site.asked("h1")
    async with fake_slack.aiohttp.ClientSession() as session:
        base = site.daemon.url.rstrip("/")
        forged = site.fake.body(site.fake.click(posted, values.APPROVE))
        headers = site.fake.signed(forged, secret="another")
        async with session.post(base + "/slack/interactions", data=forged, headers=headers) as answer:
            assert answer.status == 401
        assert (await site.fake.deliver(session, base, site.fake.command("whoami", "U9CY")))[0] == 200
        await site.fake.until(lambda: site.fake.responses)
        assert "You are T02AB/U9CY and not known to healer." in fake_slack.words(site.fake.responses[0]["blocks"])
        assert site.daemon.states() == ["awaiting_approval"]
        assert (await site.fake.deliver(session, base, site.fake.click(posted, values.REJECT)))[0] == 200
        await site.fake.until(lambda: site.fake.views)
        form = site.fake.submit(site.fake.views[0], {"reason": "the switch is replaced"})
        assert await site.fake.deliver(session, base, form) == (200, "")
    await site.states(["rejected"])
    await site.fake.until(lambda: values.APPROVE not in posted.buttons)
    assert site.daemon.lines() == []


async def test_while_slack_is_down_nothing_runs_and_nothing_is_lost(site: Site) -> None:
    site.fake.fault("chat.postMessage", fake_slack.html(503), times=3)
    await site.start()
    await asyncio.to_thread(site.daemon.break_host, "h1")
    await site.fake.until(lambda: not site.fake.faults[0].times and site.fake.posts(), 60)
    assert site.daemon.lines() == []
    assert site.daemon.states() == ["awaiting_approval"]
    await site.fake.envelope(site.fake.click(site.fake.posts()[0], values.APPROVE))
    await site.states(["succeeded"])


async def test_the_kill_switch_from_slack(site: Site) -> None:
    await site.start()
    await site.fake.envelope(site.fake.command("pause all hits healthy nodes"))
    await site.fake.until(lambda: site.fake.responses)
    assert fake_slack.words(site.fake.responses[0]["blocks"]).startswith(
        "Paused: everything, by slack:T02AB/U7ANA = ana."
    )
    await asyncio.to_thread(site.daemon.break_host, "h1")
    await site.states(["deferred"])
    await site.fake.envelope(site.fake.command("status"))
    await site.fake.until(lambda: len(site.fake.responses) == 2)
    assert "PAUSED   everything by slack:T02AB/U7ANA = ana" in fake_slack.words(site.fake.responses[1]["blocks"])
    shown = (await asyncio.to_thread(site.daemon.status))["slack"]
    assert (shown["socket"], shown["connected"], shown["error"]) == (True, True, None)


async def test_its_secrets_are_seen_nowhere(site: Site) -> None:
    """Not in the store, the logs, what is shown, or what Slack is told; also when it fails."""
    site.fake.fault("chat.postMessage", fake_slack.error("invalid_auth"))
    await site.start()
    await asyncio.to_thread(site.daemon.break_host, "h1")
    await site.fake.until(lambda: not site.fake.faults[0].times, 30)
    await site.fake.envelope(site.fake.command("status"))
    await site.fake.until(lambda: site.fake.responses)
    status = await asyncio.to_thread(site.daemon.status)
    assert await asyncio.to_thread(site.daemon.stop) == 0
    told = [site.fake.responses, site.fake.ephemerals, [one.body for one in site.fake.messages.values()], status]
    kept = [path.read_bytes() for path in site.daemon.base.rglob("*") if path.is_file() and not path.is_symlink()]
    for secret in (fake_slack.BOT_TOKEN, fake_slack.APP_TOKEN, fake_slack.SIGNING_SECRET):
        assert secret not in json.dumps(told)
        assert not [one for one in kept if secret.encode() in one]
        assert secret not in site.daemon.said()


async def test_a_reload_says_what_waits_for_a_receiver_that_it_takes_away(site: Site) -> None:
    site.fake.fault("chat.postMessage", fake_slack.html(503), times=1_000)
    await site.start()
    await asyncio.to_thread(site.daemon.break_host, "h1")
    await site.fake.until(lambda: site.fake.faults[0].times < 1_000, 30)
    told = "warning[receiver-gone]: 1 message waits for the receiver 'ops', which is not there any more: kept for a day from the first try on"
    assert told not in (await asyncio.to_thread(site.daemon.healer, "reload")).stdout
    settings = SETTINGS.replace("API", SOCKET).replace("URL", site.fake.api_url)
    site.daemon.write("healer.yaml", settings.replace("receivers: {ops:", "receivers: {night:"))
    assert told in (await asyncio.to_thread(site.daemon.healer, "reload", "--preview")).stdout
    assert told in (await asyncio.to_thread(site.daemon.healer, "reload")).stdout
    assert "1 message waits for the receiver 'ops'" in site.daemon.said()


async def test_who_hears_instead_is_asked_and_nobody_reads_their_link(site: Site) -> None:
    """A receiver that is another person, or a person who is another user of Slack: the message of before offers nothing any more."""

    def tell(person: str, user: str = "U7ANA") -> None:
        told = SETTINGS.replace("{channel: C0OPS}", f"{{principal: {person}}}").replace("U7ANA", user)
        told = told.replace("API", "").replace("URL", site.fake.api_url)
        site.daemon.write("healer.yaml", f'{told}server: {{public_url: "https://healer.example.org"}}\n')

    def links(posted: Any) -> list[str]:
        return re.findall(r"https://healer\.example\.org(/ui/decide/[\w-]+)", json.dumps(posted.blocks))

    site.settings = lambda _: tell("ana")  # type: ignore[method-assign]
    await site.start("")
    await asyncio.to_thread(site.daemon.break_host, "h1")
    await site.fake.until(lambda: site.fake.posts() and links(site.fake.posts()[0]), 30)
    (ana,) = site.fake.posts()
    (first,) = links(ana)
    for number, (person, user) in enumerate([("bo", "U7ANA"), ("ana", "U7ANA"), ("ana", "U9CY")], 2):
        tell(person, user)
        done = await asyncio.to_thread(site.daemon.healer, "reload")
        assert done.returncode == 0, done.stdout + done.stderr
        await site.fake.until(lambda wanted=number: len(site.fake.posts()) == wanted, 30)
        *before, last = site.fake.posts()
        await site.fake.until(lambda told=last: links(told), 30)
        await site.fake.until(lambda old=before: not any(map(links, old)) and "somewhere else now" in old[-1].words)
    assert [one.channel for one in site.fake.posts()] == ["D7ANA", "D8BO", "D7ANA", "D9CY"]

    def look() -> str:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(site.daemon.url.rstrip("/") + first, timeout=30)
        with caught.value as answer:
            return f"{answer.code} {answer.read().decode()}"

    page = await asyncio.to_thread(look)
    assert page.startswith("403 ")
    assert "does not name for ana any more" in page
    assert site.daemon.lines() == []
