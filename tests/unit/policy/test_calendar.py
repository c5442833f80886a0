"""Windows of people's time: days, hours, dates, over midnight, in time zones, when the clocks are put forward and back."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.policy import calendar
from healer.policy.limits import Span, Windows

S = 1_000_000
MINUTE = 60 * S
ALL_DAY = (0, 1440)
VIENNA = "Europe/Vienna"


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """Microseconds of a local time."""
    local = datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=fold)
    return round(local.timestamp() * S)


def span(
    hours: tuple[int, int] = ALL_DAY, days: tuple[int, ...] = (), zone: str = "UTC", dates: tuple[str, str] = ("", "")
) -> Span:
    return Span(days, hours[0], hours[1], zone, *dates)


def hm(text: str) -> tuple[int, int]:
    """Minutes of `07:00-19:00`."""
    first, last = ((int(one[:2]) * 60 + int(one[3:])) for one in text.split("-"))
    return first, last


@pytest.mark.parametrize(("windows", "when", "is_open"), [
    (Windows(), "2026-03-04T12:00", True),
    (Windows(allow=(span(hm("07:00-19:00")),)), "2026-03-04T06:59:59.999999", False),
    (Windows(allow=(span(hm("07:00-19:00")),)), "2026-03-04T07:00", True),
    (Windows(allow=(span(hm("07:00-19:00")),)), "2026-03-04T18:59:59.999999", True),
    (Windows(allow=(span(hm("07:00-19:00")),)), "2026-03-04T19:00", False),
    (Windows(allow=(span(hm("07:00-24:00")),)), "2026-03-04T23:59:59.999999", True),
    (Windows(allow=(span(days=(0, 1, 2, 3, 4)),)), "2026-03-06T23:59", True), (Windows(allow=(span(days=(0, 1, 2, 3, 4)),)), "2026-03-07T00:00", False),
    # over midnight: it is of the day on which it begins
    (Windows(allow=(span(hm("22:00-06:00"), (4,)),)), "2026-03-06T22:00", True), (Windows(allow=(span(hm("22:00-06:00"), (4,)),)), "2026-03-07T05:59", True),
    (Windows(allow=(span(hm("22:00-06:00"), (4,)),)), "2026-03-07T06:00", False), (Windows(allow=(span(hm("22:00-06:00"), (4,)),)), "2026-03-06T05:59", False),
    (Windows(allow=(span(hm("22:00-06:00"), (4,)),)), "2026-03-07T22:00", False),
    # a block beats what is allowed
    (Windows(block=(span(hm("12:00-13:00")),)), "2026-03-04T12:30", False), (Windows(block=(span(hm("12:00-13:00")),)), "2026-03-04T13:00", True),
    (Windows(allow=(span(),), block=(span(hm("12:00-13:00")),)), "2026-03-04T12:30", False),
    (Windows(allow=(span(hm("01:00-02:00")), span(hm("03:00-04:00")))), "2026-03-04T03:30", True),
    # dates, both ends with them
    (Windows(block=(span(dates=("2026-12-24", "2026-12-31")),)), "2026-12-23T23:59", True), (Windows(block=(span(dates=("2026-12-24", "2026-12-31")),)), "2026-12-24T00:00", False),
    (Windows(block=(span(dates=("2026-12-24", "2026-12-31")),)), "2026-12-31T23:59", False), (Windows(block=(span(dates=("2026-12-24", "2026-12-31")),)), "2027-01-01T00:00", True),
    (Windows(block=(span(hm("22:00-06:00"), dates=("2026-12-24", "2026-12-24")),)), "2026-12-25T05:59", False),
])  # fmt: skip
def test_when_runs_may_start(windows: Windows, when: str, is_open: bool) -> None:
    assert calendar.is_open(windows, at(when)) is is_open


@pytest.mark.parametrize(("zone", "when", "is_open"), [
    (VIENNA, "2026-03-04T06:00", True), (VIENNA, "2026-03-04T05:59", False), (VIENNA, "2026-07-04T05:00", True), (VIENNA, "2026-07-04T04:59", False),
    ("America/New_York", "2026-03-04T12:00", True), ("America/New_York", "2026-03-04T11:59", False), ("Asia/Kolkata", "2026-03-04T01:30", True),
    ("Asia/Kolkata", "2026-03-04T01:29", False), ("Pacific/Kiritimati", "2026-03-03T17:00", True), ("Pacific/Kiritimati", "2026-03-03T16:59", False),
])  # fmt: skip
def test_seven_is_seven_there(zone: str, when: str, is_open: bool) -> None:
    assert calendar.is_open(Windows(allow=(span(hm("07:00-19:00"), zone=zone),)), at(when)) is is_open


@pytest.mark.parametrize(("windows", "now", "opens"), [
    (Windows(allow=(span(hm("07:00-19:00")),)), "2026-03-04T20:00", "2026-03-05T07:00"),
    (Windows(allow=(span(hm("07:00-19:00")),)), "2026-03-04T06:59:59.999999", "2026-03-04T07:00"),
    (Windows(allow=(span(hm("07:00-19:00"), (0,)),)), "2026-03-04T20:00", "2026-03-09T07:00"),
    (Windows(allow=(span(hm("22:00-06:00")),)), "2026-03-04T06:00", "2026-03-04T22:00"),
    (Windows(block=(span(hm("22:00-06:00")),)), "2026-03-04T23:00", "2026-03-05T06:00"),
    (Windows(block=(span(hm("22:00-24:00")), span(hm("00:00-06:00")))), "2026-03-04T23:00", "2026-03-05T06:00"),
    (Windows(allow=(span(dates=("2026-12-24", "2026-12-24")),)), "2026-03-04T00:00", "2026-12-24T00:00"),
    (Windows(allow=(span(dates=("2028-01-01", "2028-01-01")),)), "2026-03-04T00:00", None),
    (Windows(block=(span(),)), "2026-03-04T00:00", None),
    (Windows(allow=(span(dates=("2020-01-01", "2020-12-31")),)), "2026-03-04T00:00", None),
    # where the day is still the one before, and already the one after
    (Windows(allow=(span(hm("20:00-20:10"), zone="Pacific/Honolulu"),)), "2026-03-05T05:00", "2026-03-05T06:00"),
    (Windows(allow=(span(hm("07:00-07:10"), zone="Pacific/Kiritimati"),)), "2026-03-04T16:00", "2026-03-04T17:00"),
    # the nearer of two zones, also where its day is another
    (Windows(allow=(span(hm("00:30-00:40"), zone="Pacific/Kiritimati"), span(hm("14:00-14:10"), zone="Pacific/Honolulu"))), "2026-03-04T10:45", "2026-03-05T00:00"),
    (Windows(allow=(span(hm("20:00-20:10"), zone="Pacific/Kiritimati"), span(hm("23:55-23:58"), zone="Pacific/Honolulu"))), "2026-03-04T09:57", "2026-03-05T06:00"),
])  # fmt: skip
def test_when_they_may_next(windows: Windows, now: str, opens: str | None) -> None:
    assert calendar.next_open_us(windows, at(now)) == (None if opens is None else at(opens))


# Vienna, 2026: on 29 March 02:00 becomes 03:00, on 25 October 03:00 becomes 02:00 again.
@pytest.mark.parametrize(("hours", "now", "opens"), [
    ("02:30-04:00", "2026-03-29T00:30", "2026-03-29T01:00"),  # there is no 02:30 that day: it opens as the clocks are put
    ("02:15-02:45", "2026-03-29T00:30", "2026-03-30T00:15"),  # nor any of this
    ("01:30-02:30", "2026-03-29T00:00", "2026-03-29T00:30"), ("03:00-04:00", "2026-03-29T00:59", "2026-03-29T01:00"),
    ("02:30-02:45", "2026-10-25T00:00", "2026-10-25T00:30"),  # and this there is twice
    ("02:30-02:45", "2026-10-25T00:45", "2026-10-25T01:30"), ("02:30-02:45", "2026-10-25T01:45", "2026-10-26T01:30"),
    ("01:00-02:15", "2026-10-25T00:20", "2026-10-25T01:00"), ("03:00-04:00", "2026-10-25T00:59", "2026-10-25T02:00"),
])  # fmt: skip
def test_the_clocks_are_put_forward_and_back(hours: str, now: str, opens: str) -> None:
    windows = Windows(allow=(span(hm(hours), zone=VIENNA),))
    assert not calendar.is_open(windows, at(now))
    assert calendar.next_open_us(windows, at(now)) == at(opens)


def test_an_hour_of_a_night_is_as_long_as_the_clocks_make_it() -> None:
    night = Windows(allow=(span(hm("22:00-06:00"), zone=VIENNA),))

    def minutes(day: str) -> int:
        noon = at(f"{day}T12:00")
        return sum(calendar.is_open(night, noon + minute * MINUTE) for minute in range(1440))

    assert (minutes("2026-03-27"), minutes("2026-03-28"), minutes("2026-10-24")) == (480, 420, 540)


ZONES = st.sampled_from(
    ["UTC", VIENNA, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Honolulu"]
)
SPANS = st.builds(
    lambda hours, days, zone: span(hours, tuple(sorted(days)), zone),
    st.tuples(st.sampled_from([0, 30, 90, 150, 420, 1300]), st.sampled_from([15, 60, 135, 180, 1000, 1440])).filter(lambda h: h[0] != h[1]),
    st.sets(st.integers(0, 6), max_size=3), ZONES,
)  # fmt: skip
DAYS = st.sampled_from(
    ["2026-03-28", "2026-03-07", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-06-10"]
)


@hypothesis.given(st.lists(SPANS, max_size=2), st.lists(SPANS, max_size=2), DAYS, st.integers(0, 2880 * 60))
@hypothesis.settings(max_examples=hypothesis.settings().max_examples * 3 // 2, deadline=None)
def test_the_next_opening_is_the_first_open_minute(allow: Any, block: Any, day: str, second: int) -> None:
    windows = Windows(tuple(allow), tuple(block))
    now = at(f"{day}T00:00") + second * S
    hypothesis.assume(not calendar.is_open(windows, now))
    first = now // MINUTE * MINUTE
    minutes = (first + minute * MINUTE for minute in range(1, 9 * 1440))
    wanted = next((one for one in minutes if calendar.is_open(windows, one)), None)
    found = calendar.next_open_us(windows, now)
    assert found == wanted or (wanted is None and (found is None or found >= first + 9 * 1440 * MINUTE))
