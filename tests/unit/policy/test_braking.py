"""The brakes: rates, breakers, the blast radius, the storm; each at its exact boundaries, with the moment of the next look."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import policy
from healer.policy import answers, brakes, braking, gates, limits, reasons

S = 1_000_000
NOW = 10_000 * S
PLAIN = policy.Candidate("r-1", "a/b/c", "clean", "here", ("host:a",), NOW, policy.Limits())


def asked(
    gate: answers.Gate, view: policy.View, candidate: dict[str, Any] | None = None, **more: Any
) -> list[answers.No]:
    made = dataclasses.replace(PLAIN, limits=policy.Limits(**more), **(candidate or {}))
    return gate(made, view, NOW)[1]


def ago(*seconds: float) -> tuple[int, ...]:
    return tuple(NOW - round(one * S) for one in seconds)


# --- rate -------------------------------------------------------------------------------------------------------------------

RATE = limits.Rate("policy:x", 2, 60)


@pytest.mark.parametrize(("spent", "again_s"), [
    ((), None), (ago(0), None), (ago(0, 10), 50), (ago(10, 0), 50), (ago(0, 59.999999), 0.000001), (ago(0, 60), None), (ago(60, 61), None),
    (ago(1, 2, 30), 58),  # a limit that was narrowed: so many have to go that there is a place
    (ago(-5, -6), 65),  # a clock that a restart set back
])  # fmt: skip
def test_a_place_is_free_once_so_few_are_within_its_time(spent: tuple[int, ...], again_s: float | None) -> None:
    noes = asked(braking.rate, policy.View(spent={"policy:x": spent}), rates=(RATE,))
    assert [(no.code, no.look_at_us) for no in noes] == (
        [] if again_s is None else [("rate_limited", NOW + round(again_s * S))]
    )
    if again_s is not None:
        then = NOW + round(again_s * S)
        made = dataclasses.replace(PLAIN, limits=policy.Limits(rates=(RATE,)))
        seen = policy.View(spent={"policy:x": spent})
        assert braking.rate(made, seen, then)[1] == []
        assert braking.rate(made, seen, then - 1)[1] != []


def test_each_rate_is_asked_and_the_last_to_have_a_place_is_waited_for() -> None:
    other = limits.Rate("action:clean", 1, 600)
    view = policy.View(spent={"policy:x": ago(1, 2), "action:clean": ago(5)})
    made = dataclasses.replace(PLAIN, limits=policy.Limits(rates=(RATE, other)))
    decision = policy.decide(made, view, NOW)
    assert (decision.state, decision.reason, decision.look_at_us) == ("deferred", "rate_limited", NOW + 595 * S)
    assert decision.sentence == "1 of 1 runs in 10 min used (the action clean)."


def test_who_has_its_place_is_not_stopped_by_it() -> None:
    view = policy.View(spent={"policy:x": ago(1, 2)}, reserved=frozenset({"policy:x"}))
    assert asked(braking.rate, view, rates=(RATE,)) == []
    view = dataclasses.replace(view, spent={"policy:x": ago(1, 2), "policy:y": ago(1)})
    (no,) = asked(braking.rate, view, rates=(RATE, limits.Rate("policy:y", 1, 60)))
    assert no.fields["budget"] == "the policy y"


@pytest.mark.parametrize(("budget", "said"), [
    ("policy:at night", "the policy at night"), ("ruleset:a/b", "the policy of a/b"), ("rule:a/b/c", "the policy of a/b/c"),
    ("action:clean", "the action clean"), ("default:clean", "clean, by default"), ("of_later", "of_later"), ("of_later:x", "of_later:x"),
    ("policy:a:b", "the policy a:b"),
])  # fmt: skip
def test_a_budget_is_named_as_people_wrote_it(budget: str, said: str) -> None:
    assert answers.budget_in_words(budget) == said


# --- breaker ----------------------------------------------------------------------------------------------------------------

BREAKER = limits.Breaker(failures=3, within_s=60, retry_after_s=30)


@pytest.mark.parametrize(("failed", "opened"), [
    ((), None), (ago(2, 1), None), (ago(60, 30, 0), 0), (ago(60.000001, 30, 0), None), (ago(90, 80, 70, 5), 5), (ago(200, 150, 100, 50, 0), None),
    (ago(300, 299, 298), 298), (ago(300, 299, 298, 100, 50), 50),
])  # fmt: skip
def test_it_opens_with_so_many_failures_in_its_time_and_anew_with_each_that_follows(
    failed: tuple[int, ...], opened: float | None
) -> None:
    assert brakes.Failures(failed).opened_us(BREAKER) == (None if opened is None else ago(opened)[0])


@pytest.mark.parametrize(("last", "trial", "look_s"), [
    (0, "", 30), (29.999999, "", 0.000001), (30, "", None), (31, "", None), (31, "r-9", 60), (0, "r-9", 30),
])  # fmt: skip
def test_after_a_time_one_trial_is_let_go(last: float, trial: str, look_s: float | None) -> None:
    view = policy.View(failures=brakes.Failures(ago(last + 2, last + 1, last)), trial=trial)
    noes = asked(braking.breaker, view, breakers=(BREAKER,))
    assert [(no.code, no.look_at_us) for no in noes] == (
        [] if look_s is None else [("breaker_open", NOW + round(look_s * S))]
    )


def test_each_breaker_is_asked_and_the_last_trial_is_waited_for() -> None:
    view = policy.View(failures=brakes.Failures(ago(3, 2, 1)))
    made = dataclasses.replace(PLAIN, limits=policy.Limits(breakers=(BREAKER, limits.Breaker(2, 60, 90))))
    decision = policy.decide(made, view, NOW)
    assert (decision.reason, decision.look_at_us) == ("breaker_open", NOW + 89 * S)
    assert decision.sentence == "clean on here stopped after 3 failures in 60 s; one trial in 89 s."
    assert asked(braking.breaker, view, breakers=(limits.Breaker(4, 60, 30),)) == []


def after(*steps: str) -> brakes.Failures:
    """What becomes of a breaker a second after another."""
    made = brakes.Failures()
    for second, step in enumerate(steps):
        made = (
            made.failed(NOW + second * S, (BREAKER,))
            if step == "bad"
            else made.succeeded((BREAKER,), verified=step == "verified")
        )
    return made


@pytest.mark.parametrize(("steps", "is_open"), [
    ("bad bad", False), ("bad bad bad", True), ("bad bad good bad", True), ("bad bad bad verified", False), ("bad bad bad good", True),
    ("bad bad bad good good", False), ("bad bad bad good bad good", True), ("bad bad bad good bad good good", False),
    ("bad bad bad good verified", False), ("bad bad verified bad", True), ("bad bad bad verified bad bad", False),
    ("bad bad bad verified bad bad bad", True),
])  # fmt: skip
def test_a_verified_success_closes_it_or_the_second_that_nothing_verified(steps: str, is_open: bool) -> None:
    assert after(*steps.split()).is_open((BREAKER,)) is is_open


def test_each_success_that_nothing_verified_counts_and_a_failure_starts_anew() -> None:
    assert after("bad", "bad", "bad", "good") == brakes.Failures(tuple(NOW + second * S for second in range(3)), good=1)
    assert after("bad", "bad", "bad", "good", "bad").good == 0
    assert after("bad", "bad", "bad", "good", "good") == after("bad", "bad", "bad", "verified") == brakes.Failures()


def test_while_it_is_closed_what_is_too_old_is_forgotten() -> None:
    made = brakes.Failures(ago(130, 60.000001, 60)).failed(NOW, (BREAKER,))
    assert made.at_us == ago(60, 0)
    assert brakes.Failures(ago(100, 0.5)).failed(NOW, ()).at_us == ago(0)


def test_it_stays_open_however_often_its_trials_fail() -> None:
    made = after("bad", "bad", "bad")
    for trial in range(1, 2 * brakes.FAILURES_MAX):
        made = made.failed(NOW + trial * 3600 * S, (BREAKER,))
    assert len(made.at_us) == brakes.FAILURES_MAX
    assert made.opened_us(BREAKER) == NOW + trial * 3600 * S


# --- blast radius -----------------------------------------------------------------------------------------------------------


def blast(
    budget: str = "policy:x", count: int | None = None, percent: float | None = 20.0, **more: Any
) -> limits.Blast:
    made = {"within_s": 3600, "at_least": 1, "otherwise": 5, "of": ""} | more
    return limits.Blast(budget, count=count, percent=None if count is not None else percent, **made)


def touched(budget: str, *names: str) -> policy.View:
    return policy.View(touched={budget: frozenset(f"host:{name}" for name in names)})


WEB = {"groups": {"host:a": ("web",)}, "sizes": {"web": 10}}


@pytest.mark.parametrize(("view", "candidate", "own", "no"), [
    (touched("policy:x@web"), WEB, blast(), False),
    (touched("policy:x@web", "b"), WEB, blast(), False),
    (touched("policy:x@web", "b", "c"), WEB, blast(), True),
    (touched("policy:x@web", "b", "c"), {**WEB, "sizes": {"web": 15}}, blast(), False),
    (touched("policy:x@web", "b", "c"), {**WEB, "sizes": {"web": 14}}, blast(), True),  # rounded down
    (touched("policy:x@web"), {**WEB, "sizes": {"web": 2}}, blast(), False),  # at_least
    (touched("policy:x@web"), {**WEB, "sizes": {"web": 2}}, blast(at_least=0), True),
    (touched("policy:x@web", "b", "c", "d"), WEB, blast(at_least=4), False),
    (touched("policy:x@web", "a", "b"), WEB, blast(), False),  # touched already: it is not one more
    (touched("policy:x@web", "a", "b", "c"), WEB, blast(), False),
    (touched("policy:x@"), {}, blast(), False), (touched("policy:x@", *"bcde"), {}, blast(), False), (touched("policy:x@", *"bcdef"), {}, blast(), True),
    (touched("policy:x@"), {}, blast(otherwise=0), True),
    (touched("policy:x", *"bc"), WEB, blast(count=3), False), (touched("policy:x", *"bcd"), WEB, blast(count=3), True),
    (touched("policy:x"), WEB, blast(count=0), True),
    (touched("policy:x@db", *"bc"), {"sizes": {"db": 15}}, blast(of="db"), False), (touched("policy:x@db", *"bcd"), {"sizes": {"db": 15}}, blast(of="db"), True),
    (touched("policy:x@db"), {}, blast(of="db"), False),  # a group that nobody knows: at_least
])  # fmt: skip
def test_so_many_targets_of_a_group(view: policy.View, candidate: dict[str, Any], own: limits.Blast, no: bool) -> None:
    noes = asked(braking.blast_radius, view, candidate, blasts=(own,), approval_expires_s=1800)
    assert [(one.code, one.look_at_us) for one in noes] == ([("blast_radius", NOW + 1800 * S)] if no else [])


def test_every_group_of_a_target_has_to_permit_it() -> None:
    both = {"groups": {"host:a": ("all", "web", "eu")}, "sizes": {"web": 100, "eu": 5}}
    assert asked(braking.blast_radius, policy.View(), both, blasts=(blast(),)) == []
    (no,) = asked(braking.blast_radius, touched("policy:x@eu", "z"), both, blasts=(blast(),))
    assert (no.fields["group"], no.fields["n"], no.fields["more"], no.fields["limit"]) == ("eu", 1, 1, 1)
    assert reasons.sentence(no.code, no.fields) == "1 of eu already touched in 60 min, and this would add 1; limit 1."


def test_several_targets_count_together() -> None:
    two = {"targets": ("host:a", "host:b"), "groups": {"host:a": ("web",), "host:b": ("web",)}, "sizes": {"web": 10}}
    assert asked(braking.blast_radius, policy.View(), two, blasts=(blast(),)) == []
    (no,) = asked(braking.blast_radius, touched("policy:x@web", "c"), two, blasts=(blast(),))
    assert no.fields["more"] == 2
    (no,) = asked(braking.blast_radius, touched("policy:x@web", "b", "c"), two, blasts=(blast(),))
    assert no.fields["more"] == 1
    apart = {**two, "groups": {"host:a": ("web",), "host:b": ("db",)}, "sizes": {"web": 1, "db": 1}}
    assert asked(braking.blast_radius, policy.View(), apart, blasts=(blast(),)) == []


def test_a_target_that_is_left_out_is_not_touched() -> None:
    made = dataclasses.replace(
        PLAIN, targets=("host:a", "host:b"), limits=policy.Limits(cooldown_s=600, blasts=(blast(count=1),))
    )
    decision = policy.decide(made, policy.View(last_ended={"host:b": (NOW, "r-0")}), NOW)
    assert (decision.state, list(decision.left_out)) == ("queued", ["host:b"])
    assert policy.decide(made, policy.View(), NOW).reason == "blast_radius"


@pytest.mark.parametrize(
    "seen", [{"reserved": frozenset({"policy:x"})}, {"approved": True, "approved_for": "blast_radius"}]
)
def test_who_has_its_part_or_a_persons_word_passes(seen: dict[str, Any]) -> None:
    assert asked(braking.blast_radius, policy.View(**seen), blasts=(blast(count=0),)) == []
    assert len(asked(braking.blast_radius, policy.View(), blasts=(blast(count=0),))) == 1


def test_a_part_of_one_budget_is_none_of_another() -> None:
    view = policy.View(reserved=frozenset({"policy:x"}))
    assert len(asked(braking.blast_radius, view, blasts=(blast(count=0), blast("policy:y", count=0)))) == 1


# --- storm ------------------------------------------------------------------------------------------------------------------

STORM = brakes.StormLimit(matches=200, within_s=60, calm_s=300)


def storm_of(*counts: tuple[int, int]) -> brakes.Storm | None:
    """After so many matches at these seconds."""
    made: brakes.Storm | None = None
    for second, count in counts:
        made = brakes.storm_after(made, STORM, count, second * S)
    return made


@pytest.mark.parametrize(("counts", "since", "last", "peak"), [
    ([(0, 201)], 0, 0, 201), ([(0, 201), (5, 250), (9, 220)], 0, 9, 250), ([(0, 201), (5, 200)], 0, 0, 201),
    ([(0, 201), (299, 201)], 0, 299, 201), ([(0, 201), (300, 202)], 300, 300, 202), ([(0, 300), (100, 201), (399, 201)], 0, 399, 300),
])  # fmt: skip
def test_a_storm_lasts_until_it_was_calm_for_so_long(counts: Any, since: int, last: int, peak: int) -> None:
    assert storm_of(*counts) == brakes.Storm(since * S, last * S, peak)


def test_so_many_as_the_limit_are_no_storm() -> None:
    assert storm_of((0, 200), (1, 1)) is None


@pytest.mark.parametrize(("last_s", "no"), [(0, True), (299.999999, True), (300, False), (301, False)])
def test_nothing_starts_until_it_is_calm(last_s: float, no: bool) -> None:
    (last_us,) = ago(last_s)
    view = policy.View(storm=brakes.Storm(ago(900)[0], last_us, 2114), storm_limit=STORM)
    noes = asked(braking.storm, view)
    assert [(one.code, one.look_at_us) for one in noes] == ([("storm", last_us + 300 * S)] if no else [])
    for one in noes:
        assert reasons.sentence(one.code, one.fields) == "2114 matches in 60 s; no new runs until calm for 5 min."


def test_without_a_limit_there_is_no_storm() -> None:
    assert asked(braking.storm, policy.View(storm=brakes.Storm(NOW, NOW, 9))) == []
    assert asked(braking.storm, policy.View(storm_limit=STORM)) == []


@pytest.mark.parametrize(("running", "ended", "goes"), [
    (0, 0, True), (1, 0, False), (0, 1, True), (1, 1, True), (2, 1, False), (3, 3, True), (4, 3, False),
])  # fmt: skip
def test_what_comes_back_makes_room_for_two_by_ending(running: int, ended: int, goes: bool) -> None:
    noes = gates.lock(PLAIN, policy.View(ramps=(brakes.Ramp("the storm", running, ended),)), NOW)[1]
    assert [no.fields for no in noes] == (
        [] if goes else [{"used": running, "limit": 1 + ended, "place": "the ramp after the storm"}]
    )


# --- approval ---------------------------------------------------------------------------------------------------------------


def test_what_has_to_be_approved_waits_for_a_person() -> None:
    wanted = (
        limits.Approval((limits.Threshold("on call", ("oncall",), 2, 1), limits.Threshold("boss", ("admin",), 1, 1))),
    )
    view = policy.View(wall_us=0)
    (no,) = asked(gates.approval, view, approvals=wanted, approval_expires_s=60)
    assert (no.code, no.look_at_us) == ("needs_approval", NOW + 60 * S)
    assert reasons.sentence(no.code, no.fields) == "Waiting for 1 of on call or boss until 1970-01-01T00:01:00Z."
    assert asked(gates.approval, policy.View(approved=True), approvals=wanted) == []
    assert asked(gates.approval, view) == []
    (no,) = asked(gates.approval, view, approvals=wanted, approval_expires_s=None)
    assert (no.look_at_us, no.fields["until"]) == (None, "a person decides")
