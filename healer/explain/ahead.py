"""What an event would lead to, in the words of `explain`: the same shape of each rule, so that one renderer shows both.

Caller: the daemon's `simulate`, which finds out what is told here.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from healer import engine, explain
from healer.explain import trees
from healer.policy import limits, reasons

FAILED: Final = "undigested"


def silent(
    identity: str, rule: engine.Rule, told: Mapping[str, Any], tests: list[dict[str, Any]], failed: str = ""
) -> dict[str, Any]:
    """A rule that would not fire. `told`: as the engine tells it; `failed`: its ruleset could not digest the event, and why."""
    reason = FAILED if failed else str(told["reason"])
    return {
        "rule": identity, "fired": False, "reason": reason, "taken_by": told["taken_by"], "place": str(rule.place), "conditions": tests,
        "tree": trees.of(rule, tests, fired=False), "gates": [], "run": None, "state": None, "error": failed or None,
        **explain.named(rule, reason),
    }  # fmt: skip


def fired(
    decision: dict[str, Any],
    seq: int,
    run: Mapping[str, Any] | None,
    targets: list[dict[str, Any]],
    sizes: Mapping[str, int],
) -> dict[str, Any]:
    """A rule that would fire, with what its action would come to; `run`: the row that there would be, `sizes`: hosts of each group."""
    told = explain.fired(decision, seq)
    told |= {"queued": decision["outcome"] == "queued", "targets": [_target(one) for one in targets]}
    acts_on = [one for one in targets if one["state"] != "left_out"]
    told["groups"] = shares((tuple(orjson.loads(one["value"])["groups"]) for one in acts_on), sizes)
    if run is not None:
        told |= {
            "controller": run["controller"], "kind": run["kind"], "subject": orjson.loads(run["subject"]),
            "parameters": orjson.loads(run["parameters"]), "dry_run": bool(run["dry_run"]),
        }  # fmt: skip
    return told


def _target(row: Mapping[str, Any]) -> dict[str, Any]:
    code, fields = row["reason"], orjson.loads(row["detail"] or "{}")
    return {
        "target": row["target"], "state": row["state"], "reason": code,
        "sentence": reasons.sentence(code, fields) if code else "", "next_step": reasons.next_step(code, fields) if code else "",
    }  # fmt: skip


def shares(groups_of: Iterable[tuple[str, ...]], sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """What share of each group of the inventory targets are, the largest share first; those in no group are told as one of none."""
    counted: collections.Counter[str] = collections.Counter()
    for groups in groups_of:
        counted.update([one for one in groups if one not in limits.NO_GROUPS] or [""])
    told = [
        {"group": group or None, "targets": count, "size": sizes.get(group), "percent": _percent(count, sizes.get(group))}
        for group, count in counted.items()
    ]  # fmt: skip
    return sorted(told, key=lambda one: (-float(one["percent"] or 0), str(one["group"] or "")))


def _percent(count: int, size: int | None) -> float | None:
    return round(100 * count / size, 1) if size else None
