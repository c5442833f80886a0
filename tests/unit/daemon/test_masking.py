"""What was resolved once is masked from then on, in whatever is said."""

from __future__ import annotations

from healer.daemon import masking


def test_each_value_that_was_resolved_is_masked() -> None:
    made = masking.Masking()
    assert (made.line("a t0ken-one"), made.values()) == ("a t0ken-one", [])
    made("env:A", "t0ken-one")
    made("file:b", "t0ken-two")
    made("env:A", "t0ken-one")
    assert made.line("t0ken-one and t0ken-two, 100 %") == "*** and ***, 100 %"
    assert made.values() == ["t0ken-one", "t0ken-two"]


def test_of_a_reference_the_last_value_counts() -> None:
    made = masking.Masking()
    made("env:A", "t0ken-one")
    made("env:A", "t0ken-new")
    assert made.line("t0ken-new t0ken-one") == "*** t0ken-one"
