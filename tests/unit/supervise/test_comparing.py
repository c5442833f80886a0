"""What one look at a sender leads to: closed, opened, heard of, left alone."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import model
from healer.supervise import comparing

S = 1_000_000
NOW = 1_000 * S
WALL = 5_000_000 * S
GRACE = 300 * S
NOTHING = comparing.Before()


def fires(
    key: str, *, told: bool = True, receivers: tuple[str, ...] = ("healer",), age_s: float | None = 3600
) -> model.Fires:
    since = None if age_s is None else WALL - round(age_s * S)
    return model.Fires((key, f"labels-of-{key}"), told, receivers, since, {})


def ours(**touched_s: float) -> dict[str, comparing.Ours]:
    """Open alerts by key: how many seconds before the question each was heard of."""
    return {key: comparing.Ours(True, NOW - round(ago_s * S)) for key, ago_s in touched_s.items()}


def look(
    theirs: list[model.Fires], known: dict[str, comparing.Ours], before: comparing.Before = NOTHING, **more: Any
) -> comparing.Found:
    asked = {"asked_us": NOW, "wall_us": WALL, "grace_us": GRACE, "sure": True, "receivers": ["healer"]} | more
    return comparing.compare(theirs, known, comparing.Asked(**asked), before)


def opened(found: comparing.Found) -> list[tuple[str, str]]:
    return [(one.keys[0], receiver) for one, receiver in found.missing]


def test_what_fires_no_more_is_closed_what_was_missed_opened_what_fires_on_both_heard_of() -> None:
    found = look([fires("both"), fires("missed")], ours(both=10, gone=10))
    assert (found.gone, opened(found), found.heard) == (["gone"], [("missed", "healer")], ["both"])
    assert (found.before, found.doubted) == (comparing.Before(), 0)


def test_an_alert_is_known_by_its_labels_too() -> None:
    found = look([fires("k")], ours(**{"labels-of-k": 10}))
    assert (found.gone, opened(found), found.heard) == ([], [], ["labels-of-k"])


@pytest.mark.parametrize(("ago_s", "gone"), [(0.000001, ["a"]), (0, []), (-5, [])])
def test_who_was_spoken_of_since_the_question_is_left_open(ago_s: float, gone: list[str]) -> None:
    assert look([], ours(a=ago_s)).gone == gone


def test_who_was_closed_since_the_question_is_not_opened_again() -> None:
    found = look([fires("a")], {"a": comparing.Ours(False, NOW + 1)})
    assert (opened(found), found.heard, found.gone, found.before.missing) == ([], [], [], frozenset())


def test_a_sender_that_is_not_sure_closes_nothing_and_opens_all_the_same() -> None:
    found = look([fires("missed")], ours(a=10, b=10), sure=False)
    assert (found.gone, opened(found), found.doubted) == ([], [("missed", "healer")], 0)
    assert found.before == comparing.Before()


@pytest.mark.parametrize("one", [
    fires("a", told=False), fires("a", receivers=()), fires("a", receivers=("mail",)),
])  # fmt: skip
def test_what_would_not_be_delivered_to_us_is_not_opened(one: model.Fires) -> None:
    found = look([one], {})
    assert (opened(found), found.before.missing) == ([], frozenset())


def test_what_is_silenced_there_fires_all_the_same() -> None:
    found = look([fires("a", told=False, receivers=("mail",))], ours(a=10))
    assert (found.gone, found.heard) == ([], ["a"])


def test_nobody_knows_a_receiver_of_ours() -> None:
    assert opened(look([fires("a")], {}, receivers=[])) == []


def test_the_first_receiver_that_is_ours_is_the_one_it_would_come_from() -> None:
    assert opened(look([fires("a", receivers=("mail", "second", "healer"))], {}, receivers=["healer", "second"])) == [
        ("a", "second")
    ]


@pytest.mark.parametrize("age_s", [299.9, 0, -3600, None])
def test_what_may_still_be_on_its_way_is_opened_when_it_is_missing_twice(age_s: float | None) -> None:
    first = look([fires("a", age_s=age_s)], {})
    assert (opened(first), first.before.missing) == ([], {"a"})
    second = look([fires("a", age_s=age_s)], {}, first.before)
    assert (opened(second), second.before.missing) == ([("a", "healer")], frozenset())
    assert opened(look([fires("a", age_s=300)], {})) == [("a", "healer")]


def test_more_than_half_of_many_are_closed_when_they_are_gone_twice() -> None:
    known = ours(a=10, b=10, c=10, d=10, e=10)
    first = look([fires("a"), fires("b")], known)
    assert (first.gone, first.doubted, first.before.gone) == ([], 3, {"c", "d", "e"})
    second = look([fires("a"), fires("c")], known, first.before)  # c is back, b has gone too
    assert (second.gone, second.doubted, second.before.gone) == (["d", "e"], 1, {"b"})
    third = look([fires("a"), fires("c")], ours(a=10, b=10, c=10), second.before)
    assert (third.gone, third.doubted) == (["b"], 0)


def test_a_doubt_is_forgotten_by_a_sender_that_is_not_sure() -> None:
    known = ours(a=10, b=10, c=10, d=10, e=10)
    first = look([], known)
    unsure = look([], known, first.before, sure=False)
    assert (first.doubted, unsure.gone, unsure.before.gone) == (5, [], frozenset())
    assert look([], known, unsure.before).gone == []


@pytest.mark.parametrize(
    ("open_", "gone", "closed"), [(4, 4, True), (5, 2, True), (5, 3, False), (6, 3, True), (6, 4, False), (1, 1, True)]
)
def test_what_counts_as_many(open_: int, gone: int, closed: bool) -> None:
    names = [f"k{n}" for n in range(open_)]
    found = look([fires(name) for name in names[gone:]], ours(**dict.fromkeys(names, 10)))
    assert (len(found.gone), found.doubted) == ((gone, 0) if closed else (0, gone))


KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])


@hypothesis.given(st.data())
def test_each_alert_has_one_fate(data: st.DataObject) -> None:
    theirs = [
        fires(key, told=data.draw(st.booleans()), age_s=data.draw(st.sampled_from([0, 3600])))
        for key in data.draw(st.sets(KEYS))
    ]
    known = {
        key: comparing.Ours(data.draw(st.booleans()), NOW + data.draw(st.sampled_from([-1, 0, 1])))
        for key in data.draw(st.sets(KEYS))
    }
    before = comparing.Before(frozenset(data.draw(st.sets(KEYS))), frozenset(data.draw(st.sets(KEYS))))
    found = look(theirs, known, before, sure=data.draw(st.booleans()))
    there, new = {one.keys[0] for one in theirs}, {key for key, _ in opened(found)}
    open_ = {key for key, one in known.items() if one.fires}
    assert {*found.heard} == there & open_
    assert {*found.gone} <= open_ - there
    assert new <= there - known.keys()
    assert all(known[key].touched_us < NOW for key in found.gone)
    assert not found.before.gone & {*found.gone}
