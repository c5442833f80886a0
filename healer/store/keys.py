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


class CreateKey:
    """Keep the hash (SHA-256 of the whole key, hex) of a new key. Raises `errors.InvalidField` for a name or role that cannot be one."""

    weight = 1

    def __init__(self, key_id: str, digest: str, name: str, role: str, *, actor: str) -> None:
        self.key_id = key_id
        self.digest = digest
        self.name = name
        self.role = role
        self.actor = actor

    def apply(self, tx: Transaction) -> dict[str, Any]:
        """The row as `list_keys` gives it."""
        if not NAME.fullmatch(self.name):
            raise errors.InvalidField(
                field="name", detail=f"letters, digits and . _ @ - are wanted, got {self.name[:80]!r}"
            )
        if self.role not in access.ROLES:
            raise errors.InvalidField(
                errors.nearest(self.role, access.ROLES),
                field="role", detail=f"no role is named {self.role[:80]!r}; known: {', '.join(access.ROLES)}",
            )  # fmt: skip
        if tx.one("keys_live_count")[0] >= KEYS_MAX:
            raise errors.InvalidField(
                "revoke keys that nobody uses", field="name", detail=f"there are {KEYS_MAX} keys, the limit"
            )
        tx.run("key_insert", self.key_id, self.digest, self.name, self.role, tx.now_us, self.actor)
        tx.audit("key_created", actor=self.actor, key=self.key_id, name=self.name, role=self.role, hash=self.digest)
        return {
            "id": self.key_id, "name": self.name, "role": self.role, "created_us": tx.now_us, "created_by": self.actor,
            "revoked_us": None,
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
        tx.audit("key_revoked", actor=self.actor, key=self.key_id, name=found[1], role=found[2])
        return True


async def list_keys(read: reader.Reader) -> list[dict[str, Any]]:
    """All keys, newest first, with their hashes: for authentication. Whoever shows them leaves the hash out."""
    return await read.all("keys_all", LISTED_MAX)
