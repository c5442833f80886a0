"""A run's last look and what it waited for, as the API shows them: of the explanation that stands in the run's row.

Callers: `explain`, and `web` for a run in full, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import model
from healer.policy import reasons


def shown(told: Mapping[str, Any]) -> dict[str, Any]:
    """`chosen`: the controller and what chose it (`reasons.CHOSEN`); `asked_for`: why a person had the action done; `looked_at` is
    None where the gates are still those of the decision; `waited` is what is over, the oldest first; `approved` who said yes at last,
    `break_glass` who had it start past its gates, None where nobody did."""
    forced, approved = told.get("break_glass"), told.get("approved")
    return {
        "chosen": told.get("chosen"), "asked_for": told.get("reason"),
        "approved": None if approved is None else {
            "request": approved["request"], "by": approved["by"], "at": model.iso(approved["at_us"]),
        },
        "break_glass": None if forced is None else {
            "actor": forced["actor"], "reason": forced["reason"], "at": model.iso(forced["at_us"]),
            "past": [{"code": one["code"], "sentence": reasons.sentence(one["code"], one["fields"])} for one in forced["past"]],
            "over": forced.get("over", ""),
        },
        "looked_at": model.iso(told["look"]) if "look" in told else None,
        "waited": [
            {
                "code": one["code"], "sentence": reasons.sentence(one["code"], one["fields"]),
                "since": model.iso(one["since_us"]), "until": model.iso(one["until_us"]),
            }
            for one in told.get("waited", [])
        ],
    }  # fmt: skip
