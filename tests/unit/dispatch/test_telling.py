"""The lines of the log about attempts: each says which run of which rule, and what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import loguru
import pytest

from healer import model
from healer.dispatch import telling
from healer.store import following

CHOSEN = '{"chosen": {"controller": "ssh", "by": "override", "who": "key:laptop = ana"}}'
ROW = {"id": "r-1", "rule": "web/web/down", "action": "restart_nginx", "controller": "ssh", "explanation": "{}"}
CHECK = {**ROW, "action": "look", "purpose": following.VERIFY}


@pytest.fixture
def said() -> Iterator[list[Any]]:
    """(level, line, what is bound) of each."""
    found: list[Any] = []

    def sink(message: Any) -> None:
        record = message.record
        found.append((record["level"].name, record["message"], record["extra"]))

    number = loguru.logger.add(sink)
    yield found
    loguru.logger.remove(number)


def test_what_begins(said: list[Any]) -> None:
    telling.begins(ROW, ["host:web1", "host:web2"])
    telling.begins(CHECK, [])
    assert [one[:2] for one in said] == [
        ("INFO", "run r-1 starts: restart_nginx of web/web/down on host:web1, host:web2 by ssh"),
        ("INFO", "the check of run r-1 starts: look of web/web/down on no target by ssh"),
    ]
    assert said[0][2] == {
        "run": "r-1", "rule": "web/web/down", "action": "restart_nginx", "controller": "ssh", "targets": ["host:web1", "host:web2"],
    }  # fmt: skip


def test_what_chose_its_controller_is_said_of_the_run_and_not_of_its_check(said: list[Any]) -> None:
    telling.begins(ROW | {"explanation": CHOSEN}, [])
    telling.begins(CHECK | {"explanation": CHOSEN}, [])
    assert [one[1].partition(" on ")[2] for one in said] == [
        "no target by ssh (chosen by key:laptop = ana in the place of its own)", "no target by ssh",
    ]  # fmt: skip


@pytest.mark.parametrize(("row", "state", "level", "line"), [
    (ROW, "succeeded", "INFO", "run r-1 succeeded: restart_nginx of web/web/down: exit 4 (1.5 s)"),
    (ROW, "failed", "ERROR", "run r-1 failed: restart_nginx of web/web/down: exit 4 (1.5 s)"),
    (ROW, "cancelled", "ERROR", "run r-1 cancelled: restart_nginx of web/web/down: exit 4 (1.5 s)"),
    (CHECK, "failed", "INFO", "the check of run r-1 failed: look of web/web/down: exit 4 (1.5 s)"),
    (CHECK, "unknown", "ERROR", "the check of run r-1 unknown: look of web/web/down: exit 4 (1.5 s)"),
])  # fmt: skip
def test_how_it_ended(said: list[Any], row: Any, state: Any, level: str, line: str) -> None:
    telling.ended(row, model.Outcome(state, "exit 4", 4, seconds=1.46))
    assert [one[:2] for one in said] == [(level, line)]
    assert said[0][2] == {
        "run": "r-1", "rule": "web/web/down", "action": row["action"], "state": state, "exit_code": 4,
    }  # fmt: skip


def test_braces_in_what_a_controller_says_are_no_fields(said: list[Any]) -> None:
    telling.ended(ROW, model.Outcome("failed", "{run} {0} {"))
    assert said[0][1] == "run r-1 failed: restart_nginx of web/web/down: {run} {0} { (0.0 s)"
