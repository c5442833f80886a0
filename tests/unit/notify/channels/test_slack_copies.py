"""A copy further down the ladder, in Slack: it shows what the first one's message shows, and its button is there again when that one's is."""

from __future__ import annotations

import dataclasses
from typing import Any

from healer.notify import places
from healer.notify.channels import _slack_values as values
from healer.notify.channels import slack
from healer.store import outbox, people

NEWS = frozenset(outbox.notices.NEWS)
MINUTE = 60_000_000


class Copies:
    """A desk whose messages go to Slack: first to a channel, 10 minutes later to a person."""

    def __init__(self, desk: Any, site: Any) -> None:
        self.desk, self.site = desk, site
        routes = dataclasses.replace(desk.deliverer._routes, ladder={"second": NEWS}, after_us=10 * MINUTE)
        known = {"ops": site.ops, "second": slack.Slack.Options(principal="ana")}
        desk.deliverer.use(
            routes, {name: places.Receiver(name, site.channel, options) for name, options in known.items()}
        )

    async def passed_on(self) -> tuple[Any, Any]:
        """Both messages, once nobody answered the first."""
        await self.desk.told()
        self.desk.now_us += 10 * MINUTE
        await self.desk.told()
        first, second = self.site.fake.posts()
        assert first.channel != second.channel
        return first, second

    async def resolved(self, state: people.Word) -> None:
        """A person says how the run ended of which nobody knew it."""
        ((run,),) = self.desk.store.writer.tx.connection.execute("SELECT id FROM run")
        self.desk.do(people.Resolve(run, state, actor="key:bo", reason="looked"))
        await self.desk.told()

    def aloud(self) -> list[tuple[str, str]]:
        """(channel, text) of replies that are shown in the channel too."""
        asked = self.site.fake.asked("chat.postMessage")
        return sorted((one["channel"], one["text"]) for one in asked if one.get("reply_broadcast"))


async def test_how_it_ended_after_all_is_shown_in_every_copy(desk: Any, site: Any) -> None:
    copies = Copies(desk, site)
    desk.ask("web01")
    desk.end("unknown")
    first, second = await copies.passed_on()
    assert [*second.buttons] == [*first.buttons] == [values.ANSWER, values.OPEN]
    await copies.resolved("succeeded")
    assert (first.edits, second.edits) == (1, 1)
    assert "restart succeeded on web01" in first.words
    assert second.words == first.words
    assert [*second.buttons] == [*first.buttons] == [values.OPEN]


async def test_a_failure_has_to_be_answered_in_every_copy(desk: Any, site: Any) -> None:
    """Also where somebody looked after what it was asked for."""
    copies = Copies(desk, site)
    desk.ask("web01", asks=True)
    first, second = await copies.passed_on()
    await desk.deliverer.answer("n-2", "key:bo")
    desk.say("approve")
    await desk.told()
    assert "key:bo looks after it" in first.words
    assert second.words == first.words
    desk.end("failed", output=b"one\ntwo\n", summary="rc 4")
    await desk.told()
    assert "web01 failed: rc 4" in first.words
    assert "looks after it since" not in first.words
    assert second.words == first.words
    assert [*second.buttons] == [*first.buttons] == [values.ANSWER, values.OPEN]
    assert copies.aloud() == sorted((one.channel, "restart on web01 failed") for one in (first, second))
    threads = [[one.words for one in site.fake.posts(at.ts)] for at in (first, second)]
    assert threads[0] == threads[1] != []
    await desk.deliverer.answer("n-2", "slack:T02AB/U7ANA = ana")
    await desk.told()
    assert "ana looks after it since" in first.words
    assert second.words == first.words


def hears(site: Any, desk: Any, **ways: Any) -> None:
    """The account has these ways back from now on."""
    neither = {"app_token": None, "signing_secret": None}
    site.channel.account = site.channel.account.model_copy(update={**neither, **ways})
    desk.deliverer.use(desk.deliverer._routes, {"ops": places.Receiver("ops", site.channel, site.ops)})


async def test_buttons_go_and_come_with_who_hears_them(desk: Any, site: Any) -> None:
    """On what is open; what was decided stays as it is."""
    desk.link = ""
    token = site.channel.account.app_token
    hears(site, desk, app_token=token)
    desk.ask("web01", asks=True)
    await desk.told()
    desk.say("reject")
    desk.ask("web02", asks=True, rule="web/alerts/other")
    desk.ask("web03", rule="web/alerts/third")
    desk.end("failed")
    await desk.told()
    decided, asks, failed = site.fake.posts()
    edits = decided.edits
    assert [[*one.buttons] for one in (decided, asks, failed)] == [
        [],
        [values.APPROVE, values.CHOOSE, values.REJECT],
        [values.ANSWER],
    ]
    hears(site, desk)
    await desk.told()
    assert [[*one.buttons] for one in (decided, asks, failed)] == [[], [], []]
    assert "healer approvals approve a-" in asks.words
    assert "healer notify answer n-3" in failed.words
    hears(site, desk, signing_secret=token)
    await desk.told()
    assert [*asks.buttons] == [values.APPROVE, values.CHOOSE, values.REJECT]
    assert [*failed.buttons] == [values.ANSWER]
    hears(site, desk, app_token=token)
    await desk.told()
    assert (decided.edits, asks.edits, failed.edits) == (edits, 2, 2)
