"""The HTTP side of `aap`: one request to /api/v2, and what went wrong with it in a word that says whether it may have taken place.

A secret is revealed for the headers of one request. Redirects are not followed, so that no token goes to another host; addresses are made
of what stands in the options and of whole numbers, never of what an event or the API says. Each request has its own connection: a POST
on one that the API has just closed could not be told from one that took place. Bodies, pages, connections and times are bounded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import email.utils
import functools
import json
import pathlib
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import aiohttp

from healer import errors, plugins
from healer.controllers import _shimmed

BODY_BYTES_MAX: Final = 4 << 20
STDOUT_BYTES_MAX: Final = 1 << 20
PAGE_SIZE: Final = 200
PAGES_MAX: Final = 50
CONNECT_S: Final = 10.0
REQUEST_S: Final = 60.0
PAUSE_MIN_S: Final = 1.0
PAUSE_MAX_S: Final = 30.0
RETRY_AFTER_MAX_S: Final = 600.0

_PIECE_BYTES: Final = 1 << 16
_Made = TypeVar("_Made")

pause = asyncio.sleep
"""How time is waited out between two requests."""


class ApiError(errors.HealerError):
    """the API cannot be used: {reason}"""

    code = "aap"
    passing: bool = False
    """Whether it may be well again a little later."""
    sent: bool = False
    """Whether the API may have acted on the request."""
    status_code: int = 0
    retry_after_s: float = 0.0


class NotReached(ApiError):
    """{url} cannot be reached: {reason}"""

    passing = True


class Untrusted(ApiError):
    """the certificate of {url} is not trusted: {reason}"""


class NoAnswer(ApiError):
    """{method} {url} got no whole answer: {reason}"""

    passing = True
    sent = True


class BadAnswer(ApiError):
    """{method} {url} got an answer that is not the API's: {reason}"""

    passing = True
    sent = True


class Refused(ApiError):
    """{method} {url} was answered with {answered}

    An answer that says no means that nothing took place; one that comes of a fault, of the API or of what stands before it, does not say.
    """

    def __init__(self, status_code: int, retry_after_s: float, try_: str = "", **fields: object) -> None:
        super().__init__(try_, **fields)
        self.status_code = status_code
        self.retry_after_s = retry_after_s
        self.sent = status_code >= 500 or status_code in (408, 499)
        self.passing = self.sent or status_code == 429


class Api:
    """The API of one controller. `path`s are relative to `…/v2/`; only whole numbers are put into them."""

    def __init__(self, options: Any, context: plugins.ControllerContext) -> None:
        self._options = options
        self._context = context
        address = urllib.parse.urlsplit(options.url)
        path = address.path.strip("/")
        self.root = f"{address.scheme}://{address.netloc}"
        self.base = f"{self.root}/{path}/v2/" if path else f"{self.root}/api/v2/"
        """Where a path is given it is a gateway's, and stands for `/api`."""
        self._slots = asyncio.Semaphore(options.connections)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A JSON object. Raises `ApiError`."""
        async with self._answer("GET", path, params=params) as answer:
            return await self._object("GET", path, answer)

    async def post(self, path: str, body: Mapping[str, Any], limit_s: float = REQUEST_S) -> dict[str, Any]:
        """What the API answers; an empty answer is an empty object. Raises `ApiError`: its `sent` says whether it may have taken place."""
        async with self._answer("POST", path, body=json.dumps(body).encode(), limit_s=limit_s) as answer:
            return await self._object("POST", path, answer)

    async def pages(self, path: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """The results of all pages, at most `PAGES_MAX` of them. Raises `ApiError`."""
        for number in range(1, PAGES_MAX + 1):
            try:
                page = await self.get(path, {**params, "page": str(number), "page_size": str(PAGE_SIZE)})
            except Refused as error:
                if number > 1 and error.status_code == 404:  # the list has become shorter meanwhile
                    return
                raise
            results = page.get("results")
            if not isinstance(results, list):
                raise BadAnswer(method="GET", url=self.base + path, reason="it has no list of results")
            for result in results:
                if isinstance(result, dict):
                    yield result
            if not page.get("next"):
                return
        raise BadAnswer(method="GET", url=self.base + path, reason=f"it has more than {PAGES_MAX} pages")

    async def text(self, path: str, params: Mapping[str, str], hear: Callable[[bytes], None], bytes_max: int) -> bool:
        """Hand on the beginning of a text as it comes; whether it was longer. Raises `ApiError`."""
        left = bytes_max
        async with self._answer("GET", path, params=params) as answer:
            if answer.status != 200:
                raise await self._refused("GET", path, answer)
            while piece := await answer.content.read(_PIECE_BYTES):
                if left:
                    hear(piece[:left])
                if len(piece) > left:
                    return True
                left -= len(piece)
        return False

    # --- one request --------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes | None = None,
        limit_s: float = REQUEST_S,
    ) -> AsyncIterator[aiohttp.ClientResponse]:  # fmt: skip
        url = self.base + path
        limit = aiohttp.ClientTimeout(total=limit_s, connect=CONNECT_S)
        try:
            async with (
                self._slots,
                self._session(limit) as session,
                session.request(
                    method, url, params=params, data=body, headers=self._headers(), allow_redirects=False
                ) as answer,
            ):
                yield answer
        except aiohttp.ClientConnectorCertificateError as error:
            raise Untrusted("name the CA's file in `ca`", url=self.root, reason=_why(error)) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(url=self.root, reason=_why(error)) from error
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise NoAnswer(method=method, url=url, reason=_why(error)) from error

    def _session(self, limit: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=self._tls, force_close=True)
        return aiohttp.ClientSession(connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar())

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext | bool:
        if not self._options.verify_tls:
            return False
        if self._options.ca is None:
            return True
        file = pathlib.Path(self._context.project_dir) / self._options.ca
        try:
            return ssl.create_default_context(cafile=str(file))
        except OSError as error:  # an SSLError is one
            reason = f"`ca` names {str(file)!r}: {error.strerror or error}"
            raise ApiError("a file of certificates in PEM is wanted", reason=reason) from error

    def _headers(self) -> dict[str, str]:
        """With the credentials, which leave this request's frame with it. Raises `ApiError`."""
        options = self._options
        try:
            secret = self._context.resolve(options.token or options.password).reveal()
        except errors.HealerError as error:
            raise ApiError(error.try_, reason=error.message) from error
        if options.token is None:
            known = "Basic " + base64.b64encode(f"{options.username}:{secret}".encode()).decode()
        elif secret and secret.isascii() and secret.isprintable() and " " not in secret:
            known = f"Bearer {secret}"
        else:
            reason = f"{options.token.secret} has characters that no token has (a line break, a space?)"
            raise ApiError(reason=reason)
        return {
            "Authorization": known, "Accept": "application/json, text/plain;q=0.9, */*;q=0.5", "Accept-Encoding": "identity",
            "Content-Type": "application/json", "User-Agent": "auto-healer",
        }  # fmt: skip

    async def _object(self, method: str, path: str, answer: aiohttp.ClientResponse) -> dict[str, Any]:
        if not 200 <= answer.status < 300:
            raise await self._refused(method, path, answer)
        url = self.base + path
        raw = await _read(answer)
        if len(raw) > BODY_BYTES_MAX:
            raise BadAnswer(method=method, url=url, reason=f"it has more than {BODY_BYTES_MAX >> 20} MiB")
        if not raw and method == "POST":
            return {}
        try:
            made = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise BadAnswer(method=method, url=url, reason=f"it is no JSON ({_shimmed.one_line(str(error))})") from None
        if not isinstance(made, dict):
            raise BadAnswer(method=method, url=url, reason=f"a JSON object is wanted, got {type(made).__name__}")
        return made

    async def _refused(self, method: str, path: str, answer: aiohttp.ClientResponse) -> Refused:
        said = _said(answer, (await _read(answer))[:_PIECE_BYTES])
        to = answer.headers.get("Location", "")
        if 300 <= answer.status < 400:
            said = f"a redirect to {to.partition('?')[0]!r}, which is not followed"
        answered = _shimmed.one_line(f"{answer.status} {answer.reason or ''}") + (f": {said}" if said else "")
        return Refused(
            answer.status, _retry_after_s(answer.headers.get("Retry-After", "")), self._hint(answer.status),
            method=method, url=self.base + path, answered=answered,
        )  # fmt: skip

    def _hint(self, status: int) -> str:
        if status == 401:
            return "are the token or the username and password right, and not run out?"
        if status == 403:
            return "the account lacks a role for this in the organization"
        if status in (301, 302, 307, 308, 404):
            return f"is `url` right? its API is looked for at {self.base}"
        return ""


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The body, or a little more than `BODY_BYTES_MAX` of it."""
    raw = bytearray()
    while len(raw) <= BODY_BYTES_MAX and (piece := await answer.content.read(_PIECE_BYTES)):
        raw += piece
    return bytes(raw)


def _said(answer: aiohttp.ClientResponse, raw: bytes) -> str:
    """What the API says of an error, as one line; nothing of a page for people."""
    if "html" in answer.headers.get("Content-Type", ""):
        return ""
    text = raw.decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        made = json.loads(text)
        detail = made.get("detail") if isinstance(made, dict) else None
        text = detail if isinstance(detail, str) else json.dumps(made, ensure_ascii=False)
    line: str = _shimmed.one_line(text)
    return line


def _why(error: BaseException) -> str:
    line: str = _shimmed.one_line(str(error) or type(error).__name__)
    return "it took too long" if isinstance(error, TimeoutError) and not str(error) else line


def _retry_after_s(text: str) -> float:
    """Seconds of a Retry-After (RFC 9110, 10.2.3): a number or a date; 0 where there is none to be read."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), RETRY_AFTER_MAX_S)
    with contextlib.suppress(ValueError, TypeError):
        at = email.utils.parsedate_to_datetime(text)
        if at.tzinfo is not None:
            left_s = (at - datetime.datetime.now(datetime.UTC)).total_seconds()
            return min(max(left_s, 0.0), RETRY_AFTER_MAX_S)
    return 0.0


def id_of(found: Mapping[str, Any], url: str) -> int:
    """The id of an object of the API, which goes into paths. Raises `BadAnswer` for anything but a whole number."""
    number = found.get("id")
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 1 << 63:
        return number
    raise BadAnswer(method="GET", url=url, reason=f"an id is wanted, got {_shimmed.one_line(repr(number))[:80]}")


async def insist(ask: Callable[[], Awaitable[_Made]], tell: Callable[[ApiError], None]) -> _Made:
    """The answer to `ask`, which may be asked any number of times; what passes is waited out for as long as the caller lets it.

    Raises the `ApiError` that does not pass.
    """
    wait_s = PAUSE_MIN_S
    while True:
        try:
            return await ask()
        except ApiError as error:
            if not error.passing:
                raise
            tell(error)
            await pause(max(error.retry_after_s, wait_s))
        wait_s = min(wait_s * 2, PAUSE_MAX_S)
