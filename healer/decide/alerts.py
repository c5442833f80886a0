"""Alerts as `decide` keeps them in memory: which fire, in which cycle, when each was last heard of.

The store has the same in rows; memory counts only once they are committed, and is read from them at a start.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final

from healer.store import cycles, deciding

TEXT_MAX: Final = 500
TTL_US: Final = 24 * 3600 * 1_000_000


class _State:
    __slots__ = ("cycle", "firing", "seen_us", "ttl_us")

    def __init__(self, cycle: int, firing: bool, seen_us: int, ttl_us: int) -> None:
        self.cycle = cycle
        self.firing = firing
        self.seen_us = seen_us
        self.ttl_us = ttl_us


class Alerts:
    """All alerts by (source, key). `rows` as the statement `alerts_state` gives them."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._states: dict[tuple[str, str], _State] = {}
        self._expiries: list[tuple[int, str, str]] = []
        self.open = 0
        """How many fire."""
        self.refused = 0
        """How often one began to fire that is not followed, since there are too many."""
        for row in rows:
            state = _State(row["cycle"], row["status"] == "firing", row["seen_us"], row["ttl_us"])
            self._states[(row["source"], row["key"])] = state
            if state.firing:
                self.open += 1
                heapq.heappush(self._expiries, (state.seen_us + state.ttl_us, row["source"], row["key"]))

    def word(
        self, source: str, alert: Any, at_us: int, ttl_us: int, limit: int | None = None
    ) -> deciding.AlertWord | None:
        """What an event's `alert` says, taken into memory; None where it has no lifecycle. Sets `alert['cycle']`.

        With `limit` alerts open no other opens: its word is `full`, and nothing of it is remembered.
        """
        said = cycles.lifecycle(alert)
        if said is None:
            return None
        key, firing = said
        state = self._states.get((source, key))
        opens = firing and (state is None or not state.firing)
        full = limit if opens and limit is not None and self.open >= limit else 0
        if full or (state is None and not firing):
            alert["cycle"] = cycle = state.cycle if state is not None else 0
            self.refused += bool(full)
            return _word(source, alert, key, cycle, firing, False, ttl_us, full)
        if state is None:
            state = self._states[(source, key)] = _State(0, False, at_us, ttl_us)
        state.cycle += opens
        self.open += firing - state.firing
        alert["cycle"] = state.cycle
        sooner = at_us + ttl_us < state.seen_us + state.ttl_us  # a reload may have made the time shorter
        state.firing, state.seen_us, state.ttl_us = firing, at_us, ttl_us
        if opens or (firing and sooner):
            heapq.heappush(self._expiries, (at_us + ttl_us, source, key))
        return _word(source, alert, key, state.cycle, firing, opens, ttl_us)

    def apart(self, source: str, alert: Any) -> Alerts:
        """The same for what one alert says now: a word taken there is not taken here."""
        made = Alerts()
        made.open = self.open
        said = cycles.lifecycle(alert)
        state = self._states.get((source, said[0])) if said is not None else None
        if said is not None and state is not None:
            made._states[(source, said[0])] = _State(state.cycle, state.firing, state.seen_us, state.ttl_us)
        return made

    @staticmethod
    def of_then(source: str, alert: Any, cycle: int) -> deciding.AlertWord | None:
        """What an event said that was taken long ago, in the cycle of then: nothing of it is taken again. Sets `alert['cycle']`."""
        said = cycles.lifecycle(alert)
        if said is None:
            return None
        alert["cycle"] = cycle
        return _word(source, alert, said[0], cycle, said[1], False, 0)

    def become(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """What the store says; all that was taken since is void."""
        fresh = Alerts(rows)
        self._states, self._expiries, self.open = fresh._states, fresh._expiries, fresh.open

    def recall(self, source: str, alert: Any, seq: int, openings: cycles.Openings) -> None:
        """Replay: show the rules the cycle that held at the row `seq`, without taking the word again."""
        said = cycles.lifecycle(alert)
        if said is not None:
            state = self._states.get((source, said[0]))
            alert["cycle"] = openings.cycle(source, said[0], seq, state.cycle if state is not None else 0)

    def next_expiry_us(self) -> int | None:
        """When the next firing alert has been silent for its whole ttl; None while none fires."""
        while self._expiries:
            due_us, source, key = self._expiries[0]
            state = self._states.get((source, key))
            if state is None or not state.firing:
                heapq.heappop(self._expiries)
            elif state.seen_us + state.ttl_us > due_us:
                heapq.heapreplace(self._expiries, (state.seen_us + state.ttl_us, source, key))
            else:
                return due_us
        return None

    def expire(self, at_us: int) -> list[tuple[str, str]]:
        """Close those that were silent for their whole ttl at `at_us`, in order of their time."""
        closed = []
        while (due_us := self.next_expiry_us()) is not None and due_us <= at_us:
            _, source, key = heapq.heappop(self._expiries)
            self._states[(source, key)].firing = False
            self.open -= 1
            closed.append((source, key))
        return closed

    def heard(self, source: str, key: str, at_us: int) -> None:
        """The other one of a redundant pair spoke of it: it lives on."""
        state = self._states.get((source, key))
        if state is not None and state.firing:
            state.seen_us = max(state.seen_us, at_us)

    def forget(self, gone: Iterable[tuple[str, str, int]]) -> None:
        """The store keeps nothing of these (source, key, cycle) any more: a next opening is their first. One that opened again
        meanwhile stays."""
        for source, key, cycle in gone:
            state = self._states.get((source, key))
            if state is not None and not state.firing and state.cycle == cycle:
                del self._states[(source, key)]

    def __len__(self) -> int:
        return len(self._states)


def _word(
    source: str, alert: Mapping[str, Any], key: str, cycle: int, firing: bool, opens: bool, ttl_us: int, full: int = 0
) -> deciding.AlertWord:
    return deciding.AlertWord(
        source, key, cycle, firing, opens, ttl_us, _text(alert, "name"), _text(alert, "target"), _text(alert, "severity"),
        _text(alert, "summary"), full=full,
    )  # fmt: skip


def _text(alert: Mapping[str, Any], name: str) -> str:
    value = alert.get(name)
    return value[:TEXT_MAX] if isinstance(value, str) else ""
