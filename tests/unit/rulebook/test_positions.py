"""Where a piece of a condition stands, however YAML wrote it."""

from __future__ import annotations

import pytest

from healer import config
from healer.rulebook import positions


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("c: event.a == XX\n", 1, 15),
        ("c: 'event.a == XX'\n", 1, 16),
        ('c: "event.a == \\"q\\" or XX"\n', 1, 25),
        ("c: 'it''s == XX'\n", 1, 14),
        ("c: >\n  event.a == 1 and\n  event.b == XX\n", 3, 14),
        ("c: |-\n  event.a == 1\n    and XX\n", 3, 9),
        ("c: event.a == 1\n   and XX\n", 2, 8),
    ],
)
def test_a_piece_is_found_in_the_file(text: str, line: int, column: int) -> None:
    document = config.read_text(text, "x")
    value = document.value["c"]
    where = positions.Positions(document, document.value.values_at["c"], value)
    assert where.at(value.index("XX")) == (line, column)
    mark = where.mark(value.index("XX"), value.index("XX") + 2)
    assert mark == (line, column, 2)


def test_without_a_mark_there_is_no_place() -> None:
    where = positions.Positions(config.read_text("", "x"), None, "event.a")
    assert (where.at(3), where.mark(0, 1)) == ((0, 0), None)
