"""What a name means for a controller, and what a controller may touch."""

from __future__ import annotations

import pytest

from healer import inventory, model
from healer.controllers import ansible
from healer.project import controllers, targets


def local(**more: object) -> controllers.Controller:
    made: dict[str, object] = {"name": "here", "type": "local", "kinds": frozenset({"script", "command"})} | more
    return controllers.Controller(**made)  # type: ignore[arg-type]


def site(**more: object) -> controllers.Controller:
    return local(name="site", type="ansible", kinds=frozenset(ansible.Ansible.kinds), **more)


@pytest.mark.parametrize("text", [
    "localhost", "LOCALHOST", "127.0.0.1", "::1", "host:localhost", "box", "box.example.org", "Box.Example.Org:9100", "localhost:22",
    "[::1]:9100",
])  # fmt: skip
def test_this_machine_has_one_name_for_local(text: str) -> None:
    found = targets.resolve(local(), targets.EMPTY, "box.example.org", text)
    assert isinstance(found, model.Target)
    assert (str(found), found.local) == ("host:localhost", True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:",
        "other",
        "box2",
        "localhost:",
        "localhost:x",
        ":22",
        "localhost:22:33",
        "x localhost",
        "box.example.org.evil.org",
    ],
)
def test_what_is_not_this_machine(text: str) -> None:
    assert isinstance(targets.resolve(local(), targets.EMPTY, "box.example.org", text), inventory.Refusal)


def test_this_machine_is_no_target_of_one_that_connects_or_has_an_inventory_without_it() -> None:
    known = inventory.Inventory({"web01": inventory.Host("web01", "web01")}, {})
    ssh = local(type="ssh")
    for text in ("localhost", "localhost:9100", "127.0.0.1", "box"):
        for spec, hosts in ((ssh, targets.EMPTY), (ssh, known), (site(), known)):
            assert isinstance(targets.resolve(spec, hosts, "box", text), inventory.Refusal), (spec.type, text)
    assert targets.expand(ssh, known, "box", ["localhost"])[1] == ["localhost"]


@pytest.mark.parametrize("text", ["localhost", "LOCALHOST", "host:localhost", "localhost:22"])
@pytest.mark.parametrize("partial", [False, True])
def test_the_localhost_that_ansible_has_of_itself_is_none_beside_other_hosts(text: str, partial: bool) -> None:
    """`--limit localhost` takes nothing then, also where Ansible alone lists the hosts."""
    known = inventory.Inventory({"localhost2": inventory.Host("localhost2", "b")}, {}, partial=partial, dynamic=partial)
    found = targets.resolve(site(), known, "box", text)
    assert isinstance(found, inventory.Refusal)
    assert found.nearest == "did you mean 'localhost2'?"
    assert found.reason.endswith(
        "' is no host of the inventory, and beside other hosts Ansible takes its own localhost for none"
    )
    assert found.step == ""
    named = inventory.Inventory(
        {**known.hosts, "localhost": inventory.Host("localhost", "localhost")}, {}, partial=partial
    )
    assert str(targets.resolve(site(), named, "box", text)) == "host:localhost"
    assert isinstance(targets.resolve(local(), known, "box", text), model.Target)


def test_an_operator_may_write_it_beside_others() -> None:
    known = inventory.Inventory({"web01": inventory.Host("web01", "web01")}, {"all": ("web01",)})
    assert targets.expand(site(), known, "box", ["localhost"]) == ([], ["localhost"])
    assert targets.pattern(site(), known, "box", "localhost:!web01") == ([], ["localhost:!web01"])
    assert [one.name for one in targets.expand(site(), known, "box", ["localhost", "web01"])[0]] == [
        "localhost",
        "web01",
    ]
    assert [one.name for one in targets.expand(site(), targets.EMPTY, "box", ["localhost"])[0]] == ["localhost"]


def test_this_machine_is_none_where_a_list_has_it_and_it_is_left_out() -> None:
    out = {"localhost": inventory.LeftOut("ansible_port is none")}
    known = inventory.Inventory({}, {}, partial=True, dynamic=True, left_out=out)
    found = targets.resolve(site(), known, "box", "localhost")
    assert isinstance(found, inventory.Refusal)
    assert found.reason == "'localhost' is left out: ansible_port is none"


def test_for_others_only_localhost_needs_no_inventory() -> None:
    assert isinstance(targets.resolve(site(), targets.EMPTY, "box", "localhost"), model.Target)
    for text in ("box", "127.0.0.1", "::1"):
        assert isinstance(targets.resolve(site(), targets.EMPTY, "box", text), inventory.Refusal)


@pytest.mark.parametrize("text", ["k8s:a/b/c/d", "url:https://x.example/", "aap:a/b"])
def test_a_kind_of_target_that_a_controller_does_not_reach_is_none(text: str) -> None:
    for spec in (local(), site()):
        found = targets.resolve(spec, targets.EMPTY, "box", text)
        assert isinstance(found, inventory.Refusal)
        assert spec.name in found.reason
    found = targets.resolve(local(target_kinds=frozenset({text.partition(":")[0]})), targets.EMPTY, "box", text)
    assert str(found) == text


def test_names_that_are_nothing_are_told() -> None:
    assert targets.expand(local(), targets.EMPTY, "box", ["localhost", "box", "nobody"])[1] == ["nobody"]
    assert [str(one) for one in targets.expand(local(), targets.EMPTY, "box", ["localhost", "box"])[0]] == [
        "host:localhost"
    ]


WEB = model.Target("host", "web01.example.org", "web01", "", ("web", "all"))


@pytest.mark.parametrize(("allowed", "free"), [
    ((), True), (("web01",), True), (("web01.example.org",), True), (("host:web01.example.org",), True), (("group:web",), True),
    (("group:db", "web02"), False), (("web",), False), (("group:web01",), False),
])  # fmt: skip
def test_the_targets_of_a_controller(allowed: tuple[str, ...], free: bool) -> None:
    found = targets.forbidden(local(targets=allowed), "x", "script", [WEB])
    assert [(one.code, one.target) for one in found] == ([] if free else [("controller_forbidden", str(WEB))])


@pytest.mark.parametrize(("kind", "action", "count"), [
    ("script", "x", 0), ("playbook", "x", 1), ("script", "y", 1), ("playbook", "y", 2), ("", "x", 0),
])  # fmt: skip
def test_the_actions_and_kinds_of_a_controller(kind: str, action: str, count: int) -> None:
    found = targets.forbidden(local(actions=("x",)), action, kind, [])
    assert [(one.code, one.target) for one in found] == [("controller_forbidden", "")] * count
    assert all(one.fields["controller"] == "here" for one in found)


def test_what_is_on_this_machine_alone() -> None:
    assert targets.is_local(local(), targets.EMPTY)
    assert not targets.is_local(site(), targets.EMPTY)


@pytest.mark.parametrize(("text", "here"), [
    ("h ansible_connection=local", True), ("h ansible_connection=local ansible_host=192.0.2.1", True), ("h", False), ("localhost", True),
    ("localhost ansible_host=127.0.0.1", True), ("localhost ansible_host=192.0.2.1", False), ("localhost:2222", False), ("localhost:22", True),
    ("localhost ansible_connection=ssh", False), ("localhost ansible_ssh_host=192.0.2.1", False), ("localhost ansible_ssh_port=23", False),
    ("localhost ansible_port='{{ x }}'", False), ("localhost ansible_connection=local ansible_ssh_host=x", True), ("a ansible_connection=local\nb", False), ("a ansible_host=127.0.0.1", False),
])  # fmt: skip
def test_an_inventory_of_this_machine_alone(text: str, here: bool) -> None:
    found, _ = inventory.parse({"hosts": text})
    assert targets.is_local(site(), found) is here
    assert not targets.is_local(site(), inventory.Inventory(found.hosts, found.groups, partial=True))
