"""API keys in the store: made, listed, revoked, each with its audit record. Only hashes are kept, never a key.

`web` makes the key itself and submits `CreateKey` with its hash.
"""

from __future__ import annotations

import re
from typing import Any, Final

from healer import access, errors
from healer.store import reader
from healer.store.transaction import Transaction

KEYS_MAX: Final = 1000
LISTED_MAX: Final = 10_000
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_BUILT_IN: Final = access.Directory()


class CreateKey:
    """Keep the hash (SHA-256 of the whole key, hex) of a new key.

    `principal`: whose it is; without a `role` it has theirs. `directory`: which of both there are. Raises `errors.InvalidField` for a name,
    role or principal that cannot be one.
    """

    weight = 1

    def __init__(
        self, key_id: str, digest: str, name: str, role: str, *, actor: str, principal: str = "", directory: access.Directory = _BUILT_IN
    ) -> None:  # fmt: skip
        self.key_id = key_id
        self.digest = digest
        self.name = name
        self.role = role
        self.principal = principal
        self.actor = actor
        self.directory = directory

    def apply(self, tx: Transaction) -> dict[str, Any]:
        """The row as `list_keys` gives it."""
        if not NAME.fullmatch(self.name):
            raise errors.InvalidField(
                field="name", detail=f"letters, digits and . _ @ - are wanted, got {self.name[:80]!r}"
            )
        roles, people = self.directory.roles, self.directory.people
        if self.role not in roles and (self.role or not self.principal):
            raise errors.InvalidField(
                errors.nearest(self.role, roles),
                field="role", detail=f"no role is named {self.role[:80]!r}; known: {', '.join(roles)}",
            )  # fmt: skip
        if self.principal and self.principal not in people:
            raise errors.InvalidField(
                errors.nearest(self.principal, people) or f"principals: {{{self.principal}: {{roles: [approver]}}}} in healer.yaml",
                field="principal", detail=f"healer.yaml has no principal {self.principal[:80]!r}",
            )  # fmt: skip
        if tx.one("keys_live_count")[0] >= KEYS_MAX:
            raise errors.InvalidField(
                "revoke keys that nobody uses", field="name", detail=f"there are {KEYS_MAX} keys, the limit"
            )
        tx.run("key_insert", self.key_id, self.digest, self.name, self.role, self.principal, tx.now_us, self.actor)
        tx.audit(
            "key_created", actor=self.actor, key=self.key_id, name=self.name, role=self.role or None, principal=self.principal or None,
            hash=self.digest,
        )  # fmt: skip
        return {
            "id": self.key_id, "name": self.name, "role": self.role, "principal": self.principal, "created_us": tx.now_us,
            "created_by": self.actor, "revoked_us": None,
        }  # fmt: skip


class RevokeKey:
    """Withdraw a key. The result says whether it was live; raises `errors.NotFound` for an id that never was."""

    weight = 1

    def __init__(self, key_id: str, *, actor: str) -> None:
        self.key_id = key_id
        self.actor = actor

    def apply(self, tx: Transaction) -> bool:
        """Revoke it; a second time changes nothing and is no record."""
        found = tx.one("key_find", self.key_id)
        if found is None:
            raise errors.NotFound(what=f"the key {self.key_id[:80]}")
        if tx.run("key_revoke", tx.now_us, self.key_id) == 0:
            return False
        _, name, role, principal, _ = found
        tx.audit(
            "key_revoked", actor=self.actor, key=self.key_id, name=name, role=role or None, principal=principal or None
        )
        return True


async def list_keys(read: reader.Reader) -> list[dict[str, Any]]:
    """All keys, newest first, with their hashes: for authentication. Whoever shows them leaves the hash out."""
    return await read.all("keys_all", LISTED_MAX)
