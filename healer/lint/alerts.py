"""Tests on words of `event.alert` that never hold, as it is known of what kind each word is. Pure. Caller: `reach`.

Only what is certain is told; beside an event without such a word such a test is false as well.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from healer import errors
from healer.engine import conditions, normal, patterns, values
from healer.lint import shapes

_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_TEXTS: Final = frozenset({"name", "target", "status", "severity", "severity_raw", "key"})
"""Words of `event.alert` that are texts, whoever sent it; so are its labels, which are a mapping; `cycle` is a number."""
_READ: Final = frozenset({"event.alert.summary", "event.alert.link"})
"""Texts too, where they are there: a sender may leave them out."""
KINDS: Final = {"s": "a text", "n": "a number", "m": "a mapping"}
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_CONTAINS: Final = re.compile(r"(?<![.\w])contains(?![.\w])")
_BELOW: Final = {"m": ".…"}
_WORDS: Final = {"status": shapes.STATUSES, "severity": shapes.SEVERITIES}


NO_NUMBER: Final = (
    "a condition makes no number of a text: let the sender compare, or send the number as a field of its own"
)


PATHS_KEPT: Final = 4096
"""Rules ask of few paths over and over."""


class Vain(NamedTuple):
    """A value that a word of `event.alert` never has."""

    why: str
    try_: str
    false: bool
    """Whether a comparison with it is false; of what is listed, one with it alone."""
    code: str = "unreachable"
    severity: errors.Severity | None = None
    """None: as the table of codes has it."""


def impossible(check: normal.Check) -> Iterator[Vain]:
    """What a word of `event.alert` is compared with in vain."""
    if found := list(_of_places(check)):
        yield found[0]
        return
    yield from _of_two(check)
    yield from _of_selection(check)
    test = check.leaf.test
    if isinstance(test, conditions.Truth) and isinstance(test.value, conditions.Path) and not check.negated:
        names, shown = named(test.value.steps)
        if kind := kind_of(names):
            try_ = f"compare it: {shown}{_BELOW.get(kind, '')} == …"
            yield Vain(f"`{shown}` is {KINDS[kind]} and alone never true", try_, false=True)
    yield from _of_pattern(check)
    pairs = list(compared(test))
    found = [one for steps, op, value in pairs for one in _of_literal(check, *named(steps), op, value)]
    if found:
        dead = len(found) == len(pairs) and all(one.false for one in found)
        yield from found if dead else (one._replace(code="unreachable-value") for one in found)


def _of_literal(check: normal.Check, names: tuple[Any, ...], shown: str, op: str, value: Any) -> Iterator[Vain]:
    """One value that a field is compared with."""
    test, given = check.leaf.test, values.kind(value)
    listed = isinstance(test, conditions.Member)
    wanted = test.negated is check.negated if isinstance(test, conditions.Member) else (op == "!=") is check.negated
    false = wanted or not listed
    kind = kind_of(names) or (text_or_kind(names) if wanted else "")
    if kind and given in "snbl" and kind != given:
        why = f" and never {words([value])}" if listed else ", so this is always false"
        yield Vain(f"`{shown}` is {KINDS[kind]}{why}", _mended(kind, given, op, shown), false)
    elif kind_of(names) and given == "z" and false and _is_vain_of_null(check, op):
        try_ = (
            f"for what is missing write {shown} is not defined"
            if may_lack(names)
            else f"compare it: {shown}{_BELOW.get(kind, '')} == …"
        )
        yield Vain(f"`{shown}` is {KINDS[kind]} and never null", try_, false)
    elif op in ("==", "!="):
        yield from _of_words(names, shown, value, false=wanted)


def _of_words(names: tuple[Any, ...], shown: str, value: Any, *, false: bool) -> Iterator[Vain]:
    known = _words_of(names)
    if known and isinstance(value, str) and value not in known:
        yield Vain(f"`{shown}` is never {value!r}", _nearest(value, known), false)


def _nearest(value: str, known: tuple[str, ...]) -> str:
    return errors.nearest(value.lower(), known) or f"it is one of: {', '.join(known)}"


def _is_vain_of_null(check: normal.Check, op: str) -> bool:
    """Whether a comparison of what is never null with null is false."""
    test = check.leaf.test
    if op in ("==", "!="):
        return (op == "==") is not check.negated
    return isinstance(test, conditions.Compare) and isinstance(test.left, conditions.Path)


def _of_pattern(check: normal.Check) -> Iterator[Vain]:
    """What is looked for in a field of which all words are known."""
    test = check.leaf.test
    if (
        not isinstance(test, conditions.Search)
        or test.negated is not check.negated
        or not isinstance(test.value, conditions.Path)
    ):
        return
    names, shown = named(test.value.steps)
    if known := _words_of(names):
        find = patterns.finder(
            test.pattern, anchored=test.anchored, ignorecase=test.ignorecase, multiline=test.multiline
        )
        if not any(map(find, known)):
            why = f"nothing that `{shown}` can be matches {test.pattern!r}"
            yield Vain(why, _nearest(test.pattern, known), false=True)


def checks(node: normal.Normal) -> Iterator[normal.Check]:
    """The simple tests of a condition, each with whether `not` stands before it."""
    if isinstance(node, normal.Check):
        yield node
    else:
        for part in node.parts:
            yield from checks(part)


def _of_places(check: normal.Check) -> Iterator[Vain]:
    """A place in a list where no list is: nothing is there."""
    test = check.leaf.test
    if isinstance(test, conditions.Defined) and test.negated is not check.negated:
        return  # it holds, or is a trap of its own
    for path in test:
        steps = path.steps if isinstance(path, conditions.Path) else ()
        for number in (at for at, step in enumerate(steps) if at and isinstance(step, int)):
            names, shown = named(steps[:number])
            if kind := kind_of(names):
                why = (
                    f"`{shown}` is {KINDS[kind]} and no list: there is no `[{steps[number]}]`, so this is always false"
                )
                yield Vain(why, _instead(kind, names, shown), false=True)


def _instead(kind: str, names: tuple[Any, ...], shown: str) -> str:
    if names == ("alert", "labels"):
        return f"for a key write {shown}.NAME"
    if kind == "m":
        return _mended(kind, "", "", shown)
    return f'for a part of a text write {shown} is search("…")' if kind == "s" else f"compare it: {shown} == …"


def _of_selection(check: normal.Check) -> Iterator[Vain]:
    """`select` takes what is no list for a list of one, and `selectattr` looks into mappings alone."""
    test = check.leaf.test
    if not isinstance(test, conditions.Select) or not isinstance(test.value, conditions.Path):
        return
    names, shown = named(test.value.steps)
    kind = kind_of(names)
    if kind and test.steps and kind != "m":
        why = f"`{shown}` is {KINDS[kind]}, and selectattr looks into mappings, so this is always false"
        yield Vain(why, f"compare it: {shown} == …", false=True)
        return
    if test.steps:
        if check.negated:
            return  # of a mapping that lacks the key it holds
        names, shown = named((*test.value.steps, *test.steps))
        kind = kind_of(names)
    given, _ = _known(test.operand)
    if test.op == "==" and not test.negated and not check.negated and isinstance(test.operand, conditions.Literal):
        yield from _of_words(names, shown, test.operand.value, false=True)
    if not kind or not given or given not in "snblm" or kind == given or test.op not in _TURNED:
        return
    if ((test.op == "!=") is not test.negated) is check.negated:
        yield Vain(
            f"`{shown}` is {KINDS[kind]}, so this is always false", _mended(kind, given, test.op, shown), false=True
        )


def _of_two(check: normal.Check) -> Iterator[Vain]:
    """A word beside another of which the kind is known too, and what is looked for within one."""
    test = check.leaf.test
    if isinstance(test, conditions.Compare):
        (one, shown), (other, beside) = _known(test.left), _known(test.right)
        if not shown or not beside:
            return
        if one and other and one != other:
            yield _differing(one, shown, other, beside)
        elif one == other == "m" and test.left != test.right and test.op not in ("==", "!="):
            yield Vain("mappings have no order, so this is always false", _mended("m", "m", test.op, shown), false=True)
    elif isinstance(test, conditions.Member):
        (one, shown), (items, within) = _known(test.item), _known(test.items)
        wanted = test.negated is check.negated
        if within in _READ and one in ("s", ""):
            items = "s"
        if not within or not items:
            return
        if items == "s" and one in ("s", ""):
            yield from _part(check.leaf, within, literal=isinstance(test.item, conditions.Literal))
        elif not one or one == items:
            return
        elif not wanted:
            if items == "m" and not _may_lack(test.item):
                yield _always(check.leaf, test.item, one, within)
        elif items == "m":
            why = f"the keys of the mapping `{within}` are not looked at, so this is always false"
            yield Vain(why, _key(test.item, within, "defined") or _mended("m", one, "in", within), false=True)
        elif isinstance(test.item, conditions.Literal):
            why = f"`{within}` is {KINDS[items]} and never {words([test.item.value])}"
            yield Vain(why, _mended(items, one, "==", within), false=True)
        else:
            yield _differing(one, shown, items, within)


def _known(value: conditions.Value) -> tuple[str, str]:
    """(kind, as shown) of a literal or of a word; no name of a literal, and no kind where that is not known."""
    if isinstance(value, conditions.Literal):
        return values.kind(value.value), ""
    if not isinstance(value, conditions.Path | conditions.Bound):
        return "", ""
    names, shown = named(value.steps)
    if isinstance(value, conditions.Bound):
        shown = f"events.{value.name}{shown.removeprefix('event')}"
    return kind_of(names), shown


def _differing(one: str, shown: str, other: str, beside: str) -> Vain:
    mapping = next((name for kind, name in ((one, shown), (other, beside)) if kind == "m"), "")
    why = f"`{shown}` is {KINDS[one]} and `{beside}` is {KINDS[other]}, so this is always false"
    return Vain(why, _mended("m", "", "", mapping) if mapping else "", false=True)


def _may_lack(value: conditions.Value) -> bool:
    """Whether an alert may be without it: a label."""
    return isinstance(value, conditions.Path) and len(value.steps) > 2


def _always(leaf: conditions.Leaf, item: conditions.Value, one: str, within: str) -> Vain:
    """What is not among the keys of a mapping, since nothing ever is."""
    why = f"the keys of the mapping `{within}` are not looked at, so this holds of every alert"
    try_ = _key(item, within, "not defined") or _mended("m", one, "in", within)
    code = "trap-contains" if _contains(leaf) else "trap-substring"
    return Vain(why, try_, false=False, code=code, severity="warning")


def is_trapped(leaf: conditions.Leaf) -> bool:
    """Whether reading a test told `trap-contains`."""
    item = leaf.test.item if isinstance(leaf.test, conditions.Member) else None
    return isinstance(item, conditions.Literal) and isinstance(item.value, str) and _contains(leaf)


def _contains(leaf: conditions.Leaf) -> bool:
    """Whether a test is written with `contains`, not with `in`."""
    return _CONTAINS.search(unquoted(leaf.text)) is not None


def unquoted(text: str) -> str:
    """A test without its texts in quotes."""
    return _QUOTED.sub("", text)


def _part(leaf: conditions.Leaf, within: str, *, literal: bool) -> Iterator[Vain]:
    """A part of a text; of a literal after `contains` reading the condition tells it."""
    contains = _contains(leaf)
    if contains and literal:
        return
    word, code = ("contains", "trap-contains") if contains else ("in", "trap-substring")
    try_ = 'a pattern of search is written out: … is search("…"); for the same text write =='
    message = f"{word} looks for an element of a list, not for a part of a text"
    yield Vain(message, f'write {within} is search("…")' if literal else try_, false=False, code=code)


def _key(item: conditions.Value, within: str, defined: str) -> str:
    if not isinstance(item, conditions.Literal) or not isinstance(item.value, str):
        return ""
    name = f".{item.value}" if _NAME.fullmatch(item.value) else f'["{item.value}"]'
    return f"for a key write {within}{name} is {defined}" if '"' not in item.value else ""


@functools.lru_cache(maxsize=PATHS_KEPT)
def kind_of(names: tuple[Any, ...]) -> str:
    """The kind of what stands there in every alert (as `values.kind` has it); '' where that is not known."""
    if names[0] != "alert" or len(names) > 3 or any(isinstance(one, int) for one in names):
        return ""
    if len(names) == 3:
        return "s" if names[1] == "labels" else ""
    return (
        "m"
        if len(names) == 1 or names[1] == "labels"
        else "n"
        if names[1] == "cycle"
        else "s"
        if names[1] in _TEXTS
        else ""
    )


def text_or_kind(names: tuple[Any, ...]) -> str:
    """As `kind_of`, also of what a sender may leave out: the kind that it has where it is there."""
    return "s" if names in (("alert", "summary"), ("alert", "link")) else kind_of(names)


def may_lack(names: tuple[Any, ...]) -> bool:
    """Whether an alert may be without it."""
    return len(names) > 2 or names in (("alert", "summary"), ("alert", "link"))


def _words_of(names: tuple[Any, ...]) -> tuple[str, ...]:
    """All that a field can be; () where that is not known."""
    return _WORDS.get(str(names[1]), ()) if len(names) == 2 and names[0] == "alert" else ()


def _mended(kind: str, given: str, op: str, shown: str) -> str:
    if kind == "m":
        return f"compare something below it: {shown}{_BELOW[kind]}"
    if op not in ("==", "!=") or given == "l":
        return NO_NUMBER if (kind, given) == ("s", "n") else ""
    return (
        "put quotes around the value"
        if kind == "s"
        else "compare it with a number, without quotes"
        if given == "s"
        else ""
    )


def compared(test: conditions.Simple) -> Iterator[tuple[values.Steps, str, Any]]:
    """(path, operator, literal) of a comparison, of `in` and `not in` one for each element."""
    if isinstance(test, conditions.Compare):
        for one, other, op in ((test.left, test.right, test.op), (test.right, test.left, _TURNED[test.op])):
            if isinstance(one, conditions.Path) and isinstance(other, conditions.Literal):
                yield one.steps, op, other.value
    elif isinstance(test, conditions.Member) and isinstance(test.item, conditions.Path):
        items = test.items.value if isinstance(test.items, conditions.Literal) else ()
        yield from ((test.item.steps, "==", one) for one in (items if isinstance(items, list) else ()))


@functools.lru_cache(maxsize=PATHS_KEPT)
def named(steps: values.Steps) -> tuple[Any, str]:
    names = tuple(one[0] if isinstance(one, tuple) else one for one in steps)
    return names, "event" + "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in names)


def words(given: list[Any] | None) -> str:
    shown = ["null" if one is None else str(one).lower() if isinstance(one, bool) else repr(one) for one in given or ()]
    return " or ".join(shown[:3]) + (" …" if len(shown) > 3 else "")
