"""What is printed: text from outside made harmless, times for people, JSON for programs. Callers: every command.

A name, label or output that came from outside may hold escape sequences that rewrite a terminal, or marks that reverse
the reading order (UAX #9). None of them reaches the terminal: sequences are cut out, other hidden characters are shown
as `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, Final

import click

from healer import model, units
from healer.cli import usage

WIDTH_MIN: Final = 60
RUN_SHORT: Final = 8
COLOURS: Final = {
    "succeeded": "green", "resolved": "green", "failed": "red", "timed_out": "red", "unknown": "red", "firing": "red",
    "refused": "yellow", "deferred": "yellow", "awaiting_approval": "yellow", "running": "cyan",
}  # fmt: skip

# ECMA-48: CSI, OSC and its string relatives, two-character escapes; the one-byte forms of C1 too.
_SEQUENCE: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(value: object) -> str:
    """One line of text without anything that could steer a terminal; a line break is shown as `\\n`."""
    return _HIDDEN.sub(_visible, _SEQUENCE.sub("", str(value)))


def clean_lines(text: str) -> str:
    """Text of several lines (the output of an action): line breaks and tabs stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("\t".join(clean(part) for part in line.split("\t")) for line in lines)


def _visible(found: re.Match[str]) -> str:
    char = found[0]
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    code = ord(char)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def is_terminal() -> bool:
    """Whether standard output is one."""
    return sys.stdout.isatty()


def is_dumb() -> bool:
    """Whether a terminal says of itself that nothing steers it (terminfo(5))."""
    return os.environ.get("TERM") == "dumb"


def can_steer() -> bool:
    """Whether what is there may be drawn over."""
    return is_terminal() and not is_dumb()


def can_ask() -> bool:
    """Whether a person can be asked: standard input and error are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def can_show(text: str) -> bool:
    """Whether the encoding of standard output has these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def width() -> int | None:
    """Columns of the terminal; None where output goes elsewhere and nothing is cut."""
    return max(WIDTH_MIN, shutil.get_terminal_size().columns) if is_terminal() else None


def columns(text: str) -> int:
    """How many columns a cleaned text takes (UAX #11: wide characters take two, combining ones none)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` columns, with `…` where something was left out."""
    if columns(text) <= limit:
        return text
    taken = text[: max(0, limit - 1)]
    while columns(taken) > limit - 1:
        taken = taken[:-1]
    return taken + "…"


def paint(text: str, colour: str | None) -> str:
    """Coloured on a terminal, unless it is a dumb one or NO_COLOR is set (no-color.org); `click.echo` takes the colour out elsewhere."""
    return click.style(text, fg=colour) if colour and not (os.environ.get("NO_COLOR") or is_dumb()) else text


def echo(text: str = "") -> None:
    """A line on standard output."""
    click.echo(text)


def note(text: str) -> None:
    """A line on standard error: for people, not for the program that reads the output."""
    click.echo(text, err=True)


def echo_json(value: Any) -> None:
    """A JSON document; pure ASCII, so that nothing in it can steer a terminal."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))


def in_full(found: Any, lines: Callable[[dict[str, Any]], Iterable[str]], *, as_json: bool) -> None:
    """One thing that the daemon answered with: as JSON, or in its lines."""
    if as_json:
        echo_json(found)
        return
    for line in lines(found if isinstance(found, dict) else {}):
        echo(line)


def short(run: object) -> str:
    """A run's id as people see it; any beginning that is unique is taken where an id is asked for."""
    return clean(run or "")[:RUN_SHORT]


def one_line_json(value: Any, limit: int = 200) -> str:
    """A value for people, in one line, cut."""
    return cut(clean(json.dumps(value, ensure_ascii=False, separators=(", ", ": "))), limit)


def moment(text: object) -> datetime.datetime | None:
    """A time of the API (ISO 8601); None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def when(text: object) -> str:
    """A time of the API as local time with its offset."""
    found = moment(text)
    return local(found) if found else clean(text) if text else ""


def when_us(at_us: object) -> str:
    """Microseconds since 1970 as local time with its offset."""
    if not isinstance(at_us, int):
        return ""
    try:
        return local(datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC))
    except (OverflowError, ValueError, OSError):
        return str(at_us)


def at(text: object, now: datetime.datetime) -> str:
    """A time of the API as people say it: of today `03:05:10`, else as `when`."""
    found = moment(text)
    if found is None or found.astimezone().date() != now.astimezone().date():
        return when(text)
    return found.astimezone().strftime("%H:%M:%S")


def who(actor: object) -> tuple[str, str]:
    """An actor of the API by name, and how they came: `ana`, `os user`; `ana`, `API key laptop`; '' where that is not known."""
    kind, _, name = clean(actor or "?").partition(":")
    ways = {"os": "os user", "key": "API key", "slack": "Slack", "link": "signed link"}
    if not name or kind not in ways:
        return clean(actor or "?"), ""
    by, known, person = name.rpartition(" = ")
    return (person, f"{ways[kind]} {by}") if known else (name, ways[kind])


def local(at: datetime.datetime) -> str:
    """`2026-03-01 03:07:12 +01:00`."""
    try:
        text = at.astimezone().isoformat(sep=" ", timespec="seconds")
    except (OverflowError, ValueError):  # the first and the last day that there are
        text = at.isoformat(sep=" ", timespec="seconds")
    return f"{text[:19]} {text[19:]}"


def local_times(text: str) -> str:
    """A sentence with the times in it (ISO 8601, as the API has them) as local ones."""
    return model.MOMENT.sub(lambda found: when(found[0]), text)


def span(seconds: float) -> str:
    """A span for people, as reasons and logs say it."""
    from healer.policy import reasons  # the gates come with it, of which most commands know nothing

    return reasons.span(seconds)


def since(text: str, now: datetime.datetime) -> str:
    """What a person wrote for a moment (`2h`, `30 minutes`: ago; or ISO 8601, local without an offset) as the API takes it.

    Raises ValueError, saying what was wanted.
    """

    try:
        at = now - datetime.timedelta(seconds=units.duration_s(text))
    except (ValueError, OverflowError):
        try:
            at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            raise ValueError(f"a span back from now or a time is wanted, got {usage.got(text)}") from None
    try:
        return at.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise ValueError(f"{usage.got(text)} is no moment that can be shown") from None


def as_moment(_ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """The callback of `--since`, `--until`, `--from`, `--to`: as `since`."""
    try:
        return None if text is None else since(text, datetime.datetime.now(datetime.UTC))
    except ValueError as error:
        name = param.opts[0]
        raise usage.WrongUse(f"{name} 2h or {name} 2026-03-01T03:07", detail=f"{name}: {error}") from error


def as_span(_ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """The callback of `--for`, `--in`: seconds of a span."""
    try:
        return None if text is None else units.duration_s(text)
    except ValueError as error:
        name = param.opts[0]
        raise usage.WrongUse(f"{name} 2h or {name} '30 minutes'", detail=f"{name}: {error}") from error
