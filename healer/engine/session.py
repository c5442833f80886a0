"""One running ruleset: events and facts go in, firings come out. No clock, no I/O: `now` is an argument.

Callers: `decide` (the journal in order), `healer.testing`, `explain`. The same calls give the same firings, whatever
the hash seed. Semantics: an event fires the first rule that holds (all with `match_multiple_rules`), a fact fires all; an
event that a rule fired for is taken from what every other rule remembers; one that a `once_within` rule meets is taken from
every rule after it, fired or swallowed; a rule that lost an event to an earlier one has opened its window all the same
(measured on the peer, kept).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, Final

from healer.engine import compiled, explaining, facts, joins, matches, memory, rules, snapshots, throttles

MICROSECONDS: Final = 1_000_000
Fetch = Callable[[int], dict[str, Any]]


class Session:
    """The state of one ruleset. Give a `Ruleset` (compiled here) or a `Compiled` (shared, not changed)."""

    def __init__(self, ruleset: rules.Ruleset | compiled.Compiled) -> None:
        self.compiled = compiled.compile(ruleset) if isinstance(ruleset, rules.Ruleset) else ruleset
        self.facts = facts.Facts()
        self.memory = memory.Memory(round(self.compiled.ruleset.default_events_ttl_s * MICROSECONDS))
        self.chains = {
            number: joins.Chain(made.steps, made.rule.condition.timeout_us, self.memory)
            for number, made in enumerate(self.compiled.live) if made.steps
        }  # fmt: skip
        self.windows = throttles.Windows(
            {n: made.rule.throttle for n, made in enumerate(self.compiled.live) if made.rule.throttle is not None}
        )
        self.ready = set(self.compiled.absences)
        self.now: float = 0
        self._broken_before = -self.compiled.tally.broken
        self._multiple = self.compiled.ruleset.match_multiple_rules
        self._find = self.compiled.index.find
        self._live = self.compiled.live
        self._plain = not (self.windows or self.chains or self.compiled.absences)

    @property
    def counters(self) -> dict[str, int]:
        """What was let go or counted as false: windows, events, firings, facts, comparisons where the peer raises."""
        return {
            "windows_evicted": self.windows.evicted,
            "events_evicted": self.memory.evicted,
            "matches_cut": self.memory.cut,
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
        self.memory.evicted = counters["events_evicted"]
        self.memory.cut = counters["matches_cut"]
        self.facts.refused = counters["facts_refused"]
        self._broken_before = counters["comparisons_broken"] - self.compiled.tally.broken

    def post(self, event: dict[str, Any], now: float, ref: int = 0) -> list[matches.Match]:
        """Let an event in at `now` (seconds); `ref` is the number of its journal row. Returns the firings in order."""
        if now < self.now:
            now = self.now
        else:
            self.now = now
        if not self._plain:
            return self._let_in(event, now, ref, fact=False)
        found = self._find(event)
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

    def assert_fact(self, fact: dict[str, Any], now: float, ref: int = 0) -> list[matches.Match]:
        """Set a fact: every rule that it meets fires; it is remembered if it meets any, and not taken by a throttle."""
        now = self.now = max(now, self.now)
        return self._let_in(fact, now, ref, fact=True)

    def _let_in(self, body: dict[str, Any], now: float, ref: int, *, fact: bool) -> list[matches.Match]:
        """The general way: rules in the order of the file, with throttles, joins and rules about absence among them."""
        now_us = round(now * MICROSECONDS)
        self.windows.advance(now_us)
        self.memory.expire(now_us)
        entry = self.memory.entry(body, ref, now_us, fact=fact)
        found = list(self._found(body))
        if self.ready:
            found = self._with_absences(body, found)
        fired: list[matches.Match] = []
        everyone, taken, taken_by = self._multiple or fact, False, ""
        used: set[memory.Entry] = set()
        for number, patterns in found:
            made = self._live[number]
            if patterns is not None:
                if taken_by:
                    continue
                for row in self._joined(number, patterns, entry):
                    used.update(row)
                    if len(set(row)) == len(row) and (everyone or not taken):
                        fired.append(_match(made.rule, self.chains[number].names, row, now))
                taken = taken or (bool(fired) and fired[-1].rule is made.rule)
                continue
            if made.absence is not None:
                if everyone or not (taken or taken_by):
                    fired.append(matches.Match(made.rule, {}, {}, now))
                    taken = True
                continue
            window = self.windows.by_rule.get(number)
            if taken_by and (window is None or not everyone or made.throttle_key != taken_by):
                continue
            if window is None and taken and not everyone:
                continue
            name = self._name(made, body)
            if name is None:
                continue
            shown = body
            if window is not None:
                taken_by = made.throttle_key
                if not self.windows.passes(number, body, ref):
                    continue
                shown = matches.marked(body, window.shown)
            if everyone or not taken:
                fired.append(matches.Match(made.rule, {name: shown}, {name: ref}, now))
            taken = True
            used.add(entry)
        self._take(entry, used, taken_by=taken_by, fired=bool(fired and fired[0].matches))
        return fired

    def _found(self, body: dict[str, Any]) -> Iterator[tuple[int, list[int] | None]]:
        """The rules that the index finds, in the order of the file; with the patterns it finds where a rule has several."""
        if not self.compiled.joined:
            for number in self._find(body):
                yield number, None
            return
        places, now_at, patterns = self.compiled.places, -1, []
        for place in self._find(body):
            number, pattern = places[place]
            if number in self.chains:
                if number == now_at:
                    patterns.append(pattern)
                    continue
                if patterns:
                    yield now_at, patterns
                now_at, patterns = number, [pattern]
            else:
                if patterns:
                    yield now_at, patterns
                    patterns = []
                yield number, None
        if patterns:
            yield now_at, patterns

    def _joined(self, number: int, patterns: list[int], entry: memory.Entry) -> list[joins.Row]:
        """What a rule of several patterns fires for an entry that it remembers from now on."""
        chain, branches, met = self.chains[number], self._live[number].branches, False
        for pattern in patterns:
            if branches[pattern].holds(entry.body):
                chain.insert(pattern, entry)
                met = True
        return chain.fire() if met else []

    def remember(self, fact: memory.Entry, numbers: Container[int]) -> None:
        """Let a fact that was there before into rules that start anew; what it completes there was complete before, and fires nothing."""
        for number, patterns in self._found(fact.body):
            if number in numbers and patterns is not None:
                self._joined(number, patterns, fact)

    def _take(self, entry: memory.Entry, used: set[memory.Entry], *, taken_by: str, fired: bool) -> None:
        """Forget the events that a rule had; remember a fact."""
        stays = entry.fact and not taken_by and self.relevant(entry.body) and self.facts.store(entry)
        if not self._multiple:
            for one in used:
                if not one.fact:
                    self.memory.drop(one)
            if fired and not (entry.fact or taken_by):
                self.ready.update(
                    number for number in self.compiled.absences if any(self._present(number, one.body) for one in used)
                )
        if taken_by or (entry.fact and not stays):
            self.memory.drop(entry)

    # --- rules about absence ----------------------------------------------------------------------------------------------

    def _with_absences(
        self, event: dict[str, Any], found: list[tuple[int, list[int] | None]]
    ) -> list[tuple[int, list[int] | None]]:
        """The rules found and those about absence whose turn it is, in the order of the file.

        Such a rule has its turn with the first event, and again after an event that had the field was taken by a rule
        (measured). The turn is over with this event, whoever gets it.
        """
        absent = [(number, None) for number in sorted(self.ready) if self.absent(number, event)]
        self.ready.clear()
        return list(heapq.merge(found, absent, key=_number))

    def absent(self, number: int, event: dict[str, Any]) -> bool:
        """Whether nothing in memory, nor the event, has what a rule about absence looks for."""
        made = self._live[number]
        present = made.absence
        if present is None:
            return False
        return made.always_absent or not (present(event) or self._remembered(present))

    def _remembered(self, present: Callable[[dict[str, Any]], bool]) -> bool:
        return any(present(one.body) for one in self.facts.stored) or any(
            present(one.body) for one in self.memory.events.values()
        )

    def _present(self, number: int, event: dict[str, Any]) -> bool:
        present = self._live[number].absence
        return present is not None and present(event)

    def relevant(self, fact: dict[str, Any]) -> bool:
        """Whether a fact passes a pattern of any rule; only then it is remembered."""
        for place in self._find(fact):
            number, pattern = self.compiled.places[place]
            made = self._live[number]
            if made.steps and made.branches[pattern].holds(fact):
                return True
            if not made.steps and self._name(made, fact) is not None:
                return True
        return any(self._present(number, fact) for number in self.compiled.absences)

    def retract_fact(
        self, pattern: dict[str, Any], partial: bool, exclude_keys: Sequence[str], now: float, ref: int = 0
    ) -> list[matches.Match]:
        """Forget the facts that fit the pattern; a rule about absence fires if the last that it looked for went."""
        now = self.now = max(now, self.now)
        self.memory.expire(round(now * MICROSECONDS))
        gone = self.facts.retract(pattern, partial, exclude_keys)
        for fact in gone:
            self.memory.drop(fact)
        fired: list[matches.Match] = []
        for number in self.compiled.absences if gone else ():
            made = self._live[number]
            present = made.absence
            if present is None or made.always_absent or self._remembered(present):
                continue
            last = next((fact for fact in gone if present(fact.body)), None)
            if last is not None:
                fired.append(matches.Match(made.rule, {"m": last.body}, {"m": last.ref}, now))
        return fired

    # --- time -----------------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> list[matches.Match]:
        """Let time pass up to `now`; returns what fires by time alone (nothing, as long as no rule has a timer)."""
        self.now = max(now, self.now)
        now_us = round(self.now * MICROSECONDS)
        self.windows.advance(now_us)
        self.memory.expire(now_us)
        return []

    def next_deadline(self) -> float | None:
        """When the next rule fires by time alone (seconds), None if none waits. The end of a window is no deadline."""
        return None

    # --- what it says of itself ---------------------------------------------------------------------------------------------

    def explain(self, event: dict[str, Any], now: float | None = None) -> list[dict[str, Any]]:
        """For each rule, what it would do with the event and why; see `explaining`. Changes nothing."""
        broken = self.compiled.tally.broken
        try:
            return explaining.explain(self, event, self.now if now is None else max(now, self.now))
        finally:
            self.compiled.tally.broken = broken

    def snapshot(self, *, bodies: bool = True) -> dict[str, Any]:
        """The state for JSON: numbers, references, and unless the caller keeps them the bodies of what is remembered; see `snapshots`."""
        return snapshots.take(self, bodies=bodies)

    def restore(self, snapshot: dict[str, Any], fetch: Fetch | None = None) -> None:
        """Take the state of a snapshot; `fetch` gives the body of a reference where it holds none. ValueError for another format."""
        snapshots.put_back(self, snapshot, fetch)


def _match(rule: rules.Rule, names: tuple[str, ...], row: joins.Row, now: float) -> matches.Match:
    return matches.Match(
        rule, {name: entry.body for name, entry in zip(names, row, strict=True)},
        {name: entry.ref for name, entry in zip(names, row, strict=True)}, now,
    )  # fmt: skip


def _number(found: tuple[int, list[int] | None]) -> int:
    return found[0]
