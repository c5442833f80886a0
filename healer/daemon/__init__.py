"""The daemon: builds everything, starts it, reloads it, stops it. The one composition root, and the only reader of the clock.

`main` is what `healer run` calls.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import pathlib
import signal
import sys
import time
from typing import Any, Final

import uvloop

from healer import errors, project, store
from healer.daemon import running, standing
from healer.store import connection, ownership

SWITCH_S: Final = 0.0005
STANDBY_S: Final = 0.2
OWN_FOLDERS: Final = ("work", "blobs", "revisions")

__all__ = ["StartOptions", "main", "running", "standing"]


@dataclasses.dataclass(frozen=True, slots=True)
class StartOptions:
    """The flags of `healer run`; None: not given."""

    project: pathlib.Path
    data_dir: pathlib.Path | None = None
    host: str | None = None
    port: int | None = None
    mode: str | None = None
    standby: bool = False
    unsafe_fs: bool = False
    log_level: str | None = None

    def overrides(self) -> dict[str, Any]:
        """The flags by their place in healer.yaml."""
        data_dir = str(self.data_dir.absolute()) if self.data_dir is not None else None
        return {"server.host": self.host, "server.port": self.port, "mode": self.mode, "data_dir": data_dir}


def main(options: StartOptions) -> int:
    """Run until a signal ends it. The exit code; errors of ours are raised for the caller to print."""
    sys.setswitchinterval(SWITCH_S)  # else a thread that computes starves the writer
    os.umask(0o077)
    base = options.project.resolve()
    gc.disable()  # parsing and compiling make much that lives for ever; `running` freezes it
    loaded = project.load(base, os.environ, options.overrides())
    if loaded.revision is None:
        raise errors.ConfigurationError(loaded.diagnostics)
    revision = loaded.revision
    for one in loaded.diagnostics:
        if one.severity == "warning":
            print(one, file=sys.stderr)  # noqa: T201 - for whoever starts it
    data_dir = base / revision.settings.data_dir
    try:
        return _on(data_dir, revision, base, options)
    except (OSError, errors.HealerError) as error:
        if not _for_want_of_space(error):
            raise
        raise errors.StoreFull(f"free some space on the disk of {data_dir}, then start it again") from error


def _on(data_dir: pathlib.Path, revision: project.Revision, base: pathlib.Path, options: StartOptions) -> int:
    _make_data_dir(data_dir)
    if not options.unsafe_fs:
        connection.refuse_unsafe_filesystem(data_dir)
    owned = ownership.Ownership(data_dir)
    _own(owned, standby=options.standby)
    try:
        _make_own_folders(data_dir)
        _refuse_first_start_active(revision, data_dir, options)
        daemon = running.Daemon(revision, base, data_dir, owned, options.overrides(), options.log_level)
        return uvloop.run(_run(daemon))
    finally:
        owned.release()


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
    return await daemon.run()


def _make_data_dir(data_dir: pathlib.Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.StartError(
            reason=f"the data directory {data_dir}: {error.strerror}", try_="--data-dir DIR"
        ) from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise errors.StartError(reason=f"the data directory {data_dir} cannot be written to", try_="--data-dir DIR")


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


def _own(owned: ownership.Ownership, *, standby: bool) -> None:
    told = False
    while True:
        try:
            owned.take()
        except errors.AlreadyRunning:
            if not standby:
                raise
            if not told:
                print(f"standing by: {owned.path.parent} is owned by another daemon", file=sys.stderr, flush=True)  # noqa: T201
                told = True
            time.sleep(STANDBY_S)
        else:
            return


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
            try_="--mode observe to look first, or --mode active if this host is to heal",
        )
