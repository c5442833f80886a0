"""What a form sends, and whether it is ours: its token, where the request came from, and where one may be sent on to.

Used by `doors` for each POST and by `entry`. A form of ours has the token of the session (or of the cookie or ticket that stands in its
place). Beside it what the browser says of the sender counts: `Sec-Fetch-Site` (W3C Fetch Metadata) and `Origin` (RFC 6454). Neither of
them comes always: not of a page without TLS, and `Origin` is `null` for pages that give no referrer, as ours.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import Final

import orjson
from aiohttp import web

from healer import errors
from healer.intake import strict
from healer.web import bodies, minting
from healer.web.services import Services

HOME: Final = "/ui"
LOGIN: Final = "/ui/login"
TOKEN: Final = "token"  # noqa: S105 - the name of a field
FIELDS_MAX: Final = 2_100
"""As many as the requests that may be decided at once have, and what stands beside them."""
NEXT_MAX: Final = 2_000
_NEXT: Final = re.compile(r"/ui(?:/[A-Za-z0-9_~:@!$'()*+,;=%.-]+)*(?:\?[A-Za-z0-9_~:@!$&'()*+,;=%./?-]*)?")
_NOT_ON: Final = ("/ui/login", "/ui/logout", "/ui/decide", "/ui/static")


class ForeignForm(errors.RequestError):
    """this was not sent by a page of ours: {why}"""

    code = "foreign-form"
    status = 403


class Form:
    """The fields of a form, each with all of its values."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """The value; '' without one. Raises `bodies.FieldTwice`."""
        values = self._fields.get(name, [""])
        if len(values) > 1:
            raise bodies.FieldTwice(key=name)
        return values[0]

    def all(self, name: str) -> list[str]:
        """Every value."""
        return self._fields.get(name, [])

    def line(self, name: str) -> str:
        """A text of several lines as one."""
        return " ".join(self.one(name).split())


async def read(request: web.Request) -> Form:
    """The form of a request. Raises `errors.WrongContentType`, `errors.TooLarge`, `errors.RequestError`."""
    kind = bodies.content_type(request, (bodies.FORM,))
    if kind != bodies.FORM:
        raise errors.WrongContentType(got=request.headers.get("Content-Type", "nothing")[:80], wanted=bodies.FORM)
    body = await bodies.read(request, bodies.SMALL_MAX)
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=FIELDS_MAX
        )  # fmt: skip
    except ValueError as error:
        raise errors.RequestError(detail=f"the body is no form: {error}"[:200]) from error
    strict.parse(
        orjson.dumps([value for pair in pairs for value in pair])
    )  # as strictly as all that comes from outside
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def check_sender(request: web.Request, services: Services) -> None:
    """Raises `ForeignForm` where the browser says that another site has sent this."""
    site, origin = (request.headers.getall(name, []) for name in ("Sec-Fetch-Site", "Origin"))
    if len(site) > 1 or len(origin) > 1:
        raise ForeignForm("open the page again", why="a header that says where it comes from is there twice")
    if site and site[0] != "same-origin":
        raise ForeignForm("open the page again", why="the browser says that another site sent it")
    if origin and origin[0] != "null" and not _is_ours(origin[0], request, services):
        raise ForeignForm("server: {public_url: URL} in healer.yaml", why=f"it comes from {origin[0][:200]}")


def _is_ours(origin: str, request: web.Request, services: Services) -> bool:
    """Whether an origin is that of `server.public_url`, or the host that the request was sent to."""
    public = services.revision().settings.server.public_url
    if public and origin.lower() == _origin(public):
        return True
    scheme, _, host = origin.lower().partition("://")
    return scheme in ("http", "https") and host == request.host.lower()


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url.lower())
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def check_token(form: Form, wanted: str) -> None:
    """Raises `ForeignForm` for a form that is none of this session."""
    given = form.all(TOKEN)
    if len(given) != 1 or not wanted or not minting.same(given[0], wanted):
        raise ForeignForm("open the page again, and decide there", why="its token is none of this session")


def is_secure(services: Services) -> bool:
    """Whether cookies are for https alone."""
    return (services.revision().settings.server.public_url or "").lower().startswith("https:")


def next_page(asked: str) -> str:
    """Where somebody goes on after logging in: a page of ours, as it was asked for; the first one instead of anything else."""
    if len(asked) > NEXT_MAX or not _NEXT.fullmatch(asked):
        return HOME
    path = urllib.parse.unquote(asked.partition("?")[0])
    parts = path.split("/")
    if any(part in (".", "..") for part in parts) or "//" in path or "\\" in path or not path.isprintable():
        return HOME
    return HOME if path.startswith(_NOT_ON) else asked
