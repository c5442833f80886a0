"""The controller `ansible` with a real ansible-playbook, on this machine alone."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest

from healer import errors, model, plugins
from healer.controllers import _ansible_command, ansible
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]

INVENTORY = f"""
[web]
web01
web02
[web:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""

WRITE = """
- hosts: all
  gather_facts: false
  tasks:
    - name: write it
      ansible.builtin.copy:
        content: "{{ text }}|{{ nested.a[0] }}"
        dest: "{{ folder }}/{{ inventory_hostname }}"
        mode: "0600"
    - ansible.builtin.set_stats:
        data: {said: "{{ text }}", n: 3}
"""

FAIL = """
- hosts: all
  gather_facts: false
  tasks:
    - name: ignored
      ansible.builtin.fail: {msg: not this}
      ignore_errors: true
    - name: look at it
      ansible.builtin.fail: {msg: "no space left on {{ inventory_hostname }}"}
      when: inventory_hostname == "web02"
"""

WAIT = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: begun}
    - ansible.builtin.command: "sh -c 'until [ -e {{ folder }}/go ]; do sleep 0.05; done'"
"""


class Site:
    """A revision with an inventory, and a controller."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.tmp_path = tmp_path
        self.revision = tmp_path / "revision"
        (self.revision / "playbooks").mkdir(parents=True)
        (self.revision / "inventory").write_text(INVENTORY)
        for name, text in {"write.yml": WRITE, "fail.yml": FAIL, "wait.yml": WAIT}.items():
            (self.revision / "playbooks" / name).write_text(text)
        self.heard: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.controller = self.make()

    def make(self, **given: Any) -> ansible.Ansible:
        options = ansible.AnsibleOptions.model_validate(given)
        context = plugins.ControllerContext("site", self.resolve, print, self.revision)
        return ansible.Ansible(options, context)

    def resolve(self, reference: plugins.SecretRef) -> model.Secret:
        return model.Secret(reference.secret, "v4ult-pass")

    def job(self, subject: str, kind: Any = "playbook", hosts: tuple[str, ...] = ("web01",), **given: Any) -> model.Job:
        targets = tuple(model.Target("host", f"{name}.example.org", name) for name in hosts)
        job = model.Job(
            token="r-1-1", run_id="r-1", action="a", kind=kind, subject=subject, parameters={}, targets=targets,
            deadline_s=120.0, revision_dir=str(self.revision), work_dir=str(self.tmp_path / "work" / "r-1-1"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, subject: str, *args: Any, **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(subject, *args, **given), self.hear)

    def again(self, number: int) -> dict[str, str]:
        """What makes a job another attempt."""
        token = f"r-1-{number}"
        return {"token": token, "work_dir": str(self.tmp_path / "work" / token)}

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    def writes(self, text: str) -> dict[str, Any]:
        return {"text": text, "nested": {"a": [text]}, "folder": str(self.tmp_path)}


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


INJECTION = "{{ lookup('pipe', 'id') }}"


async def test_templates_in_parameters_stay_text(site: Site) -> None:
    """With a real playbook: nested ones too, in variables, results and files."""
    outcome = await site.run("write.yml", parameters=site.writes(INJECTION))
    assert outcome.state == "succeeded", outcome
    assert (site.tmp_path / "web01").read_text() == f"{INJECTION}|{INJECTION}"
    assert not (site.tmp_path / "web02").exists(), "only the target"
    assert outcome.result["data"] == {"said": INJECTION, "n": 3}
    assert outcome.result["stats"]["web01"]["changed"] == 1
    assert outcome.per_target == {"host:web01.example.org": "succeeded"}
    assert outcome.summary == "1 host, 1 changed"
    assert b"TASK [write it]" in site.heard["stdout"]
    assert b"\x1b" not in site.heard["stdout"] + site.heard["stderr"]


HOSTILE = ["\x85\u2028 x", "a\nb: !!python/x", "\N{PILE OF POO}\\\"'", "- !vault |", "{% raw %}", "@/etc/passwd", "no"]


async def test_hostile_text_arrives_as_it_is(site: Site) -> None:
    text = "".join(HOSTILE)
    outcome = await site.run("write.yml", parameters=site.writes(text))
    assert outcome.state == "succeeded", outcome
    assert (site.tmp_path / "web01").read_bytes().decode() == f"{text}|{text}"
    assert outcome.result["data"]["said"] == text


LOOKS_LIKE = [
    "007",
    "1.10",
    "0x10",
    "yes",
    "True",
    "null",
    "~",
    "",
    "2024-01-01",
    "12:30:45",
    "1e3",
    "{{ 1 }}",
    "0o17",
    ".inf",
    "[]",
]


async def test_a_text_stays_one_whatever_it_looks_like(site: Site) -> None:
    play = "- hosts: web01\n  gather_facts: false\n  tasks:\n    - ansible.builtin.set_stats: {data: {types: \"{{ given | map('type_debug') | unique | list }}\", back: '{{ given }}'}}\n"
    (site.revision / "playbooks" / "types.yml").write_text(play)
    outcome = await site.run("types.yml", parameters={"given": LOOKS_LIKE, "deep": {"k" * 1500: "long"}})
    assert outcome.state == "succeeded", outcome
    assert outcome.result["data"]["back"] == LOOKS_LIKE
    assert len(outcome.result["data"]["types"]) == 1
    path = site.tmp_path / "mode"
    made = await site.run(
        "ansible.builtin.copy",
        "module",
        parameters={"dest": str(path), "content": "007", "mode": "644"},
        **site.again(2),
    )
    assert made.state == "succeeded", made
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("007", 0o644)


async def test_upstreams_actions_succeed_when_ansible_says_so(site: Site) -> None:
    (site.revision / "playbooks" / "elsewhere.yml").write_text(
        "- {hosts: localhost, gather_facts: false, tasks: [ansible.builtin.meta: noop]}\n"
    )
    ours = await site.run("elsewhere.yml")
    theirs = await site.run("elsewhere.yml", extra={"ansible_eda": {}}, **site.again(2))
    assert (ours.state, theirs.state) == ("failed", "succeeded")
    assert (
        await site.run("fail.yml", hosts=("web01", "web02"), extra={"ansible_eda": {}}, **site.again(3))
    ).state == "failed"


async def test_module_gets_its_arguments_as_text(site: Site) -> None:
    argv = ["/bin/echo", INJECTION, "a b", "$(id)", "$HOME", "~root"]
    for number, module in enumerate(("command", "ansible.builtin.command", "ansible.legacy.command"), 1):
        outcome = await site.run(module, "module", parameters={"argv": argv}, **site.again(number))
        assert outcome.state == "succeeded", outcome
        assert outcome.result["returned"]["web01"]["stdout"] == f"{INJECTION} a b $(id) $HOME ~root"
    asked = {"argv": ["/bin/echo", "$HOME"], "expand_argument_vars": True}
    outcome = await site.run("command", "module", parameters=asked, **site.again(9))
    assert outcome.result["returned"]["web01"]["stdout"].startswith("/")


async def test_free_form_is_no_place_for_options(site: Site) -> None:
    outcome = await site.run("command", "module", parameters={"_raw_params": "echo a creates=/"})
    assert outcome.result["returned"]["web01"]["stdout"] == "a creates=/"


async def test_failure_names_host_task_and_message(site: Site) -> None:
    outcome = await site.run("fail.yml", hosts=("web01", "web02"))
    assert (outcome.state, outcome.exit_code) == ("failed", 2)
    assert outcome.summary == "web02: look at it: no space left on web02"
    assert outcome.per_target == {"host:web01.example.org": "succeeded", "host:web02.example.org": "failed"}


async def test_dry_run_changes_nothing(site: Site) -> None:
    outcome = await site.run("write.yml", parameters=site.writes("x"), dry_run=True)
    assert outcome.state == "succeeded", outcome
    assert outcome.result["stats"]["web01"]["changed"] == 1
    assert not (site.tmp_path / "web01").exists()
    assert b"+x|x" in site.heard["stdout"]


async def test_plan_shows_hosts_and_difference(site: Site) -> None:
    job = site.job("write.yml", hosts=("web01", "web02"), parameters=site.writes("s3cret-by-name"))
    plan = await site.controller.plan(job)
    assert plan.targets == ("web01", "web02")
    assert "--limit web01,web02" in plan.steps[0]
    assert plan.exact
    assert "+s3cret-by-name" in plan.diff
    assert "\x1b" not in plan.diff
    assert not (site.tmp_path / "web01").exists()
    assert list((site.tmp_path / "work").iterdir()) == []


async def test_playbook_that_matches_nobody_has_not_succeeded(site: Site) -> None:
    (site.revision / "playbooks/other.yml").write_text("- hosts: localhost\n  tasks: []\n")
    outcome = await site.run("other.yml")
    assert outcome.state == "failed"
    assert "matched no host" in outcome.summary


async def test_without_target_only_localhost_is_there(site: Site) -> None:
    (site.revision / "playbooks/here.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n  - debug: {msg: '{{ groups.all }}'}\n"
    )
    assert (await site.run("here.yml", hosts=())).state == "succeeded"
    outcome = await site.run("write.yml", hosts=(), work_dir=str(site.tmp_path / "work/2"))
    assert outcome.state == "failed"
    assert "without a target" in outcome.summary


async def test_limit_and_variables_of_upstream_actions(site: Site) -> None:
    extra = {"limit": "web0*:!web01", "extra_vars": site.writes("u"), "verbosity": 1, "json_mode": False}
    outcome = await site.run("playbooks/write.yml", hosts=(), extra=extra)
    assert outcome.state == "succeeded", outcome
    assert sorted(outcome.result["stats"]) == ["web02"]


async def test_settings_of_this_machine_do_not_reach_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_CHECK_MODE_MARKERS", "x")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "json")
    monkeypatch.setenv("ANSIBLE_CALLBACK_PLUGINS", "/no/such")
    monkeypatch.setenv("OF_THE_DAEMON", "x")
    (site.tmp_path / "work").mkdir()
    job = site.job("write.yml", parameters=site.writes("x"), work_dir=str(site.tmp_path / "work"))
    env = site.controller.prepare(job, site.tmp_path / "work").env
    assert not {"OF_THE_DAEMON", "ANSIBLE_CHECK_MODE_MARKERS", "ORIGINAL_STDOUT_CALLBACK"} & set(env)
    assert "ANSIBLE_HOST_KEY_CHECKING" not in env, "Ansible's default is to check"
    assert env["ANSIBLE_STDOUT_CALLBACK"] == "awx_display"
    assert "/no/such" not in env["ANSIBLE_CALLBACK_PLUGINS"]
    assert env["ANSIBLE_CONFIG"] == str(site.tmp_path / "work" / "ansible.cfg")
    assert env["HEALER_TOKEN"] == "r-1-1"


async def test_secrets_are_gone_at_the_end(site: Site) -> None:
    vault = site.make(vault_password={"secret": "env:VAULT"})
    task = "ansible.builtin.copy: {content: '{{ token }}', dest: '{{ folder }}/o', mode: '0600'}"
    show = f"- hosts: all\n  gather_facts: false\n  tasks:\n  - {task}\n    no_log: true\n"
    (site.revision / "playbooks/use.yml").write_text(show)
    parameters = {"token": model.Secret("env:T", "pl4nted-s3cret"), "folder": str(site.tmp_path)}
    job = site.job("use.yml", parameters=parameters)
    outcome = await vault.run(job, site.hear)
    assert outcome.state == "succeeded", outcome
    assert (site.tmp_path / "o").read_text() == "pl4nted-s3cret"
    left = [path for path in pathlib.Path(job.work_dir).rglob("*") if path.is_file()]
    assert [path for path in left if b"pl4nted" in path.read_bytes() or b"v4ult" in path.read_bytes()] == []
    assert b"pl4nted" not in b"".join(site.heard.values())


async def test_vault_is_opened(site: Site) -> None:
    (site.tmp_path / "pass").write_text("v4ult-pass")
    made = subprocess.run(
        [_ansible_command.executable("ansible-vault"), "encrypt_string", "--vault-password-file", site.tmp_path / "pass", "opened"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (site.revision / "playbooks" / "group_vars").mkdir()
    (site.revision / "playbooks" / "group_vars" / "web.yml").write_text(f"hidden: {made.stdout}")
    (site.revision / "playbooks/v.yml").write_text(
        "- hosts: web\n  gather_facts: false\n  tasks:\n  - set_stats: {data: {a: '{{ hidden }}'}}\n"
    )
    outcome = await site.make(vault_password={"secret": "env:VAULT"}).run(site.job("v.yml"), site.hear)
    assert outcome.result["data"] == {"a": "opened"}, outcome


NO_NAMES = [
    "-oProxyCommand=id",
    "@/etc/passwd",
    "!web01",
    "&web",
    "~web.*",
    "web*",
    "web[01]",
    "a,b",
    "a:b",
    "all",
    "",
    "a b",
]


@pytest.mark.parametrize("name", [*NO_NAMES, "{{ x }}", "ungrouped"])
async def test_only_plain_names_get_into_the_limit(site: Site, name: str) -> None:
    outcome = await site.run("write.yml", hosts=(), targets=(model.Target("host", name),))
    assert outcome.state == "failed"
    assert "cannot be the name of one host" in outcome.summary
    assert not (pathlib.Path(site.tmp_path) / "work/r-1-1/started").exists()


@pytest.mark.parametrize("subject", ["../x.yml", "/etc/passwd", "missing.yml", "playbooks"])
async def test_playbooks_lie_in_their_folder(site: Site, subject: str) -> None:
    (site.tmp_path / "x.yml").write_text(WRITE)
    assert (await site.run(subject)).state == "failed"


async def test_playbook_outlives_the_daemon(site: Site, wait_for_async: WaitAsync) -> None:
    """kill -9 in the middle of a playbook: the next daemon finds it and it ends succeeded, not unknown."""
    daemon_program = """
import asyncio, pathlib, pickle, sys
from healer import plugins
from healer.controllers import _ansible_command, ansible
job = pickle.load(sys.stdin.buffer)
controller = ansible.Ansible(ansible.AnsibleOptions(), plugins.ControllerContext("site", None, None))
asyncio.run(controller.run(job, lambda stream, piece: None))
"""
    job = site.job("wait.yml", parameters={"folder": str(site.tmp_path)})
    daemon = subprocess.Popen([sys.executable, "-c", daemon_program], stdin=subprocess.PIPE, start_new_session=True)
    assert daemon.stdin
    with daemon.stdin:
        daemon.stdin.write(pickle.dumps(job))
    stdout = pathlib.Path(job.work_dir) / "stdout"
    await wait_for_async(lambda: stdout.exists() and b"begun" in stdout.read_bytes(), timeout_s=60)
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait(60)
    assert (await site.controller.find(job)).state == "running"
    following = asyncio.ensure_future(site.controller.follow(job, site.hear))
    (site.tmp_path / "go").touch()
    outcome = await following
    assert outcome.state == "succeeded", outcome
    assert outcome.result["stats"]["web01"]["ok"] == 2
    assert await site.controller.find(job) == model.Found("ended", outcome)


async def test_deadline_ends_the_workers_too(site: Site, wait_for_async: WaitAsync) -> None:
    outcome = await site.run("wait.yml", parameters={"folder": str(site.tmp_path)}, deadline_s=4.0)
    assert outcome.state == "timed_out"
    assert outcome.per_target == {"host:web01.example.org": "timed_out"}
    marker = str(site.tmp_path / "go").encode()
    assert processes.with_words(marker) == []


async def test_check(site: Site) -> None:
    health = await site.controller.check()
    assert health.ok, health
    assert health.detail.startswith("ansible-playbook [core")


async def test_check_of_an_inventory_that_cannot_be_read(site: Site) -> None:
    (site.revision / "inventory").write_text("[web\nx")
    assert not (await site.controller.check()).ok
    assert "no inventory" in (await site.make(inventory="nowhere").check()).detail


async def test_missing_packages_are_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ansible_runner", None)
    outcome = await site.run("write.yml", parameters=site.writes("x"))
    assert outcome.state == "failed"
    assert "pip install 'auto-healer[ansible]'" in outcome.summary
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(errors.MissingExtra):
        _ansible_command.executable("ansible-playbook")


def test_another_machine_is_named_with_its_controller() -> None:
    with pytest.raises(pydantic.ValidationError, match="run_on"):
        ansible.AnsibleOptions(run_on="bastion")
