"""What a revision says of values: the entry's, else the defaults, never more than the controller allows."""

from __future__ import annotations

import dataclasses
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


def test_the_defaults_fill_what_an_entry_does_not_name(revision: project.Revision) -> None:
    entry = revision.catalog.entries["restart"]
    limits = revision.limits(entry, revision.controllers["site"])
    assert (limits.max_age_s, limits.defer_for_s, limits.attempts, limits.cooldown_s, limits.timeout_s) == (
        900,
        7200,
        3,
        600,
        600,
    )
    assert (limits.concurrency_daemon, limits.concurrency_controller, limits.chain_depth, limits.lock_targets) == (
        20,
        10,
        3,
        True,
    )


@pytest.mark.parametrize(("field", "limit", "value"), [
    ("max_age_s", "max_age_s", 0.0), ("defer_for_s", "defer_for_s", 0.0), ("cooldown_s", "cooldown_s", 0.0), ("attempts", "attempts", 1),
    ("timeout_s", "timeout_s", 5.0),
])  # fmt: skip
def test_an_entry_goes_before_the_defaults_also_with_nothing(
    revision: project.Revision, field: str, limit: str, value: Any
) -> None:
    entry = dataclasses.replace(revision.catalog.entries["restart"], **{field: value})
    assert getattr(revision.limits(entry, None), limit) == value


@pytest.mark.parametrize(
    ("own", "controller", "places"), [(None, None, 10), (None, 4, 4), (2, 4, 2), (6, 4, 4), (12, None, 10)]
)
def test_the_smallest_number_of_places_holds(
    revision: project.Revision, own: int | None, controller: int | None, places: int
) -> None:
    entry = dataclasses.replace(revision.catalog.entries["restart"], concurrency=own)
    spec = dataclasses.replace(revision.controllers["site"], concurrency=controller)
    assert revision.limits(entry, spec).concurrency_controller == places


def test_upstream_acts_as_it_acted(revision: project.Revision) -> None:
    limits = revision.upstream_limits("site")
    assert (limits.max_age_s, limits.attempts, limits.cooldown_s, limits.lock_targets) == (None, None, None, False)
    assert (limits.concurrency_daemon, limits.chain_depth) == (20, 10)


@pytest.mark.parametrize(("name", "file"), [
    ("restart.yml", "playbooks/restart.yml"), ("playbooks/restart.yml", "playbooks/restart.yml"), ("./restart.yml", "playbooks/restart.yml"),
    ("gone.yml", None), ("", None), ("../playbooks/restart.yml", None), ("/etc/passwd", None), ("x/../../restart.yml", None),
    ("restart.yml\0", None), ("playbooks/x/../restart.yml", None),
])  # fmt: skip
def test_a_playbook_is_one_of_the_files(revision: project.Revision, name: str, file: str | None) -> None:
    assert revision.playbook(name) == file


def test_a_rule_is_found_by_its_identity(revision: project.Revision) -> None:
    found = revision.find_rule("team/web", "web", "down") or revision.find_rule("web", "web", "down")
    assert found is not None
    assert revision.find_rule("web", "web", "up") is None


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
