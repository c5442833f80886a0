"""`controllers.yaml`: types found, options checked, the default one, and every mistake with its place."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from healer import project

BARE = {"rulebooks/team/web.yml": None, "actions.yaml": None, "scripts/clean.meta.yml": None}


def load(write: Any, text: str | None, **more: Any) -> project.Loaded:
    return project.load(write({**BARE, "controllers.yaml": text, **more}), {})


@pytest.mark.parametrize("text", [None, "", "controllers:\n", "controllers: {}\n"])
def test_without_any_there_is_local(write: Any, text: str | None) -> None:
    revision = load(write, text).revision
    assert revision is not None
    assert (list(revision.controllers), revision.default_controller) == (["local"], "local")
    assert revision.controllers["local"].kinds == {"script", "command", "check"}
    assert revision.beyond_local() == []


def test_all_keys(write: Any) -> None:
    text = """\
controllers:
  site:
    type: ansible
    inventory: inventory/
    forks: 3
    vault_password: {secret: "file:/run/secrets/vault"}
    targets: ["group:web"]
    concurrency: 5
    rate_limit: 30 per minute
    tags: [prod]
  here: {type: local}
default: site
"""
    revision = load(write, text).revision
    assert revision is not None
    site = revision.controllers["site"]
    assert (site.inventory, site.targets, site.concurrency, site.tags) == ("inventory", ("group:web",), 5, ("prod",))
    assert site.rate_limit is not None
    assert (site.rate_limit.count, site.rate_limit.within) == (30, 60.0)
    assert site.options == {
        "inventory": "inventory/",
        "forks": 3,
        "vault_password": {"secret": "file:/run/secrets/vault"},
    }
    assert (revision.default_controller, revision.controller_for("playbook")) == ("site", "site")
    assert revision.beyond_local() == ["site"]
    assert revision.controllers["here"].inventory == "inventory"


def test_a_type_whose_package_is_not_installed_is_told_once(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "ansible_runner" else real(name, *more)
    )
    text = "controllers: {here: {type: local}, a: {type: ansible}, b: {type: ansible}}\ndefault: here\n"
    loaded = load(write, text)
    (told,) = [one for one in loaded.diagnostics if one.code == "missing-extra"]
    assert (told.severity, str(told.place), told.try_) == (
        "warning", "controllers.yaml:1:46", "pip install 'auto-healer[ansible]'"
    )  # fmt: skip
    assert "ansible-runner" in told.message
    assert loaded.revision is not None
    assert not [
        one for one in load(write, "controllers: {here: {type: local}}\n").diagnostics if one.code == "missing-extra"
    ]


def test_upstream_actions_take_the_first_that_can(write: Any) -> None:
    text = "controllers: {here: {type: local}, a: {type: ansible}, b: {type: ansible}}\ndefault: here\n"
    revision = load(write, text).revision
    assert revision is not None
    assert revision.controller_for("playbook") == "a"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("⟦[]", ["wrong-type"]),
        ("⟦controllers: []", ["wrong-type"]),
        ("⟦controler: {}", ["unknown-key"]),
        ("controllers:\n  ⟦a: {}", ["wrong-type"]),
        ("controllers:\n  ⟦a: local", ["wrong-type"]),
        ("controllers:\n  a: {type: ⟦3}", ["wrong-type"]),
        ("controllers:\n  a: {type: ⟦lokal}", ["unknown-controller-type"]),
        ("controllers:\n  ⟦a b: {type: local}", ["name"]),
        ("controllers:\n  a: {type: local, ⟦x: 1}", ["options"]),
        (
            "controllers:\n  a: {type: ansible, forks: ⟦many, concurrency: ⟦0, rate_limit: ⟦often}",
            ["options", "options", "options"],
        ),
        ("controllers:\n  a: {type: ansible, vault_password: ⟦hunter2}", ["options"]),
        ("controllers:\n  a: {type: ansible, inventory: ⟦nope}", ["no-inventory"]),
        ("controllers:\n  a: {type: ansible, inventory: ⟦../x}", ["path-escapes"]),
        ("controllers:\n  a: {type: ansible, inventory: ⟦/etc/ansible}", ["path-escapes"]),
        ("controllers:\n  a: {type: local}\ndefault: ⟦b", ["unknown_controller"]),
        ("⟦controllers:\n  a: {type: local}\n  b: {type: local}", ["missing-key"]),
    ],
)
def test_mistakes(text: str, codes: list[str], told: Any, marked: Any) -> None:
    changes = {**BARE, "controllers.yaml": text}
    found = [one for one in told(changes) if one[1] != "empty-project"]
    assert found == sorted(zip(marked(changes), codes, strict=True))


def test_an_inventory_outside_of_the_usual_folders_counts(write: Any) -> None:
    text = "controllers: {a: {type: ansible, inventory: eu/hosts}}"
    loaded = load(write, text, **{"eu/hosts": "db1 ansible_connection=local\n"})
    revision = loaded.revision
    assert revision is not None, loaded.diagnostics
    assert "eu/hosts" in revision.files
    assert str(revision.resolve_target("a", "db1")) == "host:db1"
    assert revision.beyond_local() == []


LOCAL = "all: {hosts: {h1: {ansible_connection: local}}}\n"
SSH = "ansible_connection: ssh\nansible_host: 192.0.2.1\n"


@pytest.mark.parametrize("path", [
    "inventory/host_vars/h1.yml", "inventory/host_vars/h1", "inventory/host_vars/h1/x.yaml", "inventory/group_vars/all.json",
    "playbooks/host_vars/h1.yml", "playbooks/web/host_vars/h1.yml", "playbooks/web/deep/host_vars/h1/x", "playbooks/host_vars/localhost.yml",
])  # fmt: skip
def test_variables_in_files_of_their_own_may_lead_beyond_this_machine(write: Any, path: str) -> None:
    site = "controllers: {a: {type: ansible, inventory: inventory/}}"
    here = load(write, site, **{"inventory/hosts": None, "inventory/hosts.yml": LOCAL}).revision
    text = json.dumps({"ansible_connection": "ssh"}) if path.endswith(".json") else SSH
    inventory = LOCAL if "group_vars" not in path else "all: {hosts: {h1: }, vars: {ansible_connection: local}}\n"
    there = load(write, site, **{"inventory/hosts": None, "inventory/hosts.yml": inventory, path: text}).revision
    assert here is not None
    assert there is not None
    assert (here.beyond_local(), there.beyond_local()) == ([], ["a"])


def test_a_program_beside_hosts_of_this_machine_may_lead_beyond_it(write: Any) -> None:
    files = {"inventory/hosts": None, "inventory/hosts.yml": LOCAL, "inventory/aws.yml": "plugin: amazon.aws.aws_ec2\n"}
    revision = load(write, "controllers: {a: {type: ansible}}", **files).revision
    assert revision is not None
    assert revision.beyond_local() == ["a"]


def test_variables_beside_playbooks_give_names_too(write: Any) -> None:
    text = "ansible_host: 192.0.2.1\nhealer_aliases: shop\n"
    revision = load(write, "controllers: {a: {type: ansible}}", **{"playbooks/host_vars/web01.yml": text}).revision
    assert revision is not None
    assert (
        str(revision.resolve_target("a", "192.0.2.1:9100")) == str(revision.resolve_target("a", "shop")) == "host:web01"
    )


@pytest.mark.parametrize(("source", "folder"), [
    ("eu/hosts", "eu"), ("eu", "eu"), ("hosts", ""), ("files/hosts", "files"), ("inventory/eu/hosts", "inventory/eu"), ("vars/eu", "vars/eu"),
])  # fmt: skip
def test_variables_beside_any_inventory_count_and_are_of_the_revision(write: Any, source: str, folder: str) -> None:
    file = source if source.endswith("hosts") else f"{source}/hosts"
    beside = [f"{folder}/{one}".lstrip("/") for one in ("group_vars/all/x.yml", "host_vars/db1.yml")]
    files = {file: "db1 ansible_connection=local\n", beside[0]: "healer_aliases: shop\n", beside[1]: SSH}
    root = write({"controllers.yaml": f"controllers: {{a: {{type: ansible, inventory: {source}}}}}", **BARE, **files})
    (root / beside[0]).chmod(0o755)  # no program for that
    loaded = project.load(root, {})
    revision = loaded.revision
    assert revision is not None, loaded.diagnostics
    assert set(files) <= set(revision.files)
    assert str(revision.resolve_target("a", "shop")) == str(revision.resolve_target("a", "192.0.2.1")) == "host:db1"
    assert revision.beyond_local() == ["a"]
    assert project.publish(revision, root / ".healer") == root / ".healer/revisions" / revision.id
    for one, text in files.items():
        assert (root / ".healer/revisions" / revision.id / one).read_text() == text


def test_mistakes_in_them_are_told(told: Any, marked: Any) -> None:
    files = {
        "inventory/host_vars/web01.yml": "a: 1\n⟦a: 2\n",
        "playbooks/group_vars/web.yml": "⟦- a\n",
        "inventory/group_vars/web": "a: ⟦!x b\n",
    }
    assert told(files) == sorted(zip(marked(files), ["duplicate-key", "inventory", "yaml"], strict=True))


def test_variables_that_are_no_text_are_told(write: Any) -> None:
    (found,) = project.load(write({"inventory/group_vars/all": b"a: \xff"}), {}).diagnostics
    assert (found.code, str(found.place)) == ("unreadable", "inventory/group_vars/all")


def test_a_projects_own_controller(write: Any) -> None:
    plugin = """\
from healer import plugins

class Options(plugins.Options):
    level: int

class Mine(plugins.Controller):
    Options = Options
    kinds = frozenset({"script"})

CONTROLLER = Mine
"""
    files = {"controllers/mine.py": plugin}
    revision = load(write, "controllers: {m: {type: mine, level: 3}}", **files).revision
    assert revision is not None
    assert (revision.controllers["m"].options, revision.controllers["m"].kinds) == ({"level": 3}, {"script"})
    for broken in ("CONTROLLER = 3", "1 / 0", "import nothing_of_that_name", "class("):
        codes = [
            d.code for d in load(write, "controllers: {m: {type: mine}}", **{"controllers/mine.py": broken}).diagnostics
        ]
        assert "broken-plugin" in codes
