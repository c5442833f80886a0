"""What `ansible` says a playbook would do: its own check mode, which never has an effect, whatever the playbook says of itself."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _shimmed, ansible

WaitAsync = Callable[..., Awaitable[None]]
INVENTORY = f"""
[web]
web01
web02
[web:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""


class Site:
    """A revision with an inventory, and a controller. Playbooks would leave their effects in `effects`."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.revision = tmp_path / "revision"
        self.work = tmp_path / "work"
        self.effects = tmp_path / "effects"
        self.effects.mkdir()
        (self.revision / "playbooks").mkdir(parents=True)
        (self.revision / "inventory").write_text(INVENTORY)
        context = plugins.ControllerContext("site", lambda _: model.Secret("", ""), print, self.revision)
        self.controller = ansible.Ansible(ansible.AnsibleOptions(), context)

    def job(self, tasks: str, *, strategy: str = "linear", handlers: str = "", **given: Any) -> model.Job:
        text = f"- hosts: all\n  gather_facts: false\n  strategy: {strategy}\n  tasks:\n{tasks}"
        text += f"  handlers:\n{handlers}" if handlers else ""
        (self.revision / "playbooks" / "p.yml").write_text(text)
        job = model.Job(
            token="plan-r-1", run_id="r-1", action="a", kind="playbook", subject="p.yml", parameters={"folder": str(self.effects)},
            targets=(model.Target("host", "web01", "web01"),), deadline_s=120.0, revision_dir=str(self.revision),
            work_dir=str(self.work / "plan-r-1"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def plan(self, tasks: str, **given: Any) -> model.Plan:
        plan = await self.controller.plan(self.job(tasks, **given))
        assert list(self.effects.iterdir()) == [], "it had an effect"
        assert list(self.work.iterdir()) == [], "it left something"
        return plan


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


COPY = '    - {name: write, ansible.builtin.copy: {dest: "{{ folder }}/copied", content: new}}\n'
REALLY = '    - {name: really, ansible.builtin.command: {argv: [touch, "{{ folder }}/touched"]}, check_mode: false}\n'
BLOCK = """\
    - check_mode: "{{ 1 == 2 }}"
      block: [{name: within, ansible.builtin.command: {argv: [touch, "{{ folder }}/within"]}}]
"""
NOTIFIES = "    - {ansible.builtin.debug: {msg: x}, changed_when: true, notify: after}\n"
HANDLER = '    - {name: after, ansible.builtin.command: {argv: [touch, "{{ folder }}/handled"]}, check_mode: false}\n'


async def test_the_command_is_shown_as_it_would_run(site: Site) -> None:
    plan = await site.plan(COPY)
    command = plan.steps[0].split()
    assert command[0].endswith("/ansible-playbook")
    assert command[1:] == ["-i", "inventory", "--limit", "web01", "-e", "@vars.yml", "playbooks/p.yml"]
    assert plan.steps[1] == "check mode: 1 host, 1 changed"
    assert (plan.targets, plan.exact, plan.fails) == (("web01",), True, "")
    assert "+new" in plan.diff


@pytest.mark.parametrize("strategy", ["linear", "free"])
async def test_what_says_check_mode_false_has_no_effect_either_and_is_told(site: Site, strategy: str) -> None:
    plan = await site.plan(COPY + REALLY + BLOCK + NOTIFIES, handlers=HANDLER, strategy=strategy)
    for name in ("really", "within", "after"):
        assert f"only checked, though it says check_mode: false: {name}" in plan.diff
    assert "check_mode: false: write" not in plan.diff


async def test_a_run_is_as_its_playbook_says(site: Site) -> None:
    """The guard is of plans alone."""
    outcome = await site.controller.run(
        site.job(REALLY, work_dir=str(site.work / "r-1-1"), dry_run=True), lambda _stream, _piece: None
    )
    assert outcome.state == "succeeded", outcome
    assert [path.name for path in site.effects.iterdir()] == ["touched"]


async def test_a_playbook_that_fails_in_check_mode_is_a_plan_that_says_so(site: Site) -> None:
    plan = await site.plan('    - {name: look, ansible.builtin.fail: {msg: "not here"}}\n')
    assert not plan.exact
    assert plan.steps[1] == "check mode: web01: look: not here"
    assert not plan.fails, "the run itself may not, where a task needs what check mode leaves out"


async def test_hosts_that_cannot_be_listed_are_not_checked(site: Site) -> None:
    plan = await site.plan("    - nonsense: [\n")
    assert (plan.targets, plan.exact) == ((), False)
    assert plan.steps[1].startswith("its hosts cannot be listed: ")
    assert plan.steps[1].endswith(plan.fails)
    assert plan.fails


async def test_a_playbook_that_is_not_there_is_refused(site: Site) -> None:
    with pytest.raises(_shimmed.RefusedJob, match=r"there is no file 'gone\.yml'"):
        await site.plan(COPY, subject="gone.yml")


async def test_who_does_not_want_it_any_more_ends_it_and_all_that_came_of_it(
    site: Site, wait_for_async: WaitAsync
) -> None:
    job = site.job("    - {ansible.builtin.pause: {minutes: 5}}\n", token="plan-cancelled")
    asking = asyncio.create_task(site.controller.plan(job))
    await wait_for_async(
        lambda: jobs.pids_with("HEALER_TOKEN", "plan-cancelled") and [*site.work.glob("plan-*/check/started")]
    )
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert jobs.pids_with("HEALER_TOKEN", "plan-cancelled") == []
    assert list(site.work.iterdir()) == []


async def test_one_that_takes_too_long_is_ended_by_its_deadline(site: Site) -> None:
    plan = await site.plan("    - {ansible.builtin.pause: {minutes: 5}}\n", deadline_s=6.0)
    assert not plan.exact
    assert "ended by its deadline" in plan.steps[1]
    assert not plan.fails
