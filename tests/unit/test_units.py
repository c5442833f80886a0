"""Spans and sizes: what is taken, and what is wanted where it is not."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import units

Reader = Callable[[object], float]

_DURATIONS = [
    ("5 minutes", 300), ("1 minute", 60), (" 2 hours ", 7200), ("3 days", 259200), ("250 milliseconds", 0.25),
    ("5m", 300), ("1.5h", 5400), ("250ms", 0.25), ("0s", 0), ("2 d", 172800), ("1 second", 1),
]  # fmt: skip
_SIZES = [
    (0, 0), (1 << 70, 1 << 70), ("7", 7), ("7 B", 7), ("2 KB", 2000), ("100 MB", 10**8), (" 3GB ", 3 * 10**9),
    ("2KiB", 2048), ("2 MiB", 1 << 21), ("1 GiB", 1 << 30),
]  # fmt: skip
_NO_DURATIONS = ["", "5", "m", "-1s", "5M", "1.5 minutes", ".5s", "1e3s", "5 m x", "5 days x", 5, 5.0, None, True, []]
_NO_SIZES = ["", "MB", "-5", "1.5 MB", "5 mb", "5K", "1 TB", -1, 1.0, True, None, [1]]


@pytest.mark.parametrize(
    ("reader", "got", "wanted"),
    [(units.duration_s, *row) for row in _DURATIONS] + [(units.size_bytes, *row) for row in _SIZES],
)
def test_a_duration_in_seconds_and_a_size_in_bytes(reader: Reader, got: object, wanted: float) -> None:
    assert reader(got) == wanted


@pytest.mark.parametrize(
    ("reader", "got", "wanted"),
    [(units.duration_s, got, "a duration like '5 minutes' or '5m'") for got in _NO_DURATIONS]
    + [(units.size_bytes, got, "a size like '100 MB' or '2 MiB'") for got in _NO_SIZES],
)
def test_what_is_neither_says_what_was_wanted(reader: Reader, got: object, wanted: str) -> None:
    with pytest.raises(ValueError, match="is wanted") as caught:
        reader(got)
    assert str(caught.value) == f"{wanted} is wanted, got {got!r}"


@pytest.mark.parametrize("reader", [units.duration_s, units.size_bytes])
@hypothesis.given(text=st.text("0123456789. -mshdkKMGiBayu", max_size=12))
def test_any_text_is_a_number_or_a_value_error(reader: Reader, text: str) -> None:
    try:
        assert reader(text) >= 0
    except ValueError as error:
        assert str(error).endswith(f"got {text!r}")


@pytest.mark.parametrize(
    "text", ["9" * 400 + "s", "9" * 5000 + " days", "٣s", "٣ minutes", "1.٣s", "1" + "0" * 308 + "d"]
)
def test_a_duration_is_finite_and_written_in_our_digits(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^a duration (like '5 minutes' or '5m' is wanted|is at most 100 years), got '"
    ) as caught:
        units.duration_s(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text", ["9" * 5000, "9" * 5000 + " GiB", "٣", "٣ MB", "x" * 5000, {"k": "x" * 5000}, ["x"] * 5000]
)
def test_a_size_is_told_shortened_and_written_in_our_digits(text: object) -> None:
    with pytest.raises(ValueError, match=r"^a size like '100 MB' or '2 MiB' is wanted, got ") as caught:
        units.size_bytes(text)
    assert len(str(caught.value)) < 200


def test_a_large_size_is_taken() -> None:
    assert units.size_bytes("1" + "0" * 20 + " GB") == 10**29


@pytest.mark.parametrize("text", ["101 years", "36526 days", "99999999999999999 days", "9" * 300 + " seconds"])
def test_a_duration_has_an_end(text: str) -> None:
    with pytest.raises(ValueError, match=r"at most 100 years|is wanted"):
        units.duration_s(text)


def test_the_longest_duration_fits_into_microseconds() -> None:
    assert units.duration_s("36525 days") * 1_000_000 + 2**52 < 2**63
