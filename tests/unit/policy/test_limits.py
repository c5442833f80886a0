"""Limits under layers: the stricter value holds, whoever says it, every brake by itself; defaults fill what nobody names."""

from __future__ import annotations

import dataclasses
import decimal
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import policy
from healer.policy import limits
from healer.policy.limits import Layer

LIMITS = policy.Limits(max_age_s=900, defer_for_s=None, attempts=3, cooldown_s=600, timeout_s=60)
WINDOWS = {"allow": [{"days": (0, 1), "start_min": 420, "end_min": 1140, "timezone": "UTC"}], "block": []}
BLAST = {"within": 60, "count": None, "percent": 10.0, "at_least": 1, "or": 5, "of": ""}
APPROVAL = {
    "thresholds": [{"name": "one", "roles": ("approver",), "approve": 1, "reject": 1}],
    "exclude": ("requester",),
}


def test_without_a_layer_nothing_changes() -> None:
    assert LIMITS.under([]) == LIMITS


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"cooldown": 900.0}, {"cooldown_s": 900.0}), ({"cooldown": 5.0}, {"cooldown_s": 600}),
        ({"max_age": 10.0}, {"max_age_s": 10.0}), ({"max_age": 1e6}, {"max_age_s": 900}), ({"defer_for": 7.0}, {"defer_for_s": 7.0}),
        ({"attempts": 1}, {"attempts": 1}), ({"attempts": 9}, {"attempts": 3}), ({"timeout": 1.0}, {"timeout_s": 1.0}),
        ({"settle": 0.0}, {"settle_s": 0.0}), ({"settle": 60.0}, {"settle_s": 60.0}), ({"approval_expires": 9.0}, {"approval_expires_s": 9.0}),
        ({"concurrency": 2}, {"places": (("policy:x", 2),)}), ({"cooldown": None}, {}),
        ({"rate_limit": {"count": 3, "within": 60.0}}, {"rates": (limits.Rate("policy:x", 3, 60.0),)}),
        ({"breaker": {"failures": 3, "within": 60.0, "retry_after": 9.0}}, {"breakers": (limits.Breaker(3, 60.0, 9.0),)}),
        ({"blast_radius": BLAST}, {"blasts": (limits.Blast("policy:x", 60, None, 10.0, 1, 5, ""),)}),
        ({"blast_radius": {**BLAST, "of": "web"}}, {"blasts": (limits.Blast("policy:x", 60, None, 10.0, 1, 5, "web"),)}),
        ({"blast_radius": {**BLAST, "count": 7, "percent": None}}, {"blasts": (limits.Blast("policy:x", 60, 7, None, 1, 5, ""),)}),
        ({"flapping": {"cycles": 4, "within": 60.0}}, {"flapping": (limits.Flapping(4, 60.0),)}),
        ({"windows": WINDOWS}, {"windows": (limits.Windows((limits.Span((0, 1), 420, 1140, "UTC"),), ()),)}),
        ({"windows": {"block": WINDOWS["allow"]}}, {"windows": (limits.Windows((), (limits.Span((0, 1), 420, 1140, "UTC"),)),)}),
        ({"windows": {"allow": WINDOWS["allow"]}}, {"windows": (limits.Windows((limits.Span((0, 1), 420, 1140, "UTC"),)),)}),
        ({"approval": {**APPROVAL, "exclude": ("author",)}}, {"approvals": (limits.Approval((limits.Threshold("one", ("approver",), 1, 1),), ("author",)),)}),
        ({"approval": APPROVAL}, {"approvals": (limits.Approval((limits.Threshold("one", ("approver",), 1, 1),)),)}),
    ],
)  # fmt: skip
def test_a_layer_tightens_only(said: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = LIMITS.under([Layer("policy:x", said)])
    assert made == dataclasses.replace(LIMITS, selected=True, **wanted)


def test_defaults_fill_what_no_layer_names_be_it_looser_or_stricter() -> None:
    shipped = Layer("default", {"cooldown": 600, "attempts": 3, "timeout": 30, "flapping": {"cycles": 4, "within": 60}})
    own = Layer("action:x", {"cooldown": 5, "timeout": 99})
    made = policy.Limits().under([own], [shipped])
    assert (made.cooldown_s, made.attempts, made.timeout_s) == (5, 3, 99)
    assert made.flapping == (limits.Flapping(4, 60),)
    assert policy.Limits().under([], [shipped]).cooldown_s == 600
    assert not policy.Limits().under([], [shipped]).selected


def test_defaults_may_have_budgets_of_several_names() -> None:
    rate, blast = {"rate_limit": {"count": 3, "within": 60}}, {"blast_radius": BLAST}
    made = policy.Limits().under([], [Layer("default", blast), Layer("default:x", rate)])
    assert ([one.budget for one in made.rates], [one.budget for one in made.blasts]) == (["default:x"], ["default"])
    made = policy.Limits().under([Layer("policy:a", rate)], [Layer("default", blast), Layer("default:x", rate)])
    assert ([one.budget for one in made.rates], [one.budget for one in made.blasts]) == (["policy:a"], ["default"])


# --- properties -------------------------------------------------------------------------------------------------------------

SPAN = st.integers(1, 2000)
VALUES = st.fixed_dictionaries({}, optional={
    "cooldown": SPAN, "max_age": SPAN, "defer_for": SPAN, "attempts": SPAN, "timeout": SPAN, "settle": SPAN, "approval_expires": SPAN,
    "concurrency": SPAN, "rate_limit": st.fixed_dictionaries({"count": SPAN, "within": SPAN}),
    "breaker": st.fixed_dictionaries({"failures": SPAN, "within": SPAN, "retry_after": SPAN}),
    "flapping": st.fixed_dictionaries({"cycles": SPAN, "within": SPAN}),
    "blast_radius": st.fixed_dictionaries({
        "within": SPAN, "at_least": SPAN, "or": SPAN, "of": st.sampled_from(["", "web"]),
    } | {"count": st.none(), "percent": st.sampled_from([0.5, 20.0, 100.0])}) | st.fixed_dictionaries({
        "within": SPAN, "at_least": SPAN, "or": SPAN, "of": st.sampled_from(["", "web"]), "count": SPAN, "percent": st.none(),
    }),
    "windows": st.sampled_from([WINDOWS, {"allow": [], "block": WINDOWS["allow"]}]), "approval": st.just(APPROVAL),
})  # fmt: skip
BRAKES = ("places", "flapping", "windows", "rates", "breakers", "blasts", "approvals")


def layers(said: list[dict[str, Any]]) -> list[Layer]:
    return [Layer(f"policy:{number}", one) for number, one in enumerate(said)]


@hypothesis.given(st.lists(VALUES, max_size=4), st.randoms())
def test_the_order_of_layers_says_nothing(said: list[dict[str, Any]], random: Any) -> None:
    found = layers(said)
    turned = [*found]
    random.shuffle(turned)
    one, other = LIMITS.under(found), LIMITS.under(turned)
    none = dict.fromkeys(BRAKES, ())
    assert dataclasses.replace(one, **none) == dataclasses.replace(other, **none)
    for name in BRAKES:
        assert sorted(map(repr, getattr(one, name))) == sorted(map(repr, getattr(other, name)))


@hypothesis.given(st.lists(VALUES, max_size=3), VALUES)
def test_one_more_layer_never_permits_more(said: list[dict[str, Any]], more: dict[str, Any]) -> None:
    some, all_ = LIMITS.under(layers(said)), LIMITS.under(layers([*said, more]))
    for name in ("max_age_s", "defer_for_s", "attempts"):
        assert getattr(some, name) is None or getattr(all_, name) <= getattr(some, name)
    for name in ("cooldown_s", "settle_s"):
        assert (getattr(all_, name) or 0) >= (getattr(some, name) or 0)
    if any("timeout" in one for one in said):
        assert all_.timeout_s <= some.timeout_s
    for name in BRAKES:
        assert getattr(all_, name)[: len(getattr(some, name))] == getattr(some, name)


@hypothesis.given(st.lists(VALUES, max_size=3))
def test_a_row_keeps_them(said: list[dict[str, Any]]) -> None:
    made = LIMITS.under(layers(said))
    assert policy.Limits.from_json(made.as_json()) == made
    assert policy.Limits.from_json(json.loads(json.dumps(made.as_json()))) == made


def test_a_row_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert policy.Limits.from_json({"cooldown_s": 5, "of_later": [1]}) == policy.Limits(cooldown_s=5)


# --- the blast radius' share --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "percent", "at_least", "size", "wanted"), [
    (None, 20.0, 1, 4, 1), (None, 20.0, 1, 5, 1), (None, 20.0, 1, 9, 1), (None, 20.0, 1, 10, 2), (None, 20.0, 0, 4, 0), (None, 20.0, 3, 10, 3),
    (None, 100.0, 1, 7, 7), (None, 0.0, 1, 100, 1), (None, 0.0, 0, 100, 0), (None, 12.5, 1, 16, 2), (None, 29.0, 1, 100, 29),
    (None, 0.1, 1, 3000, 3), (None, 20.0, 2, 0, 2), (3, None, 9, 100, 3), (0, None, 1, 100, 0),
])  # fmt: skip
def test_a_share_is_rounded_down_but_never_below_at_least(
    count: int | None, percent: float | None, at_least: int, size: int, wanted: int
) -> None:
    assert limits.Blast("b", 60, count, percent, at_least, 5, "").limit(size) == wanted


@hypothesis.given(st.decimals(0, 100, places=3), st.integers(0, 100_000))
def test_a_share_is_exact_as_it_is_written(percent: decimal.Decimal, size: int) -> None:
    made = limits.Blast("b", 60, None, float(percent), 0, 5, "")
    assert made.limit(size) == int(percent * size / 100)


@pytest.mark.parametrize(("count", "of", "groups", "wanted"), [
    (None, "", ("web", "eu"), [("b@web", "web"), ("b@eu", "eu")]), (None, "", ("all", "ungrouped"), [("b@", "")]),
    (None, "", ("all", "web"), [("b@web", "web")]), (None, "", (), [("b@", "")]), (None, "web", ("eu",), [("b@web", "web")]),
    (5, "", ("web",), [("b", "")]), (5, "web", (), [("b@web", "web")]),
])  # fmt: skip
def test_which_budgets_a_target_counts_for(
    count: int | None, of: str, groups: tuple[str, ...], wanted: list[tuple[str, str]]
) -> None:
    assert limits.Blast("b", 60, count, None if count else 20.0, 1, 5, of).budgets(groups) == wanted
