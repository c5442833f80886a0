"""What is better left alone for now: settling, flapping, silences, windows, what another alert explains; each at its boundaries."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import answers, labels, leaving, limits, reasons

S = 1_000_000
NOW = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
PLAIN = policy.Candidate("r-1", "a/b/c", "clean", "here", ("host:a", "host:b"), NOW, policy.Limits(), lifecycle=True)
HOUR = 3600


def ago(*seconds: float) -> tuple[int, ...]:
    return tuple(NOW - round(one * S) for one in seconds)


def asked(gate: answers.Gate, view: dict[str, Any], candidate: dict[str, Any] | None = None, **more: Any) -> Any:
    made = dataclasses.replace(PLAIN, limits=policy.Limits(**more), **(candidate or {}))
    return gate(made, policy.View(**view), NOW)[1]


# --- settle and flapping ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("opened", "settle_s", "again_s"), [
    (((0,),), 60, 60), (((59.999999,),), 60, 0.000001), (((60,),), 60, None), (((61,),), 60, None), (((0,),), 0, None), (((0,),), None, None),
    (((5000, 10),), 60, 50),  # of one that opens again the last opening counts
    (((30,), (10,)), 60, 50), (((30, 20), (10,)), 60, 50),  # and of several alerts that of the youngest
    ((), 60, None), (((), ()), 60, None),
])  # fmt: skip
def test_what_may_resolve_by_itself_is_given_its_time(
    opened: Any, settle_s: float | None, again_s: float | None
) -> None:
    noes = asked(leaving.settle, {"opened_us": tuple(ago(*one) for one in opened)}, settle_s=settle_s)
    assert [(no.code, no.look_at_us) for no in noes] == (
        [] if again_s is None else [("settling", NOW + round(again_s * S))]
    )


def test_what_has_no_alert_has_nothing_to_settle() -> None:
    assert asked(leaving.settle, {"opened_us": (ago(0),)}, {"lifecycle": False}, settle_s=60) == []


@pytest.mark.parametrize(("opened", "cycles", "count"), [
    ((ago(0, 1, 2, 3),), 4, 4), ((ago(0, 1, 2),), 4, None), ((ago(0, 1, 2, HOUR),), 4, None), ((ago(0, 1, 2, HOUR - 0.000001),), 4, 4),
    ((ago(0, 1, 2, 3, 4, 5),), 4, 6), ((ago(0, 1), ago(0, 1, 2)), 3, 3), ((ago(0, 1), ago(0, 1)), 3, None), ((), 2, None),
])  # fmt: skip
def test_an_alert_that_opens_too_often_is_a_persons(opened: Any, cycles: int, count: int | None) -> None:
    noes = asked(
        leaving.settle, {"opened_us": opened}, flapping=(limits.Flapping(cycles, HOUR),), approval_expires_s=1800
    )
    assert [(no.code, no.fields["n"], no.look_at_us) for no in noes] == (
        [] if count is None else [("flapping", count, NOW + 1800 * S)]
    )


def test_a_person_is_not_asked_before_it_had_its_time_to_resolve() -> None:
    view = {"opened_us": (ago(0, 1, 2),)}
    (no,) = asked(leaving.settle, view, settle_s=60, flapping=(limits.Flapping(2, HOUR),), approval_expires_s=1800)
    assert (no.code, reasons.sentence(no.code, no.fields)) == (
        "settling", "Waiting 60 s to see whether it resolves by itself.",
    )  # fmt: skip


def test_who_approved_is_not_asked_again_for_the_same() -> None:
    view = {"opened_us": (ago(0, 1, 2),), "approved": True}
    assert asked(leaving.settle, view, flapping=(limits.Flapping(2, HOUR),)) == []


# --- silences ---------------------------------------------------------------------------------------------------------------


def silence(*matchers: str, until_s: float = 60, name: str = "s-1") -> labels.Silence:
    return labels.Silence(
        name, tuple(map(labels.parse, matchers)), NOW - S, NOW + round(until_s * S), "ana", "release"
    )  # fmt: skip


LABELS = {"alertname": "DiskFull", "env": "prod", "source": "am"}


@pytest.mark.parametrize(("matchers", "covers"), [
    (("alertname=DiskFull",), True), (("alertname=DiskFull", "env=stage"), False), (("alertname=~Disk.*", "env!=stage"), True),
    (("gone=",), True), (("gone!=",), False), (("env=~pro",), False), (("env!~prod|stage",), False), (("source=am",), True),
    (("rule=c",), True), (("rule=a/b/c",), True), (("rule=b/c",), False), (("ruleset=b",), True), (("ruleset=a/b",), True),
    (("action=clean",), True), (("controller=there",), False), (("controller=here",), True), (("environment=dev",), True),
    (("target=b",), True), (("target=host:b",), True), (("target=~host:.*",), True), (("target!=b",), False), (("target!=z",), True),
])  # fmt: skip
def test_a_silence_covers_what_all_its_matchers_mean(matchers: tuple[str, ...], covers: bool) -> None:
    view = {"silences": (silence(*matchers),), "wall_us": NOW}
    noes = asked(leaving.silence, view, {"labels": LABELS, "environment": "dev"})
    assert [(no.code, no.look_at_us) for no in noes] == ([("silenced", NOW + 60 * S)] if covers else [])


@pytest.mark.parametrize(("matcher", "covers"), [
    ("rule=d/e", True), ("rule=a/b/c/d/e", True), ("rule=c/d/e", False), ("ruleset=c", True), ("ruleset=a/b/c", True), ("ruleset=b", False),
])  # fmt: skip
def test_a_silence_knows_names_with_slashes(matcher: str, covers: bool) -> None:
    view = {"silences": (silence(matcher),), "wall_us": NOW}
    assert bool(asked(leaving.silence, view, {"rule": "a/b/c/d/e", "names": ("a/b", "c", "d/e")})) is covers


@pytest.mark.parametrize(
    ("matcher", "covers"), [("target=fe80::1", True), ("target=host:fe80::1", True), ("target=1", False)]
)
def test_a_target_is_known_without_its_kind_however_it_is_called(matcher: str, covers: bool) -> None:
    view = {"silences": (silence(matcher),), "wall_us": NOW}
    assert bool(asked(leaving.silence, view, {"targets": ("host:fe80::1",)})) is covers


def test_of_several_silences_the_last_to_end_is_told() -> None:
    seen = tuple(silence("env=prod", until_s=at, name=f"s-{at}") for at in (60, 90, 30))
    (no,) = asked(leaving.silence, {"silences": seen, "wall_us": NOW}, {"labels": LABELS})
    assert (no.look_at_us, no.fields["id"]) == (NOW + 90 * S, "s-90")
    told = reasons.sentence(no.code, no.fields)
    assert told == "Silenced by ana until 2026-01-01T00:01:30Z: release."


@pytest.mark.parametrize("ahead_s", [-3600, 0, 3600])
def test_a_silence_goes_by_the_wall_clock_and_the_next_look_by_journal_time(ahead_s: int) -> None:
    wall_us = NOW + ahead_s * S
    seen = dataclasses.replace(silence("env=prod"), until_us=wall_us + 7 * S)
    (no,) = asked(leaving.silence, {"silences": (seen,), "wall_us": wall_us}, {"labels": LABELS})
    assert no.look_at_us == NOW + 7 * S


# --- windows ----------------------------------------------------------------------------------------------------------------

EVENING = limits.Windows(allow=(limits.Span((), 60, 120, "UTC"),))


@pytest.mark.parametrize("ahead_s", [-7200, 0])
def test_outside_of_its_windows_it_waits_for_the_next(ahead_s: int) -> None:
    (no,) = asked(leaving.silence, {"wall_us": NOW + ahead_s * S}, windows=(EVENING,))
    assert (no.code, no.look_at_us) == ("outside_window", NOW + (3600 - ahead_s) * S)
    assert reasons.sentence(no.code, no.fields) == "Not allowed now; next window 2026-01-01T01:00:00Z."


def test_all_windows_hold_and_the_last_to_open_is_waited_for() -> None:
    late = limits.Windows(block=(limits.Span((), 0, 300, "UTC"),))
    noes = asked(leaving.silence, {"wall_us": NOW}, windows=(EVENING, late))
    assert [no.look_at_us for no in noes] == [NOW + 3600 * S, NOW + 300 * 60 * S]
    assert asked(leaving.silence, {"wall_us": NOW + 5400 * S}, windows=(EVENING,)) == []


def test_a_window_that_is_over_for_good_says_so() -> None:
    past = limits.Windows(allow=(limits.Span((), 0, 1440, "UTC", "2020-01-01", "2020-01-02"),))
    (no,) = asked(leaving.silence, {"wall_us": NOW}, windows=(past,))
    assert (no.look_at_us, no.fields) == (None, {"far": True})
    assert reasons.sentence(no.code, no.fields) == "Not allowed now, and no window opens within a year."


# --- inhibition ---------------------------------------------------------------------------------------------------------------


def test_what_another_alert_explains_waits_for_its_end() -> None:
    assert asked(leaving.inhibition, {}) == []
    (no,) = asked(leaving.inhibition, {"inhibited_by": ("NodeDown of am", "Rack of am")})
    assert (no.code, no.look_at_us) == ("inhibited", None)
    assert reasons.sentence(no.code, no.fields) == "Explained by NodeDown of am, which is firing."
