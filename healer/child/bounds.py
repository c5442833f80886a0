"""What a child is bound by before it becomes its program: limits of the kernel, another user. In the forked child of `shim` alone."""

from __future__ import annotations

import os
import resource
from typing import Any


def program(job: dict[str, Any]) -> list[str]:
    """What is executed. A script of a folder where another user cannot go comes along as an open file without a name."""
    argv = list(job["argv"])
    if not job.get("account") or not job.get("script"):
        return argv
    written = os.memfd_create("script", os.MFD_CLOEXEC)
    with open(argv[-1], "rb") as file:  # noqa: PTH123 - the shim does without pathlib
        while piece := file.read(1 << 20):
            while piece:
                piece = piece[os.write(written, piece) :]
    kept = os.open(f"/proc/self/fd/{written}", os.O_RDONLY)  # what is open for writing cannot be executed
    os.set_inheritable(kept, True)
    os.close(written)
    return [*argv[:-1], f"/proc/self/fd/{kept}"]


def bind(job: dict[str, Any]) -> None:
    """Take the limits (what is allowed already, if that is less), then the user, which cannot be taken back."""
    for name, value in job.get("limits", {}).items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    if account := job.get("account"):
        user, group, *further = account
        os.setgroups([group, *further])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
