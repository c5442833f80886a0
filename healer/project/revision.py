"""A revision: everything that one state of a project's files means, checked, under one id. Frozen, plain values, picklable.

Made by `loading`; read by all workers. Runs name the revision that they were decided under, and run from its files.
"""

from __future__ import annotations

import dataclasses
import pathlib
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from healer import access, engine, errors, inventory, model, policy
from healer.catalog import entries
from healer.project import addresses, clusters, locating, machines, people, targets
from healer.project.controllers import Controller
from healer.project.found import Found, Said
from healer.project.git import Git
from healer.project.settings import Settings
from healer.project.tree import File

UPSTREAM: Final[Mapping[str, str]] = {
    "run_playbook": "playbook", "run_module": "module", "run_job_template": "job_template",
    "run_workflow_template": "workflow_template",
}  # fmt: skip
"""ansible-rulebook's effectful actions, and what each needs a controller to run."""
EFFECTFUL: Final = frozenset({"run_action", *UPSTREAM})
"""The actions that touch the world: they become runs and pass the gates."""

HIDDEN_ACTIVATION: Final = "healer"
"""The activation of the rules that the catalog's `events:` make."""

SHORT: Final = 7
UPSTREAM_TIMEOUT_S: Final = 86_400.0
"""ansible-rulebook ends no playbook of its own accord; a child without any end would be worse than a late one."""
_ESCAPING: Final = re.compile(r"(^|/)\.\.(/|$)|^/|\x00")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One source instance. `name` is its own within the daemon, and the source name of its journal rows.

    `kind`: `pull` runs as a task (ours), `eda` in a child, `push` waits for requests. `args` and `filters` are plain values as
    written. `options` are the checked ones of a built-in push source, else None. `resolves`: its alerts are closed by itself.
    `subscribers`: (activation, ruleset). `code` changes with the plugin's own files. Spans are seconds. `env`: as an activation's.
    `shown`: what events say of it (`meta.source.name`), '' for `name`.
    """

    name: str
    type: str
    kind: Literal["pull", "eda", "push"]
    args: Mapping[str, Any]
    filters: tuple[tuple[str, Mapping[str, Any]], ...]
    place: errors.Place
    options: Any = None
    resolves: bool = False
    shared: bool = False
    subscribers: tuple[tuple[str, str], ...] = ()
    code: str = ""
    max_quiet_s: float | None = None
    alert_ttl_s: float | None = None
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    shown: str = ""
    shown_to: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    """Ruleset (`activation/ruleset`) → the name and type that it calls it by, where several share it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Activation:
    """One rulebook switched on under a name. `hidden`: made of the catalog's `events:`, with no file of its own.

    `variables` for its templates; `env` (texts, or `{secret: …}`) for its sources and actions; `inventory` in the place of its
    controllers' own ('' for theirs); `mode` None: the daemon's. `restart`: what follows a `shutdown` of it (`always`: it begins anew).
    """

    name: str
    file: str
    rulesets: tuple[engine.Ruleset, ...]
    hidden: bool = False
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inventory: str = ""
    mode: model.Mode | None = None
    restart: Literal["never", "on_failure", "always"] = "on_failure"
    gathering: engine.Ruleset | None = None
    """A ruleset of ours that gathers the facts of its hosts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """One checked state of a project. `inventories` by the path that controllers name; `files` are all that count. `found`: what Ansible
    has listed of them since, which is laid over them.

    `project_dir` and `hostname` are where it was read; they are no part of `id`, nor is what was found.
    """

    id: str
    project_dir: pathlib.Path
    git: Git | None
    settings: Settings
    catalog: entries.Catalog
    controllers: Mapping[str, Controller]
    default_controller: str
    inventories: Mapping[str, inventory.Inventory]
    activations: tuple[Activation, ...]
    sources: Mapping[str, Source]
    files: Mapping[str, File]
    hostname: str = ""
    diagnostics: tuple[errors.Diagnostic, ...] = ()
    outside: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Files that were taken in from elsewhere, and where each lies."""
    found: Found = dataclasses.field(default_factory=Found, compare=False, repr=False)

    @property
    def short(self) -> str:
        """The id as people see it."""
        return self.id[:SHORT]

    def author_of(self, activation: Activation) -> str:
        """Who changed an activation's rulebook last: a principal by its `git:`, else `git:EMAIL`; '' where that is not known."""
        email = dict(self.git.authors).get(activation.file, "") if self.git else ""
        known = {one.git.casefold(): one.name for one in self.directory.people.values() if one.git}
        return known.get(email.casefold(), f"git:{email}") if email else ""

    @property
    def directory(self) -> access.Directory:
        """Which roles and people there are."""
        return people.directory(self.settings.roles, self.settings.principals)

    def ruleset_of(self, rule: str) -> tuple[str, str]:
        """(activation, ruleset) of a rule's identity, in which each may have slashes; of one that is gone as `model.rule_names` has it."""
        for activation, ruleset in self.rulesets():
            prefix = f"{activation.name}/{ruleset.name}/"
            if rule.startswith(prefix) and any(one.name == rule[len(prefix) :] for one in ruleset.rules):
                return activation.name, ruleset.name
        return model.rule_names(rule)[:2]

    def controller_for(self, kind: str) -> str:
        """The controller of an upstream action that runs a `kind`: the default one if it can, else the first that can."""
        return controller_for(self.controllers, self.default_controller, kind)

    def under(self, inventory_path: str) -> Revision:
        """The revision as an activation with an inventory of its own sees it."""
        if not inventory_path:
            return self
        made = {name: dataclasses.replace(spec, inventory=inventory_path) for name, spec in self.controllers.items()}
        return dataclasses.replace(self, controllers=made)

    def rulesets(self) -> Iterator[tuple[Activation, engine.Ruleset]]:
        """Every ruleset with its activation."""
        for activation in self.activations:
            for ruleset in activation.rulesets:
                yield activation, ruleset
            if activation.gathering is not None:
                yield activation, activation.gathering

    def routes(self) -> dict[str, list[str]]:
        """Source → the rulesets (`activation/ruleset`) that listen to it."""
        return {name: [f"{a}/{r}" for a, r in source.subscribers] for name, source in self.sources.items()}

    def sources_without(self, ended: Collection[str]) -> dict[str, Source]:
        """The sources that somebody still listens to once these activations have ended."""
        made = {}
        for name, source in self.sources.items():
            kept = tuple(one for one in source.subscribers if one[0] not in ended)
            if kept or not source.subscribers:
                made[name] = source if kept == source.subscribers else dataclasses.replace(source, subscribers=kept)
        return made

    # --- targets --------------------------------------------------------------------------------------------------------

    def hosts(self, controller: str) -> inventory.Inventory:
        """The inventory of a controller; empty where it has none."""
        spec = self.controllers.get(controller)
        if spec is None:
            return targets.EMPTY
        return self.found.inventories.get(spec.inventory) or self.inventories.get(spec.inventory, targets.EMPTY)

    def said(self, inventory_path: str) -> Said | None:
        """What came of asking Ansible for the hosts of an inventory last; None where it was not asked."""
        return self.found.said.get(inventory_path)

    def inventory_name(self, controller: str) -> str:
        """What people call the inventory of a controller."""
        spec = self.controllers.get(controller)
        if spec is not None and clusters.reaches(spec):
            return f"the cluster of {controller}"
        if spec is not None and addresses.reaches(spec):
            return f"what {controller} allows"
        return "any inventory" if spec is None else spec.inventory or "this machine"

    def resolve_target(self, controller: str, text: str) -> model.Target | inventory.Refusal:
        """The target that a text means for a controller, or why it means none."""
        spec = self.controllers.get(controller)
        if spec is None:
            reason = f"no controller is named {controller!r}"
            return inventory.Refusal(reason, errors.nearest(controller, self.controllers))
        return targets.resolve(spec, self.hosts(controller), self.hostname, text)

    def machine(self, text: str) -> tuple[str, model.Target]:
        """The controller and the machine that an option like `run_on` names. Raises `machines.UnknownMachine`."""
        return machines.find(text, self.controllers, {**self.inventories, **self.found.inventories})

    def sizes(self, controller: str, groups: Iterable[str]) -> dict[str, int]:
        """How many hosts groups have in the inventory of a controller."""
        known = self.hosts(controller).groups
        return {name: len(known[name]) for name in groups if name in known}

    def expand_hosts(self, controller: str, hosts: Sequence[str]) -> tuple[list[model.Target], list[str]]:
        """The hosts of names and groups, and the names that are neither."""
        spec = self.controllers.get(controller)
        if spec is None:
            return [], list(hosts)
        return targets.expand(spec, self.hosts(controller), self.hostname, hosts)

    def expand_pattern(self, controller: str, text: str) -> tuple[list[model.Target], list[str]]:
        """The hosts of a ruleset's own `hosts:`, a pattern of Ansible's; and what of it cannot be acted on."""
        spec = self.controllers.get(controller)
        return targets.pattern(spec, self.hosts(controller), self.hostname, text) if spec else ([], [text])

    def playbook(self, name: str) -> str | None:
        """The file of a playbook, relative to the revision's folder, below playbooks/ or as written; of a collection its name."""
        return playbook(self.files, name, self.project_dir)

    def beyond_local(self) -> list[str]:
        """The controllers that reach beyond this machine, with any inventory that is in use, sorted."""
        views = [self, *(self.under(path) for path in {one.inventory for one in self.activations} if path)]
        found = {
            name
            for view in views
            for name, spec in view.controllers.items()
            if not targets.is_local(spec, view.hosts(name))
        }
        return sorted(found)

    def forbidden(self, controller: str, action: str, kind: str, on: Sequence[model.Target]) -> list[policy.Problem]:
        """Why a controller may not do it; empty: it may."""
        spec = self.controllers.get(controller)
        if spec is None:
            detail = f"no controller is named {controller!r}"
            return [policy.Problem("controller_forbidden", {"controller": controller, "detail": detail})]
        return targets.forbidden(spec, action, kind, on)


def controller_for(controllers: Mapping[str, Controller], default: str, kind: str) -> str:
    """The default controller if it can run a `kind`, else the first that can."""
    found = controllers.get(default)
    if found is not None and kind in found.kinds:
        return default
    return next((name for name, spec in controllers.items() if kind in spec.kinds), default)


def playbook(files: Mapping[str, File], name: str, project_dir: pathlib.Path) -> str | None:
    """The path of a playbook among the files of a revision, as `run_playbook` may name it; the name of one of an installed collection."""
    if not name or _ESCAPING.search(name):
        return None
    plain = posixpath.normpath(name)
    found = next((path for path in (plain, f"playbooks/{plain}") if path in files), None)
    return found or (name if locating.locate_playbook(name, project_dir) else None)
