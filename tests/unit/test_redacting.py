"""What of a body is never kept."""

from __future__ import annotations

import copy
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import model, plugins, redacting

R = redacting.REDACTED


@pytest.mark.parametrize(("value", "path", "wanted"), [
    ({"a": 1, "b": 2}, "a", {"a": R, "b": 2}), ({"a": {"b": [1]}}, "a.b", {"a": {"b": R}}), ({"a": {"b": 1}}, "a.c", None),
    ({"a": [{"b": 1}, {"c": 2}, 3, {"b": {"d": 4}}]}, "a.*.b", {"a": [{"b": R}, {"c": 2}, 3, {"b": R}]}),
    ({"a": {"x": {"t": 1}, "y": {"t": 2}}}, "a.*.t", {"a": {"x": {"t": R}, "y": {"t": R}}}), ({"a": [1, 2]}, "a.1", {"a": [1, R]}),
    ({"a": [1]}, "a.*", {"a": [R]}), ([{"a": 1}, {"a": 2}], "a", [{"a": R}, {"a": R}]), ({"a": None}, "a", None), ({"a": [1]}, "a.1", None),
    ("text", "a", None), ({"*": 1}, "*", {"*": R}), ({"a": "b"}, "a.b", None), ({"a": [1]}, "a.\N{SUPERSCRIPT TWO}", None), (5, "*", None),
    ({"a": {"b.c": 1}}, 'a."b.c"', {"a": {"b.c": R}}), ({"a": [1, {"b": 2}]}, "a[1].b", {"a": [1, {"b": R}]}), ({"a": 1}, "/a", {"a": R}),
    ({"a": [{"b": 1}]}, "a[*].b", {"a": [{"b": R}]}), ({"x y": 1}, '"x y"', {"x y": R}), ([1, 2], "[0]", [R, 2]), ({"0": 1}, "0", {"0": R}),
    ({"a": R}, "a", None), ({'q"': 1}, '"q\\""', {'q"': R}),
])  # fmt: skip
def test_values_at_a_path(value: Any, path: str, wanted: Any) -> None:
    kept = copy.deepcopy(value)
    assert redacting.redact(kept, redacting.paths([path])) == (wanted is not None)
    assert kept == (value if wanted is None else wanted)


@pytest.mark.parametrize(
    "text", ["", "/", ".", "a..b", "a.", "a b", 'a"b"', "a[x]", "a[-1]", "a[0]b", 'a."b', "x" * 600, "a[01]", "a\\b"]
)
def test_what_is_no_path_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        redacting.parse(text)


def element(body: Any, _headers: Any) -> list[Any]:
    return [
        plugins.Element({"alert": {"key": one["key"], "note": one["note"]}}, f"{one['key']}|x", one["id"])
        for one in body["all"]
    ]


def test_what_names_an_alert_or_a_delivery_stays_apart() -> None:
    body = {"all": [{"key": f"k{n}", "id": f"d{n}", "note": "s"} for n in (1, 2)]}
    found, changed = redacting.read(
        element, copy.deepcopy(body), {}, redacting.paths(["all.*.key", "all.*.id", "all.*.note"])
    )
    assert changed
    keys, repeats, ids = zip(*((one.event["alert"]["key"], one.repeat, one.delivery) for one in found), strict=True)
    assert all(
        len(set(names)) == 2 and all(name.startswith("redacted-") for name in names) for names in (keys, repeats, ids)
    )
    assert [one.event["alert"]["note"] for one in found] == [R, R]
    again, _ = redacting.read(element, copy.deepcopy(body), {}, redacting.paths(["all.*.key"]))
    assert [one.event["alert"]["key"] for one in again] == [*keys]
    assert [one.delivery for one in again] == ["d1", "d2"]
    assert redacting.read(element, body, {}, redacting.paths(["nothing"])) == (element(body, {}), False)


def test_an_alert_that_is_asked_for_is_as_a_delivery_of_it_would_be() -> None:
    said = model.Fires(("f",), True, ("r",), None, {"labels": {"token": "s", "a": "b"}, "fingerprint": "f"})
    kept = redacting.fires(said, redacting.paths(["alerts.*.labels.token"]))
    assert kept.alert == {"labels": {"token": R, "a": "b"}, "fingerprint": "f"}
    assert said.alert["labels"]["token"] == "s"
    assert redacting.fires(said, redacting.paths(["alerts.*.x"])) is said
    assert redacting.known_as(said).keys == ("f", redacting.hashed("f"))


names = st.sampled_from(["a", "b", "*", "0"])
bodies = st.recursive(
    st.integers() | st.none() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)  # fmt: skip


@hypothesis.given(bodies, st.lists(st.lists(names, min_size=1, max_size=3).map(".".join), max_size=3))
def test_what_is_gone_stays_gone_and_nothing_else_goes(body: Any, wanted: list[str]) -> None:
    paths = redacting.paths(wanted)
    kept = copy.deepcopy(body)
    changed = redacting.redact(kept, paths)
    assert changed == (kept != body)
    assert redacting.redact(copy.deepcopy(body), ()) is False
    again = copy.deepcopy(kept)
    redacting.redact(again, paths)
    assert again == kept
