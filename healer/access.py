"""Who may do what: permissions, roles with their scopes, people, and the principal that a request acts as. Pure.

`project` makes a `Directory` of what `healer.yaml` says (`roles`, `principals`), `web` makes of it once whom each key and each user of
this host acts as, and asks `allows` for each request. What is not granted is forbidden.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import errors, model

PERMISSIONS: Final[Mapping[str, str]] = {
    "events.write": "send events",
    "events.read": "read events as they were journaled",
    "events.resend": "send a stored event once more",
    "quarantine.decide": "have an event of the quarantine tried again, or give it up",
    "alerts.read": "list alerts",
    "runs.read": "list runs and locks, read their output and why they happened; list actions and controllers",
    "runs.cancel": "end runs, or keep them from starting",
    "runs.resolve": "say how a run ended of which nobody knows",
    "runs.break_glass": "have a run that waits start past its gates",
    "locks.release": "let go of what a run has locked",
    "approvals.read": "see what waits for a person's word",
    "approvals.decide": "approve or reject what waits for it",
    "pause": "stop that anything new takes effect",
    "resume": "let what is paused go on",
    "silences.write": "silence alerts and runs for a time, and end a silence",
    "notifications.write": "answer messages, have them tried again or given up, and try a receiver",
    "breakers.close": "let an action run again that failed too often",
    "audit.read": "read the audit",
    "status.read": "see how the daemon does",
    "actions.run": "start an action of the catalog by hand, with any of its parameters",
    "controllers.override": "have an action done by another controller than its own",
    "reload": "make the daemon read the project again",
    "keys.admin": "make, list and revoke API keys",
}

READS: Final = frozenset({"runs.read", "alerts.read", "events.read", "audit.read", "status.read", "approvals.read"})
"""Only show something: no scope limits them."""

DIMENSIONS: Final = ("rulesets", "targets", "actions")
"""What a scope may limit."""

SCOPED: Final[Mapping[str, tuple[str, ...]]] = {
    "events.write": DIMENSIONS, "actions.run": DIMENSIONS, "controllers.override": DIMENSIONS, "runs.cancel": DIMENSIONS,
    "runs.resolve": DIMENSIONS, "runs.break_glass": DIMENSIONS,
    "locks.release": DIMENSIONS, "approvals.decide": DIMENSIONS, "silences.write": DIMENSIONS,
    "pause": ("rulesets",), "resume": ("rulesets",), "breakers.close": ("actions",),
}  # fmt: skip
"""Permission → what its requests name. Those that are neither here nor in `READS` are of the whole daemon."""

_SEES: Final = READS - {"audit.read"}

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "admin": frozenset(PERMISSIONS),
    "operator": READS
    | {"events.write", "actions.run", "reload", "runs.cancel", "runs.resolve", "locks.release"}
    | {
        "events.resend",
        "quarantine.decide",
        "pause",
        "resume",
        "silences.write",
        "breakers.close",
        "notifications.write",
    },
    "approver": _SEES | {"pause", "approvals.decide", "notifications.write"},
    "readonly": _SEES,
    "auditor": READS,
    "ci": frozenset({"events.write", "runs.read", "status.read", "reload"}),
}
"""Those that are built in."""

Things = tuple[tuple[str, ...], ...] | None
"""What a request is about, each thing by the names that it has; None: anything of its kind may be."""
_SHOWN_MAX: Final = 5


class OutOfScope(errors.Forbidden):
    """{actor} has the permission {permission} only for {scope}, and this is about {about}"""


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """What a request is about. `stops`: it only stops things, so that what it does not name does not count."""

    rulesets: Things = None
    targets: Things = None
    actions: Things = None
    stops: bool = False

    def __str__(self) -> str:
        return ", ".join(_said(kind, getattr(self, kind)) for kind in DIMENSIONS)


EVERYTHING: Final = About()
"""What names nothing, and may therefore concern anything."""


def _said(kind: str, things: Things) -> str:
    noun = kind.removesuffix("s")
    if not things:
        return f"any {noun}" if things is None else f"no {noun}"
    names = ", ".join(one[0] for one in things[:_SHOWN_MAX]) + (" …" if len(things) > _SHOWN_MAX else "")
    return f"the {noun if len(things) == 1 else kind} {names}"


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """For what a role holds: patterns with `*` and `?`, of each kind that is given; of the others anything."""

    rulesets: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    @property
    def limited(self) -> tuple[str, ...]:
        """What it limits."""
        return tuple(kind for kind in DIMENSIONS if getattr(self, kind))

    def covers(self, about: About) -> bool:
        """Whether all that a request is about lies within. What names nothing of a kind that is limited does not."""
        named = False
        for kind in self.limited:
            patterns, things = getattr(self, kind), getattr(about, kind)
            if things is None and about.stops:
                continue
            if not things or not all(
                any(model.like(name, one) for name in names for one in patterns) for names in things
            ):
                return False
            named = True
        return named or not self.limited

    def suits(self, permission: str) -> bool:
        """Whether a request that needs the permission can lie within at all."""
        named = SCOPED.get(permission, ())
        if permission in READS or not self.limited:
            return True
        return bool({*self.limited} & {*named}) if permission == "pause" else {*self.limited} <= {*named}

    def __str__(self) -> str:
        return ", ".join(f"{kind} {' '.join(getattr(self, kind))}" for kind in self.limited) or "everything"


@dataclasses.dataclass(frozen=True, slots=True)
class Role:
    """What somebody may, and for what."""

    name: str
    permissions: frozenset[str]
    scope: Scope = Scope()

    def as_json(self) -> dict[str, Any]:
        """As `difference` compares it."""
        return {"permissions": sorted(self.permissions)} | {
            kind: [*getattr(self.scope, kind)] for kind in self.scope.limited
        }


BUILT_IN: Final[Mapping[str, Role]] = {name: Role(name, permissions) for name, permissions in ROLES.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Somebody with the identities that they have elsewhere ('': none)."""

    name: str
    roles: tuple[str, ...] = ()
    slack: str = ""
    os: str = ""
    git: str = ""
    email: str = ""
    slack_group: str = ""
    """A user group of Slack: whoever is in it acts with these roles, each as a person of their own."""

    def as_json(self) -> dict[str, Any]:
        """As `difference` compares it."""
        found = {key: getattr(self, key) for key in (*IDENTITIES, "slack_group")}
        return {"roles": sorted(self.roles)} | {key: value for key, value in found.items() if value}


IDENTITIES: Final = ("slack", "os", "git", "email")


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """Whom a request acts as. `actor` is how journal and audit name it (`key:ci`, `os:root`, `key:laptop = ana`).

    `name`: the person's; '' where nobody has said who it is. `also`: other actors that are the same person.
    """

    actor: str
    roles: tuple[Role, ...] = ()
    name: str = ""
    also: frozenset[str] = frozenset()
    permissions: frozenset[str] = dataclasses.field(init=False)
    """All that it may do somewhere."""
    everywhere: frozenset[str] = dataclasses.field(init=False)
    """What it may do whatever a request is about. Both are made once, since every request asks."""

    def __post_init__(self) -> None:
        granted = [(permission, role) for role in self.roles for permission in role.permissions & PERMISSIONS.keys()]
        everywhere = frozenset(one for one, role in granted if one in READS or role.scope.covers(EVERYTHING))
        object.__setattr__(self, "permissions", frozenset(permission for permission, _ in granted))
        object.__setattr__(self, "everywhere", everywhere)

    @property
    def person(self) -> str:
        """Who it is: quorum counts these."""
        return self.name or self.actor

    @property
    def identities(self) -> frozenset[str]:
        """All that say who it is."""
        return self.also | {self.actor, self.person}


NOBODY: Final = Principal("")
"""Of requests that need no key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Directory:
    """Which roles and people there are. Names of built-in roles always mean these."""

    own: Mapping[str, Role] = dataclasses.field(default_factory=dict)
    people: Mapping[str, Person] = dataclasses.field(default_factory=dict)
    roles: Mapping[str, Role] = dataclasses.field(init=False)
    """All of them, by name."""
    _by_os: Mapping[str, Person] = dataclasses.field(init=False)
    _by_slack: Mapping[str, Person] = dataclasses.field(init=False)
    _by_group: Mapping[str, tuple[Person, ...]] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", {**BUILT_IN, **{name: self.own[name] for name in self.own.keys() - BUILT_IN}})
        people = self.people.values()
        object.__setattr__(self, "_by_os", {one.os: one for one in people if one.os})
        object.__setattr__(self, "_by_slack", {one.slack: one for one in people if one.slack})
        groups = dict.fromkeys(one.slack_group for one in people if one.slack_group)
        by_group = {group: tuple(one for one in people if one.slack_group == group) for group in groups}
        object.__setattr__(self, "_by_group", by_group)

    def of_key(self, name: str, role: str, person: str = "") -> Principal:
        """Whom a key acts as: with its role, or without one with those of its person. A role or person that is not there any more
        grants nothing."""
        known = self.people.get(person)
        if person and known is None:
            return Principal(model.acting_for(f"key:{name}", person), name=person)
        roles = (role,) if role else known.roles if known else ()
        return self._principal(f"key:{name}", roles, known)

    def of_user(self, user: str, *, local: bool) -> Principal | None:
        """Whom a user of this host acts as; None: as nobody. `local`: it is root or the daemon's own, and may all that an admin may."""
        known = self._by_os.get(user)
        if known is None and not local:
            return None
        return self._principal(f"os:{user}", (*(("admin",) if local else ()), *(known.roles if known else ())), known)

    def slack_groups(self, team: str) -> tuple[str, ...]:
        """The user groups of a workspace that have roles, by their ids in it."""
        return tuple(name for kind, _, name in (group.partition("/") for group in self._by_group) if kind == team)

    def of_slack(self, team: str, user: str, groups: Iterable[str]) -> Principal | None:
        """Whom a user of Slack acts as: a person with their roles and those of the groups that they are in, or with these alone as
        nobody but themselves. None: as nobody. `groups`: ids, as they are at this moment."""
        known = self._by_slack.get(f"{team}/{user}")
        held = [one for group in groups for one in self._by_group.get(f"{team}/{group}", ())]
        if known is None and not held:
            return None
        roles = [role for one in (*([known] if known else ()), *held) for role in one.roles]
        return self._principal(f"slack:{team}/{user}", roles, known)

    def of_person(self, actor: str, person: str) -> Principal | None:
        """Whom a person acts as who is known by name, with their roles; `actor`: how they came (`link:…`). None: nobody is named so."""
        known = self.people.get(person)
        return None if known is None else self._principal(actor, known.roles, known)

    def _principal(self, actor: str, roles: Iterable[str], person: Person | None) -> Principal:
        found = tuple(self.roles[name] for name in dict.fromkeys(roles) if name in self.roles)
        if person is None:
            return Principal(actor, found)
        also = {f"{kind}:{value}" for kind in ("os", "slack", "git") if (value := getattr(person, kind))}
        return Principal(model.acting_for(actor, person.name), found, person.name, frozenset(also))

    def as_json(self) -> dict[str, Any]:
        """As `difference` compares it."""
        return {
            "roles": {name: role.as_json() for name, role in self.own.items()},
            "principals": {name: person.as_json() for name, person in self.people.items()},
        }


def allows(principal: Principal, permission: str, about: About = EVERYTHING) -> bool:
    """Whether somebody may do what needs a permission, with what it is about. An unknown permission is granted to nobody."""
    return permission in principal.everywhere or any(
        permission in role.permissions & PERMISSIONS.keys() and role.scope.covers(about) for role in principal.roles
    )


def refusal(principal: Principal, permission: str, about: About = EVERYTHING) -> errors.Forbidden:
    """Why not: the permission is missing, or it is there for other things only."""
    if permission not in principal.permissions:
        return errors.Forbidden(actor=principal.person, permission=permission)
    scopes = [str(role.scope) for role in principal.roles if permission in role.permissions]
    scope = " or for ".join(dict.fromkeys(scopes))
    return OutOfScope(actor=principal.actor, permission=permission, scope=scope, about=about)


def demand(principal: Principal, permission: str, about: About = EVERYTHING) -> None:
    """Raises `errors.Forbidden` for who may not."""
    if not allows(principal, permission, about):
        raise refusal(principal, permission, about)


def roles_for(principal: Principal, about: About) -> tuple[str, ...]:
    """The roles that somebody has as far as something is concerned."""
    return tuple(role.name for role in principal.roles if role.scope.covers(about))


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Who was given and who lost what, of two `Directory.as_json()`, in which `keys` of files may be; empty where nothing changed."""
    made: dict[str, Any] = {}
    for kind, what in (("roles", "permissions"), ("principals", "roles"), ("keys", "roles")):
        old, new = before.get(kind, {}), after.get(kind, {})
        changed = {
            name: _changed(old.get(name), new.get(name), what)
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        }
        made |= {kind: changed} if changed else {}
    return made


def _changed(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    made: dict[str, Any] = {"added": True} if old is None else {"removed": True} if new is None else {}
    old, new = old or {}, new or {}
    had, has = {*old.get(what, ())}, {*new.get(what, ())}
    made |= {word: sorted(names) for word, names in (("given", has - had), ("taken", had - has)) if names}
    others = sorted({*old, *new} - {what})
    return made | {
        key: {"before": old.get(key), "after": new.get(key)} for key in others if old.get(key) != new.get(key)
    }


def describe() -> str:
    """The permissions, what a scope limits of each, and which built-in roles have them, as docs/access.md shows them."""
    return "\n".join(_rows(tuple(ROLES))) + "\n"


def _rows(names: Sequence[str]) -> Iterator[str]:
    yield f"| Permission | What | Scope | {' | '.join(names)} |"
    yield f"| --- | --- | --- | {' | '.join('---' for _ in names)} |"
    for permission, what in PERMISSIONS.items():
        limits = ", ".join(SCOPED.get(permission, ("not limited" if permission in READS else "the whole daemon",)))
        has = ("yes" if permission in ROLES[name] else "" for name in names)
        yield f"| `{permission}` | {what} | {limits} | {' | '.join(has)} |"
