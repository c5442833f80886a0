"""Checkers of what people have to say yes to: who has to is written here once more, words are counted anew from the audit's records.

Nothing of `policy.approvals`, of the digest of a request or of its frozen thresholds is asked.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import execution
import orjson
import reviewers
import simulating
import virtual

US: Final = virtual.US
Threshold = tuple[frozenset[str], int, int]
"""Roles, how many say yes, how many say no."""
SWITCH_US: Final = US // 10
"""While a reload is under way either revision may hold."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """One approval. `excludes`: requester, author."""

    thresholds: tuple[Threshold, ...]
    expires_s: int
    excludes: frozenset[str]


def _roles(*names: str) -> frozenset[str]:
    return frozenset(names)


SHIPPED: Final = Wanted(((_roles("approver"), 1, 1),), 40, _roles("requester"))
"""Where a gate asks for a person and nothing says for whom."""
WITH_CARE: Final = Wanted(((_roles("hand", "lead"), 2, 1),), 30, _roles("requester"))
RESET: Final = Wanted(((_roles("hand", "approver"), 1, 1),), 25, _roles("requester"))
NIGHTLY: Final = Wanted(((_roles("hand"), 1, 1),), 15, _roles())
LEAD: Final[Threshold] = (_roles("lead"), 1, 1)
CRITICAL: Final = {
    ("base", "ops/alerts/disk, critical"): Wanted(((_roles("hand"), 2, 2), LEAD), 20, _roles("author")),
    ("tight", "ops/alerts/disk, very critical"): Wanted(((_roles("hand", "approver"), 3, 1), LEAD), 20, _roles("author")),
}  # fmt: skip
CHAINS: Final = {"ops/alerts/down": ("restart", "note"), "ops/alerts/down, critical": ("note", "reset", "note")}
"""Rules with lists, for all of whose steps people are asked before the first."""
AUTHOR: Final = {"base": "ana", "tight": "bo", "watching": "ana"}
OTHERWISE: Final = {("tight", "reset")}
"""(revision, action) where what an action runs is not what it was."""
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "ana": ("hand",), "ana-phone": ("hand",), reviewers.SHELL: ("hand",), "bo": ("hand",), "cy": ("lead",), "eve": ("approver",),
    "fay": ("other",), "gus": ("hand",), "spare": ("hand",),
}  # fmt: skip
ROLES_OF_TIGHT: Final[Mapping[str, tuple[str, ...]]] = {**ROLES, "bo": ("lead",), "eve": ()}
PERSON: Final[Mapping[str, str]] = {"ana-phone": "ana", reviewers.SHELL: "ana", "cy-reader": "cy"}
WHO: Final = {actor: who for who, actor in reviewers.ACTORS.items()}


def wanted(revision: str, rule: str, action: str, labels: Mapping[str, str]) -> list[Wanted]:
    """Who has to say yes to an action of a rule in a revision."""
    revision = "base" if revision == "watching" else revision
    found = [CRITICAL[revision, rule]] if (revision, rule) in CRITICAL else []
    found += [WITH_CARE] if labels.get("care") == "yes" else []
    found += [RESET] if action == "reset" else []
    found += [NIGHTLY] if revision == "tight" and labels.get("when") == "night" else []
    return found


def _of_all(revision: str, rule: str, actions: Sequence[str], labels: Mapping[str, str]) -> list[Wanted]:
    """Who has to say yes to all of these."""
    return list(dict.fromkeys(one for action in actions for one in wanted(revision, rule, action, labels)))


@dataclasses.dataclass(slots=True)
class _Request:
    """One, with what was asked for and what became of it: (change, state). `actions`: of all that it is for."""

    asked: dict[str, Any]
    actions: Sequence[str] = ()
    states: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    def at(self, n: int) -> str:
        """Its state before a change."""
        return next((state for at, state in reversed(self.states) if at < n), "none")


def _requests(seen: simulating.Seen) -> dict[str, _Request]:
    cursor = seen.raw.execute("SELECT * FROM asked ORDER BY rowid")
    columns = [column[0] for column in cursor.description]
    behind = {one for (one,) in seen.rows("SELECT id FROM run WHERE after <> ''")}
    found: dict[str, _Request] = {}
    for row in cursor.fetchall():
        one = dict(zip(columns, row, strict=True))
        if one["state"] == "open":
            first = one["rule"] in CHAINS and one["run"] not in behind
            found[one["id"]] = _Request(one, CHAINS[one["rule"]] if first else (one["action"],))
        found[one["id"]].states.append((one["n"], one["state"]))
    return found


class _Held:
    """Which revisions held when."""

    def __init__(self, seen: simulating.Seen) -> None:
        names = {one.id: name for name, one in seen.known.items()}
        self._since = [
            (n, at_us, names[orjson.loads(text)["revision"]])
            for n, at_us, text in seen.rows(
                "SELECT c.n, c.world_us, a.record FROM change c JOIN audit a ON a.seq = c.audit WHERE a.kind = 'revision' ORDER BY c.n"
            )
        ]
        self.numbers = {n: names[one] for n, one in seen.rows("SELECT n, id FROM revision") if one in names}

    def at(self, n: int, world_us: int) -> set[str]:
        """Those that may have held at a change."""
        known = [(at_us, name) for since, at_us, name in self._since if since < n]
        return {
            known[-1][1],
            *(before[1] for before, after in itertools.pairwise(known) if world_us - after[0] <= SWITCH_US),
        }


def nothing_begins_unapproved(seen: simulating.Seen) -> Iterator[str]:
    """Nothing gated starts without a valid approval: of exactly this, by people who may, in time, and neither rejected, expired nor void."""
    held, requests = _Held(seen), _requests(seen)
    valid = {name: set(_complaints(seen, held, one)) for name, one in requests.items()}
    of_run: dict[str, list[_Request]] = collections.defaultdict(list)
    for one in requests.values():
        of_run[one.asked["run"]].append(one)
    labels = {run: orjson.loads(text) for run, text in seen.rows("SELECT id, labels FROM run")}
    first_of = execution.first_of(seen)
    shown = {
        name: {(step["run"], step["turn"]) for step in orjson.loads(text)}
        for name, text in seen.rows("SELECT id, steps FROM approval")
    }
    for claim in execution._claims(seen):
        revisions = held.at(claim["n"], claim["world_us"])
        own = [one for one in of_run[claim["run"]] if one.states[0][0] < claim["n"]]
        with_first = [
            one
            for one in of_run[first_of.get(claim["run"], "")]
            if one.states[0][0] < claim["n"] and (claim["run"], claim["turn"]) in shown[one.asked["id"]]
        ]
        last = next(
            iter([one for one in reversed(own) if one.asked["turn"] == claim["turn"]] or with_first[-1:] or own[-1:]),
            None,
        )
        is_first = claim["rule"] in CHAINS and claim["run"] not in first_of
        of = CHAINS[claim["rule"]] if is_first and claim["rung"] == 0 else (claim["action"],)
        needed = all(_of_all(name, claim["rule"], of, labels[claim["run"]]) for name in revisions)
        state = last.at(claim["n"]) if last else "none"
        again = last is not None and last not in with_first and last.asked["turn"] != claim["turn"]
        fine = ("approved",) if needed else ("approved", "withdrawn", "none", *(("expired", "void") if again else ()))
        if state not in fine or (needed and again):
            yield f"{claim['token']} ({claim['action']}) began, and its request {last.asked['id'] if last else ''} is {state}"
        elif last is not None and state == "approved":
            name = last.asked["id"]
            yield from (f"{claim['token']} began by {name}: {complaint}" for complaint in sorted(valid[name]))
            if needed:
                yield from _something_else(seen, held, claim, last, revisions)


def _something_else(
    seen: simulating.Seen, held: _Held, claim: dict[str, Any], request: _Request, revisions: set[str]
) -> Iterator[str]:
    """What began is not what was asked for."""
    asked, action = request.asked, claim["action"]
    before = held.at(asked["n"] + 1, asked["world_us"]) | {held.numbers[asked["revision"]]}
    if not {(name, action) in OTHERWISE for name in before} & {(name, action) in OTHERWISE for name in revisions}:
        yield f"{claim['token']} began by {asked['id']} of {sorted(before)}, and {action} is another one in {sorted(revisions)}"
    effect = seen.world.effects.get(claim["token"])
    if effect is None or effect.run is None or claim["run"] != asked["run"]:
        return
    now = [effect.run[key] for key in ("action", "kind", "subject", "controller", "parameters", "dry_run")]
    if now != orjson.loads(asked["what"]) or effect.job.action != asked["action"]:
        yield f"{claim['token']} began as {now}, and asked for was {asked['what']}"
    if more := set(effect.targets) - set(orjson.loads(asked["targets"])):
        yield f"{claim['token']} began on {sorted(more)}, which nobody was asked about"


def _complaints(seen: simulating.Seen, held: _Held, request: _Request) -> Iterator[str]:
    """What is wrong with a request that is approved."""
    end = next((n for n, state in request.states if state == "approved"), None)
    if end is None:
        return
    asked = request.asked
    revisions = held.at(asked["n"] + 1, asked["world_us"]) | {held.numbers[asked["revision"]]}
    told = [
        list(
            _one(
                seen,
                request,
                name,
                _of_all(name, asked["rule"], request.actions, orjson.loads(asked["labels"])) or [SHIPPED],
            )
        )
        for name in sorted(revisions)
    ]
    if all(told):
        yield from told[0]
    if len(request.states) != 2:
        yield f"it went {[state for _, state in request.states]}"


def _one(seen: simulating.Seen, request: _Request, revision: str, approvals: Sequence[Wanted]) -> Iterator[str]:
    """The same, where that was wanted."""
    asked, words = request.asked, _words(seen, request)
    over_us = asked["at_us"] + min(40, *(one.expires_s for one in approvals), 40) * US
    yield from (f"{word['who']} said {word['word']} after its end" for word in words if word["at_us"] >= over_us)
    excluded = {
        *([PERSON.get(WHO.get(asked["requester"], ""), WHO.get(asked["requester"], ""))] if any("requester" in one.excludes for one in approvals) else []),
        *([AUTHOR[revision]] if any("author" in one.excludes for one in approvals) and asked["rule"].startswith("ops/") else []),
    }  # fmt: skip
    yield from (
        f"{word['who']} said yes, who may not"
        for word in words
        if word["word"] == "approve" and word["person"] in excluded
    )
    for one in approvals:
        counts = [
            (roles, yes, no, [word for word in words if roles & word["roles"]]) for roles, yes, no in one.thresholds
        ]
        if not any(sum(word["word"] == "approve" for word in those) >= yes for _, yes, _, those in counts):
            told = [(word["who"], word["word"], sorted(word["roles"])) for word in words]
            yield f"it was approved by {told}, and wanted are {[(sorted(roles), yes) for roles, yes, _ in one.thresholds]}"
        if any(sum(word["word"] == "reject" for word in those) >= no for _, _, no, those in counts):
            yield f"{sum(word['word'] == 'reject' for word in words)} people said no"


def _words(seen: simulating.Seen, request: _Request) -> list[dict[str, Any]]:
    """What people said on it, as the audit has it; of each person the first word."""
    approval = request.asked["id"]
    found: dict[str, dict[str, Any]] = {}
    for at_us, text in seen.rows(
        "SELECT c.at_us, a.record FROM change c JOIN audit a ON a.seq = c.audit"
        " WHERE a.kind = 'review' AND json_extract(a.record, '$.approval') = ? ORDER BY c.n",
        approval,
    ):
        record = orjson.loads(text)
        who = WHO[record["actor"]]
        heard = {
            one.revision
            for one in seen.said
            if (one.approval, one.who, one.word) == (approval, who, record["word"]) and one.revision
        }
        roles = {role for name in heard for role in (ROLES_OF_TIGHT if name == "tight" else ROLES).get(who, ())}
        if (
            not all("web" in target for target in orjson.loads(request.asked["targets"]))
            or request.asked["targets"] == "[]"
        ):
            roles -= {"lead"}
        person = PERSON.get(who, who)
        word = {"who": who, "person": person, "word": record["word"], "roles": roles, "at_us": at_us}
        found.setdefault(person, word)
    return list(found.values())


CHECKS: Final = (nothing_begins_unapproved,)
