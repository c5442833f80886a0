"""Says for each rule of a ruleset what it would do with an event, test by test, and why it would not fire.

Callers: `Session.explain`, `looking`. The answer is made of plain values for JSON. Reasons: `fires`, `no-match`, `disabled`,
`taken` (an earlier rule gets the event), `throttled`, `absence` (the rule is about what is not in memory). An event that may have a part in
a firing that is still to come: `waits` (for the other conditions of its rule), `alone` (`not_all`: for their not coming;
`complete` where it is the last of them, and the rule stays silent), `gathered`
(`once_after`), `counted` (`accumulate_within`; `uncounted` where it lacks what that groups by).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from healer.engine import chains, compiled, conditions, leaves, memory, normal, notall, rules, throttles, values

if TYPE_CHECKING:
    from healer.engine import session


def explain(of: session.Session, event: dict[str, Any], now: float) -> list[dict[str, Any]]:
    """One entry a rule, in the order of the file."""
    numbers = {made.rule.index: number for number, made in enumerate(of.compiled.live)}
    taken_by: tuple[str, str] | None = None
    told = []
    for rule in of.compiled.rules:
        entry = blank(rule)
        entry["tests"] = tests_of(rule, {"": event})
        number = numbers.get(rule.index)
        if number is None:
            entry["reason"] = "disabled"
        else:
            taken_by = verdict(of, number, event, now, entry, taken_by)
            if entry["reason"] == "fires" and (together := _together(of, number, event, now)):
                entry["tests"] = tests_of(rule, together)
        entry["fires"] = entry["reason"] == "fires"
        told.append(entry)
    return told


def _together(of: session.Session, number: int, event: dict[str, Any], now: float) -> dict[str, dict[str, Any]]:
    """The events of the match that an event completes, by their names; nothing where it is alone, or completes several."""
    made = of.compiled.live[number]
    if not made.steps:
        return {}
    met = [pattern for pattern, branch in enumerate(made.branches) if branch.holds(event)]
    entry = memory.Entry(0, event, 0, round(now * 1_000_000), fact=False)
    rows = [*itertools.islice(of.chains[number].rows_with(met, entry), 2)]
    if len(rows) != 1:
        return {}
    return {name: one.body for name, one in zip(of.chains[number].names, rows[0], strict=True)}


def tests_of(rule: rules.Rule, events: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Each simple test of the rule's condition: its text and place, the values seen, whether it holds.

    `events` are those of a match, by their names; one under `""` stands for every pattern that has none of its own. Of a test that needs an
    event that is not there, `holds` is None, and what it would see of that is `unknown`.
    """
    return [shown(events) for shown in _prepared(rule)]


Shown = Callable[[Mapping[str, dict[str, Any]]], dict[str, Any]]
"""Says of one test what it saw in events by their names, and whether it holds."""

OVER: Final = "over"
"""In the place of a throttle: a `not_all` has the event, and no rule after it hears of it."""
KEPT_MAX: Final = 4096
_kept: dict[int, tuple[rules.Rule, list[Shown]]] = {}
"""By identity, with the rule itself so that no other gets its number: each decision shows the tests of the rule that fired."""


def _prepared(rule: rules.Rule) -> list[Shown]:
    kept = _kept.get(id(rule))
    if kept is None:
        if len(_kept) >= KEPT_MAX:
            _kept.clear()
        made = [_test(rule, pattern, check) for pattern in rule.condition.patterns for check in _checks(pattern.test)]
        kept = _kept[id(rule)] = (rule, made)
    return kept[1]


def blank(rule: rules.Rule) -> dict[str, Any]:
    """What is said of a rule that an event does not meet."""
    return {
        "rule": rule.name, "index": rule.index, "place": str(rule.place), "enabled": rule.enabled,
        "fires": False, "reason": "no-match", "match": None, "taken_by": None, "throttle": None, "tests": [],
    }  # fmt: skip


def _checks(test: conditions.Test) -> list[normal.Check]:
    waiting, found = [normal.normal(test)], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, normal.Check):
            found.append(node)
        else:
            waiting.extend(reversed(node.parts))
    return found


def _test(rule: rules.Rule, pattern: conditions.Pattern, check: normal.Check) -> Shown:
    test = check.leaf.test
    places = conditions.bound(test)
    wanted = {place.name for place in places}
    holds = leaves.leaf(chains.named(test) if wanted else test, check.negated, leaves.Tally())
    own = [(path_text(steps), values.getter(steps)) for steps in conditions.paths(test)]
    others = [
        (path_text(place.steps, f"events.{place.name}"), values.getter(place.steps), place.name) for place in places
    ]
    where = f"{rule.place.file}:{check.leaf.line}:{check.leaf.column}"

    def shown(events: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        event = events.get(pattern.name, events.get(""))
        verdict: bool | None = None
        if event is not None and wanted <= events.keys():
            verdict = holds({**events, "": event} if wanted else event)
        return {
            "pattern": pattern.name,
            "text": check.leaf.text,
            "place": where,
            "negated": check.negated,
            "holds": verdict,
            "seen": [_seen(path, get, event) for path, get in own]
            + [_seen(path, get, events.get(name)) for path, get, name in others],
        }

    return shown


def _seen(path: str, get: values.Getter, event: dict[str, Any] | None) -> dict[str, Any]:
    """What stands at a path. Of an event that is not at hand nothing is said: `unknown`, which is neither there nor missing."""
    if event is None:
        return {"path": path, "unknown": True}
    found = get(event)
    if found is values.MISSING or found is values.BROKEN:
        return {"path": path, "missing": True}
    return {"path": path, "missing": False, "value": found}


def path_text(steps: values.Steps, root: str = "event") -> str:
    """The path as it is written in a condition."""
    text = root
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif isinstance(step, str) and step.isidentifier():
            text += f".{step}"
        else:
            text += f'["{step if isinstance(step, str) else step[0]}"]'
    return text


def verdict(
    of: session.Session, number: int, event: dict[str, Any], now: float, entry: dict[str, Any],
    taken_by: tuple[str, str] | None,
) -> tuple[str, str] | None:  # fmt: skip
    """Fill in what a rule that is on would do; returns who has the event after it: (rule, throttle key or nothing)."""
    made = of.compiled.live[number]
    everyone = of.compiled.ruleset.match_multiple_rules
    if made.absence is not None:
        is_gone = taken_by is not None and taken_by[1] not in ("", OVER)  # a throttle before it has the event
        fires = of.absences.would_fire(number, event, is_gone=is_gone)
        entry["reason"] = "absence" if not fires else "taken" if taken_by and not everyone else "fires"
        entry["taken_by"] = taken_by[0] if taken_by and entry["reason"] == "taken" else None
        return taken_by or ((made.rule.name, "") if fires else None)
    if (timer := of.timers.by_rule.get(number)) is not None:
        if isinstance(timer, notall.NotAll):
            return _not_all(made, timer, event, now, entry, taken_by)
        return _timed(made, event, everyone, entry, taken_by)
    if made.steps:
        return _of_chain(of, number, event, now, entry, taken_by)
    name = made.branch(event)
    window = of.windows.by_rule.get(number)
    if window is not None:
        entry["throttle"] = _window(window, event, now)
    if name is None:
        return taken_by
    entry["match"] = name
    if taken_by and not (everyone and taken_by[1] in ("", made.throttle_key)):
        entry["reason"], entry["taken_by"] = "taken", taken_by[0]
        counted = window is not None and not taken_by[1] and window.takes(window.group(event))
        return (taken_by[0], made.throttle_key) if counted else taken_by
    entry["reason"] = "throttled" if entry["throttle"] and entry["throttle"]["closed"] else "fires"
    if isinstance(window, throttles.AccumulateWithin) and entry["throttle"]["closed"]:
        entry["reason"] = "counted" if entry["throttle"]["grouped"] else "uncounted"
    if (window is None and taken_by) or entry["reason"] == "uncounted":
        return taken_by
    return made.rule.name, made.throttle_key


def _timed(
    made: compiled.CompiledRule, event: dict[str, Any], everyone: bool, entry: dict[str, Any], taken_by: tuple[str, str] | None,
) -> tuple[str, str] | None:  # fmt: skip
    """`once_after`, which time fires. What an earlier rule without a throttle has, it has all the same."""
    name = made.branch(event)
    if name is None:
        return taken_by
    entry["match"] = name
    if taken_by and taken_by[1] and not (everyone and taken_by[1] == made.throttle_key):
        entry["reason"], entry["taken_by"] = "taken", taken_by[0]
        return taken_by
    entry["reason"] = "gathered"
    return made.rule.name, made.throttle_key


def _not_all(
    made: compiled.CompiledRule, timer: notall.NotAll, event: dict[str, Any], now: float, entry: dict[str, Any],
    taken_by: tuple[str, str] | None,
) -> tuple[str, str] | None:  # fmt: skip
    """`not_all`: `complete` where the event is the last that was wanted. It has the event then, also where several rules may have one."""
    met = [pattern for pattern, branch in enumerate(made.branches) if branch.holds(event)]
    if not met:
        return taken_by
    entry["match"] = made.branches[met[0]].name
    if taken_by and taken_by[1]:
        entry["reason"], entry["taken_by"] = "taken", taken_by[0]
        return taken_by
    complete = timer.would_close(event, met, round(now * 1_000_000))
    entry["reason"] = "complete" if complete else "alone"
    return (made.rule.name, OVER) if complete else taken_by


def _of_chain(
    of: session.Session, number: int, event: dict[str, Any], now: float, entry: dict[str, Any],
    taken_by: tuple[str, str] | None,
) -> tuple[str, str] | None:  # fmt: skip
    """A rule of several patterns: `waits` where the event meets one, and not all others have theirs."""
    made, chain = of.compiled.live[number], of.chains[number]
    met = [pattern for pattern, branch in enumerate(made.branches) if branch.holds(event)]
    if not met:
        return taken_by
    entry["match"] = made.branches[met[0]].name
    if taken_by and not (of.compiled.ruleset.match_multiple_rules and not taken_by[1]):
        entry["reason"], entry["taken_by"] = "taken", taken_by[0]
        return taken_by
    complete = chain.would_fire(met, memory.Entry(0, event, 0, round(now * 1_000_000), fact=False))
    entry["reason"] = "fires" if complete else "waits"
    return taken_by or ((made.rule.name, "") if complete else None)


def _window(window: throttles.OnceWithin, event: dict[str, Any], now: float) -> dict[str, Any]:
    """The state of the group's window: whether it keeps the event from firing, and until when (seconds)."""
    key = window.group(event)
    until_us = None if key is None else window.until_us(key)
    is_open = until_us is not None and round(now * 1_000_000) < until_us
    closed, kind = is_open, "once_within"
    if isinstance(window, throttles.AccumulateWithin):
        kind = "accumulate_within"
        closed = key is None or (window.open[key][2] if is_open else 0) + 1 < window.threshold
    return {kind: window.shown, "grouped": key is not None, "closed": closed,
            "until": until_us / 1_000_000 if is_open and until_us is not None else None}  # fmt: skip
