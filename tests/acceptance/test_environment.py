"""A secret in the daemon's environment reaches no child of it, whatever kind: a script, a playbook, a source; only what is named does."""

from __future__ import annotations

import json
import pathlib
import stat
from collections.abc import Callable
from typing import Any

CANARY = "c4nary-in-the-environment"
LOOK = """\
#!/bin/sh
{ env; cat /proc/self/environ | tr '\\0' '\\n'; echo "umask $(umask)"; echo "core $(ulimit -Hc)"; } > '%s'
"""
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: look
      ansible.builtin.shell: "sh scripts/look.sh"
      args: {chdir: "{{ playbook_dir }}/.."}
      environment: {OUT: x}
    - name: what Ansible itself has
      ansible.builtin.copy:
        content: "{{ lookup('ansible.builtin.pipe', 'env') }}"
        dest: "%s"
        mode: "0600"
"""
SOURCE = """\
import asyncio, os, resource

async def main(queue, args):
    mask = os.umask(0o077)
    await queue.put({"seen": dict(os.environ), "umask": mask, "core": resource.getrlimit(resource.RLIMIT_CORE)[1]})
    await asyncio.Event().wait()
"""
RULES = """\
- name: rs
  hosts: all
  sources:
    - healer.api: {}
    - env_seen: {}
  rules:
    - {name: script, condition: event.go == "script", action: {run_action: {name: look, target: h1}}}
    - {name: play, condition: event.go == "play", action: {run_action: {name: play, target: h1}}}
    - {name: seen, condition: event.seen is defined, action: {debug: {}}}
"""


def test_what_is_not_named_reaches_no_child(daemon: Any, wait_for: Callable[..., None]) -> None:
    outs = {name: daemon.base / name for name in ("script", "play")}
    daemon.write("healer.yaml", (
        "environment: test\nmode: active\n"
        "activations: [{name: act, rulebook: rulebooks/look.yml, env: {NAMED: {secret: 'env:NAMED_SECRET'}, PLAIN: text}}]\n"
    ))  # fmt: skip
    (daemon.project / "rulebooks/healing.yml").unlink()
    daemon.write("rulebooks/look.yml", RULES)
    daemon.write("sources/env_seen.py", SOURCE)
    daemon.write("scripts/look.sh", LOOK % outs["script"]).chmod(0o755)
    daemon.write("playbooks/play.yml", PLAYBOOK % outs["play"])
    daemon.write(
        "controllers.yaml",
        "controllers:\n  here: {type: local, inventory: inventory/}\n  site: {type: ansible, inventory: inventory/}\ndefault: here\n",
    )
    daemon.write(
        "inventory/hosts.yml",
        "all:\n  hosts:\n    h1: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}\n",
    )
    daemon.write("actions.yaml", (
        "actions:\n  look: {script: look.sh, impact: low}\n  play: {playbook: play.yml, controller: site, impact: low}\n"
    ))  # fmt: skip
    daemon.variables |= {
        "AM_TOKEN": CANARY, "AWS_SECRET_ACCESS_KEY": CANARY, "HEALER_ADMIN_TOKEN_X": CANARY, "LD_X": CANARY, "PYTHONX": CANARY,
        "ANSIBLE_X": CANARY, "NAMED_SECRET": "the-named-one",
    }  # fmt: skip
    seen_by_all(daemon, wait_for, outs)


def seen_by_all(daemon: Any, wait_for: Callable[..., None], outs: dict[str, pathlib.Path]) -> None:
    daemon.data.mkdir(mode=0o755)
    daemon.data.chmod(0o755)
    daemon.start()
    daemon.ready()
    assert stat.S_IMODE(daemon.data.stat().st_mode) == 0o700
    assert "warning[private]" in daemon.said()
    assert daemon.process is not None
    limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]

    for count, go in enumerate(("script", "play"), 1):
        daemon.event({"go": go})
        wait_for(lambda n=count: len(daemon.states()) == n and not {"queued", "running"} & {*daemon.states()}, 120, go)
        assert set(daemon.states()) == {"succeeded"}, daemon.runs()
        text = outs[go].read_text()
        assert "HOME=" in text
        assert CANARY not in text
        assert "NAMED=the-named-one" in text
        assert "PLAIN=text" in text
        assert "NAMED_SECRET" not in text
    assert {"umask 0077", "core 0"} <= {*outs["script"].read_text().splitlines()}

    wait_for(lambda: daemon.rows("SELECT 1 FROM journal WHERE source LIKE '%env_seen'"), what="the source's event")
    [[body]] = daemon.rows("SELECT body FROM journal WHERE source LIKE '%env_seen' LIMIT 1")
    seen = json.loads(body)
    assert (seen["umask"], seen["core"]) == (0o077, 0)
    assert CANARY not in str(seen)
    assert {"NAMED": "the-named-one", "PLAIN": "text"}.items() <= seen["seen"].items()
    assert "NAMED_SECRET" not in seen["seen"]
    allowed = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "NAMED", "PLAIN"}
    assert set(seen["seen"]) <= allowed
    assert daemon.stop() == 0  # it takes away what it does not need any more
    for path in [daemon.data, *daemon.data.rglob("*")]:
        if not path.is_symlink() and "revisions" not in path.parts:
            assert not path.stat().st_mode & 0o077, path
    assert CANARY.encode() not in b"".join(
        path.read_bytes() for path in daemon.data.rglob("*") if path.is_file() and not path.is_symlink()
    )
