"""`ansible` acts on its targets or on nothing, whatever its inventory lists by the time it runs: with a real ansible-playbook."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from typing import Any, Final

import pytest

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _ansible_command, _outcome, _shimmed, ansible

LOCAL: Final = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
TOUCH: Final = "{ansible.builtin.file: {path: '{{ folder }}/{{ inventory_hostname }}', state: touch, mode: '0600'}}"
PLAY: Final = f"{{hosts: all, gather_facts: false, tasks: [{TOUCH}]}}"


class Site:
    """A revision whose inventory is a program, which prints what a test says, and a controller."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.tmp_path, self.revision, self.effects = tmp_path, tmp_path / "revision", tmp_path / "effects"
        self.effects.mkdir()
        self.write("inventory/dyn.sh", f"#!/bin/sh\ncat '{tmp_path}/listed'\n").chmod(0o755)
        self.write("roles/touch/tasks/main.yml", f"- {TOUCH}\n")
        self.write("playbooks/touch.yml", f"[{PLAY}]")
        self.heard: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def write(self, path: str, text: str) -> pathlib.Path:
        file = self.revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def lists(self, **groups: list[str]) -> None:
        """What there is by the time it runs."""
        made: dict[str, Any] = {name: {"hosts": hosts, "vars": LOCAL} for name, hosts in groups.items()}
        (self.tmp_path / "listed").write_text(json.dumps({"_meta": {"hostvars": {}}, **made}))

    def made(self) -> ansible.Ansible:
        context = plugins.ControllerContext("site", lambda one: model.Secret(one.secret, ""), print, self.revision)
        return ansible.Ansible(ansible.AnsibleOptions(), context)

    def job(self, kind: Any, *hosts: str, **given: Any) -> model.Job:
        subject = {"playbook": "touch.yml", "role": "roles/touch", "module": "ansible.builtin.file"}.get(kind, kind)
        where = {"folder": str(self.effects)}
        if kind == "module":  # its texts are no templates, so each host would touch the same
            where = {"path": str(self.effects / "touched"), "state": "touch", "mode": "0600"}
        job = model.Job(
            token="r-1-1", run_id="r-1", action="a", kind=kind, subject=subject, parameters=where,
            targets=tuple(model.Target("host", name, name) for name in hosts), deadline_s=120.0,
            revision_dir=str(self.revision), work_dir=str(self.tmp_path / "work" / "r-1-1"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, kind: str, *hosts: str, **given: Any) -> model.Outcome:
        return await self.made().run(self.job(kind, *hosts, **given), self.hear)

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    def touched(self) -> list[str]:
        return sorted(path.name for path in self.effects.iterdir())


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("kind", ["playbook", "role", "module"])
async def test_a_target_that_is_a_group_by_now_is_not_begun(site: Site, kind: str) -> None:
    site.lists(d1=["d2", "d3"])
    outcome = await site.run(kind, "d1")
    assert site.touched() == []
    assert (outcome.state, outcome.refused, outcome.lost) == ("failed", True, True)
    assert outcome.summary == "nothing was begun: Ansible lists 'd1' as a group now (d2, d3)"
    assert outcome.per_target == {"host:d1": "failed"}


async def test_one_that_is_a_host_and_a_group_is_not_begun(site: Site) -> None:
    site.lists(d1=["d1", "d3"])
    outcome = await site.run("role", "d1")
    assert (site.touched(), outcome.refused) == ([], True)
    assert outcome.summary == "nothing was begun: Ansible lists 'd1' as a group now (d1, d3)"


async def test_all_of_the_targets_or_none(site: Site) -> None:
    site.lists(web=["d1", "d3"])
    outcome = await site.run("playbook", "d1", "d2")
    assert (site.touched(), outcome.state, outcome.refused) == ([], "failed", True)
    assert outcome.summary == "nothing was begun: Ansible lists no host 'd2' now"
    assert outcome.per_target == {"host:d1": "failed", "host:d2": "failed"}


async def test_where_none_of_them_is_there_any_more(site: Site) -> None:
    """Ansible itself says so then, and loads nothing of ours."""
    site.lists(web=["d3"])
    outcome = await site.run("role", "d1")
    assert (site.touched(), outcome.state, outcome.refused, outcome.lost) == ([], "failed", True, True)
    assert outcome.summary == "nothing was begun: Ansible lists none of its targets now (d1)"


async def test_the_targets_alone_are_acted_on(site: Site) -> None:
    site.lists(web=["d1", "d2", "d3"], db=["d3"])
    outcome = await site.run("playbook", "d1", "d3")
    assert (outcome.state, outcome.refused, site.touched()) == ("succeeded", False, ["d1", "d3"])
    assert not outcome.lost


async def test_a_target_that_no_play_is_for_has_failed(site: Site) -> None:
    site.lists(web=["d1", "d3"])
    site.write("playbooks/one.yml", f"[{PLAY.replace('hosts: all', 'hosts: d1')}]")
    outcome = await site.run("playbook", "d1", "d3", subject="one.yml")
    assert (outcome.state, outcome.refused, site.touched()) == ("failed", False, ["d1"])
    assert outcome.summary == "the playbook did nothing on host:d3"
    assert outcome.per_target == {"host:d1": "succeeded", "host:d3": "failed"}


async def test_a_dry_run_and_a_plan_are_held_to_it_too(site: Site) -> None:
    site.lists(d1=["d2", "d3"])
    assert (await site.run("role", "d1", dry_run=True)).refused
    plan = await site.made().plan(site.job("role", "d1", work_dir=str(site.tmp_path / "work" / "r-1-2")))
    assert plan.fails == "nothing was begun: Ansible lists 'd1' as a group now (d2, d3)"
    assert plan.steps[1] == f"check mode: {plan.fails}"
    assert not plan.exact


async def test_a_plan_knows_that_a_target_is_nowhere_any_more(site: Site) -> None:
    site.lists(web=["d3"])
    plan = await site.made().plan(site.job("role", "d1"))
    assert plan.fails == "nothing was begun: Ansible lists none of its targets now (d1)"
    assert (plan.exact, plan.targets) == (False, ())
    site.lists(web=["d1"])
    plan = await site.made().plan(site.job("role", "d1", "d2"))
    assert plan.fails == "nothing was begun: Ansible lists no host 'd2' now"


async def test_a_plan_knows_that_no_play_is_for_a_target(site: Site) -> None:
    site.lists(web=["d1", "d3"])
    site.write("playbooks/one.yml", f"[{PLAY.replace('hosts: all', 'hosts: d1')}]")
    plan = await site.made().plan(site.job("playbook", "d1", "d3", subject="one.yml"))
    assert (plan.fails, plan.targets, site.touched()) == ("the playbook did nothing on host:d3", ("d1",), [])


async def test_a_plan_knows_that_a_target_cannot_be_reached(site: Site) -> None:
    site.lists(web=["d1"])
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    listed = {"_meta": {"hostvars": {"d1": gone}}, "web": {"hosts": ["d1"]}}
    (site.tmp_path / "listed").write_text(json.dumps(listed))
    outcome = await site.run("role", "d1")
    assert (outcome.state, outcome.refused, outcome.lost) == ("failed", False, True)
    plan = await site.made().plan(site.job("role", "d1", work_dir=str(site.tmp_path / "work" / "r-1-2")))
    assert "refused" in plan.fails
    assert plan.steps[1] == f"check mode: {plan.fails}"


async def test_a_list_that_changes_under_way_ends_it(site: Site) -> None:
    """A playbook may have its inventory read again; from then on the plays that follow would be for others."""
    site.lists(web=["d1"])
    again = json.dumps({"d1": {"hosts": ["d2"], "vars": LOCAL}})
    change = f"ansible.builtin.shell: {json.dumps(f'cat > {site.tmp_path}/listed <<E{chr(10)}{again}{chr(10)}E')}"
    refresh = "{ansible.builtin.meta: refresh_inventory}"
    first = f"{{hosts: all, gather_facts: false, tasks: [{{{change}}}, {refresh}]}}"
    site.write("playbooks/changing.yml", f"[{first}, {PLAY}]\n")
    outcome = await site.run("playbook", "d1", subject="changing.yml")
    assert (site.touched(), outcome.state, outcome.refused, outcome.lost) == ([], "failed", False, True)
    assert outcome.summary == "it was ended: Ansible lists 'd1' as a group now (d2)"


async def test_this_machine_needs_no_list(site: Site) -> None:
    site.lists()
    site.write("playbooks/here.yml", f"[{PLAY.replace('hosts: all', 'hosts: localhost')}]")
    outcome = await site.run("playbook", "localhost", subject="here.yml")
    assert (outcome.state, site.touched()) == ("succeeded", ["localhost"])


async def test_an_authors_own_limit_may_be_a_group(site: Site) -> None:
    site.lists(web=["d1", "d2"])
    outcome = await site.run("playbook", extra={"limit": "web", "ansible_eda": {}})
    assert (outcome.state, site.touched()) == ("succeeded", ["d1", "d2"])


async def test_hosts_that_were_no_targets_are_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else fails: that others were touched is never told as a success, nor as nothing."""
    made = _ansible_command.Commands.here

    def unguarded(*given: Any) -> Any:
        spec = made(*given)
        return dataclasses.replace(spec, env={name: text for name, text in spec.env.items() if name != "HEALER_ALONE"})

    monkeypatch.setattr(_ansible_command.Commands, "here", unguarded)
    site.lists(d1=["d2", "d3"])
    outcome = await site.run("role", "d1")
    assert site.touched() == ["d2", "d3"]
    assert (outcome.state, outcome.refused) == ("failed", False)
    assert outcome.summary == "it acted on d2, d3, which are none of its targets"
    assert outcome.result["others"] == ["d2", "d3"]


@pytest.mark.parametrize(("state", "code", "said"), [
    ("failed", 2, "it acted on d2, which is none of its targets; d2: t: no"),
    ("timed_out", None, "it acted on d2, which is none of its targets; ended by its deadline after 3.0 s"),
])  # fmt: skip
def test_they_are_named_however_it_ended(site: Site, state: Any, code: int | None, said: str) -> None:
    folder = site.tmp_path / "ended"
    place = folder / _outcome.EVENTS
    place.mkdir(parents=True)
    events = [{"event": "runner_on_failed", "event_data": {"host": "d2", "task": "t", "res": {"msg": "no"}}}]
    if code is None:
        events = [{"event": "runner_on_start", "event_data": {"host": "d2"}}]
    for number, event in enumerate(events):
        (place / f"{number}-partial.json").write_text(json.dumps(event))
    status = jobs.Status(code, None, code is None, False, False, 0.0, 3.0, "")
    made = _outcome.of(site.job("playbook", "d1"), folder, _shimmed.ended(status, folder))
    assert (made["state"], made["summary"], made["result"]["others"]) == (state, said, ["d2"])


async def test_a_group_that_a_playbook_makes_of_each_host_is_no_other(site: Site) -> None:
    site.lists(web=["d1", "d2"])
    by = "{hosts: all, gather_facts: false, tasks: [{ansible.builtin.group_by: {key: '{{ inventory_hostname }}'}}]}"
    site.write("playbooks/touch.yml", f"[{by}, {PLAY}]")
    outcome = await site.run("playbook", "d1", "d2")
    assert (outcome.state, site.touched()) == ("succeeded", ["d1", "d2"])


async def test_nothing_is_written_into_the_revision(site: Site) -> None:
    """Root may write there, and what was written would make the revision another one than was approved."""
    site.lists(web=["d1"])
    plugin = "class FilterModule:\n    def filters(self):\n        return {'up': str.upper}\n"
    site.write("playbooks/filter_plugins/up.py", plugin)
    task = "{ansible.builtin.file: {path: \"{{ folder }}/{{ 'x' | up }}\", state: touch, mode: '0600'}}"
    site.write("playbooks/touch.yml", f"[{{hosts: all, gather_facts: false, tasks: [{task}]}}]")
    before = sorted(site.revision.rglob("*"))
    outcome = await site.run("playbook", "d1")
    assert (outcome.state, site.touched()) == ("succeeded", ["X"])
    assert sorted(site.revision.rglob("*")) == before
