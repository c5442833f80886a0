"""What is said of an event that came after a rule had ended its rulebook: the same then and later, whatever brought it back."""

from __future__ import annotations

import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

RULES = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: stop, condition: event.stop == 1, action: {shutdown: {}}}
    - {name: heard, condition: event.a == 1, action: {none: {}}}
"""
FILES = {"rulebooks/act.yml": RULES, "rulebooks/act/deep.yml": RULES.replace("event.stop", "event.halt")}


@pytest.fixture
async def box(make_box: Callable[..., Awaitable[Any]]) -> Any:
    """Two rulebooks, of which each can end itself; the name of the one is the beginning of the other's."""
    return await make_box(FILES)


async def told(box: Any, event: str, rule: str = "act/rs/heard") -> str:
    """`fired`, or why not."""
    (one,) = (await box.why(event, rule=rule))["rules"]
    return "fired" if one["fired"] else str(one["reason"])


async def test_it_is_said_while_it_lasts_and_of_that_rulebook_alone(box: Any) -> None:
    box.post({"stop": 1})
    box.post({"a": 1})
    assert [await told(box, "e-3", rule) for rule in ("act/rs/heard", "act/deep/rs/heard")] == ["ended", "fired"]


async def test_it_stays_said_after_a_reload_and_only_of_what_came_between(box: Any) -> None:
    box.post({"a": 1})  # e-2
    box.post({"stop": 1})
    box.post({"a": 1})
    await box.reload()  # the row 5
    box.post({"a": 1})
    assert [await told(box, event) for event in ("e-2", "e-4", "e-6")] == ["fired", "ended", "fired"]
    box.post({"stop": 1})
    await box.reload()
    assert [await told(box, event) for event in ("e-2", "e-4", "e-6")] == ["fired", "ended", "fired"]


async def test_what_did_not_reach_a_rule_for_another_reason_is_not_called_ended(box: Any) -> None:
    box.post({"halt": 1})
    await box.reload()
    box.post({"a": 1}, decided=False)
    assert await told(box, "e-4") == "not-decided-yet"
    box.position = 4  # decided, and nothing came of it
    assert await told(box, "e-4") == "not-heard"


async def test_a_shutdown_while_paused_ended_it_all_the_same(box: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "PAUSE").write_text("x")
    box.post({"stop": 1})
    box.post({"a": 1})
    await box.reload()
    assert await told(box, "e-3") == "ended"
