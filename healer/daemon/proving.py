"""Whether the audit proves itself: looked at once a day by `healer audit verify` in a process of its own, which holds up nothing.

A break is written into the audit, so that people are told (`audit_broken`). Whoever can change the database can also keep the daemon from
telling: what proves the audit to others are its anchors and copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from healer import telemetry
from healer.store import notes

if TYPE_CHECKING:
    from healer.daemon import running

FIRST_S: Final = 900.0
"""After the start, which has more to do."""
AGAIN_S: Final = 86_400.0
LOOK_S: Final = 6 * 3600.0
SENTENCE_MAX: Final = 500
BROKEN: Final = 1
"""How `healer audit verify` ends where it found something; 2: it could not read."""
_CODE: Final = "import os, sys; os.nice(19); import healer.cli as of; of.cli.main(['audit', 'verify', '--json', '--db', sys.argv[1]])"
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")


class Proving:
    """One a daemon."""

    def __init__(self, daemon: running.Daemon) -> None:
        self._daemon = daemon

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            await self.look()
            await asyncio.sleep(AGAIN_S)

    async def look(self) -> None:
        """Tell of a break, each once: a later look that finds the same one says it in the log alone."""
        path = self._daemon.store.path
        if path is None:
            return
        try:
            async with asyncio.timeout(LOOK_S):
                code, said = await _verified(str(path))
        except (OSError, TimeoutError) as error:
            logger.warning(
                "whether the audit proves itself could not be looked at: {}", str(error) or "it took too long"
            )
            return
        found = _read(said)
        if code != BROKEN or not found.get("findings"):
            if code:
                logger.warning(
                    "whether the audit proves itself could not be looked at: healer audit verify ended with {}", code
                )
            return
        telemetry.count("audit_broken")
        said_now = {
            "finding": str(found["findings"][0])[:SENTENCE_MAX], "findings": len(found["findings"]), "first_bad": found.get("first_bad"),
        }  # fmt: skip
        store = self._daemon.store
        last = await store.reader.all("told_last", "audit_broken")
        if last and json.loads(last[0]["record"]).items() >= said_now.items():
            logger.error("the audit still does not prove itself: {}; healer audit verify", said_now["finding"])
            return
        await store.insist(notes.Note("audit_broken", "daemon", **said_now))


async def _verified(path: str) -> tuple[int, bytes]:
    """How the look ended, and what it printed. It ends with the daemon."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", _CODE, path, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
        return process.returncode or 0, said
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _read(said: bytes) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("findings"), list) else {}
