"""Checkers of what took effect: once, after its row, on its targets, within every limit, and nothing that a person had stopped.

Each reads what was seen of a seed and gives a line for each thing that is not as it has to be. The limits are written down here once
more, by hand, and counted anew from the effects: nothing of `policy` is asked.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
import simulating
import virtual
import world

US: Final = virtual.US
DAEMON_MAX: Final = 7
CONTROLLER_MAX: Final = {"a": 4, "b": 2, "c": 5}
DATABASES: Final = {"host:db01", "host:db02", "host:db03"}
COOLDOWN_S: Final = {"restart": (6, 8), "clean": (5, 8), "reboot": (15, 15), "failover": (5, 8)}
"""Action → seconds, and those of critical alerts."""
RAMP_FIRST, RAMP_MAX, ERRORS_MAX = 1, 3, 1
BLAST: Final = {
    "web": ({f"host:web0{n}" for n in range(1, 9)}, 2),
    "db": (DATABASES, 1),
    "edge": ({"host:web08", "host:edge01"}, 1),
}
BLAST_US: Final = 60 * US
MAX_AGE_US: Final = 40 * US


def _effects(seen: simulating.Seen) -> list[world.Effect]:
    """What took effect, in its order, without what only looks whether something helped."""
    return [one for one in seen.world.effects.values() if one.row is not None and one.row["purpose"] == "effect"]


def _let_go(seen: simulating.Seen) -> dict[str, int]:
    """Token → when a person let go of it while it may have gone on (world time)."""
    found: dict[str, int] = {}
    for at_us, text in seen.rows(
        "SELECT c.world_us, a.record FROM change c JOIN audit a ON a.seq = c.audit WHERE a.kind IN ('resolved', 'lock_released')"
    ):
        record = orjson.loads(text)
        if record.get("token") and record.get("found") is None:
            found.setdefault(record["token"], at_us)
    return found


def takes_effect_once(seen: simulating.Seen) -> Iterator[str]:
    """A non-idempotent step happens at most once, whatever is killed when."""
    for one in seen.world.effects.values():
        if one.begins != 1:
            yield f"{one.token} took effect {one.begins} times"


def row_comes_first(seen: simulating.Seen) -> Iterator[str]:
    """Every effect has an earlier `running` row (and its intent in the audit), committed before it."""
    for one in seen.world.effects.values():
        state = one.row["state"] if one.row else None
        if state != "running" or one.intents != 1 or one.in_transaction:
            yield f"{one.token} began while its row was {state}, with {one.intents} intents"


def only_on_resolved_targets(seen: simulating.Seen) -> Iterator[str]:
    """Effects only on resolved targets, which their controller may touch and which no gate left out."""
    revision = seen.known["base"]
    for one in seen.world.effects.values():
        wave = set(orjson.loads(one.row["targets"])) if one.row else set()
        for target in one.targets:
            name = target.partition(":")[2]
            if str(revision.resolve_target(one.controller, name)) != target or target not in wave:
                yield f"{one.token} acts on {target}, which is no target of it"
        if revision.forbidden(one.controller, one.job.action, one.job.kind, list(one.job.targets)):
            yield f"{one.token} acts on {one.targets} by {one.controller}, which may not"
        if not one.targets and one.job.action != "note":
            yield f"{one.token} acts on nothing"


def places_hold(seen: simulating.Seen) -> Iterator[str]:
    """Limits hold at every instant: the places of the daemon, of each controller, of the policy of databases; one effect a target."""
    let_go = _let_go(seen)
    moments: list[tuple[int, int, world.Effect]] = []
    for one in seen.world.effects.values():
        end_us = min(one.end_us if one.end_us is not None else 1 << 62, let_go.get(one.token, 1 << 62))
        known_us = _unknown_since(seen, one)
        end_us = min(end_us, known_us) if known_us is not None else end_us
        if end_us > one.begin_us:
            moments += [(one.begin_us, 1, one), (end_us, 0, one)]
    under: dict[str, world.Effect] = {}
    for _, begins, one in sorted(moments, key=lambda moment: moment[:2]):
        if not begins:
            under.pop(one.token, None)
            continue
        under[one.token] = one
        yield from _too_many(one, list(under.values()))
    yield from _targets_apart(seen, let_go)


def _unknown_since(seen: simulating.Seen, effect: world.Effect) -> int | None:
    """When the daemon called it unknown: a place is given back then, the lock is not."""
    rows = seen.rows(
        "SELECT min(world_us) FROM change WHERE what = 'attempt' AND id = ? AND new = 'unknown'", effect.token
    )
    return None if rows[0][0] is None else int(rows[0][0])


def _too_many(one: world.Effect, under: list[world.Effect]) -> Iterator[str]:
    if len(under) > DAEMON_MAX:
        yield f"{len(under)} effects at once when {one.token} began"
    mine = [other for other in under if other.controller == one.controller]
    if len(mine) > CONTROLLER_MAX[one.controller]:
        yield f"{len(mine)} effects at once by {one.controller} when {one.token} began"
    databases = [
        other for other in under if DATABASES & set(other.targets) and other.row and other.row["purpose"] == "effect"
    ]
    if one in databases and len(databases) > 1:
        yield f"{len(databases)} effects at once on databases when {one.token} began"


def _targets_apart(seen: simulating.Seen, let_go: dict[str, int]) -> Iterator[str]:
    last: dict[str, world.Effect] = {}
    for one in _effects(seen):
        for target in one.targets:
            before = last.get(target)
            gone_us = let_go.get(before.token, 1 << 62) if before else 0
            if before is not None and one.begin_us < min(
                before.end_us if before.end_us is not None else 1 << 62, gone_us
            ):
                yield f"{one.token} began on {target} while {before.token} was at work on it"
            last[target] = one


def cooldown_holds(seen: simulating.Seen) -> Iterator[str]:
    """A cooldown from the end of the last effect of an action on a target is kept; clock jumps lose none.

    What one decision led to (retries, once more) is one: for it the effects of others count.
    """
    let_go = _let_go(seen)
    others: dict[tuple[str, str], list[world.Effect]] = collections.defaultdict(list)
    for one in _effects(seen):
        plain_s, critical_s = COOLDOWN_S.get(one.job.action, (0, 0))
        wanted_us = (critical_s if one.run and one.run["severity"] == 0 else plain_s) * US
        for target in one.targets:
            before = next(
                (
                    other
                    for other in reversed(others[one.job.action, target])
                    if _decision_of(other) != _decision_of(one)
                ),
                None,
            )
            others[one.job.action, target].append(one)
            if (
                before is None
                or before.token in let_go
                or before.end_us is None
                or (seen.jumped and before.life != one.life)
            ):
                continue
            if one.begin_us - before.end_us < wanted_us:
                yield f"{one.token}: {one.job.action} on {target} {(one.begin_us - before.end_us) / US} s after {before.token}"


def _decision_of(effect: world.Effect) -> tuple[str, int]:
    """The run, and the turn of its decision."""
    assert effect.row is not None
    return effect.job.run_id, int(effect.row["turn"])


def _claims(seen: simulating.Seen) -> list[dict[str, Any]]:
    """Attempts that began, in the order in which they did, without checks."""
    cursor = seen.raw.execute(
        "SELECT a.*, c.n, c.world_us, r.rule, r.action, r.rung, a.controller, r.severity FROM change c JOIN attempt a ON a.token = c.id"
        " JOIN run r ON r.id = a.run WHERE c.what = 'attempt' AND c.new = 'running' AND a.purpose = 'effect' ORDER BY c.n"
    )
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def first_of(seen: simulating.Seen) -> dict[str, str]:
    """Step → the first run of its rule's list."""
    before = dict(seen.rows("SELECT id, after FROM run WHERE rung = 0 AND after <> ''"))
    return {run: _first(before, run) for run in before}


def _first(before: Mapping[str, str], run: str) -> str:
    while run in before:
        run = before[run]
    return run


def rates_hold(seen: simulating.Seen) -> Iterator[str]:
    """A rate is of all runs that share it: `clean` 4 per 20 seconds, runs on databases 3 per 30 seconds.

    A run begins with its first attempt, also where only a retry of it came as far as an effect.
    """
    for what, count, within_us, belongs in (
        ("clean", 4, 20 * US, lambda one: one["action"] == "clean"),
        ("databases", 3, 30 * US, lambda one: DATABASES & set(orjson.loads(one["targets"]))),
    ):
        starts: dict[tuple[str, int], int] = {}
        acted = set()
        for one in _claims(seen):
            if belongs(one) and one["state"] != "withdrawn":
                starts.setdefault((one["run"], one["turn"]), one["started_us"])
                acted |= {(one["run"], one["turn"])} if one["token"] in seen.world.effects else set()
        times = sorted(started_us for run, started_us in starts.items() if run in acted)
        for first, last in zip(times, times[count:], strict=False):
            if last - first < within_us:
                yield f"{count + 1} runs of {what} within {(last - first) / US} s, the last at {last}"


def blast_radius_holds(seen: simulating.Seen) -> Iterator[str]:
    """At most so many distinct targets of a group within a minute are rebooted, over all rules, beside those to which a person said yes."""
    approved = seen.rows(
        "SELECT a.run, t.target, a.decided_us FROM approval a JOIN run_target t ON t.run = a.run WHERE a.state = 'approved'"
        " AND a.reason = 'blast_radius'"
    )
    allowed = {run for run, _, _ in approved}
    began = [
        one for one in _claims(seen)
        if one["action"] == "reboot" and one["run"] not in allowed and one["token"] in seen.world.effects
    ]  # fmt: skip
    for group, (members, limit) in BLAST.items():
        for one in began:
            since_us = one["started_us"] - BLAST_US
            named = {target for _, target, at_us in approved if at_us <= one["started_us"]}
            touched = {
                target for other in began if since_us < other["started_us"] <= one["started_us"]
                for target in orjson.loads(other["targets"]) if target in members - named
            }  # fmt: skip
            if len(touched) > limit and set(orjson.loads(one["targets"])) & members:
                yield f"{sorted(touched)} of {group} rebooted within a minute, the last by {one['token']}"


def waves_hold(seen: simulating.Seen) -> Iterator[str]:
    """Many targets: a ramp (1, then 2, doubling to the limit), stopping at `max_errors`."""
    done: dict[tuple[str, int], set[str]] = collections.defaultdict(set)
    bad: dict[tuple[str, int], set[str]] = collections.defaultdict(set)
    for one in _claims(seen):
        if one["action"] != "failover":
            continue
        key, wave = (one["run"], one["turn"]), orjson.loads(one["targets"])
        if len(wave) > min(RAMP_MAX, len(done[key]) + RAMP_FIRST):
            yield f"{one['token']} acts on {len(wave)} targets after {len(done[key])}"
        if len(bad[key]) > ERRORS_MAX:
            yield f"{one['token']} begins after {len(bad[key])} errors"
        if twice := done[key] & set(wave):
            yield f"{one['token']} acts on {sorted(twice)} once more"
        if one["state"] in ("withdrawn", "running"):
            continue
        outcome = orjson.loads(one["outcome"]) if one["outcome"] else {"state": one["state"], "per_target": {}}
        if outcome.get("summary", "").startswith("resolved as queued"):
            continue  # a person wants it once more
        for target in wave:
            done[key].add(target)
            if outcome["per_target"].get(target, outcome["state"]) != "succeeded":
                bad[key].add(target)


def pauses_hold(seen: simulating.Seen) -> Iterator[str]:
    """After the kill switch is acknowledged no new effect starts (in its scope, until the resume)."""
    acts = seen.crowd.acts
    for place, pause in enumerate(acts):
        if pause.kind != "pause" or pause.error or pause.answered_us is None:
            continue
        until_us = pause.result["until_us"]
        if until_us is not None and seen.jumped:
            continue
        over_us = 1 << 62 if until_us is None else pause.asked_us + 20 * US
        over_us = min(
            [
                over_us,
                *(
                    act.asked_us
                    for act in acts[place + 1 :]
                    if (act.kind in ("pause", "resume") and act.what == pause.what)
                    or (act.kind == "reload" and pause.result["until_changed"])
                ),
            ]
        )
        for one in seen.world.effects.values():
            covered = one.run is not None and _covers(pause.what, one.run["rule"], one.controller)
            if covered and pause.answered_us < one.begin_us < over_us:
                yield f"{one.token} began {(one.begin_us - pause.answered_us) / US} s after the pause of {pause.what} was answered"


def changed_is_asked(seen: simulating.Seen) -> Iterator[str]:
    """What a pause held until its rule was changed was decided by the rule of then: it takes effect only if a person says so."""
    firsts = first_of(seen)
    for one in seen.world.effects.values():
        mark = orjson.loads(one.run["extra"]).get("rule_changed") if one.run else None
        if mark is None or (one.row is not None and one.row["purpose"] == "verify"):
            continue
        run = one.job.run_id
        if not seen.rows(
            "SELECT 1 FROM approval WHERE run IN (?, ?) AND state = 'approved'", run, firsts.get(run, run)
        ):
            yield f"{one.token} began though {mark['scope']} was changed, and nobody has approved it"


def file_holds(seen: simulating.Seen) -> Iterator[str]:
    """A file PAUSE does the same with a dead API (checked before each effect)."""
    for (came_us, _), (went_us, _) in zip(seen.files[::2], [*seen.files[1::2], (1 << 62, False)], strict=False):
        for one in seen.rows(
            "SELECT id, world_us FROM change WHERE what = 'attempt' AND new = 'running' AND world_us > ? AND world_us < ?",
            came_us,
            went_us,
        ):
            yield f"{one[0]} was claimed at {one[1]} while the file PAUSE was there"


def _covers(scope: str, rule: str, controller: str) -> bool:
    kind, _, name = scope.partition(":")
    return {
        "all": True, "controller": controller == name, "rule": rule == name, "ruleset": rule.rpartition("/")[0] == name,
        "activation": rule.partition("/")[0] == name,
    }[kind]  # fmt: skip


def sign_is_fresh(seen: simulating.Seen) -> Iterator[str]:
    """An effect later than `max_age` after the sender's last word needs a fresh sign first: a repeat, a check that failed, a person."""
    firsts = first_of(seen)
    for one in _claims(seen):
        run, n = one["run"], one["n"]
        signs = [
            *seen.rows("SELECT created_us FROM run WHERE id = ?", run),
            *seen.rows("SELECT at_us FROM decision WHERE run = ? AND at_us <= ?", run, one["started_us"]),
            *seen.rows(
                "SELECT CAST(c.new AS INTEGER) FROM change c JOIN run_alert a ON a.source = c.old AND a.key = c.id"
                " WHERE c.what = 'alert' AND a.run = ? AND c.n < ?", run, n,
            ),
            *seen.rows(
                "SELECT a.ended_us FROM change c JOIN attempt a ON a.token = c.id WHERE c.what = 'attempt' AND c.new = 'failed'"
                " AND a.purpose = 'verify' AND a.run = ? AND c.n < ?", run, n,
            ),
            *seen.rows(
                "SELECT c.at_us FROM change c JOIN audit a ON a.seq = c.audit WHERE a.kind = 'resolved' AND a.actor <> 'daemon'"
                " AND a.run = ? AND c.n < ?", run, n,
            ),
        ]  # fmt: skip
        old_us = one["started_us"] - max(at_us for (at_us,) in signs)
        asked = seen.rows(
            "SELECT 1 FROM approval WHERE run IN (?, ?) AND state = 'approved' AND decided_us <= ?",
            run, firsts.get(run, run), one["started_us"],
        )  # fmt: skip
        if old_us > MAX_AGE_US and not asked:
            yield f"{one['token']} began {old_us / US} s after the last sign that it is needed"


def nothing_cancelled_starts(seen: simulating.Seen) -> Iterator[str]:
    """What a person cancelled does not begin any more."""
    for place, act in enumerate(seen.crowd.acts):
        if act.kind == "cancel" and not act.error and act.answered_us is not None:
            later = seen.crowd.acts[place + 1 :]
            over_us = min(
                [1 << 62, *(other.asked_us for other in later if other.kind == "resolve" and other.what == act.what)]
            )
            yield from (
                f"{one.token} began after {act.what} was cancelled"
                for one in seen.world.effects.values() if one.job.run_id == act.what and act.answered_us < one.begin_us < over_us
            )  # fmt: skip


def no_orphans(seen: simulating.Seen) -> Iterator[str]:
    """After restart every run is queued, ended or unknown; no orphan processes."""
    for one in seen.world.effects.values():
        if one.end_us is None:
            yield f"{one.token} goes on at the end"
    for token, state in seen.rows("SELECT token, state FROM attempt WHERE state = 'running'"):
        yield f"{token} is {state} at the end, and nothing of it is at work"


CHECKS: Final = (
    takes_effect_once, row_comes_first, only_on_resolved_targets, places_hold, cooldown_holds, rates_hold, blast_radius_holds, waves_hold,
    pauses_hold, changed_is_asked, file_holds, sign_is_fresh, nothing_cancelled_starts, no_orphans,
)  # fmt: skip
