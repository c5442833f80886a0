"""The one place where what handlers raise becomes an answer. `routes.build` puts it around every request.

Our own errors say what they are; aiohttp's (no such route, wrong method) get the same shape; anything else is a mistake of ours: it
is logged with an id, and the sender sees the id and nothing of the inside.
"""

from __future__ import annotations

import asyncio
import http
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import HttpVersion11, http_exceptions, web
from loguru import logger

from healer import errors, telemetry
from healer.web import answers, tally

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FRESH: Final = web.AppKey("fresh", dict[object, asyncio.TimerHandle])
"""Connections that brought no request yet, each with the timer that ends it; `serving` puts them in, the first request takes them out."""
Pages = Callable[[web.Request, web.StreamResponse], web.StreamResponse]
PAGES: Final[web.AppKey[Pages]] = web.AppKey("pages", Callable)  # type: ignore[arg-type]
"""Makes a page of a problem, for who looks at pages (`ui.doors`)."""
HIDDEN: Final = (("/hooks/", 1), ("/ui/decide/", 0))
"""Where a path may hold what lets somebody in, and how many of its parts behind that may be shown."""


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Around every request, also those that no route takes."""
    _is_here(request)
    try:
        return await handler(request)
    except errors.HealerError as error:
        answer = _known(request, error)
    except web.HTTPException as error:
        answer = _of_aiohttp(request, error)
    except (web.RequestPayloadError, http_exceptions.HttpProcessingError) as error:
        answer = answers.problem_of(errors.RequestError(detail=f"it cannot be read: {error}"[:300]))
    except ConnectionError:
        raise  # the sender went away: there is nobody to answer
    except Exception as error:  # noqa: BLE001 - outermost: whatever it is, the daemon goes on and the sender gets an answer
        answer = _unknown(request, error)
    return request.app[PAGES](request, answer) if _is_page(request) else answer


def _is_here(request: web.Request) -> None:
    """Its connection has brought a request in time."""
    fresh = request.app[FRESH]
    if fresh and (timer := fresh.pop(request.protocol, None)) is not None:
        timer.cancel()


async def expected(request: web.Request) -> web.StreamResponse | None:
    """What `Expect` is answered with before the body comes (RFC 9110, 10.1.1): 100 or, without its text, 417."""
    if request.version < HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        _is_here(request)
        return answers.problem(
            "expectation-failed", http.HTTPStatus.EXPECTATION_FAILED, "only Expect: 100-continue is known"
        )
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer has not begun
    return None


def _is_page(request: web.Request) -> bool:
    """Whether a person with a browser waits for the answer."""
    return request.path == "/ui" or request.path.startswith("/ui/")


def shown_path(path: str) -> str:
    """A path as it may stand in a log: what comes behind the first part of a hook's may be its token, and a signed link is one."""
    for beginning, shown in HIDDEN:
        if path.startswith(beginning):
            parts = path[len(beginning) :].split("/")
            return path if len(parts) <= shown else "/".join([beginning[:-1], *parts[:shown], "…"])
    return path


def _known(request: web.Request, error: errors.HealerError) -> web.StreamResponse:
    answer = answers.problem_of(error)
    level = "WARNING" if answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "DEBUG"
    method, path = tally.one_line(request.method), tally.one_line(shown_path(request.path))
    logger.bind(method=method, path=path, status=answer.status, code=error.code).log(
        level,
        "{} {} answered {}: {}",
        method,
        path,
        answer.status,
        tally.one_line(getattr(error, "reason", error.message)),
    )
    if answer.status in (
        http.HTTPStatus.TOO_MANY_REQUESTS,
        http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        http.HTTPStatus.REQUEST_TIMEOUT,
    ):
        answer.force_close()
    return answer


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if isinstance(error, web.HTTPNotFound):
        listed = "docs/pages.md lists the pages" if _is_page(request) else "docs/api.md lists the routes"
        return answers.problem_of(errors.NotFound(listed, what=f"the path {request.path[:200]!r}"))
    if isinstance(error, web.HTTPMethodNotAllowed):
        wanted = ", ".join(sorted(error.allowed_methods))
        return answers.problem_of(errors.MethodNotAllowed(method=request.method[:40], wanted=wanted))
    if error.status >= http.HTTPStatus.BAD_REQUEST:
        return answers.problem("http", error.status, error.reason)
    raise error


def _unknown(request: web.Request, error: Exception) -> web.StreamResponse:
    known_as = secrets.token_hex(6)
    telemetry.count("requests_failed")
    logger.bind(
        error_id=known_as, method=tally.one_line(request.method), path=tally.one_line(shown_path(request.path))
    ).opt(exception=error).error("a request failed by a mistake of the program (id {})", known_as)
    detail = f"something went wrong here, not in the request; the log has it under the id {known_as}"
    return answers.problem("internal", http.HTTPStatus.INTERNAL_SERVER_ERROR, detail, id=known_as)
