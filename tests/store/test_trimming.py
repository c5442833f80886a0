"""Trimming: what something still needs stays, everything else goes a bounded number of rows at a time."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import deciding, journal, trimming

S = 1_000_000
HOUR = 3600 * S


def positions(kit: Any) -> list[int]:
    return [seq for (seq,) in kit.rows("SELECT seq FROM journal WHERE kind <> 'revision' ORDER BY seq")]


def trim(kit: Any) -> int:
    return int(kit.do(trimming.TrimJournal(kit.now_us + 1)))


def test_decided_rows_go_with_their_decisions_and_revisions_stay(kit: Any) -> None:
    for _ in range(3):
        kit.decide(deciding.Internal("a/b/d", 0, "none"))
    assert kit.rows("SELECT count(*) FROM decision") == [(3,)]
    assert trim(kit) == 2  # the position's own row stays
    assert positions(kit) == [4]
    assert kit.rows("SELECT seq FROM decision") == [(4,)]
    assert kit.rows("SELECT count(*) FROM journal WHERE kind = 'revision'") == [(1,)]


def test_what_is_not_old_enough_stays(kit: Any) -> None:
    kit.decide()
    before = kit.now_us
    kit.now_us += HOUR
    for _ in range(3):
        kit.decide()
    assert kit.do(trimming.TrimJournal(before + 1)) == 1
    assert len(positions(kit)) == 3


def test_what_is_not_decided_stays(kit: Any) -> None:
    kit.decide()
    kit.append(*[journal.Row("event", "s", b"{}") for _ in range(5)])
    trim(kit)
    assert len(positions(kit)) == 6


def test_what_a_snapshot_refers_to_stays(kit: Any) -> None:
    kit.decide()
    kit.decide()
    kit.decide(snapshot=deciding.Snapshot(3, "{}"))
    kit.decide()
    trim(kit)
    assert positions(kit) == [3, 4, 5]


def test_the_event_of_an_open_run_stays_until_it_ends(kit: Any) -> None:
    kit.decide(kit.asked("k"))
    kit.decide()
    kit.decide()
    assert (trim(kit), positions(kit)) == (0, [2, 3, 4])
    (claimed,) = kit.claim().claimed
    assert (trim(kit), positions(kit)) == (0, [2, 3, 4])
    kit.finish(claimed)
    assert (trim(kit), positions(kit)) == (2, [4])


def test_an_unknown_run_keeps_its_event(kit: Any) -> None:
    kit.decide(kit.asked("k"))
    kit.finish(kit.claim().claimed[0], "unknown")
    kit.decide()
    assert trim(kit) == 0


def test_what_is_in_quarantine_stays(kit: Any) -> None:
    kit.decide(quarantined=[("a/b", "ValueError: x")])
    kit.decide()
    assert trim(kit) == 0


def test_only_so_many_go_at_once(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "ROWS", 2)
    for _ in range(6):
        kit.decide()
    assert [trim(kit) for _ in range(4)] == [2, 2, 1, 0]


def test_deliveries_are_forgotten_by_their_own_time(kit: Any) -> None:
    kit.append(journal.Row("event", "s", b"{}", delivery="old"))
    kit.now_us += trimming.DELIVERIES_US
    kit.append(journal.Row("event", "s", b"{}", delivery="new"))
    assert kit.do(trimming.TrimDeliveries(kit.now_us - trimming.DELIVERIES_US)) == 0
    assert kit.do(trimming.TrimDeliveries(kit.now_us - trimming.DELIVERIES_US + 1)) == 1
    again = kit.append(
        journal.Row("event", "s", b"{}", delivery="new"), journal.Row("event", "s", b"{}", delivery="old")
    )
    assert [one.duplicate for one in again] == [True, False]


def test_output_goes_and_its_content_an_hour_later(kit: Any) -> None:
    kit.decide(kit.asked("k"))
    kit.finish(kit.claim().claimed[0])
    assert len(kit.rows("SELECT hash FROM blob")) == 2
    kit.now_us += HOUR + 1
    assert kit.do(trimming.TrimBlobs()) == []
    assert kit.do(trimming.TrimOutputs(kit.now_us)) == 1
    assert kit.do(trimming.TrimOutputs(kit.now_us)) == 0
    assert kit.rows("SELECT state, stdout_hash FROM attempt") == [("succeeded", None)]
    assert len(kit.do(trimming.TrimBlobs())) == 2
    assert kit.rows("SELECT hash FROM blob") == []


def test_content_that_somebody_may_be_about_to_name_stays(kit: Any) -> None:
    kit.do(journal.Append([], [kit.store.blobs.keep(b"x")]))
    kit.now_us += HOUR
    assert kit.do(trimming.TrimBlobs()) == []
    kit.now_us += 1
    assert len(kit.do(trimming.TrimBlobs())) == 1


def test_the_body_and_the_request_of_a_row_stay(kit: Any) -> None:
    blobs = [kit.store.blobs.keep(data) for data in (b"body", b"request")]
    kit.do(journal.Append([journal.Row("event", "s", None, body_hash=blobs[0].hash, raw_hash=blobs[1].hash)], blobs))
    kit.now_us += 2 * HOUR
    assert kit.do(trimming.TrimBlobs()) == []


def test_runs_that_ended_go_whole_and_their_records_stay(kit: Any) -> None:
    kit.decide(kit.asked("k", alerts=[("am", "k", 1, True)]), kit.asked("open", "host:b"))
    (first, *_) = kit.claim(1).claimed
    kit.finish(first)
    records = len(kit.audit())
    kit.now_us += HOUR
    assert kit.do(trimming.TrimRuns(kit.now_us)) == 1
    assert kit.do(trimming.TrimRuns(kit.now_us)) == 0
    for table in ("run", "attempt", "run_target"):
        assert kit.rows(f"SELECT count(*) FROM {table}") == [(1,)], table
    assert len(kit.audit()) == records
    assert kit.verify().ok
