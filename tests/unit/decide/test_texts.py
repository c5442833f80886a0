"""A snapshot's text: JSON, read as it was written in steps of a bounded size; what is none, or has not its shape, is told."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from healer.decide import texts
from healer.engine import slices

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text('a"\\:,[]{}\n\u2028', max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text('a"\\:,[]{}\n', max_size=5), inner, max_size=4),
    max_leaves=30,
)  # fmt: skip


def text(value: Any) -> str:
    pieces: list[bytes] = []
    slices.done(texts.written(value, pieces))
    return b"".join(pieces).decode()


def read(given: Any) -> Any:
    return slices.done(texts.read(given))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 2)
    monkeypatch.setattr(texts, "SHORT", 2)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(values)
@hypothesis.example([1, [2, [3, 4, 5], []], {"a": [None, "x"]}, 6, 7])
@hypothesis.example({"a": {}, "b": [[1, 2, 3]] * 5, "c": 1.5, "{": "[", "}": {"[": []}})
@hypothesis.example([[], {}, "[", "{", "]", "}", "a:"])
def test_it_is_json_and_read_as_it_was_written(value: Any) -> None:
    made = text(value)
    assert orjson.loads(made) == value
    assert read(made) == value
    assert read(orjson.dumps(value).decode()) == value  # as an earlier release wrote it


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(values, st.integers(0, 200), st.sampled_from(["", "\n", "[", "}", ",", '"', "1"]))
def test_what_was_changed_is_never_read_as_another_value_than_json_has(value: Any, at: int, put: str) -> None:
    """Cut there, or with something put there."""
    made = text(value)
    for given in (made[:at] + put + made[at:], made[:at] + put, made[:at] + made[at + 1 :]):
        with contextlib.suppress(ValueError):  # no JSON, or not in such lines
            assert orjson.loads(given) == read(given)


@pytest.mark.parametrize(
    "given",
    [
        b"\xff",
        7,
        None,
        "",
        "\n",
        "{\n",
        "[\n1\n",
        "1\n2\n",
        '{\n"a":\n}\n',
        "{\n1:\n2\n}\n",
        '{\n"a":\n1,2\n}\n',
        "]\n",
    ],
)
def test_what_is_no_text_of_a_snapshot(given: Any) -> None:
    with pytest.raises(ValueError):  # of orjson or ours
        read(given)


def test_no_step_is_of_more_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 10)
    monkeypatch.setattr(texts, "SHORT", 5)
    rows = [[number, 5, 0] for number in range(95)]
    session = {
        "format": 1, "now_us": 5, "ready": [["a", "b"]] * 25, "entries": rows, "facts": list(range(42)), "timers": [["a", "b", [1, [[1, 2]] * 31]]],
        "chains": [["a", "b", [[], [[1, [[1, 2]] * 51, [[1, 2]], list(range(60))]], [7]]]], "windows": [["a", "b", rows]],
        "counters": dict.fromkeys(("windows_evicted", "events_evicted", "matches_cut", "facts_refused", "comparisons_broken"), 0),
    }  # fmt: skip
    held = {"version": texts.VERSION, "ended": {}, "sessions": {"a/b": session}}
    made = text(held)
    assert max(line.count("[") or line.count(",") for line in made.splitlines()) <= 10
    assert read(made) == held
    assert sum(1 for _ in texts.read(made)) == made.count("\n")
    assert sum(1 for _ in texts.checked(held)) >= 3 + 10 + 5 + 4 + 6 + 6 + 10
    assert slices.done(texts.checked(held)) == held


@pytest.mark.parametrize(("held", "said"), [
    (7, "is no object but"), ({"version": 99}, "has version '?99'?, this program reads 1"), ({"version": 1, "ended": {"a": "x"}}, "ended.a.: Input should be"),
    ({"version": 1, "ended": {}, "sessions": []}, "sessions: an object is wanted"), ({"version": 1, "ended": {}, "sessions": {"a": 5}}, "an object is wanted"),
])  # fmt: skip
def test_what_is_no_snapshot_is_told(held: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        slices.done(texts.checked(held))
