"""One request to somebody outside, bounded in every way: what `reconciling` asks and `beating` sends.

Redirects are not followed: they would lead the token, or the sign of life, to somebody else. Errors tell why and never the address,
which may be a secret itself.
"""

from __future__ import annotations

import dataclasses
import email.utils
import ssl
from typing import Any, Final, Literal

import aiohttp

from healer import errors

PIECE_BYTES: Final = 1 << 16


class Failed(errors.HealerError):
    """{reason}"""

    code = "outgoing"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer. `date_us`: its sender's clock, to the second; None where it does not tell."""

    body: bytes
    date_us: int | None


async def request(
    method: Literal["GET", "POST"], url: str, *, timeout_s: float, bytes_max: int = 0, token: str = "", ca: str = ""
) -> Answer:
    """Send it and give the answer; with `bytes_max` 0 its body is not read. Raises `Failed`."""
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise Failed(reason="the token has characters that no token has (a line break, a space?)")
    headers = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "identity", "User-Agent": "auto-healer"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connector = aiohttp.TCPConnector(ssl=_trust(ca), force_close=True)
        limit = aiohttp.ClientTimeout(total=timeout_s)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.request(method, url, headers=headers, allow_redirects=False) as answer,
        ):
            if not 200 <= answer.status < 300:
                raise Failed(reason=_refused(answer.status))
            return Answer(await _read(answer, bytes_max) if bytes_max else b"", _date_us(answer))
    except TimeoutError as error:
        raise Failed(reason=f"no answer within {timeout_s:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Failed(reason=_why(error)) from error


def _trust(ca: str) -> ssl.SSLContext | bool:
    """What certificates are held against: those of a file, else those of the system."""
    try:
        return ssl.create_default_context(cafile=ca) if ca else True
    except OSError as error:  # an SSLError is one
        raise Failed(reason=f"the certificates of {ca} cannot be read: {error.strerror or error}") from error


async def _read(answer: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    body = bytearray()
    while chunk := await answer.content.read(PIECE_BYTES):
        body += chunk
        if len(body) > bytes_max:
            raise Failed(reason=f"its answer has more than {bytes_max >> 20} MiB")
    return bytes(body)


def _refused(status: int) -> str:
    if 300 <= status < 400:
        return f"it answers {status}, a redirect, which is not followed"
    return f"it answers {status}"


def _why(error: Any) -> str:
    """What went wrong, without the address: the texts of such errors name it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({getattr(error, 'verify_message', '') or 'name the CA'})"
    if isinstance(error, aiohttp.InvalidURL):
        return "its address is no URL"
    said = getattr(error, "strerror", None) or getattr(getattr(error, "os_error", None), "strerror", None)
    return str(said) if said and "://" not in str(said) else f"the connection failed ({type(error).__name__})"


def _date_us(answer: aiohttp.ClientResponse) -> int | None:
    try:
        return round(email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp() * 1_000_000)
    except (KeyError, TypeError, ValueError):
        return None
