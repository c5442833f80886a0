"""Trying things without effect on a real daemon: simulations, dry runs, observing, and the plans of what would run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

Wait = Callable[..., None]
INVENTORY = """\
web: {{hosts: {{web01: {{}}, web02: {{}}}}, vars: {{ansible_connection: local, ansible_python_interpreter: '{python}'}}}}
"""
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - {{name: write, ansible.builtin.copy: {{dest: '{effects}', content: "{{{{ text }}}}"}}}}
    - {{name: really, ansible.builtin.command: {{argv: [touch, '{effects}']}}, check_mode: false}}
    - {{name: wait, ansible.builtin.pause: {{minutes: {minutes}}}, when: {minutes} > 0}}
"""
ACTIONS = """\
actions:
  write: {playbook: write.yml, impact: low, cooldown: 0 seconds, parameters: {text: {type: string, default: new}}, events: [write]}
"""
RULES = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: one, condition: event.one is defined, action: {run_action: {name: write, target: web01}}}
    - {name: two, condition: event.two is defined, action: {run_action: {name: write, target: [web01, web02]}}}
    - {name: pair, condition: {all: [events.a << event.a is defined, event.b == events.a.a]}, action: {run_action: {name: write, target: web01}}}
"""


ASKS = "defaults: {run_action: {blast_radius: {targets: 1, within: 1 hour}}}\n"


def project(daemon: Any, *, mode: str = "active", minutes: int = 0, more: str = "") -> None:
    """One playbook that would leave a file."""
    daemon.write("healer.yaml", f"environment: test\nmode: {mode}\n{more}")
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible, inventory: inventory}}\ndefault: site\n")
    daemon.write("inventory/hosts.yml", INVENTORY.format(python=sys.executable))
    daemon.write("playbooks/write.yml", PLAYBOOK.format(effects=daemon.effects, minutes=minutes))
    daemon.write("actions.yaml", ACTIONS)
    daemon.write("rulebooks/healing.yml", RULES)


def kept(daemon: Any) -> dict[str, list[Any]]:
    """All that the store holds, but for the signs of life."""
    tables = [
        name
        for (name,) in daemon.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('pulse', 'snapshot')"
        )
    ]
    return {name: daemon.rows(f"SELECT * FROM {name}") for name in tables}


def simulated(daemon: Any, **body: Any) -> dict[str, Any]:
    status, answer = daemon.post("/simulate", body)
    assert status == 200, answer
    (item,) = answer["items"]
    return dict(item)


def planned(daemon: Any, wait_for: Wait) -> dict[str, Any]:
    """The plan of the only run, once it is no more being made."""

    def made() -> bool:
        runs = daemon.runs()
        return bool(runs) and daemon.get(f"/runs/{runs[0]['id']}")[1]["plan"]["state"] != "wanted"

    wait_for(made, what="the plan is made")
    (run,) = daemon.runs()
    plan: dict[str, Any] = daemon.get(f"/runs/{run['id']}")[1]["plan"]
    return plan


def test_a_simulation_says_what_the_event_then_does_and_leaves_nothing(daemon: Any, wait_for: Wait) -> None:
    project(daemon)
    daemon.start()
    daemon.ready().event({"a": 7})
    wait_for(
        lambda: daemon.rows("SELECT seq FROM position") == [(2,)], what="the half is in memory, and that is on disk"
    )
    before = kept(daemon)
    item = simulated(daemon, event={"b": 7})
    (rule,) = [one for one in item["rules"] if one["fired"]]
    assert (rule["rule"], rule["outcome"], rule["queued"]) == ("healing/rs/pair", "queued", True)
    assert rule["groups"] == [{"group": "web", "targets": 1, "size": 2, "percent": 50.0}]
    assert item["others"] == 2
    why = simulated(daemon, event={"b": 8}, why=True)
    assert [(one["fired"], one["reason"]) for one in why["rules"]] == [
        (False, "no-match"),
        (False, "no-match"),
        (False, "waits"),
    ]
    assert [one["holds"] for one in why["rules"][0]["conditions"]] == [False]
    assert [one["tree"]["holds"] for one in why["rules"]] == [False, False, None]
    with_plan = simulated(daemon, event={"b": 7}, plan=True)
    assert [one["plan"]["state"] for one in with_plan["rules"] if one["fired"]] == ["made"]
    assert kept(daemon) == before
    assert daemon.lines() == [], "nothing took effect"
    event = daemon.event({"b": 7})
    wait_for(lambda: daemon.states() == ["succeeded"], what="it runs")
    assert daemon.effects.read_text() == "new"
    _, told = daemon.get(f"/explain/{event}?rule=pair")
    asked = {gate["gate"]: gate["ok"] for gate in rule["gates"]}
    assert {gate["gate"]: gate["ok"] for gate in told["rules"][0]["gates"]}.keys() == asked.keys()
    again = simulated(daemon, id=event)
    assert [one["reason"] for one in again["rules"]] == ["waits"], "both halves are gone"
    shown = daemon.healer("simulate", event, "--why")
    assert (shown.returncode, "would not fire" in shown.stdout) == (0, True)
    daemon.verified()


@pytest.mark.parametrize("how", ["observe", "dry run"])
def test_what_would_run_has_a_plan_and_no_effect(daemon: Any, wait_for: Wait, how: str) -> None:
    project(daemon, mode="observe" if how == "observe" else "active")
    daemon.start()
    daemon.ready()
    if how == "observe":
        daemon.event({"one": 1})
    else:
        assert daemon.post("/webhook", {"event_type": "write", "target": "web01", "dry_run": True})[0] == 202
    plan = planned(daemon, wait_for)
    assert (plan["state"], plan["targets"], plan["exact"]) == ("made", ["web01"], True), str(plan)
    assert plan["steps"][1] == "check mode: 1 host, 1 changed"
    assert "+new" in plan["diff"]
    assert "only checked, though it says check_mode: false: really" in plan["diff"]
    assert daemon.states() == ["simulated"]
    assert not daemon.effects.exists()
    (run,) = daemon.runs()
    for command in (("runs", "show"), ("explain",)):
        assert "check mode: 1 host, 1 changed" in daemon.healer(*command, run["id"]).stdout
    assert [row for row in daemon.rows("SELECT kind FROM audit") if row == ("plan",)] == [("plan",)]
    daemon.verified()


def test_who_is_asked_sees_what_would_be_done(daemon: Any, wait_for: Wait) -> None:
    project(daemon, more=ASKS)
    daemon.start()
    daemon.ready().event({"two": 1})
    plan = planned(daemon, wait_for)
    assert plan["targets"] == ["web01", "web02"]
    (request,) = daemon.get("/approvals")[1]["items"]
    assert daemon.get(f"/approvals/{request['id']}")[1]["plan"] == plan
    assert "+new" in daemon.healer("approvals", "show", request["id"]).stdout
    assert (daemon.states(), daemon.effects.exists()) == (["awaiting_approval"], False)


def test_a_kill_amid_a_plan_leaves_no_process_and_the_next_start_makes_it(daemon: Any, wait_for: Wait) -> None:
    project(daemon, mode="observe", minutes=5)
    daemon.start()
    daemon.ready().event({"one": 1})
    work = daemon.data / "work"
    wait_for(lambda: [*work.glob("plan-*/check/started")] and len(daemon.children()) > 1, what="it is being made")
    daemon.kill()
    wait_for(lambda: daemon.children() == [], what="its processes end with the daemon")
    assert [*work.glob("plan-*")], "nobody was there to remove its folder"
    daemon.write("playbooks/write.yml", PLAYBOOK.format(effects=daemon.effects, minutes=0))
    left = {path.name for path in work.glob("plan-*")}
    daemon.start()
    daemon.ready()
    assert left.isdisjoint(path.name for path in work.iterdir())
    daemon.stop()
    wait_for(lambda: daemon.children() == [], what="its processes to end")
    assert [*work.iterdir()] == []
    assert daemon.rows("SELECT state FROM plan") == [("wanted",)]
    assert not daemon.effects.exists()
