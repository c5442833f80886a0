"""`/heal status` and `/heal runs`: what the API's own objects say, in lines. Pure; caller: `commands`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from healer.notify import looking
from healer.notify.channels import _visible as visible

PAUSES_SHOWN: Final = 10
RULES_SHOWN: Final = 10
SOURCES_SHOWN: Final = 10
TARGETS_SHOWN: Final = 3
WHY_MAX: Final = 100
_WAITING: Final = {"running": "running", "verifying": "verifying", "queued": "queued", "awaiting_approval": "waiting for a person",
                   "deferred": "deferred", "unknown": "unknown"}  # fmt: skip


def status(found: Mapping[str, Any]) -> str:
    """As `healer status` shows it, the most of it."""
    return "\n".join(_status(found))


def _status(found: Mapping[str, Any]) -> Iterator[str]:
    title = [
        f"healer {found.get('version', '')}".strip(), found.get("environment"), str(found.get("mode") or "").upper(),
        f"revision {found['revision']}" if found.get("revision") else "", _up(found.get("uptime_s")),
    ]  # fmt: skip
    yield " · ".join(str(part) for part in title if part)
    if found.get("state") not in (None, "ok", "paused"):
        yield f"STATE    {found['state']}"
    pauses = found.get("paused") or []
    for one in pauses[:PAUSES_SHOWN]:
        reason = f' "{one["reason"]}"' if one.get("reason") else ""
        until = f" · until {when(one['until'])}" if one.get("until") else ""
        who = one.get("who") or one.get("by")
        yield f"PAUSED   {scope(one.get('scope', 'all'))} by {who} since {when(one.get('since'))}{reason}{until}"
    if len(pauses) > PAUSES_SHOWN:
        yield f"PAUSED   and {len(pauses) - PAUSES_SHOWN} more"
    if storm := found.get("storm"):
        yield f"STORM    since {when(storm.get('since'))} · {storm.get('matches')} matches (limit {storm.get('limit')})"
    if alerts := found.get("alerts"):
        yield f"alerts   {alerts.get('firing', 0)} firing · {alerts.get('resolved', 0)} resolved in 10 min"
    runs = found.get("runs") or {}
    yield "runs     " + (
        " · ".join(f"{runs[word]} {text}" for word, text in _WAITING.items() if runs.get(word)) or "none"
    )
    for one in (found.get("rules") or [])[:RULES_SHOWN]:
        why = ", ".join(f"{code.replace('_', ' ')} {count}" for code, count in (one.get("why_not") or {}).items())
        numbers = " · ".join(f"{one.get(word, 0)} {word}" for word in ("fired", "acted", "healed", "failed"))
        yield f"  {one.get('rule')}: {numbers}" + (f" · {why}" if why else "")
    silent = [one.get("name") for one in found.get("sources") or [] if one.get("silent")]
    if silent:
        yield f"sources  SILENT: {', '.join(map(str, silent[:SOURCES_SHOWN]))}"


def runs(found: Sequence[Mapping[str, Any]]) -> str:
    """One run a line, those of `shapes.run`."""
    rows = [
        (str(one["short"]), str(one["state"]), str(one["action"]), _targets(one["targets"]), when(one["created"]), _why(one))
        for one in found
    ]  # fmt: skip
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) or "no runs"


def _why(one: Mapping[str, Any]) -> str:
    said = looking.in_utc(str(one.get("sentence") or one.get("reason") or ""))
    return looking.brief(visible.line(said), WHY_MAX)


def _targets(names: Sequence[str]) -> str:
    shown = [name.removeprefix("host:") for name in names[:TARGETS_SHOWN]]
    return ", ".join(shown) + (f" +{len(names) - TARGETS_SHOWN}" if len(names) > TARGETS_SHOWN else "")


def scope(text: str) -> str:
    """A scope in words."""
    kind, _, name = text.partition(":")
    return f"{kind} {name}" if name else "everything"


def when(text: Any) -> str:
    """A time of the API, to the minute: a table has no clock of its reader's."""
    try:
        at = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return "?"
    return f"{at.astimezone(datetime.UTC):%m-%d %H:%M} UTC"


def _up(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return ""
    hours = int(seconds) // 3600
    return f"up {hours // 24} d {hours % 24} h" if hours >= 24 else f"up {hours} h {int(seconds) % 3600 // 60} min"


def preview(found: Mapping[str, Any]) -> str:
    """What would become of what waits, once a pause ends."""
    words = {"withdrawn": "withdrawn, resolved since", "awaiting_approval": "waiting for a person", "deferred": "deferred, other gates",
             "queued": "start, first 1, then 2, 4 …"}  # fmt: skip
    lines = [f"{'would be looked at again':<30}{found.get('looked_at', 0):>6}"]
    for state, by_reason in (found.get("states") or {}).items():
        lines.append(f"  {words.get(state, state):<28}{sum(by_reason.values()):>6}")
    starting = sorted((found.get("starting") or {}).items(), key=lambda one: -one[1])
    lines += [f"    {rule} {count}" for rule, count in starting[:RULES_SHOWN]]
    return "\n".join([*lines, *still(found)])


def still(found: Mapping[str, Any]) -> list[str]:
    """What stays paused."""
    lines = [f"still paused by itself: {scope(one)}" for one in (found.get("still_paused") or [])[:PAUSES_SHOWN]]
    return [*lines, *(["the file PAUSE holds everything"] if found.get("file") else [])]
