"""T1: positions, times, deliveries, causes and bodies of journal rows, on disk and in memory."""

from __future__ import annotations

from typing import Any

import pytest

from healer import telemetry
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
    blob = kit.store.blobs.keep(b"[" + b"1," * 20_000 + b"1]")
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
    blob = kit.store.blobs.keep(b"x" * 20_000)
    kit.do(journal.Append([row()], [blob]))
    assert await kit.store.blob(blob.hash) == b"x" * 20_000
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


def counted(*names: str) -> list[int]:
    return [telemetry.read().get(name, 0) for name in names]


def test_a_delivery_of_several_rows_is_known_by_its_first(kit: Any) -> None:
    kit.append(row(b"0"))
    first = kit.append(row(b"1", delivery="d", digest="x"), row(b"2"), row(b"3"))
    kit.now_us += 1
    before = counted("deliveries_duplicate", "deliveries_conflict")
    again = kit.append(row(b"1", delivery="d", digest="x"), row(b"2"), row(b"3"))
    assert [(one.seq, one.at_us, one.duplicate, one.conflict) for one in again] == [
        (seq, first[0].at_us, True, False) for seq in (2, 3, 4)
    ]
    assert counted("deliveries_duplicate", "deliveries_conflict") == [before[0] + 1, before[1]]
    assert kit.rows("SELECT count(*) FROM journal") == [(4,)]
    assert [one.seq for one in kit.append(row(delivery="other", digest="x"), row())] == [5, 6]


def test_other_bytes_under_the_id_of_several_rows_take_none_of_them(kit: Any) -> None:
    kit.append(row(b"1", delivery="d", digest="x"), row(b"2"))
    before = counted("deliveries_duplicate", "deliveries_conflict")
    again = kit.append(row(b"7", delivery="d", digest="y", actor="key:ci"), row(b"8"), row(b"9"))
    assert [(one.seq, one.duplicate, one.conflict) for one in again] == [(1, True, True)] * 3
    assert counted("deliveries_duplicate", "deliveries_conflict") == [before[0] + 1, before[1] + 1]
    assert kit.record("delivery_conflict")["digest"] == "y"
    assert kit.rows("SELECT count(*) FROM journal") == [(2,)]


def test_ids_of_their_own_are_looked_up_one_by_one(kit: Any) -> None:
    kit.append(row(delivery="a", digest="x"))
    mixed = kit.append(row(delivery="a", digest="x"), row(delivery="b", digest="y"))
    assert [(one.seq, one.duplicate) for one in mixed] == [(1, True), (2, False)]
    later = kit.append(row(), row(delivery="b", digest="y"))
    assert [(one.seq, one.duplicate) for one in later] == [(3, False), (2, True)]


def test_a_row_is_new_though_it_was_a_duplicate_in_a_batch_that_failed(kit: Any) -> None:
    (one,) = rows = [row(delivery="d", digest="x")]
    one.duplicate = True
    assert [(made.seq, made.duplicate) for made in kit.append(*rows)] == [(1, False)]


def test_what_is_kept_of_a_delivery(kit: Any) -> None:
    kit.append(row(delivery="d", digest="x"))
    assert kit.rows("SELECT source, id, seq, digest, seen_us FROM delivery") == [("s", "d", 1, "x", kit.now_us)]


PLAIN = row(b"1", meta="{}", actor="key:ci")


@pytest.mark.parametrize(
    "more", [{"delivery": "d"}, {"depth": 1}, {"cause": 1}, {"cause": 0}, {"raw_hash": "0"}, {"raw_hash": ""}, {"body_hash": ""}]
)  # fmt: skip
def test_only_small_events_from_outside_are_plain(more: dict[str, Any]) -> None:
    other = journal.Append([PLAIN, row(**more)])
    assert journal.plain([journal.Append([PLAIN]), journal.Append([PLAIN, PLAIN])]) == [PLAIN] * 3
    assert journal.plain([journal.Append([PLAIN]), other]) == []


def test_appends_with_files_many_rows_and_other_units_are_not_plain() -> None:
    assert journal.plain([journal.Append([PLAIN], [journal.Blob("0", 1, b"x")])]) == []
    assert journal.plain([journal.Append([PLAIN]), object()]) == []
    most = journal.ROWS_PER_STATEMENT
    assert len(journal.plain([journal.Append([PLAIN] * most)])) == most
    assert journal.plain([journal.Append([PLAIN] * most), journal.Append([PLAIN])]) == []
    assert journal.plain([]) == []


def test_plain_rows_are_the_same_rows(kit: Any) -> None:
    kit.append(row(b"0"))
    tx = kit.store.writer.tx
    made = [row(b"1", meta='{"a":1}', actor="key:ci"), journal.Row("tick", "healer", None)]
    made[0].raw, made[0].repeat = b" 1", "w"
    made[0].duplicate = True
    tx.appended, before = [row(b"0")], 1
    assert journal.insert_guarded(tx, made)
    assert [(one.seq, one.at_us, one.duplicate) for one in made] == [(2, kit.now_us, False), (3, kit.now_us, False)]
    assert (tx.last_seq, tx.appended[before:]) == (3, made)
    names = "seq, part, kind, source, at_us, depth, cause, ordinal, body, body_hash, raw_hash, meta, actor, raw, repeat"
    assert kit.rows(f"SELECT {names} FROM journal WHERE seq > 1 ORDER BY seq") == [
        (2, tx.part, "event", "s", kit.now_us, 0, None, None, b"1", None, None, '{"a":1}', "key:ci", b" 1", "w"),
        (3, tx.part, "tick", "healer", kit.now_us, 0, None, None, None, None, None, None, "", None, None),
    ]


def test_plain_rows_of_another_owner_are_not_taken(kit: Any) -> None:
    tx = kit.store.writer.tx
    tx.epoch += 1
    assert not journal.insert_guarded(tx, [row()])
    tx.epoch -= 1
    assert (tx.last_seq, kit.rows("SELECT count(*) FROM journal")) == (0, [(0,)])


def test_every_column_of_a_row_is_written(kit: Any) -> None:
    kit.append()
    full = journal.Row(
        "facts",
        "here",
        None,
        actor="run:r",
        meta="{}",
        depth=3,
        cause=1,
        ordinal=2,
        body_hash="b",
        raw_hash="r",
        raw=b"x",
    )
    full.repeat = "w"
    kit.append(full)
    names = "seq, kind, source, at_us, depth, cause, ordinal, body, body_hash, raw_hash, meta, actor, raw, repeat"
    assert kit.rows(f"SELECT {names} FROM journal WHERE seq = 2") == [
        (2, "facts", "here", kit.now_us, 3, 1, 2, None, "b", "r", "{}", "run:r", b"x", "w")
    ]


def test_of_a_batch_only_what_is_known_is_left_out(kit: Any) -> None:
    tx = kit.store.writer.tx
    kit.append(row(delivery="d", digest="x"), row())
    kit.append(row(delivery="e", digest="x"))
    units = [
        journal.Append([row(delivery="d", digest="x"), row()]), journal.Append([row(delivery="e", digest="x")]),
        journal.Append([row(delivery="f", digest="x"), row(delivery="e", digest="x"), row()]),
    ]  # fmt: skip
    journal.append_all(tx, units)
    assert [[(one.seq, one.duplicate) for one in unit.rows] for unit in units] == [
        [(1, True), (2, True)], [(3, True)], [(4, False), (3, True), (5, False)],
    ]  # fmt: skip


def test_a_row_on_its_way_in_has_no_place_yet() -> None:
    one = journal.Row("event", "s", b"{}", data={})
    assert (one.seq, one.at_us, one.duplicate, one.conflict, one.data, one.depth) == (0, 0, False, False, {}, 0)
    assert (one.actor, one.meta, one.cause, one.ordinal, one.delivery, one.digest) == ("", None, None, None, "", "")


def test_how_much_an_append_brings() -> None:
    assert [journal.Append([PLAIN] * count).weight for count in (1, 3)] == [1, 3]
