"""Tables that fit the terminal; in a file only endless cells are cut (`--json` has all). Callers: the commands that list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from healer.cli import terminal

GAP: Final = "  "
COLUMN_MIN: Final = 8
CELL_MAX: Final = 120
LAST_MAX: Final = 400
"""Columns of a cell, and of the last one in a line, also where there is room for more: a name that a sender made long would
else make every line as wide."""

Cell = str | tuple[str, str | None]
"""Text from anywhere (it is cleaned here), or text with the colour of its whole cell."""


def lines(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int | None = None, right: Sequence[int] = ()
) -> list[str]:
    """The lines of a table; `width`: the columns that there are (None: as many as it takes); `right`: numbers, by column."""
    texts = [[terminal.clean(_text(cell)) for cell in row] for row in rows]
    most = [CELL_MAX] * (len(head) - 1) + [LAST_MAX]
    sizes = [min(limit, max(map(terminal.columns, column))) for limit, *column in zip(most, head, *texts, strict=True)]
    if width is not None:
        sizes = _fit(sizes, width)
    made = [_line(list(head), sizes, right, [None] * len(head))]
    for row, text in zip(rows, texts, strict=True):
        made.append(_line(text, sizes, right, [cell[1] if isinstance(cell, tuple) else None for cell in row]))
    return made


def show(
    found: Mapping[str, Any], head: Sequence[str], rows: Iterable[Sequence[Cell]], *, as_json: bool, none: str = "",
    limit: int = 0, right: Sequence[int] = (),
) -> bool:  # fmt: skip
    """Print a list as the API gives one (`items`, `next`): as JSON, or as a table. Whether that was a table.

    `none`: what is said in its place where nothing is there ('': its head stands alone). `limit`: how many were asked for, of a list that
    has more to give. `right`: as of `lines`.
    """
    if as_json:
        terminal.echo_json(found)
        return False
    if none and not found["items"]:
        terminal.note(none)
        return False
    for line in lines(head, list(rows), width=terminal.width(), right=right):
        terminal.echo(line)
    if limit and found["next"] is not None:
        terminal.note(f"there are more:  --limit {limit * 4}")
    return True


def state(word: object) -> Cell:
    """A state's cell, in its colour."""
    return str(word), terminal.COLOURS.get(str(word))


def _text(cell: Cell) -> str:
    return cell[0] if isinstance(cell, tuple) else cell


def _fit(sizes: list[int], width: int) -> list[int]:
    """Make the widest columns narrower until all fit, none narrower than `COLUMN_MIN`."""
    sizes = [min(size, width) for size in sizes]
    while sum(sizes) + len(GAP) * (len(sizes) - 1) > width:
        widest = max(range(len(sizes)), key=sizes.__getitem__)
        if sizes[widest] <= COLUMN_MIN:
            break
        sizes[widest] -= 1
    return sizes


def _line(texts: list[str], sizes: list[int], right: Sequence[int], colours: Sequence[str | None]) -> str:
    cells = []
    for at, (text, size, colour) in enumerate(zip(texts, sizes, colours, strict=True)):
        shown = terminal.cut(text, size)
        space = " " * (size - terminal.columns(shown))
        painted = terminal.paint(shown, colour)
        cells.append(space + painted if at in right else painted + (space if at < len(sizes) - 1 else ""))
    return GAP.join(cells).rstrip()
