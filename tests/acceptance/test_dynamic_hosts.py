"""Hosts that a program of the project lists are targets like those of files: a real daemon, a real Ansible."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any, Final

from tests import processes

ACTIONS: Final = "actions: {mark: {playbook: mark.yml, cooldown: 0 seconds, impact: low}}\n"
RULES: Final = """\
- name: marks
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: mark, condition: event.mark is defined, action: {run_action: {name: mark, target: "{{ event.mark }}"}}}
"""
PLAYBOOK: Final = """\
- hosts: all
  gather_facts: false
  tasks: [{{ansible.builtin.shell: "echo $NAME >> {effects}", environment: {{NAME: "{{{{ inventory_hostname }}}}"}}}}]
"""
LOCAL: Final = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def project(daemon: Any, *names: str) -> pathlib.Path:
    """Its files, and a list beside it that its program prints."""
    daemon.write("rulebooks/healing.yml", RULES)
    daemon.write("playbooks/mark.yml", PLAYBOOK.format(effects=daemon.effects))
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible, inventory: inventory}}\n")
    daemon.write("actions.yaml", ACTIONS)
    daemon.write("inventory/hosts.yml", f"all: {{hosts: {{db01: {json.dumps(LOCAL)}}}}}\n")
    listed: pathlib.Path = daemon.base / "listed"
    script(daemon, f"cat '{listed}'")
    lists(listed, *names)
    return listed


def script(daemon: Any, text: str) -> None:
    daemon.write("inventory/dyn.sh", f"#!/bin/sh\n{text}\n").chmod(0o755)


def lists(path: pathlib.Path, *names: str, group: str = "web") -> None:
    path.write_text(json.dumps({"_meta": {"hostvars": {}}, group: {"hosts": names, "vars": LOCAL}}))


def reload(daemon: Any) -> None:
    status, answer = daemon.post("/api/v1/reload", {})
    assert status == 200, answer


def runs(daemon: Any) -> list[tuple[str, list[str]]]:
    """(state, targets) of each, the oldest first."""
    return [(run["state"], run["targets"]) for run in reversed(daemon.runs())]


def test_a_host_that_a_program_lists_is_healed_alone(daemon: Any, wait_for: Callable[..., None]) -> None:
    listed = project(daemon, "dyn01", "dyn02")
    daemon.start("--mode", "active")
    daemon.ready().event({"mark": "DYN01"})
    wait_for(lambda: [state for state, _ in runs(daemon)] == ["succeeded"])
    assert daemon.effects.read_text().split() == ["dyn01"]
    daemon.event({"mark": "dyn03"})
    wait_for(lambda: [state for state, _ in runs(daemon)] == ["succeeded", "refused"])
    assert "did you mean 'dyn0" in json.dumps(daemon.runs()[0])
    lists(listed, "dyn03")
    reload(daemon)  # nothing in the project has changed
    daemon.event({"mark": "dyn03"})
    daemon.event({"mark": "db01"})
    wait_for(lambda: [state for state, _ in runs(daemon)].count("succeeded") == 3)
    assert sorted(daemon.effects.read_text().split()) == ["db01", "dyn01", "dyn03"]
    (one,) = daemon.status()["inventories"]
    assert (one["path"], one["hosts"], one["error"]) == ("inventory", 2, None)
    assert not [*(daemon.data / "work").glob("plan-*")]
    daemon.verified()


def test_a_host_that_is_a_group_by_the_time_it_runs(daemon: Any, wait_for: Callable[..., None]) -> None:
    """The list that targets are looked up in may be minutes old: the run acts on its target or on nothing."""
    listed = project(daemon, "dyn01")
    daemon.start("--mode", "active")
    daemon.ready()
    lists(listed, "dyn02", "dyn03", group="dyn01")
    daemon.event({"mark": "dyn01"})
    wait_for(lambda: runs(daemon) and runs(daemon)[0][0] not in ("queued", "running"))
    assert runs(daemon) == [("failed", ["host:dyn01"])]
    assert not daemon.effects.exists()
    assert "nothing was begun: Ansible lists 'dyn01' as a group now (dyn02, dyn03)" in json.dumps(daemon.runs()[0])
    daemon.verified()


def test_a_dry_run_knows_it_too(daemon: Any) -> None:
    listed = project(daemon, "dyn01")
    daemon.start("--mode", "active")
    daemon.ready()
    lists(listed, "dyn02", "dyn03", group="dyn01")
    told = daemon.healer("actions", "run", "mark", "--target", "dyn01", "--dry-run", "--wait", "60s")
    assert told.returncode == 1, told
    assert "it would fail: nothing was begun: Ansible lists 'dyn01' as a group now (dyn02, dyn03)" in told.stdout


def test_a_run_that_loses_its_target_has_the_hosts_listed_again(daemon: Any, wait_for: Callable[..., None]) -> None:
    listed = project(daemon, "dyn01")
    daemon.start("--mode", "active")
    daemon.ready()
    listed.write_text("{}")
    daemon.event({"mark": "dyn01"})
    wait_for(lambda: runs(daemon) and runs(daemon)[0][0] == "failed")
    wait_for(lambda: "a run lost its targets, so Ansible is asked again for the hosts of inventory" in daemon.said())
    reload(daemon)  # which does not wait for half a minute to be over
    says = "Ansible lists no host any more but those of files"
    assert f"of inventory {says}" in daemon.said()
    assert says in daemon.healer("controllers", "check", "site").stdout
    assert daemon.said().count("no host any more but those of files (1 host), 1 beside them before") == 1


def test_what_was_listed_last_holds_where_the_program_fails(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "dyn01")
    daemon.start("--mode", "active")
    daemon.ready()
    script(daemon, "echo no cloud >&2; exit 3")
    done = daemon.healer("reload", "--yes")
    assert done.returncode == 0, "what was listed holds, so there is a revision that does"
    assert (
        "warning[hosts-not-listed]: Ansible could not list the hosts, what it listed last holds (2 hosts): "
        in done.stdout
    )
    assert done.stdout.rstrip().endswith("It said: no cloud")
    (one,) = daemon.status()["inventories"]
    assert one["error"].startswith("ansible-inventory: exit 1: ")
    shown = daemon.healer("controllers", "show", "site").stdout
    assert "2 hosts, as Ansible lists them" in shown
    assert "Ansible could not list them" in shown
    assert " holds (2 hosts): " in daemon.healer("status").stdout
    assert daemon.said().count("Ansible could not list the hosts of inventory") == 1
    daemon.event({"mark": "dyn01"})  # it is a target; that Ansible itself cannot reach it now is the run's end
    wait_for(lambda: runs(daemon) and runs(daemon)[0][0] not in ("queued", "running"))
    assert runs(daemon) == [("failed", ["host:dyn01"])]
    daemon.kill()
    daemon.start("--mode", "active")  # nothing was heard since this start
    daemon.ready().event({"mark": "dyn01"})
    wait_for(lambda: len(runs(daemon)) == 2)
    assert runs(daemon)[1][0] == "refused"
    daemon.event({"mark": "db01"})
    wait_for(lambda: len(runs(daemon)) == 3)
    assert runs(daemon)[2][1] == ["host:db01"]


def test_a_daemon_that_is_killed_while_it_asks_leaves_nothing(daemon: Any, wait_for: Callable[..., None]) -> None:
    listed = project(daemon, "dyn01")
    pid = daemon.base / "pid"
    script(daemon, f"echo $$ > '{pid}'; [ -e '{daemon.hold}' ] && exec sleep 600; cat '{listed}'")
    daemon.hold.touch()
    daemon.start("--mode", "active")
    wait_for(lambda: pid.exists() and pid.read_text().strip())
    daemon.kill()
    wait_for(lambda: not processes.runs(int(pid.read_text())))
    daemon.hold.unlink()
    daemon.start("--mode", "active")
    daemon.ready()
    assert not [*(daemon.data / "work").glob("plan-*")]
    assert daemon.status()["inventories"][0]["hosts"] == 2


def test_a_stop_while_it_asks(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "dyn01")
    pid = daemon.base / "pid"
    script(daemon, f"echo $$ > '{pid}'; exec sleep 600")
    daemon.start("--mode", "active")
    wait_for(lambda: pid.exists() and pid.read_text().strip())
    assert daemon.stop() == 0
    assert not processes.runs(int(pid.read_text()))
