"""Answers: JSON (RFC 8259) and problems (RFC 9457) with the headers that every answer of ours has.

Used by every handler. Bodies are bytes of orjson, since `web.json_response` would encode twice.
"""

from __future__ import annotations

import http
from typing import Any, Final

import multidict
import orjson
from aiohttp import web

from healer import errors


def _frozen(headers: dict[str, str]) -> multidict.CIMultiDictProxy[str]:
    """A proxy, since some versions of aiohttp take a plain one as their own and write to it."""
    return multidict.CIMultiDictProxy(multidict.CIMultiDict(headers))


_SAFE: Final = {
    "Server": "healer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
JSON_HEADERS: Final = _frozen({**_SAFE, "Content-Type": "application/json"})
TEXT_HEADERS: Final = _frozen({**_SAFE, "Content-Type": "text/plain; charset=utf-8"})
_TAKEN_HEADERS: Final = _frozen(
    {"Server": "healer", "Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}
)
_PROBLEM_HEADERS: Final = _frozen({**_SAFE, "Content-Type": "application/problem+json"})
RETRY_AFTER_S: Final = 2


def json(value: Any, status: int = 200) -> web.Response:
    """A JSON answer. `value` may hold `orjson.Fragment`s."""
    return web.Response(body=orjson.dumps(value), status=status, headers=JSON_HEADERS)


def taken(position: int) -> web.Response:
    """202 for one event. Of the headers only those that matter for an answer that holds nothing but a number."""
    body = b'{"accepted":1,"duplicates":0,"ids":["e-%d"]}' % position
    return web.Response(body=body, status=202, headers=_TAKEN_HEADERS)


def page(items: list[Any], following: str | None) -> web.Response:
    """One page of a list; `following` is the cursor of the next one, None at the end."""
    return json({"items": items, "next": following})


def problem(
    code: str, status: int, detail: str, *, try_: str = "", headers: dict[str, str] | None = None, **more: Any
) -> web.Response:
    """A problem document. `more`: members beside those of the RFC (`errors`, `near`, `id`)."""
    body: dict[str, Any] = {
        "type": f"urn:healer:error:{code}", "title": _title(code, status), "status": status, "detail": detail, "code": code,
    }  # fmt: skip
    if try_:
        body["try"] = try_
    body |= {name: value for name, value in more.items() if value}
    answer = web.Response(body=orjson.dumps(body, default=str), status=status, headers=_PROBLEM_HEADERS)
    if status == http.HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE):
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    answer.headers.update(headers or {})
    return answer


def problem_of(error: errors.HealerError) -> web.Response:
    """The problem document of one of our errors, with all that its fields tell a program."""
    headers = {}
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = str(error.fields.get("wanted", ""))
    if again_s := error.fields.get("retry_after_s"):
        headers["Retry-After"] = str(again_s)
    if isinstance(error, errors.ConfigurationError):
        found: Any = [diagnostic.as_json() for diagnostic in error.diagnostics]
    else:
        found = error.fields.get("problems")
    return problem(
        error.code, error.status, _sound(error.message), try_=_sound(error.try_), headers=headers, errors=found,
        near=error.fields.get("near"),
    )  # fmt: skip


def _title(code: str, status: int) -> str:
    """The same for every problem of a code: its words, or the status's where it has none."""
    return code.replace("-", " ").replace("_", " ") or http.HTTPStatus(status).phrase


def _sound(text: str) -> str:
    """Halves of surrogate pairs (bytes of a header or path that are no UTF-8) cannot be written as JSON."""
    return text.encode("utf-8", "replace").decode()
