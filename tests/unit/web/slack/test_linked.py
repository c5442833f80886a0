"""Socket Mode against the fake: acknowledged at once, once, and connected again whatever happens."""

from __future__ import annotations

import asyncio
from typing import Any

import fake_slack
import pytest

from healer import plugins
from healer.notify.channels import _slack_values as values
from healer.web.slack import desk, linked


async def connected(site: Any) -> None:
    """Socket Mode alone, as is set up at first."""
    site.account = site.account.model_copy(
        update={"app_token": plugins.SecretRef(secret="env:APP"), "signing_secret": None}
    )
    await site.desk.refresh()
    await site.fake.until(lambda: site.fake.sockets)
    await site.until(lambda: site.desk.shown()["connected"])


async def test_a_click_decides(site: Any) -> None:
    posted = await site.ask("a-1")
    await connected(site)
    assert await site.fake.envelope(site.fake.click(posted, values.APPROVE)) is None
    await site.done()
    assert await site.states() == {"a-1": "approved"}
    shown = site.desk.shown()
    assert (shown["socket"], shown["http"], shown["connected"], shown["error"]) == (True, False, True, None)


async def test_a_command_and_a_form(site: Any) -> None:
    posted = await site.ask("a-1")
    await connected(site)
    await site.fake.envelope(site.fake.command("whoami"))
    await site.fake.until(lambda: site.fake.responses)
    assert "You are slack:T02AB/U7ANA = ana" in fake_slack.words(site.fake.responses[0]["blocks"])
    await site.fake.envelope(site.fake.click(posted, values.REJECT))
    await site.fake.until(lambda: site.fake.views)
    form = site.fake.submit(site.fake.views[0], {"reason": " "})
    assert await site.fake.envelope(form) == {"response_action": "errors", "errors": {"reason": "Say why"}}
    assert await site.fake.envelope(site.fake.submit(site.fake.views[0], {"reason": "no"})) is None
    await site.done()
    assert await site.states() == {"a-1": "rejected"}


async def test_an_envelope_that_comes_twice_is_done_once(site: Any) -> None:
    posted = await site.ask("a-1", want=2)
    await connected(site)
    click = site.fake.click(posted, values.APPROVE)
    for _ in range(3):
        await site.fake.envelope(click, "e-same")
    await site.done()
    assert len(site.fake.asked("users.info")) == 1


async def test_a_hundred_clicks_at_once(site: Any) -> None:
    posted = await site.ask("a-1")
    await connected(site)
    clicks = [site.fake.click(posted, values.APPROVE, ("U7ANA", "U8BO")[n % 2]) for n in range(100)]
    await asyncio.gather(*map(site.fake.envelope, clicks))
    await site.done()
    assert await site.states() == {"a-1": "approved"}
    assert len(await site.reviews()) == 1


async def test_it_connects_anew_when_the_connection_breaks(site: Any) -> None:
    posted = await site.ask("a-1")
    await connected(site)
    for count in range(2, 5):
        await site.fake.cut()
        await site.fake.until(lambda count=count: site.fake.connected == count and site.fake.sockets)
    assert len(site.slept) == 3
    assert all(0.4 <= wait_s <= 2.4 for wait_s in site.slept)
    await site.fake.envelope(site.fake.click(posted, values.APPROVE))
    await site.done()
    assert await site.states() == {"a-1": "approved"}


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_the_next_connection_is_there_before_the_last_one_goes(site: Any, reason: str) -> None:
    posted = await site.ask("a-1")
    await connected(site)
    await site.fake.disconnect(reason)
    await site.fake.until(lambda: site.fake.connected == 2)
    assert len(site.fake.sockets) == 2
    assert site.desk.shown()["connected"]
    assert site.slept == []
    site.fake.sockets.reverse()
    await site.fake.envelope(site.fake.click(posted, values.APPROVE))  # over the old one
    await site.done()
    assert await site.states() == {"a-1": "approved"}
    await site.fake.sockets[-1].close()
    await site.fake.until(lambda: len(site.fake.sockets) == 1)
    assert site.desk.shown()["connected"]


async def test_one_that_is_sent_away_again_and_again_waits(site: Any) -> None:
    await connected(site)
    for count in range(2, 6):
        await site.fake.disconnect()
        await site.fake.until(lambda count=count: site.fake.connected == count)
    assert len(site.slept) >= 3


async def test_socket_mode_that_is_turned_off(site: Any) -> None:
    await connected(site)
    site.fake.fault("apps.connections.open", fake_slack.error("invalid_auth"), times=1_000)
    await site.fake.disconnect("link_disabled")
    await site.until(lambda: "invalid_auth" in (site.desk.shown()["error"] or ""))
    assert site.desk.shown()["connected"] is False
    assert len(site.slept) >= 1
    assert max(site.slept) <= linked.BACKOFF_MAX_S * 1.2


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (fake_slack.limited(40), "Slack says ratelimited (again in 40 s)"), (fake_slack.html(503), "Slack does not answer as it should"),
        (fake_slack.drop, "Slack cannot be reached"), (fake_slack.error("not_allowed_token_type"), "bot_token is the one that begins with"),
    ],
)  # fmt: skip
async def test_it_goes_on_trying(site: Any, behave: Any, said: str) -> None:
    site.fake.fault("apps.connections.open", behave, times=3)
    errors: list[str] = []
    seen = linked.Link._is

    def noted(self: Any, error: str = "") -> None:
        errors.append(error)
        seen(self, error)

    linked.Link._is = noted  # type: ignore[method-assign]
    try:
        await connected(site)
    finally:
        linked.Link._is = seen  # type: ignore[method-assign]
    assert said in errors[0]
    assert len(site.slept) == 3
    assert site.desk.shown()["error"] is None
    if "40 s" in said:
        assert min(site.slept) >= 32.0


async def test_what_cannot_be_taken_is_not_acknowledged(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then Slack says so to whoever clicked; and it may come again."""
    posted = await site.ask("a-1")
    await connected(site)
    click = site.fake.click(posted, values.APPROVE)

    def crowded(_item: Any) -> None:
        raise desk.Crowded(count=1_000)

    with monkeypatch.context() as patched:
        patched.setattr(site.desk, "_take", crowded)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(site.fake.envelope(click, "e-1"), 0.2)
    await site.fake.envelope(click, "e-1")
    await site.done()
    assert await site.states() == {"a-1": "approved"}


@pytest.mark.parametrize(
    "frame",
    [
        "", "no json", "[]", "1", '{"type": "interactive"}', '{"type": "interactive", "envelope_id": 7}', '{"envelope_id": "x", "type": "tomorrow"}',
        '{"envelope_id": "e", "type": "interactive", "payload": null}', '{"envelope_id": "e", "type": "slash_commands", "payload": []}',
        '{"type": "hello"}', "[" * 5_000, '{"envelope_id": "' + "e" * 300 + '", "type": "interactive"}',
    ],
)  # fmt: skip
async def test_a_frame_that_is_nothing(site: Any, frame: str) -> None:
    posted = await site.ask("a-1")
    await connected(site)
    await site.fake.sockets[-1].send_str(frame)
    await site.fake.sockets[-1].send_bytes(b"\x00")
    await site.fake.envelope(site.fake.click(posted, values.APPROVE))
    await site.done()
    assert await site.states() == {"a-1": "approved"}


async def test_a_reload_with_another_account(site: Any) -> None:
    await connected(site)
    await site.desk.refresh()
    assert site.fake.connected == 1, "the same account goes on"
    site.account = site.account.model_copy(
        update={"app_token": None, "signing_secret": plugins.SecretRef(secret="env:SIGNING")}
    )
    await site.desk.refresh()
    await site.fake.until(lambda: not site.fake.sockets)
    assert (site.desk.shown()["socket"], site.desk.shown()["http"]) == (False, True)


async def test_it_stops_while_slack_does_not_answer(site: Any) -> None:
    site.fake.fault("apps.connections.open", fake_slack.hang)
    site.account = site.account.model_copy(update={"app_token": plugins.SecretRef(secret="env:APP")})
    await site.desk.refresh()
    await site.desk.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("slack")] == []


async def test_a_connection_outlives_the_time_of_one_request(site: Any) -> None:
    """The limit is on answers, not on how long Slack may be silent."""
    await connected(site)
    link = site.desk._app.link
    assert link.session().timeout.total == 6.0
    socket = next(iter(site.desk._link._open))
    assert not socket.closed
