"""What tests of Slack share: the fake, a room `web` whose people are in it, and requests that wait for their word. pytest loads it."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "fakes"))

import fake_slack

from healer import access, model, plugins, policy, secrets
from healer.notify.channels import slack
from healer.policy import approvals, limits
from healer.store import candidates, transaction
from healer.web.slack import desk

ENVIRONMENT = {
    "BOT": fake_slack.BOT_TOKEN, "APP": fake_slack.APP_TOKEN, "SIGNING": fake_slack.SIGNING_SECRET, "AM_TOKEN": "a-token-of-alertmanager",
}  # fmt: skip
RULE = "rule:web/alerts/restart"
ROLES = (
    access.Role("oncall", frozenset({"approvals.decide", "runs.read", "status.read"}), access.Scope(("web/*",), ("group:web",))),
    access.Role("dba", frozenset({"approvals.decide"}), access.Scope(("db/*",))),
)  # fmt: skip
TEAM = fake_slack.TEAM
PEOPLE = (
    access.Person("ana", ("approver", "operator"), slack=f"{TEAM}/U7ANA"), access.Person("bo", ("approver",), slack=f"{TEAM}/U8BO"),
    access.Person("robot", ("admin",), slack=f"{TEAM}/U0BOT"), access.Person("cy", ("readonly",), slack=f"{TEAM}/U9CY"),
    access.Person("far", ("admin",), slack="T9FAR/U7ANA"),
)  # fmt: skip


@dataclasses.dataclass
class Site:
    """The room, the desk in it, the fake Slack, and a channel that sends what is asked."""

    room: Any
    desk: desk.Desk
    fake: Any
    channel: slack.Slack
    seed: Any
    account: Any
    slept: list[float] = dataclasses.field(default_factory=list)
    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    runs: dict[str, str] = dataclasses.field(default_factory=dict)

    def people(self, *found: access.Person) -> None:
        """These people are there."""
        self.room.services.gate.keys.use(
            access.Directory({one.name: one for one in ROLES}, {one.name: one for one in found}), []
        )

    async def ask(
        self, *names: str, want: int = 1, roles: tuple[str, ...] = ("approver", "oncall"), requester: str = RULE
    ) -> Any:
        """A run waits for each request; the message that asks for them."""
        asked = limits.Approval((limits.Threshold("some people", roles, want, 1),), ("requester",))
        asks = []
        for name in names:
            number = len(self.runs) + 1
            run = self.runs[name] = "r-" + f"{number:x}".rjust(26, "a")
            target = f"host:web{number:02}"
            await self.seed(
                self.room, run, "awaiting_approval", reason="blast_radius", groups=["web"], targets=[target]
            )

            def apply(tx: Any, name: str = name, run: str = run) -> None:
                digest = candidates.digest_of(tx, candidates.run_row(tx, run), policy.Standing(True, "active"), None)
                self.digests[name] = digest
                text = transaction.dumps(approvals.as_json([asked]))
                tx.run("approval_insert", name, "blast_radius", digest, text, requester, None, 1, None, run)

            await self.seed.do(self.room, apply)
            asks.append(plugins.Asked(name, run, (target,), self.digests[name]))
        message = plugins.Message(
            "n-7", "needs_approval", "warning", ("restart wants to run",), asks=tuple(asks), answerable=True
        )
        reference = await self.channel.send(slack.Slack.Options(channel="C0OPS"), message)
        channel, at = reference.split(":")
        return self.fake.messages[channel, at]

    async def restart(self) -> None:
        """The daemon begins again, as far as Slack is concerned: another desk and other routes, at the time of `wall`."""
        await self.desk.stop()
        self.desk = desk.Desk(self.room.services, lambda: self.account)
        self.room.services.slack = self.desk
        await self.desk.start()

    async def states(self) -> dict[str, str]:
        """Of the requests."""
        rows = await self.room.services.store.reader.select("SELECT id, state FROM approval ORDER BY id", [])
        return {row["id"]: row["state"] for row in rows}

    async def reviews(self) -> list[tuple[str, str, int, str]]:
        """(request, person, word, reason)"""
        rows = await self.room.services.store.reader.select("SELECT * FROM review ORDER BY at_us", [])
        return [(row["approval"], row["person"], row["approves"], row["reason"]) for row in rows]

    async def done(self) -> None:
        """Until all that was taken is done."""
        queue = self.desk._queue
        await queue.join()

    async def until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Wait until something here is so."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0)

    async def said(self, payload: dict[str, Any]) -> str:
        """By Slack over HTTP, and what they are told of it."""
        before = len(self.fake.responses)
        status, _ = await self.fake.deliver(self.room.session, self.room.url(""), payload)
        assert status == 200
        await self.done()
        found = self.fake.responses[before:]
        return "".join(fake_slack.words(one["blocks"]) for one in found)

    async def heal(self, text: str, user: str = "U7ANA") -> str:
        """`/heal TEXT`"""
        return await self.said(self.fake.command(text, user))


Opened = Callable[..., Awaitable[Site]]


@pytest.fixture
async def site(room: Any, seed: Any, tmp_path: pathlib.Path) -> AsyncIterator[Site]:
    """By signed HTTP; `site.account.app_token` and `desk.refresh()` make it Socket Mode."""
    async with fake_slack.Fake().serving() as fake:
        account = slack.Slack.Account.model_validate({
            "bot_token": {"secret": "env:BOT"}, "signing_secret": {"secret": "env:SIGNING"}, "team": TEAM, "api_url": fake.api_url,
        })  # fmt: skip
        room.services.secrets = secrets.Secrets(tmp_path, dict(ENVIRONMENT))
        made = Site(room, None, fake, None, seed, account)  # type: ignore[arg-type]

        async def sleep(seconds: float) -> None:
            made.slept.append(seconds)

        context = plugins.NotifierContext(
            "slack",
            lambda ref: room.services.secrets.resolve(ref.secret),
            lambda _level, _text: None,
            lambda _person, _kind: "",
        )
        made.channel = slack.Slack(account, context)
        made.desk = desk.Desk(room.services, lambda: made.account, sleep=sleep)
        room.services.slack = made.desk
        room.services.wall = lambda: _wall_us() - 3_600_000_000
        made.people(*PEOPLE)
        await made.desk.start()
        room.services.wall = _wall_us
        yield made
        await made.desk.stop()
        await made.channel.close()
        assert fake.late == []


def _wall_us() -> int:
    import time

    return time.time_ns() // 1_000


@pytest.fixture
def secret_of() -> Callable[[str], model.Secret]:
    """A secret by what it is."""
    return lambda value: model.Secret("env:X", value)
