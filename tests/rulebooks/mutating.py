"""Conditions, documents and events that are nearly right, by hypothesis: what people and hostile senders write. Caller: `test_fuzz`."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

TOKEN = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\W\d]\w*|\d+(?:\.\d+)?|[=!<>]=|<<|\s+|.", re.DOTALL)
WORDS = (
    "event.a", "event.b[0]", "event.a.b", 'event["x y"]', "event.a[-1]", "events.first.k", "events.m_0.x", "events.n <<", "facts.a", "fact.b",
    "vars.x", "vars.l", "vars.nope", "event", "vars", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "not contains", "is",
    "is not", "defined", "and", "or", "not", "+", "-", "*", "/", "<<", "(", ")", "[", "]", ",", "1", "-1", "1.5", "1e400", "9" * 401, "true",
    "False", "null", "None", "hello", '"a"', "'b'", '"{{ x }}"', '"{{ nope }}"', '"{{ x"', 'match("a")', 'search("a.*", ignorecase=true)',
    'regex("(")', 'search("(?=a)")', 'select(">", 1)', 'select("search", events.m_0.x)', 'selectattr("x.y", "==", null)', 'selectattr("", "in", [1])',
    "AND", "=", "&&", "!", "\\", '"', "'", "#", ":", "{", "}", "%",
)  # fmt: skip
ODD = (
    "é", "ß", "\u0661", "\u00a0", "\u2028", "\x85", "\u200b", "\u0130", "😀", "\x00", "\x1b[31m", "\ufeff", "\ud800", "\t", "\n", "\r\n", "\x0b", "\x0c",
    "\u202e", "\uffff",
)  # fmt: skip
ACROSS = (
    "event.b == events.first.a", "event.i > events.m_0.i + 1", "event.a in events.first.b", 'event.l is select("search", events.m_0.a)',
    "events.first.a contains event.b", "event.a != events.first.b", "event.b == events.m_0.a - event.i", "event.x is not defined", "true",
)  # fmt: skip
"""Conditions that look into the events of others, or into the memory."""
OF_YAML = (
    "- ", ": ", "? ", "{", "}", "[", "]", ", ", "&a ", "*a", "<<: *a", "!!binary ", "!!set ", "!vault |", "!x ", "|", ">-", ">9", "'", '"', "#", "---\n",
    "...\n", "%YAML 1.1\n", "~", "null", "0x1f", "1_000", "1:30", ".nan", ".inf", "yes", "2001-01-01", "@", "`", "\t", "  ", "=", "!!float 1",
)  # fmt: skip
KEYS = (
    "name", "hosts", "sources", "rules", "condition", "all", "any", "not_all", "timeout", "throttle", "once_within", "once_after",
    "accumulate_within", "threshold", "group_by_attributes", "action", "actions", "debug", "msg", "none", "set_fact", "fact", "run_action",
    "run_playbook", "shutdown", "enabled", "match_multiple_rules", "default_events_ttl", "filters", "policy", "gather_facts",
)  # fmt: skip
LONG = (40, 45, 400, 2_500)
"""How often a piece is repeated: about the limits of nesting and of tests, and beyond."""

Texts = st.SearchStrategy[str]


@st.composite
def changed(draw: st.DrawFn, seeds: Sequence[str], words: Sequence[str]) -> str:
    """One of the seeds with up to four changes of its tokens."""
    tokens = TOKEN.findall(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        tokens = draw(_change(tokens, words))
    return "".join(tokens)[:100_000]


@st.composite
def _change(draw: st.DrawFn, tokens: list[str], words: Sequence[str]) -> list[str]:
    start = draw(st.integers(0, len(tokens)))
    end = min(len(tokens), start + draw(st.integers(0, 6)))
    before, piece, after = tokens[:start], tokens[start:end], tokens[end:]
    kind = draw(
        st.sampled_from(
            ["cut", "twice", "shuffled", "moved", "word", "instead", "nested", "odd", "glued", "long", "end"]
        )
    )
    if kind == "cut":
        return before + after
    if kind == "twice":
        return before + piece * 2 + after
    if kind == "shuffled":
        return before + list(draw(st.permutations(piece))) + after
    if kind == "moved":
        at = draw(st.integers(0, len(before)))
        return before[:at] + piece + before[at:] + after
    if kind in ("word", "instead"):
        new = [" ", draw(st.sampled_from(words)), " "]
        return before + (piece if kind == "word" else []) + new + after
    if kind == "nested":
        left, right = draw(
            st.sampled_from([("(", ")"), ("not (", ")"), ("[", "]"), ('"', '"'), ("{{ ", " }}"), ("not ", "")])
        )
        times = draw(st.sampled_from([1, 1, 2, *LONG[:2]]))
        return before + [left] * times + piece + [right] * times + after
    if kind == "odd":
        return [*before, draw(st.sampled_from(ODD) | st.text(max_size=3)), *piece, *after]
    if kind == "glued":
        return before + [one for one in piece if not one.isspace()] + after
    if kind == "long":
        return before + (piece or ["("]) * draw(st.sampled_from(LONG)) + after
    return before


def conditions(seeds: Sequence[str]) -> Texts:
    """Texts of conditions, right and wrong."""
    right = st.recursive(
        st.sampled_from([*seeds, *ACROSS]),
        lambda inner: (
            st.builds("({}) {} {}".format, inner, st.sampled_from(["and", "or"]), inner) | inner.map("not ({})".format)
        ),
        max_leaves=4,
    )
    named = st.builds("{}{}".format, st.sampled_from(["", "", "events.first << ", "facts.n << "]), right)
    wrong = changed([*seeds, *ACROSS], WORDS) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
    return named | named | wrong


@st.composite
def books(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """A document of one rule around conditions, which YAML may have written in any of its ways."""
    written = [draw(_as_yaml(condition)) for condition in draw(st.lists(conditions(seeds), min_size=1, max_size=3))]
    kind = draw(
        st.sampled_from(
            ["alone", "alone", "all", "any", "not_all", "once_within", "once_after", "accumulate_within", "windowed"]
        )
    )
    throttle = ""
    if kind in ("all", "any", "not_all", "windowed"):
        items = "".join(f"\n          - {one}" for one in written)
        timeout = "\n        timeout: 5 seconds" if kind in ("not_all", "windowed") else ""
        condition = f"\n        {'all' if kind == 'windowed' else kind}:{items}{timeout}"
    else:
        condition = f" {written[0]}"
        if kind != "alone":
            more = ", threshold: 2" if kind == "accumulate_within" else ""
            throttle = f"      throttle: {{{kind}: 5 seconds, group_by_attributes: [event.a]{more}}}\n"
    mmr = draw(st.sampled_from(["", "  match_multiple_rules: true\n"]))
    return (
        f"- name: s\n  hosts: all\n  sources: [{{healer.api: {{}}}}]\n{mmr}  rules:\n    - name: r\n      condition:{condition}\n"
        f"{throttle}      action: {{none: {{}}}}\n"
    )


@st.composite
def _as_yaml(draw: st.DrawFn, text: str) -> str:
    style = draw(st.sampled_from(["json", "json", "plain", "single", "literal", "folded"]))
    if style == "json":
        return json.dumps(text)
    if style == "plain":
        return text
    if style == "single":
        return "'" + text.replace("'", "''") + "'"
    lines = "".join(f"\n            {line}" for line in text.splitlines()) or "\n            x"
    return ("|" if style == "literal" else ">-") + lines


def documents(seeds: Sequence[str]) -> Texts:
    """Texts of whole rulebooks, changed as text."""
    return changed(seeds, (*OF_YAML, *KEYS, *(f"{key}: " for key in KEYS), *WORDS))


# --- events -------------------------------------------------------------------------------------------------------------------

SCALARS = (
    st.sampled_from([None, True, False, 0, 1, 2, -1, 1.0, 1.5, 10**400, 1 << 63, "", "a", "ab", "1", "true", "a\nb", "\ud800", "é", "x" * 2_000])
    | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c", "i", "j", "k", "x", "y", "x y", "h", "meta", "first", "0", ""])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
PATH = re.compile(r"(?:events?|facts?)\.((?:[^\W\d]\w*)(?:\.[^\W\d]\w*){0,4})")


@st.composite
def events(draw: st.DrawFn, text: str) -> list[dict[str, Any]]:
    """Events with some of the fields that a rulebook names, and others."""
    paths = sorted(set(PATH.findall(text)))[:30] or ["a"]
    return [draw(_event(paths)) for _ in range(draw(st.integers(1, 4)))]


@st.composite
def _event(draw: st.DrawFn, paths: Sequence[str]) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(draw(st.dictionaries(NAMES, VALUES, max_size=2)))
    for path in draw(st.lists(st.sampled_from(paths), max_size=4)):
        *inner, last = path.split(".")
        at = made
        for name in inner:
            if not isinstance(at.get(name), dict):
                at[name] = {}
            at = at[name]
        at[last] = copy.deepcopy(draw(VALUES))
    return made
