"""Long work in small steps: a generator yields after each, so that whoever runs it may let others in, and returns what it made.

Callers: `snapshots` and what it asks for its part. What is walked over must not change between two steps.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, TypeVar

CHUNK: Final = 1_000
"""So many things a step: well under a millisecond of the simplest work on each."""

_T = TypeVar("_T")
_Made = TypeVar("_Made")
Steps = Generator[None, None, _T]


def done(steps: Steps[_T]) -> _T:
    """What comes of it, all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def mapped(things: Iterable[_T], make: Callable[[_T], _Made]) -> Steps[list[_Made]]:
    """`make` of each."""
    rest = iter(things)
    made: list[_Made] = []
    while part := list(itertools.islice(rest, CHUNK)):
        made += map(make, part)
        yield
    return made


def each(things: Iterable[_T], act: Callable[[_T], object]) -> Steps[None]:
    """`act` on each."""
    for number, thing in enumerate(things, 1):
        act(thing)
        if not number % CHUNK:
            yield


def ordered(things: Iterable[_T], key: Callable[[_T], Any]) -> Steps[list[_T]]:
    """Sorted by a key. What is nearly in order, as memory is, costs one look at each."""
    rest, parts = iter(things), []
    while part := list(itertools.islice(rest, CHUNK)):
        part.sort(key=key)
        parts.append(part)
        yield
    if all(key(before[-1]) <= key(after[0]) for before, after in itertools.pairwise(parts)):
        return (yield from mapped(itertools.chain.from_iterable(parts), _itself))
    return (yield from mapped(heapq.merge(*parts, key=key), _itself))


def _itself(thing: _T) -> _T:
    return thing
