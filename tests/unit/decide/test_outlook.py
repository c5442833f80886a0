"""What an event would ask for, in the memory that the rules have: as it then does, and nothing is taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from healer import engine, telemetry
from healer.decide import outlook
from healer.store import asking, deciding

ACT = "run_action: {name: note, target: '{{ event.host }}', parameters: {text: '{{ event.a }}'}}"
FIRES = f"r | event.a is defined | action: {{{ACT}}}"


def look(kit: Any, body: Any, **more: Any) -> outlook.Outlook:
    """What it would lead to. Whatever the evaluator holds has to be as it was."""
    row = kit.row(body, **more)
    row.data = None
    before = {name: json.dumps(one.session.snapshot()) for name, one in kit.evaluator.running.items()}
    open_before, said, counted = kit.evaluator.alerts.open, list(kit.said), telemetry.read()
    found = asyncio.run(outlook.look(kit.evaluator, kit.evaluator.acting.quiet(), row))
    assert {name: json.dumps(one.session.snapshot()) for name, one in kit.evaluator.running.items()} == before
    assert (kit.evaluator.alerts.open, kit.said, telemetry.read()) == (open_before, said, counted)
    kit.seq -= 1
    return found


def told(results: Any) -> list[Any]:
    return [
        (one.candidate.run, one.candidate.targets, one.parameters, one.conditions, one.alerts, one.candidate.lifecycle)
        if isinstance(one, asking.Ask) else (one.rule, one.action, one.outcome)
        for one in results
    ]  # fmt: skip


def same(kit: Any, body: Any, **more: Any) -> outlook.Outlook:
    """What it would lead to; then it comes, and leads to just that."""
    found = look(kit, json.loads(json.dumps(body)), **more)
    then = kit.post(body, **more)
    assert told(found.outcome.results) == told(then.results)
    assert [(one.kind, one.source, one.body) for one in found.outcome.appends] == [
        (one.kind, one.source, one.body) for one in then.appends
    ]
    assert found.outcome.alerts == then.alerts
    return found


def test_what_an_event_asks_for_is_told_as_it_then_does(make: Callable[..., Any]) -> None:
    found = same(make(FIRES), {"a": "x", "host": "web01"})
    (one,) = found.asks
    assert (one.candidate.targets, one.parameters) == (("host:web01",), {"text": "x", "n": 7})


def test_with_the_other_half_that_waits_in_memory(make: Callable[..., Any]) -> None:
    kit = make(
        "pair | x | action: {run_action: {name: plain}}",
        text="""\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: pair, condition: {all: [events.a << event.a is defined, event.b == events.a.a]}, action: {run_action: {name: plain}}}
""",
    )
    assert look(kit, {"b": 1}).asks == []
    kit.post({"a": 1})
    assert len(same(kit, {"b": 1}).asks) == 1
    assert look(kit, {"b": 1}).asks == [], "both halves are gone now"


def test_an_alert_is_told_with_the_cycle_that_it_would_have(make: Callable[..., Any]) -> None:
    kit = make(FIRES)
    alert = {"key": "k", "status": "firing", "name": "Full"}
    for status, cycle in (("firing", 1), ("firing", 1), ("resolved", 1), ("firing", 2)):
        found = same(kit, {"a": 1, "host": "web01", "alert": alert | {"status": status}})
        (word,) = found.outcome.alerts
        assert word.cycle == cycle


def test_nobody_is_told_what_it_would_print_and_what_it_would_append_is(make: Callable[..., Any]) -> None:
    kit = make("r | event.a is defined | actions: [{debug: {msg: hello}}, {set_fact: {fact: {x: 1}}}]")
    found = same(kit, {"a": 1})
    assert [one.action for one in found.outcome.results if isinstance(one, deciding.Internal)] == ["debug", "set_fact"]
    assert [one.kind for one in found.outcome.appends] == ["fact"]


def test_an_event_of_nobody_leads_to_nothing(make: Callable[..., Any]) -> None:
    kit = make(FIRES)
    assert look(kit, {"a": 1}, source="elsewhere").rulesets == []


def test_a_rulebook_that_a_rule_has_ended_does_not_listen(make: Callable[..., Any]) -> None:
    kit = make(FIRES)
    kit.evaluator.ended["act"] = 1
    assert look(kit, {"a": 1, "host": "web01"}).rulesets == []


def test_what_a_ruleset_cannot_digest_is_told_and_the_others_are_looked_at(make: Callable[..., Any]) -> None:
    text = "".join(
        f"- name: {name}\n  hosts: all\n  sources: [{{healer.api: {{}}}}]\n  rules: [{{name: r, condition: event.a is defined, action: {{run_action: {{name: plain}}}}}}]\n"
        for name in ("one", "two")
    )
    kit = make("", text=text)

    def fail(*_: Any) -> Any:
        raise RuntimeError("boom")

    class Broken(engine.Session):
        look = fail

    kit.evaluator.running["act/one"].session = Broken(kit.evaluator.running["act/one"].session.compiled)
    found = asyncio.run(outlook.look(kit.evaluator, kit.evaluator.acting.quiet(), kit.row({"a": 1})))
    assert [(one.name, one.failed) for one in found.rulesets] == [("act/one", "RuntimeError: boom"), ("act/two", "")]
    assert len(found.asks) == 1


def test_of_very_many_actions_some_are_looked_at(make: Callable[..., Any]) -> None:
    rules = [f"r{number} | event.a is defined | action: {{debug: {{}}}}" for number in range(outlook.ACTIONS_MAX + 1)]
    kit = make(*rules, more="match_multiple_rules: true")
    found = look(kit, {"a": 1})
    assert (len(found.outcome.results), found.cut) == (outlook.ACTIONS_MAX, True)
