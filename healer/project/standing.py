"""What holds for a rule or a run right now: the contract that `decide` asks; the daemon fulfils it.

A pause, the mode and the gates' values change while runs wait, so they are asked for and not copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from healer import model, policy
from healer.policy import labels, selecting


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

    def limits(self, entry: Any, controller: Any, action: str, traits: selecting.Traits) -> policy.Limits:
        """The gates' values for a catalog action."""
        ...

    def upstream_limits(self, controller: str, traits: selecting.Traits) -> policy.Limits:
        """The gates' values for ansible-rulebook's own actions."""
        ...

    def at_decision(
        self, rule: str, action: str, controller: str, problems: tuple[policy.Problem, ...], groups: Iterable[str] = ()
    ) -> policy.Standing:
        """The same for the gates. `groups`: those of the run's targets, and of its budgets."""
        ...

    environment: str

    @property
    def inhibitions(self) -> Sequence[labels.Inhibition]:
        """Which alerts explain others."""
        ...
