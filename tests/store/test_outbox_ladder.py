"""What nobody answers: who is told next, and that nobody is told twice."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from told import ALL, ANA, MINUTE, ROUTES, S, asked_for, fail, messages, runs_in, sent

from healer import errors
from healer.store import answering, notes, outbox, reviewing, transaction

# --- what nobody answers --------------------------------------------------------------------------------------------------

LADDER = dataclasses.replace(
    ROUTES, hears={"ops": ALL}, ladder={"second": ALL, "ops": ALL, "boss": ALL}, after_us=10 * MINUTE
)


def escalate(kit: Any) -> int:
    return int(kit.do(outbox.Escalate(LADDER)))


def test_what_nobody_answers_goes_to_the_next_and_to_nobody_twice(kit: Any, follow: Any) -> None:
    run = asked_for(kit, "a")
    follow(LADDER)
    assert escalate(kit) == 0
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == 1
    assert escalate(kit) == 0
    assert messages(kit, "receiver", "rung", "count") == [("ops", 0, 1), ("second", 1, 1)]
    assert runs_in(kit, 2) == [run]
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == 1
    assert [receiver for (receiver,) in messages(kit, "receiver")] == ["ops", "second", "boss"]


def test_what_was_decided_goes_nowhere(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow(LADDER)
    ((approval,),) = kit.rows("SELECT id FROM approval")
    kit.do(
        reviewing.Review(
            approval, "reject", who=ANA, roles=["approver"], reason="no", standing_of=lambda _: kit.standing
        )
    )
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == 0
    assert messages(kit, "unanswered_us") == [(None,)]


@pytest.mark.parametrize(("resolved", "passed"), [(False, 1), (True, 0)])
def test_a_failure_is_over_with_its_alert(kit: Any, follow: Any, resolved: bool, passed: int) -> None:
    run = fail(kit, "a")
    kit.connection.execute("INSERT INTO run_alert VALUES (?, 's', 'k', 1, 1)", [run])
    status = "resolved" if resolved else "firing"
    kit.connection.execute(
        "INSERT INTO alert (source, key, cycle, status, opened_us, seen_us, ttl_us, first_seq, last_seq, times, name, target, severity, summary)"
        " VALUES ('s', 'k', 1, ?, 1, 1, 1, 1, 1, 1, 'n', 't', 'x', '')", [status],
    )  # fmt: skip
    follow(LADDER)
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == passed


def test_who_answers_first_has_it(kit: Any, follow: Any) -> None:
    fail(kit, "a")
    follow(LADDER)
    assert kit.do(answering.Answer(1, "slack:T/U = ana")) == "slack:T/U = ana"
    assert kit.do(answering.Answer(1, "key:bo")) == "slack:T/U = ana"
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == 0
    with pytest.raises(errors.NotFound):
        kit.do(answering.Answer(7, "key:bo"))


def test_what_needs_nobody_any_more_nobody_looks_after(kit: Any, follow: Any) -> None:
    fail(kit, "a", "succeeded")
    asked_for(kit, "b")
    kit.now_us += 5 * MINUTE
    follow()
    ((approval,),) = kit.rows("SELECT id FROM approval")
    says = reviewing.Review(
        approval, "reject", who=ANA, roles=["approver"], reason="", standing_of=lambda _: kit.standing
    )
    kit.do(says)
    news = dict(messages(kit, "news", "id"))
    for number in (news["succeeded"], news["needs_approval"]):
        with pytest.raises(answering.NothingToAnswer):
            kit.do(answering.Answer(number, "key:bo"))
    assert set(messages(kit, "answered_by")) == {("",)}


def test_where_there_is_no_ladder_nothing_waits_for_an_answer(kit: Any, follow: Any) -> None:
    fail(kit, "a")
    follow()
    assert {at for (at,) in messages(kit, "unanswered_us")} == {None}


def test_what_was_given_up_stays_so_and_can_be_tried_again(kit: Any, follow: Any) -> None:
    run = fail(kit, "a")
    follow()
    kit.do(outbox.End(1, "failed", "no such channel", passes_on=True))
    kit.do(notes.Note("review", "key:ana", run=run))
    follow()
    assert messages(kit, "state", "due_us", "error")[0] == ("failed", None, "no such channel")
    kit.do(outbox.Again(1))
    assert messages(kit, "state", "due_us", "error")[0] == ("waiting", kit.now_us, "")


def test_an_answer_to_what_was_given_up_sends_nothing(kit: Any, follow: Any) -> None:
    fail(kit, "a")
    follow()
    kit.do(outbox.End(1, "failed", "no such channel", passes_on=True))
    kit.do(answering.Answer(1, "key:ana"))
    assert messages(kit, "state", "due_us", "answered_by")[0] == ("failed", None, "key:ana")


def test_an_answer_is_that_of_those_who_were_told_less_of_it(kit: Any, follow: Any) -> None:
    one, two, other = ({"run": fail(kit, name)} for name in "abc")

    def tell(receiver: str, members: list[dict[str, str]], subject: str = "s", count: int = 0) -> int:
        kit.connection.execute(
            "INSERT INTO outbox (receiver, news, subject, members, count, state, open, due_us, made_us, changed_us, unanswered_us, rung)"
            " VALUES (?, 'failed', ?, ?, ?, 'sent', 0, NULL, 1, 1, 9, 0)",
            [receiver, subject, transaction.dumps(members), count or len(members)],
        )  # fmt: skip
        return int(kit.rows("SELECT max(id) FROM outbox")[0][0])

    said = tell("ops", [one, two])
    less, more = tell("second", [two]), tell("boss", [one, two, other])
    apart, elsewhere, cut = tell("x", [two, other]), tell("y", [two], "t"), tell("z", [one], count=60)
    kit.do(answering.Answer(said, "key:ana"))
    told = dict(kit.rows("SELECT id, unanswered_us FROM outbox"))
    assert told == {said: None, less: None, more: 9, apart: 9, elsewhere: 9, cut: 9}
    kit.do(answering.Answer(less, "key:bo"))
    assert kit.rows("SELECT id FROM outbox WHERE answered_by = 'key:bo'") == []
    kit.do(answering.Answer(more, "key:bo"))
    told = kit.rows("SELECT id FROM outbox WHERE unanswered_us IS NULL")
    assert {number for (number,) in told} == {said, less, more, apart}


def test_an_answer_is_that_of_all_who_were_told_the_same(kit: Any, follow: Any) -> None:
    routes = dataclasses.replace(LADDER, hears={"ops": ALL, "team": ALL})
    fail(kit, "a")
    follow(routes)
    fail(kit, "b")
    follow(routes)
    kit.do(answering.Answer(1, "key:ana"))
    told = {
        (receiver, count, subject.startswith("more/")): who
        for receiver, count, subject, who in messages(kit, "receiver", "count", "subject", "answered_by")
    }
    assert told == {
        ("ops", 1, False): "key:ana",
        ("team", 1, False): "key:ana",
        ("ops", 1, True): "",
        ("team", 1, True): "",
    }


def test_what_its_channel_refuses_is_for_the_next_at_once(kit: Any, follow: Any) -> None:
    fail(kit, "a")
    follow(LADDER)
    kit.do(outbox.End(1, "failed", "not_in_channel", passes_on=True))
    assert escalate(kit) == 1
    assert messages(kit, "receiver", "state") == [("ops", "failed"), ("second", "waiting")]
    kit.do(outbox.Drop(2, "key:ana"))
    assert escalate(kit) == 0


def test_the_ladder_goes_by_what_each_hears(kit: Any, follow: Any) -> None:
    routes = dataclasses.replace(LADDER, ladder={"second": frozenset({"needs_approval"}), "boss": ALL})
    fail(kit, "a")
    follow(routes)
    kit.now_us += 10 * MINUTE
    assert kit.do(outbox.Escalate(routes)) == 1
    assert [receiver for (receiver,) in messages(kit, "receiver")] == ["ops", "boss"]


def test_requests_that_are_grouped_wait_and_are_all_told(kit: Any, follow: Any) -> None:
    routes = dataclasses.replace(ROUTES, waits_us={**ROUTES.waits_us, "needs_approval": 3 * S})
    first = asked_for(kit, "a")
    asked_for(kit, "b")
    follow(routes)
    begun_us = kit.now_us
    assert messages(kit, "count", "due_us") == [(2, begun_us + 3 * S)]
    sent(kit)
    kit.now_us += MINUTE
    asked_for(kit, "c")
    follow(routes)
    assert messages(kit, "count", "due_us") == [(3, kit.now_us + 3 * S)]
    kit.do(notes.Note("review", "key:ana", run=first))
    follow(routes)
    assert messages(kit, "due_us") == [(kit.now_us,)]


def decided(kit: Any, *ends: str) -> None:
    """All requests are approved, and their runs end so, one after the other."""
    for (approval,) in kit.rows("SELECT id FROM approval ORDER BY id"):
        kit.do(
            reviewing.Review(
                approval, "approve", who=ANA, roles=["approver"], reason="", standing_of=lambda _: kit.standing
            )
        )
    for one, end in zip(kit.claim().claimed, ends, strict=True):
        kit.finish(one, end)


def test_what_was_asked_for_is_told_in_its_place(kit: Any, follow: Any) -> None:
    """Also a failure; but to who hears of failures alone."""
    for key in "ab":
        asked_for(kit, key)
    follow()
    decided(kit, "succeeded", "failed")
    follow()
    assert messages(kit, "receiver", "news") == [("ops", "needs_approval"), ("chat", "failed")]


def test_where_a_channel_changes_nothing_each_end_is_told_by_itself(kit: Any, follow: Any) -> None:
    routes = dataclasses.replace(ROUTES, unchanging=frozenset({"ops"}))
    for key in "ab":
        asked_for(kit, key)
    follow(routes)
    decided(kit, "succeeded", "failed")
    follow(routes)
    told = [news for receiver, news in messages(kit, "receiver", "news") if receiver == "ops"]
    assert told == ["needs_approval", "succeeded", "failed"]


def test_a_failure_of_what_was_asked_for_has_to_be_answered(kit: Any, follow: Any) -> None:
    """Whoever answered the request, and by who hears of failures."""
    routes = dataclasses.replace(LADDER, ladder={"third": frozenset({"failed"})})
    asked_for(kit, "a")
    follow(routes)
    kit.do(answering.Answer(1, "key:bo"))
    decided(kit, "failed")
    follow(routes)
    assert messages(kit, "receiver", "news", "answered_by") == [("ops", "needs_approval", "")]
    kit.now_us += 10 * MINUTE
    assert kit.do(outbox.Escalate(routes)) == 1
    assert messages(kit, "receiver", "news") == [("ops", "needs_approval"), ("third", "needs_approval")]


def test_a_failure_that_somebody_looks_after_goes_nowhere(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow(LADDER)
    decided(kit, "failed")
    follow(LADDER)
    kit.do(answering.Answer(1, "key:bo"))
    kit.now_us += 60 * MINUTE
    assert escalate(kit) == 0


@pytest.mark.parametrize("state", ["rejected", "expired"])
def test_what_was_not_approved_is_no_failure(kit: Any, follow: Any, state: str) -> None:
    run = asked_for(kit, "a")
    follow(LADDER)
    kit.store.writer.tx.connection.execute("UPDATE approval SET state = ?", (state,))
    kit.store.writer.tx.connection.execute("UPDATE run SET state = ? WHERE id = ?", (state, run))
    kit.now_us += 60 * MINUTE
    assert escalate(kit) == 0


def test_who_hears_from_now_on_is_told_what_waits_for_a_person(kit: Any, follow: Any) -> None:
    for key in "ab":
        asked_for(kit, key)
    follow()
    routes = dataclasses.replace(ROUTES, hears={"ops": ALL, "new": ALL})
    assert kit.do(outbox.Retell(routes)) == 2
    assert kit.do(outbox.Retell(routes)) == 0
    assert messages(kit, "receiver", "count") == [("ops", 2), ("new", 2)]


@pytest.mark.parametrize("followed", [True, False])
def test_what_is_asked_in_between_is_told_once(kit: Any, follow: Any, followed: bool) -> None:
    """Also where the record of it was not followed yet."""
    asked_for(kit, "a")
    follow()
    asked_for(kit, "b")
    if followed:
        follow()
    kit.do(outbox.Retell(dataclasses.replace(ROUTES, hears={"ops": ALL, "new": ALL})))
    follow()
    members = [[one["approval"] for one in transaction.loads(text)] for (text,) in messages(kit, "members")]
    assert [len(one) for one in members] == [2, 2]
    assert all(len(set(one)) == len(one) for one in members)
    assert sorted(members[0]) == sorted(members[1])


def test_a_message_has_each_request_once(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    kit.connection.execute("UPDATE followed SET seq = 0")
    follow()
    assert messages(kit, "count") == [(1,)]


def test_since_when_it_fails(kit: Any, follow: Any) -> None:
    fail(kit, "a")
    follow()
    began_us = kit.now_us
    for _ in range(3):
        kit.do(outbox.Later(1, "busy", kit.now_us + S))
        kit.now_us += MINUTE
    assert messages(kit, "failing_us", "tries")[0] == (began_us, 3)
    sent(kit)
    assert messages(kit, "failing_us", "tries")[0] == (None, 0)


def test_what_joins_is_passed_on_too_into_the_same_message(kit: Any, follow: Any) -> None:
    first = asked_for(kit, "a")
    follow(LADDER)
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == 1
    second = asked_for(kit, "b")
    follow(LADDER)
    kit.now_us += 10 * MINUTE
    assert escalate(kit) >= 1
    told = messages(kit, "receiver", "count")
    assert told[:2] == [("ops", 2), ("second", 2)]
    assert runs_in(kit, 2) == [first, second]


def test_who_has_it_already_is_not_told_by_each_who_did_not_answer(kit: Any, follow: Any) -> None:
    routes = dataclasses.replace(LADDER, hears={"ops": ALL, "team": ALL}, ladder={"second": ALL})
    fail(kit, "a")
    follow(routes)
    kit.now_us += 10 * MINUTE
    kit.do(outbox.Escalate(routes))
    assert [receiver for (receiver,) in messages(kit, "receiver")] == ["ops", "team", "second"]


def test_other_failures_of_the_rule_are_messages_of_their_own(kit: Any, follow: Any) -> None:
    routes = dataclasses.replace(LADDER, ladder={"second": ALL})
    for key in "ab":
        fail(kit, key)
        follow(routes)
        kit.now_us += 10 * MINUTE
        kit.do(outbox.Escalate(routes))
    assert [receiver for (receiver,) in messages(kit, "receiver")] == ["ops", "second", "ops", "second"]


def test_what_joins_what_was_answered_has_to_be_answered(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow(LADDER)
    kit.do(answering.Answer(1, "key:ana"))
    assert messages(kit, "answered_by", "unanswered_us") == [("key:ana", None)]
    asked_for(kit, "b")
    follow(LADDER)
    assert messages(kit, "answered_by", "answered_us", "unanswered_us") == [("", None, kit.now_us + 10 * MINUTE)]
    kit.do(answering.Answer(1, "key:ana"))
    assert messages(kit, "answered_by", "unanswered_us") == [("key:ana", None)]
    kit.now_us += 10 * MINUTE
    assert escalate(kit) == 0


def test_what_was_refused_and_passed_on_waits_for_nothing(kit: Any, follow: Any) -> None:
    """Else it would never be trimmed."""
    fail(kit, "a")
    follow(LADDER)
    kit.do(outbox.End(1, "failed", "not in there", passes_on=True, place="slack C1"))
    assert escalate(kit) == 1
    assert messages(kit, "receiver", "state", "due_us", "place")[0] == ("ops", "failed", None, "slack C1")
