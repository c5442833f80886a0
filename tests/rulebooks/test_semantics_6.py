"""Strings and lists: each statement of section 6 of the measured semantics, held to by our engine and by the real one."""

from __future__ import annotations

from typing import Any

import pytest

Pairs = list[tuple[Any, bool]]


def of(key: str, *pairs: tuple[Any, bool]) -> Pairs:
    return [({key: value}, holds) for value, holds in pairs]


def test_6_1_match_is_anchored_at_the_start_and_search_is_not(on: Any) -> None:
    on.table({
        'event.s is match("b")': of("s", ("ba", True), ("ab", False), ("bb", True)),
        'event.s is search("b")': of("s", ("ab", True), ("a", False)), 'event.s is regex("b")': of("s", ("ab", True), ("a", False)),
        'event.s is search("a.b")': of("s", ("axb", True), ("a\nb", False)),
        'event.s is search("AB", ignorecase=true)': of("s", ("xab", True), ("xa", False)),
        'event.s is search("^b$", multiline=true)': of("s", ("a\nb\nc", True)), 'event.s is search("^b$")': of("s", ("a\nb\nc", False)),
        'event.s is match("AB", ignorecase=true)': of("s", ("abc", True), ("cab", False)),
    })  # fmt: skip


def test_6_1_other_values_are_turned_into_text_as_java_does(on: Any) -> None:
    on.table({
        'event.n is search("[0-9]")': of("n", (5, True), (1.5, True), (True, False)),
        'event.n is search("^.a, b.$")': of("n", (["a", "b"], True)), 'event.n is search("^.x=a.$")': of("n", ({"x": "a"}, True)),
        'event.n is search("^true$")': of("n", (True, True)), 'event.n is match("1.0E7")': of("n", (1e7, True)),
    })  # fmt: skip


def test_6_1_of_null_both_are_false_and_not_of_either_is_true(on: Any) -> None:
    on.table({
        'event.n is search("a")': of("n", (None, False)), 'event.n is not search("a")': of("n", (None, False), ("b", True)),
        'not (event.n is search("a"))': of("n", (None, True)), 'not (event.n is not search("a"))': of("n", (None, True)),
    })  # fmt: skip


def test_6_2_patterns_are_javas(on: Any) -> None:
    on.table({
        r'event.s is search("\d+")': of("s", ("a1", True), ("a", False)), r'event.s is search("(?<x>a)b")': of("s", ("ab", True)),
        r'event.s is search("^\p{Upper}+$")': of("s", ("AB", True), ("aB", False)),
    })  # fmt: skip
    on.table({"event.s is search(vars.p)": of("s", ("a1", True), ("a", False))}, variables={"p": "[0-9]"})
    for pattern in ("(?P<x>a)", "(", "[a", "*a"):
        assert on.refuses(f'event.s is search("{pattern}")')
    assert on.refuses("event.s is search(event.p)")
    works = {"all": ["event.k is defined", 'event.l is select("search", events.m_0.k)']}
    assert on.rules([works], {"k": "x.*y"}, {"l": ["axxy"]}) == [[], ["r0"]]


def test_6_1_match_is_a_search_with_a_mark_before_the_pattern(on: Any) -> None:
    """So of alternatives only the first has to be at the start, and with `multiline` it is at the start of any line."""
    on.table({
        'event.s is match("a|b")': of("s", ("ax", True), ("xa", False), ("xb", True)),
        'event.s is match("(a|b)")': of("s", ("bx", True), ("xb", False)),
        'event.s is match("a", multiline=true)': of("s", ("x\na", True), ("xa", False)),
    })  # fmt: skip


BREAKS = ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029")


def test_6_2_lines_break_where_java_breaks_them(on: Any) -> None:
    for condition in ('event.s is search("^b$", multiline=true)', 'event.s is search("(?m)^b$")'):
        pairs = [(f"a{one}b{other}c", True) for one in BREAKS for other in BREAKS]
        on.table(
            {condition: of("s", *pairs, *((f"b{one}", True) for one in BREAKS), ("a\x0bb", False), ("ab\n", False))}
        )
    on.table({
        'event.s is search("b$")': of("s", *((f"b{one}", True) for one in BREAKS), ("b\n\n", False), ("b\nc", False)),
        'event.s is search("(?m)^\\s")': of("s", ("a\r\nb", False), ("a\r\n b", True)),
        'event.s is search("a.b")': of("s", *((f"a{one}b", False) for one in BREAKS), ("a\x0bb", True)),
    })  # fmt: skip


def test_6_2_words_end_between_letters_of_any_script_and_case_is_that_of_ascii(on: Any) -> None:
    on.table({
        r'event.s is search("\bfoo\b")': of("s", ("a foo.", True), ("éfoo", False), ("fooé", False), ("foo_", False), ("\u0663foo", False)),
        r'event.s is search("\Bfoo")': of("s", ("éfoo", True), ("-foo", False)),
        'event.s is search("(?i)k")': of("s", ("K", True), ("\u212a", False)),
        'event.s is search("É", ignorecase=true)': of("s", ("É", True), ("é", False)),
        'event.s is search("(?i)[Z-a]")': of("s", ("z", True), ("b", False)),
        r'event.s is search("(?i)\p{Lower}")': of("s", ("A", True), ("É", False)),
    })  # fmt: skip


def test_6_2_flags_hold_to_the_end_of_their_group(on: Any) -> None:
    on.table({
        'event.s is search("a.b(?s)c.d")': of("s", ("axbc\nd", True), ("a\rbcxd", False), ("a\nbcxd", False)),
        'event.s is search("(?s:a.)b.")': of("s", ("a\nbx", True), ("a\nb\r", False)),
        'event.s is search("(a(?i)b)c")': of("s", ("aBc", True), ("aBC", False)),
        'event.s is search("a$(?m)")': of("s", ("a\n", True), ("a\nb", False)),
    })  # fmt: skip


def test_6_2_classes_of_all_but_something(on: Any) -> None:
    on.table({
        r'event.s is search("^a[\s\S]*b$")': of("s", ("a\n\u2028b", True), ("a", False)),
        r'event.s is search("^[^\S\n]+$")': of("s", (" \t\x0b", True), ("\u00a0", False)),
        r'event.s is search("^[\w\S]$")': of("s", ("é", True), ("\x0b", False)),
        r'event.s is search("^[\H][\V]$")': of("s", ("ab", True), ("\u2003b", False), ("a\u2028", False)),
        r'event.s is search("^[\P{Lower}]$")': of("s", ("A", True), ("a", False)),
    })  # fmt: skip


@pytest.mark.parametrize("quote", ["'", '"'])
def test_6_2_a_literal_knows_five_escapes(on: Any, quote: str) -> None:
    """All other backslashes stay; a regular expression sees them."""
    for written, meant in ((r"\t\n\f\r\0", "\t\n\f\r\0"), (r"\\n", "\\\n"), (r"\000", "\0" + "00")):
        on.table({f"event.s == {quote}{written}{quote}": of("s", (meant, True), (written, False))})
    for stays in (r"\x41", r"\u00e9", r"\101", r"\d", r"\\", r"\a\b\v\e", r"\/", r"\U0001F600"):
        on.table({f"event.s == {quote}{stays}{quote}": of("s", (stays, True))})
    on.table({f"event.s is search({quote}^\\x41\\u00e9${quote})": of("s", ("Aé", True))})


def test_6_2_a_tab_in_a_condition_is_blanks_up_to_the_next_eighth_column(on: Any) -> None:
    on.table({
        'event.s == "\t"': of("s", (" " * 4, True), ("\t", False)), "event.s ==\t'a\tb'": of("s", ("a" + " " * 6 + "b", True)),
        'event.s == "a\\tb"': of("s", ("a\tb", True)),
    })  # fmt: skip


def test_6_2_what_a_linear_engine_cannot_do_is_refused_here(on: Any) -> None:
    """We differ on purpose: the peer backtracks."""
    for pattern, text in (("a++b", "aab"), ("(?=ab)a", "ab"), (r"(a)\1", "aa")):
        condition = f'event.s is search("{pattern}")'
        if on.ours:
            assert on.refuses(condition) == "regex-unsupported"
        else:
            assert on.holds(condition, {"s": text}, {"s": "b"}) == [True, False]


def test_6_3_in_needs_a_list_on_the_right(on: Any) -> None:
    on.table({
        "event.s in [1, 2]": of("s", (1, True), (3, False)), "event.s not in [1, 2]": of("s", (3, True), (1, False)),
        'event.s in "hello"': of("s", ("ell", False), ("", False)),
        "event.s in event.l": [({"s": "ell", "l": "hello"}, False), ({"s": "ell", "l": ["ell"]}, True), ({"s": "e", "l": ["ell"]}, False)],
    })  # fmt: skip


def test_6_3_a_text_on_the_right_is_a_list_of_one(on: Any) -> None:
    """The page says that it never holds; it holds of the text itself, on both."""
    on.table({
        'event.s in "hello"': of("s", ("hello", True)), 'event.s not in "hello"': of("s", ("hello", False), ("ell", True)),
        "event.s in event.l": [({"s": "hello", "l": "hello"}, True)],
    })  # fmt: skip


def test_6_4_contains_takes_a_scalar_for_a_list_of_one(on: Any) -> None:
    on.table({
        "event.s contains 5": of("s", (5, True), ([5], True), ([1, 5], True), (6, False), ([6], False), ([5.0], True)),
        'event.s contains "ell"': of("s", ("hello", False), ("ell", True), (["ell"], True)), 'event.s not contains "ell"': of("s", ("hello", True)),
        'event.s contains "k"': of("s", ({"k": 1}, False)), "event.s contains 1": of("s", ([1.0], True)),
    })  # fmt: skip


def test_6_5_an_empty_list_is_a_syntax_error_and_a_list_may_mix_types(on: Any) -> None:
    for condition in ("event.s in []", "event.s not in []", "event.s == []"):
        assert on.refuses(condition)
    on.table(
        {
            'event.s in [1, "a", true, null, 1.5]': of(
                "s", (1, True), ("a", True), (True, True), (1.5, True), ("1", False), (False, False)
            )
        }
    )


def test_6_6_select_looks_for_some_element(on: Any) -> None:
    on.table({
        'event.s is select(">", 25)': of("s", ([1, 30], True), ([1], False), (30, True), (1, False), ([], False)),
        'event.s is select("==", 1)': of("s", (["1"], False), ([1], True)), 'event.s is select("!=", 0)': of("s", (["a"], True), ([0], False)),
        'event.s is select("match", "b")': of("s", (["ab"], True), (["a"], False)),
        'event.s is not select(">", 25)': of("s", ([1, 30], True), ([30], False), ([], False), ([1], True)),
    })  # fmt: skip


def test_6_6_a_null_is_not_selected_from(on: Any) -> None:
    on.table({
        'event.s is select("==", 1)': of("s", (None, False)), 'event.s is not select("==", 1)': of("s", (None, True)),
    })  # fmt: skip


def test_6_6_ordered_against_null_the_peer_raises(on: Any) -> None:
    """We differ on purpose (4.8b). A null is neither less nor greater than itself, and still holds."""
    for text in ('event.s is select("<", null)', 'event.s is not select("<", null)'):
        assert on.holds(text, {"s": [1]}) == [False if on.ours else "raised"]
    on.table({'event.s is select("<", null)': of("s", ([None], True))})


def test_6_7_selectattr_looks_at_a_path_of_the_elements(on: Any) -> None:
    on.table({
        'event.s is selectattr("x.y", "==", 1)': of("s", ([{"x": {"y": 1}}], True), ({"x": {"y": 1}}, True), ([{"x": {"y": 2}}], False)),
        'event.s is selectattr("x", ">", 1)': of("s", ([{"x": 1}, {"x": 2}], True), ([{"x": 1}], False)),
        'event.s is selectattr("x", "!=", 1)': of("s", ([{}], False), ([{"x": 2}], True)),
        'event.s is selectattr("x", "not in", [1])': of("s", ([{}], False), ([{"x": 2}], True), ([{"x": 1}], False)),
        'event.s is not selectattr("x", "==", 1)': of("s", ([{}], True), ([{"x": 1}], False), ([{"x": 1}, {"x": 2}], True)),
    })  # fmt: skip


@pytest.mark.parametrize(("call", "holds"), [
    ('"==", null', True), ('"!=", null', True), ('"<", null', True), ('"contains", null', True), ('"not contains", null', True), ('"==", 1', False),
    ('"!=", 1', False), ('"<", 1', False), ('"contains", 1', False), ('"not contains", 1', False), ('"in", [1]', False), ('"in", [null]', False),
    ('"not in", [1]', False), ('"not in", [null]', False), ('"search", "a"', False),
])  # fmt: skip
def test_6_7_a_null_has_a_null_for_each_attribute(on: Any, call: str, holds: bool) -> None:
    """Which satisfies every operator beside a null, and none beside anything else; the page does not speak of it."""
    nulls = [None, [None], [{"x": None}], {"x": None}, [{"x": {"y": None}}], {"x": {"y": None}}]
    on.table({
        f'event.s is selectattr("x.y", {call})': of("s", *((value, holds) for value in nulls)),
        f'event.s is not selectattr("x.y", {call})': of("s", *((value, not holds) for value in nulls)),
    })  # fmt: skip


def test_6_7_an_element_that_is_no_map_raises(on: Any) -> None:
    """We differ on purpose (4.8b)."""
    for value in ([5], [{"x": 1}]):
        assert on.holds('event.s is selectattr("x.y", "==", 1)', {"s": value}) == [False if on.ours else "raised"]
