"""What the inventory says of a host's own port and user counts more than the controller `ssh`, with a real sshd."""

from __future__ import annotations

import getpass
import pathlib
from typing import Any

import pytest

from healer import model, project

CONTROLLERS = "controllers: {far: {type: ssh, inventory: inventory/, user: nobody-of-that-name, port: 1}}\n"


def targets(folder: pathlib.Path, inventory: str) -> list[model.Target]:
    """The hosts of a project, as events name them."""
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.yml").write_text(inventory)
    (folder / "controllers.yaml").write_text(CONTROLLERS)
    loaded = project.load(folder, {})
    assert loaded.revision is not None, loaded.diagnostics
    found = [loaded.revision.resolve_target("far", name) for name in loaded.revision.hosts("far").hosts]
    return [one for one in found if isinstance(one, model.Target)]


async def test_each_host_has_its_own_port_and_user(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    second = ssh_one.serve("second")
    ssh_one.know(ssh_one.server.known(), second.known())
    user = getpass.getuser()
    inventory = f"""\
web:
  vars: {{ansible_user: {user}, ansible_port: {ssh_one.server.port}}}
  hosts:
    web01: {{ansible_host: 127.0.0.1}}
    web02: {{ansible_host: 127.0.0.2, ansible_port: {second.port}}}
"""
    (tmp_path / "project").mkdir()
    found = targets(tmp_path / "project", inventory)
    controller = ssh_one.made(user="nobody-of-that-name", port=1)
    outcome = await controller.run(ssh_one.job(("true",), targets=tuple(found)), ssh_one.hear)
    assert outcome.state == "succeeded", outcome
    assert outcome.per_target == {"host:web01": "succeeded", "host:web02": "succeeded"}
    assert [f"Accepted publickey for {user}" in server.log.read_text() for server in (ssh_one.server, second)] == [
        True
    ] * 2
    plan = await controller.plan(ssh_one.job(("true",), targets=tuple(found)))
    assert plan.steps[1] == f"on host:web02: connect to {user}@127.0.0.2:{second.port}"


async def test_a_user_of_the_inventory_logs_in_or_nobody_does(ssh_one: Any) -> None:
    target = model.Target("host", "web01", "web01", "127.0.0.1", (), False, None, "nobody-of-that-name")
    outcome = await ssh_one.run(("true",), targets=(target,))
    assert outcome.state == "failed"
    assert "refuses the user nobody-of-that-name" in outcome.summary


@pytest.mark.parametrize(("port", "user", "told"), [
    (0, "", "the port of '127.0.0.1' is not known here; mend ansible_port in the inventory"),
    (None, "{{ who }}", "'{{ who }}' is no name of a user; mend ansible_user of '127.0.0.1' in the inventory"),
    (None, "-l", "'-l' is no name of a user"), (None, "a\nb", "is no name of a user"),
])  # fmt: skip
async def test_what_is_not_known_here_connects_nowhere(ssh_one: Any, port: int | None, user: str, told: str) -> None:
    target = model.Target("host", "web01", "web01", "127.0.0.1", (), False, port, user)
    outcome = await ssh_one.run(("true",), targets=(target,))
    assert outcome.state == "failed"
    assert told in outcome.summary
    assert not ssh_one.server.left()
    other = model.Target("host", "web02", "web02", "127.0.0.2")
    plan = await ssh_one.controller.plan(ssh_one.job(("true",), targets=(target, other)))
    assert told in plan.fails
    assert plan.steps[1].startswith("on host:web02: connect to "), "the others would be connected to"
    assert (await ssh_one.controller.plan(ssh_one.job(("true",), targets=(other,)))).fails == ""
