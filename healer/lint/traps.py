"""Traps of the rulebook language that need more than one condition's text to be seen; the others are told where conditions are read.

Each is measured on the real engine, see docs/conformance.md. Which row of that has which code stands in docs/diagnostics.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from healer import config, engine, templates
from healer.engine import conditions, values
from healer.lint import alerts, implying, meeting, shapes, sums, texts
from healer.lint.scope import Scope, Told
from healer.rulebook import grammar

_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_PLAIN: Final = re.compile(r"[+-]?\d+(\.\d+)?|true|false")
_TEMPLATED: Final = re.compile(r"(['\"])\s*\{\{.*?\}\}\s*\1")
_MATCHING: Final = ("match",)
NAMED: Final = ("labels", "annotations")
"""What has names of the sender's own, and a text below each."""
_TIMES: Final = frozenset({("alert", "startsAt"), ("alert", "endsAt"), ("meta", "received_at")})
"""Times as texts of ISO 8601, where only alerts come."""
_YEAR: Final = re.compile(r"(19|20|21)\d\d")
_DATE: Final = re.compile(r"(19|20|21)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
LOOKED_THROUGH_MAX: Final = 2_000
"""Characters of a test that are looked through for a template."""


def check(scope: Scope, told: Told) -> None:
    """Tell of each trap in the rules of a ruleset."""
    for rule in scope.ruleset.rules:
        earlier: list[str] = []
        summed = False
        for pattern in rule.condition.patterns:
            for leaf in conditions.leaves(pattern.test):
                summed = summed or sums.is_in(leaf)
                for code, message, shown, try_ in (*_of_text(leaf, earlier, scope), *_of_test(leaf, scope)):
                    told.tell(scope.document, code, message, scope.mark_of(leaf, shown), try_)
                for code, try_ in _of_bare(leaf, scope):
                    told.advise(code, scope.document, leaf, try_)
            if rule.condition.kind == "all":
                earlier.append(pattern.name)
        if summed:
            sums.check(scope, told, rule)
        _several(scope, told, rule)
        _times(scope, told, rule)
        _facts(scope, told, rule)


# --- one simple test ----------------------------------------------------------------------------------------------------------


def _of_text(leaf: conditions.Leaf, earlier: list[str], scope: Scope) -> Iterator[tuple[str, str, str, str]]:
    """(code, message, where, what to do) for what a test's paths look like and are not."""
    for read in texts.of_condition(leaf.text, tuple(earlier)):
        if read.root == "facts":
            message = f"`{read.shown}` is nothing in a condition: such a test never holds"
            yield "trap-facts", message, read.shown, f"write fact.{read.shown.partition('.')[2]}"
        elif read.root == "events" and not read.name:
            own = read.shown.removeprefix("events")
            message = (
                f"no earlier condition is named {read.steps[0]!r}: this is the field of that name of the event at hand"
            )
            yield (
                "trap-events",
                message,
                read.shown,
                f"write event{own}, or bind the name with << in a condition before",
            )
        for at, step in enumerate(read.steps):
            if _is_mapping(read.steps[:at], scope):
                continue  # a key of it is what was meant
            if isinstance(step, tuple) and re.fullmatch(r"-?\d+", step[0]):
                message = f'["{step[0]}"] is a key of a mapping, never a place in a list'
                yield "trap-index", message, read.shown, f"write [{step[0]}] for a list"


def _is_mapping(steps: values.Steps, scope: Scope) -> bool:
    """Whether what stands there has names, and is no list."""
    names = implying.plain(steps)
    known = bool(names) and scope.alerts_alone and alerts.kind_of(names) == "m"
    return known or not names or names[-1] in NAMED


def _is_text(value: conditions.Value, scope: Scope) -> bool:
    """Whether a value is a text, as far as that is known: labels and annotations are, whoever sends them."""
    if not isinstance(value, conditions.Path):
        return isinstance(value, conditions.Literal) and isinstance(value.value, str)
    names = implying.plain(value.steps)
    if len(names) > 1 and names[-2] in NAMED:
        return True
    return scope.alerts_alone and (names in _TIMES or alerts.text_or_kind(names) == "s")


def _is_time(literal: str, beside: conditions.Value, scope: Scope) -> bool:
    """Whether a text of digits is a date, beside a text: those come in the order of time. A year alone is one beside a time."""
    if not isinstance(beside, conditions.Path):
        return False
    names = implying.plain(beside.steps)
    if scope.alerts_alone and (names in _TIMES or names == ("alert", "started_at")):  # which stays as it is sent
        return bool(_YEAR.fullmatch(literal) or _DATE.fullmatch(literal))
    return _is_text(beside, scope) and _DATE.fullmatch(literal) is not None


def _of_test(leaf: conditions.Leaf, scope: Scope) -> Iterator[tuple[str, str, str, str]]:
    test = leaf.test
    if isinstance(test, conditions.Compare):
        for side, beside in ((test.left, test.right), (test.right, test.left)):
            if not isinstance(side, conditions.Literal) or not isinstance(side.value, str):
                continue
            if test.op not in ("==", "!=") and _NUMBER.fullmatch(side.value) and not _templated(leaf):
                if _is_time(side.value, beside, scope):
                    continue
                message = f'"{side.value}" is compared as a text: "9" is more than "10", and a number never matches'
                try_ = alerts.NO_NUMBER if _is_text(beside, scope) else f"write {side.value} without quotes"
                yield "trap-text-order", message, leaf.text, try_
            elif _PLAIN.fullmatch(side.value) and _templated(leaf) and not _is_text(beside, scope):
                message = f'the template gives the text "{side.value}" here, which a number or Boolean never equals'
                yield "trap-template-text", message, leaf.text, "write vars.name without quotes and braces"
    elif isinstance(test, conditions.Select):
        if test.negated:
            message = "is not select holds if some element does not satisfy, not if none does"
            yield "trap-not-select", message, leaf.text, "for none write: not (… is select(…))"
        if (
            test.op in _MATCHING
            and isinstance(test.operand, conditions.Literal)
            and not str(test.operand.value).startswith("^")
        ):
            message = "match in select looks anywhere in the text, not at its start"
            yield "trap-select-match", message, leaf.text, 'write ^ before the pattern, or "search"'


def _of_bare(leaf: conditions.Leaf, scope: Scope) -> Iterator[tuple[str, str]]:
    """What to do about a word without quotes, which reading the test told, where it is known what it is compared with."""
    test = leaf.test
    if not isinstance(test, conditions.Compare):
        return
    for word, beside in ((test.right, test.left), (test.left, test.right)):
        code = _bare(word, leaf)
        if not code or not isinstance(beside, conditions.Path):
            continue
        names, shown = alerts.named(beside.steps)
        if not _is_text(beside, scope):
            if scope.alerts_alone and alerts.kind_of(names):
                yield code, ""
            continue
        missing = code == "trap-none" and (not scope.alerts_alone or alerts.may_lack(names))
        defined = "defined" if test.op == "!=" else "not defined"
        quoted = "put quotes around the text"
        yield code, f"for what is missing write {shown} is {defined}, else {quoted}" if missing else quoted


def _bare(value: conditions.Value, leaf: conditions.Leaf) -> str:
    """The code of a word without quotes; '' of any other value."""
    word = value.value if isinstance(value, conditions.Literal) else None
    code = grammar.trap_of(word) if isinstance(word, str) else ""
    return code if code and re.search(rf"(?<![\w.]){word}(?!\w)", alerts.unquoted(leaf.text)) else ""


def _templated(leaf: conditions.Leaf) -> bool:
    return "{{" in leaf.text and len(leaf.text) <= LOOKED_THROUGH_MAX and _TEMPLATED.search(leaf.text) is not None


# --- several conditions ---------------------------------------------------------------------------------------------------------


def _several(scope: Scope, told: Told, rule: engine.Rule) -> None:
    condition = rule.condition
    if condition.kind == "not_all" and len(condition.patterns) == 1:
        message = f"the rule {rule.name!r} never fires: the event that not_all waits for is what starts it"
        told.tell(scope.document, "trap-not-all-alone", message, _at(scope, rule), "once_after, or a second condition")
    if condition.kind != "all" or len(condition.patterns) < 2:
        return
    for number, pattern in enumerate(condition.patterns):
        leaf = conditions.leaves(pattern.test)[0]
        if conditions.absence(conditions.Condition("all", (pattern._replace(bound=False),))) is not None:
            message = f"condition {number + 1} of the rule {rule.name!r} is only about absence: within all such a rule hardly ever fires"
            told.tell(
                scope.document,
                "trap-absence-join",
                message,
                scope.mark_of(leaf, leaf.text),
                "join it with another test: … and …",
            )
    if not scope.ruleset.match_multiple_rules and not shapes.has_facts(scope.activation, scope.ruleset.name):
        _meeting(scope, told, rule)


def _meeting(scope: Scope, told: Told, rule: engine.Rule) -> None:
    """Facts are not used up, and with `match_multiple_rules` nothing is."""
    if (found := meeting.itself(rule.condition)) is None:
        return
    which = f"condition {found.other + 1}" if len(rule.condition.patterns) == 2 else "all others"
    meets = f"that can meet {which} does so" if found.joined else f"meets {which}"
    then = "the rule does not fire" if found.never else "it waits for none, and the rule fires only where it comes last"
    leaf = conditions.leaves(rule.condition.patterns[max(found.first, found.other)].test)[0]
    message = (
        f"each event of condition {found.first + 1} of the rule {rule.name!r} {meets} by itself, and is used up: {then}"
    )
    told.tell(
        scope.document,
        "trap-self-match",
        message,
        scope.mark_of(leaf, leaf.text),
        "add a test that tells the two apart",
    )


# --- times and facts ------------------------------------------------------------------------------------------------------------


def _times(scope: Scope, told: Told, rule: engine.Rule) -> None:
    timeout, throttle, written = rule.condition.timeout_us, rule.throttle, scope.rule(rule)
    asked, braked = written.get("condition"), written.get("throttle")
    at = asked.values_at.get("timeout") if isinstance(asked, config.Map) else None
    if (
        timeout is not None
        and timeout > scope.ruleset.default_events_ttl_s * 1_000_000
        and len(rule.condition.patterns) > 1
    ):
        message = f"events are forgotten before the timeout of the rule {rule.name!r} is over (default_events_ttl)"
        told.tell(scope.document, "trap-ttl", message, at, "a longer default_events_ttl of the ruleset")
    if timeout == 0:
        told.tell(
            scope.document,
            "trap-zero-window",
            "only events of the same instant join within no time",
            at,
            "a longer timeout",
        )
    if throttle is None or not isinstance(braked, config.Map):
        return
    if throttle.window_us == 0:
        message = f"{throttle.kind} of no time holds nothing back"
        told.tell(scope.document, "trap-zero-window", message, braked.values_at.get(throttle.kind), "a longer one")
    elif throttle.kind == "accumulate_within" and throttle.threshold == 1:
        message = "a threshold of 1 fires for each event"
        told.tell(
            scope.document, "trap-threshold", message, braked.values_at.get("threshold"), "2 or more, or once_within"
        )


def _facts(scope: Scope, told: Told, rule: engine.Rule) -> None:
    """A fact that no condition of its ruleset looks at."""
    for action, args, at in scope.actions(rule):
        fact, to = action.args.get("fact"), action.args.get("ruleset", scope.ruleset.name)
        if (
            action.name != "set_fact"
            or not isinstance(fact, dict)
            or not fact
            or any(map(templates.is_template, map(str, fact)))
        ):
            continue
        to = next((one for one in scope.activation.rulesets if one.name == to), None)
        if to is None:
            continue
        looked = _looked_at(to)
        if looked is not None and looked.isdisjoint(fact):
            names = ", ".join(sorted(map(str, fact))[:5])
            message = f"no condition of the ruleset {to.name!r} looks at {names}: this fact is not stored, and cannot be retracted"
            told.tell(
                scope.document,
                "trap-fact-unused",
                message,
                args.keys_at.get("fact", at),
                "use one of its fields in a condition",
            )


def _looked_at(ruleset: engine.Ruleset) -> set[Any] | None:
    """The fields at the top of an event that conditions look at; None where some condition holds whatever there is."""
    found: set[Any] = set()
    for rule in ruleset.rules:
        for pattern in rule.condition.patterns:
            for leaf in conditions.leaves(pattern.test):
                steps = conditions.paths(leaf.test)
                if not steps or (isinstance(leaf.test, conditions.Defined) and leaf.test.negated):
                    return None
                found |= {_name(one[0]) for one in steps}
    return found


def _name(step: values.Step) -> Any:
    return step[0] if isinstance(step, tuple) else step


def _at(scope: Scope, rule: engine.Rule) -> config.Mark | None:
    written = scope.rule(rule)
    return written.values_at.get("name") or written.mark
