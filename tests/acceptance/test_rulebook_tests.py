"""`healer test` says what the daemon does: the same events on a real one, decision by decision with its reason, and the states of the runs."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from healer import harness, project

ACTIONS = """\
actions:
  heal: {script: heal.sh, timeout: 5 minutes, impact: low, verify: none, parameters: {level: {type: integer, maximum: 5, default: 1}}}
  look: {script: heal.sh, target: none, impact: low, verify: none, cooldown: 1 second}
  risky: {script: heal.sh, impact: high, verify: none}
  dry: {script: heal.sh, impact: low, verify: none, dry_run: true}
"""
RULES = """\
- name: all
  hosts: all
  sources: [{healer.api: {}}]
  match_multiple_rules: true
  rules:
    - name: broken
      condition: event.alert.name == "Broken" and event.alert.key is defined and event.alert.status == "firing"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
    - name: level
      condition: event.level is defined
      action: {run_action: {name: heal, target: h9, parameters: {level: "{{ event.level }}"}}}
    - name: risky
      condition: event.risky is defined
      action: {run_action: {name: risky, target: "{{ event.risky }}"}}
    - name: dry
      condition: event.dry is defined
      action: {run_action: {name: dry, target: h1}}
    - name: switched off
      enabled: false
      condition: event.dry is defined
      action: {none: {}}
    - name: pair
      condition: {all: [events.a << event.a is defined, event.b == events.a.a]}
      action: {run_action: {name: look}}
    - name: few
      condition: event.few is defined
      throttle: {once_within: 1 hour, group_by_attributes: [event.few]}
      actions: [{debug: {msg: heard}}, {post_event: {event: {dry: 1}}}]
"""
EVENTS: list[dict[str, Any]] = [
    {"alert": {"name": "Broken", "target": "h1", "key": "k1", "status": "firing"}},
    {"alert": {"name": "Broken", "target": "h1", "key": "k1", "status": "firing"}},
    {"alert": {"name": "Broken", "target": "h1", "key": "k2", "status": "firing"}},
    {"alert": {"name": "Broken", "target": "nowhere", "key": "k3", "status": "firing"}},
    {"alert": {"name": "Broken", "target": "h1", "key": "k1", "status": "resolved"}},
    {"alert": {"name": "Broken", "target": "h2", "key": "k2", "status": "resolved"}},
    {"level": 3}, {"level": 9}, {"risky": "h3"}, {"dry": 1}, {"b": 5}, {"a": 5}, {"a": 6}, {"few": 1}, {"few": 1}, {"few": 2}, {"other": 1},
]  # fmt: skip


@pytest.mark.parametrize("mode", ["active", "observe"])
def test_the_same_events_lead_to_the_same(
    daemon: Any, wait_for: Callable[..., None], tmp_path: pathlib.Path, mode: str
) -> None:
    daemon.write("healer.yaml", f"environment: test\nmode: {mode}\n")
    daemon.write("actions.yaml", ACTIONS)
    daemon.write("rulebooks/healing.yml", RULES)
    steps = "\n".join(f"      - {{at: {number}s, event: {json.dumps(event)}}}" for number, event in enumerate(EVENTS))
    daemon.write("rulebooks/healing_test.yml", (
        f"tests:\n  - name: a\n    settings: {{mode: {mode}}}\n    steps:\n{steps}\n    expect: [{{decisions: [{{rule: broken}}]}}]\n"
    ))  # fmt: skip
    loaded = project.load(daemon.project, {})
    revision = loaded.revision
    assert revision is not None, [str(one) for one in loaded.diagnostics]
    report = harness.run(daemon.project, revision, ["rulebooks/healing_test.yml"], covered=True)
    assert report.ok
    assert not daemon.effects.exists(), "nothing ran"
    seen = report.results[0].seen
    assert seen is not None
    decided = [(one["rule"], one["action"], one["outcome"], one["reason"]) for one in seen.decisions]
    states = sorted((one["rule"], one["action"], one["state"], one["reason"]) for one in seen.runs)

    daemon.start()
    daemon.ready()
    for event in EVENTS:
        daemon.event(event)
        wait_for(
            lambda: (
                not daemon.rows(
                    "SELECT 1 FROM run WHERE state IN ('running', 'verifying') OR (state = 'queued' AND reason = '')"
                )
            )
        )
        last = daemon.rows("SELECT coalesce(max(seq), 0) FROM journal WHERE kind = 'event'")[0][0]
        wait_for(lambda last=last: daemon.rows("SELECT seq FROM position")[0][0] >= last, what="it is decided")
    read = daemon.rows("SELECT rule, action, outcome, reason FROM decision ORDER BY seq, n")
    assert [tuple(one) for one in read] == decided
    assert sorted(daemon.rows("SELECT rule, action, state, reason FROM run")) == states
    assert len({reason for *_, reason in decided}) >= 4
    daemon.stop()
