"""`gather_facts`: a ruleset of ours for those that ask and those after them, where somebody can gather."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping

import pytest

from healer import project
from healer.project import gathering

RULESET = "- {name: %s, hosts: all, gather_facts: %s, sources: [], rules: [{name: r, condition: fact.os == 1, action: {none: {}}}]}\n"
BOOK = "".join(RULESET % one for one in [("a", "false"), ("b", "true"), ("c", "false")])

Write = Callable[[Mapping[str, str | bytes | None]], pathlib.Path]


def load(write: Write, files: Mapping[str, str | bytes | None]) -> project.Loaded:
    return project.load(write({"rulebooks/team/web.yml": None, "rulebooks/x.yml": BOOK, **files}), {})


def test_those_after_the_first_that_asks_get_them(write: Write) -> None:
    revision = load(write, {}).revision
    assert revision is not None
    (activation,) = [one for one in revision.activations if one.name == "x"]
    assert activation.gathering is not None
    (action,) = activation.gathering.rules[0].actions
    assert (action.name, action.args["name"], action.args[gathering.GATHERED_FOR]) == (
        "run_module",
        "ansible.builtin.setup",
        ["b", "c"],
    )
    assert [ruleset.name for one, ruleset in revision.rulesets() if one.name == "x"] == [
        "a",
        "b",
        "c",
        gathering.RULESET,
    ]
    (gathers,) = [one for activation, one in revision.rulesets() if one.name == gathering.RULESET]
    assert [rule.name for rule in gathers.rules] == ["gather"]


def test_without_anyone_who_asks_there_is_none(write: Write) -> None:
    revision = load(write, {"rulebooks/x.yml": RULESET % ("a", "false")}).revision
    assert revision is not None
    assert {one.gathering for one in revision.activations} == {None}


@pytest.mark.parametrize(
    "controllers", ["controllers: {here: {type: local}}\n", "controllers: {site: {type: ansible, inventory: none}}\n"]
)
def test_without_hosts_or_ansible_it_is_told_and_nothing_is_gathered(write: Write, controllers: str) -> None:
    files: dict[str, str | bytes | None] = {
        "controllers.yaml": controllers, "none/hosts": "", "actions.yaml": "{}\n", "scripts/clean.meta.yml": None,
    }  # fmt: skip
    loaded = load(write, files)
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    assert {one.gathering for one in loaded.revision.activations} == {None}
    (told,) = [one for one in loaded.diagnostics if one.code == "gather-facts"]
    assert (told.severity, told.place.file, told.place.line) == ("warning", "rulebooks/x.yml", 2)


@pytest.mark.parametrize("gathers", ["true", "false"])
@pytest.mark.parametrize("name", ["(gather_facts)", "' (gather_facts) '", "x/(gather_facts)"])
def test_the_name_of_our_ruleset_is_reserved(write: Write, name: str, gathers: str) -> None:
    loaded = load(write, {"rulebooks/x.yml": RULESET % ("a", "true") + RULESET % (name, gathers)})
    (told,) = [one for one in loaded.diagnostics if one.severity == "error"]
    assert (str(told.place), told.code) == ("rulebooks/x.yml:2:10", "reserved-name")
    assert told.message == f"{name.strip(chr(39)).strip()!r} is the name of the ruleset that gather_facts: makes"
    assert told.try_ == "another name for the ruleset"


def test_no_written_rule_is_named_like_ours(write: Write) -> None:
    other = (RULESET % ("q", "false")).replace("name: r,", "name: (gather_facts)/gather,")
    loaded = load(
        write, {"rulebooks/x.yml": None, "rulebooks/p.yml": other, "rulebooks/p/q.yml": RULESET % ("a", "true")}
    )
    (told,) = [one for one in loaded.diagnostics if one.severity == "error"]
    assert (told.code, told.message) == (
        "duplicate-name", "'p/q/(gather_facts)/gather' is the name of another rule already (rulebooks/p.yml:1:74)"
    )  # fmt: skip
    assert str(told.place) == "rulebooks/p/q.yml:1:3"
