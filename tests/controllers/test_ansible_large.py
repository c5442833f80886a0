"""`ansible`: reports that are too large, and what controllers do not share."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

from healer import model, plugins
from healer.controllers import ansible

INVENTORY = f"""
[web]
web01
web02
[web:vars]
ansible_connection=local
ansible_python_interpreter={sys.executable}
"""
HUGE = """\
- hosts: all
  gather_facts: false
  tasks:
  - set_stats: {data: {big: "{{ 'z' * 5000000 }}"}}
  - fail: {msg: not here}
    when: inventory_hostname == 'web02'
"""


def made(folder: pathlib.Path, name: str = "site") -> ansible.Ansible:
    (folder / "playbooks").mkdir(exist_ok=True)
    (folder / "inventory").write_text(INVENTORY)
    (folder / "playbooks/huge.yml").write_text(HUGE)
    context = plugins.ControllerContext(name, lambda _: model.Secret("", ""), print, folder)
    return ansible.Ansible(ansible.AnsibleOptions(), context)


def job(folder: pathlib.Path, token: str, *names: str) -> model.Job:
    targets = tuple(model.Target("host", name, name) for name in names)
    return model.Job(
        token=token, run_id="r-1", action="a", kind="playbook", subject="huge.yml", parameters={}, targets=targets,
        deadline_s=120.0, revision_dir=str(folder), work_dir=str(folder / "work" / token),
    )  # fmt: skip


def nobody(*_: Any) -> None:
    """Output that is not looked at."""


async def test_data_that_is_too_large_takes_no_counts_with_it(tmp_path: pathlib.Path) -> None:
    site = made(tmp_path)
    outcome = await site.run(job(tmp_path, "r-1-1", "web01", "web02"), nobody)
    assert (outcome.state, outcome.summary) == ("failed", "web02: fail: not here")
    assert outcome.per_target == {"host:web01": "succeeded", "host:web02": "failed"}
    assert (outcome.result["stats"]["web01"]["ok"], outcome.result["data"]) == (1, None)
    other = await site.run(job(tmp_path, "r-1-2", "web01", "gone"), nobody)
    assert (other.state, other.per_target["host:gone"]) == ("failed", "failed")


def test_controllers_share_no_connections_of_ssh(tmp_path: pathlib.Path) -> None:
    def where(controller: ansible.Ansible) -> str:
        folder = tmp_path / f"job-{len(list(tmp_path.glob('job-*')))}"
        folder.mkdir()
        found: str = controller.commands.here(job(tmp_path, "r-1-1", "web01"), folder).env[
            "ANSIBLE_SSH_CONTROL_PATH_DIR"
        ]
        return found

    assert where(made(tmp_path)) == where(made(tmp_path))
    assert where(made(tmp_path)) != where(made(tmp_path, "other"))
    assert len(where(made(tmp_path))) < 60
