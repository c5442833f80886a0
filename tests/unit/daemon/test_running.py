"""How a daemon ends."""

from __future__ import annotations

import types
from typing import Any

import loguru
import pytest

from healer import errors
from healer.daemon import running


@pytest.mark.parametrize("error", [KeyError("ours"), errors.StoreFull()])
async def test_a_stop_that_cannot_be_written_down_closes_all_the_same(error: Exception) -> None:
    """Nobody may have to kill a daemon because its last commit failed."""
    done: list[str] = []

    def doing(name: str, gives: Any = None, raises: Exception | None = None) -> Any:
        async def act(*_: Any) -> Any:
            done.append(name)
            if raises is not None:
                raise raises
            return gives

        return act

    made = types.SimpleNamespace(
        store=types.SimpleNamespace(patient=True, close=doing("store"), submit=doing("note")), intake=types.SimpleNamespace(stopped=False),
        _listening=types.SimpleNamespace(stop_accepting=doing("accepting"), stop=doing("listening")), failed=False, _tasks=[],
        supervisor=types.SimpleNamespace(stop=doing("sources")), dispatcher=types.SimpleNamespace(stop=doing("dispatch", {})),
        telling=types.SimpleNamespace(close=doing("channels")),
        planner=types.SimpleNamespace(stop=doing("plans")), checks=types.SimpleNamespace(stop=doing("checks")),
        revision=types.SimpleNamespace(settings=types.SimpleNamespace(drain=1)),
        decider=types.SimpleNamespace(stop=doing("decide"), drain_snapshot=doing("snapshot", raises=error), position=7),
        _made=[types.SimpleNamespace(close=doing("controller"))], _control=types.SimpleNamespace(close=lambda: done.append("control")),
    )  # fmt: skip
    told: list[str] = []
    number = loguru.logger.add(told.append, format="{level} {message}", level="WARNING")
    await running.Daemon._stop(made)  # type: ignore[arg-type]
    loguru.logger.remove(number)
    assert done == [
        "accepting",
        "sources",
        "dispatch",
        "plans",
        "checks",
        "controller",
        "decide",
        "channels",
        "snapshot",
        "listening",
        "control",
        "store",
    ]
    assert told == [
        f"WARNING the stop could not be written down, the next start goes on from the last commit: {error}\n"
    ]
