"""One running ruleset: events and facts go in, firings come out. No clock, no I/O: `now` is an argument.

Callers: `decide` (the journal in order), `healer.testing`, `explain`. The same calls give the same firings, whatever
the hash seed. What an event does is in `turn`; here is what stays: facts, what waits, windows, timers, and time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, Final

from healer.engine import (
    absences,
    compiled,
    explaining,
    facts,
    joins,
    looking,
    matches,
    memory,
    notall,
    rules,
    slices,
    snapshots,
    throttles,
    timers,
    turn,
)

MICROSECONDS: Final = 1_000_000
Fetch = Callable[[int], dict[str, Any]]


class Session:
    """The state of one ruleset. Give a `Ruleset` (compiled here) or a `Compiled` (shared, not changed)."""

    def __init__(self, ruleset: rules.Ruleset | compiled.Compiled) -> None:
        self.compiled = compiled.compile(ruleset) if isinstance(ruleset, rules.Ruleset) else ruleset
        self.facts = facts.Facts(self.compiled.facts_max)
        self.memory = memory.Memory(round(self.compiled.ruleset.default_events_ttl_s * MICROSECONDS))
        self.chains = {
            number: joins.Chain(made.steps, made.rule.condition.timeout_us, self.memory, at_once=self.compiled.streams)
            for number, made in enumerate(self.compiled.live) if made.steps
        }  # fmt: skip
        self.windows = throttles.Windows(
            {n: made.rule.throttle for n, made in enumerate(self.compiled.live) if made.rule.throttle is not None}
        )
        self.absences = absences.Absences(self.compiled, self.memory)
        self.timers = timers.Timers({**_timers(self.compiled.live, self.memory.ttl_us), **self.absences.by_rule})
        self.now: float = 0
        self._broken_before = -self.compiled.tally.broken
        self._multiple = self.compiled.ruleset.match_multiple_rules
        self._find = self.compiled.index.find
        self._live = self.compiled.live
        self._plain = not (self.windows or self.chains or self.timers)

    @property
    def counters(self) -> dict[str, int]:
        """What was let go or counted as false: windows, events, firings, facts, comparisons where the peer raises."""
        return {
            "windows_evicted": self.windows.evicted,
            "events_evicted": self.memory.evicted + self.timers.evicted,
            "matches_cut": self.memory.cut,
            "facts_refused": self.facts.refused,
            "comparisons_broken": self._broken_before + self.compiled.tally.broken,
        }

    @property
    def remembers(self) -> bool:
        """Whether an event may leave something behind, so that one which failed on its way may have left half of it."""
        return not self._plain

    def set_time(self, now_us: int) -> None:
        """Start at a time in microseconds (from a snapshot)."""
        self.now = now_us / MICROSECONDS
        self.windows.advance(now_us)

    def set_counters(self, counters: dict[str, int]) -> None:
        """Go on counting from a snapshot."""
        self.windows.evicted = counters["windows_evicted"]
        self.memory.evicted = counters["events_evicted"] - self.timers.evicted
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
    def name_of(made: compiled.CompiledRule, event: dict[str, Any]) -> str | None:
        """The name that the event has in a match of the rule, None where it meets no pattern. The index has found the rule."""
        if made.only is None:
            return made.branch(event)
        return made.only if made.proven is None or made.proven(event) else None

    def assert_fact(self, fact: dict[str, Any], now: float, ref: int = 0) -> list[matches.Match]:
        """Set a fact: every rule that it meets fires; it is remembered if it meets any, and not taken by a throttle."""
        now = self.now = max(now, self.now)
        return self._let_in(fact, now, ref, fact=True)

    def _let_in(self, body: dict[str, Any], now: float, ref: int, *, fact: bool) -> list[matches.Match]:
        """The general way: with throttles, joins, timers and rules about absence. What is due fires first."""
        now_us = round(now * MICROSECONDS)
        due = self._pass(now_us)
        entry = self.memory.entry(body, ref, now_us, fact=fact)
        found = list(self._found(body))
        if self.compiled.absences:
            self.absences.block(entry)
            found = list(heapq.merge(found, [(number, None) for number in self.absences.ask()], key=_number))
        this = turn.Turn(self, entry, now)
        this.run(found)
        self._take(entry, this, now_us)
        return due + this.fired

    def _found(self, body: dict[str, Any]) -> Iterator[turn.Found]:
        """The rules that the index finds, in the order of the file; with the patterns it finds where a rule has several."""
        if not self.compiled.several:
            for number in self._find(body):
                yield number, None
            return
        places, now_at, patterns = self.compiled.places, -1, []
        for place in self._find(body):
            number, pattern = places[place]
            if self._live[number].several:
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

    def timed(self, number: int, timer: timers.Timer, now_us: int) -> None:
        """A timer has changed. What is over for its rule is over for the others too, in that moment."""
        self.timers.changed(number)
        if isinstance(timer, notall.NotAll) and timer.over:
            self.facts.let_go([one for one in timer.over if one.fact])
            self.forget(timer.over, now_us, wait_us=0)
            timer.over = []

    def forget(
        self, entries: Sequence[memory.Entry], now_us: int, *stay: memory.Entry, wait_us: int = absences.TICK_US
    ) -> None:
        """Drop entries everywhere. A rule about absence that knows one of them, or one that stays, may have to be asked at another time."""
        touched = self.absences.touched([*entries, *stay]) if self.compiled.absences else ()
        for one in entries:
            self.memory.drop(one)
        for number in touched:
            self.absences.by_rule[number].settle(now_us, wait_us)
            self.timers.changed(number)

    def remember(self, fact: memory.Entry, numbers: Container[int]) -> None:
        """Let a fact that was there before into rules that start anew; what it completes there was complete before, and fires nothing."""
        now_us = round(self.now * MICROSECONDS)
        for number, patterns in self._found(fact.body):
            if number in numbers and patterns is not None and self.chains[number].joins_at(fact, now_us):
                for pattern in patterns:
                    if self._live[number].branches[pattern].holds(fact.body):
                        self.chains[number].insert(pattern, fact)
                self.chains[number].fire()

    def _take(self, entry: memory.Entry, this: turn.Turn, now_us: int) -> None:
        """Forget the events that a rule had; remember a fact."""
        stays = (
            entry.fact
            and not this.taken_by
            and not entry.gone
            and self.relevant(entry.body)
            and self.facts.store(entry)
        )
        gone = [] if self._multiple else [one for one in this.used if not one.fact]
        if this.taken_by or (entry.fact and not stays):
            gone.append(entry)
        self.forget(gone, now_us, entry)

    def relevant(self, fact: dict[str, Any]) -> bool:
        """Whether a fact passes a pattern of any rule; only then it is remembered."""
        for place in self._find(fact):
            number, pattern = self.compiled.places[place]
            made = self._live[number]
            if made.several and made.branches[pattern].holds(fact):
                return True
            if not made.several and self.name_of(made, fact) is not None:
                return True
        return bool(self.compiled.absences and self.absences.having(fact))

    def retract_fact(
        self, pattern: dict[str, Any], partial: bool, exclude_keys: Sequence[str], now: float, ref: int = 0
    ) -> list[matches.Match]:
        """Forget what fits the pattern, facts and the events that wait (measured); rules about absence that are to be asked may fire.

        They fire with what was retracted: what has their field, else the oldest.
        """
        now = self.now = max(now, self.now)
        now_us = round(now * MICROSECONDS)
        fired = self._pass(now_us)
        gone = self.facts.retract(pattern, partial, exclude_keys)
        gone += [one for one in self._waiting() if facts.fits(one.body, pattern, partial, exclude_keys)]
        self.forget(gone, now_us)
        if partial:
            self._free(pattern)
        for number in self.absences.ask() if gone else ():
            made = self._live[number]
            shown = next((one for one in gone if made.absence and made.absence(one.body)), gone[0])
            fired.append(matches.Match(made.rule, {"m": shown.body}, {"m": shown.ref}, now))
        return fired

    def _waiting(self) -> Iterable[memory.Entry]:
        """The events in memory; those that only a `not_all` holds have no place there."""
        alone = (
            entry
            for timer in self.timers.by_rule.values() if isinstance(timer, notall.NotAll)
            for entry in timer.entries() if not (entry.fact or entry.gone)
        )  # fmt: skip
        return dict.fromkeys(itertools.chain(self.memory.events.values(), alone))

    def _free(self, pattern: dict[str, Any]) -> None:
        """A retraction frees the groups that it fits, and one of everything all that a rule noted for itself (measured)."""
        self.windows.retract(pattern)
        for number, timer in self.timers.by_rule.items():
            if isinstance(timer, timers.OnceAfter):
                timer.retract(pattern)
            elif isinstance(timer, notall.NotAll) and not pattern:
                timer.forget()
            self.timers.changed(number)

    # --- time -----------------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> list[matches.Match]:
        """Let time pass up to `now`; returns what fires by time alone, each at its deadline, in the order of deadlines and rules."""
        self.now = max(now, self.now)
        return [] if self._plain else self._pass(round(self.now * MICROSECONDS))

    def next_deadline(self) -> float | None:
        """When the next rule fires by time alone (seconds), None if none waits. The end of a window is no deadline."""
        at_us = self.timers.next_us()
        return None if at_us is None else at_us / MICROSECONDS

    def _pass(self, now_us: int) -> list[matches.Match]:
        """Let windows and events go whose time is over, and fire what is due."""
        fired = []
        if not self.absences.begun:
            self._begin(now_us)
        for number, due in self.timers.due(now_us):
            made = self._live[number]
            events = {
                name: matches.marked(one.body, noted) if noted else one.body
                for name, (one, noted) in due.events.items()
            }
            refs = {name: one.ref for name, (one, _) in due.events.items()}
            fired.append(matches.Match(made.rule, events, refs, due.at_us / MICROSECONDS))
            self.timed(number, self.timers.by_rule[number], due.at_us)
        self.windows.advance(now_us)
        self.memory.expire(now_us)
        return fired

    def _begin(self, now_us: int) -> None:
        """The session hears the time for the first time."""
        self.absences.begin(now_us)
        for number in self.absences.by_rule:
            self.timers.changed(number)

    # --- what it says of itself ---------------------------------------------------------------------------------------------

    def explain(self, event: dict[str, Any], now: float | None = None) -> list[dict[str, Any]]:
        """For each rule, what it would do with the event and why; see `explaining`. Changes nothing."""
        broken = self.compiled.tally.broken
        try:
            return explaining.explain(self, event, self.now if now is None else max(now, self.now))
        finally:
            self.compiled.tally.broken = broken

    def look(self, event: dict[str, Any], now: float, ref: int = 0) -> list[looking.Seen]:
        """What the event would do at `now`, of the rules that it concerns; see `looking`. Changes nothing."""
        broken = self.compiled.tally.broken
        try:
            return looking.look(self, event, max(now, self.now), ref)
        finally:
            self.compiled.tally.broken = broken

    def concerned(self, event: dict[str, Any]) -> set[int]:
        """The rules that an event could fire or be kept by, by their numbers among those that are on."""
        return {number for number, _ in self._found(event)} | {*self.compiled.absences}

    def snapshot(self, *, bodies: bool = True) -> dict[str, Any]:
        """The state for JSON: numbers, references, and unless the caller keeps them the bodies of what is remembered; see `snapshots`."""
        return slices.done(self.snapshot_steps(bodies=bodies))

    def snapshot_steps(self, *, bodies: bool) -> slices.Steps[dict[str, Any]]:
        """The same in small steps, between which nothing may happen to the session."""
        return snapshots.take(self, bodies=bodies)

    def restore(self, snapshot: dict[str, Any], fetch: Fetch | None = None) -> None:
        """Take the state of a snapshot; `fetch` gives the body of a reference where it holds none. ValueError for another format."""
        slices.done(self.restore_steps(snapshot, fetch))

    def restore_steps(self, snapshot: dict[str, Any], fetch: Fetch | None = None) -> slices.Steps[None]:
        """The same in small steps, between which nothing may happen to the session."""
        return snapshots.put_back(self, snapshot, fetch)


def _timers(live: Sequence[compiled.CompiledRule], ttl_us: int) -> dict[int, timers.Timer]:
    found: dict[int, timers.Timer] = {}
    for number, made in enumerate(live):
        condition, throttle = made.rule.condition, made.rule.throttle
        if throttle is not None and throttle.kind == "once_after":
            found[number] = timers.OnceAfter(throttle)
        elif condition.kind == "not_all" and condition.timeout_us is not None:
            names = [pattern.name for pattern in condition.patterns]
            found[number] = notall.NotAll(names, condition.timeout_us, ttl_us)
    return found


def _number(found: turn.Found) -> int:
    return found[0]
