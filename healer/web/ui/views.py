"""What a page is made with: who looks, what the API tells them, and the template that shows it.

`doors` makes one for each request. The API is asked by the row of its table (`GET /runs/{id}`): the same handler, the same permission, the
same checks of what is asked for. What somebody may not see is told in its place, and the rest of the page is shown.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp_jinja2
import jinja2
import multidict
import orjson
from aiohttp import web

from healer import access, errors
from healer.web import answers
from healer.web.services import Services
from healer.web.ui import sessions, texts

Ask = Callable[[str, web.Request, access.Principal], Awaitable[web.StreamResponse]]
"""(row of the API's table, request with its path parts and query, who) → the answer. Raises `errors.Forbidden`."""
COOKIE: Final = "healer_session"
HEADERS: Final = multidict.CIMultiDictProxy(
    multidict.CIMultiDict({
        **answers.TEXT_HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    })
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What the API said to a question, or why it may not be told."""

    value: Mapping[str, Any]
    refused: str = ""


@dataclasses.dataclass(slots=True)
class View:
    """One request for a page. `session` None: nobody is logged in, as on the login page and behind a link."""

    request: web.Request
    services: Services
    ask: Ask
    kept: sessions.Sessions
    session: sessions.Session | None = None
    caller: access.Principal = access.NOBODY

    @property
    def now(self) -> datetime.datetime:
        """As people's times are told."""
        return datetime.datetime.fromtimestamp(self.services.wall() / 1_000_000, datetime.UTC)

    async def told(self, row: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """What the API answers, with these parameters and the path parts of the page. Raises what it raises."""
        url = self.request.rel_url.with_query({name: value for name, value in (query or {}).items() if value})
        answer = await self.ask(row, self.request.clone(rel_url=url), self.caller)
        body = answer.body if isinstance(answer, web.Response) else None
        value = orjson.loads(body) if isinstance(body, bytes) else {}
        return value if isinstance(value, Mapping) else {}

    async def text(self, row: str, query: Mapping[str, str]) -> bytes:
        """As `told`, of what is answered as text."""
        url = self.request.rel_url.with_query({name: value for name, value in query.items() if value})
        answer = await self.ask(row, self.request.clone(rel_url=url), self.caller)
        body = answer.body if isinstance(answer, web.Response) else None
        return body if isinstance(body, bytes) else b""

    async def part(self, row: str, query: Mapping[str, str] | None = None) -> Told:
        """As `told`, for a part of a page that may be left out: why not, where it may not be seen or is not kept any more."""
        try:
            return Told(await self.told(row, query))
        except (errors.Forbidden, errors.NotFound) as error:
            return Told({}, error.message)

    def query(self, *names: str) -> dict[str, str]:
        """What the page was asked for of these, as it was written; the API refuses what makes no sense, and what it does not know."""
        unknown = next((name for name in self.request.query if name not in names), None)
        if unknown is not None:
            raise errors.InvalidField(
                errors.nearest(unknown, names), field=unknown[:80], detail="this page does not know it"
            )
        return {name: self.request.query.get(name, "") for name in names}

    def at(self, path: str, **query: str) -> str:
        """A page as this one links to it, with its parameters: relative, so that it holds too where a proxy has put the pages below a path
        of its own, and where somebody passes the proxy by."""
        up = "../" * (self.request.rel_url.raw_path.count("/") - 1)
        return address(up + path.removeprefix("/"), **query)

    def seen_other(self, path: str, **query: str) -> web.Response:
        """303: what was sent has been done, and this page shows it."""
        return web.Response(status=303, headers={**HEADERS, "Location": self.at(path, **query)})

    def page(self, template: str, title: str, status: int = 200, **context: Any) -> web.Response:
        """The page."""
        session = self.session
        given = {
            "title": title, "token": session.token if session else "", "notices": session.told() if session else [],
            "who": texts.who(self.caller.actor) if session else "", "here": self.request.rel_url.raw_path, "now": self.now, "at": self.at,
        }  # fmt: skip
        text = aiohttp_jinja2.render_string(template, self.request, given | context)
        return web.Response(body=text.encode("utf-8", "replace"), status=status, headers=HEADERS)


def address(path: str, **query: str) -> str:
    """A page with its parameters."""
    told = urllib.parse.urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{told}" if told else path


def set_up(app: web.Application) -> None:
    """The templates of the pages."""
    app[aiohttp_jinja2.APP_KEY] = _templates()


@functools.cache
def _templates() -> jinja2.Environment:
    """Compiled once a process. What they put out is made visible (`texts.shown`) and escaped, and what they name has to be there."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("healer.web.ui"), autoescape=True, undefined=jinja2.StrictUndefined, finalize=texts.shown,
        auto_reload=False, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "when": texts.when, "sentence": texts.in_sentence, "span": texts.span, "json": texts.as_json, "lines": texts.lines,
        "who": texts.who, "ago": texts.ago, "command": texts.command, "pairs": texts.pairs,
    }  # fmt: skip
    return made
