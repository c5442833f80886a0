"""Whether a run may start: the gates in their one order, pure. `now` and everything seen are arguments.

`store` calls it inside its transactions with what it read there; `explain` and `replay` call it with recorded values.
"""

from healer.policy import brakes, calendar, labels, limits
from healer.policy.candidate import SEQUENCE, Candidate, Problem, Standing, View
from healer.policy.limits import Layer, Limits
from healer.policy.pipeline import Decision, Verdict, decide, held_by, look_again, recheck

__all__ = [
    "SEQUENCE",
    "Candidate",
    "Decision",
    "Layer",
    "Limits",
    "Problem",
    "Standing",
    "Verdict",
    "View",
    "brakes",
    "calendar",
    "decide",
    "held_by",
    "labels",
    "limits",
    "look_again",
    "recheck",
]
