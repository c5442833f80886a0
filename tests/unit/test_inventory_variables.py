"""Variables in files of their own against Ansible's reading of the same folders, and what cannot be read."""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from healer import inventory, model
from healer.inventory import names, variables

SEALED = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\n"
VAULT = "$ANSIBLE_VAULT;1.1;AES256\n33313233\n"

AS_ANSIBLE = """
import json, sys
from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager

init_plugin_loader()
answers = []
for source, play in json.load(sys.stdin):
    loader = DataLoader()
    context.CLIARGS = ImmutableDict(basedir=play)
    if play:
        loader.set_basedir(play)
    found = InventoryManager(loader, [source])
    manager = VariableManager(loader, found)
    hosts = [*found.get_hosts("all"), *filter(None, map(found.get_host, ["localhost"]))]
    answers.append({host.name: manager.get_vars(host=host, include_hostvars=False, stage="all") for host in hosts})
sys.stdout.write(json.dumps(answers, default=str))
"""
"""What `ansible-inventory --list --playbook-dir` and a playbook see, for many folders in one process."""


def asked(folder: pathlib.Path, questions: list[tuple[pathlib.Path, pathlib.Path | None]]) -> list[dict[str, Any]]:
    """The variables of each host, for each (inventory, folder of a playbook or None)."""
    made = subprocess.run(
        [sys.executable, "-c", AS_ANSIBLE],
        input=json.dumps([(str(source), play and str(play)) for source, play in questions]),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(made.stdout)
    return found


def written(folder: pathlib.Path, files: Mapping[str, str]) -> pathlib.Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def compared(theirs: Mapping[str, Any], host: inventory.Host) -> None:
    assert host.address == theirs.get("ansible_host", host.name)
    assert host.port == theirs.get("ansible_port")
    assert host.connection == theirs.get("ansible_connection", "")


HOSTS = "[web]\nh1 ansible_connection=local\nh2\n[db]\nh2\n[site:children]\nweb\ndb\n[web:vars]\nansible_port=1\nansible_host=of_web\n"

SAMPLES: dict[str, tuple[str, Mapping[str, str]]] = {
    "the finding": ("inventory", {
        "inventory/hosts.yml": "all: {hosts: {h1: {ansible_connection: local}}}\n",
        "inventory/host_vars/h1.yml": "ansible_connection: ssh\nansible_host: 192.0.2.1\n"}),
    "beside a file": ("inventory/hosts.ini", {
        "inventory/hosts.ini": HOSTS, "inventory/group_vars/all.yml": "ansible_port: 7\n",
        "inventory/host_vars/h2": "ansible_connection: docker\n"}),
    "at the top": ("hosts.ini", {"hosts.ini": HOSTS, "group_vars/web.json": '{"ansible_port": 8}', "host_vars/h1/x.yml": "ansible_port: 9\n"}),
    "a file without an ending goes first": ("inventory", {
        "inventory/hosts": HOSTS, "inventory/host_vars/h1": "ansible_port: 1\n", "inventory/host_vars/h1.yml": "ansible_port: 2\n",
        "inventory/group_vars/db.yaml": "ansible_port: 3\n", "inventory/group_vars/db.json": "{\"ansible_port\": 4}"}),
    "a folder": ("inventory", {
        "inventory/hosts": HOSTS, "inventory/host_vars/h1/b.yml": "ansible_port: 2\nansible_host: b\n", "inventory/host_vars/h1/a.yml": "ansible_port: 1\n",
        "inventory/host_vars/h1/.c.yml": "ansible_port: 3\n", "inventory/host_vars/h1/c.yml~": "ansible_port: 4\n",
        "inventory/host_vars/h1/c.txt": "ansible_port: 5\n", "inventory/host_vars/h1.yml": "ansible_port: 6\n",
        "inventory/host_vars/h1/aa/x": "ansible_host: aa\n", "inventory/host_vars/h1/aa.d/x": "ansible_connection: x\n",
        "inventory/host_vars/h2.yml/x.yml": "ansible_port: 7\n"}),
    "what lies deeper": ("inventory", {
        "inventory/sub/hosts": HOSTS, "inventory/sub/host_vars/h1.yml": "ansible_port: 2\n", "inventory/group_vars/ungrouped.yml": "ansible_port: 3\n",
        "inventory/more": "lonely\n"}),
    "a deeper group, and the alphabet": ("inventory", {
        "inventory/hosts": HOSTS, "inventory/group_vars/site.yml": "ansible_port: 10\nansible_host: site\nansible_connection: site\n",
        "inventory/group_vars/web.yml": "ansible_port: 11\n", "inventory/group_vars/db.yml": "ansible_port: 12\nansible_connection: db\n"}),
    "no priority from a file": ("inventory", {
        "inventory/hosts": HOSTS, "inventory/group_vars/db.yml": "ansible_group_priority: 9\nansible_port: 12\n",
        "inventory/group_vars/web.yml": "ansible_port: 13\n"}),
    "nothing in them": ("inventory", {"inventory/hosts": HOSTS, "inventory/group_vars/web.yml": "", "inventory/host_vars/h1.yml": "---\n# x\n"}),
    "the tags of Ansible": ("inventory", {
        "inventory/hosts.yml": "web: {hosts: {h1: {ansible_host: !unsafe x}}}\n",
        "inventory/group_vars/web.yml": "ansible_port: !unsafe 7\nother: {a: !unsafe [x]}\n"}),
    "a name with a port and a dot": ("inventory", {
        "inventory/hosts": "h1.example.org:22\n", "inventory/host_vars/h1.example.org.yml": "ansible_port: 7\n"}),
    "a file where a folder has to be": ("inventory", {"inventory/hosts": HOSTS, "inventory/group_vars": "ansible_port: 7\n"}),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_same_as_ansible(tmp_path: pathlib.Path, name: str) -> None:
    source, files = SAMPLES[name]
    (listed,) = asked(tmp_path, [(written(tmp_path, files) / source, None)])
    read, diagnostics = inventory.parse(files, source)
    assert [str(diagnostic) for diagnostic in diagnostics] == []
    assert set(read.hosts) == set(listed) - {"localhost"}
    for host in read.hosts.values():
        compared(listed[host.name], host)


def drawn(
    draw: random.Random, names: tuple[str, ...] = ("ansible_port", "ansible_host", "ansible_connection")
) -> dict[str, Any]:
    values = {
        "ansible_port": range(1, 99),
        "ansible_host": ("a", "b", "c", "d"),
        "ansible_connection": ("local", "local", "local", "ssh"),
    }
    return {name: draw.choice(values[name]) for name in names if draw.random() < 0.4}


def beside(draw: random.Random, folder: str) -> Iterator[tuple[str, str]]:
    """Some files of variables in a folder, as people name them."""
    for kind, entities in (
        ("group_vars", ("all", "ungrouped", "a", "b", "c", "none")),
        ("host_vars", ("h1", "h2", "h3", "localhost")),
    ):
        for entity in entities:
            for ending in draw.sample(
                ("", ".yml", ".yaml", ".json", "/x.yml", "/y.json", "/z", "/.x.yml", "/x.md", "/d/x.yml", "/d.d/x.yml"),
                draw.choice((0, 0, 1, 2)),
            ):
                yield f"{folder}/{kind}/{entity}{ending}", json.dumps(drawn(draw))


def project(seed: int) -> tuple[str, dict[str, str]]:
    """(inventory, files) of a project of three hosts in three groups, with variables everywhere."""
    draw = random.Random(seed)
    groups: dict[str, Any] = {name: {"hosts": {}, "vars": drawn(draw), "children": {}} for name in "abc"}
    for name in ("h1", "h2", "h3"):
        for group in draw.sample("abc", draw.randint(0, 2)):
            groups[group]["hosts"][name] = drawn(draw)
    for parent, child in (("a", "b"), ("b", "c"), ("a", "c")):
        if draw.random() < 0.4:
            groups[parent]["children"][child] = {}
    if draw.random() < 0.3:
        groups["b"]["vars"]["ansible_group_priority"] = draw.choice((-1, 5))
    everyone = {"hosts": {"h1": {}, "h2": drawn(draw), "h3": {}}, "vars": drawn(draw)}
    file = draw.choice(("inventory/hosts.yml", "inventory/hosts.json"))
    files = {file: json.dumps({"all": everyone, **groups})}
    for path, text in (*beside(draw, "inventory"), *beside(draw, "playbooks"), *beside(draw, "playbooks/deep")):
        if not any(path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in files):
            files[path] = text
    return draw.choice(("inventory", file)), files


def test_any_project_is_read_as_ansible_reads_it(tmp_path: pathlib.Path) -> None:
    plays = ("playbooks", "playbooks/deep")
    made = [project(seed) for seed in range(120)]
    folders = [written(tmp_path / str(number), files) for number, (_, files) in enumerate(made)]
    for folder in folders:
        (folder / "playbooks/deep").mkdir(parents=True, exist_ok=True)
    answers = iter(asked(tmp_path, [
        (folder / source, play and folder / play) for folder, (source, _) in zip(folders, made, strict=True) for play in (None, *plays)
    ]))  # fmt: skip
    for source, files in made:
        several = [next(answers) for _ in range(3)]
        read, diagnostics = inventory.parse(files, source, plays)
        alone, _ = inventory.parse({file: text for file, text in files.items() if file.startswith("inventory")}, source)
        assert [str(diagnostic) for diagnostic in diagnostics] == []
        for name, host in read.hosts.items():
            compared(several[0][name], alone.hosts[name])
            assert (host.address, host.port) == (
                several[1][name].get("ansible_host", name),
                several[1][name].get("ansible_port"),
            )
            assert (host.connection == "local") == all(
                one[name].get("ansible_connection") == "local" for one in several
            )
        assert read.partial == any(one["localhost"]["ansible_connection"] != "local" for one in several)


# --- what cannot be read --------------------------------------------------------------------------------------------------

LOCAL = {"inventory/hosts.yml": "web: {hosts: {h1: {ansible_host: 192.0.2.1}}, vars: {ansible_connection: local}}\n"}


def parsed(files: Mapping[str, str]) -> tuple[inventory.Host, list[tuple[str, str, str]]]:
    """The host h1, and (place, severity, message) of what is told."""
    read, told = inventory.parse({**LOCAL, **files}, "inventory")
    return read.hosts["h1"], [(str(one.place), one.severity, one.message) for one in told]


def test_an_encrypted_file_may_say_anything() -> None:
    host, told = parsed({"inventory/group_vars/web.yml": VAULT})
    assert (host.connection, host.address) == (names.UNKNOWN, "192.0.2.1")
    assert [(place, severity) for place, severity, _ in told] == [("inventory/group_vars/web.yml:1:1", "hint")]
    assert "is encrypted" in told[0][2]


def test_what_counts_more_than_an_encrypted_file_is_known() -> None:
    files = {"inventory/group_vars/web.yml": VAULT, "inventory/host_vars/h1.yml": "ansible_connection: local\n"}
    host, told = parsed(files)
    assert (host.connection, told) == ("local", [])


def test_an_encrypted_file_of_hosts_that_are_elsewhere_is_not_told() -> None:
    host, told = parsed(
        {"inventory/hosts.yml": "web: {hosts: {h1: }}\n", "inventory/group_vars/web/secrets.yml": VAULT}
    )
    assert (host.connection, told) == (names.UNKNOWN, [])


@pytest.mark.parametrize(("text", "connection", "address"), [
    (f"ansible_connection: {SEALED}", names.UNKNOWN, "192.0.2.1"), (f"ansible_host: {SEALED}", "local", "h1"),
    (f"ansible_host: {SEALED}\nansible_connection: ''", names.UNKNOWN, "h1"), (f"password: {SEALED}", "local", "192.0.2.1"),
    (f"healer_aliases: {SEALED}\nansible_port: {SEALED}", "local", "192.0.2.1"), ("ansible_connection: '{{ x }}'", "{{ x }}", "192.0.2.1"),
])  # fmt: skip
def test_an_encrypted_value_is_unknown(text: str, connection: str, address: str) -> None:
    host, told = parsed({"inventory/host_vars/h1.yml": text})
    port = 0 if "ansible_port" in text else None
    assert (host.connection, host.address, host.port, host.aliases, told) == (connection, address, port, (), [])


@pytest.mark.parametrize(("text", "port", "user"), [
    ("ansible_port: 2222\nansible_user: heal", 2222, "heal"), ("ansible_port: '22'\nansible_user: CORP\\ops", 22, "CORP\\ops"),
    ("ansible_port:\nansible_user:", None, ""), ("ansible_port: ''\nansible_user: ''", None, ""), ("ansible_user: 1000", None, "1000"),
    ("ansible_port: '{{ p }}'\nansible_user: '{{ u }}'", 0, "{{ u }}"), (f"ansible_user: {SEALED}", None, "{{ }}"),
])  # fmt: skip
def test_port_and_user_are_of_the_target(text: str, port: int | None, user: str) -> None:
    read, told = inventory.parse({**LOCAL, "inventory/host_vars/h1.yml": text}, "inventory")
    target = read.resolve("h1")
    assert isinstance(target, model.Target)
    assert (target.port, target.user, told) == (port, user, [])


def test_what_is_no_port_and_no_user_is_told_where_it_stands() -> None:
    ini = "[web]\nh1 ansible_port=0\nh2 ansible_user=-oProxyCommand=x\nh3 ansible_port=22\n[web:vars]\nansible_port=70000\n"
    files = {"inventory/hosts.ini": ini, "inventory/group_vars/all.yml": "ansible_user: a b\nansible_port: true\n"}
    read, told = inventory.parse(files, "inventory")
    port, user = (
        "ansible_port is a port, 1 to 65535, got",
        "ansible_user is a name of letters, digits and . _ - @ + $ \\, got",
    )
    assert {(str(one.place), one.severity, one.message) for one in told} == {
        ("inventory/hosts.ini:2:1", "error", f"{port} 0"), ("inventory/hosts.ini:3:1", "error", f"{user} '-oProxyCommand=x'"),
        ("inventory/hosts.ini:6:1", "error", f"{port} 70000"), ("inventory/group_vars/all.yml:1:15", "error", f"{user} 'a b'"),
        ("inventory/group_vars/all.yml:2:15", "error", f"{port} true"),
    }  # fmt: skip
    assert (read.hosts["h3"].port, read.hosts["h3"].user) == (22, "")


@pytest.mark.parametrize(("text", "at"), [
    ("all: {hosts: {h1: {ansible_port: -1}}}", "inventory/x.yml:1:34"), ("all: {vars: {ansible_port: 22.5}}", "inventory/x.yml:1:14"),
])  # fmt: skip
def test_the_same_in_yaml(text: str, at: str) -> None:
    _, told = inventory.parse({"inventory/x.yml": text}, "inventory")
    assert [(str(one.place), one.severity) for one in told] == [(at, "error")]


def test_an_encrypted_value_in_the_inventory_itself_is_unknown_too() -> None:
    host, told = parsed(
        {
            "inventory/hosts.yml": "web:\n  hosts:\n    h1:\n      ansible_connection: "
            + SEALED.replace("\n", "\n      ")
        }
    )
    assert (host.connection, told) == (names.UNKNOWN, [])


def test_an_encrypted_inventory_has_hosts_that_are_not_known() -> None:
    read, told = inventory.parse({"hosts.yml": VAULT}, "hosts.yml")
    assert [(one.code, one.severity, str(one.place)) for one in told] == [(inventory.DYNAMIC, "hint", "hosts.yml:1:1")]
    assert (read.hosts, read.partial) == ({}, True)


@pytest.mark.parametrize("files", [
    {"inventory/aws.yml": "plugin: amazon.aws.aws_ec2\n"}, {"inventory/program": "#!/bin/sh\n"}, {"inventory/host_vars/localhost.yml": VAULT},
    {"playbooks/host_vars/localhost/x.yml": "ansible_connection: ssh\n"}, {"inventory/host_vars/127.0.0.1": "ansible_connection: ssh\n"},
])  # fmt: skip
def test_what_may_be_elsewhere_is_partial(files: Mapping[str, str]) -> None:
    assert inventory.parse({**LOCAL, **files}, "inventory", ["playbooks"])[0].partial
    assert not inventory.parse(LOCAL, "inventory", ["playbooks"])[0].partial


# --- mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "text", "place", "words"), [
    ("host_vars/h1.yml", "a: {\n", "2:1", "not YAML"), ("host_vars/h1.yml", "- a\n", "1:1", "has to be a mapping, got a list"),
    ("host_vars/h1", "a\n", "1:1", "has to be a mapping, got 'a'"), ("group_vars/web/x.yml", "a: 1\nb: 2\na: 3\n", "3:1", "stands here twice"),
    ("group_vars/all.yml", "x: !y z\n", "1:4", "could not determine a constructor for the tag '!y'"),
    ("group_vars/all.yml", f"x: 1\nhealer_aliases: {'a,' * 101}\n", "2:17", "more than 100 healer_aliases"),
])  # fmt: skip
def test_mistakes_stand_where_they_are(file: str, text: str, place: str, words: str) -> None:
    _, ((told, severity, message),) = parsed({f"inventory/{file}": text})
    assert (told, severity) == (f"inventory/{file}:{place}", "error")
    assert words in message


@pytest.mark.parametrize(
    "file", ["host_vars/h9.yml", "host_vars/h1.txt", "group_vars/README.md", "host_vars/h1/.x.yml"]
)
def test_what_ansible_does_not_read_is_not_told(file: str) -> None:
    assert parsed({f"inventory/{file}": "a: {\n"})[1] == []


def test_a_file_for_many_hosts_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        variables.config,
        "read_text",
        lambda text, file, _=variables.config.read_text, **more: read.append(file) or _(text, file, **more),
    )
    inventory.parse({"hosts": "[web]\nh[1:500]\n", "group_vars/web.yml": "ansible_port: 7\n"})
    assert read.count("group_vars/web.yml") == 1


# --- what is read as hosts ------------------------------------------------------------------------------------------------


def test_a_variable_may_stand_in_two_sections() -> None:
    read, diagnostics = inventory.parse(
        {"x.ini": "h x=1\nh x=2\n[all:vars]\nansible_port=1\n[all:vars]\nansible_port=2\n"}
    )
    assert (read.hosts["h"].port, diagnostics) == (2, [])


@pytest.mark.parametrize(("file", "source", "hosts"), [
    ("a/x.cfg", "a/x.cfg", ["h"]), ("a/x.cfg", "a", []), (".a/x", ".a/x", ["h"]), (".a/x", ".a", ["h"]), ("a/.x", "a", []), ("host_vars/x", "host_vars/x", ["h"]),
])  # fmt: skip
def test_what_is_named_itself_is_read_whatever_its_name(file: str, source: str, hosts: list[str]) -> None:
    assert list(inventory.parse({file: "h\n"}, source)[0].hosts) == hosts
