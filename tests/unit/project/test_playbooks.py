"""What playbooks and roles that something runs say themselves of what is wrong with them; what Ansible has to judge is left to it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from healer import project
from healer.project import playbooks

Write = Callable[[dict[str, str | bytes | None]], pathlib.Path]
ACTIONS = "actions:\n  restart: {playbook: restart.yml, impact: low, parameters: {service: {}}}\n  a: {impact: low, role: clean}\n"


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def told(write: Write, **files: Any) -> list[str]:
    """`severity file:line:column message` of each that is about a playbook or role. A key's `__` is a slash, a lone `_` a dot."""
    named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    made = {"actions.yaml": ACTIONS, "roles/clean/tasks/main.yml": "- debug:\n", **named}
    loaded = project.load(write(made), {})
    found = [one for one in loaded.diagnostics if one.place.file.startswith(("playbooks/", "roles/"))]
    assert (loaded.revision is None) == any(one.severity == "error" for one in found), loaded.diagnostics
    return [f"{one.severity} {one.place} {one.message}" for one in found if one.severity != "hint"]


@pytest.mark.parametrize(("text", "message"), [
    ("- hosts: all\n  tasks: [\n", "3:1 not YAML: while parsing a flow node did not find expected node content"),
    ("- debug: {msg: x\n  foo: [", "1:10 not YAML: while parsing a flow mapping did not find expected ',' or '}'"),
    ("hosts: all\n", "1:1 a playbook is a list of plays, got a mapping"),
    ("nothing\n", "1:1 a playbook is a list of plays, got 'nothing'"),
    ("- hosts: all\n- web\n", "2:3 a play is a mapping, got 'web'"),
    ("- hosts: all\n  tasks: {debug: }\n", "2:10 tasks are a list of tasks, got a mapping"),
    ("- hosts: all\n  tasks: [{block: [debug]}]\n", "2:20 a task is a mapping, got 'debug'"),
    (b"- hosts: \xff\n", "1:10 the file is not UTF-8"),
])  # fmt: skip
def test_a_playbook_that_is_none_is_told_where_it_is_not(write: Write, text: Any, message: str) -> None:
    assert told(write, playbooks__restart_yml=text) == [f"error playbooks/restart.yml:{message}"]


@pytest.mark.parametrize(("part", "text", "message"), [
    ("tasks", "- debug: {msg: x\n  foo: [", "1:10 not YAML: while parsing a flow mapping did not find expected ',' or '}'"),
    ("tasks", "debug: {msg: x}\n", "1:1 it is a list of tasks, got a mapping"),
    ("handlers", "- restart\n", "1:3 a task is a mapping, got 'restart'"), ("defaults", "- a\n", "1:1 it is a mapping, got a list"),
    ("meta", "dependencies: [\n", "2:1 not YAML: while parsing a flow node did not find expected node content"),
])  # fmt: skip
def test_so_is_a_role_in_each_part(write: Write, part: str, text: str, message: str) -> None:
    assert told(write, **{f"roles__clean__{part}__main_yml": text}) == [f"error roles/clean/{part}/main.yml:{message}"]


@pytest.mark.parametrize(("there", "read"), [
    (("main.yml", "main.yaml", "main.json", "main"), "main.yml"), (("main.yaml", "main.json"), "main.yaml"), (("main.json", "main"), "main.json"), (("main",), "main"),
])  # fmt: skip
def test_of_a_roles_files_the_one_is_read_that_ansible_takes(write: Write, there: tuple[str, ...], read: str) -> None:
    files: dict[str, Any] = {f"roles/clean/tasks/{name}": "{}\n" for name in there}
    loaded = project.load(write({"actions.yaml": ACTIONS, **files}), {})
    assert [one.place.file for one in loaded.diagnostics if one.severity == "error"] == [f"roles/clean/tasks/{read}"]


def test_what_rules_run_by_themselves_is_looked_at_too(write: Write) -> None:
    rules = "- name: r\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n    - {name: a, condition: event.x is defined, action: {run_playbook: {name: other.yml}}}\n"
    found = told(write, playbooks__other_yml="- hosts: [\n", rulebooks__team__web_yml=rules)
    assert [one.partition(" not YAML")[0] for one in found] == ["error playbooks/other.yml:2:1"]


SOUND = """\
- import_playbook: other.yml
- import_playbook: acme.web.site
- import_playbook: "{{ which }}.yml"
- hosts: all
  vars: {a: !unsafe "{{ x }}", b: !vault "$ANSIBLE_VAULT;1.1;AES256\\n31"}
  roles: [clean, {role: clean}, acme.web.fix, "{{ a }}"]
  tasks:
    - import_tasks: steps.yml
    - include_tasks: {file: ../tasks/steps.yml}
    - import_tasks: steps.yml x=1
    - block: [{ansible.builtin.debug: {msg: 12345678901234567890123456789012345678901234567890}}]
      rescue: []
  handlers:
"""


@pytest.mark.parametrize("text", [SOUND, "[]\n", "", "---\n", "$ANSIBLE_VAULT;1.1;AES256\n[3\n"])
def test_what_ansible_takes_or_judges_itself_is_let_be(write: Write, text: str) -> None:
    more = {"playbooks__other_yml": "[]\n", "tasks__steps_yml": "[]\n"}
    assert told(write, playbooks__restart_yml=text, **more) == []


def test_one_that_nothing_names_and_one_that_is_large_are_not_read(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(write, playbooks__vars__x_yml="a: [\n", roles__other__tasks__main_yml="- [") == []
    monkeypatch.setattr(playbooks, "BYTES_MAX", 5)
    assert told(write, playbooks__restart_yml="- hosts: [\n") == []


def test_what_it_leads_to_and_is_nowhere_is_a_warning(write: Write) -> None:
    text = "- import_playbook: othr.yml\n- hosts: all\n  roles: [claen, {role: gone}]\n  tasks:\n    - ansible.builtin.import_tasks: no.yml\n"
    assert told(write, playbooks__restart_yml=text, playbooks__other_yml="[]\n") == [
        "warning playbooks/restart.yml:1:20 the project has no playbook othr.yml",
        "warning playbooks/restart.yml:3:11 there is no role claen", "warning playbooks/restart.yml:3:18 there is no role gone",
        "warning playbooks/restart.yml:5:37 the project has no file of tasks no.yml",
    ]  # fmt: skip


NAMES = """\
- hosts: all
  tasks:
    - import_role: {name: gone}
    - block:
        - ansible.builtin.include_role: {role: claen}
      rescue: [{ansible.legacy.include_role: {name: lost}}]
    - import_role: name=nowhere tasks_from=x
    - include_role:
      args: {name: far}
  handlers: [{include_role: {name: of_handlers}}]
"""


def test_a_role_that_a_task_names_and_is_nowhere_is_a_warning(write: Write) -> None:
    assert [one.removeprefix("warning playbooks/restart.yml:") for one in told(write, playbooks__restart_yml=NAMES)] == [
        "3:20 there is no role gone", "5:41 there is no role claen", "6:46 there is no role lost", "7:20 there is no role nowhere",
        "8:20 there is no role far", "10:29 there is no role of_handlers",
    ]  # fmt: skip
    tasks, meta = "- include_role: {name: gone}\n", "dependencies: [lost, clean, {role: gone}, {src: x}]\n"
    assert told(write, roles__clean__tasks__main_yml=tasks, roles__clean__meta__main_yml=meta) == [
        "warning roles/clean/meta/main.yml:1:16 there is no role lost", "warning roles/clean/meta/main.yml:1:29 there is no role gone",
        "warning roles/clean/tasks/main.yml:1:17 there is no role gone",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [
    "tasks: [{import_role: {name: clean}}, {include_role: {name: '{{ item }}'}}, {include_role: {name: a.b.c}}, {import_role: 'name={{ x }}'}]",
    "tasks: [{include_role: {name: far/away}}, {include_role: {tasks_from: x}}, {include_role: [gone]}, {include_role: {name: 5}}, {include_role: }]",
    "collections: [acme.web]\n  roles: [fix]\n  tasks: [{include_role: {name: fix}}]",
    "tasks: [{include_role: {name: fix}, collections: [acme.web]}, {block: [{include_role: {name: fix}}], collections: [acme.web]}]",
    "roles: '{{ all_roles }}'",
])  # fmt: skip
def test_a_role_that_is_there_or_that_ansible_alone_can_find_is_let_be(write: Write, text: str) -> None:
    assert told(write, playbooks__restart_yml=f"- hosts: all\n  {text}\n") == []


def test_a_role_with_collections_of_its_own_names_roles_of_these(write: Write) -> None:
    parts = {
        "roles__clean__tasks__main_yml": "- include_role: {name: fix}\n",
        "roles__clean__meta__main_yml": "collections: [acme.web]\ndependencies: [fix]\n",
    }
    assert told(write, **parts) == []


@pytest.mark.parametrize(("files", "said"), [
    ("gone.yml", "the project has no file of variables gone.yml, and Ansible passes over it"),
    ("[there.yml, vars/gone.yml]", "the project has no file of variables vars/gone.yml, and Ansible passes over it"),
    ("[[gone.yml, lost.yml]]", "the project has no file of variables gone.yml or lost.yml, and Ansible passes over it"),
    ("[../vars/gone.yml]", "the project has no file of variables ../vars/gone.yml, and Ansible passes over it"),
    ("[there.yml, vars/there.yml, beside.yml, ../vars/far.yml, ./beside.yml]", ""), ("[[gone.yml, '{{ os }}.yml']]", ""), ("[[gone.yml, there.yml]]", ""),
    ("['{{ os }}.yml', [], [5], {a: b}, 5, '', /etc/x.yml, ~/x.yml, ../../x.yml]", ""), ("'{{ several }}'", ""), ("", ""),
])  # fmt: skip
def test_variables_of_a_play_that_are_nowhere_are_a_warning(write: Write, files: str, said: str) -> None:
    text = f"- hosts: all\n  vars_files: {files}\n"
    there = {"playbooks__vars__there_yml": "", "playbooks__beside_yml": "", "vars__far_yml": ""}
    assert [one.partition(" ")[2].partition(" ")[2] for one in told(write, playbooks__restart_yml=text, **there)] == [
        said
    ] * bool(said)


def test_what_may_be_meant_by_variables_that_are_nowhere(write: Write) -> None:
    text = "- hosts: all\n  vars_files: [../vars/fra.yml, ../hidden/x.yml]\n"
    made = write(
        {
            "actions.yaml": ACTIONS,
            "roles/clean/tasks/main.yml": "",
            "playbooks/restart.yml": text,
            "vars/far.yml": "",
            "hidden/x.yml": "",
        }
    )
    found = [one for one in project.load(made, {}).diagnostics if one.code == "no-file"]
    assert [one.try_ for one in found] == [
        "did you mean '../vars/far.yml'?",
        "no run gets hidden/x.yml: move it to playbooks/vars/, or to vars/",
    ]


def test_only_what_may_be_variables_is_meant_by_some(write: Write) -> None:
    """Neither the playbook itself nor another one, and no text."""
    beside = {
        "playbooks/novar.yml": "---\n# x\n- hosts: all\n",
        "playbooks/novars.txt": "",
        "playbooks/novars2.yml": "[a]\n",
    }
    for more, try_ in (
        ({}, "make the file, or mend the name"),
        ({"playbooks/nowars.yml": "a: 1\n"}, "did you mean 'nowars.yml'?"),
    ):
        made = write(
            {"roles/clean/tasks/main.yml": "", "playbooks/restart.yml": "- hosts: all\n", **beside, **more}
            | {
                "playbooks/norole.yml": "- hosts: all\n  vars_files: [novars.yml]\n  tasks: [{import_tasks: norule.yml}]\n"
            }
            | {"actions.yaml": ACTIONS + "  norole: {playbook: norole.yml}\n"}
        )
        found = [
            one for one in project.load(made, {}).diagnostics if one.code == "no-file" and "norole" in one.place.file
        ]
        assert [one.try_ for one in found if "variables" in one.message] == [try_]
        assert not [one for one in found if "norole.yml" in one.try_]


def test_a_key_that_stands_twice_is_a_warning_as_ansible_has_it(write: Write) -> None:
    assert told(write, playbooks__restart_yml="- hosts: all\n  hosts: web\n") == [
        "warning playbooks/restart.yml:2:3 the key 'hosts' stands here twice, already in line 1"
    ]


@pytest.mark.parametrize(("task", "place"), [
    ("{debug: , async: 600, poll: 0}", "3:24"), ('{debug: , async: "{{ long }}"}', "3:24"), ("{block: [{debug: , async: '45'}]}", "3:33"),
    ("{debug: , async: 0}", ""), ("{debug: , async: '0'}", ""), ("{debug: , async: }", ""), ("{async_status: {jid: x}}", ""),
])  # fmt: skip
def test_a_task_that_goes_on_after_its_run_is_a_hint(write: Write, task: str, place: str) -> None:
    text = f"- hosts: all\n  tasks:\n    - {task}\n"
    loaded = project.load(
        write({"actions.yaml": ACTIONS, "playbooks/restart.yml": text, "roles/clean/tasks/main.yml": "- debug:\n"}), {}
    )
    found = [one for one in loaded.diagnostics if one.code == "async-task"]
    assert [(str(one.place), one.severity) for one in found] == (
        [(f"playbooks/restart.yml:{place}", "hint")] if place else []
    )
