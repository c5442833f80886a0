"""A browser as far as these tests need one: cookies, forms, and nothing followed by itself; and requests that wait for a person."""

from __future__ import annotations

import dataclasses
import html
import re
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from healer import access, errors, policy
from healer.policy import approvals, limits
from healer.store import candidates, transaction
from healer.web import auth, minting

RUN = "r-" + "a" * 26
SAME: dict[str, str] = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}


@dataclasses.dataclass
class Answer:
    """What came back."""

    url: str
    status: int
    headers: Any
    text: str
    cookies: list[str]

    @property
    def said(self) -> str:
        """The text of the page without its tags, as it is read."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.text)).split())

    @property
    def goes_to(self) -> str:
        """Where a 303 leads: the path, and the query."""
        assert self.status == 303, (self.status, self.said)
        return self.led(str(self.headers["Location"]))

    def led(self, link: str) -> str:
        """Where a link of this page leads, which is always told from where the page is."""
        assert not link.startswith("/"), link
        assert not urllib.parse.urlsplit(link).netloc, link
        return urllib.parse.urljoin(self.url, html.unescape(link)).removeprefix(self.url.partition("/ui")[0])

    @property
    def links(self) -> list[str]:
        """Where its links lead, and what it loads."""
        return [self.led(one) for one in re.findall(r'(?:src|href)="([^"]*)"', self.text) if not one.startswith("#")]

    @property
    def forms(self) -> list[str]:
        """Where its forms are sent."""
        return [self.led(one) for one in re.findall(r'action="([^"]*)"', self.text)]

    def token(self) -> str:
        """The token of its (last) form."""
        return re.findall(r'name="token" value="([^"]*)"', self.text)[-1]

    def fields(self) -> dict[str, str]:
        """What the form of a request sends without being asked."""
        main = self.text.partition("<main")[2]
        return dict(re.findall(r'type="hidden" name="(token|digest)" value="([^"]*)"', main))


class Browser:
    """One with cookies of its own."""

    def __init__(self, room: Any) -> None:
        self.room = room
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Any request; nothing is followed."""
        url = more.pop("url", None) or self.room.url(path)
        async with self.session.request(method, url, allow_redirects=False, **more) as answer:
            return Answer(
                str(answer.url),
                answer.status,
                answer.headers,
                await answer.text(),
                answer.headers.getall("Set-Cookie", []),
            )

    async def get(self, path: str, **more: Any) -> Answer:
        """GET."""
        return await self.ask("GET", path, **more)

    async def post(self, path: str, fields: Any, headers: dict[str, str] | None = None) -> Answer:
        """A form as a browser sends it."""
        body = aiohttp.FormData(fields)
        return await self.ask("POST", path, data=body, headers=SAME if headers is None else headers)

    async def log_in(self, key: str, going_on: str = "/ui") -> Answer:
        """By the form."""
        page = await self.get(f"/ui/login?next={going_on}")
        return await self.post(
            "/ui/login", {"token": page.token(), "next": going_on, "key": self.room.keys.get(key, key)}
        )


@pytest.fixture
async def browser(room: Any) -> AsyncIterator[Callable[..., Any]]:
    """`await browser("approver")`: one that is logged in with the key of a role; `await browser()`: one that is not."""
    made: list[Browser] = []

    async def make(key: str = "") -> Browser:
        made.append(Browser(room))
        if key:
            assert (await made[-1].log_in(key)).goes_to == "/ui"
        return made[-1]

    yield make
    for one in made:
        await one.session.close()


@pytest.fixture
def browsing() -> type[Browser]:
    """To make one where no fixture can."""
    return Browser


def asking(want: int, *roles: str) -> limits.Approval:
    """So many people with one of these roles, and not who asked."""
    return limits.Approval((limits.Threshold("some people", roles, want, 1),), ("requester",))


@pytest.fixture
async def asked(room: Any, seed: Any) -> Callable[..., Any]:
    """`await asked("a-1", RUN)`: a run on a web host waits for a person."""

    async def ask(
        name: str = "a-1", run: str = RUN, *, want: int = 1, requester: str = "rule:web/alerts/restart", expires_us: int | None = None, **more: Any
    ) -> None:  # fmt: skip
        await seed(room, run, "awaiting_approval", reason="needs_approval", groups=["web"], **more)

        def apply(tx: Any) -> None:
            digest = candidates.digest_of(tx, candidates.run_row(tx, run), policy.Standing(True, "active"), None)
            text = transaction.dumps(approvals.as_json([asking(want, "approver", "oncall")]))
            tx.run("approval_insert", name, "needs_approval", digest, text, requester, None, tx.now_us, expires_us, run)

        await seed.do(room, apply)

    return ask


@pytest.fixture
def people(room: Any) -> Callable[..., None]:
    """`people(ana=("approver",))`: these are in healer.yaml, each with a key of their name."""

    def make(**found: tuple[str, ...]) -> None:
        oncall = access.Role("oncall", frozenset({"approvals.decide"}), access.Scope(("web/*",), ("group:web",)))
        dba = access.Role("dba", frozenset({"approvals.decide", "approvals.read"}), access.Scope(("db/*",)))
        place = errors.Place("keys", 1)
        keys = {name: f"key-of-{name:-<20}" for name in found}
        files = [auth.FileKey(minting.digest(keys[name]), f"{name}s-laptop", "", name, place) for name in found]
        directory = access.Directory(
            {one.name: one for one in (oncall, dba)},
            {name: access.Person(name, roles) for name, roles in found.items()},
        )
        room.services.gate.keys.use(directory, files)
        room.keys |= keys

    return make


@pytest.fixture
def ahead(room: Any) -> Callable[[float], None]:
    """`ahead(seconds)`: so much time is over."""

    def go(seconds: float) -> None:
        room.services.clock.now_us += round(seconds * 1_000_000)

    return go
