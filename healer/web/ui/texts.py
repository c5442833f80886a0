"""How values become text on a page: whatever hides in a text is seen, times are UTC, numbers and spans are for people.

Every value that a template puts out goes through `shown` (Jinja's `finalize`), so that none can be forgotten; Jinja escapes it for HTML
after that. Text from outside may hold control characters, or marks that reverse the reading order (UAX #9): a name must look like
what it is to who approves an action on it.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import markupsafe

from healer import inline, model
from healer.policy import reasons

JSON_MAX: Final = 20_000
_LINES: Final = "\n\t"
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, marks of direction, and what takes no room (Unicode's Default_Ignorable_Code_Point)."""


def visible(text: str) -> str:
    """One line of text in which what is hidden is written out: `\\n`, `\\x1b`, `\\u202e`."""
    return _HIDDEN.sub(_written, text)


def lines(text: str) -> markupsafe.Markup:
    """Text of several lines: their ends and tabs stay, all else is as in `visible`. Escaped."""
    text = text.replace("\r\n", "\n")
    return markupsafe.escape(_HIDDEN.sub(lambda found: found[0] if found[0] in _LINES else _written(found), text))


def _written(found: re.Match[str]) -> str:
    char = found[0]
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    code = ord(char)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def shown(value: Any) -> Any:
    """What a template puts out: text with all of it visible, nothing for None, numbers with their thousands apart."""
    if isinstance(value, markupsafe.Markup):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return visible(value if isinstance(value, str) else str(value))


def moment(text: object) -> datetime.datetime | None:
    """A time of the API (ISO 8601); None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def when(text: object) -> str:
    """A time of the API as people read it: `2026-03-01 03:07:12 UTC`. Where the reader lives is not known here."""
    found = moment(text)
    return str(text or "") if found is None else f"{found.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def in_sentence(text: object) -> str:
    """A sentence with the times in it as `when` has them."""
    return model.MOMENT.sub(lambda found: when(found[0]), str(text or ""))


def ago(text: object, now: datetime.datetime) -> str:
    """How far a time is from now: `4 min ago`, `in 29 min`; '' for what is none."""
    found = moment(text)
    if found is None:
        return ""
    seconds = (now - found).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def span(seconds: object) -> str:
    """A span for people: `12 s`, `4 min`, `3 h 5 min`; '' for what is none."""
    return reasons.span(float(seconds)) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else ""


def as_json(value: Any) -> str:
    """A value in one line, cut where it is very long."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    return text if len(text) <= JSON_MAX else f"{text[:JSON_MAX]}… ({len(text):,} characters)"


def pairs(given: Mapping[str, Any]) -> str:
    """Parameters in one line: `service=nginx, wait_s=30`."""
    return ", ".join(f"{name}={inline.value(value)}" for name, value in given.items())


def command(kind: object, subject: Any) -> str:
    """What is run: `script scripts/restart.sh`, `command ["systemctl", "restart", "nginx"]`."""
    return f"{kind or '?'} {subject if isinstance(subject, str) else as_json(subject)}"


def who(actor: object) -> str:
    """An actor by their name, and how they came: `ana (API key laptop)`, `root (os user)`."""
    kind, _, name = str(actor or "?").partition(":")
    ways = {"os": "os user", "key": "API key", "slack": "Slack", "link": "signed link"}
    if not name or kind not in ways:
        return str(actor or "?")
    by, known, person = name.rpartition(" = ")
    return f"{person} ({ways[kind]} {by})" if known else f"{name} ({ways[kind]})"


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; of anything else none."""
    return (
        [one for one in value if isinstance(one, Mapping)]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else []
    )
