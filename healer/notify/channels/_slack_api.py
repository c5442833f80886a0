"""Slack's Web API as the channel and `web.slack` call it: one session, no tries of its own, and failures in words.

The outbox tries again, so that nothing is posted twice behind its back: slack_sdk's own retries are off. Of a failure only its code goes
on, never what else an answer or an exception holds.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from healer import errors

API_URL: Final = "https://slack.com/api/"
TIMEOUT_S: Final = 6.0
RETRY_S: Final = 30.0
"""After which it is tried again where Slack says that there is too much and not for how long."""
RETRY_MAX_S: Final = 3_600.0
_CODE: Final = re.compile(r"[a-z0-9_:.-]{1,80}")
PASSES: Final = frozenset({
    "ratelimited", "rate_limited", "accesslimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "team_added_to_org", "unreachable", "no_answer",
})  # fmt: skip
"""Failures that are over after a while; any other stays until somebody does something."""
_INVITE: Final = "in Slack: /invite the app into the channel"
_COPY: Final = "the app's page at api.slack.com/apps, Install App: copy the token, and `healer reload`"
WAYS_OUT: Final[Mapping[str, str]] = {
    "channel_not_found": f"the id of the channel (its details, at the bottom); where it is private, {_INVITE}",
    "not_in_channel": _INVITE,
    "is_archived": "another channel, or unarchive it",
    "restricted_action": "a channel in which the app may post: the workspace has a rule against it",
    "restricted_action_read_only_channel": "another channel: only some people may post there",
    "invalid_auth": _COPY, "not_authed": _COPY, "token_revoked": _COPY, "token_expired": _COPY, "account_inactive": _COPY,
    "not_allowed_token_type": "bot_token is the one that begins with xoxb-, app_token the one that begins with xapp-",
    "message_not_found": "it was deleted in Slack: what comes next is a new message",
    "user_not_found": "slack: TEAM/USER of the principal in healer.yaml",
    "user_disabled": "the person is deactivated in Slack: name somebody else",
    "cannot_dm_bot": "slack: TEAM/USER of the principal is a bot",
    "link_disabled": "the app's page, Socket Mode: turn it on, or take app_token out of healer.yaml",
    "messages_tab_disabled": "the app's page, App Home: turn on its messages tab",
    "invalid_blocks": "this is a mistake of healer: please report it", "msg_too_long": "this is a mistake of healer: please report it",
}  # fmt: skip


class Failed(Exception):
    """Slack did not do it. `code`: Slack's word for why, or `unreachable`, `no_answer`; `passes`: it may go well later."""

    def __init__(self, code: str, *, retry_after_s: float | None = None, needed: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s
        self.needed = needed

    @property
    def passes(self) -> bool:
        """Whether trying again may help by itself."""
        return self.code in PASSES or self.retry_after_s is not None

    @property
    def way_out(self) -> str:
        """What to do."""
        if self.needed:
            return f"add the scope {self.needed} to the app and install it again"
        return WAYS_OUT.get(self.code, "")

    def __str__(self) -> str:
        wait = "" if self.retry_after_s is None else f" (again in {self.retry_after_s:g} s)"
        return f"Slack says {self.code}{wait}" if self.code not in ("unreachable", "no_answer") else _SAID[self.code]


_SAID: Final = {"unreachable": "Slack cannot be reached", "no_answer": "Slack does not answer as it should"}


_CLIENT: Final = "slack_sdk.web.async_client"


def _library() -> Any:
    """slack_sdk's client, imported when it is first needed, beside the loop: it takes 400 ms. Raises `errors.MissingExtra`."""
    try:
        from slack_sdk.web import async_client
    except ImportError as error:
        package = error.name or "slack_sdk"
        raise errors.MissingExtra(
            what="the channel slack", package=package, try_="pip install 'auto-healer[slack]'"
        ) from error
    return async_client


def _quiet() -> logging.Logger:
    """For slack_sdk, which would write down requests as they are."""
    made = logging.Logger("healer.slack", logging.CRITICAL)
    made.addHandler(logging.NullHandler())
    return made


class Api:
    """One a token. `token` is asked for at each call, since the file that it stands in may change."""

    def __init__(self, token: Callable[[], str], base_url: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._token = token
        self._base_url = base_url or API_URL
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None
        self._is_closed = False

    async def call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer of a method, by its name in slack_sdk (`chat_postMessage`).

        Raises `Failed`, `errors.MissingExtra`, `errors.SecretUnavailable`.
        """
        if _CLIENT not in sys.modules:
            await asyncio.to_thread(_library)
        client = self._ready()
        wrong = sys.modules["slack_sdk.errors"]
        try:
            answer = await getattr(client, method)(**arguments)
        except wrong.SlackApiError as error:
            raise _failed(error.response) from None
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise Failed("unreachable") from None
        except (wrong.SlackClientError, ValueError):
            raise Failed("no_answer") from None
        if not isinstance(answer.data, dict):
            raise Failed("no_answer")
        return answer.data

    def session(self) -> aiohttp.ClientSession:
        """Of all that is said to Slack with this token. Proxies are those of the environment. Raises `Failed` once it is closed."""
        if self._is_closed:
            raise Failed("unreachable")
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        return self._session

    def _ready(self) -> Any:
        token = self._token()
        session = self.session()
        if self._client is None or self._client.session is not session:
            self._client = _library().AsyncWebClient(
                token, self._base_url, session=session, logger=_quiet(), retry_handlers=[]
            )
            self._client.proxy = None  # the session knows of proxies, and of hosts that need none
        self._client.token = token.strip()
        return self._client

    async def close(self) -> None:
        """Nothing is asked any more."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()


def _failed(answer: Any) -> Failed:
    """Of an answer that is no success: slack_sdk's, or aiohttp's own where it could not be read."""
    status = int(getattr(answer, "status_code", 0) or getattr(answer, "status", 0) or 0)
    data = getattr(answer, "data", None)
    body: Mapping[str, Any] = data if isinstance(data, dict) else {}
    code = body.get("error")
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    if status == 429 or known in ("ratelimited", "rate_limited"):
        return Failed("ratelimited", retry_after_s=retry_after(getattr(answer, "headers", {})))
    if status >= 500 and known not in WAYS_OUT:
        return Failed("no_answer")
    needed = body.get("needed")
    return Failed(known or "no_answer", needed=needed if isinstance(needed, str) and _CODE.fullmatch(needed) else "")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds, as the header Retry-After says."""
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        wanted = float(given)
    except ValueError:
        return RETRY_S
    return min(max(wanted, 1.0), RETRY_MAX_S) if math.isfinite(wanted) else RETRY_S
