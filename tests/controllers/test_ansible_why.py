"""The line about a playbook that did not go well: what ended it, and not what was rescued or ignored. With a real ansible-playbook."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from typing import Any, Final

import pytest

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _events, _outcome, _shimmed, ansible
from healer.controllers._display import healer_excused, healer_room

INVENTORY: Final = f"""
[web]
web01
web02
[web:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""
FIRST: Final = "{name: first, ansible.builtin.fail: {msg: not this}}"
FINE: Final = "{ansible.builtin.debug: {msg: fine}}"
REAL: Final = '{name: real, ansible.builtin.fail: {msg: "out of space"}}'


class Site:
    """A revision, and a controller."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.revision, self.work = tmp_path / "revision", tmp_path / "work"
        self.write("inventory", INVENTORY)
        context = plugins.ControllerContext("site", lambda one: model.Secret(one.secret, ""), print, self.revision)
        self.controller = ansible.Ansible(ansible.AnsibleOptions(), context)

    def write(self, path: str, text: str) -> None:
        file = self.revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def job(self, *hosts: str) -> model.Job:
        return model.Job(
            token="r-1-1", run_id="r-1", action="a", kind="playbook", subject="p.yml", parameters={},
            targets=tuple(model.Target("host", name, name) for name in hosts or ("web01",)), deadline_s=120.0,
            revision_dir=str(self.revision), work_dir=str(self.work),
        )  # fmt: skip

    async def run(self, *tasks: str, hosts: tuple[str, ...] = (), more: str = "", play: str = "") -> model.Outcome:
        tasks_ = "".join(f"    - {task}\n" for task in tasks)
        self.write("playbooks/p.yml", f"- hosts: all\n  gather_facts: false\n{play}  tasks:\n{tasks_}{more}")
        return await self.controller.run(self.job(*hosts), lambda _stream, _piece: None)


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


RESCUED: Final = f"{{block: [{FIRST}], rescue: [{FINE}]}}"
IGNORED: Final = FIRST.replace("}}", "}, ignore_errors: true}")


@pytest.mark.parametrize("tasks", [
    [RESCUED, REAL], [IGNORED, REAL], [RESCUED, RESCUED, IGNORED, REAL], [f"{{block: [{FIRST}], rescue: [{REAL}]}}"],
    [f"{{block: [{{block: [{FIRST}], always: [{FINE}]}}], rescue: [{FINE}]}}", REAL],
    [f"{{block: [{REAL}], always: [{{block: [{FIRST}], rescue: [{FINE}]}}]}}"],
    ["{block: [{ansible.builtin.include_tasks: inner.yml}], rescue: [{ansible.builtin.debug: {msg: fine}}]}", REAL],
    ["{block: [{ansible.builtin.include_role: {name: inner}}], rescue: [{ansible.builtin.debug: {msg: fine}}]}", REAL],
    [FIRST.replace("}}", "}, connection: ssh, vars: {ansible_port: 1, ansible_host: 127.0.0.1}, ignore_unreachable: true}").replace(
        "ansible.builtin.fail: {msg: not this}", "ansible.builtin.ping: {}"), REAL],
], ids=["rescued", "ignored", "several", "rescue", "nested", "always", "included", "role", "unreachable"])  # fmt: skip
async def test_what_was_rescued_or_ignored_is_not_why(site: Site, tasks: list[str]) -> None:
    site.write("playbooks/inner.yml", f"- {FIRST}\n")
    site.write("roles/inner/tasks/main.yml", f"- {FIRST}\n")
    outcome = await site.run(*tasks)
    assert (outcome.state, outcome.summary) == ("failed", "web01: real: out of space")


async def test_strategies_other_than_the_usual_one(site: Site) -> None:
    outcome = await site.run(RESCUED, REAL, play="  strategy: free\n", hosts=("web01", "web02"))
    assert outcome.summary.endswith(": real: out of space (and 1 more)")


async def test_one_host_is_rescued_and_another_is_not(site: Site) -> None:
    real = REAL.replace("}}", "}, when: inventory_hostname == 'web02'}")
    outcome = await site.run(RESCUED, real, hosts=("web01", "web02"))
    assert (outcome.state, outcome.summary) == ("failed", "web02: real: out of space")
    assert outcome.result["stats"]["web01"]["rescued"] == 1


async def test_a_playbook_that_ansible_itself_breaks_off(site: Site) -> None:
    outcome = await site.run(RESCUED, more="- hosts: '{{ nothing_there }}'\n  tasks: []\n")
    assert outcome.state == "failed"
    assert "'nothing_there' is undefined" in outcome.summary
    assert "not this" not in outcome.summary


async def test_a_failure_that_ansible_counts_and_passes_over(site: Site) -> None:
    """It does so of a file that is not there to be included, also where that is rescued."""
    lost = "{block: [{ansible.builtin.include_tasks: no-such.yml}], rescue: [{ansible.builtin.debug: {msg: fine}}]}"
    outcome = await site.run(lost)
    assert (outcome.state, outcome.exit_code) == ("failed", 0)
    assert outcome.summary == "the playbook failed on host:web01, though Ansible ended with 0"


async def test_a_file_that_is_not_there_to_be_included_is_named(site: Site) -> None:
    outcome = await site.run("{ansible.builtin.include_tasks: no-such.yml}")
    assert outcome.summary.startswith("web01: ansible.builtin.include_tasks: Could not find or access '")


PING: Final = "{name: p, ansible.builtin.ping: {}, ignore_unreachable: true, vars: {ansible_connection: ssh, ansible_port: 1, ansible_host: 127.0.0.1}}"
SHELL: Final = "ansible.builtin.command: {argv: ['true']}"


@pytest.mark.parametrize(("tasks", "state"), [
    ([PING], "failed"), ([PING, FINE], "failed"), ([f"{{{SHELL}}}", PING], "failed"), ([PING, f"{{{SHELL}, delegate_to: web02}}"], "failed"),
    ([PING, f"{{{SHELL}}}"], "succeeded"), ([PING, f"{{{SHELL}, loop: [1]}}"], "succeeded"),
], ids=["alone", "debug", "before", "delegated", "reached", "loop"])  # fmt: skip
async def test_a_target_that_is_not_reached_is_not_healed_also_where_that_is_ignored(
    site: Site, tasks: list[str], state: str
) -> None:
    outcome = await site.run(*tasks)
    assert (outcome.state, outcome.per_target, outcome.exit_code) == (state, {"host:web01": state}, 0)
    assert outcome.lost == (state == "failed")
    if state == "failed":
        assert outcome.summary == "the playbook did not reach host:web01, though Ansible ended with 0"


async def test_one_that_is_not_reached_takes_nothing_from_another(site: Site) -> None:
    outcome = await site.run(PING.replace("}}", "}, when: inventory_hostname == 'web02'}"), hosts=("web01", "web02"))
    assert (outcome.state, outcome.per_target) == ("failed", {"host:web01": "succeeded", "host:web02": "failed"})


async def test_what_failed_before_it_was_broken_off_is_told_behind_it(site: Site) -> None:
    real = REAL.replace("}}", "}, when: inventory_hostname == 'web02'}")
    outcome = await site.run(real, hosts=("web01", "web02"), more="- hosts: '{{ nothing_there }}'\n  tasks: []\n")
    assert "'nothing_there' is undefined; web02: real: out of space" in outcome.summary, outcome


async def test_what_went_well_in_the_end_has_succeeded(site: Site) -> None:
    outcome = await site.run(RESCUED, IGNORED)
    assert (outcome.state, outcome.summary) == ("succeeded", "1 host, 0 changed")


def test_of_what_ansible_says_of_errors_the_last_is_why_it_broke_off(site: Site, tmp_path: pathlib.Path) -> None:
    said = "[ERROR]: Could not find rescued.yml\nOrigin: x\n[ERROR]: 'hosts' is undefined\nOrigin: y\n"
    assert ended(site, tmp_path, said, exit_code=4) == "[ERROR]: 'hosts' is undefined; web02: t: no"


# --- its end by others ----------------------------------------------------------------------------------------------------


def ended(site: Site, tmp_path: pathlib.Path, said: str = "", **given: Any) -> str:
    """The summary of one that a task had failed of on one host by then."""
    folder = tmp_path / "ended"
    place = folder / _outcome.EVENTS
    place.mkdir(parents=True)
    event = {"event": "runner_on_failed", "event_data": {"host": "web02", "task": "t", "res": {"msg": "no"}}}
    (place / "1-partial.json").write_text(json.dumps(event))
    (folder / "stderr").write_text(said)
    status = dataclasses.replace(jobs.Status(None, None, False, False, False, 0.0, 3.0, ""), **given)
    return str(_outcome.of(site.job("web01", "web02"), folder, _shimmed.ended(status, folder))["summary"])


@pytest.mark.parametrize(("given", "says"), [
    ({"timed_out": True}, "ended by its deadline after 3.0 s; web02: t: no"), ({"cancelled": True}, "cancelled after 3.0 s; web02: t: no"),
    ({"signal": 9}, "killed by signal 9; web02: t: no"), ({"exit_code": 2}, "web02: t: no"),
])  # fmt: skip
def test_what_ended_it_from_outside_is_told_first(
    site: Site, tmp_path: pathlib.Path, given: dict[str, Any], says: str
) -> None:
    assert ended(site, tmp_path, **given) == says


# --- the mark of what is excused ------------------------------------------------------------------------------------------


class Kept:
    """A writer of events that keeps them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def set(self, _key: str, event: dict[str, Any]) -> None:
        self.events.append(event)


@pytest.mark.parametrize(("kind", "data", "marked"), [
    ("runner_on_failed", {"host": "a"}, True), ("runner_on_unreachable", {"host": "b"}, True), ("runner_on_failed", {"host": "c"}, False),
    ("runner_on_failed", {"host": "new"}, False), ("runner_on_failed", {}, False), ("runner_on_ok", {"host": "a"}, False),
    ("runner_on_failed", None, False),
])  # fmt: skip
def test_only_failures_are_marked_by_what_they_were_counted_as(kind: str, data: Any, marked: bool) -> None:
    kept = Kept()
    writer = healer_excused.Marking(kept, {"a": "rescued", "b": "ignored", "c": "failures"})
    writer.set("k", {"event": kind, "event_data": data})
    (event,) = kept.events
    assert bool((event["event_data"] or {}).get("excused")) == marked


@pytest.mark.parametrize("room_first", [True, False])
def test_either_of_those_before_the_writer_may_be_loaded_first(tmp_path: pathlib.Path, room_first: bool) -> None:
    kept: Any = Kept()
    kept.private_data_dir = str(tmp_path)
    writer: Any
    if room_first:
        writer = healer_excused.Marking(healer_room.Room(kept), {"a": "rescued"})
    else:
        writer = healer_room.Room(healer_excused.Marking(kept, {"a": "rescued"}))
    writer.set("k", {"event": "runner_on_failed", "event_data": {"host": "a"}})
    assert kept.events[0]["event_data"]["excused"]
    assert (tmp_path / "report.reserved").exists()
    assert writer.private_data_dir == str(tmp_path)


def test_a_mark_is_read(tmp_path: pathlib.Path) -> None:
    for number, more in enumerate(({"excused": True}, {"ignore_errors": True}, {})):
        data = {"host": "a", "task": f"t{number}", "res": {"msg": "no"}, **more}
        (tmp_path / f"{number}-partial.json").write_text(json.dumps({"event": "runner_on_failed", "event_data": data}))
    assert _events.read(tmp_path, failures=True, returned=False).first_failure() == "a: t2: no"
