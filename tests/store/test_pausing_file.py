"""The file PAUSE: its records, and what it held until nobody was here comes back as slowly as what a resume lets go."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.store import notes, pausing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)
COVERING = ["all", "activation:a", "ruleset:a/b", "rule:a/b/c", "controller:here"]
FILE = {"scope": "everything", "who": "the file PAUSE", "since": "2026-03-01T03:07:12Z", "reason": "release"}


def held_by_the_file(kit: Any, *keys: str) -> None:
    """Runs that it held until the daemon ended; all are due, as a start has it."""
    before = kit.standing
    kit.standing = dataclasses.replace(before, paused=FILE)
    for key in keys:
        kit.run_of(key, limits=WIDE)
    kit.standing = before
    kit.do(notes.Start("daemon"))


def records(kit: Any) -> list[tuple[str, Any]]:
    return [(one["kind"], one.get("detail")) for one in kit.audit() if one["kind"] in ("pause", "resume")]


def test_the_file_is_told_when_it_comes_and_when_it_goes_whoever_sees_it(kit: Any) -> None:
    seen = [kit.do(pausing.FileSeen(now)) for now in (None, FILE, FILE, None, None, FILE)]
    assert seen == [False, True, False, True, False, True]
    gone = {"scope": "everything"}
    assert records(kit) == [("pause", FILE), ("resume", gone), ("pause", FILE)]


def test_what_it_held_comes_back_slowly_though_it_went_while_nobody_was_here(kit: Any) -> None:
    kit.do(pausing.FileSeen(FILE))
    held_by_the_file(kit, *"abcdefgh")
    assert kit.do(pausing.FileSeen(None))
    assert kit.rows("SELECT scope, what FROM ramp") == [("all", "the file PAUSE")]
    sizes = []
    for _ in range(3):
        kit.now_us += 1
        kit.decide(look=True)
        claimed = kit.claim().claimed
        sizes.append(len(claimed))
        for one in claimed:
            kit.finish(one)
    assert sizes == [1, 2, 4]


def test_also_where_nobody_had_seen_the_file_but_the_gate(kit: Any) -> None:
    held_by_the_file(kit, "one", "two")
    assert kit.do(pausing.FileSeen(None))
    assert records(kit) == []
    assert kit.rows("SELECT scope, what FROM ramp") == [("all", "the file PAUSE")]
    assert not kit.do(pausing.FileSeen(None))


@pytest.mark.parametrize("scope", COVERING)
def test_what_a_command_holds_or_has_let_go_is_not_the_files(kit: Any, scope: str) -> None:
    kit.do(pausing.Pause(scope, "os:ana", ""))
    kit.run_of("one", limits=WIDE)
    kit.run_of("two", limits=WIDE)
    kit.do(notes.Start("daemon"))
    assert not kit.do(pausing.FileSeen(None))
    assert kit.rows("SELECT scope FROM ramp") == []
    kit.do(pausing.Resume(scope, "os:ana"))
    before = kit.rows("SELECT * FROM ramp")
    kit.now_us += S
    assert not kit.do(pausing.FileSeen(None))
    assert kit.rows("SELECT * FROM ramp") == before


def test_what_people_and_time_resume_says_nothing_of_the_file(kit: Any) -> None:
    kit.do(pausing.FileSeen(FILE))
    for ends in (pausing.Resume("all", "os:ana"), pausing.EndOfThemselves(9 * S)):
        kit.do(pausing.Pause("all", "os:ana", "", 8 * S))
        kit.do(ends)
    assert not kit.do(pausing.FileSeen(FILE))
    assert kit.do(pausing.FileSeen(None))
