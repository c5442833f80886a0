"""Which commit a project directory is at, and whether what counts in it is as committed. Caller: `loading`.

Asked of git itself, so that worktrees and packed references are its affair; no hook, no file monitor and no lock of the
repository is touched. Whatever goes wrong means: not known.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess
from collections.abc import Sequence
from typing import Final

TIMEOUT_S: Final = 5.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")


@dataclasses.dataclass(frozen=True, slots=True)
class Git:
    """A commit (hex), and whether the files that count are exactly as committed."""

    commit: str
    clean: bool


def read(project_dir: pathlib.Path, counted: Sequence[str]) -> Git | None:
    """The state of the repository around a project; `counted` are the files and folders that make a revision."""
    commit = _ask(project_dir, "rev-parse", "--verify", "HEAD")
    if commit is None or not _COMMIT.fullmatch(commit.strip()):
        return None
    changed = _ask(project_dir, "status", "--porcelain", "--ignore-submodules=all", "--", *counted) if counted else ""
    return None if changed is None else Git(commit.strip(), not changed.strip())


def _ask(project_dir: pathlib.Path, *arguments: str) -> str | None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_LITERAL_PATHSPECS": "1"}
    try:
        done = subprocess.run(
            ["git", "--no-pager", *_QUIET, "-C", str(project_dir), *arguments],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
