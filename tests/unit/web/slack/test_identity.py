"""Who somebody in Slack is here: nobody but members of the workspace in good standing, as Slack says at this moment."""

from __future__ import annotations

from typing import Any

import fake_slack
import pytest

from healer import access
from healer.notify.channels import _slack_values as values

STRANGER = (
    'You are T02AB/U4DI and not known to healer. Ask an admin to add to healer.yaml:  principals: {NAME: {slack: "T02AB/U4DI", '
    "roles: [approver]}}"
)


async def test_somebody_unknown_is_told_what_to_do(site: Any) -> None:
    site.fake.user("U4DI")
    posted = await site.ask("a-1")
    for payload in (
        site.fake.click(posted, values.APPROVE, "U4DI"),
        site.fake.command("status", "U4DI"),
        site.fake.command("", "U4DI"),
    ):
        assert await site.said(payload) == STRANGER + "\n"
    assert await site.states() == {"a-1": "open"}
    assert site.fake.views == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"is_bot": True}, "you are a bot"), ({"deleted": True}, "you are deactivated in Slack"),
        ({"is_restricted": True}, "you are a guest of this workspace"), ({"is_ultra_restricted": True}, "you are a guest of this workspace"),
        ({"team_id": "T9FAR"}, "you are of another workspace"), ({"is_stranger": True}, "you are of another workspace"),
    ],
)  # fmt: skip
async def test_who_is_no_member_in_good_standing_does_nothing(site: Any, change: dict[str, Any], said: str) -> None:
    """Though healer.yaml knows them."""
    posted = await site.ask("a-1")
    site.fake.users["U7ANA"] |= change
    for action in (values.APPROVE, values.CHOOSE, values.REJECT, values.ANSWER):
        assert await site.said(site.fake.click(posted, action)) == f"You may do nothing here: {said}.\n"
    assert await site.heal("pause all") == f"You may do nothing here: {said}.\n"
    assert await site.states() == {"a-1": "open"}
    assert (site.fake.views, await site.room.services.switch.pauses()) == ([], [])


async def test_another_workspace_is_not_this_one(site: Any) -> None:
    """Nor is somebody of another one who shares a channel (their user has another team), nor one who is known there."""
    posted = await site.ask("a-1")
    for payload in (
        site.fake.click(posted, values.APPROVE, team="T9FAR"), site.fake.click(posted, values.APPROVE, of="T9FAR"),
        site.fake.command("status", team_id="T9FAR"),
    ):  # fmt: skip
        assert await site.said(payload) == "You may do nothing here: you are of another workspace.\n"
    assert site.fake.asked("users.info") == [], "nobody is asked about"
    assert await site.states() == {"a-1": "open"}


async def test_a_name_is_no_identity(site: Any) -> None:
    site.fake.user("U4DI", name="ana", real_name="Ana", profile={"email": "ana@example.org", "display_name": "ana"})
    posted = await site.ask("a-1")
    click = site.fake.click(posted, values.APPROVE, "U4DI")
    click["user"] |= {"username": "ana", "name": "ana"}
    assert "not known to healer" in await site.said(click)


@pytest.mark.parametrize("user", ["USLACKBOT", "U" + "A" * 30])
async def test_who_is_nobody(site: Any, user: str) -> None:
    posted = await site.ask("a-1")
    said = await site.said(site.fake.click(posted, values.APPROVE, user))
    assert said in (
        "You may do nothing here: you are no person.\n",
        "You may do nothing here: Slack does not know you.\n",
    )
    assert await site.states() == {"a-1": "open"}


@pytest.mark.parametrize(
    "behave",
    [
        fake_slack.error("internal_error"),
        fake_slack.limited(30),
        fake_slack.html(502),
        fake_slack.drop,
        fake_slack.error("invalid_auth"),
    ],
)
async def test_without_slacks_word_on_who_it_is_nothing_is_decided(site: Any, behave: Any) -> None:
    posted = await site.ask("a-1")
    site.fake.fault(
        "users.info", behave, times=2 if behave is fake_slack.drop else 1
    )  # what reads is asked once more by aiohttp
    assert (await site.said(site.fake.click(posted, values.APPROVE))).startswith(
        "Nothing was done: who you are cannot be asked of Slack now"
    )
    assert await site.states() == {"a-1": "open"}
    assert await site.said(site.fake.click(posted, values.APPROVE)) == ""
    assert await site.states() == {"a-1": "approved"}


@pytest.mark.parametrize("flag", ["is_bot", "deleted", "is_restricted", "is_ultra_restricted", "team_id", "id"])
async def test_an_answer_that_says_too_little_is_none(site: Any, flag: str) -> None:
    posted = await site.ask("a-1")
    del site.fake.users["U7ANA"][flag]
    assert await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.states() == {"a-1": "open"}


# --- groups ---------------------------------------------------------------------------------------------------------------

ONCALL = access.Person("oncall-group", ("oncall",), slack_group="T02AB/S1")


async def test_members_of_a_group_each_have_a_word_of_their_own(site: Any) -> None:
    site.people(*PEOPLE_BUT_ANA, ONCALL)
    site.fake.groups["S1"] = ["U7ANA", "U8BO"]
    posted = await site.ask("a-1", want=2, roles=("oncall",))
    await site.said(site.fake.click(posted, values.APPROVE))
    await site.said(site.fake.click(posted, values.APPROVE, "U8BO"))
    assert await site.states() == {"a-1": "approved"}
    assert [one[1] for one in await site.reviews()] == ["slack:T02AB/U7ANA", "bo"]
    assert (await site.heal("whoami")).startswith(
        "You are slack:T02AB/U7ANA.\nroles  oncall (rulesets web/*, targets group:web)"
    )
    assert (await site.heal("whoami", "U8BO")).startswith("You are slack:T02AB/U8BO = bo.\nroles  approver, oncall (")


PEOPLE_BUT_ANA = (access.Person("bo", ("approver",), slack="T02AB/U8BO"),)


async def test_who_left_the_group_a_moment_ago_decides_nothing(site: Any) -> None:
    site.people(*PEOPLE_BUT_ANA, ONCALL)
    site.fake.groups["S1"] = ["U7ANA"]
    posted = await site.ask("a-1", roles=("oncall",))
    assert "oncall" in await site.heal("whoami")
    site.fake.groups["S1"] = []
    assert "oncall" in await site.heal("whoami"), "for a look what was true a minute ago will do"
    assert "not known to healer" in await site.said(site.fake.click(posted, values.APPROVE))
    assert await site.states() == {"a-1": "open"}


@pytest.mark.parametrize(
    "behave",
    [fake_slack.error("internal_error"), fake_slack.error("missing_scope", needed="usergroups:read"), fake_slack.drop],
)
async def test_a_group_that_cannot_be_asked_gives_nobody_anything(site: Any, behave: Any) -> None:
    site.people(*PEOPLE_BUT_ANA, ONCALL)
    site.fake.groups["S1"] = ["U7ANA", "U8BO"]
    posted = await site.ask("a-1", want=2, roles=("oncall", "approver"))
    await site.heal("whoami")
    site.fake.fault("usergroups.users.list", behave, times=9)
    assert (await site.said(site.fake.click(posted, values.APPROVE))).startswith(
        "Nothing was done: who you are cannot be asked"
    )
    await site.said(site.fake.click(posted, values.APPROVE, "U8BO"))
    (review,) = await site.room.services.store.reader.select("SELECT person, role FROM review", [])
    assert (review["person"], review["role"]) == ("bo", "approver"), "who is known by name has their own roles alone"
    assert await site.states() == {"a-1": "open"}


async def test_a_group_of_another_workspace_is_not_asked_for(site: Any) -> None:
    site.people(access.Person("far", ("oncall",), slack_group="T9FAR/S1"))
    site.fake.groups["S1"] = ["U7ANA"]
    posted = await site.ask("a-1", roles=("oncall",))
    assert "not known to healer" in await site.said(site.fake.click(posted, values.APPROVE))
    assert site.fake.asked("usergroups.users.list") == []
