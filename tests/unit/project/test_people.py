"""`roles` and `principals`: what is read of them, and every mistake where it stands."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from healer import access, config, errors
from healer.project import people, settings

GOOD = """\
roles:
  oncall: {permissions: [runs.read, approvals.decide, pause, silences.write], rulesets: ["web/*"], targets: ["group:web"], actions: [restart_service]}
  seller: {permissions: [reload]}
principals:
  ana: {roles: [oncall, approver], slack: "T02AB/U7XYZ", os: ana, git: ana@example.org, email: ana@example.org}
  bo: {os: 'CORP\\bo', git: bo@example.org}
  cy: {roles: []}
"""


def read(text: str, environ: Mapping[str, str] | None = None) -> tuple[settings.Settings, list[errors.Diagnostic]]:
    document = config.read_text(text, "healer.yaml")
    found = settings.read(document, environ or {}, {})
    return found.settings, [*document.diagnostics, *found.diagnostics]


def directory(text: str) -> access.Directory:
    found, told = read(text)
    assert told == []
    return people.directory(found.roles, found.principals)


def test_what_is_written_is_who_there_is() -> None:
    made = directory(GOOD)
    assert made.own == {
        "oncall": access.Role(
            "oncall", frozenset({"runs.read", "approvals.decide", "pause", "silences.write"}),
            access.Scope(("web/*",), ("group:web",), ("restart_service",)),
        ),
        "seller": access.Role("seller", frozenset({"reload"})),
    }  # fmt: skip
    assert made.people == {
        "ana": access.Person("ana", ("oncall", "approver"), "T02AB/U7XYZ", "ana", "ana@example.org", "ana@example.org"),
        "bo": access.Person("bo", (), "", "CORP\\bo", "bo@example.org"),
        "cy": access.Person("cy"),
    }
    assert set(made.roles) == {*access.ROLES, "oncall", "seller"}


def test_without_them_there_is_what_is_built_in() -> None:
    for text in ("", "roles:\nprincipals:\n", "roles: {}\nprincipals: {}\n"):
        assert directory(text) == access.Directory()


def test_settings_with_people_go_to_another_process() -> None:
    found, _ = read(GOOD)
    assert pickle.loads(pickle.dumps(found)) == found


MISTAKES = [
    ("roles:\n  operator: {permissions: [runs.read]}\n", 2, 3, "built-in-role", "the role 'operator' is built in", "another name"),
    ("roles:\n  a: {permissions: [runs.raed]}\n", 2, 21, "unknown-permission", "'runs.raed'", "did you mean 'runs.read'?"),
    ("roles:\n  a: {permissions: [pause, xyz]}\n", 2, 28, "unknown-permission", "'xyz'", "known: events.write, "),
    ("roles:\n  a: {permissions: [reload], rulesets: [web]}\n", 2, 21, "grants-nothing", "it is about the whole daemon", "role of its own"),
    ("roles:\n  a: {permissions: [resume], rulesets: [web], targets: [x]}\n", 2, 21, "grants-nothing", "has rulesets only", ""),
    ("roles:\n  a: {permissions: [pause], targets: [x]}\n", 2, 21, "grants-nothing", "limited to some targets: what it is about has rulesets", ""),
    ("roles:\n  a: {permissions: [breakers.close], rulesets: [x]}\n", 2, 21, "grants-nothing", "has actions only", ""),
    ("roles:\n  a: {permissions: []}\n", 2, 7, "options", "at least 1 item", ""),
    ("roles:\n  a: {permissions: runs.read}\n", 2, 20, "options", "a list is wanted, got 'runs.read'", ""),
    ("roles:\n  a: {rulesets: [web]}\n", 2, 6, "options", "the key 'permissions' is missing", ""),
    ("roles:\n  a: {permissions: [runs.read], ruleset: [web]}\n", 2, 33, "options", "the key 'ruleset' is not known", "did you mean 'rulesets'?"),
    ("roles:\n  a: {permissions: [runs.read], targets: []}\n", 2, 33, "options", "at least 1 item", ""),
    ("roles:\n  a: {permissions: [runs.read], actions: ['']}\n", 2, 43, "options", "at least 1 character", ""),
    ("roles:\n  a b: {permissions: [runs.read]}\n", 2, 3, "options", "a name of letters", ""),
    ("roles: [a]\n", 1, 1, "options", "roles: a mapping is wanted, got a list", ""),
    ("roles:\n  a:\n", 2, 5, "options", "a mapping with permissions", ""),
    ("principals:\n  ana: {roles: [oncall]}\n", 2, 17, "unknown-role", "no role is named 'oncall'", "known: admin, operator"),
    ("principals:\n  ana: {roles: [aprover]}\n", 2, 17, "unknown-role", "'aprover'", "did you mean 'approver'?"),
    ("principals:\n  ana: {roles: approver}\n", 2, 16, "options", "a list is wanted", ""),
    ("principals:\n  ana: {role: [approver]}\n", 2, 9, "options", "the key 'role' is not known here", "did you mean 'roles'?"),
    ("principals:\n  ana: {slack: U7XYZ}\n", 2, 16, "options", "a team and a user of Slack like T02AB/U7XYZ is wanted", ""),
    ("principals:\n  ana: {os: 1000}\n", 2, 13, "options", "the name of a user", "put quotes around it"),
    ("principals:\n  ana: {os: 'a = b'}\n", 2, 13, "options", "the name of a user", ""),
    ("principals:\n  ana: {git: Ana}\n", 2, 14, "options", "an address like ana@example.org is wanted, got 'Ana'", ""),
    ("principals:\n  ana: {email: a@b@c}\n", 2, 16, "options", "an address", ""),
    ("principals:\n  'ana = bo': {}\n", 2, 3, "options", "a name of letters", ""),
    ("principals: ana\n", 1, 13, "options", "a mapping is wanted, got 'ana'", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "code", "said", "step"), MISTAKES)
def test_a_mistake_is_told_where_it_stands(text: str, line: int, column: int, code: str, said: str, step: str) -> None:
    (told,) = read(text)[1]
    assert (told.severity, told.code, told.place.line, told.place.column) == ("error", code, line, column), str(told)
    assert said in told.message
    assert step in told.try_


@pytest.mark.parametrize(("key", "one", "other"), [
    ("os", "ana", "ana"), ("slack", "T02AB/U7XYZ", "T02AB/U7XYZ"), ("git", "ana@example.org", "Ana@Example.org"),
    ("email", "ana@example.org", "ana@example.org"),
])  # fmt: skip
def test_an_identity_is_one_persons(key: str, one: str, other: str) -> None:
    text = f"principals:\n  ana: {{{key}: '{one}'}}\n  bo: {{{key}: '{other}'}}\n  cy: {{{key}: '{one}'}}\n"
    told = read(text)[1]
    assert [(d.code, d.place.line, d.place.column) for d in told] == [
        ("duplicate-identity", line, len(f"  {name}: {{{key}: ") + 1) for line, name in ((3, "bo"), (4, "cy"))
    ]  # fmt: skip
    assert all("is that of 'ana' already" in d.message for d in told)


def test_a_group_of_slack_is_nobodys_own() -> None:
    made = directory(
        "principals:\n  oncall: {roles: [approver], slack_group: T02AB/S1}\n  lead: {roles: [operator], slack_group: T02AB/S1}\n"
        "  far: {roles: [admin], slack_group: T9FAR/S1}\n"
    )
    assert {name: one.slack_group for name, one in made.people.items()} == {
        "oncall": "T02AB/S1", "lead": "T02AB/S1", "far": "T9FAR/S1",
    }  # fmt: skip
    (told,) = read("principals:\n  ana: {slack_group: S1}\n")[1]
    assert "a team and a user group of Slack like T02AB/S0123 is wanted" in str(told)


def test_users_of_a_machine_are_others_in_other_letters() -> None:
    assert directory("principals: {ana: {os: ana}, bo: {os: Ana}}\n").people.keys() == {"ana", "bo"}


def test_all_mistakes_are_told_at_once() -> None:
    text = (
        "roles:\n  admin: {permissions: [nothing]}\n  a: {permissions: [reload], targets: [x], more: 1}\n"
        "principals:\n  ana: {roles: [b], os: ana}\n  bo: {os: ana, git: 5}\n"
    )
    assert sorted((d.place.line, d.code) for d in read(text)[1]) == [
        (2, "built-in-role"), (2, "unknown-permission"), (3, "grants-nothing"), (3, "options"), (5, "unknown-role"),
        (6, "duplicate-identity"), (6, "options"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value", [None, 5, "x", [], ["a"], {"a": None}, {"a": 5}, {"a": {"permissions": 5}}, {"a": {"roles": 5}}]
)
@pytest.mark.parametrize("key", ["roles", "principals"])
def test_junk_is_a_mistake_and_never_more(key: str, value: Any) -> None:
    found, told = read(f"{key}: {config.shown(value) if isinstance(value, str) else value!r}\n".replace("None", "null"))
    assert told == [] or all(one.severity == "error" and one.place.line == 1 for one in told)
    assert getattr(found, key) == {}


@pytest.mark.parametrize("name", ["HEALER_ROLES", "HEALER_PRINCIPALS", "HEALER_PRINCIPALS__ANA__ROLES"])
def test_no_variable_gives_anybody_anything(name: str) -> None:
    found, told = read("", {name: "{}"})
    assert [(d.severity, d.place.file) for d in told] == [("error", name)]
    assert (found.roles, found.principals) == ({}, {})
