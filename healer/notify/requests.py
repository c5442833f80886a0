"""The message that asks people: what would run, exactly, on what, why, and who has to say yes; afterwards what became of it."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import plugins
from healer.notify import looking
from healer.policy import approvals, reasons
from healer.store import approving, outbox, reader, reviewing, transaction

DIGEST: Final = 16
"""So many characters of a digest are in a button: enough that nobody finds another request of the same."""
SAID_MAX: Final = 12
"""Words of people that are told one by one."""
STATUS_MAX: Final = 900
"""Characters of what became of many requests: a channel shows all of it in the message, so that nothing of what may change soon goes
beside it."""
WHY_MAX: Final = 100
APART_MAX: Final = 6
OUTPUTS_MAX: Final = 3
"""Of so many runs that failed the outputs stand beside the message."""
FAILED: Final = ("failed", "timed_out", "unknown")
MINUTE_US: Final = 60_000_000
ENDS: Final = {
    "rejected": "Rejected", "expired": "Expired: nobody decided in time", "void": "Void: what was asked for is something else now",
    "withdrawn": "No longer needed", "cancelled": "Cancelled",
}  # fmt: skip


async def made(
    read: reader.Reader, around: looking.Around, row: Mapping[str, Any], now_us: int
) -> plugins.Message | None:
    """Of all requests of a message; None where none is there any more."""
    asked = [
        found
        for one in transaction.loads(row["members"])
        for found in await read.all("approval_shown", one["approval"])
    ]
    if not asked:
        return None
    runs = await looking.runs(read, (one["run"] for one in asked))
    reviews = {one["id"]: await read.all("reviews", one["id"]) for one in asked}
    open_ = [one for one in asked if one["state"] == "open"]
    shown = [runs[one["run"]] for one in open_ or asked]
    first = (open_ or asked)[0]
    named = looking.names([*runs.values()])
    rows = await _rows(read, first, shown, named, now_us)
    details = looking.whole([runs[one["run"]] for one in asked], named)
    details += await _plans(around, [one["run"] for one in open_ or asked], rows)
    if open_:
        rows += _needs(open_, reviews, named)
    became = _Became(asked, runs, reviews, named)
    failed = sorted(
        (run for run in runs.values() if run["state"] in FAILED), key=lambda run: (run["ended_us"] or run["changed_us"], run["id"])
    )  # fmt: skip
    details += (*became.details(), *await _failures(read, around, failed, named))
    is_answered = row["answered_us"] is not None
    answerable = not is_answered and any(looking.wants(run) in outbox.FAILED for run in failed)
    after: plugins.Text = ()
    if is_answered:
        after = f" · {row['answered_by']} looks after it since ", plugins.When(row["answered_us"])
    elif failed and not answerable:
        after = (" · what failed fires no more: nobody has to look after it",)
    about = looking.differing(shown)
    return plugins.Message(
        id=f"n-{row['id']}", news="needs_approval", level="warning" if open_ else _level(asked, runs),
        title=(plugins.Strong(str(first["action"])), " wants to run on " if open_ else " on ",
               plugins.Strong(looking.share(around, shown)), f" – {around.environment}"),
        rows=tuple(rows), status=became.status() + after,
        asks=tuple(_asked(one, runs[one["run"]], about) for one in open_),
        answerable=answerable, ways=(*_deciding(around, open_), *((looking.answering(row),) if answerable else ())), details=details,
        link=looking.link(around, f"/ui/approvals/{first['id']}"),
        foot=", ".join(looking.short(one["run"]) for one in asked) + f" · digest {first['digest'][:12]}",
    )  # fmt: skip


def _deciding(around: looking.Around, open_: Sequence[Mapping[str, Any]]) -> tuple[plugins.Row, ...]:
    """By which commands they are decided, where there is no page for it either."""
    if not open_ or around.link:
        return ()
    name = open_[0]["id"] if len(open_) == 1 else approving.bundle_of(open_[0])
    return (plugins.Row("decide", (f"healer approvals approve {name}, or: healer approvals reject {name}",)),)


async def _failures(
    read: reader.Reader, around: looking.Around, failed: Sequence[Mapping[str, Any]], named: Mapping[str, str]
) -> tuple[plugins.Detail, ...]:  # fmt: skip
    """That the first one failed, aloud and once; and the ends of outputs."""
    made: list[plugins.Detail] = []
    for run in failed[:1]:
        made.append(
            plugins.Detail(f"{run['action']} on {named[run['id']]} {_state(run)}", looking.sentence(run), loud=True)
        )
    for run in failed[:OUTPUTS_MAX]:
        of = f"{named[run['id']]}: " if len(named) > 1 else ""
        made += [plugins.Detail(of + one.name, one.text) for one in await looking.output(read, around, run)]
    return tuple(made)


def _asked(one: Mapping[str, Any], run: Mapping[str, Any], about: Mapping[str, str]) -> plugins.Asked:
    return plugins.Asked(
        one["id"], run["id"], tuple(run["targets"]), one["digest"][:DIGEST], about[run["id"]], one["expires_us"]
    )


async def _rows(
    read: reader.Reader, first: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], named: Mapping[str, str], now_us: int
) -> list[plugins.Row]:  # fmt: skip
    ids = [run["id"] for run in shown]
    by = await looking.alerts(read, ids)
    said = reasons.sentence(first["reason"], transaction.loads(shown[0]["detail"]))
    rows = [
        plugins.Row("rule", (str(first["rule"]),)),
        plugins.Row("asked by", by or (str(first["requester"]),)),
        *((plugins.Row("why", looking.in_pieces(said)),) if first["reason"] != "needs_approval" else ()),
        *(plugins.Row("will run", (text,)) for text in _commands(shown, named)),
        plugins.Row("on", (looking.targets(shown),)),
    ]
    steps = [step["action"] for step in transaction.loads(first["steps"])]
    if steps:
        rows.append(plugins.Row("and then", (", ".join(map(str, steps)),)))
    rows.append(plugins.Row("so far", await looking.history(read, shown[0], now_us)))
    return rows


async def _plans(around: looking.Around, ids: Sequence[str], rows: list[plugins.Row]) -> tuple[plugins.Detail, ...]:
    """What their controllers say that they would do: a line, and their diffs beside the message."""
    plans = [(run, plan) for run in ids if (plan := await around.plan(run)) is not None]
    if not plans:
        return ()
    made = [plan for _, plan in plans if plan["state"] == "made"]
    changed = sum(len(plan["steps"]) for plan in made)
    fails = next((plan["fails"] for plan in made if plan["fails"]), "")
    said = f"{changed} step{'' if changed == 1 else 's'}" if made else str(plans[0][1]["sentence"])
    diffs = [(run, str(plan["diff"])) for run, plan in plans if plan["diff"]]
    rows.append(
        plugins.Row(
            "dry run",
            (said + (f"; it would fail: {fails}" if fails else "") + (" · the diff is beside this" if diffs else ""),),
        )
    )
    return tuple(plugins.Detail(f"dry run of {looking.short(run)}", looking.cut(diff)) for run, diff in diffs)


def _commands(shown: Sequence[Mapping[str, Any]], named: Mapping[str, str]) -> list[str]:
    """What would run, each once; where that is not the same for all with what it is about."""
    alike: dict[str, list[str]] = {}
    for run in shown:
        alike.setdefault(looking.command(run), []).append(named[run["id"]])
    return [*alike] if len(alike) == 1 else [f"{looking.together(who)}: {text}" for text, who in alike.items()]


def _needs(
    open_: Sequence[Mapping[str, Any]], reviews: Mapping[str, Sequence[Mapping[str, Any]]], named: Mapping[str, str]
) -> list[plugins.Row]:  # fmt: skip
    """What people said and what is still wanted: with what it is about where that does not hold for all requests."""
    said: dict[str, list[Mapping[str, Any]]] = {}
    wanted: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in open_:
        for review in reviews[one["id"]]:
            said.setdefault(_word(review), []).append(one)
        wanted.setdefault(_wanted(one, reviews[one["id"]]), []).append(one)

    def whose(of: Sequence[Mapping[str, Any]]) -> str:
        return "" if len(of) == len(open_) else f"{looking.together([named[one['run']] for one in of])}: "

    rows = [plugins.Row("said", (f"{whose(of)}{word}",)) for word, of in [*said.items()][:SAID_MAX]]
    if len(said) > SAID_MAX:
        rows.append(plugins.Row("said", (f"and {len(said) - SAID_MAX} more",)))
    for (needs, then), of in wanted.items():
        ends = [one["expires_us"] for one in of if one["expires_us"] is not None]
        text: list[plugins.Piece] = [f"{whose(of)}{needs}"]
        if ends:
            is_same = len(ends) == len(of) and max(ends) - min(ends) < MINUTE_US
            text += [" · expires " if is_same else " · the first expires ", plugins.When(min(ends))]
        rows.append(plugins.Row("needs", (*text, f" · then: {then}") if then else tuple(text)))
    return rows


def _wanted(one: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """What a request still needs, and what is done if nobody says it."""
    asked = approvals.from_json(transaction.loads(one["asked"]))
    reviews = [reviewing.review_of(review["person"], review["role"], review["approves"]) for review in said]
    needs = [
        f"{want['want']} of {' or '.join(want['roles'])}" + (f" ({want['have']} so far)" if want["have"] else "")
        for want in approvals.missing(asked, reviews)
    ]
    return " or ".join(dict.fromkeys(needs)), next((of.then for of in asked if of.then), "")


def _word(review: Mapping[str, Any]) -> str:
    reason = f": {review['reason']}" if review["reason"] else ""
    return f"{review['person']} {'approves' if review['approves'] else 'rejects'}{reason}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Became:
    """What became of the requests that are decided: alike ones together, each with what it is about where they are several."""

    asked: Sequence[Mapping[str, Any]]
    runs: Mapping[str, Mapping[str, Any]]
    reviews: Mapping[str, Sequence[Mapping[str, Any]]]
    named: Mapping[str, str]

    def status(self) -> plugins.Text:
        """In one line, of bounded length where they are several."""
        groups = self._groups()
        told: list[plugins.Piece] = []
        for words, of in [*groups.items()][:APART_MAX]:
            is_all = len(of) == len(self.asked)
            text = words if is_all else f"{self._names(of)} {words[:1].lower()}{words[1:]}"
            told += [" · "] if told else []
            told += [text, *(self._went(of, is_all=is_all) if of[0]["state"] == "approved" else ())]
        if more := sum(len(of) for of in [*groups.values()][APART_MAX:]):
            told.append(f" · and {more} more")
        if len(self.asked) > 1 and sum(len(piece) for piece in told if isinstance(piece, str)) > STATUS_MAX:
            states = collections.Counter(_state(self.runs[one["run"]]) for of in groups.values() for one in of)
            return (" · ".join(f"{count} {state}" for state, count in states.most_common()),)
        return tuple(told)

    def details(self) -> tuple[plugins.Detail, ...]:
        """Each by itself, once nothing of it changes any more, where the line has not all of it."""
        runs = [self.runs[one["run"]] for one in self.asked]
        if len(runs) == 1 or any(run["ended_us"] is None for run in runs):
            return ()
        shown = "".join(piece for piece in self.status() if isinstance(piece, str))
        each = [(self.named[one["run"]], _state(self.runs[one["run"]]), self._whole(one)) for one in self.asked]
        if all(state == "succeeded" or (name in shown and said in shown) for name, state, said in each):
            return ()
        lines = [f"{name} {state}{f': {said}' if said else ''}" for name, state, said in each]
        return (plugins.Detail("what became of each", "\n".join(lines)),)

    def _whole(self, one: Mapping[str, Any]) -> str:
        """Why it is so, uncut."""
        said = [_by(review) for review in self.reviews[one["id"]] if not review["approves"]]
        return said[0] if one["state"] == "rejected" and said else looking.sentence(self.runs[one["run"]])

    def _groups(self) -> dict[str, list[Mapping[str, Any]]]:
        made: dict[str, list[Mapping[str, Any]]] = {}
        for one in self.asked:
            if one["state"] != "open":
                made.setdefault(self._words(one), []).append(one)
        return made

    def _words(self, one: Mapping[str, Any]) -> str:
        said = self.reviews[one["id"]]
        if one["state"] == "approved":
            return f"Approved by {', '.join(_yes(review) for review in said if review['approves'])} "
        words = ENDS.get(one["state"], str(one["state"]))
        if one["state"] == "rejected":
            return words + next((f" by {self._brief(_by(review))}" for review in said if not review["approves"]), "")
        why = looking.sentence(self.runs[one["run"]])
        return f"{words}: {self._brief(why)}" if why else words

    def _names(self, of: Sequence[Mapping[str, Any]]) -> str:
        return looking.together([self.named[one["run"]] for one in of])

    def _brief(self, why: str) -> str:
        return why if len(self.asked) == 1 else looking.brief(why, WHY_MAX)

    def _went(self, of: Sequence[Mapping[str, Any]], *, is_all: bool) -> plugins.Text:
        """When, and how their runs go on: `web01 succeeded`, `18 succeeded · failed: web07 (exit 4)`."""
        first, last = min(one["decided_us"] for one in of), max(one["decided_us"] for one in of)
        until = (" to ", plugins.When(last)) if last - first >= MINUTE_US else ()
        when: plugins.Text = (plugins.When(first), *until, " · ")
        if len(of) == 1:
            run = self.runs[of[0]["run"]]
            why = self._brief(looking.sentence(run)) if run["ended_us"] is not None else ""
            where = f"{self.named[run['id']]} " if is_all else ""
            return (*when, f"{where}{_state(run)}{f': {why}' if why else ''}")
        good: dict[str, list[Mapping[str, Any]]] = {}
        wrong: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for one in of:
            run = self.runs[one["run"]]
            if run["ended_us"] is None or run["state"] == "succeeded":
                good.setdefault(_state(run), []).append(one)
            else:
                wrong.setdefault((_state(run), self._brief(looking.sentence(run))), []).append(one)
        parts = [
            f"{self._names(some) if len(some) <= looking.NAMES_SHOWN else len(some)} {state}"
            for state, some in good.items()
        ]
        parts += [
            f"{state}: {self._names(some)}{f' ({why})' if why else ''}"
            for (state, why), some in [*wrong.items()][:APART_MAX]
        ]
        if more := sum(len(some) for some in [*wrong.values()][APART_MAX:]):
            parts.append(f"and {more} more that did not succeed")
        return (*when, " · ".join(parts))


def _state(run: Mapping[str, Any]) -> str:
    return str(run["state"]).replace("_", " ")


def _by(review: Mapping[str, Any]) -> str:
    return f"{review['person']}: {review['reason']}" if review["reason"] else str(review["person"])


def _yes(review: Mapping[str, Any]) -> str:
    """Who said yes, and why as far as it fits before what came of it."""
    reason = f" ({looking.brief(review['reason'], WHY_MAX)})" if review["reason"] else ""
    return f"{review['person']}{reason}"


def _level(asked: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]) -> plugins.Level:
    states = {runs[one["run"]]["state"] for one in asked}
    if states & {*FAILED}:
        return "error"
    return "ok" if states == {"succeeded"} else "info"
