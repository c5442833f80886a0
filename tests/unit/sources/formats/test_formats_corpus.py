"""Every body of the corpus, by the format of its sender: what is expected of it, and nothing else goes wrong with any piece of it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from healer import errors, plugins
from healer.sources import webhook

ALSO = {"azure_eventgrid/vm_availability_changed_cloudevents.json": "cloudevents"}
"""What is right by two names."""


def bodies(shared: pathlib.Path) -> Iterator[tuple[str, plugins.Format, Any, dict[str, str]]]:
    """(file, format, body, headers) of all that is JSON."""
    entries = {one["file"]: one for one in json.loads((shared / "payloads/INDEX.json").read_text())["entries"]}
    known = set(plugins.builtin_names("formats"))
    for file, entry in sorted(entries.items()):
        if not file.endswith(".json"):
            continue
        folder = file.partition("/")[0]
        assert folder in known, f"no format is named like the sender of {file}"
        headers = {name.lower(): value for name, value in (entry.get("headers") or {}).items()}
        yield (
            file,
            plugins.find("formats", folder).FORMAT,
            json.loads((shared / "payloads" / file).read_text()),
            headers,
        )


def test_every_body_gives_what_is_expected(shared: pathlib.Path) -> None:
    expected = json.loads((shared / "payloads/EXPECT.json").read_text())["files"]
    wrong, seen = [], 0
    for file, form, body, headers in bodies(shared):
        elements = form.read(body, headers)
        assert all(isinstance(one, plugins.Element) for one in elements), file
        found = [one.event["alert"] for one in elements if isinstance(one, plugins.Element)]
        for word, wanted in expected.get(file, {}).items():
            seen += 1
            several = isinstance(wanted, list)
            got = sorted({one.get(word) for one in found}, key=str) if several else found[0].get(word)
            if got != (sorted(wanted, key=str) if several else wanted):
                wrong.append((file, word, wanted, got))
    assert wrong == []
    assert seen > 250


def test_every_sender_is_known_by_its_bodies(shared: pathlib.Path) -> None:
    for file, form, body, headers in bodies(shared):
        suggested = webhook.suggested(body, headers)
        assert suggested in ("", form.name, ALSO.get(file)), (file, suggested)


def pieces(value: Any) -> Iterator[Any]:
    """The value with one of its parts left out, or replaced by something odd."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: item for name, item in value.items() if name != key}
            for odd in (None, 7, [], {}, "", [[]], {"": {}}, True):
                yield {**value, key: odd}
            for piece in pieces(inner):
                yield {**value, key: piece}
    elif isinstance(value, list):
        for index, inner in enumerate(value[:2]):
            for piece in pieces(inner):
                yield [*value[:index], piece, *value[index + 1 :]]


def test_no_piece_of_a_body_that_is_odd_gives_anything_but_a_named_mistake(shared: pathlib.Path) -> None:
    for file, form, body, headers in bodies(shared):
        for number, piece in enumerate(pieces(body)):
            if number > 400:
                break
            try:
                form.greeting(piece, headers)
                form.remark(piece)
                elements = form.read(piece, headers)
            except errors.RequestError:
                continue
            for one in elements:
                if isinstance(one, plugins.Element):
                    alert = one.event["alert"]
                    assert all(isinstance(alert[word], str) for word in ("name", "target", "status", "key")), (
                        file,
                        piece,
                    )
                    assert isinstance(one.delivery, str), file
                    assert alert["key"], (file, piece)
