"""Playbooks that run on another machine, with a real sshd and a real ansible-playbook there: what comes of them is as if they ran here."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model
from healer.controllers import _shimmed
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]
INJECTION = "{{ lookup('pipe', 'id') }}"


@pytest.fixture
def site(away: Any) -> Any:
    return away


async def test_it_runs_there_with_all_of_the_revision_and_what_comes_of_it_is_the_same(site: Any) -> None:
    given = {"text": INJECTION, "folder": str(site.effects)}
    outcome = await site.run("write.yml", parameters=given, environment={"OF_ACTIVATION": "of the activation"})
    assert outcome.state == "succeeded", outcome
    written = (site.effects / "web01").read_text()
    assert written == f"{INJECTION}||of the activation|of the group|of the revision", (
        "nothing of a login but what is named"
    )
    assert not (site.effects / "web02").exists(), "only the target"
    assert outcome.summary == "1 host, 1 changed"
    assert outcome.result["data"] == {"said": INJECTION, "n": 3}
    assert outcome.result["stats"]["web01"]["changed"] == 1
    assert outcome.per_target == {"host:web01.example.org": "succeeded"}
    assert (outcome.exit_code, outcome.truncated) == (0, False)
    assert b"TASK [write it]" in site.heard["stdout"]
    assert b"said by a role" in site.heard["stdout"]
    assert b"\x1b" not in site.heard["stdout"] + site.heard["stderr"]
    assert not list(site.ssh.server.temporary.glob("healer-*")), "the first server was left alone"


async def test_hosts_end_for_themselves_and_the_first_failure_is_told(site: Any) -> None:
    outcome = await site.run("fail.yml", ("web01", "web02"))
    assert (outcome.state, outcome.exit_code) == ("failed", 2)
    assert outcome.summary == "web02: look at it: no space left on web02"
    assert outcome.per_target == {"host:web01.example.org": "succeeded", "host:web02.example.org": "failed"}
    assert outcome.result["stats"]["web01"]["ignored"] == 1


async def test_what_was_rescued_there_is_not_why(site: Any) -> None:
    first, real = "ansible.builtin.fail: {msg: not this}", "name: real, ansible.builtin.fail: {msg: out of space}"
    tasks = f"[{{block: [{{{first}}}], rescue: [{{ansible.builtin.debug: {{msg: fine}}}}]}}, {{{real}}}]"
    site.write("playbooks/rescued.yml", f"[{{hosts: all, gather_facts: false, tasks: {tasks}}}]")
    outcome = await site.run("rescued.yml")
    assert (outcome.state, outcome.summary) == ("failed", "web01: real: out of space")


async def test_callbacks_of_the_project_are_told_there_too(site: Any) -> None:
    text = sys.modules["away_site"].CALLBACK.format(place=str(site.effects / "heard"))
    site.write("of/told.py", text)
    site.write("ansible.cfg", "[defaults]\ncallback_plugins = of\nroles_path = roles\n")
    given = {"text": "x", "folder": str(site.effects)}
    assert (await site.run("write.yml", parameters=given)).state == "succeeded"
    assert set((site.effects / "heard").read_text().split()) == {"web01"}


async def test_nothing_private_is_left_anywhere(site: Any, wait_for_async: WaitAsync) -> None:
    site.controller = site.made(vault_password={"secret": "env:VAULT"})
    given = {"text": model.Secret("env:X", "t0p-secret"), "folder": str(site.effects)}
    outcome = await site.run("write.yml", parameters=given)
    assert outcome.state == "succeeded", outcome
    assert (site.effects / "web01").read_text().startswith("t0p-secret|")
    await wait_for_async(lambda: not site.files())
    for folder in (site.machine.temporary, site.ssh.folder / "work"):
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in (
                "ended",
                "stdout",
                "outcome.json",
            ):  # what a run printed is kept, and masked when shown
                assert not [one for one in (b"t0p-secret", b"v4ult-pass") if one in path.read_bytes()], path


async def test_what_is_vaulted_is_opened_there(site: Any) -> None:
    from healer.controllers import _ansible_command

    word = site.ssh.folder / "word"
    word.write_text("v4ult-pass")
    made = await asyncio.create_subprocess_exec(
        _ansible_command.executable("ansible-vault"), "encrypt_string", "--vault-password-file", str(word), "opened",
        stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(site.ssh.folder)},
    )  # fmt: skip
    sealed, _ = await made.communicate()
    site.write("inventory/group_vars/web.yml", f"of_group: {sealed.decode()}")
    site.controller = site.made(vault_password={"secret": "env:VAULT"})
    outcome = await site.run("write.yml", parameters={"text": "x", "folder": str(site.effects)})
    assert outcome.state == "succeeded", outcome
    assert "|opened|" in (site.effects / "web01").read_text()


async def test_a_module_returns_what_it_returned(site: Any) -> None:
    outcome = await site.run("ansible.builtin.command", kind="module", parameters={"argv": ["echo", INJECTION]})
    assert outcome.state == "succeeded", outcome
    assert outcome.result["returned"]["web01"]["stdout"] == INJECTION


async def test_a_role_runs_there_from_the_files_of_the_revision(site: Any) -> None:
    site.write("roles/told/defaults/main.yml", "text: of the role\nword: of the role\n")
    copy = "ansible.builtin.copy: {content: '{{ text }}|{{ word }}', dest: '{{ folder }}/{{ inventory_hostname }}', mode: '0600'}"
    site.write(
        "roles/told/tasks/main.yml",
        f"- {copy}\n- ansible.builtin.set_stats: {{data: {{role: '{{{{ ansible_role_name }}}}'}}}}\n",
    )
    outcome = await site.run("roles/told", kind="role", parameters={"text": INJECTION, "folder": str(site.effects)})
    assert outcome.state == "succeeded", outcome
    assert (site.effects / "web01").read_text() == f"{INJECTION}|of the role"
    assert not (site.effects / "web02").exists(), "only the target"
    assert outcome.result["data"] == {"role": "told"}
    assert outcome.per_target == {"host:web01.example.org": "succeeded"}


async def test_a_target_that_is_a_group_there_is_not_begun(site: Any) -> None:
    """What counts is what the inventory lists where the playbook runs."""
    site.write("inventory/hosts", sys.modules["away_site"].INVENTORY.replace("web01\n", "web03\n") + "[web01]\nweb02\n")
    given = {"text": "x", "folder": str(site.effects)}
    outcome = await site.run("write.yml", parameters=given)
    assert not [*site.effects.iterdir()]
    assert (outcome.state, outcome.refused) == ("failed", True)
    assert outcome.summary == "nothing was begun: Ansible lists 'web01' as a group now (web02)"
    site.write("inventory/hosts", sys.modules["away_site"].INVENTORY.replace("web01\n", "web03\n"))
    outcome = await site.run("write.yml", parameters=given, token="r-0123456789abcdefghjkmnpqrs-2")
    assert (outcome.refused, outcome.summary) == (
        True,
        "nothing was begun: Ansible lists none of its targets now (web01)",
    )


async def test_facts_that_rules_ask_for_come_too(site: Any) -> None:
    given = {"text": "x", "folder": str(site.effects)}
    made = site.job("write.yml", parameters=given)
    outcome = await site.run("write.yml", parameters=given, extra={**made.extra, "facts": {}})
    assert outcome.facts == {"said": "x", "n": 3}


async def test_without_a_target_it_is_for_that_machine_alone(site: Any) -> None:
    site.write(
        "playbooks/here.yml",
        sys.modules["away_site"].WRITE.replace("hosts: all", "hosts: localhost").replace("{{ of_group }}", ""),
    )
    outcome = await site.run("here.yml", (), parameters={"text": "x", "folder": str(site.effects)})
    assert outcome.state == "succeeded", outcome
    assert (site.effects / "localhost").exists()


# --- the files of a revision ----------------------------------------------------------------------------------------------


def sends(site: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of that machine beside the jobs."""
    asked: list[str] = []
    ask = site.controller.away._ask

    async def noted(there: Any, what: Any, *args: Any, **given: Any) -> Any:
        asked.append(what["do"])
        return await ask(there, what, *args, **given)

    monkeypatch.setattr(site.controller.away, "_ask", noted)
    return asked


async def test_files_are_sent_once_and_again_where_they_changed_or_one_is_missing(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sends(site, monkeypatch)

    async def run(number: int) -> list[str]:
        asked.clear()
        token = f"r-0123456789abcdefghjkmnpqrs-{number}"
        assert (await site.run("fail.yml", token=token)).state == "succeeded"
        return [*asked]

    assert await run(1) == ["look", "keep"]
    assert await run(2) == ["look"]
    site.write("playbooks/files/given.txt", "another")
    assert await run(3) == ["look", "keep"]
    (kept,) = [
        note.with_suffix("")
        for note in site.kept()
        if (note.with_suffix("") / "playbooks/files/given.txt").read_text() == "another"
    ]
    (kept / "inventory/group_vars/web.yml").unlink()
    assert await run(4) == ["look", "keep"], "as after a sweep of /tmp"
    assert (kept / "inventory/group_vars/web.yml").exists()


async def test_only_a_few_revisions_stay_there_and_those_that_something_runs_from(
    site: Any, wait_for_async: WaitAsync
) -> None:
    task = await begun(site, wait_for_async)
    away = site.controller.away
    for number in range(1, 8):
        site.write("playbooks/files/given.txt", f"number {number}")
        await away._ready(await away._there(), site.job("fail.yml"))
    given = {(note.with_suffix("") / "playbooks/files/given.txt").read_text() for note in site.kept()}
    assert given == {"of the revision", *(f"number {number}" for number in range(3, 8))}
    (site.effects / "go").touch()
    assert (await task).state == "succeeded"
    site.write("playbooks/files/given.txt", "number 8")
    await away._ready(await away._there(), site.job("fail.yml"))
    assert len(site.kept()) == 5
    assert len(list(site.kept()[0].parent.iterdir())) == 11, "five with their notes, and a lock"


async def test_programs_stay_programs_and_links_are_followed_within_the_revision_alone(site: Any) -> None:
    site.write("library/said.sh", '#!/bin/sh\n# WANT_JSON\necho \'{"changed": false, "msg": "by a program"}\'\n', 0o755)
    (site.revision / "playbooks" / "again.yml").symlink_to("fail.yml")
    outcome = await site.run("again.yml")
    assert outcome.state == "succeeded", outcome
    (note,) = site.kept()
    assert (note.with_suffix("") / "library/said.sh").stat().st_mode & 0o777 == 0o700
    assert not (note.with_suffix("") / "playbooks/again.yml").is_symlink()
    (site.revision / "playbooks" / "outside.yml").symlink_to("/etc/hostname")
    outcome = await site.run("fail.yml", token="r-0123456789abcdefghjkmnpqrs-2")
    assert outcome.state == "failed"
    assert "playbooks/outside.yml leads out of the revision" in outcome.summary


# --- ends ----------------------------------------------------------------------------------------------------------------


async def begun(site: Any, wait_for_async: WaitAsync, **given: Any) -> asyncio.Task[model.Outcome]:
    task = asyncio.create_task(site.run("wait.yml", **given))
    await wait_for_async(lambda: task.done() or (site.effects / "began").exists(), 60)
    assert not task.done(), task.result()
    return task


async def test_cancelled_it_ends_there_with_all_that_came_of_it(site: Any, wait_for_async: WaitAsync) -> None:
    task = await begun(site, wait_for_async)
    assert site.marked()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    await wait_for_async(lambda: not site.marked() and not site.files())
    found = await site.made().find(site.job("wait.yml"))
    assert (found.state, found.outcome.state) == ("ended", "cancelled")


async def test_where_its_program_is_killed_it_has_failed_and_nothing_stays(
    site: Any, wait_for_async: WaitAsync
) -> None:
    task = await begun(site, wait_for_async)
    commands = {pid: processes.read(pid, "cmdline").split(b"\0") for pid in site.ssh.marked()}
    (program,) = [pid for pid, argv in commands.items() if argv[1:2] == [b"-I"]]
    os.kill(program, signal.SIGKILL)
    outcome = await task
    assert outcome.state == "failed", outcome
    assert outcome.per_target == {"host:web01.example.org": "failed"}
    await wait_for_async(lambda: not site.marked() and not site.files())


async def test_its_deadline_is_held_there(site: Any, wait_for_async: WaitAsync) -> None:
    outcome = await site.run("wait.yml", deadline_s=4.0)
    assert outcome.state == "timed_out", outcome
    assert outcome.per_target == {"host:web01.example.org": "timed_out"}
    await wait_for_async(lambda: not site.marked() and not site.files())


async def test_after_a_crash_it_is_found_followed_and_judged(site: Any, wait_for_async: WaitAsync) -> None:
    task = await begun(site, wait_for_async)
    await crash(site, task)
    later = site.made(site.ssh.made(port=site.machine.port))
    found = await later.find(site.job("wait.yml"))
    assert found.state == "running", found
    with pytest.raises(_shimmed.TokenUsed):
        await later.run(site.job("wait.yml"), site.hear)
    site.heard["stdout"] = b""
    following = asyncio.create_task(later.follow(site.job("wait.yml"), site.hear))
    (site.effects / "go").touch()
    outcome = await following
    assert outcome.state == "succeeded", outcome
    assert outcome.result["stats"]["web01"]["changed"] == 1
    assert b"TASK" in site.heard["stdout"]
    again = await later.find(site.job("wait.yml"))
    assert (again.state, again.outcome) == ("ended", outcome)
    await wait_for_async(lambda: not site.files())


async def crash(site: Any, task: asyncio.Task[model.Outcome]) -> None:
    """The daemon dies: nobody ends what runs there, and its connections are gone."""
    site.controller.away._running[site.job("wait.yml").token].attempt.sent = False
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    site.machine.cut()


async def test_what_ended_while_nobody_was_there_is_found_with_its_report(site: Any, wait_for_async: WaitAsync) -> None:
    task = await begun(site, wait_for_async)
    await crash(site, task)
    (site.effects / "go").touch()
    await wait_for_async(lambda: [name for name in site.files() if name.endswith(".drained")], 60)
    later = site.made(site.ssh.made(port=site.machine.port))
    found = await later.find(site.job("wait.yml"))
    assert found.state == "ended", found
    assert found.outcome.state == "succeeded"
    assert found.outcome.per_target == {"host:web01.example.org": "succeeded"}


async def test_what_never_began_is_absent_and_never_will(site: Any) -> None:
    job = site.job("wait.yml")
    packing = pathlib.Path(job.work_dir) / "vars.yml"
    packing.parent.mkdir(parents=True)
    packing.write_text("where the daemon died while it was being packed")
    assert (await site.controller.find(job)).state == "absent"
    assert not packing.exists()
    outcome = await asyncio.gather(site.controller.run(job, site.hear), return_exceptions=True)
    assert isinstance(outcome[0], _shimmed.TokenUsed) or outcome[0].state == "failed"
    assert not (site.effects / "began").exists()


async def test_a_pause_before_it_was_sent_keeps_it_from_beginning(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asyncio.Event()
    ask = site.controller.away._ask

    async def slow(*args: Any, **given: Any) -> Any:
        sent.set()
        await withheld.wait()
        return await ask(*args, **given)

    withheld = asyncio.Event()
    monkeypatch.setattr(site.controller.away, "_ask", slow)
    running = asyncio.create_task(site.run("write.yml", parameters={"text": "x", "folder": str(site.effects)}))
    await sent.wait()
    assert await site.controller.withhold(site.job("write.yml"))
    withheld.set()
    with pytest.raises(model.NotBegunError, match="withheld"):
        await running
    assert not (site.effects / "web01").exists()
    assert not await site.controller.withhold(site.job("write.yml")), "nobody has it in hand"


async def test_a_connection_that_breaks_is_made_again(site: Any, wait_for_async: WaitAsync) -> None:
    task = await begun(site, wait_for_async)
    site.machine.cut()
    (site.effects / "go").touch()
    outcome = await task
    assert outcome.state == "succeeded", outcome
    assert outcome.result["stats"]["web01"]["changed"] == 1


async def test_where_nothing_was_begun_there_it_says_why(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the question whether its files are there and its start others may have sent theirs."""

    async def gone(*_: Any) -> str:
        return "0" * 64

    monkeypatch.setattr(site.controller.away, "_ready", gone)
    outcome = await site.run("fail.yml")
    assert (outcome.state, outcome.exit_code) == ("failed", 69)
    assert outcome.summary.endswith(": the revision's files were removed there meanwhile")
    assert outcome.per_target == {"host:web01.example.org": "failed"}
    found = await site.controller.find(site.job("fail.yml"))
    assert (found.state, found.outcome.state) == ("ended", "failed")
