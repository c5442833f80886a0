"""What events are: the same where they say the same, whatever they came with."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from healer.intake import digests
from healer.store import journal

EVENT: dict[str, Any] = {"payload": {"id": 1, "name": "ü"}, "alert": {"key": "k"}}


def alone(value: Any) -> str:
    return digests.alone(value, b"", True)


@pytest.mark.parametrize("more", [{}, {"group": {"sent": 1}}, {"group": {"sent": 2}}, {"group": None}])
def test_what_it_came_with_does_not_count(more: Any) -> None:
    assert alone(EVENT | more) == hashlib.sha256(orjson.dumps(EVENT)).hexdigest()


@pytest.mark.parametrize("more", [{"payload": {"id": 2}}, {"alert": {"key": "l"}}, {"more": 1}])
def test_all_else_does(more: Any) -> None:
    assert alone(EVENT | more) != alone(EVENT)


def test_of_a_large_one_its_bytes_count() -> None:
    assert digests.alone({"alert": {}}, b"xyz", False) == hashlib.sha256(b"xyz").hexdigest()


def test_of_a_delivery_all_of_its_events_count() -> None:
    rows = [journal.Row("event", "s", body) for body in (b"a", b"b")]
    assert digests.of_rows(rows) == hashlib.sha256(b"a\nb").hexdigest()
    assert digests.of_rows(rows[:1]) == hashlib.sha256(b"a").hexdigest()
