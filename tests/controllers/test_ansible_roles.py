"""A role that is an action of its own, with a real ansible-playbook: it runs as a playbook would, in a play that `ansible` makes."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from healer import model, plugins
from healer.controllers import _ansible_command, ansible

INVENTORY = f"""
[web]
web01
web02
[web:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""
TASKS = """\
- name: write it
  ansible.builtin.copy: {content: "{{ text }}|{{ word }}", dest: "{{ folder }}/{{ inventory_hostname }}", mode: "0600"}
  notify: after
- ansible.builtin.set_stats:
    data: {said: "{{ text }}", word: "{{ word }}", role: "{{ ansible_role_name }}", of: "{{ ansible_facts.system }}", others: "{{ other | default('') }}"}
"""
HANDLERS = """\
- name: after
  ansible.builtin.copy: {content: "{{ text }}", dest: "{{ folder }}/{{ inventory_hostname }}-after", mode: "0600"}
"""
HOSTILE = (
    "{{ lookup('pipe', 'id') }}"
    + "\x85\u2028 $(id) `id`\na\nb: !!python/x \\\"' - !vault | {% raw %} @/etc/passwd \N{PILE OF POO}\t"
)


class Site:
    """A revision with a role that has all of a role's parts, and a controller."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.tmp_path, self.revision, self.effects = tmp_path, tmp_path / "revision", tmp_path / "effects"
        self.effects.mkdir()
        self.write("inventory", INVENTORY)
        self.write("roles/shop/defaults/main.yml", "text: of the role\nword: of the role\n")
        self.write("roles/shop/tasks/main.yml", TASKS)
        self.write("roles/shop/handlers/main.yml", HANDLERS)
        self.write("roles/shop/meta/main.yml", "dependencies: [before]\n")
        self.write("roles/before/tasks/main.yml", "- ansible.builtin.set_fact: {other: of another role}\n")
        self.heard: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def write(self, path: str, text: str) -> None:
        file = self.revision / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def made(self, **given: Any) -> ansible.Ansible:
        options = ansible.AnsibleOptions.model_validate(given)
        context = plugins.ControllerContext(
            "site", lambda one: model.Secret(one.secret, "v4ult-pass"), print, self.revision
        )
        return ansible.Ansible(options, context)

    def job(self, subject: str = "roles/shop", hosts: tuple[str, ...] = ("web01",), **given: Any) -> model.Job:
        targets = tuple(model.Target("host", f"{name}.example.org", name) for name in hosts)
        parameters = {"folder": str(self.effects), **given.pop("parameters", {})}
        job = model.Job(
            token="r-1-1", run_id="r-1", action="a", kind="role", subject=subject, parameters=parameters, targets=targets,
            deadline_s=120.0, revision_dir=str(self.revision), work_dir=str(self.tmp_path / "work" / "r-1-1"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, *args: Any, **given: Any) -> model.Outcome:
        return await self.made().run(self.job(*args, **given), self.hear)

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    def written(self) -> dict[str, str]:
        return {path.name: path.read_bytes().decode() for path in sorted(self.effects.iterdir())}


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


async def test_it_runs_with_its_defaults_handlers_and_dependencies(site: Site) -> None:
    outcome = await site.run(parameters={"text": "given"})
    assert outcome.state == "succeeded", outcome
    assert site.written() == {"web01": "given|of the role", "web01-after": "given"}, "only the target"
    assert outcome.result["data"] == {
        "said": "given", "word": "of the role", "role": "shop", "of": "Linux", "others": "of another role",
    }  # fmt: skip
    assert outcome.result["stats"]["web01"]["changed"] == 2
    assert "returned" not in outcome.result
    assert (outcome.exit_code, outcome.summary) == (0, "1 host, 1 changed")
    assert outcome.per_target == {"host:web01.example.org": "succeeded"}
    assert b"TASK [shop : write it]" in site.heard["stdout"]


async def test_hostile_text_arrives_as_it_is(site: Site) -> None:
    outcome = await site.run(parameters={"text": HOSTILE, "word": "007"})
    assert outcome.state == "succeeded", outcome
    assert site.written() == {"web01": f"{HOSTILE}|007", "web01-after": HOSTILE}
    assert (outcome.result["data"]["said"], outcome.result["data"]["word"]) == (HOSTILE, "007")


async def test_a_dry_run_changes_nothing(site: Site) -> None:
    outcome = await site.run(parameters={"text": "given"}, dry_run=True)
    assert outcome.state == "succeeded", outcome
    assert outcome.result["stats"]["web01"]["changed"] == 2
    assert site.written() == {}
    assert b"+given|of the role" in site.heard["stdout"]


async def test_a_plan_shows_hosts_and_difference(site: Site) -> None:
    plan = await site.made().plan(site.job(hosts=("web01", "web02"), parameters={"text": "given"}))
    assert (plan.targets, plan.exact) == (("web01", "web02"), True)
    assert "--limit web01,web02" in plan.steps[0]
    assert plan.steps[1] == "check mode: 2 hosts, 2 changed"
    assert "+given|of the role" in plan.diff
    assert site.written() == {}
    assert list((site.tmp_path / "work").iterdir()) == []


async def test_hosts_end_for_themselves(site: Site) -> None:
    site.write(
        "roles/shop/tasks/main.yml",
        "- name: look at it\n  ansible.builtin.fail: {msg: no space}\n  when: inventory_hostname == 'web02'\n",
    )
    outcome = await site.run(hosts=("web01", "web02"))
    assert (outcome.state, outcome.exit_code) == ("failed", 2)
    assert outcome.summary == "web02: look at it: no space"
    assert outcome.per_target == {"host:web01.example.org": "succeeded", "host:web02.example.org": "failed"}


async def test_with_a_host_that_ansible_does_not_have_it_is_not_begun(site: Site) -> None:
    outcome = await site.run(hosts=("web01", "nobody"))
    assert (outcome.state, outcome.refused, site.written()) == ("failed", True, {})
    assert outcome.summary == "nothing was begun: Ansible lists no host 'nobody' now"


async def test_without_a_target_it_is_for_localhost_alone(site: Site) -> None:
    outcome = await site.run(hosts=(), parameters={"text": "here"})
    assert outcome.state == "succeeded", outcome
    assert site.written() == {"localhost": "here|of the role", "localhost-after": "here"}


@pytest.mark.parametrize(
    "hosts", ["", "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"]
)
async def test_this_machine_is_a_target_where_an_inventory_names_it_and_where_it_has_no_hosts(
    site: Site, hosts: str
) -> None:
    site.write("inventory", f"[all]\n{hosts}\n")
    outcome = await site.run(hosts=("localhost",), parameters={"text": "here"})
    assert outcome.state == "succeeded", outcome
    assert site.written() == {"localhost": "here|of the role", "localhost-after": "here"}


async def test_the_role_of_the_project_is_meant_whatever_its_ansible_cfg_says(site: Site) -> None:
    site.write("ansible.cfg", "[defaults]\nroles_path = elsewhere\n")
    site.write("elsewhere/shop/tasks/main.yml", "- ansible.builtin.fail: {msg: another one}\n")
    outcome = await site.run(parameters={"text": "x"})
    assert outcome.state == "succeeded", outcome
    assert outcome.result["data"]["others"] == "of another role", "its dependency lies beside it"


async def test_a_role_of_a_collection(site: Site) -> None:
    site.write(
        "collections/ansible_collections/acme/web/roles/fix/tasks/main.yml",
        "- ansible.builtin.set_stats: {data: {said: '{{ text }}', role: '{{ ansible_role_name }}'}}\n",
    )
    outcome = await site.run("acme.web.fix", parameters={"text": HOSTILE})
    assert outcome.state == "succeeded", outcome
    assert outcome.result["data"] == {"said": HOSTILE, "role": "acme.web.fix"}


async def test_its_vault_is_opened_and_nothing_private_is_left(site: Site) -> None:
    word = site.tmp_path / "pass"
    word.write_text("v4ult-pass")
    made = subprocess.run(
        [_ansible_command.executable("ansible-vault"), "encrypt_string", "--vault-password-file", word, "opened"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    site.write("roles/shop/vars/main.yml", f"word: {made.stdout}")
    controller = site.made(vault_password={"secret": "env:VAULT"})
    job = site.job(parameters={"text": model.Secret("env:T", "pl4nted-s3cret")})
    outcome = await controller.run(job, site.hear)
    assert outcome.state == "succeeded", outcome
    assert site.written()["web01"] == "pl4nted-s3cret|opened"
    left = {
        path.name for path in pathlib.Path(job.work_dir).rglob("*") if path.is_file() and b"v4ult" in path.read_bytes()
    }
    assert left == set()
    assert not list(pathlib.Path(job.work_dir).rglob("vars.yml"))
    assert not list(pathlib.Path(job.work_dir).rglob("task.yml"))


@pytest.mark.parametrize("subject", ["roles/../shop", "shop", "roles/{{ x }}", "/roles/shop", "~/shop", ""])
async def test_what_is_no_name_of_a_role_is_refused(site: Site, subject: str) -> None:
    outcome = await site.run(subject)
    assert outcome.state == "failed"
    assert outcome.summary.endswith(f"{subject!r} is no name of a role")


async def test_a_role_that_is_gone_is_told(site: Site) -> None:
    outcome = await site.run("roles/gone")
    assert outcome.state == "failed"
    assert "the role 'roles/gone' was not found" in outcome.summary
