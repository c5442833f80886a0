"""The channel slack against the fake: posted, changed in place, the thread, and every way in which Slack says no."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import fake_slack
import pydantic
import pytest

from healer import errors, plugins
from healer.notify.channels import _slack_api as api
from healer.notify.channels import slack

DIGEST = "ab" * 32


def message(**more: Any) -> plugins.Message:
    given: dict[str, Any] = {
        "id": "n-7", "news": "needs_approval", "level": "warning", "title": (plugins.Strong("restart"), " wants to run"),
        "rows": (plugins.Row("on", ("web01",)),), "asks": (plugins.Asked("a-1", "r-1", ("host:web01",), DIGEST),),
    }  # fmt: skip
    return plugins.Message(**given | more)


DIFF = plugins.Detail("diff", "--- before\n+++ after\n+<!channel> *x*")


async def test_a_message_into_a_channel_is_changed_in_place(site: Any) -> None:
    reference = await site.channel.send(site.ops, message())
    (posted,) = site.fake.posts()
    assert reference == f"C0OPS:{posted.ts}"
    assert [*posted.buttons] == ["healer-approve", "healer-choose", "healer-reject"]
    assert posted.body["text"] == "restart wants to run"
    (asked,) = site.fake.asked("chat.postMessage")
    assert {asked[name] for name in ("unfurl_links", "unfurl_media", "mrkdwn", "link_names")} == {False}
    assert asked["parse"] == "none"
    again = await site.channel.update(site.ops, reference, message(asks=(), status=("Approved by Ana · running",)))
    assert again == reference
    assert (posted.edits, posted.buttons) == (1, {})
    assert "Approved by Ana · running" in posted.words
    assert len(site.fake.messages) == 1


def _links(posted: Any) -> list[tuple[str, str]]:
    found = [
        part
        for block in posted.blocks
        if block["type"] == "rich_text"
        for one in block["elements"]
        for part in one["elements"]
    ]
    return [(part["text"], part["url"]) for part in found if part["type"] == "link"]


async def test_where_nobody_hears_a_click_there_are_links_for_one_person(site: Any) -> None:
    """Buttons of an app without Socket Mode and without signed HTTP would do nothing."""
    site.channel.account = site.channel.account.model_copy(update={"app_token": None})
    two = plugins.Asked("a-2", "r-2", ("host:web02", "host:web03"), DIGEST, f"n=2  why={'w' * 30}")
    asks = message(asks=(*message().asks, two), answerable=True, link="https://healer.example.org/ui/approvals/a-1")
    reference = await site.channel.send(slack.Slack.Options(principal="ana"), asks)
    await site.channel.send(site.ops, asks)
    alone, all_see = site.fake.posts()
    assert [*alone.buttons] == [*all_see.buttons] == ["healer-open"]
    assert _links(all_see) == []
    of = "https://healer.example.org/ui/decide/{}-of-ana".format
    assert _links(alone) == [("web01", of("a-1")), (f"web02, web03  n=2  why={'w' * 30}", of("a-2"))]
    await site.channel.update(slack.Slack.Options(principal="ana"), reference, message(asks=(two,)))
    assert _links(alone) == [(f"web02, web03  n=2  why={'w' * 30}", of("a-2"))]
    await site.channel.update(slack.Slack.Options(principal="ana"), reference, message(asks=()))
    assert _links(alone) == []


async def test_where_nobody_hears_a_click_the_commands_stand_in_the_message(site: Any) -> None:
    told = message(ways=(plugins.Row("decide", ("healer approvals approve a-1",)),))
    await site.channel.send(site.ops, told)
    site.channel.account = site.channel.account.model_copy(update={"app_token": None})
    await site.channel.send(site.ops, told)
    heard, unheard = site.fake.posts()
    assert "healer approvals" not in heard.words
    assert "decide  healer approvals approve a-1" in unheard.words


@pytest.mark.parametrize("way", ["app_token", "signing_secret"])
async def test_where_a_click_is_heard_there_are_buttons_and_no_links(site: Any, way: str) -> None:
    ways = {"app_token": None, "signing_secret": None, way: plugins.SecretRef(secret="env:APP")}
    site.channel.account = site.channel.account.model_copy(update=ways)
    await site.channel.send(slack.Slack.Options(principal="ana"), message())
    (posted,) = site.fake.posts()
    assert [*posted.buttons] == ["healer-approve", "healer-choose", "healer-reject"]
    assert _links(posted) == []


async def test_who_gets_no_link_has_the_page(site: Any) -> None:
    """Without `server.public_url`, or a principal of that name, there is none."""
    site.channel.account = site.channel.account.model_copy(update={"app_token": None})
    made = await site.channel._blocks(
        slack.Slack.Options(principal="far"), "T9FAR/U1", message(link="https://healer.example.org/ui/approvals/a-1")
    )
    assert "decide" not in fake_slack.words(made)
    assert fake_slack.words(made).count("Open") == 1


async def test_what_is_long_goes_into_the_thread_once(site: Any) -> None:
    reference = await site.channel.send(site.ops, message(details=(DIFF,)))
    channel, at, marks = reference.split(":")
    (reply,) = site.fake.posts(at)
    assert reply.blocks[0]["elements"][1] == {
        "type": "rich_text_preformatted", "elements": [{"type": "text", "text": DIFF.text}],
    }  # fmt: skip
    output = plugins.Detail("output", "rc 4")
    reference = await site.channel.update(site.ops, reference, message(details=(DIFF, output)))
    assert [one.body["text"] for one in site.fake.posts(at)] == ["diff", "output"]
    assert reference.startswith(f"{channel}:{at}:{marks},")
    assert await site.channel.update(site.ops, reference, message(details=(DIFF, output))) == reference
    assert len(site.fake.posts(at)) == 2


async def test_news_of_a_message_that_was_sent_are_shown_in_the_channel_too(site: Any) -> None:
    """Once. Sending the message is heard by itself."""
    loud = plugins.Detail("restart on web01 failed", "rc 4", loud=True)
    await site.channel.send(site.ops, message(details=(DIFF, loud)))
    reference = await site.channel.send(site.ops, message())
    site.fake.fault("chat.postMessage", fake_slack.error("internal_error"))
    with pytest.raises(plugins.Undelivered):
        await site.channel.update(site.ops, reference, message(details=(DIFF, loud)))
    for _ in range(2):
        reference = await site.channel.update(site.ops, reference, message(details=(DIFF, loud)))
    assert [one.body["text"] for one in site.fake.posts(reference.split(":")[1])] == [loud.name, "diff"]
    asked = site.fake.asked("chat.postMessage")
    assert [one["text"] for one in asked if one.get("reply_broadcast")] == [loud.name]
    assert {bool(one.get("thread_ts")) for one in asked if one.get("reply_broadcast")} == {True}


async def test_a_thread_that_fails_is_no_reason_to_send_the_message_again(site: Any) -> None:
    """The rest of it comes with the message's next change."""
    await site.channel.send(site.ops, message())
    calls = len(site.fake.asked("chat.postMessage"))
    reply = site.channel._reply

    async def refused(*_: Any) -> None:
        raise plugins.Undelivered("Slack says internal_error")

    site.channel._reply = refused
    reference = await site.channel.send(site.ops, message(details=(DIFF,)))
    assert site.logged == [("WARNING", "a part of a thread comes later: Slack says internal_error")]
    assert len(site.fake.asked("chat.postMessage")) == calls + 1
    site.channel._reply = reply
    reference = await site.channel.update(site.ops, reference, message(details=(DIFF,)))
    assert len(site.fake.posts(reference.split(":")[1])) == 1


@pytest.mark.parametrize(("after_s", "waits"), [(2, [2.0]), (30, [])])
async def test_a_reply_waits_a_short_while(site: Any, after_s: int, waits: list[float]) -> None:
    reference = await site.channel.send(site.ops, message())
    site.fake.fault("chat.postMessage", fake_slack.limited(after_s))
    reference = await site.channel.update(site.ops, reference, message(details=(DIFF,)))
    assert site.slept == waits
    assert len(site.fake.posts(reference.split(":")[1])) == len(waits)


async def test_a_message_to_a_person(site: Any) -> None:
    to = slack.Slack.Options(principal="ana")
    reference = await site.channel.send(to, message())
    assert reference.startswith("D7ANA:")
    await site.channel.update(to, reference, message(status=("done",)))
    assert site.fake.posts()[0].edits == 1


@pytest.mark.parametrize(
    ("person", "reason", "try_"),
    [
        ("nobody", "nobody knows who nobody is in Slack", 'principals: {nobody: {slack: "T02AB/U…"}} in healer.yaml'),
        ("far", "far is of another workspace (T9FAR)", ""),
        ("bot", "Slack says cannot_dm_bot", "slack: TEAM/USER of the principal is a bot"),
    ],
)
async def test_a_person_who_cannot_be_reached(site: Any, person: str, reason: str, try_: str) -> None:
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(slack.Slack.Options(principal=person), message())
    assert (caught.value.reason, caught.value.final, caught.value.try_) == (reason, True, try_)


@pytest.mark.parametrize("code", [*api.WAYS_OUT, "a_word_of_tomorrow"])
async def test_what_stays_wrong_is_final_and_says_what_to_do(site: Any, code: str) -> None:
    site.fake.fault("chat.postMessage", fake_slack.error(code))
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert (caught.value.final, caught.value.reason) == (True, f"Slack says {code}")
    assert caught.value.try_ == api.WAYS_OUT.get(code, "")


async def test_a_scope_that_is_missing_is_named(site: Any) -> None:
    site.fake.fault("chat.postMessage", fake_slack.error("missing_scope", needed="chat:write", provided="commands"))
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert caught.value.try_ == "add the scope chat:write to the app and install it again"


@pytest.mark.parametrize(
    "behave",
    [
        fake_slack.error("internal_error"), fake_slack.error("fatal_error", 500), fake_slack.html(502), fake_slack.html(200), fake_slack.drop,
        fake_slack.error("service_unavailable", 503), fake_slack.error("<!channel>\n"),
    ],
)  # fmt: skip
async def test_what_passes_is_tried_again_by_the_outbox_alone(site: Any, behave: Any) -> None:
    site.fake.fault("chat.postMessage", behave)
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert not caught.value.final
    assert "<" not in caught.value.reason
    assert site.fake.faults[0].times == 0
    assert await site.channel.send(site.ops, message())
    assert len(site.fake.asked("chat.postMessage")) == 1, "no tries behind the outbox's back"


async def test_no_answer_in_time(site: Any) -> None:
    site.channel._api._timeout_s = 0.05
    site.fake.fault("chat.postMessage", fake_slack.hang)
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert (caught.value.reason, caught.value.final) == ("Slack cannot be reached", False)


@pytest.mark.parametrize(
    ("given", "wait_s"), [("30", 30.0), ("0", 1.0), ("999999", 3_600.0), ("soon", 30.0), ("nan", 30.0)]
)
async def test_as_often_as_slack_lets(site: Any, given: str, wait_s: float) -> None:
    site.fake.fault("chat.(postMessage|update)", fake_slack.limited(given))
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert (caught.value.retry_after_s, caught.value.final) == (wait_s, False)


async def test_a_message_that_was_deleted_is_not_changed(site: Any) -> None:
    with pytest.raises(plugins.Undelivered, match="message_not_found") as caught:
        await site.channel.update(site.ops, "C0OPS:1.000001", message())
    assert caught.value.final


@pytest.mark.parametrize("reference", ["", "C0OPS", "C0OPS:1", "x:1.1", "C0OPS:1.1:<", "C0OPS:1.1\n"])
async def test_what_is_no_reference(site: Any, reference: str) -> None:
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.update(site.ops, reference, message())
    assert caught.value.final
    assert site.fake.calls == []


async def test_a_token_that_is_changed_holds_at_once_and_is_seen_nowhere(site: Any) -> None:
    site.secrets["env:BOT"] = "xoxb-old-canary"
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert caught.value.reason == "Slack says invalid_auth"
    health = await site.channel.check(site.ops)
    assert not health.ok
    site.secrets["env:BOT"] = fake_slack.BOT_TOKEN + "\n"
    assert await site.channel.send(site.ops, message(details=(DIFF,)))
    said = f"{caught.value}{health}{site.logged}{[one.body for one in site.fake.messages.values()]}"
    assert "canary" not in said


async def test_a_secret_that_cannot_be_read(site: Any) -> None:
    def resolve(ref: plugins.SecretRef) -> Any:
        raise errors.SecretUnavailable(reference=ref.secret, reason="no such file")

    site.channel._api._token = lambda: resolve(site.channel.account.bot_token)
    with pytest.raises(plugins.Undelivered) as caught:
        await site.channel.send(site.ops, message())
    assert (caught.value.final, caught.value.reason) == (False, "the secret env:BOT cannot be read: no such file")


async def test_without_its_package(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "slack_sdk"]:
        monkeypatch.delitem(sys.modules, name)
    imported = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "slack_sdk":
            raise ImportError("No module named 'slack_sdk'", name="slack_sdk")
        return imported(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(plugins.Undelivered, match="needs a package that is not installed: slack_sdk") as caught:
        await site.channel.send(site.ops, message())
    assert caught.value.try_ == "pip install 'auto-healer[slack]'"


async def test_a_look_at_what_would_be_delivered(site: Any) -> None:
    assert await site.channel.check(site.ops) == plugins_health("healer in Acme, #ops")
    to_ana = await site.channel.check(slack.Slack.Options(principal="ana"))
    assert (to_ana.ok, to_ana.detail) == (True, "healer in Acme, to ana: D7ANA")
    site.fake.scopes = set()
    seen = await site.channel.check(site.ops)
    assert seen.ok
    assert "cannot be seen without the scope channels:read" in seen.detail
    assert site.fake.messages == {}


def plugins_health(detail: str) -> Any:
    from healer import model

    return model.Health(True, detail)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"is_archived": True}, "Slack says is_archived; another channel, or unarchive it"),
        ({"is_member": False}, "Slack says not_in_channel; in Slack: /invite the app into the channel"),
    ],
)
async def test_a_channel_that_takes_nothing(site: Any, change: dict[str, Any], said: str) -> None:
    site.fake.channels["C0OPS"] |= change
    health = await site.channel.check(site.ops)
    assert (health.ok, health.detail) == (False, said)


async def test_a_look_says_what_is_wrong(site: Any) -> None:
    health = await site.channel.check(slack.Slack.Options(channel="C0NOT"))
    assert not health.ok
    assert health.detail.startswith("Slack says channel_not_found; the id of the channel")
    health = await site.channel.check(slack.Slack.Options(principal="nobody"))
    assert health.detail.startswith("nobody knows who nobody is in Slack; principals:")
    site.channel.account = site.channel.account.model_copy(update={"team": "T0OTHER"})
    health = await site.channel.check(site.ops)
    assert health.detail == "the token is of the workspace T02AB, not of T0OTHER"


def test_what_is_written_in_healer_yaml() -> None:
    assert plugins.find("notifiers", "slack").NOTIFIER is slack.Slack
    ref = {"secret": "env:BOT"}
    with pytest.raises(pydantic.ValidationError):
        slack.Slack.Account.model_validate({"bot_token": "xoxb-1", "team": "T02AB"})
    with pytest.raises(pydantic.ValidationError):
        slack.Slack.Account.model_validate({"bot_token": ref, "team": "acme"})
    with pytest.raises(pydantic.ValidationError):
        slack.Slack.Account.model_validate({"bot_token": ref, "team": "T02AB", "api_url": "ftp://x"})
    for given in ({}, {"channel": "C0OPS", "principal": "ana"}, {"channel": "#ops"}):
        with pytest.raises(pydantic.ValidationError):
            slack.Slack.Options.model_validate(given)
