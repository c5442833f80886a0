"""What a check gives is looked into before anything follows from it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from healer import plugins


class Checked(plugins.Check):
    """A check that gives what the test says."""

    def __init__(self, given: Any) -> None:
        self.given = given

    async def look(self) -> Any:
        return self.given

    def subject(self) -> str:
        return "it"


async def looked(given: Any) -> plugins.Reading:
    return await plugins.look(Checked(given))


@pytest.mark.parametrize("value", [None, 0, 3, 93.4, -1e300, 2**62])
async def test_a_reading_that_is_one_comes_through(value: Any) -> None:
    given = plugins.Reading(True, value, "93.4 % full, the limit is 90")
    assert await looked(given) == given


@pytest.mark.parametrize(("given", "said"), [
    (None, "a check gives a plugins.Reading, got NoneType"),
    (plugins.Reading("false", 1.0, "x"), "ok of a reading is true or false, got 'false'"),  # type: ignore[arg-type]
    (plugins.Reading(1, 1.0, "x"), "ok of a reading is true or false, got 1"),  # type: ignore[arg-type]
    (plugins.Reading(True, "93", "x"), "value of a reading is a finite number or None, got '93'"),  # type: ignore[arg-type]
    (plugins.Reading(True, True, "x"), "value of a reading is a finite number or None, got True"),
    (plugins.Reading(True, math.nan, "x"), "value of a reading is a finite number or None, got nan"),
    (plugins.Reading(True, -math.inf, "x"), "value of a reading is a finite number or None, got -inf"),
    (plugins.Reading(True, 10**400, "x"), "value of a reading is a finite number or None, got a number of 1329 bits"),
    (plugins.Reading(True, 1.0, 5), "detail of a reading is a text, got 5"),  # type: ignore[arg-type]
])  # fmt: skip
async def test_what_is_no_reading_is_a_mistake_of_the_check(given: Any, said: str) -> None:
    with pytest.raises(TypeError) as told:
        await looked(given)
    assert str(told.value) == said


async def test_a_detail_is_bounded_and_can_be_kept() -> None:
    long = await looked(plugins.Reading(True, 1.0, "ä" * 5_000_000))
    assert (len(long.detail.encode()), long.detail[-2:]) == (4095, "ä…")
    assert (await looked(plugins.Reading(True, 1.0, "x" * 4096))).detail == "x" * 4096
    assert (await looked(plugins.Reading(True, 1.0, "a\ud800"))).detail == "a?"
