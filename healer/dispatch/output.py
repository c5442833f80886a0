"""An attempt's output while it runs: capped, masked, open to whoever follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

Stream = Literal["stdout", "stderr"]
STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
OUTPUT_MAX: Final = 1 << 20
CUT: Final = b"\n[cut: more than 1 MiB]\n"


class Live:
    """What came so far. `mask` is fed the bytes of a stream in order and gives them with secrets masked (see `secrets.Masker`)."""

    def __init__(self, feed: dict[Stream, Callable[[bytes], bytes]], flush: dict[Stream, Callable[[], bytes]]) -> None:
        self._feed = feed
        self._flush = flush
        self._parts: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.truncated = False

    def write(self, stream: Stream, data: bytes) -> None:
        """More output; what is beyond the cap is dropped and said so."""
        self._add(stream, self._feed[stream](data))

    def finish(self) -> tuple[bytes, bytes]:
        """(stdout, stderr) in the end."""
        for stream, flush in self._flush.items():
            self._add(stream, flush())
        return self.so_far("stdout"), self.so_far("stderr")

    def so_far(self, stream: Stream) -> bytes:
        """What a stream gave until now."""
        part = self._parts[stream]
        return bytes(part) + CUT if len(part) >= OUTPUT_MAX else bytes(part)

    def _add(self, stream: Stream, data: bytes) -> None:
        part = self._parts[stream]
        room = OUTPUT_MAX - len(part)
        if len(data) > room:
            self.truncated = True
        part += data[:room]
