"""The program that runs on another machine, by itself: what it unpacks, what it keeps, and what of events it tells."""

from __future__ import annotations

import io
import json
import pathlib
import tarfile
from typing import Any

import pytest

from healer.controllers import _revision_files, _shimmed
from healer.controllers._away import machine

ORDER = {"returned": False, "sets": False}


def packed(*members: tuple[str, bytes, bytes]) -> io.BytesIO:
    """A compressed tar of (name, type, content)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), "/etc/passwd" if content == b"" else ""
            archive.addfile(member, io.BytesIO(content))
    return io.BytesIO(made.getvalue())


@pytest.mark.parametrize("stream", [
    packed(("../out", tarfile.REGTYPE, b"x")), packed(("/out", tarfile.REGTYPE, b"x")), packed(("a/../../out", tarfile.REGTYPE, b"x")),
    packed(("link", tarfile.SYMTYPE, b"")), packed(("hard", tarfile.LNKTYPE, b"")), packed(("fifo", tarfile.FIFOTYPE, b"")),
    packed(("twice", tarfile.REGTYPE, b"x"), ("twice", tarfile.REGTYPE, b"y")), io.BytesIO(b"no tar"), io.BytesIO(b""),
    io.BytesIO(packed(("cut", tarfile.REGTYPE, b"x" * 100_000)).getvalue()[:-30]),
])  # fmt: skip
def test_what_is_no_revision_is_not_kept(tmp_path: pathlib.Path, stream: io.BytesIO) -> None:
    with pytest.raises(machine.Refused, match="its files cannot be kept in"):
        machine.keep(tmp_path, "a" * 64, stream)
    assert not machine.kept(tmp_path, "a" * 64)
    assert not list((tmp_path / "revisions").iterdir())
    assert not (tmp_path / "out").exists()


def test_what_is_kept_is_what_was_sent(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "revision"
    for name, text in {"playbooks/a.yml": "a", "roles/b c/tasks/main.yml": "", "ü": "\xfc"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "ü").chmod(0o755)
    files = _revision_files.Files()
    name = files.id(root)
    machine.keep(tmp_path, name, io.BytesIO(files.archive(root)))
    assert machine.kept(tmp_path, name)
    there = tmp_path / "revisions" / name
    assert {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()} == {
        "playbooks/a.yml", "roles/b c/tasks/main.yml", "ü",
    }  # fmt: skip
    assert [(there / one).stat().st_mode & 0o777 for one in ("ü", "playbooks/a.yml")] == [0o700, 0o600]
    assert _revision_files.Files().id(there) == name, "the same files, whoever asks"


def test_the_id_changes_with_any_of_its_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_text("1")
    files = _revision_files.Files()
    first = files.id(tmp_path)
    assert files.id(tmp_path) == first
    (tmp_path / "a").chmod(0o755)
    second = files.id(tmp_path)
    (tmp_path / "a").write_text("2")
    third = files.id(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, third, files.id(tmp_path)}) == 4


def test_too_much_is_refused_before_it_is_sent(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("12345")
    monkeypatch.setattr(_revision_files, "FILES_MAX", 1)
    with pytest.raises(
        _shimmed.RefusedJob, match="its revision has 0 MiB in 2 files; at most 256 MiB and 1 files are sent"
    ):
        _revision_files.Files().id(tmp_path)


def test_files_that_cannot_be_read_are_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(_shimmed.RefusedJob, match="the files of its revision cannot be read"):
        _revision_files.Files().id(tmp_path / "nothing")


# --- events -----------------------------------------------------------------------------------------------------------------


def events(work: pathlib.Path, *told: tuple[str, dict[str, Any]]) -> None:
    folder = work / "ansible/artifacts/run/job_events"
    folder.mkdir(parents=True)
    for number, (kind, data) in enumerate(told):
        (folder / f"{number}-partial.json").write_text(json.dumps({"event": kind, "pid": 1, "event_data": data}))


STATS = ("playbook_on_stats", {"processed": {"h1": 1}})
FAILED = ("runner_on_failed", {"host": "h1", "task": "t", "res": {"msg": "no"}})
OK = ("runner_on_ok", {"host": "h1", "task_action": "debug", "res": {"msg": "x"}})
SET = ("runner_on_ok", {"host": "h1", "task_action": "ansible.builtin.set_fact", "res": {"ansible_facts": {"a": 1}}})


@pytest.mark.parametrize(("told", "order", "code", "kinds"), [
    ([OK, STATS], {}, 0, ["playbook_on_stats"]), ([FAILED, STATS], {}, 0, ["playbook_on_stats"]),
    ([FAILED, STATS], {}, 2, ["runner_on_failed", "playbook_on_stats"]), ([OK, STATS], {"returned": True}, 0, ["runner_on_ok", "playbook_on_stats"]),
    ([OK, SET, STATS], {"sets": True}, 0, ["runner_on_ok", "playbook_on_stats"]), ([OK, FAILED], {}, 143, ["runner_on_start", "runner_on_failed"]),
    ([], {}, 1, []),
])  # fmt: skip
def test_of_events_only_those_that_say_how_it_ended(
    tmp_path: pathlib.Path, told: list[Any], order: dict[str, bool], code: int, kinds: list[str]
) -> None:
    events(tmp_path, ("playbook_on_start", {}), *told, ("verbose", {}))
    assert [one["event"] for one in machine.report(tmp_path, {**ORDER, **order}, code)] == kinds


def test_the_end_of_each_host_has_its_room(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "REPORT_BYTES", 400)
    events(tmp_path, *[FAILED] * 10, STATS)
    told = machine.report(tmp_path, ORDER, 2)
    assert [one["event"] for one in told] == ["runner_on_failed"] * (len(told) - 1) + ["playbook_on_stats"]
    assert 0 < len(told) - 1 < 10
    assert len(json.dumps(told)) <= 400 + 2 * len(told)


def test_events_that_were_cut_off_or_are_too_large_are_left_out(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "EVENT_BYTES", 200)
    events(tmp_path, ("runner_on_failed", {"host": "h1", "res": {"msg": "x" * 300}}), FAILED, STATS)
    half = tmp_path / "ansible/artifacts/run/job_events/half-partial.json"
    half.write_text('{"event": "runner_on_failed", "event_da')
    assert [one["event"] for one in machine.report(tmp_path, ORDER, 2)] == ["runner_on_failed", "playbook_on_stats"]
