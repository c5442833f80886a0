"""The state of a session as numbers and references to journal rows, so that a restart goes on where it stopped.

Caller: `session`. No bodies: a snapshot stays small and needs no event to be written again. A rule whose meaning
changed (its digest) starts anew; the others keep their windows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from healer.engine import session

FORMAT: Final = 1


def take(of: session.Session) -> dict[str, Any]:
    """The snapshot: format, ruleset digest, time in microseconds, facts (references), windows by rule, counters."""
    return {
        "format": FORMAT,
        "ruleset": of.compiled.digest,
        "now_us": max(of.windows.now_us, round(of.now * 1_000_000)),
        "ready": [list(_identity(of, number)) for number in sorted(of.ready)],
        "facts": [fact.ref for fact in of.facts.stored],
        "windows": [
            [*_identity(of, number), window.snapshot()] for number, window in of.windows.by_rule.items() if window.open
        ],
        "counters": of.counters,
    }


def _identity(of: session.Session, number: int) -> tuple[str, str]:
    made = of.compiled.live[number]
    return made.rule.name, made.digest


def put_back(into: session.Session, snapshot: dict[str, Any], fetch: Callable[[int], dict[str, Any]]) -> None:
    """Fill a fresh session from a snapshot. Raises ValueError for a format that this version does not know."""
    if snapshot.get("format") != FORMAT:
        raise ValueError(f"the snapshot has the format {snapshot.get('format')!r}, this version reads {FORMAT}")
    into.set_time(int(snapshot["now_us"]))
    into.set_counters(snapshot["counters"])
    for ref in snapshot["facts"]:
        body = fetch(ref)
        if into.relevant(body):
            into.facts.store(body, ref)
    known = {_identity(into, number): number for number in range(len(into.compiled.live))}
    into.ready = {known[name, digest] for name, digest in snapshot["ready"] if (name, digest) in known}
    for name, digest, windows in snapshot["windows"]:
        number = known.get((name, digest))
        if number is not None:
            for ref, until_us in windows:
                into.windows.reopen(number, fetch(ref), ref, until_us)
