"""The short way in: small events that come at the same time are one unit of the store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from healer import errors, intake
from healer.store import journal

S = 1_000_000


def alert(key: str = "k") -> dict[str, Any]:
    return {"alert": {"key": key, "status": "firing"}}


async def test_by_the_short_way_goes_what_is_small_and_new(kit: Any) -> None:
    most, take = b"x" * journal.INLINE_MAX, kit.short_way
    first = kit.row({}, most, meta='{"a":1}', raw=most, repeat="w")
    assert await take(first, kit.row({}), kit.row({}, repeat="w")) == [1, 2, 0]
    for long in (kit.row({}, repeat="w"), kit.row({}, raw=most + b"x"), kit.row({}, most + b"x")):
        assert await take(kit.row({}), long) == [kit.store.writer.tx.last_seq, 0]
    kit.now_us += 61 * S
    assert await take(kit.row({}, repeat="w")) == [6]
    assert await kit.intake.take_one("am", {}, most, "key:ci") == 7
    assert await kit.intake.take_one("am", {}, most + b"x", "key:ci") == 0
    kit.intake.stopped = True
    assert await take(kit.row({}), kit.row({})) == [0, 0]
    assert await kit.intake.take_one("am", {}, b"{}", "key:ci") == 0
    first, *_ = kit.rows("SELECT source, body, actor, meta, raw, depth, raw_hash FROM journal ORDER BY seq")
    assert first == ("am", most, "key:ci", '{"a":1}', most, 0, None)


async def test_what_comes_together_is_one_unit_of_the_store(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    units, submit = [], kit.store.submit

    async def counted(unit: Any) -> Any:
        units.append(len(unit.rows))
        return await submit(unit)

    monkeypatch.setattr(kit.store, "submit", counted)
    assert await kit.short_way(*[kit.row({"n": n}) for n in range(5)]) == [1, 2, 3, 4, 5]
    assert units == [5]


async def test_one_that_cannot_be_written_keeps_no_other_from_it(kit: Any) -> None:
    half = kit.row(alert("b"), meta="\ud800", repeat="b")
    first, second, third = await kit.short_way(kit.row(alert("a"), repeat="a"), half, kit.row(alert("c")))
    assert (first, third) == (1, 2)
    assert isinstance(second, UnicodeEncodeError)
    assert [one[0] for one in kit.rows("SELECT seq FROM journal ORDER BY seq")] == [1, 2]
    assert (await kit.take(alert("b"), repeats=["b"])).accepted == 1  # its word was not said
    assert (await kit.take(alert("a"), repeats=["a"])).duplicates == 1


async def test_where_the_store_fails_each_is_told(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def full(_unit: Any) -> Any:
        tries.append(1)
        raise errors.StoreFull

    with monkeypatch.context() as during:
        during.setattr(kit.store, "submit", full)
        told = await kit.short_way(*[kit.row(alert(key), repeat=key) for key in "ab"])
    assert [type(one) for one in told] == [errors.StoreFull] * 2
    assert tries == [1]
    assert (await kit.take(alert("a"), repeats=["a"])).accepted == 1
    with kit.intake.hearing("am") as spoken:
        assert spoken == set()


async def test_who_brings_a_word_that_is_being_written_waits_for_it(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go, submit = asyncio.Event(), kit.store.submit

    async def slow(unit: Any) -> Any:
        await go.wait()
        return await submit(unit)

    monkeypatch.setattr(kit.store, "submit", slow)
    first = asyncio.create_task(kit.short_way(kit.row(alert("a"), repeat="w")))
    await asyncio.sleep(0)
    with kit.intake.hearing("am") as spoken:
        assert spoken == {"a"}
    assert await kit.short_way(kit.row(alert("a"), repeat="w")) == [0]
    second = asyncio.create_task(kit.take(alert("a"), repeats=["w"]))
    await asyncio.sleep(0)
    go.set()
    assert await first == [1]
    assert (await second).ids == ["e-1"]


async def test_what_is_given_up_while_it_is_written_is_told_to_who_waits(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_unit: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(kit.store, "submit", never)
    first = asyncio.create_task(kit.short_way(kit.row(alert("a"), repeat="w")))
    await asyncio.sleep(0)
    second = asyncio.create_task(kit.intake.take("am", [(alert("a"), None)], actor="x", repeats=["w"]))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(errors.Unavailable, match="could not be written"):
        await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_what_could_not_be_begun_leaves_nothing(kit: Any) -> None:
    with pytest.raises(TypeError), kit.intake.hearing("am"):
        kit.intake.begin(kit.row(alert("a"), repeat=["no text"]))
    with pytest.raises(AttributeError), kit.intake.hearing("am"):
        kit.intake.begin(kit.row(7, repeat="w"))
    assert kit.state() == (0, {}, {})


async def test_bytes_on_their_way_are_counted_until_they_are_on_disk(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "BYTES_IN_FLIGHT_MAX", 10)
    first, second = kit.row({}, b"12345", raw=b"123"), kit.row({}, b"12")
    assert kit.intake.begin(first)
    assert kit.intake.begin(second)
    assert not kit.intake.begin(kit.row({}, b"1"))
    assert not await kit.intake.take_one("am", {}, b"1", "key:ci")
    assert await kit.intake.write([first]) == [1]
    assert kit.intake.begin(third := kit.row({}, b"12345678"))
    assert await kit.intake.write([second, third]) == [2, 3]
    assert kit.state() == (0, {}, {})


async def test_words_that_could_not_be_written_are_not_on_their_way(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_unit: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as during:
        during.setattr(kit.store, "submit", fails)
        told = await kit.short_way(kit.row(alert("a"), repeat="a"), kit.row(alert("b")))
    assert [type(one) for one in told] == [ZeroDivisionError] * 2
    assert kit.state() == (0, {}, {})
