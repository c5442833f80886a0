"""Playbooks on another machine: a second sshd with ansible-playbook on its PATH, and a controller `ansible` whose `run_on` names it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from typing import Any

from healer import model, plugins
from healer.controllers import ansible, ssh
from tests import processes

BASTION = model.Target("host", "bastion", "bastion", "127.0.0.9")
INVENTORY = f"""
[web]
web01
web02
[web:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""
WRITE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: write it
      ansible.builtin.copy:
        content: "{{ text }}|{{ lookup('env', 'TMPDIR') }}|{{ lookup('env', 'OF_ACTIVATION') }}|{{ of_group }}|{{ lookup('file', 'given.txt') }}"
        dest: "{{ folder }}/{{ inventory_hostname }}"
        mode: "0600"
    - ansible.builtin.include_role: {name: said}
    - ansible.builtin.set_stats:
        data: {said: "{{ text }}", n: 3}
"""
FAIL = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: ignored
      ansible.builtin.fail: {msg: not this}
      ignore_errors: true
    - name: look at it
      ansible.builtin.fail: {msg: "no space left on {{ inventory_hostname }}"}
      when: inventory_hostname == "web02"
"""
WAIT = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: begun}
    - ansible.builtin.shell: "echo $$ > {{ folder }}/began; until [ -e {{ folder }}/go ]; do sleep 0.05; done"
"""
CALLBACK = """\
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_NAME = "told"

    def v2_runner_on_ok(self, result):
        with open({place!r}, "a") as file:
            file.write(result._host.get_name() + "\\n")
"""
PATH = os.pathsep.join((str(pathlib.Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin"))


class Site:
    """`ssh`: a site of the tests of `ssh`, whose first server is left alone; `machine`: the second one."""

    def __init__(self, made: Any) -> None:
        self.ssh = made
        self.machine = made.serve("two", path=PATH)
        made.know(made.server.known(), self.machine.known())
        self.over: ssh.Ssh = made.made(port=self.machine.port)
        self.revision: pathlib.Path = made.revision
        self.effects = made.folder / "effects"
        self.effects.mkdir()
        self.write("inventory/hosts", INVENTORY)
        self.write("inventory/group_vars/web.yml", "of_group: of the group\n")
        self.write("roles/said/tasks/main.yml", "- ansible.builtin.debug: {msg: said by a role}\n")
        self.write("playbooks/files/given.txt", "of the revision")
        for name, text in {"write": WRITE, "fail": FAIL, "wait": WAIT}.items():
            self.write(f"playbooks/{name}.yml", text)
        self.secrets = {"env:VAULT": "v4ult-pass"}
        self.heard: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.controller = self.made()

    def write(self, path: str, text: str, mode: int = 0o644) -> pathlib.Path:
        file = self.revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def reach(self, text: str, over: ssh.Ssh | None = None) -> tuple[plugins.Controller, model.Target]:
        """What a daemon knows the machine by."""
        assert text == "far:bastion"
        return over or self.over, BASTION

    def made(self, over: ssh.Ssh | None = None, **given: Any) -> ansible.Ansible:
        """Another controller; of a daemon that has been started anew where `over` has connections of its own."""
        options = ansible.AnsibleOptions.model_validate({"run_on": "far:bastion", **given})
        context = plugins.ControllerContext(
            "berlin", self.resolve, self.ssh.log, self.revision, (), lambda text: self.reach(text, over)
        )
        return ansible.Ansible(options, context)

    def resolve(self, reference: plugins.SecretRef) -> model.Secret:
        return model.Secret(reference.secret, self.secrets[reference.secret])

    def job(self, subject: str, hosts: tuple[str, ...] = ("web01",), **given: Any) -> model.Job:
        token = given.get("token", "r-0123456789abcdefghjkmnpqrs-1")
        targets = tuple(model.Target("host", f"{name}.example.org", name) for name in hosts)
        job = model.Job(
            token=token, run_id=token.rpartition("-")[0], action="a", kind="playbook", subject=subject,
            parameters={"folder": str(self.effects)}, targets=targets, deadline_s=120.0, revision_dir=str(self.revision),
            work_dir=str(self.ssh.folder / "work" / token), extra={"instance": str(self.ssh.folder)},
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, subject: str, *args: Any, **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(subject, *args, **given), self.hear)

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    def marked(self) -> list[int]:
        """The processes of ansible-playbook and of what it made that are alive there."""
        ours = f"{self.machine.temporary}/".encode()
        return [pid for pid in processes.pids() if ours in processes.read(pid, "environ") and processes.runs(pid)]

    def files(self) -> set[str]:
        """What lies in the user's folder there, without what is kept of revisions."""
        return {path.name for path in self.machine.temporary.glob("healer-*/*")} - {"revisions", "id"}

    def kept(self) -> list[pathlib.Path]:
        """The revisions that are there."""
        return sorted(self.machine.temporary.glob("healer-*/revisions/*.json"))
