"""What a shell is given to complete: commands, options, and names of the daemon or of the files; quickly, silently, harmless."""

from __future__ import annotations

import pathlib
import shlex

import click
import pytest

from healer import cli
from healer.cli import client, completing


@pytest.fixture
def complete(healer, monkeypatch):
    """`complete("runs", "sh")`: what is proposed for the last word. Nothing is ever said beside it."""

    def run(*words: str) -> list[str]:
        line = {
            "COMP_WORDS": shlex.join(["healer", *words]),
            "COMP_CWORD": str(len(words)),
            "_HEALER_COMPLETE": "bash_complete",
        }
        done = healer(env=line)
        assert (done.exit_code, done.stderr) == (0, "")
        return [one.removeprefix("plain,") for one in done.stdout.splitlines() if one]

    return run


@pytest.fixture
def asked(complete, daemon, monkeypatch):
    """As `complete`, with the stand-in as the daemon."""
    monkeypatch.setenv("HEALER_DATA_DIR", str(daemon.data_dir))
    return complete


def test_commands_and_their_subcommands(complete):
    assert complete("sta") == ["status"]
    assert complete("re") == ["reload", "resume"]
    assert "replay" not in complete("")
    assert complete("runs", "") == ["cancel", "list", "resolve", "show", "start"]
    assert complete("events", "quarantine", "re") == ["release"]


def test_options_also_of_a_list_whose_word_is_left_out(complete):
    assert complete("--vers") == ["--version"]
    assert complete("runs", "--fail") == ["--failed"]
    assert complete("runs", "list", "--fail") == ["--failed"]
    assert complete("runs", "resolve", "r-1", "--as", "") == ["succeeded", "failed", "queued"]


def test_a_first_word_imports_no_command(complete, monkeypatch):
    monkeypatch.setattr(cli.importlib, "import_module", pytest.fail)
    assert complete("ali") == []
    assert complete("al") == ["alerts"]


@pytest.mark.parametrize(
    ("words", "path", "items", "wanted"),
    [
        (["runs", "show", "r-"], "runs", [{"short": "r-1"}, {"short": "r-2"}, {"short": None}], ["r-1", "r-2"]),
        (["explain", "e"], "events", [{"id": "e-2"}], ["e-2"]),
        (["events", "quarantine", "drop", ""], "quarantine", [{"event": "e-8"}], ["e-8"]),
        (["approvals", "approve", ""], "approvals", [{"id": "a-1", "bundle": "b-1"}], ["a-1", "b-1"]),
        (["policy", "show", "--for", "cl"], "actions", [{"name": "clean"}], ["clean"]),
        (["controllers", "check", ""], "controllers", [{"name": "local"}], ["local"]),
        (["sources", "show", ""], "sources", [{"name": "am"}], ["am"]),
        (["actions", "run", "cl"], "actions", [{"name": "clean"}, {"name": "other"}], ["clean"]),
        (
            ["pause", "--rule", ""],
            "scopes",
            [{"scope": "rule:a/b/c"}, {"scope": "ruleset:a/b"}, {"scope": "rule:a/b c"}],
            ["a/b/c"],
        ),
        (["locks", "release", ""], "locks", [{"target": "host:web1"}], ["web1"]),
        (["silence", "end", ""], "silences", [{"id": "s-1"}], ["s-1"]),
        (["keys", "revoke", ""], "keys", [{"id": "7f3k2m"}], ["7f3k2m"]),
    ],
)
def test_names_come_from_the_daemon_of_the_line(asked, daemon, words, path, items, wanted):
    for one in ("runs", "events", path):
        daemon[f"GET /api/v1/{one}"] = {"items": items if one == path else [], "next": None}
    assert asked(*words) == wanted


def test_the_line_says_which_daemon(complete, daemon):
    daemon["GET /api/v1/runs"] = {"items": [{"short": "r-1"}], "next": None}
    assert complete("runs", "show", "--data-dir", str(daemon.data_dir), "") == ["r-1"]
    assert complete("runs", "show", "--url", daemon.url, "") == ["r-1"]


def test_names_that_a_shell_would_read_otherwise_are_not_proposed(asked, daemon):
    names = ["$(reboot)", "a b", "x;y", "`id`", "*", "~", "\x1b[2J", "a\nb", "-rf", "'", "good-1"]
    daemon["GET /api/v1/actions"] = {"items": [{"name": name} for name in names], "next": None}
    assert asked("actions", "show", "") == ["good-1"]


@pytest.mark.parametrize(
    "answer", [(403, {"detail": "no"}), (500, b"x"), {"items": 5}, {"items": [5, {}]}, [], b"no json"]
)
def test_what_the_daemon_does_not_tell_is_not_there(asked, daemon, answer):
    daemon["GET /api/v1/runs"] = answer
    assert asked("runs", "show", "") == []


def test_without_a_daemon_names_come_from_the_files(complete, healer):
    pathlib.Path("actions.yaml").write_text("actions: {one: {}, two: {}}\n")
    pathlib.Path("controllers.yml").write_text("controllers: {here: {type: local}}\n")
    pathlib.Path("healer.yaml").write_text("sources: {am: {}}\n")
    pathlib.Path("scripts").mkdir()
    pathlib.Path("scripts/three.meta.yml").write_text("")
    assert complete("actions", "run", "") == ["one", "two", "three"]
    assert complete("controllers", "check", "") == ["here"]
    assert complete("sources", "show", "") == ["am"]
    assert complete("policy", "show", "--for", "t") == ["two", "three"]
    assert complete("actions", "run", "--url", "http://127.0.0.1:1", "") == []
    pathlib.Path("actions.yaml").write_text("actions: [")
    assert complete("actions", "run", "") == ["three"]


def test_a_daemon_is_waited_for_a_second_at_most(complete, monkeypatch):
    made = []

    class Client(client.Client):
        def __init__(self, where, timeout_s=None):
            made.append(timeout_s)
            super().__init__(where, timeout_s)

    monkeypatch.setattr(client, "Client", Client)
    assert complete("runs", "show", "") == []
    assert made == [1.0]


def test_every_name_in_the_table_is_a_parameter_of_its_command():
    found: dict[str, set[str]] = {}
    todo = [(name, cli.cli.get_command(click.Context(cli.cli), name)) for name in cli.COMMANDS]
    for words, command in todo:
        assert command is not None
        found[words] = {completing.named(param) for param in command.params}
        todo += [(f"{words} {name}", one) for name, one in getattr(command, "commands", {}).items()]
    assert {words: set(names) - found[words] for words, names in completing.NAMES.items()} == {
        words: set() for words in completing.NAMES
    }
