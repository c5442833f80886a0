"""A value among others in one line, as messages, forms and lists show parameters. It may be an event's word. Pure."""

from __future__ import annotations

import json
from typing import Any


def value(given: Any) -> str:
    """A text as it is only where nothing in it separates, so that it cannot look like several; anything else as JSON has it."""
    if (
        isinstance(given, str) and given and given.isprintable() and not set(given) & set(" \"'")
    ):  # all other spaces are not printable
        return given
    return json.dumps(given, ensure_ascii=False)
