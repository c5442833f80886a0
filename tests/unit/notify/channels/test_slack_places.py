"""Where messages of the channel slack are, and that nothing is offered anywhere else."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import plugins
from healer.notify.channels import slack


def message(**more: Any) -> plugins.Message:
    asks = (plugins.Asked("a-1", "r-1", ("host:web01",), "ab" * 32),)
    given: dict[str, Any] = {
        "id": "n-7",
        "news": "needs_approval",
        "level": "warning",
        "title": ("restart",),
        "asks": asks,
    }
    return plugins.Message(**given | more)


async def test_how_it_looks_to_one_person_is_another_thing_with_their_roles(site: Any) -> None:
    """Where they have links; where a click is heard its buttons are anybody's."""
    standing = {"ana": "one"}
    site.channel.context = dataclasses.replace(site.channel.context, standing=lambda person: standing[person])
    ana = slack.Slack.Options(principal="ana")
    assert [site.channel.form_of(to) for to in (site.ops, ana)] == ["buttons"] * 2
    site.channel.account = site.channel.account.model_copy(update={"app_token": None})
    assert [site.channel.form_of(to) for to in (site.ops, ana)] == ["no buttons", "no buttons one"]
    standing["ana"] = ""
    assert site.channel.form_of(ana) == "no buttons"


async def test_it_is_where_its_workspace_and_channel_or_person_are(site: Any) -> None:
    """A person is who they are in Slack, whatever their name; another token is no other place."""
    channel, options = site.channel, slack.Slack.Options
    identity = {"ana": "T02AB/U7ANA", "bo": "T02AB/U7ANA"}
    channel.context = dataclasses.replace(
        channel.context, identity=lambda person, kind: identity[person] if kind == "slack" else ""
    )
    before = channel.place_of(options(principal="ana"))
    found = {channel.place_of(to) for to in (site.ops, options(channel="C9"), options(principal="bo"))}
    assert len({*found, before}) == 4
    channel.account = channel.account.model_copy(update={"app_token": None})
    assert channel.place_of(options(principal="ana")) == before
    identity["ana"] = "T02AB/U9CY"
    assert channel.place_of(options(principal="ana")) != before
    channel.account = channel.account.model_copy(update={"team": "T9"})
    assert channel.place_of(site.ops) not in found


async def test_its_links_are_for_whom_it_is_sent_to(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a principal becomes somebody else in Slack while the conversation is opened."""
    channel, here = site.channel, ["T02AB/U7ANA"]
    channel.account = channel.account.model_copy(update={"app_token": None})
    made_for, opens = [], channel._call

    async def call(method: str, **arguments: Any) -> Any:
        answer = await opens(method, **arguments)
        here[0] = "T02AB/U8BO"
        return answer

    async def link(_asked: plugins.Asked, _person: str, identity: str) -> str:
        made_for.append(identity)
        return ""

    context = dataclasses.replace(channel.context, link=link, identity=lambda *_: here[0])
    monkeypatch.setattr(channel, "context", context)
    monkeypatch.setattr(channel, "_call", call)
    await channel.send(slack.Slack.Options(principal="ana"), message())
    (posted,) = site.fake.posts()
    assert (posted.channel, set(made_for)) == ("D7ANA", {"T02AB/U7ANA"})


@pytest.mark.parametrize(("to", "clicks"), [
    ({"channel": "C0OTHER"}, True), ({"channel": "C0OTHER"}, False), ({"principal": "ana"}, False),
])  # fmt: skip
async def test_nothing_is_offered_where_its_receiver_is_not(site: Any, to: dict[str, str], clicks: bool) -> None:
    """Of what was told before anybody wrote down where. What came of it may be told there."""
    reference = await site.channel.send(site.ops, message())
    if not clicks:
        site.channel.account = site.channel.account.model_copy(update={"app_token": None})
    elsewhere = slack.Slack.Options(**to)
    with pytest.raises(plugins.Undelivered, match="not where its receiver is") as caught:
        await site.channel.update(elsewhere, reference, message())
    assert caught.value.final
    await site.channel.update(elsewhere, reference, message(asks=(), answerable=False))
    (posted,) = site.fake.posts()
    assert (posted.edits, "decide" in str(posted.blocks)) == (1, False)
