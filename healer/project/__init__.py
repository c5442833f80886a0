"""What the workers need to know of a checked project: the contract of a `Revision`, and what holds for a run right now.

Reading a directory into a revision comes in its own modules here; `decide` and `dispatch` see these shapes only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from healer import model, policy

EFFECTFUL: Final = frozenset({"run_action", "run_playbook", "run_module"})
"""The actions that touch the world: they become runs and pass the gates."""

HIDDEN_ACTIVATION: Final = "healer"
"""The activation of the rules that the catalog's `events:` make."""


class Revision(Protocol):
    """One checked, content-addressed set of files."""

    settings: Any
    catalog: Any
    controllers: Mapping[str, Any]
    default_controller: str
    ansible_controller: str

    def resolve_target(self, controller: str, text: str) -> Any:
        """A `model.Target`, or a refusal with `reason` and `nearest`."""
        ...

    def inventory_name(self, controller: str) -> str:
        """What people call the inventory of a controller."""
        ...

    def expand_hosts(self, controller: str, hosts: Sequence[str]) -> tuple[list[model.Target], list[str]]:
        """The hosts of names and groups, and the names that are neither."""
        ...

    def playbook(self, name: str) -> str | None:
        """The file of a playbook, relative to the revision's folder."""
        ...


class Standing(Protocol):
    """What holds for a rule or a run at this moment."""

    mode: model.Mode

    def paused(self, rule: str) -> Mapping[str, Any] | None:
        """The pause that covers a rule."""
        ...

    def forbidden(
        self, controller: str, action: str, kind: str, targets: Sequence[model.Target]
    ) -> list[policy.Problem]:
        """Why a controller may not do it."""
        ...

    def limits(self, entry: Any, controller: Any) -> policy.Limits:
        """The gates' values for a catalog action."""
        ...

    def upstream_limits(self, controller: str) -> policy.Limits:
        """The gates' values for ansible-rulebook's own actions."""
        ...

    def at_decision(self, rule: str, controller: str, problems: tuple[policy.Problem, ...]) -> policy.Standing:
        """The same for the gates."""
        ...
