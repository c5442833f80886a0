"""Logging in and out: a form takes an API key, which the gate looks up as for the API, and a session begins.

The form has a token too, bound to a cookie of its own: else a page of somebody else could log a browser in as them. Who gives a wrong key
waits as with the API.
"""

from __future__ import annotations

import http
import secrets
from typing import Final

from aiohttp import web
from loguru import logger

from healer import errors
from healer.web import auth, tally
from healer.web.ui import forms, views

COOKIE: Final = "healer_login"
COOKIE_MAX: Final = 100
PAGES: Final = ""
"""The path of the cookies is not said. It is then that of the form without its last part (RFC 6265, section 5.1.4): `/ui`, and behind a
proxy what the browser calls it."""


class UnknownKey(errors.Unauthorized):
    """that key is not known, or it was revoked"""


async def show(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """The form. Whoever is logged in goes on at once."""
    going_on = forms.next_page(view.request.query.get("next", ""))
    if view.session is not None:
        return view.seen_other(going_on)
    return _page(view, going_on)


async def home(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """303 to the first page, whose address has no slash at its end."""
    return view.seen_other(forms.HOME)


async def log_in(view: views.View, form: forms.Form) -> web.StreamResponse:
    """303 to the page that was asked for; 401 with the form for a wrong key, after a while. The session that was is over."""
    held = view.request.cookies.get(COOKIE, "")[:COOKIE_MAX]
    forms.check_token(form, view.kept.token_for(f"login {held}") if held else "")
    gate, remote, key = view.services.gate, view.request.remote, form.one("key").strip()
    going_on = forms.next_page(form.one("next"))
    caller = gate.keys.find(key) if len(key) <= auth.TOKEN_MAX else None
    if caller is None:
        error = UnknownKey("healer keys list")
        view.services.tally.refused(forms.LOGIN, error.code, error.message)
        await gate.throttle.wait(remote)
        return _page(view, going_on, error.message)
    gate.throttle.right(remote)
    view.kept.end(view.request.cookies.get(views.COOKIE, ""))
    logger.info("{} logged in to the pages", tally.one_line(caller.actor))
    answer = view.seen_other(going_on)
    _put(view, answer, views.COOKIE, view.kept.begin(key))
    _drop(answer, COOKIE)
    return answer


async def log_out(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """303 to the form."""
    view.kept.end(view.request.cookies.get(views.COOKIE, ""))
    answer = view.seen_other(forms.LOGIN)
    _drop(answer, views.COOKIE)
    return answer


def _page(view: views.View, going_on: str, wrong: str = "") -> web.Response:
    """The form, with a cookie and a token that belong together. A page of another site that links here sends no session along, as the
    cookie is strict: then there is a way on without logging in again."""
    there = view.request.cookies.get(COOKIE, "")[:COOKIE_MAX]  # that of another tab goes on to hold
    held = there or secrets.token_urlsafe(24)
    answer = view.page(
        "login.html", "Log in", http.HTTPStatus.UNAUTHORIZED if wrong else http.HTTPStatus.OK,
        wrong=wrong, going_on=going_on, proof=view.kept.token_for(f"login {held}"),
        from_elsewhere=view.request.headers.get("Sec-Fetch-Site") == "cross-site",
    )  # fmt: skip
    if not there:
        _put(view, answer, COOKIE, held)
    return answer


def _put(view: views.View, answer: web.Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, path=PAGES, httponly=True, samesite="Strict", secure=forms.is_secure(view.services))


def _drop(answer: web.Response, name: str) -> None:
    answer.set_cookie(name, "", path=PAGES, max_age=0)
