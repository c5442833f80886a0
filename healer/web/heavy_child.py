"""The child's side of `heavy`: one large delivery is parsed strictly and read by its format, in a process of its own.

Standard input has a line of JSON that says what is wanted, then the body. The answer goes into a file in memory, the descriptor of which
is the first argument, in counted pieces that the parent only has to cut: what comes (`head`), the body where parts of it are not to be
kept, then two pieces an event (what is looked at of it, its JSON) and two for each part that cannot be read (its JSON, why). It is started
for each delivery: it imports little.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import pathlib
import re
import resource
import signal
import struct
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import orjson

from healer import errors, plugins, redacting

HEADER: Final = struct.Struct(">I")
"""The length of the piece behind it."""
LINE_MAX: Final = 1 << 20
MADE_MAX: Final = 64 << 20
"""Bytes of all pieces: the fields of a group are in each of its events, so that a body may become many times as large."""
FILE_MAX: Final = 2 * MADE_MAX
"""Of the answer with its counts, and of what is said in the end."""
MEMORY_MAX: Final = 1 << 30
LINGER_S: Final = 5
"""After its time is over nobody is there who ends it: it ends by itself."""
MARKS_MAX: Final = 1_000_000
"""Commas and opening brackets: of a body with more no values are made, which could take more memory than there is."""
UNREAD_MAX: Final = 64 << 10
"""Bytes of JSON of a part that cannot be read."""
WHY_MAX: Final = 1000

_MARKS: Final = (b",", b"[", b"{")
_TEXT: Final = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)')
"""A text of JSON; one without an end goes to the end of the body, so that none is looked at twice."""


class TooMuchTogether(errors.RequestError):
    """the events of the body have more than {limit} bytes together: the fields of a group are in each of its events"""

    code = "too-large"
    status = 413


def main() -> None:
    """Answer one delivery; the second argument is the processor time that it may take, in seconds. Dies of all that is no mistake of
    the sender's."""
    gc.disable()  # a short life
    _bound(int(sys.argv[2]))
    with os.fdopen(int(sys.argv[1]), "wb", buffering=1 << 20) as answer:
        wanted, body = given(sys.stdin.buffer)
        try:
            for piece in _within(MADE_MAX, pieces(wanted, body)):
                _write(answer, piece)
        except errors.RequestError as error:
            answer.seek(0)
            answer.truncate()
            _write(answer, _head(error=told(error)))


def line(
    format_name: str,
    mapping: Mapping[str, Any] | None,
    headers: Mapping[str, str],
    size: int,
    form: bool,
    events_max: int,
    redact: Sequence[str] = (),
) -> bytes:
    """What is wanted, as the line before a body of `size` bytes. Raises `errors.Unavailable` for one that would be too long."""
    wanted = {
        "format": format_name, "mapping": mapping, "headers": headers, "size": size, "form": form, "events_max": events_max,
        "redact": redact,
    }  # fmt: skip
    made = orjson.dumps(wanted) + b"\n"
    if len(made) > LINE_MAX:
        raise errors.Unavailable(reason=f"the mapping of {format_name} and the headers have more than {LINE_MAX} bytes")
    return made


def given(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """What is wanted, and the body. Raises ValueError where the parent went away before all of it was there."""
    wanted = json.loads(file.readline(LINE_MAX))
    body = file.read(wanted["size"])
    if len(body) != wanted["size"]:
        raise ValueError(f"only {len(body)} of {wanted['size']} bytes came")
    return wanted, body


def pieces(wanted: Mapping[str, Any], body: bytes) -> Iterator[bytes]:
    """The answer to a body. Raises the `errors.RequestError`s that it deserves, those of a whole body before the first piece."""
    value = _value(body, wanted["form"])
    reader = format_of(wanted["format"], wanted["mapping"])
    greeting = reader.greeting(value, wanted["headers"])
    if greeting is not None:
        answer = None if greeting.answer is None else dict(greeting.answer)
        yield _head(greeting=[greeting.told, answer, greeting.visit])
        return
    remark = reader.remark(value)
    elements: list[plugins.Element] = []
    unread: list[plugins.Wrong] = []
    read, hides = redacting.read(reader.read, value, wanted["headers"], redacting.paths(wanted.get("redact", ())))
    for one in read:
        if isinstance(one, plugins.Wrong):
            unread.append(one)
        else:
            elements.append(one)
    if len(elements) + len(unread) > wanted["events_max"]:
        from healer.web import ingest  # as for a form

        raise ingest.TooManyEvents(limit=wanted["events_max"])
    yield _head(remark=remark, events=len(elements), unread=len(unread), redacted=hides)
    if hides:
        yield orjson.dumps(value)
    for element in elements:
        yield orjson.dumps([_key(element.event), element.repeat, element.delivery])
        yield orjson.dumps(element.event)
    for wrong in unread:
        yield _cut(orjson.dumps(wrong.value))
        yield wrong.error.message[:WHY_MAX].encode("utf-8", "replace")


def format_of(name: str, mapping: Mapping[str, Any] | None) -> plugins.Format:
    """The format of that name, or the one that a mapping says. Raises `plugins.UnknownPlugin`, `plugins.BrokenPlugin`."""
    if mapping is None:
        found: plugins.Format = plugins.find("formats", name).FORMAT
        return found
    language = importlib.import_module("healer.formats._mapping")
    made: plugins.Format = language.format_of(name, language.Mapping.model_validate(mapping))
    return made


def told(error: errors.RequestError) -> dict[str, Any]:
    """A mistake of the sender's, such that the parent can make the same answer of it."""
    return {
        "code": error.code, "status": error.status, "message": error.message, "try": error.try_,
        "problems": error.fields.get("problems"),
    }  # fmt: skip


def _value(body: bytes, form: bool) -> Any:
    """The JSON value of the body."""
    strict = _strict()
    plain = urllib.parse.unquote_to_bytes(body) if form else body
    if _marks(plain) > MARKS_MAX and _marks(_TEXT.sub(b"", plain)) > MARKS_MAX:
        raise errors.TooManyNodes(limit=strict.NODES_MAX)  # there are at least half as many values as marks
    if form:  # seldom this large: what reads it brings the whole server along
        from healer.web import bodies

        return bodies.form(body)
    return strict.parse(body)


def _marks(body: bytes) -> int:
    return sum(map(body.count, _MARKS))


def _strict() -> Any:
    """`healer.intake.strict` without its room, which brings the store along: a third of the time that a start takes."""
    name = "healer.intake.strict"
    if name in sys.modules:
        return sys.modules[name]
    room = importlib.util.find_spec("healer.intake")
    if room is None or room.origin is None:
        raise ImportError("healer.intake lies nowhere")
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(room.origin).with_name("strict.py"))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} lies nowhere")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _within(limit: int, made: Iterator[bytes]) -> Iterator[bytes]:
    for piece in made:
        limit -= len(piece)
        if limit < 0:
            raise TooMuchTogether(limit=MADE_MAX)
        yield piece


def _key(event: Mapping[str, Any]) -> str | None:
    """The key of the alert that an event speaks of."""
    alert = event.get("alert")
    key = alert.get("key") if isinstance(alert, Mapping) else None
    return key if isinstance(key, str) else None


def _cut(encoded: bytes) -> bytes:
    """The JSON of a value; of a large one that of a text: how its JSON begins."""
    if len(encoded) <= UNREAD_MAX:
        return encoded
    return orjson.dumps(
        encoded[: UNREAD_MAX // 2 - 8].decode("utf-8", "ignore") + "…"
    )  # quotes in it become twice as long


def _head(**said: Any) -> bytes:
    return json.dumps(said).encode()  # halves of surrogate pairs (of a message) come through


def _write(answer: BinaryIO, piece: bytes) -> None:
    answer.write(HEADER.pack(len(piece)))
    answer.write(piece)


def _bound(seconds: int) -> None:
    """What the process may use, also where its parent is gone; no core dump has what was sent in it."""
    signal.alarm(seconds + LINGER_S)
    for kind, wanted in (
        (resource.RLIMIT_AS, MEMORY_MAX),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        most = resource.getrlimit(kind)[1]
        limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(kind, (limit, limit))
