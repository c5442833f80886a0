"""Ids of deliveries and words of pairs at the same time: what was not taken was not said, and what is known stays known."""

from __future__ import annotations

import asyncio
from typing import Any

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
    assert told(again) == (0, 2, ["e-2", "e-2"])
    assert told(await kit.take(alert("b"), repeats=["b"])) == (1, 0, ["e-4"])


async def test_of_several_rows_each_keeps_its_own_id(kit: Any) -> None:
    both = [alert("a"), alert("b"), alert("c")]
    await kit.take(alert("a"), repeats=["a"])
    first = await kit.take(*both, repeats=["a", "b", "c"], delivery="1", digest="x", raw=RAW)
    assert first.ids == ["e-1", "e-2", "e-3"]
    await kit.take(alert("z"), alert("y"), raw=b"another")
    kit.now_us += 62 * S
    assert (await kit.take(*both, repeats=["a", "b", "c"], delivery="1", digest="x", raw=RAW)).ids == [
        "e-2",
        "e-3",
        "e-3",
    ]


async def test_the_id_of_what_a_pair_had_brought_wholly_is_known_too(kit: Any) -> None:
    await kit.take(alert("a"), repeats=["a"])
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")) == (0, 1, ["e-1"])
    kit.now_us += 62 * S
    assert told(await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")) == (0, 1, ["e-1"])
    assert (await kit.take(alert("b"), delivery="1", digest="y")).conflict
    assert told(await kit.take(alert("a"), repeats=["a"])) == (1, 0, ["e-2"])


async def test_an_id_that_is_known_stays_what_it_was(kit: Any) -> None:
    await kit.take(alert("z"), delivery="1", digest="z")
    await kit.take(alert("a"), repeats=["a"])
    await kit.take(alert("a"), repeats=["a"], delivery="1", digest="x")
    assert kit.rows("SELECT seq, digest FROM delivery") == [(1, "z")]
