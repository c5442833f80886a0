"""Requests on a page: exactly what would run, one's word on one or on many, and nothing that was not shown."""

from __future__ import annotations

import re
from typing import Any

import pytest

from healer.web.ui import requests

RUN = "r-" + "a" * 26
MORE = {f"a-{n}": "r-" + letter * 26 for n, letter in enumerate("bcde", 2)}
HOSTILE = (
    "host:<script>alert(1)</script>",
    "host:we\u202eb1",
    "host:{{7*7}}",
    "host:\x1b[31mred",
    "host:'\"><img src=x>",
)


@pytest.fixture
def ana(people: Any) -> None:
    people(ana=("approver",), bo=("approver",), cy=("dba",), dan=("readonly",))


async def state_of(room: Any, name: str = "a-1") -> tuple[str, list[Any]]:
    """(state, who said what) of a request."""
    item = (await room.ask("GET", f"/approvals/{name}"))[1]
    return item["state"], [(one["person"], one["approves"], one["reason"]) for one in item["reviews"]]


async def say(made: Any, word: str = "approve", reason: str = "", name: str = "a-1", **more: str) -> Any:
    """The form of a request, filled in."""
    page = await made.get(f"/ui/approvals/{name}")
    return await made.post(f"/ui/approvals/{name}", page.fields() | {"word": word, "reason": reason} | more)


async def test_one_request_in_full(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked(requester="key:laptop = zoe", expires_us=room.services.clock.now_us + 1_740_000_000)
    said = (await (await browser("ana")).get("/ui/approvals/a-1")).said
    for part in (
        "restart_service by local", "script scripts/restart.sh", "service nginx", "host:web1", "1 of 2 in web (50 %)", "web/alerts/restart",
        "zoe (API key laptop)", "0 of 1 some people (approver, oncall)", "not from: requester", "(in 29 min)", "Nobody asked for one.",
    ):  # fmt: skip
        assert part in said, part
    digest = (await room.ask("GET", "/approvals/a-1"))[1]["digest"]
    assert f"Digest {digest}" in said


async def test_a_word_with_its_reason(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked()
    made = await browser("ana")
    answer = await say(made, reason=" it hangs,\r\n I looked ")
    assert answer.goes_to == "/ui/approvals"
    assert await state_of(room) == ("approved", [("ana", True, "it hangs, I looked")])
    assert room.looked == 1
    page = await made.get("/ui/approvals")
    assert "Request a-1: approved." in page.said
    assert "Nothing waits for a person." in page.said
    assert "Request a-1: approved." not in (await made.get("/ui/approvals")).said
    (review,) = [one for one in await room.records() if b'"review"' in one["record"].encode()]
    assert '"actor":"key:anas-laptop = ana"' in review["record"]


async def test_a_no(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked()
    assert (await say(await browser("ana"), "reject", "not now")).goes_to == "/ui/approvals"
    assert await state_of(room) == ("rejected", [("ana", False, "not now")])


async def test_several_people_are_wanted(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked(want=2)
    made = await browser("ana")
    await say(made)
    assert "noted; more people are wanted" in (await made.get("/ui/approvals")).said
    await say(made, "reject")
    assert "your first word stands" in (await made.get("/ui/approvals")).said
    page = await made.get("/ui/approvals/a-1")
    assert "1 of 2 some people" in page.said
    assert "ana (approver) approved" in page.said
    await say(await browser("bo"))
    assert (await state_of(room))[0] == "approved"


async def test_who_asked_does_not_approve(room: Any, browser: Any, asked: Any, ana: None) -> None:
    made = await browser("ana")
    requesters = (
        "key:laptop = ana",
        "os:x = ana",
        "slack:T1/U1 = ana",
        "link:0a1b2c3d4e = ana",
        "os:y = bo, link:00 = ana",
    )
    for number, requester in enumerate(requesters):
        name = f"a-of-{number}"
        await asked(name, f"r-{number:026d}", requester=requester)
        answer = await say(made, name=name)
        assert answer.status == 403, requester
        assert "you asked for it" in answer.said


async def test_who_may_not_decide_is_told_why(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked()
    made = await browser("dan")
    page = await made.get("/ui/approvals/a-1")
    assert page.status == 200
    assert "it needs the permission approvals.decide" in page.said
    assert 'value="approve"' not in page.text
    answer = await made.post("/ui/approvals/a-1", {"token": page.token(), "word": "approve"})
    assert answer.status == 403
    made = await browser("cy")  # may decide others
    answer = await say(made)
    assert answer.status == 403
    assert "only for rulesets db/*" in answer.said
    assert await state_of(room) == ("open", [])


async def test_a_request_that_is_over(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked()
    await say(await browser("bo"))
    made = await browser("ana")
    page = await made.get("/ui/approvals/a-1")
    assert "It is approved." in page.said
    assert 'value="approve"' not in page.text
    answer = await made.post("/ui/approvals/a-1", {"token": page.token(), "word": "reject"})
    assert answer.status == 409
    assert "is approved: nothing waits for a word on it any more" in answer.said
    assert "/ui/approvals/a-1" in answer.links


@pytest.mark.parametrize("wrong", [lambda _: "0" * 12, lambda shown: shown[:11], lambda shown: shown[:1], lambda _: ""])
async def test_what_is_decided_is_what_was_shown(room: Any, browser: Any, asked: Any, ana: None, wrong: Any) -> None:
    await asked()
    shown = (await room.ask("GET", "/approvals/a-1"))[1]["digest"]
    answer = await say(await browser("ana"), digest=wrong(shown))
    assert answer.status == 409
    made = await browser("ana")
    fields = {
        "token": (await made.get("/ui/approvals/a-1")).token(),
        "word": "approve",
        "requests": "a-1",
        "digest-a-1": wrong(shown),
    }
    assert (await made.post("/ui/approvals", fields)).status == 303
    assert "is something else now" in (await made.get("/ui/approvals")).said
    assert await state_of(room) == ("open", [])


@pytest.mark.parametrize("fields", [{}, {"word": ""}, {"word": "Approve"}, {"word": "approve", "reason": "x" * 501}])
async def test_a_word_is_one_of_two(room: Any, browser: Any, asked: Any, ana: None, fields: dict[str, str]) -> None:
    await asked()
    made = await browser("ana")
    token = (await made.get("/ui/approvals/a-1")).token()
    answer = await made.post("/ui/approvals/a-1", {"token": token, **fields})
    assert answer.status == 400
    assert await state_of(room) == ("open", [])


async def test_a_request_is_decided_by_its_whole_id(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked("a-12")
    made = await browser("ana")
    assert (await made.get("/ui/approvals/a-1")).status == 200
    token = (await made.get("/ui/approvals")).token()
    assert (await made.post("/ui/approvals/a-1", {"token": token, "word": "approve"})).status == 404


# --- many -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def several(asked: Any, ana: None) -> None:
    """`a-1` … `a-5` are alike."""
    await asked()
    for name, run in MORE.items():
        await asked(name, run)


async def bundle(made: Any) -> Any:
    """The page of those that are alike."""
    page = await made.get("/ui/approvals")
    assert "restart_service: 5 requests" in page.said
    return page


async def choose(made: Any, page: Any, *names: str, every: bool = False) -> Any:
    """Send the boxes that are ticked."""
    fields = [
        ("token", page.token()),
        *(("shown", one) for one in re.findall(r'name="shown" value="([^"]*)"', page.text)),
    ]
    fields += [*(("requests", one) for one in names), *([("every", "1")] if every else [])]
    return await made.post("/ui/approvals/chosen", fields)


def decision(page: Any, word: str) -> list[tuple[str, str]]:
    """The form of the chosen ones."""
    main = page.text.partition("<main")[2]
    hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', main)
    return [*hidden, ("word", word), ("reason", "looked at them")]


async def test_chosen_ones_are_looked_at_and_then_decided(room: Any, browser: Any, several: None) -> None:
    made = await browser("ana")
    page = await choose(made, await bundle(made), "a-2", "a-4")
    assert page.status == 200
    assert "Decide 2 requests" in page.said
    assert [await state_of(room, name) for name in ("a-2", "a-4")] == [("open", [])] * 2
    assert (await made.post("/ui/approvals", decision(page, "approve"))).goes_to == "/ui/approvals"
    shown = (await made.get("/ui/approvals")).said
    assert "Request a-2: approved." in shown
    assert "Request a-4: approved." in shown
    assert [(await state_of(room, f"a-{n}"))[0] for n in range(1, 6)] == [
        "open",
        "approved",
        "open",
        "approved",
        "open",
    ]


async def test_all_of_them_are_those_that_were_shown(room: Any, browser: Any, several: None, asked: Any) -> None:
    made = await browser("ana")
    before = await bundle(made)
    await asked("a-6", "r-" + "f" * 26)
    page = await choose(made, before, every=True)
    assert "Decide 5 requests" in page.said
    await made.post("/ui/approvals", decision(page, "reject"))
    assert [(await state_of(room, f"a-{n}"))[0] for n in range(1, 7)] == ["rejected"] * 5 + ["open"]


async def test_those_that_ended_meanwhile_are_told(room: Any, browser: Any, several: None) -> None:
    made = await browser("ana")
    before = await bundle(made)
    await say(await browser("bo"), name="a-2")
    page = await choose(made, before, "a-1", "a-2", "a-9")
    assert "2 of them wait no more" in page.said
    await say(await browser("bo"), name="a-1")
    third = ("requests", "a-3"), ("digest-a-3", (await made.get("/ui/approvals/a-3")).fields()["digest"])
    await made.post("/ui/approvals", [*decision(page, "approve"), *third])
    shown = (await made.get("/ui/approvals")).said
    assert "Request a-1: the request a-1 is approved" in shown
    assert "Request a-3: approved." in shown


def test_of_very_many_the_rest_is_counted_by_what_came_of_it() -> None:
    """What was refused stands first: it may want somebody."""
    items = [{"id": f"a-{n}", "state": "approved", "stood": False} for n in range(150)]
    items += [{"id": f"o-{n}", "state": "open", "stood": n == 0} for n in range(40)]
    refused = [{"id": f"g-{n}", "detail": "it is expired"} for n in range(10)]
    told = requests.told_of_many({"items": items, "refused": refused})
    assert told[:11] == [*(f"Request g-{n}: it is expired." for n in range(10)), "Request a-0: approved."]
    assert len(told) == requests.TOLD_MAX + 1
    assert told[-1] == (
        "And 180 more requests: 140 approved · 39 noted; more people are wanted · "
        "1 your first word stands; it is noted; more people are wanted."
    )
    assert requests.told_of_many({"items": items[:20], "refused": []})[-1] == "Request a-19: approved."


async def test_more_at_once_than_are_told_one_by_one(room: Any, browser: Any, asked: Any, ana: None) -> None:
    for n in range(1, 31):
        await asked(f"a-{n}", "r-" + f"{n:x}".rjust(26, "b"))
    made = await browser("ana")
    page = await choose(made, await made.get("/ui/approvals"), every=True)
    await made.post("/ui/approvals", decision(page, "approve"))
    shown = (await made.get("/ui/approvals")).said
    assert shown.count("Request a-") == requests.TOLD_MAX
    assert "And 10 more requests: 10 approved." in shown


async def test_of_many_nothing_is_decided_where_one_is_none_of_theirs(room: Any, browser: Any, several: None) -> None:
    made = await browser("cy")
    page = await choose(made, await bundle(made), every=True)
    answer = await made.post("/ui/approvals", decision(page, "approve"))
    assert answer.status == 403
    assert [await state_of(room, f"a-{n}") for n in range(1, 6)] == [("open", [])] * 5
    (record,) = (await room.ask("GET", "/audit?kind=review_refused"))[1]["items"]
    assert (record["approval"], record["more"], record["code"]) == ("a-1", 4, "forbidden")


@pytest.mark.parametrize("names", [(), ("",), ("x" * 65,), tuple(f"a-{n}" for n in range(1001))])
async def test_which_ones_is_said(room: Any, browser: Any, several: None, names: tuple[str, ...]) -> None:
    made = await browser("ana")
    page = await bundle(made)
    assert (await choose(made, page, *names)).status == 400
    fields = [("token", page.token()), ("word", "approve"), *(("requests", one) for one in names)]
    assert (await made.post("/ui/approvals", fields)).status == 400


async def test_choosing_needs_to_see_them(room: Any, browser: Any, several: None) -> None:
    made = await browser("ci")
    answer = await made.post("/ui/approvals/chosen", {"token": (await made.get("/ui")).token(), "requests": "a-1"})
    assert answer.status == 403
    assert "approvals.read" in answer.said


async def test_pages_of_a_bundle(room: Any, browser: Any, several: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from healer.web.ui import requests

    monkeypatch.setattr(requests, "LIMIT", "2")
    made = await browser("ana")
    name = (await room.ask("GET", "/approvals"))[1]["items"][0]["bundle"]
    path, seen = f"/ui/approvals?bundle={name}", []
    while path:
        page = await made.get(path)
        seen += re.findall(r'name="shown" value="([^"]*)"', page.text)
        path = next((page.led(one) for one in re.findall(r'href="([^"]*after[^"]*)">Further', page.text)), "")
    assert seen == [f"a-{n}" for n in range(1, 6)]


# --- what is hostile --------------------------------------------------------------------------------------------------------


async def test_what_is_hostile_is_shown_as_it_is(room: Any, browser: Any, asked: Any, ana: None) -> None:
    await asked(targets=list(HOSTILE), requester="key:x = </code><script>", rule="web/alerts/<b>\u2066bold")
    made = await browser("ana")
    for path in ("/ui/approvals", "/ui/approvals/a-1", "/ui/runs", f"/ui/runs/{RUN}"):
        page = await made.get(path)
        assert page.status == 200, page.said
        for bad in ("<script", "<b>", "<img", "\u202e", "\u2066", "\x1b", "host:49"):
            assert bad not in page.text, (path, bad)
        assert "host:<script>alert(1)</script>" in page.said
        assert "host:we\\u202eb1" in page.said
        assert "host:{{7*7}}" in page.said
        assert "host:\\x1b[31mred" in page.said
