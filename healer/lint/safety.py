"""What an action lacks that would keep a mistake small, or show that it helped: `missing-safety`, `missing-verify`, `shared-consumer`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, engine, errors, project, templates
from healer.lint.holding import Held, Holding
from healer.lint.scope import Scope, Told

PRODUCTION: Final = re.compile(r"(.*[-_.])?prod(uction)?([-_.].*)?", re.IGNORECASE)
_EVERYTHING: Final = re.compile(r"\{\{-?\s*events\s*(\||-?\}\})|\bevents\.values\(")
_POLICY: Final = "policy: {blast_radius: {targets: …, within: 1 hour}}, or {approval: …}, on the rule or in healer.yaml"


def check(scope: Scope, told: Told, holding: Holding) -> None:
    """Tell of each action of a ruleset that may touch much and that nothing holds back."""
    if _as_upstream(scope):
        return
    for rule in scope.ruleset.rules:
        for action, _, at in scope.actions(rule):
            held = holding.of(scope, rule, action) if rule.enabled else ()
            high = bool(
                held
                and held[0].entry
                and held[0].entry.impact == "high"
                and PRODUCTION.fullmatch(held[0].traits.environment)
            )
            why = _many(scope, action) if held else ""
            loose = next(filter(_is_loose, held), None) if why or high else None
            if loose is None:
                continue
            if why:
                message = (
                    f"{loose.shown} may act on {why} at once, and neither an approval nor a blast radius holds it back"
                )
                told.tell(scope.document, "missing-safety", message, at, _POLICY)
            else:
                message = f"the impact of {loose.shown} is high, and neither an approval nor a blast radius holds it back in production"
                told.tell(scope.document, "missing-safety", message, at, _POLICY)


def _is_loose(held: Held) -> bool:
    limits = held.limits
    return not limits.approvals and not limits.blasts


def _as_upstream(scope: Scope) -> bool:
    """Whether its activation is meant to act as ansible-rulebook does (`compat: upstream`)."""
    listed = scope.held.settings.activations or ()
    return any(
        isinstance(one, Mapping) and one.get("name") == scope.activation.name and one.get("compat") == "upstream"
        for one in listed
    )


def _many(scope: Scope, action: engine.Action) -> str:
    """On what of which there may be many one match acts; '' where that is one thing, or not known."""
    if action.name == "run_action":
        target = action.args.get("target")
        if isinstance(target, list) and len(target) > 1:
            return f"{len(target)} targets"
        if isinstance(target, str) and target.startswith("group:"):
            return f"the {target.replace(':', ' ', 1)}"
        if isinstance(target, str) and templates.is_template(target) and _EVERYTHING.search(target):
            return "the targets of several events"
        return ""
    if action.name not in ("run_playbook", "run_module"):
        return ""
    hosts, view = scope.ruleset.hosts, scope.held.under(scope.activation.inventory)
    found, _ = view.expand_pattern(view.controller_for(project.UPSTREAM[action.name]), hosts)
    return f"{len(found)} hosts (hosts: {hosts})" if len(found) > 1 else ""


# --- whether it helped ---------------------------------------------------------------------------------------------------------


class Verified:
    """Actions of the catalog that rules run and nothing verifies: told once each, where the action is declared."""

    def __init__(self, draft: project.Draft, holding: Holding) -> None:
        self._draft, self._holding = draft, holding
        self._found: dict[str, Held] = {}
        entries = draft.revision.catalog.entries
        self._looking = {
            str(entry.verify.get("action")) for entry in entries.values() if entry.verify and entry.verify.get("action")
        }

    def check(self, scope: Scope, _told: Told) -> None:
        """Note those of a ruleset."""
        for rule in scope.ruleset.rules:
            for action in rule.actions if rule.enabled else ():
                for held in self._holding.of(scope, rule, action):
                    if held.entry is not None and not held.verified and self._acts(held):
                        self._found.setdefault(held.entry.name, held)

    def _acts(self, held: Held) -> bool:
        entry = held.entry
        return (
            entry is not None and entry.verify is None and entry.impact != "low" and entry.kind != "check" and not entry.dry_run
            and entry.impact_declared and entry.name not in self._looking
        )  # fmt: skip

    def tell(self, told: Told) -> None:
        """What was noted."""
        for held in self._found.values():
            entry = held.entry
            document = self._draft.documents.get(entry.place.file) if entry is not None else None
            if entry is None or document is None:
                continue
            why = f"no source of the rule {held.rule.name!r} tells when an alert is over"
            if held.source is not None and held.source.resolves:
                why = "the defaults ask for nothing (defaults.run_action.verify)"
            message = f"nothing looks whether the action {entry.name!r} helped: {why}"
            severity: errors.Severity = "warning" if entry.impact == "high" else "hint"
            mark = (entry.place.line, entry.place.column, max(1, len(entry.name))) if entry.place.line else None
            told.tell(
                document,
                "missing-verify",
                message,
                mark,
                "verify: {action: …, within: 2 minutes}, or verify: none",
                severity,
            )


# --- who else reads the same queue ------------------------------------------------------------------------------------------

_OURS: Final = re.compile(r"(?:(?:ansible\.eda|eda\.builtin)\.)?([a-z_]+)")
_QUEUES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "kafka": ("group_id", ("host", "port", "topic", "topics", "topic_pattern", "group_id")),
    "aws_sqs_queue": ("name", ("name", "region", "endpoint_url", "queue_owner_aws_account_id")),
    "azure_service_bus": ("queue_name", ("conn_str", "queue_name")),
}
"""Source → the argument without which each reader gets all, and those that name what is read."""


def shared(draft: project.Draft, told: Told) -> None:
    """Tell of sources that read one queue, or one topic as one group: each event reaches one of them."""
    first: dict[Any, project.Source] = {}
    for source in sorted(draft.revision.sources.values(), key=lambda one: (one.place.file, one.place.line)):
        for what, key in _queue(source):
            other = first.setdefault(key, source)
            document = draft.documents.get(source.place.file)
            if other is source or document is None or not source.subscribers or not other.subscribers:
                continue
            message = f"{what} is read by another source too ({other.place}): each event reaches one of them only"
            mark: config.Mark = (source.place.line, source.place.column, len(source.type))
            try_ = "share one source in healer.yaml: healer.source: {name: …}" + (
                ", or another group_id" if key[0] == "kafka" else ""
            )
            told.tell(document, "shared-consumer", message, mark, try_)


def _queue(source: project.Source) -> Iterator[tuple[str, tuple[Any, ...]]]:
    found = _OURS.fullmatch(source.type)
    name = found[1] if found else ""
    if source.kind != "eda" or name not in _QUEUES:
        return
    needed, named = _QUEUES[name]
    if given := source.args.get(needed):
        what = f"the consumer group {given!r}" if name == "kafka" else f"the queue {given!r}"
        yield what, (name, *(repr(source.args.get(key)) for key in named))
