"""What a name means in `/heal approve` and `/heal reject`: shown, asked for, and decided as it was shown."""

from __future__ import annotations

from typing import Any

import pytest

from healer import access
from healer.notify.channels import _slack_values as values
from healer.web.slack import deciding, naming

READER, NOBODY_MUCH = "U9CY", "U8BO"


async def test_a_word_on_a_request(site: Any) -> None:
    await site.ask("a-1", "a-2", "a-3")
    assert (await site.heal("approve a-1", READER)).startswith(
        "cy may not do this; it needs the permission approvals.decide"
    )
    assert (await site.heal("approve a-1 looks fine")).splitlines() == [
        "a-1: approved",
        "rule      web/alerts/restart",
        "action    restart_service",
        "will run  local  script  scripts/restart.sh  service=nginx",
        "  a-1  r-aaaaaa  web01",
    ]
    assert (
        await site.heal("reject a-2") == "Which request, and why? /heal reject REQUEST REASON\ntry  healer approvals\n"
    )
    said = await site.heal(f"reject {site.runs['a-2']} not today", NOBODY_MUCH)
    assert said.splitlines()[0::4] == ["a-2: rejected", "  a-2  r-aaaaaa  web02"]
    assert await site.reviews() == [("a-1", "ana", 1, "looks fine"), ("a-2", "bo", 0, "not today")]
    assert "nothing waits for a word on it any more" in await site.heal("approve a-1")
    assert "which request?" in (await site.heal("approve")).lower()


def _private(site: Any, action: str, user: str = "U7ANA") -> dict[str, Any]:
    """A click on a button of the last answer."""
    (row,) = [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]
    (button,) = [one for one in row["elements"] if one["action_id"] == action]
    return site.fake._interaction("block_actions", user, "T02AB", "") | {
        "container": {"type": "message", "is_ephemeral": True, "channel_id": "C0OPS"}, "channel": {"id": "C0OPS"}, "actions": [button],
    }  # fmt: skip


async def _bundle(site: Any) -> str:
    return str((await site.room.ask("GET", "/approvals"))[1]["items"][0]["bundle"])


async def test_a_word_on_many_alike_is_asked_for(site: Any) -> None:
    await site.ask("a-1", "a-2", "a-3")
    bundle = await _bundle(site)
    assert (await site.heal(f"approve {bundle} all of them")).splitlines()[:7] == [
        "Approve these 3 requests?",
        "rule      web/alerts/restart",
        "action    restart_service",
        "will run  local  script  scripts/restart.sh  service=nginx",
        "  a-1  r-aaaaaa  web01",
        "  a-2  r-aaaaaa  web02",
        "  a-3  r-aaaaaa  web03",
    ]
    assert await site.reviews() == []
    click = _private(site, values.APPROVE)
    assert click["actions"][0]["text"]["text"] == "Approve all 3"
    await site.ask("a-4")
    assert await site.said(click) == "a-1, a-2, a-3: approved\n"
    assert site.fake.responses[-1]["replace_original"] is True
    assert await site.states() == {"a-1": "approved", "a-2": "approved", "a-3": "approved", "a-4": "open"}
    assert {one[3] for one in await site.reviews()} == {"all of them"}
    assert "is not known" in await site.heal("approve b-000000000000")


async def test_what_they_are_shown_is_what_they_decide(site: Any) -> None:
    await site.ask("a-1", "a-2")
    await site.heal(f"approve {await _bundle(site)}")
    click = _private(site, values.APPROVE)

    def apply(tx: Any) -> None:
        tx.connection.execute("UPDATE approval SET digest = 'ffff' || substr(digest, 5) WHERE id = 'a-2'")

    await site.seed.do(site.room, apply)
    said = await site.said(click)
    assert said.splitlines()[0] == "a-1: approved"
    assert "the request a-2 is not for what was shown" in said
    assert await site.states() == {"a-1": "approved", "a-2": "open"}


async def test_many_alike_are_rejected_in_a_form_that_has_the_reason(site: Any) -> None:
    await site.ask("a-1", "a-2")
    said = await site.heal(f"reject {await _bundle(site)} not today")
    assert said.startswith("Reject these 2 requests?\n")
    assert await site.said(_private(site, values.REJECT)) == ""
    (view,) = site.fake.views
    assert view["blocks"][-1]["element"]["initial_value"] == "not today"
    form = site.fake.submit(view, {"which0": ["a-2"], "reason": "not today"})
    assert await site.said(form) == "a-2: rejected\n"
    assert site.fake.responses[-1]["replace_original"] is True
    assert await site.reviews() == [("a-2", "ana", 0, "not today")]


async def test_the_beginning_of_a_name_decides_nothing(site: Any) -> None:
    await site.ask("a-11", "a-1")
    assert (await site.heal("approve a-1")).startswith("a-1: approved\n"), "a whole one, though another begins so"
    assert (await site.heal("approve a-11")).startswith("a-11: approved\n")
    await site.ask("a-777")
    assert (await site.heal("approve a-7 fine")).startswith("Approve this request?\n")
    assert (await site.states())["a-777"] == "open"
    assert await site.said(_private(site, values.APPROVE)) == "a-777: approved\n"
    assert "nothing waits for a word on it any more" in await site.heal("approve a-7")


async def test_a_beginning_of_several_says_which(site: Any) -> None:
    await site.ask("a-71", "a-72")
    assert await site.heal("approve a-7") == "'a-7' is the beginning of 2 ids\ntry  one of: a-71, a-72\n"
    said = await site.heal("approve a-7", READER)
    assert "it needs the permission approvals.decide" in said
    assert "a-71" not in said
    assert [*(await site.states()).values()] == ["open", "open"]


async def test_the_beginning_of_the_name_of_many_alike_is_asked_for(site: Any) -> None:
    await site.ask("a-1", "a-2")
    bundle = await _bundle(site)
    assert (await site.heal(f"approve {bundle[:5]}")).startswith("Approve these 2 requests?\n")
    await site.ask("a-3", requester="key:di")
    first, second = sorted({one["bundle"] for one in (await site.room.ask("GET", "/approvals"))[1]["items"]})
    assert await site.heal("reject b- no") == f"'b-' is the beginning of 2 ids\ntry  one of: {first}, {second}\n"
    assert (await site.heal(f"approve {bundle}")).startswith("Approve these 2 requests?\n")
    assert await site.heal("approve b-00") == "An open request of 'b-00' is not known\ntry  healer approvals\n"


async def test_who_may_not_decide_is_shown_nothing(site: Any) -> None:
    await site.ask("a-1", "a-2")
    said = await site.heal(f"approve {await _bundle(site)}", READER)
    assert "it needs the permission approvals.decide" in said
    assert "web01" not in said
    records = [one["record"] for one in await site.room.records()]
    assert any('"review_refused"' in one for one in records)


async def test_only_as_many_as_are_shown_are_asked_about(site: Any) -> None:
    names = [f"a-{'x' * 24}{n:02}" for n in range(60)]
    await site.ask(*names)
    bundle = await _bundle(site)
    said = await site.heal(f"approve {bundle} {'w' * 400}")
    shown = [line.split()[0] for line in said.splitlines() if line.startswith("  a-")]
    click = _private(site, values.APPROVE)
    assert 20 < len(shown) < 60
    assert said.splitlines()[0] == (
        f"Approve the first {len(shown)} of 60 requests? Say it again for the others, once these are decided."
    )
    assert click["actions"][0]["text"]["text"] == f"Approve the first {len(shown)} of 60"
    await site.said(click)
    assert [name for name, state in (await site.states()).items() if state == "approved"] == shown


async def test_what_is_too_long_to_be_shown_is_not_asked_about(site: Any) -> None:
    await site.ask("a-1", "a-2")

    def apply(tx: Any, run: str, size: int) -> None:
        tx.connection.execute("UPDATE run SET parameters = ? WHERE id = ?", (f'{{"text": "{"t" * size}\\u202e"}}', run))

    await site.seed.do(site.room, lambda tx: apply(tx, site.runs["a-2"], 4_000))
    bundle = await _bundle(site)
    assert (await site.heal(f"approve {bundle}")).startswith("Approve the first 1 of 2 requests?")
    await site.seed.do(site.room, lambda tx: apply(tx, site.runs["a-1"], 1_000))
    said = await site.heal(f"approve {bundle}")
    assert "t" * 1_000 + "\\u202e" in said
    await site.seed.do(site.room, lambda tx: apply(tx, site.runs["a-1"], 4_000))
    assert await site.heal(f"approve {bundle}") == (
        "What would run is too long to be shown here, and nobody decides what they do not see\ntry  healer approvals show a-1\n"
    )


async def test_of_many_alike_only_what_is_shown_whole_is_in_the_button(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.ask("a-1", "a-2", "a-3")
    bundle = (await site.room.ask("GET", "/approvals"))[1]["items"][0]["bundle"]
    *_, third = whole = (await site.heal(f"approve {bundle}")).splitlines()[1:7]
    assert (whole[1], whole[3:]) == ("action    restart_service", [f"  a-{n}  r-aaaaaa  web0{n}" for n in (1, 2, 3)])
    monkeypatch.setattr(naming, "TEXT_MAX", len("\n".join(whole)) - 1)
    said = await site.heal(f"approve {bundle}")
    assert said.startswith("Approve the first 2 of 3 requests? Say it again for the others")
    assert third not in said
    (row,) = [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]
    assert [one.request for one in deciding.meant(row["elements"][0]["value"])] == ["a-1", "a-2"]
    monkeypatch.setattr(naming, "TEXT_MAX", 5)
    assert (await site.heal(f"approve {bundle}")).startswith("What would run is too long to be shown here")
    assert not [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]


async def test_two_have_to_agree(site: Any) -> None:
    await site.ask("a-1", want=2)
    assert (await site.heal("approve a-1")).startswith("a-1: your word counts, more are wanted\n")
    assert (await site.heal("approve a-1")).startswith("You said something on it before, and that stands.\n")


async def test_a_role_for_something_else_decides_nothing(site: Any) -> None:
    await site.ask("a-1")
    site.people(access.Person("ana", ("dba",), slack="T02AB/U7ANA"))
    assert "only for rulesets db/*" in await site.heal("approve a-1")
    assert await site.states() == {"a-1": "open"}
