"""The tables of states: closed, with ends that are ends, and the same in the store's triggers."""

from __future__ import annotations

import typing

import pytest

from healer import model, store
from healer.policy import reasons, states

TABLES = {"run": (states.RUN, model.RunState), "attempt": (states.ATTEMPT, model.AttemptState)}


@pytest.mark.parametrize("what", TABLES)
def test_a_table_knows_every_state_and_leads_to_no_other(what: str) -> None:
    table, words = TABLES[what]
    assert set(table) == set(typing.get_args(words))
    assert {new for news in table.values() for new in news} <= set(table)
    assert all(len(set(news)) == len(news) for news in table.values())


@pytest.mark.parametrize("state", ["succeeded", "rejected", "cancelled"])
def test_nothing_leads_out_of_what_is_final(state: model.RunState) -> None:
    assert states.RUN[state] == ()


def test_each_state_but_the_first_can_be_reached() -> None:
    for table, _ in TABLES.values():
        reached = {new for news in table.values() for new in news}
        assert set(table) - reached <= {"planned", "queued"}


def test_an_attempt_never_begins_again() -> None:
    assert all("queued" not in news for news in states.ATTEMPT.values())
    assert {state for state, news in states.ATTEMPT.items() if "running" in news} == {"queued"}


def test_every_state_says_what_a_repeat_does() -> None:
    assert set(states.ON_REPEAT) == set(states.RUN)
    for state, repeat in states.ON_REPEAT.items():
        if repeat != "duplicate":
            assert "queued" in states.RUN[state], state


def test_a_repeat_can_go_wherever_a_gate_may_send_it() -> None:
    outcomes = {reason.outcome for reason in reasons.REASONS.values() if reason.outcome and reason.gate != "once"}
    for state, repeat in states.ON_REPEAT.items():
        if repeat != "duplicate":
            only_waiting = {"void", "failed"}  # of what was approved and waits
            assert outcomes - {state} - only_waiting <= set(states.RUN[state]), state


def test_what_waits_and_what_is_queued_can_go_wherever_a_gate_may_send_it() -> None:
    outcomes = {reason.outcome for reason in reasons.REASONS.values() if reason.outcome and reason.gate != "once"}
    for state in ("deferred", "queued"):
        assert outcomes - {state} <= set(states.RUN[state]), state


@pytest.mark.parametrize("what", TABLES)
def test_the_store_has_the_same_pairs(what: str) -> None:
    kept = store.Store.open(None, lambda: 1, loop=None)
    rows = set(kept.writer.tx.connection.execute(f"SELECT old, new FROM {what}_transition"))
    kept.writer.close()
    assert rows == {(old, new) for old, news in TABLES[what][0].items() for new in news}
