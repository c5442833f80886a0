"""The crash matrix: one play with all that a daemon does, killed at the first place that it passes, at the second, and so on.

A place is each commit that changes something (before it, after it), each checkpoint of the log, and each step between a claim and its
effect; `crashing.py` counts them. After a kill the daemon is started again, whoever got no answer asks again, and the play goes on to
its end: then everything is as if nothing had happened, and nothing has happened twice. `MATRIX=long` (`make crash`) goes on until a
play passes without a kill, and writes its counts behind the table of the kills in the file that `KILL_REPORT` names.
"""

from __future__ import annotations

import collections
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import playing
import pytest

SHORT: Final = 3
"""So many kills of the short form, spread evenly over the places."""
PLACES_MAX: Final = 1000
STARTS_MAX: Final = 12
"""So many places of a start that follows a kill, at which it is killed again."""
HEAD: Final = "## The crash matrix"


@pytest.fixture
def play(another: Callable[[str], Any], wait_for: Callable[..., None]) -> Callable[..., playing.Play]:
    """`play(n, m …)`: one in a folder of its own that was played, killed at the n-th place and, at the start that follows, the m-th."""

    def made(*kills: int) -> playing.Play:
        one = playing.Play(another("-".join(map(str, kills)) or "undisturbed"), wait_for, kills)
        try:
            one.run()
            one.judge()
        except BaseException:
            sys.stdout.write(f"killed at {kills}, that is {one.fell}\n{one.daemon.said()}")
            raise
        shutil.rmtree(one.daemon.base)
        return one

    return made


def test_whatever_is_killed_all_is_as_if_nothing_had_been(play: Callable[..., playing.Play]) -> None:
    undisturbed = play()
    assert undisturbed.fell == []
    if os.environ.get("MATRIX") == "long":
        report(*long(play))
        return
    each = undisturbed.passed // SHORT
    for n in range(SHORT):
        assert len(play(n * each + each // 2).fell) == 1
    assert len(play(undisturbed.passed // 2, 5).fell) == 2


def long(play: Callable[..., playing.Play]) -> tuple[list[str], list[str]]:
    """(where a kill fell, at each place until none is left; where the second fell, at each place of a start while a script runs)."""
    fell: list[str] = []
    while len(fell) < PLACES_MAX and (one := play(len(fell) + 1)).fell:
        fell += one.fell
    assert len(fell) < PLACES_MAX
    first = next(n for n, place in enumerate(fell, 1) if "cancel" in place)
    second: list[str] = []
    while len(second) < STARTS_MAX and len(one := play(first, len(second) + 1).fell) == 2:
        second.append(one[1])
    return fell, second


def report(fell: list[str], second: list[str]) -> None:
    """The counts, behind the table of the kills, into the file KILL_REPORT where that is set."""
    if named := os.environ.get("KILL_REPORT"):
        path = pathlib.Path(named)
        before = path.read_text(encoding="utf-8").partition(f"\n{HEAD}\n")[0] if path.exists() else ""
        path.write_text("\n".join([before, HEAD, *lines(fell, second), ""]), encoding="utf-8")


def lines(fell: list[str], second: list[str]) -> Iterator[str]:
    """Markdown."""
    yield ""
    yield (
        f"One play, killed at the first place that it passes, at the second, and so on until one passed without a kill: {len(fell)} "
        f"kills. {len(second)} more fell on the start that follows a kill while a script runs. After each all was as in a play without "
        "one: no answer lost, no effect twice, each announced before, `healer audit verify` whole. Its steps:"
    )
    yield ""
    for step in playing.STEPS:
        yield f"- `{step.__name__}`: {' '.join((step.__doc__ or '').split())}"
    for said, places in (("killed", fell), ("killed again", second)):
        yield ""
        yield f"| {said} | times |"
        yield "| --- | --- |"
        for place, count in sorted(collections.Counter(places).items()):
            yield f"| {place} | {count} |"
