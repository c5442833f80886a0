"""What chose the controller of a run, and why a person had it done: told with its decision."""

from __future__ import annotations

from typing import Any

import pytest

from healer.policy import reasons

ACT = "r | event.a == 1 | action: {run_action: {name: note}}"
OWN = """\
actions:
  note: {command: [logger, x], impact: low, target: none, controller: here, parameters: {text: {}}, events: [noted]}
  plain: {command: ["true"], impact: low, target: none}
"""
SEVERAL = "controllers: {here: {type: local}, there: {type: local}, site: {type: ansible, inventory: inventory}}\ndefault: here\n"
CHOICES = (
    "a | event.a == 1 | action: {run_action: {name: note}}", "b | event.a == 2 | action: {run_action: {name: note, controller: there}}",
    "c | event.a == 3 | action: {run_action: {name: plain}}", "d | event.a == 4 | action: {run_playbook: {name: fix.yml}}",
)  # fmt: skip


@pytest.mark.parametrize(
    ("a", "controller", "by"),
    [(1, "here", "action"), (2, "there", "rule"), (3, "here", "default"), (4, "site", "kind")],
)
def test_what_chose_the_controller_is_told(make: Any, a: int, controller: str, by: str) -> None:
    (ask,) = make(*CHOICES, files={"actions.yaml": OWN, "controllers.yaml": SEVERAL}).asks({"a": a})
    assert (ask.candidate.controller, ask.told) == (controller, {"chosen": {"controller": controller, "by": by}})


@pytest.mark.parametrize(
    ("source", "what"), [("healer.events", {"event_type": "noted"}), ("healer.actions", {"action": "note"})]
)
def test_an_override_is_told_with_who_chose_and_why(make: Any, source: str, what: dict[str, str]) -> None:
    kit = make(ACT, files={"actions.yaml": OWN})
    (own,) = kit.asks(what, source=source)
    (other,) = kit.asks(
        what | {"controller_override": "site", "reason": "here is full"}, source=source, actor="key:laptop = ana"
    )
    assert (own.told, own.actor) == ({"chosen": {"controller": "here", "by": "action"}}, "key:ci")
    assert (other.candidate.controller, other.actor) == ("site", "key:laptop = ana")
    assert other.told == {
        "chosen": {"controller": "site", "by": "override", "who": "key:laptop = ana"},
        "reason": "here is full",
    }
    assert reasons.chosen(other.told) == "chosen by key:laptop = ana in the place of its own"


def test_what_an_event_of_others_calls_a_reason_is_none(make: Any) -> None:
    (ask,) = make(ACT, files={"actions.yaml": OWN}).asks({"a": 1, "reason": "because"})
    assert "reason" not in ask.told
