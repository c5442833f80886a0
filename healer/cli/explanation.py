"""How conditions and gates are shown to people: one rendering for every command that says why.

Callers: `explain`, `simulate`, `runs show`, `approvals show`. The shapes are those of the engine's `explain` (tests of a condition
with the values seen) and of the gates' verdicts. A code is never shown bare: its sentence and the next step stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from healer import outline
from healer.cli import location, markdown, terminal

REMEMBERED: Final = frozenset(
    {
        "throttled",
        "counted",
        "uncounted",
        "gathered",
        "waits",
        "alone",
        "complete",
        "taken",
        "not-heard",
        "absence",
        "absence-over",
    }
)
"""Reasons that what came before an event has a part in."""
WORDS: Final = {
    "no-match": "its condition does not hold",
    "taken": "the event went to an earlier rule",
    "throttled": "its throttle was closed",
    "waits": "the event meets a condition of it, and it fires with events that meet the others",
    "alone": "the event meets a condition of it: it fires when time is over and the others did not come, and is silent where all came",
    "complete": "the event is the last that it wanted: it is silent",
    "gathered": "its throttle gathers it, and fires when its time is over",
    "counted": "its throttle counts it, and fires with the last of a count",
    "uncounted": "its throttle does not count an event without what it groups by",
    "disabled": "it is switched off (enabled: false)",
    "not-decided-yet": "it has not been decided yet",
    "quarantined": "the event was set aside: the ruleset could not digest it",
    "ended": "a rule had ended its rulebook (shutdown)",
    "not-heard": "its condition holds today; then it did not hear of the event, or what the rules remembered kept the event from it",
    "absence": "it fires for a field that is missing, and the event has it",
    "undigested": "its ruleset could not digest the event",
    "absence-over": "it was asked already, and is again once something that has the field has come and gone",
}
"""Why a rule did not fire, in words."""

WOULD: Final = {
    "queued": "it would run", "simulated": "it would only be simulated", "deferred": "it would wait", "refused": "it would be refused",
    "awaiting_approval": "a person would be asked", "suppressed": "nothing would be done", "withdrawn": "nothing would be done",
    "done": "it would take place at once",
}  # fmt: skip
"""What an action would come to."""

TARGETS_SHOWN: Final = 10
OVER: Final = ("rejected", "expired", "void", "cancelled", "withdrawn")
"""Of a run in these nothing is to be done about what a gate said."""
SAID: Final = (
    "queued",
    "deferred",
    "failed",
    "timed_out",
    "unknown",
    "cancelled",
    "rejected",
    "expired",
    "void",
    "withdrawn",
)
"""Of a run in these it is said why, beside what its gates say."""
TEXT_WIDTH: Final = 46


def event_lines(event: Mapping[str, Any], what: str = "event") -> Iterator[str]:
    """The journal row that is explained; `what` it is called where it has no id."""
    what = terminal.clean(event.get("id") or what)
    source, kind = terminal.clean(event.get("source") or "?"), terminal.clean(event.get("kind") or "event")
    yield f"{what}  {kind} of {source}, {terminal.when(event.get('received_at'))}".rstrip(", ")
    if "event" in event:
        yield f"  {terminal.one_line_json(event['event'])}"


def rule_lines(rule: Mapping[str, Any], *, conditions: bool = True) -> Iterator[str]:
    """What one rule made of the event: its conditions (unless they are shown elsewhere), its gates, its run."""
    name = terminal.clean(rule.get("rule") or "?")
    yield f"{name}: {_verdict(rule)}"
    if conditions:
        yield from condition_lines(rule.get("conditions"), fired=bool(rule.get("fired")), tree=rule.get("tree"))
    if by := chosen(rule):
        yield terminal.clean(f"  by     {rule['chosen'].get('controller') or '?'} ({by})")
    if rule.get("asked_for"):
        yield f"  asked for: {terminal.clean(rule['asked_for'])}"
    yield from look_lines(rule)
    yield from plan_lines(rule.get("plan"))
    yield from _later_lines(rule.get("later"))
    if rule.get("run"):
        state = terminal.clean(rule.get("state") or "")
        since = f" since {terminal.when(rule['since'])}" if rule.get("since") else ""
        again = f" (decided again with {terminal.clean(rule['decided_again'])})" if rule.get("decided_again") else ""
        said = f": {why(rule)}" if state in SAID and not again and rule.get("sentence") else ""
        shown = terminal.paint(state, terminal.COLOURS.get(state))
        yield f"  run  {terminal.short(rule['run'])} {shown}{since}{again}{said}".rstrip()


def ahead_lines(rule: Mapping[str, Any], *, in_full: bool, conditions: bool = True) -> Iterator[str]:
    """What one rule would make of an event: as `rule_lines`, with what its action would reach. `in_full`: conditions, and all gates."""
    yield f"{terminal.clean(rule.get('rule') or '?')}: {_verdict(rule, 'would fire', 'would not fire')}"
    if in_full and conditions:
        yield from condition_lines(rule.get("conditions"), fired=bool(rule.get("fired")), tree=rule.get("tree"))
    if rule.get("error"):
        yield f"  {terminal.clean(rule['error'])}"
    if not rule.get("fired"):
        return
    yield from _reach_lines(rule)
    gates = rule["gates"] if isinstance(rule.get("gates"), list) else []
    yield from gate_lines(
        gates if in_full else [one for one in gates if isinstance(one, Mapping) and not one.get("ok")]
    )
    outcome = str(rule.get("outcome") or "?")
    sentence = why(rule)
    yield f"  then   {WOULD.get(outcome, terminal.clean(outcome))}{f': {sentence}' if sentence else ''}"
    yield from plan_lines(rule.get("plan"))


def _reach_lines(rule: Mapping[str, Any]) -> Iterator[str]:
    """The action, its targets, and what share of each group these are."""
    targets = [one for one in rule.get("targets") or () if isinstance(one, Mapping)]
    on = [terminal.clean(one.get("target") or "?") for one in targets if one.get("state") != "left_out"]
    by = f" by {terminal.clean(rule['controller'])}" if rule.get("controller") else ""
    dry = ", a dry run" if rule.get("dry_run") else ""
    named = (
        f"{', '.join(on[:TARGETS_SHOWN])}{f' and {len(on) - TARGETS_SHOWN} more' if len(on) > TARGETS_SHOWN else ''}"
    )
    yield f"  action {terminal.clean(rule.get('action') or '?')}{f' on {named}' if on else ''}{by}{dry}"
    if rule.get("parameters"):
        yield f"         {terminal.one_line_json(rule['parameters'])}"
    for one in targets:
        if one.get("state") == "left_out":
            yield f"         without {terminal.clean(one.get('target') or '?')}: {why(one)}"
    for one in rule.get("groups") or ():
        if isinstance(one, Mapping):
            yield f"  share  {_share(one)}"


def _share(one: Mapping[str, Any]) -> str:
    count = one.get("targets")
    if not one.get("group"):
        return f"{count} in no group"
    percent = f" ({one['percent']:g} %)" if isinstance(one.get("percent"), int | float) else ""
    return f"{count} of {one.get('size') or '?'} in {terminal.clean(one['group'])}{percent}"


def _verdict(rule: Mapping[str, Any], fired: str = "fired", silent: str = "did not fire") -> str:
    if rule.get("fired"):
        return terminal.paint(fired, "green")
    silent = terminal.paint(silent, "yellow")
    word = rule.get("reason")
    if not isinstance(word, str):
        return silent
    more = ""
    if rule.get("taken_by"):
        more = f" ({terminal.clean(rule['taken_by'])})"
    elif rule.get("throttle"):
        more = f" ({terminal.clean(rule['throttle'])})"
    elif rule.get("within"):
        more = f" (within {terminal.clean(rule['within'])})"
    if word == "ended":
        more = f"; {location.again('healer reload')} brings it back"
    if rule.get("exact") is False and word in REMEMBERED:
        more += "; as far as can be told, since what it remembered then is not kept"
    when = " at once" if rule.get("later") else ""
    return f"{silent}{when}: {WORDS.get(word, terminal.clean(word))}{more}"


def _later_lines(later: Any) -> Iterator[str]:
    """What came of an event later, with others or by time."""
    for one in later if isinstance(later, list) else ():
        if isinstance(one, Mapping):
            run = f"run {terminal.short(one['run'])}" if one.get("run") else terminal.clean(one.get("outcome") or "")
            yield f"  later  {terminal.when(one.get('at'))}: {terminal.clean(one.get('action') or '?')}, {run}"


def condition_lines(tests: Any, *, fired: bool, tree: Any = None) -> Iterator[str]:
    """The condition as a tree: each part with whether it holds, and each comparison with the values that it saw.

    Of a run of before there were trees its tests stand in one list, however `and`, `or`, `any` and `not` join them: of a rule that fired
    without all of them that is said.
    """
    found = [*outline.rows(tree, tests)]
    if not found:
        return
    alike = isinstance(tree, Mapping) or all(row.holds for row in found)
    yield "  conditions" if alike or not fired else "  conditions (not all of them have to hold)"
    for row in found:
        indent = "  " * row.depth
        text = f"{terminal.clean(row.text):<{max(0, TEXT_WIDTH - len(indent))}}"
        yield f"    {indent}{mark(row.holds)} {text}  {seen_text(row)}".rstrip()


def mark(holds: bool | None) -> str:
    """`✓` held, `✗` did not, `·` was not looked at; words where the output can show no such signs."""
    signs = ("✓", "✗", "·") if terminal.can_show("✓✗·") else ("yes", "no ", "-  ")
    return (
        signs[2] if holds is None else terminal.paint(signs[0], "green") if holds else terminal.paint(signs[1], "red")
    )


def branches(rule: Mapping[str, Any]) -> list[markdown.Branch]:
    """The condition for Markdown."""
    return [
        markdown.Branch(row.depth, click.unstyle(mark(row.holds)).strip(), row.text, seen_text(row))
        for row in outline.rows(rule.get("tree"), rule.get("conditions"))
    ]


def seen_text(row: outline.Row) -> str:
    """What a line of a condition saw; where a `not` misleads, what the language makes of it."""
    if row.note.startswith("never"):
        return terminal.clean(row.note)
    text = ", ".join(map(_seen, row.seen))
    if row.element is not None:
        text += f", decided by [{terminal.clean(row.element.get('at'))}] = {terminal.one_line_json(row.element.get('value'), 80)}"
    return f"{text}: {row.note}" if row.note else text


def _seen(seen: Mapping[str, Any]) -> str:
    path = terminal.clean(seen.get("path") or "event")
    if seen.get("unknown"):
        return f"{path} is {outline.NOT_SHOWN}"
    return f"{path} is missing" if seen.get("missing") else f"{path} = {terminal.one_line_json(seen.get('value'), 80)}"


def look_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The gates at the last look, after what was waited for before it. When that was is said where it waited: else it is at once."""
    for one in told.get("waited") or ():
        if isinstance(one, Mapping):
            yield f"  waited  {_span(one)}from {terminal.when(one.get('since'))} on: {why(one)}"
    approved = told.get("approved")
    if isinstance(approved, Mapping):
        people = terminal.clean(", ".join(map(str, approved.get("by") or ())))
        yield f"  approved  by {people} {terminal.when(approved.get('at'))} ({terminal.clean(approved.get('request') or '?')})"
    forced = told.get("break_glass")
    if isinstance(forced, Mapping):
        past = "".join(f"\n    past {why(one)}" for one in forced.get("past") or () if isinstance(one, Mapping))
        past = f"; {terminal.clean(forced['over'])}{past}" if forced.get("over") else past
        who, reason = terminal.clean(forced.get("actor") or "?"), terminal.clean(forced.get("reason") or "")
        yield f"  break-glass  by {who} {terminal.when(forced.get('at'))}: {reason}{past}"
    again = told.get("looked_at") if told.get("waited") or told.get("since") else None
    yield from gate_lines(told.get("gates"), again, over=told.get("state") in OVER)


def _span(waited: Mapping[str, Any]) -> str:
    since, until = terminal.moment(waited.get("since")), terminal.moment(waited.get("until"))
    return f"{terminal.span((until - since).total_seconds())} " if since and until else ""


def gate_lines(gates: Any, looked_at: Any = None, *, over: bool = False) -> Iterator[str]:
    """Each gate that was asked; below a no its sentence and the next step, unless it is `over`. `looked_at`: when, if that was after the
    decision."""
    if not isinstance(gates, list) or not gates:
        return
    yield f"  gates (looked at again {terminal.when(looked_at)})" if looked_at else "  gates"
    for gate in gates:
        if not isinstance(gate, Mapping):
            continue
        name = terminal.clean(gate.get("gate") or "?")
        yield f"    {_yes_no(gate.get('ok'))}  {name:<12}  {why(gate) if not gate.get('ok') else ''}".rstrip()
        if not (gate.get("ok") or over) and (step := next_step(gate)):
            yield f"         {'':<12}  next  {step}"


def plan_lines(plan: Any) -> Iterator[str]:
    """What its controller says that a run would do; nothing where nobody asked."""
    if not isinstance(plan, Mapping):
        return
    took = f" ({terminal.span(plan['seconds'])})" if isinstance(plan.get("seconds"), int | float) else ""
    if said := plan.get("sentence"):
        yield f"  plan   {terminal.clean(said)}"
    else:
        on = ", ".join(map(str, plan.get("targets") or ())) or "no target"
        exact = "" if plan.get("exact") else "; what it would change there is not known"
        yield f"  plan   on {terminal.clean(on)}{exact}{took}"
        if fails := plan.get("fails"):
            yield f"         it would fail: {terminal.clean(fails)}"
    for step in plan.get("steps") or ():
        yield f"         {terminal.clean(step)}"
    for line in str(plan.get("diff") or "").splitlines():
        yield f"       | {terminal.clean(line)}".rstrip()
    if plan.get("cut"):
        yield "         the plan was cut: it says more than is kept"


def state(run: Mapping[str, Any]) -> str:
    """The state of a run; a success that nobody verified says so."""
    unverified = run.get("state") == "succeeded" and run.get("reason") == "unverified"
    return "succeeded (unverified)" if unverified else str(run.get("state") or "?")


def why(verdict: Mapping[str, Any]) -> str:
    """The sentence of a verdict, a run or a decision: as the daemon gave it, else made from its code and fields."""
    from healer.policy import reasons  # all gates come with it: only once something is told

    sentence = verdict.get("sentence") or reasons.sentence(*_code(verdict))
    if refused := plan_refused(verdict):
        sentence = f"Its gates would have let it run, and {refused}"
    return terminal.local_times(terminal.clean(sentence))


def plan_refused(run: Mapping[str, Any]) -> str:
    """Why a run that would have run would have come to nothing: what its plan says, or why that could not be made; '' where it is well."""
    plan = run.get("plan")
    if run.get("state") != "simulated" or not isinstance(plan, Mapping):
        return ""
    if plan.get("state") == "failed":
        return f"its controller not: {plan.get('sentence') or 'its plan failed'}"
    return f"it would fail: {plan['fails']}" if plan.get("fails") else ""


def chosen(told: Mapping[str, Any]) -> str:
    """Why its controller was taken, in words; '' where that is not told."""
    from healer.policy import reasons

    return reasons.chosen(told)


def would_be(run: Mapping[str, Any]) -> str:
    """The state of a run; of one that was only simulated, and that a gate would have held, the state that this would have led to."""
    from healer.policy import reasons

    held = reasons.REASONS.get(str(run.get("would"))) if run.get("state") == "simulated" else None
    return str((held.outcome if held else None) or run.get("state") or "?")


def next_step(verdict: Mapping[str, Any]) -> str:
    """What a person may do about it, or an empty string."""
    from healer.policy import reasons

    step = verdict.get("next_step")
    return location.again(terminal.clean(step if isinstance(step, str) else reasons.next_step(*_code(verdict))))


def _code(verdict: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    fields = verdict.get("fields")
    return str(verdict.get("code") or verdict.get("reason") or ""), fields if isinstance(fields, Mapping) else {}


def _yes_no(value: Any) -> str:
    return "–  " if value is None else terminal.paint("yes", "green") if value else terminal.paint("no ", "red")
