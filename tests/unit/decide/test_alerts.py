"""Alerts in memory: cycles, words, and what was silent for its whole time; against the rows that the store keeps of them."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.decide import alerts
from healer.store import cycles, deciding

S = 1_000_000
TTL = 60 * S


def said(status: str, key: str = "k", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "status": status,
        "name": "Disk",
        "target": "web1",
        "severity": "critical",
        "summary": "full",
    } | more


def test_each_opening_is_a_cycle() -> None:
    known, seen = alerts.Alerts(), []
    for status in ("firing", "firing", "resolved", "resolved", "firing"):
        alert = said(status)
        word = known.word("am", alert, S, TTL)
        assert word is not None
        seen.append((word.cycle, word.firing, word.opens, alert["cycle"]))
    assert seen == [
        (1, True, True, 1), (1, True, False, 1), (1, False, False, 1), (1, False, False, 1), (2, True, True, 2),
    ]  # fmt: skip


def test_what_resolves_before_it_fired_is_a_word_of_cycle_0() -> None:
    word = alerts.Alerts().word("am", said("resolved"), S, TTL)
    assert word is not None
    assert (word.cycle, word.opens) == (0, False)


def test_an_alert_is_its_sources_own() -> None:
    known = alerts.Alerts()
    for source in ("one", "other"):
        word = known.word(source, said("firing"), S, TTL)
        assert word is not None
        assert (word.source, word.cycle, word.opens) == (source, 1, True)
    assert len(known) == 2


@pytest.mark.parametrize("alert", [
    None, [], "x", {}, {"status": "firing"}, said("event"), said("unknown"), said("firing", key=""), said("firing", key="k" * 513),
    said("firing", key=1), said("FIRING"), said("firing", key=None),
])  # fmt: skip
def test_what_has_no_lifecycle_is_no_word(alert: Any) -> None:
    known = alerts.Alerts()
    assert known.word("am", alert, S, TTL) is None
    assert len(known) == 0
    assert not isinstance(alert, dict) or "cycle" not in alert


def test_what_people_read_is_text_and_short() -> None:
    word = alerts.Alerts().word("am", said("firing", name="x" * 10_000, target=5, severity=None, summary=["a"]), S, TTL)
    assert word is not None
    assert (len(word.name), word.target, word.severity, word.summary) == (500, "", "", "")


def test_what_was_silent_for_its_whole_time_is_closed_at_it() -> None:
    known = alerts.Alerts()
    known.word("am", said("firing"), S, TTL)
    assert known.next_expiry_us() == S + TTL
    assert known.expire(S + TTL - 1) == []
    assert known.expire(S + TTL) == [("am", "k")]
    assert (known.expire(10 * TTL), known.next_expiry_us()) == ([], None)
    word = known.word("am", said("firing"), 2 * TTL, TTL)
    assert word is not None
    assert (word.cycle, word.opens) == (2, True)


def test_each_word_and_the_other_one_of_a_pair_move_the_end() -> None:
    known = alerts.Alerts()
    known.word("am", said("firing"), S, TTL)
    known.word("am", said("firing"), 11 * S, TTL)
    assert known.next_expiry_us() == 11 * S + TTL
    known.heard("am", "k", 21 * S)
    known.heard("am", "k", 5 * S)
    known.heard("am", "nobody", 99 * S)
    assert known.next_expiry_us() == 21 * S + TTL
    known.word("am", said("resolved"), 22 * S, TTL)
    known.heard("am", "k", 23 * S)
    assert known.next_expiry_us() is None


def test_a_start_goes_on_from_the_rows() -> None:
    rows = [
        {"source": "am", "key": "a", "cycle": 3, "status": "firing", "seen_us": S, "ttl_us": TTL},
        {"source": "am", "key": "b", "cycle": 2, "status": "resolved", "seen_us": S, "ttl_us": TTL},
    ]
    known = alerts.Alerts(rows)
    assert known.next_expiry_us() == S + TTL
    words = [known.word("am", said("firing", key), 2 * S, TTL) for key in "ab"]
    assert [(word.cycle, word.opens) for word in words if word] == [(3, False), (3, True)]


def test_replay_shows_the_cycle_and_takes_no_word() -> None:
    known = alerts.Alerts()
    known.word("am", said("firing"), S, TTL)
    shown = [said("resolved"), said("firing", "other"), {"key": 5}, said("unknown"), None]
    for alert in shown:
        known.recall("am", alert, 9, cycles.Openings())
    assert [alert and alert.get("cycle") for alert in shown] == [1, 0, None, None, None]
    assert known.next_expiry_us() == S + TTL


def test_a_forgotten_alert_opens_as_its_first_again_but_one_that_fires_stays() -> None:
    known = alerts.Alerts()
    for key, statuses in (("closed", ("firing", "resolved")), ("fires", ("firing", "resolved", "firing"))):
        for status in statuses:
            known.word("am", said(status, key), S, TTL)
    known.forget([("am", "closed", 1), ("am", "fires", 1), ("am", "never seen", 1)])
    words = [known.word("am", said("firing", key), S, TTL) for key in ("closed", "fires")]
    assert [(word.cycle, word.opens) for word in words if word] == [(1, True), (2, False)]
    assert known.expire(S + TTL) == [("am", "closed"), ("am", "fires")]
    known.forget([("am", "fires", 1)])  # what went was the cycle before
    word = known.word("am", said("firing", "fires"), S, TTL)
    assert word is not None
    assert word.cycle == 3


def test_a_word_carries_all_that_the_event_said() -> None:
    known = alerts.Alerts()
    words = [known.word("am", said(status), S, TTL) for status in ("firing", "firing", "resolved")]
    texts = {"name": "Disk", "target": "web1", "severity": "critical", "summary": "full"}
    assert words == [
        deciding.AlertWord("am", "k", 1, True, True, TTL, **texts),
        deciding.AlertWord("am", "k", 1, True, False, TTL, **texts),
        deciding.AlertWord("am", "k", 1, False, False, TTL, **texts),
    ]


def test_the_word_of_what_is_not_followed_is_whole_too() -> None:
    known = alerts.Alerts()
    texts = {"name": "Disk", "target": "web1", "severity": "critical", "summary": "full"}
    assert known.word("am", said("resolved"), S, TTL) == deciding.AlertWord("am", "k", 0, False, False, TTL, **texts)
    known.word("am", said("firing", "open"), S, TTL)
    word = known.word("am", said("firing"), S, TTL, 1)
    assert word == deciding.AlertWord("am", "k", 0, True, False, TTL, **texts, full=1)


def test_what_is_kept_of_an_alert_does_not_grow_with_its_repeats() -> None:
    known = alerts.Alerts()
    for repeat in range(100):
        known.word("am", said("firing"), S + repeat // 2, TTL)
    assert len(known._expiries) == 1


def test_a_word_of_then_has_the_cycle_of_then_and_changes_nothing() -> None:
    known, alert = alerts.Alerts(), said("firing")
    word = known.of_then("am", alert, 7)
    assert word == deciding.AlertWord("am", "k", 7, True, False, 0, "Disk", "web1", "critical", "full")
    assert (alert["cycle"], len(known)) == (7, 0)
    over = known.of_then("am", said("resolved"), 7)
    assert over is not None
    assert over.firing is False
    assert known.of_then("am", {"key": 5}, 7) is None


def test_replay_of_what_opened_long_ago_shows_the_cycle_of_then() -> None:
    rows = [
        {"source": source, "key": "k", "seq": seq, "cycle": cycle}
        for source, seq, cycle in [("am", 5, 1), ("am", 8, 2), ("b", 1, 9)]
    ]
    known, openings = alerts.Alerts(), cycles.Openings(rows)
    known.word("am", said("firing", "other"), S, TTL)
    shown = [said("firing"), said("firing"), said("firing", "other")]
    for alert, seq in zip(shown, (6, 8, 6), strict=True):
        known.recall("am", alert, seq, openings)
    assert [alert["cycle"] for alert in shown] == [1, 2, 1]


def test_a_shorter_time_after_a_reload_ends_sooner_and_a_longer_one_later() -> None:
    known = alerts.Alerts()
    known.word("am", said("firing"), S, 10 * TTL)
    known.word("am", said("firing"), 2 * S, TTL)
    assert known.next_expiry_us() == 2 * S + TTL
    known.word("am", said("firing"), 3 * S, 10 * TTL)
    assert known.next_expiry_us() == 3 * S + 10 * TTL
    assert known.expire(3 * S + 10 * TTL) == [("am", "k")]
    assert known.open == 0


def test_the_first_of_many_to_end_is_told_and_those_that_ended_together_in_their_order() -> None:
    known = alerts.Alerts()
    for key, at_us in (("late", 5 * S), ("soon", S), ("resolved", 0), ("later", 5 * S)):
        known.word("am", said("firing", key), at_us, TTL)
    known.word("am", said("resolved", "resolved"), S, TTL)
    assert known.next_expiry_us() == S + TTL
    assert known.expire(5 * S + TTL) == [("am", "soon"), ("am", "late"), ("am", "later")]
    assert (known.open, known.next_expiry_us()) == (0, None)


def test_rows_bring_cycle_time_and_end_of_each() -> None:
    row = {"source": "am", "status": "firing", "ttl_us": TTL}
    known = alerts.Alerts(
        [row | {"key": "b", "cycle": 2, "seen_us": 2 * S}, row | {"key": "a", "cycle": 3, "seen_us": S}]
    )
    known.heard("am", "b", 3 * S)
    assert known.expire(S + TTL) == [("am", "a")]
    assert known.next_expiry_us() == 3 * S + TTL
    known.become([row | {"key": "c", "cycle": 4, "seen_us": 9 * S}])
    assert (len(known), known.next_expiry_us()) == (1, 9 * S + TTL)
    assert known.expire(9 * S + TTL) == [("am", "c")]


def test_what_is_heard_of_an_alert_that_does_not_fire_moves_nothing() -> None:
    known = alerts.Alerts()
    known.word("am", said("firing"), S, TTL)
    known.word("am", said("resolved"), 2 * S, TTL)
    known.heard("am", "k", 50 * S)
    known.word("am", said("firing"), 3 * S, TTL)
    assert known.next_expiry_us() == 3 * S + TTL


class Model:
    """Alerts the plain way: everything is looked through each time."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], list[Any]] = {}

    def word(self, source: str, key: str, firing: bool, at_us: int, ttl_us: int) -> tuple[int, bool]:
        state = self.states.setdefault((source, key), [0, False, 0, 0])
        opens = firing and not state[1]
        state[:] = [state[0] + opens, firing, at_us, ttl_us]
        return state[0], opens

    def expire(self, at_us: int) -> set[tuple[str, str]]:
        over = {
            name for name, (_, firing, seen_us, ttl_us) in self.states.items() if firing and seen_us + ttl_us <= at_us
        }
        for name in over:
            self.states[name][1] = False
        return over


steps = st.lists(
    st.one_of(
        st.tuples(st.just("word"), st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans(), st.integers(1, 20)),
        st.tuples(st.just("wait"), st.integers(0, 15)),
    ),
    max_size=40,
)


@hypothesis.given(steps)
def test_alerts_are_as_a_plain_model_says(given: list[Any]) -> None:
    known, plain, now_us = alerts.Alerts(), Model(), 0
    for step in given:
        if step[0] == "wait":
            now_us += step[1]
            assert set(known.expire(now_us)) == plain.expire(now_us)
            continue
        _, source, key, firing, ttl_us = step
        word = known.word(source, said("firing" if firing else "resolved", key), now_us, ttl_us)
        assert word is not None
        assert (word.cycle, word.opens) == plain.word(source, key, firing, now_us, ttl_us)
        due = [seen + ttl for _, on, seen, ttl in plain.states.values() if on]
        assert known.next_expiry_us() == (min(due) if due else None)


def test_beyond_the_limit_none_opens_and_nothing_of_it_is_remembered() -> None:
    known = alerts.Alerts()

    def say(status: str, key: str) -> tuple[int, bool, bool, int]:
        alert = said(status, key)
        word = known.word("am", alert, S, TTL, 2)
        assert word is not None
        assert alert["cycle"] == word.cycle
        return word.cycle, word.firing, word.opens, word.full

    assert [say("firing", key) for key in "ab"] == [(1, True, True, 0)] * 2
    assert [say("firing", "c"), say("firing", "c")] == [(0, True, False, 2)] * 2
    assert (known.open, known.refused, len(known)) == (2, 2, 2)
    assert say("firing", "a") == (1, True, False, 0)  # what is open is heard of as ever
    assert say("resolved", "b") == (1, False, False, 0)
    assert say("firing", "c") == (1, True, True, 0)
    assert say("firing", "b") == (1, True, False, 2)  # as it was: its second cycle has not begun
    assert (known.open, known.refused) == (2, 3)
    known.expire(10 * TTL)
    assert (known.open, say("firing", "b")) == (0, (2, True, True, 0))


def test_how_many_are_open_is_read_from_rows() -> None:
    row = {"source": "am", "cycle": 1, "seen_us": S, "ttl_us": TTL}
    rows = [row | {"key": "a", "status": "firing"}, row | {"key": "b", "status": "resolved"}]
    known = alerts.Alerts(rows)
    assert known.open == 1
    known.become([*rows, row | {"key": "c", "status": "firing"}])
    assert known.open == 2


def test_the_end_of_what_is_not_known_leaves_nothing() -> None:
    known = alerts.Alerts()
    for n in range(100):
        known.word("am", said("resolved", f"k{n}"), S, TTL)
    assert len(known) == 0
