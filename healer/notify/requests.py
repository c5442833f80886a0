"""The message that asks people: what would run, exactly, on what, why, and who has to say yes; afterwards what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import plugins
from healer.notify import looking
from healer.policy import approvals, reasons
from healer.store import reader, reviewing, transaction

DIGEST: Final = 16
"""So many characters of a digest are in a button: enough that nobody finds another request of the same."""
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
    rows = await _rows(read, first, shown, now_us)
    details = await _plans(around, [one["run"] for one in open_ or asked], rows)
    if open_:
        rows += _needs(first, reviews[first["id"]])
    status = _status(asked, runs, reviews)
    return plugins.Message(
        id=f"n-{row['id']}", news="needs_approval", level="warning" if open_ else _level(asked, runs),
        title=(plugins.Strong(str(first["action"])), " wants to run on " if open_ else " on ",
               plugins.Strong(looking.share(around, shown)), f" – {around.environment}"),
        rows=tuple(rows), status=status,
        asks=tuple(plugins.Asked(one["id"], one["run"], tuple(runs[one["run"]]["targets"]), one["digest"][:DIGEST]) for one in open_),
        details=details, link=looking.link(around, f"/ui/approvals/{first['id']}"),
        foot=", ".join(looking.short(one["run"]) for one in asked) + f" · digest {first['digest'][:12]}",
    )  # fmt: skip


async def _rows(
    read: reader.Reader, first: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], now_us: int
) -> list[plugins.Row]:  # fmt: skip
    ids = [run["id"] for run in shown]
    by = await looking.alerts(read, ids)
    said = reasons.sentence(first["reason"], transaction.loads(shown[0]["detail"]))
    rows = [
        plugins.Row("rule", (str(first["rule"]),)),
        plugins.Row("asked by", by or (str(first["requester"]),)),
        *((plugins.Row("why", (said,)),) if first["reason"] != "needs_approval" else ()),
        *(plugins.Row("will run", (text,)) for text in dict.fromkeys(map(looking.command, shown))),
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


def _needs(first: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> list[plugins.Row]:
    asked = approvals.from_json(transaction.loads(first["asked"]))
    reviews = [reviewing.review_of(one["person"], one["role"], one["approves"]) for one in said]
    needs = [
        f"{one['want']} of {' or '.join(one['roles'])}" + (f" ({one['have']} so far)" if one["have"] else "")
        for one in approvals.missing(asked, reviews)
    ]
    then = next((one.then for one in asked if one.then), "")
    text: list[plugins.Piece] = [" or ".join(dict.fromkeys(needs))]
    if first["expires_us"] is not None:
        text += [" · expires ", plugins.When(first["expires_us"])]
    if then:
        text.append(f" · then: {then}")
    words = [plugins.Row("said", (_word(one),)) for one in said]
    return [*words, plugins.Row("needs", tuple(text))]


def _word(review: Mapping[str, Any]) -> str:
    reason = f": {review['reason']}" if review["reason"] else ""
    return f"{review['person']} {'approves' if review['approves'] else 'rejects'}{reason}"


def _status(
    asked: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]], reviews: Mapping[str, Sequence[Mapping[str, Any]]]
) -> plugins.Text:  # fmt: skip
    """What became of the requests that are decided, in one line."""
    told: list[plugins.Piece] = []
    for one in asked:
        if one["state"] == "open":
            continue
        run = runs[one["run"]]
        told += [" · "] if told else []
        if one["state"] == "approved":
            by = ", ".join(review["person"] for review in reviews[one["id"]] if review["approves"])
            told += [f"Approved by {by} ", plugins.When(one["decided_us"]), " · ", *_went(run)]
        else:
            told.append(ENDS.get(one["state"], str(one["state"])))
            why = next((f" by {_by(review)}" for review in reviews[one["id"]] if not review["approves"]), "")
            told.append(why if one["state"] == "rejected" else f": {said}" if (said := looking.sentence(run)) else "")
    return tuple(piece for piece in told if piece)


def _by(review: Mapping[str, Any]) -> str:
    return f"{review['person']}: {review['reason']}" if review["reason"] else str(review["person"])


def _went(run: Mapping[str, Any]) -> plugins.Text:
    """How the run goes on: `running`, `web01 succeeded`."""
    where = "  ".join(run["targets"][:3]) or str(run["action"])
    said = looking.sentence(run) if run["ended_us"] is not None else ""
    return (f"{where} {run['state'].replace('_', ' ')}{f': {said}' if said else ''}",)


def _level(asked: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]) -> plugins.Level:
    states = {runs[one["run"]]["state"] for one in asked}
    if states & {"failed", "timed_out", "unknown"}:
        return "error"
    return "ok" if states == {"succeeded"} else "info"
