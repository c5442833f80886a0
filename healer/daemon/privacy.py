"""What the daemon keeps to itself: its files, its memory, its environment.

Secrets stand in its environment and its memory. No core dump writes them down, and no process of the same user, such as an action's
script, may look into either (`/proc/PID/environ`, ptrace): only root may. What a child inherits is another matter: nothing but a list
of names (`controllers/_shimmed.py`, `supervise/eda.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import resource
import stat
from typing import Final

UMASK: Final = 0o077
PR_SET_DUMPABLE: Final = 4


def begin() -> None:
    """Of this process, before it reads anything."""
    os.umask(UMASK)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # another system than Linux
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def close(folder: pathlib.Path, *, to_group: bool) -> int | None:
    """Take from others what they may do in a folder of ours, from its group too unless that is to reach the control socket in it.

    Its mode before, where that was changed. One that is not ours to change stays as it is.
    """
    mode = stat.S_IMODE(folder.stat().st_mode)
    kept = mode & (0o7750 if to_group else 0o7700)
    if kept == mode:
        return None
    try:
        folder.chmod(kept)
    except PermissionError:
        return None
    return mode
