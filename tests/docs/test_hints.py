"""Each command that is named to people is there: in what the program says, in the pages, in the samples."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import click
import pytest

from healer import cli

ROOMS = ("healer", "sources", "checks", "controllers", "demo")
COMMAND = re.compile(r"(?<![\w.-])healer ([a-z]+)(?: ([a-z]+))?")
QUOTED = re.compile(r"`(healer [^`]+)`|^\$ (healer .*)|^ +(healer [a-z].*)", re.MULTILINE)
PROSE = {"acts", "has", "knows", "must"}
"""What healer does in sentences about it."""


def texts(path: pathlib.Path) -> Iterator[str]:
    """What a Python file can say: its texts but for the docstrings that are no message of an error."""
    tree = ast.parse(path.read_text())
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def unknown(text: str) -> Iterator[str]:
    """The commands in a text that are none."""
    for found in COMMAND.finditer(text):
        name, below = found[1], found[2]
        if name in PROSE:
            continue
        command = cli.cli.get_command(click.Context(cli.cli), name)
        if command is None or (below and isinstance(command, click.Group) and below not in command.commands):
            yield found[0]


def test_what_is_none_is_found() -> None:
    assert list(unknown("`healer sauces` lists them; healer runs show X; healer runs begin X")) == [
        "healer sauces", "healer runs begin",
    ]  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_every_command_that_the_program_names_is_there(repository: pathlib.Path, room: str) -> None:
    wrong = {
        f"{path.relative_to(repository)}: {name}"
        for path in (repository / room).rglob("*.py")
        for text in texts(path)
        for name in unknown(text)
    }
    assert wrong == set()


def test_every_command_of_the_pages_and_samples_is_there(repository: pathlib.Path) -> None:
    pages = [
        *repository.glob("*.md"),
        *repository.glob("docs/*.md"),
        *repository.glob("*.yaml"),
        *repository.glob("rulebooks/*.yml"),
    ]
    wrong = {
        f"{path.name}: {name}"
        for path in pages
        for quoted in QUOTED.findall(path.read_text())
        for name in unknown(next(filter(None, quoted)))
    }
    assert wrong == set()
