"""Names of rulesets and rules across a project: `activation/ruleset/rule` has to mean one rule, whatever slashes its parts have.

`a/b` with a ruleset `c` and `a` with a ruleset `b/c` would be one; so would the rules `c/r` of `a/b` and `r` of `a/b/c`. What stands
twice in one ruleset or rulebook is told by `healer.rulebook`. Caller: `loading`.
"""

from __future__ import annotations

from typing import Final

from healer import engine, errors
from healer.project import books, gathering

TRY: Final = "another name for one of the two"


class Identities:
    """Those that are taken."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], tuple[tuple[str, ...], errors.Place]] = {}

    def take(self, book: books.Book, gatherer: engine.Ruleset | None) -> None:
        """The rulesets of a rulebook that is on, and their rules by the names that they have with its variables; and the one of ours
        that gathers facts for it."""
        document, parsed = book.document, {one.name: one for one in book.rulesets}
        for name, written in book.written():
            mark = written.values_at.get("name")
            if gathering.is_reserved(name):
                message = f"{name!r} is the name of the ruleset that gather_facts: makes"
                document.error("reserved-name", message, mark, "another name for the ruleset")
                continue
            if said := self._another("ruleset", (book.activation, name), document.place(mark)):
                document.error("duplicate-name", said, mark, TRY)
            for rule in parsed[name].rules if name in parsed else ():
                mark = written["rules"][rule.index].values_at.get("name")
                if said := self._another("rule", (book.activation, name, rule.name), document.place(mark)):
                    document.error("duplicate-name", said, mark, TRY)
        if gatherer is not None:
            document.diagnostics += self.take_ours(book.activation, gatherer)

    def take_ours(self, activation: str, ruleset: engine.Ruleset) -> list[errors.Diagnostic]:
        """The rules that `events:` of the catalog or `gather_facts:` make, and those of them that another rule is named like."""
        made = []
        for rule in ruleset.rules:
            if said := self._another("rule", (activation, ruleset.name, rule.name), rule.place):
                made.append(errors.Diagnostic("duplicate-name", said, rule.place, try_=TRY))
        return made

    def _another(self, what: str, parts: tuple[str, ...], place: errors.Place) -> str:
        """That a name with other parts is the same; '' where none is."""
        identity = "/".join(parts)
        others, first = self._taken.setdefault((what, identity), (parts, place))
        return "" if others == parts else f"{identity!r} is the name of another {what} already ({first})"
