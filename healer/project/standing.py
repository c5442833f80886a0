"""What holds for a rule or a run right now: the contract that `decide` asks; the daemon fulfils it.

A pause, the mode and the gates' values change while runs wait, so they are asked for and not copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from healer import model, policy


class Standing(Protocol):
    """What holds for a rule or a run at this moment."""

    mode: model.Mode

    def mode_of(self, activation: str) -> model.Mode:
        """The mode of an activation: the daemon's, or its own where that is observe."""
        ...

    def paused(self, rule: str) -> Mapping[str, Any] | None:
        """The pause that covers a rule."""
        ...

    def forbidden(
        self, controller: str, action: str, kind: str, targets: Sequence[model.Target]
    ) -> list[policy.Problem]:
        """Why a controller may not do it."""
        ...

    def limits(self, entry: Any, controller: Any, rule: str) -> policy.Limits:
        """The gates' values for a catalog action of a rule."""
        ...

    def upstream_limits(self, controller: str, rule: str) -> policy.Limits:
        """The gates' values for ansible-rulebook's own actions of a rule."""
        ...

    def at_decision(self, rule: str, controller: str, problems: tuple[policy.Problem, ...]) -> policy.Standing:
        """The same for the gates."""
        ...
