"""What holds right now: the rules of the current revision, the mode, and the kill switch (`<data_dir>/PAUSE`).

`decide` asks it for new matches, the writer's transactions for runs that wait. Immutable but for the file it looks at.
"""

from __future__ import annotations

import datetime
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import model, policy, project

PAUSE_FILE: Final = "PAUSE"
REASON_MAX: Final = 300


class PauseFile:
    """The kill switch that works with a dead API: while the file is there, nothing new starts; its text is the reason."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self.path = data_dir / PAUSE_FILE

    def __call__(self) -> dict[str, Any] | None:
        """The pause as its reason's sentence takes it; None while there is none."""
        try:
            seconds = self.path.stat(follow_symlinks=False).st_mtime  # a link that leads nowhere is there too
        except FileNotFoundError:
            return None
        except OSError:
            seconds = 0.0  # there, but not to be looked at: fail closed
        try:
            since = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        except (OverflowError, ValueError, OSError):
            since = datetime.datetime.fromtimestamp(0, datetime.UTC)
        return {
            "scope": "everything",
            "who": f"the file {self.path.name}",
            "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "reason": self._reason() or "no reason given",
        }

    def _reason(self) -> str:
        """Its beginning on one line; a pipe or a folder of that name pauses too, and must not hold the daemon."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            text = os.read(descriptor, 4 * REASON_MAX).decode("utf-8", "replace")
        except OSError:
            return ""
        finally:
            os.close(descriptor)
        return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:REASON_MAX]


class Standing:
    """`project.Standing` for one revision."""

    def __init__(self, revision: project.Revision, pause: PauseFile, mode: model.Mode) -> None:
        self.revision = revision
        self.mode: model.Mode = mode
        self._pause = pause
        self._enabled: dict[str, bool] = {}
        self._activations: dict[str, project.Activation] = {}
        self._observing = frozenset(one.name for one in revision.activations if one.mode == "observe")
        self._policies: dict[str, list[tuple[str, Mapping[str, float]]]] = {}
        for activation, ruleset in revision.rulesets():
            name = f"{activation.name}/{ruleset.name}"
            for rule in ruleset.rules:
                identity = f"{name}/{rule.name}"
                if found := [one for one in ((f"{name}/", ruleset.policy), (identity, rule.policy)) if one[1]]:
                    self._policies[identity] = found
                self._enabled[identity] = rule.enabled
                self._activations[identity] = activation

    def mode_of(self, activation: str) -> model.Mode:
        """The daemon's mode; an activation can only be more careful."""
        return "observe" if activation in self._observing else self.mode

    def environment_of(self, rule: str) -> Mapping[str, Any]:
        """What a rule's activation adds to the environment of its actions: texts, or `{secret: …}`."""
        found = self._activations.get(rule)
        return found.env if found else {}

    def paused(self, rule: str) -> Mapping[str, Any] | None:
        """The pause that covers a rule."""
        return self._pause()

    def forbidden(
        self, controller: str, action: str, kind: str, targets: Sequence[model.Target]
    ) -> list[policy.Problem]:
        """Why a controller may not do it."""
        return self.revision.forbidden(controller, action, kind, targets)

    def limits(self, entry: Any, controller: Any, rule: str) -> policy.Limits:
        """The gates' values for a catalog action of a rule."""
        return self.revision.limits(entry, controller).tightened(self._policies.get(rule, ()))

    def upstream_limits(self, controller: str, rule: str) -> policy.Limits:
        """The gates' values for ansible-rulebook's own actions of a rule."""
        return self.revision.upstream_limits(controller).tightened(self._policies.get(rule, ()))

    def at_decision(self, rule: str, controller: str, problems: tuple[policy.Problem, ...]) -> policy.Standing:
        """What the gates see for a new match."""
        return policy.Standing(True, self._mode_of_rule(rule), self._pause(), problems)

    def _mode_of_rule(self, rule: str) -> model.Mode:
        found = self._activations.get(rule)
        return self.mode_of(found.name) if found else self.mode

    def of_run(self, row: Mapping[str, Any]) -> policy.Standing:
        """What the gates see for a run that waits: a reload may have taken its rule or its action, or changed its limits."""
        problems: tuple[policy.Problem, ...] = ()
        entry, controller = (
            self.revision.catalog.entries.get(row["action"]),
            self.revision.controllers.get(row["controller"]),
        )
        if row["flavor"] == "catalog" and entry is None:
            problems = (policy.Problem("unknown_action", {"action": row["action"], "nearest": ""}),)
        elif controller is None:
            detail = f"no controller is named {row['controller']!r} any more"
            problems = (policy.Problem("controller_forbidden", {"controller": row["controller"], "detail": detail}),)
        if row["rule"] not in self._enabled:
            problems = (policy.Problem("disabled", {"rule": row["rule"], "gone": True}), *problems)
        catalog = row["flavor"] == "catalog"
        rule = row["rule"]
        limits = self.limits(entry, controller, rule) if catalog else self.upstream_limits(row["controller"], rule)
        enabled, mode = self._enabled.get(row["rule"], True), self._mode_of_rule(row["rule"])
        return policy.Standing(enabled, mode, self._pause(), problems, limits)
