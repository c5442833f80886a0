"""`controllers.yaml`: types found, options checked, the default one, and every mistake with its place."""

from __future__ import annotations

import importlib.util
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
    assert revision.controllers["local"].kinds == {"script", "command"}
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
    tags: [prod]
  here: {type: local}
default: site
"""
    revision = load(write, text).revision
    assert revision is not None
    site = revision.controllers["site"]
    assert (site.inventory, site.targets, site.concurrency, site.tags) == ("inventory", ("group:web",), 5, ("prod",))
    assert site.options == {
        "inventory": "inventory/",
        "forks": 3,
        "vault_password": {"secret": "file:/run/secrets/vault"},
    }
    assert (revision.default_controller, revision.ansible_controller) == ("site", "site")
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
    assert revision.ansible_controller == "a"


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
        ("controllers:\n  a: {type: ansible, forks: ⟦many, concurrency: ⟦0}", ["options", "options"]),
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
