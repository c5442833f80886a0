"""What fires at a sender against what fires with us: what to close, what to open, what was heard of. Pure.

Caller: `reconciling`. What the sender said is true of the time at which it was asked: who spoke of an alert since is left alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from healer import model

MANY: Final = 5
"""So many open alerts are many: that more than half of them ended at once is believed once it is seen twice."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ours:
    """An alert of ours. `fires`: it is open; `touched_us`: when it was heard of last, or closed."""

    fires: bool
    touched_us: int
    last_seq: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What holds for one look: `asked_us` is journal time, `wall_us` the wall clock's.

    `sure`: the sender has run long enough to know all that fires; `grace_us`: so long a delivery may take; `receivers`: those that
    deliver to us.
    """

    asked_us: int
    wall_us: int
    grace_us: int
    sure: bool
    receivers: Collection[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Before:
    """What the look before this one saw: alerts that were `gone` and not closed for that, and `missing` ones that were not opened."""

    gone: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What is to be done: keys to close; (what fires there, its receiver) to open; keys that were heard of. `before`: for the next look."""

    gone: Sequence[str]
    missing: Sequence[tuple[model.Fires, str]]
    heard: Sequence[str]
    before: Before
    doubted: int = 0
    """So many are gone and left open until the next look says the same."""


def compare(theirs: Iterable[model.Fires], ours: Mapping[str, Ours], asked: Asked, before: Before) -> Found:
    """What to do. `ours`: all of them that are open or were closed since it was asked, by key."""
    heard: set[str] = set()
    missing: list[tuple[model.Fires, str]] = []
    waits: set[str] = set()
    for fires in theirs:
        known = [key for key in fires.keys if key in ours and ours[key].fires]
        heard.update(known)
        receiver = next((name for name in fires.receivers if name in asked.receivers), "")
        if known or not (fires.told and receiver) or any(key in ours for key in fires.keys):
            continue
        if _long_enough(fires, asked) or fires.keys[0] in before.missing:
            missing.append((fires, receiver))
        else:
            waits.add(fires.keys[0])
    gone, doubted = _gone(ours, heard, asked, before)
    kept = Before(doubted if asked.sure else frozenset(), frozenset(waits))
    return Found(sorted(gone), missing, sorted(heard), kept, len(doubted) if asked.sure else 0)


def _long_enough(fires: model.Fires, asked: Asked) -> bool:
    """Whether it would have been delivered by now: senders wait a while for what belongs together."""
    return fires.since_us is not None and fires.since_us <= asked.wall_us - asked.grace_us


def _gone(
    ours: Mapping[str, Ours], heard: Collection[str], asked: Asked, before: Before
) -> tuple[frozenset[str], frozenset[str]]:
    """(those to close, those that have to be gone at the next look too)"""
    open_ = [key for key, one in ours.items() if one.fires]
    gone = frozenset(key for key in open_ if key not in heard and ours[key].touched_us < asked.asked_us)
    if not asked.sure:
        return frozenset(), frozenset()
    if len(open_) >= MANY and len(gone) * 2 > len(open_):
        return gone & before.gone, gone - before.gone
    return gone, frozenset()
