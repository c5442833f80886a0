"""One event or fact on its way through the rules of a ruleset: who meets it, who fires, who has it then.

Caller: `session`. The rules stand in the order of the file. An event fires the first that holds (all with `match_multiple_rules`), a fact
fires all; one that a rule with a throttle meets is taken from every rule after it, fired or swallowed; a rule that lost an event
to an earlier one has counted it all the same (measured on the peer, kept).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from healer.engine import compiled, joins, matches, memory, notall, throttles, timers

if TYPE_CHECKING:
    from healer.engine import session

Found = tuple[int, list[int] | None]
"""The number of a rule that an event could fire, and, where it has several, of its patterns."""


class Turn:
    """Made for one entry; `run` once."""

    __slots__ = ("_entry", "_everyone", "_notes", "_now", "_of", "_taken", "fired", "taken_by", "used")

    def __init__(self, of: session.Session, entry: memory.Entry, now: float) -> None:
        self._of = of
        self._entry = entry
        self._now = now
        self._everyone = of.compiled.ruleset.match_multiple_rules or entry.fact
        self._taken = False
        self.fired: list[matches.Match] = []
        self.taken_by = ""
        """The throttle that has the event now, by what it means."""
        self.used: set[memory.Entry] = set()
        self._notes: dict[str, Any] = {}

    def run(self, found: Iterable[Found]) -> None:
        """Go through the rules that could fire."""
        self._go(found)
        if self._of.compiled.absences:
            for number in self._of.absences.ask():  # those whose field went with what a `not_all` had
                self._absent(self._of.compiled.live[number])
        if self._notes:
            self._mark()

    def _go(self, found: Iterable[Found]) -> None:
        live, rest = self._of.compiled.live, iter(found)
        for number, patterns in rest:
            made = live[number]
            if made.throttle_key:
                before = self.taken_by
                self._throttled(number, made)
                if self.taken_by and not before and self._of.compiled.absences:
                    self._go(self._without(number, rest))
            elif made.absence is not None:
                self._absent(made)
            elif self.taken_by:
                continue
            elif patterns is not None:
                self._several(number, made, patterns)
                if self._entry.gone:
                    self._only_absent(rest)
            else:
                self._plain(made)

    def _only_absent(self, rest: Iterable[Found]) -> None:
        """A `not_all` that it completed has the entry: the rules after it have not seen it."""
        for number, _ in rest:
            if (made := self._of.compiled.live[number]).absence is not None:
                self._absent(made)

    def _without(self, taker: int, rest: Iterable[Found]) -> list[Found]:
        """The rules that are left once one with a throttle has the entry: also those about absence whose field went with it."""
        self._of.absences.withdraw(self._entry, taker)
        self._of.forget([self._entry], self._entry.at_us)
        return sorted([*rest, *((number, None) for number in self._of.absences.ask())], key=operator.itemgetter(0))

    def _absent(self, made: compiled.CompiledRule) -> None:
        if self._everyone or not self._taken:
            self._fire(matches.Match(made.rule, {}, {}, self._now))

    def _plain(self, made: compiled.CompiledRule) -> None:
        """A rule that lost the event to one about absence, which needs none, takes it all the same (measured)."""
        if self._taken and not self._everyone and self._entry in self.used:
            return
        name = self._of.name_of(made, self._entry.body)
        if name is None:
            return
        self.used.add(self._entry)
        if self._everyone or not self._taken:
            self._fire(matches.Match(made.rule, {name: self._entry.body}, {name: self._entry.ref}, self._now))

    def _several(self, number: int, made: compiled.CompiledRule, patterns: list[int]) -> None:
        body = self._entry.body
        met = [pattern for pattern in patterns if made.branches[pattern].holds(body)]
        if not met:
            return
        timer = self._of.timers.by_rule.get(number)
        if isinstance(timer, notall.NotAll):
            timer.take(self._entry, met)
            if self._entry.gone and self._of.compiled.absences:
                self._of.absences.withdraw(self._entry, number)
            self._of.timed(number, timer, self._entry.at_us)
            return
        chain = self._of.chains[number]
        if len(met) > 1:
            met.sort(key=made.ranks.__getitem__)
        for pattern in met:
            chain.insert(pattern, self._entry)
        may_fire = self._everyone or not self._taken
        for row in chain.fire():
            self.used.update(row)
            if may_fire and len(set(row)) == len(row):
                self._fire(self._match(made, chain.names, row))

    def _throttled(self, number: int, made: compiled.CompiledRule) -> None:
        if self.taken_by and not (self._everyone and made.throttle_key == self.taken_by):
            return
        entry = self._entry
        name = self._of.name_of(made, entry.body)
        if name is None:
            return
        timer = self._of.timers.by_rule.get(number)
        if isinstance(timer, timers.OnceAfter):
            self.taken_by = made.throttle_key
            timer.take(entry)
            self._of.timed(number, timer, self._entry.at_us)
            return
        window: throttles.OnceWithin = self._of.windows.by_rule[number]
        key = window.group(entry.body)
        if window.takes(key):
            self.taken_by = made.throttle_key
        if self._of.windows.passes(number, key, entry.ref):
            self.used.add(entry)
            self._notes.update(window.noted)
            if self._everyone or not self._taken:
                self._fire(matches.Match(made.rule, {name: entry.body}, {name: entry.ref}, self._now))

    def _mark(self) -> None:
        """Note the windows on the event wherever it is shown: upstream changes the one event that all rules see."""
        body = self._entry.body
        shown = matches.marked(body, self._notes)
        for match in self.fired:
            match.matches = {name: shown if one is body else one for name, one in match.matches.items()}

    def _fire(self, match: matches.Match) -> None:
        self.fired.append(match)
        self._taken = True

    def _match(self, made: compiled.CompiledRule, names: tuple[str, ...], row: joins.Row) -> matches.Match:
        bodies = {name: entry.body for name, entry in zip(names, row, strict=True)}
        refs = {name: entry.ref for name, entry in zip(names, row, strict=True)}
        return matches.Match(made.rule, bodies, refs, self._now)
