"""Which rulesets an event of a source can concern: what it costs does not grow with how many listen.

Caller: `evaluating`. Where many listen to one source, their rules stand in one index of rulesets, and an event visits those that it could
fire or be remembered by. Rulesets with a rule about absence are visited by every event: it is about what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from healer.engine import index

if TYPE_CHECKING:
    from healer.decide import evaluating

FEW: Final = 4
"""As many rulesets are simply asked one after the other."""
SLICE: Final = 50


class Route:
    """The rulesets that listen to one source, in order."""

    __slots__ = ("_always", "_find", "listeners")

    def __init__(self, listeners: Sequence[evaluating.Running]) -> None:
        self.listeners = tuple(listeners)
        self._find: Callable[[dict[str, Any]], Sequence[int]] | None = None
        self._always: frozenset[int] = frozenset()

    def index_in_slices(self) -> Iterator[None]:
        """Make the index, giving control back after each few rules; before that everyone is visited."""
        if len(self.listeners) <= FEW:
            return
        made = index.Index()
        for number, one in enumerate(self.listeners):
            for count, gate in enumerate(one.session.compiled.gates, 1):
                made.add(number, (gate,))
                if count % SLICE == 0:
                    yield
            yield
        yield from made.freeze()
        self._always = frozenset(number for number, one in enumerate(self.listeners) if one.session.compiled.absences)
        self._find = made.find

    def reached_by(self, event: dict[str, Any]) -> Sequence[evaluating.Running]:
        """The rulesets that an event or fact could concern, in order."""
        if self._find is None:
            return self.listeners
        found = self._find(event)
        if self._always:
            found = sorted({*found, *self._always})
        return [self.listeners[number] for number in found]
