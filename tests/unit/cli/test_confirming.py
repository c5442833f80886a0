"""What cannot be taken back is asked about: every such command, on a terminal and without one."""

from __future__ import annotations

import click
import pytest

from healer import cli
from healer.cli import confirming, terminal

CHANGING = {
    ("runs", "cancel"): (["r-7"], "End r-7? What is at work is stopped where it is."),
    ("runs", "start"): (["r-7", "--break-glass", "--reason", "x"], "Start r-7 past its gates? Everyone is told."),
    ("runs", "resolve"): (["r-7", "--as", "queued", "--reason", "x"], "Resolve r-7 as queued? Then it is tried again."),
    ("locks", "release"): (["web1", "--reason", "x"], "Let go of the lock of web1? What waits for it goes on."),
    ("breakers", "close"): (
        ["clean", "--controller", "here", "--reason", "x"],
        "Let clean run again on here? What waited goes on.",
    ),
    ("silence", "end"): (["s-1"], "End s-1? What it holds is looked at."),
    ("keys", "revoke"): (["7f3k2m"], "Withdraw the key 7f3k2m? Nothing brings it back."),
    ("notify", "outbox", "drop"): (["n-7"], "Give up n-7? Nobody is told of it then."),
    ("events", "quarantine", "drop"): (["e-8"], "Give e-8 up for good?"),
}
ASK_BY_THEMSELVES = {
    ("send",), ("actions", "run"), ("events", "resend"), ("events", "quarantine", "release"), ("resume",), ("reload",),
    ("approvals", "approve"), ("approvals", "reject"),
}  # fmt: skip
"""These look first whether a question is needed; their own tests hold it."""


def with_yes() -> set[tuple[str, ...]]:
    """Every command that takes `--yes`, by its words."""
    found: set[tuple[str, ...]] = set()
    context = click.Context(cli.cli)
    todo = [((name,), cli.cli.get_command(context, name)) for name in cli.COMMANDS]
    for words, command in todo:
        todo += [((*words, name), one) for name, one in getattr(command, "commands", {}).items()]
        if any("--yes" in param.opts for param in getattr(command, "params", ())):
            found.add(words)
    return found


def test_every_command_that_takes_yes_is_known_here():
    assert with_yes() >= {*CHANGING, *ASK_BY_THEMSELVES}


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_without_a_terminal_nothing_is_done_unless_yes_says_it(ask, daemon, words):
    done = ask(*words, *CHANGING[words][0])
    assert (done.exit_code, done.stdout, daemon.requests) == (2, "", [])
    assert done.stderr.startswith("error[not-confirmed]: ")
    assert done.stderr.endswith("there is no terminal to ask whether that is meant\n  try  --yes\n")
    ask(*words, *CHANGING[words][0], "--yes")
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_a_terminal_is_asked(ask, daemon, monkeypatch, words):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    args, question = CHANGING[words]
    done = ask(*words, *args, stdin="n\n")
    assert (done.exit_code, done.stdout, daemon.requests) == (1, "", [])
    assert done.stderr.startswith(f"{question} [y/N]")
    ask(*words, *args, stdin="y\n")
    assert len(daemon.requests) == 1


def test_what_is_asked_about_steers_no_terminal(ask, monkeypatch):
    assert "\x1b" not in ask("keys", "revoke", "\x1b[2J").stderr
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    assert "\x1b" not in ask("keys", "revoke", "\x1b[2J", stdin="n\n").stderr


def test_a_refusal_is_wrong_use():
    error = confirming.NotConfirmed("--yes", what="it would go")
    assert (error.code, error.exit_code) == ("not-confirmed", 2)
