"""Who may do what: permissions, the built-in roles, and the principal that a request acts as. Pure tables.

`web` asks for each request; `store` refuses a key with a role that is not here. What is not granted is forbidden.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

PERMISSIONS: Final[Mapping[str, str]] = {
    "events.write": "send events",
    "events.read": "read events as they were journaled",
    "events.resend": "send a stored event once more",
    "quarantine.decide": "have an event of the quarantine tried again, or give it up",
    "alerts.read": "list alerts",
    "runs.read": "list runs and locks, read their output and why they happened",
    "runs.cancel": "end runs, or keep them from starting",
    "runs.resolve": "say how a run ended of which nobody knows",
    "locks.release": "let go of what a run has locked",
    "approvals.read": "see what waits for a person's word",
    "approvals.decide": "approve or reject what waits for it",
    "pause": "stop that anything new takes effect",
    "resume": "let what is paused go on",
    "silences.write": "silence alerts and runs for a time, and end a silence",
    "breakers.close": "let an action run again that failed too often",
    "audit.read": "read the audit",
    "status.read": "see how the daemon does",
    "controllers.override": "send an event that names another controller than its mapping",
    "reload": "make the daemon read the project again",
    "keys.admin": "make, list and revoke API keys",
}

_READS: Final = frozenset({"runs.read", "alerts.read", "events.read", "status.read", "approvals.read"})

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "admin": frozenset(PERMISSIONS),
    "operator": _READS
    | {"events.write", "audit.read", "reload", "runs.cancel", "runs.resolve", "locks.release"}
    | {"events.resend", "quarantine.decide", "pause", "resume", "silences.write", "breakers.close"},
    "approver": _READS | {"pause", "approvals.decide"},
    "readonly": _READS,
    "auditor": _READS | {"audit.read"},
    "ci": frozenset({"events.write", "runs.read", "status.read", "reload"}),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from. `actor` is how journal and audit name it (`key:ana`, `os:root`)."""

    actor: str
    role: str
    permissions: frozenset[str]

    @classmethod
    def of(cls, actor: str, role: str) -> Principal:
        """A principal with all that its role grants; an unknown role grants nothing."""
        return cls(actor, role, permissions_of(role))


NOBODY: Final = Principal("", "", frozenset())
"""Of requests that need no key."""


def permissions_of(role: str) -> frozenset[str]:
    """What a role grants; nothing for one that is not known."""
    return ROLES.get(role, frozenset())


def allows(role: str, permission: str) -> bool:
    """Whether a role grants a permission. An unknown permission is granted to nobody."""
    return permission in PERMISSIONS and permission in permissions_of(role)
