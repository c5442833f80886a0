"""The key `condition` of a rule: a text, a Boolean, `any:` or `all:`; everything wrong with it stands in the document.

Caller: `rules`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from healer import config, credentials, errors, model, templates
from healer.engine import conditions, values
from healer.rulebook import fields, grammar, positions, throttles, words

PATTERNS_MAX: Final = 500
KINDS: Final = ("all", "any", "not_all")
WITH_TIMEOUT: Final = ("not_all",)
WITHOUT_TIMEOUT: Final = ("any",)
"""Kinds that need a timeout, and that take none; the others may have one."""
_BEHIND_FIELD: Final = re.compile(
    r"""\b((?:event|fact)s?\b[\w.\[\]"'-]*+)[^\w"']++(?:(?:in|contains|not|is)\b[^\w"']*+)*+(?:"([^"]*+)|'([^']*+))"""
)
_STEP: Final = re.compile(r"[\w-]+")
SEVERAL: Final = "make several rules of it"


def read(document: config.Document, rule: config.Map, variables: Mapping[str, Any]) -> conditions.Condition | None:
    """The condition, or None after saying why not."""
    value, mark = rule["condition"], rule.values_at.get("condition")
    if isinstance(value, bool):
        leaf = conditions.Leaf(conditions.Constant(value), str(value).lower(), *(mark or (0, 0))[:2])
        return conditions.Condition("all", (conditions.Pattern("m", False, leaf),))
    if isinstance(value, str):
        parsed = _parse(document, value, mark, variables)
        return parsed and _warned(document, mark, _condition("all", [parsed]))
    if isinstance(value, config.Map):
        return _several(document, value, mark, variables)
    fields.wrong_type(
        document, mark, "condition", value, "a text, true, false, or a mapping with all:, any: or not_all:"
    )
    return None


def _several(
    document: config.Document, value: config.Map, mark: config.Mark | None, variables: Mapping[str, Any]
) -> conditions.Condition | None:
    found = [key for key in KINDS if key in value]
    good = fields.keys(document, value, (*KINDS, "timeout"), (), "a condition")
    if len(found) != 1:
        if good:
            message = f"a condition has one of all:, any:, not_all:, got {', '.join(found) or 'none'}"
            document.error("condition-kind", message, mark, "one of them; another one is another rule")
        return None
    kind, items = found[0], value[found[0]]
    timed, timeout_us = _timeout_us(document, value, kind)
    at = value.values_at.get(kind)
    if not isinstance(items, config.Seq) or not items:
        fields.wrong_type(document, at, kind, items, "a list of conditions, at least one")
        return None
    if len(items) > PATTERNS_MAX:
        message = f"{kind} has {len(items)} conditions, at most {PATTERNS_MAX} are taken"
        document.error("condition-size", message, at, SEVERAL)
        return None
    names: list[str] = []
    parsed = []
    for number in range(len(items)):
        one = _item(document, items, number, variables, names if kind == "all" else ())
        names.append(one.name or f"m_{number}" if one else f"m_{number}")
        parsed.append(one)
    if not (good and timed) or any(one is None for one in parsed):
        return None
    made = _condition(kind, [one for one in parsed if one], timeout_us)
    for number in conditions.named_twice(made):
        message = f"the name {made.patterns[number].name!r} is there twice; such a rule never fires"
        document.warning("trap-name-twice", message, items.items_at[number], "give each condition its own name")
    return _warned(document, items.items_at[0], made)


def _timeout_us(document: config.Document, value: config.Map, kind: str) -> tuple[bool, int | None]:
    """Whether the window is right, and its microseconds where there is one; says what is wrong."""
    if "timeout" not in value:
        if kind in WITH_TIMEOUT:
            document.error("missing-key", f"{kind} needs the key 'timeout'", value.mark, "timeout: 10 seconds")
        return kind not in WITH_TIMEOUT, None
    if kind in WITHOUT_TIMEOUT:
        message = f"{kind}: takes no timeout; its conditions are met one by one"
        document.error("condition-timeout", message, value.keys_at.get("timeout"), "leave it out")
        return False, None
    found = throttles.duration_us(document, value, "timeout")
    return found is not None, found


def _item(
    document: config.Document, items: config.Seq, number: int, variables: Mapping[str, Any], earlier: Collection[str]
) -> grammar.Parsed | None:
    item, mark = items[number], items.items_at[number]
    if isinstance(item, str):
        return _parse(document, item, mark, variables, earlier)
    fields.wrong_type(document, mark, f"condition {number + 1}", item, "a text")
    return None


def _condition(kind: Any, parsed: list[grammar.Parsed], timeout_us: int | None = None) -> conditions.Condition:
    alone = len(parsed) == 1
    return conditions.Condition(
        kind,
        tuple(
            conditions.Pattern(one.name or ("m" if alone else f"m_{number}"), one.name is not None, one.test)
            for number, one in enumerate(parsed)
        ),
        None if alone and kind == "all" else timeout_us,
        timeout_us is not None,
    )


def _warned(document: config.Document, mark: config.Mark | None, made: conditions.Condition) -> conditions.Condition:
    if conditions.absence(made) is not None:
        document.warning(
            "trap-absence",
            "a condition that is only about absence looks at the memory: it fires once, at the start, with an empty match",
            mark,
            "join it with another test: event.x is not defined and event.y is defined",
        )
    return made


def _parse(
    document: config.Document, text: str, mark: config.Mark | None, variables: Mapping[str, Any], earlier: Collection[str] = ()
) -> grammar.Parsed | None:  # fmt: skip
    where = positions.Positions(document, mark, text)
    parser = grammar.Parser(
        text, lambda key: variable(variables, key), lambda part: filled(part, variables), where.at, earlier
    )
    try:
        parsed = parser.parse()
    except words.Wrong as wrong:
        for start, end in _secrets(text):
            document.conceal(where.mark(start, end))
        document.error(wrong.code, wrong.message, where.mark(wrong.start, wrong.end), wrong.try_)
        return None
    for code, message, start, end, try_ in parsed.traps:
        severity: errors.Severity = "hint" if code in ("trap-boolean", "trap-contains") else "warning"
        document.diagnostic(severity, code, message, where.mark(start, end), try_)
    return parsed


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """What stands behind a field that is called a secret, whatever stands between: nobody knows what a wrong condition means."""
    for found in _BEHIND_FIELD.finditer(text):
        if any(credentials.called(step) for step in _STEP.findall(found[1])):
            yield found.span(2 if found[2] is not None else 3)


def variable(variables: Mapping[str, Any], key: str) -> Any:
    """The value of `vars.<key>`; LookupError where it is missing (with the near name), TypeError where it is a map."""
    value: Any = variables
    for step in key.split("."):
        if not isinstance(value, Mapping) or step not in value:
            known = [str(name) for name in value] if isinstance(value, Mapping) else []
            raise LookupError(errors.nearest(step, known))
        value = value[step]
    if isinstance(value, model.Reference):
        raise TypeError("vaulted, and known at the moment of use only; a condition needs a plain value")
    if isinstance(value, Mapping):
        raise TypeError("a mapping; only texts, numbers, true, false, null and lists of these can be compared")
    if isinstance(value, list | tuple):
        if any(values.kind(item) not in "snbz" for item in value):
            raise TypeError("a list with mappings or lists in it")
        return list(value)
    if values.kind(value) not in "snbz":
        raise TypeError(f"of the type {type(value).__name__}")
    return value


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """A string literal with its templates rendered; the result is always a text."""
    return values.java_text(templates.render(text, variables))
