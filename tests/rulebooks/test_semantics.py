"""Every numbered statement of the page of measured semantics has a test with its number in its name, `test_4_8b_…`.

`test_semantics_1` to `_9` hold both engines to them; the rooms' own tests say more.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
SECTION = re.compile(r"^## (\d+)\. ")
STATEMENT = re.compile(r"^(\d+b?)\. ")
NAME = re.compile(r"^ *(?:async )?def test((?:_\d+_\d+b?)+)_[a-z]", re.MULTILINE)


def stated(page: str) -> Iterator[str]:
    """The numbers of the statements: 1.1, …, 4.8b, …"""
    section = ""
    for line in page.splitlines():
        if line.startswith("## "):
            found = SECTION.match(line)
            section = found[1] if found else ""
        elif section and (found := STATEMENT.match(line)):
            yield f"{section}.{found[1]}"


def numbers_of(text: str) -> Iterator[str]:
    """The numbers in the names of a file's tests; a name may have several."""
    for found in NAME.finditer(text):
        parts = found[1].split("_")[1:]
        yield from (f"{section}.{number}" for section, number in zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def statements(shared: pathlib.Path) -> list[str]:
    """All of the page."""
    return list(stated((shared / "design" / "rulebook-semantics.md").read_text("utf-8")))


def test_every_statement_has_a_test_with_its_number(statements: list[str]) -> None:
    assert len(statements) > 60
    assert len(set(statements)) == len(statements)
    there = {number for path in TESTS.rglob("test_*.py") for number in numbers_of(path.read_text("utf-8"))}
    assert [number for number in statements if number not in there] == []


def test_every_section_has_its_file_and_each_of_its_statements_is_held_to_by_both_engines(
    statements: list[str],
) -> None:
    for section in sorted({number.split(".")[0] for number in statements}):
        text = pathlib.Path(__file__).with_name(f"test_semantics_{section}.py").read_text("utf-8")
        assert {number for number in statements if number.startswith(f"{section}.")} == set(numbers_of(text))


def test_numbers_are_found() -> None:
    page = "## Not numbered\n1. no\n## 4. Comparison\n1. **One.**\n   2. no\n8b. Two\n\n10. Three\ntext 3. no\n## End\n1. no\n"
    assert list(stated(page)) == ["4.1", "4.8b", "4.10"]
    names = (
        "def test_4_8b_x() -> None:\n    async def test_1_2_3_4_y\ndef test_1_page\ndef test_5_6\ndef testing_1_2_x\n"
    )
    assert list(numbers_of(names)) == ["4.8b", "1.2", "3.4"]
