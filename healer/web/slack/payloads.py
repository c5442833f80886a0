"""What Slack sends, read: clicks, forms and commands, without anything that anybody could have meant otherwise. Pure; caller: `desk`.

A name that somebody chose is not read at all. Of what has another form than Slack's nothing is done.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from healer import errors
from healer.notify.channels import _slack_values as values

TEXT_MAX: Final = 3_000
REASON_MAX: Final = 500
URL_MAX: Final = 500
_ID: Final = re.compile(r"[A-Z][A-Z0-9]{1,30}")
REASON: Final = "reason"
"""The block of a form with a reason; those with requests begin with `WHICH`."""
WHICH: Final = "which"
_QUOTES: Final = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
"""What Slack makes of quotes by itself while somebody types."""


class Unreadable(errors.RequestError):
    """that is nothing that Slack sends: {what}"""

    code = "slack-payload"


@dataclasses.dataclass(frozen=True, slots=True)
class From:
    """Who did it and where. `user_team`: of the user, where it is told; `url`: where an answer may go to."""

    team: str
    user: str
    user_team: str = ""
    channel: str = ""
    url: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Click:
    """A button. `trigger`: opens a form for as long as 3 s. `private`: in a message that only they see."""

    at: From
    action: str
    value: str
    trigger: str = ""
    private: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A form that was sent: which of its requests were chosen, and why. `private`: its button was in a message that only they see."""

    at: From
    action: str
    meant: tuple[values.Meant, ...]
    reason: str
    private: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What stands behind `/heal`."""

    at: From
    text: str


def interaction(payload: Any) -> Click | Form | None:
    """None: there is nothing to do for that. Raises `Unreadable`."""
    kind = _text(payload, "type")
    if kind == "block_actions":
        return _click(payload)
    if kind == "view_submission":
        return _form(payload)
    return None


def _click(payload: Any) -> Click | None:
    found = payload.get("actions")
    if not isinstance(found, list) or len(found) != 1:
        raise Unreadable(what="a click on one button")
    action, value = _text(found[0], "action_id"), _text(found[0], "value", needed=False)
    if action not in (values.APPROVE, values.CHOOSE, values.REJECT, values.ANSWER, values.RESUME):
        return None
    channel = _text(_object(payload, "channel"), "id", needed=False)
    private = _object(payload, "container").get("is_ephemeral") is True
    at = _from(payload, channel, _text(payload, "response_url", needed=False))
    return Click(at, action, value, _text(payload, "trigger_id", needed=False), private)


def _form(payload: Any) -> Form | None:
    view = _object(payload, "view")
    action = _text(view, "callback_id", needed=False)
    if action not in (values.APPROVE, values.REJECT):
        return None
    meant, channel, url, private = back(_text(view, "private_metadata"))
    entered = _object(_object(view, "state"), "values")
    chosen: set[str] = set()
    reason, has_choice = "", False
    for block, inputs in entered.items():
        one = next(iter(inputs.values()), None) if isinstance(inputs, dict) else None
        if block == REASON and isinstance(one, dict):
            reason = " ".join(str(one.get("value") or "").split())[:REASON_MAX]
        elif block.startswith(WHICH) and isinstance(one, dict):
            has_choice = True
            options = one.get("selected_options")
            chosen |= {_text(option, "value") for option in (options if isinstance(options, list) else [])}
    kept = tuple(one for one in meant if one.request in chosen) if has_choice else meant
    return Form(_from(payload, channel, url), action, kept, reason, private)


def command(fields: Mapping[str, Any]) -> Command:
    """Raises `Unreadable`."""
    at = From(
        _id(fields, "team_id"), _id(fields, "user_id"), "", _text(fields, "channel_id", needed=False),
        _text(fields, "response_url", needed=False)[:URL_MAX],
    )  # fmt: skip
    text = html.unescape(_text(fields, "text", needed=False)).translate(_QUOTES)
    return Command(at, " ".join(text.split()))


def metadata(click: Click) -> str:
    """What a form brings back: the requests of its button, and where an answer goes to."""
    value = click.value.partition("\n")[0]
    return orjson.dumps({"v": value, "c": click.at.channel, "u": click.at.url, "p": click.private}).decode()


def back(text: str) -> tuple[tuple[values.Meant, ...], str, str, bool]:
    """What `metadata` was given. Raises `Unreadable`."""
    try:
        found = orjson.loads(text)
        return values.read(str(found["v"])), str(found["c"]), str(found["u"]), found.get("p") is True
    except (ValueError, TypeError, KeyError):
        raise Unreadable(what="a form of ours") from None


def _from(payload: Any, channel: str, url: str) -> From:
    user = _object(payload, "user")
    user_team = _text(user, "team_id", needed=False)
    return From(_id(_object(payload, "team"), "id"), _id(user, "id"), user_team, channel, url[:URL_MAX])


def _object(found: Any, name: str) -> dict[str, Any]:
    inner = found.get(name) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}


def _text(found: Any, name: str, *, needed: bool = True) -> str:
    text = found.get(name) if isinstance(found, dict) else None
    if isinstance(text, str) and len(text) <= TEXT_MAX and (text or not needed):
        return text
    if text is None and not needed:
        return ""
    raise Unreadable(what=f"its {name}")


def _id(found: Any, name: str) -> str:
    text = _text(found, name)
    if not _ID.fullmatch(text):
        raise Unreadable(what=f"its {name}")
    return text
