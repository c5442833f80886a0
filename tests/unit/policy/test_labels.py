"""Matchers as Alertmanager writes them, the labels of an alert, and which alerts explain others."""

from __future__ import annotations

import re
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.policy import labels


@pytest.mark.parametrize(("text", "name", "sign", "value"), [
    ("alertname=NodeDown", "alertname", "=", "NodeDown"), (' env != "prod" ', "env", "!=", "prod"), ("env=~'prod|stage'", "env", "=~", "prod|stage"),
    ("env!~p.*", "env", "!~", "p.*"), ("gone=", "gone", "=", ""), ("a=b=c", "a", "=", "b=c"), ("a.b:c-d=1", "a.b:c-d", "=", "1"), ("a='", "a", "=", "'"),
    ("a=x y", "a", "=", "x y"), ("a='x\"", "a", "=", "'x\""),
])  # fmt: skip
def test_a_matcher_is_read(text: str, name: str, sign: str, value: str) -> None:
    made = labels.parse(text)
    assert (made.name, made.sign, made.value) == (name, sign, value)
    assert labels.parse(str(made)) == made


values = st.text(st.sampled_from("\"'~=! \t\n\u2003\x1fax|"), max_size=6) | st.text(max_size=20)


@hypothesis.given(st.sampled_from(["a", "a.b:c-d", "target"]), st.sampled_from(["=", "!="]), values)
@hypothesis.example("a", "=", "~x")
@hypothesis.example("a", "=", "'x'")
@hypothesis.example("a", "!=", '"')
@hypothesis.example("a", "=", " x ")
def test_the_text_of_a_matcher_is_read_as_that_matcher(name: str, sign: str, value: str) -> None:
    made = labels.Matcher(name, sign, value)
    assert labels.parse(str(made)) == made


@hypothesis.given(
    st.sampled_from(["=~", "!~"]), values.map(re.escape) | st.sampled_from(["'a'|'b'", '"x"', " x ", "'(a|b)'"])
)
def test_so_is_the_text_of_one_with_a_regex(sign: str, value: str) -> None:
    made = labels.Matcher("a", sign, value)
    try:
        read = labels.parse(f'a{sign}"{value}"')
    except ValueError:
        return  # not one of re2's
    assert read == made == labels.parse(str(made))


@pytest.mark.parametrize(("text", "shown"), [
    ("env=prod", "env=prod"), ("env='prod'", "env=prod"), ("env=a 'b' c", "env=a 'b' c"), ("env=\"'prod'\"", "env=\"'prod'\""), ("env='~x'", 'env="~x"'),
    ("env=' x '", 'env=" x "'), ("gone=", "gone="), ("q='", "q='"),
])  # fmt: skip
def test_a_matcher_is_shown_in_quotes_only_where_it_needs_them(text: str, shown: str) -> None:
    assert str(labels.parse(text)) == shown


@pytest.mark.parametrize(("text", "said"), [
    ("", "is wanted, got ''"), ("alertname", "is wanted, got 'alertname'"), ("=x", "is wanted"), ("1a=x", "is wanted"), ("a==", ""), ("a<b", "is wanted"),
    ("a=~(", "'(' is no regular expression"), ("a=~" + "x" * 1001, "at most 1000 characters, got 1001"), ("a=~(?=x)", "no regular expression"),
    ("x" * 101 + "=1", "is wanted"),
])  # fmt: skip
def test_what_is_no_matcher_is_told(text: str, said: str) -> None:
    if not said:
        assert labels.parse(text).value == "="
        return
    with pytest.raises(ValueError, match=re.escape(said)):
        labels.parse(text)


@pytest.mark.parametrize(("text", "values", "holds"), [
    ("a=x", ["x"], True), ("a=x", ["y"], False), ("a!=x", ["y"], True), ("a!=x", ["x"], False), ("a=~x.", ["xy"], True), ("a=~x", ["xy"], False),
    ("a!~x.", ["xy"], False), ("a!~x", ["xy"], True), ("a=x", ["y", "x"], True), ("a!=x", ["y", "x"], False), ("a=~.*", [""], True), ("a=", [""], True),
    ("a=x.", ["xy"], False), ("a!=x.", ["xy"], True), ("a=x.", ["x."], True),
])  # fmt: skip
def test_a_matcher_means_the_whole_value(text: str, values: list[str], holds: bool) -> None:
    assert labels.parse(text).matches(values) is holds


def test_words_about_the_run_go_before_labels_of_that_name() -> None:
    matchers = (labels.parse("action=clean"), labels.parse("env=prod"))
    found = {"env": "prod", "action": "label"}
    assert labels.all_match(matchers, found, {"action": ("clean",)})
    assert not labels.all_match(matchers, found, {"action": ("other",)})
    assert labels.all_match((labels.parse("target=x"),), {"target": "x"}, {"target": ()})  # a run on nothing
    assert labels.all_match((), {}, {})


@pytest.mark.parametrize(("alert", "made"), [
    ({}, {}), ({"labels": {"a": "b", "n": 1, "f": 1.5, "t": True, "l": []}}, {"a": "b", "n": "1", "f": "1.5"}), ({"labels": [1]}, {}),
    ({"name": "Disk", "severity": "critical", "target": "web1"}, {"alertname": "Disk", "severity": "critical", "target": "web1"}),
    ({"name": "Disk", "labels": {"alertname": "Own"}}, {"alertname": "Own"}), ({"labels": {"source": "forged"}}, {}),
    ({"labels": {"x" * 300: "y" * 300}}, {"x" * 200: "y" * 200}), ({"name": 5}, {}), ({"target": "x" * 300}, {"target": "x" * 200}),
    ({"labels": {5: "a", "t": False, "z": 0}}, {"5": "a", "z": "0"}), ({"name": 5, "target": "web1"}, {"target": "web1"}),
])  # fmt: skip
def test_the_labels_of_an_alert(alert: dict[str, Any], made: dict[str, str]) -> None:
    assert labels.of_alert(alert, "am") == made | {"source": "am"}


def test_labels_are_so_many_at_most() -> None:
    many = labels.of_alert({"labels": {f"l{number}": "x" for number in range(500)}, "name": "Disk"}, "am")
    assert len(many) == labels.LABELS_MAX + 2
    assert (many["alertname"], many["source"]) == ("Disk", "am")


RULE = labels.Inhibition((("alertname", "NodeDown"),), (("alertname", "ServiceDown"),), ("instance", "rack"))


@pytest.mark.parametrize(("found", "explains", "concerns"), [
    ({"alertname": "NodeDown"}, True, False), ({"alertname": "ServiceDown"}, False, True), ({}, False, False),
    ({"alertname": "NodeDown", "x": "y"}, True, False),
])  # fmt: skip
def test_who_explains_and_who_is_explained(found: dict[str, str], explains: bool, concerns: bool) -> None:
    assert (RULE.explains(found), RULE.concerns(found)) == (explains, concerns)


def test_a_label_that_is_not_there_is_an_empty_one() -> None:
    without = labels.Inhibition((("silent", ""), ("alertname", "NodeDown")), (("muted", ""),), ())
    assert without.explains({"alertname": "NodeDown"})
    assert not without.explains({"alertname": "NodeDown", "silent": "x"})
    assert not without.explains({})
    assert without.concerns({})
    assert not without.concerns({"muted": "x"})
    assert labels.all_match((labels.parse("gone="),), {}, {})
    assert not labels.all_match((labels.parse("gone=x"),), {}, {})


def test_both_have_to_share_the_values_of_equal_also_where_there_is_none() -> None:
    assert RULE.shared({"instance": "a", "rack": "1"}) == RULE.shared({"rack": "1", "instance": "a", "more": "x"})
    assert RULE.shared({"instance": "a", "rack": "1"}) != RULE.shared({"instance": "1", "rack": "a"})
    assert RULE.shared({"instance": "a"}) == RULE.shared({"instance": "a", "rack": ""})
    assert RULE.digest != labels.Inhibition(RULE.source, RULE.target, ("instance",)).digest
