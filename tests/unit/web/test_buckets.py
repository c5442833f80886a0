"""A token bucket never gives more than its rate and what was saved up, and says truly when there is one again."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from healer.web import buckets


def test_as_many_as_were_saved_up_then_evenly() -> None:
    bucket = buckets.Bucket(2, 8.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0, 4.0]
    assert bucket.take(3.0) == 1.0
    assert bucket.take(4.0) == 0.0
    assert bucket.take(4.0) == 4.0
    assert [bucket.take(1000.0) for _ in range(3)] == [0.0, 0.0, 4.0]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = buckets.Bucket(1, 1.0)
    assert [bucket.take(10.0), bucket.take(0.0), bucket.take(0.5)] == [0.0, 1.0, 0.5]


@hypothesis.given(
    st.integers(1, 50), st.floats(0.1, 100), st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=80)
)
def test_never_more_than_the_rate(count: int, within_s: float, gaps: list[float]) -> None:
    bucket, now, given = buckets.Bucket(count, within_s), 0.0, 0
    for gap in gaps:
        now += gap
        wait = bucket.take(now)
        given += wait == 0
        assert 0 <= wait <= within_s / count * (1 + 1e-9)
        assert given <= count + now * count / within_s + 1e-6
