"""Finds where a piece of a condition stands in the file, also when YAML folded or quoted the text.

Caller: `conditions`. YAML only changes white space and quotes, so the n-th visible character of the value is found by
going through the source from the value's mark.
"""

from __future__ import annotations

from healer import config


class Positions:
    """Offsets in a scalar's value → 1-based line and column in its file."""

    __slots__ = ("_found", "_lines", "_mark", "_straight", "_text")

    def __init__(self, document: config.Document, mark: config.Mark | None, text: str) -> None:
        self._lines = document.lines
        self._mark = mark
        self._text = text
        self._found: list[tuple[int, int]] | None = None
        self._straight: int | None = None
        if mark is not None and 0 < mark[0] <= len(self._lines):
            line, start = self._lines[mark[0] - 1], mark[1] - 1
            quoted = 1 if line[start : start + 1] in ("'", '"') else 0
            if line.startswith(text, start + quoted):
                self._straight = mark[1] + quoted

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of the character at `offset`; the value's own place where it cannot be found."""
        if self._mark is None:
            return 0, 0
        if self._straight is not None:
            return self._mark[0], self._straight + offset
        if self._found is None:
            self._found = self._align()
        return self._found[min(offset, len(self._found) - 1)] if self._found else self._mark[:2]

    def mark(self, start: int, end: int) -> config.Mark | None:
        """The mark of a piece, for a diagnostic."""
        if self._mark is None:
            return None
        line, column = self.at(start)
        return line, column, max(1, end - start)

    def _align(self) -> list[tuple[int, int]]:
        if self._mark is None:
            return []
        row, column = self._mark[0] - 1, self._mark[1] - 1
        if self._lines[row : row + 1] and self._lines[row][column : column + 1] in ("|", ">"):
            row, column = row + 1, 0
        found: list[tuple[int, int]] = []
        for char in self._text:
            if not char.isspace():
                row, column = self._next(char, row, column)
            found.append((min(row, len(self._lines) - 1) + 1, column + 1))
            column += not char.isspace()
        return found

    def _next(self, char: str, row: int, column: int) -> tuple[int, int]:
        """Where the character is next, from a place on."""
        while row < len(self._lines):
            at = self._lines[row].find(char, column)
            if at >= 0:
                return row, at
            row, column = row + 1, 0
        return row, 0
