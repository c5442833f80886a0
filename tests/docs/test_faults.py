"""`docs/faults.md` names tests and protections that there are, all of the eight faults, and every case that is broken on purpose."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from collections.abc import Iterator

import pytest

REFERENCE = re.compile(r"`((?:tests|healer)/[\w/.]+)(?:::(\w+)|\[([^\]]+)\])`")
BROKEN_ON_PURPOSE = (
    "tests/store/test_faults.py", "tests/store/test_faults_of_input.py", "tests/store/test_faults_of_others.py",
    "tests/unit/child/test_jobs_faults.py",
)  # fmt: skip


@pytest.fixture
def page(repository: pathlib.Path) -> str:
    return (repository / "docs" / "faults.md").read_text("utf-8")


def rows(page: str) -> Iterator[tuple[str, list[str]]]:
    """(number of the fault, cells) of each row of a table."""
    number = ""
    for line in page.splitlines():
        if line.startswith("## "):
            number = line.split()[1].rstrip(".")
        elif line.startswith("| ") and not line.startswith("| ---") and "| Protection |" not in line:
            yield number, [cell.strip() for cell in line.strip("|").split(" | ")]


@functools.cache
def names(path: pathlib.Path) -> frozenset[str]:
    """What a file defines: functions, classes, names of a module, statements and triggers of SQL."""
    text = path.read_text("utf-8")
    if path.suffix == ".sql":
        return frozenset(re.findall(r"^(?:-- name: |CREATE TRIGGER )(\w+)", text, re.MULTILINE))
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)


@functools.cache
def cases(path: pathlib.Path) -> frozenset[str]:
    """The cases of a table `CASES` or `BROKEN`, with those that a comprehension makes of the table that it names."""
    tables: dict[str, ast.Dict] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Dict):
            tables[node.target.id] = node.value
    return frozenset(_keys(tables.get("CASES") or tables["BROKEN"], tables))


def _keys(table: ast.Dict, tables: dict[str, ast.Dict]) -> Iterator[str]:
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant):
            yield str(key.value)
        elif isinstance(value, ast.DictComp) and isinstance(value.key, ast.JoinedStr):
            (made,) = value.generators
            assert isinstance(made.iter, ast.Name)
            start = value.key.values[0]
            assert isinstance(start, ast.Constant)
            yield from (f"{start.value}{inner}" for inner in _keys(tables[made.iter.id], tables))


def test_every_test_and_every_protection_is_there(page: str, repository: pathlib.Path) -> None:
    missing = []
    for file, name, case in REFERENCE.findall(page):
        path = repository / file
        known = path.is_file() and (case in cases(path) if case else name in names(path))
        missing += [] if known else [f"{file} {name}{case}"]
    assert missing == []


def test_every_row_names_a_test_and_how_it_fails_without_its_protection(page: str) -> None:
    for _, (fault, _protection, tests, without) in rows(page):
        assert "`tests/" in tests or "the matrix" in tests, fault
        assert without, fault


def test_all_eight_faults_are_there(page: str) -> None:
    assert sorted({number for number, _ in rows(page)}) == [str(n) for n in range(1, 9)]


def test_every_case_that_is_broken_on_purpose_stands_at_its_fault(page: str, repository: pathlib.Path) -> None:
    named = {
        (file, case): number for number, cells in rows(page) for file, _, case in REFERENCE.findall(cells[3]) if case
    }
    for file in BROKEN_ON_PURPOSE:
        for case in cases(repository / file):
            assert named.get((file, case)) == case.split()[0], (file, case)
