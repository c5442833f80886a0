"""What events may have: against every body of the corpus, so that no real field is called wrong."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from healer import plugins
from healer.lint import shapes
from healer.web import sources


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a value."""
    yield above
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*above, (key,)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*above, index))


def asked(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """(a path, what elements there are asked for) of every map, and of every list of maps, as `selectattr` takes a list of one and many."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield above, (key,)
            yield from ((above, (key, below)) for below in (inner if isinstance(inner, dict) else ()))
            yield from asked(inner, (*above, key))
    elif isinstance(value, list):
        yield from ((above, (key,)) for one in value if isinstance(one, dict) for key in one)


def test_no_field_of_a_real_body_is_missed(shared: pathlib.Path) -> None:
    entries = {one["file"]: one for one in json.loads((shared / "payloads/INDEX.json").read_text())["entries"]}
    seen = closed = 0
    for file, entry in sorted(entries.items()):
        if not file.endswith(".json"):
            continue
        form = plugins.find("formats", file.partition("/")[0]).FORMAT
        shape = shapes.of_format(form)
        headers = {name.lower(): value for name, value in (entry.get("headers") or {}).items()}
        for one in form.read(json.loads((shared / "payloads" / file).read_text()), headers):
            event = {
                **one.event,
                "meta": {
                    "endpoint": "x",
                    "headers": {"a": "b"},
                    "uuid": "",
                    "received_at": "",
                    "source": {"name": "x", "type": "healer.webhook"},
                    "hosts": ["a"],
                    "rule_engine": {"once_within": {"x": 1}},
                },
            }
            alert = event["alert"]
            assert all(isinstance(value, str) for value in alert["labels"].values()), file
            assert alert["status"] in shapes.STATUSES, file
            assert alert["severity"] in shapes.SEVERITIES, file
            assert all(isinstance(alert[word], str) for word in ("name", "target", "key", "severity_raw")), file
            for path in paths(event) if shape is not None else ():
                seen += 1
                assert shapes.lack(shape.tree, path) is None, (file, path)
            for above, names in asked(event) if shape is not None else ():
                assert shapes.lack(shape.tree, above, names) is None, (file, above, names)
            closed += shape is not None
    assert (seen > 5_000, closed > 60) == (True, True)


def test_the_words_of_an_alert_are_those_that_the_api_tells() -> None:
    assert {word.removesuffix(".*") for word in sources.WORDS} == set(shapes.ALERT) - {"cycle"}  # which the daemon adds


@pytest.mark.parametrize(
    ("fields", "path", "lacks"),
    [
        (("alert.annotations.*",), ("alert", "annotations", "x"), ""),
        (("alert.annotations.*",), ("alert", "annotation", "x"), "annotation"),
        (("payload.*",), ("payload", "x", "y"), ""),
        (("payload.a",), ("payload", "a"), ""),
        (("payload.a",), ("payload",), ""),
        (("payload.a",), ("payload", "b"), "b"),
        (("payload.a",), ("payload", "a", "b"), "b"),
        (("payload.a", "payload.a.*"), ("payload", "a", "b"), ""),
        (("payload.*", "payload.a"), ("payload", "b"), ""),
        (("payload.a.b.c",), ("payload", "a", "b", "c"), ""),
        (("payload.*",), ("alert", "labels", ("a b",)), ""),
        (("payload.*",), ("alert", "name", "x"), "x"),
        (("payload.*",), ("alert", "name", 0), ""),
        (("payload.*",), ("meta", "headers", "x-y"), ""),
        (("payload.*",), ("group", "x"), "group"),
        (("payload.*",), ("alert", "labels", "a", "b"), "b"),
        (("alert.labels.*",), ("alert", "labels", "a", "b"), "b"),
        (("alert.labels.a.*",), ("alert", "labels", "a", "b"), ""),
        (("meta.source.mine",), ("meta", "source", "mine"), ""),
        (("payload.*",), ("meta", "source", "mine"), "mine"),
    ],
)
def test_a_path_against_declared_fields(fields: tuple[str, ...], path: tuple[Any, ...], lacks: str) -> None:
    shape = shapes.of_format(plugins.Format("mine", resolves=True, read=lambda _body, _headers: [], fields=fields))
    assert shape is not None
    assert shape.who == "the format mine"
    found = shapes.lack(shape.tree, path)
    assert (found.step if found else "") == lacks


@pytest.mark.parametrize("name", ["auto", "generic"])
def test_nothing_is_said_of_what_anybody_sends(name: str) -> None:
    assert shapes.of_format(plugins.find("formats", name).FORMAT) is None


def test_nothing_is_said_of_a_format_that_declares_nothing() -> None:
    assert shapes.of_format(plugins.Format("mine", resolves=True, read=lambda _body, _headers: [])) is None


def test_several_are_named_together() -> None:
    first, second, third = (shapes.Shape(who, {}) for who in ("a", "b", "c"))
    assert shapes.named([first]) == "a"
    assert shapes.named([first, second, first]) == "a and b"
    assert shapes.named([first, second, third]) == "a, b and c"
