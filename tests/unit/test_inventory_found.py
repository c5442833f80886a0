"""What Ansible lists becomes an inventory: as files would give it, without what could never be named, whatever a program wrote."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from healer import inventory, model
from healer.inventory import found

SCRIPT = """\
#!/bin/sh
cat <<'LIST'
{"_meta": {"hostvars": {"dyn01": {"ansible_host": "10.0.0.9", "ansible_port": 2222, "secret": "s"}}},
 "web": {"hosts": ["dyn01"], "children": ["deep"], "vars": {"ansible_user": "heal"}},
 "deep": {"hosts": ["dyn02"], "vars": {"ansible_connection": "local"}}}
LIST
"""


def read(listed: Any, known: Any = None) -> tuple[inventory.Inventory, list[str]]:
    return inventory.read_found(json.dumps(listed).encode(), known or {})


def of(hosts: dict[str, Any]) -> dict[str, Any]:
    """A list of hosts with their variables."""
    return {"_meta": {"hostvars": hosts}, "all": {"children": ["ungrouped"]}, "ungrouped": {"hosts": [*hosts]}}


def one(**variables: Any) -> inventory.Host:
    made, told = read(of({"a": variables}))
    assert not told
    return made.hosts["a"]


def test_what_a_real_ansible_inventory_lists(tmp_path: pathlib.Path) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/dyn.sh").write_text(SCRIPT)
    (tmp_path / "inventory/dyn.sh").chmod(0o755)
    (tmp_path / "inventory/hosts.yml").write_text("all: {hosts: {db01: {healer_aliases: [shop]}}}\n")
    program = pathlib.Path(sys.executable).with_name("ansible-inventory")
    listed = subprocess.run(
        [program, "-i", "inventory", "--list"], capture_output=True, check=True, cwd=tmp_path
    ).stdout
    made, told = inventory.read_found(listed, {"db01": (("shop",), "")})
    assert not told
    assert made.hosts == {
        "dyn01": inventory.Host("dyn01", "10.0.0.9", 2222, ("web",), user="heal"),
        "dyn02": inventory.Host("dyn02", "dyn02", None, ("deep", "web"), "local", user="heal"),
        "db01": inventory.Host("db01", "db01", aliases=("shop",)),
    }
    assert {name: {*hosts} for name, hosts in made.groups.items()} == {
        "all": {"dyn01", "dyn02", "db01"}, "web": {"dyn01", "dyn02"}, "deep": {"dyn02"}, "ungrouped": {"db01"},
    }  # fmt: skip
    assert (made.partial, made.dynamic) == (True, True)
    assert str(made.resolve("10.0.0.9:2222")) == "host:dyn01"
    assert str(made.resolve("SHOP")) == "host:db01"


def test_what_cannot_be_known_of_a_host_is_taken_as_from_files() -> None:
    assert one(ansible_host={"__ansible_vault": "x"}) == inventory.Host(
        "a", "a", connection="unknown"
    )  # it may lead anywhere
    assert one(ansible_user={"__ansible_vault": "x"}).user == "{{ }}"
    assert one(ansible_host={"__ansible_unsafe": "10.0.0.1"}).address == "10.0.0.1"
    assert (one(ansible_port="{{ p }}").port, one(ansible_host="{{ h }}").address) == (0, "{{ h }}")
    assert one(ansible_ssh_host="10.0.0.1").connection == "unknown"
    assert one(ansible_password="x", healer_aliases=["b"]) == inventory.Host("a", "a")


def test_what_files_know_of_a_host_stays() -> None:
    """Its aliases, and a connection elsewhere that only playbooks of some folder have; no word that it is this machine."""
    known = {"a": (("x",), "ssh"), "b": ((), "local"), "gone": (("y",), "")}
    made, _ = read(of({"a": {"ansible_connection": "local"}, "b": {}}), known)
    assert made.hosts == {
        "a": inventory.Host("a", "a", connection="ssh", aliases=("x",)), "b": inventory.Host("b", "b"),
    }  # fmt: skip


@pytest.mark.parametrize("name", [
    "", "a b", "a\nb", "\x1b[2J", "\ud800", "a\u2028b", "-e", "@x", "!x", "&x", "~x", "*", "a,b", "a[1:3]", "{{ x }}", "ALL", "UNGROUPED",
    "web01:22", "x" * 513,
])  # fmt: skip
def test_a_name_that_is_more_than_a_name_is_left_out_and_told(name: str) -> None:
    made, told = read(of({name: {}, "sound": {}}))
    assert [*made.hosts] == ["sound"]
    assert len(told) == 1
    assert told[0].startswith("the host ")
    assert told[0].isprintable()
    made, told = read({name: {"hosts": ["sound"]}, "web": {"children": [name]}})
    assert name not in made.groups
    assert len(told) == 1


@pytest.mark.parametrize("name", ["d1:d2", "d1:!d2", "'q'", 'q"q', "a\\b", "x" * 256, "fe80::1%eth0"])
def test_a_host_that_limit_could_not_take_is_left_out_and_told(name: str) -> None:
    made, told = read(of({name: {}, "fe80::1": {}, "10.0.0.1": {}, "ünï-ço_de+=^.$": {}}))
    assert [*made.hosts] == ["fe80::1", "10.0.0.1", "ünï-ço_de+=^.$"]
    assert len(told) == 1
    assert told[0].endswith("is left out: --limit takes its name for more, or for less, than one host")


LEFT_OUT: dict[str, Any] = {
    "d1.eu": {"ansible_port": 99999}, "d1.us": {}, "D3": {"ansible_port": 0}, "d3": {}, "gone": {"ansible_user": "-x", "ansible_host": "10.0.0.7"},
    "d5:22": {}, "d5": {}, "also": {"ansible_host": "10.0.0.7"}, "localhost": {"ansible_port": "x"}, "d9.\x1b[2J": {}, "d9.eu": {},
}  # fmt: skip


@pytest.mark.parametrize(("text", "means"), [
    ("d3", "host:d3"), ("d1.us", "host:d1.us"), ("D1.US", "host:d1.us"), ("d5", "host:d5"), ("also", "host:also"), ("d9.eu", "host:d9.eu"),
    ("D3", "'D3' is left out: ansible_port is a port, 1 to 65535, got 0"),
    ("host:D3:22", "'D3:22' is left out: ansible_port is a port"),
    ("d1.eu", "'d1.eu' is left out: ansible_port"), ("D1.eu", "'D1.eu' is left out: ansible_port"), ("gone", "'gone' is left out: ansible_user"),
    ("d5:22", "'d5:22' is left out: its name ends like a port"), ("localhost", "'localhost' is left out: ansible_port"),
    ("d1", "'d1' may mean 2 hosts: d1.eu, d1.us"), ("10.0.0.7", "'10.0.0.7' may mean 2 hosts: also, gone"),
    ("d9", "'d9' may mean 2 hosts: "),
])  # fmt: skip
def test_what_is_left_out_still_counts_for_what_a_name_means(text: str, means: str) -> None:
    """Else one wrong variable in a list would make another host of it."""
    made, _ = read(of(LEFT_OUT))
    found = made.resolve(text)
    if isinstance(found, model.Target):
        assert str(found) == means
        return
    assert found.reason.startswith(means)
    assert found.reason.isprintable()
    assert found.step, "something in the inventory has the name, so it is no unknown one"
    assert found.candidates


def test_a_list_without_any_host_that_can_be_one_is_refused_whole() -> None:
    """One mistake in all of them is no reason to know none any more."""
    with pytest.raises(
        inventory.Unreadable,
        match="each of the 2 hosts is left out; the first, the host 'a', is left out: ansible_port",
    ):
        read(of({"a": {"ansible_port": 0}, "b": {"ansible_port": 0}}))
    assert not read({"all": {}})[0].hosts, "none at all may be true"


@pytest.mark.parametrize("listed", [{"web": {"hosts": ["all"]}}, of({"all": {}, "s1": {}})])
def test_a_host_named_all_is_refused_whole(listed: Any) -> None:
    """Ansible lists no other beside it."""
    with pytest.raises(inventory.Unreadable, match="it has a host named 'all', beside which Ansible lists no other"):
        read(listed)


@pytest.mark.parametrize("variables", [
    {"ansible_port": 70000}, {"ansible_port": "22; id"}, {"ansible_port": [22]}, {"ansible_user": "-oProxyCommand=x"}, {"ansible_user": "a b"},
    {"ansible_host": "-oProxyCommand=x"}, {"ansible_host": "a b"}, {"ansible_host": {"a": 1}}, {"ansible_host": "x" * 513},
    {"ansible_connection": ["local"]},
])  # fmt: skip
def test_a_host_with_a_variable_that_cannot_be_is_left_out_and_told(variables: dict[str, Any]) -> None:
    made, told = read(of({"a": variables, "sound": {}}))
    assert [*made.hosts] == ["sound"]
    assert next(iter(variables)) in told[0]


def test_an_address_of_two_hosts_and_a_name_of_both_kinds_mean_none() -> None:
    made, _ = read({**of({"a": {"ansible_host": "b"}, "b": {}}), "c": {"hosts": ["c"]}})
    assert isinstance(made.resolve("b"), inventory.Refusal)
    assert isinstance(made.resolve("c"), inventory.Refusal)
    assert isinstance(made.resolve("a"), model.Target)


def test_groups_in_a_circle_are_cut_and_told() -> None:
    made, told = read({"a": {"children": ["b"], "hosts": ["h"]}, "b": {"children": ["a", "b"]}})
    assert made.groups["a"] == ("h",)
    assert told == [
        "the group 'a' cannot lie in 'b': it would lie in itself",
        "the group 'b' cannot lie in 'b': it would lie in itself",
    ]


@pytest.mark.parametrize("raw", [
    b"", b"no", b"[]", b"[" * 200_000, b'{"web": []}', b'{"web": {"hosts": "a"}}', b'{"web": {"hosts": [1]}}', b'{"web": {"children": {}, "hosts": {"a": 1}}}',
    b'{"_meta": {"hostvars": []}}', b'{"_meta": {"hostvars": {"a": 1}}, "web": {"hosts": ["a"]}}', b"\xff", b'{"a": ' + b"1" * 5000 + b"}",
])  # fmt: skip
def test_what_is_no_list_is_refused_whole(raw: bytes) -> None:
    with pytest.raises(inventory.Unreadable) as refused:
        inventory.read_found(raw, {})
    assert len(str(refused.value)) < 500


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "HOSTS_MAX", 3)
    listed = {"web": {"hosts": ["a", "b", "c"]}, "db": {"hosts": ["c", "a"]}}
    assert len(read(listed)[0].hosts) == 3
    with pytest.raises(inventory.Unreadable, match="more than 3 hosts"):
        read({**listed, "x": {"hosts": ["d"]}})
    with pytest.raises(inventory.Unreadable, match="more than 3 hosts"):  # those that are left out are counted too
        read({"web": {"hosts": ["a b", "b c", "c d", "d e"]}})


def test_too_many_groups_are_refused() -> None:
    with pytest.raises(inventory.Unreadable, match="it has more than 50000 groups"):
        read({f"g{number}": {} for number in range(50_001)})


def test_of_much_that_is_left_out_the_first_is_told() -> None:
    _, told = read(of({"a": {}, **{f"a {number}": {} for number in range(50)}}))
    assert (len(told), told[-1]) == (21, "and 30 more")
