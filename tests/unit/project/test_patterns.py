"""Patterns of hosts mean what they mean to Ansible; its own reading is the oracle."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from healer import inventory, project
from healer.project import controllers, patterns, targets

HOSTS = """\
web01 ansible_host=192.0.2.1 healer_aliases='["www"]'
[web]
web[01:03]
[db]
db01
db02.example.org
[prod]
web02
db01
[site:children]
web
db
"""
SITE = controllers.Controller(
    name="site", type="ansible", kinds=frozenset({"playbook", "module"}), inventory="inventory"
)


@pytest.fixture(scope="module")
def known() -> inventory.Inventory:
    return inventory.parse({"hosts": HOSTS})[0]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Ansible's own manager of the same inventory."""
    manager = pytest.importorskip("ansible.inventory.manager")
    dataloader = pytest.importorskip("ansible.parsing.dataloader")
    path = tmp_path_factory.mktemp("inventory") / "hosts"
    path.write_text(HOSTS)
    return manager.InventoryManager(loader=dataloader.DataLoader(), sources=str(path))


@pytest.mark.parametrize(
    "text",
    [
        "all", "*", "web", "web:db", "web,db", "web , db", "web*", "w*1", "web0?", "web0[12]*", "web:!web01", "!web01", "all:!db*",
        "web:&prod", "&prod", "site:&prod:!web02", "prod:&web,db01", "~web0[12]", "~web0", "~(web|db)0[12]", "~^db.*org$", "web[0]",
        "web[0:1]", "web[1:]", "web[-1]", "web*[0]", "web0[12]", "db02.example.org", "*.example.org", "al*", "ungr*", "nobody", "web:nobody",
        "WEB01", "Web*", "web:!WEB01", "DB:web01", "192.0.2.1", "db02", "web01:9100", "web:1", "web[0:1]:22", "web*:1", "www", "LOCALHOST", "host:web01", "~WEB",
        "web:!nobody", "nobody*", "web,&prod,!web02", "WEB", "site:!web:!db", "web:&db", "~nobody", "localhost", "db01:localhost", "web[9]",
    ],
)  # fmt: skip
def test_a_pattern_means_what_it_means_to_ansible(known: inventory.Inventory, oracle: Any, text: str) -> None:
    wanted: list[str] = []
    with contextlib.suppress(pytest.importorskip("ansible.errors").AnsibleError):  # what it refuses means no host
        wanted = [host.name for host in oracle.get_hosts(text)]
    wanted = [] if wanted == ["localhost"] else wanted  # which a playbook with that limit does not take
    found, missing = targets.pattern(SITE, known, "box", text)
    assert sorted(one.name for one in found) == sorted(wanted)
    assert missing == ([] if wanted else [text])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" , ", []),
        ("2001:db8::1", ["2001:db8::1"]),
        ("a,2001:db8::1", ["a", "2001:db8::1"]),
        ("!a:b:&c", ["b", "&c", "!a"]),
        ("a[0:2]:b", ["a[0:2]", "b"]),
        ("!a", ["all", "!a"]),
    ],
)
def test_the_parts_of_a_pattern(text: str, parts: list[str]) -> None:
    assert patterns.split(text) == parts


@pytest.mark.parametrize("text", ["127.0.0.1", "::1"])
def test_this_machine_needs_no_inventory(known: inventory.Inventory, oracle: Any, text: str) -> None:
    assert len(oracle.get_hosts(text)) == 1
    for hosts, pattern, names in ((known, f"db01,{text}", ["db01", "localhost"]), (targets.EMPTY, text, ["localhost"])):
        found, missing = targets.pattern(SITE, hosts, "box", pattern)
        assert ([one.name for one in found], missing) == (names, [])
    assert targets.pattern(SITE, known, "box", text) == ([], [text])


@pytest.mark.parametrize("text", ["~web(", "web:~(?=x)", "web:!~("])
def test_an_expression_that_cannot_be_read_means_nothing_at_all(known: inventory.Inventory, text: str) -> None:
    assert targets.pattern(SITE, known, "box", text) == ([], [text.rpartition("web:")[2]])


def test_a_host_without_one_name_is_refused(known: inventory.Inventory) -> None:
    twice = inventory.Inventory(known.hosts, {**known.groups, "web01": ("web02",)})
    assert targets.pattern(SITE, twice, "box", "web")[1] == ["web"]


BOOK = "- name: rs\n  hosts: %s\n  sources: []\n  rules: [{name: r, condition: event.a == 1, action: {%s}}]\n"


def told(
    write: Any, hosts: str, action: str = "run_playbook: {name: restart.yml}", **more: Any
) -> list[tuple[str, str, str]]:
    files = {"rulebooks/team/web.yml": None, "rulebooks/a.yml": BOOK % (hosts, action), "inventory/hosts": HOSTS} | more
    loaded = project.load(write(files), {})
    return [(str(one.place), one.message, one.try_) for one in loaded.diagnostics if one.code == "no-hosts"]


@pytest.mark.parametrize(
    "hosts", ["all", "web*", "'web:!web01'", "'~web0[12]'", "'web01,localhost'", "'web01,127.0.0.1'"]
)
def test_patterns_that_mean_hosts_are_sound(write: Any, hosts: str) -> None:
    assert told(write, hosts) == []


@pytest.mark.parametrize(
    ("hosts", "said", "near"),
    [
        ("WEB01", "no host of inventory matches 'WEB01'", "did you mean 'web01'?"),
        ("192.0.2.1", "no host of inventory matches '192.0.2.1'", "did you mean 'web01'?"),
        ("wbe01", "no host of inventory matches 'wbe01'", "did you mean 'web01'?"),
        ("web:!wbe01", "no host of inventory matches '!wbe01'", "did you mean 'web01'?"),
        ("x*", "no host of inventory matches 'x*'", ""),
        (
            "localhost",
            "no host of inventory matches 'localhost', and beside other hosts Ansible takes its own localhost for none",
            "",
        ),
        ("'web:&db'", "no host of inventory matches 'web:&db'", ""),
        ("'~web('", "'~web(' is no regular expression that can be used: missing ): web(", ""),
    ],
)
def test_what_means_no_host_is_told_where_it_stands(write: Any, hosts: str, said: str, near: str) -> None:
    assert told(write, hosts) == [("rulebooks/a.yml:2:10", said, near)]
    assert told(write, hosts, "run_module: {name: ping}") == [("rulebooks/a.yml:2:10", said, near)]


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("debug: {}", {}),
        ("run_action: {name: restart, target: web01, parameters: {service: x}}", {}),
        ("run_playbook: {name: restart.yml}", {"inventory/more.aws_ec2.yml": "plugin: amazon.aws.aws_ec2\n"}),
    ],
)
def test_hosts_that_nothing_takes_or_that_are_not_all_known(write: Any, action: str, more: Any) -> None:
    assert told(write, "wbe01", action, **more) == []


def test_the_inventory_of_an_activation_counts(write: Any) -> None:
    settings = "activations: [{name: a, rulebook: rulebooks/a.yml, inventory: other}]\n"
    more = {"healer.yaml": settings, "other/hosts": "x1\n"}
    assert told(write, "web", **more) == [("rulebooks/a.yml:2:10", "no host of other matches 'web'", "")]


def test_what_an_event_brings_is_no_pattern(write: Any) -> None:
    loaded = project.load(write({"inventory/hosts": HOSTS}), {})
    assert loaded.revision is not None
    for name in ("web*", "~web01", "web[0]", "!web01"):
        assert loaded.revision.expand_hosts("site", [name]) == ([], [name])
    found, missing = loaded.revision.expand_pattern("site", "web*")
    assert ([one.name for one in found], missing) == (["web01", "web02", "web03"], [])
    assert loaded.revision.expand_pattern("nope", "web*") == ([], ["web*"])


def test_where_no_controller_can_do_it_no_hosts_are_looked_for(write: Any) -> None:
    files = {"controllers.yaml": "controllers: {site: {type: local, inventory: inventory}}\ndefault: site\n"}
    assert told(write, "wbe01", **files) == []
