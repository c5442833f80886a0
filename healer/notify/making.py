"""What a row of the outbox says now, as a message of any channel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from healer import plugins
from healer.notify import looking, outcomes, requests
from healer.store import reader


async def made(
    read: reader.Reader, around: looking.Around, row: Mapping[str, Any], now_us: int
) -> plugins.Message | None:
    """None: there is nothing to tell (any more)."""
    if row["news"] == "needs_approval":
        return await requests.made(read, around, row, now_us)
    if row["news"] in outcomes.WORDS:
        is_one = row["count"] == 1 and not row["subject"].startswith("digest/")
        return await outcomes.one(read, around, row) if is_one else await outcomes.many(read, around, row)
    return await outcomes.told(read, around, row)


def digest(message: plugins.Message, form: str = "") -> str:
    """Of all that a message shows: the same is not sent twice. `form`: how its channel shows what somebody may do with it."""
    told = f"{message!r}{form if message.asks or message.answerable else ''}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
