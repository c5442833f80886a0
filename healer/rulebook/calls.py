"""The right sides of `is`: `match`, `search`, `regex` with a pattern, `select` and `selectattr` with an operator.

Caller: `grammar` (to read the arguments) and `combine` (to make the test).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from healer import errors
from healer.engine import conditions, patterns
from healer.rulebook import words

if TYPE_CHECKING:
    from healer.rulebook import grammar

SELECT: Final = ("==", "!=", ">", ">=", "<", "<=", "regex", "search", "match")
SELECTATTR: Final = (*SELECT, "in", "not in", "contains", "not contains")
LITERAL: Final = "a character that stands for itself has a backslash before it, like \\("
OPTIONS: Final = ("ignorecase", "multiline")
_OPTION: Final = re.compile(r"([^\W\d]\w*)[ \t\r\n]*=(?!=)")


MEANT: Final = {
    **dict.fromkeys(("match", "search", "regex"), 'for one of several write ("(one|other)")'),
    "select": 'like select(">=", 90)', "selectattr": 'like selectattr("used", ">=", 90)',
}  # fmt: skip
"""What to write in the parentheses of a call."""


class Call(NamedTuple):
    """`kind(arguments)`; arguments are parts, options are parts: the name as a word, and its value."""

    kind: str
    arguments: tuple[words.Part, ...]
    options: tuple[tuple[words.Part, words.Part], ...]


def arguments(parser: grammar.Parser, kind: str, start: int) -> Call:
    """Read what stands between the parentheses."""
    found: list[words.Part] = []
    options: list[tuple[words.Part, words.Part]] = []
    parser.space()
    while True:
        parser.space()
        option = _OPTION.match(parser.text, parser.at)
        if option:
            name = words.Part(words.Word(option[1]), *option.span(1))
            parser.at = option.end()
            options.append((name, parser.scalar()))
        else:
            found.append(parser.operand())
        parser.space()
        if not parser.text.startswith(",", parser.at):
            break
        parser.at += 1
    parser.expect(")")
    wanted = {"select": 2, "selectattr": 3}.get(kind, 1)
    if len(found) < wanted or (wanted == 1 and len(found) > 1):
        shown = {1: "(pattern)", 2: "(operator, value)", 3: "(path, operator, value)"}[wanted]
        message = f"{kind} takes {shown}, got {len(found)} value{'' if len(found) == 1 else 's'}"
        _wrong("condition-call", message, start, parser.at, MEANT[kind])
    return Call(kind, tuple(found), tuple(options))


def test(subject: conditions.Value, call: Call, negated: bool) -> conditions.Simple:
    """The simple test of `subject is call`."""
    if call.kind in ("select", "selectattr"):
        return _select(subject, call, negated)
    return _search(subject, call, negated)


def _search(subject: conditions.Value, call: Call, negated: bool) -> conditions.Search:
    part = call.arguments[0]
    if not isinstance(part.node, conditions.Literal) or not isinstance(part.node.value, str):
        message = f"the pattern of {call.kind} has to be a text or a variable (vars.…)"
        _wrong("regex-operand", message, part.start, part.end, "write it as a text, in quotes")
    options = {str(name.node): _option(name, value) for name, value in call.options}
    pattern = part.node.value
    made = conditions.Search(
        subject,
        call.kind == "match",
        pattern,
        options.get("ignorecase", False),
        options.get("multiline", False),
        negated,
    )
    _check(pattern, part, ignorecase=made.ignorecase, multiline=made.multiline)
    return made


def _option(named: words.Part, part: words.Part) -> bool:
    name = str(named.node)
    if name not in OPTIONS:
        near = errors.nearest(name, OPTIONS) or "ignorecase and multiline are known; (?s) in the pattern is dotall"
        _wrong("regex-option", f"no option is named {name!r}", named.start, named.end, near)
    if not isinstance(part.node, conditions.Literal) or not isinstance(part.node.value, bool):
        _wrong("regex-option", f"{name} takes true or false", part.start, part.end, f"write {name}=true")
    return bool(part.node.value)


def _check(pattern: str, part: words.Part, *, ignorecase: bool, multiline: bool) -> None:
    try:
        patterns.finder(pattern, anchored=False, ignorecase=ignorecase, multiline=multiline)
    except patterns.Unsupported as error:
        _wrong("regex-unsupported", f"this regular expression cannot be used: {error}", part.start, part.end)
    except patterns.Bad as error:
        _wrong("regex-bad", f"this is no regular expression: {error}", part.start, part.end, LITERAL)


def _select(subject: conditions.Value, call: Call, negated: bool) -> conditions.Select:
    known = SELECT if call.kind == "select" else SELECTATTR
    steps = None
    if call.kind == "selectattr":
        path = call.arguments[0]
        if not isinstance(path.node, conditions.Literal) or not isinstance(path.node.value, str):
            _wrong(
                "condition-call", "the first value of selectattr is the attribute's path, a text", path.start, path.end
            )
        steps = tuple(key for key in path.node.value.split(".") if key) or ("",)
    operator, operand = call.arguments[-2:] if len(call.arguments) == 2 + (steps is not None) else call.arguments[
        (steps is not None) : (steps is not None) + 2
    ]  # fmt: skip
    op: Any = operator.node.value if isinstance(operator.node, conditions.Literal) else None
    if op not in known:
        near = errors.nearest(str(op), known) or "known: " + " ".join(known)
        _wrong("condition-operator", f"{call.kind} has no operator {op!r}", operator.start, operator.end, near)
    value = _operand(op, operand, attribute=steps is not None)
    return conditions.Select(subject, steps, op, value, negated)


def _operand(op: str, part: words.Part, *, attribute: bool) -> conditions.Value:
    node = conditions.Literal(str(part.node)) if isinstance(part.node, words.Word) else part.node
    if isinstance(node, conditions.Bound) and not attribute:
        return node
    if isinstance(node, conditions.Path) and not attribute and op not in ("search", "match", "regex"):
        return node
    if not isinstance(node, conditions.Literal):
        _wrong("condition-call", "a text, number, list or variable (vars.…) is wanted", part.start, part.end)
    if op in ("search", "match", "regex") and isinstance(node.value, str):
        _check(node.value, part, ignorecase=False, multiline=False)
    return node


def _wrong(code: str, message: str, start: int, end: int, try_: str = "") -> NoReturn:
    raise words.Wrong(code, message, start, end, try_)
