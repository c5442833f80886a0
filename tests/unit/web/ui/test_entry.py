"""Logging in and out: the cookie, the form's own token, wrong keys, and where it leads."""

from __future__ import annotations

import http.cookies
from typing import Any

import pytest

from healer.web import auth
from healer.web.ui import entry, views


def cookie(answer: Any, name: str) -> Any:
    """A cookie that an answer sets."""
    (found,) = [one for one in answer.cookies if one.startswith(f"{name}=")]
    return http.cookies.SimpleCookie(found)[name]


def public(room: Any, url: str | None) -> None:
    """`server.public_url` is this."""
    settings = room.revision.settings
    room.revision.settings = settings.model_copy(
        update={"server": settings.server.model_copy(update={"public_url": url})}
    )


@pytest.mark.parametrize(
    ("url", "secure"), [(None, False), ("http://healer.example.org", False), ("https://healer.example.org", True)]
)
async def test_cookies_and_what_they_may(room: Any, browser: Any, url: str | None, secure: bool) -> None:
    public(room, url)
    made = await browser()
    page = await made.get("/ui/login")
    first = cookie(page, entry.COOKIE)
    headers = {"Cookie": f"{entry.COOKIE}={first.value}", "Sec-Fetch-Site": "same-origin"}
    done = await made.post("/ui/login", {"token": page.token(), "key": room.keys["admin"], "next": "/ui"}, headers)
    for one in (first, cookie(done, views.COOKIE)):
        assert one["httponly"] is True
        assert one["samesite"] == "Strict"
        assert one["path"] == ""  # so it is that of the form: /ui, or what a proxy has put before it
        assert bool(one["secure"]) is secure
        assert one["max-age"] == one["expires"] == one["domain"] == ""
    assert len(cookie(done, views.COOKIE).value) >= 43
    assert room.keys["admin"] not in str(done.headers)


async def test_a_wrong_key_is_told_late_and_begins_nothing(room: Any, browser: Any) -> None:
    made = await browser()
    for key in ("hlr_aaaaaaaa_" + "a" * 52, "x", "", "k" * 600, "ü", room.keys["admin"][:-1]):
        slept = len(room.slept)
        answer = await made.log_in(key)
        assert answer.status == 401
        assert "That key is not known, or it was revoked." in answer.said
        assert all(not one.startswith(views.COOKIE) for one in answer.cookies)
        assert len(room.slept) == slept + 1
        assert not key or key not in answer.text or key == "x"
    assert (await made.get("/ui")).goes_to.startswith("/ui/login")


async def test_too_many_wrong_ones_at_once(room: Any, browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_address: str | None) -> None:
        raise auth.TooManyFailures

    made = await browser()
    monkeypatch.setattr(room.services.gate.throttle, "wait", full)
    answer = await made.log_in("x")
    assert answer.status == 429
    assert "Retry-After" in answer.headers
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_an_address_that_was_right_does_not_wait(room: Any, browser: Any) -> None:
    made = await browser("readonly")
    other = await browser()
    assert (await other.log_in("x")).status == 401
    assert room.slept == []
    assert (await made.get("/ui")).status == 200


@pytest.mark.parametrize("wrong", ["no cookie", "other cookie", "no token", "cross-site", "origin"])
async def test_nobody_else_logs_a_browser_in(room: Any, browser: Any, wrong: str) -> None:
    made, other = await browser(), await browser()
    token = (await made.get("/ui/login")).token()
    headers = (
        {"Sec-Fetch-Site": "cross-site"}
        if wrong == "cross-site"
        else {"Origin": "https://evil.example"}
        if wrong == "origin"
        else {}
    )
    if wrong == "other cookie":
        await made.get("/ui/login")
        token = (await other.get("/ui/login")).token()
    if wrong == "no cookie":
        made = other
    fields = {"key": room.keys["admin"], "next": "/ui"} | ({} if wrong == "no token" else {"token": token})
    answer = await made.post("/ui/login", fields, headers)
    assert answer.status == 403
    assert all(not one.startswith(views.COOKIE) for one in answer.cookies)


@pytest.mark.parametrize(
    "going_on", ["//evil", "/ui/..//evil", "https://evil.example/ui", "/\\evil", "/ui/login", "/ui/%2e%2e//evil"]
)
async def test_where_it_leads_cannot_be_tampered_with(room: Any, browser: Any, going_on: str) -> None:
    made = await browser()
    page = await made.get("/ui/login", params={"next": going_on})
    assert "evil" not in page.text
    assert (await made.log_in("admin", going_on="/ui")).goes_to == "/ui"
    made = await browser()
    token = (await made.get("/ui/login")).token()
    assert (
        await made.post("/ui/login", {"token": token, "next": going_on, "key": room.keys["admin"]})
    ).goes_to == "/ui"


async def test_two_tabs_have_forms_that_both_hold(room: Any, browser: Any) -> None:
    made = await browser()
    first, second = await made.get("/ui/login"), await made.get("/ui/login")
    assert second.cookies == []
    for page in (first, second):
        assert (await made.post("/ui/login", {"token": page.token(), "next": "/ui", "key": "x"})).status == 401
    done = await made.post("/ui/login", {"token": first.token(), "next": "/ui", "key": room.keys["admin"]})
    assert done.goes_to == "/ui"


async def test_a_form_that_is_not_ours_has_a_way_back(room: Any, browser: Any) -> None:
    answer = await (await browser()).post("/ui/login", {"key": room.keys["admin"], "next": "/ui"})
    assert answer.status == 403
    assert "/ui/login" in answer.links


async def test_who_is_logged_in_goes_on_at_once(room: Any, browser: Any) -> None:
    made = await browser("admin")
    assert (await made.get("/ui/login?next=/ui/runs")).goes_to == "/ui/runs"
    assert (await made.get("/ui/login?next=//evil")).goes_to == "/ui"


async def test_logging_in_again_ends_the_session_that_was(room: Any, browser: Any) -> None:
    made = await browser()
    first = cookie(await made.log_in("readonly"), views.COOKIE).value
    other = await browser()
    page = await other.get("/ui/login")
    held = cookie(page, entry.COOKIE).value
    headers = {"Cookie": f"{views.COOKIE}={first}; {entry.COOKIE}={held}"}
    again = await other.post("/ui/login", {"token": page.token(), "next": "/ui", "key": room.keys["approver"]}, headers)
    assert cookie(again, views.COOKIE).value != first
    assert (await made.get("/ui")).goes_to.startswith("/ui/login")


async def test_logging_out_ends_it(room: Any, browser: Any) -> None:
    made = await browser()
    held = cookie(await made.log_in("readonly"), views.COOKIE).value
    answer = await made.post("/ui/logout", {"token": (await made.get("/ui")).token()})
    assert answer.goes_to == "/ui/login"
    assert cookie(answer, views.COOKIE)["max-age"] == "0"
    again = await made.get("/ui", headers={"Cookie": f"{views.COOKIE}={held}"})
    assert again.goes_to.startswith("/ui/login")


async def test_a_page_of_another_site_that_links_here(room: Any, browser: Any) -> None:
    """The cookie is strict, so that it does not come along: who is logged in has a way on."""
    made = await browser()
    page = await made.get("/ui/login?next=/ui/runs", headers={"Sec-Fetch-Site": "cross-site"})
    assert "/ui/runs" in page.links
    assert "/ui/runs" not in (await made.get("/ui/login?next=/ui/runs")).links


async def test_a_key_of_a_file_logs_in_with_spaces_around_it(room: Any, browser: Any, people: Any) -> None:
    people(ana=("readonly",))
    made = await browser()
    token = (await made.get("/ui/login")).token()
    answer = await made.post("/ui/login", {"token": token, "next": "/ui", "key": f" {room.keys['ana']}\n"})
    assert answer.goes_to == "/ui"
    assert "ana (API key anas-laptop)" in (await made.get("/ui")).said
