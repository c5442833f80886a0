"""What an event would do to a session that goes on as if it had not come: which rules it would fire, and with which events.

Caller: `Session.look`, for the daemon's `simulate`. Only the rules that the index finds are asked, so that it costs about as much as
letting the event in. What time would fire before it is not asked for: that has nothing to do with the event. It is exact (compared with
what the event then does, on random rulebooks), but for a rule about absence beside one whose throttle takes the event: one in 250 differs.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from healer.engine import explaining, matches, memory, rules

if TYPE_CHECKING:
    from healer.engine import compiled, session

TRIES_MAX: Final = 2_000
"""So many events that wait are looked at for one rule."""
MATCHES_MAX: Final = 200
"""Of one rule."""


@dataclasses.dataclass(slots=True)
class Seen:
    """What one rule would do. `told`: as `explaining` tells it, without tests; `fires`: its firings; `cut`: there may be more."""

    rule: rules.Rule
    told: dict[str, Any]
    fires: list[matches.Match]
    cut: bool = False


def look(of: session.Session, event: dict[str, Any], now: float, ref: int) -> list[Seen]:
    """The rules that the event concerns, in the order of the file."""
    entry = memory.Entry(0, event, ref, round(now * 1_000_000), fact=False)
    taken_by: tuple[str, str] | None = None
    seen: list[Seen] = []
    notes: dict[str, Any] = {}
    for number in sorted(of.concerned(event)):
        made = of.compiled.live[number]
        one = Seen(made.rule, explaining.blank(made.rule), [])
        lost_to = taken_by
        taken_by = explaining.verdict(of, number, event, now, one.told, taken_by)
        if one.told["reason"] == "fires":
            one.told["fires"] = True
            one.fires, one.cut = _firings(of, number, made, one.told["match"], entry)
        if one.told["throttle"] and _is_noted(one.told, lost_to):
            notes |= of.windows.by_rule[number].noted
        seen.append(one)
    if notes:
        shown = matches.marked(event, notes)
        for match in itertools.chain.from_iterable(one.fires for one in seen):
            match.matches = {name: shown if body is event else body for name, body in match.matches.items()}
    return seen


def _is_noted(told: dict[str, Any], lost_to: tuple[str, str] | None) -> bool:
    """Whether a rule with a window notes that on the event: also one that lost the event to a rule without a throttle counts it."""
    is_open = told["match"] is not None and not told["throttle"]["closed"]
    return is_open and (told["fires"] or (lost_to is not None and not lost_to[1]))


def _firings(
    of: session.Session, number: int, made: compiled.CompiledRule, name: str | None, entry: memory.Entry
) -> tuple[list[matches.Match], bool]:
    now = entry.at_us / 1_000_000
    if made.absence is not None or name is None:
        return [matches.Match(made.rule, {}, {}, now)], False
    if not made.steps:
        return [matches.Match(made.rule, {name: entry.body}, {name: entry.ref}, now)], False
    names = of.chains[number].names
    fired = [
        matches.Match(
            made.rule, {name: one.body for name, one in zip(names, row, strict=True)},
            {name: one.ref for name, one in zip(names, row, strict=True)}, now,
        )
        for row in itertools.islice(_rows(of, number, made, entry), MATCHES_MAX + 1)
    ]  # fmt: skip
    return fired[:MATCHES_MAX], len(fired) > MATCHES_MAX


def _rows(of: session.Session, number: int, made: compiled.CompiledRule, entry: memory.Entry) -> Iterator[Any]:
    met = [pattern for pattern, branch in enumerate(made.branches) if branch.holds(entry.body)]
    return of.chains[number].rows_with(met, entry, TRIES_MAX)
