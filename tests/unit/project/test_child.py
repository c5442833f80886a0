"""Loading in a child gives what loading here gives, in small pieces, and a child that dies is a diagnostic."""

from __future__ import annotations

import collections
import dataclasses
import errno
import pathlib
import tempfile
from typing import Any

import pytest

from healer import errors, project
from healer.project import child, pieces


def alike(one: project.Revision, other: project.Revision) -> None:
    for field in filter(lambda one: one.compare, dataclasses.fields(project.Revision)):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "inventories":
            assert {path: found.hosts for path, found in mine.items()} == {
                p: found.hosts for p, found in theirs.items()
            }
        else:
            assert mine == theirs, field.name


async def test_a_child_gives_the_same(write: Any, tmp_path: pathlib.Path) -> None:
    root = write({})
    here = project.load(root, {"HEALER_MODE": "observe"}, {"server.port": 81}).revision
    data = tmp_path / "data"
    flags = {"server.port": 81, "data_dir": None}
    there = await project.load_in_child(root, {"HEALER_MODE": "observe"}, flags, publish_to=data)
    assert here is not None
    assert there.revision is not None, there.diagnostics
    alike(here, there.revision)
    assert there.revision.settings.mode == "observe"
    assert there.published == data / "revisions" / here.id
    assert str(there.revision.resolve_target("site", "WEB02:22")) == "host:web02"
    assert there.revision.sources["am"].options == here.sources["am"].options


async def test_mistakes_come_back(write: Any, tmp_path: pathlib.Path) -> None:
    root = write({"healer.yaml": "mode: activ\n"})
    there = await project.load_in_child(root, {}, publish_to=tmp_path / "data")
    assert (there.revision, there.published) == (None, None)
    assert there.diagnostics == project.load(root, {}).diagnostics
    assert not (tmp_path / "data").exists()


async def test_what_a_plugin_prints_gets_between_nothing(write: Any) -> None:
    noisy = "import sys\nprint('x' * 100_000)\nsys.stderr.write('y' * 1_000_000)\nfrom healer.controllers.local import Local\n"
    root = write(
        {"controllers/noisy.py": noisy + "CONTROLLER = Local\n", "controllers.yaml": "controllers: {a: {type: noisy}}"}
    )
    there = await project.load_in_child(root, {})
    assert [d.code for d in there.diagnostics if d.severity == "error"] == [
        "controller_forbidden",
        "unknown_controller",
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(3)", "without a word"), ("raise SystemExit('bye')", "bye"),
        ("raise SystemExit('at https://u:pa55@a.org, password=pa55')", "at https://***@a.org, password=***"),
        ("raise SystemExit('x ' * 2000 + 'password=' + 'pa55' * 1000 + '\\nbye')", "before it was done: bye"),
    ],
)  # fmt: skip
async def test_a_child_that_dies_is_told(write: Any, code: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_CODE", code)
    there = await project.load_in_child(write({}), {})
    assert (there.revision, [d.code for d in there.diagnostics]) == (None, ["load-failed"])
    assert said in there.diagnostics[0].message


async def test_a_child_that_hangs_is_ended(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_CODE", "import sys; sys.stdin.read(); import signal; signal.pause()")
    there = await project.load_in_child(write({}), {}, timeout_s=0.2)
    assert "longer than" in there.diagnostics[0].message


async def test_publishing_that_fails_is_told(write: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    there = await project.load_in_child(write({}), {}, publish_to=tmp_path / "data")
    assert there.revision is None
    assert [d.code for d in there.diagnostics if d.severity == "error"] == ["publish"]


def test_pieces_are_small(write: Any) -> None:
    rules = "".join(f"    - {{name: r{n}, condition: event.a == {n}, action: {{debug: {{}}}}}}\n" for n in range(200))
    books = {f"rulebooks/b{n}.yml": f"- name: x\n  hosts: all\n  sources: []\n  rules:\n{rules}" for n in range(3)}
    loaded = project.load(write({**books, "inventory/hosts": "[web]\nweb[01:03]\nx[001:999]\n"}), {})
    cut = list(pieces.cut(loaded))
    assert max(map(len, cut)) < 60_000
    joined = pieces.Joined()
    for piece in cut:
        assert not joined.complete
        joined.add(piece)
    assert joined.complete
    assert loaded.revision is not None
    again = joined.loaded().revision
    assert again is not None
    alike(loaded.revision, again)


async def test_files_that_find_no_space_are_a_full_disk_and_no_mistake_of_theirs(
    write: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, data = write({}), tmp_path / "data"

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(child.publishing, "publish", full)
    wanted = {"project_dir": str(root), "environ": {}, "overrides": {}, "publish_to": str(data)}
    answer = child._load(wanted)
    assert [one.code for one in answer.diagnostics if one.severity == "error"] == ["disk-full"]

    class Asked:
        """A child that answers so."""

        def __init__(self, *_: Any) -> None:
            self.reason = ""

        def run(self) -> collections.deque[bytes]:
            return collections.deque(pieces.cut(answer))

    monkeypatch.setattr(child, "_Asked", Asked)
    with pytest.raises(errors.StoreFull) as caught:
        await project.load_in_child(root, {}, publish_to=data)
    assert caught.value.try_ == f"free some space on the disk of {data}"


async def test_it_takes_no_temporary_files(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk may be full."""

    def full(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    assert (await project.load_in_child(write({}), {"TMPDIR": "/nonexistent"})).revision is not None
