"""What comes back of a playbook on another machine: its report, fetched before that machine forgets it, and laid where `_outcome` reads.

Caller: `_run_on`. The report holds what tasks returned: it is private, and goes once the outcome is kept.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import time
from collections.abc import Sequence
from typing import Any, Final

from healer import errors
from healer.child import jobs
from healer.controllers import _outcome, _ssh_course, _ssh_end, _ssh_far, _ssh_host, _ssh_pool, _ssh_talk

REPORT: Final = "report.json"
BYTES_MAX: Final = 16 << 20
FETCH_S: Final = 60.0
PATIENCE_S: Final = 60.0
AGAIN_S: Final = (0.2, 10.0)

FETCH: Final = """
IFS= read -r base && cd -P -- "$base" 2>/dev/null && [ -O . ] || exit 1
printf "healer: "
exec cat "$name.report"
"""
"""Gives the report of a job."""


def known(record: _ssh_end.Record, attempt: _ssh_host.Attempt) -> _ssh_end.End | None:
    """The end that is on our disk, with its output handed on."""
    known = record.read().ends.get(attempt.name)
    if known is None:
        return None
    end, pieces = known
    for of_stderr, piece in enumerate(pieces):
        attempt.hear(bool(of_stderr), piece)
    return end


async def fetch(folder: pathlib.Path, attempt: _ssh_host.Attempt) -> None:
    """Have the report here, unless its machine cannot be reached any more."""
    until, pause_s = time.monotonic() + PATIENCE_S, AGAIN_S[0]
    while not (folder / _outcome.KEPT).exists():
        try:
            await fetched(attempt)
            return
        except (_ssh_pool.Unreachable, *_ssh_course.network()) as error:
            if isinstance(error, OSError) and error.errno in errors.NO_SPACE:
                raise  # the machine keeps it until there is room here
            if time.monotonic() > until or (isinstance(error, _ssh_pool.Unreachable) and not error.passing):
                return
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, AGAIN_S[1])


async def fetched(attempt: _ssh_host.Attempt) -> None:
    """Fetch the report where it is not here. Raises `Unreachable`, or what the network brings."""
    path = attempt.record.folder / REPORT
    if path.exists():
        return
    async with (
        attempt.pool.lease(attempt.where) as connection,
        connection.questions,
        asyncio.timeout(FETCH_S),
    ):
        place = connection.known
        command = _ssh_far.command(FETCH, attempt.name, place.shell)
        status, told, _ = await _ssh_talk.ask(connection.raw, command, f"{place.folder}\n".encode(), BYTES_MAX)
    if status is None:
        raise ConnectionResetError("the connection was closed before it answered")
    await asyncio.to_thread(_lay, path, after_greeting(told) if status == 0 else b"{}")


def _lay(path: pathlib.Path, content: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    jobs.write_private(temporary, content)
    temporary.replace(path)


def lay_down(folder: pathlib.Path, events: Sequence[Any], streams: Sequence[bytes | bytearray]) -> None:
    """Events and output where they would lie if it had run here."""
    place = folder / _outcome.EVENTS
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, event in enumerate(events):
        _lay(place / f"{number:06}-partial.json", json.dumps(event).encode())
    for name, content in zip(("stdout", "stderr"), streams, strict=True):
        _lay(folder / name, bytes(content))


def read(folder: pathlib.Path) -> dict[str, Any]:
    """The report that is here; empty where none came."""
    try:
        found = json.loads((folder / REPORT).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def after_greeting(told: bytes, mark: bytes = b"healer: ") -> bytes:
    """What stands behind our mark at the beginning of a line: a login shell may greet first."""
    at = 0 if told.startswith(mark) else told.find(b"\n" + mark) + 1
    return told[at + len(mark) :] if told.startswith(mark, at) else b""
