"""`run_on` and what else names a machine as CONTROLLER:HOST: what it means, and each mistake where it stands."""

from __future__ import annotations

import types
from typing import Any

import pytest

from healer import inventory, model, project
from healer.project import machines

BARE = {"rulebooks/team/web.yml": None, "actions.yaml": None, "scripts/clean.meta.yml": None}
HOSTS = (
    "all: {hosts: {bastion-berlin: {ansible_host: 192.0.2.9, ansible_port: 2222, ansible_user: ops}, bastion-bonn: }}\n"
)


def text(run_on: str, *more: str) -> str:
    listed = ["here: {type: local}", f'berlin: {{type: ansible, inventory: hosts/, run_on: "{run_on}"}}', *more]
    return "controllers:\n" + "".join(f"  {one}\n" for one in listed) + "default: here\n"


WEB = "web-ssh: {type: ssh, inventory: bastions/, user: heal}"


def load(write: Any, controllers: str, **more: Any) -> project.Loaded:
    files = {
        "hosts/hosts.yml": "all: {hosts: {h1: {ansible_connection: local}}}\n",
        "bastions/hosts.yml": HOSTS,
        **BARE,
        **more,
    }
    return project.load(write({**files, "controllers.yaml": controllers}), {})


def meant(write: Any, run_on: str, *more: str, **files: Any) -> tuple[str, model.Target]:
    loaded = load(write, text(run_on, *more), **files)
    assert loaded.revision is not None, loaded.diagnostics
    return loaded.revision.machine(str(loaded.revision.controllers["berlin"].options["run_on"]))


BERLIN = model.Target("host", "bastion-berlin", "bastion-berlin", "192.0.2.9", (), False, 2222, "ops")


@pytest.mark.parametrize("run_on", ["web-ssh:bastion-berlin", "ssh:bastion-berlin", "ssh:192.0.2.9"])
def test_a_host_of_the_controllers_inventory(write: Any, run_on: str) -> None:
    assert meant(write, run_on, WEB) == ("web-ssh", BERLIN)


@pytest.mark.parametrize(
    ("written", "address"),
    [("192.0.2.77", "192.0.2.77"), ("2001:db8::0:1", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1")],
)
def test_an_address_needs_no_inventory(write: Any, written: str, address: str) -> None:
    assert meant(write, f"ssh:{written}", WEB) == ("web-ssh", model.Target("host", address, "", address))


def test_a_controller_of_that_very_name_goes_first(write: Any) -> None:
    other = "ssh: {type: ssh, inventory: bastions/}"
    assert meant(write, "ssh:bastion-bonn", WEB, other)[0] == "ssh"


def test_where_hosts_are_not_known_here_any_name_will_do(write: Any) -> None:
    name, target = meant(write, "ssh:bastion.example.org", WEB, **{"bastions/more.sh": "#!/bin/sh\n"})
    assert (name, str(target), target.address) == ("web-ssh", "host:bastion.example.org", "bastion.example.org")


@pytest.mark.parametrize(("run_on", "more", "message", "try_"), [
    ("web-shh:bastion-berlin", [WEB], "run_on: no controller is named 'web-shh'", "did you mean 'web-ssh'?"),
    ("web-ssh:bastion-berlim", [WEB], "run_on: 'bastion-berlim' is no host of the inventory", "did you mean 'bastion-berlin'?"),
    ("web-ssh:all", [WEB], "run_on: 'all' stands for every host", ""),
    ("here:bastion-berlin", [WEB], "run_on: the controller 'here' is of the type local; one of the type ssh connects to machines", "one of web-ssh"),
    ("ssh:bastion-berlin", [], "run_on: no controller is of the type ssh, so nothing connects to another machine", "NAME: {type: ssh}"),
    ("ssh:x", [WEB, "b-ssh: {type: ssh, inventory: bastions/}"], "run_on: 2 controllers are of the type ssh: b-ssh, web-ssh", "b-ssh:HOST"),
])  # fmt: skip
def test_mistakes(write: Any, run_on: str, more: list[str], message: str, try_: str) -> None:
    loaded = load(write, text(run_on, *more))
    (told,) = [one for one in loaded.diagnostics if one.severity == "error"]
    assert (told.code, str(told.place), told.message) == ("unknown-machine", "controllers.yaml:3:54", message)
    assert told.try_.startswith(try_)


def test_all_at_once_and_one_mistake_once(write: Any) -> None:
    berlin = 'bonn: {type: ansible, inventory: hosts/, run_on: "web-ssh:bastion-bon"}'
    broken = "broken: {type: ssh, inventory: bastions/, prot: 22}"
    onto = 'cologne: {type: ansible, inventory: hosts/, run_on: "broken:bastion-bonn"}'
    form = "dresden: {type: ansible, inventory: hosts/, run_on: bastion-bonn}"
    loaded = load(write, text("web-ssh:bastion-berlim", WEB, berlin, broken, onto, form))
    told = [(one.code, str(one.place)) for one in loaded.diagnostics if one.severity == "error"]
    assert sorted(told) == [
        ("options", "controllers.yaml:6:45"), ("options", "controllers.yaml:8:55"), ("unknown-machine", "controllers.yaml:3:54"),
        ("unknown-machine", "controllers.yaml:5:52"),
    ]  # fmt: skip


def test_an_inventory_with_mistakes_says_nothing_of_its_hosts(write: Any) -> None:
    loaded = load(write, text("web-ssh:bastion-berlim", WEB), **{"bastions/hosts.yml": None})
    assert [one.code for one in loaded.diagnostics if one.severity == "error"] == ["no-inventory"]


def test_another_machine_is_beyond_this_one(write: Any) -> None:
    here = load(write, text("ssh:bastion-berlin", WEB).replace(', run_on: "ssh:bastion-berlin"', "")).revision
    there = load(write, text("ssh:bastion-berlin", WEB)).revision
    assert here is not None
    assert there is not None
    assert (here.beyond_local(), there.beyond_local()) == (["web-ssh"], ["berlin", "web-ssh"])


def test_a_machine_that_is_gone_is_told(write: Any) -> None:
    loaded = load(write, text("ssh:bastion-berlin", WEB))
    assert loaded.revision is not None
    with pytest.raises(machines.UnknownMachine, match="no controller is named 'gone'"):
        loaded.revision.machine("gone:x")


@pytest.mark.parametrize(
    ("word", "why"), [("b1", "'b1' may mean 2 hosts: b1.eu, b1.us"), ("b2", "'b2' is left out: ansible_port is none")]
)
def test_of_what_ansible_lists_a_name_that_is_unclear_is_none(word: str, why: str) -> None:
    """It would be connected to as it stands, though it is another host's."""
    hosts = {name: inventory.Host(name, name) for name in ("b1.eu", "b1.us")}
    out = {"b2": inventory.LeftOut("ansible_port is none")}
    known = {"web-ssh": types.SimpleNamespace(name="web-ssh", type="ssh", inventory="bastions")}
    listed = {"bastions": inventory.Inventory(hosts, {}, partial=True, dynamic=True, left_out=out)}
    assert machines.find("ssh:b3", known, listed)[1].address == "b3", "one that may come up is"  # type: ignore[arg-type]
    with pytest.raises(machines.UnknownMachine) as refused:
        machines.find(f"ssh:{word}", known, listed)  # type: ignore[arg-type]
    assert refused.value.message == why


def test_a_machine_of_a_controller_that_is_wrong_elsewhere_is_looked_for_all_the_same(write: Any) -> None:
    wrong = "web-ssh: {type: ssh, inventory: bastions/, connections: 0}"
    for machine, said in (("ssh:bastion-berlin", []), ("web-ssh:nohost", ["'nohost' is no host of the inventory"])):
        loaded = load(write, text(machine, wrong))
        found = [
            one.message for one in loaded.diagnostics if one.severity == "error" and "connections" not in one.message
        ]
        assert [one.removeprefix("run_on: ") for one in found] == said
