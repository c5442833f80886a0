"""The examples of the help: each command has some, and each is something that can be typed."""

from __future__ import annotations

import pathlib
import shlex

import click
import pytest

from healer import cli
from healer.cli import examples, usage

TYPED = [one for found in examples.EXAMPLES.values() for one, _ in found]
FILES = ("examples/disk_full.json", "alert.json", "rulebooks/disk.yml", "steps.jsonl")


def leaves() -> dict[str, click.Command]:
    """Every command that does something, by its words."""
    found: dict[str, click.Command] = {}
    todo = [(name, cli.cli.get_command(click.Context(cli.cli), name)) for name in cli.COMMANDS]
    for words, command in todo:
        assert command is not None
        below = getattr(command, "commands", {})
        todo += [(f"{words} {name}", one) for name, one in below.items()]
        found |= {} if below else {words: command}
    return found


def test_each_command_has_examples_and_nothing_else_has():
    assert set(examples.EXAMPLES) == set(leaves())


@pytest.mark.parametrize("typed", TYPED)
def test_an_example_can_be_typed(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("heal").mkdir()
    for name in FILES:
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        pathlib.Path(name).write_text("{}")
    words = shlex.split(typed.partition(" > ")[0])
    context = cli.cli.make_context("healer", words)
    while isinstance(context.command, click.Group):
        name, found, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        context = found.make_context(name, rest, parent=context)
    assert isinstance(context.command, usage.Command)


@pytest.mark.parametrize("words", leaves())
def test_the_help_shows_them_as_they_are_typed(healer, words):
    shown = healer(*words.split(), "--help").stdout
    below = shown[shown.index("\nExamples:\n") :]
    for typed, about in examples.EXAMPLES[words]:
        assert f"  healer {typed}" in below
        assert about in " ".join(below.split())


def test_the_help_of_a_group_shows_some_of_those_below_it(healer):
    shown = healer("events", "quarantine", "--help").stdout
    assert shown.count("  healer events quarantine") == 3
    assert len(examples.of("runs")) == examples.GROUP_MAX
