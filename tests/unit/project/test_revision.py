"""What a revision knows of its files, rules, controllers, hosts and groups."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from healer import project
from healer.project import revision as revision_module


@pytest.fixture
def revision(write: Any) -> project.Revision:
    loaded = project.load(write({}), {})
    assert loaded.revision is not None
    return loaded.revision


@pytest.mark.parametrize(("name", "file"), [
    ("restart.yml", "playbooks/restart.yml"), ("playbooks/restart.yml", "playbooks/restart.yml"), ("./restart.yml", "playbooks/restart.yml"),
    ("gone.yml", None), ("", None), ("../playbooks/restart.yml", None), ("/etc/passwd", None), ("x/../../restart.yml", None),
    ("restart.yml\0", None), ("playbooks/x/../restart.yml", None),
])  # fmt: skip
def test_a_playbook_is_one_of_the_files(revision: project.Revision, name: str, file: str | None) -> None:
    assert revision.playbook(name) == file


def test_what_is_asked_of_a_controller_that_is_not_there(revision: project.Revision) -> None:
    refusal = revision.resolve_target("sit", "web01")
    assert getattr(refusal, "nearest", "") == "did you mean 'site'?"
    assert revision.expand_hosts("sit", ["all"]) == ([], ["all"])
    assert revision.forbidden("sit", "x", "script", [])[0].code == "controller_forbidden"
    assert revision.inventory_name("sit") == "any inventory"


def test_groups_are_their_hosts(revision: project.Revision) -> None:
    found, missing = revision.expand_hosts("site", ["web", "web01", "nobody"])
    assert sorted(str(one) for one in found) == ["host:web01", "host:web02", "host:web03"]
    assert missing == ["nobody"]


def test_what_reaches_beyond_this_machine(revision: project.Revision) -> None:
    assert revision.beyond_local() == ["site"]
    assert revision.controller_for("playbook") == "site"


def test_a_playbook_of_an_installed_collection_is_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    book = tmp_path / ".ansible/collections/ansible_collections/acme/web/playbooks/fix.yml"
    book.parent.mkdir(parents=True)
    book.write_text("[]")
    known = revision_module.playbook
    assert known({}, "acme.web.fix", tmp_path / "project") == "acme.web.fix"
    for name in ("acme.web.gone", "acme.web", "acme.web.fix.yml", "acme.web.../x", "../acme.web.fix", ""):
        assert known({}, name, tmp_path / "project") is None


SLASHES = """\
- {name: %s, hosts: all, sources: [{healer.api: {}}], rules: [{name: %s, condition: event.a == 1, action: {none: {}}}]}
"""


@pytest.mark.parametrize(("rule", "names"), [
    ("team/web/web/down", ("team/web", "web")), ("a/b/c/d/e", ("a", "b/c")), ("team/web/web/gone", ("team", "web")), ("x", ("x", "")),
])  # fmt: skip
def test_the_ruleset_of_a_rule_whatever_slashes_there_are(write: Any, rule: str, names: tuple[str, str]) -> None:
    loaded = project.load(write({"rulebooks/a.yml": SLASHES % ("b/c", "d/e")}), {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    assert loaded.revision.ruleset_of(rule) == names


def test_roles_and_people_of_its_settings(write: Any) -> None:
    text = "roles: {oncall: {permissions: [pause]}}\nprincipals: {ana: {roles: [oncall]}}\n"
    loaded = project.load(write({"healer.yaml": text, "rulebooks/team/web.yml": None}), {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    assert loaded.revision.directory.of_key("x", "", "ana").permissions == {"pause"}
