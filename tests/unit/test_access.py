"""Permissions, roles and their scopes, people, and what one may of what there is."""

from __future__ import annotations

import itertools
import re

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import access, errors
from healer.access import About, Directory, Person, Principal, Role, Scope

ONCALL = Role(
    "oncall", frozenset({"runs.read", "approvals.decide", "pause", "silences.write"}),
    Scope(("web/*",), ("group:web",), ("restart_service",)),
)  # fmt: skip
WEB1 = ("host:web1", "web1", "group:web")
DB1 = ("host:db1", "db1", "group:db")
HERE = About((("web/alerts", "alerts"),), (WEB1,), (("restart_service",),))


def holder(*roles: Role) -> Principal:
    return Principal("key:x", roles)


def role(*permissions: str, **scope: tuple[str, ...]) -> Role:
    return Role("r", frozenset(permissions), Scope(**scope))


def test_admin_may_everything_and_nobody_nothing() -> None:
    assert access.ROLES["admin"] == set(access.PERMISSIONS)
    assert not access.NOBODY.permissions
    assert not any(access.allows(access.NOBODY, one) for one in access.PERMISSIONS)


@pytest.mark.parametrize("name", sorted(access.ROLES))
def test_a_role_grants_permissions_that_exist(name: str) -> None:
    assert access.ROLES[name] <= set(access.PERMISSIONS)
    assert access.ROLES[name]
    made = Directory().of_key("x", name)
    assert {one for one in access.PERMISSIONS if access.allows(made, one)} == access.ROLES[name] == made.everywhere


@pytest.mark.parametrize("name", ["", "root", "Admin", "admin ", "*"])
def test_an_unknown_role_grants_nothing(name: str) -> None:
    made = Directory().of_key("x", name)
    assert (made.roles, made.permissions, made.everywhere) == ((), frozenset(), frozenset())
    assert not any(access.allows(made, permission) for permission in access.PERMISSIONS)


def test_an_unknown_permission_is_granted_to_nobody() -> None:
    assert not access.allows(holder(role("everything")), "everything")
    assert not any(access.allows(Directory().of_key("x", name), "everything") for name in access.ROLES)


@pytest.mark.parametrize("name", sorted(set(access.ROLES) - {"admin"}))
def test_only_admin_makes_keys_and_chooses_controllers(name: str) -> None:
    assert not access.ROLES[name] & {"keys.admin", "controllers.override"}


@pytest.mark.parametrize("name", ["approver", "readonly", "auditor"])
def test_who_reads_does_not_write(name: str) -> None:
    assert not access.ROLES[name] & {"events.write", "reload"}
    assert "runs.read" in access.ROLES[name]


def test_the_audit_is_read_by_those_it_is_for() -> None:
    assert {name for name in access.ROLES if "audit.read" in access.ROLES[name]} == {"admin", "operator", "auditor"}


def test_each_permission_only_reads_or_is_in_a_scope_or_is_of_the_whole_daemon() -> None:
    whole = {
        "events.read",
        "events.resend",
        "quarantine.decide",
        "reload",
        "keys.admin",
        "notifications.write",
    } - access.READS
    assert set(access.SCOPED) | access.READS | whole == set(access.PERMISSIONS)
    assert not set(access.SCOPED) & access.READS
    assert all(set(kinds) <= set(access.DIMENSIONS) for kinds in access.SCOPED.values())


# --- scopes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "about", "covered"), [
    (Scope(), access.EVERYTHING, True),
    (Scope(), HERE, True),
    (Scope(rulesets=("web/*",)), HERE, True),
    (Scope(rulesets=("alerts",)), HERE, True),
    (Scope(rulesets=("db/*", "web/al?rts")), HERE, True),
    (Scope(rulesets=("db/*",)), HERE, False),
    (Scope(rulesets=("WEB/*",)), HERE, False),
    (Scope(rulesets=("web/[a]lerts",)), HERE, False),
    (Scope(targets=("group:web",)), HERE, True),
    (Scope(targets=("web?",)), HERE, True),
    (Scope(targets=("host:web*",)), HERE, True),
    (Scope(targets=("group:db",)), HERE, False),
    (Scope(actions=("restart_*",)), HERE, True),
    (Scope(actions=("clean_disk",)), HERE, False),
    (ONCALL.scope, HERE, True),
    (ONCALL.scope, About(HERE.rulesets, (WEB1, DB1), HERE.actions), False),
    (Scope(targets=("group:web", "db1")), About(HERE.rulesets, (WEB1, DB1), HERE.actions), True),
    (Scope(targets=("group:web",)), About(HERE.rulesets, (), HERE.actions), False),
    (Scope(rulesets=("web/*",)), About(HERE.rulesets, (), HERE.actions), True),
    (Scope(targets=("*",)), About(HERE.rulesets, None, HERE.actions), False),
    (Scope(rulesets=("*",)), access.EVERYTHING, False),
])  # fmt: skip
def test_what_a_scope_covers(scope: Scope, about: About, covered: bool) -> None:
    assert scope.covers(about) is covered


@pytest.mark.parametrize(("scope", "about", "covered"), [
    (ONCALL.scope, About(HERE.rulesets, stops=True), True),
    (ONCALL.scope, About(HERE.rulesets), False),
    (Scope(rulesets=("db/*",)), About(HERE.rulesets, stops=True), False),
    (Scope(targets=("group:web",)), About(HERE.rulesets, stops=True), False),
    (ONCALL.scope, About(stops=True), False),
    (Scope(), About(stops=True), True),
    (Scope(rulesets=("web/*",)), About((("web/a", "a"), ("db/b", "b")), stops=True), False),
])  # fmt: skip
def test_what_only_stops_things_goes_by_what_it_names(scope: Scope, about: About, covered: bool) -> None:
    assert scope.covers(about) is covered


names = st.sampled_from(["web/a", "web/b", "db/a", "x"])
things = st.none() | st.lists(st.tuples(names), max_size=3).map(tuple)
patterns = st.lists(st.sampled_from(["*", "web/*", "db/?", "x"]), max_size=2).map(tuple)
abouts = st.builds(About, things, things, things, st.booleans())
scopes = st.builds(Scope, patterns, patterns, patterns)


@hypothesis.given(scopes, abouts)
def test_a_narrower_scope_never_covers_more(scope: Scope, about: About) -> None:
    for kind in scope.limited:
        wider = Scope(**{one: getattr(scope, one) for one in scope.limited if one != kind})
        strict = About(about.rulesets, about.targets, about.actions)
        assert wider.covers(strict) or not scope.covers(strict)
    if scope.covers(access.EVERYTHING):
        assert scope.covers(about)


@hypothesis.given(scopes, abouts, st.sampled_from(access.DIMENSIONS), names)
def test_what_is_about_more_is_never_allowed_where_less_is_not(
    scope: Scope, about: About, kind: str, name: str
) -> None:
    parts = {one: getattr(about, one) for one in access.DIMENSIONS}
    if parts[kind]:
        more = About(**{**parts, kind: (*parts[kind], (name,))}, stops=about.stops)
        assert scope.covers(about) or not scope.covers(more)


def test_each_role_grants_within_its_own_scope_only() -> None:
    web = Role("web", frozenset({"runs.cancel"}), Scope(rulesets=("web/*",)))
    db = Role("db", frozenset({"runs.resolve"}), Scope(rulesets=("db/*",)))
    both = holder(web, db)
    there = About((("db/alerts", "alerts"),), (DB1,), HERE.actions)
    assert [access.allows(both, one, about) for one in ("runs.cancel", "runs.resolve") for about in (HERE, there)] == [
        True, False, False, True,
    ]  # fmt: skip
    across = About((*HERE.rulesets, *there.rulesets), (), ())  # type: ignore[misc]
    assert not access.allows(holder(web, Role("db", web.permissions, db.scope)), "runs.cancel", across)
    assert (access.roles_for(both, HERE), access.roles_for(both, there)) == (("web",), ("db",))


def test_the_sum_of_roles_is_what_each_grants() -> None:
    pair = (ONCALL, access.BUILT_IN["ci"])
    both = holder(*pair)
    assert both.permissions == ONCALL.permissions | access.ROLES["ci"]
    assert both.everywhere == {"runs.read"} | access.ROLES["ci"]
    for permission, about in itertools.product(access.PERMISSIONS, (HERE, access.EVERYTHING)):
        assert access.allows(both, permission, about) == any(
            access.allows(holder(one), permission, about) for one in pair
        )


def test_what_only_shows_something_is_not_limited() -> None:
    assert access.allows(holder(ONCALL), "runs.read")
    assert not access.allows(holder(ONCALL), "approvals.decide")
    assert access.allows(holder(ONCALL), "approvals.decide", HERE)


@pytest.mark.parametrize(("permission", "limits", "suits"), [
    ("runs.read", {"targets"}, True), ("reload", set(), True), ("reload", {"rulesets"}, False), ("keys.admin", {"actions"}, False),
    ("pause", {"rulesets", "targets"}, True), ("pause", {"targets"}, False), ("resume", {"rulesets"}, True),
    ("resume", {"rulesets", "targets"}, False), ("breakers.close", {"actions"}, True), ("breakers.close", {"actions", "rulesets"}, False),
    ("approvals.decide", {"rulesets", "targets", "actions"}, True), ("events.resend", {"rulesets"}, False),
])  # fmt: skip
def test_a_permission_suits_a_scope_where_a_request_can_lie_within(
    permission: str, limits: set[str], suits: bool
) -> None:
    assert Scope(**dict.fromkeys(limits, ("*",))).suits(permission) is suits


# --- refusals -------------------------------------------------------------------------------------------------------------


def test_a_refusal_names_the_permission_and_the_scope() -> None:
    with pytest.raises(
        errors.Forbidden, match=re.escape("key:x may not do this; it needs the permission reload")
    ) as caught:
        access.demand(holder(ONCALL), "reload", HERE)
    assert caught.value.code == "forbidden"
    about = About((("db/alerts", "alerts"),), (DB1, WEB1), None)
    with pytest.raises(access.OutOfScope) as caught:
        access.demand(holder(ONCALL, role("pause", rulesets=("x",))), "approvals.decide", about)
    assert (caught.value.code, caught.value.status) == ("forbidden", 403)
    assert caught.value.message == (
        "key:x has the permission approvals.decide only for rulesets web/*, targets group:web, actions restart_service, and this is about "
        "the ruleset db/alerts, the targets host:db1, host:web1, any action"
    )
    access.demand(holder(ONCALL), "approvals.decide", HERE)


def test_of_many_things_a_refusal_names_some() -> None:
    said = str(About(tuple((f"r{number}",) for number in range(9)), (), None))
    assert said == "the rulesets r0, r1, r2, r3, r4 …, no target, any action"


# --- people ---------------------------------------------------------------------------------------------------------------

ANA = Person("ana", ("oncall", "gone"), slack="T02AB/U7XYZ", os="ameier", git="ana@example.org")
PEOPLE = Directory({"oncall": ONCALL}, {"ana": ANA, "bo": Person("bo", (), os="bo")})


def test_a_key_of_somebody_is_theirs() -> None:
    key = PEOPLE.of_key("laptop", "approver", "ana")
    assert (key.actor, key.name, key.person) == ("key:laptop = ana", "ana", "ana")
    assert key.permissions == access.ROLES["approver"]
    assert key.identities == {
        "key:laptop = ana", "ana", "os:ameier", "slack:T02AB/U7XYZ", "git:ana@example.org",
    }  # fmt: skip
    shell = PEOPLE.of_user("ameier", local=False)
    assert shell is not None
    assert (shell.actor, shell.person) == ("os:ameier = ana", "ana")


def test_a_key_without_a_role_has_those_of_its_person() -> None:
    assert PEOPLE.of_key("laptop", "", "ana").roles == (ONCALL,)
    assert PEOPLE.of_key("laptop", "").roles == ()


def test_a_key_of_somebody_who_is_gone_grants_nothing() -> None:
    made = PEOPLE.of_key("laptop", "admin", "cy")
    assert (made.actor, made.name, made.permissions) == ("key:laptop = cy", "cy", frozenset())


def test_a_key_of_nobody_is_its_own() -> None:
    made = PEOPLE.of_key("ci", "ci")
    assert (made.actor, made.name, made.person, made.identities) == ("key:ci", "", "key:ci", {"key:ci"})


def test_somebody_who_is_known_by_name() -> None:
    ana = PEOPLE.of_person("link:0a1b2c3d4e", "ana")
    assert ana is not None
    assert (ana.actor, ana.person, ana.roles) == ("link:0a1b2c3d4e = ana", "ana", (ONCALL,))
    assert {"os:ameier", "slack:T02AB/U7XYZ", "ana"} <= ana.identities
    assert PEOPLE.of_person("link:0a1b2c3d4e", "cy") is None


def test_users_of_this_host() -> None:
    assert PEOPLE.of_user("mallory", local=False) is None
    root = PEOPLE.of_user("root", local=True)
    assert root is not None
    assert (root.actor, root.name, root.everywhere) == ("os:root", "", set(access.PERMISSIONS))
    own = PEOPLE.of_user("ameier", local=True)
    assert own is not None
    assert [one.name for one in own.roles] == ["admin", "oncall"]
    assert (own.actor, own.person) == ("os:ameier = ana", "ana")
    nobody = PEOPLE.of_user("bo", local=False)
    assert nobody is not None
    assert nobody.permissions == frozenset()


def test_somebody_in_slack() -> None:
    """A person, a member of groups, both, or nobody."""
    made = Directory(
        {"oncall": Role("oncall", frozenset({"runs.read"}))},
        {
            "ana": Person("ana", ("readonly",), slack="T1/U1", os="ana"), "group": Person("group", ("oncall",), slack_group="T1/S1"),
            "other": Person("other", ("approver", "oncall"), slack_group="T1/S2"), "far": Person("far", ("admin",), slack_group="T2/S1"),
        },
    )  # fmt: skip
    assert (made.slack_groups("T1"), made.slack_groups("T2"), made.slack_groups("T3")) == (("S1", "S2"), ("S1",), ())

    def who(user: str, *groups: str, team: str = "T1") -> tuple[str, str, list[str]] | None:
        found = made.of_slack(team, user, groups)
        return None if found is None else (found.actor, found.person, [one.name for one in found.roles])

    assert who("U1") == ("slack:T1/U1 = ana", "ana", ["readonly"])
    assert who("U1", "S1", "S2") == ("slack:T1/U1 = ana", "ana", ["readonly", "oncall", "approver"])
    assert who("U9", "S1") == ("slack:T1/U9", "slack:T1/U9", ["oncall"])
    assert who("U9") is None
    assert who("U1", team="T2") is None
    assert who("U9", "S9") is None
    found = made.of_slack("T1", "U1", ())
    assert found is not None
    assert "os:ana" in found.identities
    assert made.as_json()["principals"]["group"] == {"roles": ["oncall"], "slack_group": "T1/S1"}


def test_a_built_in_role_is_never_another() -> None:
    made = Directory({"readonly": Role("readonly", frozenset(access.PERMISSIONS))})
    assert made.of_key("x", "readonly").permissions == access.ROLES["readonly"]


# --- what changed ---------------------------------------------------------------------------------------------------------


def test_nothing_changed() -> None:
    assert access.difference(PEOPLE.as_json(), PEOPLE.as_json()) == {}
    assert access.difference({}, Directory().as_json()) == {}


def test_who_was_given_and_lost_what() -> None:
    after = Directory(
        {"oncall": Role("oncall", frozenset({"runs.read", "resume"}), Scope(("web/*", "db/*"))), "new": role("reload")},
        {"ana": Person("ana", ("oncall", "approver"), os="ana"), "cy": Person("cy", ("new",))},
    )
    assert access.difference(PEOPLE.as_json(), after.as_json()) == {
        "roles": {
            "oncall": {
                "given": ["resume"], "taken": ["approvals.decide", "pause", "silences.write"],
                "rulesets": {"before": ["web/*"], "after": ["web/*", "db/*"]}, "targets": {"before": ["group:web"], "after": None},
                "actions": {"before": ["restart_service"], "after": None},
            },
            "new": {"added": True, "given": ["reload"]},
        },
        "principals": {
            "ana": {
                "given": ["approver"], "taken": ["gone"], "os": {"before": "ameier", "after": "ana"},
                "slack": {"before": "T02AB/U7XYZ", "after": None}, "git": {"before": "ana@example.org", "after": None},
            },
            "bo": {"removed": True, "os": {"before": "bo", "after": None}},
            "cy": {"added": True, "given": ["new"]},
        },
    }  # fmt: skip


def test_the_table_has_each_permission_and_role() -> None:
    head, _, *rows = access.describe().splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["Permission", "What", "Scope", *access.ROLES]
    for row, (permission, what) in zip(rows, access.PERMISSIONS.items(), strict=True):
        named, said, limits, *has = (cell.strip() for cell in row.strip("|").split("|"))
        assert (named, said) == (f"`{permission}`", what)
        assert [bool(cell) for cell in has] == [permission in access.ROLES[name] for name in access.ROLES]
        assert limits == {True: "not limited"}.get(
            permission in access.READS, ", ".join(access.SCOPED.get(permission, ("the whole daemon",)))
        )
