"""Who is told of what, and when. Pure. Callers: `store.outbox` asks, in the transaction that makes the messages; the daemon makes it of
the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping

from healer.project import receivers


@dataclasses.dataclass(frozen=True, slots=True)
class Routing:
    """`hears`: receiver → the classes that it is told of. `waits_us`: class → how long more of its like may come into one message; 0 is at
    once, and what has no entry is not told. `ladder`: whom an unanswered message goes to, one after the other, each after `after_us`."""

    hears: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    waits_us: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ladder: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    after_us: int = 0
    unchanging: frozenset[str] = frozenset()
    """Receivers whose channel changes nothing that was sent."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody is told of anything."""
        return not self.hears and not self.ladder

    def of(self, news: str) -> Iterator[tuple[str, int]]:
        """(receiver, how long to wait) of a class."""
        wait_us = self.waits_us.get(news)
        if wait_us is not None:
            yield from ((name, wait_us) for name, heard in self.hears.items() if news in heard)

    def still(self, rung: int, receiver: str, news: str) -> bool:
        """Whether a receiver hears of a class, at once (rung 0) or of what others left unanswered."""
        heard = self.hears.get(receiver, frozenset()) if news in self.waits_us or rung else frozenset()
        return news in heard or (rung > 0 and news in self.ladder.get(receiver, ()))

    def changes(self, receiver: str) -> bool:
        """Whether a message to a receiver can be changed once it was sent."""
        return receiver not in self.unchanging

    def next_of(self, rung: int, receiver: str, news: str) -> tuple[str, int] | None:
        """Whom a message of a rung goes to where nobody answers it, and the rung of that: who hears of such, never who has it."""
        for number, (name, heard) in enumerate([*self.ladder.items()][rung:], rung + 1):
            if name != receiver and news in heard:
                return name, number
        return None


NOBODY = Routing()


def of(
    told: receivers.Notifications, known: Collection[str] | None = None, unchanging: Collection[str] = ()
) -> Routing:
    """As the settings say. `known`: of the receivers those that there are (None: all); the others hear nothing. `unchanging`: as in
    `Routing`."""
    named = [name for name in told.receivers if known is None or name in known]
    every = frozenset(receivers.AT_ONCE) | receivers.GROUPED.keys()
    heard = {name: frozenset(told.receivers[name].get(receivers.HEARS) or every) for name in named}
    ladder = {name: heard[name] for name in (told.escalate.to if told.escalate else ()) if name in heard}
    first = {name: news for name, news in heard.items() if name not in ladder}
    waits: dict[str, int] = {news: round(seconds * 1_000_000) for news, seconds in told.grouped.items()}
    waits |= dict.fromkeys(told.at_once, 0)
    after_us = round(told.escalate.after * 1_000_000) if told.escalate else 0
    return Routing(first or ladder, waits, ladder, after_us, frozenset(unchanging))  # somebody has to hear first
