"""How rows of the store look in the API. Pure: columns in, JSON objects out.

Used by the handlers of runs, alerts and events. Sentences come from the one table of reasons, so that API, log and page agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from healer.explain import looks
from healer.policy import reasons
from healer.web.queries import iso

SHORT: Final = 8
"""Characters of a run id that are shown: enough to be unique among millions, and any prefix is taken."""

STREAMS: Final = ("stdout", "stderr")

HELD: Final = {
    "target_busy": "Waits for its targets: another run works on one of them.",
    "lane_busy": "Waits for its turn: another run is before it in its ruleset or has its lock.",
    "concurrency": "Waits for a place of its controller or of the daemon.",
}
"""Why an attempt waits in the queue: of it only the code is kept, so these name no run and no number."""


def run(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run as lists show it, of a row of `reads.runs`."""
    detail = _object(row["detail"])
    reason = row["reason"]
    return {
        "id": row["id"],
        "short": row["id"][:SHORT],
        "state": row["state"],
        "reason": reason,
        "sentence": str(detail["summary"])
        if "summary" in detail
        else reasons.sentence(reason, detail)
        if reason
        else "",
        "next_step": reasons.next_step(reason, detail) if reason else "",
        "would": detail.get("would") or None,
        "rule": row["rule"],
        "action": row["action"],
        "controller": row["controller"],
        "targets": row["targets"],
        "parameters": _json(row["parameters"]),
        "dry_run": bool(row["dry_run"]),
        "actor": row["actor"],
        "event": f"e-{row['seq']}",
        "created": iso(row["created_us"]),
        "changed": iso(row["changed_us"]),
        "ended": iso(row["ended_us"]),
        "attempts": row["attempts"],
        "last": _last(row["last"]),
    }


def _last(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    outcome = _object(row["outcome"])
    return {"state": row["state"], "summary": outcome.get("summary", ""), "seconds": outcome.get("seconds")}


def run_in_full(
    row: Mapping[str, Any], attempts: list[dict[str, Any]], targets: list[dict[str, Any]], events: list[int],
    sizes: Mapping[str, int],
) -> dict[str, Any]:  # fmt: skip
    """One run with all that belongs to it, of a row of `reads.run`. `sizes`: content that is kept → its bytes."""
    return run(row) | {
        "kind": row["kind"],
        "subject": _json(row["subject"]),
        "idempotent": bool(row["idempotent"]),
        "revision": row["revision_id"],
        "limits": _json(row["limits"]),
        "depth": row["depth"],
        "deferred_since": iso(row["deferred_us"]) if row["state"] == "deferred" else None,
        "look_at": iso(row["look_at_us"]),
        "explanation": _explanation(row["explanation"]),
        "attempts": [attempt(one, sizes) for one in attempts],
        "targets": [target(one) for one in targets],
        "events": [f"e-{seq}" for seq in events],
    }


def _explanation(text: str) -> dict[str, Any]:
    told = _object(text)
    return {
        name: value
        for name, value in told.items()
        if name not in ("look", "waited", "events", "break_glass", "approved", "chosen", "reason")
    } | looks.shown(told)


def outputs(attempts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the content that attempts put out."""
    return sorted({row[f"{stream}_hash"] for row in attempts for stream in STREAMS if row[f"{stream}_hash"]})


def attempt(row: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """One attempt of a run. `kept`: how many bytes of each stream; None where there are none, or no more. `cancel`: who asked for
    its end."""
    outcome = _object(row["outcome"])
    return {
        "number": row["number"],
        "token": row["token"],
        "state": row["state"],
        "targets": _json(row["targets"]),
        "controller": row["controller"],
        "held": row["held"],
        "held_sentence": HELD.get(row["held"], row["held"]) if row["state"] == "queued" else "",
        "not_before": iso(row["not_before_us"]),
        "started": iso(row["started_us"]),
        "deadline": iso(row["deadline_us"]),
        "ended": iso(row["ended_us"]),
        "summary": outcome.get("summary", ""),
        "exit_code": outcome.get("exit_code"),
        "result": outcome.get("result"),
        "per_target": outcome.get("per_target", {}),
        "seconds": outcome.get("seconds"),
        "truncated": bool(outcome.get("truncated")),
        "has_output": row["stdout_hash"] is not None,
        "kept": {stream: sizes.get(row[f"{stream}_hash"]) for stream in STREAMS},
        "cancel": None
        if row["cancel_by"] is None
        else {"by": row["cancel_by"], "at": iso(row["cancel_us"]), "reason": row["cancel_reason"]},
    }


def target(row: Mapping[str, Any]) -> dict[str, Any]:
    """One target of a run, with its own verdict."""
    detail = _object(row["detail"])
    return {
        "target": row["target"],
        "state": row["state"],
        "reason": row["reason"],
        "sentence": reasons.sentence(row["reason"], detail) if row["reason"] else "",
        "ended": iso(row["ended_us"]),
    } | {name: value for name, value in _object(row["value"]).items() if name != "local"}


def lock(row: Mapping[str, Any]) -> dict[str, Any]:
    """One lock, of a row of `locks_after`. `until`: when the attempt that holds it is ended at the latest; `again`: when its unknown run
    is done again by itself; neither: until a person says."""
    return {
        "target": row["target"],
        "run": row["run"],
        "short": row["run"][:SHORT],
        "attempt": row["number"],
        "state": row["state"],
        "rule": row["rule"],
        "action": row["action"],
        "since": iso(row["since_us"]),
        "until": iso(row["expires_us"]) if row["attempt_state"] == "running" else None,
        "again": iso(row["look_at_us"]) if row["state"] == "unknown" else None,
    }


def alert(row: Mapping[str, Any]) -> dict[str, Any]:
    """One alert, of a row of `reads.alerts`."""
    return {
        "source": row["source"],
        "key": row["key"],
        "cycle": row["cycle"],
        "status": row["status"],
        "name": row["name"],
        "target": row["target"],
        "severity": row["severity"],
        "summary": row["summary"],
        "opened": iso(row["opened_us"]),
        "seen": iso(row["seen_us"]),
        "closed": iso(row["closed_us"]),
        "closed_by": row["closed_by"],
        "times": row["times"],
        "runs": row["runs"],
    }


def decision(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a match of an event came to."""
    fields: Mapping[str, Any] = {}
    for verdict in _object(row["explanation"]).get("gates", []):
        if verdict.get("code") == row["reason"]:
            fields = verdict.get("fields", {})
    reason = row["reason"]
    return {
        "rule": row["rule"],
        "action": row["action"],
        "action_index": row["action_index"],
        "run": row["run"],
        "outcome": row["outcome"],
        "reason": reason,
        "sentence": reasons.sentence(reason, fields) if reason else "",
        "next_step": reasons.next_step(reason, fields) if reason else "",
        "at": iso(row["at_us"]),
    }


def event(row: Mapping[str, Any], decided_to: int) -> dict[str, Any]:
    """A journal row as lists show it, of a row of `events.events`."""
    return {
        "id": f"e-{row['seq']}",
        "kind": row["kind"],
        "source": row["source"],
        "received_at": iso(row["at_us"]),
        "actor": row["actor"],
        "depth": row["depth"],
        "cause": None if row["cause"] is None else f"e-{row['cause']}",
        "bytes": row["bytes"],
        "begins": row["begins"],
        "decided": row["seq"] <= decided_to,
        "decisions": row["decisions"],
        "runs": row["runs"],
        "quarantined": row["held"],
    }


def letter(row: Mapping[str, Any]) -> dict[str, Any]:
    """What one ruleset (`*`: none at all) could not digest, and what became of it."""
    return {
        "ruleset": row["ruleset"],
        "error": row["error"],
        "tries": row["tries"],
        "at": iso(row["at_us"]),
        "state": row["state"],
        "ended": iso(row["ended_us"]),
        "released": None if row["released"] is None else f"e-{row['released']}",
    }


def held(row: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the quarantine, of a row of `events.quarantine`."""
    return {
        "event": f"e-{row['seq']}",
        "ruleset": row["ruleset"],
        "source": row["source"],
        "kind": row["kind"],
        "error": row["error"],
        "tries": row["tries"],
        "since": iso(row["at_us"]),
        "received_at": iso(row["received_us"]),
        "cause": None if row["cause"] is None else f"e-{row['cause']}",
    }


def _json(text: str | bytes | None) -> Any:
    return None if text is None else orjson.loads(text)


def _object(text: str | bytes | None) -> dict[str, Any]:
    value = _json(text)
    return value if isinstance(value, dict) else {}
