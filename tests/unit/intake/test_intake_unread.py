"""Parts of a delivery that could not be read: each is held once, however often it is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from healer import intake, store
from healer.store import letters

S = 1_000_000
BAD = {"status": 5}
WHY = "alerts[1].status: text is wanted, got a number"


class Kit:
    """An intake over a store in memory."""

    def __init__(self) -> None:
        self.now_us = 100 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.intake = intake.Intake(self.store, lambda: self.now_us, lambda: 0)

    async def take(self, *data: Any, unread: Any = ((BAD, WHY),), source: str = "am", **more: Any) -> tuple[int, ...]:
        """(accepted, duplicates, quarantined)"""
        taken = await self.intake.take(source, [(one, None) for one in data], actor="x", unread=unread, **more)
        return taken.accepted, taken.duplicates, taken.quarantined

    def held(self) -> list[str]:
        """The reasons of the rows that are for the quarantine."""
        metas = self.store.writer.tx.connection.execute("SELECT meta FROM journal ORDER BY seq")
        return [why for (meta,) in metas if (why := letters.unread(meta))]


@pytest.fixture
def kit() -> Iterator[Kit]:
    made = Kit()
    yield made
    made.store.writer.close()


async def test_a_part_is_a_duplicate_beside_events_with_ids_of_their_own(kit: Kit) -> None:
    named = {"deliveries": ("a", "b")}
    assert await kit.take({"x": 1}, {"x": 2}, **named) == (2, 0, 1)
    assert await kit.take({"x": 1}, {"x": 2}, **named) == (0, 3, 0)
    assert kit.held() == [WHY]


async def test_a_part_is_a_duplicate_beside_words_of_a_redundant_pair(kit: Kit) -> None:
    alert = {"alert": {"key": "k", "status": "firing"}}
    assert await kit.take(alert, repeats=["w"]) == (1, 0, 1)
    assert await kit.take(alert, repeats=["w"]) == (0, 2, 0)
    kit.now_us += 3600 * S  # the alert may come again then, and starts something; the part never does
    assert await kit.take(alert, repeats=["w"]) == (1, 1, 0)
    assert kit.held() == [WHY]


async def test_a_part_is_a_duplicate_where_nothing_else_came(kit: Kit) -> None:
    assert await kit.take() == (0, 0, 1)
    assert await kit.take(unread=((BAD, WHY), (BAD | {"x": 1}, "other"), (BAD, "alerts[2]: the same once more"))) == (
        0,
        2,
        1,
    )
    assert kit.held() == [WHY, "other"]


async def test_a_part_of_a_delivery_with_an_id_is_known_with_it(kit: Kit) -> None:
    whole = {"delivery": "d-1", "digest": "0" * 64}
    assert await kit.take({"x": 1}, **whole) == (1, 0, 1)
    assert await kit.take({"x": 1}, **whole) == (0, 2, 0)
    assert kit.held() == [WHY]


async def test_a_part_is_its_sources_own(kit: Kit) -> None:
    assert await kit.take() == await kit.take(source="other") == (0, 0, 1)
