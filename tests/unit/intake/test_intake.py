"""Intake: told after the commit, bounded, large bodies aside, and a redundant pair of senders counted once."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import pathlib
from typing import Any

import orjson
import pytest

from healer import errors, intake, store
from healer.decide import tail
from healer.intake import pairs
from healer.store import journal, letters

S = 1_000_000


def alert(key: str = "k") -> dict[str, Any]:
    return {"alert": {"key": key, "status": "firing"}}


async def test_what_is_taken_is_a_row_of_its_own(kit: Any) -> None:
    taken = await kit.take({"a": 1}, {"b": [True]})
    assert taken == intake.Accepted(2, 0, ["e-1", "e-2"], [1, 2])
    assert kit.rows() == [(1, "event", "am", b'{"a":1}', "key:ci"), (2, "event", "am", b'{"b":[true]}', "key:ci")]


async def test_the_bytes_that_came_are_the_bytes_that_are_kept(kit: Any) -> None:
    await kit.intake.take("am", [({"a": 1.0}, b'{ "a": 1.0 }')], actor="x", meta={"endpoint": "/am"}, depth=2)
    assert kit.rows("SELECT body, meta, depth FROM journal") == [(b'{ "a": 1.0 }', '{"endpoint":"/am"}', 2)]


async def test_nothing_is_a_delivery_too(kit: Any) -> None:
    assert await kit.take() == intake.Accepted(0, 0, [], [])


@pytest.mark.parametrize(("backlog", "refused"), [(9, False), (10, False), (11, True)])
async def test_the_backlog_is_bounded(make_kit: Any, backlog: int, refused: bool) -> None:
    kit = make_kit(backlog_max=10)
    kit.backlog = backlog
    if refused:
        with pytest.raises(errors.BacklogFull) as caught:
            await kit.take({})
        assert (caught.value.status, caught.value.fields) == (503, {"backlog": 11, "limit": 10})
    else:
        await kit.take({})
    await kit.intake.tick()  # what lets waiting runs go on is held back by nothing
    assert [row[1] for row in kit.rows()] == ["tick"] if refused else ["event", "tick"]
    kit.store.writer.close()


async def test_nothing_is_taken_while_it_stops(kit: Any) -> None:
    kit.intake.stopped = True
    with pytest.raises(errors.Unavailable, match="stopping"):
        await kit.take({})
    assert kit.rows() == []


async def test_what_is_on_its_way_is_bounded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BYTES_IN_FLIGHT_MAX", 100)
    kept = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop())
    taking = intake.Intake(kept, lambda: 1, lambda: 0)
    large = {"x": "y" * 200}
    first = asyncio.create_task(taking.take("s", [(large, None)], actor="x"))  # alone it may be larger than the bound
    await asyncio.sleep(0)
    with pytest.raises(errors.Unavailable, match="on its way"):
        await taking.take("s", [({}, None)], actor="x")
    assert (await first).accepted == 1
    assert (await taking.take("s", [(large, None)], actor="x")).accepted == 1
    await kept.close()


async def test_what_failed_is_on_its_way_no_more(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BYTES_IN_FLIGHT_MAX", 3)
    for _ in range(3):
        with pytest.raises(Exception, match="NOT NULL"):
            await kit.take({}, source=None)
    assert (await kit.take({"a": 1})).ids == ["e-1"]


async def test_a_second_delivery_is_told_the_first_ones_ids(kit: Any) -> None:
    first = await kit.take({"a": 1}, {"a": 2}, delivery="d")
    again = await kit.take({"a": 1}, {"a": 2}, delivery="d")
    assert (again.accepted, again.duplicates, again.ids, again.positions) == (0, 2, first.ids, [0, 0])
    assert kit.rows("SELECT id, digest FROM delivery ORDER BY id") == [
        ("d", hashlib.sha256(b'{"a":1}\n{"a":2}').hexdigest()),
    ]  # fmt: skip


async def test_other_events_under_a_known_id_are_not_taken_not_even_one(kit: Any) -> None:
    await kit.take({"a": 1}, delivery="d")
    again = await kit.take({"a": 7}, {"a": 8}, {"a": 9}, delivery="d")
    assert (again.accepted, again.duplicates, again.ids, again.conflict) == (0, 3, ["e-1"], True)
    assert len(kit.rows()) == 1
    assert [kind for (kind,) in kit.rows("SELECT kind FROM audit")] == ["delivery_conflict"]


async def test_events_may_have_ids_of_their_own(kit: Any) -> None:
    assert (await kit.take({"a": 1}, {"a": 2}, deliveries=["1", "2"])).accepted == 2
    taken = await kit.take({"a": 2}, {"a": 3}, {"a": 9}, deliveries=["2", "3", "1"])
    assert (taken.accepted, taken.duplicates, taken.conflict) == (1, 2, True)
    assert [row[3] for row in kit.rows()] == [b'{"a":1}', b'{"a":2}', b'{"a":3}']


async def test_what_could_not_be_read_is_a_row_that_says_so(kit: Any) -> None:
    taken = await kit.take({"a": 1}, unread=[("x" * 5, "alerts[1]: no object")], meta={"endpoint": "am"}, delivery="d")
    assert (taken.accepted, taken.ids, taken.quarantined) == (1, ["e-1"], 1)
    [(kind, body, meta)] = kit.rows("SELECT kind, body, meta FROM journal WHERE seq = 2")
    assert (kind, body) == ("event", b'{"payload":"xxxxx"}')
    assert letters.unread(meta) == "alerts[1]: no object"
    assert letters.brought(meta) == {"endpoint": "am"}
    again = await kit.take({"a": 1}, unread=[("x" * 5, "alerts[1]: no object")], delivery="d")
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 2, 0)
    alone = await kit.take(unread=[(7, "no object")], delivery="e")
    assert (alone.accepted, alone.ids, alone.quarantined) == (0, [], 1)


async def test_without_an_id_nothing_is_made_up(kit: Any) -> None:
    await kit.take({"a": 1})
    assert (await kit.take({"a": 1})).accepted == 1
    assert kit.rows("SELECT * FROM delivery") == []


async def test_the_other_one_of_a_pair_is_a_duplicate_for_a_minute(kit: Any) -> None:
    assert (await kit.take(alert(), repeats=["w"])).ids == ["e-1"]
    kit.now_us += 60 * S - 1
    again = await kit.take(alert(), repeats=["w"])
    assert (again.accepted, again.duplicates, again.ids, again.positions) == (0, 1, ["e-1"], [0])
    assert kit.heard == [("am", "k", kit.now_us)]
    kit.now_us += 1
    assert (await kit.take(alert(), repeats=["w"])).ids == ["e-2"]


async def test_the_next_process_knows_what_was_said_a_short_while_ago(kit: Any) -> None:
    await kit.take(alert("old"), repeats=["old"])
    kit.now_us += 50 * S
    await kit.take(alert("a"), repeats=["a"])
    await kit.take(alert("b"), {"x": 1}, repeats=["b", ""])
    await kit.take(alert("a"), repeats=["a"], source="other")
    kit.now_us += 10 * S
    kit.intake = intake.Intake(kit.store, lambda: kit.now_us, lambda: 0, heard=lambda *told: kit.heard.append(told))
    await kit.intake.recall()
    taken = await kit.take(alert("a"), alert("b"), alert("old"), repeats=["a", "b", "old"])
    assert (taken.ids, taken.accepted) == (["e-2", "e-3", "e-6"], 1)
    assert kit.heard == [("am", "a" if key == "a" else "b", kit.now_us) for key in ("a", "b")]
    kit.now_us += 50 * S
    assert (await kit.take(alert("a"), repeats=["a"])).accepted == 1


async def test_a_pair_that_delivers_at_the_same_moment_counts_once(kit: Any) -> None:
    go = asyncio.Event()
    commit = kit.intake._commit

    async def slow(*what: Any) -> None:
        await go.wait()
        await commit(*what)

    kit.intake._commit = slow  # type: ignore[method-assign]
    both = [asyncio.create_task(kit.take(alert("a"), alert("b"), repeats=["a", "b"])) for _ in range(2)]
    other = asyncio.create_task(kit.take(alert("c"), alert("a"), repeats=["c", "a"]))
    for _ in range(3):
        await asyncio.sleep(0)
    go.set()
    taken = await asyncio.gather(*both, other)
    assert [(one.accepted, one.duplicates) for one in taken] == [(2, 0), (0, 2), (1, 1)]
    assert taken[0].ids == taken[1].ids
    assert taken[2].ids[1] == taken[0].ids[0]
    assert len(kit.rows()) == 3
    assert kit.intake._words._writing == {}


async def test_the_same_word_twice_in_one_delivery_counts_once(kit: Any) -> None:
    taken = await kit.take(alert(), alert(), repeats=["w", "w"])
    assert (taken.accepted, taken.duplicates, taken.ids) == (1, 1, ["e-1", "e-1"])


async def test_a_word_that_could_not_be_written_is_nobodys(kit: Any) -> None:
    go = asyncio.Event()

    async def fails(*what: Any) -> None:
        await go.wait()
        raise errors.StoreFull

    submit, kit.store.submit = kit.store.submit, fails  # type: ignore[method-assign]
    first = asyncio.create_task(kit.take(alert(), repeats=["w"]))
    await asyncio.sleep(0)
    kit.store.submit = submit  # type: ignore[method-assign]
    second = asyncio.create_task(kit.take(alert(), repeats=["w"]))
    await asyncio.sleep(0)
    go.set()
    assert [type(one) for one in await asyncio.gather(first, second, return_exceptions=True)] == [
        errors.StoreFull, errors.Unavailable,
    ]  # fmt: skip
    assert (await kit.take(alert(), repeats=["w"])).accepted == 1


async def test_a_word_is_its_sources_own_and_an_empty_one_is_none(kit: Any) -> None:
    await kit.take(alert(), repeats=["w"])
    assert (await kit.take(alert(), repeats=["w"], source="other")).accepted == 1
    for _ in range(2):
        assert (await kit.take(alert(), repeats=[""])).accepted == 1


async def test_new_and_known_in_one_delivery(kit: Any) -> None:
    await kit.take(alert("a"), repeats=["a"])
    taken = await kit.take(alert("a"), alert("b"), repeats=["a", "b"])
    assert (taken.accepted, taken.duplicates, taken.ids, taken.positions) == (1, 1, ["e-1", "e-2"], [0, 2])


async def test_the_alert_of_a_known_word_was_heard_of(kit: Any) -> None:
    tx = kit.store.writer.tx
    tx.run("alert_open", "am", "k", 1, 5, 5, 10, 1, 1, "n", "t", "critical", "s", "{}")
    await kit.take(alert(), repeats=["w"])
    kit.now_us += S
    await kit.take(alert(), repeats=["w"])
    assert kit.rows("SELECT seen_us, times FROM alert") == [(101 * S, 1)]


@pytest.mark.parametrize("event", [{}, {"alert": None}, {"alert": []}, {"alert": {"key": 1}}])
async def test_a_known_word_without_an_alert_is_only_counted(kit: Any, event: Any) -> None:
    await kit.take(event, repeats=["w"])
    assert (await kit.take(event, repeats=["w"])).duplicates == 1
    assert kit.heard == []


async def test_words_are_forgotten_when_there_are_too_many(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "WORDS_MAX", 3)
    for name in "abc":
        await kit.take(alert(), repeats=[name])
    kit.now_us += 61 * S
    await kit.take(alert(), repeats=["d"])
    for name in "efgh":
        await kit.take(alert(), repeats=[name])
    assert len(kit.intake._words._seen) <= 3
    assert (await kit.take(alert(), repeats=["h"])).duplicates == 1


async def test_a_word_that_is_forgotten_meanwhile_is_answered_all_the_same(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "WORDS_MAX", 1)
    await kit.take(alert(), repeats=["a"])
    taken = await kit.take(alert(), alert("b"), alert("c"), repeats=["a", "b", "c"])
    assert (taken.duplicates, taken.ids) == (1, ["e-1", "e-2", "e-3"])


async def test_large_bodies_and_requests_are_kept_aside(make_kit: Any, tmp_path: pathlib.Path) -> None:
    kit = make_kit(tmp_path)
    small, large = {"x": "y" * (journal.INLINE_MAX - 8)}, {"x": "y" * (journal.INLINE_MAX - 7)}
    assert len(orjson.dumps(small)) == journal.INLINE_MAX
    raw = b"[" + orjson.dumps(small) + b"," + orjson.dumps(large) + b"]"
    await kit.take(small, large, raw=raw)
    name, request = hashlib.sha256(orjson.dumps(large)).hexdigest(), hashlib.sha256(raw).hexdigest()
    assert kit.rows("SELECT body, body_hash, raw_hash FROM journal ORDER BY seq") == [
        (orjson.dumps(small), None, request), (None, name, request),
    ]  # fmt: skip
    assert {path.name for path in (tmp_path / "blobs").iterdir()} == {name, request}
    rows = await kit.store.rows_after(0, 10)
    assert [orjson.loads(row.body or b"") for row in rows] == [small, large]
    await kit.store.close()


async def test_of_what_is_no_whole_event_the_decider_is_given_the_json(tmp_path: pathlib.Path) -> None:
    fed: list[journal.Row] = []
    kept = store.Store.open(tmp_path, lambda: 1, loop=asyncio.get_running_loop(), on_rows=fed.extend)
    events = [{"alert": {"key": "a"}, "x": "y"}, {"alert": {"key": "b"}, "x": "y" * journal.INLINE_MAX}, {"z": 1}]
    known: list[dict[str, Any]] = [{"alert": {"key": "a"}}, {"alert": {"key": "b"}}, {}]
    data = [(one, orjson.dumps(event)) for one, event in zip(known, events, strict=True)]
    taking = intake.Intake(kept, lambda: 1, lambda: 0)
    with taking.hearing("am") as spoken:
        taken = await taking.take("am", data, actor="x", repeats=["a", "b", ""], whole=False)
    assert (taken.positions, spoken) == ([1, 2, 3], {"a", "b"})
    assert [row.data for row in fed] == [None] * 3
    end = tail.Tail(kept, 0)
    end.feed(fed)
    rows: list[journal.Row] = []
    while found := await end.after(len(rows), 500):
        rows += found
    assert [orjson.loads(row.body or b"") for row in rows] == events
    await kept.close()


async def test_the_other_one_of_a_pair_is_known_by_what_is_no_whole_event_too(kit: Any) -> None:
    part = [({"alert": {"key": "k"}}, orjson.dumps(alert() | {"more": 1}))]
    assert (await kit.take(alert(), repeats=["w"])).accepted == 1
    assert (await kit.intake.take("am", part, actor="x", repeats=["w"], whole=False)).duplicates == 1
    assert kit.heard == [("am", "k", kit.now_us)]


async def test_a_refused_request_leaves_no_row(kit: Any) -> None:
    with pytest.raises(TypeError):
        await kit.take({"x": 1}, {"x": 2**70})
    assert kit.rows() == []


async def test_a_large_body_that_finds_no_space_leaves_no_row(
    make_kit: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_data: bytes) -> journal.Blob:
        raise OSError(errno.ENOSPC, "No space left on device")

    kit = make_kit(tmp_path)
    monkeypatch.setattr(kit.store.blobs, "keep", full)
    large = {"x": "y" * journal.INLINE_MAX}
    with pytest.raises(errors.StoreFull):
        await kit.take(large)
    assert kit.rows() == []
    await kit.store.close()


async def test_who_listens_hears_of_alerts_before_they_are_on_disk(make_kit: Any, tmp_path: pathlib.Path) -> None:
    kit, large = make_kit(tmp_path), {"x": "x" * (journal.INLINE_MAX + 1)}  # a large one is kept by a thread at first
    with kit.intake.hearing("am") as spoken, kit.intake.hearing("am") as too:
        taking = asyncio.create_task(kit.take(alert("a") | large, alert("b"), {"x": 1}, repeats=["a", "b", ""]))
        await asyncio.sleep(0)
        with kit.intake.hearing("am") as late:  # of what is on its way it hears too
            assert (spoken, too, late) == ({"a", "b"}, {"a", "b"}, {"a", "b"})
        await taking
        await kit.take(alert("c"), repeats=["c"], source="other")
        with kit.intake.hearing("am") as later:
            assert (spoken, later) == ({"a", "b"}, set())
    await kit.take(alert("d"), repeats=["d"])
    assert spoken == {"a", "b"}
    kit.store.writer.close()


async def test_what_could_not_be_taken_is_not_on_its_way(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.store, "submit", _fails)
    with pytest.raises(errors.Unavailable):
        await kit.take(alert("a"), repeats=["a"])
    with kit.intake.hearing("am") as spoken:
        assert spoken == set()


async def _fails(_unit: Any) -> Any:
    raise errors.Unavailable(reason="x")
