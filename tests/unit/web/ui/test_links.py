"""Signed links: for one person, one request, one word, until it expires; looking changes nothing and shows nothing else."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import loguru
import pytest

from healer import access, tickets
from healer.store import ticketing

RUN = "r-" + "a" * 26


@pytest.fixture
def ana(people: Any) -> None:
    people(ana=("oncall",), bo=("approver",))


@pytest.fixture
async def link(room: Any) -> Any:
    """`await link("ana")`: the path of a link to `a-1`."""

    async def make(person: str = "ana", approval: str = "a-1", life_s: float = 600) -> str:
        key = await ticketing.key(room.services.store)
        expires_us = room.services.clock.now_us + round(life_s * 1e6)
        return tickets.PATH + tickets.sign(key, tickets.Ticket(approval, person, expires_us))

    return make


async def state_of(room: Any) -> tuple[str, list[Any]]:
    """(state, who said what) of the request."""
    item = (await room.ask("GET", "/approvals/a-1"))[1]
    return item["state"], [(one["person"], one["approves"], one["reason"]) for one in item["reviews"]]


def form(page: Any, word: str = "approve", reason: str = "") -> dict[str, str]:
    """The form of the page, filled in."""
    hidden = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
    return hidden | {"word": word, "reason": reason}


async def changes(room: Any) -> Any:
    """What of the store looking must not change."""
    connection = room.services.store.writer.tx.connection
    return connection.total_changes, len(await room.records())


async def test_looking_changes_nothing(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    before = await changes(room)
    for _ in range(3):
        for method in ("GET", "HEAD"):
            assert (await made.ask(method, path)).status == 200
    assert await changes(room) == before
    assert await state_of(room) == ("open", [])
    page = await made.get(path)
    for part in (
        "You are asked as ana",
        "restart_service by local",
        "script scripts/restart.sh",
        "service nginx",
        "host:web1",
        "1 of 2 in web (50 %)",
    ):
        assert part in page.said
    assert page.cookies == []


async def test_a_link_shows_nothing_else(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    made = await browser()
    page = await made.get(await link())
    assert page.links == ["/ui/static/style.css", "/ui/static/icon.svg"]
    await made.post(await link(), form(page))
    for path in ("/ui", "/ui/approvals", "/ui/approvals/a-1", f"/ui/runs/{RUN}"):
        assert (await made.get(path)).goes_to.startswith("/ui/login")


async def test_the_word_of_its_person(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    answer = await made.post(path, form(await made.get(path), "approve", "I looked"))
    assert answer.goes_to == path
    assert await state_of(room) == ("approved", [("ana", True, "I looked")])
    assert room.looked == 1
    records = "".join(one["record"] for one in await room.records())
    text = path.removeprefix(tickets.PATH)
    assert f'"actor":"{tickets.actor(text)} = ana"' in records
    assert text not in records
    key = await ticketing.key(room.services.store)
    assert key.hex() not in records


async def test_a_no(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    await made.post(path, form(await made.get(path), "reject"))
    assert await state_of(room) == ("rejected", [("ana", False, "")])


async def test_it_is_used_once_and_then_says_who_decided(
    room: Any, browser: Any, asked: Any, ana: None, link: Any
) -> None:
    await asked(want=2)
    path, made = await link(), await browser()
    fields = form(await made.get(path))
    assert (await made.post(path, fields)).goes_to == path
    page = await made.get(path)
    assert page.status == 200
    assert "This link was used: ana approved it at 2026-09-21" in page.said
    assert 'value="approve"' not in page.text
    again = await made.post(path, fields | {"word": "reject"})
    assert again.status == 409
    assert "used" in again.said
    assert "ana approved it" in again.said
    assert await state_of(room) == ("open", [("ana", True, "")])
    other = await link("bo")
    await made.post(other, form(await made.get(other)))
    assert "The request is approved: ana approved it at" in (await made.get(path)).said


async def test_a_hundred_at_once_are_one_word(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked(want=2)
    path, made = await link(), await browser()
    fields = form(await made.get(path))
    answers = await asyncio.gather(*(made.post(path, fields | {"word": word}) for word in ("approve", "reject") * 50))
    assert sorted({one.status for one in answers}) == [303, 409]
    assert sum(one.status == 303 for one in answers) == 1
    assert len((await state_of(room))[1]) == 1
    assert sum('"kind":"review"' in one["record"] for one in await room.records()) == 1


async def test_a_word_said_elsewhere_stands(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    fields = form(await made.get(path), "reject")
    other = await browser("bo")
    await other.post("/ui/approvals/a-1", (await other.get("/ui/approvals/a-1")).fields() | {"word": "approve"})
    answer = await made.post(path, fields)
    assert answer.status == 409
    assert "The request is approved: bo approved it at" in answer.said
    assert 'value="approve"' not in answer.text


async def test_who_asked_does_not_approve_by_a_link_either(
    room: Any, browser: Any, asked: Any, ana: None, link: Any
) -> None:
    await asked(requester="slack:T1/U1 = ana")
    path, made = await link(), await browser()
    fields = form(await made.get(path))
    answer = await made.post(path, fields)
    assert answer.status == 403
    assert "you asked for it" in answer.said
    assert await state_of(room) == ("open", [])
    (record,) = (await room.ask("GET", "/audit?kind=review_refused"))[1]["items"]
    assert (record["approval"], record["code"], record["word"]) == ("a-1", "may-not-approve", "approve")
    assert (
        await made.post(path, fields | {"word": "reject"})
    ).status == 303  # the link was not used up by what was refused


async def test_it_ends_with_its_time(room: Any, browser: Any, asked: Any, ana: None, link: Any, ahead: Any) -> None:
    await asked()
    path, made = await link(life_s=60), await browser()
    fields = form(await made.get(path))
    ahead(60)
    for answer in (await made.get(path), await made.post(path, fields)):
        assert answer.status == 410
        assert "This link was good until 2026-09-21" in answer.said
        assert "restart_service" not in answer.text
    assert await state_of(room) == ("open", [])


async def test_a_request_that_expired_before_its_row_says_so(
    room: Any, browser: Any, asked: Any, ana: None, link: Any, ahead: Any
) -> None:
    await asked(expires_us=room.services.clock.now_us + 60_000_000)
    path, made = await link(life_s=600), await browser()
    fields = form(await made.get(path))
    ahead(61)
    answer = await made.post(path, fields)
    assert answer.status == 409
    assert "is expired" in answer.said
    assert 'value="approve"' not in answer.text


async def test_roles_are_those_of_now(room: Any, browser: Any, asked: Any, ana: None, link: Any, people: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    fields = form(await made.get(path))
    for roles in ((), ("readonly",), ("dba",), ("ci",)):
        people(ana=roles)
        for answer in (await made.get(path), await made.post(path, fields)):
            assert answer.status == 403, roles
            assert "approvals.decide" in answer.said
            assert "scripts/restart.sh" not in answer.text
    people(bo=("approver",))
    answer = await made.get(path)
    assert answer.status == 403
    assert "ana, who is not in healer.yaml any more" in answer.said
    assert await state_of(room) == ("open", [])
    people(ana=("oncall",))
    assert (await made.post(path, fields)).status == 303


async def test_sent_to_an_address_that_is_not_theirs_any_more_it_is_refused(
    room: Any, browser: Any, asked: Any, ana: None
) -> None:
    """Whoever was taken for ana has it."""
    await asked()
    keys, made = room.services.gate.keys, await browser()

    def known(**identities: str) -> None:
        person = access.Person("ana", ("approver",), **identities)
        keys.use(access.Directory({}, {"ana": person}), keys.files)

    key, to = await ticketing.key(room.services.store), tickets.address("slack", "T02AB/U7ANA")
    path = tickets.PATH + tickets.sign(key, tickets.Ticket("a-1", "ana", 1 << 60, to))
    known(slack="T02AB/U7ANA")
    fields = form(await made.get(path))
    for identities in ({"slack": "T02AB/U9CY"}, {}, {"email": "T02AB/U7ANA"}):
        known(**identities)
        for answer in (await made.get(path), await made.post(path, fields)):
            assert answer.status == 403
            assert "an address that healer.yaml does not name for ana any more" in answer.said
            assert "scripts/restart.sh" not in answer.text
    assert await state_of(room) == ("open", [])
    known(slack="T02AB/U7ANA", email="ana@example.org")
    assert (await made.post(path, fields)).status == 303


async def test_tampered_or_cut_it_opens_nothing(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    fields = form(await made.get(path))
    text = path.removeprefix(tickets.PATH)
    wrong = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(0, len(text), 7)]
    wrong += [text[:length] for length in range(1, len(text), 9)]
    wrong += [text + "A", text + "=", "x", "ü", "A" * 3000]
    for one in wrong:
        for answer in (await made.get(tickets.PATH + one), await made.post(tickets.PATH + one, fields)):
            assert answer.status == 404, one
            assert "restart_service" not in answer.text
    assert await state_of(room) == ("open", [])


async def test_before_there_is_a_key_no_link_is_ours(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked()
    text = tickets.sign(bytes(32), tickets.Ticket("a-1", "ana", 1 << 60))
    assert (await (await browser()).get(tickets.PATH + text)).status == 404
    assert await ticketing.known_key(room.services.store.reader) is None


@pytest.mark.parametrize("wrong", ["missing", "of another link", "of a session", "cross-site", "origin", "digest"])
async def test_a_form_that_is_not_of_its_page(
    room: Any, browser: Any, asked: Any, ana: None, link: Any, wrong: str
) -> None:
    await asked()
    path, made = await link(), await browser("bo")
    fields, headers = form(await made.get(path)), {"Sec-Fetch-Site": "same-origin"}
    if wrong == "missing":
        del fields["token"]
    elif wrong == "of another link":
        fields["token"] = form(await made.get(await link("bo")))["token"]
    elif wrong == "of a session":
        fields["token"] = (await made.get("/ui")).token()
    elif wrong == "digest":
        fields["digest"] = "0" * 12
    else:
        headers = {"Sec-Fetch-Site": wrong} if wrong == "cross-site" else {"Origin": "https://evil.example"}
    answer = await made.post(path, fields, headers)
    assert answer.status == (409 if wrong == "digest" else 403)
    assert await state_of(room) == ("open", [])


async def test_who_is_logged_in_decides_as_the_links_person(
    room: Any, browser: Any, asked: Any, ana: None, link: Any
) -> None:
    await asked(want=2)
    path, made = await link("ana"), await browser("bo")
    page = await made.get(path)
    assert "laptop" not in page.said
    assert "Log out" not in page.said
    await made.post(path, form(page))
    assert [one[0] for one in (await state_of(room))[1]] == ["ana"]


async def test_logs_do_not_have_it(room: Any, browser: Any, asked: Any, ana: None, link: Any) -> None:
    await asked()
    path, made = await link(), await browser()
    text = path.removeprefix(tickets.PATH)
    lines: list[Any] = []
    sink = loguru.logger.add(lines.append, level=0)
    try:
        await made.get(path[:-1])
        await made.get(path + "/x")
        await made.post(path, {"word": "approve"})
        await made.post(path, form(await made.get(path)) | {"word": "maybe"})
        await made.post(path, form(await made.get(path)))
    finally:
        loguru.logger.remove(sink)
    said = "".join(f"{line}{line.record['extra']}" for line in lines)
    assert "/ui/decide/…" in said
    assert text[:20] not in said
