"""One running ruleset: events and facts go in, firings come out. No clock, no I/O: `now` is an argument.

Callers: `decide` (the journal in order), `healer.testing`, `explain`. The same calls give the same firings, whatever
the hash seed. Semantics: an event fires the first rule that holds (all with `match_multiple_rules`), a fact fires all; an
event that a `once_within` rule meets is taken from every rule after it, fired or swallowed; a rule that lost an event
to an earlier one has opened its window all the same (measured on the peer, kept).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, Final

from healer.engine import compiled, explaining, facts, matches, rules, snapshots, throttles

MICROSECONDS: Final = 1_000_000
Fetch = Callable[[int], dict[str, Any]]


class Session:
    """The state of one ruleset. Give a `Ruleset` (compiled here) or a `Compiled` (shared, not changed)."""

    def __init__(self, ruleset: rules.Ruleset | compiled.Compiled) -> None:
        self.compiled = compiled.compile(ruleset) if isinstance(ruleset, rules.Ruleset) else ruleset
        self.facts = facts.Facts()
        self.windows = throttles.Windows(
            {n: made.rule.throttle for n, made in enumerate(self.compiled.live) if made.rule.throttle is not None}
        )
        self.ready = set(self.compiled.absences)
        self.now: float = 0
        self._taken = False
        self._broken_before = -self.compiled.tally.broken
        self._multiple = self.compiled.ruleset.match_multiple_rules
        self._find = self.compiled.index.find
        self._live = self.compiled.live
        self._plain = not self.windows and not self.compiled.absences

    @property
    def counters(self) -> dict[str, int]:
        """What was let go or counted as false: windows evicted, facts refused, comparisons where the peer raises."""
        return {
            "windows_evicted": self.windows.evicted,
            "facts_refused": self.facts.refused,
            "comparisons_broken": self._broken_before + self.compiled.tally.broken,
        }

    def set_time(self, now_us: int) -> None:
        """Start at a time in microseconds (from a snapshot)."""
        self.now = now_us / MICROSECONDS
        self.windows.advance(now_us)

    def set_counters(self, counters: dict[str, int]) -> None:
        """Go on counting from a snapshot."""
        self.windows.evicted = counters["windows_evicted"]
        self.facts.refused = counters["facts_refused"]
        self._broken_before = counters["comparisons_broken"] - self.compiled.tally.broken

    def post(self, event: dict[str, Any], now: float, ref: int = 0) -> list[matches.Match]:
        """Let an event in at `now` (seconds); `ref` is the number of its journal row. Returns the firings in order."""
        if now < self.now:
            now = self.now
        else:
            self.now = now
        found = self._find(event)
        if not self._plain:
            return self._post_in_order(event, now, ref, self._with_absences(event, found))
        if not found:
            return []
        fired: list[matches.Match] = []
        for number in found:
            made = self._live[number]
            name = made.only
            if name is None:
                name = made.branch(event)
            elif made.proven is not None and not made.proven(event):
                continue
            if name is not None:
                fired.append(matches.Match(made.rule, {name: event}, {name: ref}, now))
                if not self._multiple:
                    break
        return fired

    @staticmethod
    def _name(made: compiled.CompiledRule, event: dict[str, Any]) -> str | None:
        if made.only is None:
            return made.branch(event)
        return made.only if made.proven is None or made.proven(event) else None

    def _with_absences(self, event: dict[str, Any], found: Sequence[int]) -> Sequence[int]:
        """The rules found and those about absence whose turn it is, in the order of the file.

        Such a rule has its turn with the first event, and again after an event that had the field was taken by a rule
        (measured). The turn is over with this event, whoever gets it.
        """
        if not self.ready:
            return found
        absent = [number for number in sorted(self.ready) if self.absent(number, event)]
        self.ready.clear()
        return list(heapq.merge(found, absent))

    def absent(self, number: int, event: dict[str, Any]) -> bool:
        """Whether nothing in memory, nor the event, has what a rule about absence looks for."""
        made = self._live[number]
        present = made.absence
        if present is None:
            return False
        return made.always_absent or not (present(event) or any(present(fact.body) for fact in self.facts.stored))

    def _post_in_order(
        self, event: dict[str, Any], now: float, ref: int, found: Sequence[int], *, fact: bool = False
    ) -> list[matches.Match]:
        """The general way: rules in the order of the file, with throttles and rules about absence among them."""
        fired: list[matches.Match] = []
        everyone, taken, taken_by = self._multiple or fact, False, ""
        windows = self.windows.by_rule
        if windows:
            self.windows.advance(round(now * MICROSECONDS))
        for number in found:
            made = self._live[number]
            if made.absence is not None:
                if everyone or not (taken or taken_by):
                    fired.append(matches.Match(made.rule, {}, {}, now))
                    taken = True
                continue
            window = windows.get(number)
            if taken_by and (window is None or not everyone or made.throttle_key != taken_by):
                continue
            if window is None and taken and not everyone:
                continue
            name = self._name(made, event)
            if name is None:
                continue
            shown = event
            if window is not None:
                taken_by = made.throttle_key
                if not self.windows.passes(number, event, ref):
                    continue
                shown = matches.marked(event, window.shown)
            if everyone or not taken:
                fired.append(matches.Match(made.rule, {name: shown}, {name: ref}, now))
            taken = True
        self._taken = bool(taken_by)
        if fired and not (everyone or taken_by) and fired[0].matches:
            self.ready.update(number for number in self.compiled.absences if self._present(number, event))
        return fired

    def _present(self, number: int, event: dict[str, Any]) -> bool:
        present = self._live[number].absence
        return present is not None and present(event)

    def assert_fact(self, fact: dict[str, Any], now: float, ref: int = 0) -> list[matches.Match]:
        """Set a fact: every rule that it meets fires; it is remembered if it meets any, and not taken by a throttle."""
        now = self.now = max(now, self.now)
        found = self._find(fact)
        fired = self._post_in_order(fact, now, ref, self._with_absences(fact, found), fact=True)
        if not self._taken and self.relevant(fact):
            self.facts.store(fact, ref)
        return fired

    def relevant(self, fact: dict[str, Any]) -> bool:
        """Whether a fact passes a pattern of any rule; only then it is remembered."""
        for number in self._find(fact):
            if self._name(self._live[number], fact) is not None:
                return True
        return any(self._present(number, fact) for number in self.compiled.absences)

    def retract_fact(
        self, pattern: dict[str, Any], partial: bool, exclude_keys: Sequence[str], now: float, ref: int = 0
    ) -> list[matches.Match]:
        """Forget the facts that fit the pattern; a rule about absence fires if the last that it looked for went."""
        now = self.now = max(now, self.now)
        gone = self.facts.retract(pattern, partial, exclude_keys)
        fired: list[matches.Match] = []
        for number in self.compiled.absences if gone else ():
            made = self._live[number]
            present = made.absence
            if present is None or made.always_absent or any(present(fact.body) for fact in self.facts.stored):
                continue
            last = next((fact for fact in gone if present(fact.body)), None)
            if last is not None:
                fired.append(matches.Match(made.rule, {"m": last.body}, {"m": last.ref}, now))
        return fired

    def advance(self, now: float) -> list[matches.Match]:
        """Let time pass up to `now`; returns what fires by time alone (nothing, as long as no rule has a timer)."""
        self.now = max(now, self.now)
        self.windows.advance(round(self.now * MICROSECONDS))
        return []

    def next_deadline(self) -> float | None:
        """When the next rule fires by time alone (seconds), None if none waits. The end of a window is no deadline."""
        return None

    def explain(self, event: dict[str, Any], now: float | None = None) -> list[dict[str, Any]]:
        """For each rule, what it would do with the event and why; see `explaining`. Changes nothing."""
        broken = self.compiled.tally.broken
        try:
            return explaining.explain(self, event, self.now if now is None else max(now, self.now))
        finally:
            self.compiled.tally.broken = broken

    def snapshot(self) -> dict[str, Any]:
        """The state as numbers and references, for JSON; see `snapshots`."""
        return snapshots.take(self)

    def restore(self, snapshot: dict[str, Any], fetch: Fetch) -> None:
        """Take the state of a snapshot; `fetch` gives the body of a reference. ValueError for another format."""
        snapshots.put_back(self, snapshot, fetch)
