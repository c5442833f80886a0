"""Small webhook bodies: what becomes of them by their format, and how a body stands in its own event. Used by `hooks` and `lookups`.

They are read on the loop; what is large is read by `heavy`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import orjson

from healer import plugins, redacting
from healer.web import greetings, heavy, tally

_PAYLOAD: Final = b'{"payload":'
_BLANK: Final = " \t\r\n"


def read(
    form: plugins.Format, options: Any, redact: tuple[redacting.Path, ...], value: Any, headers: dict[str, str]
) -> heavy.Read:
    """What a parsed body is by its format, with the `options` of its source and without what they `redact`."""
    greeting = greetings.of(form, options, value, headers)
    if greeting is not None:
        return heavy.Read(greeting)
    elements: Sequence[Any]
    hides = False
    if redact:
        elements, hides = redacting.read(form.read, value, headers, redact)
    else:
        elements = form.read(value, headers)
    found = heavy.Read(remark=form.remark(value), redacted=hides)
    for one in elements:
        if isinstance(one, plugins.Wrong):
            found.unread.append((one.value, tally.one_line(one.error.message)))
        else:
            found.events.append((one.event, None))
            found.repeats.append(one.repeat)
            found.deliveries.append(one.delivery)
    return found


def exact(found: heavy.Read, value: Any, body: bytes) -> bytes | None:
    """The JSON of the only event with the very bytes of the body in it; None where it does not hold all of the body, and where the body has
    escapes: what two parsers may read differently is written anew."""
    if len(found.events) != 1 or found.unread:
        return None
    event = found.events[0][0]
    if next(iter(event), None) != "payload" or event["payload"] is not value or b"\\u" in body:
        return None
    rest = orjson.dumps({name: inner for name, inner in event.items() if name != "payload"})
    return _PAYLOAD + body + (b"," + rest[1:] if len(rest) > 2 else b"}")


def body_in(event: bytes) -> bytes:
    """The other way round: the body that an event has in it as it came; an event that is none such as it is."""
    if not event.startswith(_PAYLOAD):
        return event
    text = event[len(_PAYLOAD) :].decode()
    start = len(text) - len(text.lstrip(_BLANK))
    _, end = json.JSONDecoder().raw_decode(text, start)
    after = text[end:]
    return text[: len(text) - len(after.lstrip(_BLANK))].encode()
