"""`ansible` lists the hosts of an inventory by a real ansible-inventory: as playbooks see them, bounded, with nothing of the daemon's."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from healer import errors, inventory, model, plugins
from healer.controllers import _ansible_command, _playbook, _shimmed, ansible
from tests import processes

SCRIPT = "#!/bin/sh\n"
LIST = """cat <<'LIST'
{"_meta": {"hostvars": {}}, "web": {"hosts": ["dyn01"]}}
LIST
"""


class Site:
    """A project with an inventory of a file and a program, and a controller."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.root = tmp_path / "project"
        self.folder = tmp_path / "work" / "plan-hosts-1"
        self.write("inventory/hosts.yml", "all: {hosts: {db01: }}\n")
        self.script(LIST)
        self.controller = self.make()

    def make(self, **given: Any) -> ansible.Ansible:
        options = ansible.AnsibleOptions.model_validate(given)
        context = plugins.ControllerContext(
            "site", lambda one: model.Secret(one.secret, "v4ult-pass"), print, self.root
        )
        return ansible.Ansible(options, context)

    def write(self, name: str, text: str) -> pathlib.Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def script(self, text: str) -> None:
        self.write("inventory/dyn.sh", SCRIPT + text).chmod(0o755)

    async def listed(self) -> dict[str, Any]:
        path = await self.controller.list_hosts("inventory", self.folder)
        assert path.is_relative_to(self.folder)
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


async def test_a_program_and_a_file_together(site: Site) -> None:
    found = await site.listed()
    assert found["web"]["hosts"] == ["dyn01"]
    assert found["ungrouped"]["hosts"] == ["db01"]


async def test_it_sees_what_playbooks_see(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's settings, variables beside its playbooks, its vault; not the daemon's environment."""
    monkeypatch.setenv("HEALER_SECRET", "x")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", "/nonexistent/elsewhere")
    site.write("ansible.cfg", "[defaults]\ninventory_unparsed_failed = no\n")
    site.write("playbooks/group_vars/web.yml", "ansible_user: heal\n")
    plain = site.write("inventory/group_vars/web.yml", "ansible_port: 2222\n")
    password = site.write("password", "v4ult-pass")
    vault = pathlib.Path(sys.executable).with_name("ansible-vault")
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"LC_ALL": "C.UTF-8"}
    subprocess.run(
        [vault, "encrypt", "--vault-password-file", password, plain], check=True, env=bare, capture_output=True
    )
    site.script('env > "$PWD/../seen"; pwd >> "$PWD/../seen"\n' + LIST)
    site.controller = site.make(vault_password={"secret": "env:V"})
    found = await site.listed()
    assert found["_meta"]["hostvars"]["dyn01"] == {"ansible_user": "heal", "ansible_port": 2222}
    seen = (site.root.parent / "seen").read_text()
    assert "HEALER_SECRET" not in seen
    assert f"ANSIBLE_CONFIG={site.root}/ansible.cfg" in seen.splitlines()
    assert "v4ult-pass" not in seen
    kept = [one for one in site.folder.rglob("*") if one.is_file() and b"v4ult-pass" in one.read_bytes()]
    assert kept == [], "the password is gone when it is over"


@pytest.mark.parametrize(("script", "why"), [
    ("echo no cloud >&2; exit 3\n", "ansible-inventory: exit 1: Failed to parse inventory with 'script' plugin: Inventory script returned non-zero"),
    ("echo no\n", "ansible-inventory: exit 1: Failed to parse inventory with 'script' plugin: Unable to get JSON"),
])  # fmt: skip
async def test_a_program_that_fails_fails_all_of_it(site: Site, script: str, why: str) -> None:
    """Else the hosts of the others would be taken for all there are."""
    site.script(script)
    with pytest.raises(errors.HealerError) as failed:
        await site.listed()
    assert failed.value.message.startswith(why)


async def test_the_last_that_it_said_is_told_with_it(site: Site) -> None:
    """Whole, as far as a line goes: what is secret of it is masked before it is cut."""
    line = "no\tcloud: " + "x" * 2000
    site.script(f"printf 'first\\n\\nbut: {line}\\033[2J\\n\\n' >&2; exit 3\n")
    with pytest.raises(errors.HealerError) as failed:
        await site.listed()
    assert failed.value.message.endswith(f"non-zero exit code 3. It said: but: {line}\\x1b[2J".replace("\t", " "))
    site.script("seq -f 'line %.0f' 1000000 >&2; exit 3\n")
    site.folder = site.folder.with_name("plan-hosts-2")
    with pytest.raises(errors.HealerError) as failed:
        await site.listed()
    assert len(failed.value.message) < 5000


async def test_one_that_hangs_or_floods_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ansible_command, "LISTING_S", 8.0)
    site.script('echo $$ > "$PWD/../pid"; exec sleep 600\n')
    with pytest.raises(errors.HealerError) as failed:
        await site.listed()
    assert failed.value.message == "ansible-inventory took longer than 8 s"
    pid = int((site.root.parent / "pid").read_text())
    assert not processes.runs(pid)
    monkeypatch.setattr(_ansible_command, "LISTING_S", 60.0)
    monkeypatch.setattr(_ansible_command, "LISTING_BYTES", 100_000)
    site.folder = site.folder.with_name("plan-hosts-2")
    site.script(
        """printf '{"_meta": {"hostvars": {}}, "web": {"hosts": ["a"'; seq -f ', "h%.0f"' 20000; echo ']}}'\n"""
    )
    with pytest.raises(errors.HealerError) as failed:
        await site.listed()
    assert failed.value.message == "ansible-inventory printed more than 0 MiB"
    assert (site.folder / "stdout").stat().st_size <= 100_000


async def test_cancelled_it_leaves_nothing_at_work(site: Site, wait_for_async: Callable[..., Any]) -> None:
    site.script('echo $$ > "$PWD/../pid"; exec sleep 600\n')
    asking = asyncio.create_task(site.listed())
    pid = site.root.parent / "pid"
    await wait_for_async(lambda: pid.exists() and pid.read_text().strip())
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not processes.runs(int(pid.read_text()))


async def test_it_is_refused_where_there_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.HealerError, match="the revision has no inventory"):
        await site.controller.list_hosts("../elsewhere", site.folder)

    def missing(name: str) -> str:
        raise errors.MissingExtra(what="the controller ansible", package=name)

    monkeypatch.setattr(_ansible_command, "executable", missing)
    with pytest.raises(errors.MissingExtra):
        await site.controller.list_hosts("inventory", site.folder.with_name("other"))


async def test_a_killed_program_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site.controller.commands.listing

    def instead(*given: Any) -> Any:
        return dataclasses.replace(made(*given), argv=["/bin/sh", "-c", "kill -9 $$"])

    monkeypatch.setattr(site.controller.commands, "listing", instead)
    with pytest.raises(errors.HealerError, match="killed by signal 9"):
        await site.listed()


async def test_the_check_reads_it_as_playbooks_do(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the project's own configuration, and with nothing of this machine's."""
    home = site.root.parent / "home"
    home.mkdir()
    (home / ".ansible.cfg").write_text("[defaults\n")
    monkeypatch.setenv("HOME", str(home))
    site.write("inventory/own.yml", "plugin: own\n")
    assert "the inventory cannot be read: " in (await site.controller.check()).detail
    site.write("ansible.cfg", "[defaults]\ninventory_plugins = of\n[inventory]\nenable_plugins = own, script, yaml\n")
    site.write(
        "of/own.py",
        "from ansible.plugins.inventory import BaseInventoryPlugin\nDOCUMENTATION = 'name: own\\noptions: {plugin: {}}'\n"
        "class InventoryModule(BaseInventoryPlugin):\n    NAME = 'own'\n"
        "    def verify_file(self, path):\n        return path.endswith('own.yml')\n"
        "    def parse(self, inventory, loader, path, cache=True):\n        inventory.add_host('own01')\n",
    )
    health = await site.controller.check()
    assert health.ok, health
    assert health.detail.endswith(", inventory inventory")


async def test_the_check_says_which_secret_is_not_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(one: Any) -> Any:
        raise errors.SecretUnavailable("set it", reference=one.secret, reason="the variable is not set")

    controller = site.make(vault_password={"secret": "env:VAULT"})
    monkeypatch.setattr(controller.commands, "_resolve", missing)
    health = await controller.check()
    assert not health.ok
    assert "the secret env:VAULT cannot be read: the variable is not set; set it" in health.detail


async def test_a_check_that_is_cut_off_leaves_nothing_at_work(
    site: Site, monkeypatch: pytest.MonkeyPatch, wait_for_async: Callable[..., Any]
) -> None:
    pid = site.root.parent / "pid"
    program = site.write("../slow", f"#!/bin/sh\necho $$ > '{pid}'; exec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(_ansible_command, "executable", lambda _name: str(program))
    asking = asyncio.create_task(site.controller.check())
    await wait_for_async(lambda: pid.exists() and pid.read_text().strip())
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not processes.runs(int(pid.read_text()))


NAMES = strategies.text(min_size=1, max_size=8) | strategies.text("ab1.:-@!&~*?,[]{}'\"\\%= ", min_size=1, max_size=6)


@hypothesis.given(NAMES | strategies.ip_addresses().map(str) | strategies.integers(254, 258).map("x".__mul__))
def test_what_is_listed_can_be_given_to_limit(name: str) -> None:
    """A name that could not be would be a run's end, and is told beforehand."""
    listed = json.dumps({"web": {"hosts": [name, "sound"]}}).encode()
    hypothesis.assume(name not in ("all", "sound"))
    made, _ = inventory.read_found(listed, {})
    try:
        _playbook.host_name(name)
    except _shimmed.RefusedJob:
        assert name not in made.hosts
    assert all(_playbook.host_name(one) for one in made.hosts)
