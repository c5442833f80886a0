"""Silences in rows: what they hold, that their ends let it go, and how many there may be."""

from __future__ import annotations

from typing import Any

import pytest

from healer import policy
from healer.policy import labels
from healer.store import silencing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)


def silence(kit: Any, *matchers: str, from_us: int | None = None, span_us: int = 60 * S) -> str:
    """A silence from now on; its id."""
    begin_us = kit.now_us if from_us is None else from_us
    unit = silencing.Silence([labels.parse(one) for one in matchers], begin_us, begin_us + span_us, "os:ana", "works")
    made: str = kit.do(unit)
    return made


def only(decided: Any) -> str:
    (run,) = decided.runs
    return str(run)


def asked(kit: Any, key: str = "k", **more: Any) -> str:
    return only(kit.decide(kit.asked(key, f"host:{key}", limits=WIDE, **more)))


def state(kit: Any, run: str) -> tuple[str, str]:
    ((now, reason),) = kit.rows("SELECT state, reason FROM run WHERE id = ?", run)
    return now, reason


def test_a_silence_is_a_row_and_a_record(kit: Any) -> None:
    made = silence(kit, "env=prod", 'host=~"a|b"')
    assert made.startswith("s-")
    ((matchers, from_us, until_us, who, comment),) = kit.rows(
        "SELECT matchers, from_us, until_us, who, comment FROM silence WHERE id = ?", made
    )
    assert (from_us, until_us - from_us, who, comment) == (kit.now_us, 60 * S, "os:ana", "works")
    record = kit.audit()[-1]
    assert {name: record[name] for name in ("kind", "actor", "silence", "from_us", "until_us", "reason")} == {
        "kind": "silence", "actor": "os:ana", "silence": made, "from_us": from_us, "until_us": until_us, "reason": "works",
    }  # fmt: skip
    assert [labels.parse(text) for text in record["matchers"]] == [
        labels.parse("env=prod"),
        labels.parse('host=~"a|b"'),
    ]
    assert matchers
    assert kit.verify().ok


def test_two_alike_are_two(kit: Any) -> None:
    assert silence(kit, "env=prod") != silence(kit, "env=prod")


@pytest.mark.parametrize(("matcher", "holds"), [
    ("env=prod", True), ("env=stage", False), ("env!=stage", True), ("action=clean", True), ("action=clea", False),
    ("target=k", True), ("target=host:k", True), ("rule=c", True), ("rule=a/b/c", True), ("ruleset=a/b", True), ("controller=here", True),
])  # fmt: skip
def test_what_it_holds(kit: Any, matcher: str, holds: bool) -> None:
    made = silence(kit, matcher)
    run = asked(kit, labels={"env": "prod"})
    assert state(kit, run) == (("deferred", "silenced") if holds else ("queued", ""))
    if holds:
        assert kit.rows("SELECT look_at_us FROM run") == [(kit.now_us + 60 * S,)]
        assert kit.rows("SELECT json_extract(detail, '$.id') FROM run") == [(made,)]


def test_it_also_holds_what_is_queued(kit: Any) -> None:
    run = asked(kit)
    silence(kit, "action=clean")
    assert kit.claim().claimed == []
    assert state(kit, run) == ("deferred", "silenced")


def test_it_begins_at_its_time_and_its_end_lets_go(kit: Any) -> None:
    silence(kit, "action=clean", from_us=kit.now_us + 10 * S)
    assert state(kit, asked(kit, "before")) == ("queued", "")
    kit.now_us += 10 * S
    run = asked(kit, "within")
    assert state(kit, run) == ("deferred", "silenced")
    kit.now_us += 60 * S - 1
    kit.decide(look=True)
    assert state(kit, run) == ("deferred", "silenced")
    kit.now_us += 1
    kit.decide(look=True)
    assert state(kit, run) == ("queued", "")


def test_a_person_ends_it_and_what_it_held_is_looked_at(kit: Any) -> None:
    made = silence(kit, "action=clean")
    run = asked(kit)
    kit.now_us += S
    assert kit.do(silencing.EndSilence(made, "key:bob")) is True
    record = kit.audit()[-1]
    assert (record["kind"], record["actor"], record["silence"]) == ("silence_ended", "key:bob", made)
    assert (record["matchers"], record["until_us"]) == (["action=clean"], kit.now_us - S + 60 * S)
    kit.decide(look=True)
    assert state(kit, run) == ("queued", "")


def test_the_longer_of_two_is_told_and_holds(kit: Any) -> None:
    short, long = silence(kit, "action=clean"), silence(kit, "env=prod", span_us=120 * S)
    run = asked(kit, labels={"env": "prod"})
    assert kit.rows("SELECT json_extract(detail, '$.id') FROM run") == [(long,)]
    kit.do(silencing.EndSilence(long, "key:bob"))
    kit.decide(look=True)
    assert state(kit, run) == ("deferred", "silenced")
    assert kit.rows("SELECT json_extract(detail, '$.id') FROM run") == [(short,)]


def test_what_has_ended_is_not_ended_again(kit: Any) -> None:
    by_hand, by_time, unknown = silence(kit, "a=b"), silence(kit, "a=c"), "s-none"
    kit.do(silencing.EndSilence(by_hand, "os:ana"))
    size = len(kit.audit())
    for one in (by_hand, unknown):
        assert kit.do(silencing.EndSilence(one, "key:bob")) is False
    assert kit.do(silencing.EndSilence(by_time, "key:bob", kit.now_us + 60 * S)) is False
    kit.now_us += 60 * S
    assert kit.do(silencing.EndSilence(by_time, "key:bob")) is False
    assert len(kit.audit()) == size


def test_one_that_waits_can_be_ended(kit: Any) -> None:
    made = silence(kit, "a=b", from_us=kit.now_us + 100 * S)
    assert kit.do(silencing.EndSilence(made, "key:bob")) is True


def test_there_are_only_so_many(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silencing, "ACTIVE_MAX", 2)
    first = silence(kit, "a=1")
    silence(kit, "a=2", from_us=kit.now_us + 10 * S)
    with pytest.raises(silencing.TooMany):
        silence(kit, "a=3")
    kit.do(silencing.EndSilence(first, "os:ana"))
    silence(kit, "a=3")
    kit.now_us += 100 * S
    silence(kit, "a=4")


def test_the_end_of_each_is_in_the_audit_once_also_where_it_comes_by_itself(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silencing, "OVER_MAX", 2)
    ended = silence(kit, "a=b")
    over = [silence(kit, f"a={number}") for number in range(3)]
    silence(kit, "a=c", span_us=120 * S)
    kit.do(silencing.EndSilence(ended, "os:ana"))
    until_us = kit.now_us + 60 * S
    assert kit.do(silencing.Over(until_us - 1)) == 0
    assert [kit.do(silencing.Over(until_us)) for _ in range(3)] == [2, 1, 0]
    told = [one for one in kit.audit() if one["kind"] == "silence_ended"]
    assert sorted(one["silence"] for one in told) == sorted([ended, *over])
    assert {(one["actor"], one.get("reason")) for one in told} == {("os:ana", None), ("daemon", "its time is over")}
    assert kit.rows("SELECT ended_us, ended_by FROM silence WHERE id = ?", over[0]) == [(until_us, "daemon")]
    assert kit.do(silencing.EndSilence(over[0], "os:ana", until_us - 10)) is False
