"""A row that was released from quarantine: one ruleset hears it, as it would have heard the old one."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from healer.decide import recovery
from healer.store import asking, cycles, deciding, journal

S = 1_000_000
TWO = """\
- name: one
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules: [{name: r, condition: event.alert.cycle == 1, action: {run_action: {name: plain}}}]
- name: two
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules: [{name: r, condition: event.alert.cycle is defined, action: {none: {}}}]
"""
META = """\
- name: one
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: r, condition: event.meta.source.name == "healer.api" and event.meta.healer is not defined, action: {none: {}}}]
"""
AM = {"healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}, alert_ttl: 1 minute}}}\n"}
ALERT = {"alert": {"key": "k", "status": "firing", "name": "Disk", "severity": "critical"}}


def again(kit: Any, body: Any, only: str, cycle: int | None = None, source: str = "am", **more: Any) -> journal.Row:
    """A row as `letters.Release` makes it."""
    noted = {"only": only} | ({} if cycle is None else {"cycle": cycle})
    row: journal.Row = kit.row(
        body, source=source, cause=1, ordinal=-1, meta=orjson.dumps({"healer": noted}).decode(), **more
    )
    row.data = None
    return row


def names(outcome: deciding.Outcome | None) -> list[str]:
    found = outcome.results if outcome else []
    return [one.candidate.rule if isinstance(one, asking.Ask) else one.rule for one in found]


def test_only_that_ruleset_hears_it(make: Any) -> None:
    kit = make(text=TWO, files=AM)
    kit.post(dict(ALERT), source="am")
    assert names(kit.evaluator.evaluate(again(kit, ALERT, "act/one", 1, "am"))) == ["act/one/r"]
    assert names(kit.evaluator.evaluate(again(kit, ALERT, "act/two", 1, "am"))) == ["act/two/r"]


def test_one_that_all_are_to_hear_is_a_word_of_its_alert(make: Any) -> None:
    kit = make(text=TWO, files=AM)
    outcome = kit.evaluator.evaluate(again(kit, ALERT, "*", source="am"))
    assert outcome is not None
    assert names(outcome) == ["act/one/r", "act/two/r"]
    assert [(word.source, word.cycle, word.opens, word.ttl_us) for word in outcome.alerts] == [("am", 1, True, 60 * S)]


def test_its_alert_is_that_of_then_and_nothing_of_it_is_said_again(make: Any) -> None:
    """The alert was resolved and fires anew: an action is for the cycle of then, and neither the alert nor its time changes."""
    kit = make(text=TWO, files=AM)
    kit.post(orjson.loads(orjson.dumps(ALERT)), source="am")
    kit.post({"alert": {"key": "k", "status": "resolved"}}, source="am")
    kit.now_us += 30 * S
    due_us = kit.evaluator.alerts.next_expiry_us()
    outcome = kit.evaluator.evaluate(again(kit, ALERT, "act/one", 1, "am"))
    assert outcome is not None
    (asked,) = outcome.results
    assert isinstance(asked, asking.Ask)
    assert (asked.alerts, asked.candidate.lifecycle, asked.severity) == ([("am", "k", 1, True)], True, 0)
    assert outcome.alerts == []
    assert kit.evaluator.alerts.next_expiry_us() == due_us
    (word,) = kit.post(orjson.loads(orjson.dumps(ALERT)), source="am").alerts
    assert (word.cycle, word.opens) == (2, True)


def test_its_run_is_the_one_that_the_old_event_would_have_had(make: Any) -> None:
    kit = make(text=TWO, files=AM)
    (first,) = kit.asks(orjson.loads(orjson.dumps(ALERT)), source="am")
    outcome = kit.evaluator.evaluate(again(kit, ALERT, "act/one", 1, "am"))
    assert outcome is not None
    assert [one.candidate.run for one in outcome.results if isinstance(one, asking.Ask)] == [first.candidate.run]


def test_it_hears_it_though_it_listens_to_that_source_no_longer(make: Any) -> None:
    kit = make(text=TWO, files=AM)
    assert names(kit.evaluator.evaluate(again(kit, ALERT, "act/one", 1, "gone"))) == ["act/one/r"]


def test_a_ruleset_that_is_gone_hears_nothing(make: Any) -> None:
    kit = make(text=TWO, files=AM)
    assert kit.evaluator.evaluate(again(kit, ALERT, "act/gone", 1, "am")) is None


def test_its_meta_is_that_of_the_source_without_what_is_ours(make: Any) -> None:
    kit = make(text=META)
    assert names(kit.evaluator.evaluate(again(kit, {"a": 1}, "act/one", source="healer.api"))) == ["act/one/r"]


def test_an_event_of_an_action_that_is_sent_once_more_still_names_the_action(make: Any) -> None:
    """Sent once more it comes from outside (depth 0), and its source says which action made it."""
    kit = make(text=META)
    row = kit.row({}, source="ruleset:act/one", meta='{"source":{"name":"post_event","type":"internal"}}')
    assert kit.evaluator.meta(row, {})["source"] == {"name": "post_event", "type": "internal"}


def test_a_replay_shows_the_cycle_of_then(make: Any) -> None:
    kit = make(
        text=TWO.replace(
            "condition: event.alert.cycle == 1, action",
            "condition: event.alert.cycle == 1, throttle: {once_within: 9 seconds, group_by_attributes: [event.alert.key]}, action",
        ),
        files=AM,
    )
    openings = cycles.Openings([{"source": "am", "key": "k", "seq": 1, "cycle": 2}])
    assert kit.evaluator.evaluate(again(kit, ALERT, "act/one", 1, "am"), replay=openings) is None
    assert names(kit.evaluator.evaluate(again(kit, ALERT, "act/one", 1, "am"))) == []  # its window is open


def test_a_snapshot_gives_it_back_with_the_cycle_of_then(make: Any) -> None:
    kit = make(
        text=TWO.replace(
            "condition: event.alert.cycle == 1, action",
            "condition: {all: [event.alert.cycle == 1, event.b == 1]}, action",
        ),
        files=AM,
    )
    row = again(kit, ALERT, "act/one", 1, "am")
    kit.store.writer.now(journal.Append([row]))
    kit.evaluator.evaluate(row)
    taken = asyncio.run(recovery.take(kit.evaluator, row.seq))
    fresh = kit.evaluator.alone([*kit.evaluator.running])
    asyncio.run(recovery.restore(kit.store, fresh, taken.data))
    assert asyncio.run(recovery.take(fresh, row.seq)) == taken
    (entry,) = fresh.running["act/one"].session.memory.events.values()
    assert entry.body["alert"]["cycle"] == 1
