"""What no file can say alone: whether the names in one file are there in another, and values fit. Caller: `loading`.

Works on the files as written, not on what was parsed, so that all mistakes are told at once and each where it stands. A
value with a template in it is known only when an event comes, so it is not checked here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from healer import catalog, config, engine, errors, inventory, model, templates
from healer.catalog import building, clusters
from healer.project import (
    approvers,
    braking,
    machines,
    manifests,
    nearby,
    parameters,
    plays,
    reaching,
    revision,
    sources,
    targets,
)
from healer.project import clusters as objects
from healer.project.controllers import Controller, Controllers
from healer.project.settings import Settings
from healer.project.tree import Tree

NONE_DECLARED: Final = "actions.yaml declares none"
NAMED: Final = "a host as the inventory names it, or {{ event.alert.target }} in quotes"
LIKE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("script", "command", "check"), "{type: local}"), **dict.fromkeys(("playbook", "module", "role"), "{type: ansible}"),
    "http": "{type: http, allow: […]}", "oc": "{type: oc, namespaces: […], …}",
}  # fmt: skip
"""Kind of action → a controller that can run it."""


@dataclasses.dataclass(slots=True)
class Checker:
    """Everything that rulebooks may name. `action_names` also has those whose own entry is wrong; None: not all are known."""

    tree: Tree
    settings: Settings
    actions: catalog.Catalog
    action_names: frozenset[str] | None
    controllers: Controllers
    inventories: Mapping[str, inventory.Inventory]
    incomplete: frozenset[str]
    """Inventories whose hosts are not all known here."""
    hostname: str
    approvers: approvers.Approvers
    playbooks: set[str] = dataclasses.field(default_factory=set)
    """Those that rules run by themselves; filled while rulesets are checked."""
    idle: dict[tuple[str, str, str], dict[str, str]] = dataclasses.field(default_factory=dict)
    """(controller, inventory, `hosts:` of a ruleset) → what of it means no host, looked for once."""

    # --- the catalog and the controllers ------------------------------------------------------------------------------

    def entry(self, one: catalog.Written) -> None:
        """An action against the files and the controllers, as far as it is right."""
        self.approvers.check(one.document, one.value)
        runs = catalog.runs(one)
        if runs is None:
            return
        (kind, subject), document = runs, one.document
        at = one.value.values_at.get(kind) or one.mark
        if kind in catalog.FOLDERS and subject and subject not in self.tree.files:
            near = errors.nearest(subject, self.tree.names(catalog.FOLDERS[kind]))
            document.error("no-file", f"there is no file {subject}", at, near or f"a file of {catalog.FOLDERS[kind]}/")
        if kind == "oc" and (manifest := clusters.manifest(one.value["oc"])):
            if manifest not in self.tree.files:
                near = (
                    errors.nearest(manifest, self.tree.names(clusters.MANIFESTS)) or f"a file of {clusters.MANIFESTS}/"
                )
                document.error("no-file", f"there is no file {manifest}", at, near)
            else:
                document.diagnostics += manifests.mistakes(self.tree, manifest)
        plays.check(document, self.tree, kind, subject, at)
        written = one.value.get("controller")
        name = written or self.controllers.default
        if isinstance(name, str) and (written or not self.controllers.guessed):
            self._controller_of(document, name, kind, one.value.values_at.get("controller") or at)
            if (spec := self.controllers.known(name)) is not None:
                reaching.check(one, spec, kind)
        entry = self.actions.entries.get(one.name)
        if entry is not None and not entry.impact_declared:
            message = f"the action {one.name!r} does not say its impact; it counts as high"
            document.diagnostic("hint", "no-impact", message, one.mark, "impact: low, medium or high")

    def _controller_of(self, document: config.Document, name: str, kind: str, at: config.Mark | None) -> None:
        spec = self._spec(document, name, at)
        if spec is not None and kind not in spec.kinds:
            able = [known for known, one in self.controllers.by_name.items() if kind in one.kinds]
            message = f"the controller {name!r} (type {spec.type}) cannot run actions of the kind {kind}"
            listed = f"list one that can in controllers.yaml, like {LIKE[kind]}"
            hint = f"controller: {able[0]}" if able else listed
            document.error("controller_forbidden", message, at, hint)

    def _spec(self, document: config.Document, name: str, at: config.Mark | None) -> Controller | None:
        spec = self.controllers.by_name.get(name)
        if spec is None and name not in self.controllers.broken:
            near = nearby.like(name, self.controllers.by_name)
            document.error("unknown_controller", f"no controller is named {name!r}", at, near)
        return spec

    def controller(self, document: config.Document, spec: Controller | None, value: config.Map) -> None:
        """The bounds of a controller against the catalog and its inventory (None: what it is cannot be told), and its machines."""
        if spec is not None:
            machines.check(document, spec, value, self.controllers, self.inventories, self.incomplete)
        for key in ("actions", "targets"):
            items = value.get(key)
            if not isinstance(items, config.Seq):
                continue
            for name, at in zip(items, items.items_at, strict=True):
                if not isinstance(name, str):
                    continue
                if key == "actions":
                    self._named(document, name, at)
                elif spec is not None:
                    self._bound(document, spec, name, at)

    def _named(self, document: config.Document, name: str, at: config.Mark | None) -> None:
        """Tell of an action that there is not."""
        if self.action_names is not None and name not in self.action_names:
            near = nearby.like(name, self.action_names, NONE_DECLARED)
            document.error("unknown_action", f"no action is named {name!r}", at, near)

    def _bound(self, document: config.Document, spec: Controller, name: str, at: config.Mark | None) -> None:
        hosts = self.inventories.get(spec.inventory, targets.EMPTY)
        if templates.is_template(name):
            message = f"targets of a controller are written out, and {name!r} is a template"
            document.error("unknown_target", message, at, "name hosts, or group:NAME")
            return
        if spec.inventory in self.incomplete:
            return
        if name.startswith("group:"):
            group = name.removeprefix("group:")
            if group not in hosts.groups:
                message = f"no group {group!r} in {spec.inventory or 'this machine'}"
                document.error("unknown_target", message, at, nearby.like(group, hosts.groups))
        else:
            self._target(document, spec, name, at, hint="a host as the inventory names it, or group:NAME")

    # --- rules ------------------------------------------------------------------------------------------------------------

    def under(self, inventory_path: str) -> Checker:
        """The same for an activation with an inventory of its own."""
        made = {
            name: dataclasses.replace(spec, inventory=inventory_path) for name, spec in self.controllers.by_name.items()
        }
        return dataclasses.replace(self, controllers=dataclasses.replace(self.controllers, by_name=made))

    def ruleset(
        self,
        document: config.Document,
        value: config.Map,
        names: frozenset[str],
        made: Mapping[tuple[int, int], engine.Rule],
        *,
        lifecycle: bool,
        upstream: bool = False,
    ) -> None:
        """The rules of one ruleset. `names`: the rulesets of its file; `made`: its rules as they were read, by where they stand;
        `lifecycle`: a source of it closes its alerts; `upstream`: its own actions are meant to pass no gates."""
        self.approvers.ruleset(document, value)
        rules, kinds = value.get("rules"), dict[str, None]()
        for rule in rules if isinstance(rules, config.Seq) else ():
            if not isinstance(rule, config.Map):
                continue
            effectful, held = False, braking.policies(value, rule)
            for name, action in _actions(rule):
                effectful |= name in revision.EFFECTFUL
                kinds |= {revision.UPSTREAM[name]: None} if name in ("run_playbook", "run_module") else {}
                if isinstance(action[name], config.Map):
                    self._action(document, name, action, names, upstream=upstream or bool(held))
            if effectful and not lifecycle:
                braking.check(document, rule, held, made.get(rule.mark[:2]))
        self._hosts(document, value, kinds)

    def _hosts(self, document: config.Document, value: config.Map, kinds: Iterable[str]) -> None:
        """`hosts:` of a ruleset against the inventory of the controllers that its playbooks and modules go to."""
        text, found = value.get("hosts"), dict[str, str]()
        able = {kind for spec in self.controllers.by_name.values() for kind in spec.kinds}
        for name in dict.fromkeys(self._for_kind(kind) for kind in kinds if kind in able):
            spec = self.controllers.by_name.get(name)
            hosts = self.inventories.get(spec.inventory, targets.EMPTY) if spec else targets.EMPTY
            if spec and isinstance(text, str) and spec.inventory not in self.incomplete and not hosts.partial:
                key = (spec.name, spec.inventory, text)
                if key not in self.idle:
                    self.idle[key] = dict(targets.idle(spec, hosts, self.hostname, text))
                found |= self.idle[key]
        for message, near in found.items():
            document.warning("no-hosts", message, value.values_at.get("hosts"), near)

    def _for_kind(self, kind: str) -> str:
        return revision.controller_for(self.controllers.by_name, self.controllers.default, kind)

    def gathering(self, document: config.Document, activation: revision.Activation) -> revision.Activation:
        """The activation as it can be: facts are gathered where a controller can ask for them and has hosts, else it is told."""
        if activation.gathering is None:
            return activation
        able = [one for one in self.controllers.by_name.values() if "module" in one.kinds]
        if any(one.inventory and self.inventories.get(one.inventory, targets.EMPTY).hosts for one in able):
            return activation
        message = "gather_facts does nothing: no controller of the type ansible has an inventory with hosts"
        written = document.value if isinstance(document.value, config.Seq) else ()
        asked = (one for one in written if isinstance(one, config.Map) and one.get("gather_facts") is True)
        mark = next((one.values_at.get("gather_facts", one.mark) for one in asked), None)
        document.warning("gather-facts", message, mark, "list one in controllers.yaml, with its inventory")
        return dataclasses.replace(activation, gathering=None)

    def _action(
        self, document: config.Document, name: str, action: config.Map, names: frozenset[str], *, upstream: bool
    ) -> None:
        args: config.Map = action[name]
        _templates(document, args)
        if name == "run_action":
            self._run_action(document, args, action.keys_at.get(name))
        elif name in revision.UPSTREAM:
            if not upstream:
                message = f"{name} passes hardly any gate: no age, no cooldown, no lock of its target"
                try_ = "run_action with an entry of actions.yaml"
                document.warning("ungated-action", message, action.keys_at.get(name), try_)
            self._upstream(document, name, args, action.keys_at.get(name), names)
        elif name in ("set_fact", "retract_fact", "post_event") and isinstance(ruleset := args.get("ruleset"), str):
            self._ruleset(document, args, ruleset, names)

    def _ruleset(self, document: config.Document, args: config.Map, named: str, names: frozenset[str]) -> None:
        if not templates.is_template(named) and named not in names:
            message = f"no ruleset of this file is named {named!r}"
            document.error("unknown-ruleset", message, args.values_at.get("ruleset"), nearby.like(named, names))

    def _upstream(
        self, document: config.Document, name: str, args: config.Map, at: config.Mark | None, names: frozenset[str]
    ) -> None:
        kind = revision.UPSTREAM[name]
        if not any(kind in spec.kinds for spec in self.controllers.by_name.values()) and not self.controllers.broken:
            message = f"no controller can do {name}"
            like = "{type: ansible}" if kind in ("playbook", "module") else "{type: aap, url: …, token: {secret: …}}"
            document.error("controller_forbidden", message, at, f"list one in controllers.yaml, like {like}")
        named = args.get("ruleset")
        if isinstance(named, str):
            self._ruleset(document, args, named, names)
        book = args.get("name")
        if name != "run_playbook" or not isinstance(book, str) or templates.is_template(book):
            return
        path = revision.playbook(self.tree.files, book, self.tree.root)
        if path is not None:
            self.playbooks.add(path)
        else:
            near = errors.nearest(book, (p for path in self.tree.names("playbooks") for p in (path, path[10:])))
            where = args.values_at.get("name")
            document.error("no-file", f"there is no playbook {book!r}", where, near or "a file of playbooks/")

    def _run_action(self, document: config.Document, args: config.Map, at: config.Mark | None) -> None:
        for mark in sources.secrets_in(args.get("parameters")):
            message = "a secret cannot be a parameter in a rulebook"
            document.error("inline-secret", message, mark, "give it to the controller, in controllers.yaml")
        name = args.get("name")
        if not isinstance(name, str) or templates.is_template(name):
            return
        self._named(document, name, args.values_at.get("name"))
        entry = self.actions.entries.get(name)
        if entry is not None:
            parameters.check(document, entry, args, at)
            self._place_of_work(document, entry, args, at)

    def _place_of_work(
        self, document: config.Document, entry: catalog.Entry, args: config.Map, at: config.Mark | None
    ) -> None:
        given = building.plain(args.get("target"))
        if not parameters.has_template(given) and entry.unwanted_target(given):
            message = f"the action {entry.name!r} works on no target (target: none), and one is given"
            document.error("invalid_parameters", message, args.keys_at.get("target"), "leave target: out here")
        named = args.get("controller")
        if isinstance(named, str) and templates.is_template(named):
            return
        written = isinstance(named, str) and bool(named)
        name = str(named) if written else entry.controller or self.controllers.default
        mark = args.values_at.get("controller") if written else at
        spec = self._spec(document, name, mark) if written else self.controllers.by_name.get(name)
        if entry.target == "required" and "target" not in args:
            like = 'target: "{{ event.alert.target }}"'
            document.error("unknown_target", f"the action {entry.name!r} needs a target", at, like)
        if spec is None or (self.controllers.guessed and not (written or entry.controller)):
            return
        for problem in targets.forbidden(spec, entry.name, entry.kind if written else "", ()):
            able = [own for own, one in self.controllers.by_name.items() if entry.kind in one.kinds and own != name]
            try_ = f"controller: {able[0]}" if able else "name another action, or another controller"
            document.error("controller_forbidden", f"{name}: {problem.fields['detail']}", mark, try_)
        if entry.target == "required":
            for text, where in _texts(args, "target"):
                self._target(document, spec, text, where, action=entry.name)

    def _target(
        self,
        document: config.Document,
        spec: Controller,
        text: str,
        at: config.Mark | None,
        *,
        action: str = "",
        hint: str = NAMED,
    ) -> None:
        if templates.is_template(text) or spec.inventory in self.incomplete:
            return
        hosts = self.inventories.get(spec.inventory, targets.EMPTY)
        found = targets.resolve(spec, hosts, self.hostname, text)
        if not isinstance(found, model.Target):
            where = "a cluster" if objects.reaches(spec) else spec.inventory or "this machine"
            message = f"no target {text!r} for the controller {spec.name} ({where}): {found.reason}"
            open_ = "a template ends with }}" if "{{" in text else ""
            document.error("unknown_target", message, at, found.nearest or open_ or hint)
        elif action:
            for problem in targets.forbidden(spec, action, "", [found]):
                if problem.target:
                    try_ = f"another target or controller; what {spec.name} may touch stands in controllers.yaml"
                    document.error("controller_forbidden", f"{spec.name}: {problem.fields['detail']}", at, try_)


def _actions(rule: config.Map) -> Iterator[tuple[str, config.Map]]:
    """The actions of a rule as written: (name, the mapping it stands in)."""
    listed = rule.get("actions")
    items = [rule.get("action"), *(listed if isinstance(listed, config.Seq) else ())]
    for item in items:
        if isinstance(item, config.Map) and len(item) == 1 and isinstance(next(iter(item)), str):
            yield next(iter(item)), item


def _texts(args: config.Map, key: str) -> Iterator[tuple[str, config.Mark | None]]:
    value = args.get(key)
    if isinstance(value, str):
        yield value, args.values_at.get(key)
    elif isinstance(value, config.Seq):
        yield from ((text, value.items_at[index]) for index, text in enumerate(value) if isinstance(text, str))


def _templates(document: config.Document, value: Any) -> None:
    """Say where a template cannot be read."""
    marks = value.values_at if isinstance(value, config.Map) else {}
    for key, inner in value.items() if isinstance(value, config.Map) else enumerate(value):
        if isinstance(inner, config.Map | config.Seq):
            _templates(document, inner)
        elif isinstance(inner, str) and templates.is_template(inner):
            try:
                templates.check(inner)
            except errors.TemplateError as error:
                at = marks.get(key) if isinstance(value, config.Map) else value.items_at[key]
                document.error("template", error.message, at)
