"""Which commit, and clean or not; asked of a real git."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest

from healer import project
from healer.project import git


def run(root: pathlib.Path, *arguments: str) -> str:
    names = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(write: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    root: pathlib.Path = write({})
    run(root, "init", "--quiet")
    run(root, "add", ".")
    run(root, "commit", "--quiet", "--message", "first")
    return root


def of(root: pathlib.Path) -> git.Git | None:
    revision = project.load(root, {}).revision
    assert revision is not None
    return revision.git


def test_the_commit_and_whether_what_counts_is_as_committed(repository: pathlib.Path) -> None:
    head = run(repository, "rev-parse", "HEAD")
    assert of(repository) == git.Git(head, True)
    (repository / "README.md").write_text("does not count")
    (repository / ".healer").mkdir()
    (repository / ".healer/x").write_text("does not count")
    assert of(repository) == git.Git(head, True)
    (repository / "playbooks/new.yml").write_text("[]")
    assert of(repository) == git.Git(head, False)


def test_a_deleted_file_is_a_change(repository: pathlib.Path) -> None:
    (repository / "scripts/clean.meta.yml").unlink()
    found = of(repository)
    assert found is not None
    assert not found.clean


def test_nothing_of_the_repository_is_run(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    run(repository, "config", "core.fsmonitor", str(trap))
    (repository / ".git/hooks/post-index-change").symlink_to(trap)
    assert of(repository) is not None
    assert not (tmp_path / "sprung").exists()


def test_no_repository_and_no_commit(write: Any, tmp_path: pathlib.Path) -> None:
    root = write({})
    assert git.read(tmp_path / "nothing", ["x"]) is None
    run(root, "init", "--quiet")
    assert of(root) is None


def test_no_git(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert of(repository) is None
