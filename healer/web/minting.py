"""API keys as texts: how one is made, known again, kept and shown.

Used by `auth`, and by `healer keys` while no daemon runs; so it imports no library of the daemon.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from healer import model

_KEY: Final = re.compile(r"hlr_([a-z2-7]{6,10})_([a-z2-7]{32,128})")


def make_key() -> tuple[str, str]:
    """(id, key): `hlr_<id>_<secret>`, 50 bits of id and 256 of secret from the operating system."""
    key_id = _base32(secrets.token_bytes(5))
    return key_id, f"hlr_{key_id}_{_base32(secrets.token_bytes(32))}"


def key_id_of(key: str) -> str:
    """The part of a key that may be shown, or an empty string where it is none of ours."""
    match = _KEY.fullmatch(key)
    return match[1] if match else ""


def digest(key: str) -> str:
    """What is kept of a key: its SHA-256, hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where or how much they differ."""
    return hmac.compare_digest(digest(given), digest(wanted))


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the store as the API has it; never its hash. `role` None: it has the roles of its principal."""
    revoked_us = row["revoked_us"]
    return {
        "id": row["id"],
        "name": row["name"],
        "role": row["role"] or None,
        "principal": row["principal"] or None,
        "created": model.iso(row["created_us"]),
        "created_by": row["created_by"],
        "revoked": None if revoked_us is None else model.iso(revoked_us),
    }


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
