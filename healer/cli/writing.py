"""Standard output where Python is told to keep no buffer (PYTHONUNBUFFERED, as in many containers). Caller: `healer.cli.main`."""

from __future__ import annotations

import io
from typing import Any


class _AtOnce(io.BufferedWriter):
    """A buffer that keeps nothing back."""

    def write(self, data: Any, /) -> int:
        """Write all of it. Raises `OSError`."""
        written = super().write(data)
        self.flush()
        return written


def whole(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """A stream without a buffer (PYTHONUNBUFFERED) as one that writes all of a text.

    By itself Python takes the part that a pipe has room for as the whole, and says nothing of the rest.
    """
    encoding, errors_, lines = stream.encoding, stream.errors, stream.line_buffering
    raw: Any = stream.detach()
    return io.TextIOWrapper(_AtOnce(raw), encoding, errors_, line_buffering=lines, write_through=True)
