"""Owning a data directory: from the start on, or once the daemon that has it ends (`--standby`), then with the project of that moment.

Caller: `daemon.main`. Why the project is read again: what a reload changed while this process stood by (the mode above all) holds for
the one that takes over too. It does not depend on whether files are being edited just then: where they are wrong, the revision goes on
that held last, since to be without a daemon would be worse than to be without an edit that nobody has loaded yet.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final

from healer import errors, project, store
from healer.daemon import privacy
from healer.daemon.options import StartOptions
from healer.store import connection, deciding, names, ownership

STANDBY_S: Final = 0.2
_LAST: Final = 1 << 62


@contextlib.contextmanager
def held(data_dir: pathlib.Path, options: StartOptions) -> Iterator[ownership.Ownership]:
    """The lock of the data directory, which is made if it is not there.

    Raises `errors.StartError`, `errors.AlreadyRunning` where another daemon has it, unless this one is to stand by.
    """
    _make(data_dir)
    if not options.unsafe_fs:
        connection.refuse_unsafe_filesystem(data_dir)
    owned = ownership.Ownership(data_dir)
    _take(owned, options)
    try:
        yield owned
    finally:
        owned.release()


def taken_over(
    first: project.Revision, base: pathlib.Path, data_dir: pathlib.Path, options: StartOptions
) -> project.Revision:
    """The revision for a standby that has the data directory now. `first`: the project as it was when it began to stand by.

    Raises `errors.ConfigurationError` where the project is wrong and no revision is kept, `project.Tampered` where that was changed,
    `errors.StoreError`.
    """
    loaded = project.load(base, os.environ, options.overrides(), options.vault)
    revision = loaded.revision
    if revision is None:
        wrong = errors.ConfigurationError(loaded.diagnostics)
        revision = _last_held(data_dir, options)
        if revision is None:
            raise wrong
        _say(wrong)
        message = f"its files are wrong, so the revision {revision.short} goes on, which held last"
        _say(_warning("last-revision", message, str(base), f"mend them, then healer reload{options.which()}"))
    elif revision.id != first.id:
        warn(loaded.diagnostics)
    if base / revision.settings.data_dir != data_dir:
        message = f"data_dir: what changed there holds from the next start on; this daemon has taken over {data_dir}"
        _say(_warning("needs-restart", message, "healer.yaml"))
    return revision


def warn(found: Iterable[errors.Diagnostic]) -> None:
    """Tell whoever starts it of what is no error."""
    for one in found:
        if one.severity == "warning":
            _say(one)


def close(data_dir: pathlib.Path, *, to_group: bool) -> None:
    """Others have no business in the data directory."""
    before = privacy.close(data_dir, to_group=to_group)
    if before is not None:
        message = f"it was open to others (mode {before:04o}) and is not any more: what it holds is the daemon's alone"
        _say(_warning("private", message, str(data_dir)))


def _make(data_dir: pathlib.Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.StartError(
            reason=f"the data directory {data_dir}: {error.strerror}", try_="--data-dir DIR"
        ) from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise errors.StartError(reason=f"the data directory {data_dir} cannot be written to", try_="--data-dir DIR")


def _take(owned: ownership.Ownership, options: StartOptions) -> None:
    told = False
    while True:
        try:
            owned.take()
        except errors.AlreadyRunning as error:
            if not options.standby:
                which = options.which()
                error.try_ = (
                    f"to look at it: healer status{which}     to list runs: healer runs{which}     "
                    f"to run an action: healer actions run NAME{which}     "
                    f"to stand by for it: healer run{options.written()} --standby"
                )
                raise
            if not told:
                _say(f"standing by: {owned.path.parent} is owned by another daemon")
                told = True
            time.sleep(STANDBY_S)
        else:
            return


def _last_held(data_dir: pathlib.Path, options: StartOptions) -> project.Revision | None:
    """The revision of the journal's last row that names one, read from its copy; None where there is no such row or copy."""
    if not (data_dir / store.DATABASE).exists():
        return None
    with contextlib.closing(connection.open_reader(data_dir / store.DATABASE)) as opened:
        try:
            row = opened.execute(names.load()["journal_last_revision"], (_LAST,)).fetchone()
        except sqlite3.Error as error:
            raise connection.failed(error, data_dir / store.DATABASE) from error
    name = deciding.revision_of(row[1]) if row else ""
    folder = data_dir / project.REVISIONS / name
    if not name or not folder.is_dir():
        return None
    project.verify(folder)  # before anything of it is imported
    return project.load(folder, os.environ, options.overrides(), options.vault).revision


def _warning(code: str, message: str, where: str, try_: str = "") -> errors.Diagnostic:
    return errors.Diagnostic(code, message, errors.Place(where), severity="warning", try_=try_)


def _say(text: object) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for whoever starts it
