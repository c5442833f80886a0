"""What a message tells of runs and requests, read from their rows when it is made: what was true when it was put down may not be any more.

Callers: `requests`, `outcomes`.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from healer import inline, model, plugins, quoting
from healer.policy import reasons
from healer.store import outbox, reader, transaction

HISTORY_US: Final = 30 * 86_400_000_000
TARGETS_SHOWN: Final = 20
"""As many as a message has requests, so that one that grows does not tell all of them anew beside it each time."""
PARAMETER_MAX: Final = 200
ENDS_SHOWN: Final = 60
NAMES_SHOWN: Final = 3
NAME_MAX: Final = 60
DETAIL_MAX: Final = 12_000
LOOKED_AT: Final = 2 * DETAIL_MAX
"""So much of an output is looked through: what stands at its cut is not shown."""
"""Characters of a diff or an output that stand beside a message."""

Plan = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""What a run would do, as its controller says; None where nobody asked it."""
Shares = Callable[[str, str, Sequence[Sequence[str]]], Sequence[Mapping[str, Any]]]
"""`shares(rule, controller, groups of each target)`: what share of each group they are (`explain.ahead.shares`)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What is not in the rows. `link`: the address that `/ui` is below, '' where nobody said it."""

    environment: str
    link: str
    plan: Plan
    shares: Shares
    output: Callable[[str], Awaitable[bytes | None]]
    """Content by its hash."""


async def runs(read: reader.Reader, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Runs by id, each with its `targets` (in all, and their groups)."""
    wanted = transaction.dumps([*dict.fromkeys(ids)])
    found = {row["id"]: {**row, "targets": [], "groups": []} for row in await read.all("told_runs", wanted)}
    for row in await read.all("told_targets", wanted):
        if row["state"] != "left_out":
            found[row["run"]]["targets"].append(row["target"].partition(":")[2] or row["target"])
            found[row["run"]]["groups"].append(tuple(transaction.loads(row["value"])["groups"]))
    return found


def wants(run: Mapping[str, Any]) -> str:
    """The class of what a run did not do that its alert still asks for, as `outbox.wanting`; '' for nothing."""
    return outbox.undone(run["state"], run["reason"]) if run["fires"] else ""


def targets(of: Sequence[Mapping[str, Any]]) -> str:
    """The targets of runs, each once, as many as there is room for."""
    every = sorted({target for run in of for target in run["targets"]})
    more = f"  and {len(every) - TARGETS_SHOWN} more" if len(every) > TARGETS_SHOWN else ""
    return "  ".join(every[:TARGETS_SHOWN]) + more if every else "no target"


def name(run: Mapping[str, Any]) -> str:
    """What a run is about, in short: `web01`, `web01  web07  and 3 more`; its id where it has no target."""
    return together([brief(target, NAME_MAX) for target in run["targets"]], NAMES_SHOWN) or short(run["id"])


def names(of: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The names of runs by their ids; with its id each that has the name of another."""
    made = {run["id"]: name(run) for run in of}
    known = collections.Counter(made.values())
    return {run: text if known[text] == 1 else f"{text} ({short(run)})" for run, text in made.items()}


def together(texts: Sequence[str], most: int = TARGETS_SHOWN) -> str:
    """Names one after the other, as many as there is room for."""
    more = f"  and {len(texts) - most} more" if len(texts) > most else ""
    return "  ".join(texts[:most]) + more


def brief(text: str, most: int) -> str:
    """A text of at most so many characters: its beginning."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def share(around: Around, of: Sequence[Mapping[str, Any]]) -> str:
    """`2 of 12 web hosts (17 %)`; where no group is known `web01`, `3 targets`."""
    every = {target: groups for run in of for target, groups in zip(run["targets"], run["groups"], strict=True)}
    if not every:
        return "no target"
    for one in around.shares(of[0]["rule"], of[0]["controller"], [*every.values()]):
        if one["group"] and one["percent"] is not None and one["targets"] == len(every):
            return f"{one['targets']} of {one['size']} {one['group']} hosts ({one['percent']:.0f} %)"
    return next(iter(every)) if len(every) == 1 else f"{len(every)} targets"


def command(run: Mapping[str, Any], most: int = PARAMETER_MAX) -> str:
    """Exactly what would run: controller, kind, file or argv, parameters, each of at most `most` characters."""
    subject = transaction.loads(run["subject"])
    said = (
        shlex.join(map(str, subject))
        if isinstance(subject, list)
        else subject
        if isinstance(subject, str)
        else _json(subject)
    )
    given = transaction.loads(run["parameters"])
    return "  ".join(
        [str(run["controller"]), str(run["kind"]), said, *(_given(key, value, most) for key, value in given.items())]
    )


def _given(key: str, value: Any, most: int) -> str:
    text = inline.value(value)
    more = f"… ({len(text)} characters, beside this)" if len(text) > most else ""
    return f"{key}={text[:most]}{more}"


def differing(of: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The parameters of runs by their ids, those that are not the same for all; of long ones both ends."""
    given = {run["id"]: transaction.loads(run["parameters"]) for run in of}
    texts = {run: {key: inline.value(value) for key, value in one.items()} for run, one in given.items()}
    keys = dict.fromkeys(key for one in texts.values() for key in one)
    apart = [key for key in keys if len({one.get(key) for one in texts.values()}) > 1]
    return {run: "  ".join(f"{key}={_ends(one[key])}" for key in apart if key in one) for run, one in texts.items()}


def _ends(text: str) -> str:
    return text if len(text) <= PARAMETER_MAX else f"{text[: PARAMETER_MAX - ENDS_SHOWN]}…{text[-ENDS_SHOWN:]}"


def whole(of: Sequence[Mapping[str, Any]], named: Mapping[str, str]) -> tuple[plugins.Detail, ...]:
    """What `command` and `targets` cut: parameters, those that are the same once, and all targets."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in of:
        for key, value in transaction.loads(run["parameters"]).items():
            if len(inline.value(value)) > PARAMETER_MAX:
                text = value if isinstance(value, str) else _json(value)
                found.setdefault((key, text), []).append(named[run["id"]])
    made = [plugins.Detail(f"{key} of {together(who)}", both_ends(text)) for (key, text), who in found.items()]
    every = sorted({target for run in of for target in run["targets"]})
    if len(every) > TARGETS_SHOWN:
        made.append(plugins.Detail(f"all {len(every)} targets", both_ends("\n".join(every))))
    return tuple(made)


def both_ends(text: str, most: int = DETAIL_MAX) -> str:
    """A text of at most so many characters, marked where it was longer: its beginning and its end."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n… ({len(text) - most // 2 * 2} characters left out) …\n{text[-(most // 2) :]}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


async def alerts(read: reader.Reader, ids: Iterable[str]) -> plugins.Text:
    """The alerts that runs are for: `alertmanager: NginxDown, firing since …`."""
    found = await read.all("told_alerts", transaction.dumps([*dict.fromkeys(ids)]))
    alike: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for one in found[:3]:
        alike.setdefault((f"{one['source']}: {one['name'] or 'an alert'}", one["status"] == "resolved"), []).append(one)
    said: list[plugins.Piece] = []
    for (what, is_over), of in alike.items():
        on = sorted({one["target"].removeprefix("host:") for one in of if one["target"]}) if len(found) > 1 else []
        where = f" on {together(on)}" if on else ""
        at_us = min(one["closed_us"] if is_over and one["closed_us"] else one["opened_us"] for one in of)
        said += [
            "; " if said else "",
            f"{what}{where}, {'resolved' if is_over else 'firing since'} ",
            plugins.When(at_us),
        ]
    return (*said, *(("; and more",) if len(found) > 3 else ()))


async def history(read: reader.Reader, run: Mapping[str, Any], now_us: int) -> plugins.Text:
    """`this rule: 37 of 38 healed in 30 d, last …`; nothing where it never ran."""
    (found,) = await read.all("told_history", run["rule"], run["action"], now_us - HISTORY_US)
    if not found["ended"]:
        return ("this rule has not run in 30 days",)
    return f"this rule: {found['succeeded']} of {found['ended']} healed in 30 days, last ", plugins.When(
        found["last_us"]
    )


def sentence(run: Mapping[str, Any]) -> str:
    """Why a run is where it is. Times in it are of UTC: where there is room for pieces, `in_pieces` has them in their reader's zone."""
    return in_utc(why(run))


def in_utc(text: str) -> str:
    """A sentence whose times are of UTC."""
    return model.MOMENT.sub(lambda found: _utc(found[0]), text)


def why(run: Mapping[str, Any]) -> str:
    """As `sentence`, with times as they are in the row."""
    detail = transaction.loads(run["detail"])
    if "summary" in detail:
        return str(detail["summary"])
    return reasons.sentence(run["reason"], detail) if run["reason"] else ""


def in_pieces(text: str) -> plugins.Text:
    """A sentence whose times are moments, which a channel shows as its reader wants them."""
    made: list[plugins.Piece] = []
    end = 0
    for found in model.MOMENT.finditer(text):
        if (at := _moment(found[0])) is not None:
            made += [text[end : found.start()], plugins.When(round(at.timestamp() * 1_000_000))]
            end = found.end()
    return tuple(piece for piece in (*made, text[end:]) if piece)


def _moment(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _utc(text: str) -> str:
    at = _moment(text)
    return text if at is None else f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


async def output(read: reader.Reader, around: Around, run: Mapping[str, Any]) -> tuple[plugins.Detail, ...]:
    """The end of what its last attempt printed."""
    made = []
    for attempt in await read.all("told_attempt", run["id"]):
        for stream in ("stderr", "stdout"):
            if (name := attempt[f"{stream}_hash"]) is None:
                continue
            text = (await around.output(name) or b"").decode("utf-8", "replace").strip()
            if text:
                made.append(plugins.Detail(f"{stream} of attempt {attempt['number']}", _end(text)))
    return tuple(made)


def _end(text: str) -> str:
    """The end of what a program printed. It leaves the house as the summary does, and so without what looks like a secret too."""
    return cut(quoting.printed(text[-LOOKED_AT:]), before=max(0, len(text) - LOOKED_AT))


def cut(text: str, *, before: int = 0) -> str:
    """A text of at most so many characters, marked where it was longer: its end, which says how something went. `before`: so many are
    left out already."""
    left = before + max(0, len(text) - DETAIL_MAX)
    return f"… ({left} characters before)\n{text[-DETAIL_MAX:]}" if left else text


def answering(row: Mapping[str, Any]) -> plugins.Row:
    """How somebody says that they look after a message, where it has no button for that."""
    return plugins.Row("answer", (f"healer notify answer n-{row['id']}",))


def link(around: Around, path: str) -> str:
    """The address of a page."""
    return f"{around.link}{path}" if around.link else ""


def short(run: str) -> str:
    """As every command shows it."""
    return run[:8]
