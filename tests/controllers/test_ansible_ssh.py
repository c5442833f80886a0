"""Ansible's own ssh to its hosts: what a task does there ends with the run. Against a real sshd."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from healer import model, plugins
from healer.controllers import ansible
from tests import processes

HOST: Final = (
    "web01 ansible_host=127.0.0.1 ansible_port={port} ansible_ssh_private_key_file={key} ansible_python_interpreter={python}"
    " ansible_ssh_args='-o ControlMaster=auto -o ControlPersist=1s -o UserKnownHostsFile={known}'\n"
)
HANG: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: "echo $$ > {{ folder }}/began; sleep 600; touch {{ folder }}/late"
"""
WHO: Final = "[{hosts: all, gather_facts: false, tasks: [{ansible.builtin.command: {argv: [id, -u]}}]}]\n"


class Site:
    """A revision with one host behind the sshd of the tests of `ssh`, and a controller."""

    def __init__(self, made: Any) -> None:
        self.made = made
        self.revision: pathlib.Path = made.revision
        self.effects: pathlib.Path = made.folder / "effects"
        self.effects.mkdir()
        known = made.folder / "known_hosts"
        text = HOST.format(port=made.server.port, key=made.key, python=sys.executable, known=known)
        self.write("inventory", text)
        self.write("playbooks/hang.yml", HANG)
        self.write("playbooks/who.yml", WHO)
        context = plugins.ControllerContext("site", lambda one: model.Secret(one.secret, ""), print, self.revision)
        self.controller = ansible.Ansible(ansible.AnsibleOptions(), context)

    def write(self, path: str, text: str) -> None:
        (self.revision / path).parent.mkdir(parents=True, exist_ok=True)
        (self.revision / path).write_text(text)

    def job(self, subject: str = "hang.yml", deadline_s: float = 120.0, **parameters: Any) -> model.Job:
        return model.Job(
            token="r-1-1", run_id="r-1", action="a", kind="playbook", subject=subject,
            parameters={"folder": str(self.effects), **parameters}, targets=(model.Target("host", "web01", "web01"),),
            deadline_s=deadline_s, revision_dir=str(self.revision), work_dir=str(self.made.folder / "work" / "r-1-1"),
        )  # fmt: skip

    async def run(self, job: model.Job) -> model.Outcome:
        return await self.controller.run(job, lambda _stream, _piece: None)

    def began(self) -> bool:
        return (self.effects / "began").exists() and bool((self.effects / "began").read_text())

    def pid(self) -> int:
        """Of the task there."""
        return int((self.effects / "began").read_text())

    def alive(self) -> bool:
        """Whether the task is at work there."""
        return processes.runs(self.pid())


@pytest.fixture
def site(ssh_one: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="h-") as home:  # a path of a socket has to be short
        monkeypatch.setenv("HOME", home)
        made = Site(ssh_one)
        yield made
        if made.began() and made.alive():
            os.kill(made.pid(), signal.SIGKILL)


CONFIGURED: Final = {
    "not": ("", ""),
    "pipelining": ("[defaults]\npipelining = True\n[ssh_connection]\npipelining = True\n", ""),
    "no terminal": ("[ssh_connection]\nusetty = False\n", ""),
    "by host": ("", " ansible_pipelining=true ansible_ssh_pipelining=true ansible_ssh_use_tty=false"),
}


@pytest.mark.parametrize("configured", CONFIGURED)
async def test_what_a_cancelled_run_does_there_ends_with_it(
    site: Site, configured: str, wait_for_async: Callable[..., Any]
) -> None:
    settings, variables = CONFIGURED[configured]
    site.write("ansible.cfg", settings)
    site.write("inventory", (site.revision / "inventory").read_text().replace("\n", f"{variables}\n"))
    running = asyncio.create_task(site.run(site.job()))
    await wait_for_async(site.began, what="the task there", timeout_s=60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await wait_for_async(lambda: not site.alive(), what="the end of the task there")
    assert [one.name for one in site.effects.iterdir()] == ["began"]


async def test_nothing_that_the_run_is_given_lets_it_go_on(site: Site, wait_for_async: Callable[..., Any]) -> None:
    job = site.job(deadline_s=20.0, ansible_ssh_pipelining=True, ansible_pipelining=True, ansible_ssh_use_tty=False)
    outcome = await site.run(job)
    assert (outcome.state, site.began()) == ("timed_out", True), outcome
    await wait_for_async(lambda: not site.alive(), what="the end of the task there")


async def test_with_it_a_task_is_done_as_without(site: Site) -> None:
    site.write("ansible.cfg", "[ssh_connection]\npipelining = True\n")
    outcome = await site.run(site.job("who.yml"))
    assert (outcome.state, outcome.summary) == ("succeeded", "1 host, 1 changed"), outcome
