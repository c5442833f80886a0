"""Messages that are made of the audit: none lost, none twice, few in a storm."""

from __future__ import annotations

import json
from typing import Any

from told import ANA, MINUTE, ROUTES, S, asked_for, fail, messages, runs_in, sent

from healer.notify import routing
from healer.store import notes, outbox, reviewing


def test_what_was_recorded_before_anybody_heard_is_not_told(kit: Any) -> None:
    fail(kit, "a")
    assert kit.do(outbox.Follow(ROUTES)) is False
    assert kit.do(outbox.Follow(ROUTES)) is False
    assert messages(kit) == []


def test_a_failed_run_is_told_to_all_who_hear_of_it_once(kit: Any, follow: Any) -> None:
    run = fail(kit, "a")
    follow()
    follow()
    assert messages(kit) == [("ops", "failed", "failed/a/b/c", 1), ("chat", "failed", "failed/a/b/c", 1)]
    assert [runs_in(kit, number) for number in (1, 2)] == [[run], [run]]
    assert {due for (due,) in messages(kit, "due_us")} == {kit.now_us}


def test_where_nobody_hears_nothing_is_kept_and_the_past_is_not_told_later(kit: Any, follow: Any) -> None:
    follow(routing.NOBODY)
    fail(kit, "a")
    follow(routing.NOBODY)
    assert kit.rows("SELECT * FROM followed") == []
    follow()
    assert messages(kit) == []
    fail(kit, "b")
    follow()
    assert len(messages(kit)) == 2


def test_an_attempt_that_is_tried_again_is_no_failure(kit: Any, follow: Any) -> None:
    kit.run_of("a", extra={"retries": {"times": 1, "delay_ms": 0}})
    (claimed,) = kit.claim().claimed
    kit.finish(claimed, "failed")
    follow()
    assert messages(kit) == []
    (claimed,) = kit.claim().claimed
    kit.finish(claimed, "failed")
    follow()
    assert [news for (news,) in messages(kit, "news")] == ["failed", "failed"]


def test_failures_of_a_rule_after_the_first_come_as_one(kit: Any, follow: Any) -> None:
    for key in "abcd":
        fail(kit, key)
        follow()
        kit.now_us += S
    ops = [row[1:] for row in messages(kit, "receiver", "subject", "count", "due_us") if row[0] == "ops"]
    first_us = kit.now_us - 4 * S
    assert ops == [("failed/a/b/c", 1, first_us), ("more/failed/a/b/c", 3, first_us + outbox.BURST_US)]
    kit.now_us = first_us + outbox.BURST_US + S
    fail(kit, "e")
    follow()
    assert [row[1:] for row in messages(kit, "receiver", "subject", "count") if row[0] == "ops"][-1] == (
        "failed/a/b/c",
        1,
    )


def test_successes_wait_and_come_as_one(kit: Any, follow: Any) -> None:
    for key in "abc":
        fail(kit, key, "succeeded")
        follow()
        kit.now_us += MINUTE
    assert messages(kit, "receiver", "subject", "count", "due_us") == [
        ("ops", "digest/succeeded", 3, kit.now_us + 2 * MINUTE)
    ]


def test_a_list_names_the_last_and_counts_all(kit: Any, follow: Any) -> None:
    for number in range(outbox.MEMBERS_MAX + 5):
        fail(kit, f"h{number}", "succeeded")
    follow()
    ((count, members),) = messages(kit, "count", "members")
    assert count == outbox.MEMBERS_MAX + 5
    assert len(json.loads(members)) == outbox.MEMBERS_MAX


def test_requests_that_are_alike_stand_in_one_message_up_to_a_number(kit: Any, follow: Any) -> None:
    for number in range(outbox.MEMBERS_MAX + 2):
        asked_for(kit, f"h{number}")
        follow()
    assert [count for (count,) in messages(kit, "count")] == [outbox.MEMBERS_MAX, 2]
    assert len({subject for (subject,) in messages(kit, "subject")}) == 1


def test_what_becomes_of_a_run_is_due_in_the_same_message(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    sent(kit)
    assert messages(kit, "state", "due_us", "reference") == [("sent", None, "C1:1")]
    ((approval,),) = kit.rows("SELECT id FROM approval")
    kit.now_us += S
    unit = reviewing.Review(
        approval, "approve", who=ANA, roles=["approver"], reason="", standing_of=lambda _: kit.standing
    )
    assert kit.do(unit).state == "approved"
    follow()
    assert messages(kit, "state", "due_us") == [("sent", kit.now_us)]


def test_what_changed_while_it_was_on_its_way_is_sent_too(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    ((version,),) = kit.rows("SELECT version FROM outbox")
    asked_for(kit, "b")
    follow()
    sent(kit, version=version)
    assert messages(kit, "state", "count", "due_us") == [("sent", 2, kit.now_us)]
    sent(kit)
    assert messages(kit, "due_us") == [(None,)]


def test_a_message_that_waits_for_its_channel_is_not_hurried(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    later_us = kit.now_us + MINUTE
    kit.do(outbox.Later(1, "no answer", later_us))
    asked_for(kit, "b")  # joins, and is news
    follow()
    assert messages(kit, "tries", "error", "count") == [(1, "no answer", 2)]
    sent(kit)
    kit.do(outbox.Later(1, "no answer", later_us))
    kit.now_us += S
    kit.do(notes.Note("review", "key:ana", run=runs_in(kit, 1)[0]))
    follow()
    assert messages(kit, "due_us") == [(later_us,)]


def test_what_is_paused_is_over_with_the_resume(kit: Any, follow: Any) -> None:
    kit.do(notes.Note("pause", "key:ana", scope="all"))
    follow()
    sent(kit)
    kit.now_us += S
    kit.do(notes.Note("resume", "key:ana", scope="all"))
    follow()
    assert messages(kit, "subject", "open", "due_us") == [("paused/all", 0, kit.now_us)]


def test_the_end_of_one_pause_is_not_that_of_another(kit: Any, follow: Any) -> None:
    for scope in ("rule a", "rule b"):
        kit.do(notes.Note("pause", "key:ana", scope=scope))
    kit.do(notes.Note("resume", "key:bo", scope="rule a"))
    follow()
    assert messages(kit, "subject", "open") == [("paused/rule a", 0), ("paused/rule b", 1)]


def test_a_reload_counts_where_it_was_refused(kit: Any, follow: Any) -> None:
    kit.do(notes.Note("reload", "os:ana", state="unchanged"))
    kit.do(notes.Note("reload", "os:ana", state="refused", mistakes=["a"]))
    follow()
    assert messages(kit) == [("ops", "reload_refused", "reload_refused/", 1)]
