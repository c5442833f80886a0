"""T1: positions, times, deliveries, causes and bodies of journal rows, on disk and in memory."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import journal


def row(body: bytes = b"{}", **more: Any) -> journal.Row:
    return journal.Row("event", "s", body, **more)


def test_positions_are_dense_over_many_statements(kit: Any) -> None:
    rows = kit.append(*[row(str(n).encode()) for n in range(journal.ROWS_PER_STATEMENT * 2 + 7)])
    assert [one.seq for one in rows] == list(range(1, len(rows) + 1))
    assert kit.rows("SELECT seq, body FROM journal ORDER BY seq") == [
        (n + 1, str(n).encode()) for n in range(len(rows))
    ]


def test_time_never_goes_back(kit: Any) -> None:
    times = []
    for now_us in (100, 50, 120, 119, 120):
        kit.now_us = 10**9 + now_us
        times.append(kit.append()[0].at_us - 10**9)
    assert times == [100, 100, 120, 120, 120]


def test_time_goes_on_after_a_restart_with_a_clock_set_back(make_kit: Any, tmp_path: Any) -> None:
    first = make_kit(tmp_path)
    (before,) = first.append()
    first.close()
    second = make_kit(tmp_path)
    second.now_us = 1
    assert second.append()[0].at_us == before.at_us
    assert (second.store.epoch, second.store.fresh, second.store.uid) == (2, False, first.store.uid)
    second.close()


def test_a_second_delivery_gets_the_first_ones_place_and_no_row(kit: Any) -> None:
    first = kit.append(row(delivery="d", digest="x"), row(delivery="d#1", digest="y"))
    again = kit.append(row(delivery="d", digest="x"), row(delivery="d#1", digest="y"), row(delivery="d#2", digest="z"))
    assert [(one.seq, one.duplicate) for one in again] == [(1, True), (2, True), (3, False)]
    assert again[0].at_us == first[0].at_us
    assert kit.rows("SELECT count(*) FROM journal") == [(3,)]
    assert kit.audit() == []


def test_a_delivery_id_is_its_sources_own(kit: Any) -> None:
    kit.append(row(delivery="d"))
    assert kit.append(journal.Row("event", "other", b"{}", delivery="d"))[0].duplicate is False


def test_the_same_id_twice_in_one_delivery_is_one_row(kit: Any) -> None:
    rows = kit.append(row(delivery="d", digest="x"), row(delivery="d", digest="x"))
    assert [(one.seq, one.duplicate) for one in rows] == [(1, False), (1, True)]


def test_other_bytes_under_a_known_id_are_not_taken_and_are_recorded(kit: Any) -> None:
    kit.append(row(delivery="d", digest="x"))
    (again,) = kit.append(row(b'{"evil":1}', delivery="d", digest="y", actor="key:ci"))
    assert again.duplicate
    (record,) = kit.audit()
    assert (record["kind"], record["actor"], record["source"], record["delivery"], record["event"]) == (
        "delivery_conflict", "key:ci", "s", "d", 1,
    )  # fmt: skip
    assert kit.verify().ok


def test_a_unit_that_is_applied_again_is_as_new(kit: Any) -> None:
    unit = journal.Append([row(delivery="d", digest="x")])
    assert kit.do(unit)[0].duplicate is False
    assert kit.do(unit)[0].duplicate is True


async def test_rows_are_read_back_as_they_went_in(kit: Any) -> None:
    blob = kit.store.blobs.keep(b"[" + b"1," * 5000 + b"1]")
    large = journal.Row(
        "event", "s", None, body_hash=blob.hash, raw_hash=blob.hash, actor="key:ci", meta='{"a":1}', depth=2
    )
    kit.do(journal.Append([row(), large, journal.Row("tick", "healer", b"{}")], [blob]))
    got = await kit.store.rows_after(0, 10)
    assert [(one.seq, one.kind) for one in got] == [(1, "event"), (2, "event"), (3, "tick")]
    assert (got[1].actor, got[1].meta, got[1].depth, got[1].raw_hash) == ("key:ci", '{"a":1}', 2, blob.hash)
    assert got[1].body is not None
    assert len(got[1].body) == blob.size
    assert [one.seq for one in await kit.store.rows_after(1, 1)] == [2]
    assert sorted(one.seq for one in await kit.store.rows_at([3, 1, 99])) == [1, 3]
    await kit.store.reader.close()


async def test_a_body_that_was_trimmed_is_no_body(kit: Any) -> None:
    assert await kit.store.blob("0" * 64) is None
    kit.append(journal.Row("event", "s", None, body_hash="0" * 64))
    assert (await kit.store.rows_after(0, 1))[0].body is None
    await kit.store.reader.close()


async def test_a_file_that_is_gone_is_no_content(make_kit: Any, tmp_path: Any) -> None:
    kit = make_kit(tmp_path)
    blob = kit.store.blobs.keep(b"x" * 5000)
    kit.do(journal.Append([row()], [blob]))
    assert await kit.store.blob(blob.hash) == b"x" * 5000
    kit.store.blobs.forget(blob.hash)
    assert await kit.store.blob(blob.hash) is None
    await kit.store.close()


def test_a_match_appends_its_rows_once(kit: Any) -> None:
    kit.decide(appends=[row(b"1"), row(b"2")])
    assert kit.rows("SELECT seq, cause, ordinal, body FROM journal WHERE cause IS NOT NULL") == [
        (3, 2, 0, b"1"), (4, 2, 1, b"2"),
    ]  # fmt: skip


def test_the_journal_is_append_only(kit: Any) -> None:
    kit.append()
    with pytest.raises(Exception, match="append-only"):
        kit.connection.execute("UPDATE journal SET body = 'x'")
