"""What of a body is never kept."""

from __future__ import annotations

import copy
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.web import redacting

R = redacting.REDACTED


@pytest.mark.parametrize(("value", "path", "wanted"), [
    ({"a": 1, "b": 2}, "a", {"a": R, "b": 2}), ({"a": {"b": [1]}}, "a.b", {"a": {"b": R}}), ({"a": {"b": 1}}, "a.c", None),
    ({"a": [{"b": 1}, {"c": 2}, 3, {"b": {"d": 4}}]}, "a.*.b", {"a": [{"b": R}, {"c": 2}, 3, {"b": R}]}),
    ({"a": {"x": {"t": 1}, "y": {"t": 2}}}, "a.*.t", {"a": {"x": {"t": R}, "y": {"t": R}}}), ({"a": [1, 2]}, "a.1", {"a": [1, R]}),
    ({"a": [1]}, "a.*", {"a": [R]}), ([{"a": 1}, {"a": 2}], "a", [{"a": R}, {"a": R}]), ({"a": None}, "a", None), ({"a": [1]}, "a.1", None),
    ("text", "a", None), ({"*": 1}, "*", {"*": R}), ({"a": "b"}, "a.b", None), ({"a": [1]}, "a.\N{SUPERSCRIPT TWO}", None), (5, "*", None),
])  # fmt: skip
def test_values_at_a_path(value: Any, path: str, wanted: Any) -> None:
    kept = copy.deepcopy(value)
    assert redacting.redact(kept, redacting.paths([path])) == (wanted is not None)
    assert kept == (value if wanted is None else wanted)


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
