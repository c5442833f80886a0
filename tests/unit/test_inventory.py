"""Inventories against `ansible-inventory --list`, and what a name of an event means."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from healer import inventory, model

INI = """
; a comment
lonely ansible_host=192.0.2.1   # one too
[web]
web[01:03].example.org ansible_connection=local
web[8:12:2] ansible_port=2222
[db]
db-[a:c]:5433
"quoted-host" ansible_host='10.0.0.9' unknown="a b"
[dup]
web01.example.org ansible_host=10.1.1.1
[site:children]
web
db   # comment
[site:vars]
ansible_connection=ssh
ansible_port = 22
[db:vars]
ansible_port=2200
[all:vars]
ansible_connection=paramiko
[six]
[2001:db8::1]:2022
fe80::2
[rack[1:2]]
"""
INI = INI.replace("[rack[1:2]]\n", "")

YAML = """
all:
  hosts:
    lonely: {ansible_host: 192.0.2.1}
    bare:
  vars: {ansible_port: 22}
  children:
    web:
      hosts:
        web[01:02].example.org: {healer_aliases: [shop, "shop.example.org"]}
        web7: {ansible_port: 99}
      vars: {ansible_connection: local}
    site:
      children:
        web:
        db: {hosts: {db1: {}}}
      vars: {ansible_connection: ssh, ansible_port: 23}
other:
  hosts: db1
"""

FOLDER = {
    "10-hosts.ini": "[web]\nweb1 ansible_host=10.0.0.1\n[a:children]\nweb\n",
    "20-more.yml": "web: {hosts: {web1: {ansible_host: 10.0.0.2}, web2: {}}}\nb: {hosts: {web2: {}}}\n",
    "hosts": "lonely\n[web:vars]\nansible_connection=local\n[web]\n",
    "also": "web:\n  hosts:\n    web3:\n",
    "group_vars/web.yml": "ansible_port: 1\n",
    "README.md": "[not read\n",
    "old.bak": "[not read\n",
    ".hidden": "[not read\n",
    "sub/inner.ini": "[b]\ninner-[1:2]\n",
}

DEPTH = """
[a]
h
[z]
h
[top:children]
a
z
[top:vars]
ansible_port=1
[a:vars]
ansible_connection=from_a
ansible_port=2
[z:vars]
ansible_connection=from_z
"""

TIES = """
[all:children]
a
b
[a]
h
[z]
h
[a:vars]
ansible_port=1
[z:vars]
ansible_port=2
ansible_connection=from_z
[b]
h
[b:vars]
ansible_connection=from_b
ansible_group_priority=10
[y]
low
[z-low]
low
[y:vars]
ansible_port=1
[z-low:vars]
ansible_port=2
ansible_group_priority=-3
"""

SAMPLES: dict[str, Mapping[str, str]] = {
    "ini": {"hosts.ini": INI},
    "no suffix": {"hosts": INI},
    "yaml": {"hosts.yml": YAML},
    "json": {"hosts.json": json.dumps({"web": {"hosts": {"web1": {"ansible_port": 7}}}})},
    "folder": FOLDER,
    "depth": {"x.ini": DEPTH},
    "ties": {"x.ini": TIES},
    "ties in yaml": {
        "x.yml": "all: {children: {a: {hosts: {h: }, vars: {ansible_port: 1, ansible_group_priority: '3'}}}}\nz: {hosts: {h: }, vars: {ansible_port: 2}}\n"
    },
    "words": {
        "x.ini": 'a\\ b ansible_host=\'x y\'"z"\\ w#c\nc#d ansible_port=9\ne     \tansible_port="1"1 x="ansible_port=3"\nf ansible_port=None\ng ansible_connection=true\nh ansible_connection=None1 ansible_host=1.2.3.4\n'
    },
    "letters": {"x.ini": "[g]\nx[a:z:5]y[1:2]\nn[:3]\nm[008:010]\nq[A:C]\n"},
    "empty": {"x.ini": ""},
    "late children": {"x.ini": "[p:children]\nc\n[c:children]\nd\n[d]\nh\n[c:vars]\nansible_port=3\n"},
    "empty yaml groups": {"x.yml": "all:\n  children:\n    a:\n    b: {hosts: }\n"},
}


def as_ansible(folder: pathlib.Path, files: Mapping[str, str]) -> dict[str, Any]:
    """What ansible-inventory makes of the files."""
    root = folder / "inventory"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    path = root / next(iter(files)) if len(files) == 1 else root
    made = subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-inventory", "-i", path, "--list"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    listed: dict[str, Any] = json.loads(made.stdout)
    return listed


def hosts_of(listed: dict[str, Any], group: str) -> set[str]:
    """The hosts of a group with those of its children."""
    own = listed.get(group, {})
    return set(own.get("hosts", [])).union(*(hosts_of(listed, child) for child in own.get("children", [])))


@pytest.mark.parametrize("name", SAMPLES)
def test_same_as_ansible(tmp_path: pathlib.Path, name: str) -> None:
    listed = as_ansible(tmp_path, SAMPLES[name])
    read, diagnostics = inventory.parse(SAMPLES[name])
    assert [str(one) for one in diagnostics if one.severity == "error"] == []
    assert set(read.hosts) == hosts_of(listed, "all")
    for group, hosts in read.groups.items():
        assert set(hosts) == hosts_of(listed, group), group
    variables = listed["_meta"]["hostvars"]
    for host in read.hosts.values():
        theirs = variables.get(host.name, {})
        assert host.address == theirs.get("ansible_host", host.name)
        assert host.port == theirs.get("ansible_port")
        assert host.connection == theirs.get("ansible_connection", "")


MISTAKES = [
    ("x.ini", "[web\nh\n", "x.ini:1:1", "range"),
    ("x.ini", "[a b]\n", "x.ini:1:1", "a section is"),
    ("x.ini", "[web:varz]\n", "x.ini:1:1", "did you mean 'vars'?"),
    ("x.ini", "[web]\nh port\n", "x.ini:2:1", "name=value"),
    ("x.ini", "[web]\n  h 'x\n", "x.ini:2:3", "No closing quotation"),
    ("x.ini", "[web:vars]\na=1\n", "x.ini:1:1", "not defined"),
    ("x.ini", "[web:children]\nno\n", "x.ini:2:1", "'no' is not defined"),
    ("x.ini", "[a]\n[a:vars]\nnothing\n", "x.ini:3:1", "name=value"),
    ("x.ini", "[web]\nh ansible_host=a x=1 ansible_host=b\n", "x.ini:2:1", "'ansible_host' stands here twice"),
    ("x.ini", "h x=1 x=1\n", "x.ini:1:1", "'x' stands here twice"),
    ("x.ini", "h\n[all:vars]\nx = 1\ny=1\nx=2\n", "x.ini:5:1", "'x' stands here twice"),
    ("x.ini", "[a:children]\nb\n[b:children]\na\n", "x.ini:4:1", "lie in itself"),
    ("x.ini", "[a:children]\na\n", "x.ini:2:1", "lie in itself"),
    ("x.ini", "w[3:1]\n", "x.ini:1:1", "before it begins"),
    ("x.ini", "w[01:100]\n", "x.ini:1:1", "equal width"),
    ("x.ini", "w[a:9]\n", "x.ini:1:1", "single letters"),
    ("x.ini", "w[1:999999999]\n", "x.ini:1:1", "more than"),
    ("x.ini", "w[1:9999][1:9999]\n", "x.ini:1:1", "more than"),
    ("x.ini", "b\na: " + "x" * 2_000_000 + "\n", "x.ini:2:1", "more than 16384"),
    ("x.yml", "- a\n", "x.yml:1:1", "mapping of groups"),
    ("x.yml", "web: [a]\n", "x.yml:1:1", "has to be a mapping"),
    ("x.yml", "web:\n  host: {}\n", "x.yml:2:3", "did you mean 'hosts'?"),
    ("x.yml", "web:\n  hosts: [a]\n", "x.yml:2:3", "has to be a mapping"),
    ("x.yml", "web:\n  hosts:\n    a: 3\n", "x.yml:3:5", "has to be a mapping"),
    ("x.yml", "web:\n  children:\n    web:\n", "x.yml:3:5", "lie in itself"),
    ("x.yml", "web: {\n", "x.yml:2:1", "not YAML"),
]


@pytest.mark.parametrize(("file", "text", "place", "words"), MISTAKES)
def test_mistakes_stand_where_they_are(file: str, text: str, place: str, words: str) -> None:
    _, diagnostics = inventory.parse({file: text})
    assert len(diagnostics) == 1
    assert str(diagnostics[0].place) == place
    assert words in str(diagnostics[0])


@pytest.mark.parametrize("text", ["#!/usr/bin/env python3\nprint()\n", "plugin: amazon.aws.aws_ec2\nregions: [x]\n"])
def test_what_makes_an_inventory_is_named_and_not_run(text: str) -> None:
    read, diagnostics = inventory.parse({"hosts.yml": text})
    assert [(d.code, d.severity) for d in diagnostics] == [("dynamic-inventory", "hint")]
    assert not read.hosts


READ, _ = inventory.parse(
    {
        "x.ini": """
[web]
web01 ansible_host=10.0.0.1 healer_aliases="shop, Shop.Example.Org"
web02 ansible_host=2001:DB8::2 healer_aliases="['two','shared']"
web03.example.org ansible_connection=local healer_aliases=shared
a.one.org
a.two.org
b.one.org
b ansible_host=b-address
Kilo
kilo
both
templated ansible_host="{{ x }}"
192.0.2.7
same1 ansible_host=127.0.0.1
same2 ansible_host=127.0.0.1
[both]
web01
""",
    }
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("web01", "web01"),
        ("WEB01", "web01"),
        ("web01:9100", "web01"),
        ("host:web01", "web01"),
        ("host:web01:9100", "web01"),
        ("web01.", "web01"),
        ("10.0.0.1", "web01"),
        ("10.0.0.1:9100", "web01"),
        ("shop", "web01"),
        ("shop.example.org:443", "web01"),
        ("[2001:db8::2]:9100", "web02"),
        ("[2001:db8:0:0::2]", "web02"),
        ("2001:db8::2", "web02"),
        ("two", "web02"),
        ("web03", "web03.example.org"),
        ("WEB03.example.org", "web03.example.org"),
        ("b", "b"),
        ("b.one.org", "b.one.org"),
        ("b-address", "b"),
        ("Kilo", "Kilo"),
        ("kilo", "kilo"),
        ("192.0.2.7:22", "192.0.2.7"),
    ],
)
def test_names_that_mean_one_host(text: str, name: str) -> None:
    target = READ.resolve(text)
    assert isinstance(target, model.Target), target
    assert (target.kind, target.name, target.inventory_name) == ("host", name, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "may mean 2 hosts: a.one.org, a.two.org"),
        ("KILO", "may mean 2 hosts"),
        ("shared", "may mean 2 hosts"),
        ("127.0.0.1", "may mean 2 hosts"),
        ("both", "of a host and of a group"),
        ("web", "is a group"),
        ("group:web", "may not name a group"),
        ("all", "every host"),
        ("ALL", "every host"),
        ("host:all", "every host"),
        ("ungrouped", "every host"),
        ("*", "pattern"),
        ("web*", "pattern"),
        ("web01,web02", "pattern"),
        ("~web.*", "pattern"),
        ("!web01", "pattern"),
        ("&web", "pattern"),
        ("@/etc/hosts", "pattern"),
        ("web[01]", "pattern"),
        ("-oProxyCommand=id", "option"),
        ("", "a target is a name"),
        ("web01 web02", "a target is a name"),
        ("web01\n", "a target is a name"),
        ("x" * 513, "a target is a name"),
        ("web1", "no host of the inventory"),
        ("{{ x }}", "a target is a name"),
        ("wеb01", "no host of the inventory"),
        ("\u212ailo", "no host of the inventory"),
        ("web01:port", "no host of the inventory"),
        ("k8s:", "no k8s target"),
        ("url:file:///etc/passwd", "no url target"),
    ],
)
def test_what_means_no_host_or_several_is_refused(text: str, words: str) -> None:
    refusal = READ.resolve(text)
    assert isinstance(refusal, inventory.Refusal), refusal
    assert words in refusal.reason


def test_refusal_helps() -> None:
    unknown = READ.resolve("web1")
    assert unknown == inventory.Refusal("'web1' is no host of the inventory", "did you mean 'web01'?", step="")
    assert isinstance(several := READ.resolve("a"), inventory.Refusal)
    assert several.candidates == ("a.one.org", "a.two.org")


def test_target_carries_what_policies_ask() -> None:
    assert READ.resolve("web01") == model.Target("host", "web01", "web01", "10.0.0.1", ("both", "web"), False)
    local = READ.resolve("web03")
    assert isinstance(local, model.Target)
    assert local.local


@pytest.mark.parametrize(
    "text", ["k8s:cluster-a/shop/Deployment/cart", "aap:Default/restart", "url:https://x.example/y"]
)
def test_other_kinds_pass_as_they_are(text: str) -> None:
    target = READ.resolve(text)
    assert isinstance(target, model.Target)
    assert (str(target), target.inventory_name) == (text, "")


@hypothesis.given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    found = READ.resolve(text)
    if isinstance(found, model.Target) and found.kind == "host":
        assert found.name in READ.hosts


LINES = st.sampled_from(
    [
        "[a]",
        "[b]",
        "[a:children]",
        "[b:vars]",
        "a",
        "b",
        "h1",
        "h[1:3] x=1",
        "ansible_port=3",
        "[",
        "h x",
        "",
        "# c",
        "[a:b:c]",
    ]
)


@hypothesis.given(st.lists(LINES | st.text(max_size=20), max_size=12).map("\n".join))
def test_any_ini_gives_an_inventory_or_diagnostics(text: str) -> None:
    read, diagnostics = inventory.parse({"x.ini": text})
    assert set(read.groups["all"]) == set(read.hosts)
    assert all(d.place.line >= 1 for d in diagnostics)


YAMLS = st.recursive(
    st.none() | st.integers() | st.sampled_from(["h1", "h[1:2]", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["all", "a", "b", "hosts", "children", "vars"]), inner)
    ),
    max_leaves=10,
)


@hypothesis.given(YAMLS)
def test_any_yaml_gives_an_inventory_or_diagnostics(value: Any) -> None:
    read, _ = inventory.parse({"x.yml": json.dumps(value)})
    assert set(read.groups["all"]) == set(read.hosts)
