"""One run: its targets, why it is as it is and what to do, what it printed, the condition that fired it, its gates, its audit records.

All of it is what the API tells of it, over several of its rows; a part that somebody may not see says so in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from healer import errors, outline
from healer.policy import reasons
from healer.web import shapes
from healer.web.ui import forms, texts, views

OUTPUT_MAX: Final = 64 << 10
"""Bytes of each stream that are shown: the end of it."""
RECORDS: Final = "100"
TRIED: Final = frozenset(("running", "verifying", "succeeded", "failed", "timed_out", "unknown"))
"""In these each target has a state of its own; before, it is that of the run."""
ENDED: Final = frozenset(("rejected", "expired", "void", "cancelled", "withdrawn"))
"""Of a run in these nothing is to be done about what a gate said."""


@dataclasses.dataclass(slots=True)
class Branch:
    """A line of a condition, with what it joins. `seen`: the values, and what the language makes of them."""

    holds: bool | None
    text: str
    seen: str
    parts: list[Branch]


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """What an attempt printed. `cut`: that many bytes before it are not shown."""

    name: str
    text: str
    cut: int


async def page(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """By any unique beginning of its id."""
    number = view.query("attempt")["attempt"]
    run = await view.told("GET /runs/{id}")
    told: Mapping[str, Any] = run["explanation"]
    explained = await view.part("GET /explain/{id}")
    records = await view.part("GET /audit", {"run": str(run["id"]), "limit": RECORDS})
    rule = next(iter(texts.mappings(explained.value.get("rules"))), {})
    attempts = texts.mappings(run.get("attempts"))
    return view.page(
        "run.html", f"Run {run['short']}", run=run, told=told, targets=[*_targets(run)],
        state=state(run), why=why(run), step=next_step(run),
        attempts=attempts,
        chosen=reasons.chosen(told), streams=[one async for one in _streams(view, number)] if attempts else [], number=number,
        tree=branches(rule.get("tree"), rule.get("conditions") or told.get("conditions")),
        unexplained=explained.refused, event=explained.value.get("event"), gates=[*gates(told, str(run["state"]))],
        records=[_record(one) for one in texts.mappings(records.value.get("items"))], more_records=bool(records.value.get("next")),
        unaudited=records.refused,
    )  # fmt: skip


def _targets(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each with its state: that of the run, where nothing was tried on it, unless it was left out."""
    for one in texts.mappings(run.get("targets")):
        own = one.get("state") == "left_out" or run["state"] in TRIED
        yield {
            "target": one["target"],
            "state": one["state"] if own else run["state"],
            "sentence": one.get("sentence", ""),
        }


async def _streams(view: views.View, number: str) -> AsyncIterator[Stream]:
    """What the attempt printed that is asked for, else the last one."""
    for name in shapes.STREAMS:
        try:
            text = await view.text("GET /runs/{id}/output", {"stream": name, "attempt": number})
        except errors.NotFound:
            return
        if text:
            shown = text[-OUTPUT_MAX:]
            yield Stream(name, shown.decode("utf-8", "replace"), len(text) - len(shown))


def state(run: Mapping[str, Any]) -> str:
    """The state in words; a success that nobody verified says so."""
    unverified = run.get("state") == "succeeded" and run.get("reason") == "unverified"
    return "succeeded (unverified)" if unverified else str(run.get("state") or "?").replace("_", " ")


def why(run: Mapping[str, Any]) -> str:
    """The sentence of its reason, else what its last attempt said. A code alone is no sentence."""
    last = run.get("last")
    said = str(last.get("summary") or "") if isinstance(last, Mapping) else ""
    sentence = str(run.get("sentence") or "")
    return said if not sentence or sentence == run.get("reason") == "unverified" else sentence


def next_step(run: Mapping[str, Any]) -> str:
    """What a person may do about it."""
    return "" if run.get("state") in ENDED else str(run.get("next_step") or "")


def gates(told: Mapping[str, Any], state_of_run: str = "") -> Iterator[dict[str, Any]]:
    """The verdicts of the last look, each with its sentence and, where one can still be taken, the next step."""
    for gate in texts.mappings(told.get("gates")):
        fields = gate["fields"] if isinstance(gate.get("fields"), Mapping) else {}
        code, ok = str(gate.get("code") or ""), gate.get("ok")
        step = reasons.next_step(code, fields) if code and not ok and state_of_run not in ENDED else ""
        yield {
            "gate": gate.get("gate") or "?",
            "ok": ok,
            "sentence": reasons.sentence(code, fields) if code and not ok else "",
            "step": step,
        }


def branches(tree: Any, tests: Any) -> list[Branch]:
    """A condition as nested lists, of the lines that `outline` makes of it."""
    top: list[Branch] = []
    levels = [top]
    for row in outline.rows(tree, tests):
        made = Branch(row.holds, row.text, _seen(row), [])
        del levels[max(1, row.depth + 1) :]
        levels[-1].append(made)
        levels.append(made.parts)
    return top


def _seen(row: outline.Row) -> str:
    """What a line saw; where a `not` misleads, what the language makes of it."""
    if row.note.startswith("never"):
        return row.note
    text = ", ".join(_value(one) for one in row.seen)
    if row.element is not None:
        text += f", decided by [{row.element.get('at')}] = {_short(row.element.get('value'))}"
    return f"{text}: {row.note}" if row.note else text


def _value(seen: Mapping[str, Any]) -> str:
    path = seen.get("path") or "event"
    if seen.get("unknown"):
        return f"{path} is {outline.NOT_SHOWN}"
    return f"{path} is missing" if seen.get("missing") else f"{path} = {_short(seen.get('value'))}"


def _short(value: Any) -> str:
    text = texts.as_json(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the audit: what each of them has, and the rest as it is."""
    rest = {
        name: value
        for name, value in record.items()
        if name not in ("at", "at_us", "seq", "kind", "actor", "environment", "run")
    }
    return {name: record.get(name) for name in ("at", "seq", "kind", "actor")} | {
        "rest": texts.as_json(rest) if rest else ""
    }
