"""The module or role that an action names: whether there is one, and what is said where there is none."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from healer import project

Write = Callable[[dict[str, str | None]], pathlib.Path]
ROLES: dict[str, str | None] = {
    "roles/restart_shop/tasks/main.yml": "[]\n", "roles/team/clean/tasks/main.yaml": "[]\n", "roles/needs/meta/main.yml": "dependencies: []\n",
    "roles/acme.web/tasks/main.yml": "[]\n", "roles/a.b.c/tasks/main.yml": "[]\n", "roles/half/defaults/main.yml": "{}\n",
    "collections/ansible_collections/acme/web/roles/fix/tasks/main.yml": "[]\n", "roles/of_json/tasks/main.json": "[]\n", "roles/bare/tasks/main": "[]\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def loaded(write: Write, kind: str, written: str, more: str = "") -> project.Loaded:
    text = f"actions:\n  restart: {{playbook: restart.yml, impact: low, parameters: {{service: {{}}}}}}\n  a: {{impact: low, {kind}: {written}{more}}}\n"
    return project.load(write({**ROLES, "actions.yaml": text}), {})


@pytest.mark.parametrize(("written", "subject"), [
    ("restart_shop", "roles/restart_shop"), ("roles/restart_shop", "roles/restart_shop"), ("team/clean", "roles/team/clean"),
    ("needs", "roles/needs"), ("acme.web", "roles/acme.web"), ("roles/a.b.c", "roles/a.b.c"), ("acme.web.fix", "acme.web.fix"),
    ("of_json", "roles/of_json"), ("bare", "roles/bare"),
])  # fmt: skip
def test_roles_that_are_there(write: Write, written: str, subject: str) -> None:
    found = loaded(write, "role", written)
    assert found.revision is not None, [str(one) for one in found.diagnostics]
    entry = found.revision.catalog.entries["a"]
    assert (entry.kind, entry.subject) == ("role", subject)


@pytest.mark.parametrize(("kind", "written", "code", "message", "try_"), [
    ("role", "restart_shp", "no-file", "there is no role roles/restart_shp", "did you mean 'roles/restart_shop'?"),
    ("role", "half", "no-file", "roles/half has no tasks/main.yml and no meta/main.yml", ""),
    ("role", "team", "no-file", "roles/team has no tasks/main.yml and no meta/main.yml", ""),
    ("role", "acme.web.fox", "no-file", "no installed collection has a role acme.web.fox", "did you mean 'roles/acme.web'?"),
    ("role", "a.b.c", "no-file", "no installed collection has a role a.b.c", "did you mean 'roles/a.b.c'?"),
    ("role", "other.and.more", "no-file", "no installed collection has a role other.and.more",
     "collections are looked for in collections/, ~/.ansible/collections, /usr/share/ansible/collections"),
    ("role", "../roles/restart_shop", "role", "'../roles/restart_shop' is no name of a role", "a folder of roles/, or NAMESPACE.COLLECTION.ROLE"),
    ("role", '"{{ x }}"', "role", "'{{ x }}' is no name of a role", "a folder of roles/, or NAMESPACE.COLLECTION.ROLE"),
    ("role", "restart_shop/", "role", "'restart_shop/' is no name of a role", "a folder of roles/, or NAMESPACE.COLLECTION.ROLE"),
    ("module", "ansible.builtin.serv-ice", "module", "'ansible.builtin.serv-ice' is no name of a module", "like ansible.builtin.service"),
])  # fmt: skip
def test_what_is_none_is_told_where_it_stands(
    write: Write, kind: str, written: str, code: str, message: str, try_: str
) -> None:
    found = loaded(write, kind, written)
    assert found.revision is None
    [told] = [one for one in found.diagnostics if one.severity == "error"]
    assert (told.code, told.message, told.try_) == (code, message, try_)
    column = len(f"  a: {{impact: low, {kind}: ") + 1
    assert (told.place.file, told.place.line, told.place.column) == ("actions.yaml", 3, column)


def test_only_a_controller_that_can_runs_it(write: Write) -> None:
    [told] = [
        one for one in loaded(write, "role", "needs", ", controller: here").diagnostics if one.severity == "error"
    ]
    assert (told.code, told.message) == (
        "controller_forbidden",
        "the controller 'here' (type local) cannot run actions of the kind role",
    )
    assert told.try_ == "controller: site"


def test_metadata_beside_a_playbook_may_name_one(write: Write) -> None:
    found: Any = project.load(write({**ROLES, "playbooks/shop.meta.yml": "{role: restart_shop, impact: low}\n"}), {})
    assert found.revision is not None, [str(one) for one in found.diagnostics]
    assert found.revision.catalog.entries["shop"].subject == "roles/restart_shop"
