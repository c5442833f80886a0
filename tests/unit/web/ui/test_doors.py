"""Every page: what is before it, what its answer carries, and what is said where it cannot be seen."""

from __future__ import annotations

import asyncio
import pathlib
import re
import urllib.parse
from typing import Any

import hypothesis
import pytest
import yarl
from hypothesis import strategies

from healer import access
from healer.web.ui import doors, sessions, views

RUN = "r-" + "a" * 26
SEEN = ["/ui", "/ui/alerts", "/ui/runs", f"/ui/runs/{RUN}", "/ui/approvals", "/ui/approvals/a-1"]
NEEDED = {"/ui": "status.read", "/ui/alerts": "alerts.read", "/ui/runs": "runs.read", f"/ui/runs/{RUN}": "runs.read",
          "/ui/approvals": "approvals.read", "/ui/approvals/a-1": "approvals.read"}  # fmt: skip
CLOSED = [page for page in doors.table() if not page.open]
POSTED = [("/ui/approvals/a-1", {"word": "approve"}), ("/ui/approvals", {"word": "approve", "requests": "a-1"}),
          ("/ui/approvals/chosen", {"requests": "a-1"}), ("/ui/logout", {})]  # fmt: skip


def path_of(page: doors.Page) -> str:
    return page.path.replace("/runs/{id}", f"/runs/{RUN}").replace("{id}", "a-1")


def test_the_page_of_the_pages_shows_the_table(repository: pathlib.Path) -> None:
    assert doors.describe() in (repository / "docs" / "pages.md").read_text("utf-8")


def test_what_pages_need_are_permissions() -> None:
    for page in doors.table():
        assert {*page.needs} <= {*access.PERMISSIONS}
        assert page.summary


async def test_headers_of_every_page(room: Any, browser: Any, asked: Any) -> None:
    await asked()
    for path in (*SEEN, "/ui/login", "/ui/nothing", "/ui/decide/none", "/ui/static/style.css", "/ui/static/nothing"):
        answer = await (await browser("admin")).get(path)
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        if "/static/style" not in path:
            assert answer.headers["Cache-Control"] == "no-store"
        if "/static/style" not in path and answer.status != 303:
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8", path


async def test_no_page_has_a_script_or_a_style_of_its_own(room: Any, browser: Any, asked: Any) -> None:
    await asked()
    made = await browser("admin")
    for path in (*SEEN, "/ui/nothing"):
        page = await made.get(path)
        text = page.text
        assert not re.search(r"<script|<style|<iframe|<object|\son\w+=|\sstyle=|javascript:", text), path
        assert all(one.startswith("/ui") for one in page.links + page.forms), path
        assert {"/ui/static/style.css", "/ui/logout", "/ui", "/ui/runs"} < {*page.links, *page.forms}


@pytest.mark.parametrize("page", CLOSED, ids=lambda page: f"{page.method} {page.path}")
async def test_who_is_not_logged_in_logs_in_first(room: Any, browser: Any, asked: Any, page: doors.Page) -> None:
    await asked()
    made, path = await browser(), path_of(page)
    answer = await (made.get(path) if page.method == "GET" else made.post(path, {"word": "approve"}))
    assert answer.goes_to.startswith("/ui/login")
    assert answer.text == ""
    (item,) = (await room.ask("GET", "/approvals"))[1]["items"]
    assert item["reviews"] == []


async def test_logging_in_again_returns_to_the_page(room: Any, browser: Any) -> None:
    made = await browser()
    answer = await made.get("/ui/runs?state=failed&rule=a%2Fb")
    assert answer.goes_to.startswith("/ui/login?next=%2Fui%2Fruns%3Fstate%3Dfailed")
    page = await made.get(answer.goes_to)
    going_on = re.findall(r'name="next" value="([^"]*)"', page.text)[0].replace("&amp;", "&")
    done = await made.post("/ui/login", {"token": page.token(), "next": going_on, "key": room.keys["readonly"]})
    assert (await made.get(done.goes_to)).status == 200
    assert done.goes_to.startswith("/ui/runs?state=failed&rule=a")


@pytest.mark.parametrize("role", access.ROLES)
async def test_a_role_sees_what_the_api_shows_it(room: Any, browser: Any, asked: Any, role: str) -> None:
    await asked()
    made = await browser(role)
    for path, permission in NEEDED.items():
        answer = await made.get(path)
        may = permission in access.ROLES[role]
        assert answer.status == (200 if may else 403), (role, path)
        if not may:
            assert f"key:{role} may not do this; it needs the permission {permission}" in answer.said.replace(
                "Key:", "key:"
            )
            assert "Traceback" not in answer.text


async def test_a_part_of_a_page_that_may_not_be_seen_says_so(room: Any, browser: Any, asked: Any) -> None:
    await asked()
    answer = await (await browser("ci")).get(f"/ui/runs/{RUN}")
    assert answer.status == 200
    assert "it needs the permission events.read" in answer.said
    assert "it needs the permission audit.read" in answer.said
    assert "restart_service" in answer.said
    answer = await (await browser("auditor")).get(f"/ui/runs/{RUN}")
    assert "it needs the permission" not in answer.said


@pytest.mark.parametrize(("path", "fields"), POSTED)
@pytest.mark.parametrize(
    "wrong", ["missing", "empty", "other session", "twice", "cut", "cross-site", "same-site", "origin"]
)
async def test_a_form_that_is_not_ours_does_nothing(
    room: Any, browser: Any, asked: Any, path: str, fields: Any, wrong: str
) -> None:
    await asked()
    made, other = await browser("approver"), await browser("approver")
    token, theirs = (await made.get("/ui")).token(), (await other.get("/ui")).token()
    headers = {"Sec-Fetch-Site": "same-origin"}
    given: list[tuple[str, str]] = [("token", token)]
    if wrong in ("missing", "empty"):
        given = [("token", "")] if wrong == "empty" else []
    elif wrong == "other session":
        given = [("token", theirs)]
    elif wrong == "twice":
        given *= 2
    elif wrong == "cut":
        given = [("token", token[:-1])]
    elif wrong == "origin":
        headers = {"Origin": "https://evil.example"}
    else:
        headers = {"Sec-Fetch-Site": wrong}
    answer = await made.post(path, [*given, *fields.items()], headers)
    assert answer.status == 403
    assert "sent by a page of ours" in answer.said
    assert (await made.get("/ui")).status == 200
    (item,) = (await room.ask("GET", "/approvals"))[1]["items"]
    assert item["reviews"] == []


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-origin"}])
async def test_what_a_browser_does_not_say_is_no_reason_to_refuse(
    room: Any, browser: Any, asked: Any, headers: Any
) -> None:
    await asked()
    made = await browser("approver")
    fields = (await made.get("/ui/approvals/a-1")).fields() | {"word": "approve"}
    assert (await made.post("/ui/approvals/a-1", fields, headers)).goes_to == "/ui/approvals"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"token=x", "application/json", 415),
        (b"token=x", "text/plain", 415),
        (b"token=x", "multipart/form-data; boundary=x", 415),
        (b"token=x", None, 415),
        (b"a" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"token", "application/x-www-form-urlencoded", 400),
        (b"token=%ff", "application/x-www-form-urlencoded", 400),
        (b"token=\xff", "application/x-www-form-urlencoded", 400),
        (b"token=%00", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 2500 + b"token=x", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_form(room: Any, browser: Any, body: bytes, kind: str | None, status: int) -> None:
    made = await browser("approver")
    for path in ("/ui/approvals/a-1", "/ui/login"):
        more: Any = {"headers": {"Content-Type": kind}} if kind else {"skip_auto_headers": ["Content-Type"]}
        answer = await made.ask("POST", path, data=body, **more)
        assert answer.status == status, (path, answer.said)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_key_in_a_header_opens_no_page(room: Any) -> None:
    async with room.session.get(
        room.url("/ui"), headers={"Authorization": f"Bearer {room.keys['admin']}"}, allow_redirects=False
    ) as answer:
        assert answer.status == 303


async def test_a_cookie_opens_nothing_of_the_api(room: Any, browser: Any) -> None:
    made = await browser("admin")
    assert (await made.get("/runs")).status == 401
    assert (await made.ask("POST", "/approvals/a-1/approve", json={})).status == 401


async def test_a_session_ends_by_itself(room: Any, browser: Any, ahead: Any) -> None:
    made = await browser("readonly")
    ahead(sessions.IDLE_US / 1e6 - 1)
    assert (await made.get("/ui")).status == 200
    ahead(sessions.IDLE_US / 1e6)
    assert (await made.get("/ui")).goes_to == "/ui/login?next=%2Fui"


async def test_a_key_that_is_revoked_ends_its_sessions_at_once(room: Any, browser: Any) -> None:
    made, other = await browser("readonly"), await browser("approver")
    (key,) = [one["id"] for one in (await room.ask("GET", "/keys"))[1]["items"] if one["name"] == "readonly"]
    assert (await made.get("/ui")).status == 200
    assert (await room.ask("DELETE", f"/keys/{key}"))[0] == 200
    assert (await made.get("/ui")).goes_to.startswith("/ui/login")
    assert (await made.log_in("readonly")).status == 401
    assert (await other.get("/ui")).status == 200


async def test_roles_are_those_of_now(room: Any, browser: Any, people: Any) -> None:
    people(ana=("readonly",))
    made = await browser("ana")
    assert (await made.get("/ui/runs")).status == 200
    people(ana=("ci",))
    assert (await made.get("/ui/alerts")).status == 403
    people(bo=("readonly",))
    assert (await made.get("/ui/runs")).goes_to.startswith("/ui/login")


@pytest.mark.parametrize(
    "path", ["/ui/nothing", "/ui/runs/r-nothing", "/ui/approvals/a-nothing", "/ui/%3Cscript%3E", "/ui/runs/%E2%80%AEx"]
)
async def test_what_is_not_there(room: Any, browser: Any, path: str) -> None:
    answer = await (await browser("admin")).get(path)
    assert answer.status == 404
    assert "There is nothing here" in answer.said
    assert "<script" not in answer.text
    assert "\u202e" not in answer.text


async def test_a_method_that_is_not_taken(room: Any, browser: Any) -> None:
    answer = await (await browser("admin")).ask("PUT", "/ui/runs")
    assert answer.status == 405
    assert {"GET", "HEAD"} <= {*answer.headers["Allow"].replace(" ", "").split(",")}


async def test_a_mistake_of_ours_is_told_in_words_and_with_its_id(
    room: Any, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> Any:
        raise RuntimeError("the inside of it")

    made = await browser("admin")
    room.services.status = broken
    answer = await made.get("/ui")
    assert answer.status == 500
    assert "Something is wrong on our side" in answer.said
    assert "under the id" in answer.said
    assert "inside" not in answer.text


async def test_head_is_as_get_without_the_page(room: Any, browser: Any) -> None:
    made = await browser("admin")
    for path in ("/ui", "/ui/runs", "/ui/login", "/ui/static/style.css"):
        answer = await made.ask("HEAD", path)
        assert (answer.status, answer.text) == ((303 if path == "/ui/login" else 200), "")


async def test_the_first_page_with_a_slash(room: Any, browser: Any) -> None:
    assert (await (await browser()).get("/ui/")).goes_to == "/ui"


async def test_a_page_does_not_know_what_it_does_not_take(room: Any, browser: Any) -> None:
    made = await browser("admin")
    for path in (
        "/ui?x=1",
        "/ui/runs?states=failed",
        "/ui/alerts?limit=5",
        "/ui/approvals?a=1",
        "/ui/runs?state=nothing",
        "/ui/runs?after=x",
    ):
        answer = await made.get(path)
        assert answer.status == 400, path
        assert "could not be done" in answer.said


async def test_a_session_of_another_daemon_is_none(room: Any, browser: Any) -> None:
    made = await browser()
    made.session.cookie_jar.update_cookies({views.COOKIE: "x" * 43}, yarl.URL(room.url("/ui")))
    assert (await made.get("/ui")).goes_to.startswith("/ui/login")


PATHS = strategies.one_of(
    strategies.sampled_from(
        [*SEEN, "/ui/login", "/ui/logout", "/ui/approvals/chosen", "/ui/decide/x", "/ui/static/style.css", "/ui/"]
    ),
    strategies.text(max_size=30).map(lambda text: f"/ui/{text}"),
)
TEXTS = strategies.one_of(
    strategies.text(max_size=30), strategies.sampled_from(["approve", "a-1", "firing", "1", "//evil", "\x00", "\u202e"])
)
FIELDS = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(["word", "reason", "requests", "every", "shown", "key", "next", "digest"]), TEXTS
    ),
    max_size=5,
)
QUERIES = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(["state", "rule", "target", "after", "next", "status", "bundle", "attempt"]), TEXTS
    ),
    max_size=3,
)


def test_no_input_gives_a_5xx(open_room: Any, browsing: Any) -> None:
    async def check() -> None:
        async with open_room() as room:
            loop = asyncio.get_running_loop()
            made = browsing(room)
            assert (await made.log_in("admin")).goes_to == "/ui"
            token = (await made.get("/ui")).token()

            async def ask(method: str, path: str, query: Any, fields: Any) -> int:
                url = yarl.URL(room.url("/")).with_path(path).with_query(query)
                body = (
                    urllib.parse.urlencode([("token", token), *fields]).encode()
                    if method == "POST" and path != "/ui/logout"
                    else None
                )
                headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
                return int((await made.ask(method, "", url=url, data=body, headers=headers)).status)

            @hypothesis.settings(max_examples=200)
            @hypothesis.given(strategies.sampled_from(["GET", "POST", "HEAD", "PUT"]), PATHS, QUERIES, FIELDS)
            def example(method: str, path: str, query: Any, fields: Any) -> None:
                status = asyncio.run_coroutine_threadsafe(ask(method, path, query, fields), loop).result(30)
                assert status < 500, (method, path, query, fields)

            await asyncio.to_thread(example)
            await made.session.close()

    asyncio.run(check())
