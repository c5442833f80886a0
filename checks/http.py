"""`http`: what a GET of a URL answers. A redirect is followed on the same host only: another host's health says nothing of this one's."""

from __future__ import annotations

import urllib.parse
from typing import Annotated, Final

import aiohttp
import pydantic

from healer import plugins
from healer.checks import _texts

BODY_MAX: Final = 1 << 20
REDIRECTS_MAX: Final = 5


def _has_port(value: str) -> str:
    """An address whose port, where it names one, can be asked. Raises ValueError."""
    try:
        port = urllib.parse.urlsplit(value).port
    except ValueError:  # which also says what else no address has
        port = 0
    if port == 0:
        raise ValueError(f"an address with a port from 1 to 65535 is wanted, got {value!r}")
    return value


Url = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https?://[^\s/]+[^\s]*$", max_length=2048),
    plugins.Wanted("a URL like https://host/path"),
    pydantic.AfterValidator(_has_port),
]
Timeout = Annotated[plugins.Duration, pydantic.Field(ge=0.1, le=300)]


class HttpOptions(plugins.Options):
    """What a GET of a URL answers."""

    url: Url
    status: Annotated[int, pydantic.Field(ge=100, le=599)] | None = pydantic.Field(None, description="default: any 2xx")
    timeout: Timeout = pydantic.Field(10.0, description="until the whole answer is there")
    contains: _texts.Text | None = pydantic.Field(None, description="a text that the first MiB of the body has to have")


class Http(plugins.Check):
    """Whether a URL answers with the status that is wanted, in time, and with the text in its first MiB."""

    Options = HttpOptions
    alert = "HttpDown"
    addresses = ("url",)

    def subject(self) -> str:
        """The URL."""
        return str(self.options.url)

    async def look(self) -> plugins.Reading:
        """The status of the answer. That there is none is bad too: it is what a down service looks like."""
        url, limit = self.options.url, aiohttp.ClientTimeout(total=self.options.timeout)
        try:
            async with aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session:
                return await _asked(session, url, self.options.status, self.options.contains)
        except TimeoutError:
            return plugins.Reading(False, None, f"{url} did not answer within {self.options.timeout:g} s")
        except aiohttp.InvalidURL as error:
            return plugins.Reading(False, None, f"{url}: {error.url} is no address that can be asked")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return plugins.Reading(False, None, f"{url}: {str(error) or type(error).__name__}")


async def _asked(session: aiohttp.ClientSession, url: str, status: int | None, contains: str | None) -> plugins.Reading:
    at = url
    for _ in range(REDIRECTS_MAX + 1):
        async with session.get(at, allow_redirects=False) as answer:
            wanted = answer.status == status if status else 200 <= answer.status < 300
            to = answer.headers.get("Location")
            if not wanted and to and 300 <= answer.status < 400:
                there = urllib.parse.urljoin(at, to)
                if urllib.parse.urlsplit(there).hostname != urllib.parse.urlsplit(url).hostname:
                    return plugins.Reading(False, float(answer.status), f"{url} redirects to another host")
                at = there
                continue
            return await _judged(answer, url, wanted, contains)
    return plugins.Reading(False, None, f"{url} redirects more than {REDIRECTS_MAX} times")


async def _judged(answer: aiohttp.ClientResponse, url: str, wanted: bool, contains: str | None) -> plugins.Reading:
    value = float(answer.status)
    if wanted and contains is not None:
        body = bytearray()
        while len(body) < BODY_MAX and (chunk := await answer.content.read(BODY_MAX - len(body))):
            body += chunk
        if contains.encode() not in body:
            return plugins.Reading(False, value, f"{url} answers {answer.status} without the text that is wanted")
    return plugins.Reading(wanted, value, f"{url} answers {answer.status}")


CHECK = Http
