"""Tables: columns, cutting to the terminal, no cutting elsewhere."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies

from healer.cli import tables, terminal


def test_columns_line_up_and_numbers_stand_right():
    assert tables.lines(("name", "n"), [["a", "1"], ["long name", "100"]], right=(1,)) == [
        "name         n",
        "a            1",
        "long name  100",
    ]


def test_without_a_width_only_endless_cells_are_cut():
    assert tables.lines(("x", "y"), [["x" * 120, "y" * 400]])[1] == "x" * 120 + "  " + "y" * 400
    head, line = tables.lines(("x", "y"), [["x" * 5000, "y" * 5000]])
    assert line == "x" * 119 + "…  " + "y" * 399 + "…"
    assert head == "x" + " " * 121 + "y"


def test_cells_are_cleaned():
    assert tables.lines(("x",), [["\x1b[2Ja\nb"]])[1] == "a\\nb"


def test_the_colour_of_a_cell_is_not_counted():
    plain, coloured = tables.lines(("a", "b"), [["x", "y"]]), tables.lines(("a", "b"), [[("x", "red"), "y"]])
    assert plain[1] == "x  y"
    assert coloured[1] == "\x1b[31mx\x1b[0m  y"


@hypothesis.given(
    strategies.lists(strategies.lists(strategies.text(max_size=60), min_size=4, max_size=4), max_size=5),
    strategies.integers(60, 200),
)
def test_lines_fit(rows, width):
    assert all(terminal.columns(line) <= width for line in tables.lines(("a", "b", "c", "d"), rows, width=width))
