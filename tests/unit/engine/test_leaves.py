"""Conditions on one event: comparisons, paths and patterns, by the numbers of the measured semantics (4, 5, 6.1, 6.2)."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import engine, errors, testing

MISSING: dict[str, Any] = {}


def ruleset(condition: Any, variables: dict[str, Any] | None = None) -> engine.Compiled:
    rule = {"name": "r", "condition": condition, "action": {"none": None}}
    return testing.load([{"name": "s", "hosts": "all", "sources": [], "rules": [rule]}], variables)[0]


def fires(condition: Any, event: dict[str, Any], variables: dict[str, Any] | None = None) -> bool:
    """Whether a rule fires for an event that is not the first of its session."""
    session = engine.Session(ruleset(condition, variables))
    session.absences.go_on((), 0)
    return bool(session.post(event, 0))


def holds(cases: dict[str, list[tuple[dict[str, Any], bool]]]) -> None:
    got = {text: [fires(text, event) for event, _ in events] for text, events in cases.items()}
    assert got == {text: [wanted for _, wanted in events] for text, events in cases.items()}


def test_4_1_numbers_compare_as_doubles() -> None:
    holds({
        "event.i == 1": [({"i": 1.0}, True), ({"i": 1}, True), ({"i": 2}, False)],
        "event.i == 1.0": [({"i": 1}, True)],
        "event.i == 9007199254740993": [({"i": 9007199254740992}, True)],
        "event.i != 9007199254740993": [({"i": 9007199254740992}, False)],
        "event.i > 1": [({"i": 10**400}, True), ({"i": -(10**400)}, False)],
    })  # fmt: skip


def test_4_2_within_one_event_an_integer_equals_a_float() -> None:
    holds({"event.i == event.j": [({"i": 2, "j": 2.0}, True), ({"i": 2, "j": "2"}, False), ({"i": 2}, False)]})


def test_4_3_other_types_never_match_under_not_neither() -> None:
    holds({
        "event.i == 1": [({"i": "1"}, False), ({"i": True}, False), ({"i": [1]}, False)],
        "event.i != 1": [({"i": "1"}, False), ({"i": True}, False), ({"i": 2}, True)],
        "not (event.i == 1)": [({"i": "x"}, False), ({"i": 2}, True)],
        "event.i < 1": [({"i": "0"}, False), ({"i": False}, False), ({"i": 0}, True)],
        "event.i == true": [({"i": 1}, False), ({"i": True}, True)],
        'event.i != "a"': [({"i": 1}, False), ({"i": "b"}, True)],
        'not (event.i < "m")': [({"i": 1}, False), ({"i": "z"}, True), ({"i": "a"}, False)],
    })  # fmt: skip


def test_4_4_null_is_outside_that_rule() -> None:
    holds({
        "event.i != 1": [({"i": None}, True)],
        'event.i != "x"': [({"i": None}, True)],
        "event.i == null": [({"i": None}, True), (MISSING, False), ({"i": 0}, False)],
        "event.i != null": [({"i": 0}, True), ({"i": None}, False), (MISSING, False)],
        "null == event.i": [({"i": None}, True)],
        "event.i > 1": [({"i": None}, False)],
        "not (event.i > 1)": [({"i": None}, True)],
    })  # fmt: skip


@pytest.mark.parametrize(
    "condition",
    ["event.i != 1", "event.i not in [1]", "not (event.i == 1)", 'event.i is not search("b")', 'event.i not contains "x"',
     "not (event.i > 1)", "not event.i", 'event.i is not select("==", 1)', "event.i == event.j", "not (event.i == event.j)"],
)  # fmt: skip
def test_4_5_missing_field_is_false_under_not(condition: str) -> None:
    assert not fires(condition, {"z": 1})


def test_4_6_not_goes_down_to_the_simple_tests() -> None:
    holds({
        "not (event.a == 1 and event.b == 1)": [({"b": 2}, True), ({"a": 1}, False), ({"z": 1}, False)],
        "not (event.a == 1 or event.b == 1)": [({"b": 2}, False), ({"a": 2, "b": 2}, True)],
    })  # fmt: skip


def test_4_7_a_double_not_is_a_single_one() -> None:
    holds({"not (not (event.a == 1))": [({"a": 2}, True), ({"a": 1}, False)]})


def test_4_7_and_and_or_change_places_with_each_not() -> None:
    holds({"not (not (event.a == 1 or event.b == 1))": [({"a": 2}, True), ({"a": 1, "b": 1}, False)]})


def test_4_8_a_bare_field_is_true_only_for_true() -> None:
    falsy = [0, "", None, "false", "x", 1, "true", False, [], {}]
    holds({
        "event.b": [({"b": True}, True), *(({"b": value}, False) for value in falsy)],
        "not event.b": [({"b": True}, False), (MISSING, False), *(({"b": value}, True) for value in falsy)],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "event"),
    [("event.a < event.b", {"a": 1, "b": None}), ("event.a < event.b", {"a": [1], "b": [2]}),
     ("event.a >= event.b", {"a": {}, "b": {}}), ("event.a[-1] == 1", {"a": []}), ("event.a[-1] is defined", {"a": []}),
     ("event.a + 1 == 2", {"a": True}), ('event.a is selectattr("x", "==", 1)', {"a": [5]})],
)  # fmt: skip
def test_4_8b_where_the_peer_raises_it_is_false_and_counted(condition: str, event: dict[str, Any]) -> None:
    session = engine.Session(ruleset(condition))
    assert session.post(event, 0) == []
    assert session.counters["comparisons_broken"] == 1
    assert not fires(f"not ({condition})", event)


def test_4_8b_less_than_with_a_null_on_the_left_is_just_false() -> None:
    session = engine.Session(ruleset("event.a < 3"))
    assert session.post({"a": None}, 0) == []
    assert session.counters["comparisons_broken"] == 0


def test_4_9_texts_are_ordered_and_lists_are_equal_by_content() -> None:
    holds({
        'event.s > "m"': [({"s": "z"}, True), ({"s": "a"}, False)],
        "event.i == [1, 2]": [({"i": [1, 2]}, True), ({"i": [2, 1]}, False), ({"i": [1.0, 2]}, False)],
        "event.i == event.j": [({"i": {"a": [1]}, "j": {"a": [1]}}, True), ({"i": {"a": 1}, "j": {"a": True}}, False)],
    })  # fmt: skip


def test_4_10_and_and_or_have_one_precedence() -> None:
    holds({"event.a == 1 or event.b == 1 and event.c == 1": [({"a": 1}, False), ({"a": 1, "c": 1}, True)]})
    holds({"event.a == 1 or (event.b == 1 and event.c == 1)": [({"a": 1}, True)]})


def test_4_11_plus_and_minus() -> None:
    holds({
        "event.i == event.j + 1": [({"i": 3, "j": 2}, True), ({"i": 3, "j": 3}, False)],
        "event.i + 1 == 3": [({"i": 2}, True)],
        "event.i - 0.5 == 1": [({"i": 1.5}, True)],
        'event.s == "a" + 1': [({"s": "a1"}, True)],
        "event.i - 1 - 1 == 0": [({"i": 2}, True)],
    })  # fmt: skip


def test_4_11_a_null_or_missing_side_of_a_sum_counts_for_nothing() -> None:
    holds({"event.a + 1 == 1": [(MISSING, True), ({"a": None}, True), ({"a": 1}, False)]})


def test_4_12_words_are_texts() -> None:
    holds({
        "event.a == hello": [({"a": "hello"}, True)],
        "event.a == None": [({"a": "None"}, True), ({"a": None}, False)],
        "event.a == True": [({"a": True}, True), ({"a": "True"}, False)],
    })  # fmt: skip


def test_5_1_paths() -> None:
    holds({
        "event.a[0] == 1": [({"a": [1]}, True), ({"a": []}, False)],
        "event.a[-1] == 2": [({"a": [1, 2]}, True)],
        "event.a[0][1] == 2": [({"a": [[1, 2]]}, True)],
        'event.a["x.y"] == 1': [({"a": {"x.y": 1}}, True), ({"a": {"x": {"y": 1}}}, False)],
        "event.grün.ä == 1": [({"grün": {"ä": 1}}, True)],
        "event.a[1] is defined": [({"a": [1]}, False), ({"a": [1, None]}, True)],
    })  # fmt: skip


def test_5_2_a_dot_in_a_key_needs_brackets() -> None:
    holds({'event["a.b"] == 1': [({"a.b": 1}, True)], "event.a.b == 1": [({"a.b": 1}, False), ({"a": {"b": 1}}, True)]})


def test_5_3_a_text_in_brackets_is_a_key_and_a_number_an_index() -> None:
    holds({
        'event.a["0"] == 1': [({"a": {"0": 1}}, True), ({"a": [1]}, False)],
        "event.a[0] is defined": [({"a": {"0": 1}}, False)],
        "event.a.b == 1": [({"a": [{"b": 1}]}, False)],
        "event.a.b contains 1": [({"a": [{"b": 1}, {"c": 2}]}, True), ({"a": [{"c": 1}]}, False)],
    })  # fmt: skip


def test_5_5_events_without_a_binding_is_the_event() -> None:
    holds({"events.x == 1": [({"x": 1}, True)], "facts.x == 1": [({"x": 1}, False)]})


def test_5_6_the_last_of_equal_keys_counts() -> None:
    assert fires("event.a == 2", json.loads('{"a": 1, "a": 2}'))


def test_6_1_match_is_anchored_at_the_start_and_search_is_not() -> None:
    holds({
        'event.s is match("b")': [({"s": "ab"}, False), ({"s": "ba"}, True)],
        'event.s is search("b")': [({"s": "ab"}, True)],
        'event.s is regex("b")': [({"s": "ab"}, True)],
        'event.s is not match("b")': [({"s": "ab"}, True)],
        'event.s is search("a.b")': [({"s": "a\nb"}, False), ({"s": "axb"}, True)],
        'event.s is search("AB", ignorecase=true)': [({"s": "xab"}, True)],
        'event.s is search("^b$", multiline=true)': [({"s": "a\nb"}, True)],
        'event.s is search("^b$")': [({"s": "a\nb"}, False), ({"s": "b\n"}, True)],
    })  # fmt: skip


def test_6_1_other_values_are_turned_into_text_as_java_does() -> None:
    holds({
        'event.n is search("[0-9]")': [({"n": 5}, True), ({"n": None}, False)],
        'event.n is search("^.a, b.$")': [({"n": ["a", "b"]}, True)],
        'event.n is search("x=a")': [({"n": {"x": "a"}}, True)],
        'event.n is not search("a")': [({"n": None}, False), ({"n": 5}, True)],
        'not (event.n is search("a"))': [({"n": None}, True), (MISSING, False)],
        'not (event.n is not search("a"))': [({"n": None}, True), ({"n": "b"}, False)],
    })  # fmt: skip


def test_6_2_one_backslash_is_enough() -> None:
    holds({r'event.s is search("\d+")': [({"s": "a1"}, True), ({"s": "a"}, False)]})


# --- the model that agrees with the real engine -----------------------------------------------------------------------

PATHS = ["a", "b", "a.x", "b.y", "a[0]", "b[-1]"]
LITERALS = ["1", "2", "1.5", '"1"', '"x"', '"el"', "true", "false", "null"]
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2, 1.5, "", "1", "x", "el", "hello"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=5,
)
EVENTS = st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2)


@st.composite
def simple_tests(draw: st.DrawFn) -> str:
    path = "event." + draw(st.sampled_from(PATHS))
    literal = draw(st.sampled_from(LITERALS))
    order = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    word = draw(st.sampled_from(["", "not "]))
    items = ", ".join(draw(st.lists(st.sampled_from(LITERALS), min_size=1, max_size=3)))
    if order[0] in "<>" and literal == "null":
        literal = "1"
    return draw(
        st.sampled_from([
            f"{path} {order} {literal}",
            f"{path} {word}in [{items}]",
            f"{path} {word}contains {literal}",
            f"{path} is defined",
            path,
            f'{path} is {word}search("l+|1")',
            f'{path} is {word}match("e")',
            f'{path} is {word}select("{order}", 1)',
        ])
    )  # fmt: skip


CONDITIONS = st.recursive(
    simple_tests(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda parts: f"({''.join(parts)})"),
        simple_tests().map(lambda text: f"not ({text})"),
        st.tuples(simple_tests(), st.sampled_from([" and ", " or "]), simple_tests()).map(
            lambda p: f"not ({''.join(p)})"
        ),
    ),
    max_leaves=4,
)


MODEL = """
import importlib.util, json, sys, types
ruleset = types.ModuleType("drools.ruleset")
ruleset.Ruleset = object
sys.modules.update({"drools": types.ModuleType("drools"), "drools.ruleset": ruleset})
spec = importlib.util.spec_from_file_location("model_expr", sys.argv[1])
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)
for line in sys.stdin:
    condition, event = json.loads(line)
    rules = [{"name": "r", "condition": condition, "action": {"none": None}}]
    parsed = model.parse_rule_sets([{"name": "s", "hosts": "all", "sources": [], "rules": rules}], {})[0]
    tree = model.visit_ruleset(parsed, {})["RuleSet"]["rules"][0]["Rule"]["condition"]["AllCondition"][0]
    print(json.dumps(bool(model.E(tree, event))), flush=True)
"""


class Model:
    """The reference model in a process of its own: it imports upstream's parser, which names its Java engine."""

    def __init__(self, path: pathlib.Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MODEL, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def holds(self, condition: str, event: dict[str, Any]) -> bool:
        """What the model says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([condition, event]) + "\n")
        self.process.stdin.flush()
        return bool(json.loads(self.process.stdout.readline()))


@pytest.fixture(scope="module")
def model(shared: pathlib.Path) -> Iterator[Model]:
    """The reference model of conditions."""
    made = Model(shared / "reference" / "model_expr.py")
    with made.process:
        yield made
        made.process.terminate()


def compared(event: Any) -> bool:
    """Where the model says what the engine does: no null that is selected from, no field of maps in a list (measured)."""
    text = json.dumps(event)
    return "null" not in text and not any(isinstance(value, list) for value in event.values())


@hypothesis.given(condition=CONDITIONS, event=EVENTS)
def test_conditions_agree_with_the_reference_model(condition: str, event: dict[str, Any], model: Model) -> None:
    hypothesis.assume(compared(event) or "select" not in condition)
    hypothesis.assume(not (isinstance(event.get("a"), list) and "a.x" in condition))
    hypothesis.assume(not (isinstance(event.get("b"), list) and ("b.y" in condition or event["b"] == [])))
    assert fires(condition, event) is model.holds(condition, event)


@hypothesis.given(condition=CONDITIONS, event=st.dictionaries(st.text(max_size=3), VALUES | st.text() | st.integers()))
def test_no_event_raises(condition: str, event: dict[str, Any]) -> None:
    session = engine.Session(ruleset(condition))
    assert isinstance(session.post(event, 0), list)
    assert isinstance(session.explain(event), list)


def test_half_a_surrogate_pair_is_looked_at_without_an_error() -> None:
    assert not fires('event.s is search("a.c")', {"s": "\ud800"})
    assert fires('event.s is search("b.?$")', {"s": "ab\ud800"})


def test_a_chain_of_comparisons_fails_at_load() -> None:
    with pytest.raises(errors.ConfigurationError, match="condition-chain"):
        ruleset("1 < event.a < 5")
