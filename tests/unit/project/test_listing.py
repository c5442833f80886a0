"""A list of Ansible's is read in a child: the same as here, in pieces, once; and what cannot be read leaves what there was."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import inventory, project
from healer.project import child, listing, pieces

KNOWN = inventory.Inventory({"a1": inventory.Host("a1", "a1", aliases=("shop",))}, {})


def listed(path: pathlib.Path, *names: str, **more: Any) -> pathlib.Path:
    path.write_text(json.dumps({"web": {"hosts": names}, "none": {}, **more}))
    return path


async def test_a_child_gives_the_same(tmp_path: pathlib.Path) -> None:
    path = listed(tmp_path / "list", *(f"a{number}" for number in range(12_000)), "b c")
    said, made = await project.read_hosts(path, KNOWN, project.Said(1, 2))
    here, told = inventory.read_found(path.read_bytes(), {"a1": (("shop",), "")})
    assert made is not None
    assert vars(made) == vars(here)
    assert (said.hosts, said.left_out, said.error) == (12_000, tuple(told), "")
    assert str(made.resolve("shop")) == "host:a1"


async def test_what_is_as_before_is_not_read_again(tmp_path: pathlib.Path) -> None:
    path = listed(tmp_path / "list", "a1", "b c")
    first, _ = await project.read_hosts(path, KNOWN, project.Said())
    assert await project.read_hosts(path, KNOWN, first) == (first, None)
    other = inventory.Inventory({"a1": inventory.Host("a1", "a1", aliases=("store",))}, {})
    said, made = await project.read_hosts(path, other, first)
    assert said.mark != first.mark
    assert made is not None
    assert made.hosts["a1"].aliases == ("store",)


async def test_what_is_no_list_says_why_and_leaves_what_there_was(tmp_path: pathlib.Path) -> None:
    first, _ = await project.read_hosts(listed(tmp_path / "list", "a1"), KNOWN, project.Said())
    (tmp_path / "list").write_text("no")
    said, made = await project.read_hosts(tmp_path / "list", KNOWN, first)
    assert made is None
    assert (said.hosts, said.mark) == (1, first.mark)
    assert said.error.startswith("what Ansible listed cannot be read: it is no JSON")
    said, made = await project.read_hosts(listed(tmp_path / "list", "a1"), KNOWN, said)
    assert (said, made) == (first, None), "the same as the last good one"


async def test_a_child_that_dies_or_takes_too_long_says_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, made = await project.read_hosts(tmp_path / "no-file", KNOWN, project.Said())
    assert made is None
    assert "FileNotFoundError" in said.error
    monkeypatch.setattr(listing, "READ_S", 0.2)
    monkeypatch.setattr(listing, "_CODE", "import signal; signal.pause()")
    said, made = await project.read_hosts(tmp_path / "no-file", KNOWN, project.Said())
    assert made is None
    assert said.error.endswith("it took longer than 0.2 s")


def test_no_piece_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of all hosts is cut too, and put together in its order."""
    monkeypatch.setattr(pieces, "MEMBERS", 2)
    one = inventory.Inventory({}, {"web": ("a", "b", "c", "d", "e"), "none": ()})
    joined = pieces.Joined()
    cut = [*pieces.cut_inventory(one, ["said"], "mark")]
    for piece in cut:
        joined.add(piece)
    made, told, mark = joined.lone()
    assert made is not None
    assert made.groups == one.groups
    assert (told, mark) == (("said",), "mark")
    assert len(cut) >= 7
    assert child.SLICE_S < 0.005
