"""`roles` and `principals` of `healer.yaml`: who may what beside the built-in roles, and who somebody is over shell, API, Slack and Git.

Caller: `settings`, which reads them; the daemon makes a directory of what was read (`directory`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import access, config, errors, plugins, wording

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
Name = Annotated[
    str,
    pydantic.StringConstraints(pattern=rf"^{NAME}$"),
    plugins.Wanted("a name of letters, digits and _ . - (at most 64, at first a letter or digit)"),
]
Patterns = Annotated[
    list[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=300)]],
    pydantic.Field(min_length=1, max_length=500),
]
Permission = Annotated[str, pydantic.Field(json_schema_extra={"enum": list(access.PERMISSIONS)})]
Address = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^\s@]{1,64}@[^\s@]{1,255}$"),
    plugins.Wanted("an address like ana@example.org"),
]


class Role(plugins.Options):
    """What somebody may; with any of `rulesets`, `targets`, `actions` only for these. `*` and `?` make patterns."""

    permissions: Annotated[list[Permission], pydantic.Field(min_length=1, max_length=100)] = pydantic.Field(
        description="what it may, see docs/access.md"
    )
    rulesets: Patterns = pydantic.Field(default=[], description="by name, or activation/ruleset")
    targets: Patterns = pydantic.Field(default=[], description="like web01, host:web*, group:web")
    actions: Patterns = pydantic.Field(default=[], description="by name; run_playbook for ansible-rulebook's own")

    def scope(self) -> access.Scope:
        """For what it holds."""
        return access.Scope(**{kind: tuple(getattr(self, kind)) for kind in access.DIMENSIONS})


class Person(plugins.Options):
    """Somebody, with what they are known by elsewhere."""

    roles: Annotated[list[Name], pydantic.Field(max_length=100)] = pydantic.Field(
        default=[], description="built-in ones, or those of roles; what all of them grant"
    )
    slack: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^[TE][A-Z0-9]{1,30}/[UW][A-Z0-9]{1,30}$"),
        plugins.Wanted("a team and a user of Slack like T02AB/U7XYZ"),
    ] | None = pydantic.Field(None, description="team and user, like T02AB/U7XYZ")  # fmt: skip
    os: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,254}\$?$"),
        plugins.Wanted("the name of a user of this machine"),
    ] | None = pydantic.Field(None, description="a user of this machine, for the control socket")  # fmt: skip
    slack_group: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^[TE][A-Z0-9]{1,30}/S[A-Z0-9]{1,30}$"),
        plugins.Wanted("a team and a user group of Slack like T02AB/S0123"),
    ] | None = pydantic.Field(None, description="whoever is in this user group has these roles, each as a person of their own")  # fmt: skip
    git: Address | None = pydantic.Field(None, description="the author of commits")
    email: Address | None = pydantic.Field(None, description="for messages")


Roles = Annotated[
    dict[Name, Role],
    pydantic.Field(max_length=500, json_schema_extra={"propertyNames": {"not": {"enum": list(access.ROLES)}}}),
]
Principals = Annotated[dict[Name, Person], pydantic.Field(max_length=10_000)]


def directory(roles: Mapping[str, Role], principals: Mapping[str, Person]) -> access.Directory:
    """What was read, as `access` has it."""
    own = {name: access.Role(name, frozenset(one.permissions), one.scope()) for name, one in roles.items()}
    people = {
        name: access.Person(
            name, tuple(one.roles), **{key: getattr(one, key) or "" for key in (*access.IDENTITIES, "slack_group")}
        )
        for name, one in principals.items()
    }
    return access.Directory(own, people)


def check(document: config.Document, value: config.Map) -> None:
    """Tell what no shape says: names that mean nothing, what a role could never grant, two people with one identity."""
    roles, people = value.get("roles"), value.get("principals")
    own = roles if isinstance(roles, config.Map) else config.Map((0, 0, 0))
    for name, role in own.items():
        if name in access.ROLES:
            message = f"the role {wording.shown(name)} is built in and stays what it is"
            document.error("built-in-role", message, own.keys_at.get(name), "give yours another name")
        if isinstance(role, config.Map):
            _check_role(document, name, role)
    seen: dict[tuple[str, str], str] = {}
    for name, person in people.items() if isinstance(people, config.Map) else ():
        if isinstance(person, config.Map):
            _check_roles_of(document, person, [*access.ROLES, *map(str, own)])
            _check_identities(document, str(name), person, seen)


def _check_role(document: config.Document, name: object, role: config.Map) -> None:
    limited = [kind for kind in access.DIMENSIONS if role.get(kind)]
    scope = access.Scope(**dict.fromkeys(limited, ("*",)))
    for permission, at in _texts(role.get("permissions")):
        if permission not in access.PERMISSIONS:
            near = errors.nearest(permission, access.PERMISSIONS) or f"known: {', '.join(access.PERMISSIONS)}"
            document.error("unknown-permission", f"there is no permission {wording.shown(permission)}", at, near)
        elif not scope.suits(permission):
            named = access.SCOPED.get(permission)
            what = f"what it is about has {' and '.join(named)} only" if named else "it is about the whole daemon"
            bounds = f"limited to some {' and '.join(limited)}"
            message = f"{permission} would grant nothing to the role {wording.shown(name)}, which is {bounds}: {what}"
            document.error("grants-nothing", message, at, "give it to a role of its own")


def _check_roles_of(document: config.Document, person: config.Map, known: list[str]) -> None:
    for role, at in _texts(person.get("roles")):
        if role not in known:
            near = errors.nearest(role, known) or f"known: {', '.join(known[:20])}"
            document.error("unknown-role", f"no role is named {wording.shown(role)}", at, near)


def _check_identities(
    document: config.Document, name: str, person: config.Map, seen: dict[tuple[str, str], str]
) -> None:
    for key in access.IDENTITIES:
        identity = person.get(key)
        if not isinstance(identity, str):
            continue
        known = (key, identity.casefold() if key in ("git", "email") else identity)
        if known in seen:
            message = f"{key} {wording.shown(identity)} is that of {wording.shown(seen[known])} already; it can be of one person only"
            document.error("duplicate-identity", message, person.values_at.get(key), "leave it out at one of the two")
        seen.setdefault(known, name)


def _texts(value: Any) -> Iterator[tuple[str, config.Mark]]:
    """The texts of a list, with where each stands."""
    if isinstance(value, config.Seq):
        yield from ((one, at) for one, at in zip(value, value.items_at, strict=True) if isinstance(one, str))
