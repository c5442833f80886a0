"""Approvals that name roles that nobody can have, or more people than there are: told in each file, where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from healer import project

ROLES = "roles: {oncall: {permissions: [approvals.decide]}}\n"
PEOPLE = "principals: {ana: {roles: [oncall]}, bo: {roles: [approver]}, cy: {roles: [approver, oncall]}, di: {}}\n"
SOURCES = "sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {none: true}}}}\n"


def asking(*roles: str, approve: str = "1") -> str:
    return f"{{any: [{{name: people, roles: [{', '.join(roles)}], approve: {approve}}}]}}"


def book(ruleset: str = "{}", rule: str = "{}") -> str:
    return f"""\
- name: web
  hosts: all
  sources: [{{healer.source: {{name: am}}}}]
  policy: {ruleset}
  rules:
    - name: down
      condition: event.alert.name == "Down"
      policy: {rule}
      action: {{run_action: {{name: restart, target: web01, parameters: {{service: nginx}}}}}}
"""


WRONG = [
    ("a policy", {"healer.yaml": SOURCES + ROLES + f"policies: [{{name: p, approval: {asking('oncall', '⟦onclal')}}}]\n"}),
    ("the defaults", {"healer.yaml": SOURCES + f"defaults: {{run_action: {{approval: {asking('⟦oncall')}}}}}\n"}),
    ("an action", {"actions.yaml": f"actions:\n  restart: {{playbook: restart.yml, impact: low, parameters: {{service: {{}}}}, approval: {asking('⟦admn')}}}\n"}),
    ("what stands beside a file", {"scripts/clean.meta.yml": f"controller: here\nimpact: low\napproval: {asking('approver', '⟦boss')}\n"}),
    ("a ruleset and a rule", {"rulebooks/team/web.yml": book(f"{{approval: {asking('⟦x')}}}", f"{{approval: {asking('⟦y', '⟦z')}}}")}),
]  # fmt: skip


@pytest.mark.parametrize("changes", [case[1] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_role_that_is_not_there_is_told_where_it_stands(changes: dict[str, str], told: Any, marked: Any) -> None:
    wanted = [(place, "unknown-role") for place in marked(changes)]
    assert wanted
    assert told({"healer.yaml": SOURCES, **changes}) == sorted(wanted)


def test_the_nearest_role_is_named(write: Any) -> None:
    loaded = project.load(write(dict(WRONG)["a policy"]), {})
    (found,) = [one for one in loaded.diagnostics if one.severity == "error"]
    assert (found.message, found.try_) == ("no role is named 'onclal'", "did you mean 'oncall'?")
    loaded = project.load(write(dict(WRONG)["the defaults"]), {})
    (found,) = [one for one in loaded.diagnostics if one.severity == "error"]
    assert found.try_ == "known: admin, operator, approver, readonly, auditor, ci"


def test_a_role_that_a_variable_names_is_told_by_the_variable(write: Any) -> None:
    name = "HEALER_DEFAULTS__RUN_ACTION__APPROVAL"
    loaded = project.load(write({"healer.yaml": SOURCES + ROLES}), {name: asking("oncall", "boss")})
    assert [(one.code, one.place.file) for one in loaded.diagnostics if one.severity == "error"] == [
        ("unknown-role", name)
    ]


THEN = "{any: [{name: one, roles: [approver]}], then: ⟦restrat}"


@pytest.mark.parametrize("changes", [
    {"healer.yaml": SOURCES + f"policies: [{{name: p, approval: {THEN}}}]\n"}, {"rulebooks/team/web.yml": book(f"{{approval: {THEN}}}")},
    {"scripts/clean.meta.yml": f"controller: here\nimpact: low\napproval: {THEN}\n"},
])  # fmt: skip
def test_an_action_that_is_not_there_cannot_follow(changes: dict[str, str], told: Any, marked: Any, write: Any) -> None:
    assert told({"healer.yaml": SOURCES, **changes}) == [(place, "unknown-action") for place in marked(changes)]
    (found,) = [
        one
        for one in project.load(write({"healer.yaml": SOURCES, **changes}), {}).diagnostics
        if one.severity == "error"
    ]
    assert (found.message, found.try_) == ("then: no action is named 'restrat'", "did you mean 'restart'?")


@pytest.mark.parametrize(("more", "fine"), [("", False), (", default: nginx", True)])
def test_what_is_tried_in_peoples_place_is_given_no_parameters(
    more: str, fine: bool, told: Any, marked: Any, write: Any
) -> None:
    changes = {
        "healer.yaml": SOURCES + f"policies: [{{name: p, approval: {THEN.replace('restrat', 'mend')}}}]\n",
        "actions.yaml": "actions:\n  restart: {playbook: restart.yml, impact: low, parameters: {service: {}}}\n"
        f"  mend: {{playbook: restart.yml, impact: low, parameters: {{service: {{type: string{more}}}}}, required: [service]}}\n",
    }
    wanted = [] if fine else [(place, "then-needs-parameters") for place in marked(changes)]
    assert told(changes) == wanted


def test_an_action_that_a_variable_names_is_told_by_the_variable(write: Any) -> None:
    name = "HEALER_DEFAULTS__RUN_ACTION__APPROVAL"
    loaded = project.load(write({"healer.yaml": SOURCES}), {name: THEN.replace("⟦", "")})
    assert [(one.code, one.place.file) for one in loaded.diagnostics if one.severity == "error"] == [
        ("unknown-action", name)
    ]


@pytest.mark.parametrize(("people", "approval", "warned"), [
    (PEOPLE, asking("oncall", approve="2"), False), (PEOPLE, asking("oncall", approve="⟦3"), True),
    (PEOPLE, asking("oncall", "approver", approve="3"), False), (PEOPLE, asking("oncall", "approver", approve="⟦4"), True),
    (PEOPLE, asking("ci", approve="⟦1"), True), ("", asking("oncall", approve="9"), False),
    (PEOPLE, "{any: [{name: people, roles: ⟦[ci]}]}", True), (PEOPLE, "none", False),
])  # fmt: skip
def test_more_people_than_there_are_is_a_warning(
    people: str, approval: str, warned: bool, told: Any, marked: Any
) -> None:
    changes = {"healer.yaml": SOURCES + ROLES + people + f"policies: [{{name: p, approval: {approval}}}]\n"}
    assert told(changes) == ([(place, "too-few-approvers") for place in marked(changes)] if warned else [])
    assert bool(marked(changes)) == warned


MIXED = (
    "roles: {oncall: {permissions: [approvals.decide]}, watch: {permissions: [pause]}}\n"
    "principals: {ana: {roles: [watch]}, bo: {roles: [watch, oncall]}, cy: {roles: [watch, readonly]}, di: {roles: [watch, admin]}}\n"
)


@pytest.mark.parametrize(("approval", "warned"), [
    (asking("watch", approve="2"), False), (asking("watch", approve="⟦3"), True), (asking("readonly", approve="⟦1"), True),
    (asking("watch", "readonly", approve="2"), False), (asking("admin", "oncall", approve="2"), False),
])  # fmt: skip
def test_who_may_not_decide_is_none_of_them(approval: str, warned: bool, told: Any, marked: Any) -> None:
    """Whichever role lets somebody decide: it need not be the one that counts."""
    changes = {"healer.yaml": SOURCES + MIXED + f"policies: [{{name: p, approval: {approval}}}]\n"}
    assert told(changes) == ([(place, "too-few-approvers") for place in marked(changes)] if warned else [])


@pytest.mark.parametrize(("approval", "said"), [
    (asking("watch", approve="3"), "3 of the role watch are wanted, and only bo, di have one and may decide"),
    (asking("readonly"), "1 of the role readonly are wanted, and nobody of principals has one and may decide"),
])  # fmt: skip
def test_the_warning_says_that_somebody_may_not_decide(write: Any, approval: str, said: str) -> None:
    settings = SOURCES + MIXED + f"policies: [{{name: p, approval: {approval}}}]\n"
    (found,) = [
        one for one in project.load(write({"healer.yaml": settings}), {}).diagnostics if one.severity == "warning"
    ]
    assert found.message == f"{said}: nothing would ever be approved by this"
    assert found.try_ == "give more people of principals such a role, and the permission approvals.decide"


def test_the_warning_says_who_there_is(write: Any) -> None:
    settings = SOURCES + ROLES + PEOPLE + f"policies: [{{name: p, approval: {asking('oncall', approve='3')}}}]\n"
    (found,) = [
        one.message
        for one in project.load(write({"healer.yaml": settings}), {}).diagnostics
        if one.severity == "warning"
    ]
    assert found == "3 of the role oncall are wanted, and only ana, cy have one: nothing would ever be approved by this"
