"""`docs/gates.md` says what `policy` does: the same gates, reasons and repeats."""

from __future__ import annotations

import pathlib
import re

import click
import pytest

from healer import cli
from healer.policy import gates, reasons, states

REPEATS = {
    "duplicate": "duplicate",
    "a new attempt while `attempts` are left": "attempt",
    "decided again": "again",
    "decided again once the mode is active": "when_active",
}


@pytest.fixture
def page(repository: pathlib.Path) -> str:
    return (repository / "docs" / "gates.md").read_text("utf-8")


def table(page: str, head: str) -> list[list[str]]:
    """The rows below a table's head."""
    lines = page.splitlines()
    rows = []
    for line in lines[lines.index(head) + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")])
    return rows


def test_the_gates_stand_there_in_their_order(page: str) -> None:
    rows = table(page, "| gate | says no when | value | upstream |")
    assert [row[0] for row in rows] == [name for name, _ in gates.ORDER]
    assert {row[0] for row in rows if row[3] == "yes"} == gates.UPSTREAM


def test_every_reason_stands_there_as_it_is_told(page: str) -> None:
    rows = table(page, "| code | gate | the run is | sentence | next step |")
    assert rows == [
        [f"`{one.code}`", one.gate, one.outcome or "waits", one.sentence, one.next_step]
        for one in reasons.REASONS.values()
    ]


def test_every_other_case_stands_there_as_it_is_told(page: str) -> None:
    told = {row[0]: row[2:] for row in table(page, "| code | where | sentence | next step |")}
    assert told == {
        f"`{code}`": [other.sentence, other.next_step or reasons.REASONS[code].next_step]
        for code, other in reasons.OTHERS.items()
    }


def test_every_state_says_what_a_repeat_does(page: str) -> None:
    told = {
        state: REPEATS[what]
        for named, what in table(page, "| state | a repeat |")
        for state in re.split(r",\s*", named)
    }
    assert told == states.ON_REPEAT


def test_a_next_step_that_is_a_command_is_there() -> None:
    for reason in reasons.REASONS.values():
        words = reason.next_step.split()
        command: click.Command = cli.main
        while words[:1] and isinstance(command, click.Group):
            word = words.pop(0)
            if command is cli.main and word != "healer":
                break
            word = words.pop(0) if word == "healer" else word
            if word.startswith(("-", "{")):
                break
            found = command.get_command(click.Context(command), word)
            assert found is not None, reason.next_step
            command = found
