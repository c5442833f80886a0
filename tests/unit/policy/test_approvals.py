"""What reviews come to: thresholds, the first word of a person, who may not say anything."""

from __future__ import annotations

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.policy import approvals
from healer.policy.limits import Approval, Threshold

ONE = Threshold("on call", ("oncall",), 1, 1)
TWO = Threshold("two of ops", ("ops",), 2, 1)


def words(*said: tuple[str, str, bool]) -> list[approvals.Review]:
    return [approvals.Review(person, tuple(roles.split()), yes) for person, roles, yes in said]


@pytest.mark.parametrize(
    ("asked", "said", "outcome"),
    [
        ((Approval((ONE,)),), [], "open"),
        ((Approval((ONE,)),), [("ana", "oncall", True)], "approved"),
        ((Approval((ONE,)),), [("ana", "oncall", False)], "rejected"),
        ((Approval((ONE,)),), [("ana", "ops", True)], "open"),
        ((Approval((TWO,)),), [("ana", "ops", True)], "open"),
        ((Approval((TWO,)),), [("ana", "ops", True), ("ana", "ops", True)], "open"),
        ((Approval((TWO,)),), [("ana", "ops", True), ("bo", "ops", True)], "approved"),
        ((Approval((TWO,)),), [("ana", "ops", True), ("bo", "ops", False)], "rejected"),
        ((Approval((TWO,)),), [("ana", "oncall ops", True), ("bo", "ops admin", True)], "approved"),
        ((Approval((TWO,)),), [("ana", "oncall ops", True), ("bo", "oncall admin", True)], "open"),
        ((Approval((TWO,)),), [("ana", "", True), ("bo", "", False)], "open"),
        ((Approval((ONE, TWO)),), [("ana", "oncall", True)], "approved"),
        ((Approval((ONE,)), Approval((TWO,))), [("ana", "oncall", True)], "open"),
        ((Approval((ONE,)), Approval((TWO,))), [("ana", "oncall", True), ("b", "ops", True), ("c", "ops", True)], "approved"),
        ((), [("ana", "approver", True)], "approved"),
        ((), [("ana", "operator", True)], "open"),
    ],
)  # fmt: skip
def test_what_reviews_come_to(asked: tuple[Approval, ...], said: list[tuple[str, str, bool]], outcome: str) -> None:
    assert approvals.outcome(asked, words(*said)) == outcome


def test_the_first_word_of_a_person_stands() -> None:
    assert (
        approvals.outcome((Approval((ONE,)),), words(("ana", "oncall", True), ("ana", "oncall", False))) == "approved"
    )


def test_who_asked_may_not_approve_unless_that_is_allowed() -> None:
    assert approvals.excluded((Approval((ONE,)),), {"key:ana"}, "key:ana")
    assert not approvals.excluded((Approval((ONE,)),), {"key:bo"}, "key:ana")
    assert not approvals.excluded((Approval((ONE,), exclude=()),), {"key:ana"}, "key:ana")


@pytest.mark.parametrize(("requester", "excluded"), [
    ("key:laptop = ana", True), ("os:ameier", True), ("key:laptop = bo", False), ("rule:x = ana", False), ("ana", True), ("", False),
])  # fmt: skip
def test_who_asked_by_whatever_way_may_not_approve(requester: str, excluded: bool) -> None:
    assert approvals.excluded((Approval((ONE,)),), {"ana", "key:phone = ana", "os:ameier"}, requester) is excluded


def test_who_has_a_say_and_what_is_missing() -> None:
    assert approvals.may_review((Approval((TWO,)),), ("oncall", "ops"))
    assert not approvals.may_review((Approval((TWO,)),), ("oncall", "admin"))
    said = words(
        ("ana", "ops", True),
        ("bo", "ops", False),
        ("cy", "oncall", True),
        ("dee", "oncall", True),
        ("ana", "ops", True),
    )
    assert approvals.missing((Approval((ONE, TWO)),), said) == [
        {"approval": 1, "name": "on call", "roles": ["oncall"], "have": 2, "want": 1, "reject": 1},
        {"approval": 1, "name": "two of ops", "roles": ["ops"], "have": 1, "want": 2, "reject": 1},
    ]
    assert [one["approval"] for one in approvals.missing((Approval((ONE,)), Approval((TWO, ONE))), said)] == [1, 2, 2]
    assert approvals.exclusions((Approval((ONE,)), Approval((TWO,), exclude=("author",)))) == ["author", "requester"]
    assert (approvals.exclusions(()), approvals.exclusions((Approval((ONE,), exclude=()),))) == (["requester"], [])


def test_where_nothing_says_who_it_is_an_approver_who_did_not_ask() -> None:
    assert approvals.may_review((), ("approver",))
    assert not approvals.may_review((), ("operator", "admin"))
    assert approvals.excluded((), {"key:ana"}, "key:ana")
    (only,) = approvals.missing((), [])
    assert (only["name"], only["roles"], only["have"], only["want"]) == ("one approver", ["approver"], 0, 1)


def test_one_approval_that_leaves_out_who_asked_does_so_for_all() -> None:
    asked = (Approval((ONE,), exclude=()), Approval((TWO,), exclude=("author", "requester")))
    assert approvals.excluded(asked, {"key:ana"}, "key:ana")
    assert not approvals.excluded((Approval((ONE,), exclude=("author",)),), {"key:ana"}, "key:ana")


def test_a_request_keeps_the_thresholds_of_its_moment() -> None:
    asked = (Approval((ONE, TWO), exclude=("requester", "author")),)
    assert approvals.from_json(json.loads(json.dumps(approvals.as_json(asked)))) == asked
    assert approvals.from_json(approvals.as_json(())) == approvals.SHIPPED


reviews = st.lists(
    st.builds(
        approvals.Review,
        st.sampled_from("abcd"),
        st.sampled_from([("oncall",), ("ops",), ("ops", "oncall"), ()]),
        st.booleans(),
    ),
    max_size=8,
)


@hypothesis.given(reviews, reviews)
def test_what_is_decided_no_later_word_changes_unless_it_rejects(
    first: list[approvals.Review], later: list[approvals.Review]
) -> None:
    asked = (Approval((ONE, TWO)),)
    before, after = approvals.outcome(asked, first), approvals.outcome(asked, first + later)
    if before == "rejected":
        assert after == "rejected"
    if before == "approved":
        assert after in ("approved", "rejected")
