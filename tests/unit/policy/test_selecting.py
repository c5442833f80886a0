"""Which runs a policy selects: every key that is given has to hold, of each one word."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.policy.selecting import Select, Traits

TRAITS = Traits(
    environment="prod", rule="eu/disk/is full", actions=("clean_disk",), impact="high", tags=("disk", "linux"), source="am", severity="critical",
    targets=("host:web01", "host:db01"), groups=frozenset({"web", "db"}), labels={"team": "sre", "path": "a[0]"},
)  # fmt: skip


@pytest.mark.parametrize(("asked", "selected"), [
    ({}, True),
    ({"environment": ("prod",)}, True), ({"environment": ("dev", "pro?")}, True), ({"environment": ("dev",)}, False),
    ({"impact": ("medium", "high")}, True), ({"impact": ("low",)}, False),
    ({"actions": ("clean_*",)}, True), ({"actions": ("clean",)}, False), ({"actions": ("CLEAN_DISK",)}, False),
    ({"rulesets": ("disk",)}, True), ({"rulesets": ("eu/disk",)}, True), ({"rulesets": ("eu/*",)}, True), ({"rulesets": ("eu",)}, False),
    ({"rules": ("is full",)}, True), ({"rules": ("disk/is full",)}, True), ({"rules": ("eu/disk/is full",)}, True), ({"rules": ("eu/disk",)}, False),
    ({"sources": ("am",)}, True), ({"sources": ("zabbix",)}, False), ({"severity": ("critical", "error")}, True), ({"severity": ("info",)}, False),
    ({"tags": ("linux",)}, True), ({"tags": ("windows",)}, False),
    ({"targets": ("web01",)}, True), ({"targets": ("host:web01",)}, True), ({"targets": ("web*",)}, True), ({"targets": ("group:db",)}, True),
    ({"targets": ("group:x",)}, False), ({"targets": ("web02", "db01")}, True), ({"targets": ("db",)}, False),
    ({"labels": (("team", "sre"),)}, True), ({"labels": (("team", "s*"), ("gone", ""))}, True), ({"labels": (("team", "dev"),)}, False),
    ({"labels": (("path", "a[0]"),)}, True), ({"labels": (("path", "a0"),)}, False),
    ({"environment": ("prod",), "impact": ("low",)}, False), ({"environment": ("prod",), "impact": ("high",), "tags": ("disk",)}, True),
])  # fmt: skip
def test_what_is_selected(asked: dict[str, Any], selected: bool) -> None:
    assert Select(**asked).selects(TRAITS) is selected


@pytest.mark.parametrize(("asked", "selected"), [
    ({"rulesets": ("web",)}, True), ({"rulesets": ("team/eu/web",)}, True), ({"rulesets": ("eu",)}, False), ({"rulesets": ("team/eu",)}, False),
    ({"rules": ("is/down",)}, True), ({"rules": ("web/is/down",)}, True), ({"rules": ("team/eu/web/is/down",)}, True), ({"rules": ("down",)}, False),
])  # fmt: skip
def test_names_may_have_slashes(asked: dict[str, Any], selected: bool) -> None:
    """A rulebook in a folder makes an activation with one."""
    one = dataclasses.replace(TRAITS, rule="team/eu/web/is/down", names=("team/eu", "web", "is/down"))
    assert Select(**asked).selects(one) is selected


def test_what_has_no_target_is_in_no_group() -> None:
    bare = Traits("prod", "a/b/c", ("x",), "high", (), "am", "unknown", (), frozenset(), {})
    assert Select().selects(bare)
    assert not Select(targets=("*",)).selects(bare)


@pytest.mark.parametrize(("rule", "asked", "selected"), [
    ("a/b/c/d", {"rules": ("c/d",)}, True), ("a/b/c/d", {"rulesets": ("b",)}, True), ("a/b/c/d", {"rules": ("d",)}, False),
    ("a/b", {"rulesets": ("b",)}, True), ("a/b", {"rules": ("",)}, True), ("a", {"rulesets": ("",)}, True), ("a", {"rules": ("a",)}, True),
    ("a", {"rulesets": ("a",)}, False), ("", {"rules": ("x",)}, False),
])  # fmt: skip
def test_a_rule_is_named_by_what_its_name_has(rule: str, asked: dict[str, Any], selected: bool) -> None:
    one = Traits("prod", rule, ("x",), "high", (), "am", "unknown", ("host:a:b",), frozenset(), {})
    assert Select(**asked).selects(one) is selected
    assert Select(targets=("a:b",)).selects(one)


def test_actions_of_ansible_rulebook_are_named_by_their_kind_too() -> None:
    one = Traits(
        "prod", "a/b/c", ("run_playbook", "run_playbook x.yml"), "high", (), "am", "unknown", (), frozenset(), {}
    )
    assert Select(actions=("run_playbook",)).selects(one)
    assert Select(actions=("run_playbook *",)).selects(one)
    assert not Select(actions=("run_module",)).selects(one)


WORDS = st.lists(st.sampled_from(["prod", "dev", "high", "clean_disk", "*", "am", "disk"]), max_size=2).map(tuple)


@hypothesis.given(
    st.dictionaries(st.sampled_from(["environment", "impact", "actions", "tags", "sources"]), WORDS),
    st.sampled_from(["environment", "tags"]),
    WORDS,
)
def test_one_more_key_never_selects_more(asked: dict[str, Any], key: str, words: tuple[str, ...]) -> None:
    fewer = {name: value for name, value in asked.items() if name != key}
    assert not Select(**{**fewer, key: words}).selects(TRAITS) or Select(**fewer).selects(TRAITS)
