"""How conditions and gates are shown to people: one rendering for every command that says why.

Callers: `explain`, `runs show`. The shapes are those of the engine's `explain` (tests of a condition with the values seen)
and of the gates' verdicts. A code is never shown bare: its sentence and the next step stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer.cli import terminal
from healer.policy import reasons

WORDS: Final = {
    "no-match": "its condition does not hold",
    "taken": "the event went to an earlier rule",
    "throttled": "its throttle is closed",
    "disabled": "it is switched off (enabled: false)",
    "not-decided-yet": "it has not been decided yet",
    "quarantined": "the event was set aside: the ruleset could not digest it",
    "ended": "a rule had ended its rulebook (shutdown); healer reload brings it back",
    "not-heard": "it held now, and did not hear of the event then",
    "absence": "it is about what is not there",
}
"""Why a rule did not fire, in words."""

TEXT_WIDTH: Final = 46


def event_lines(event: Mapping[str, Any]) -> Iterator[str]:
    """The journal row that is explained."""
    what = terminal.clean(event.get("id") or "event")
    source, kind = terminal.clean(event.get("source") or "?"), terminal.clean(event.get("kind") or "event")
    yield f"{what}  {kind} of {source}, {terminal.when(event.get('received_at'))}".rstrip(", ")
    if "event" in event:
        yield f"  {terminal.one_line_json(event['event'])}"


def rule_lines(rule: Mapping[str, Any]) -> Iterator[str]:
    """What one rule made of the event: its conditions, its gates, its run."""
    name = terminal.clean(rule.get("rule") or "?")
    yield f"{name}: {_verdict(rule)}"
    yield from condition_lines(rule.get("conditions"))
    yield from gate_lines(rule.get("gates"))
    if rule.get("run"):
        state = terminal.clean(rule.get("state") or "")
        why = (
            f": {terminal.clean(rule['sentence'])}" if state in ("queued", "deferred") and rule.get("sentence") else ""
        )
        yield f"  run  {terminal.short(rule['run'])} {state}{why}".rstrip()


def _verdict(rule: Mapping[str, Any]) -> str:
    if rule.get("fired"):
        return "fired"
    word = rule.get("reason")
    if not isinstance(word, str):
        return "did not fire"
    by = f" ({terminal.clean(rule['taken_by'])})" if rule.get("taken_by") else ""
    return f"did not fire: {WORDS.get(word, terminal.clean(word))}{by}"


def condition_lines(tests: Any) -> Iterator[str]:
    """Each simple test of a condition: whether it holds, and the value that it saw."""
    if not isinstance(tests, list) or not tests:
        return
    yield "  conditions"
    for test in tests:
        if not isinstance(test, Mapping):
            yield f"         {terminal.clean(test)}"
            continue
        text = terminal.clean(test.get("text") or "?")
        text = f"not ({text})" if test.get("negated") else text
        seen = ", ".join(_seen(one) for one in test.get("seen") or () if isinstance(one, Mapping))
        yield f"    {_yes_no(test.get('holds'))}  {text:<{TEXT_WIDTH}}  {seen}".rstrip()


def _seen(seen: Mapping[str, Any]) -> str:
    path = terminal.clean(seen.get("path") or "event")
    return f"{path} is missing" if seen.get("missing") else f"{path} = {terminal.one_line_json(seen.get('value'), 80)}"


def gate_lines(gates: Any) -> Iterator[str]:
    """Each gate that was asked; below a no its sentence and the next step."""
    if not isinstance(gates, list) or not gates:
        return
    yield "  gates"
    for gate in gates:
        if not isinstance(gate, Mapping):
            continue
        name = terminal.clean(gate.get("gate") or "?")
        yield f"    {_yes_no(gate.get('ok'))}  {name:<12}  {why(gate) if not gate.get('ok') else ''}".rstrip()
        if not gate.get("ok") and (step := next_step(gate)):
            yield f"         {'':<12}  next  {step}"


def why(verdict: Mapping[str, Any]) -> str:
    """The sentence of a verdict, a run or a decision: as the daemon gave it, else made from its code and fields."""
    sentence = verdict.get("sentence") or reasons.sentence(*_code(verdict))
    return terminal.local_times(terminal.clean(sentence))


def next_step(verdict: Mapping[str, Any]) -> str:
    """What a person may do about it, or an empty string."""
    if isinstance(step := verdict.get("next_step"), str):
        return terminal.clean(step)
    return terminal.clean(reasons.next_step(*_code(verdict)))


def _code(verdict: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    fields = verdict.get("fields")
    return str(verdict.get("code") or verdict.get("reason") or ""), fields if isinstance(fields, Mapping) else {}


def _yes_no(value: Any) -> str:
    return "yes" if value else terminal.paint("no ", "red")
