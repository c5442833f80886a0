"""Publishing: the same id again, read-only, whole or not at all, and any tampering found."""

from __future__ import annotations

import json
import pathlib
import stat
from collections.abc import Callable
from typing import Any

import pytest

from healer import project
from healer.project import loading, publishing


def load(root: pathlib.Path) -> project.Revision:
    revision = project.load(root, {}).revision
    assert revision is not None
    return revision


@pytest.fixture
def published(write: Any, tmp_path: pathlib.Path) -> tuple[project.Revision, pathlib.Path]:
    revision = load(write({"playbooks/files/deep/x.bin": b"\x00\xff"}))
    return revision, project.publish(revision, tmp_path / "data")


def test_what_is_published_is_the_same_revision(published: Any, tmp_path: pathlib.Path) -> None:
    revision, folder = published
    assert folder == tmp_path / "data/revisions" / revision.id
    again = load(folder)
    assert (again.id, again.catalog, again.activations, again.sources) == (
        revision.id, revision.catalog, revision.activations, revision.sources,
    )  # fmt: skip
    assert again.files == revision.files
    assert project.publish(again, tmp_path / "data") == folder
    assert project.verify(folder) == revision.id


def test_files_are_read_only(published: Any) -> None:
    revision, folder = published
    modes = {path: stat.S_IMODE((folder / path).stat().st_mode) for path in revision.files}
    assert {path for path, mode in modes.items() if mode == 0o555} == {"scripts/clean.sh"}
    assert set(modes.values()) == {0o444, 0o555}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o555 for path in [folder, *folder.glob("**/")])


def test_the_commit_goes_along(write: Any, tmp_path: pathlib.Path) -> None:
    import dataclasses

    revision = dataclasses.replace(load(write({})), git=project.Git("a" * 40, True))
    assert load(project.publish(revision, tmp_path / "data")).git == project.Git("a" * 40, True)


def test_links_become_files(write: Any, tmp_path: pathlib.Path) -> None:
    root = write({})
    (root / "playbooks/again.yml").symlink_to("restart.yml")
    folder = project.publish(load(root), tmp_path / "data")
    assert not (folder / "playbooks/again.yml").is_symlink()


def change(path: str, content: bytes) -> Callable[[pathlib.Path], None]:
    def changed(root: pathlib.Path) -> None:
        (root / path).write_bytes(content)

    return changed


def leads_out(root: pathlib.Path) -> None:
    (root / "playbooks/restart.yml").unlink()
    (root / "playbooks/restart.yml").symlink_to("/etc/hostname")


EDITS: dict[str, Callable[[pathlib.Path], None]] = {
    "content": change("playbooks/restart.yml", b"[] # evil\n"),
    "same length": change("playbooks/restart.yml", b"{}\n"),
    "gone": lambda root: (root / "playbooks/restart.yml").unlink(),
    "executable": lambda root: (root / "scripts/clean.sh").chmod(0o644),
    "link out": leads_out,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_in_between_does_not_slip_in(edit: Any, write: Any, tmp_path: pathlib.Path) -> None:
    root = write({})
    revision = load(root)
    edit(root)
    with pytest.raises(project.Changed):
        project.publish(revision, tmp_path / "data")
    assert list((tmp_path / "data/revisions").iterdir()) == []


def test_a_new_file_in_between_is_not_copied(write: Any, tmp_path: pathlib.Path) -> None:
    root = write({})
    revision = load(root)
    (root / "playbooks/late.yml").write_text("[]")
    folder = project.publish(revision, tmp_path / "data")
    assert not (folder / "playbooks/late.yml").exists()


def test_what_a_crash_left_is_removed(write: Any, tmp_path: pathlib.Path) -> None:
    left = tmp_path / "data/revisions/.unfinished-abc-1/playbooks"
    left.mkdir(parents=True)
    (left / "x").write_text("")
    left.chmod(0o555)
    folder = project.publish(load(write({})), tmp_path / "data")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def unlocked(folder: pathlib.Path, path: str) -> pathlib.Path:
    for one in [folder, *folder.glob("**/")]:
        one.chmod(0o755)
    (folder / path).chmod(0o644)
    return folder / path


TAMPERING: dict[str, Callable[[pathlib.Path], object]] = {
    "content": lambda folder: unlocked(folder, "playbooks/restart.yml").write_text("[] "),
    "missing": lambda folder: unlocked(folder, "playbooks/restart.yml").unlink(),
    "more": lambda folder: (unlocked(folder, "playbooks/restart.yml").parent / "more.yml").write_text("[]"),
    "executable": lambda folder: (folder / "playbooks/restart.yml").chmod(0o555),
    "not executable": lambda folder: (folder / "scripts/clean.sh").chmod(0o444),
    "link": lambda folder: (unlocked(folder, "playbooks/restart.yml").parent / "more").symlink_to("/etc"),
    "manifest": lambda folder: unlocked(folder, loading.MANIFEST).write_text("{}"),
    "no manifest": lambda folder: unlocked(folder, loading.MANIFEST).unlink(),
    "manifest of other files": lambda folder: unlocked(folder, loading.MANIFEST).write_text(
        json.dumps({"files": [], "id": folder.name, "git": None})
    ),
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_tampering_is_found(tamper: Any, published: Any, tmp_path: pathlib.Path) -> None:
    revision, folder = published
    tamper(folder)
    with pytest.raises(project.Tampered) as caught:
        project.publish(revision, tmp_path / "data")
    assert str(folder) in str(caught.value)
    assert caught.value.code == "revision-tampered"


def test_a_full_disk_leaves_nothing(write: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    revision = load(write({}))
    monkeypatch.setattr(publishing.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        project.publish(revision, tmp_path / "data")
    assert list((tmp_path / "data/revisions").iterdir()) == []
