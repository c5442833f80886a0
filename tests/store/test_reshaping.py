"""What is open is told anew, once, where its channel shows it otherwise from now on."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from told import ALL, ANA, MINUTE, ROUTES, S, asked_for, fail, messages, sent

from healer.store import answering, outbox, reshaping, reviewing

HERE = "slack C1"
NOW = {"ops": ("buttons", HERE)}


def decide(kit: Any) -> None:
    """Somebody says yes to the one request that there is."""
    ((approval,),) = kit.rows("SELECT id FROM approval")
    given = {"who": ANA, "roles": ["approver"], "reason": "", "standing_of": lambda _: kit.standing}
    kit.do(reviewing.Review(approval, "approve", **given))


def looks(kit: Any, **forms: str) -> list[tuple[Any, ...]]:
    """(number, form, due) of all messages, once all were looked at."""
    found = {name: (form, HERE) for name, form in forms.items()}
    while kit.do(reshaping.Reshape(found or NOW, ROUTES)):
        pass
    return messages(kit, "id", "form", "due_us")


def test_an_open_request_is_told_anew_once(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    assert looks(kit) == [(1, "", kit.now_us)], "what was never sent will look as it is to look"
    sent(kit)
    kit.now_us += S
    assert looks(kit) == [(1, "buttons", kit.now_us)]
    ((version,),) = messages(kit, "version")
    kit.do(outbox.Sent(1, "C1:1", "abd", version, stays_open=True, form="buttons", place=HERE))
    assert looks(kit) == [(1, "buttons", None)]
    assert looks(kit, ops="none") == [(1, "none", kit.now_us)]
    assert looks(kit, chat="buttons") == [(1, "none", kit.now_us)]


def test_what_is_decided_or_answered_or_asks_nothing_is_let_be(kit: Any, follow: Any) -> None:
    fail(kit, "b")
    fail(kit, "c", "succeeded")
    asked_for(kit, "a")
    follow()
    decide(kit)
    numbers = [number for (number,) in messages(kit, "id")]
    assert messages(kit, "news") == [("failed",), ("failed",), ("succeeded",), ("needs_approval",)]
    kit.do(answering.Answer(1, "key:bo"))
    follow()
    for number in numbers:
        sent(kit, number)
    kit.now_us += S
    before = messages(kit, "version", "changed_us")
    closed = reshaping.CLOSED
    forms = [closed, closed, "", closed]
    assert looks(kit, ops="buttons", chat="buttons") == [
        (number, form, None) for number, form in zip(numbers, forms, strict=True)
    ]
    assert messages(kit, "version", "changed_us") == before


def test_a_failure_that_nobody_looks_after_is_told_anew(kit: Any, follow: Any) -> None:
    fail(kit, "a")
    follow()
    for number in (1, 2):
        sent(kit, number)
    assert looks(kit) == [(1, "buttons", kit.now_us), (2, "", None)], "and only to those who see it otherwise"


def test_a_failure_of_what_was_asked_for_too(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    decide(kit)
    (claimed,) = kit.claim().claimed
    kit.finish(claimed, "failed")
    follow()
    sent(kit)
    assert looks(kit)[0] == (1, "buttons", kit.now_us)


def test_what_waits_for_its_channel_goes_on_waiting(kit: Any, follow: Any) -> None:
    asked_for(kit, "a")
    follow()
    sent(kit)
    kit.do(outbox.Later(1, "busy", kit.now_us + 9 * S))
    assert looks(kit) == [(1, "buttons", kit.now_us + 9 * S)]


def test_many_are_looked_at_in_pieces(kit: Any, follow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MEMBERS_MAX", 1)
    monkeypatch.setattr(reshaping, "AT_ONCE", 2)
    for key in "abc":
        asked_for(kit, key)
        follow()
    for number in (1, 2, 3):
        sent(kit, number)
    assert kit.do(reshaping.Reshape(NOW, ROUTES)) is True
    assert messages(kit, "form") == [("buttons",), ("buttons",), ("",)]
    assert kit.do(reshaping.Reshape(NOW, ROUTES)) is False
    assert messages(kit, "form") == [("buttons",)] * 3


def test_what_was_told_with_a_button_is_told_anew_though_it_needs_nobody_any_more(kit: Any, follow: Any) -> None:
    """Else the button stays, where nobody hears it."""
    run = fail(kit, "a")
    follow()
    for number in (1, 2):
        sent(kit, number)
    assert looks(kit)[0] == (1, "buttons", kit.now_us)
    sent(kit)
    kit.connection.execute("UPDATE outbox SET form = 'buttons' WHERE id = 1")
    kit.connection.execute("INSERT INTO run_alert VALUES (?, 's', 'k', 1, 1)", [run])
    assert looks(kit, ops="none")[0] == (1, "none", kit.now_us)


def test_what_is_over_is_looked_at_once_and_lists_never(kit: Any, follow: Any) -> None:
    """So that a history of any length costs nothing when the next form comes."""
    fail(kit, "c", "succeeded")
    asked_for(kit, "a")
    follow()
    decide(kit)
    follow()
    for (number,) in messages(kit, "id"):
        sent(kit, number)
    kit.connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)"
        " INSERT INTO outbox (receiver, news, subject, members, count, state, open, made_us, changed_us)"
        " SELECT receiver, news, subject, members, count, state, 0, made_us, changed_us FROM outbox, n"
    )
    assert [kit.do(reshaping.Reshape(NOW, ROUTES)) for _ in range(2)] == [True, False]
    assert kit.do(reshaping.Reshape({"ops": ("none", HERE)}, ROUTES)) is False
    assert {form for news, form in messages(kit, "news", "form") if news == "succeeded"} == {""}
    plan = kit.rows(f"EXPLAIN QUERY PLAN {kit.store.writer.tx._sql['outbox_otherwise']}", "{}", 1)
    assert any("USING INDEX outbox_form" in row[-1] for row in plan), plan


@pytest.mark.parametrize("hears", [True, False])
def test_what_was_told_elsewhere_is_another_message_there(kit: Any, follow: Any, hears: bool) -> None:
    """Also by a channel that changes nothing, which has no form that could be another one. Who hears other news now is told nothing."""
    run = asked_for(kit, "a")
    follow()
    ((version,),) = messages(kit, "version")
    kit.do(outbox.Sent(1, "C1:1", "abc", version, stays_open=True, form="buttons", place=HERE))
    routes = ROUTES if hears else dataclasses.replace(ROUTES, hears={"ops": frozenset({"paused"})})
    assert kit.do(reshaping.Reshape({"ops": (None, HERE)}, routes)) is False
    assert messages(kit, "due_us") == [(None,)]
    kit.now_us += S
    for _ in range(2):
        assert kit.do(reshaping.Reshape({"ops": (None, "slack C2")}, routes)) is False
        left, *told = messages(kit, "state", "reference", "due_us", "open", "leaving")
        assert left == ("sent", "C1:1", kit.now_us, 0, 1)
        assert told == [("waiting", None, kit.now_us, 1, 0)] * hears
    assert kit.rows("SELECT run, message FROM outbox_run ORDER BY message") == [(run, 1), (run, 2)][: 1 + hears]
    kit.do(outbox.End(1, "dropped", "it was there before"))
    assert messages(kit, "state", "due_us")[0] == ("dropped", None)


def test_who_must_answer_what_is_left_is_asked_in_its_time(kit: Any, follow: Any) -> None:
    """Where nobody is told of it instead."""
    ladder = dataclasses.replace(ROUTES, hears={"ops": ALL}, ladder={"boss": ALL}, after_us=MINUTE)
    deaf = dataclasses.replace(ladder, hears={"ops": frozenset({"paused"})})
    fail(kit, "a")
    follow(ladder)
    ((until_us, version),) = messages(kit, "unanswered_us", "version")
    kit.do(outbox.Sent(1, "C1:1", "abc", version, stays_open=False, form="buttons", place=HERE))
    kit.do(reshaping.Reshape({"ops": ("buttons", "slack C2")}, ladder))
    assert messages(kit, "unanswered_us") == [(None,), (until_us,)]
    kit.do(outbox.Sent(2, "C2:1", "abc", 0, stays_open=False, form="buttons", place="slack C2"))
    kit.do(reshaping.Reshape({"ops": ("buttons", HERE)}, deaf))
    for number in (1, 2):
        kit.do(outbox.End(number, "dropped", "it was there before"))
    kit.now_us += MINUTE
    assert kit.do(outbox.Escalate(deaf)) == 1
    assert messages(kit, "receiver") == [("ops",), ("ops",), ("boss",)]
