"""What `healer status` and `/api/v1/status` show, and what a reload changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import healer
from healer import errors, project, telemetry
from healer.policy import brakes
from healer.web import pauses, queries

if TYPE_CHECKING:
    from healer import supervise
    from healer.daemon import running
    from healer.decide import evaluating

WINDOW_S: Final = 600


async def of(daemon: running.Daemon) -> dict[str, Any]:
    """The status of a running daemon."""
    now_us = daemon.clock()
    read = daemon.store.reader
    since_us = now_us - WINDOW_S * 1_000_000
    revision = daemon.revision
    (alerts,) = await read.all("status_alerts", since_us, since_us)
    (audit,) = await read.all("audit_head")
    (quarantine,) = await read.all("status_quarantine")
    return {
        "version": healer.__version__,
        "environment": revision.settings.environment,
        "mode": revision.settings.mode,
        "state": daemon.shown_state(),
        "revision": revision.short,
        "revision_id": revision.id,
        "git": None if revision.git is None else {"commit": revision.git.commit, "clean": revision.git.clean},
        "started": queries.iso(daemon.started_us),
        "uptime_s": (now_us - daemon.started_us) // 1_000_000,
        "now": queries.iso(now_us),
        "window_s": WINDOW_S,
        "paused": [pauses.shown(one) for one in await daemon.switch.pauses()],
        "storm": await _storm(daemon, now_us),
        "ended": sorted(daemon.decider.ended),
        "activations": [
            {
                "name": one.name, "rulebook": one.file, "mode": one.mode or revision.settings.mode, "restart": one.restart,
                "inventory": one.inventory or None, "ended": one.name in daemon.decider.ended,
            }
            for one in revision.activations if not one.hidden
        ],
        "alerts": {"firing": alerts["firing"], "opened": alerts["opened"] or 0, "resolved": alerts["resolved"] or 0},
        "runs": {row["state"]: row["n"] for row in await read.all("status_runs")},
        "backlog": daemon.decider.backlog,
        "quarantine": quarantine["n"],
        "position": daemon.decider.position,
        "rules": _rules(await read.all("status_decisions", since_us), await read.all("status_outcomes", since_us)),
        "rule_counters": _rule_counters(daemon.decider.evaluator.running),
        "sources": list(sources(daemon).values()),
        "inventories": [daemon.hosts.shown(path, said) for path, said in revision.found.said.items()],
        "outbox": await daemon.telling.shown(now_us),
        "slack": daemon.services.slack.shown() if daemon.services.slack is not None else None,
        "heartbeat": daemon.outside.beats(),
        "caps": await daemon.caps.shown(),
        "audit": {"size": audit["size"], "root": bytes(audit["root"]).hex(), "anchored": None},
        "counters": telemetry.read(),
    }  # fmt: skip


async def _storm(daemon: running.Daemon, now_us: int) -> dict[str, Any] | None:
    """The storm that holds new runs back; None while it is calm."""
    limit = project.storm_of(daemon.revision.settings)
    rows = await daemon.store.reader.all("storm_find")
    if limit is None or not rows:
        return None
    seen = brakes.Storm(rows[0]["since_us"], rows[0]["last_us"], rows[0]["peak"])
    if now_us >= seen.calm_us(limit):
        return None
    return {
        "since": queries.iso(seen.since_us), "matches": seen.peak, "limit": limit.matches, "within_s": limit.within_s,
        "calm_s": limit.calm_s, "next_look": queries.iso(seen.calm_us(limit)),
    }  # fmt: skip


def sources(daemon: running.Daemon) -> dict[str, dict[str, Any]]:
    """How each source does, by name."""
    return {one.key: _source(daemon, one) for one in daemon.supervisor.status()}


def _source(daemon: running.Daemon, one: supervise.Status) -> dict[str, Any]:
    """One source; what it says of its failure may hold a secret."""
    return {
        "name": one.key, "type": one.type, "state": one.state, "events": one.events, "silent": one.silent,
        "last_event": queries.iso(one.last_event_us) if one.last_event_us else None, "error": daemon.masked(one.last_error) or None,
        **_push(daemon.revision, one.key), "reconcile": daemon.outside.asked(one.key),
        "refused": _refused(daemon.services.tally.last.get(one.key)),
    }  # fmt: skip


def _push(revision: project.Revision, name: str) -> dict[str, Any]:
    """What the revision says of a source: how long it may be silent, and where a webhook is answered."""
    source = revision.sources.get(name)
    if source is None:
        return {}
    return {"max_quiet_s": source.max_quiet_s, "path": getattr(source.options, "path", None)}


def _refused(last: tuple[int, str] | None) -> dict[str, Any] | None:
    return None if last is None else {"at": queries.iso(last[0]), "why": last[1]}


def _rules(decisions: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By rule: how often it fired, and why not more; how many of its runs acted, and have healed or failed by now."""
    found: dict[str, dict[str, Any]] = {}
    for row in decisions:
        one = found.setdefault(
            row["rule"], {"rule": row["rule"], "fired": 0, "acted": 0, "healed": 0, "failed": 0, "why_not": {}}
        )
        one["fired"] += row["n"]
        if row["reason"]:
            one["why_not"][row["reason"]] = one["why_not"].get(row["reason"], 0) + row["n"]
    for row in outcomes:
        one = found.setdefault(
            row["rule"], {"rule": row["rule"], "fired": 0, "acted": 0, "healed": 0, "failed": 0, "why_not": {}}
        )
        one["acted"] += row["n"]
        kind = (
            "healed"
            if row["state"] == "succeeded"
            else "failed"
            if row["state"] in ("failed", "timed_out", "unknown")
            else ""
        )
        if kind:
            one[kind] += row["n"]
    return sorted(found.values(), key=lambda one: -one["fired"])


def _rule_counters(running: Mapping[str, evaluating.Running]) -> dict[str, dict[str, int]]:
    """By ruleset (`activation/ruleset`): what it let go, refused or counted as false, where that is not 0."""
    found = {
        name: {word: count for word, count in one.session.counters.items() if count} for name, one in running.items()
    }
    return {name: counted for name, counted in sorted(found.items()) if counted}


async def difference(
    old: project.Revision, new: project.Revision, before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, Any]:
    """What a reload changes: files, and rules. `before`, `after`: rule (`activation/ruleset/rule`) → digest of what it means; one
    that means something else now starts its windows anew. Others go on between the steps, since there may be thousands of rules."""
    changes: dict[str, Any] = {
        "files": changed_files(old.files, new.files),
        "mode": {"before": old.settings.mode, "after": new.settings.mode}
        if old.settings.mode != new.settings.mode
        else None,
        "git": None if old.git == new.git else {"before": _git(old), "after": _git(new)},
    }
    await asyncio.sleep(0)
    added = after.keys() - before.keys()
    await asyncio.sleep(0)
    removed = before.keys() - after.keys()
    await asyncio.sleep(0)
    restarted = [name for name, digest in after.items() if before.get(name, digest) != digest]
    await asyncio.sleep(0)
    changes["rules"] = {"added": sorted(added), "removed": sorted(removed), "restarted": sorted(restarted)}
    return changes


def changed_files(before: Mapping[str, project.File], now: Mapping[str, project.File]) -> dict[str, list[str]]:
    """Which files came, went, or have another content."""
    return {
        "added": sorted(now.keys() - before.keys()),
        "removed": sorted(before.keys() - now.keys()),
        "changed": sorted(path for path in now.keys() & before.keys() if now[path] != before[path]),
    }


def _git(revision: project.Revision) -> str | None:
    return None if revision.git is None else str(revision.git)


def needs_restart(then: project.Settings, now: project.Settings) -> list[errors.Diagnostic]:
    """What a reload cannot change: a warning that names it."""
    fixed = ("server", "log", "control", "retention", "backlog_max")
    shown = now.server.public_url  # which is only shown, and so holds at once
    then = then.model_copy(update={"server": then.server.model_copy(update={"public_url": shown})})
    names = [name for name in fixed if getattr(then, name) != getattr(now, name)]
    if not names:
        return []
    message = f"{', '.join(names)}: what changed there holds from the next start of the daemon on"
    return [errors.Diagnostic("needs-restart", message, errors.Place("healer.yaml"), severity="warning")]
