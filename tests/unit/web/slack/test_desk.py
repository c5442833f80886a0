"""What people do in Slack, over signed HTTP and the real store: who may decide, what comes of it, and what they are told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import fake_slack
import pytest

from healer import access
from healer.notify.channels import _slack_values as values
from healer.web.slack import desk

STRANGER = (
    'You are T02AB/U4DI and not known to healer. Ask an admin to add to healer.yaml:  principals: {NAME: {slack: "T02AB/U4DI", '
    "roles: [approver]}}"
)


async def test_a_click_decides(site: Any) -> None:
    posted = await site.ask("a-1", "a-2")
    assert await site.said(site.fake.click(posted, values.APPROVE)) == "", "the message itself shows what came of it"
    assert await site.states() == {"a-1": "approved", "a-2": "approved"}
    assert [(one[:3]) for one in await site.reviews()] == [("a-1", "ana", 1), ("a-2", "ana", 1)]
    records = [json.loads(one["record"]) for one in await site.room.records()]
    assert {one["actor"] for one in records if one["kind"] == "review"} == {"slack:T02AB/U7ANA = ana"}
    assert site.room.looked == 1


async def test_some_are_chosen_with_a_reason(site: Any) -> None:
    names = [f"a-{n:02}" for n in range(1, 13)]
    posted = await site.ask(*names)
    assert await site.said(site.fake.click(posted, values.CHOOSE)) == ""
    (view,) = site.fake.views
    assert view["title"]["text"] == "Approve"
    boxes = [block["element"] for block in view["blocks"] if block["block_id"].startswith("which")]
    assert [len(box["options"]) for box in boxes] == [10, 2]
    assert boxes[0]["options"][1]["text"]["text"] == "web02"
    assert "initial_options" not in boxes[0]
    form = site.fake.submit(view, {"which0": ["a-02"], "which10": ["a-12"], "reason": "  looked at\nboth "})
    assert await site.fake.deliver(site.room.session, site.room.url(""), form) == (200, "")
    await site.done()
    assert {name for name, state in (await site.states()).items() if state == "approved"} == {"a-02", "a-12"}
    assert {one[3] for one in await site.reviews()} == {"looked at both"}


async def test_one_is_approved_with_a_reason(site: Any) -> None:
    posted = await site.ask("a-1")
    await site.said(site.fake.click(posted, values.CHOOSE))
    (view,) = site.fake.views
    assert [block["type"] for block in view["blocks"]] == ["rich_text", "input"]
    await site.said(site.fake.submit(view, {"reason": "fine"}))
    assert await site.reviews() == [("a-1", "ana", 1, "fine")]


async def test_a_rejection_has_a_reason(site: Any) -> None:
    posted = await site.ask("a-1", "a-2")
    await site.said(site.fake.click(posted, values.REJECT))
    (view,) = site.fake.views
    assert view["blocks"][0]["element"]["initial_options"] == view["blocks"][0]["element"]["options"]
    for wrong, said in (
        ({"which0": ["a-1"], "reason": " \n"}, {"reason": "Say why"}),
        ({"which0": [], "reason": "x"}, {"which0": "Choose at least one"}),
    ):
        form = site.fake.submit(view, wrong)
        status, text = await site.fake.deliver(site.room.session, site.room.url(""), form)
        assert (status, json.loads(text)) == (200, {"response_action": "errors", "errors": said})
    assert await site.reviews() == []
    await site.said(site.fake.submit(view, {"which0": ["a-1"], "reason": "not now"}))
    assert await site.states() == {"a-1": "rejected", "a-2": "open"}
    assert await site.reviews() == [("a-1", "ana", 0, "not now")]


async def test_a_form_decides_only_what_its_button_was_for(site: Any) -> None:
    posted = await site.ask("a-1")
    await site.ask("a-2")
    await site.said(site.fake.click(posted, values.CHOOSE))
    view = site.fake.views[0]
    form = site.fake.submit(view, {"reason": "x"})
    form["view"]["state"]["values"]["which0"] = {"which": {"selected_options": [{"value": "a-2"}]}}
    status, text = await site.fake.deliver(site.room.session, site.room.url(""), form)
    assert (status, json.loads(text)["response_action"]) == (200, "errors")
    assert await site.states() == {"a-1": "open", "a-2": "open"}


async def test_a_hundred_clicks_at_once_are_one_transition(site: Any) -> None:
    posted = await site.ask("a-1", want=1)
    clicks = [site.fake.click(posted, values.APPROVE, ("U7ANA", "U8BO")[n % 2]) for n in range(100)]
    answers = await asyncio.gather(*(site.fake.deliver(site.room.session, site.room.url(""), one) for one in clicks))
    assert {status for status, _ in answers} == {200}
    await site.done()
    assert await site.states() == {"a-1": "approved"}
    records = [json.loads(one["record"]) for one in await site.room.records()]
    assert len([one for one in records if one["kind"] == "review"]) == 1
    assert len([one for one in records if one["kind"] == "transition" and one["state"] == "queued"]) == 1
    said = {fake_slack.words(one["blocks"]).strip() for one in site.fake.responses}
    assert said == {"The request a-1 is approved: nothing waits for a word on it any more."}
    assert len(site.fake.responses) == 99
    assert len(site.fake.asked("users.info")) <= 30, "those who click at once are asked about together"


async def test_two_of_a_quorum(site: Any) -> None:
    posted = await site.ask("a-1", want=2)
    await site.said(site.fake.click(posted, values.APPROVE))
    assert (
        await site.said(site.fake.click(posted, values.APPROVE))
        == "You said something on a-1 before, and that stands.\n"
    )
    assert await site.states() == {"a-1": "open"}
    await site.said(site.fake.click(posted, values.APPROVE, "U8BO"))
    assert await site.states() == {"a-1": "approved"}


async def test_who_asked_does_not_approve(site: Any) -> None:
    posted = await site.ask("a-1", requester="key:laptop = ana")
    said = await site.said(site.fake.click(posted, values.APPROVE))
    assert said == "ana may not decide this: you asked for it.\n"
    assert await site.states() == {"a-1": "open"}
    posted = await site.ask("a-2", requester="slack:T02AB/U7ANA")
    assert "you asked for it" in await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.said(site.fake.click(posted, values.APPROVE, "U8BO")) == ""


# --- clicks that come too late --------------------------------------------------------------------------------------------


async def test_a_click_on_what_was_decided_expired_or_is_void(site: Any) -> None:
    posted = await site.ask("a-1", "a-2", "a-3")

    def apply(tx: Any) -> None:
        tx.connection.execute("UPDATE approval SET expires_us = 1 WHERE id = 'a-2'")
        tx.connection.execute("UPDATE approval SET state = 'void' WHERE id = 'a-3'")

    await site.room.ask("POST", "/approvals/a-1/reject", "approver", json={})
    await site.seed.do(site.room, apply)
    said = (await site.said(site.fake.click(posted, values.APPROVE))).splitlines()
    assert said == [
        f"The request a-{n} is {state}: nothing waits for a word on it any more."
        for n, state in enumerate(("rejected", "expired", "void"), 1)
    ]
    assert await site.reviews() == [("a-1", "key:approver", 0, "")]


async def test_a_click_on_what_is_something_else_now(site: Any) -> None:
    """The request has another digest than what was shown; and what would run is not what was asked for."""
    posted = await site.ask("a-1")
    await site.seed.do(
        site.room, lambda tx: tx.connection.execute("UPDATE approval SET digest = ? WHERE id = 'a-1'", ("0" * 64,))
    )
    said = await site.said(site.fake.click(posted, values.APPROVE))
    assert said == "What was asked for is something else now: the request a-1 is not for what was shown.\n"
    assert (await site.states(), await site.reviews()) == ({"a-1": "open"}, [])
    posted = await site.ask("a-2")
    run = site.runs["a-2"]
    await site.seed.do(
        site.room, lambda tx: tx.connection.execute("UPDATE run SET parameters = '{}' WHERE id = ?", (run,))
    )
    assert (
        await site.said(site.fake.click(posted, values.APPROVE))
        == "a-2 is void: what was asked for is something else now.\n"
    )
    assert (await site.states())["a-2"] == "void"


@pytest.mark.parametrize("value", ["", "1", "1 a-1", "2 a-1:0000", "1 a-1:zzzz", "x" * 2_000, "1 a-9:0000"])
async def test_a_value_that_is_none_of_ours(site: Any, value: str) -> None:
    posted = await site.ask("a-1")
    click = site.fake.click(posted, values.APPROVE)
    click["actions"][0]["value"] = value
    assert await site.said(click)
    assert await site.states() == {"a-1": "open"}


async def test_a_form_that_comes_too_late_to_open(site: Any) -> None:
    posted = await site.ask("a-1")
    site.fake.fault("views.open", fake_slack.error("expired_trigger_id"))
    assert (
        await site.said(site.fake.click(posted, values.REJECT))
        == "That could not be shown: Slack says expired_trigger_id. Nothing was decided.\n"
    )


# --- other buttons, and what is answered -----------------------------------------------------------------------------------


async def test_somebody_looks_after_it(site: Any) -> None:
    posted = await site.ask("a-1")
    said: list[Any] = []

    class Notices:
        async def answer(self, message: str, who: access.Principal) -> str:
            said.append((message, who.actor))
            return said[0][1]

    site.room.services.notices = Notices()
    assert await site.said(site.fake.click(posted, values.ANSWER)) == ""
    assert (
        await site.said(site.fake.click(posted, values.ANSWER, "U8BO"))
        == "slack:T02AB/U7ANA = ana looks after it already.\n"
    )
    assert said == [("n-7", "slack:T02AB/U7ANA = ana"), ("n-7", "slack:T02AB/U8BO = bo")]


async def test_who_may_not_answer_messages(site: Any) -> None:
    posted = await site.ask("a-1")
    assert "needs the permission notifications.write" in await site.said(site.fake.click(posted, values.ANSWER, "U9CY"))


async def test_where_no_messages_are_sent(site: Any) -> None:
    posted = await site.ask("a-1")
    assert (
        await site.said(site.fake.click(posted, values.ANSWER))
        == "The message 'n-7' is not known\ntry  healer notify outbox\n"
    )


async def test_a_link_and_unknown_buttons_do_nothing(site: Any) -> None:
    posted = await site.ask("a-1")
    for action in (values.OPEN, "somebody-elses"):
        click = site.fake.click(posted, values.APPROVE)
        click["actions"][0]["action_id"] = action
        assert await site.said(click) == ""
    for kind in ("view_closed", "shortcut", "message_action"):
        assert await site.said(site.fake.click(posted, values.APPROVE) | {"type": kind}) == ""
    assert site.fake.asked("users.info") == []


async def test_an_answer_goes_to_slack_alone(site: Any) -> None:
    """An address of anybody else's is not asked; then it is said in the channel, to them alone."""
    site.fake.user("U4DI")
    posted = await site.ask("a-1")
    for url in (
        "https://hooks.slack.com.evil.example/x",
        "http://127.0.0.1:1/x",
        "https://hooks.slack.com@evil.example/",
        "file:///etc/passwd",
        "",
    ):
        click = site.fake.click(posted, values.APPROVE, "U4DI") | {"response_url": url}
        assert await site.said(click) == ""
    assert {(one["channel"], one["user"]) for one in site.fake.ephemerals} == {("C0OPS", "U4DI")}
    assert len(site.fake.ephemerals) == 5
    assert fake_slack.words(site.fake.ephemerals[0]["blocks"]).strip() == STRANGER


async def test_an_answer_that_slack_does_not_take_changes_nothing(site: Any) -> None:
    posted = await site.ask("a-1")
    site.fake._urls.clear()
    site.fake.fault("chat.postEphemeral", fake_slack.error("channel_not_found"), times=9)
    click = site.fake.click(posted, values.APPROVE)
    site.fake._urls.clear()
    await site.said(click)
    await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.states() == {"a-1": "approved"}


async def test_what_slack_is_told_has_no_marks(site: Any) -> None:
    said = await site.heal("approve <!channel>\u202e*x*")
    assert said == "One request that begins with '<!channel>\\u202e*x*' is not known\ntry  healer approvals\n"
    assert "&lt;!channel&gt;" in site.fake.responses[0]["text"]


# --- bounds ---------------------------------------------------------------------------------------------------------------


async def test_more_than_can_be_done_is_refused(site: Any) -> None:
    posted = await site.ask("a-1")
    site.fake.fault("users.info", fake_slack.hang, times=desk.WORKERS)
    site.desk._queue._maxsize = 3  # type: ignore[attr-defined]
    users = [f"U{n}X" for n in range(desk.WORKERS + 3)]
    for user in users[: desk.WORKERS]:
        await site.fake.deliver(site.room.session, site.room.url(""), site.fake.click(posted, values.APPROVE, user))
    await site.fake.until(lambda: site.fake.faults[0].times == 0)
    answers = [
        await site.fake.deliver(site.room.session, site.room.url(""), site.fake.click(posted, values.APPROVE, user))
        for user in (*users[desk.WORKERS :], "U7ANA")
    ]
    assert [status for status, _ in answers] == [200, 200, 200, 503]
    site.fake.release.set()
    await site.done()
    assert await site.states() == {"a-1": "open"}


async def test_whatever_fails_in_a_click_the_next_one_is_taken(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = await site.ask("a-1")
    submit = site.room.services.store.submit

    async def broken(_unit: Any) -> Any:
        raise RuntimeError("a mistake of ours with xoxb-canary")

    monkeypatch.setattr(site.room.services.store, "submit", broken)
    assert (
        await site.said(site.fake.click(posted, values.APPROVE))
        == "Something went wrong here, not in what you did. It is in healer's log.\n"
    )
    monkeypatch.setattr(site.room.services.store, "submit", submit)
    await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.states() == {"a-1": "approved"}


async def test_without_slack_there_is_no_door(site: Any) -> None:
    posted = await site.ask("a-1")
    click = site.fake.click(posted, values.APPROVE)
    site.account = None
    await site.desk.refresh()
    assert (await site.fake.deliver(site.room.session, site.room.url(""), click))[0] == 404
    assert site.desk.shown() is None
    site.room.services.slack = None
    assert (await site.fake.deliver(site.room.session, site.room.url(""), click))[0] == 404


async def test_what_is_shown_of_it(site: Any) -> None:
    assert site.desk.shown() == {
        "team": "T02AB", "http": True, "socket": False, "connected": None, "since": None, "error": None, "waiting": 0,
    }  # fmt: skip


async def test_it_runs_until_it_is_cancelled_and_hears_of_reloads(site: Any) -> None:
    await site.desk.stop()
    site.fake.ahead_s = 60  # what is signed around the start is refused
    account, site.account = site.account, None
    running = asyncio.create_task(site.desk.run())
    await site.until(lambda: site.desk._workers)
    assert site.desk.shown() is None
    site.account = account
    site.desk.reloaded()
    await site.until(lambda: site.desk.shown() is not None)
    posted = await site.ask("a-1")
    await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.states() == {"a-1": "approved"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert site.desk.shown() is None


async def test_what_was_taken_before_a_reload_is_done_with_the_app_of_before(site: Any) -> None:
    """And where that is closed by then, nothing is done, and nothing is left open."""
    posted = await site.ask("a-1")
    app = site.desk._app
    await app.close()
    await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.states() == {"a-1": "open"}
    assert app.api._session is None or app.api._session.closed


async def test_who_tries_to_decide_and_may_not_is_on_record(site: Any) -> None:
    """Unknown people, those of other workspaces, who asked for it, and those without the role; not who only looks."""
    for user in ("U4DI", "U9CY"):
        site.fake.user(user)
    posted = await site.ask("a-1", requester=f"slack:{fake_slack.TEAM}/U7ANA = ana")
    await site.said(site.fake.click(posted, values.APPROVE, "U4DI"))
    await site.said(site.fake.click(posted, values.REJECT, "U9CY", of="T9FAR"))
    await site.said(site.fake.click(posted, values.APPROVE, "U7ANA"))
    await site.said(site.fake.click(posted, values.APPROVE, "U9CY"))
    await site.heal("approve a-1", "U4DI")
    await site.heal("status", "U4DI")
    rows = await site.room.services.store.reader.select(
        "SELECT record FROM audit WHERE kind = 'review_refused' ORDER BY seq", []
    )
    found = [json.loads(row["record"]) for row in rows]
    team = fake_slack.TEAM
    assert [(one["actor"], one["approval"], one["word"], one["code"]) for one in found] == [
        (f"slack:{team}/U4DI", "a-1", "approve", "unknown-person"), (f"slack:{team}/U9CY", "a-1", "reject", "not-from-here"),
        (f"slack:{team}/U7ANA = ana", "a-1", "approve", "may-not-approve"), (f"slack:{team}/U9CY = cy", "a-1", "approve", "forbidden"),
        (f"slack:{team}/U4DI", "a-1", "approve", "unknown-person"),
    ]  # fmt: skip
    assert await site.states() == {"a-1": "open"}


@pytest.mark.parametrize(("text", "word"), [
    ('"approve" a-1', "approve"), ("'Reject' 'a-1' no", "reject"), ('approve "a-1" looks fine', "approve"), ('"approve"a-1', "approve"),
])  # fmt: skip
async def test_a_command_with_quotes_is_noted_as_it_is_read(site: Any, text: str, word: str) -> None:
    site.fake.user("U4DI")
    await site.heal(text, "U4DI")
    rows = await site.room.services.store.reader.select("SELECT record FROM audit WHERE kind = 'review_refused'", [])
    found = [json.loads(row["record"]) for row in rows]
    assert [(one["approval"], one["word"], one["code"]) for one in found] == [("a-1", word, "unknown-person")]


async def test_a_refusal_names_somebody_as_they_are_named(site: Any) -> None:
    site.people(access.Person("é", ("approver",), slack="T02AB/U8BO"))
    posted = await site.ask("a-1", requester="slack:T02AB/U8BO")
    assert (
        await site.said(site.fake.click(posted, values.APPROVE, "U8BO")) == "é may not decide this: you asked for it.\n"
    )
    await site.heal("pause all", "U8BO")
    assert (await site.heal("resume all", "U8BO")).startswith("é may not do this; it needs the permission resume")
