"""An expectation beside what happened: where they differ, entry by entry and field by field. Pure. Caller: `playing`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import errors
from healer.harness import checking, observing, shapes, suite

Fields = dict[str, Any]
LACKING: Final = object()
"""A value that is not there."""
NOT_RUN: Final[frozenset[str]] = frozenset(
    {"planned", "suppressed", "refused", "deferred", "awaiting_approval", "queued", "withdrawn", "rejected", "expired", "void", "simulated"}
)  # fmt: skip
"""States of runs that did not run: what is written of these is looked for, and the others are no surprise."""


@dataclasses.dataclass(slots=True)
class Pair:
    """One entry that differs. `wanted` None: it was not expected; `got` None: there is nothing like it; `wrong`: the fields that differ."""

    wanted: Fields | None
    got: Fields | None
    wrong: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Difference:
    """One kind of an expectation that does not hold."""

    kind: str
    place: errors.Place
    from_us: int
    to_us: int
    is_span: bool
    pairs: list[Pair]
    rules: tuple[str, ...] = ()
    """Of which more may be told: the rules of what is missing."""


def differences(expected: suite.Expected, seen: observing.Seen) -> Iterator[Difference]:
    """What does not hold."""
    for kind in shapes.EXPECTED:
        wanted = getattr(expected.wanted, kind)
        if wanted is None:
            continue
        pairs = _KINDS[kind](wanted, expected, seen)
        if pairs:
            rules = tuple(dict.fromkeys(pair.wanted["rule"] for pair in pairs if pair.wanted and "rule" in pair.wanted))
            place = expected.places[kind]
            yield Difference(kind, place, expected.from_us, expected.to_us, expected.is_span, pairs, rules)


def _within(expected: suite.Expected, at_us: int) -> bool:
    return expected.from_us <= at_us <= expected.to_us


# --- each kind ------------------------------------------------------------------------------------------------------------


def _runs(wanted: Sequence[shapes.Run], expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    ran, others, fresh = [], [], []
    for run in seen.runs:
        count = sum(_within(expected, at_us) for at_us in run["begun"])
        fields = {
            "rule": run["rule"], "action": run["action"], "targets": run["targets"], "controller": run["controller"],
            "parameters": run["parameters"], "status": run["state"], "reason": run["reason"], "attempts": count,
            "sentence": run["sentence"],
        }  # fmt: skip
        if count:
            ran.append(fields)
        elif run["created_us"] <= expected.to_us:
            if run["begun"]:
                fields["sentence"] = f"{run['sentence']} (it ran before)"
            others.append(fields)
            fresh += [fields] if _within(expected, run["created_us"]) else []
    entries = [_written(one) for one in wanted]
    waiting = [one for one in entries if one.get("status") in NOT_RUN]
    begun = [one for one in entries if one.get("status") not in NOT_RUN]
    # A run that was begun and waits again (a retry that a gate holds) may be meant by either.
    pairs = _matched(begun, ran if not waiting else _rest(waiting, others, ran), complete=True, near=fresh or others)
    return pairs + _matched(waiting, [*others, *ran], complete=False)


def _rest(waiting: Sequence[Fields], others: Sequence[Fields], ran: list[Fields]) -> list[Fields]:
    """The runs that ran without those that only an entry of a waiting one means."""
    left = list(ran)
    for one in waiting:
        if not any(_holds(one, got) for got in others):
            found = next((got for got in left if _holds(one, got)), None)
            left = [got for got in left if got is not found]
    return left


def _fired(wanted: Sequence[str | shapes.Fired], expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    counted = Counter(
        one["rule"] for one in seen.decisions if one["action_index"] == 0 and _within(expected, one["at_us"])
    )
    entries: list[Fields] = []
    for one in wanted:
        entries.append({"rule": one, "times": 1} if isinstance(one, str) else {"rule": one.rule, "times": one.times})
    return _matched(entries, [{"rule": rule, "times": count} for rule, count in counted.items()], complete=True)


def _decisions(wanted: Sequence[shapes.Decision], expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    made = [
        {"rule": one["rule"], "action": one["action"], "outcome": one["outcome"], "reason": one["reason"]}
        for one in seen.decisions if _within(expected, one["at_us"])
    ]  # fmt: skip
    pairs = []
    for one in wanted:
        entry = _written(one)
        count = entry.pop("count", None)
        found = sum(_holds(entry, got) for got in made)
        if found != count if count is not None else not found:
            shown = entry if count is None else entry | {"count": count}
            if found:
                pairs.append(Pair(shown, entry | {"count": found}, ("count",)))
            else:
                near = _nearest(entry, made, ())
                pairs.append(Pair(shown, near, _wrong(entry, near) if near else ()))
    return pairs


def _approvals(wanted: Sequence[shapes.Approval], expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    made = [
        {key: one[key] for key in ("rule", "action", "targets", "state", "reason")}
        for one in seen.approvals if _within(expected, one["asked_us"])
    ]  # fmt: skip
    return _matched([_written(one) for one in wanted], made, complete=True)


def _notifications(wanted: Sequence[shapes.Notification], expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    made = [
        {key: one[key] for key in ("to", "news", "rule", "action", "count")}
        for one in seen.notifications if _within(expected, one["made_us"])
    ]  # fmt: skip
    return _matched([_written(one) for one in wanted], made, complete=True)


def _facts(wanted: Sequence[Mapping[str, Any]], expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    made = [{"fact": _own(body)} for _, body in seen.facts]
    unkept = [
        {"fact": _own(one["fact"]), "sentence": f"It is not kept: it passes no condition of {one['ruleset']}."}
        for one in seen.unkept if one["at_us"] <= expected.to_us
    ]  # fmt: skip
    return _matched([{"fact": dict(one)} for one in wanted], made, complete=True, near=unkept)


def _own(body: Mapping[str, Any]) -> Fields:
    """A fact as it was given."""
    return {key: value for key, value in body.items() if key != "meta"}


def _alerts(wanted: Sequence[shapes.Alert], _expected: suite.Expected, seen: observing.Seen) -> list[Pair]:
    made = [
        {key: one[key] for key in ("key", "source", "name", "target", "status", "cycle", "severity")}
        for one in seen.alerts
    ]
    entries = [{"status": one.status, **_written(one)} for one in wanted]
    firing, over = ([one for one in entries if (one["status"] == "firing") is fires] for fires in (True, False))
    fires = [one for one in made if one["status"] == "firing"]
    rest = [one for one in made if one["status"] != "firing"]
    return _matched(firing, fires, complete=True, near=rest) + _matched(over, rest, complete=False, near=fires)


_KINDS: Final[dict[str, Callable[[Any, suite.Expected, observing.Seen], list[Pair]]]] = {
    "fired": _fired, "runs": _runs, "decisions": _decisions, "approvals": _approvals,
    "notifications": _notifications, "facts": _facts, "alerts": _alerts,
}  # fmt: skip


# --- entries --------------------------------------------------------------------------------------------------------------


def _written(one: Any) -> Fields:
    """The fields that stand in the file."""
    names = type(one).model_fields
    return {key: value for key in names if key in one.model_fields_set and (value := getattr(one, key)) is not None}


def _matched(
    wanted: Sequence[Fields], got: Sequence[Fields], *, complete: bool, near: Sequence[Fields] = ()
) -> list[Pair]:
    """What is left of both once as many entries as can be have found one of their own. `near`: what else may have been meant."""
    taken: dict[int, int] = {}
    fits = [[number for number, one in enumerate(got) if _holds(entry, one)] for entry in wanted]
    order = sorted(range(len(wanted)), key=lambda number: -_asked(wanted[number]))
    missing = [number for number in order if not _place(number, fits, taken, set())]
    shown: set[int] = set()
    made: dict[int, Pair] = {}
    for number in missing:
        at = _own_nearest(wanted[number], got, fits, taken, shown)
        left = [one for place, one in enumerate(got) if place not in taken and place not in shown]
        found = got[at] if at is not None else _nearest(wanted[number], left, near)
        if complete and found is not None:
            shown |= {place for place, one in enumerate(got) if one is found}
        made[number] = Pair(wanted[number], found, _wrong(wanted[number], found) if found is not None else ())
    rest = [one for place, one in enumerate(got) if place not in taken and place not in shown]
    return [made[number] for number in sorted(made)] + [Pair(None, one) for one in rest if complete]


def _own_nearest(
    wanted: Fields, got: Sequence[Fields], fits: Sequence[Sequence[int]], taken: dict[int, int], shown: set[int]
) -> int | None:
    """Where the nearest one is that another entry has, which is as well met by one that nobody has: that takes it. None: there is none."""
    free_first = sorted((place in taken, place) for place in range(len(got)) if place not in shown)
    found = _nearest(wanted, [got[place] for _, place in free_first], ())
    at = next((place for place, one in enumerate(got) if one is found), None)
    if at is None or at not in taken:
        return None
    owner = taken.pop(at)
    if _place(owner, fits, taken, {at, *shown}):
        return at
    taken[at] = owner
    return None


def _asked(wanted: Any) -> int:
    """How much an entry says: what says more is given one of its own first."""
    return sum(1 + _asked(value) for value in wanted.values()) if isinstance(wanted, Mapping) else 0


def _place(number: int, fits: Sequence[Sequence[int]], taken: dict[int, int], asked: set[int]) -> bool:
    """Find an entry its own, moving others where that helps (Kuhn 1955: maximum bipartite matching)."""
    for one in fits[number]:
        if one in asked:
            continue
        asked.add(one)
        if one not in taken or _place(taken[one], fits, taken, asked):
            taken[one] = number
            return True
    return False


def _holds(wanted: Fields, got: Fields) -> bool:
    return all(_same(key, value, got) for key, value in wanted.items())


def _wrong(wanted: Fields, got: Fields) -> tuple[str, ...]:
    return tuple(key for key, value in wanted.items() if not _same(key, value, got))


def _nearest(wanted: Fields, among: Sequence[Fields], near: Sequence[Fields]) -> Fields | None:
    """The entry with the fewest fields that differ, of `near` where there is none; None where none has the rule, the action or the key
    that is wanted."""
    if isinstance(fact := wanted.get("fact"), Mapping):
        alike = [one for one in (*among, *near) if not fact.keys().isdisjoint(one["fact"])]
        return min(alike, key=lambda one: len(apart(fact, one["fact"])), default=None)
    for entries in (among, near):
        alike = [one for one in entries if len(wanted) == 1 or len(_wrong(wanted, one)) < len(wanted)]
        if alike:
            return min(alike, key=lambda one: len(_wrong(wanted, one)))
    return None


def apart(wanted: Mapping[str, Any], got: Mapping[str, Any], above: str = "") -> list[tuple[str, Any, Any]]:
    """(path, wanted, got) of each key that is written and differs, at any depth; `LACKING` is got where it is not there."""
    found = []
    for key, value in wanted.items():
        inner, at = got.get(key, LACKING), f"{above}{key}"
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            found += apart(value, inner, f"{at}.")
        elif inner is LACKING or not _inside(value, inner):
            found.append((at, value, inner))
    return found


def _same(key: str, wanted: Any, got: Fields) -> bool:
    if key == "rule":
        return checking.meant(got["rule"], wanted)
    if key == "target" and "targets" in got:
        return len(got["targets"]) == 1 and _is_target(got["targets"][0], wanted)
    if key == "targets":
        return len(wanted) == len(got["targets"]) and all(
            any(_is_target(one, name) for one in got["targets"]) for name in wanted
        )
    if key in ("parameters", "fact"):
        return _inside(wanted, got[key])
    return bool(got.get(key) == wanted and isinstance(got.get(key), bool) is isinstance(wanted, bool))


def _is_target(target: str, wanted: str) -> bool:
    return wanted in (target, target.partition(":")[2])


def _inside(wanted: Any, got: Any) -> bool:
    """Whether all keys that are written are there with these values, at any depth."""
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(
            key in got and _inside(value, got[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(_inside, wanted, got))
    return bool(wanted == got and isinstance(wanted, bool) is isinstance(got, bool))
