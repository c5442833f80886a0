"""Ids of deliveries and words of pairs at the same time: what was not taken was not said, and what is known stays known."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from healer import errors, intake
from healer.store import journal

S = 1_000_000
RAW = b"the body of the request"


def alert(key: str, status: str = "firing") -> dict[str, Any]:
    return {"alert": {"key": key, "status": status}}


def told(taken: intake.Accepted) -> Any:
    return taken.accepted, taken.duplicates, taken.ids


async def test_what_was_not_taken_since_its_id_was_anothers_was_not_said(kit: Any) -> None:
    await kit.take(alert("a"), repeats=["a|firing"], delivery="1", digest="x")
    other = await kit.take(alert("a", "resolved"), repeats=["a|resolved"], delivery="1", digest="y")
    assert (other.conflict, told(other)) == (True, (0, 1, ["e-1"]))
    assert told(await kit.take(alert("a", "resolved"), repeats=["a|resolved"], delivery="2", digest="y")) == (
        1,
        0,
        ["e-2"],
    )


async def test_who_waits_for_a_word_that_is_not_taken_is_told_to_come_again(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kit.take(alert("a"), delivery="1", digest="x")
    go, submit = asyncio.Event(), kit.store.submit

    async def slow(unit: Any) -> Any:
        await go.wait()
        return await submit(unit)

    monkeypatch.setattr(kit.store, "submit", slow)
    refused = asyncio.create_task(kit.take(alert("b"), repeats=["b"], delivery="1", digest="y"))
    await asyncio.sleep(0)
    waits = asyncio.create_task(kit.intake.take("am", [(alert("b"), None)], actor="x", repeats=["b"]))
    await asyncio.sleep(0)
    go.set()
    assert (await refused).conflict
    with pytest.raises(errors.Unavailable, match="could not be written"):
        await waits


async def test_a_delivery_that_comes_again_says_nothing_anew(kit: Any) -> None:
    await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")
    kit.now_us += 59 * S
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")) == (0, 1, ["e-1"])
    kit.now_us += 59 * S
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")) == (0, 1, ["e-1"])
    kit.now_us += 2 * S
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="2", digest="x")) == (1, 0, ["e-2"])


@pytest.mark.parametrize("size", [10, journal.INLINE_MAX + 1])
async def test_of_a_delivery_that_a_pair_had_brought_in_part_no_others_ids_are_told(kit: Any, size: int) -> None:
    raw = b"x" * size
    await kit.take(alert("a"), repeats=["a"])
    first = await kit.take(alert("a"), alert("b"), repeats=["a", "b"], delivery="1", digest="x", raw=raw)
    assert told(first) == (1, 1, ["e-1", "e-2"])
    await kit.take(alert("z"), repeats=["z"], raw=b"another")
    kit.now_us += 62 * S
    again = await kit.take(alert("a"), alert("b"), repeats=["a", "b"], delivery="1", digest="x", raw=raw)
    assert told(again) == (0, 2, ["e-1", "e-2"])
    assert told(await kit.take(alert("b"), repeats=["b"])) == (1, 0, ["e-4"])


async def test_of_several_rows_each_keeps_its_own_id(kit: Any) -> None:
    both = [alert("a"), alert("b"), alert("c")]
    await kit.take(alert("a"), repeats=["a"])
    first = await kit.take(*both, repeats=["a", "b", "c"], delivery="1", digest="x", raw=RAW)
    assert first.ids == ["e-1", "e-2", "e-3"]
    await kit.take(alert("z"), alert("y"), raw=b"another")
    kit.now_us += 62 * S
    again = await kit.take(*both, repeats=["a", "b", "c"], delivery="1", digest="x", raw=RAW)
    assert (again.ids, again.accepted) == (first.ids, 0)


async def test_the_id_of_what_a_pair_had_brought_wholly_is_known_too(kit: Any) -> None:
    await kit.take(alert("a"), repeats=["a"])
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")) == (0, 1, ["e-1"])
    kit.now_us += 62 * S
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")) == (0, 1, ["e-1"])
    assert (await kit.take(alert("b"), delivery="1", digest="y")).conflict
    assert told(await kit.take(alert("a"), repeats=["a"])) == (1, 0, ["e-2"])


async def test_what_a_pair_had_brought_by_several_deliveries_is_told_as_it_was(kit: Any) -> None:
    await kit.take(alert("x"), alert("w"), repeats=["x", "w"], raw=RAW)
    await kit.take(alert("y"), repeats=["y"])
    first = await kit.take(alert("x"), alert("y"), repeats=["x", "y"], delivery="3", digest="x")
    kit.now_us += 63 * S
    again = await kit.take(alert("x"), alert("y"), repeats=["x", "y"], delivery="3", digest="x")
    assert told(first) == told(again) == (0, 2, ["e-1", "e-3"])


async def test_of_a_delivery_of_which_a_pair_said_a_part_meanwhile_no_others_id_is_told(kit: Any) -> None:
    await kit.take(alert("a"), repeats=["a"])
    await kit.take(alert("a"), alert("b"), alert("c"), repeats=["a", "b", "c"], delivery="1", digest="x")
    kit.now_us += 62 * S
    await kit.take(alert("a"), repeats=["a"])
    again = await kit.take(alert("a"), alert("b"), alert("c"), repeats=["a", "b", "c"], delivery="1", digest="x")
    assert told(again) == (0, 3, ["e-4", "e-2", "e-2"])


async def test_other_bytes_under_a_known_id_are_told_also_where_a_pair_had_brought_them(kit: Any) -> None:
    await kit.take(alert("z"), delivery="1", digest="z")
    await kit.take(alert("a"), repeats=["a"])
    assert (await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")).conflict
    assert kit.rows("SELECT seq, digest, positions FROM delivery") == [(1, "z", None)]
    [record] = [orjson.loads(text) for (text,) in kit.rows("SELECT record FROM audit")]
    wanted = {
        "kind": "delivery_conflict", "actor": "key:ci", "source": "am", "delivery": "1", "event": 1, "digest": "x",
    }  # fmt: skip
    assert {name: record[name] for name in wanted} == wanted
    assert not (await kit.take(alert("a"), repeats=["a"], delivery="2", digest="x")).conflict


async def test_a_word_twice_under_anothers_id_is_not_waited_for(kit: Any) -> None:
    await kit.take(alert("a"), delivery="1", digest="x")
    again = await kit.take(alert("b"), alert("b"), repeats=["b", "b"], delivery="1", digest="y")
    assert (again.conflict, told(again), again.positions) == (True, (0, 2, ["e-1"]), [0, 0])
    assert (await kit.take(alert("b"), repeats=["b"])).accepted == 1


async def test_parts_that_could_not_be_read_are_not_taken_under_anothers_id_either(kit: Any) -> None:
    await kit.take(alert("a"), delivery="1", digest="x")
    again = await kit.take(unread=[(7, "no object")], delivery="1", digest="y")
    assert (again.conflict, told(again), again.quarantined) == (True, (0, 1, ["e-1"]), 0)


async def test_an_events_own_id_counts_where_its_word_was_said(make_kit: Any) -> None:
    """The other one of a pair said it under another id: who repeats it later, once the word may come again, is known by theirs."""
    kit = make_kit()

    async def one(name: str, **more: Any) -> Any:
        return told(await kit.take(alert("a") | more, repeats=["a"], deliveries=[name]))

    assert [await one("A"), await one("B")] == [(1, 0, ["e-1"]), (0, 1, ["e-1"])]
    kit.now_us += 120 * S
    assert [await one("B"), await one("C")] == [(0, 1, ["e-1"]), (1, 0, ["e-2"])]
    taken = await kit.take(alert("a") | {"x": 1}, repeats=["a"], deliveries=["B"])
    assert (taken.conflict, taken.accepted) == (True, 0)
    kit.store.writer.close()
