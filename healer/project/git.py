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
from collections.abc import Iterator, Sequence
from typing import Final

TIMEOUT_S: Final = 5.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")


@dataclasses.dataclass(frozen=True, slots=True)
class Git:
    """A commit (hex), and whether the files that count are exactly as committed."""

    commit: str
    clean: bool
    authors: tuple[tuple[str, str], ...] = ()
    """(file, e-mail of the author of its last change), of those that were asked about and are as committed."""

    def __str__(self) -> str:
        return self.commit + ("" if self.clean else "+")


def read(project_dir: pathlib.Path, counted: Sequence[str], authored: Sequence[str] = ()) -> Git | None:
    """The state of the repository around a project; `counted` are the files and folders that make a revision.

    `authored`: the files whose authors are wanted.
    """
    commit = _ask(project_dir, "rev-parse", "--verify", "HEAD")
    if commit is None or not _COMMIT.fullmatch(commit.strip()):
        return None
    changed = _ask(project_dir, "status", "--porcelain", "--ignore-submodules=all", "--", *counted) if counted else ""
    if changed is None:
        return None
    return Git(commit.strip(), not changed.strip(), tuple(_authors(project_dir, authored)) if authored else ())


def _authors(project_dir: pathlib.Path, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Who changed each file last; nothing of those that differ from what is committed, or where git does not say."""
    changed = _ask(project_dir, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *files)
    where = _ask(project_dir, "rev-parse", "--show-prefix")
    if changed is None or where is None:
        return
    above = where.removesuffix("\n")
    left = {above + file: file for file in files} if above else {file: file for file in files}
    for entry in changed.split("\0"):
        left.pop(entry[3:], None)
    told = _ask(project_dir, "log", "-z", "--no-renames", "--name-only", "--format=%x01%ae", "--", *left.values())
    email = ""
    for part in (told or "").split("\0") if left else ():
        for line in part.split("\n"):
            if line.startswith("\x01"):
                email = line[1:]
            elif line in left and email:
                yield left.pop(line), email


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
