"""Plugins of the project: what its ansible.cfg says of where they lie holds, and none of ours gives way to one of them."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Any, Final

import pytest

from healer import model, plugins
from healer.controllers import ansible

INVENTORY: Final = f"""
[web]
web01 ansible_connection=local ansible_python_interpreter={sys.executable}
"""
NOTES: Final = """\
import os
from ansible.plugins.callback import CallbackBase

open({place!r} + "/made", "w").close()


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = {kind!r}
    CALLBACK_NAME = {name!r}

    def v2_runner_on_ok(self, result):
        with open({place!r} + "/heard", "a") as file:
            file.write(result._host.get_name() + "\\n")
"""
STRATEGY: Final = """\
import pathlib
from ansible.plugins.strategy import linear


class StrategyModule(linear.StrategyModule):
    def run(self, *given):
        pathlib.Path({place!r}, "strategy").touch()
        return super().run(*given)
"""
PLUGINS: Final = {
    "of/filter/up.py": "class FilterModule:\n    def filters(self):\n        return {'up': str.upper}\n",
    "of/test/big.py": "class TestModule:\n    def tests(self):\n        return {'big': str.isupper}\n",
    "of/lookup/word.py": "from ansible.plugins.lookup import LookupBase\nclass LookupModule(LookupBase):\n"
    "    def run(self, terms, variables=None, **given):\n        return ['word']\n",
    "of/library/said.py": "from ansible.module_utils.basic import AnsibleModule\nAnsibleModule({}, supports_check_mode=True).exit_json(word='module')\n",
    "of/action/acted.py": "from ansible.plugins.action import ActionBase\nclass ActionModule(ActionBase):\n"
    "    def run(self, tmp=None, task_vars=None):\n        return {'word': 'action'}\n",
    "of/library/acted.py": "",
}
CONFIG: Final = """\
[defaults]
callback_plugins = of/callback:{base}/of/other ; ours
strategy_plugins = of/strategy
strategy = noted
filter_plugins = of/filter
test_plugins = of/test
lookup_plugins = of/lookup
library = of/library
action_plugins = of/action
callbacks_enabled = ansible.builtin.tree
"""
PLAY: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - {said: {}, register: a}
    - {acted: {}, register: b}
    - ansible.builtin.assert: {that: "('x' | up) is big"}
    - ansible.builtin.set_stats: {data: {words: "{{ a.word }} {{ b.word }} {{ lookup('word') }}"}}
"""


class Site:
    """A revision whose ansible.cfg says where its plugins lie, and a controller. They leave what they heard in `told`."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.tmp_path, self.revision, self.told = tmp_path, tmp_path / "revision", tmp_path / "told"
        self.told.mkdir()
        self.write("inventory", INVENTORY)
        self.write("ansible.cfg", CONFIG.format(base=tmp_path))
        self.write("playbooks/p.yml", PLAY)
        for path, text in PLUGINS.items():
            self.write(path, text)
        self.write("of/strategy/noted.py", STRATEGY.format(place=str(self.told)))
        self.callback("revision/of/callback/notes.py", "one")
        self.callback("of/other/more.py", "two")
        self.controller = self.made()
        self.count = 0

    def made(self) -> ansible.Ansible:
        context = plugins.ControllerContext("site", lambda one: model.Secret(one.secret, ""), print, self.revision)
        return ansible.Ansible(ansible.AnsibleOptions(), context)

    def write(self, path: str, text: str) -> None:
        file = self.revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def callback(self, path: str, place: str, *, kind: str = "notification", name: str = "notes") -> None:
        (self.told / place).mkdir(exist_ok=True)
        self.write(f"../{path}", NOTES.format(place=str(self.told / place), kind=kind, name=name))

    def job(self, *hosts: str, **given: Any) -> model.Job:
        self.count += 1
        job = model.Job(
            token=f"r-1-{self.count}", run_id="r-1", action="a", kind="playbook", subject="p.yml", parameters={},
            targets=tuple(model.Target("host", name, name) for name in hosts or ("web01",)), deadline_s=120.0,
            revision_dir=str(self.revision), work_dir=str(self.tmp_path / f"work/r-1-{self.count}"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, *hosts: str, **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(*hosts, **given), lambda _stream, _piece: None)

    def heard(self, place: str) -> list[str]:
        path = self.told / place / "heard"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


async def test_what_its_configuration_says_of_plugins_holds(site: Site) -> None:
    outcome = await site.run()
    assert outcome.state == "succeeded", outcome
    assert outcome.result["data"] == {"words": "module action word"}
    assert (site.told / "strategy").exists()
    assert site.heard("one") == ["web01"] * 4
    assert site.heard("two") == ["web01"] * 4


async def test_a_plan_warns_of_none_of_them(site: Site) -> None:
    site.write("ansible.cfg", CONFIG.format(base=site.tmp_path).replace("ansible.builtin.tree", "notes, mycb"))
    plan = await site.controller.plan(site.job())
    assert plan.steps[1] == "check mode: 1 host, 0 changed"
    assert "callback" not in plan.diff


async def test_a_strategy_that_is_not_there_fails_the_plan_as_the_run(site: Site) -> None:
    (site.revision / "of/strategy/noted.py").unlink()
    plan = await site.controller.plan(site.job())
    assert "Invalid play strategy specified: noted" in plan.fails
    outcome = await site.run()
    assert (outcome.state, outcome.summary) == ("failed", plan.fails)


async def test_a_plan_tells_none_of_them(site: Site) -> None:
    site.callback("revision/playbooks/callback_plugins/beside.py", "beside")
    plan = await site.controller.plan(site.job())
    assert plan.steps[1] == "check mode: 1 host, 0 changed"
    assert [site.heard(place) for place in ("one", "two", "beside")] == [[], [], []]
    assert not (site.told / "one" / "made").exists()
    assert (await site.run()).state == "succeeded"
    assert site.heard("beside") == ["web01"] * 4


@pytest.mark.parametrize("name", ["healer_alone", "healer_room", "healer_excused", "awx_display"])
async def test_none_takes_the_place_of_ours(site: Site, name: str) -> None:
    site.callback(f"revision/of/callback/{name}.py", "one", kind="stdout" if name == "awx_display" else "aggregate")
    site.write("inventory", INVENTORY.replace("[web]\nweb01", "[web01]\nweb02"))
    outcome = await site.run()
    assert (outcome.state, outcome.refused) == ("failed", True)
    assert outcome.summary == "nothing was begun: Ansible lists 'web01' as a group now (web02)"
    assert site.heard("one") == []


@pytest.mark.parametrize(
    "text",
    ["", "[defaults", "[other]\nx = 1\n", "[defaults]\ncallback_plugins =\n", "[defaults]\ncallback_plugins = gone\n"],
)
async def test_a_configuration_without_callbacks_or_none_at_all(site: Site, text: str) -> None:
    site.write("ansible.cfg", text)
    site.write("playbooks/p.yml", "[{hosts: all, gather_facts: false, tasks: [{ansible.builtin.debug: {msg: x}}]}]")
    outcome = await site.run()
    assert outcome.state == ("failed" if text == "[defaults" else "succeeded"), outcome


async def test_a_log_of_ansible_is_not_written_into_the_revision(site: Site) -> None:
    site.write("ansible.cfg", "[defaults]\nlog_path = ./ansible.log\n")
    site.write("playbooks/p.yml", "[{hosts: all, gather_facts: false, tasks: [{ansible.builtin.debug: {msg: x}}]}]")
    heard: list[bytes] = []
    outcome = await site.controller.run(site.job(), lambda _stream, piece: heard.append(piece))
    assert outcome.state == "succeeded", outcome
    assert b"WARNING" not in b"".join(heard)
    assert not (site.revision / "ansible.log").exists()


async def test_a_callback_that_ends_ansible_before_it_begins_is_why(site: Site) -> None:
    site.write("of/callback/notes.py", "raise SystemExit(0)\n")
    outcome = await site.run()
    assert (outcome.state, outcome.per_target) == ("failed", {"host:web01": "failed"})
    assert outcome.summary.startswith("Ansible ended before it began anything, without a word: a callback or plugin")


async def test_a_strategy_of_its_own_does_not_let_it_act_on_others(site: Site) -> None:
    site.write("inventory", INVENTORY.replace("[web]\nweb01", "[web01]\nweb02"))
    outcome = await site.run()
    assert (outcome.refused, (site.told / "strategy").exists()) == (True, False)
