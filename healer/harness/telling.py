"""What came of a test in words: for people line by line, for programs as JSON. Pure. Callers: `healer test`, `junit`."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from healer import outline
from healer.harness import comparing, playing, reasoning
from healer.harness.virtual import US

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@+*-][A-Za-z0-9_./:@+* -]{0,118}[A-Za-z0-9_./@+*)-]|[A-Za-z0-9_./@+*-]")
"""What needs no quotes in a line of YAML."""
_NUMBER: Final = re.compile(r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|0[xo][0-9a-fA-F_]+")
_WORDS: Final = ("true", "false", "null", "yes", "no", "on", "off", "")
_ALWAYS: Final = (
    "to",
    "news",
    "rule",
    "action",
    "targets",
    "status",
    "reason",
    "state",
    "outcome",
    "times",
    "key",
    "fact",
    "count",
)
_WAITED: Final = ("deferred", "awaiting_approval")
"""Outcomes of decisions on runs that may go on."""
_RUN: Final = re.compile(r"\b(r-[0-9a-z]{6})[0-9a-z]{20}\b")
"""A run's id, and what is shown of it."""
VALUE_MAX: Final = 300
SIGNS: Final[dict[bool | None, str]] = {True: "✓", False: "✗", None: "·"}
WORDS: Final[dict[bool | None, str]] = {True: "yes", False: "no ", None: "-  "}
"""Of a part of a condition: it held, it did not, it was not looked at."""


def lines(result: playing.Result, plain: bool = False) -> Iterator[str]:
    """What is wrong with a test that did not pass. `plain`: in words where else a sign stands."""
    if result.error:
        place = result.error_at or result.case.place
        first, *more = result.error.splitlines()
        yield f"{place}: at {moment(result.error_us)}: {first}"
        yield from (f"  {line}" for line in more)
    for difference, told in zip(result.differences, result.told, strict=True):
        yield f"{difference.place}: {difference.kind} {_span(difference)}"
        for pair in difference.pairs:
            yield from (f"  {line}" for line in _pair(pair))
        if told:
            yield "  what rules and gates said"
            yield from (f"    {line}" for line in _said(told, plain))


def moment(at_us: int) -> str:
    """`0s`, `1m 5s`, `2h`, `1d 3h`."""
    left, parts = at_us, []
    for unit, size in (("d", 86_400 * US), ("h", 3600 * US), ("m", 60 * US)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    if left or not parts:
        parts.append(f"{left / US:g}s")
    return " ".join(parts)


def _span(difference: comparing.Difference) -> str:
    if difference.kind in ("facts", "alerts"):
        return f"at {moment(difference.to_us)}"
    if difference.is_span:
        return f"from {moment(difference.from_us)} to {moment(difference.to_us)}"
    return f"up to {moment(difference.to_us)}"


def _pair(pair: comparing.Pair) -> Iterator[str]:
    if pair.wanted is None:
        yield f"not expected  {flow(_shown(pair.got or {}, {}))}"
        if sentence := (pair.got or {}).get("sentence"):
            yield f"              {sentence}"
        return
    yield f"expected      {flow(pair.wanted)}"
    if pair.got is None:
        yield "got           nothing like it"
        return
    yield f"got           {flow(_shown(pair.got, pair.wanted))}"
    for key in pair.wrong:
        if key == "fact":
            yield from _apart(pair.wanted[key], pair.got[key])
            continue
        got: Any = pair.got.get(key, pair.got.get("targets"))
        got = got[0] if key == "target" and len(got) == 1 else got
        if key == "parameters" and isinstance(got, Mapping):  # of which only those are compared that are written
            got = {name: inner for name, inner in got.items() if name in pair.wanted[key]}
        yield f"            ^ {key}: wanted {value(pair.wanted[key])}, got {value(got)}"
    if sentence := pair.got.get("sentence"):
        yield f"              {sentence}"


def _apart(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[str]:
    for path, one, other in comparing.apart(wanted, got):
        yield f"            ^ fact.{path}: wanted {value(one)}, got {'none' if other is comparing.LACKING else value(other)}"


def _shown(got: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of what was got that say which it is, and those that were asked for."""
    made = {}
    for key, inner in got.items():
        if key == "targets" and len(inner) == 1:
            made["target"] = inner[0]
        elif key in wanted or (key in _ALWAYS and inner not in ("", [])):
            made[key] = inner
    return made


def why_lines(found: reasoning.Reasons, plain: bool = False) -> Iterator[str]:
    """What each rule made of each event, and of what time fired."""
    for one in found.found:
        told = one.told
        word = "fired" if told["fired"] else f"did not fire: {told['reason']}"
        more = (
            " by time" if told["reason"] == reasoning.BY_TIME else f" ({told['taken_by']})" if told["taken_by"] else ""
        )
        yield "  ".join(part for part in (moment(one.at_us), one.event, f"{told['rule']}: {word}{more}") if part)
        yield from (f"  {line}" for line in _condition(told, plain))
    if found.cut:
        yield f"there is more: {len(found.found)} are shown of a test at most"


def _said(told: Sequence[playing.Said], plain: bool) -> Iterator[str]:
    """What rules came to; what was said again and again is said once."""
    for _, group in itertools.groupby(told, key=_alike):
        some = list(group)
        one, last = some[0], some[-1]
        when = moment(one.at_us)
        if len(some) > 1:
            when += f" … {moment(last.at_us)} ({len(some)} times)"
        yield f"{when}  {one.event}  {one.told['rule']}: {_word(one.told)}"
        if not one.told["fired"]:
            yield from (f"  {line}" for line in _condition(one.told, plain))


def _alike(one: playing.Said) -> tuple[Any, ...]:
    told = one.told
    seen = None if told["fired"] else [*_condition(told, True)]
    return told["rule"], told["fired"], told["reason"], told.get("outcome"), told.get("state"), told.get("action"), seen


def _word(told: Mapping[str, Any]) -> str:
    if not told["fired"]:
        return f"did not fire: {told['reason']}"
    reason, sentence = told["reason"], told.get("sentence", "")
    said = f"{told.get('action') or ''} {told['outcome']}".strip()
    if told.get("outcome") == "queued":
        return f"{said}, now {told['state']}" if told.get("state") else said
    shown = _RUN.sub(r"\1", sentence)
    by = f" by {reason}: {shown}" if reason and sentence else ""
    if told["outcome"] in _WAITED and told["state"] not in (None, told["outcome"]) and not told["decided_again"]:
        return f"{said} by {told['first']}, now {told['state']}{by if told['state'] in _WAITED else ''}"
    return f"{said}{by}"


def _condition(told: Mapping[str, Any], plain: bool) -> Iterator[str]:
    """The condition as a tree, each comparison with what it saw."""
    signs = WORDS if plain else SIGNS
    for row in outline.rows(told.get("tree"), told.get("conditions")):
        seen = ", ".join(map(_seen, row.seen))
        if row.element is not None:
            seen += f", decided by [{row.element.get('at')}], which is {value(row.element.get('value'))}"
        said = row.note if row.note.startswith("never") or not seen else f"{seen}: {row.note}" if row.note else seen
        yield f"{'  ' * row.depth}{signs[row.holds]} {row.text}{f'    {said}' if said else ''}"


def _seen(one: Mapping[str, Any]) -> str:
    said = outline.NOT_SHOWN if one.get("unknown") else "not there" if one["missing"] else value(one["value"])
    return f"{one['path']} is {said}"


def flow(fields: Mapping[str, Any]) -> str:
    """A mapping as one line of YAML."""
    return "{" + ", ".join(f"{key}: {value(inner)}" for key, inner in fields.items()) + "}"


def value(inner: Any) -> str:
    """A value as a line of YAML has it, cut where it is long."""
    if isinstance(inner, Mapping):
        text = flow(inner)
    elif isinstance(inner, list | tuple):
        text = "[" + ", ".join(map(value, inner)) + "]"
    elif isinstance(inner, str):
        text = (
            inner
            if _PLAIN.fullmatch(inner)
            and inner.lower() not in _WORDS
            and ": " not in inner
            and not _NUMBER.fullmatch(inner)
            else json.dumps(inner, ensure_ascii=False)
        )
    else:
        text = json.dumps(inner, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"


# --- for programs ---------------------------------------------------------------------------------------------------------


def as_json(result: playing.Result) -> dict[str, Any]:
    """One test."""
    made: dict[str, Any] = {
        "name": result.case.name, "verdict": result.verdict, "line": result.case.place.line, "ms": round(result.seconds * 1000, 1),
    }  # fmt: skip
    if result.error:
        place = result.error_at or result.case.place
        made["error"] = {
            "message": result.error,
            "at_s": result.error_us / US,
            "line": place.line,
            "column": place.column,
        }
    if result.differences:
        made["differences"] = [
            _difference(one, told) for one, told in zip(result.differences, result.told, strict=True)
        ]
    if result.reasons is not None:
        made["why"] = [{"at_s": one.at_us / US, "event": one.event or None, **one.told} for one in result.reasons.found]
        made["why_cut"] = result.reasons.cut
    return made


def _difference(one: comparing.Difference, told: Sequence[playing.Said]) -> dict[str, Any]:
    return {
        "kind": one.kind, "line": one.place.line, "column": one.place.column, "from_s": one.from_us / US, "to_s": one.to_us / US,
        "entries": [{"expected": pair.wanted, "got": pair.got, "differs": list(pair.wrong)} for pair in one.pairs],
        "said": [
            {
                "at_s": said.at_us / US, "event": said.event, "rule": said.told["rule"], "fired": said.told["fired"],
                "reason": said.told["reason"], "outcome": said.told.get("outcome"), "sentence": said.told.get("sentence", ""),
                "conditions": said.told.get("conditions", []), "tree": said.told.get("tree"),
            }
            for said in told
        ],
    }  # fmt: skip
