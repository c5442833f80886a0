"""`--watch [SECONDS]`: looking again and again."""

from __future__ import annotations

import json
import os
import re

import pytest

from healer import errors
from healer.cli import terminal, watching

ROUTES = {"runs": "runs", "alerts": "alerts", "approvals": "approvals"}
TIME = re.compile(r"── \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0\d:00")


@pytest.fixture
def slept(monkeypatch):
    """How long was waited between looks; the third time Ctrl-C is hit."""
    found = []

    def sleep(seconds: float) -> None:
        found.append(seconds)
        if len(found) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    return found


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 8 lines, which shows what `click.echo` gives it."""
    shown = []
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setattr(watching.shutil, "get_terminal_size", lambda: os.terminal_size((80, 8)))
    monkeypatch.setattr(watching.click, "echo", lambda text, nl: shown.append(text))
    return shown


@pytest.mark.parametrize("command", ROUTES)
def test_elsewhere_looks_are_appended_each_below_its_time(ask, daemon, slept, command):
    daemon[f"GET /api/v1/{ROUTES[command]}"] = {"items": [], "next": None}
    done = ask(command, "--watch")
    assert (done.exit_code, slept) == (130, [2.0, 2.0, 2.0])
    assert [bool(TIME.fullmatch(line)) for line in done.stdout.splitlines()] == [True] * 3
    assert len(daemon.requests) == 3
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", [*ROUTES, "status"])
def test_json_is_a_document_for_each_look_and_nothing_else(ask, daemon, slept, command):
    answer = {"items": [], "next": None}
    daemon[f"GET /api/v1/{command}"] = answer
    done = ask(command, "--watch", "0.5", "--json")
    assert slept == [0.5] * 3
    assert done.stdout == (json.dumps(answer, indent=2) + "\n") * 3


def test_on_a_terminal_each_look_takes_the_place_of_the_one_before(screen, slept):
    looks = iter(["one\ntwo", "one", terminal.paint("three", "red")])
    with pytest.raises(KeyboardInterrupt):
        watching.repeat(1.0, lambda: print(next(looks)), as_json=False)  # noqa: T201 - what a look does
    home, line, rest = watching.HOME, watching.REST_OF_LINE, watching.REST_OF_SCREEN
    assert screen == [
        f"{home}one{line}\ntwo{line}\n{rest}", f"{home}one{line}\n{rest}", f"{home}\x1b[31mthree\x1b[0m{line}\n{rest}",
    ]  # fmt: skip


def test_what_does_not_fit_is_counted(screen, slept):
    with pytest.raises(KeyboardInterrupt):
        watching.repeat(1.0, lambda: print(*range(20), sep="\n"), as_json=False)  # noqa: T201
    lines = screen[0].replace(watching.REST_OF_LINE, "").splitlines()
    assert lines == [f"{watching.HOME}0", "1", "2", "3", "4", "5", "… and 14 more lines", watching.REST_OF_SCREEN]


def test_a_look_that_fails_ends_it_and_leaves_what_was_seen(screen, slept):
    looks = iter([print])

    def look() -> None:
        next(looks, gone)("seen")

    def gone(_text: str) -> None:
        raise errors.NotRunning(where="there")

    with pytest.raises(errors.NotRunning):
        watching.repeat(1.0, look, as_json=False)
    assert len(screen) == 1


def test_a_dumb_terminal_is_not_drawn_over(screen, slept, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(terminal, "echo", lambda text="": print(text))  # noqa: T201
    with pytest.raises(KeyboardInterrupt):
        watching.repeat(1.0, lambda: print("x"), as_json=False)  # noqa: T201
    assert screen == []
    assert [line for line in capsys.readouterr().out.splitlines() if not TIME.fullmatch(line)] == ["x"] * 3


@pytest.mark.parametrize("value", ["0.1", "3601", "x"])
def test_seconds_that_are_none(ask, value):
    done = ask("runs", "--watch", value)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"--watch: a number from 0.2 to 3600 is wanted, got '{value}'" in done.stderr
