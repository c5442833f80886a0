"""A policy that selects by a name that nothing has holds nothing back: that is told, with what may have been meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from healer import project

Write = Callable[[Mapping[str, str | bytes | None]], Any]
HEAD = """\
environment: prod
sources:
  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:TOKEN"}}}}
  plain: {healer.webhook: {path: plain, auth: {none: true}}}
policies:
"""


def warned(write: Write, select: str, **more: str) -> list[tuple[int, int, str, str]]:
    loaded = project.load(write({"healer.yaml": f"{HEAD}- {{name: p, select: {select}, cooldown: 5m}}\n", **more}), {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return [
        (one.place.line, one.place.column, one.message, one.try_)
        for one in loaded.diagnostics
        if one.code == "selects-nothing"
    ]


@pytest.mark.parametrize("select", [
    "{actions: [restart, 'cl*', run_playbook, run_module], rulesets: [web, team/web/web], rules: [down, web/down, team/web/web/down]}",
    "{sources: [am, pl*], targets: [web01, 'host:web0?', 'group:web'], environment: [stage], severity: [info], labels: {x: y}}",
    "{impact: [high]}", "{}",
])  # fmt: skip
def test_what_is_there_is_not_told(write: Write, select: str) -> None:
    assert warned(write, select) == []


@pytest.mark.parametrize(("select", "said", "step"), [
    ("{actions: [restrt]}", "the policy p selects the action 'restrt', and there is none: it holds nothing", "did you mean 'restart'?"),
    ("{rulesets: [team/web]}", "the policy p selects the ruleset 'team/web', and there is none: it holds nothing", "did you mean 'team/web/web'?"),
    ("{rules: [web/web/down]}", "the policy p selects the rule 'web/web/down', and there is none: it holds nothing", "did you mean 'team/web/web/down'?"),
    ("{sources: [zabbix]}", "the policy p selects the source 'zabbix', and there is none: it holds nothing", "there are: am, healer.actions, healer.api, "),
    ("{targets: ['group:db']}", "the policy p selects the target 'group:db', and there is none: it holds nothing", "did you mean 'group:web'?"),
    ("{tags: [linux]}", "the policy p selects the tag 'linux', and there is none: it holds nothing", "there is no tag at all"),
])  # fmt: skip
def test_what_is_not_there_is_told_where_it_stands(write: Write, select: str, said: str, step: str) -> None:
    ((line, column, message, try_),) = warned(write, select)
    assert (line, column) == (6, len("- {name: p, select: ") + select.index("[") + 2)
    assert message == said
    assert try_.startswith(step)


def test_each_word_is_told_by_itself(write: Write) -> None:
    select = "{actions: [restart, gone, lost]}"
    found = [column - len("- {name: p, select: ") - 1 for _, column, _, _ in warned(write, select)]
    assert found == [select.index("gone"), select.index("lost")]


def test_nothing_is_said_of_hosts_where_not_all_are_known(write: Write) -> None:
    """An inventory that a program makes."""
    more = {"inventory/hosts": "plugin: x.y\n", "inventory/more.aws_ec2.yml": "plugin: amazon.aws.aws_ec2\n"}
    assert warned(write, "{targets: [db01]}", **{**more, "inventory/hosts": "[web]\nweb[01:03]\n"}) == []


ROLES = "environment: prod\nsources:\n  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: 'env:TOKEN'}}}}\n" \
    "  plain: {healer.webhook: {path: plain, auth: {none: true}}}\nroles:\n"  # fmt: skip


def test_a_role_for_what_is_not_there_is_told(write: Write) -> None:
    head = "  a: {permissions: [runs.cancel], "
    text = f"{ROLES}{head}rulesets: [team/*, wbe], targets: ['group:web', 'group:db'], actions: [restart, restrt]}}\n"
    loaded = project.load(write({"healer.yaml": text}), {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    told = [one for one in loaded.diagnostics if one.code == "selects-nothing"]
    assert [(one.severity, one.place.line, one.message, one.try_.split(":")[0]) for one in told] == [
        ("warning", 6, f"the role a is for the {noun} {word!r}, and there is none: it grants nothing there", step)
        for noun, word, step in (
            ("ruleset", "wbe", "did you mean 'web'?"), ("target", "group:db", "did you mean 'group"),
            ("action", "restrt", "did you mean 'restart'?"),
        )
    ]  # fmt: skip


def test_a_check_of_what_is_not_there_is_told(write: Write) -> None:
    check = "{name: c, select: {actions: [restart, restrt], impact: [high]}, require: [approval]}"
    text = ROLES.removesuffix("roles:\n") + f"validate: {{checks: [{check}]}}\n"
    loaded = project.load(write({"healer.yaml": text}), {})
    told = [(one.message, one.try_) for one in loaded.diagnostics if one.code == "selects-nothing"]
    assert told == [
        ("the check c is about the action 'restrt', and there is none: it asks nothing", "did you mean 'restart'?")
    ]
