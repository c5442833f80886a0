"""One journal row in, what it leads to out: routes, meta, poison of one ruleset, the end of an activation."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import cycles, deciding

S = 1_000_000
TWO = """\
- name: one
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: r, condition: event.a == 1, action: {none: {}}}
- name: two
  hosts: all
  sources: [{healer.api: {}}, {healer.source: {name: am}}]
  rules:
    - {name: r, condition: event.a == 1, action: {none: {}}}
"""
AM = {"healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}\n"}


def rules(outcome: deciding.Outcome) -> list[str]:
    return [one.rule for one in outcome.results if isinstance(one, deciding.Internal)]


def test_a_row_reaches_the_rulesets_that_listen_to_its_source(make: Any) -> None:
    kit = make(text=TWO, files=AM)
    assert rules(kit.post({"a": 1})) == ["act/one/r", "act/two/r"]
    assert rules(kit.post({"a": 1}, source="am")) == ["act/two/r"]
    assert rules(kit.post({"a": 1}, source="ruleset:act/one")) == ["act/one/r"]
    assert rules(kit.post({"a": 1}, source="nobody")) == []
    assert rules(kit.post({"a": 2})) == []


@pytest.mark.parametrize("body", [[1], "x", None, 5])
def test_what_is_no_object_leads_to_nothing(make: Any, body: Any) -> None:
    assert make("r | event.a == 1 | action: {none: {}}").post(body).results == []


def test_a_row_read_back_is_parsed(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    row = kit.row({"a": 1})
    row.data = None
    assert rules(kit.evaluator.evaluate(row)) == ["act/rs/r"]


def test_meta_is_made_of_the_row_and_not_of_what_a_client_says(make: Any) -> None:
    kit = make('r | event.meta.source.name == "healer.api" | action: {debug: {msg: "{{ event.meta }}"}}')
    outcome = kit.post(
        {"meta": {"hosts": "web01", "uuid": "mine", "source": {"name": "other"}}}, meta='{"endpoint":"/x"}'
    )
    assert rules(outcome) == ["act/rs/r"]
    row = kit.row({})
    meta = kit.evaluator.meta(row, {"meta": {"hosts": "web01", "uuid": "mine", "source": {"name": "other"}}})
    assert meta["source"] == {"name": "healer.api", "type": "healer.api"}
    assert (meta["hosts"], meta["received_at"]) == ("web01", "1970-01-01T00:16:40.000000Z")
    uid = kit.store.uid
    assert meta["uuid"] == f"{uid[:8]}-{uid[8:12]}-8{uid[13:16]}-8{uid[17:20]}-{row.seq:012x}"


def test_meta_differs_by_row_and_is_the_same_again(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    one, other = kit.row({}), kit.row({})
    kit.now_us += 1
    made = [kit.evaluator.meta(row, {})["uuid"] for row in (one, other, one)]
    assert made[0] == made[2] != made[1]


def test_a_fact_is_said_to_be_ours(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    meta = kit.evaluator.meta(kit.row({}, kind="fact", source="ruleset:act/rs"), {})
    assert meta["source"] == {"name": "set_fact", "type": "internal"}


def test_rules_may_look_at_meta_only_where_one_does(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    data = {"a": 1}
    kit.evaluator.running["act/rs"].session.post = lambda *args: []
    kit.post(data)
    assert data == {"a": 1}


def test_one_rulesets_poison_is_told_and_the_others_go_on(make: Any) -> None:
    kit = make(text=TWO, files=AM)

    def poison(*args: Any) -> Any:
        raise RecursionError("too deep " + "x" * 5000)

    kit.evaluator.running["act/one"].session.post = poison
    outcome = kit.post({"a": 1})
    assert rules(outcome) == ["act/two/r"]
    ((name, error),) = outcome.quarantined
    assert (name, error[:24], len(error)) == ("act/one", "RecursionError: too deep", 1000)


def test_an_alert_is_a_word_with_its_cycle(make: Any) -> None:
    kit = make("r | event.alert.cycle == 2 | action: {none: {}}")
    for status, fired in (("firing", []), ("resolved", []), ("firing", ["act/rs/r"])):
        outcome = kit.post({"alert": {"key": "k", "status": status, "name": "Disk"}})
        assert [(word.key, word.firing) for word in outcome.alerts] == [("k", status == "firing")]
        assert rules(outcome) == fired


def test_the_time_to_live_of_an_alert_is_its_sources(make: Any) -> None:
    files = {"healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}, alert_ttl: 1 minute}}}\n"}
    kit = make(text=TWO, files=files)
    (word,) = kit.post({"alert": {"key": "k", "status": "firing"}}, source="am").alerts
    assert word.ttl_us == 60 * S
    kit.now_us += 60 * S
    outcome = kit.post({}, kind="tick", source="healer")
    assert (outcome.expired, outcome.look) == ([("am", "k")], True)


def test_a_fact_is_no_word_of_an_alert(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    assert kit.post({"alert": {"key": "k", "status": "firing"}}, kind="fact", source="ruleset:act/rs").alerts == []


def test_a_tick_always_looks_and_a_revision_leads_to_nothing(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    assert kit.post({}, kind="tick", source="healer").look
    assert kit.evaluator.evaluate(kit.row({}, kind="revision", source="healer")) is None
    assert kit.evaluator.evaluate(kit.row({}, kind="tick", source="healer"), replay=cycles.Openings()) is None


def test_facts_are_set_and_retracted_by_their_rows(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {none: {}}")
    source = "ruleset:act/rs"
    assert rules(kit.post({"a": 1}, kind="fact", source=source)) == ["act/rs/r"]
    assert len(kit.evaluator.running["act/rs"].session.facts.stored) == 1
    kit.post({"retract": {"a": 1}, "partial": True, "exclude_keys": []}, kind="retract", source=source)
    assert list(kit.evaluator.running["act/rs"].session.facts.stored) == []


def test_replay_moves_the_memory_and_nothing_else(make: Any) -> None:
    kit = make(
        "r | event.a == 1 | throttle: {once_within: 10 seconds, group_by_attributes: [event.h]}, action: {debug: {}}"
    )
    assert kit.evaluator.evaluate(kit.row({"a": 1, "h": "x"}), replay=cycles.Openings()) is None
    assert rules(kit.post({"a": 1, "h": "x"})) == []
    assert rules(kit.post({"a": 1, "h": "y"})) == ["act/rs/r"]
    assert len(kit.said) == 1


def test_the_end_of_an_activation_is_the_end_of_all_its_rulesets(make: Any) -> None:
    text = TWO.replace("action: {none: {}}", 'action: {shutdown: {message: "enough"}}', 1)
    kit = make(text=text, files=AM)
    assert rules(kit.post({"a": 1})) == ["act/one/r"]
    assert set(kit.evaluator.ended) == {"act"}
    assert rules(kit.post({"a": 1}, source="am")) == []
    assert kit.said == [("WARNING", "activation act ends: enough")]


def test_matches_of_one_rule_in_one_row_are_counted(make: Any) -> None:
    kit = make(
        "r | event.a == 1 | action: {run_action: {name: plain}}",
        "s | event.a == 1 | action: {run_action: {name: plain}}",
        more="match_multiple_rules: true",
    )
    asks = kit.asks({"a": 1})
    assert len({ask.candidate.run for ask in asks}) == 2


TIMED = """\
- name: one
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: late, condition: event.a == 1, throttle: {once_after: 9 seconds, group_by_attributes: []}, action: {none: {}}}
    - {name: plain, condition: event.b == 1, action: {none: {}}}
- name: two
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: alone, condition: {not_all: [event.a == 1, event.c == 1], timeout: 5 seconds}, action: {none: {}}}
    - {name: late, condition: event.a == 2, throttle: {once_after: 9 seconds, group_by_attributes: []}, action: {none: {}}}
"""


def test_what_time_fires_comes_with_a_tick_in_the_order_of_deadlines(make: Any) -> None:
    kit = make(text=TIMED)
    assert rules(kit.post({"a": 1})) == []
    kit.now_us += 20 * S
    outcome = kit.post({}, kind="tick", source="healer")
    assert rules(outcome) == ["act/two/alone", "act/one/late"]
    assert outcome.look
    assert rules(kit.post({}, kind="tick", source="healer")) == []


def test_what_is_due_fires_before_the_event_that_comes_then_and_is_not_about_its_alert(make: Any) -> None:
    kit = make(text=TIMED.replace("action: {none: {}}", "action: {run_action: {name: plain}}"))
    kit.post({"a": 1})
    kit.now_us += 20 * S
    outcome = kit.post({"b": 1, "alert": {"key": "k", "status": "firing"}})
    asked = [(one.candidate.rule, one.candidate.lifecycle, bool(one.alerts)) for one in outcome.results]
    assert asked == [("act/one/late", False, False), ("act/one/plain", True, True), ("act/two/alone", False, False)]


def test_a_replay_lets_time_pass_and_fires_nothing(make: Any) -> None:
    kit = make(text=TIMED)
    kit.post({"a": 1})
    kit.now_us += 20 * S
    tick = kit.row({}, kind="tick", source="healer")
    assert kit.evaluator.evaluate(tick, replay=cycles.Openings()) is None
    assert rules(kit.post({}, kind="tick", source="healer")) == []


def test_a_ruleset_that_time_breaks_is_told_and_the_others_fire(make: Any) -> None:
    kit = make(text=TIMED)
    kit.post({"a": 1})
    kit.now_us += 20 * S

    def poison(now: float) -> Any:
        raise ValueError("broken")

    kit.evaluator.running["act/one"].session.advance = poison
    outcome = kit.post({}, kind="tick", source="healer")
    assert rules(outcome) == ["act/two/alone"]
    assert outcome.quarantined == [("act/one", "ValueError: broken")]


def test_an_event_that_waits_keeps_the_meta_of_its_own_row(make: Any) -> None:
    joined = '{all: ["events.x << event.a == 1", "event.b == 1"]}'
    kit = make(text=TWO.replace("event.a == 1", joined, 1), files=AM)
    first = kit.row({"a": 1})
    kit.evaluator.evaluate(first)
    kit.now_us += S
    seen: list[Any] = []
    kit.evaluator.acting.act = lambda fired, outcome: seen.append(fired.match)
    kit.post({"b": 1})
    (match,) = seen
    assert match.matches["x"]["meta"] == kit.evaluator.meta(first, {})
    assert match.matches["m_1"]["meta"]["uuid"] != match.matches["x"]["meta"]["uuid"]


def test_2_7_a_fact_that_set_fact_makes_says_so(make: Any) -> None:
    """It carries `meta.source`, as upstream's does (tests/rulebooks/test_semantics_2.py has the peer's side)."""
    kit = make(
        "r | event.a == 1 | action: {set_fact: {fact: {f: 1}}}",
        's | event.meta.source.name == "set_fact" and event.meta.source.type == "internal" | action: {none: {}}',
    )
    (row,) = kit.post({"a": 1}).appends
    assert rules(kit.post(row.data, kind=row.kind, source=row.source, meta=row.meta, depth=row.depth)) == ["act/rs/s"]


def test_a_shared_listener_has_the_name_that_each_ruleset_gives_it(make: Any, write_book: Any) -> None:
    rule = 'r | event.meta.source.name == "%s" and event.meta.source.type == "%s" | action: {debug: {msg: "{{ event.meta.source.name }}"}}'
    wanted = {
        "act": ("hookA", "ansible.eda.webhook"),
        "b": ("hookB", "eda.builtin.webhook"),
        "c": ("ansible.eda.webhook", "ansible.eda.webhook"),
    }
    books = {
        name: write_book(
            rule % one, sources=f"[{{{f'name: {one[0]}, ' if one[0] != one[1] else ''}{one[1]}: {{port: 5000}}}}]"
        )
        for name, one in wanted.items()
    }
    kit = make(text=books.pop("act"), files={f"rulebooks/{name}.yml": text for name, text in books.items()})
    kit.post({"x": 1}, source="ansible.eda.webhook:5000")
    assert sorted(text for _, text in kit.said) == ["ansible.eda.webhook", "hookA", "hookB"]
