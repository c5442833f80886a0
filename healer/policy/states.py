"""The states of runs and attempts: every legal step in one table, and what a repeat of the alert does in each state.

The store refuses any other step by a trigger over the same pairs (a test compares the two). `decisions.md` A5, A6.
"""

from __future__ import annotations

from typing import Final, Literal

from healer import model

_DECIDED: Final[tuple[model.RunState, ...]] = (
    "suppressed", "refused", "deferred", "awaiting_approval", "queued", "simulated", "withdrawn",
)  # fmt: skip

RUN: Final[dict[model.RunState, tuple[model.RunState, ...]]] = {
    "planned": _DECIDED,
    "deferred": (
        "queued",
        "withdrawn",
        "suppressed",
        "refused",
        "awaiting_approval",
        "simulated",
        "cancelled",
        "void",
        "failed",
    ),
    "awaiting_approval": ("queued", "rejected", "expired", "void", "withdrawn", "cancelled"),
    "queued": (
        "running",
        "withdrawn",
        "cancelled",
        "deferred",
        "suppressed",
        "refused",
        "simulated",
        "awaiting_approval",
        "void",
        "failed",
    ),
    "running": ("verifying", "succeeded", "failed", "timed_out", "cancelled", "unknown", "queued"),
    "verifying": ("succeeded", "failed", "unknown", "cancelled"),
    "unknown": ("verifying", "succeeded", "failed", "timed_out", "cancelled", "queued"),
    "failed": _DECIDED,
    "timed_out": _DECIDED,
    "refused": _DECIDED,
    "suppressed": _DECIDED,
    "expired": _DECIDED,
    "void": _DECIDED,
    "withdrawn": _DECIDED,
    "simulated": _DECIDED,
    "succeeded": (),
    "rejected": (),
    "cancelled": (),
}

ATTEMPT: Final[dict[model.AttemptState, tuple[model.AttemptState, ...]]] = {
    "queued": ("running", "withdrawn", "cancelled"),
    "running": ("succeeded", "failed", "timed_out", "cancelled", "unknown", "withdrawn"),
    "unknown": ("succeeded", "failed", "timed_out", "cancelled", "withdrawn"),
    "succeeded": (),
    "failed": (),
    "timed_out": (),
    "cancelled": (),
    "withdrawn": (),
}

Repeat = Literal["duplicate", "attempt", "again", "when_active"]

ON_REPEAT: Final[dict[model.RunState, Repeat]] = {
    "planned": "duplicate",
    "deferred": "duplicate",
    "awaiting_approval": "duplicate",
    "queued": "duplicate",
    "running": "duplicate",
    "verifying": "duplicate",
    "succeeded": "duplicate",
    "rejected": "duplicate",
    "cancelled": "duplicate",
    "unknown": "duplicate",
    "failed": "attempt",
    "timed_out": "attempt",
    "refused": "again",
    "suppressed": "again",
    "expired": "again",
    "void": "again",
    "withdrawn": "again",
    "simulated": "when_active",
}
"""What a repeat of the alert in the same cycle does: nothing, a new attempt while some are left, a new decision."""
