"""What holds right now: the rules of the current revision, the mode, and the kill switch (`<data_dir>/PAUSE`).

`decide` asks it for new matches, the writer's transactions for runs that wait. Immutable but for the file it looks at.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import model, policy, project
from healer.daemon import meanings
from healer.policy import labels, selecting
from healer.store import following, scopes, seeing

PAUSE_FILE: Final = "PAUSE"
REASON_MAX: Final = 300
READ_BY_ACTIONS: Final = (
    "playbooks/", "roles/", "tasks/", "handlers/", "templates/", "files/", "vars/", "group_vars/", "host_vars/", "collections/",
    "library/", "module_utils/", "action_plugins/", "callback_plugins/", "connection_plugins/", "filter_plugins/",
    "inventory_plugins/", "lookup_plugins/", "test_plugins/", "vars_plugins/", "ansible.cfg", "manifests/",
)  # fmt: skip
"""What a playbook or `apply` may read, beside the inventory and scripts."""
SCRIPTS: Final = "scripts/"
"""What a script may read: whatever lies beside it or in another folder there, since no file says what it sources."""
CHECKS: Final = "checks/"
"""What looks, where the action is a check of the project's own."""
METADATA: Final = (".meta.yml", ".meta.yaml")
"""Of actions: what it says is in the entry, and nothing runs it."""


class PauseFile:
    """The kill switch that works with a dead API: while the file is there, nothing new starts; its text is the reason."""

    def __init__(self, data_dir: pathlib.Path, ahead_us: Callable[[], int] = lambda: 0) -> None:
        """`ahead_us`: by how much the wall clock is ahead of journal time now."""
        self.path = data_dir / PAUSE_FILE
        self.ahead_us = ahead_us
        self.rows: Sequence[Mapping[str, Any]] = ()
        """What people have paused by command, as rows say; the gates read these themselves."""

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

    def everything(self) -> bool:
        """Whether nothing at all may start."""
        return self() is not None or any(row["scope"] == "all" for row in self.rows)

    def covering(self, names: scopes.Names) -> dict[str, Any] | None:
        """The pause that covers what a rule does without a run (`set_fact` and the like): the file's, or one of people's."""
        if (found := self()) is not None:
            return found
        for row in self.rows:
            if scopes.covers(row["scope"], names, ""):
                return seeing.told(row["scope"], row["who"], row["reason"], row["since_us"], row["until_us"])
        return None

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
        self.environment = revision.settings.environment
        self._pause = pause
        self._gates = project.Gates(revision)
        self._asks = self._gates.asks
        self._bounds: dict[tuple[str, str, str], str] = {}
        self._found = revision.found.inventories
        self._enabled: dict[str, bool] = {}
        self._activations: dict[str, project.Activation] = {}
        self.names: dict[str, scopes.Names] = {}
        """Rule's identity → its names."""
        self._views = {one.name: revision.under(one.inventory) for one in revision.activations if one.inventory}
        self._observing = frozenset(one.name for one in revision.activations if one.mode == "observe")
        self._authors: dict[str, str] = {}
        authors = {one.name: revision.author_of(one) for one in revision.activations}
        for activation, ruleset in revision.rulesets():
            for rule in ruleset.rules:
                identity = f"{activation.name}/{ruleset.name}/{rule.name}"
                self._enabled[identity] = rule.enabled
                self._activations[identity] = activation
                self._authors[identity] = authors[activation.name]
                self.names[identity] = (activation.name, ruleset.name, rule.name)

    @property
    def inhibitions(self) -> tuple[labels.Inhibition, ...]:
        """Which alerts explain others."""
        return self._gates.inhibitions

    def mode_of(self, activation: str) -> model.Mode:
        """The daemon's mode; an activation can only be more careful."""
        return "observe" if activation in self._observing else self.mode

    def environment_of(self, rule: str) -> Mapping[str, Any]:
        """What a rule's activation adds to the environment of its actions: texts, or `{secret: …}`."""
        found = self._activations.get(rule)
        return found.env if found else {}

    def paused(self, rule: str) -> Mapping[str, Any] | None:
        """The pause that covers a rule."""
        return self._pause.covering(self.names.get(rule) or model.rule_names(rule))

    def forbidden(
        self, controller: str, action: str, kind: str, targets: Sequence[model.Target]
    ) -> list[policy.Problem]:
        """Why a controller may not do it."""
        return self.revision.forbidden(controller, action, kind, targets)

    def limits(self, entry: Any, controller: Any, action: str, traits: selecting.Traits) -> policy.Limits:
        """The gates' values for a catalog action."""
        return self._gates.catalog(entry, controller, action, traits)

    def upstream_limits(self, controller: str, traits: selecting.Traits) -> policy.Limits:
        """The gates' values for ansible-rulebook's own actions."""
        return self._gates.upstream(self.revision.controllers.get(controller), traits)

    def at_decision(
        self, rule: str, action: str, controller: str, problems: tuple[policy.Problem, ...], groups: Iterable[str] = ()
    ) -> policy.Standing:
        """What the gates see for a new match."""
        return self._of(rule, action, controller, groups, problems)

    def _of(
        self, rule: str, action: str, controller: str, groups: Iterable[str], problems: tuple[policy.Problem, ...],
        limits: policy.Limits | None = None,
    ) -> policy.Standing:  # fmt: skip
        found = self._activations.get(rule)
        view = self._views.get(found.name, self.revision) if found else self.revision
        return policy.Standing(
            self._enabled.get(rule, True), self.mode_of(found.name) if found else self.mode, self._pause(), problems, limits,
            self.environment, view.sizes(controller, groups), self._gates.storm, self._gates.inhibitions,
            bound=self._bound(action, controller, view), wall_offset_us=self._pause.ahead_us(),
            names=self.names.get(rule), approvals_max=self.revision.settings.approvals_max,
            author=self._authors.get(rule, ""), asks=self._asks,
        )  # fmt: skip

    def _bound(self, action: str, controller: str, view: project.Revision) -> str:
        """What the files of today say of an action: its entry, what it may run (all of scripts/, but for a script all that playbooks
        read, of a check all of checks/), its controller, and the inventory that it has there."""
        reached = view.controllers.get(controller)
        hosts = reached.inventory.rstrip("/") if reached is not None else ""
        if self._found is not self.revision.found.inventories:  # a machine may be another one
            self._found, self._bounds = self.revision.found.inventories, {}
        known = self._bounds.get((action, controller, hosts))
        if known is None:
            entry = self.revision.catalog.entries.get(action)
            is_script, is_check = (entry is not None and entry.kind == kind for kind in ("script", "check"))
            read = sorted(
                f"{path}={'x' * file.executable}{file.sha256}" for path, file in self.revision.files.items()
                if (path.startswith(SCRIPTS) and not path.endswith(METADATA))
                or (not is_script and path.startswith(READ_BY_ACTIONS))
                or (is_check and path.startswith(CHECKS))
                or (hosts and (path == hosts or path.startswith(f"{hosts}/")))
            )  # fmt: skip
            parts = [entry.digest if entry else "", *_ways(self.revision, reached), *read]
            known = hashlib.sha256("\x00".join(parts).encode()).hexdigest()
            self._bounds[(action, controller, hosts)] = known
        return known

    def of_run(self, row: Mapping[str, Any]) -> policy.Standing:
        """What the gates see for a run that waits: a reload may have taken its rule or its action, or changed its limits."""
        problems: tuple[policy.Problem, ...] = ()
        rule, catalog = row["rule"], row["flavor"] == "catalog"
        entry, controller = (
            self.revision.catalog.entries.get(row["action"]),
            self.revision.controllers.get(row["controller"]),
        )
        looks = (
            row.get("purpose") == following.VERIFY and row["kind"] == "check"
        )  # what `verify` says itself is in no catalog
        if catalog and entry is None and not looks:
            problems = (policy.Problem("unknown_action", {"action": row["action"], "nearest": ""}),)
        elif controller is None:
            detail = f"no controller is named {row['controller']!r} any more"
            problems = (policy.Problem("controller_forbidden", {"controller": row["controller"], "detail": detail}),)
        if rule not in self._enabled:
            problems = (policy.Problem("disabled", {"rule": rule, "gone": True}), *problems)
        traits = _traits(self.environment, row, entry, self.names.get(rule))
        limits = (
            self.limits(entry, controller, row["action"], traits)
            if catalog
            else self.upstream_limits(row["controller"], traits)
        )
        groups = traits.groups | {one.of for one in limits.blasts if one.of}
        made = self._of(rule, row["action"], row["controller"], groups, problems, limits)
        return dataclasses.replace(made, dry_run=True) if catalog and entry is not None and entry.dry_run else made


def _ways(held: project.Revision, reached: project.Controller | None) -> Iterator[str]:
    """What a controller means, with the files that its options name; and the same of one behind it (`run_on`), with the machine."""
    yield meanings.of_controller(reached)
    options = reached.options if reached is not None else {}
    for path in sorted(one for one in options.values() if isinstance(one, str) and one in held.files):
        yield f"{path}={held.files[path].sha256}"
    for option in reached.machines if reached is not None else ():
        if isinstance(options.get(option), str):
            name, machine = held.machine(options[option])
            yield f"{machine.address or machine.name} {machine.port} {machine.user}"
            yield from _ways(held, held.controllers[name])


def _traits(
    environment: str, row: Mapping[str, Any], entry: Any, names: tuple[str, str, str] | None
) -> selecting.Traits:
    """What policies may select a run by that waits."""
    groups = frozenset(name for names in row["groups"].values() for name in names)
    actions: tuple[str, ...] = (row["action"],)
    if row["flavor"] != "catalog":
        actions = (row["action"].partition(" ")[0], row["action"])
    return selecting.Traits(
        environment, row["rule"], actions, entry.impact if entry else "high", entry.tags if entry else (),
        row["labels"].get("source", ""), model.ALERT_SEVERITIES[row["severity"]], tuple(row["targets"]), groups, row["labels"], names,
    )  # fmt: skip
