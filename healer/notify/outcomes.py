"""The messages of what became of runs: one by itself, many of a kind as a list; and of what else the audit tells."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from healer import plugins
from healer.audit import notices
from healer.notify import looking
from healer.store import outbox, pausing, reader, transaction

LINES: Final = 12
WORDS: Final = {
    "succeeded": "succeeded",
    "deferred": "wait",
    "failed": "failed",
    "unknown": "ended, nobody knows how",
    "not_done": "will not be done",
}
LISTS: Final = {
    "deferred": "healer runs --state deferred",
    "failed": "healer runs --failed",
    "unknown": "healer runs --unknown",
}
WAYS: Final = {
    "reload_refused": "healer validate",
    "paused": "healer status",
    "breaker_open": "healer breakers",
    "audit_broken": "healer audit verify",
}
LEVELS: Final[Mapping[str, plugins.Level]] = {
    "succeeded": "ok", "deferred": "info", "paused": "info", "failed": "error", "unknown": "error", "break_glass": "warning",
    "audit_broken": "error",
}  # fmt: skip
STATES: Final[Mapping[str, plugins.Level]] = {
    "succeeded": "ok", "failed": "error", "timed_out": "error", "unknown": "error", "expired": "warning", "void": "warning",
}  # fmt: skip


async def one(read: reader.Reader, around: looking.Around, row: Mapping[str, Any]) -> plugins.Message | None:
    """Of one run: how it stands now."""
    (member, *_) = transaction.loads(row["members"])
    found = await looking.runs(read, [member["run"]])
    run = found.get(member["run"])
    if run is None:
        return None
    state = str(run["state"])
    rows = [
        plugins.Row("rule", (str(run["rule"]),)),
        plugins.Row("for", await looking.alerts(read, [run["id"]]) or (str(run["actor"]),)),
        plugins.Row("ran" if run["tries"] else "would run", (looking.command(run),)),
        plugins.Row("on", (looking.targets([run]),)),
    ]
    if said := looking.why(run):
        rows.append(plugins.Row("why" if state != "succeeded" else "said", looking.in_pieces(said)))
    if run["tries"] > 1:
        rows.append(plugins.Row("tries", (str(run["tries"]),)))
    details = looking.whole([run], looking.names([run]))
    details += await looking.output(read, around, run) if state in ("failed", "timed_out", "unknown") else ()
    words = f" {state.replace('_', ' ')} on "
    short = looking.short(run["id"])
    answerable = _answerable(row, [run])
    return plugins.Message(
        id=f"n-{row['id']}", news=row["news"], level=STATES.get(state, "info"),
        title=(
            plugins.Strong(str(run["action"])), words, plugins.Strong(looking.share(around, [run])), f" – {around.environment}"
        ),
        rows=tuple(rows), status=_answered(row, [run]), answerable=answerable, ways=(looking.answering(row),) if answerable else (),
        details=details, link=looking.link(around, f"/ui/runs/{run['id']}"), foot=f"{short} · healer explain {short}",
    )  # fmt: skip


def _answerable(row: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether somebody may still say that they look after it: nobody did, and it needs somebody."""
    return row["news"] in outbox.ANSWERED and row["answered_us"] is None and any(map(looking.wants, runs))


def _answered(row: Mapping[str, Any], runs: Collection[Mapping[str, Any]]) -> plugins.Text:
    """Who looks after it; that nobody has to any more."""
    if row["answered_us"] is not None:
        return f"{row['answered_by']} looks after it since ", plugins.When(row["answered_us"])
    if row["news"] not in outbox.ANSWERED or any(map(looking.wants, runs)):
        return ()
    is_undone = any(outbox.undone(run["state"], run["reason"]) for run in runs)
    return ("It fires no more: nobody has to look after it.",) if is_undone else ()


async def many(read: reader.Reader, around: looking.Around, row: Mapping[str, Any]) -> plugins.Message | None:
    """A list of runs that a class is of: how many of each rule."""
    members = [member for member in transaction.loads(row["members"]) if "run" in member]
    runs = await looking.runs(read, (member["run"] for member in members))
    more = max(0, row["count"] - len(members))
    waits = row["news"] == "deferred"
    if waits:
        runs = {run: found for run, found in runs.items() if found["state"] == "deferred"}
    if not runs and not (waits and more):
        return None
    alike: dict[tuple[str, str, str], list[Mapping[str, Any]]] = collections.defaultdict(list)
    for run in runs.values():
        alike[run["rule"], run["action"], run["reason"]].append(run)
    rows = [
        plugins.Row(rule, _line(action, of))
        for (rule, action, _), of in sorted(alike.items(), key=lambda pair: -len(pair[1]))
    ]
    said = [plugins.Row("and", (f"{'up to ' if waits else ''}{more} more, not listed",))] if more else []
    count = len(runs) + more
    many = f"{'up to ' if waits and more else ''}{count} run{'' if count == 1 else 's'}"
    answerable = _answerable(row, runs.values())
    word = "waits" if waits and count == 1 else WORDS[row["news"]]
    return plugins.Message(
        id=f"n-{row['id']}", news=row["news"], level=LEVELS.get(row["news"], "warning"),
        title=(plugins.Strong(many), f" {word} – {around.environment}"),
        rows=(*rows[:LINES], *said), status=_answered(row, runs.values()), answerable=answerable,
        ways=(looking.answering(row),) if answerable else (),
        link=looking.link(around, "/ui/runs"), foot=LISTS.get(row["news"], ""),
    )  # fmt: skip


def _line(action: str, of: Sequence[Mapping[str, Any]]) -> plugins.Text:
    why = next((said for run in of if (said := looking.why(run))), "")
    return f"{action} on {looking.targets(of)}" + (": " if why else ""), *looking.in_pieces(why)


async def told(read: reader.Reader, around: looking.Around, row: Mapping[str, Any]) -> plugins.Message | None:
    """What a record of the audit says in its line."""
    members = transaction.loads(row["members"])
    records = [
        transaction.loads(found["record"])
        for member in members[-LINES:]
        for found in await read.all("told_record", member["seq"])
    ]
    if not records:
        return None
    first = records[0]
    news = row["news"]
    is_over = news in outbox.LASTING and not row["open"]
    title = notices.NEWS[news]
    status = await _over(read, news, members[-1]) if is_over else ()
    if news == "paused":
        rows = [plugins.Row("what", _of_pause(record)) for record in records]
    else:
        lines = dict.fromkeys(notices.of(record) or _of_reload(record) for record in records)
        rows = [plugins.Row("what", looking.in_pieces(line)) for line in lines if line]
        if by := ", ".join(
            dict.fromkeys(str(one["actor"]) for one in records if one.get("actor") not in (None, "daemon"))
        ):
            rows.append(plugins.Row("by", (by,)))
        rows.append(plugins.Row("at", (plugins.When(first["at_us"]),)))
    return plugins.Message(
        id=f"n-{row['id']}", news=news, level="ok" if is_over else LEVELS.get(news, "warning"),
        title=(plugins.Strong(title), f" – {around.environment}"), rows=tuple(rows), status=status,
        link=looking.link(around, "/ui/"), foot=WAYS.get(news, ""),
    )  # fmt: skip


async def _over(read: reader.Reader, news: str, member: Mapping[str, Any]) -> plugins.Text:
    """That it has ended: of a storm since when it is calm."""
    for found in await read.all("told_next", "storm_over", member["seq"]) if news == "storm" else ():
        return "Calm since ", plugins.When(transaction.loads(found["record"])["calm_us"])
    return ("It is over.",)


def _of_pause(record: Mapping[str, Any]) -> plugins.Text:
    """`rule web/alerts/down is paused by key:ana: the switch is being mended · since …`; of the file PAUSE its `detail` says it."""
    detail = record.get("detail")
    told = {**record, **detail} if isinstance(detail, Mapping) else record
    scope = str(told.get("scope") or pausing.EVERYTHING)
    what = pausing.in_words(scope) if ":" in scope or scope == pausing.EVERYTHING else scope
    reason = f": {told['reason']}" if told.get("reason") else ""
    text: list[plugins.Piece] = [
        f"{what} is paused by {told.get('who') or told['actor']}{reason} · since ",
        plugins.When(record["at_us"]),
    ]
    if told.get("until_us") is not None:
        text += [" · until ", plugins.When(told["until_us"])]
    return (*text, " · until what it covers changes") if told.get("until_changed") else tuple(text)


def _of_reload(record: Mapping[str, Any]) -> str:
    mistakes = record.get("mistakes")
    shown = mistakes if isinstance(mistakes, list) else []
    return "; ".join(map(str, shown[:5])) or notices.NEWS.get(notices.news(record), "")
