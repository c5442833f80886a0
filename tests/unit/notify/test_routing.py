"""Who still hears of what they were told of."""

from __future__ import annotations

import pytest

from healer.notify import routing

ROUTES = routing.Routing(
    {"ops": frozenset({"failed", "deferred"})}, {"failed": 0}, ladder={"boss": frozenset({"failed"})}, after_us=1
)


@pytest.mark.parametrize(
    ("rung", "receiver", "news", "wanted"),
    [
        (0, "ops", "failed", True),
        (1, "ops", "failed", True),
        (0, "ops", "paused", False),
        (0, "ops", "deferred", False),
        (0, "boss", "failed", False),
        (1, "boss", "failed", True),
        (1, "boss", "paused", False),
        (0, "gone", "failed", False),
        (2, "gone", "failed", False),
    ],
)
def test_who_hears_at_once_and_who_what_others_left(rung: int, receiver: str, news: str, wanted: bool) -> None:
    """What has no time is told to nobody."""
    assert ROUTES.still(rung, receiver, news) is wanted
