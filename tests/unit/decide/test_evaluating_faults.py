"""The faults of `docs/faults.md` that deciding answers: times that an event says, an exception in a rule, words out of order."""

from __future__ import annotations

from typing import Any

import pytest

from healer import engine
from healer.decide import evaluating
from healer.store import asking, cycles, deciding, journal, letters

RULE = 'r | event.alert.status == "firing" | action: {run_action: {name: plain}}'
TWO = """\
- name: one
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: r, condition: event.a == 1, action: {none: {}}}
- name: two
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: r, condition: event.a == 1, action: {none: {}}}
"""


def alert(status: str, at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"alert": {"key": "k", "name": "Disk", "status": status, "started_at": at, "startsAt": at, "endsAt": at}}


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2999-12-31T23:59:59Z", "yesterday", ""])
def test_what_time_an_event_says_it_is_counts_for_nothing(make: Any, at: str) -> None:
    """Journal time decides: an event from the past is not stale for that, and one from the future ends nothing early."""
    now, then = make(RULE).post(alert("firing")), make(RULE).post(alert("firing", at))
    ((asked,), (other,)) = ([one for one in outcome.results if isinstance(one, asking.Ask)] for outcome in (now, then))
    assert other.candidate == asked.candidate
    assert then.alerts == now.alerts


def test_the_end_of_an_alert_that_comes_before_its_begin_ends_nothing_later(make: Any) -> None:
    """Two deliveries that came in the other order: the alert fires until its sender says so once more, or its time is over."""
    kit = make(RULE)
    outcome = kit.post(alert("resolved"))
    assert [(word.cycle, word.opens) for word in outcome.alerts] == [(0, False)]
    outcome = kit.post(alert("firing"))
    assert [(word.cycle, word.opens) for word in outcome.alerts] == [(1, True)]
    assert len(outcome.results) == 1


def decided(make: Any, monkeypatch: pytest.MonkeyPatch) -> deciding.Outcome:
    """An event of which one of two rulesets raises."""
    kit, post = make(text=TWO), engine.Session.post

    def poison(self: engine.Session, *given: Any) -> Any:
        if self is kit.evaluator.running["act/one"].session:
            raise ArithmeticError("poison")
        return post(self, *given)

    monkeypatch.setattr(engine.Session, "post", poison)
    outcome: deciding.Outcome = kit.post({"a": 1})
    return outcome


def test_a_ruleset_that_raises_is_set_aside_and_the_other_hears_the_event(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = decided(make, monkeypatch)
    assert [one.rule for one in outcome.results if isinstance(one, deciding.Internal)] == ["act/two/r"]
    assert [name for name, _ in outcome.quarantined] == ["act/one"]


def test_it_ends_the_decider_without_its_protection(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(one: Any, row: Any, error: Exception, *_: Any) -> None:
        raise error

    monkeypatch.setattr(evaluating.Evaluator, "_failed", staticmethod(raises))
    with pytest.raises(ArithmeticError):
        decided(make, monkeypatch)


def test_a_part_that_could_not_be_read_is_heard_by_nobody(make: Any) -> None:
    kit = make(text=TWO)
    row = journal.Row("event", "healer.api", b'{"a":1}', data={"a": 1}, meta=letters.meta_of_unread("no object", {}))
    row.seq, row.at_us = 9, 9
    outcome = kit.evaluator.evaluate(row)
    assert (outcome.quarantined, outcome.results) == ([(letters.EVERY_RULESET, "no object")], [])
    assert kit.evaluator.evaluate(row, replay=cycles.Openings([])) is None
