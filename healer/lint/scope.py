"""Where one looks: each ruleset that is on, with its file as written, and the door through which something is told. Callers: the checks."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from healer import config, engine, errors, project
from healer.engine import conditions
from healer.lint import codes, shapes

LINES_ON: Final = 40
"""So many lines further a piece of a condition is looked for: of one that YAML folded only its beginning is known."""


@dataclasses.dataclass(slots=True)
class Told:
    """What was told, in one place for all checks."""

    found: list[errors.Diagnostic] = dataclasses.field(default_factory=list)
    never: set[errors.Place] = dataclasses.field(default_factory=set)
    """Rules that never fire, by where their names stand."""
    better: dict[tuple[str, str, int, int], str] = dataclasses.field(default_factory=dict)
    """(code, file, line, column) of a test of which reading it told that code, where more is known of its fields → the advice,
    '' where it is told otherwise."""

    def advise(self, code: str, document: config.Document, leaf: conditions.Leaf, try_: str) -> None:
        """What to do instead of what reading a test advised for a code."""
        self.better[code, document.file, leaf.line, leaf.column] = try_

    def tell(
        self, document: config.Document, code: str, message: str, mark: config.Mark | None, try_: str = "",
        severity: errors.Severity | None = None,
    ) -> None:  # fmt: skip
        """One more; as serious as the table of codes says, where `severity` does not."""
        kept = len(document.diagnostics)
        self.found.append(document.diagnostic(severity or codes.TABLE[code].severity, code, message, mark, try_))
        del document.diagnostics[kept:]  # the document's own are told with the project


@dataclasses.dataclass(slots=True)
class Scope:
    """One ruleset of an activation. `shapes`: what comes to it; None: not known."""

    held: project.Revision
    activation: project.Activation
    ruleset: engine.Ruleset
    document: config.Document
    written: config.Map
    shapes: Sequence[shapes.Shape] | None
    sources: Sequence[project.Source]
    """Those that it listens to, as far as they are right."""
    _rules: dict[tuple[int, int], config.Map]

    @property
    def name(self) -> str:
        """`activation/ruleset`"""
        return f"{self.activation.name}/{self.ruleset.name}"

    @property
    def alerts_alone(self) -> bool:
        """Whether `event.alert` is what every sender's is, wherever there is one."""
        return self.shapes is not None and all(
            one.alerts or (one.tree is not None and "alert" not in one.tree) for one in self.shapes
        )

    def rule(self, rule: engine.Rule) -> config.Map:
        """A rule as written."""
        return self._rules.get((rule.place.line, rule.place.column)) or config.Map(
            (rule.place.line, rule.place.column, 1)
        )

    def name_of(self, rule: engine.Rule) -> config.Mark:
        """Where a rule is named."""
        written = self.rule(rule)
        return written.values_at.get("name") or written.mark

    def actions(self, rule: engine.Rule) -> Iterator[tuple[engine.Action, config.Map, config.Mark | None]]:
        """The actions of a rule with their arguments as written and where each stands."""
        written = self.rule(rule)
        listed = written.get("actions")
        items = [written["action"]] if "action" in written else list(listed) if isinstance(listed, list) else []
        for action, item in zip(rule.actions, items, strict=False):
            args = item.get(action.name) if isinstance(item, config.Map) else None
            at = item.keys_at.get(action.name) if isinstance(item, config.Map) else None
            yield action, args if isinstance(args, config.Map) else config.Map(at or (0, 0, 0)), at

    def mark_of(self, leaf: Any, shown: str) -> config.Mark:
        """Where a piece of a simple test stands in the file."""
        lines = self.document.lines
        column = leaf.column - 1
        for number in range(leaf.line - 1, min(leaf.line - 1 + LINES_ON, len(lines))):
            at = lines[number].find(shown, column if number == leaf.line - 1 else 0)
            if at >= 0:
                return number + 1, at + 1, len(shown)
        return leaf.line, leaf.column, max(1, len(leaf.text))


def of(draft: project.Draft) -> Iterator[Scope]:
    """Every written ruleset that is on."""
    known = {name: shapes.of_source(source) for name, source in draft.revision.sources.items()}
    heard = collections.defaultdict[tuple[str, str], list[project.Source]](list)
    for source in draft.revision.sources.values():
        for subscriber in source.subscribers:
            heard[subscriber].append(source)
    for activation in draft.revision.activations:
        document = draft.documents.get(activation.file)
        if activation.hidden or document is None or not isinstance(document.value, config.Seq):
            continue
        written = {one.mark[:2]: one for one in document.value if isinstance(one, config.Map)}
        for ruleset in activation.rulesets:
            item = written.get((ruleset.place.line, ruleset.place.column))
            if item is None:
                continue
            rules = item.get("rules")
            by_place = (
                {one.mark[:2]: one for one in rules if isinstance(one, config.Map)} if isinstance(rules, list) else {}
            )
            sources = heard.get((activation.name, ruleset.name), ())
            shaped = shapes.of_ruleset([(one, known[one.name]) for one in sources], activation, ruleset)
            yield Scope(draft.revision, activation, ruleset, document, item, shaped, sources, by_place)


def strings(value: Any, mark: config.Mark | None = None) -> Iterator[tuple[str, config.Mark | None]]:
    """Every text in a value, with its place; keys are left alone."""
    if isinstance(value, str):
        yield value, mark
    elif isinstance(value, config.Map):
        for key, inner in value.items():
            yield from strings(inner, value.values_at.get(key))
    elif isinstance(value, config.Seq):
        for number, inner in enumerate(value):
            yield from strings(inner, value.items_at[number])


Check = Callable[[Scope, Told], None]
"""What looks at one ruleset."""
