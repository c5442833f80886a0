"""A real daemon whose playbooks run on another machine, a real sshd: killed while one is at work there, it finds it again and acts once."""

from __future__ import annotations

import getpass
import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location(
    "ssh_site_of_run_on", pathlib.Path(__file__).parents[1] / "controllers" / "ssh_site.py"
)
assert _spec is not None
assert _spec.loader is not None
ssh_site = sys.modules["ssh_site_of_run_on"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ssh_site)

PATH = os.pathsep.join((str(pathlib.Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"))


@pytest.fixture
def machine(daemon: Any, tmp_path: pathlib.Path) -> Iterator[Any]:
    """A machine with ansible-playbook, and a project whose playbooks run there."""
    key = ssh_site.keypair(tmp_path / "id")
    served = ssh_site.Sshd(tmp_path / "sshd", key.with_suffix(".pub").read_text(), path=PATH)
    daemon.write("known_hosts", served.known())
    daemon.write(
        "bastions/hosts.yml",
        f"all: {{hosts: {{bastion: {{ansible_host: 127.0.0.1, ansible_port: {served.port}, ansible_user: {getpass.getuser()}}}}}}}\n",
    )
    daemon.write("controllers.yaml", f"""\
controllers:
  berlin: {{type: ansible, inventory: inventory/, run_on: "ssh:bastion"}}
  web-ssh: {{type: ssh, inventory: bastions/, user: nobody-of-that-name, key: {{secret: "file:{key}"}}, known_hosts: known_hosts}}
default: berlin
""")  # fmt: skip
    daemon.write("inventory/hosts.yml", f"""\
all:
  hosts: {{h1: , h2: }}
  vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}
""")  # fmt: skip
    daemon.write("playbooks/heal.yml", f"""\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: |
        echo "$HEALER_RUN_ID {{{{ inventory_hostname }}}}" >> '{daemon.effects}'
        while [ -e '{daemon.hold}' ]; do sleep 0.02; done
""")  # fmt: skip
    daemon.write("actions.yaml", """\
actions:
  heal: {playbook: heal.yml, cooldown: 0 seconds, timeout: 5 minutes, events: [heal], impact: low}
  level: {playbook: heal.yml, parameters: {level: {type: integer}}, impact: low}
""")  # fmt: skip
    yield served
    daemon.clean_up()
    served.stop()


def work(machine: Any) -> list[str]:
    """What lies there of jobs."""
    return [name for name in machine.left() if name != "revisions"]


def test_a_playbook_there_outlives_the_daemon_and_acts_once(
    daemon: Any, machine: Any, wait_for: Callable[..., None]
) -> None:
    daemon.hold.touch()
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.break_host("h1")
    wait_for(lambda: len(daemon.lines()) == 1, 60, "it to begin")
    daemon.kill()
    assert work(machine)
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.hold.unlink()
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "it to be found")
    assert [target for _, target in daemon.lines()] == ["h1"]
    wait_for(lambda: not work(machine), what="the machine to forget")
    checked = daemon.healer("controllers", "check", "berlin")
    assert checked.returncode == 0, checked
    assert "on bastion over web-ssh" in checked.stdout
    daemon.verified()


def test_a_person_ends_it_there(daemon: Any, machine: Any, wait_for: Callable[..., None]) -> None:
    daemon.hold.touch()
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.break_host("h2")
    wait_for(lambda: len(daemon.lines()) == 1, 60, "it to begin")
    (run,) = daemon.runs()
    assert daemon.healer("runs", "cancel", "--yes", run["id"], "--reason", "enough").returncode == 0
    wait_for(lambda: daemon.states() == ["cancelled"])
    wait_for(lambda: not work(machine), what="the machine to forget")
    assert daemon.stop() == 0
