"""The state of a session as numbers and references to journal rows, so that a restart goes on where it stopped.

Caller: `session`. Bodies are left out where the caller has them (the journal): such a snapshot stays small and needs no event to be
written again. A rule whose meaning changed (its digest) starts anew, with the facts that are there; the others keep their windows and
what they have joined so far.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from healer.engine import memory, slices

if TYPE_CHECKING:
    from healer.engine import session

FORMAT: Final = 3


def take(of: session.Session, *, bodies: bool) -> slices.Steps[dict[str, Any]]:
    """The snapshot, in steps between which the session must not change.

    Format, ruleset digest, time in microseconds, what is remembered, chains and windows by rule, counters.

    `entries`: reference, time in microseconds, 1 for a fact, and with `bodies` the body; oldest first. `facts`, `chains`
    and `timers` name them by their places in it. `windows`: reference, end in microseconds, how many came, and with `bodies` the group.
    """
    timed = (entry for timer in of.timers.by_rule.values() for entry in timer.entries())
    found = itertools.chain(of.memory.events.values(), of.facts.stored, timed)
    entries: list[memory.Entry] = []
    place: dict[memory.Entry, int] = {}

    def put(entry: memory.Entry) -> None:
        if entry not in place:
            place[entry] = len(entries)
            entries.append(entry)

    yield from slices.mapped((yield from slices.ordered(found, _NUMBER)), put)
    chains, timers, windows = [], [], []
    for number, chain in of.chains.items():
        if not chain.empty:
            chains.append([*_identity(of, number), (yield from chain.snapshot(place))])
    for number, timer in of.timers.by_rule.items():
        if not timer.empty:
            timers.append([*_identity(of, number), (yield from timer.snapshot(place))])
    for number, window in of.windows.by_rule.items():
        if window.open:
            windows.append([*_identity(of, number), (yield from window.snapshot(groups=bodies))])
    return {
        "format": FORMAT,
        "ruleset": of.compiled.digest,
        "now_us": max(of.windows.now_us, round(of.now * 1_000_000)),
        "ready": [list(_identity(of, number)) for number in sorted(of.absences.ready)],
        "entries": (yield from slices.mapped(entries, _with_body if bodies else _without_body)),
        "facts": (yield from slices.mapped(of.facts.stored, place.__getitem__)),
        "chains": chains,
        "timers": timers,
        "windows": windows,
        "counters": of.counters,
    }


_NUMBER: Final = operator.attrgetter("number")


def _without_body(entry: memory.Entry) -> list[Any]:
    return [entry.ref, entry.at_us, int(entry.fact)]


def _with_body(entry: memory.Entry) -> list[Any]:
    return [entry.ref, entry.at_us, int(entry.fact), entry.body]


def _identity(of: session.Session, number: int) -> tuple[str, str]:
    made = of.compiled.live[number]
    return made.rule.name, made.digest


def put_back(
    into: session.Session, snapshot: dict[str, Any], fetch: Callable[[int], dict[str, Any]] | None
) -> slices.Steps[None]:
    """Fill a fresh session from a snapshot, in steps. Raises ValueError for a format that this version does not know."""
    if snapshot.get("format") != FORMAT:
        raise ValueError(f"the snapshot has the format {snapshot.get('format')!r}, this version reads {FORMAT}")
    into.set_time(int(snapshot["now_us"]))
    into.set_counters(snapshot["counters"])

    def known_again(one: Sequence[Any]) -> memory.Entry:
        ref, at_us, fact, *body = one
        return into.memory.entry(body[0] if body else _fetched(fetch, ref), ref, at_us, fact=bool(fact))

    entries = yield from slices.mapped(snapshot["entries"], known_again)
    known = {_identity(into, number): number for number in range(len(into.compiled.live))}
    into.absences.go_on(
        {known[name, digest] for name, digest in snapshot["ready"] if (name, digest) in known}, int(snapshot["now_us"])
    )
    anew = dict(into.chains)
    for name, digest, state in snapshot["chains"]:
        number = known.get((name, digest))
        if number is not None:
            try:
                yield from anew.pop(number).restore(state, entries)
            except (IndexError, KeyError) as error:
                raise ValueError(f"the chain of the rule {name!r} is none: {error}") from None

    def hold(number: int) -> None:
        if not 0 <= number < len(entries):
            raise ValueError(f"no entry {number} is there")
        entry = entries[number]
        if into.relevant(entry.body) and into.facts.store(entry):
            into.absences.block(entry)
            into.remember(entry, anew)

    yield from slices.each(snapshot["facts"], hold)
    yield from _put_back_timers(into, snapshot["timers"], known, entries)
    yield from into.memory.sort()
    for name, digest, windows in snapshot["windows"]:
        number = known.get((name, digest))
        if number is not None:
            yield from slices.each(windows, functools.partial(_reopen, into, fetch, number))


def _reopen(
    into: session.Session, fetch: Callable[[int], dict[str, Any]] | None, number: int, window: Sequence[Any]
) -> None:  # fmt: skip
    ref, until_us, count, *group = window
    key = _key(group[0]) if group else into.windows.by_rule[number].group(_fetched(fetch, ref))
    into.windows.reopen(number, key, ref, until_us, count)


def _put_back_timers(
    into: session.Session, states: list[Any], known: dict[tuple[str, str], int], entries: list[memory.Entry]
) -> slices.Steps[None]:
    for name, digest, state in states:
        number = known.get((name, digest))
        if number is not None:
            try:
                yield from into.timers.by_rule[number].restore(state, entries)
            except (IndexError, KeyError, TypeError) as error:
                raise ValueError(f"the timer of the rule {name!r} is none: {error}") from None
    for number in into.timers.by_rule:
        into.timers.changed(number)


def _fetched(fetch: Callable[[int], dict[str, Any]] | None, ref: int) -> dict[str, Any]:
    if fetch is None:
        raise ValueError("the snapshot holds no bodies, and nothing gives them")
    return fetch(ref)


def _key(value: Any) -> Any:
    """A group as `values.typed_key` makes it, of what JSON makes of that."""
    return tuple(_key(item) for item in value) if isinstance(value, list | tuple) else value
