"""Firings that an event had a part in and that came later: of a join, of what time fires.

Caller: `explain`. The session that a rule is explained with is a fresh one and knows nothing of them; decisions note the events of their
firing that came before it. An event that is only counted (`accumulate_within`, the later ones of a group of `once_after`) is in none.
"""

from __future__ import annotations

from typing import Any, Final

from healer import model, store

REASONS: Final = ("waits", "alone", "gathered", "counted")
"""Of a rule that did not fire for an event, and may have it."""
DECISIONS_MAX: Final = 20_000
"""So many decisions after the event are looked through."""
TOLD_MAX: Final = 10


async def add(opened: store.Store, seq: int, told: dict[str, list[dict[str, Any]]]) -> None:
    """Put `later` into what is told of each rule that has the event: what came of it, the first things."""
    waiting = {
        rule: one for rule, some in told.items() for one in some if one.get("reason") in REASONS and not one["fired"]
    }
    if not waiting:
        return
    for row in await opened.reader.all("decisions_holding", seq, DECISIONS_MAX, seq):
        if (one := waiting.get(row["rule"])) is not None and len(found := one.setdefault("later", [])) < TOLD_MAX:
            found.append({
                "event": f"e-{row['seq']}", "at": model.iso(row["at_us"]), "action": row["action"], "outcome": row["outcome"],
                "run": row["run"],
            })  # fmt: skip
