"""What code says past its contract: by `print`, by a logger of its own, in the arguments of a child. Used by `contracts`.

What is printed or logged in the daemon reaches its log unmasked, and arguments are for all users of a machine to see (`ps`).
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO

from loguru import logger

Tell = Callable[[str, Any], None]
"""`tell(where, what)`"""

_CHILDREN: Final[Mapping[str, int]] = {"subprocess.Popen": 1, "os.exec": 1, "os.posix_spawn": 1, "os.system": 0}
"""Audit events of CPython (PEP 578) → which of their arguments is the command line."""
_listening: list[Tell] = []


@contextlib.contextmanager
def overheard(tell: Tell) -> Iterator[None]:
    """Meanwhile all that is said so is told; it goes where it would have gone, too."""
    if _hear not in _hooked:
        sys.addaudithook(_hear)  # which nothing takes away again
        _hooked.append(_hear)
    heard = _Handler(tell)
    root = logging.getLogger()
    level = root.level
    sink = logger.add(lambda message: tell("logging", str(message)), level=0, format="{message}")
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    _listening.append(tell)
    try:
        with (
            contextlib.redirect_stdout(_Heard(sys.stdout, lambda text: tell("standard output", text))),
            contextlib.redirect_stderr(_Heard(sys.stderr, lambda text: tell("standard error", text))),
        ):
            yield
    finally:
        _listening.remove(tell)
        root.setLevel(level)
        root.removeHandler(heard)
        logger.remove(sink)


_hooked: list[Callable[..., None]] = []


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event in _CHILDREN and _listening:
        given = args[_CHILDREN[event]]
        for tell in _listening:
            tell(
                "the arguments of a child",
                [os.fsdecode(one) for one in ([given] if isinstance(given, str | bytes) else given)],
            )


class _Handler(logging.Handler):
    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it as it would be written."""
        self._tell("logging", self.format(record))


class _Heard(io.TextIOBase):
    """A stream that passes on what it hears."""

    def __init__(self, stream: TextIO, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._stream = stream
        self._tell = tell

    def write(self, text: str) -> int:
        """Pass it on."""
        self._tell(text)
        return self._stream.write(text)

    def flush(self) -> None:
        """Pass it on."""
        self._stream.flush()

    def fileno(self) -> int:
        """That of the stream."""
        return self._stream.fileno()
