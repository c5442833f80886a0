"""What a gate answers: the values that it saw, and a no or nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import model
from healer.policy.candidate import Candidate, View

US: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class No:
    """A gate's no. `look_at_us`: the earliest moment at which it can pass; None: an act ends it. `target`: only that one.
    `waits`: it is no no for good: the run is deferred, whatever the code's outcome is."""

    code: str
    fields: Mapping[str, Any]
    look_at_us: int | None = None
    target: str = ""
    waits: bool = False


Saw = dict[str, Any]
Answer = tuple[Saw, list[No]]
Gate = Callable[[Candidate, View, int], Answer]


def expires_us(candidate: Candidate, now_us: int) -> int | None:
    """Until when a person may decide."""
    span_s = candidate.limits.approval_expires_s
    return None if span_s is None else now_us + round(span_s * US)


def budget_in_words(budget: str) -> str:
    """`policy:x` as people read it."""
    kind, _, name = budget.partition(":")
    return {
        "policy": f"the policy {name}", "ruleset": f"the policy of {name}", "rule": f"the policy of {name}",
        "action": f"the action {name}", "default": f"{name}, by default",
        "controller": f"the controller {name}",
    }.get(kind, budget)  # fmt: skip


def when(us: int) -> str:
    """A moment as sentences tell it, to the second."""
    return f"{model.iso(us)[:19]}Z"


def ms(seconds: float | None) -> int | None:
    """Whole milliseconds: an explanation has no floats, so that its audit record is canonical."""
    return None if seconds is None else round(seconds * 1000)
