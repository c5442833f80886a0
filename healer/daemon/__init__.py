"""The daemon: builds everything, starts it, reloads it, stops it. The one composition root, and the only reader of the clock.

`main` is what `healer run` calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Final

import uvloop
from loguru import logger

from healer import errors, project, store
from healer.daemon import files, owning, privacy, running, standing
from healer.daemon.options import StartOptions
from healer.store import ownership

LINGER_S: Final = 5.0
"""So long after its stop the process waits for threads that do not come back."""
SWITCH_S: Final = 0.0005
COLLECTED_FROM: Final = (10_000, 20, 50)
"""`gc.set_threshold`: what requests on their way hold is more than Python's 700 objects, and would be looked at again and again."""
OWN_FOLDERS: Final = ("work", "blobs", "revisions")

__all__ = ["StartOptions", "main", "running", "standing"]


def main(options: StartOptions) -> int:
    """Run until a signal ends it. The exit code; errors of ours are raised for the caller to print."""
    sys.setswitchinterval(SWITCH_S)  # else a thread that computes starves the writer
    privacy.begin()
    files.allow()
    base = options.project.resolve()
    gc.set_threshold(*COLLECTED_FROM)
    gc.disable()  # parsing and compiling make much that lives for ever; `running` freezes it
    loaded = project.load(base, os.environ, options.overrides(), options.vault)
    if loaded.revision is None:
        raise errors.ConfigurationError(loaded.diagnostics)
    revision = loaded.revision
    owning.warn(loaded.diagnostics)
    data_dir = base / revision.settings.data_dir
    del loaded  # a standby goes on with another one
    try:
        with _told(options), owning.held(data_dir, options) as owned:
            if options.standby:
                base = options.project.resolve()
                revision = owning.taken_over(revision, base, data_dir, options)
            return _on(data_dir, revision, base, owned, options)
    except (OSError, errors.HealerError) as error:
        if not _for_want_of_space(error):
            raise
        raise errors.StoreFull(f"free some space on the disk of {data_dir}, then start it again") from error


def _on(
    data_dir: pathlib.Path, revision: project.Revision, base: pathlib.Path, owned: ownership.Ownership, options: StartOptions
) -> int:  # fmt: skip
    owning.warn(project.unreadable(revision, base, os.environ))
    owning.close(data_dir, to_group=revision.settings.control.group is not None)
    _make_own_folders(data_dir)
    _refuse_first_start_active(revision, data_dir, options)
    daemon = running.Daemon(revision, base, data_dir, owned, options)
    try:
        return uvloop.run(_run(daemon))
    except (
        SystemExit,
        KeyboardInterrupt,
    ) as error:  # somebody's code ended the loop: the threads that wait would hold the process for ever
        logger.opt(exception=error).critical("the daemon was ended from within")
        os._exit(1)


@contextlib.contextmanager
def _told(options: StartOptions) -> Iterator[None]:
    """What stops a start, with its next step as somebody who gave these flags has to write it."""
    try:
        yield
    except errors.PortInUse as error:
        free = error.fields.get("free")
        if isinstance(free, int):
            error.try_ = f"{options.on_port(free)}, or server: {{port: {free}}} in healer.yaml"
        raise


def _for_want_of_space(error: BaseException | None) -> bool:
    """Whether a full disk is behind it, whoever met it first: the lock, a folder, the files of the revision, the store."""
    while error is not None:
        if isinstance(error, errors.StoreFull) or (isinstance(error, OSError) and error.errno in errors.NO_SPACE):
            return True
        error = error.__cause__
    return False


async def _run(daemon: running.Daemon) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.end, 0)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload_soon)
    code = await daemon.run()
    last = threading.Timer(
        LINGER_S, os._exit, [code]
    )  # all is written and closed; a thread that hangs in the kernel holds nothing back
    last.daemon = True
    last.start()
    return code


def _make_own_folders(data_dir: pathlib.Path) -> None:
    """The folders that the daemon writes to and deletes from: behind a link they would be somebody else's."""
    for name in OWN_FOLDERS:
        folder = data_dir / name
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if folder.is_symlink() or not folder.is_dir():
                reason = f"{folder} is {'a link' if folder.is_symlink() else 'no folder'}, and has to be a folder of the daemon's own"
                raise errors.StartError(f"move {folder} away", reason=reason) from None
        except OSError as error:
            raise errors.StartError("--data-dir DIR", reason=f"{folder}: {error.strerror}") from error


def _refuse_first_start_active(revision: project.Revision, data_dir: pathlib.Path, options: StartOptions) -> None:
    """A clone of the operations repository on a laptop must not start healing production by itself."""
    if revision.settings.mode != "active" or options.mode == "active" or os.environ.get("HEALER_MODE") == "active":
        return
    if store.decided_before(data_dir):
        return
    beyond = revision.beyond_local()
    if beyond:
        raise errors.FirstStartActive(
            data_dir=data_dir,
            controllers=", ".join(beyond),
            reach="reaches" if len(beyond) == 1 else "reach",
            try_="--mode observe to look first, or --mode active if this host is to heal",
        )
