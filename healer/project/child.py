"""Loading in a process of its own: for a reload, which must not hold the daemon's loop. Both sides stand here.

The parent sends what to load as JSON on standard input; the child answers in pieces over a pipe of its own, so that nothing
that a plugin prints can get between them. A child that dies is a diagnostic, never an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import json
import os
import pathlib
import struct
import sys
from collections.abc import Mapping
from typing import Any, Final

from healer import errors
from healer.project import loading, pieces, publishing, settings

TIMEOUT_S: Final = 300.0
PIECE_BYTES_MAX: Final = 256 << 20
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
_CODE: Final = "from healer.project import child; child.main()"


async def load_in_child(
    project_dir: pathlib.Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    publish_to: pathlib.Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> loading.Loaded:
    """As `loading.load`, in a child process; with `publish_to` (a data directory) the child also publishes the revision."""
    wanted = {
        "project_dir": str(project_dir),
        "environ": {name: value for name, value in environ.items() if name.startswith(settings.PREFIX)},
        "overrides": {name: str(v) if isinstance(v, pathlib.PurePath) else v for name, v in (overrides or {}).items()},
        "publish_to": str(publish_to) if publish_to else None,
    }
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-c", _CODE, str(theirs), pass_fds=(theirs,), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
                env={name: environ.get(name) or os.environ[name] for name in _KEPT if environ.get(name) or name in os.environ},
            )  # fmt: skip
        finally:
            os.close(theirs)
        words = asyncio.create_task(_last_words(process.stderr))
        try:
            async with asyncio.timeout(timeout_s):
                with loading.without_collecting():
                    joined = await _answer(process, pipe, json.dumps(wanted).encode())
                reason = (await words).strip() or "without a word"
        except TimeoutError:
            joined, reason = pieces.Joined(), f"it took longer than {timeout_s:g} s"
        finally:
            words.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if joined.complete:
        return joined.loaded()
    message = f"the process that read the project ended before it was done: {reason[-1000:]}"
    return loading.Loaded(None, (errors.Diagnostic("load-failed", message, errors.Place(str(project_dir))),))


async def _answer(process: asyncio.subprocess.Process, pipe: Any, wanted: bytes) -> pieces.Joined:
    joined = pieces.Joined()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(wanted)
                await process.stdin.drain()
            process.stdin.close()
        with contextlib.suppress(asyncio.IncompleteReadError):
            while not joined.complete:
                (size,) = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                if size > PIECE_BYTES_MAX:
                    break
                joined.add(await reader.readexactly(size))
                await asyncio.sleep(0)
    finally:
        transport.close()
    return joined


async def _last_words(stream: asyncio.StreamReader | None) -> str:
    kept = b""
    while stream is not None and (some := await stream.read(65536)):
        kept = (kept + some)[-4096:]
    return kept.decode("utf-8", "replace")


# --- the child's side -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Load what standard input says, and write the answer to the descriptor that the first argument names."""
    gc.disable()  # a short life
    wanted = json.load(sys.stdin)
    answer = _load(wanted)
    with os.fdopen(int(sys.argv[1]), "wb") as pipe:
        for piece in pieces.cut(answer):
            pipe.write(_HEADER.pack(len(piece)))
            pipe.write(piece)
            pipe.flush()


def _load(wanted: dict[str, Any]) -> loading.Loaded:
    for _ in range(TRIES):
        loaded = loading.load(pathlib.Path(wanted["project_dir"]), wanted["environ"], wanted["overrides"])
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
            failed = _failed(wanted, "publish", f"the files cannot be copied: {error}", "")
            break
    return loading.Loaded(None, (*loaded.diagnostics, failed))


def _failed(wanted: dict[str, Any], code: str, message: str, try_: str) -> errors.Diagnostic:
    return errors.Diagnostic(code, message, errors.Place(wanted["publish_to"]), try_=try_)
