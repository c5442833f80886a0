"""What tests of channels share: the fake Slack, and a channel that talks to it. pytest loads it."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "fakes"))

import fake_slack

from healer import model, plugins
from healer.notify.channels import slack

SECRETS = {"env:BOT": fake_slack.BOT_TOKEN, "env:APP": fake_slack.APP_TOKEN}


@dataclasses.dataclass
class Site:
    """A channel, whom it talks to, and what it said to the log."""

    fake: Any
    channel: slack.Slack
    logged: list[tuple[str, str]]
    slept: list[float]
    ops: Any = dataclasses.field(default_factory=lambda: slack.Slack.Options(channel="C0OPS"))
    secrets: dict[str, str] = dataclasses.field(default_factory=lambda: dict(SECRETS))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The channel, its workspace and its log."""
    logged: list[tuple[str, str]] = []
    slept: list[float] = []
    secrets = dict(SECRETS)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def resolve(ref: plugins.SecretRef) -> model.Secret:
        return model.Secret(ref.secret, secrets[ref.secret])

    async def link(asked: plugins.Asked, person: str, identity: str) -> str:
        assert identity == people[person]
        return f"https://healer.example.org/ui/decide/{asked.request}-of-{person}" if person != "far" else ""

    people = {"ana": f"{fake_slack.TEAM}/U7ANA", "far": "T9FAR/U1", "bot": f"{fake_slack.TEAM}/U0BOT"}
    async with fake_slack.Fake().serving() as fake:
        account = slack.Slack.Account.model_validate(
            {"bot_token": {"secret": "env:BOT"}, "app_token": {"secret": "env:APP"}, "team": fake_slack.TEAM, "api_url": fake.api_url}
        )  # fmt: skip
        context = plugins.NotifierContext(
            "slack",
            resolve,
            lambda level, text: logged.append((level, text)),
            lambda person, kind: people.get(person, ""),
            link,
        )
        channel = slack.Slack(account, context, sleep=sleep)
        yield Site(fake, channel, logged, slept, secrets=secrets)
        await channel.close()
