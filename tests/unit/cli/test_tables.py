"""Tables: columns, cutting to the terminal, no cutting elsewhere."""

from __future__ import annotations

import json

import hypothesis
import pytest
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


TWO = {"items": [{"name": "a", "count": 1}, {"name": "b\n", "count": 20}], "next": "c"}
NOTHING = {"items": [], "next": None}


def shown(capsys, found, **more):
    """(whether it was a table, its lines, what is for people)"""
    rows = ([one["name"], str(one["count"])] for one in found["items"])
    table = tables.show(found, ("name", "n"), rows, **{"as_json": False, **more})
    said = capsys.readouterr()
    return table, said.out, said.err


@pytest.mark.parametrize(("more", "note"), [
    ({"limit": 2}, "there are more:  --limit 8\n"), ({}, ""), ({"limit": 2, "none": "no names"}, "there are more:  --limit 8\n"),
])  # fmt: skip
def test_a_list_is_a_table_and_says_when_there_is_more(capsys, more, note):
    assert shown(capsys, TWO, right=(1,), **more) == (True, "name   n\na      1\nb\\n   20\n", note)
    assert shown(capsys, TWO | {"next": None}, **more)[2] == ""


def test_a_list_for_programs_is_what_the_daemon_said(capsys):
    table, out, err = shown(capsys, TWO, as_json=True, none="no names", limit=2)
    assert (table, json.loads(out), err) == (False, TWO, "")
    assert json.loads(shown(capsys, NOTHING, as_json=True, none="no names")[1]) == NOTHING


def test_an_empty_list_says_so_or_has_its_head_alone(capsys):
    assert shown(capsys, NOTHING, none="no names", limit=2) == (False, "", "no names\n")
    assert shown(capsys, NOTHING) == (True, "name  n\n", "")
