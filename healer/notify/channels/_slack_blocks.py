"""A message as Block Kit: rows in a fixed layout, buttons below them, and what is too long in the thread. Pure; caller: `slack`.

No text of a message stands where Slack reads marks in it: titles and rows are elements of `rich_text`, the foot and buttons are
`plain_text`, and the line for notifications has `& < >` escaped and nothing else in it. So `<!channel>`, `<@U1>`, `*bold*` and links in
an event's words are the letters that they are. Limits: docs.slack.dev, "Block Kit".
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from healer import plugins
from healer.notify.channels import _slack_values as values
from healer.notify.channels import _visible as visible

Block = dict[str, Any]

BLOCKS_MAX: Final = 50
SECTION_MAX: Final = 3_000
BUTTON_MAX: Final = 75
URL_MAX: Final = 3_000
TITLE_MAX: Final = 600
ROW_MAX: Final = 1_000
LABEL_MAX: Final = 40
NAME_MAX: Final = 160
ROWS_MAX: Final = 60
FOOT_MAX: Final = 600
SUMMARY_MAX: Final = 400
PIECE_MAX: Final = 2_800
"""Characters of a thread's reply: longer ones Slack cuts in two by itself."""
PIECES_MAX: Final = 5
DETAILS_MAX: Final = 12
EMOJI: Final = {"info": "information_source", "ok": "white_check_mark", "warning": "warning", "error": "red_circle"}
_DATE: Final = "{date_short_pretty} {time}"
_DATE_SHOWN: Final = 20
_LINK: Final = re.compile(r"https?://[!-~]+")


class Reply(NamedTuple):
    """What goes into the thread. `mark` tells it from others, so that none is posted twice; `loud`: it is shown in the channel too."""

    mark: str
    text: str
    blocks: list[Block]
    loud: bool = False


def escaped(text: str) -> str:
    """A text where Slack reads marks: there `&`, `<` and `>` begin them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def utc(at_us: int) -> str:
    """A moment, for who has no clock of their own to show it by."""
    try:
        return f"{datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):
        return "some time"


def plain(text: Iterable[plugins.Piece]) -> str:
    """A text without its marks."""
    return "".join(utc(one.at_us) if isinstance(one, plugins.When) else _words(one) for one in text)


def _words(piece: str | plugins.Strong) -> str:
    return visible.line(piece if isinstance(piece, str) else piece.text)


def summary(message: plugins.Message) -> str:
    """The line of notifications and of screen readers."""
    parts = [plain(message.title), plain(message.status)]
    return escaped(visible.cut(" – ".join(part for part in parts if part), SUMMARY_MAX)) or "healer"


def blocks(message: plugins.Message, links: Sequence[tuple[str, str]] = ()) -> list[Block]:
    """The message itself. `links`: what else may be followed from it, each with what it leads to."""
    emoji = {"type": "emoji", "name": EMOJI[message.level]}
    made = [_rich([[emoji, _text(" "), *_elements(message.title, TITLE_MAX)]])]
    made += _rows(message.rows)
    if status := _elements(message.status, ROW_MAX):
        made.append(_rich([status]))
    if links:
        shown = [{"type": "link", "url": url, "text": visible.cut(visible.line(text), NAME_MAX)} for text, url in links]
        made.append(_rich([[_text("decide", bold=True), *(one for link in shown for one in (_text("  "), link))]]))
    if (row := _buttons(message)) is not None:
        made.append(row)
    if message.foot.strip():
        made.append({"type": "context", "elements": [_plain_text(visible.cut(visible.line(message.foot), FOOT_MAX))]})
    return made


def _rows(rows: Sequence[plugins.Row]) -> Iterator[Block]:
    """As few blocks as hold them, each row on a line of its own."""
    held: list[list[Block]] = []
    size = 0
    for row in rows[:ROWS_MAX]:
        label = visible.cut(visible.line(row.label), LABEL_MAX)
        elements = [_text(f"{label}  ", bold=True), *(_elements(row.text, ROW_MAX) or [_text("–")])]
        length = sum(map(_length, elements)) + 1
        if size + length > SECTION_MAX:
            yield _rich(held)
            held, size = [], 0
        held.append(elements)
        size += length
    if len(rows) > ROWS_MAX:
        held.append([_text(f"… {len(rows) - ROWS_MAX} more lines")])
    if held:
        yield _rich(held)


def _rich(lines: Sequence[Sequence[Block]]) -> Block:
    elements = []
    for number, line in enumerate(lines):
        elements += [*([_text("\n")] if number else []), *line]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _elements(text: Sequence[plugins.Piece], most: int) -> list[Block]:
    """Elements of at most so many characters; what is left out is counted."""
    made: list[Block] = []
    left, dropped = most, 0
    for piece in text:
        if isinstance(piece, plugins.When):
            made += [_date(piece)] if left > 0 else []
            left -= _DATE_SHOWN
            continue
        words = _words(piece)
        if not words:
            continue
        kept = words[: max(0, left)]
        dropped += len(words) - len(kept)
        made += [_text(kept, bold=isinstance(piece, plugins.Strong))] if kept else []
        left -= len(words)
    return [*made, _text(f" … {dropped:,} more characters, in the thread")] if dropped else made


def _is_cut(text: Sequence[plugins.Piece], most: int) -> bool:
    return sum(_DATE_SHOWN if isinstance(one, plugins.When) else len(_words(one)) for one in text) > most


def _text(text: str, *, bold: bool = False) -> Block:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}


def _date(when: plugins.When) -> Block:
    return {"type": "date", "timestamp": when.at_us // 1_000_000, "format": _DATE, "fallback": utc(when.at_us)}


def _length(element: Block) -> int:
    return len(element["text"]) if element["type"] == "text" else _DATE_SHOWN


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _buttons(message: plugins.Message) -> Block | None:
    """What may be done now; None: nothing."""
    made = [*_deciding(message.asks)]
    if message.answerable:
        made.append(button(values.ANSWER, "I look after it", message.id))
    if _LINK.fullmatch(message.link) and len(message.link) <= URL_MAX:
        made.append(button(values.OPEN, "Open", message.id) | {"url": message.link})
    return {"type": "actions", "elements": made} if made else None


def _deciding(asks: Sequence[plugins.Asked]) -> Iterator[Block]:
    meant = values.fitting(asks)
    if not meant:
        return
    value, many = values.written(meant), len(asks) > 1
    every = f"Approve all {len(asks)}" if len(meant) == len(asks) else f"Approve the first {len(meant)} of {len(asks)}"
    yield button(values.APPROVE, every if many else "Approve", value, "primary")
    yield button(values.CHOOSE, "Choose…" if many else "Approve with a reason…", value)
    yield button(values.REJECT, "Reject…", value, "danger")


def button(action: str, text: str, value: str, style: str = "") -> Block:
    """A button; `action` says what a click on it means."""
    shown = visible.line(text)
    label = _plain_text(shown if len(shown) <= BUTTON_MAX else f"{shown[: BUTTON_MAX - 1]}…")
    return {"type": "button", "action_id": action, "text": label, "value": value, **({"style": style} if style else {})}


def replies(message: plugins.Message) -> list[Reply]:
    """What is told in the thread: details, and what was cut."""
    whole = [("all of the first line", message.title, TITLE_MAX), ("all of the last line", message.status, ROW_MAX)]
    whole += [(row.label, row.text, ROW_MAX) for row in message.rows]
    cut = [plugins.Detail(name, plain(text)) for name, text, most in whole if _is_cut(text, most)]
    found = [*cut, *message.details]
    made = [reply for one in found[:DETAILS_MAX] for reply in _split(one)]
    if len(found) > DETAILS_MAX:
        made.append(_reply(f"… {len(found) - DETAILS_MAX} more", "they stand at the run: healer runs show", "more"))
    return made


def _split(detail: plugins.Detail) -> Iterator[Reply]:
    """Pieces that end at the ends of lines, where lines are not too long for that."""
    rest = visible.lines(detail.text).rstrip("\n") or "(nothing)"
    pieces: list[str] = []
    while rest and len(pieces) < PIECES_MAX:
        end = len(rest) if len(rest) <= PIECE_MAX else rest.rfind("\n", PIECE_MAX // 2, PIECE_MAX) + 1 or PIECE_MAX
        pieces.append(rest[:end].rstrip("\n") or " ")
        rest = rest[end:]
    if rest:
        pieces[-1] += f"\n… {len(rest):,} more characters"
    name = visible.cut(visible.line(detail.name), NAME_MAX) or "detail"
    mark = hashlib.sha256(f"{detail.name}\0{detail.text}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    for number, piece in enumerate(pieces, 1):
        shown = name if len(pieces) == 1 else f"{name} ({number} of {len(pieces)})"
        yield _reply(shown, piece, f"{mark}{number}", loud=detail.loud and number == 1)


def _reply(name: str, text: str, mark: str, *, loud: bool = False) -> Reply:
    head = {"type": "rich_text_section", "elements": [_text(name, bold=True)]}
    body = {"type": "rich_text_preformatted", "elements": [_text(text)]}
    return Reply(mark, escaped(name), [{"type": "rich_text", "elements": [head, body]}], loud)
