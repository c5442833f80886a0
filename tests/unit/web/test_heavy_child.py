"""The child's side: what it takes, what it answers, and that it brings little along."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from healer import errors, plugins
from healer.formats import _mapping
from healer.intake import strict
from healer.web import heavy, heavy_child

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
ALERT = st.fixed_dictionaries(
    {}, optional={"status": st.just("firing") | JSON, "fingerprint": st.text(), "labels": JSON, "x": JSON}
)
BODY = st.fixed_dictionaries(
    {"alerts": st.lists(ALERT | JSON, max_size=4)}, optional={"receiver": JSON, "truncatedAlerts": JSON}
)


def wanted(**more: Any) -> dict[str, Any]:
    return {"format": "alertmanager", "mapping": None, "headers": {}, "form": False, "events_max": 10, **more}


def answered(made: list[bytes]) -> heavy.Read:
    """What the parent makes of the pieces."""
    counted = b"".join(heavy_child.HEADER.pack(len(piece)) + piece for piece in made)
    return asyncio.run(heavy._joined(counted))


@hypothesis.given(JSON | BODY)
def test_any_body_is_what_it_is_read_here(value: Any) -> None:
    body = orjson.dumps(value)
    try:
        elements = heavy_child.format_of("alertmanager", None).read(strict.parse(body), {})
    except errors.RequestError as error:
        with pytest.raises(type(error)) as caught:
            list(heavy_child.pieces(wanted(), body))
        assert heavy_child.told(caught.value) == heavy_child.told(error)
        return
    read = answered(list(heavy_child.pieces(wanted(), body)))
    good = [one for one in elements if isinstance(one, plugins.Element)]
    assert [event for _, event in read.events] == [orjson.dumps(one.event) for one in good]
    assert [known for known, _ in read.events] == [{"alert": {"key": one.event["alert"]["key"]}} for one in good]
    assert read.repeats == [one.repeat for one in good]
    assert [one for one, _ in read.unread] == [one.value for one in elements if isinstance(one, plugins.Wrong)]


def test_a_mapping_is_the_same_as_it_is_written_and_as_it_is_held() -> None:
    written = {
        "each": ".",
        "fields": {"name": ["a", ["b", "/[1].c"]], "status": "s"},
        "statuses": {"x": "firing"},
        "defaults": {"target": "t"},
    }
    held = _mapping.Mapping.model_validate(written).model_dump(mode="json")
    body = orjson.dumps([{"a": "n", "s": "x"}, {"b": "m", "c": "k"}])
    first, second = (list(heavy_child.pieces(wanted(mapping=one), body)) for one in (written, held))
    assert first == second
    alerts = [orjson.loads(event)["alert"] for _, event in answered(first).events]
    assert [(one["name"], one["target"], one["status"]) for one in alerts] == [
        ("n", "t", "firing"),
        ("m/k", "t", "event"),
    ]


@pytest.mark.parametrize("char", ["x", '"', "\\", "ü", "\U0001f600", "\x01"])
def test_a_large_part_that_cannot_be_read_is_cut(char: str) -> None:
    value = [char * 100_000]
    [(cut, why)] = answered(list(heavy_child.pieces(wanted(), orjson.dumps({"alerts": [value]})))).unread
    assert 20_000 < len(orjson.dumps(cut)) <= heavy_child.UNREAD_MAX
    assert orjson.dumps(value).startswith(cut.removesuffix("…").encode())
    assert why == "alerts[0]: an object is wanted, got a list"
    small = ["x" * (heavy_child.UNREAD_MAX - 4)]
    [(kept, _)] = answered(list(heavy_child.pieces(wanted(), orjson.dumps({"alerts": [small]})))).unread
    assert kept == small


def test_too_many_events_are_refused_before_any_is_made() -> None:
    body = orjson.dumps({"alerts": [{"status": "firing"}] * 8 + [1] * 2})
    assert len(answered(list(heavy_child.pieces(wanted(), body))).events) == 8
    with pytest.raises(errors.RequestError) as caught:
        next(heavy_child.pieces(wanted(events_max=9), body))
    assert (caught.value.code, caught.value.message) == ("too-many-events", "the request has more than 9 events")


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"[" + b"[]," * 500_000 + b"[]]", False),
        (b'[" \\" ",' + b'"\\"",' * 1_000_000 + b"0]", False),
        (b"payload=[" + b"0%2c" * 1_000_001 + b"0]", True),
        (b"[" * 1_000_001, False),
    ],
)
def test_of_far_too_many_values_none_is_made(body: bytes, form: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orjson, "loads", None)
    monkeypatch.setattr(strict, "parse", None)
    with pytest.raises(errors.TooManyNodes):
        next(heavy_child.pieces(wanted(form=form), body))


@pytest.mark.parametrize("filling", [b",", b"[", b'\\",', b"\\\\,"])
def test_what_stands_in_texts_is_no_value(filling: bytes) -> None:
    text = b'"' + filling * 120_000 + b'"'
    body = b'{"alerts":[{"status":"firing","x":[' + b",".join([text] * 10) + b"]}]}"
    [(_, event)] = answered(list(heavy_child.pieces(wanted(), body))).events
    assert orjson.loads(event)["alert"]["x"] == [orjson.loads(text)] * 10


def test_a_text_without_an_end_is_looked_at_once() -> None:
    for ending in (b"", b"\\"):
        assert heavy_child._TEXT.sub(b"", b'1,"' + b'\\",' * 100_000 + ending) == b"1,"


def test_what_is_wanted_and_a_body_are_given_in_one_stream() -> None:
    line = heavy_child.line("generic", {"a": ["ü"]}, {"b": "c\n"}, 3, True, 9)
    assert line.count(b"\n") == 1
    found, body = heavy_child.given(io.BytesIO(line + b"xyz"))
    assert found == {
        "format": "generic",
        "mapping": {"a": ["ü"]},
        "headers": {"b": "c\n"},
        "size": 3,
        "form": True,
        "events_max": 9,
        "redact": [],
    }
    assert body == b"xyz"
    with pytest.raises(ValueError, match="only 2 of 3"):
        heavy_child.given(io.BytesIO(line + b"xy"))


def test_the_line_before_a_body_is_bounded() -> None:
    with pytest.raises(errors.Unavailable, match="mapping of own"):
        heavy_child.line("own", {"a": "x" * heavy_child.LINE_MAX}, {}, 3, False, 9)


def test_it_brings_neither_the_store_nor_the_server_along() -> None:
    code = """
import sys
from healer.web import heavy_child
wanted = {"format": "alertmanager", "mapping": None, "headers": {}, "form": False, "events_max": 9}
print(len(list(heavy_child.pieces(wanted, b'{"alerts": [{"status": "firing"}]}'))))
print([name for name in ("healer.store", "healer.project", "aiohttp", "sqlite3", "loguru") if name in sys.modules])
"""
    made = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.split("\n") == ["3", "[]", ""]
