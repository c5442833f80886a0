"""The language of conditions: what is accepted means what upstream's parser says, and the rest is refused where it stands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_rulebook.condition_parser import parse_condition
from hypothesis import given
from hypothesis import strategies as st

from healer.engine import conditions
from healer.rulebook import grammar, words

VARIABLES = {"x": 42, "t": "text", "l": [1, "a"], "n": None, "b": True}


def parse(text: str) -> grammar.Parsed:
    return grammar.Parser(text, VARIABLES.__getitem__, lambda part: part, lambda offset: (1, offset + 1)).parse()


def leaf(text: str) -> Any:
    found = parse(text).test
    assert isinstance(found, conditions.Leaf)
    return found.test


def wrong(text: str) -> words.Wrong:
    with pytest.raises(words.Wrong) as caught:
        parse(text)
    return caught.value


PATH = conditions.Path(("a",))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-1", -1), ("+1", 1), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("1.5E-2", 0.015), ("true", True),
        ("False", False), ("null", None), ('"a b"', "a b"), ("'a\"b'", 'a"b'), ("hello", "hello"), ('"é"', "é"),
        (r'"\d\t\x41"', "\\d\t\\x41"), ("[1, 'a', null, 1.5]", [1, "a", None, 1.5]), ("vars.x", 42), ("vars.l", [1, "a"]),
        ("[vars.x]", [42]), ("(1)", 1), ("9" * 500, float("inf")), ("select", "select"),
    ],
)  # fmt: skip
def test_literals(text: str, value: Any) -> None:
    assert leaf(f"event.a == {text}") == conditions.Compare("==", PATH, conditions.Literal(value))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("event.a.b", ("a", "b")), ("event.a[0][-1]", ("a", 0, -1)), ('event.a["x.y"]', ("a", ("x.y",))),
        ("event['a']", ("a",)), ("fact.a", ("a",)), ("events.a", ("a",)), ("event.ä_1", ("ä_1",)), ("event.not", ("not",)),
    ],
)  # fmt: skip
def test_paths(text: str, steps: tuple[Any, ...]) -> None:
    assert leaf(f"{text} == 1").left == conditions.Path(steps)


def test_operators_bind_as_upstream_has_them() -> None:
    test = parse("event.a == 1 or event.b + 1 > 2 and not event.c in [1]").test
    assert isinstance(test, conditions.And)
    assert isinstance(test.parts[0], conditions.Or)
    assert isinstance(test.parts[1], conditions.Not)


def test_the_pieces_have_their_text_and_place() -> None:
    found = conditions.leaves(parse('event.a == 1 and (event.b is search("x"))').test)
    assert [(one.text, one.column) for one in found] == [("event.a == 1", 1), ('event.b is search("x")', 19)]


def test_4_10_one_precedence_is_a_trap() -> None:
    assert [trap[0] for trap in parse("event.a == 1 or event.b == 1 and event.c == 1").traps] == ["trap-precedence"]
    for clear in ("event.a == 1 and event.b == 1 or event.c == 1", "(event.a == 1 or event.b == 1) and event.c == 1"):
        assert parse(clear).traps == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('event.s in "hello"', "trap-substring"), ('event.s contains "x"', "trap-contains"), ("event.a == None", "trap-none"),
        ("not (not (event.a == 1))", "trap-double-not"), ("not (event.a is defined)", "trap-not-defined"),
        ('"x"', "trap-literal"), ('event.s is match("a|b")', "trap-match"),
    ],
)  # fmt: skip
def test_traps(text: str, code: str) -> None:
    assert code in [trap[0] for trap in parse(text).traps]


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("None", "trap-none"), ("none", "trap-none"), ("Null", "trap-none"), ("NULL", "trap-none"), ("yes", "trap-boolean"), ("No", "trap-boolean"),
        ("on", "trap-boolean"), ("OFF", "trap-boolean"), ("TRUE", "trap-boolean"), ("FALSE", "trap-boolean"),
    ],
)  # fmt: skip
def test_words_that_are_texts_here(word: str, code: str) -> None:
    (trap,) = parse(f"event.a == {word}").traps
    assert (trap[0], trap[1].startswith(f"{word} is the text '{word}' here, not ")) == (code, True)
    assert parse(f"event.a == {word}").test.test.right.value == word
    for sound in (
        f'event.a == "{word}"',
        "event.a == null",
        "event.a == true",
        "event.a == False",
        "event.a == nothing",
        f"event.{word} == 1",
    ):
        assert parse(sound).traps == []


def test_alternatives_that_all_begin_at_the_start_are_no_trap() -> None:
    for text in ("^a|^b", "a|^b", ".*a|.*b", "(a|b)", "(?:a|b)c", "[|]", r"a\|b", r"\Qa|b\E", "a"):
        assert parse(f'event.s is match("{text}")').traps == []
    assert parse('event.s is search("a|b")').traps == []


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("event.a = 1", "condition-syntax", 8), ("event.a == 1 AND event.b", "condition-syntax", 13), ("", "condition-syntax", 0),
        ("event.a ==", "condition-syntax", 9), ("event.a in []", "condition-syntax", 12), ("event", "condition-path", 0),
        ("event.a in [1,]", "condition-syntax", 14), ("event.a in [event.b]", "condition-list", 12),
        ("event[0] == 1", "condition-path", 0), ('events["a"] == 1', "condition-path", 0), ("5", "condition-syntax", 0),
        ("1 < event.a < 5", "condition-chain", 0), ("event.a * 2 == 4", "condition-operator", 8),
        ("event.a is foo", "condition-is", 11), ("event.a is not true", "condition-is", 15),
        ("event.a == hello_world", "condition-syntax", 16), ("event.a == 'x", "condition-syntax", 11),
        ("event.x << event.a == 1", "condition-binding", 0), ("events.x.y << event.a == 1", "condition-binding", 0),
        ("events.x << events.y << event.a", "condition-binding", 24), ("(event.a == 1", "condition-syntax", 12),
        ("event.a == 1)", "condition-syntax", 12), ("event.a == not true", "condition-syntax", 15),
        ("event.a [0] == 1", "condition-syntax", 8), ("event.a == 12abc", "condition-syntax", 13),
        ('event.a == match("x")', "condition-syntax", 11), ("vars[0] == 1", "vars-key", 0), ("vars.zz == 1", "vars-missing", 0),
        ("[1] is defined", "condition-syntax", 0),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_where_it_stands(text: str, code: str, at: int) -> None:
    found = wrong(text)
    assert (found.code, found.start) == (code, at)


@pytest.mark.parametrize(
    "text", ["(" * 50_000, "not " * 5_000 + "true", "event.a == 1 and " * 3_000 + "true", "x" * 60_000]
)
def test_what_is_too_large_is_refused(text: str) -> None:
    assert wrong(text).code in ("condition-size", "condition-syntax")


def test_a_long_chain_is_one_node() -> None:
    test = parse(" or ".join(f"event.a == {number}" for number in range(1_000))).test
    assert isinstance(test, conditions.Or)
    assert len(test.parts) == 1_000


TOKENS = st.sampled_from(
    ["event.a", "event.b[0]", "fact.x", "1", "-1", "1.5", '"x"', "'y'", "true", "null", "[1, 2]", "==", "!=", "<", ">=", "in",
     "not in", "contains", "is", "is not", "defined", 'search("x")', 'select(">", 1)', 'selectattr("x", "==", 1)', "and", "or",
     "not", "(", ")", "+", "-", "<<", "events.n", "hello", "[", "]", ",", "vars.x", "*"]
)  # fmt: skip


@given(st.lists(TOKENS, max_size=9).map(" ".join) | st.text(max_size=30))
def test_any_text_gives_a_test_or_a_mistake_in_it(text: str) -> None:
    found = None
    try:
        assert parse(text).test is not None
    except words.Wrong as wrong_:
        found = wrong_
    if found is not None:
        assert 0 <= found.start <= found.end <= len(text) + 1
        assert found.code
        assert found.message


@given(st.lists(TOKENS, min_size=1, max_size=7).map(" ".join))
def test_what_we_accept_upstream_parses_too(text: str) -> None:
    try:
        parse(text)
    except words.Wrong:
        return
    assert parse_condition(text) is not None


@pytest.mark.parametrize(
    ("text", "word", "start", "advice"),
    [
        ("event.b == 2 andd event.c", "andd", 13, "did you mean 'and'?"),
        ("event.b == 2 orr event.c == 1", "orr", 13, "did you mean 'or'?"),
        ("event.b == 2 xand event.c", "xand", 13, ""),
        ("event.b == 2 and event.c event.d", "event", 25, ""),
    ],
)
def test_an_operator_that_is_mistyped_is_what_is_told(text: str, word: str, start: int, advice: str) -> None:
    found = wrong(text)
    assert (found.message, found.start, found.try_) == (f"{word!r} does not belong here", start, advice)


@pytest.mark.parametrize(
    ("text", "word", "start", "advice"),
    [
        ("evnt.x == 1", "evnt", 0, "did you mean 'event'?"),
        ("evnts.m.x == 1", "evnts", 0, "did you mean 'events'?"),
        ("event.a == 1 and var.x", "var", 17, "did you mean 'vars'?"),
        ("event.a == fcat['x']", "fcat", 11, "did you mean 'fact'?"),
        ("not Event.x", "Event", 4, "did you mean 'event'?"),
        ("(evemt.x.y == 1)", "evemt", 1, "did you mean 'event'?"),
        ("other.x == 1", ".", 5, ""),
        ("event.a == 'evnt'.x", ".", 17, ""),
        ("event.a evnt", "evnt", 8, ""),
    ],
)
def test_the_beginning_of_a_path_that_is_mistyped_is_what_is_told(
    text: str, word: str, start: int, advice: str
) -> None:
    found = wrong(text)
    assert f"{word!r} does not belong here" in found.message
    assert (found.start, found.end, found.try_) == (start, start + len(word), advice)
