"""What rules do to the daemon around them: lists of actions one after the other, `shutdown`, and playbooks that read the event."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import pytest

STEPS: Final = """\
- name: steps
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: two
      condition: event.two is defined
      actions:
        - run_action: {name: step, target: h1, parameters: {text: first, code: "{{ event.two }}"}}
        - run_action: {name: step, target: h1, parameters: {text: second}}
"""
STEP: Final = """\
actions:
  step:
    script: step.sh
    impact: low
    cooldown: 0 seconds
    parameters: {text: {type: string}, code: {type: integer, default: 0}}
"""
SCRIPT: Final = """\
#!/bin/sh
params=$(cat)
echo "$params" >> '%s'
while [ -e '%s' ]; do sleep 0.02; done
exit $(echo "$params" | sed 's/.*"code": *\\([0-9]*\\).*/\\1/')
"""


def steps(daemon: Any) -> Any:
    """A daemon with a rule of two steps."""
    daemon.write("rulebooks/healing.yml", STEPS)
    daemon.write("actions.yaml", STEP)
    daemon.write("scripts/step.sh", SCRIPT % (daemon.effects, daemon.hold)).chmod(0o755)
    daemon.start()
    return daemon.ready()


def texts(daemon: Any) -> list[str]:
    """What the steps said, in order."""
    lines = daemon.effects.read_text().splitlines() if daemon.effects.exists() else []
    return ["first" if "first" in line else "second" for line in lines]


def test_the_second_step_begins_when_the_first_has_succeeded(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.hold.touch()
    steps(daemon).event({"two": 0})
    wait_for(lambda: texts(daemon) == ["first"])
    assert daemon.states() == ["deferred", "running"]
    daemon.hold.unlink()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    assert texts(daemon) == ["first", "second"]
    daemon.verified()


def test_after_a_failure_there_is_no_second_step(daemon: Any, wait_for: Callable[..., None]) -> None:
    steps(daemon).event({"two": 3})
    wait_for(lambda: daemon.states() == ["failed", "suppressed"])
    assert texts(daemon) == ["first"]
    (second,) = [run for run in daemon.runs() if run["state"] == "suppressed"]
    assert second["reason"] == "chain"
    assert "did not succeed" in second["sentence"]


def test_a_step_that_waits_survives_a_kill(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.hold.touch()
    steps(daemon).event({"two": 0})
    wait_for(lambda: texts(daemon) == ["first"])
    daemon.kill()
    daemon.start()
    daemon.ready()
    assert daemon.states() == ["deferred", "running"]
    daemon.hold.unlink()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    assert texts(daemon) == ["first", "second"]


@pytest.mark.parametrize("way", ["reload", "start"])
def test_a_run_that_waits_is_held_to_the_limits_of_today(daemon: Any, wait_for: Callable[..., None], way: str) -> None:
    before = (daemon.project / "actions.yaml").read_text()
    daemon.write("actions.yaml", before.replace("cooldown: 0 seconds", "cooldown: 1 hour", 1))
    daemon.start()
    daemon.ready().event({"heal": "h1"})
    wait_for(lambda: daemon.states() == ["succeeded"])
    daemon.event({"heal": "h1"})
    wait_for(lambda: daemon.states() == ["deferred", "succeeded"])
    if way == "start":
        daemon.stop()
    daemon.write("actions.yaml", before)
    if way == "start":
        daemon.start()
        daemon.ready()
    else:
        assert daemon.healer("reload").returncode == 0
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    daemon.verified()


WAITING: Final = """\
- name: waiting
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: both
      condition: {all: ["events.down << event.down is defined", "event.up == events.down.down"]}
      action: {run_action: {name: heal, target: "{{ events.down.down }}"}}
    - name: alone
      condition: {not_all: ["event.ping is defined", "event.pong is defined"], timeout: 2 seconds}
      action: {run_action: {name: heal, target: "{{ event.ping }}"}}
    - name: gathered
      condition: event.many is defined
      throttle: {once_after: 2 seconds, group_by_attributes: [event.many]}
      action: {run_action: {name: heal, target: "{{ events.m_1.many }}"}}
"""


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_what_rules_wait_for_outlives_a_kill(daemon: Any, wait_for: Callable[..., None], killed: bool) -> None:
    """Joins wait for an event, timers for the journal's clock; what is due while nobody runs fires after the start."""
    daemon.write("rulebooks/healing.yml", WAITING)
    daemon.start()
    daemon.ready()
    for event in ({"down": "h1"}, {"ping": "h2"}):
        daemon.event(event)
    assert (
        daemon.post("/events", [{"many": "h4"}, {"many": "h3"}])[0] == 202
    )  # together, else its window may close between them
    if killed:
        daemon.kill()
        daemon.start()
        daemon.ready()
    daemon.event({"up": "h1"})
    daemon.event({"up": "h1"})
    wait_for(lambda: daemon.states() == ["succeeded"] * 3)
    assert sorted(line.split()[1] for line in daemon.effects.read_text().splitlines()) == ["h1", "h2", "h3"]
    assert sorted(run["rule"].rpartition("/")[2] for run in daemon.runs()) == ["alone", "both", "gathered"]
    daemon.verified()


ENDING: Final = """\
- name: ending
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: enough, condition: event.enough is defined, action: {shutdown: {message: enough}}}
    - {name: seen, condition: event.seen is defined, action: {run_action: {name: heal, target: h1}}}
"""


def ended(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.event({"enough": 1})
    wait_for(lambda: daemon.status()["ended"] == ["healing"])


def test_an_activation_that_ended_takes_nothing_more_until_a_reload_or_a_start(
    daemon: Any, wait_for: Callable[..., None]
) -> None:
    daemon.write("rulebooks/healing.yml", ENDING)
    daemon.start()
    daemon.ready()
    ended(daemon, wait_for)
    status, answer = daemon.post("/events", {"seen": 1})
    assert (status, answer["code"]) == (404, "no_listener")
    assert "ENDED" in daemon.healer("status").stdout
    assert daemon.healer("reload").returncode == 0
    wait_for(lambda: daemon.status()["ended"] == [])
    daemon.event({"seen": 1})
    wait_for(lambda: daemon.states() == ["succeeded"])
    ended(daemon, wait_for)
    daemon.stop()
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.status()["ended"] == [])
    daemon.event({"seen": 1})
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])


PLAY: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ ansible_eda.rule }} {{ ansible_eda.event.q }} {{ ansible_eda.event.meta.source.name }}"
        dest: "%s"
        mode: "0600"
"""
PLAYING: Final = """\
- name: playing
  hosts: h1
  sources: [{healer.api: {}}]
  rules:
    - {name: read it, condition: event.q is defined, action: {run_playbook: {name: playbooks/read.yml}}}
"""


def test_a_playbook_reads_the_event_and_never_runs_it(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.write("rulebooks/healing.yml", PLAYING)
    daemon.write("playbooks/read.yml", PLAY % daemon.effects)
    daemon.write(
        "inventory/hosts.yml",
        f"all:\n  hosts:\n    h1: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}\n",
    )
    daemon.write("controllers.yaml", "controllers: {here: {type: ansible, inventory: inventory/}}\ndefault: here\n")
    daemon.write("actions.yaml", "actions: {}\n")
    daemon.start()
    daemon.ready()
    hostile = "{{ lookup('pipe', 'id') }}"
    daemon.event({"q": hostile})
    wait_for(lambda: daemon.states() == ["succeeded"])
    assert daemon.effects.read_text() == f"read it {hostile} healer.api"


def test_a_secret_of_a_controller_is_masked_before_it_was_ever_used(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.write("secrets/vault", "v4ult-of-nobody\n")
    daemon.write(
        "controllers.yaml",
        "controllers:\n  here: {type: local}\n  site: {type: ansible, vault_password: {secret: 'file:secrets/vault'}}\ndefault: here\n",
    )
    daemon.write("scripts/heal.sh", "#!/bin/sh\necho saw v4ult-of-nobody\n").chmod(0o755)
    daemon.write("rulebooks/healing.yml", ENDING)
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.event({"seen": 1})
    wait_for(lambda: daemon.states() == ["succeeded"])
    shown = daemon.healer("runs", "show", daemon.runs()[0]["id"], "--output").stdout
    assert ("v4ult-of-nobody" in shown, "saw ***" in shown) == (False, True)
    daemon.write("secrets/vault", "an0ther-of-nobody\n")
    daemon.write("scripts/heal.sh", "#!/bin/sh\necho saw an0ther-of-nobody\n").chmod(0o755)
    assert daemon.ask("POST", "/reload")[0] == 200
    daemon.event({"seen": 2})
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    assert "an0ther-of-nobody" not in daemon.healer("runs", "show", daemon.runs()[0]["id"], "--output").stdout


def test_the_token_of_a_source_is_masked_in_what_actions_print(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.variables["AM_TOKEN"] = "t0ken-of-a-source"
    daemon.write(
        "healer.yaml",
        "environment: test\nmode: active\nsources:\n  am: {healer.webhook: {path: am, auth: {bearer: {secret: env:AM_TOKEN}}}}\n",
    )
    daemon.write(
        "rulebooks/healing.yml",
        ENDING.replace("{healer.api: {}}", "{healer.source: {name: am}}").replace("event.", "event.payload."),
    )
    daemon.write("scripts/heal.sh", "#!/bin/sh\necho saw t0ken-of-a-source\n").chmod(0o755)
    daemon.start()
    daemon.ready()
    assert daemon.ask("POST", "/hooks/am", {"seen": 1}, key="wrong-token")[0] == 401
    status, _ = daemon.ask("POST", "/hooks/am", {"seen": 1}, key="t0ken-of-a-source")
    assert status == 202
    wait_for(lambda: daemon.states() == ["succeeded"])
    shown = daemon.healer("runs", "show", daemon.runs()[0]["id"], "--output").stdout
    assert "t0ken-of-a-source" not in shown
    assert "saw ***" in shown
