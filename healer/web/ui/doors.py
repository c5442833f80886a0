"""The one table of pages: method, path, what one has to be to see it, who makes it; and what stands before and behind each.

`routes` adds them to the app. A page needs somebody who is logged in, but for those that are `open` (logging in, signed links, the style
sheet). What somebody may see and do on it is asked of the API's own table, row by row, by `views.View`. A POST has to come from a form
of ours. Whatever goes wrong is one page in words.
"""

from __future__ import annotations

import dataclasses
import http
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol

import orjson
from aiohttp import web

from healer import access, errors
from healer.web import problems
from healer.web.services import Services
from healer.web.ui import entry, forms, links, listing, requests, running, sessions, standing, statics, views

Handler = Callable[[views.View, forms.Form], Awaitable[web.StreamResponse]]
EMPTY: Final = forms.Form({})
TITLES: Final = {
    403: "You may not do this", 404: "There is nothing here", 410: "This link is over",
    429: "Too many requests",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One row. `needs`: the permissions that what it shows or does has; `open`: nobody has to be logged in."""

    method: Literal["GET", "POST"]
    path: str
    needs: tuple[str, ...]
    handler: Handler
    summary: str
    open: bool = False


def table() -> tuple[Page, ...]:
    """All pages."""
    return (
        Page("GET", "/ui", ("status.read",), standing.page, "how the daemon does, as `healer status` has it"),
        Page("GET", "/ui/", (), entry.home, "the same", open=True),
        Page("GET", "/ui/alerts", ("alerts.read",), listing.alerts, "alerts, those that fire first"),
        Page("GET", "/ui/runs", ("runs.read",), listing.runs, "runs, newest first"),
        Page(
            "GET", "/ui/runs/{id}", ("runs.read", "events.read", "audit.read"), running.page,
            "one run: targets, why, output, condition, gates, audit records",
        ),
        Page("GET", "/ui/approvals", ("approvals.read",), requests.index, "what waits for a person, alike ones together"),
        Page("POST", "/ui/approvals", ("approvals.decide",), requests.decide_many, "approve or reject those that were chosen"),
        Page("POST", "/ui/approvals/chosen", ("approvals.read",), requests.chosen, "those that were chosen, before they are decided"),
        Page("GET", "/ui/approvals/{id}", ("approvals.read",), requests.show, "one request: exactly what would run"),
        Page("POST", "/ui/approvals/{id}", ("approvals.decide",), requests.decide, "approve or reject it"),
        Page("GET", "/ui/decide/{ticket}", (), links.show, "a signed link: the request that it is for; changes nothing", open=True),
        Page("POST", "/ui/decide/{ticket}", ("approvals.decide",), links.decide, "the word of the link's person", open=True),
        Page("GET", "/ui/login", (), entry.show, "the form that takes an API key", open=True),
        Page("POST", "/ui/login", (), entry.log_in, "begins a session", open=True),
        Page("POST", "/ui/logout", (), entry.log_out, "ends the session"),
        Page("GET", "/ui/static/{name}", (), statics.file, "the style sheet and the icon", open=True),
    )  # fmt: skip


class Row(Protocol):
    """A row of the API's table."""

    @property
    def handler(self) -> Callable[[web.Request, Services, access.Principal], Awaitable[web.StreamResponse]]:
        """Who answers."""
        ...

    def refusal(self, caller: access.Principal) -> errors.Forbidden | None:
        """Why somebody may not ask for it."""
        ...


def asking(rows: Mapping[str, Row], services: Services) -> views.Ask:
    """Asks a row in the place of a request to it, behind the same permission."""

    async def ask(row: str, request: web.Request, caller: access.Principal) -> web.StreamResponse:
        if (refusal := rows[row].refusal(caller)) is not None:
            raise refusal
        return await rows[row].handler(request, services, caller)

    return ask


def attach(app: web.Application, services: Services, rows: Mapping[str, Row]) -> None:
    """Add the pages. `rows`: the API's table, by method and path (`GET /runs`)."""
    ask = asking(rows, services)
    views.set_up(app)
    kept = sessions.Sessions(services.gate.keys, services.clock)
    for page in table():
        guarded = _guarded(page, services, ask, kept)
        app.router.add_route(page.method, page.path, guarded, expect_handler=problems.expected)
        if page.method == "GET":
            app.router.add_route("HEAD", page.path, guarded, expect_handler=problems.expected)

    def in_words(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
        return _in_words(_view(request, services, ask, kept), answer)

    app[problems.PAGES] = in_words


def page_of(path: str) -> str:
    """The page that has the form that is sent there."""
    return path.removesuffix("/chosen").removesuffix("/logout")


def _view(request: web.Request, services: Services, ask: views.Ask, kept: sessions.Sessions) -> views.View:
    found = kept.find(request.cookies.get(views.COOKIE, ""))
    view = views.View(request, services, ask, kept)
    if found is not None:
        view.session, view.caller = found
    return view


def _guarded(
    page: Page, services: Services, ask: views.Ask, kept: sessions.Sessions
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The page behind what it needs. Nobody who is not logged in learns of it more than that it is there."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        view = _view(request, services, ask, kept)
        if page.open:
            view = views.View(request, services, ask, kept, view.session if page.handler is entry.show else None)
        elif view.session is None:
            asked = request.path_qs if page.method == "GET" else page_of(request.path)
            return view.seen_other(forms.LOGIN, next=forms.next_page(asked))
        if page.method == "GET":
            return await page.handler(view, EMPTY)
        forms.check_sender(request, services)
        form = await forms.read(request)
        if view.session is not None:
            forms.check_token(form, view.session.token)
        return await page.handler(view, form)

    return guarded


def _in_words(view: views.View, answer: web.StreamResponse) -> web.StreamResponse:
    """A problem as a page, with its status and what else its headers say."""
    body = answer.body if isinstance(answer, web.Response) else None
    problem = orjson.loads(body) if isinstance(body, bytes) and body else {}
    if view.request.path.startswith(links.PATH):
        view.session = None  # a link shows nothing of who is logged in
    phrase = http.HTTPStatus(answer.status).phrase
    made = view.page(
        "error.html", _title(answer.status), answer.status,
        detail=_sentence(problem.get("detail") or phrase), step=problem.get("try", ""), known_as=problem.get("id", ""),
        back="" if view.request.method != "POST" or view.request.path == "/ui/logout" else page_of(view.request.path),
    )  # fmt: skip
    for name in ("Retry-After", "Allow"):
        if name in answer.headers:
            made.headers[name] = answer.headers[name]
    if answer.keep_alive is False:
        made.force_close()
    return made


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _title(status: int) -> str:
    """What went wrong, in a few words."""
    ours = status == http.HTTPStatus.INTERNAL_SERVER_ERROR
    return TITLES.get(status, "Something is wrong on our side" if ours else "That could not be done")


def describe() -> str:
    """The table as docs/pages.md shows it."""
    lines = ["| Method | Path | Shows or does what needs | What |", "| --- | --- | --- | --- |"]
    for page in table():
        needs = ", ".join(page.needs) or ("nothing" if page.open else "a session")
        lines.append(f"| {page.method} | `{page.path}` | {needs} | {page.summary} |")
    return "\n".join(lines) + "\n"
