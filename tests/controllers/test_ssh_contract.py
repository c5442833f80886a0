"""The contract of controllers, kept by `ssh` over a real sshd, and by `ansible` where it runs its playbooks over one."""

from __future__ import annotations

import getpass
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model, plugins
from healer.controllers import ansible, ssh
from healer.testing import contracts

WaitAsync = Callable[..., Awaitable[None]]
PASSWORD = model.Secret("env:PASSWORD", "a-password-of-the-contract")
ONCE = "#!/bin/sh\ncat > /dev/null\necho once >> {seen}\n"
ENDLESS = "#!/bin/sh\ncat > /dev/null\necho began >> {seen}\nexec sleep 1000\n"
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: {command}
"""
TOKEN = "r-0123456789abcdefghjkmnpqrs-{number}"
# How soon it stops and how long it holds the loop is measured by `make bench`: a busy machine must not fail a test.
UNMEASURED = {"stops_within_s": 60.0, "holds_loop_s": 60.0}


def told(seen: pathlib.Path) -> str:
    return seen.read_text() if seen.exists() else ""


async def test_ssh_keeps_it(ssh_one: Any, tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    seen, made = tmp_path / "seen", []

    class Kept(ssh.Ssh):
        def __init__(self, options: ssh.SshOptions, context: plugins.ControllerContext) -> None:
            super().__init__(options, context)
            made.append(self)

    ssh_one.script("once.sh", ONCE.format(seen=seen))
    ssh_one.script("endless.sh", ENDLESS.format(seen=seen))

    def job(name: str, number: int) -> model.Job:
        made: model.Job = ssh_one.job(
            f"scripts/{name}.sh", token=TOKEN.format(number=number), parameters={"password": PASSWORD}
        )
        return made

    async def began() -> None:
        await wait_for_async(lambda: "began" in told(seen), 60)

    async def gone() -> None:
        await wait_for_async(lambda: not ssh_one.marked(TOKEN.format(number=2)), 60)

    options = f"{{type: ssh, user: {getpass.getuser()}, port: {ssh_one.server.port}, key: {{secret: 'file:id'}}, known_hosts: known_hosts}}"
    case = contracts.Case(
        options, job("once", 1), job("endless", 2), lambda: told(seen), began, gone, tmp_path, ssh_one.secrets, **UNMEASURED,
    )  # fmt: skip
    assert await contracts.controller(Kept, case) == []
    for one in made:
        await one.close()


async def test_ansible_on_another_machine_keeps_it(
    away: Any, tmp_path: pathlib.Path, wait_for_async: WaitAsync
) -> None:
    seen = tmp_path / "seen"

    class There(ansible.Ansible):
        def __init__(self, options: ansible.AnsibleOptions, context: plugins.ControllerContext) -> None:
            super().__init__(
                options,
                plugins.ControllerContext(
                    context.name, context.resolve, context.log, context.project_dir, (), away.reach
                ),
            )

    away.write("playbooks/once.yml", PLAY.replace("{command}", f"echo once >> {seen}"))
    away.write("playbooks/endless.yml", PLAY.replace("{command}", f"echo began >> {seen}; exec sleep 1000"))

    def job(name: str, number: int) -> model.Job:
        made: model.Job = away.job(f"{name}.yml", token=TOKEN.format(number=number), parameters={"password": PASSWORD})
        return made

    async def began() -> None:
        await wait_for_async(lambda: "began" in told(seen), 60)

    async def gone() -> None:
        await wait_for_async(lambda: not away.marked(), 60)

    options = '{type: ansible, run_on: "far:bastion", vault_password: {secret: "env:VAULT"}}'
    case = contracts.Case(
        options, job("once", 1), job("endless", 2), lambda: told(seen), began, gone, away.revision, away.secrets, **UNMEASURED,
    )  # fmt: skip
    assert await contracts.controller(There, case) == []


@pytest.mark.parametrize("text", ["{type: ssh, user: heal, verify: false}", "{type: ssh, certificate: own}"])
async def test_options_that_are_none_are_told(ssh_one: Any, text: str) -> None:
    async def nothing() -> None:
        return

    job = ssh_one.job("scripts/none.sh")
    case = contracts.Case(text, job, job, lambda: 0, nothing, nothing)
    (line,) = await contracts.controller(ssh.Ssh, case)
    assert line.startswith("its documented options are refused:")
