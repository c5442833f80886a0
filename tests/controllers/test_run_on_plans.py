"""Plans and checks of playbooks on another machine, and what is said where it cannot be used; with a real sshd and ansible-playbook."""

from __future__ import annotations

import ast
import asyncio
import errno
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model
from healer.child import jobs
from healer.controllers import _run_on, _run_on_report

WaitAsync = Callable[..., Awaitable[None]]


@pytest.fixture
def site(away: Any) -> Any:
    return away


async def test_a_plan_is_made_there_and_has_no_effect(site: Any, wait_for_async: WaitAsync) -> None:
    really = (
        "    - {name: really, ansible.builtin.command: {argv: [touch, '{{ folder }}/touched']}, check_mode: false}\n"
    )
    site.write("playbooks/write.yml", sys.modules["away_site"].WRITE + really)
    plan = await site.controller.plan(site.job("write.yml", parameters={"text": "new", "folder": str(site.effects)}))
    assert plan.targets == ("web01",)
    assert plan.exact, plan
    assert plan.steps[0].startswith(
        "on far:bastion: ansible-playbook -i inventory --limit web01 -e @vars.yml playbooks/write.yml"
    )
    assert plan.steps[1] == "check mode: 1 host, 1 changed"
    assert "only checked, though it says check_mode: false: really" in plan.diff
    assert "+new||" in plan.diff
    assert "\x1b" not in plan.diff
    assert list(site.effects.iterdir()) == []
    assert not site.files()
    assert list((site.ssh.folder / "work").iterdir()) == []


async def test_a_plan_knows_what_that_machine_would_refuse(site: Any) -> None:
    without = sys.modules["away_site"].INVENTORY.replace("web01\n", "web03\n")
    given = {"text": "x", "folder": str(site.effects)}
    site.write("inventory/hosts", without + "[web01]\nweb02\n")
    plan = await site.controller.plan(site.job("write.yml", parameters=given))
    assert plan.fails == "nothing was begun: Ansible lists 'web01' as a group now (web02)"
    site.write("inventory/hosts", without)
    plan = await site.controller.plan(site.job("write.yml", parameters=given))
    assert plan.fails == "nothing was begun: Ansible lists none of its targets now (web01)"


async def test_a_plan_that_is_cut_off_leaves_nothing_at_work(site: Any, wait_for_async: WaitAsync) -> None:
    site.write(
        "playbooks/slow.yml",
        "- hosts: all\n  tasks: [{ansible.builtin.debug: {msg: \"{{ lookup('pipe', 'echo > ' ~ folder ~ '/looks; exec sleep 1000') }}\"}}]\n  gather_facts: false\n",
    )
    planning = asyncio.create_task(site.controller.plan(site.job("slow.yml")))
    await wait_for_async(lambda: planning.done() or (site.effects / "looks").exists(), 60)
    assert not planning.done(), planning.result()
    assert site.marked()
    planning.cancel()
    await asyncio.gather(planning, return_exceptions=True)
    await wait_for_async(lambda: not site.marked() and not site.files())


async def test_check_says_which_ansible_is_there(site: Any) -> None:
    health = await site.controller.check()
    assert health.ok, health
    assert health.detail.startswith("ansible-playbook [core ")
    assert health.detail.endswith("on bastion over far, inventory inventory")


async def test_without_ansible_there_it_is_said(site: Any) -> None:
    bare = site.ssh.serve("bare", path="/usr/bin:/bin")
    site.ssh.know(bare.known())
    site.controller = site.made(site.ssh.made(port=bare.port))
    health = await site.controller.check()
    assert not health.ok
    assert "there is no ansible-playbook on the PATH there (/usr/bin:/bin:" in health.detail
    outcome = await site.run("fail.yml")
    assert outcome.state == "failed"
    assert "install ansible-core" in outcome.summary
    assert outcome.per_target == {"host:web01.example.org": "failed"}


async def test_without_python_there_it_is_said(site: Any, tmp_path: pathlib.Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for one in pathlib.Path(folder).iterdir():
            if not one.name.startswith("python") and not (programs / one.name).is_symlink():
                (programs / one.name).symlink_to(one)
    bare = site.ssh.serve("bare", path=str(programs))
    site.ssh.know(bare.known())
    health = await site.made(site.ssh.made(port=bare.port)).check()
    assert (health.ok, "has no python3 on the PATH, which ansible-core needs" in health.detail) == (False, True), health


async def test_a_machine_that_does_not_answer_has_begun_nothing(site: Any) -> None:
    site.machine.stop()
    with pytest.raises(model.NotBegunError, match="refuses connections"):
        await site.run("fail.yml")
    health = await site.controller.check()
    assert "refuses connections" in health.detail


async def test_an_unknown_key_is_no_matter_of_time(site: Any) -> None:
    site.ssh.know(site.ssh.server.known())
    outcome = await site.run("fail.yml")
    assert outcome.state == "failed"
    assert "is not in" in outcome.summary


def test_the_program_there_needs_nothing_of_ours_and_no_new_python() -> None:
    """What is sent is read by Python 3.9's grammar, and imports what comes with it."""
    tree = ast.parse(_run_on._program(), feature_version=(3, 9))
    found = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    found |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {one.partition(".")[0] for one in found} <= sys.stdlib_module_names


# --- want of space here -----------------------------------------------------------------------------------------------------


async def test_where_there_is_no_room_here_it_is_found_once_there_is(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine forgets nothing before its report is kept here."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_run_on_report, "_lay", full)
        with pytest.raises(OSError, match="No space left"):
            await site.run("fail.yml", ("web01", "web02"))
    found = await site.controller.find(site.job("fail.yml", ("web01", "web02")))
    assert (found.state, found.outcome.state) == ("ended", "failed"), found
    assert found.outcome.summary == "web02: look at it: no space left on web02"


async def test_without_room_for_what_is_its_own_nothing_begins(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write = jobs.write_private

    def full(path: pathlib.Path, content: bytes) -> None:
        if path.name == "vars.yml":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "write_private", full)
        with pytest.raises(OSError, match="No space left"):
            await site.run("fail.yml")
    assert (await site.controller.find(site.job("fail.yml"))).state == "absent"


async def test_what_ansible_runner_does_not_take_is_refused(site: Any) -> None:
    outcome = await site.run("../inventory/hosts")
    assert (outcome.state, "leads out of playbooks/" in outcome.summary) == ("failed", True), outcome
    assert not site.kept(), "nothing was sent"
