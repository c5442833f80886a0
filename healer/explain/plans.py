"""What a run would do, as its controller says: the shape that every command and answer shows.

Callers: `explain`, `web` for runs and requests, the daemon's `simulate`. What a plan says is content in the store, made by
`dispatch.planning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from healer import model, store

WORDS: Final = {
    "wanted": "it is being made",
    "failed": "plan failed: {detail}",
    "skipped": "no plan: {detail}",
    "made": "",
}
TRIMMED: Final = "what it said is not kept any more"
EMPTY: Final[Mapping[str, Any]] = {"targets": [], "steps": [], "diff": "", "exact": False, "fails": "", "cut": False}


def shown(
    state: str, detail: str = "", content: Mapping[str, Any] | None = None, *, seconds: float | None = None,
    asked_us: int | None = None, made_us: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A plan in full. `state`: wanted, made, failed, skipped; `content`: of one that was made, None where it is not kept any more."""
    said = TRIMMED if state == "made" and content is None else WORDS[state].format(detail=detail)
    return {
        "state": state, "sentence": said, "asked": None if asked_us is None else model.iso(asked_us),
        "made": None if made_us is None else model.iso(made_us), "seconds": seconds, **EMPTY, **(content or {}),
    }  # fmt: skip


async def of(opened: store.Store, run: str) -> dict[str, Any] | None:
    """That of a run; None where none was ever wanted."""
    rows = await opened.reader.all("plan_of", run)
    if not rows:
        return None
    row = rows[0]
    raw = await opened.blob(row["hash"]) if row["hash"] else None
    content = orjson.loads(raw) if raw is not None else None
    times = {name: row[name] for name in ("seconds", "asked_us", "made_us")}
    return shown(row["state"], row["detail"], content, **times)
