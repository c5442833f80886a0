"""What Ansible lists is laid over a revision's inventories: names, groups, sizes and machines are looked up in it, and its id stays."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from healer import inventory, model, project

DYNAMIC = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def revision(write: Any) -> project.Revision:
    root: pathlib.Path = write(
        {
            "controllers.yaml": "controllers:\n  site: {type: ansible, inventory: inventory, run_on: 'far:b1'}\n"
            "  far: {type: ssh, inventory: bastions}\n  other: {type: ansible, inventory: static}\n  here: {type: local, inventory: static}\ndefault: site\n",
            "inventory/dyn.sh": DYNAMIC, "bastions/dyn.sh": DYNAMIC, "static": "[web]\nweb09\n",
        }
    )  # fmt: skip
    loaded = project.load(root, {})
    assert loaded.revision is not None, loaded.diagnostics
    return loaded.revision


def of(*names: str, group: str = "dyn") -> inventory.Inventory:
    hosts = {name: inventory.Host(name, f"{name}.example.org", 22, (group,)) for name in names}
    return inventory.Inventory(hosts, {group: names}, partial=True, dynamic=True)


def test_a_host_that_was_found_is_a_target_until_another_list_takes_its_place(revision: project.Revision) -> None:
    assert isinstance(revision.resolve_target("site", "dyn1"), inventory.Refusal)
    under, before = revision.under("inventory"), revision.id
    revision.found.take("inventory", project.Said(1, 1, 2), of("dyn1", "dyn2"))
    assert str(revision.resolve_target("site", "DYN1.example.org")) == "host:dyn1"
    assert revision.sizes("site", ["dyn", "web"]) == {"dyn": 2}
    assert [str(one) for one in revision.expand_hosts("site", ["dyn"])[0]] == ["host:dyn1", "host:dyn2"]
    assert [str(one) for one in revision.expand_pattern("site", "dyn*")[0]] == ["host:dyn1", "host:dyn2"]
    assert isinstance(under.resolve_target("other", "dyn1"), model.Target), "an activation sees it too"
    assert isinstance(revision.resolve_target("other", "dyn1"), inventory.Refusal)
    nearest = revision.resolve_target("site", "dyn3")
    assert isinstance(nearest, inventory.Refusal)
    assert "dyn" in nearest.nearest
    held = revision.hosts("site")
    revision.found.take("inventory", project.Said(2, 2, 1), of("dyn3"))
    assert isinstance(revision.resolve_target("site", "dyn1"), inventory.Refusal)
    assert [*held.hosts] == ["dyn1", "dyn2"], "what somebody holds is not changed under him"
    revision.found.take("inventory", project.Said(3, 2, 1, error="gone"))
    assert str(revision.resolve_target("site", "dyn3")) == "host:dyn3"
    assert revision.id == before
    assert "site" in revision.beyond_local()


def test_a_machine_is_looked_up_in_it(revision: project.Revision) -> None:
    assert revision.machine("far:b1")[1].address == "b1"
    revision.found.take("bastions", project.Said(1, 1, 1), of("b1"))
    assert revision.machine("far:b1")[1] == model.Target("host", "b1", "b1", "b1.example.org", ("dyn",), port=22)
    assert revision.machine("far:not-listed")[1].address == "not-listed", "as before: Ansible may find it tomorrow"


def test_those_are_asked_for_that_somebody_uses_and_no_file_tells(revision: project.Revision) -> None:
    assert [*project.dynamic(revision)] == ["inventory", "bastions"]
    fewer = dataclasses.replace(revision, controllers={"other": revision.controllers["other"]})
    assert [*project.dynamic(fewer)] == []
    activation = dataclasses.replace(revision.activations[0], inventory="bastions")
    assert [*project.dynamic(dataclasses.replace(fewer, activations=(activation,)))] == ["bastions"]


def test_another_revision_inherits_what_is_still_asked_for(revision: project.Revision) -> None:
    old = project.Found()
    old.take("inventory", project.Said(1, 1, 1, mark="m"), of("dyn1"))
    old.take("gone", project.Said(1, 1, 1), of("x"))
    revision.found.inherit(old, revision)
    assert [*revision.found.inventories] == [*revision.found.said] == ["inventory"]
    assert revision.said("inventory") == project.Said(1, 1, 1, mark="m")
    revision.found.take("inventory", project.Said(2), of("dyn2"))
    assert [*old.inventories["inventory"].hosts] == ["dyn1"]
