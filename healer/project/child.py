"""Loading in a process of its own: for a reload, which must not hold the daemon's loop. Both sides stand here.

The parent sends what to load as JSON on standard input; the child answers in pieces in a file of its own, so that nothing that a
plugin prints can get between them, and that no thread has to take the GIL for each of them; in memory, as a disk may be full. A child
that dies is a diagnostic, never an exception.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import gc
import json
import os
import pathlib
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Final

from healer import errors, quoting, vault
from healer.project import controllers, loading, pieces, publishing, settings

TIMEOUT_S: Final = 300.0
ANSWER_BYTES_MAX: Final = 1 << 30
SLICE_S: Final = 0.002
"""How long the loop works on it before it looks after others: longer than the interpreter's switch interval, since a loop that gives
the GIL up by itself more often than that takes it back at once each time, and the store's writer waits for all of it."""
WORDS_BYTES: Final = 4096
"""The last that a child said, of which whole lines count."""
TRIES: Final = 3
"""How often a project is read again because a file changed while it was copied."""

_HEADER: Final = struct.Struct(">I")
_KEPT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "VIRTUAL_ENV",
)
_CODE: Final = "import os; os.nice(19); from healer.project import child; child.main()"


async def load_in_child(
    project_dir: pathlib.Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    publish_to: pathlib.Path | None = None,
    opened: vault.Vault | None = None,
    timeout_s: float = TIMEOUT_S,
) -> loading.Loaded:
    """As `loading.load`, in a child process; with `publish_to` (a data directory) the child also publishes the revision.

    Raises `errors.StoreFull` where that finds no space.
    """
    wanted = {
        "project_dir": str(project_dir),
        "environ": {
            name: value
            for name, value in environ.items()
            if name.startswith((settings.PREFIX, controllers.OF_UPSTREAM))
        },
        "overrides": {name: str(v) if isinstance(v, pathlib.PurePath) else v for name, v in (overrides or {}).items()},
        "publish_to": str(publish_to) if publish_to else None,
        "keys": None if opened is None else opened.keys,
    }
    asked = _Asked(_CODE, json.dumps(wanted).encode(), _kept(environ), timeout_s)
    joined = await _joined(asked)
    if joined.complete:
        loaded = joined.loaded()
        if any(one.code == errors.StoreFull.code for one in loaded.diagnostics):
            raise errors.StoreFull(f"free some space on the disk of {publish_to}")
        return loaded
    message = f"the process that read the project ended before it was done: {asked.reason[-1000:]}"
    return loading.Loaded(None, (errors.Diagnostic("load-failed", message, errors.Place(str(project_dir))),))


async def pieces_of(code: str, wanted: bytes, timeout_s: float) -> tuple[pieces.Joined, str]:
    """What a child that runs `code` makes of `wanted`; and its last words, where it died before that was complete."""
    asked = _Asked(code, wanted, _kept(os.environ), timeout_s)
    return await _joined(asked), asked.reason[-1000:]


def _kept(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child of ours."""
    return {name: environ.get(name) or os.environ[name] for name in _KEPT if environ.get(name) or name in os.environ}


async def _joined(asked: _Asked) -> pieces.Joined:
    """What the child answers, put together in slices; not complete where it died."""
    try:
        found = await asyncio.to_thread(asked.run)
    except asyncio.CancelledError:
        asked.end()
        raise
    joined = pieces.Joined()
    with loading.without_collecting():
        started = time.monotonic()
        while found and not joined.complete:
            joined.add(found.popleft())
            if time.monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = time.monotonic()
    return joined


class _Asked:
    """The child from the parent's side, for a thread: starting a process and waiting for it would hold the loop.

    `subprocess` forks without copying the daemon's memory map, which event loops do not.
    """

    def __init__(self, code: str, wanted: bytes, env: dict[str, str], timeout_s: float) -> None:
        self.reason = ""
        self._code = code
        self._wanted = wanted
        self._env = env
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> collections.deque[bytes]:
        """The pieces that came, in order. `reason` says what the child said at its end."""
        with _in_memory("answer") as answer, _in_memory("words") as words:
            process = self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", self._code, str(answer.fileno())], pass_fds=(answer.fileno(),), stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=words, start_new_session=True, env=self._env,
            )  # fmt: skip
            timer = threading.Timer(self._timeout_s, self.end)
            timer.start()
            try:
                with contextlib.suppress(BrokenPipeError):
                    if process.stdin is not None:
                        with process.stdin:
                            process.stdin.write(self._wanted)
                process.wait()
            finally:
                timer.cancel()
                self._kill()
                process.wait()
            found = _pieces(answer)
            if not self.reason:
                words.seek(start := max(0, words.tell() - WORDS_BYTES))
                if start:
                    words.readline()  # the rest of one: what is a secret in it could not be seen
                self.reason = quoting.printed(words.read().decode("utf-8", "replace")).strip() or "without a word"
        return found

    def end(self) -> None:
        """Its time is over, or nobody waits for it any more."""
        self.reason = f"it took longer than {self._timeout_s:g} s"
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()


def _in_memory(name: str) -> BinaryIO:
    return os.fdopen(os.memfd_create(name), "w+b")


def _pieces(answer: BinaryIO) -> collections.deque[bytes]:
    """What the child wrote, as far as it is whole."""
    found: collections.deque[bytes] = collections.deque()
    size = os.fstat(answer.fileno()).st_size
    if size > ANSWER_BYTES_MAX:
        return found
    data, at = os.pread(answer.fileno(), size, 0), 0
    while len(header := data[at : at + _HEADER.size]) == _HEADER.size:
        (length,) = _HEADER.unpack(header)
        at += _HEADER.size + length
        if at > len(data):
            break
        found.append(data[at - length : at])
    return found


# --- the child's side -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Load what standard input says, and write the answer to the descriptor that the first argument names."""
    gc.disable()  # a short life
    wanted = json.load(sys.stdin)
    answer(pieces.cut(_load(wanted)))


def answer(made: Iterable[bytes]) -> None:
    """Hand the pieces to the parent."""
    with os.fdopen(int(sys.argv[1]), "wb", buffering=1 << 20) as file:
        for piece in made:
            file.write(_HEADER.pack(len(piece)))
            file.write(piece)


def _load(wanted: dict[str, Any]) -> loading.Loaded:
    for _ in range(TRIES):
        opened = (
            None
            if wanted.get("keys") is None
            else vault.Vault([(label, password) for label, password in wanted["keys"]])
        )
        loaded = loading.load(pathlib.Path(wanted["project_dir"]), wanted["environ"], wanted["overrides"], opened)
        if loaded.revision is None or wanted["publish_to"] is None:
            return loaded
        try:
            path = publishing.publish(loaded.revision, pathlib.Path(wanted["publish_to"]))
            return dataclasses.replace(loaded, published=path)
        except publishing.Changed as error:
            failed = _failed(wanted, error.code, error.message, error.try_)
        except errors.HealerError as error:
            failed = _failed(wanted, error.code, error.message, error.try_)
            break
        except OSError as error:
            code = errors.StoreFull.code if error.errno in errors.NO_SPACE else "publish"
            failed = _failed(wanted, code, f"the files cannot be copied: {error}", "")
            break
    return loading.Loaded(None, (*loaded.diagnostics, failed))


def _failed(wanted: dict[str, Any], code: str, message: str, try_: str) -> errors.Diagnostic:
    return errors.Diagnostic(code, message, errors.Place(wanted["publish_to"]), try_=try_)
