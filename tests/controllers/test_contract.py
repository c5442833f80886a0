"""The contract of controllers: those that ship keep it, and each way of breaking it is told."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model, plugins
from healer.controllers import ansible, local
from healer.testing import contracts
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
PASSWORD = "a-password-of-the-contract"
ONCE = "#!/bin/sh\ncat > /dev/null\necho once >> {seen}\n"
ENDLESS = "#!/bin/sh\ncat > /dev/null\necho began >> {seen}\nexec sleep 1000\n"
PLAYS = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {{ansible_python_interpreter: {python}}}
  tasks:
    - ansible.builtin.shell: {command}
"""


class Bench:
    """A revision with something quick and something endless, and what they have done."""

    def __init__(self, tmp_path: pathlib.Path, wait_async: WaitAsync) -> None:
        self.tmp_path = tmp_path
        self.seen = tmp_path / "seen"
        self.revision = tmp_path / "revision"
        self.wait_async = wait_async

    def write(self, path: str, text: str) -> None:
        file = self.revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(seen=self.seen, python=sys.executable))
        file.chmod(0o755)

    def effects(self) -> object:
        return self.seen.read_text() if self.seen.exists() else ""

    def job(self, kind: Any, subject: str, number: int) -> model.Job:
        token = f"r-contract-{number}"
        return model.Job(
            token=token, run_id="r-contract", action=subject, kind=kind, subject=subject,
            parameters={"password": model.Secret("env:PASSWORD", PASSWORD)}, targets=(), deadline_s=120.0,
            revision_dir=str(self.revision), work_dir=str(self.tmp_path / "work" / token),
        )  # fmt: skip

    def case(self, kind: Any, options: str, quick: str, endless: str) -> contracts.Case:
        async def began() -> None:
            await self.wait_async(lambda: "began" in str(self.effects()), 60)

        async def gone() -> None:
            await self.wait_async(lambda: not _runs(str(self.revision)), 60)

        # How soon it stops and how long it holds the loop is measured by `make bench`: a busy machine must not fail a test.
        return contracts.Case(
            options, self.job(kind, quick, 1), self.job(kind, endless, 2), self.effects, began, gone, self.revision,
            {"env:VAULT": "the-password-of-the-vault"}, stops_within_s=60, holds_loop_s=60, late=at_once,
        )  # fmt: skip


async def at_once(_: Callable[[], bool]) -> None:
    """Nothing comes late of what is gone."""


def _runs(part: str) -> bool:
    """Whether a process has that in its command line."""
    return bool(processes.with_words(part.encode()))


@pytest.fixture
def bench(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> Bench:
    return Bench(tmp_path, wait_for_async)


def of_local(bench: Bench) -> contracts.Case:
    bench.write("scripts/once.sh", ONCE)
    bench.write("scripts/endless.sh", ENDLESS)
    return bench.case("script", "{type: local}", "scripts/once.sh", "scripts/endless.sh")


async def test_local_keeps_it(bench: Bench) -> None:
    assert await contracts.controller(local.Local, of_local(bench)) == []


async def test_ansible_keeps_it(bench: Bench) -> None:
    bench.write("inventory/hosts", "[web]\nweb01\n")
    bench.write("playbooks/once.yml", PLAYS.replace("{command}", "echo once >> {seen}"))
    bench.write("playbooks/endless.yml", PLAYS.replace("{command}", "echo began >> {seen}; exec sleep 1000"))
    options = '{type: ansible, vault_password: {secret: "env:VAULT"}}'
    case = bench.case("playbook", options, "playbooks/once.yml", "playbooks/endless.yml")
    assert await contracts.controller(ansible.Ansible, case) == []


class Tells(local.Local):
    async def plan(self, job: model.Job) -> model.Plan:
        return model.Plan((), (f"with {job.parameters['password'].reveal()}",))


class PlansForReal(local.Local):
    async def plan(self, job: model.Job) -> model.Plan:
        await self.run(
            dataclasses.replace(job, work_dir=f"{job.work_dir}-plan"), lambda *_: None
        ) if "once" in job.action else None
        return model.Plan((), ("done",))


class Forgets(local.Local):
    async def find(self, job: model.Job) -> model.Found:
        return model.Found("unknown", detail="who knows")


class Again(local.Local):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        if "once" in job.action and pathlib.Path(job.work_dir).exists():
            job = dataclasses.replace(job, work_dir=f"{job.work_dir}-again")
        return await super().run(job, output)


class Holds(local.Local):
    async def plan(self, job: model.Job) -> model.Plan:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        return await super().plan(job)


class Stubborn(local.Local):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        going = asyncio.ensure_future(super().run(job, output))
        try:
            return await asyncio.shield(going)
        except asyncio.CancelledError:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                await asyncio.sleep(0)
            raise


class Sick(local.Local):
    async def check(self) -> model.Health:
        return model.Health(False, "no way there")


@pytest.mark.parametrize(("broken", "told"), [
    (Tells, "password is told"), (PlansForReal, "check or plan takes effect"), (Forgets, "what never began is unknown, not absent"),
    (Again, "a second run under the same token takes effect"), (Sick, "it is not usable: no way there"),
    (Holds, "it holds the event loop for"), (Stubborn, "cancelled, it goes on for"),
])  # fmt: skip
async def test_what_breaks_it_is_told(bench: Bench, broken: type[local.Local], told: str) -> None:
    case = (
        dataclasses.replace(of_local(bench), stops_within_s=0.2, holds_loop_s=0.2)
        if broken in (Holds, Stubborn)
        else of_local(bench)
    )
    found = await contracts.controller(broken, case)
    assert [line for line in found if line.startswith(told)], found


async def test_options_that_are_refused_are_told(bench: Bench) -> None:
    case = dataclasses.replace(of_local(bench), options="{type: local, colour: red}")
    (told,) = await contracts.controller(local.Local, case)
    assert "colour" in told
