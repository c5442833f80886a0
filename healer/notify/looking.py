"""What a message tells of runs and requests, read from their rows when it is made: what was true when it was put down may not be any more.

Callers: `requests`, `outcomes`.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from healer import plugins
from healer.policy import reasons
from healer.store import reader, transaction

HISTORY_US: Final = 30 * 86_400_000_000
TARGETS_SHOWN: Final = 12
PARAMETER_MAX: Final = 200
DETAIL_MAX: Final = 12_000
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


def targets(of: Sequence[Mapping[str, Any]]) -> str:
    """The targets of runs, each once, as many as there is room for."""
    every = sorted({target for run in of for target in run["targets"]})
    more = f"  and {len(every) - TARGETS_SHOWN} more" if len(every) > TARGETS_SHOWN else ""
    return "  ".join(every[:TARGETS_SHOWN]) + more if every else "no target"


def share(around: Around, of: Sequence[Mapping[str, Any]]) -> str:
    """`2 of 12 web hosts (17 %)`; where no group is known `web01`, `3 targets`."""
    every = {target: groups for run in of for target, groups in zip(run["targets"], run["groups"], strict=True)}
    if not every:
        return "no target"
    for one in around.shares(of[0]["rule"], of[0]["controller"], [*every.values()]):
        if one["group"] and one["percent"] is not None and one["targets"] == len(every):
            return f"{one['targets']} of {one['size']} {one['group']} hosts ({one['percent']:.0f} %)"
    return next(iter(every)) if len(every) == 1 else f"{len(every)} targets"


def command(run: Mapping[str, Any]) -> str:
    """Exactly what would run: controller, kind, file or argv, parameters."""
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
        [
            str(run["controller"]),
            str(run["kind"]),
            said,
            *(f"{name}={_parameter(value)}" for name, value in given.items()),
        ]
    )


def _parameter(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    text = text if text and not set(text) & set(" \t\r\n\"'") else json.dumps(text, ensure_ascii=False)
    return text if len(text) <= PARAMETER_MAX else f"{text[:PARAMETER_MAX]}… ({len(text)} characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


async def alerts(read: reader.Reader, ids: Iterable[str]) -> plugins.Text:
    """The alerts that runs are for: `alertmanager: NginxDown, firing since …`."""
    found = await read.all("told_alerts", transaction.dumps([*dict.fromkeys(ids)]))
    said: list[plugins.Piece] = []
    for number, one in enumerate(found[:3]):
        is_over = one["status"] == "resolved"
        said += [
            "; " if number else "",
            f"{one['source']}: {one['name'] or 'an alert'}, {'resolved' if is_over else 'firing since'} ",
        ]
        said.append(plugins.When(one["closed_us"] if is_over and one["closed_us"] else one["opened_us"]))
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
    """Why a run is where it is."""
    detail = transaction.loads(run["detail"])
    if "summary" in detail:
        return str(detail["summary"])
    return reasons.sentence(run["reason"], detail) if run["reason"] else ""


def cut(text: str, most: int = DETAIL_MAX) -> str:
    """A text of at most so many characters, marked where it was longer: its end, which says how something went."""
    return text if len(text) <= most else f"… ({len(text) - most} characters before)\n{text[-most:]}"


def link(around: Around, path: str) -> str:
    """The address of a page."""
    return f"{around.link}{path}" if around.link else ""


def short(run: str) -> str:
    """As every command shows it."""
    return run[:8]
